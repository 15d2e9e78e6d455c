"""S3's objects: how they are put, looked at and copied.

In: requests that were admitted. Out: moto's answers, with the checksums that S3 gives and of which
sort they are; copies are made only under their conditions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from moto.s3.exceptions import MissingKey, PreconditionFailed

from local_aws.s3_admission import Admission

if TYPE_CHECKING:
    from moto.core.common_types import TYPE_RESPONSE
    from moto.s3.models import FakeKey


class Checksum(NamedTuple):
    """A checksum as S3 spells it."""

    algorithm: str
    value: str
    kind: str


class Objects(Admission):
    """Objects that one request makes."""

    def put_object(self) -> TYPE_RESPONSE:
        """Note of which sort the checksum is, and forget how the body was sent."""
        answer = super().put_object()
        key = self._stored()
        key.checksum_type = "FULL_OBJECT" if key.checksum_value else None
        encoding = key.metadata.pop("content-encoding", "")
        kept = ",".join(one for one in encoding.split(",") if one != "aws-chunked")
        if kept:
            key.metadata["content-encoding"] = kept
        return answer

    def head_object(self, *args: Any, **kwargs: Any) -> TYPE_RESPONSE:
        """Answer a checksum when it is asked for, whole, and with its type."""
        status, headers, body = super().head_object(*args, **kwargs)
        kept = {
            name: value
            for name, value in headers.items()
            if not name.lower().startswith("x-amz-checksum-")
        }
        asked = status == 200 and self.headers.get("x-amz-checksum-mode") == "ENABLED"
        found = checksum_of(self._stored()) if asked else None
        if found:
            kept[f"x-amz-checksum-{found.algorithm.lower()}"] = found.value
            kept["x-amz-checksum-type"] = found.kind
        return status, kept, body

    def copy_object(self) -> TYPE_RESPONSE:
        """Heed conditions; the copy's checksum is made of the whole object."""
        source = self._copy_source()
        if self.headers.get("If-None-Match") == "*" and self._at(self.parse_key_name()):
            raise PreconditionFailed("If-None-Match")
        if source.checksum_algorithm and "x-amz-checksum-algorithm" not in self.headers:
            self.request.environ["HTTP_X_AMZ_CHECKSUM_ALGORITHM"] = source.checksum_algorithm
        answer = super().copy_object()
        copy = self._stored()
        copy.checksum_type = "FULL_OBJECT" if copy.checksum_value else None
        return answer

    def _copy_source(self) -> FakeKey:
        path = unquote(urlsplit(self.headers["x-amz-copy-source"]).path)
        name, _, key_name = path.lstrip("/").partition("/")
        bucket = self.backend.get_bucket(name)
        self._check_owner(bucket, "x-amz-source-expected-bucket-owner")
        source = self.backend.get_object(name, key_name)
        if source is None:
            raise MissingKey(key=key_name)
        wanted = self.headers.get("x-amz-copy-source-if-match", source.etag)
        if wanted.strip('"') != source.etag.strip('"'):
            raise PreconditionFailed("x-amz-copy-source-If-Match")
        return source

    def _stored(self) -> FakeKey:
        found = self._at(self.parse_key_name())
        assert found  # noqa: S101 - moto has just stored or found it
        return found

    def _at(self, key_name: str) -> FakeKey | None:
        return self.backend.get_object(self.bucket_name, key_name)


def checksum_of(key: FakeKey) -> Checksum | None:
    """Give an object's checksum, if it has one."""
    if not key.checksum_algorithm or not key.checksum_value:
        return None
    parts = f"-{key.checksum_parts}" if key.checksum_type == "COMPOSITE" else ""
    value = f"{key.checksum_value}{parts}"
    return Checksum(key.checksum_algorithm, value, key.checksum_type or "FULL_OBJECT")
