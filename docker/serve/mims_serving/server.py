"""SageMaker's serving contract over HTTP: `GET /ping` and `POST /invocations`.

Goes in: a loaded model. Comes out: a server that answers in the model's words, and in JSON
(`{"error": …}`) where it cannot.
"""

from __future__ import annotations

import json
import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from mims_serving.model import JSON, InvocationError

if TYPE_CHECKING:
    from mims_serving.model import Model

log = logging.getLogger("serve")

MAX_REQUEST_BYTES = 6_291_456  # InvokeEndpoint's limit
_IDLE_SECONDS = 10


class InferenceServer(ThreadingHTTPServer):
    """Serves one model, a thread a request. Closing it waits for requests under way."""

    daemon_threads = False
    request_queue_size = 128  # five, the default, turns away what comes at the same moment

    def __init__(self, model: Model, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.model = model

    @property
    def url(self) -> str:
        """Where it listens, with the port that it was given."""
        return f"http://{self.server_address[0]!s}:{self.server_port}"


def make_server(model: Model, host: str = "127.0.0.1", port: int = 0) -> InferenceServer:
    """Bind a server for a model; port 0 takes a free one. Call its `serve_forever`."""
    return InferenceServer(model, (host, port))


class _Handler(BaseHTTPRequestHandler):
    timeout = _IDLE_SECONDS  # so that an idle connection does not hold up the end

    def do_GET(self) -> None:
        if self.path == "/ping":
            self._answer(HTTPStatus.OK, b"", JSON)
        elif self.path == "/invocations":
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED, "POST to /invocations")
        else:
            self._not_found()

    def do_POST(self) -> None:
        if self.path != "/invocations":
            self._not_found()
            return
        try:
            body = self._body()
            content_type = _media_type(self.headers["Content-Type"])
            accept = _media_type(self.headers["Accept"])
            answer = cast("InferenceServer", self.server).model.invoke(body, content_type, accept)
        except InvocationError as error:
            if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                log.exception("the package's code failed")
            self.send_error(error.status, str(error))
        else:
            self._answer(HTTPStatus.OK, *answer)

    def _not_found(self) -> None:
        self.send_error(HTTPStatus.NOT_FOUND, "here are GET /ping and POST /invocations")

    def _body(self) -> bytes:
        length = self.headers["Content-Length"] or ""
        if not length.isdigit():
            raise InvocationError(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length")
        if int(length) > MAX_REQUEST_BYTES:
            raise InvocationError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"{length} bytes are more than InvokeEndpoint's {MAX_REQUEST_BYTES}",
            )
        return self.rfile.read(int(length))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with a JSON error, also where the base class finds a request malformed."""
        text = message or explain or HTTPStatus(code).phrase
        self._answer(HTTPStatus(code), json.dumps({"error": text}).encode(), JSON)

    def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """One line a request, with the rest of the log."""
        log.info("%s", (format % args).encode("unicode_escape").decode())


def _media_type(header: str | None) -> str:
    """Give the first media type of a header, without parameters; JSON where any will do."""
    first = (header or "").partition(",")[0].partition(";")[0].strip().lower()
    return JSON if first in ("", "*/*") else first
