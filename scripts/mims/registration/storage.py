"""S3: the only place that moves bytes.

Goes in: artifacts with their digests. Comes out: where they are stored,
`s3://<bucket>/mims/<group>/sha256/<digest>/<name>`: named by their content, so that what is there
already never moves again and a run that was killed can be repeated. An object counts as there
when its size, its SHA-256 (which we note with it), its CRC-32 (which S3 checks as it arrives) and
its key, where one is asked for, are right; after every write that is looked at once more. What S3
holds already, elsewhere or under another key, S3 copies itself. Deletes no object, since a
registered version may refer to it; what is unfinished is aborted as it ends, or swept later.
"""

from __future__ import annotations

import base64
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.archive.files import open_regular, reading
from mims.errors import InputError, ServiceError
from mims.registration.aws import AwsError, Retries, asking, client, required
from mims.registration.parts import NO_SUCH_UPLOAD, SMALLEST, Assembly, Stop
from mims.text import size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_s3.type_defs import MultipartUploadTypeDef

    from mims.registration.artifacts import Artifact

log = logging.getLogger("mims")

STALE = timedelta(days=1)  # an upload that is unfinished for so long was given up
_CONTENT_TYPES = {".gz": "application/gzip", ".json": "application/json"}
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"


class Location(NamedTuple):
    """Where an object lies."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """Its s3:// path."""
        return f"s3://{self.bucket}/{self.key}"

    @classmethod
    def read(cls, uri: str) -> Location | None:
        """Read an s3:// path; the key may be empty. None if it is something else."""
        found = re.fullmatch(rf"s3://({_BUCKET})(?:/(.*))?", uri, re.DOTALL)
        return cls(found[1], found[2] or "") if found else None


@dataclass(frozen=True)
class Stored:
    """An artifact where it lies now. `moved` and `copied` are 0 when it was there."""

    artifact: Artifact
    uri: str
    moved: int  # bytes that this run sent
    copied: int = 0  # bytes that S3 copied


def content_address(bucket: str, group: str, artifact: Artifact) -> Location:
    """The place that an artifact's content gives it."""
    return Location(bucket, f"mims/{group}/sha256/{artifact.sha256}/{artifact.name}")


def parse_location(path: str, name: str, setting: str) -> Location:
    """Read an s3:// path; one that ends in / or names a bucket alone is a folder for `name`.

    Raises:
        InputError: it is no S3 path; it names the setting.

    """
    at = Location.read(path)
    if at is None or "//" in f"/{at.key}":
        raise InputError(f"{setting} is {path!r}: must be an S3 path such as s3://bucket/folder/")
    return at._replace(key=at.key + name) if at.key.endswith("/") or not at.key else at


class Storage:
    """The buckets, as one region reaches them. It may be used from several threads at a time.

    `kms_key` (ARN, id or alias) encrypts whatever is written; without it the bucket's own setting
    does. `owner` is the account that the buckets must belong to. A caller with requests of its own
    sends them by `s3`, with `owned` in each and `encrypted` in each that writes.
    """

    def __init__(self, region: str, kms_key: str | None = None, owner: str | None = None) -> None:
        self.region = region
        self.s3 = client("s3", region)
        self.retries = Retries()
        self.retries.watch(self.s3)
        self.owned: dict[str, Any] = {"ExpectedBucketOwner": owner} if owner else {}
        self.encrypted: dict[str, Any] = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        )
        self._kms_key = kms_key
        self._stop = Stop()

    def require(self, bucket: str) -> None:
        """Check that a bucket is there, in this region: SageMaker reads from no other.

        Raises:
            ServiceError: it is missing, out of reach, or elsewhere.

        """
        with asking("HeadBucket", self.region, f"bucket {bucket}{self._whose}"):
            found = self.s3.head_bucket(Bucket=bucket, **self.owned)
        where = found.get("BucketRegion") or self.region
        if where != self.region:
            raise ServiceError(
                f"bucket {bucket} is in {where}, but a model registered in {self.region} must lie "
                f"in a bucket there: name one, in `bucket` by region or in MIMS_BUCKET"
            )

    def store(self, artifact: Artifact, at: Location, advance: Callable[[int], None]) -> Stored:
        """Bring an artifact to a place, unless it is there.

        `advance` is told of bytes as they arrive; of less than none, if they have to come again.

        Raises:
            InputError: the artifact can't be read.
            ServiceError: S3 refused or could not be reached, or `stop` was called.

        """
        found = self._look(at)
        if found and _is(artifact, found) and self._is_under_key(found):
            log.info("%s: there already", at.uri)
            return Stored(artifact, at.uri, 0)
        origin = at if found and _is(artifact, found) else artifact.origin
        count = _Count(advance)
        copied = 0
        try:
            if origin and artifact.size > SMALLEST and self._copy(artifact, origin, at, count):
                copied = count.take()
            else:
                self._send(artifact, at, count)
        except AwsError as error:
            # Another run was first with the same bytes, and has swept our upload; or it was ours,
            # and S3's answer was lost on its way.
            if error.code != NO_SUCH_UPLOAD or not self._is_there(artifact, at):
                raise
        else:
            if not self._is_there(artifact, at):
                raise ServiceError(
                    f"PutObject in {self.region} for {at.uri}: S3 took it, and what lies there is "
                    "something else: does another program write there? run again"
                )
        log.info("%s: stored, %s%s", at.uri, size(artifact.size), " (copied)" if copied else "")
        return Stored(artifact, at.uri, count.bytes, copied)

    def stop(self) -> None:
        """End every `store` that is under way in other threads, soon and with an error."""
        self._stop.set()

    def sweep(self, *places: Location) -> int:
        """Abort unfinished uploads that nobody needs: give how many.

        These are all that would make an object at one of these places, which by now is whole; and,
        beside them in the group's folder, those older than STALE, of runs that were killed. A run
        that still sends to such an upload meets NoSuchUpload, looks, and finds the object. Outside
        of `mims/<group>/sha256/` nothing is swept, nor is anything made in parts there.

        Raises:
            ServiceError: S3 refused or could not be reached.

        """
        groups = {
            (at.bucket, f"{folder}/")
            for at in places
            for folder, digest, _ in [at.key.partition("/sha256/")]
            if digest and folder.startswith("mims/")
        }
        swept = 0
        for bucket, prefix in sorted(groups):
            for upload in self.unfinished(Location(bucket, prefix)):
                at = Location(bucket, upload["Key"])
                if at in places or upload["Initiated"] < datetime.now(UTC) - STALE:
                    swept += self.abort(at, upload["UploadId"])
        return swept

    def unfinished(self, folder: Location) -> list[MultipartUploadTypeDef]:
        """Give the unfinished uploads whose keys begin with the folder's.

        Raises:
            ServiceError: S3 refused or could not be reached.

        """
        found: list[MultipartUploadTypeDef] = []
        with self._asking("ListMultipartUploads", folder):
            pages = self.s3.get_paginator("list_multipart_uploads").paginate(
                Bucket=folder.bucket, Prefix=folder.key, **self.owned
            )
            for page in pages:
                required(page, "Bucket", "ListMultipartUploads", self.region)
                found += page.get("Uploads", [])
        return found

    def abort(self, at: Location, upload_id: str) -> bool:
        """Abort an unfinished upload; False if somebody else was first.

        Raises:
            ServiceError: S3 refused or could not be reached.

        """
        try:
            with self._asking("AbortMultipartUpload", at):
                self.s3.abort_multipart_upload(
                    Bucket=at.bucket, Key=at.key, UploadId=upload_id, **self.owned
                )
        except AwsError as error:
            if error.code == NO_SUCH_UPLOAD:
                return False
            raise
        log.info("%s: aborted an unfinished upload", at.uri)
        return True

    def _look(self, at: Location) -> Mapping[str, Any] | None:
        try:
            with self._asking("HeadObject", at):
                return self.s3.head_object(
                    Bucket=at.bucket, Key=at.key, ChecksumMode="ENABLED", **self.owned
                )
        except AwsError as error:
            if error.code == "404":
                return None
            raise

    def _is_there(self, artifact: Artifact, at: Location) -> bool:
        found = self._look(at)
        return found is not None and _is(artifact, found) and self._is_under_key(found)

    def _is_under_key(self, found: Mapping[str, Any]) -> bool:
        """Whether an object is encrypted as asked. S3 gives a key's ARN, whatever name was used."""
        key = self._kms_key
        if key is None:
            return True
        if found.get("ServerSideEncryption") != "aws:kms":
            return False
        if "alias/" in key:
            return bool(found["Metadata"].get("kms-alias") == key)
        return bool(found.get("SSEKMSKeyId", "").rpartition("/")[2] == key.rpartition("/")[2])

    def _written(self, artifact: Artifact) -> dict[str, Any]:
        """What goes with the request that makes an object."""
        metadata = {"sha256": artifact.sha256}
        if self._kms_key and "alias/" in self._kms_key:
            metadata["kms-alias"] = self._kms_key
        content_type = _CONTENT_TYPES[PurePath(artifact.name).suffix]
        return {"ContentType": content_type, "Metadata": metadata, **self.encrypted}

    def _send(self, artifact: Artifact, at: Location, advance: Callable[[int], None]) -> None:
        source = artifact.source
        if isinstance(source, Path):
            with reading(source), open_regular(source) as file:
                if artifact.size > SMALLEST:
                    self._assembly(artifact, at).send(file.fileno(), advance)
                    return
                source = file.read(SMALLEST + 1)
        with self._asking("PutObject", at):
            self.s3.put_object(
                Bucket=at.bucket,
                Key=at.key,
                Body=source,
                ChecksumAlgorithm="CRC32",
                ChecksumCRC32=artifact.crc32,
                **self._written(artifact),
                **self.owned,
            )
        advance(artifact.size)

    def _copy(self, artifact: Artifact, origin: Location, at: Location, count: _Count) -> bool:
        """Let S3 copy the artifact; False, with the reason in the log, if that can't be."""
        try:
            with asking("HeadObject", self.region, origin.uri):
                found = self.s3.head_object(
                    Bucket=origin.bucket, Key=origin.key, ChecksumMode="ENABLED"
                )
            if not _may_be(artifact, found):
                log.info("%s: sent, since %s is another object by now", at.uri, origin.uri)
                return False
            self._assembly(artifact, at).copy(origin, found["ETag"], count)
        except AwsError as error:
            if error.code == NO_SUCH_UPLOAD:
                raise
            log.info("%s: sent, since it can't be copied: %s", at.uri, error)
            count.take_back()
            return False
        return True

    def _assembly(self, artifact: Artifact, at: Location) -> Assembly:
        return Assembly(
            self.s3,
            at,
            artifact,
            about=f"{at.uri}{self._whose}",
            written=self._written(artifact),
            owned=self.owned,
            stop=Stop(self._stop),
        )

    def _asking(self, operation: str, at: Location) -> Any:
        return asking(operation, self.region, f"{at.uri}{self._whose}")

    @property
    def _whose(self) -> str:
        return f" (owner {self.owned['ExpectedBucketOwner']})" if self.owned else ""


class _Count:
    """Counts bytes on their way to a progress."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.bytes = 0
        self._advance = advance

    def __call__(self, count: int) -> None:
        self.bytes += count
        self._advance(count)

    def take(self) -> int:
        """Give the count and begin anew."""
        taken, self.bytes = self.bytes, 0
        return taken

    def take_back(self) -> None:
        """Let it be as if nothing had come."""
        self._advance(-self.take())


def _is(artifact: Artifact, found: Mapping[str, Any]) -> bool:
    """Whether an object that we wrote is this artifact."""
    return (
        found["ContentLength"] == artifact.size
        and found["Metadata"].get("sha256") == artifact.sha256
        and found.get("ChecksumCRC32") == artifact.crc32
    )


def _may_be(artifact: Artifact, found: Mapping[str, Any]) -> bool:
    """Whether nothing that S3 says of an object denies that it is this artifact.

    It may say very little: what makes sure is the CRC-32 that the copy is held to.
    """
    sha256 = base64.b64encode(bytes.fromhex(artifact.sha256)).decode()
    whole = found.get("ChecksumType") != "COMPOSITE"
    return (
        found["ContentLength"] == artifact.size
        and found["Metadata"].get("sha256", artifact.sha256) == artifact.sha256
        and not (whole and found.get("ChecksumSHA256", sha256) != sha256)
        and not (whole and found.get("ChecksumCRC32", artifact.crc32) != artifact.crc32)
    )
