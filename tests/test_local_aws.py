"""The local AWS, over real HTTP: its limits, its process, and the helper that checks requests."""

from __future__ import annotations

import json
import signal
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws import limits
from refusals import refusal
from service_model import checked_requests

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws, StartLocalAws

# Limits


@pytest.fixture
def unchecked(local_aws: LocalAws) -> SageMakerClient:
    """A client that sends whatever it is given, once."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    return boto3.Session("testing", "testing", region_name="us-west-2").client(
        "sagemaker", endpoint_url=local_aws.url, config=config
    )


NAME = (
    r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?"
    r"([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)"
)
METADATA_VALUE = (
    "Map value must satisfy constraint: [Member must have length less than or equal to 256, "
    "Member must have length greater than or equal to 1, Member must satisfy regular expression "
    r"pattern: ([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,256}]"
)


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        pytest.param(
            {"ModelPackageGroupName": "my_group"},
            "Value 'my_group' at 'modelPackageGroupName' failed to satisfy constraint: "
            f"Member must satisfy regular expression pattern: {NAME}",
            id="pattern",
        ),
        pytest.param(
            {"ModelPackageDescription": "x" * 1025},
            f"Value '{'x' * 1025}' at 'modelPackageDescription' failed to satisfy constraint: "
            "Member must have length less than or equal to 1024",
            id="text too long",
        ),
        pytest.param(
            {"ModelApprovalStatus": "Perhaps"},
            "Value 'Perhaps' at 'modelApprovalStatus' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Approved, Rejected, PendingManualApproval]",
            id="enum",
        ),
        pytest.param(
            {"ModelLifeCycle": {"Stage": "Development"}},
            "Value null at 'modelLifeCycle.stageStatus' failed to satisfy constraint: "
            "Member must not be null",
            id="required",
        ),
        pytest.param(
            {"CustomerMetadataProperties": {}},
            "Value '{}' at 'customerMetadataProperties' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
            id="empty map",
        ),
        pytest.param(
            {"CustomerMetadataProperties": {"owner": "a#b"}},
            "Value '{owner=a#b}' at 'customerMetadataProperties' failed to satisfy constraint: "
            f"{METADATA_VALUE}",
            id="pattern of a map's values",
        ),
        pytest.param(
            {"InferenceSpecification": {"Containers": []}},
            "Value '[]' at 'inferenceSpecification.containers' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
            id="empty list",
        ),
        pytest.param(
            {"InferenceSpecification": {"Containers": [{"Image": "i"}, {"Image": "an image"}]}},
            "Value 'an image' at 'inferenceSpecification.containers.2.member.image' failed to "
            r"satisfy constraint: Member must satisfy regular expression pattern: [\S]+",
            id="member of a list",
        ),
        pytest.param(
            {"ModelCard": {"ModelCardContent": "secret" * 20_000}},
            "Value at 'modelCard.modelCardContent' failed to satisfy constraint: "
            "Member must have length less than or equal to 100000",
            id="sensitive, so not shown",
        ),
        pytest.param(
            {"ModelPackageGroupName": 7},
            "Value '7' at 'modelPackageGroupName' failed to satisfy constraint: "
            "Member must be of type string",
            id="type",
        ),
    ],
)
def test_a_request_off_a_limit_is_refused_in_the_words_of_aws(
    unchecked: SageMakerClient, request_: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClientError) as error:
        unchecked.create_model_package(**request_)
    assert refusal(error) == ("ValidationException", f"1 validation error detected: {problem}")


def test_a_number_out_of_range_is_refused(unchecked: SageMakerClient) -> None:
    with pytest.raises(ClientError, match=r"'maxResults'.*value less than or equal to 100$"):
        unchecked.list_model_packages(MaxResults=101)


def test_an_instance_type_that_does_not_exist_is_refused(unchecked: SageMakerClient) -> None:
    wrong: Any = {
        "Containers": [{"Image": "i"}],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large", "ml.m5.huge"],
    }
    with pytest.raises(ClientError) as error:
        unchecked.create_model_package(InferenceSpecification=wrong)
    assert refusal(error)[1].startswith(
        "1 validation error detected: Value '[ml.m5.large, ml.m5.huge]' at "
        "'inferenceSpecification.supportedRealtimeInferenceInstanceTypes' failed to satisfy "
        "constraint: Member must satisfy constraint: [Member must satisfy enum value set: [ml."
    )


def test_all_problems_are_listed_together(unchecked: SageMakerClient) -> None:
    wrong: Any = {"Stage": "two words", "StageStatus": ""}
    with pytest.raises(ClientError) as error:
        unchecked.create_model_package(ModelLifeCycle=wrong, ClientToken="a token")
    _, text = refusal(error)
    assert text.startswith("4 validation errors detected: ")
    assert [part.split("' at '")[1].split("'")[0] for part in text.split("; ")] == [
        "clientToken",
        "modelLifeCycle.stage",
        "modelLifeCycle.stageStatus",
        "modelLifeCycle.stageStatus",
    ]


def test_what_is_no_operation_and_what_is_no_json_is_refused(local_aws: LocalAws) -> None:
    assert raw(local_aws, "CreateMagic", b"{}") == (400, "UnknownOperationException")
    assert raw(local_aws, "ListModelPackages", b"{") == (400, "SerializationException")


def raw(local_aws: LocalAws, operation: str, body: bytes) -> tuple[int, str]:
    headers = {
        "X-Amz-Target": f"SageMaker.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-west-2/sagemaker/"
        "aws4_request, SignedHeaders=host, Signature=0",
    }
    request = urllib.request.Request(local_aws.url, body, headers)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), AnyStatus())
    with opener.open(request) as response:
        return response.status, json.load(response)["__type"]


class AnyStatus(urllib.request.HTTPErrorProcessor):
    def http_response(self, request: Any, response: Any) -> Any:
        del request
        return response


@pytest.mark.parametrize("service", ["sagemaker", "s3", "sts", "kms", "cloudwatch"])
def test_every_pattern_of_a_service_model_is_understood(service: str) -> None:
    model = botocore.session.get_session().get_service_model(service)
    shapes = [model.shape_for(name) for name in model.shape_names]
    for shape in shapes:
        if shape.type_name == "string":
            list(limits.violations(shape, "text"))
    assert shapes


# The process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_starts_with_its_buckets_and_stops_at_a_signal(
    start_local_aws: StartLocalAws, tmp_path: Path, number: signal.Signals
) -> None:
    ready = tmp_path / "ready"
    buckets = ["--bucket", "one@us-west-2", "--bucket", "two@eu-west-1"]
    with start_local_aws(*buckets, "--ready-file", str(ready)) as started:
        assert ready.read_text() == f"{started.url}\n"
        assert list(tmp_path.iterdir()) == [ready]
        s3 = boto3.Session("testing", "testing").client("s3", endpoint_url=started.url)
        regions = [s3.get_bucket_location(Bucket=name) for name in ("one", "two")]
        started.process.send_signal(number)
        assert started.process.wait() == 0
    found = [region["LocationConstraint"] for region in regions]
    assert found == ["us-west-2", "eu-west-1"]
    assert started.log.read_text() == "GET /one 200\nGET /two 200\n"


def test_the_server_logs_the_operation_and_no_query(start_local_aws: StartLocalAws) -> None:
    with start_local_aws() as started:
        session = boto3.Session("testing", "testing", region_name="us-west-2")
        session.client("sagemaker", endpoint_url=started.url).list_model_packages()
        s3 = session.client("s3", endpoint_url=started.url)
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), AnyStatus())
        with opener.open(url) as response:
            assert response.status == 404
    assert started.log.read_text() == "POST SageMaker.ListModelPackages 200\nGET /b/k 404\n"


def test_a_bucket_needs_a_region(start_local_aws: StartLocalAws) -> None:
    with (
        pytest.raises(AssertionError, match="'models' is not of the form name@region"),
        start_local_aws("--bucket", "models"),
    ):
        pass


# The helper that checks what we send


def test_a_request_off_a_limit_does_not_leave_a_checked_client(
    local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_before = local_aws.log.read_text()
    problem = "DescribeModelPackage: 1 validation error detected: Value 'a_b' at 'modelPackageName'"

    def send_and_carry_on() -> None:
        with checked_requests(monkeypatch):
            client = boto3.client("sagemaker", "us-west-2", endpoint_url=local_aws.url)
            with pytest.raises(AssertionError, match=problem):
                client.describe_model_package(ModelPackageName="a_b")

    with pytest.raises(AssertionError, match=problem):
        send_and_carry_on()
    assert local_aws.log.read_text() == log_before


def test_a_checked_client_hands_over_what_is_within_the_limits(
    aws: LocalAws, s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"data")
    s3.upload_file(str(tmp_path / "file"), bucket, "a/b", ExtraArgs={"Metadata": {"key": "value"}})
    s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "a/b"})
    assert s3.head_object(Bucket=bucket, Key="c")["Metadata"] == {"key": "value"}
    account = boto3.client("sts", endpoint_url=aws.url).get_caller_identity()["Account"]
    assert account == "123456789012"
