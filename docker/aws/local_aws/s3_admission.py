"""What is checked of an S3 request before moto sees it.

In: a request, as moto took it apart. Out: nothing, or S3's refusal: of a bucket of another region
(301) or of another owner than the one expected (403), of a KMS key that is not there or not
enabled, of a body that is not what was sent. Keys of any name become ARNs, as S3 answers them.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from moto.kms.models import kms_backends
from moto.s3.exceptions import MissingBucket
from moto.s3.responses import S3Response

from local_aws import checksums
from local_aws.s3_answers import Refused, bad_digest, invalid

if TYPE_CHECKING:
    from moto.s3.models import FakeBucket

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[^/]+)/s3/aws4_request")
_TRAILER = re.compile(rb"^(x-amz-checksum-\w+):(\S+)\r?$", re.MULTILINE)
_SSE = "x-amz-server-side-encryption"
_KMS_KEY = f"{_SSE}-aws-kms-key-id"
_KEY_ARN = re.compile(r"arn:[^:]+:kms:(?P<region>[^:]*):(?P<account>\d+):(?:key|alias)/.+")


class Admission(S3Response):
    """moto's S3, for requests that are looked at first."""

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
        digest = hashlib.md5(self.body, usedforsecurity=False).digest()
        if md5 and md5 != b64encode(digest).decode():
            raise Refused(
                400, "BadDigest", "The Content-MD5 you specified did not match what we received."
            )
        algorithm, value = self._given_checksum()
        if algorithm and checksums.checksum(self.body, algorithm) != value:
            raise bad_digest(algorithm)

    def _given_checksum(self) -> tuple[str, str]:
        """Give algorithm and value of the checksum that came, as a header or behind the body."""
        given = {
            algorithm: self.headers[f"x-amz-checksum-{algorithm.lower()}"]
            for algorithm in checksums.ALGORITHMS
            if f"x-amz-checksum-{algorithm.lower()}" in self.headers
        }
        trailer = self.headers.get("x-amz-trailer", "")
        if trailer.startswith("x-amz-checksum-"):
            found = dict(_TRAILER.findall(self.raw_body[-512:]))
            value = found.get(trailer.encode(), b"")
            given[trailer.removeprefix("x-amz-checksum-").upper()] = value.decode()
        if len(given) > 1:
            raise invalid(
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
                "allowed."
            )
        for algorithm, value in given.items():
            if not checksums.well_formed(value.partition("-")[0], algorithm):
                raise invalid(f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")
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
