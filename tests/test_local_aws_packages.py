"""The local AWS, over real HTTP: model package groups and model packages."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from refusals import refusal

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws

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


# Model packages


def test_a_version_is_described_with_all_that_it_was_created_with(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    shape = sagemaker.meta.service_model.operation_model("CreateModelPackage").input_shape
    (container,) = version["InferenceSpecification"]["Containers"]
    request = sample(
        shape,
        dict.fromkeys(("S3Uri", "String", "Url"), container["ModelDataUrl"]) | {"ArnOrName": GROUP},
    )
    for name in ("ModelPackageName", "Tags", "SourceUri"):  # none goes with such a version
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
    "ModelCardContent": "{}",
    "ModelPackageFrameworkVersion": "1.7-1",
    "ResponseMIMEType": "text/csv",
    "RoleArn": "arn:aws:iam::123456789012:role/a-role",
    "S3ModelUri": "s3://a-bucket/a-key",
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


def test_letters_and_digits_of_any_script_are_metadata(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    properties = {"équipe": "模型 ٣/4", "𐐷": "a_b.c:d/e=f+g-h@i"}
    arn = sagemaker.create_model_package(**{**version, "CustomerMetadataProperties": properties})
    described = sagemaker.describe_model_package(ModelPackageName=arn["ModelPackageArn"])
    assert described["CustomerMetadataProperties"] == properties


def test_versions_are_numbered_and_no_number_comes_twice(
    aws: LocalAws, sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    arns = [sagemaker.create_model_package(**version)["ModelPackageArn"] for _ in range(2)]
    with aws.package_status(progression="immediate"):
        sagemaker.delete_model_package(ModelPackageName=arns[1])
        sagemaker.list_model_packages()  # a look, by which it is gone
    arns.append(sagemaker.create_model_package(**version)["ModelPackageArn"])
    assert [arn.rpartition("/")[2] for arn in arns] == ["1", "2", "3"]
    with pytest.raises(ClientError, match=f"ModelPackage {arns[1]} does not exist"):
        sagemaker.describe_model_package(ModelPackageName=arns[1])


def test_versions_are_listed_page_by_page_with_their_status(
    aws: LocalAws, sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    with aws.package_status(progression="time", seconds=3600):
        arns = [sagemaker.create_model_package(**version)["ModelPackageArn"] for _ in range(3)]
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=GROUP, PaginationConfig={"PageSize": 2}
        )
        listed = [summary for page in pages for summary in page["ModelPackageSummaryList"]]
    assert [summary["ModelPackageArn"] for summary in listed] == arns
    assert {summary["ModelApprovalStatus"] for summary in listed} == {"PendingManualApproval"}
    assert {summary["ModelPackageStatus"] for summary in listed} == {"Pending"}


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
    aws: LocalAws, sagemaker: SageMakerClient, group: str, version: dict[str, Any]
) -> None:
    arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
    with pytest.raises(ClientError, match=f"Model Package Group already exists: {group}"):
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    with pytest.raises(sagemaker.exceptions.ConflictException, match="still has Model Packages"):
        sagemaker.delete_model_package_group(ModelPackageGroupName=GROUP)
    with aws.package_status(progression="immediate"):
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


def test_a_version_takes_its_source_when_it_is_there(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    """aws/sagemaker-python-sdk#4492: not in the request that says how it is served."""
    source = "s3://mims-models/trained/model.tar.gz"
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package(**version, SourceUri=source)
    code, text = refusal(error)
    assert code == "ValidationException"
    assert text.startswith("Both SourceUri and InferenceSpecification are provided in the input.")
    arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
    assert arn.endswith("/1")
    sagemaker.update_model_package(ModelPackageArn=arn, SourceUri=source)
    assert sagemaker.describe_model_package(ModelPackageName=arn)["SourceUri"] == source
    alone = sagemaker.create_model_package(ModelPackageGroupName=GROUP, SourceUri=source)
    assert alone["ModelPackageArn"].endswith("/2")


def test_tags_go_to_groups_and_not_to_versions(
    sagemaker: SageMakerClient, group: str, version: dict[str, Any]
) -> None:
    tags: Any = [{"Key": "team", "Value": "penguins"}, {"Key": "stage", "Value": "test"}]
    refused = "Tags are not supported in Model Package versions"
    with pytest.raises(ClientError, match=refused):
        sagemaker.create_model_package(**version, Tags=tags)
    arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
    with pytest.raises(ClientError, match=refused):
        sagemaker.add_tags(ResourceArn=arn, Tags=tags)
    with pytest.raises(ClientError, match=refused):
        sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == []
    sagemaker.add_tags(ResourceArn=group, Tags=tags)
    assert sagemaker.list_tags(ResourceArn=group)["Tags"] == tags


def test_a_tag_has_one_value_until_it_is_deleted(sagemaker: SageMakerClient, group: str) -> None:
    for value in ("first", "second"):
        sagemaker.add_tags(ResourceArn=group, Tags=[{"Key": "team", "Value": value}])
    assert sagemaker.list_tags(ResourceArn=group)["Tags"] == [{"Key": "team", "Value": "second"}]
    sagemaker.delete_tags(ResourceArn=group, TagKeys=["team"])
    assert sagemaker.list_tags(ResourceArn=group)["Tags"] == []
    missing = f"{group}-of-nobody"
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.list_tags(ResourceArn=missing)
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.add_tags(ResourceArn=missing, Tags=[{"Key": "team", "Value": "third"}])


def test_versions_are_described_many_at_once(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
    missing = arn.replace("/1", "/2")
    found = sagemaker.batch_describe_model_package(ModelPackageArnList=[arn, missing])
    (summary,) = found["ModelPackageSummaries"].values()
    assert (summary["ModelPackageArn"], summary["ModelPackageVersion"]) == (arn, 1)
    assert summary["ModelApprovalStatus"] == "PendingManualApproval"
    (error,) = found["BatchDescribeModelPackageErrorMap"].values()
    assert error["ErrorResponse"] == f"ModelPackage {missing} does not exist."


# Model cards


def with_card(version: dict[str, Any], card: dict[str, Any]) -> dict[str, Any]:
    content = {"ModelCardContent": json.dumps(card), "ModelCardStatus": "Draft"}
    return {**version, "ModelCard": content}


def test_a_card_is_shown_whole_or_without_what_needs_its_key(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    card = {
        "model_overview": {"model_creator": "team", "model_artifact": ["s3://b/model.tar.gz"]},
        "intended_uses": {"purpose_of_model": "fraud", "risk_rating": "Low"},
        "evaluation_details": [{"name": "holdout"}],
    }
    arn = sagemaker.create_model_package(**with_card(version, card))["ModelPackageArn"]
    whole = sagemaker.describe_model_package(ModelPackageName=arn)
    open_ = sagemaker.describe_model_package(ModelPackageName=arn, IncludedData="MetadataOnly")
    assert json.loads(whole["ModelCard"]["ModelCardContent"]) == card
    assert json.loads(open_["ModelCard"]["ModelCardContent"]) == {
        "intended_uses": {"risk_rating": "Low"}
    }
    assert open_["ModelCard"]["ModelCardStatus"] == "Draft"
    assert open_["InferenceSpecification"] == whole["InferenceSpecification"]


@pytest.mark.parametrize(
    ("card", "problem"),
    [
        ({"model_package_details": {}}, "model_package_details is not known"),
        ({"model_overview": {"model_name": "m"}}, "model_overview.model_name is not known"),
        ({"intended_uses": {"risk_rating": "low"}}, "risk_rating is low, not one of High, Medium"),
        ({"evaluation_details": [{}]}, "evaluation_details.name is missing"),
    ],
)
def test_a_card_off_its_schema_is_refused(
    sagemaker: SageMakerClient, version: dict[str, Any], card: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ClientError, match=problem):
        sagemaker.create_model_package(**with_card(version, card))
    assert sagemaker.list_model_packages()["ModelPackageSummaryList"] == []


def test_an_archived_card_keeps_its_content(
    sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    arn = sagemaker.create_model_package(**with_card(version, {}))["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelCard={"ModelCardStatus": "Archived"})
    with pytest.raises(ClientError, match="Model Card is in Archived state"):
        sagemaker.update_model_package(ModelPackageArn=arn, ModelCard={"ModelCardContent": "{}"})


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


def test_the_aws_command_line_reads_a_version(
    aws: LocalAws, sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
    command = [sys.executable, "-m", "awscli", "sagemaker", "describe-model-package"]
    command += ["--model-package-name", arn, "--endpoint-url", aws.url, "--output", "json"]
    described = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert described["ModelPackageArn"] == arn
    assert described["CustomerMetadataProperties"] == version["CustomerMetadataProperties"]


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


def test_a_deleted_version_is_deleting_until_it_is_gone(
    aws: LocalAws, sagemaker: SageMakerClient, version: dict[str, Any]
) -> None:
    arn = sagemaker.create_model_package(**version)["ModelPackageArn"]
    with aws.package_status(progression="manual", times=1):
        sagemaker.delete_model_package(ModelPackageName=arn)
        described = sagemaker.describe_model_package(ModelPackageName=arn)
        assert described["ModelPackageStatus"] == "Deleting"
        with pytest.raises(ClientError, match=f"ModelPackage {arn} does not exist"):
            sagemaker.describe_model_package(ModelPackageName=arn)
    assert sagemaker.list_model_packages()["ModelPackageSummaryList"] == []


def in_request(version: dict[str, Any], name: str, url: str) -> dict[str, Any]:
    """A request in which model data or sample payload lie elsewhere."""
    if name == "SamplePayloadUrl":
        return {**version, name: url}
    return {**version, **request_for(url)}


BOTH = pytest.mark.parametrize("name", ["ModelDataUrl", "SamplePayloadUrl"])
WHAT = {"ModelDataUrl": "model data", "SamplePayloadUrl": "sample payload"}


@BOTH
@pytest.mark.parametrize("bucket_name", ["mims-models", "no-such-bucket"])
def test_a_version_without_an_archive_fails_and_says_why(
    aws: LocalAws, sagemaker: SageMakerClient, version: dict[str, Any], name: str, bucket_name: str
) -> None:
    url = f"s3://{bucket_name}/no/archive.tar.gz"
    with aws.package_status(progression="immediate"):
        created = sagemaker.create_model_package(**in_request(version, name, url))
        described = sagemaker.describe_model_package(ModelPackageName=created["ModelPackageArn"])
    assert described["ModelPackageStatus"] == "Failed"
    reason = f"Could not find {WHAT[name]} at {url}."
    assert described["ModelPackageStatusDetails"]["ValidationStatuses"] == [
        {"Name": name, "Status": "Failed", "FailureReason": reason}
    ]


@BOTH
@pytest.mark.parametrize("url", ["s3://mims-models/model.zip", "https://mims-models/model.tar.gz"])
def test_an_archive_is_a_tar_gz_in_s3(
    sagemaker: SageMakerClient, version: dict[str, Any], name: str, url: str
) -> None:
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package(**in_request(version, name, url))
    code, text = refusal(error)
    assert code == "ValidationException"
    assert f"{name} {url} must point to a single gzip compressed tar archive in S3" in text


@BOTH
def test_an_archive_is_in_the_region_of_the_package(
    sagemaker: SageMakerClient, version: dict[str, Any], name: str
) -> None:
    where: Any = {"LocationConstraint": "eu-west-1"}
    s3 = boto3.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket="in-ireland", CreateBucketConfiguration=where)
    s3.put_object(Bucket="in-ireland", Key=MODEL, Body=b"a model")
    with pytest.raises(ClientError) as error:
        sagemaker.create_model_package(**in_request(version, name, f"s3://in-ireland/{MODEL}"))
    code, text = refusal(error)
    assert code == "ValidationException"
    assert f"{WHAT[name]} at s3://in-ireland/model.tar.gz" in text
    assert "located in us-west-2" in text
