"""S3: the only place that moves bytes.

Goes in: artifacts with their digests. Comes out: where they are stored,
`s3://<bucket>/mims/<group>/sha256/<digest>/<name>`: named by their content, so that what is there
already never moves again and a run that was killed can be repeated. An object counts as there
when its size, its SHA-256 (which we note with it) and its CRC-32 (which S3 checks as it arrives)
are right. Writes nowhere else and keeps nothing in temporary places; deletes nothing, since a
registered version may refer to it. An upload that ends early is aborted by s3transfer.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from typing import TYPE_CHECKING, NamedTuple

from boto3.s3.transfer import ProgressCallbackInvoker, TransferConfig, create_transfer_manager
from botocore.exceptions import ClientError

from mims.errors import InputError, ServiceError
from mims.registration.aws import asking, client
from mims.text import size

if TYPE_CHECKING:
    from collections.abc import Callable

    from mims.registration.artifacts import Artifact

log = logging.getLogger("mims")

# The CRT client has rules of its own for endpoints and retries.
_TRANSFER = TransferConfig(preferred_transfer_client="classic")
_CONTENT_TYPES = {".gz": "application/gzip", ".json": "application/json"}


class Location(NamedTuple):
    """Where an object lies."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """Its s3:// path."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Stored:
    """An artifact where it lies now."""

    artifact: Artifact
    uri: str
    moved: int  # bytes; 0 when it was there


def content_address(bucket: str, group: str, artifact: Artifact) -> Location:
    """The place that an artifact's content gives it."""
    return Location(bucket, f"mims/{group}/sha256/{artifact.sha256}/{artifact.name}")


def parse_location(path: str, name: str, setting: str) -> Location:
    """Read an s3:// path; one that ends in / or names a bucket alone is a folder for `name`.

    Raises:
        InputError: it is no S3 path; it names the setting.

    """
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", path, re.DOTALL)
    key = found and (found[2] or "")
    if found is None or key is None or "//" in f"/{key}":
        raise InputError(f"{setting} is {path!r}: must be an S3 path such as s3://bucket/folder/")
    return Location(found[1], key + name if key.endswith("/") or not key else key)


class Storage:
    """The buckets, as one region reaches them."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._s3 = client("s3", region)

    def require(self, bucket: str) -> None:
        """Check that a bucket is there, in this region: SageMaker reads from no other.

        Raises:
            ServiceError: it is missing, out of reach, or elsewhere.

        """
        with asking("HeadBucket", self.region, f"bucket {bucket}"):
            found = self._s3.head_bucket(Bucket=bucket)
        where = found.get("BucketRegion") or self.region
        if where != self.region:
            raise ServiceError(
                f"bucket {bucket} is in {where}, but a model registered in {self.region} must lie "
                f"in a bucket there: name one, in `bucket` by region or in MIMS_BUCKET"
            )

    def store(self, artifact: Artifact, at: Location, advance: Callable[[int], None]) -> Stored:
        """Bring an artifact to a place, unless it is there.

        Raises:
            ServiceError: S3 refused or could not be reached.

        """
        with asking("PutObject", self.region, at.uri):
            if self._is_there(artifact, at):
                log.info("%s: there already", at.uri)
                return Stored(artifact, at.uri, 0)
            self._upload(artifact, at, advance)
        log.info("%s: stored, %s", at.uri, size(artifact.size))
        return Stored(artifact, at.uri, artifact.size)

    def _is_there(self, artifact: Artifact, at: Location) -> bool:
        try:
            found = self._s3.head_object(Bucket=at.bucket, Key=at.key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error.response["Error"]["Code"] == "404":
                return False
            raise
        return (
            found["ContentLength"] == artifact.size
            and found["Metadata"].get("sha256") == artifact.sha256
            and found.get("ChecksumCRC32", artifact.crc32) == artifact.crc32
        )

    def _upload(self, artifact: Artifact, at: Location, advance: Callable[[int], None]) -> None:
        arguments = {
            "ChecksumCRC32": artifact.crc32,  # of the whole object, also when it goes in parts
            "ContentType": _CONTENT_TYPES[PurePath(artifact.name).suffix],
            "Metadata": {"sha256": artifact.sha256},
        }
        source = artifact.source
        with create_transfer_manager(self._s3, _TRANSFER) as transfers:
            transfers.upload(
                BytesIO(source) if isinstance(source, bytes) else str(source),
                at.bucket,
                at.key,
                extra_args=arguments,
                subscribers=[ProgressCallbackInvoker(advance)],
            ).result()
