"""The local AWS, over real HTTP: what it adds to moto, and the helper that checks our requests."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_aws import limits
from service_model import checked_requests

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws, StartLocalAws

GROUP = "penguins"
MODEL = "model.tar.gz"


@pytest.fixture
def group(sagemaker: SageMakerClient) -> str:
    return sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)["ModelPackageGroupArn"]


@pytest.fixture
def version(group: str, bucket: str, s3: S3Client) -> dict[str, Any]:
    """A request for a version whose model data is there."""
    del group  # the version names it
    s3.put_object(Bucket=bucket, Key=MODEL, Body=b"a model")
    return request_for(f"s3://{bucket}/{MODEL}")


def request_for(model_data_url: str) -> dict[str, Any]:
    return {
        "ModelPackageGroupName": GROUP,
        "InferenceSpecification": {
            "Containers": [{"Image": "registry/image:1", "ModelDataUrl": model_data_url}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        "CustomerMetadataProperties": {"owner": "team", "stage": "test"},
    }


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    refused = error.value.response["Error"]
    return refused["Code"], refused["Message"]


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


def test_letters_and_digits_of_any_script_are_metadata(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    properties = {"équipe": "模型 ٣/4", "𐐷": "a_b.c:d/e=f+g-h@i"}
    arn = sagemaker.create_model_package(**{**version, "CustomerMetadataProperties": properties})
    described = sagemaker.describe_model_package(ModelPackageName=arn["ModelPackageArn"])
    assert described["CustomerMetadataProperties"] == properties


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


# Model packages


def test_a_version_is_described_with_all_that_it_was_created_with(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    shape = sagemaker.meta.service_model.operation_model("CreateModelPackage").input_shape
    (container,) = version["InferenceSpecification"]["Containers"]
    request = sample(shape, {"Url": container["ModelDataUrl"], "ArnOrName": GROUP})
    for name in ("ModelPackageName", "Tags"):  # neither goes with a version
        del request[name]
    arn = sagemaker.create_model_package(**request)["ModelPackageArn"]
    described: dict[str, Any] = {**sagemaker.describe_model_package(ModelPackageName=arn)}
    del request["ClientToken"]
    assert {name: described.get(name) for name in request} == request
    assert described["ModelPackageVersion"] == 1
    assert described["ModelPackageArn"] == arn


PATTERNED = {
    "ClientToken": "a-token",
    "ContentDigest": f"sha256:{'0' * 64}",
    "HubContentVersion": "1.0.0",
    "ImageDigest": f"sha256:{'0' * 64}",
    "ModelPackageFrameworkVersion": "1.7-1",
    "ResponseMIMEType": "text/csv",
    "RoleArn": "arn:aws:iam::123456789012:role/a-role",
    "S3ModelUri": "s3://a-bucket/a-key",
    "S3Uri": "s3://a-bucket/a-key",
}


def sample(shape: Shape | None, texts: dict[str, str]) -> Any:
    """Return a value with every member that the shape may have."""
    assert shape
    if isinstance(shape, StructureShape):
        return {name: sample(member, texts) for name, member in shape.members.items()}
    if isinstance(shape, ListShape):
        return [sample(shape.member, texts)]
    if isinstance(shape, MapShape):
        return {sample(shape.key, texts): sample(shape.value, texts)}
    if shape.type_name == "string":
        return shape.metadata.get("enum", [{**PATTERNED, **texts}.get(shape.name, "a")])[0]
    return {"boolean": True, "integer": 1}[shape.type_name]


def test_versions_are_numbered_and_no_number_comes_twice(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    arns = [sagemaker.create_model_package(**version)["ModelPackageArn"] for _ in range(2)]
    sagemaker.delete_model_package(ModelPackageName=arns[1])
    arns.append(sagemaker.create_model_package(**version)["ModelPackageArn"])
    assert [arn.rpartition("/")[2] for arn in arns] == ["1", "2", "3"]
    with pytest.raises(ClientError, match=f"ModelPackage {arns[1]} does not exist"):
        sagemaker.describe_model_package(ModelPackageName=arns[1])


def test_versions_are_listed_page_by_page_with_their_status(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    arns = [sagemaker.create_model_package(**version)["ModelPackageArn"] for _ in range(3)]
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=GROUP, PaginationConfig={"PageSize": 2}
    )
    listed = [summary for page in pages for summary in page["ModelPackageSummaryList"]]
    assert [summary["ModelPackageArn"] for summary in listed] == arns
    assert {summary["ModelApprovalStatus"] for summary in listed} == {"PendingManualApproval"}
    assert {summary["ModelPackageStatus"] for summary in listed} <= {"Pending", "InProgress"}


def test_one_token_makes_one_version(sagemaker: SageMakerClient, version: dict[str, Any]) -> None:
    first = sagemaker.create_model_package(**version, ClientToken="token-1")
    again = sagemaker.create_model_package(**version, ClientToken="token-1")
    other = sagemaker.create_model_package(**version, ClientToken="token-2")
    assert first["ModelPackageArn"] == again["ModelPackageArn"] != other["ModelPackageArn"]


def test_a_token_is_for_one_request_even_when_the_version_has_changed(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    first = sagemaker.create_model_package(**version, ClientToken="token")["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=first, ModelApprovalStatus="Approved")
    again = sagemaker.create_model_package(**version, ClientToken="token")["ModelPackageArn"]
    assert again == first
    with pytest.raises(sagemaker.exceptions.ConflictException, match=f"ClientToken.*{first}"):
        sagemaker.create_model_package(
            **version, ClientToken="token", ModelPackageDescription="another"
        )


def test_requests_at_once_get_one_version_a_token_and_a_number_each(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    def create(token: str) -> str:
        return sagemaker.create_model_package(**version, ClientToken=token)["ModelPackageArn"]

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(create, ["token"] * 8))) == 1
        assert len(set(threads.map(create, [f"token-{number}" for number in range(8)]))) == 8


def test_an_update_keeps_what_it_does_not_name(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    card: Any = {"ModelCardContent": "{}", "ModelCardStatus": "Draft"}
    arn = sagemaker.create_model_package(**version, ModelCard=card)["ModelPackageArn"]
    before = sagemaker.describe_model_package(ModelPackageName=arn)
    sagemaker.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="reviewed",
        CustomerMetadataProperties={"stage": "production", "reviewer": "board"},
        CustomerMetadataPropertiesToRemove=["owner"],
        ModelCard={"ModelCardStatus": "Approved"},
        AdditionalInferenceSpecificationsToAdd=[{"Name": "more", "Containers": [{"Image": "i"}]}],
    )
    after: dict[str, Any] = {**sagemaker.describe_model_package(ModelPackageName=arn)}
    assert after["ModelApprovalStatus"] == "Approved"
    assert after["ApprovalDescription"] == "reviewed"
    assert after["CustomerMetadataProperties"] == {"stage": "production", "reviewer": "board"}
    assert after["ModelCard"] == {"ModelCardContent": "{}", "ModelCardStatus": "Approved"}
    assert [added["Name"] for added in after["AdditionalInferenceSpecifications"]] == ["more"]
    assert after["LastModifiedTime"] >= before["CreationTime"]
    for name in ("InferenceSpecification", "CreationTime", "ModelPackageGroupName"):
        assert after[name] == before[name], name


def test_groups_and_versions_go_by_name_or_arn(
    sagemaker: SageMakerClient, group: str, version: dict[str, Any]
) -> None:
    created = sagemaker.create_model_package(**{**version, "ModelPackageGroupName": group})
    by_name = sagemaker.describe_model_package(ModelPackageName=f"{GROUP}/1")
    assert by_name["ModelPackageArn"] == created["ModelPackageArn"]
    assert by_name["ModelPackageGroupName"] == GROUP
    described = sagemaker.describe_model_package_group(ModelPackageGroupName=group)
    assert described["ModelPackageGroupName"] == GROUP
    listed = sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert [summary["ModelPackageVersion"] for summary in listed] == [1]
    elsewhere = group.replace("us-west-2", "eu-west-1")
    with pytest.raises(ClientError, match="ARN should be scoped to correct region: us-west-2"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=elsewhere)


def test_a_group_is_made_once_and_goes_when_it_is_empty(
    sagemaker: SageMakerClient, group: str, version: dict[str, Any]
) -> None:
    arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
    with pytest.raises(ClientError, match=f"Model Package Group already exists: {group}"):
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    with pytest.raises(sagemaker.exceptions.ConflictException, match="still has Model Packages"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=GROUP)
    sagemaker.delete_model_package(ModelPackageName=arn)
    sagemaker.delete_model_package_group(ModelPackageGroupName=GROUP)
    with pytest.raises(ClientError, match=f"ModelPackageGroup {group} does not exist"):
        sagemaker.describe_model_package_group(ModelPackageGroupName=GROUP)


def test_a_version_needs_its_group(sagemaker: SageMakerClient, bucket: str) -> None:
    with pytest.raises(ClientError, match="model-package-group/penguins does not exist"):
        sagemaker.create_model_package(**request_for(f"s3://{bucket}/{MODEL}"))
    with pytest.raises(ClientError, match="Missing ARN"):
        sagemaker.create_model_package()
    with pytest.raises(ClientError, match="Both ModelPackageName and ModelPackageGroupName"):
        sagemaker.create_model_package(ModelPackageName="a", ModelPackageGroupName="b")


def test_tags_go_to_groups_and_not_to_versions(
    sagemaker: SageMakerClient, group: str, version: dict[str, Any]
) -> None:
    tags: Any = [{"Key": "team", "Value": "penguins"}]
    refused = "Tags are not supported in Model Package versions"
    with pytest.raises(ClientError, match=refused):
        sagemaker.create_model_package(**version, Tags=tags)
    arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
    with pytest.raises(ClientError, match=refused):
        sagemaker.add_tags(ResourceArn=arn, Tags=tags)
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []
    sagemaker.add_tags(ResourceArn=group, Tags=tags)
    assert sagemaker.list_tags(ResourceArn=group)["Tags"] == tags


def test_a_package_without_a_group_has_a_name(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    del version["ModelPackageGroupName"]
    arn = sagemaker.create_model_package(**version, ModelPackageName="Solo")["ModelPackageArn"]
    described = sagemaker.describe_model_package(ModelPackageName="Solo")
    assert (described["ModelPackageArn"], described["ModelPackageName"]) == (arn, "Solo")
    with pytest.raises(ClientError, match=f"ModelPackage {arn} already exists"):
        sagemaker.create_model_package(**version, ModelPackageName="Solo")


def test_regions_are_apart(sagemaker: SageMakerClient, version: dict[str, Any]) -> None:
    sagemaker.create_model_package(**version)
    elsewhere = boto3.client("sagemaker", region_name="eu-west-1")
    assert elsewhere.list_model_package_groups()["ModelPackageGroupSummaryList"] == []


# Model data and status


def test_a_version_is_pending_then_in_progress_then_completed(
    aws: LocalAws, sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    with aws.package_status(progression="manual", times=1):
        arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
        described = [sagemaker.describe_model_package(ModelPackageName=arn) for _ in range(4)]
    statuses = [one["ModelPackageStatus"] for one in described]
    assert statuses == ["Pending", "InProgress", "Completed", "Completed"]
    assert described[-1]["ModelPackageStatusDetails"] == {"ValidationStatuses": []}


def test_a_status_takes_its_time(
    aws: LocalAws, sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    with aws.package_status(progression="time", seconds=3600):
        arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
        for _ in range(3):
            described = sagemaker.describe_model_package(ModelPackageName=arn)
            assert described["ModelPackageStatus"] == "Pending"


@pytest.mark.parametrize("bucket_name", ["mims-models", "no-such-bucket"])
def test_a_version_without_its_model_data_fails_and_says_why(
    aws: LocalAws, sagemaker: SageMakerClient, group: str, bucket: str, bucket_name: str
) -> None:
    del group, bucket  # they are there; the model data is not
    url = f"s3://{bucket_name}/no/model.tar.gz"
    with aws.package_status(progression="immediate"):
        arn = sagemaker.create_model_package(**request_for(url))["ModelPackageArn"]
        described = sagemaker.describe_model_package(ModelPackageName=arn)
    assert described["ModelPackageStatus"] == "Failed"
    assert described["ModelPackageStatusDetails"]["ValidationStatuses"] == [
        {
            "Name": "ModelDataUrl",
            "Status": "Failed",
            "FailureReason": f"Could not find model data at {url}.",
        }
    ]


@pytest.mark.parametrize("url", ["s3://mims-models/model.zip", "https://mims-models/model.tar.gz"])
def test_model_data_is_a_tar_gz_in_s3(
    sagemaker: SageMakerClient, version: dict[str, Any], url: str
) -> None:
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package(**{**version, **request_for(url)})
    code, text = refusal(error)
    assert code == "ValidationException"
    assert f"{url} must point to a single gzip compressed tar archive in S3" in text


def test_model_data_is_in_the_region_of_the_package(sagemaker: SageMakerClient, group: str) -> None:
    del group  # the version names it
    where: Any = {"LocationConstraint": "eu-west-1"}
    s3 = boto3.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket="in-ireland", CreateBucketConfiguration=where)
    s3.put_object(Bucket="in-ireland", Key=MODEL, Body=b"a model")
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package(**request_for("s3://in-ireland/model.tar.gz"))
    code, text = refusal(error)
    assert code == "ValidationException"
    assert "s3://in-ireland/model.tar.gz" in text
    assert "located in us-west-2" in text


# S3's digests


def encoded(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    ("member", "right"),
    [
        ("ContentMD5", encoded(hashlib.md5(b"data", usedforsecurity=False).digest())),
        ("ChecksumCRC32", "rfPzYw=="),
        ("ChecksumSHA1", encoded(hashlib.sha1(b"data", usedforsecurity=False).digest())),
        ("ChecksumSHA256", encoded(hashlib.sha256(b"data").digest())),
    ],
)
def test_an_upload_that_does_not_fit_its_digest_is_refused(
    s3: S3Client, bucket: str, member: str, right: str
) -> None:
    put: Any = s3.put_object
    with pytest.raises(ClientError) as error:
        put(Bucket=bucket, Key="object", Body=b"dada", **{member: right})
    assert refusal(error)[0] == "BadDigest"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    put(Bucket=bucket, Key="object", Body=b"data", **{member: right})
    assert s3.get_object(Bucket=bucket, Key="object")["Body"].read() == b"data"


def test_a_part_that_does_not_fit_its_digest_is_refused(s3: S3Client, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="object", ChecksumAlgorithm="SHA256")
    with pytest.raises(ClientError, match="BadDigest"):
        s3.upload_part(
            Bucket=bucket,
            Key="object",
            PartNumber=1,
            UploadId=upload["UploadId"],
            Body=b"dada",
            ChecksumSHA256=encoded(hashlib.sha256(b"data").digest()),
        )


def test_what_boto3_uploads_comes_back(s3: S3Client, bucket: str, tmp_path: Path) -> None:
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.write_bytes(bytes(range(256)) * 40_000)  # 10 MB, so in parts
    s3.upload_file(str(sent), bucket, "object")
    s3.download_file(bucket, "object", str(got))
    assert got.read_bytes() == sent.read_bytes()


# The process


def test_the_aws_command_line_reads_a_version(
    aws: LocalAws, sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
    command = [sys.executable, "-m", "awscli", "sagemaker", "describe-model-package"]
    command += ["--model-package-name", arn, "--endpoint-url", aws.url, "--output", "json"]
    described = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert described["ModelPackageArn"] == arn
    assert described["CustomerMetadataProperties"] == version["CustomerMetadataProperties"]


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
