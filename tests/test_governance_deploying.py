"""The command that puts a version behind an endpoint, as an operator types it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ab_groups import QUICK, a_group, wish
from governance_versions import REGION, register_version
from mims.errors import EXIT_DONE, EXIT_INPUT, EXIT_SERVICE, EXIT_USAGE
from mims.governance.ab import experiment
from mims.governance.command import main
from mims.governance.endpoints import describe
from mims.governance.registry import Registry
from traffic import settled, tell

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import LocalAws
    from mims.governance.versions import Version

pytestmark = pytest.mark.usefixtures("bucket")

ROLE = "arn:aws:iam::123456789012:role/serve"


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return approved(tmp_path / "1")


def approved(root: Path, **config: Any) -> Version:
    version, registry = register_version(root, None, **config), Registry(REGION)
    registry.update(version, ModelApprovalStatus="Approved")
    return registry.version(version.arn)


@pytest.fixture
def deploy(capsys: pytest.CaptureFixture[str]) -> Any:
    """Give what the command says, on stdout or else on stderr, and check its exit code."""

    def run(version: Version, *more: str, code: int = EXIT_DONE) -> str:
        capsys.readouterr()
        given = ("deploy", "fraud", version.name, "--role", ROLE)
        ended = main([*given, "--poll", "0.05", "--timeout", "60", *more])
        out, err = capsys.readouterr()
        assert ended == code, (out, err)
        return str(out or err)

    return run


def config() -> Any:
    """The configuration of the endpoint, which serves."""
    sagemaker = boto3.client("sagemaker")
    found = describe(sagemaker, "fraud")
    assert found["EndpointStatus"] == "InService"
    return sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])


def behind() -> str:
    """The ARN of the version that the endpoint serves alone."""
    (variant,) = config()["ProductionVariants"]
    model = boto3.client("sagemaker").describe_model(ModelName=variant["ModelName"])
    assert model["ExecutionRoleArn"] == ROLE
    return str(model["PrimaryContainer"]["ModelPackageName"])


def test_created_then_left_alone_then_updated(
    deploy: Any, version: Version, tmp_path: Path
) -> None:
    kind = version.instance_types[0]
    told = deploy(version)
    assert told == f"endpoint fraud: created; it serves {version.name} on {kind}\n"
    first = config()["EndpointConfigName"]
    assert deploy(version).startswith("endpoint fraud: unchanged; it serves")

    other = approved(tmp_path / "2")
    report = json.loads(deploy(other, "--json", "--instances", "3"))

    assert report == {
        "endpoint": "fraud",
        "version": other.name,
        "done": "updated",
        "config": config()["EndpointConfigName"],
        "former": first,
        "dry_run": False,
    }
    assert behind() == other.arn
    assert config()["ProductionVariants"][0]["InitialInstanceCount"] == 3


def test_an_endpoint_that_was_scaled_keeps_its_instances(
    deploy: Any, version: Version, tmp_path: Path
) -> None:
    """Unless told otherwise: a busy endpoint must not lose six of seven by an update."""
    deploy(version)
    sagemaker = boto3.client("sagemaker")
    scaled: Any = {
        "VariantName": config()["ProductionVariants"][0]["VariantName"],
        "DesiredInstanceCount": 7,
    }
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="fraud", DesiredWeightsAndCapacities=[scaled]
    )
    settled(sagemaker, "fraud")

    assert deploy(version).startswith("endpoint fraud: unchanged")
    assert json.loads(deploy(version, "--instances", "2", "--dry-run", "--json"))["done"] == (
        "updated"
    )
    other = approved(tmp_path / "2")
    deploy(other)

    assert behind() == other.arn
    assert config()["ProductionVariants"][0]["InitialInstanceCount"] == 7
    assert deploy(other).startswith("endpoint fraud: unchanged")


def test_another_type_of_instance(deploy: Any, version: Version) -> None:
    assert deploy(version, "--instance-type", "ml.c5.xlarge").endswith(" on ml.c5.xlarge\n")
    assert config()["ProductionVariants"][0]["InstanceType"] == "ml.c5.xlarge"
    deploy(version, "--instances", "0", code=EXIT_USAGE)


def test_what_is_asked_and_answered_is_captured(deploy: Any, version: Version) -> None:
    """The request is held to the limits of SageMaker's service model, by the fixture `aws`."""
    deploy(version)
    assert not config().get("DataCaptureConfig")

    assert "updated" in deploy(version, "--capture", "s3://mims-models/seen")

    assert config()["DataCaptureConfig"] == {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://mims-models/seen",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json", "application/jsonlines"],
        },
    }
    told = deploy(version, "--capture", "seen", code=EXIT_INPUT)
    assert "capture 'seen': must be s3://bucket/prefix" in told


def test_a_dry_run_makes_nothing(deploy: Any, version: Version, asked: list[str]) -> None:
    asked.clear()
    told = deploy(version, "--dry-run")
    assert told.startswith(f"endpoint fraud: would be created; it would serve {version.name}")
    assert all(operation.startswith(("Describe", "List")) for operation in asked), asked
    assert json.loads(deploy(version, "--dry-run", "--json"))["dry_run"] is True
    assert not describe(boto3.client("sagemaker"), "fraud")


def test_a_version_that_is_not_approved(deploy: Any, tmp_path: Path) -> None:
    pending = register_version(tmp_path / "1", None)
    told = deploy(pending, code=EXIT_INPUT)
    assert told == f"error: {pending.name}: is PendingManualApproval; approve it first\n"
    assert not boto3.client("sagemaker").list_models()["Models"]


def test_a_version_that_names_no_instance_type(deploy: Any, bucket: str) -> None:
    """Registered by hand: mims always names one."""
    sagemaker, url = boto3.client("sagemaker"), f"s3://{bucket}/model.tar.gz"
    sagemaker.create_model_package_group(ModelPackageGroupName="own")
    container: Any = {"Image": "123456789012.dkr.ecr.us-west-2.amazonaws.com/own:1"}
    specification: Any = {
        "Containers": [{**container, "ModelDataUrl": url}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arn = sagemaker.create_model_package(
        ModelPackageGroupName="own",
        InferenceSpecification=specification,
        ModelApprovalStatus="Approved",
    )["ModelPackageArn"]
    version = Registry(REGION).version(arn)

    told = deploy(version, code=EXIT_INPUT)

    assert told == "error: own/1 names no instance type: give --instance-type\n"
    assert "on ml.m5.large" in deploy(version, "--instance-type", "ml.m5.large")


def test_an_endpoint_in_an_ab_is_left_alone(deploy: Any, tmp_path: Path) -> None:
    group = a_group(tmp_path)
    place = (Registry(REGION), "fraud", group.challenger.arn, group.gates)
    experiment.start(*place, wish(), reason="", patience=QUICK)
    before = config()["EndpointConfigName"]

    for how in ((), ("--dry-run",)):
        told = deploy(group.champion, *how, code=EXIT_INPUT)
        assert "an A/B runs behind endpoint fraud: stop it first, mims-registry ab stop" in told

    assert config()["EndpointConfigName"] == before
    experiment.stop(Registry(REGION), "fraud", reason="", patience=QUICK)
    assert "updated" in deploy(group.champion, "--instances", "1")


def test_an_endpoint_whose_configuration_was_deleted(
    deploy: Any, version: Version, tmp_path: Path
) -> None:
    deploy(version)
    boto3.client("sagemaker").delete_endpoint_config(
        EndpointConfigName=config()["EndpointConfigName"]
    )
    other = approved(tmp_path / "2")
    assert "updated" in deploy(other)
    assert behind() == other.arn


def test_what_fails_is_taken_back(
    aws: LocalAws, deploy: Any, version: Version, tmp_path: Path
) -> None:
    deploy(version)
    tell(aws, endpoint="fraud", ends=["RolledBack"])
    told = deploy(approved(tmp_path / "2"), code=EXIT_SERVICE)
    assert "has its former configuration" in told
    assert behind() == version.arn
