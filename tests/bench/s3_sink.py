"""An S3 that reads what it is sent, as fast as Python reads, and forgets it.

Prints its URL and serves until its input ends. It keeps of an object what HeadObject gives: size,
metadata and CRC-32 as the client named them. It checks nothing; for that there is the local AWS.
"""

from __future__ import annotations

import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from io import BufferedReader

PIECE = 1 << 20
KEPT = ("x-amz-meta-sha256", "x-amz-checksum-crc32", "content-type")


class Sink(BaseHTTPRequestHandler):
    """A connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rfile: BufferedReader
    objects: dict[str, dict[str, str]] = {}  # noqa: RUF012 - one for all connections
    uploads: dict[str, dict[str, str]] = {}  # noqa: RUF012

    def do_HEAD(self) -> None:
        path = urlsplit(self.path).path
        if path.count("/") == 1:  # a bucket
            self._answer(200)
        else:
            found = self.objects.get(path)
            self._answer(404 if found is None else 200, found)

    def do_GET(self) -> None:  # ListMultipartUploads
        self._answer(200, body="<ListMultipartUploadsResult/>")

    def do_PUT(self) -> None:
        length = self._drop_body()
        url = urlsplit(self.path)
        if "partNumber" not in parse_qs(url.query):
            self.objects[url.path] = {**self._kept(), "Content-Length": str(length)}
        self._answer(200, {"ETag": '"etag"'})

    def do_POST(self) -> None:
        self._drop_body()
        url = urlsplit(self.path)
        upload = parse_qs(url.query).get("uploadId", [""])[0]
        if upload:
            size = self.headers.get("x-amz-mp-object-size", "0")
            made = {**self.uploads.pop(upload), **self._kept(), "Content-Length": size}
            self.objects[url.path] = made
            name = "CompleteMultipartUploadResult"
            self._answer(200, body=f"<{name}><ETag>etag</ETag></{name}>")
        else:
            upload = uuid.uuid4().hex
            self.uploads[upload] = self._kept()
            name = "InitiateMultipartUploadResult"
            self._answer(200, body=f"<{name}><UploadId>{upload}</UploadId></{name}>")

    def do_DELETE(self) -> None:
        self._answer(204)

    def _drop_body(self) -> int:
        length = left = int(self.headers.get("Content-Length", 0))
        buffer = memoryview(bytearray(min(left, PIECE)))
        while left:
            left -= self.rfile.readinto1(buffer[: min(left, PIECE)])
        return length

    def _kept(self) -> dict[str, str]:
        return {name: self.headers[name] for name in KEPT if name in self.headers}

    def _answer(self, status: int, headers: dict[str, str] | None = None, body: str = "") -> None:
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())


def main() -> None:
    """Serve until the standard input ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Sink) as server:
        threading.Thread(target=server.serve_forever).start()
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
