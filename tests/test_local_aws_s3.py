"""The local AWS, over real HTTP: S3, where moto is mended and where it is right."""

from __future__ import annotations

import base64
import hashlib
import http.client
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.s3.models import S3Backend
from werkzeug.test import Client

from local_aws import checksums
from local_aws.app import LocalAws as LocalAwsApplication
from refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from conftest import LocalAws

BUCKET = "mims-models"
AT: Any = {"Bucket": BUCKET, "Key": "a folder/object"}
FIRST, LAST = bytes(5 << 20), b"the last part may be small"
STRANGER = "999999999999"


def encoded(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def crc32(data: bytes) -> str:
    return encoded(zlib.crc32(data).to_bytes(4, "big"))


@pytest.fixture
def s3(s3: S3Client, bucket: str) -> S3Client:
    """A client that finds the bucket there."""
    assert bucket == BUCKET
    return s3


def nothing_is_stored(s3: S3Client) -> bool:
    return "Contents" not in s3.list_objects_v2(Bucket=BUCKET)


# Checksums of objects


# The catalogue's check values
@pytest.mark.parametrize(
    ("algorithm", "check"),
    [("CRC32", "cbf43926"), ("CRC32C", "e3069283"), ("CRC64NVME", "ae8b14860a799888")],
)
def test_a_crc_is_the_one_of_that_name(algorithm: str, check: str) -> None:
    assert base64.b64decode(checksums.checksum(b"123456789", algorithm)).hex() == check


@pytest.mark.parametrize(
    ("member", "right"),
    [
        ("ContentMD5", encoded(hashlib.md5(b"data", usedforsecurity=False).digest())),
        ("ChecksumCRC32", "rfPzYw=="),
        ("ChecksumCRC32C", checksums.checksum(b"data", "CRC32C")),
        ("ChecksumCRC64NVME", checksums.checksum(b"data", "CRC64NVME")),
        ("ChecksumSHA1", encoded(hashlib.sha1(b"data", usedforsecurity=False).digest())),
        ("ChecksumSHA256", encoded(hashlib.sha256(b"data").digest())),
    ],
)
def test_an_object_that_does_not_fit_its_digest_is_refused(
    s3: S3Client, member: str, right: str
) -> None:
    put: Any = s3.put_object
    with pytest.raises(ClientError) as error:
        put(**AT, Body=b"dada", **{member: right})
    assert refusal(error)[0] == "BadDigest"
    assert nothing_is_stored(s3)
    put(**AT, Body=b"data", **{member: right})
    assert s3.get_object(**AT)["Body"].read() == b"data"
    if member != "ContentMD5":
        found: Any = s3.head_object(**AT, ChecksumMode="ENABLED")
        assert (found[member], found["ChecksumType"]) == (right, "FULL_OBJECT")
        assert member not in s3.head_object(**AT)


def test_what_is_no_digest_is_refused(s3: S3Client) -> None:
    with pytest.raises(ClientError, match=r"InvalidRequest.*x-amz-checksum-crc32 header is inval"):
        s3.put_object(**AT, Body=b"data", ChecksumCRC32="rfPz")


def raw(
    aws: LocalAws, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], str]:
    """What a client sends that is no boto3; it signs for us-west-2."""
    scope = "testing/20260101/us-west-2/s3/aws4_request"
    sent = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=, Signature=0"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection(aws.url.removeprefix("http://"))
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


# What boto3 sends over HTTPS: the data in chunks, the digest behind them.
@pytest.mark.parametrize(
    ("data", "code"),
    [(b"data", ""), (b"dada", "BadDigest"), (b"dat", "IncompleteBody")],
)
def test_a_digest_may_come_behind_the_data(
    aws: LocalAws, s3: S3Client, data: bytes, code: str
) -> None:
    body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:rfPzYw==\r\n\r\n" % (len(data), data)
    status, _, text = raw(
        aws,
        "PUT",
        f"/{BUCKET}/object",
        body,
        Content_Encoding="gzip,aws-chunked",
        X_Amz_Content_Sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        X_Amz_Decoded_Content_Length="4",
        X_Amz_Trailer="x-amz-checksum-crc32",
    )
    if code:
        assert status == 400
        assert f"<Code>{code}</Code>" in text
        assert nothing_is_stored(s3)
    else:
        found = s3.head_object(Bucket=BUCKET, Key="object", ChecksumMode="ENABLED")
        assert (found["ContentLength"], found["ChecksumCRC32"]) == (4, "rfPzYw==")
        assert found["ContentEncoding"] == "gzip"


def test_what_is_said_of_an_object_is_kept(s3: S3Client) -> None:
    """Which moto does by itself."""
    s3.put_object(**AT, Body=b"data", ContentType="application/gzip", Metadata={"sha256": "0a"})
    found = s3.head_object(**AT)
    assert (found["ContentType"], found["Metadata"]) == ("application/gzip", {"sha256": "0a"})


def test_what_boto3_uploads_comes_back(s3: S3Client, tmp_path: Path) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(bytes(range(256)) * 40_000)  # 10 MB, so in parts
    right = {"ChecksumCRC32": crc32(sent.read_bytes())}  # of the whole, which boto3 passes on
    s3.upload_file(str(sent), BUCKET, "object", ExtraArgs=right)
    s3.download_file(BUCKET, "object", str(got))
    assert got.read_bytes() == sent.read_bytes()
    found = s3.head_object(Bucket=BUCKET, Key="object", ChecksumMode="ENABLED")
    assert (found["ChecksumCRC32"], found["ChecksumType"]) == (
        right["ChecksumCRC32"],
        "FULL_OBJECT",
    )


# Uploads in parts


def begun(s3: S3Client, algorithm: str, kind: str) -> dict[str, Any]:
    choice: Any = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    return {**AT, "UploadId": s3.create_multipart_upload(**AT, **choice)["UploadId"]}


def sent_parts(s3: S3Client, upload: Any, algorithm: str, *bodies: bytes) -> dict[str, Any]:
    """Upload parts; give what completes them."""
    member = f"Checksum{algorithm}"
    parts = []
    for number, body in enumerate(bodies, start=1):
        digest: Any = {member: checksums.checksum(body, algorithm)}
        part = s3.upload_part(**upload, PartNumber=number, Body=body, **digest)
        parts.append({"PartNumber": number, "ETag": part["ETag"], **digest})
    return {**upload, "MultipartUpload": {"Parts": parts}}


@pytest.mark.parametrize(
    ("algorithm", "bodies"),
    [("CRC32", [FIRST, LAST]), ("CRC32C", [LAST]), ("CRC64NVME", [LAST])],
)
def test_an_object_of_parts_has_to_fit_the_checksum_of_the_whole(
    s3: S3Client, algorithm: str, bodies: list[bytes]
) -> None:
    upload = begun(s3, algorithm, "FULL_OBJECT")
    completion: Any = sent_parts(s3, upload, algorithm, *bodies)
    member = f"Checksum{algorithm}"
    wrong = checksums.checksum(b"", algorithm)
    with pytest.raises(ClientError) as error:
        s3.complete_multipart_upload(**{**completion, member: wrong})
    assert refusal(error) == (
        "BadDigest",
        f"The {algorithm.lower()} you specified did not match the calculated checksum.",
    )
    assert nothing_is_stored(s3)
    right = checksums.checksum(b"".join(bodies), algorithm)
    done: Any = s3.complete_multipart_upload(**{**completion, member: right})
    found: Any = s3.head_object(**AT, ChecksumMode="ENABLED")
    for answer in (done, found):
        assert (answer[member], answer["ChecksumType"]) == (right, "FULL_OBJECT")
    assert found["ContentLength"] == sum(map(len, bodies))


def test_a_composite_checksum_is_made_of_those_of_the_parts(s3: S3Client) -> None:
    completion = sent_parts(s3, begun(s3, "SHA256", "COMPOSITE"), "SHA256", FIRST, LAST)
    digests = hashlib.sha256(FIRST).digest() + hashlib.sha256(LAST).digest()
    right = encoded(hashlib.sha256(digests).digest()) + "-2"
    done = s3.complete_multipart_upload(**completion)
    found = s3.head_object(**AT, ChecksumMode="ENABLED")
    assert (done["ChecksumSHA256"], found["ChecksumSHA256"]) == (right, right)
    assert found["ChecksumType"] == "COMPOSITE"


def without_checksums(completion: dict[str, Any]) -> None:
    for part in completion["MultipartUpload"]["Parts"]:
        del part["ChecksumSHA256"]


def with_another_checksum(completion: dict[str, Any]) -> None:
    digest = encoded(hashlib.sha256(b"other").digest())
    completion["MultipartUpload"]["Parts"][0]["ChecksumSHA256"] = digest


def with_another_size(completion: dict[str, Any]) -> None:
    completion["MpuObjectSize"] = 3


def with_another_type(completion: dict[str, Any]) -> None:
    completion["ChecksumType"] = "FULL_OBJECT"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (without_checksums, "InvalidRequest.*It was missing for part 1 in the request"),
        (with_another_checksum, "InvalidPart.*parts could not be found"),
        (with_another_size, f"InvalidRequest.*does not match what was computed: {len(LAST)}"),
        (with_another_type, "InvalidRequest.*must use the same checksum mode"),
    ],
)
def test_a_completion_that_does_not_fit_its_upload_is_refused(
    s3: S3Client, change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    completion = sent_parts(s3, begun(s3, "SHA256", "COMPOSITE"), "SHA256", LAST)
    change(completion)
    with pytest.raises(ClientError, match=problem):
        s3.complete_multipart_upload(**completion)
    assert nothing_is_stored(s3)


def test_a_part_has_to_fit_its_digest_and_its_upload(s3: S3Client) -> None:
    upload: Any = begun(s3, "SHA256", "COMPOSITE")
    wrong = encoded(hashlib.sha256(b"data").digest())
    with pytest.raises(ClientError, match="BadDigest"):
        s3.upload_part(**upload, PartNumber=1, Body=b"dada", ChecksumSHA256=wrong)
    with pytest.raises(ClientError, match="expected checksum Type: sha256, actual checksum Ty"):
        s3.upload_part(**upload, PartNumber=1, Body=b"data", ChecksumCRC32="rfPzYw==")
    assert "Parts" not in s3.list_parts(**upload)


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")]
)
def test_not_every_checksum_goes_with_parts(s3: S3Client, algorithm: str, kind: str) -> None:
    with pytest.raises(ClientError, match=f"{kind} checksum type cannot be used with"):
        begun(s3, algorithm, kind)


def test_uploads_are_listed_by_prefix_page_by_page_with_the_time_they_began(s3: S3Client) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)  # answers have whole seconds
    names = ["mims/b/2", "mims/a/1", "mims/a/1", "others/1"]
    ids = [s3.create_multipart_upload(Bucket=BUCKET, Key=name)["UploadId"] for name in names]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=BUCKET, Prefix="mims/", PaginationConfig={"PageSize": 1}
    )
    listed = [upload for page in pages for upload in page["Uploads"]]
    assert [(one["Key"], one["UploadId"]) for one in listed] == [
        ("mims/a/1", ids[1]),
        ("mims/a/1", ids[2]),
        ("mims/b/2", ids[0]),
    ]
    for upload in listed:
        assert before <= upload["Initiated"] <= datetime.now(UTC)


def test_an_upload_that_was_aborted_is_no_more(s3: S3Client) -> None:
    s3.put_object(Bucket=BUCKET, Key="source", Body=b"data")
    upload: Any = begun(s3, "CRC32", "FULL_OBJECT")
    completion: Any = sent_parts(s3, upload, "CRC32", LAST)
    s3.abort_multipart_upload(**upload)
    source = f"{BUCKET}/source"
    calls: list[Callable[[], object]] = [
        lambda: s3.upload_part(**upload, PartNumber=2, Body=b"data"),
        lambda: s3.upload_part_copy(**upload, PartNumber=2, CopySource=source),
        lambda: s3.list_parts(**upload),
        lambda: s3.complete_multipart_upload(**completion),
        lambda: s3.abort_multipart_upload(**upload),
    ]
    for call in calls:
        with pytest.raises(s3.exceptions.NoSuchUpload):
            call()
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def test_an_upload_is_of_one_key(s3: S3Client) -> None:
    upload = begun(s3, "CRC32", "FULL_OBJECT") | {"Key": "another"}
    with pytest.raises(s3.exceptions.NoSuchUpload):
        s3.upload_part(**upload, PartNumber=1, Body=b"data")


def test_a_completion_may_be_said_twice(s3: S3Client) -> None:
    """Which moto takes by itself."""
    completion: Any = sent_parts(s3, begun(s3, "CRC32", "FULL_OBJECT"), "CRC32", LAST)
    first = s3.complete_multipart_upload(**completion)
    again = s3.complete_multipart_upload(**completion, IfNoneMatch="*")
    assert (first["ETag"], first["ChecksumCRC32"]) == (again["ETag"], again["ChecksumCRC32"])


# Copies


def test_a_copy_has_a_checksum_of_the_whole_and_the_sources_metadata(s3: S3Client) -> None:
    completion: Any = sent_parts(s3, begun(s3, "SHA256", "COMPOSITE"), "SHA256", FIRST, LAST)
    s3.complete_multipart_upload(**completion)
    whole = encoded(hashlib.sha256(FIRST + LAST).digest())
    copied = s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=AT)
    assert copied["CopyObjectResult"]["ChecksumSHA256"] == whole
    s3.copy_object(
        Bucket=BUCKET,
        Key="other copy",
        CopySource=AT,
        ChecksumAlgorithm="CRC32",
        MetadataDirective="REPLACE",
        Metadata={"sha256": "0a"},
    )
    found = s3.head_object(Bucket=BUCKET, Key="copy", ChecksumMode="ENABLED")
    assert (found["ChecksumSHA256"], found["ChecksumType"]) == (whole, "FULL_OBJECT")
    assert found["Metadata"] == {}
    other = s3.head_object(Bucket=BUCKET, Key="other copy", ChecksumMode="ENABLED")
    assert (other["ChecksumCRC32"], other["ChecksumType"]) == (crc32(FIRST + LAST), "FULL_OBJECT")
    assert other["Metadata"] == {"sha256": "0a"}


def test_a_copy_may_come_from_another_region(s3: S3Client) -> None:
    ireland = boto3.client("s3", "eu-west-1")
    where: Any = {"LocationConstraint": "eu-west-1"}
    ireland.create_bucket(Bucket="in-ireland", CreateBucketConfiguration=where)
    ireland.put_object(Bucket="in-ireland", Key="object", Body=b"data")
    s3.copy_object(**AT, CopySource="in-ireland/object")
    assert s3.get_object(**AT)["Body"].read() == b"data"


CONDITIONS: dict[str, dict[str, Any]] = {
    "PreconditionFailed": {"CopySourceIfMatch": '"0"'},
    "NoSuchKey": {"CopySource": f"{BUCKET}/nothing"},
    "NoSuchBucket": {"CopySource": "no-such-bucket/source"},
    "AccessDenied": {"ExpectedSourceBucketOwner": STRANGER},
}


@pytest.mark.parametrize(("code", "change"), CONDITIONS.items(), ids=list(CONDITIONS))
def test_a_copy_heeds_what_is_said_of_its_source(
    s3: S3Client, code: str, change: dict[str, Any]
) -> None:
    etag = s3.put_object(Bucket=BUCKET, Key="source", Body=b"data")["ETag"]
    source: Any = {"CopySource": f"{BUCKET}/source", "CopySourceIfMatch": etag}
    upload: Any = begun(s3, "CRC32", "FULL_OBJECT")
    with pytest.raises(ClientError) as error:
        s3.copy_object(**AT, **{**source, **change})
    assert refusal(error)[0] == code
    with pytest.raises(ClientError) as error:
        s3.upload_part_copy(**upload, PartNumber=1, **{**source, **change})
    assert refusal(error)[0] == code
    assert "Parts" not in s3.list_parts(**upload)
    s3.copy_object(**AT, **source)
    s3.upload_part_copy(**upload, PartNumber=1, **source)


def test_parts_may_be_copied(s3: S3Client) -> None:
    content = FIRST + LAST
    s3.put_object(Bucket=BUCKET, Key="source", Body=content)
    upload: Any = begun(s3, "CRC32", "FULL_OBJECT")
    parts: list[Any] = []
    for number, (start, end) in enumerate([(0, len(FIRST)), (len(FIRST), len(content))], start=1):
        span = f"bytes={start}-{end - 1}"
        copied = s3.upload_part_copy(
            **upload, PartNumber=number, CopySource=f"{BUCKET}/source", CopySourceRange=span
        )["CopyPartResult"]
        assert copied["ChecksumCRC32"] == crc32(content[start:end])
        parts.append({"PartNumber": number, "ETag": copied["ETag"]})
    completed: Any = {"Parts": parts}
    s3.complete_multipart_upload(
        **upload,
        MultipartUpload=completed,
        ChecksumCRC32=crc32(content),
        ChecksumType="FULL_OBJECT",
    )
    assert s3.get_object(**AT)["Body"].read() == content


def test_a_part_is_not_copied_from_beyond_the_end(s3: S3Client) -> None:
    s3.put_object(Bucket=BUCKET, Key="source", Body=b"data")
    upload: Any = begun(s3, "CRC32", "FULL_OBJECT")
    with pytest.raises(ClientError, match=r"InvalidArgument.*source object of size: 4"):
        s3.upload_part_copy(
            **upload, PartNumber=1, CopySource=f"{BUCKET}/source", CopySourceRange="bytes=0-4"
        )


# Conditions


def test_what_is_there_is_not_written_over_when_it_must_not_be(s3: S3Client) -> None:
    s3.put_object(**AT, Body=b"first", IfNoneMatch="*")
    s3.put_object(Bucket=BUCKET, Key="source", Body=b"second")
    completion: Any = sent_parts(s3, begun(s3, "CRC32", "FULL_OBJECT"), "CRC32", b"second")
    for call in (
        lambda: s3.put_object(**AT, Body=b"second", IfNoneMatch="*"),
        lambda: s3.copy_object(**AT, CopySource=f"{BUCKET}/source", IfNoneMatch="*"),
        lambda: s3.complete_multipart_upload(**completion, IfNoneMatch="*"),
    ):
        with pytest.raises(ClientError) as error:
            call()
        assert refusal(error)[0] == "PreconditionFailed"
    assert s3.get_object(**AT)["Body"].read() == b"first"


def test_of_two_writers_at_once_one_is_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, where the second can be let in while the first is about to write."""
    store = S3Backend.put_object
    both_about_to_write = threading.Barrier(2)

    def put_object(*args: Any, **kwargs: Any) -> Any:
        with suppress(threading.BrokenBarrierError):
            both_about_to_write.wait(timeout=0.5)
        return store(*args, **kwargs)

    client = Client(LocalAwsApplication(status_seconds=0))
    signed = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, Signature=0"
    bucket = f"/two-writers-{uuid4()}"  # this process keeps it
    client.put(bucket, headers={"Authorization": signed})
    monkeypatch.setattr(S3Backend, "put_object", put_object)

    def write(body: bytes) -> int:
        headers = {"Authorization": signed, "If-None-Match": "*"}
        return client.put(f"{bucket}/object", data=body, headers=headers).status_code

    with ThreadPoolExecutor(2) as threads:
        statuses = list(threads.map(write, [b"one", b"two"]))
    assert sorted(statuses) == [200, 412]


# Owners


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("head_bucket", {"Bucket": BUCKET}),
        ("list_objects_v2", {"Bucket": BUCKET}),
        ("list_multipart_uploads", {"Bucket": BUCKET}),
        ("put_object", AT),
        ("head_object", AT),
        ("get_object", AT),
        ("copy_object", {**AT, "CopySource": AT}),
        ("create_multipart_upload", AT),
        ("delete_object", AT),
    ],
)
def test_a_bucket_of_another_owner_is_refused(
    s3: S3Client, operation: str, arguments: dict[str, Any]
) -> None:
    s3.put_object(**AT, Body=b"data", ExpectedBucketOwner="123456789012")
    with pytest.raises(ClientError) as error:
        getattr(s3, operation)(**arguments, ExpectedBucketOwner=STRANGER)
    assert refusal(error)[0] == ("403" if operation.startswith("head") else "AccessDenied")
    assert s3.head_object(**AT)["ContentLength"] == 4


# Keys of KMS


@pytest.fixture
def key(aws: LocalAws) -> str:
    """The ARN of a key with an alias."""
    del aws  # the environment leads there
    kms = boto3.client("kms")
    metadata: dict[str, str] = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/models", TargetKeyId=metadata["KeyId"])
    return metadata["Arn"]


def encrypted(key: str) -> dict[str, Any]:
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}


@pytest.mark.parametrize("form", ["ARN", "id", "alias", "alias ARN"])
def test_an_object_says_by_which_key_it_is_encrypted(s3: S3Client, key: str, form: str) -> None:
    start = key.partition(":key/")[0]
    name = {
        "ARN": key,
        "id": key.partition(":key/")[2],
        "alias": "alias/models",
        "alias ARN": f"{start}:alias/models",
    }[form]
    answers: list[Any] = [s3.put_object(**AT, Body=b"data", **encrypted(name))]
    answers.append(s3.head_object(**AT))
    answers.append(s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=AT, **encrypted(name)))
    answers.append(s3.head_object(Bucket=BUCKET, Key="copy"))
    upload: Any = s3.create_multipart_upload(**AT, ChecksumAlgorithm="CRC32", **encrypted(name))
    answers.append(upload)
    completion: Any = sent_parts(s3, {**AT, "UploadId": upload["UploadId"]}, "CRC32", LAST)
    answers.append(s3.complete_multipart_upload(**completion))
    answers.append(s3.head_object(**AT))
    for answer in answers:
        assert (answer["ServerSideEncryption"], answer["SSEKMSKeyId"]) == ("aws:kms", key)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("0a", "KMS.NotFoundException.*Key 'arn:aws:kms:us-west-2:123456789012:key/0a' does not"),
        ("alias/none", "KMS.NotFoundException.*us-west-2:123456789012:alias/none is not found"),
        ("arn:aws:kms:eu-west-1:123456789012:key/0a", "KMS.NotFoundException.*Invalid arn eu-west"),
        ("disabled", "KMS.DisabledException.*is disabled"),
        ("doomed", "KMS.KMSInvalidStateException.*is pending deletion"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(
    s3: S3Client, key: str, name: str, problem: str
) -> None:
    kms = boto3.client("kms")
    if name == "disabled":
        kms.disable_key(KeyId=key.partition(":key/")[2])
        name = key
    if name == "doomed":
        kms.schedule_key_deletion(KeyId=key.partition(":key/")[2])
        name = key
    for call in (
        lambda: s3.put_object(**AT, Body=b"data", **encrypted(name)),
        lambda: s3.create_multipart_upload(**AT, **encrypted(name)),
        lambda: s3.copy_object(**AT, CopySource=AT, **encrypted(name)),
    ):
        with pytest.raises(ClientError, match=problem):
            call()
    assert nothing_is_stored(s3)


def test_a_key_needs_encryption_by_kms(s3: S3Client, key: str) -> None:
    with pytest.raises(ClientError, match="requires HTTP header x-amz-server-side-encryption"):
        s3.put_object(**AT, Body=b"data", SSEKMSKeyId=key)


# Regions


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT"])
def test_a_bucket_of_another_region_sends_there(aws: LocalAws, s3: S3Client, method: str) -> None:
    where: Any = {"LocationConstraint": "eu-west-1"}
    s3_there = boto3.client("s3", "eu-west-1")
    s3_there.create_bucket(Bucket="in-ireland", CreateBucketConfiguration=where)
    path = "/in-ireland" if method == "HEAD" else "/in-ireland/object"
    status, headers, text = raw(aws, method, path)
    assert (status, headers["x-amz-bucket-region"]) == (301, "eu-west-1")
    assert ("<Code>PermanentRedirect</Code>" in text) == (method != "HEAD")
    # boto3 goes there by itself.
    s3.put_object(Bucket="in-ireland", Key="object", Body=b"data")
    assert s3.head_bucket(Bucket="in-ireland")["BucketRegion"] == "eu-west-1"
    found = s3.get_bucket_location(Bucket="in-ireland")
    assert found["LocationConstraint"] == "eu-west-1"
