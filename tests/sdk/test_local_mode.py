"""The chain as a pipeline, run by the SDK's local mode: real images, and a local AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest

from chain import Chain, Run
from local_mode import local_mode
from mims.pipeline.chain import chain
from mims.pipeline.configs import MIMSPayloadConfig, ModelRegistrationConfig
from mims.pipeline.jobs import JobSettings
from mims.pipeline.references import Parameter, joined
from mims.pipeline.steps import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from local_mode import Execution
    from mims.pipeline.definition import PipelineDefinition
    from sdk_names import Sdk

    Execute = Callable[[PipelineDefinition], Execution]

pytestmark = pytest.mark.image
OUTPUT = "/opt/ml/processing/output"
ROLE = "arn:aws:iam::123456789012:role/pipelines"
BUCKET = "mims-local"


class ByScript(NamedTuple):
    """The chain as docker/chain.sh runs it, with its own local AWS."""

    chain: Chain
    run: Run

    @property
    def config(self) -> dict[str, Any]:
        path = self.chain.output("train", "config/config.json")
        config: dict[str, Any] = json.loads(path.read_text())
        return config


@pytest.fixture(scope="module")
def by_script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByScript]:
    with Chain(tmp_path_factory.mktemp("chain") / "run") as chain_sh:
        run = chain_sh()  # builds the images, too
        assert run.code == 0, run.stderr
        yield ByScript(chain_sh, run)


@pytest.fixture
def execute(sdk: Sdk, tmp_path: Path) -> Iterator[Execute]:
    work = tmp_path / "work"
    work.mkdir()
    with local_mode(sdk, work) as run:
        yield run


@pytest.fixture
def job(aws: LocalAws, s3: S3Client) -> JobSettings:
    where: Any = {"LocationConstraint": "us-west-2"}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
    found_by = {"AWS_ENDPOINT_URL": aws.url}  # credentials are the session's
    return JobSettings(image_uri="mims", role=ROLE, bucket=BUCKET, environment=found_by)


def training(where: Parameter) -> Step:
    """The chain's training program as a step."""
    output = {"S3Uri": where, "LocalPath": OUTPUT, "S3UploadMode": "EndOfJob"}
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    request = {
        "AppSpecification": {"ImageUri": "mims-train", "ContainerEntrypoint": ["train.py"]},
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "trained", "S3Output": output}]},
        "ProcessingResources": {"ClusterConfig": cluster},
        "RoleArn": ROLE,
    }
    return Step("Train", "Processing", request)


def test_local_mode_does_what_the_chain_script_does(
    by_script: ByScript,
    execute: Execute,
    job: JobSettings,
    s3: S3Client,
    tmp_path: Path,
) -> None:
    # What is trained stays on this machine: S3 would not keep the times of the inference code,
    # which the package keeps. Only a parameter may say file://. The rest goes through S3.
    where = Parameter("TrainedUri", f"file://{tmp_path}/trained")
    train = training(where)
    trained = train.properties.ProcessingOutputConfig.Outputs["trained"].S3Output.S3Uri
    definition = chain(
        "penguins",
        ModelRegistrationConfig(**by_script.config),
        train=train,
        model=joined(trained, "model"),
        script=joined(trained, "script"),
        metadata=joined(trained, "metadata"),
        payload=MIMSPayloadConfig(content_types=["application/json", "text/csv"]),
        job=job,
        parameters=[where],
    )

    ended = execute(definition)

    assert (ended.status, ended.reason) == ("Succeeded", "")
    assert ended.steps == dict.fromkeys(("Train", "Package", "Payload", "Register"), "Succeeded")
    for step, name in [
        ("Package", "model.tar.gz"),
        ("Package", "manifest.json"),
        ("Payload", "payload.tar.gz"),
        ("Payload", "metadata.json"),
    ]:
        made = s3.get_object(Bucket=BUCKET, Key=f"mims/penguins/{ended.id}/{step}/{name}")
        wanted = by_script.chain.output(step.lower(), name).read_bytes()
        assert made["Body"].read() == wanted, f"{step}: {name}"
    ours = registered(boto3.client("sagemaker"), by_script.run.version["arn"])
    theirs = registered(by_script.chain.sagemaker(), by_script.run.version["arn"])
    assert ours["CustomerMetadataProperties"].pop("workflow_execution_id") == ended.id
    assert ours["CustomerMetadataProperties"].pop("processing_job_arn").startswith("Register-")
    assert theirs["CustomerMetadataProperties"].pop("workflow_execution_id") == "local-chain"
    assert ours == theirs


def registered(sagemaker: SageMakerClient, arn: str) -> dict[str, Any]:
    """What a version says of the model: digests, places in S3, inference; not who made it, when."""
    described: dict[str, Any] = {**sagemaker.describe_model_package(ModelPackageName=arn)}
    names = ("CustomerMetadataProperties", "InferenceSpecification", "ModelMetrics")
    return {name: described[name] for name in (*names, "SamplePayloadUrl", "ModelPackageStatus")}


def test_a_step_that_fails_fails_the_execution(
    by_script: ByScript,
    execute: Execute,
    job: JobSettings,
    s3: S3Client,
    capfd: pytest.CaptureFixture[str],
) -> None:
    s3.put_object(Bucket=BUCKET, Key="broken/model.tar.gz", Body=b"\x1f\x8b no gzip")
    s3.put_object(Bucket=BUCKET, Key="script/inference.py", Body=b"pass\n")
    definition = chain(
        "penguins",
        ModelRegistrationConfig(**by_script.config),
        model=f"s3://{BUCKET}/broken",
        script=f"s3://{BUCKET}/script",
        job=job,
    )

    ended = execute(definition)

    assert ended.status == "Failed"
    (failed,) = ended.steps  # which of the two goes first is the SDK's choice
    assert failed in ("Package", "Payload")
    assert f"'{failed}'" in ended.reason
    assert "exited with code: 1" in ended.reason
    assert "model/model.tar.gz: its gzip data is damaged" in capfd.readouterr().out
