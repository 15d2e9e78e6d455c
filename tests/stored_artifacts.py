"""What the tests of storage share: artifacts, small and large, and what S3 has unfinished."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from botocore.retries.standard import ExponentialBackoff

from mims.registration.artifacts import Artifact, Digest
from mims.registration.parts import SMALLEST

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from mypy_boto3_s3 import S3Client

REGION = "us-west-2"
SMALL = b"a small artifact"
LARGE = hashlib.shake_128(b"a large one").digest(2 * SMALLEST + 1000)  # goes in three parts


def of_file(path: Path, content: bytes) -> Artifact:
    """Write a model, and what is known of it once it is checked."""
    path.write_bytes(content)
    digest = Digest()
    digest.update(content)
    return digest.artifact("model.tar.gz", path)


def ignore(_: int) -> None:
    """No progress."""


def unfinished(s3: S3Client, bucket: str) -> list[str]:
    """The keys of multipart uploads that were neither completed nor aborted."""
    uploads = s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return sorted(upload["Key"] for upload in uploads)


def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore ask again at once."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
