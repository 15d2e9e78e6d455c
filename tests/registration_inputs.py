"""What registration's tests share: inputs in a root of their own, and a run."""

from __future__ import annotations

import bz2
import functools
import gzip
import hashlib
import io
import json
import tarfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.command_line import CommandLine
from mims.contracts import MIMS_REGISTRATION_CONTRACT
from mims.job import run_job
from mims.registration.register import register

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

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
