"""Storage over real HTTP: what moves, what does not move again, what is said when S3 refuses."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import boto3
import pytest

from mims.errors import InputError, ServiceError
from mims.registration.artifacts import Artifact, Digest
from mims.registration.storage import Location, Storage, content_address, parse_location

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from conftest import LocalAws

REGION = "us-west-2"
SMALL = b"a small artifact"


@pytest.fixture
def s3(aws: LocalAws) -> S3Client:
    del aws  # the environment leads there
    return boto3.client("s3")


@pytest.fixture
def storage(bucket: str) -> Storage:
    del bucket  # is there
    return Storage(REGION)


def of_file(path: Path, content: bytes) -> Artifact:
    path.write_bytes(content)
    digest = Digest()
    digest.update(content)
    return digest.artifact("model.tar.gz", path)


def ignore(_: int) -> None:
    pass


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


# Both ways into S3: in one request, and in parts of 8 MiB.
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
    boto3.client("s3", "eu-west-1").create_bucket(
        Bucket="mims-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    with pytest.raises(
        ServiceError, match="bucket mims-eu is in eu-west-1, but a model registered"
    ):
        Storage(REGION).require("mims-eu")


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
