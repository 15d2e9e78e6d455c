"""The request that makes a version: what stands in it, what is refused, what makes it another."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

import botocore.session
import pytest

from local_aws import limits as aws_limits
from mims import __version__
from mims.errors import InputError
from mims.registration import config as registration_config
from mims.registration.artifacts import Artifact
from mims.registration.backends import package
from mims.registration.backends.evidence import sections
from mims.registration.backends.limits import violations
from mims.registration.backends.package import (
    changes,
    client_token,
    identity,
    model_package,
    problems,
    settings_digest,
    source_uri,
)
from mims.registration.storage import Location
from registration_inputs import GROUP
from submissions import BUCKET, JOB, KEY, PLACE, submission

if TYPE_CHECKING:
    from mims.registration.backends.base import Submission

MODEL = botocore.session.get_session().get_service_model("sagemaker")
SHAPE = MODEL.operation_model("CreateModelPackage").input_shape
TRANSFORM_TYPES = MODEL.shape_for("TransformInstanceType").metadata["enum"]
QUALITY = {"regression_metrics": {"mae": {"value": 0.5, "standard_deviation": "NaN"}}}


def request(made: Submission) -> dict[str, Any]:
    return model_package(made, TRANSFORM_TYPES)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# What stands in it


def test_the_whole_request() -> None:
    made = submission(
        QUALITY,
        model_version="1.2",
        environment={"THRESHOLD": "0.5"},
        kms_key=KEY,
    )
    found = request(made)
    assert made.metadata
    model, payload, schema = sha256(b"model"), sha256(b"payload"), sha256(b"{}")
    metadata = made.metadata.artifact.sha256
    card = found.pop("ModelCard")
    assert card["ModelCardStatus"] == "Draft"
    assert found == {
        "ModelPackageGroupName": GROUP,
        "ModelPackageDescription": (
            f"FraudDetection 1.2, workflow execution wf-1, registration {identity(made)}"
        ),
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:3.0-5",
                    "ModelDataUrl": f"{PLACE}/{model}/model.tar.gz",
                    "Framework": "XGBOOST",
                    "FrameworkVersion": "3.0-5",
                    "Environment": {
                        "SAGEMAKER_PROGRAM": "inference.py",
                        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                        "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
                        "SAGEMAKER_REGION": "us-west-2",
                        "THRESHOLD": "0.5",
                    },
                }
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
            "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
            "SupportedTransformInstanceTypes": ["ml.m5.large"],
        },
        "Domain": "MACHINE_LEARNING",
        "Task": "OTHER",
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelLifeCycle": {"Stage": "Development", "StageStatus": "PendingApproval"},
        "ModelMetrics": {
            "ModelQuality": {
                "Statistics": {
                    "S3Uri": f"{PLACE}/{metadata}/metadata.json",
                    "ContentType": "application/json",
                    "ContentDigest": f"sha256:{metadata}",
                }
            }
        },
        "SamplePayloadUrl": f"{PLACE}/{payload}/payload.tar.gz",
        "SecurityConfig": {"KmsKeyId": KEY},
        "CustomerMetadataProperties": {
            "workflow_execution_id": "wf-1",
            "processing_job_arn": JOB,
            "model_owner": "team id",
            "model_version": "1.2",
            "model_registration_domain": "BuyerSellerMessaging",
            "model_registration_objective": "FraudDetection",
            "model_sha256": model,
            "payload_sha256": payload,
            "variable_schema_uri": f"{PLACE}/{schema}/variable_schema.json",
            "variable_schema_sha256": schema,
            "performance_metadata_uri": f"{PLACE}/{metadata}/metadata.json",
            "performance_metadata_sha256": metadata,
            "initial_instance_count": "1",
            "registered_by": f"mims {__version__}",
            "settings_sha256": settings_digest(made),
        },
    }


def test_what_is_not_known_is_left_out() -> None:
    made = dataclasses.replace(submission(job_arn=None, image_uri="registry/own:1"), payload=None)
    found = request(made)
    assert not found.keys() & {"SourceUri", "ModelMetrics", "DriftCheckBaselines", "SecurityConfig"}
    assert "SamplePayloadUrl" not in found
    assert "FrameworkVersion" not in found["InferenceSpecification"]["Containers"][0]
    properties = found["CustomerMetadataProperties"]
    assert not properties.keys() & {"model_version", "payload_sha256", "processing_job_arn"}
    assert not any(name.startswith("performance_metadata") for name in properties)


def test_an_instance_type_without_transform_jobs() -> None:
    specification = request(submission(inference_instance_type="ml.t2.medium"))[
        "InferenceSpecification"
    ]
    assert specification["SupportedRealtimeInferenceInstanceTypes"] == ["ml.t2.medium"]
    # SageMaker offers no transform jobs on it, and would refuse the request.
    assert "SupportedTransformInstanceTypes" not in specification


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (Location("pipeline", "package/model.tar.gz"), "s3://pipeline/package/model.tar.gz"),
        (None, f"{PLACE}/{sha256(b'model')}/model.tar.gz"),
        # S3 takes such a key, and SageMaker no such source.
        (Location("pipeline", "day=1/model.tar.gz"), f"{PLACE}/{sha256(b'model')}/model.tar.gz"),
    ],
)
def test_the_source(origin: Location | None, source: str) -> None:
    made = submission(origin=origin)
    assert source_uri(made, MODEL.shape_for("ModelPackageSourceUri")) == source
    # Which SageMaker refuses beside an inference specification.
    assert "SourceUri" not in request(made)


# Metrics and baselines


def at(uri: str, **more: str) -> dict[str, str]:
    return {"S3Uri": uri, "ContentType": "application/json", **more}


def own(name: str, report: dict[str, Any]) -> dict[str, str]:
    """Where an inline report lies."""
    content = json.dumps(report, ensure_ascii=False).encode() + b"\n"
    digest = sha256(content)
    return at(f"{PLACE}/{digest}/{name}.json", ContentDigest=f"sha256:{digest}")


@pytest.mark.parametrize(
    ("metadata", "metrics", "baselines"),
    [
        # mlops_model_registry.md
        (
            {
                "statistics_uri": "s3://b/quality.json",
                "bias_uri": "s3://b/bias.json",
                "explainability_uri": "s3://b/shap.json",
            },
            {
                "ModelQuality": {"Statistics": at("s3://b/quality.json")},
                "Bias": {"Report": at("s3://b/bias.json")},
                "Explainability": {"Report": at("s3://b/shap.json")},
            },
            {},
        ),
        # reports themselves
        (
            {"model_quality": QUALITY, "bias": {"facet": {"age": 0.1}}},
            {
                "ModelQuality": {"Statistics": own("model_quality_statistics", QUALITY)},
                "Bias": {"Report": own("bias_report", {"facet": {"age": 0.1}})},
            },
            {},
        ),
        # every member, both spellings
        (
            {
                "ModelQuality": {"Statistics": "s3://b/1", "Constraints": "s3://b/2"},
                "model_data_quality": {"statistics": "s3://b/3", "constraints": "s3://b/4"},
                "bias": {
                    "report": "s3://b/5",
                    "pre_training_report": "s3://b/6",
                    "PostTrainingReport": "s3://b/7",
                },
                "explainability": {"report": "s3://b/8"},
                "drift_check_baselines": {
                    "model_quality": {"statistics": "s3://b/9", "constraints": "s3://b/10"},
                    "ModelDataQuality": {"Statistics": "s3://b/11", "Constraints": "s3://b/12"},
                    "bias": {
                        "config_file": "s3://b/13",
                        "pre_training_constraints": "s3://b/14",
                        "post_training_constraints": "s3://b/15",
                    },
                    "explainability": {"constraints": "s3://b/16", "config_file": "s3://b/17"},
                },
            },
            {
                "ModelQuality": {"Statistics": at("s3://b/1"), "Constraints": at("s3://b/2")},
                "ModelDataQuality": {"Statistics": at("s3://b/3"), "Constraints": at("s3://b/4")},
                "Bias": {
                    "Report": at("s3://b/5"),
                    "PreTrainingReport": at("s3://b/6"),
                    "PostTrainingReport": at("s3://b/7"),
                },
                "Explainability": {"Report": at("s3://b/8")},
            },
            {
                "ModelQuality": {"Statistics": at("s3://b/9"), "Constraints": at("s3://b/10")},
                "ModelDataQuality": {
                    "Statistics": at("s3://b/11"),
                    "Constraints": at("s3://b/12"),
                },
                "Bias": {
                    "ConfigFile": at("s3://b/13"),
                    "PreTrainingConstraints": at("s3://b/14"),
                    "PostTrainingConstraints": at("s3://b/15"),
                },
                "Explainability": {"Constraints": at("s3://b/16"), "ConfigFile": at("s3://b/17")},
            },
        ),
        # as AWS writes a source, and one baseline for all
        (
            {
                "bias": {"S3Uri": "s3://b/bias.csv", "ContentType": "text/csv"},
                "drift_check_baselines": "s3://b/baseline.json",
            },
            {"Bias": {"Report": {"S3Uri": "s3://b/bias.csv", "ContentType": "text/csv"}}},
            {"ModelQuality": {"Statistics": at("s3://b/baseline.json")}},
        ),
    ],
    ids=["the registry document's form", "inline reports", "all members", "AWS's source"],
)
def test_sections_of_the_metadata(
    metadata: dict[str, Any], metrics: dict[str, Any], baselines: dict[str, Any]
) -> None:
    found = request(submission(metadata))
    assert found.get("ModelMetrics", {}) == metrics
    assert found.get("DriftCheckBaselines", {}) == baselines


def test_what_is_in_no_section_is_the_models_quality() -> None:
    """The file as it is; a number under a section's name is a metric."""
    for metadata in ({"accuracy": 0.9, "bias": 0.1}, {**QUALITY, "bias_uri": "s3://b/bias.json"}):
        made = submission(metadata)
        statistics = request(made)["ModelMetrics"]["ModelQuality"]["Statistics"]
        assert made.metadata
        assert statistics["S3Uri"] == made.metadata.uri


def test_every_section_that_is_wrong_is_named() -> None:
    metadata = {
        "statistics_uri": "s3:/half/a/path",
        "bias": {"report": "bias.json", "pre_training_report": 3},
        "explainability": {},
        "model_data_quality": {"statistic": "s3://b/k", "constraint": "s3://b/k"},
        "drift_check_baselines": {"bias": {"config_file": []}},
        "model_quality": "s3://b/a",
        "ModelQuality": "s3://b/b",
    }
    with pytest.raises(InputError) as raised:
        sections(metadata)
    told = "\n".join(raised.value.problems)
    assert len(raised.value.problems) == 7
    for path in (
        *("statistics_uri: must be an S3 path", "bias.report: must", "bias.pre_training_report: "),
        *("explainability: must", "drift_check_baselines.bias.config_file: must"),
        "model_data_quality: must be an S3 path",
        "ModelQuality: ModelMetrics.ModelQuality.Statistics is given twice",
    ):
        assert f"performance metadata {path}" in told
    assert "by AWS's names for its members: PostTrainingConstraints, PreTrainingCons" in told


# Limits


def test_all_that_sagemaker_would_refuse_is_named_by_what_the_user_wrote() -> None:
    made = submission(
        {"bias_uri": "s3://b/" + "x" * 900},
        inference_instance_type="ml.unheard-of.large",
    )
    wrong = request(made)
    environment = wrong["InferenceSpecification"]["Containers"][0]["Environment"]
    environment["PASSWORD"] = "canary" * 200
    wrong["SecurityConfig"] = {"KmsKeyId": "a key"}
    wrong["Domain"] = "x"
    wrong["CustomerMetadataProperties"]["model_owner"] = "team #1"
    wrong["ModelMetrics"]["Bias"]["Report"]["S3Uri"] += "x" * 200
    del wrong["ModelMetrics"]["Bias"]["Report"]["ContentType"]
    wrong["ModelPackageDescription"] = "x" * 1025
    found = problems(wrong, SHAPE)
    container, specification = "InferenceSpecification.Containers[0]", "InferenceSpecification"
    for problem, (start, must, path) in zip(
        found,
        [
            (
                "config model_registration_objective: 'xxx",
                "must be at most 1024 characters, not 1025",
                "ModelPackageDescription",
            ),
            (
                "config environment: must",
                "must be at most 1024 characters, not 1200",
                f"{container}.Environment.PASSWORD",
            ),
            (
                "config inference_instance_type: 'ml.unheard-of.large' must",
                "must be known to SageMaker, as of the boto3 that is installed",
                f"{specification}.SupportedRealtimeInferenceInstanceTypes[0]",
            ),
            ("input metadata: must", "must be given", "ModelMetrics.Bias.Report.ContentType"),
            (
                "input metadata: 's3://b/xxx",
                "must be at most 1024 characters, not 1107",
                "ModelMetrics.Bias.Report.S3Uri",
            ),
            (
                "config model_owner: 'team #1' must",
                r"must be of the form ([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,256}",
                "CustomerMetadataProperties.model_owner",
            ),
            (
                "config kms_key: 'a key' must",
                "must be of the form [a-zA-Z0-9:/_-]*",
                "SecurityConfig.KmsKeyId",
            ),
        ],
        strict=True,
    ):
        assert problem.startswith(start)
        assert problem.endswith(f"{must} ({path} of CreateModelPackage)")
    assert "canary" not in "".join(found)


def test_what_is_within_limits() -> None:
    metadata = {**QUALITY, "bias_uri": "s3://b/Übersicht.json"}
    plain = submission()
    for made in (plain, submission(metadata, model_owner="Größe 漢字 @ team/1", kms_key=KEY)):
        assert problems(request(made), SHAPE) == []
        # The local AWS's own checker is of the same opinion.
        assert SHAPE
        assert list(aws_limits.violations(SHAPE, request(made))) == []


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("ModelPackageGroupName", "ends-with-"),
        ("ModelPackageGroupName", "arn:aws:sagemaker:us-west-2:123456789012:model-package-group/g"),
        ("ModelPackageDescription", "a tab\t"),
        ("ModelPackageDescription", "€ ± „text“ 漢字 e\u0301"),
        ("ModelApprovalStatus", "Perhaps"),
        ("CustomerMetadataProperties", {}),
        ("CustomerMetadataProperties", {str(n): "1" for n in range(51)}),
        ("CustomerMetadataProperties", {"#": "1"}),
        ("ModelLifeCycle", {"Stage": "In Review", "StageStatus": "-"}),
        ("ModelLifeCycle", {"Stage": "Development"}),
        ("ModelCard", {"ModelCardContent": "{\n}"}),
        ("ModelCard", {"ModelCardContent": "x" * 100_001}),
        ("SourceUri", "s3://b/k?x=1|2"),
        ("SourceUri", "s3://b/k?x-1"),
        ("InferenceSpecification", {"Containers": []}),
    ],
)
def test_both_checkers_agree(change: str, value: Any) -> None:
    assert SHAPE
    made = {**request(submission()), change: value}
    ours, theirs = list(violations(SHAPE, made)), list(aws_limits.violations(SHAPE, made))
    assert bool(ours) == bool(theirs)


# One registration, or another


def test_an_identity_stays_what_it_is() -> None:
    """A later release finds what this one has registered: these values never change."""
    made = submission()
    assert identity(made) == "682c6096-e04c-5f4b-af3b-c885cbd1eeca"
    assert client_token(made, 0) == identity(made)
    assert client_token(made, 1) == "2c531e45-1509-546a-b71c-8f193910b7ca"


@pytest.mark.parametrize(
    "config",
    [
        {"inference_instance_type": "ml.m5.large"},  # the default, spelled out
        {"model_name": GROUP},  # likewise
        {"tags": {"team": "ml"}},  # of the group
        {"group_description": "Models against fraud"},
        {"regions": ["us-west-2", "eu-west-1"]},  # one more
        {
            "regions": ["us-west-2", "eu-west-1"],
            "bucket": {"us-west-2": BUCKET, "eu-west-1": "another"},
        },
        {"bucket_owner": "123456789012"},
        {"backends": ["sagemaker", "mims"]},
    ],
    ids=str,
)
def test_the_same_settings(config: dict[str, Any]) -> None:
    assert settings_digest(submission(**config)) == settings_digest(submission())


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"inference_instance_type": "ml.c5.large"}, ["config inference_instance_type"]),
        ({"image_uri": "registry/own:1"}, ["config image_uri"]),
        ({"model_owner": "others"}, ["config model_owner"]),
        ({"environment": {"A": "1"}}, ["config environment"]),
        ({"framework_version": "1.7-1"}, ["config image_uri", "config framework_version"]),
        ({"sagemaker_task": "CLASSIFICATION"}, ["config sagemaker_task"]),
        ({"initial_instance_count": 2}, ["config initial_instance_count"]),
        ({"bucket": "another"}, []),
        ({"kms_key": KEY}, []),
    ],
    ids=str,
)
def test_other_settings(config: dict[str, Any], named: list[str]) -> None:
    before, after = submission(), submission(**config)
    assert settings_digest(after) != settings_digest(before)
    if "environment" not in config:  # a variable that was not there shows nowhere
        assert changes(request(before), request(after)) == named


def test_the_order_of_variables_is_a_setting() -> None:
    one, other = (
        submission(source_model_inference_input_variable_list=[[a, "TEXT"], [b, "TEXT"]])
        for a, b in ("ab", "ba")
    )
    assert settings_digest(one) != settings_digest(other)


def test_performance_metadata_is_a_setting() -> None:
    digests = {settings_digest(submission(m)) for m in (None, {"auc": 0.9}, {"auc": 0.8})}
    assert len(digests) == 3


def test_a_newer_release_gives_the_same_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that says more in its requests, and takes a newer image where the user named none."""
    before = submission({"auc": 0.9})
    monkeypatch.setattr(package, "__version__", "99.0")
    monkeypatch.setattr(package, "_LIFE_CYCLE", {"Stage": "Proposal", "StageStatus": "OnHold"})
    monkeypatch.setattr(registration_config, "full_version", lambda *_: "1.7-1")
    after = submission({"auc": 0.9})
    assert request(after) != request(before)
    assert settings_digest(after) == settings_digest(before)


def test_an_inline_report_is_an_artifact_of_its_own() -> None:
    (section,) = sections({"bias": {"facet": "größer"}})
    assert isinstance(section.report, Artifact)
    assert section.report.name == "bias_report.json"
    assert section.report.source == b'{"facet": "gr\xc3\xb6\xc3\x9fer"}\n'
