"""S3 on top of moto's: what the real one refuses, moto does not, and our clients rely on.

In: S3 requests, which moto takes apart. Out: moto's answers, but for
- a bucket of another region (301) or of another owner than the one expected (403);
- bytes that do not fit their checksum, of a body, a part, or an object made of parts;
- KMS keys that are not there or not enabled, and key ids that S3 answers as ARNs;
- uploads that are not there (any more), and the time when an upload began;
- conditions on copies, and one writer at a time, so that "if nobody has written" holds.
What it keeps, it keeps in moto's own objects.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from contextlib import nullcontext
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

import xmltodict  # type: ignore[import-untyped]
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.kms.models import kms_backends
from moto.s3 import models, responses
from moto.s3.exceptions import (
    MissingBucket,
    MissingKey,
    NoSuchUpload,
    PreconditionFailed,
)
from moto.s3.models import FakeMultipart
from moto.s3.responses import S3Response

from local_aws import checksums

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from moto.core.common_types import TYPE_RESPONSE
    from moto.s3.models import FakeBucket, FakeKey

_READS = ("GET", "HEAD", "OPTIONS")
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/s3/aws4_request")
_TRAILER = re.compile(rb"^(x-amz-checksum-\w+):(\S+)\r?$", re.MULTILINE)
_SSE = "x-amz-server-side-encryption"
_KMS_KEY = f"{_SSE}-aws-kms-key-id"
_KEY_ARN = re.compile(r"arn:[^:]+:kms:(?P<region>[^:]*):(?P<account>\d+):(?:key|alias)/.+")
_PAGE = 1000
_one_at_a_time = RLock()


def replace_moto() -> None:
    """Put this module in moto's place; moto looks up its handlers when the first request comes."""
    vars(responses).update(S3Response=S3, compute_checksum=checksums.for_moto)
    vars(models).update(FakeMultipart=Multipart, compute_checksum=checksums.for_moto)


class Refused(Exception):  # noqa: N818 - an answer rather than an error
    """An answer of S3's that moto knows nothing of."""

    def __init__(self, status: int, code: str, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self, method: str) -> TYPE_RESPONSE:
        """S3's form; HEAD has no body."""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{self.code}</Code><Message>{escape(str(self))}</Message></Error>"
        )
        headers = {"content-type": "application/xml", **self.headers}
        return self.status, headers, "" if method == "HEAD" else body


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


class S3(S3Response):
    """moto's S3, in the real one's manners."""

    # All requests

    def _bucket_response(self, request: Any, full_url: str) -> str | TYPE_RESPONSE:
        try:
            self._admit()
            with self._turn():
                return super()._bucket_response(request, full_url)
        except Refused as refused:
            return refused.answer(self.method)

    def _key_response(self, request: Any, full_url: str) -> TYPE_RESPONSE:
        try:
            self._admit()
            with self._turn():
                return super()._key_response(request, full_url)
        except Refused as refused:
            return refused.answer(self.method)

    def _turn(self) -> AbstractContextManager[object]:
        return nullcontext() if self.method in _READS else _one_at_a_time

    def _admit(self) -> None:
        bucket = self._bucket(self.bucket_name)
        if bucket:
            self._check_region(bucket)
            self._check_owner(bucket, "x-amz-expected-bucket-owner")
            self._check_kms_key(bucket)
        if self.method == "PUT" and "x-amz-copy-source" not in self.headers:
            self._check_body()

    def _bucket(self, name: str) -> FakeBucket | None:
        try:
            return self.backend.get_bucket(name)
        except MissingBucket:
            return None

    def _check_region(self, bucket: FakeBucket) -> None:
        scope = _SCOPE.search(self.headers.get("Authorization", ""))
        anywhere = "location" in self.querystring or self._creates_bucket()
        if scope and scope["region"] != bucket.region_name and not anywhere:
            raise Refused(
                301,
                "PermanentRedirect",
                "The bucket you are attempting to access must be addressed using the specified "
                "endpoint. Please send all future requests to this endpoint.",
                x_amz_bucket_region=bucket.region_name,
            )

    def _creates_bucket(self) -> bool:
        return self.method == "PUT" and not self.parse_key_name() and not self.parsed_url.query

    def _check_owner(self, bucket: FakeBucket, header: str) -> None:
        if self.headers.get(header, bucket.account_id) != bucket.account_id:
            raise Refused(403, "AccessDenied", "Access Denied")

    def _check_kms_key(self, bucket: FakeBucket) -> None:
        name = self.headers.get(_KMS_KEY)
        if not name:
            return
        if not self.headers.get(_SSE, "").startswith("aws:kms"):
            raise Refused(
                400,
                "InvalidArgument",
                "Server Side Encryption with AWS KMS managed key requires HTTP header "
                "x-amz-server-side-encryption : aws:kms",
            )
        # moto keeps what the header says, and answers it.
        self.request.environ["HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION_AWS_KMS_KEY_ID"] = _kms_key(
            name, bucket
        )

    # What arrives is what was sent

    def _check_body(self) -> None:
        length = self.headers.get("x-amz-decoded-content-length")
        if length is not None and int(length) != len(self.body):
            raise Refused(
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP "
                "header.",
            )
        md5 = self.headers.get("Content-MD5")
        if (
            md5
            and md5 != b64encode(hashlib.md5(self.body, usedforsecurity=False).digest()).decode()
        ):
            raise Refused(
                400, "BadDigest", "The Content-MD5 you specified did not match what we received."
            )
        algorithm, value = self._given_checksum()
        if algorithm and checksums.checksum(self.body, algorithm) != value:
            raise _bad_digest(algorithm)

    def _given_checksum(self) -> tuple[str, str]:
        """Give algorithm and value of the checksum that came, as a header or behind the body."""
        given = {
            algorithm: self.headers[f"x-amz-checksum-{algorithm.lower()}"]
            for algorithm in checksums.ALGORITHMS
            if f"x-amz-checksum-{algorithm.lower()}" in self.headers
        }
        trailer = self.headers.get("x-amz-trailer", "")
        if trailer.startswith("x-amz-checksum-"):
            found = re.findall(
                rb"^(x-amz-checksum-\w+):(\S+)\r?$", self.raw_body[-512:], re.MULTILINE
            )
            value = dict(found).get(trailer.encode(), b"")
            given[trailer.removeprefix("x-amz-checksum-").upper()] = value.decode()
        if len(given) > 1:
            raise _invalid(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
                "allowed."
            )
        for algorithm, value in given.items():
            if not checksums.well_formed(value.partition("-")[0], algorithm):
                raise _invalid(f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")
            return algorithm, value
        return "", ""

    def _get_checksum(self, response_headers: dict[str, Any]) -> tuple[str, str | None]:
        """Give moto the checksum that was checked, or make the one that was asked for."""
        algorithm, value = self._given_checksum()
        if not algorithm:
            algorithm = self.headers.get("x-amz-sdk-checksum-algorithm", "").upper()
            if not algorithm or not self.body:
                return "", None
            value = checksums.checksum(self.body, algorithm)
        response_headers[f"x-amz-checksum-{algorithm.lower()}"] = value
        return algorithm, value

    # Objects

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
        if status == 200 and self.headers.get("x-amz-checksum-mode") == "ENABLED":
            kept |= _checksum_headers(self._stored())
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

    # Uploads in parts

    def upload_part(self) -> TYPE_RESPONSE:
        """Take a part of an upload that is there, with a checksum of its kind."""
        upload = self._upload()
        algorithm, _ = self._given_checksum()
        if upload.algorithm and algorithm and upload.algorithm != algorithm:
            raise _invalid(
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
            body = _with_members(body, "CopyPartResult", made)
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
        members = {
            f"Checksum{key.checksum_algorithm}": value
            for key in [self._stored()]
            for name, value in _checksum_headers(key).items()
            if name != "x-amz-checksum-type"
        }
        if members:
            members["ChecksumType"] = str(self._stored().checksum_type)
        return status, headers, _with_members(text, "CompleteMultipartUploadResult", members)

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
            raise _invalid(
                f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum "
                "algorithm."
            )

    def _check_completion(self, upload: Multipart, body: bytes) -> None:
        parts = list(_parts(upload, body))
        kind = self.headers.get("x-amz-checksum-type", upload.checksum_type)
        if kind != upload.checksum_type:
            raise _invalid(
                f"The upload was created using the {upload.checksum_type} checksum mode. The "
                "complete request must use the same checksum mode."
            )
        size = sum(len(part.value) for part in parts)
        said = self.headers.get("x-amz-mp-object-size", str(size))
        if said != str(size):
            raise _invalid(
                f"The provided 'x-amz-mp-object-size' header value {said} does not match what was "
                f"computed: {size}"
            )
        for part in parts:
            _check_part(upload, part)
        algorithm, value = self._given_checksum()
        if algorithm and value != _of_parts(parts, upload.algorithm or algorithm, kind):
            raise _bad_digest(algorithm.lower())

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


def _kms_key(name: str, bucket: FakeBucket) -> str:
    """Return the ARN of a key that is there and enabled."""
    arn = _KEY_ARN.fullmatch(name)
    account = arn["account"] if arn else bucket.account_id
    if arn and arn["region"] != bucket.region_name:
        raise Refused(400, "KMS.NotFoundException", f"Invalid arn {arn['region']}")
    backend = kms_backends[account][bucket.region_name]
    alias = backend.get_alias_name(name)
    key_id = backend.get_key_id_from_alias(alias) if alias.startswith("alias/") else name
    key = backend.keys.get(backend.get_key_id(key_id or ""))
    if key is None:
        kind = "alias/" if "alias/" in name else "key/"
        full = f"arn:aws:kms:{bucket.region_name}:{account}:{kind}{name.rpartition(kind)[2]}"
        what = f"Alias {full} is not found." if kind == "alias/" else f"Key '{full}' does not exist"
        raise Refused(400, "KMS.NotFoundException", what)
    if key.key_state == "Disabled":
        raise Refused(400, "KMS.DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise Refused(400, "KMS.KMSInvalidStateException", f"{key.arn} is pending deletion.")
    return str(key.arn)


def _bad_digest(algorithm: str) -> Refused:
    text = f"The {algorithm} you specified did not match the calculated checksum."
    return Refused(400, "BadDigest", text)


def _invalid(text: str) -> Refused:
    return Refused(400, "InvalidRequest", text)


def _checksum_headers(key: FakeKey) -> dict[str, str]:
    if not key.checksum_algorithm or not key.checksum_value:
        return {}
    value = key.checksum_value
    if key.checksum_type == "COMPOSITE":
        value = f"{value}-{key.checksum_parts}"
    return {
        f"x-amz-checksum-{key.checksum_algorithm.lower()}": value,
        "x-amz-checksum-type": key.checksum_type or "FULL_OBJECT",
    }


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
        raise _invalid(
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


def _with_members(body: Any, element: str, members: dict[str, str]) -> str:
    """Add members to an answer that moto has written."""
    text = body.decode() if isinstance(body, bytes) else str(body)
    added = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
    return text.replace(f"</{element}>", f"{added}</{element}>")
