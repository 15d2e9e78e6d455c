"""What registration's tests share: inputs in a root of their own, a run, and a proxy in between."""

from __future__ import annotations

import bz2
import functools
import gzip
import hashlib
import io
import json
import tarfile
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from mims.command_line import CommandLine
from mims.contracts import MIMS_REGISTRATION_CONTRACT
from mims.job import run_job
from mims.registration.register import register

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

CONFIG = {"model_registration_objective": "FraudDetection", "bucket": "mims-models"}
GROUP = "BuyerSellerMessaging-FraudDetection"
PACKAGE = {"model_artifacts/model.bst": b"trees", "code/inference.py": b"def model_fn(): ..."}
SAMPLES = {
    "text_csv/sample_payload.csv": b"age,country\n1,DE\n",
    "application_json/sample_payload.json": b'{"instances": [{"age": 1, "country": "DE"}]}',
}
VARIABLES = {"age": "NUMERIC", "country": "TEXT"}


_COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "w": bytes,
    "w:gz": functools.partial(gzip.compress, mtime=0),
    "w:bz2": bz2.compress,
}


def archive(path: Path, files: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    """Write a tar archive as anybody would, but the same at any time of day."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    path.write_bytes(_COMPRESSIONS[mode](made.getvalue()))
    return path


def digests(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def payload_metadata(samples: Mapping[str, bytes], **changes: Any) -> bytes:
    """The metadata.json that mims_payload.py puts beside its samples."""
    types = {".json": "application/json", ".csv": "text/csv"}
    files = [
        {
            "name": name,
            "content_type": types[name[name.rindex(".") :]],
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, content in samples.items()
    ]
    metadata = {
        "content_types": [file["content_type"] for file in files],
        "files": files,
        "source_model_inference_input_variable_list": VARIABLES,
    }
    return json.dumps({**metadata, **changes}).encode()


@dataclass(frozen=True)
class Inputs:
    """A root with the channels of a registration in it."""

    root: Path

    @property
    def model(self) -> Path:
        return self.root / "opt/ml/processing/input/model"

    @property
    def payload(self) -> Path:
        return self.root / "opt/ml/processing/mims_payload"

    @property
    def metadata(self) -> Path:
        return self.root / "opt/ml/processing/input/metadata"

    @property
    def config(self) -> Path:
        return self.root / "opt/ml/processing/config/config"

    def write(
        self,
        config: Mapping[str, Any] = CONFIG,
        package: Mapping[str, bytes] = PACKAGE,
        samples: Mapping[str, bytes] = SAMPLES,
    ) -> Inputs:
        """Write package with manifest, payload with metadata, and config."""
        model = archive(self.model / "model.tar.gz", package)
        manifest = {"archive": digests(model), "members": []}
        (self.model / "manifest.json").write_text(json.dumps(manifest))
        files = {**samples, "metadata.json": payload_metadata(samples)}
        archive(self.payload / "payload.tar.gz", files)
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(json.dumps(config))
        return self


class Ending(NamedTuple):
    """How a run ended."""

    code: int
    message: dict[str, Any]

    @property
    def error(self) -> str:
        return str(self.message["error"])


def run_registration(inputs: Inputs) -> Ending:
    """Run the job, with waits as short as the local AWS is quick, and read its exit message."""
    flow = functools.partial(register, sleep=lambda seconds: time.sleep(min(seconds, 0.05)))
    code = run_job(CommandLine(MIMS_REGISTRATION_CONTRACT, str(inputs.root)), flow)
    return Ending(code, json.loads((inputs.root / "opt/ml/output/message").read_bytes()))


class Answer(NamedTuple):
    """What an AWS service sends back."""

    status: int
    body: bytes


# Sees the operation (SageMaker's target, else the method) and how to forward it; answers for it.
Between = Callable[[str, Callable[[], Answer]], Answer]


@contextmanager
def proxy(monkeypatch: pytest.MonkeyPatch, to: str, between: Between) -> Iterator[None]:
    """Put an HTTP proxy between AWS's clients and the local AWS at `to`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            if self.headers.get("Expect"):
                self.send_response_only(100)
                self.end_headers()
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers: dict[str, str] = {}

            def ask() -> Answer:
                connection = HTTPConnection(urlsplit(to).netloc)
                sent = {k: v for k, v in self.headers.items() if k not in ("Expect", "Host")}
                connection.request(self.command, self.path, body, sent)
                response = connection.getresponse()
                headers.update(response.getheaders())
                answer = Answer(response.status, response.read())
                connection.close()
                return answer

            operation = self.headers.get("X-Amz-Target", self.command).rpartition(".")[2]
            answer = between(operation, ask)
            self.send_response_only(answer.status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            length = len(answer.body)
            if self.command == "HEAD":
                length = int(headers.get("Content-Length", 0))
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = forward  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            yield
        finally:
            monkeypatch.setenv("AWS_ENDPOINT_URL", to)
            server.shutdown()
            thread.join()
