"""A fault proxy: HTTP between boto3 and the local AWS that breaks what a test tells it to.

    with Faults(aws.url) as proxy:                  # clients come by AWS_ENDPOINT_URL=proxy.url
        proxy.on("CreateModelPackage", lost_answer(), times=1)
        ...
        assert proxy.count("CreateModelPackage") == 2

In: requests of AWS's clients, path-style for S3. Out: the answers of the server behind, but where a
rule's fault decides; and `requests`, an entry for each that came, in order. An operation is known
by X-Amz-Target, or for S3 by method, path, query and headers; the region by the signature's scope.
Bodies stream through. A fault is a function of an `Exchange`: a test may bring its own, for
instance to kill a process just then. What fails in the proxy itself is raised when it closes.
"""

from __future__ import annotations

import json
import re
import socket
import struct
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from http.client import HTTPResponse
    from io import BufferedReader

    Fault = Callable[["Exchange"], None]

_PIECE = 1 << 18
_SCOPE = re.compile(r"[^/=\s]+/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_NO_BODY = {204, 304}

# S3's operations by method, by level (0 all buckets, 1 a bucket, 2 an object) and by what else the
# query or the headers name. The first that fits.
_S3 = (
    ("HEAD", 1, (), "HeadBucket"),
    ("HEAD", 2, (), "HeadObject"),
    ("GET", 0, (), "ListBuckets"),
    ("GET", 1, ("uploads",), "ListMultipartUploads"),
    ("GET", 1, ("location",), "GetBucketLocation"),
    ("GET", 1, ("versions",), "ListObjectVersions"),
    ("GET", 1, ("list-type",), "ListObjectsV2"),
    ("GET", 1, (), "ListObjects"),
    ("GET", 2, ("uploadId",), "ListParts"),
    ("GET", 2, ("attributes",), "GetObjectAttributes"),
    ("GET", 2, ("tagging",), "GetObjectTagging"),
    ("GET", 2, (), "GetObject"),
    ("PUT", 1, (), "CreateBucket"),
    ("PUT", 2, ("partNumber", "x-amz-copy-source"), "UploadPartCopy"),
    ("PUT", 2, ("partNumber",), "UploadPart"),
    ("PUT", 2, ("x-amz-copy-source",), "CopyObject"),
    ("PUT", 2, ("tagging",), "PutObjectTagging"),
    ("PUT", 2, (), "PutObject"),
    ("POST", 1, ("delete",), "DeleteObjects"),
    ("POST", 2, ("uploads",), "CreateMultipartUpload"),
    ("POST", 2, ("uploadId",), "CompleteMultipartUpload"),
    ("DELETE", 1, (), "DeleteBucket"),
    ("DELETE", 2, ("uploadId",), "AbortMultipartUpload"),
    ("DELETE", 2, (), "DeleteObject"),
)


@dataclass
class Request:
    """A request that came. `path` is without the query; header names are in small letters."""

    service: str
    operation: str
    region: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    length: int  # of its body, in bytes
    passed: int = 0  # how much of the body has gone on to the server
    status: int | None = None  # what the client was answered; None: nothing


@dataclass
class Rule:
    """What to break: `times` requests of an operation, or (None) all that come."""

    operation: str | None
    fault: Fault
    times: int | None
    region: str | None
    when: Callable[[Request], bool]
    used: int = 0

    def fits(self, request: Request) -> bool:
        """Whether this request is to meet the fault."""
        return (
            self.operation in (None, request.operation)
            and self.region in (None, request.region)
            and self.used != self.times
            and self.when(request)
        )


class Answer(NamedTuple):
    """An answer, whole."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Faults:
    """The proxy: on a free port of this machine from `with` to its end."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._delays: dict[str | None, float] = {}
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02])
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def on(
        self,
        operation: str | None,
        fault: Fault,
        *,
        times: int | None = None,
        region: str | None = None,
        when: Callable[[Request], bool] = lambda _: True,
    ) -> Rule:
        """Break requests of an operation (None: of any). Of the rules that fit the first counts."""
        rule = Rule(operation, fault, times, region, when)
        with self._lock:
            self._rules.append(rule)
        return rule

    def down(self, region: str) -> None:
        """Let nothing through to a region, whatever other rules say."""
        rule = self.on(None, reset(), region=region)
        with self._lock:
            self._rules.sort(key=lambda other: other is not rule)

    def delay(self, seconds: float, region: str | None = None) -> None:
        """Let requests of a region (None: of those that have none of their own) take longer."""
        self._delays[region] = seconds

    def mend(self) -> None:
        """Break and delay nothing any more. `requests` stays."""
        with self._lock:
            self._rules.clear()
            self._delays.clear()

    def count(self, operation: str | None = None, region: str | None = None) -> int:
        """How many requests have come."""
        return sum(
            operation in (None, request.operation) and region in (None, request.region)
            for request in list(self.requests)
        )

    def handle(self, exchange: Exchange) -> None:
        """Note a request and do with it what the rules say."""
        request = exchange.request
        with self._lock:
            self.requests.append(request)
            rule = next((rule for rule in self._rules if rule.fits(request)), None)
            if rule:
                rule.used += 1
            delay = self._delays.get(request.region, self._delays.get(None, 0))
        if delay:
            self.wait(delay)
        if rule:
            rule.fault(exchange)
        else:
            exchange.pass_through()

    def wait(self, seconds: float) -> None:
        """Wait, but not beyond the proxy's end."""
        if self.closing.wait(seconds):
            raise ConnectionAbortedError

    def __enter__(self) -> Faults:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        if self._server.failures:
            raise ExceptionGroup("in the fault proxy", self._server.failures)


# What can happen to a request. Where S3 and the JSON services differ, each gets its own.


def throttled() -> Fault:
    """Refused for the rate of requests."""
    return _refused(
        Refusal(503, "SlowDown", "Please reduce your request rate."),
        Refusal(400, "ThrottlingException", "Rate exceeded"),
    )


def internal_error() -> Fault:
    """A failure of the service's own, HTTP status 500."""
    return _refused(
        Refusal(500, "InternalError", "We encountered an internal error. Please try again."),
        Refusal(500, "InternalFailure", "The request processing has failed."),
    )


def late_error() -> Fault:
    """S3's way with copies and completions: status 200 at once, and the error in the body."""
    text = "We encountered an internal error. Please try again."
    return refused("InternalError", text, status=200)


def expired() -> Fault:
    """Refused for credentials that have expired."""
    return _refused(
        Refusal(400, "ExpiredToken", "The provided token has expired."),
        Refusal(
            400,
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
    )


def denied(action: str, resource: str = "*") -> Fault:
    """Refused by a policy: `action` as in s3:PutObject, or in kms:GenerateDataKey for a KMS key."""
    text = (
        "User: arn:aws:sts::123456789012:assumed-role/job/SageMaker is not authorized to perform: "
        f"{action} on resource: {resource} because no identity-based policy allows the "
        f"{action} action"
    )
    return _refused(Refusal(403, "AccessDenied", text), Refusal(400, "AccessDeniedException", text))


def elsewhere(region: str) -> Fault:
    """S3's answer where a bucket is of another region."""
    return refused(
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. "
        "Please send all future requests to this endpoint.",
        status=301,
        headers=[("x-amz-bucket-region", region)],
    )


def refused(
    code: str, text: str, *, status: int = 400, headers: list[tuple[str, str]] | None = None
) -> Fault:
    """Refused in words of the test's own. The server behind hears nothing of it."""
    refusal = Refusal(status, code, text, headers or [])
    return _refused(refusal, refusal)


def slow(seconds: float) -> Fault:
    """Carried out after a while: beyond the client's read timeout, it has gone by then."""

    def fault(exchange: Exchange) -> None:
        exchange.proxy.wait(seconds)
        exchange.pass_through()

    return fault


def reset() -> Fault:
    """Connection reset, nothing carried out."""
    return Exchange.reset


def lost_answer() -> Fault:
    """Carried out; then the connection is reset, with no answer."""

    def fault(exchange: Exchange) -> None:
        exchange.carry_out()
        exchange.reset()

    return fault


def truncated(keep: int = 0) -> Fault:
    """Carried out; of the answer's body only the first `keep` bytes come.

    botocore takes that for the whole answer: it doesn't compare with the Content-Length.
    """

    def fault(exchange: Exchange) -> None:
        status, headers, body = exchange.carry_out()
        exchange.answer(status, [*headers, ("Content-Length", str(len(body)))], body[:keep])
        exchange.hang_up()

    return fault


class Refusal(NamedTuple):
    """An error as AWS answers it."""

    status: int
    code: str
    text: str
    headers: list[tuple[str, str]] = []  # noqa: RUF012 - never changed

    def xml(self) -> bytes:
        """S3's form."""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{self.code}</Code><Message>{escape(self.text)}</Message></Error>"
        ).encode()

    def json(self) -> bytes:
        """The JSON services' form."""
        return json.dumps({"__type": self.code, "message": self.text}).encode()


def _refused(s3: Refusal, other: Refusal) -> Fault:
    def fault(exchange: Exchange) -> None:
        is_s3 = exchange.request.service == "s3"
        refusal = s3 if is_s3 else other
        body = refusal.xml() if is_s3 else refusal.json()
        kind = "application/xml" if is_s3 else "application/x-amz-json-1.1"
        headers = [*refusal.headers, ("Content-Type", kind), ("Content-Length", str(len(body)))]
        exchange.drop_body()
        exchange.answer(refusal.status, headers, body)

    return fault


# HTTP


class Exchange:
    """A request on its way, and the means to answer it."""

    def __init__(self, proxy: Faults, connection: _Connection) -> None:
        self.proxy = proxy
        self.request = _request(connection)
        self._connection = connection
        self._body_taken = not self.request.length

    def pass_through(self) -> None:
        """Have the request carried out, and pass the answer on."""
        with _Upstream(self.proxy.target) as upstream:
            answer = self._send(upstream)
            body = iter(lambda: answer.read(_PIECE), b"")
            length = answer.headers["Content-Length"]
            first = b""
            if length is None:  # chunked, or until the server closes
                first = b"".join(body)
                length = str(len(first))
            headers = [*_kept(answer), ("Content-Length", length)]
            self.answer(answer.status, headers, first)
            for piece in body:
                self._connection.wfile.write(piece)

    def carry_out(self) -> Answer:
        """Have the request carried out, and keep the answer back."""
        with _Upstream(self.proxy.target) as upstream:
            answer = self._send(upstream)
            return Answer(answer.status, _kept(answer), answer.read())

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Answer the client; HEAD, 204 and 304 have no body, whatever is given."""
        connection = self._connection
        connection.send_response_only(status)
        if not self._body_taken:  # nobody will read it: the next request can't be found behind it
            headers = [*headers, ("Connection", "close")]
        for name, value in headers:
            if status not in _NO_BODY or name != "Content-Length":
                connection.send_header(name, value)
        self.request.status = status
        connection.end_headers()
        if self.request.method != "HEAD" and status not in _NO_BODY:
            connection.wfile.write(body)

    def drop_body(self) -> None:
        """Read the request's body and forget it; one that waits for "100 Continue" never comes."""
        if not self._expects():
            for _ in self._body():
                pass

    def reset(self) -> None:
        """Reset the connection."""
        linger_not = struct.pack("ii", 1, 0)
        self._connection.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection."""
        self._connection.close_connection = True

    def _send(self, upstream: HTTPConnection) -> HTTPResponse:
        upstream.putrequest(
            self.request.method, self._connection.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in self._connection.headers.items():
            if name.lower() not in ("connection", "expect"):
                upstream.putheader(name, value)
        upstream.endheaders()
        if self._expects():
            self._connection.send_response_only(100)
            self._connection.end_headers()
        for piece in self._body():
            try:
                upstream.send(piece)
            except ConnectionError:  # it has answered before it heard all
                continue
            self.request.passed += len(piece)
        return upstream.getresponse()

    def _expects(self) -> bool:
        return self.request.headers.get("expect", "").lower() == "100-continue"

    def _body(self) -> Iterator[bytes]:
        self._body_taken = True
        left = self.request.length
        while left:
            piece = self._connection.rfile.read1(min(left, _PIECE))
            if not piece:
                raise ConnectionAbortedError
            left -= len(piece)
            yield piece


class _Upstream(HTTPConnection):
    """A connection to the server behind, closed at the end."""

    def __init__(self, url: str) -> None:
        super().__init__(urlsplit(url).netloc, timeout=600)

    def __enter__(self) -> _Upstream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Connection(BaseHTTPRequestHandler):
    """A client's connection: one request after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rfile: BufferedReader
    server: _Server

    def handle_one_request(self) -> None:
        self.close_connection = True
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            return
        exchange = Exchange(self.server.proxy, self)
        self.server.proxy.handle(exchange)

    def handle_expect_100(self) -> bool:
        """Say nothing yet: whoever wants the body asks for it."""
        return True


class _Server(ThreadingHTTPServer):
    """The listening socket, and a thread a connection."""

    daemon_threads = False  # so that the end waits for them
    request_queue_size = 128

    def __init__(self, proxy: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.proxy = proxy
        self.failures: list[Exception] = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close without the farewell that would turn a reset into an end."""
        with self._lock:
            self._open.discard(request)
            request.close()

    def handle_error(self, *_: object) -> None:
        error = sys.exc_info()[1]
        # A client that has gone, or the end of the proxy.
        if isinstance(error, Exception) and not isinstance(error, ConnectionError):
            self.failures.append(error)

    def hang_up(self) -> None:
        """End all connections and their threads."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):  # the client was quicker
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


def _kept(answer: HTTPResponse) -> list[tuple[str, str]]:
    """The headers that are about the answer, not about the connection or the length."""
    dropped = ("connection", "content-length", "transfer-encoding")
    return [(name, value) for name, value in answer.getheaders() if name.lower() not in dropped]


def _request(connection: _Connection) -> Request:
    headers = {name.lower(): value for name, value in connection.headers.items()}
    if "transfer-encoding" in headers:
        raise NotImplementedError("over plain HTTP boto3 sends no body in chunks")
    path, _, query_string = connection.path.partition("?")
    query = dict(parse_qsl(query_string, keep_blank_values=True))
    signed = query.get("X-Amz-Credential") or headers.get("authorization", "")
    scope = _SCOPE.search(signed)
    service, region = (scope["service"], scope["region"]) if scope else ("", "")
    target = headers.get("x-amz-target", "")
    operation = target.rpartition(".")[2] or _s3_operation(
        connection.command, path, {*query, *headers}
    )
    length = int(headers.get("content-length", 0))
    return Request(service, operation, region, connection.command, path, query, headers, length)


def _s3_operation(method: str, path: str, names: set[str]) -> str:
    bucket, _, key = path.lstrip("/").partition("/")
    level = 2 if key else 1 if bucket else 0
    for fits_method, fits_level, wanted, operation in _S3:
        if (method, level) == (fits_method, fits_level) and names.issuperset(wanted):
            return operation
    return f"{method} {path}"
