"""The README's pipeline runs as it stands there; for SDK 2 with that version's imports."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from chain import TOP
from mims.pipeline.sdk import as_sdk_step, installed
from mims.pipeline.steps import Step

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws

ROLE = "arn:aws:iam::123456789012:role/mims"
_OF_2 = {"sagemaker.core.": "sagemaker.", "sagemaker.mlops.": "sagemaker."}


def example() -> str:
    text = (TOP / "README.md").read_text(encoding="utf-8")
    (code,) = (c for c in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Builder" in c)
    for new, old in _OF_2.items() if installed() == "2" else ():
        code = code.replace(new, old)
    return str(code)


def trained() -> Any:
    """A training step of the author's."""
    request = {
        "AlgorithmSpecification": {"TrainingImage": "train:1", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://my-models/trained/"},
        "ResourceConfig": {
            "InstanceCount": 1,
            "InstanceType": "ml.m5.xlarge",
            "VolumeSizeInGB": 30,
        },
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return as_sdk_step(Step("Train", "Training", request))


def test_it_is_short() -> None:
    assert len(example().splitlines()) < 40


def test_it_makes_a_pipeline(
    s3: S3Client,
    sagemaker: SageMakerClient,
    local_aws: LocalAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", local_aws.url)
    monkeypatch.setenv("SAGEMAKER_VALIDATE_ROLE", "false")  # which SDK 3 asks IAM, not here, for
    monkeypatch.chdir(tmp_path)
    fields = {"tab_field_list": ["amount"], "cat_field_list": ["country"]}
    (tmp_path / "hyperparameters.json").write_text(json.dumps(fields))
    s3.create_bucket(
        Bucket="my-models", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    exec(  # noqa: S102 - what is tested
        compile(example(), "README.md", "exec"),
        {"image": "mims:1", "role": ROLE, "train": trained()},
    )
    described = sagemaker.describe_pipeline(PipelineName="fraud")
    definition = json.loads(described["PipelineDefinition"])
    assert [step["Name"] for step in definition["Steps"]] == [
        *("Train", "MIMSPackage", "MIMSPayload", "MIMSRegistration"),
    ]
    (config,) = s3.list_objects_v2(Bucket="my-models", Prefix="mims/config/")["Contents"]
    written = json.loads(s3.get_object(Bucket="my-models", Key=config["Key"])["Body"].read())
    assert written["source_model_inference_input_variable_list"] == {
        "amount": "NUMERIC",
        "country": "TEXT",
    }
