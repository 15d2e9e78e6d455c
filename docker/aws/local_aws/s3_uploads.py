"""S3's uploads in parts: begun, sent or copied part by part, completed, listed.

In: requests that were admitted. Out: moto's answers; or S3's refusal of an upload that is not
there (any more), of a part or a completion whose checksums, size or checksum type do not fit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import xmltodict  # type: ignore[import-untyped]
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.s3.exceptions import NoSuchUpload
from moto.s3.models import FakeMultipart

from local_aws import checksums
from local_aws.s3_answers import Refused, bad_digest, invalid, with_members
from local_aws.s3_objects import Objects, checksum_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moto.core.common_types import TYPE_RESPONSE

_PAGE = 1000


class Multipart(FakeMultipart):
    """An upload that knows when it began."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initiated = utcnow()

    @property
    def algorithm(self) -> str | None:
        """The algorithm of its checksums, if it was begun with one."""
        return self.metadata.get("x-amz-checksum-algorithm")

    @property
    def checksum_type(self) -> str:
        """How the object's checksum is made."""
        made = "FULL_OBJECT" if self.algorithm == "CRC64NVME" else "COMPOSITE"
        return str(self.metadata.get("x-amz-checksum-type") or made)


class Part(NamedTuple):
    """A part as a completion names it."""

    number: int
    value: bytes
    named: dict[str, str]


class Uploads(Objects):
    """Objects that many requests make."""

    def upload_part(self) -> TYPE_RESPONSE:
        """Take a part of an upload that is there, with a checksum of its kind."""
        upload = self._upload()
        algorithm, _ = self._given_checksum()
        if upload.algorithm and algorithm and upload.algorithm != algorithm:
            raise invalid(
                "Checksum Type mismatch occurred, expected checksum Type: "
                f"{upload.algorithm.lower()}, actual checksum Type: {algorithm.lower()}"
            )
        return super().upload_part()

    def upload_part_copy(self) -> TYPE_RESPONSE:
        """Heed conditions and the source's length; answer the part's checksum."""
        upload = self._upload()
        source = self._copy_source()
        span = self.headers.get("x-amz-copy-source-range")
        found = span and re.fullmatch(r"bytes=(\d+)-(\d+)", span)
        if span and not (found and int(found[1]) <= int(found[2]) < source.size):
            raise Refused(
                400,
                "InvalidArgument",
                f"Range specified is not valid for source object of size: {source.size}",
            )
        status, headers, body = super().upload_part_copy()
        if upload.algorithm:
            value = upload.parts[int(self.querystring["partNumber"][0])].value
            made = {f"Checksum{upload.algorithm}": checksums.checksum(value, upload.algorithm)}
            body = with_members(body, "CopyPartResult", made)
            headers["content-length"] = str(len(body))
        return status, headers, body

    def list_parts(self) -> TYPE_RESPONSE:
        """Know what is no upload."""
        self._upload()
        return super().list_parts()

    def _key_response_post(
        self, request: Any, body: bytes, bucket_name: str, query: dict[str, Any], key_name: str
    ) -> TYPE_RESPONSE:
        arguments = (request, body, bucket_name, query, key_name)
        if "uploads" in query:
            self._check_new_upload()
        if "uploadId" not in query:
            return super()._key_response_post(*arguments)
        known = self._at(key_name)
        again = known and known.multipart and known.multipart.id == query["uploadId"][0]
        if not again:
            self._check_completion(self._upload(), body)
        status, headers, text = super()._key_response_post(*arguments)
        made = checksum_of(self._stored())
        if made:
            members = {f"Checksum{made.algorithm}": made.value, "ChecksumType": made.kind}
            text = with_members(text, "CompleteMultipartUploadResult", members)
        return status, headers, text

    def _upload(self) -> Multipart:
        upload_id = self.querystring["uploadId"][0]
        upload = self.backend.get_bucket(self.bucket_name).multiparts.get(upload_id)
        if upload is None or upload.key_name != self.parse_key_name():
            raise NoSuchUpload(upload_id=upload_id)
        assert isinstance(upload, Multipart)  # noqa: S101 - moto makes no others
        return upload

    def _check_new_upload(self) -> None:
        algorithm = self.headers.get("x-amz-checksum-algorithm", "CRC64NVME")
        kind = self.headers.get("x-amz-checksum-type")
        impossible = {"FULL_OBJECT": ("SHA1", "SHA256"), "COMPOSITE": ("CRC64NVME",)}
        if kind and algorithm in impossible[kind]:
            raise invalid(
                f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum "
                "algorithm."
            )

    def _check_completion(self, upload: Multipart, body: bytes) -> None:
        parts = list(_parts(upload, body))
        kind = self.headers.get("x-amz-checksum-type", upload.checksum_type)
        if kind != upload.checksum_type:
            raise invalid(
                f"The upload was created using the {upload.checksum_type} checksum mode. The "
                "complete request must use the same checksum mode."
            )
        size = sum(len(part.value) for part in parts)
        said = self.headers.get("x-amz-mp-object-size", str(size))
        if said != str(size):
            raise invalid(
                f"The provided 'x-amz-mp-object-size' header value {said} does not match what was "
                f"computed: {size}"
            )
        for part in parts:
            _check_part(upload, part)
        algorithm, value = self._given_checksum()
        if algorithm and value != _of_parts(parts, upload.algorithm or algorithm, kind):
            raise bad_digest(algorithm.lower())

    def list_multipart_uploads(self) -> TYPE_RESPONSE:
        """List them in order, page by page, each with the time when it began."""
        asked = {name: values[0] for name, values in self.querystring.items()}
        prefix, page = asked.get("prefix", ""), int(asked.get("max-uploads", _PAGE))
        uploads = sorted(
            (
                upload
                for upload in self.backend.list_multipart_uploads(self.bucket_name).values()
                if isinstance(upload, Multipart) and upload.key_name.startswith(prefix)
            ),
            key=lambda upload: (upload.key_name, upload.initiated),
        )
        after = [_behind(upload, asked, uploads) for upload in uploads]
        left = [upload for upload, behind in zip(uploads, after, strict=True) if behind]
        shown = left[:page]
        result = {
            "Bucket": self.bucket_name,
            "Prefix": prefix,
            "KeyMarker": asked.get("key-marker", ""),
            "UploadIdMarker": asked.get("upload-id-marker", ""),
            "MaxUploads": page,
            "IsTruncated": len(left) > len(shown),
            "Uploads": [_listed(upload) for upload in shown],
        }
        if result["IsTruncated"]:
            result |= {"NextKeyMarker": shown[-1].key_name, "NextUploadIdMarker": shown[-1].id}
        self.data["Action"] = "ListMultipartUploads"
        return self.serialized(ActionResult(result))


def _parts(upload: Multipart, body: bytes) -> Iterator[Part]:
    """Yield the parts that a completion names; moto refuses those that are not there."""
    root = xmltodict.parse(body, force_list=["Part"]).get("CompleteMultipartUpload") or {}
    for named in root.get("Part") or []:
        number = int(named["PartNumber"])
        if number in upload.parts:
            yield Part(number, upload.parts[number].value, named)


def _check_part(upload: Multipart, part: Part) -> None:
    if upload.algorithm is None:
        return
    value = part.named.get(f"Checksum{upload.algorithm}")
    if value is None and upload.checksum_type == "COMPOSITE":
        raise invalid(
            f"The upload was created using a {upload.algorithm.lower()} checksum. The complete "
            "request must include the checksum for each part. It was missing for part "
            f"{part.number} in the request."
        )
    if value not in (None, checksums.checksum(part.value, upload.algorithm)):
        raise Refused(
            400,
            "InvalidPart",
            "One or more of the specified parts could not be found.  The part may not have been "
            "uploaded, or the specified entity tag may not match the part's entity tag.",
        )


def _of_parts(parts: list[Part], algorithm: str, kind: str) -> str:
    values = [part.value for part in parts]
    if kind == "COMPOSITE":
        return checksums.composite(values, algorithm)
    return checksums.checksum(b"".join(values), algorithm)


def _behind(upload: Multipart, asked: dict[str, str], uploads: list[Multipart]) -> bool:
    """Whether an upload comes behind the markers of a listing."""
    key, upload_id = asked.get("key-marker", ""), asked.get("upload-id-marker", "")
    if not key or upload.key_name > key:
        return True
    if upload.key_name < key or not upload_id:
        return False
    same = [other.id for other in uploads if other.key_name == key]
    return upload_id in same and same.index(upload.id) > same.index(upload_id)


def _listed(upload: Multipart) -> dict[str, Any]:
    whose = {"ID": "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a"}
    return {
        "Key": upload.key_name,
        "UploadId": upload.id,
        "Initiator": whose,
        "Owner": whose,
        "StorageClass": upload.storage,
        "Initiated": upload.initiated,
        "ChecksumAlgorithm": upload.algorithm,
        "ChecksumType": upload.checksum_type if upload.algorithm else None,
    }
