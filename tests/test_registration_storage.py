"""Storage over real HTTP: what moves, what does not move again, what is said when S3 refuses."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from faults import denied, internal_error, late_error, refused
from mims.errors import InputError, ServiceError
from mims.registration.artifacts import Artifact
from mims.registration.aws import ATTEMPTS
from mims.registration.parts import MIB, MOST, SMALLEST, split
from mims.registration.storage import STALE, Location, Storage, content_address, parse_location
from registration_runs import at_once, make_buckets
from stored_artifacts import LARGE, REGION, SMALL, ignore, of_file, unfinished

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from conftest import LocalAws
    from faults import Exchange, Fault, Faults

OWNER = "123456789012"  # of the local AWS
SSE = "x-amz-server-side-encryption"
ORIGIN = "output/job-1/model.tar.gz"


@pytest.fixture
def storage(bucket: str) -> Storage:
    del bucket  # is there
    return Storage(REGION)


def test_an_artifact_lies_where_its_content_says(
    storage: Storage, bucket: str, s3: S3Client
) -> None:
    artifact = Artifact.of_bytes("variable_schema.json", SMALL)
    sha256 = hashlib.sha256(SMALL).hexdigest()
    stored = storage.store(artifact, content_address(bucket, "fraud", artifact), ignore)
    key = f"mims/fraud/sha256/{sha256}/variable_schema.json"
    assert stored.uri == f"s3://{bucket}/{key}"
    found = s3.get_object(Bucket=bucket, Key=key)
    assert found["Body"].read() == SMALL
    assert found["ContentType"] == "application/json"
    assert found["Metadata"] == {"sha256": sha256}


# Both ways into S3: in one request, and in parts of 16 MiB.
@pytest.mark.parametrize("size", [10_000, 20_000_000])
def test_a_file_moves_once(
    size: int, storage: Storage, bucket: str, s3: S3Client, tmp_path: Path
) -> None:
    content = hashlib.shake_128(b"model").digest(size)
    artifact = of_file(tmp_path / "model.tar.gz", content)
    at = content_address(bucket, "fraud", artifact)
    counted: list[int] = []
    assert storage.store(artifact, at, counted.append).moved == size
    assert sum(counted) == size
    assert s3.get_object(Bucket=bucket, Key=at.key)["Body"].read() == content
    again: list[int] = []
    assert storage.store(artifact, at, again.append).moved == 0
    assert again == []


@pytest.mark.parametrize(
    ("content", "metadata"),
    [
        # Another size.
        (b"shorter", {"sha256": hashlib.sha256(SMALL).hexdigest()}),
        # The size and the note are right, the content is not.
        (b"A SMALL ARTIFACT", {"sha256": hashlib.sha256(SMALL).hexdigest()}),
        # Somebody else put it there and noted nothing.
        (SMALL, {}),
    ],
)
def test_what_is_there_but_not_the_same_is_replaced(
    content: bytes, metadata: dict[str, str], storage: Storage, bucket: str, s3: S3Client
) -> None:
    artifact = Artifact.of_bytes("metadata.json", SMALL)
    at = content_address(bucket, "fraud", artifact)
    s3.put_object(
        Bucket=bucket, Key=at.key, Body=content, Metadata=metadata, ChecksumAlgorithm="CRC32"
    )
    assert storage.store(artifact, at, ignore).moved == len(SMALL)
    assert s3.get_object(Bucket=bucket, Key=at.key)["Body"].read() == SMALL


def test_a_file_that_changed_after_it_was_checked_is_refused(
    storage: Storage, bucket: str, s3: S3Client, tmp_path: Path
) -> None:
    artifact = of_file(tmp_path / "model.tar.gz", b"checked")
    (tmp_path / "model.tar.gz").write_bytes(b"changed")
    with pytest.raises(ServiceError, match=r"PutObject in us-west-2 for s3://.*BadDigest"):
        storage.store(artifact, content_address(bucket, "fraud", artifact), ignore)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_missing_bucket_says_what_to_do(aws: LocalAws) -> None:
    del aws
    with pytest.raises(ServiceError) as error:
        Storage(REGION).require("mims-nowhere")
    assert "HeadBucket in us-west-2 for bucket mims-nowhere" in str(error.value)
    assert "create the bucket, or name another in the config or in MIMS_BUCKET" in str(error.value)
    artifact = Artifact.of_bytes("metadata.json", SMALL)
    with pytest.raises(ServiceError, match=r"NoSuchBucket.*create the bucket"):
        Storage(REGION).store(artifact, Location("mims-nowhere", "metadata.json"), ignore)


def test_a_bucket_of_another_region_is_refused(aws: LocalAws) -> None:
    del aws
    make_buckets({"eu-west-1": "mims-eu"})
    with pytest.raises(
        ServiceError, match="bucket mims-eu is in eu-west-1, but a model registered"
    ):
        Storage(REGION).require("mims-eu")


# Side by side


def test_one_storage_serves_several_threads(bucket: str, s3: S3Client, tmp_path: Path) -> None:
    storage = Storage(REGION)
    contents = [hashlib.shake_128(bytes([n])).digest(17_000_000 * (n % 2) + n) for n in range(1, 7)]
    artifacts = [of_file(tmp_path / f"{n}.tar.gz", c) for n, c in enumerate(contents)]
    places = [content_address(bucket, "fraud", artifact) for artifact in artifacts]
    stored = at_once(lambda a, at: storage.store(a, at, ignore), artifacts, places)
    assert [one.moved for one in stored] == [len(content) for content in contents]
    for at, content in zip(places, contents, strict=True):
        assert s3.get_object(Bucket=bucket, Key=at.key)["Body"].read() == content


# Parts


@pytest.mark.parametrize(
    ("size", "count"),
    [
        (SMALLEST + 1, 2),
        (1_000_000_000, 60),
        (MOST * SMALLEST, MOST),
        # Larger parts, since there may be no more of them.
        (MOST * SMALLEST + 1, MOST),
        (5 * 10**12, MOST),
        (50 * 10**12, MOST),
    ],
)
def test_parts_are_within_the_limits_of_s3(size: int, count: int) -> None:
    parts = split(size, SMALLEST)
    assert len(parts) == count <= 10_000
    assert [part.number for part in parts] == list(range(1, count + 1))
    ends = [part.start + part.size for part in parts]
    assert [part.start for part in parts] == [0, *ends[:-1]]
    assert ends[-1] == size
    assert all(5 * MIB <= part.size <= 5 * 1024 * MIB for part in parts[:-1])
    assert 0 < parts[-1].size <= parts[0].size


# Keys and owners


@pytest.fixture
def key(aws: LocalAws) -> str:
    """A KMS key, by its ARN; alias/models is another, alias/old a third."""
    del aws  # the environment leads there
    kms = boto3.client("kms")
    for alias in ("alias/models", "alias/old"):
        kms.create_alias(AliasName=alias, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    arn: str = kms.create_key()["KeyMetadata"]["Arn"]
    return arn


def test_every_request_names_the_owner_and_every_write_the_key(
    proxy: Faults, bucket: str, key: str, s3: S3Client, tmp_path: Path
) -> None:
    s3.put_object(Bucket=bucket, Key="output/model.tar.gz", Body=LARGE)
    proxy.requests.clear()
    storage = Storage(REGION, key, OWNER)
    storage.require(bucket)
    small = Artifact.of_bytes("metadata.json", SMALL)
    storage.store(small, content_address(bucket, "fraud", small), ignore)
    large = of_file(tmp_path / "model.tar.gz", LARGE)
    copy = replace(large, name="copy.tar.gz", origin=Location(bucket, "output/model.tar.gz"))
    for artifact in (large, copy):
        storage.store(artifact, content_address(bucket, "fraud", artifact), ignore)
    # A failure, for the abort, and what it does not reach, for the sweep.
    proxy.on("UploadPart", refused("NoSuchKey", "a refusal"))
    proxy.on("AbortMultipartUpload", refused("AccessDenied", "not that"), times=1)
    other = of_file(tmp_path / "other.tar.gz", LARGE[1:])
    with pytest.raises(ServiceError):
        storage.store(other, content_address(bucket, "fraud", other), ignore)
    assert storage.sweep(content_address(bucket, "fraud", other)) == 1

    sent = [r for r in proxy.requests if not r.path.endswith("/output/model.tar.gz")]
    assert {request.operation for request in sent} == {
        *("HeadBucket", "HeadObject", "PutObject", "CreateMultipartUpload", "UploadPart"),
        *("UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload"),
        "ListMultipartUploads",
    }
    for request in sent:
        assert request.headers.get("x-amz-expected-bucket-owner") == OWNER, request
        makes = request.operation in ("PutObject", "CreateMultipartUpload")
        assert (request.headers.get(f"{SSE}-aws-kms-key-id") == key) is makes, request
    # Whose the origin is we don't know.
    (looked,) = [r for r in proxy.requests if r.path.endswith("/output/model.tar.gz")]
    assert "x-amz-expected-bucket-owner" not in looked.headers
    for artifact in (small, large, copy):
        found = s3.head_object(Bucket=bucket, Key=content_address(bucket, "fraud", artifact).key)
        assert found["ServerSideEncryption"] == "aws:kms"
        assert found["SSEKMSKeyId"] == key


@pytest.mark.parametrize("spelled", ["arn", "id", "alias"])
def test_what_lies_there_under_another_key_gets_the_right_one(
    *, spelled: str, key: str, proxy: Faults, bucket: str, s3: S3Client, tmp_path: Path
) -> None:
    asked = {"arn": key, "id": key.rpartition("/")[2], "alias": "alias/models"}[spelled]
    small = Artifact.of_bytes("metadata.json", SMALL)
    large = of_file(tmp_path / "model.tar.gz", LARGE)
    for artifact, content in ((small, SMALL), (large, LARGE)):
        at = content_address(bucket, "fraud", artifact)
        Storage(REGION, "alias/old").store(artifact, at, ignore)
        old = s3.head_object(Bucket=bucket, Key=at.key)["SSEKMSKeyId"]
        proxy.requests.clear()
        stored = Storage(REGION, asked).store(artifact, at, ignore)
        if artifact is large:  # S3 does it by itself
            assert (stored.moved, stored.copied) == (0, len(LARGE))
            assert proxy.count("UploadPart") == 0
        found = s3.get_object(Bucket=bucket, Key=at.key)
        assert found["Body"].read() == content
        assert found["SSEKMSKeyId"] != old
        assert (found["SSEKMSKeyId"] == key) is (spelled != "alias")
        # And now it lies right, also for whoever asks for no key.
        for again in (asked, None):
            stored = Storage(REGION, again).store(artifact, at, ignore)
            assert (stored.moved, stored.copied) == (0, 0)


def test_what_lies_there_under_no_key_gets_one(key: str, bucket: str, s3: S3Client) -> None:
    artifact = Artifact.of_bytes("metadata.json", SMALL)
    at = content_address(bucket, "fraud", artifact)
    Storage(REGION).store(artifact, at, ignore)
    assert Storage(REGION, key).store(artifact, at, ignore).moved == len(SMALL)
    assert s3.head_object(Bucket=bucket, Key=at.key)["SSEKMSKeyId"] == key


def test_a_bucket_of_another_owner_is_refused(bucket: str) -> None:
    storage = Storage(REGION, owner="999999999999")
    artifact = Artifact.of_bytes("metadata.json", SMALL)
    at = content_address(bucket, "fraud", artifact)
    said = r"\(owner 999999999999\): 403: .* is that owner's whom the config names"
    with pytest.raises(ServiceError, match=f"^HeadBucket in {REGION} for bucket {bucket} {said}"):
        storage.require(bucket)
    with pytest.raises(ServiceError, match=f"^HeadObject in {REGION} for {at.uri} {said}"):
        storage.store(artifact, at, ignore)


def test_a_key_that_is_not_there_is_refused(bucket: str) -> None:
    artifact = Artifact.of_bytes("metadata.json", SMALL)
    at = content_address(bucket, "fraud", artifact)
    said = rf"^PutObject in {REGION} for {at.uri}: KMS.NotFoundException: .*; see that the KMS key"
    with pytest.raises(ServiceError, match=said):
        Storage(REGION, "alias/nowhere").store(artifact, at, ignore)


# Copies


@pytest.fixture
def downloaded(bucket: str, s3: S3Client, tmp_path: Path) -> Artifact:
    """A model that was downloaded from the bucket."""
    s3.put_object(Bucket=bucket, Key=ORIGIN, Body=LARGE, ContentType="binary/octet-stream")
    artifact = of_file(tmp_path / "model.tar.gz", LARGE)
    return replace(artifact, origin=Location(bucket, ORIGIN))


def test_what_is_in_s3_is_copied_there(
    proxy: Faults, downloaded: Artifact, bucket: str, s3: S3Client
) -> None:
    proxy.requests.clear()
    counted: list[int] = []
    at = content_address(bucket, "fraud", downloaded)
    stored = Storage(REGION).store(downloaded, at, counted.append)
    assert (stored.moved, stored.copied) == (0, len(LARGE)) == (0, sum(counted))
    assert max(request.length for request in proxy.requests) < 10_000
    found = s3.get_object(Bucket=bucket, Key=at.key)
    assert found["Body"].read() == LARGE
    assert found["ContentType"] == "application/gzip"
    assert found["Metadata"] == {"sha256": downloaded.sha256}
    # Only as long as it is what was looked at.
    etag = s3.head_object(Bucket=bucket, Key=ORIGIN)["ETag"]
    copies = [r for r in proxy.requests if r.operation == "UploadPartCopy"]
    assert copies
    assert all(r.headers["x-amz-copy-source-if-match"] == etag for r in copies)
    again = Storage(REGION).store(downloaded, at, ignore)
    assert (again.moved, again.copied) == (0, 0)


def test_a_copy_crosses_regions(downloaded: Artifact, aws: LocalAws) -> None:
    del aws
    make_buckets({"eu-west-1": "mims-eu"})
    at = content_address("mims-eu", "fraud", downloaded)
    stored = Storage("eu-west-1").store(downloaded, at, ignore)
    assert (stored.moved, stored.copied) == (0, len(LARGE))
    eu = boto3.client("s3", "eu-west-1")
    assert eu.get_object(Bucket="mims-eu", Key=at.key)["Body"].read() == LARGE


# The origin: what it is by now, and what goes wrong with it. In the log: why.
CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"Body": LARGE + b"more"}, "another object by now"),
    # Of the right size, and what S3 knows of it tells.
    ({"Body": LARGE[::-1], "Metadata": {"sha256": "0" * 64}}, "another object by now"),
    ({"Body": LARGE[::-1], "ChecksumAlgorithm": "SHA256"}, "another object by now"),
    ({"Body": LARGE[::-1], "ChecksumAlgorithm": "CRC32"}, "another object by now"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("change", "why"), CHANGES)
def test_what_is_another_object_by_now_is_sent(
    *,
    change: dict[str, Any],
    why: str,
    downloaded: Artifact,
    bucket: str,
    s3: S3Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "mims")
    s3.put_object(Bucket=bucket, Key=ORIGIN, **change)
    sent_instead(downloaded, bucket, s3)
    assert f"s3://{bucket}/{ORIGIN} is {why}" in caplog.text


def test_what_turns_out_to_be_another_object_is_sent(
    downloaded: Artifact, bucket: str, s3: S3Client, caplog: pytest.LogCaptureFixture
) -> None:
    """S3 knows no digest of it that we know too, and finds out as it copies."""
    caplog.set_level("INFO", "mims")
    s3.put_object(Bucket=bucket, Key=ORIGIN, Body=LARGE[::-1], ChecksumAlgorithm="SHA1")
    sent_instead(downloaded, bucket, s3)
    assert "can't be copied: CompleteMultipartUpload in us-west-2" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "fault", "why"),
    [
        # The job may not read it, or it has gone.
        ("HeadObject", denied("s3:GetObject"), "HeadObject in us-west-2 for"),
        ("HeadObject", refused("NoSuchKey", "gone", status=404), "HeadObject in"),
        # The bucket's policy has something against copies.
        ("UploadPartCopy", denied("s3:PutObject"), "can't be copied: UploadPartCopy in us-west-2"),
        # It changes just now.
        ("UploadPartCopy", refused("PreconditionFailed", "no", status=412), "PreconditionFailed"),
        # It was another object of that size, of which S3 knew nothing.
        ("CompleteMultipartUpload", refused("BadDigest", "not the CRC-32"), "BadDigest"),
        # S3 can't now, at the first or the last.
        ("UploadPartCopy", late_error(), "UploadPartCopy in us-west-2"),
        ("CreateMultipartUpload", internal_error(), "CreateMultipartUpload in us-west-2"),
    ],
)
def test_what_cannot_be_copied_is_sent(
    *,
    operation: str,
    fault: Fault,
    why: str,
    proxy: Faults,
    downloaded: Artifact,
    bucket: str,
    s3: S3Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "mims")
    once = 1 if operation == "CompleteMultipartUpload" else ATTEMPTS
    proxy.on(
        operation,
        fault,
        times=once,
        when=lambda r: r.operation != "HeadObject" or r.path.endswith(ORIGIN),
    )
    sent_instead(downloaded, bucket, s3)
    reasons = [line for line in caplog.messages if "can't be copied: " in line]
    assert len(reasons) == 1
    assert why in reasons[0]


def sent_instead(artifact: Artifact, bucket: str, s3: S3Client) -> None:
    at = content_address(bucket, "fraud", artifact)
    counted: list[int] = []
    stored = Storage(REGION).store(artifact, at, counted.append)
    assert (stored.moved, stored.copied) == (len(LARGE), 0)
    assert sum(counted) == len(LARGE)
    assert s3.get_object(Bucket=bucket, Key=at.key)["Body"].read() == LARGE
    assert unfinished(s3, bucket) == []


# Sweeping


def test_a_sweep_ends_what_nobody_needs(proxy: Faults, bucket: str, s3: S3Client) -> None:
    """Uploads of the object itself, and old ones of the group; nobody else's."""
    now = datetime.now(UTC)
    done = Location(bucket, "mims/fraud/sha256/aa/model.tar.gz")
    ages = {
        # Another run's, of just this object.
        done.key: timedelta(minutes=1),
        # Of another package: old, and still at work.
        "mims/fraud/sha256/bb/model.tar.gz": STALE + timedelta(minutes=5),
        "mims/fraud/sha256/cc/model.tar.gz": STALE - timedelta(minutes=5),
        # Other people's.
        "mims/fraud-eu/sha256/bb/model.tar.gz": timedelta(days=30),
        "elsewhere/model.tar.gz": timedelta(days=30),
    }
    for key in ages:
        s3.create_multipart_upload(Bucket=bucket, Key=key)

    def dated(exchange: Exchange) -> None:
        status, headers, body = exchange.carry_out()
        for key, age in ages.items():
            body = re.sub(
                rb"(<Key>%b</Key>(?:(?!</Upload>).)*<Initiated>)[^<]*" % key.encode(),
                rb"\g<1>" + (now - age).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode(),
                body,
                flags=re.DOTALL,
            )
        exchange.answer(status, [*headers, ("Content-Length", str(len(body)))], body)

    proxy.on("ListMultipartUploads", dated)
    # A place that a user gave is none of ours.
    assert Storage(REGION).sweep(done, Location(bucket, "elsewhere/metadata.json")) == 2
    assert proxy.count("ListMultipartUploads") == 1
    proxy.mend()
    assert unfinished(s3, bucket) == [
        "elsewhere/model.tar.gz",
        "mims/fraud-eu/sha256/bb/model.tar.gz",
        "mims/fraud/sha256/cc/model.tar.gz",
    ]


def test_two_sweeps_at_a_time(proxy: Faults, bucket: str, s3: S3Client) -> None:
    at = Location(bucket, "mims/fraud/sha256/aa/model.tar.gz")
    s3.create_multipart_upload(Bucket=bucket, Key=at.key)

    def second(exchange: Exchange) -> None:
        assert Storage(REGION).sweep(at) == 1
        exchange.pass_through()

    proxy.on("AbortMultipartUpload", second, times=1)
    assert Storage(REGION).sweep(at) == 0
    assert unfinished(s3, bucket) == []


# Paths that users give


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("s3://bucket/metrics/penguins.json", "metrics/penguins.json"),
        # Folders.
        ("s3://bucket/metrics/", "metrics/metadata.json"),
        ("s3://bucket", "metadata.json"),
        ("s3://bucket/", "metadata.json"),
    ],
)
def test_an_s3_path_is_an_object_or_a_folder(path: str, key: str) -> None:
    assert parse_location(path, "metadata.json", "SETTING") == Location("bucket", key)


@pytest.mark.parametrize("path", ["bucket/key", "s3:/bucket/key", "https://s3/bucket", "s3://B/k"])
def test_another_path_is_refused(path: str) -> None:
    with pytest.raises(InputError, match=f"SETTING is '{path}': must be an S3 path such as s3://"):
        parse_location(path, "metadata.json", "SETTING")
