"""Versions in SageMaker Model Registry, made over real HTTP, with faults in between."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from faults import denied, lost_answer, throttled, truncated
from mims.errors import InputError, ServiceError
from mims.registration.aws import ATTEMPTS
from mims.registration.backends.package import identity
from mims.registration.backends.sagemaker import SageMaker
from mims.registration.storage import Location
from registration_inputs import GROUP
from submissions import BUCKET, KEY, REGION, store, submission

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from faults import Exchange, Faults
    from mims.registration.backends.base import Registration, Submission

ARN = f"arn:aws:sagemaker:{REGION}:123456789012:model-package/{GROUP.lower()}"


def register(made: Submission) -> Registration:
    return SageMaker(REGION).register(made)


def versions(sagemaker: SageMakerClient) -> int:
    return len(
        sagemaker.list_model_packages(ModelPackageGroupName=GROUP)["ModelPackageSummaryList"]
    )


# What the registry shows


def test_all_that_a_version_shows(proxy: Faults, s3: S3Client, sagemaker: SageMakerClient) -> None:
    metadata = {
        "model_quality": {"regression_metrics": {"mae": {"value": 0.5}}},
        "bias": {"facet": {"age": 0.1}},
        "explainability_uri": "s3://elsewhere/shap.json",
        "drift_check_baselines": {"model_quality": {"constraints": {"mae": {"threshold": 1}}}},
    }
    registry = SageMaker(REGION)
    origin = Location("pipeline", "package/model.tar.gz")
    registration = registry.register(store(submission(metadata, kms_key=KEY, origin=origin)))
    found = sagemaker.describe_model_package(ModelPackageName=registration.arn)
    assert (registration.arn, registration.version, registration.new) == (f"{ARN}/1", 1, True)
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ModelLifeCycle"]["Stage"] == "Development"
    assert found["SourceUri"] == origin.uri
    assert found["SecurityConfig"] == {"KmsKeyId": KEY}
    assert json.loads(found["ModelCard"]["ModelCardContent"])["evaluation_details"]
    uris = re.findall(
        r'"S3Uri": "s3://([^"]+)"',
        json.dumps([found["ModelMetrics"], found["DriftCheckBaselines"]]),
    )
    assert len(uris) == 4
    for uri in uris:
        place, _, key = uri.partition("/")
        if place == BUCKET:
            s3.head_object(Bucket=BUCKET, Key=key)
    assert "elsewhere/shap.json" in uris
    assert proxy.count("CreateModelPackage") == 1


def test_a_group_is_made_with_description_and_tags(
    proxy: Faults, sagemaker: SageMakerClient
) -> None:
    register(store(submission(group_description="Models against fraud", tags={"team": "ml"})))
    found = sagemaker.describe_model_package_group(ModelPackageGroupName=GROUP)
    assert found["ModelPackageGroupDescription"] == "Models against fraud"
    tags = sagemaker.list_tags(ResourceArn=found["ModelPackageGroupArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "ml"}]
    assert proxy.count("AddTags") == 0


@pytest.mark.parametrize("ask", ["check", "register"])
def test_a_request_off_limits_is_never_sent(ask: str, proxy: Faults) -> None:
    made = submission(inference_instance_type="ml.unheard-of.large")
    with pytest.raises(InputError, match=r"^config inference_instance_type: 'ml\.unheard-of\.lar"):
        getattr(SageMaker(REGION), ask)(made)
    assert proxy.requests == []


def test_registering_again_costs_three_requests(proxy: Faults) -> None:
    made = store(submission({"auc": 0.9}))
    first = register(made)
    before = len(proxy.requests)
    again = register(made)
    assert (again.arn, first.new, again.new) == (first.arn, True, False)
    assert [request.operation for request in proxy.requests[before:]] == [
        "DescribeModelPackageGroup",
        "ListModelPackages",
        "DescribeModelPackage",
    ]


def test_a_run_that_was_killed_before_the_source_was_named(
    proxy: Faults, sagemaker: SageMakerClient
) -> None:
    made = store(submission())
    proxy.on("UpdateModelPackage", denied("sagemaker:UpdateModelPackage"))
    with pytest.raises(ServiceError, match=rf"^UpdateModelPackage in {REGION} for {ARN}/1: Acc"):
        register(made)
    proxy.mend()
    assert (register(made).version, register(made).new) == (1, False)
    found = sagemaker.describe_model_package(ModelPackageName=f"{ARN}/1")
    assert found["SourceUri"] == made.model.uri
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert proxy.count("UpdateModelPackage") == 2


# Once, and only once


@pytest.mark.parametrize(
    ("fault", "created", "retries"),
    [
        pytest.param(truncated(), 1, 0, id="the answer is cut short"),
        # botocore asks again, with the same client token.
        pytest.param(lost_answer(), 2, 1, id="the answer is lost"),
        pytest.param(throttled(), 2, 1, id="throttled"),
    ],
)
def test_an_unknown_outcome_is_looked_after(
    fault: Any, created: int, retries: int, proxy: Faults, sagemaker: SageMakerClient
) -> None:
    made = store(submission())
    proxy.on("CreateModelPackage", fault, times=1)
    registry = SageMaker(REGION)
    registration = registry.register(made)
    assert (registration.version, registration.new) == (1, True)
    assert (proxy.count("CreateModelPackage"), registry.retries) == (created, retries)
    assert versions(sagemaker) == 1


def test_answers_that_stay_empty(proxy: Faults, sagemaker: SageMakerClient) -> None:
    """Nothing was made, and nothing tells: two requests, then the next run's turn."""

    def swallow(exchange: Exchange) -> None:
        exchange.drop_body()
        exchange.answer(200, [("Content-Length", "0")], b"")

    made = store(submission())
    proxy.on("CreateModelPackage", swallow)
    with pytest.raises(ServiceError, match="no ARN came back, and no version shows; run again"):
        register(made)
    assert proxy.count("CreateModelPackage") == 2
    assert versions(sagemaker) == 0
    proxy.mend()
    assert register(made).new


@pytest.mark.parametrize(
    "operation", ["DescribeModelPackageGroup", "ListTags", "ListModelPackages"]
)
def test_a_look_that_is_cut_short_makes_no_second_version(
    operation: str, proxy: Faults, sagemaker: SageMakerClient
) -> None:
    made = store(submission(tags={"team": "ml"}))
    register(made)
    proxy.on(operation, truncated())
    with pytest.raises(ServiceError, match=f"{operation} in {REGION}: the answer was cut short"):
        register(made)
    proxy.mend()
    assert versions(sagemaker) == 1


def test_another_run_at_the_same_time(
    proxy: Faults, aws: LocalAws, sagemaker: SageMakerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its request has another job's ARN and the same token: SageMaker takes the first."""
    ours = store(submission(job_arn="arn:aws:sagemaker:us-west-2:123456789012:processing-job/b"))

    def be_late(exchange: Exchange) -> None:
        with monkeypatch.context() as direct:
            direct.setenv("AWS_ENDPOINT_URL", aws.url)
            register(submission())
        exchange.pass_through()

    proxy.on("CreateModelPackage", be_late, times=1)
    registration = register(ours)
    assert (registration.version, registration.new) == (1, False)
    assert versions(sagemaker) == 1


def test_throttling_that_does_not_end(proxy: Faults) -> None:
    proxy.on("CreateModelPackage", throttled())
    with pytest.raises(ServiceError, match=f"CreateModelPackage in {REGION} for {GROUP}: Thr"):
        register(store(submission()))
    assert proxy.count("CreateModelPackage") == ATTEMPTS


# After an upgrade


@pytest.mark.parametrize(
    "properties",
    [
        # as releases made them that had a digest of the whole request
        {"workflow_execution_id": "wf-1", "request_sha256": "0" * 64},
        {"workflow_execution_id": "wf-1"},
    ],
    ids=["with a digest of another kind", "without"],
)
def test_a_version_of_an_earlier_release_is_recognised(
    properties: dict[str, str], bucket: str, sagemaker: SageMakerClient
) -> None:
    assert bucket == BUCKET
    made = store(submission({"auc": 0.9}))
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    earlier = sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelPackageDescription=f"FraudDetection, registration {identity(made)}",
        InferenceSpecification={
            "Containers": [{"Image": "registry/own:1", "ModelDataUrl": made.model.uri}]
        },
        CustomerMetadataProperties=properties,
    )["ModelPackageArn"]
    registration = register(made)
    assert (registration.arn, registration.new) == (earlier, False)
    assert versions(sagemaker) == 1


def test_other_settings_are_named(proxy: Faults, sagemaker: SageMakerClient) -> None:
    register(store(submission()))
    changed = submission(inference_instance_type="ml.c5.large", model_owner="others")
    with pytest.raises(InputError) as raised:
        register(changed)
    assert str(raised.value) == (
        f"this workflow execution has registered this model before, as {ARN}/1, with other "
        "settings (config inference_instance_type, config model_owner): give "
        "MODS_WORKFLOW_EXECUTION_ID a value of its own, or take the config of that time"
    )
    assert versions(sagemaker) == 1
    assert proxy.count("CreateModelPackage") == 1


def test_a_status_that_is_cut_short_is_pending(proxy: Faults) -> None:
    registry = SageMaker(REGION)
    registration = registry.register(store(submission()))
    proxy.on("DescribeModelPackage", truncated(), times=1)
    assert registry.status(registration).state.name == "PENDING"
