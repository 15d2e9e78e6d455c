"""Where inputs came from, as SageMaker says in processingjobconfig.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mims.errors import InputError
from mims.registration.origins import CONFIG_PATH, read_origins
from mims.registration.storage import Location

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:sagemaker:us-west-2:111122223333:processing-job/register-1"
LOCAL = "/opt/ml/processing/input/model"


def write(root: Path, content: Any) -> None:
    path = root / CONFIG_PATH
    path.parent.mkdir(parents=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def s3_input(uri: str, **changes: Any) -> dict[str, Any]:
    """An input as SageMaker writes it."""
    given = {
        "LocalPath": LOCAL,
        "S3Uri": uri,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    return {"InputName": "PackagedModel", "AppManaged": False, "S3Input": {**given, **changes}}


def origin(root: Path, *inputs: dict[str, Any], file: str = "model.tar.gz") -> str | None:
    write(root, {"ProcessingJobArn": ARN, "ProcessingInputs": inputs, "RoleArn": "arn:role"})
    found = read_origins(root).of(root / LOCAL[1:] / file)
    return found and found.uri


@pytest.mark.parametrize(
    ("uri", "file", "expected"),
    [
        # A folder, with and without its slash.
        ("s3://jobs/package-1/output/", "model.tar.gz", "s3://jobs/package-1/output/model.tar.gz"),
        ("s3://jobs/package-1/output", "model.tar.gz", "s3://jobs/package-1/output/model.tar.gz"),
        ("s3://jobs/output", "sub/model.tar.gz", "s3://jobs/output/sub/model.tar.gz"),
        # The object itself.
        ("s3://jobs/output/model.tar.gz", "model.tar.gz", "s3://jobs/output/model.tar.gz"),
        # A whole bucket.
        ("s3://jobs", "model.tar.gz", "s3://jobs/model.tar.gz"),
        ("s3://jobs/", "model.tar.gz", "s3://jobs/model.tar.gz"),
        # Keys may hold anything.
        ("s3://jobs/a b//ü%20/", "model.tar.gz", "s3://jobs/a b//ü%20/model.tar.gz"),
    ],
)
def test_a_file_came_from_an_object(uri: str, file: str, expected: str, tmp_path: Path) -> None:
    assert origin(tmp_path, s3_input(uri), file=file) == expected
    assert read_origins(tmp_path).job_arn == ARN


def test_the_nearest_input_counts(tmp_path: Path) -> None:
    outer = s3_input("s3://jobs/all/", LocalPath="/opt/ml/processing/input")
    inner = s3_input("s3://jobs/model/", LocalPath=f"{LOCAL}/")
    assert origin(tmp_path, inner, outer) == "s3://jobs/model/model.tar.gz"


@pytest.mark.parametrize(
    "given",
    [
        # The files are not the objects' bytes, or not one to one.
        s3_input("s3://jobs/list.json", S3DataType="ManifestFile"),
        s3_input("s3://jobs/model/", S3CompressionType="Gzip"),
        s3_input("s3://jobs/model/", S3InputMode="Pipe"),
        # Elsewhere.
        s3_input("s3://jobs/model/", LocalPath="/opt/ml/processing/input/mod"),
        # Not in S3.
        s3_input("https://jobs/model/"),
        s3_input("arn:aws:s3:us-west-2:111122223333:accesspoint/jobs"),
        {"InputName": "PackagedModel", "DatasetDefinition": {"LocalPath": LOCAL}},
        {"InputName": "PackagedModel", "S3Input": None},
        {},
    ],
)
def test_other_files_came_from_no_object(given: dict[str, Any], tmp_path: Path) -> None:
    assert origin(tmp_path, given) is None


def test_outside_of_a_job_nothing_is_known(tmp_path: Path) -> None:
    origins = read_origins(tmp_path)
    assert origins.job_arn is None
    assert origins.of(tmp_path / "model.tar.gz") is None


def test_a_job_without_inputs(tmp_path: Path) -> None:
    write(tmp_path, {"ProcessingJobArn": ARN, "ProcessingInputs": None})
    assert read_origins(tmp_path).job_arn == ARN
    assert read_origins(tmp_path).folders == ()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not JSON"),
        ("[]", "is not a JSON object but list"),
        ('{"ProcessingJobArn": 1}', "ProcessingJobArn: Input should be a valid string"),
        ('{"ProcessingInputs": {}}', "ProcessingInputs: Input should be a valid list"),
        ('{"ProcessingInputs": [{"S3Input": {"S3Uri": []}}]}', r"ProcessingInputs.0.S3Input.S3Uri"),
        ("[" * 100_000, "nested too deep"),
        (" " * 16_000_001, "is over 16.0 MB"),
    ],
)
def test_what_sagemaker_would_not_write_is_refused(
    content: str, problem: str, tmp_path: Path
) -> None:
    write(tmp_path, content)
    with pytest.raises(InputError, match=problem) as error:
        read_origins(tmp_path)
    assert CONFIG_PATH in str(error.value)


def test_a_location_is_read_or_is_none() -> None:
    assert Location.read("s3://bucket/a/b") == Location("bucket", "a/b")
    assert Location.read("s3://Bucket/a") is None
