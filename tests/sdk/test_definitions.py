"""What the SageMaker SDK compiles is our plain JSON, and what an author's own steps say.

Each version is held to the same plain JSON, so the two are equal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mims.pipeline.builders import (
    MIMSPackageStepBuilder,
    MIMSPayloadStepBuilder,
    MIMSRegistrationStepBuilder,
)
from mims.pipeline.chain import chain
from mims.pipeline.configs import MIMSPackageConfig, ModelRegistrationConfig
from mims.pipeline.definition import PipelineDefinition
from mims.pipeline.jobs import Cache, JobSettings, RetryPolicy
from mims.pipeline.references import Parameter, joined
from mims.pipeline.sdk import as_sdk_pipeline
from mims.pipeline.steps import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from sdk_names import Sdk

ACCOUNT = "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.us-west-2.amazonaws.com/mims:1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/mims"
KEY = f"arn:aws:kms:us-west-2:{ACCOUNT}:key/1b0cca44-5fd1-4a5b-9a3c-1a2b3c4d5e6f"
MODEL, SCRIPT, CONFIG = "s3://models/model/", "s3://models/code/", "s3://models/config.json"
PLAIN = JobSettings(image_uri=IMAGE, role=ROLE, bucket="models")
CONFIGURED = JobSettings(
    image_uri=IMAGE,
    role=ROLE,
    bucket="models",
    prefix="teams/fraud",
    instance_type="ml.c5.xlarge",
    volume_size_in_gb=100,
    max_runtime_in_seconds=600,
    volume_kms_key=KEY,
    output_kms_key=KEY,
    subnets=("subnet-1", "subnet-2"),
    security_group_ids=("sg-1",),
    environment={"MAX_MEMBERS": "10"},
    tags={"team": "fraud"},
    cache=Cache(expire_after="P30D"),
    retries=(
        RetryPolicy(exception_types=("Step.THROTTLING",), interval_seconds=5, max_attempts=3),
        RetryPolicy(exception_types=("SageMaker.CAPACITY_ERROR",), expire_after_mins=60),
    ),
)
REGISTRATION = ModelRegistrationConfig(model_registration_objective="FraudDetection")
CLUSTER = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
TRAINING = Step(
    "Train",
    "Training",
    {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "HyperParameters": {"max_depth": "3"},
        "OutputDataConfig": {"S3OutputPath": "s3://models/trained"},
        "ResourceConfig": CLUSTER,
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    },
    cache=Cache(),
)


def processed() -> PipelineDefinition:
    """A chain after a processing job, which leaves all it makes in folders of one output."""
    output = {"S3Uri": "s3://models/trained", "LocalPath": "/opt/ml/processing/output"}
    request = {
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["train.py"]},
        "ProcessingOutputConfig": {
            "Outputs": [
                {"OutputName": "trained", "S3Output": {**output, "S3UploadMode": "EndOfJob"}}
            ]
        },
        "ProcessingResources": {"ClusterConfig": CLUSTER},
        "RoleArn": ROLE,
    }
    train = Step("Train", "Processing", request)
    trained = train.properties.ProcessingOutputConfig.Outputs["trained"].S3Output.S3Uri
    return chain(
        "penguins",
        REGISTRATION,
        train=train,
        model=joined(trained, "model"),
        script=joined(trained, "script"),
        metadata=joined(trained, "metadata"),
        job=PLAIN,
    )


def with_parameters() -> PipelineDefinition:
    """Parameters of each type, with and without defaults."""
    bucket, volume = Parameter("Bucket"), Parameter("VolumeInGB", 50)
    rate, header = Parameter("Default", 0.5), Parameter("Header", True)
    job = JobSettings(
        image_uri=IMAGE,
        role=ROLE,
        bucket=bucket,
        volume_size_in_gb=volume,
        environment={"DEFAULT_NUMERIC_VALUE": rate, "CSV_HEADER": header},
    )
    payload = MIMSPayloadStepBuilder(job=job).create_plain_step(MODEL)
    return PipelineDefinition("parameters", (payload,), (bucket, volume, rate, header))


DEFINITIONS = {
    "a chain after a processing job": processed,
    "a chain after a training job": lambda: chain(
        "penguins", REGISTRATION, train=TRAINING, script=SCRIPT, job=PLAIN
    ),
    "a chain with caching, retries, keys, a VPC and tags": lambda: chain(
        "penguins", REGISTRATION, model=MODEL, script=SCRIPT, job=CONFIGURED
    ),
    "a step a region": lambda: chain(
        "penguins",
        REGISTRATION,
        model=MODEL,
        script=SCRIPT,
        job=PLAIN,
        regions=["us-west-2", "eu-west-1"],
    ),
    "parameters": with_parameters,
}


@pytest.mark.parametrize("make", DEFINITIONS.values(), ids=DEFINITIONS)
def test_the_sdk_compiles_our_plain_definition(
    make: Callable[[], PipelineDefinition], sdk: Sdk
) -> None:
    ours = make()
    ours.check()
    theirs = as_sdk_pipeline(ours.name, list(ours.parameters), ours.in_order(), sdk.session)
    assert compiled(theirs) == {**ours.to_json(), "Steps": [s.request() for s in ours.in_order()]}


def compiled(pipeline: Any) -> dict[str, Any]:
    definition: dict[str, Any] = json.loads(pipeline.definition())
    assert definition.pop("MlflowConfig", None) is None  # version 3 writes null
    return definition


def steps_of(sdk: Sdk, *steps: Any) -> list[dict[str, Any]]:
    pipeline = sdk.Pipeline("pipeline", steps=list(steps), sagemaker_session=sdk.session)
    entries: list[dict[str, Any]] = compiled(pipeline)["Steps"]
    return entries


def test_a_step_is_what_an_author_writes_with_the_sdk_alone(sdk: Sdk) -> None:
    processor = sdk.Processor(
        role=ROLE,
        image_uri=IMAGE,
        entrypoint=["mims_package.py"],
        instance_count=1,
        instance_type="ml.c5.xlarge",
        volume_size_in_gb=100,
        volume_kms_key=KEY,
        output_kms_key=KEY,
        max_runtime_in_seconds=600,
        env={"PACKAGE_LAYOUT": "sagemaker", "MAX_MEMBERS": "10"},
        tags=[{"Key": "team", "Value": "fraud"}],
        network_config=sdk.NetworkConfig(
            enable_network_isolation=True,
            subnets=["subnet-1", "subnet-2"],
            security_group_ids=["sg-1"],
        ),
        sagemaker_session=sdk.session,
    )
    model = sdk.ParameterString("ModelUri", default_value=MODEL)
    variables = sdk.ExecutionVariables
    where = sdk.Join(
        on="/",
        values=[
            *("s3:/", "models", "teams/fraud", variables.PIPELINE_NAME),
            *(variables.PIPELINE_EXECUTION_ID, "MIMSPackage"),
        ],
    )
    retry = sdk.StepExceptionTypeEnum.THROTTLING
    by_hand = sdk.step(
        "MIMSPackage",
        inputs=[
            sdk.input("model_input", model, "/opt/ml/processing/input/model"),
            sdk.input("script_input", SCRIPT, "/opt/ml/processing/input/script"),
        ],
        outputs=[sdk.output("package_output", where, "/opt/ml/processing/output")],
        processor=processor,
        description="Packages a trained model and its inference code into one model.tar.gz.",
        cache_config=sdk.CacheConfig(enable_caching=True, expire_after="P30D"),
        retry_policies=[
            sdk.StepRetryPolicy(
                exception_types=[retry], interval_seconds=5, backoff_rate=2.0, max_attempts=3
            )
        ],
        depends_on=["Check"],
    )
    job = CONFIGURED.model_copy(update={"retries": CONFIGURED.retries[:1]})
    builder = MIMSPackageStepBuilder(MIMSPackageConfig(package_layout="sagemaker"), job)
    arguments: Any = {"model_input": model, "script_input": SCRIPT, "dependencies": ["Check"]}
    check = sdk.step("Check")
    assert (
        steps_of(sdk, check, builder.create_step(**arguments))[1]
        == steps_of(sdk, check, by_hand)[1]
        == builder.create_plain_step(**arguments).request()
    )


def test_steps_of_the_sdk_and_ours_read_from_one_another(sdk: Sdk) -> None:
    train = sdk.step("Train", outputs=[sdk.output("model", MODEL, "/opt/ml/processing/output")])
    check = sdk.step("Check")
    trained = train.properties.ProcessingOutputConfig.Outputs["model"].S3Output.S3Uri
    script = sdk.ParameterString("ScriptUri")
    inputs: Any = {"model_input": trained, "script_input": script, "dependencies": [check]}

    package = MIMSPackageStepBuilder(job=PLAIN).create_step(**inputs)

    packaged = package.properties.ProcessingOutputConfig.Outputs["package_output"].S3Output.S3Uri
    scan = sdk.step("Scan", inputs=[sdk.input("package", packaged, "/opt/ml/processing/input")])
    register = MIMSRegistrationStepBuilder(REGISTRATION, PLAIN).create_step(
        packaging_step_output=packaged, config_uri=CONFIG, dependencies=[scan, "Check"]
    )
    steps = [register, scan, package, check, train]  # in an order that is no order
    entries = {entry["Name"]: entry for entry in steps_of(sdk, *steps)}
    assert (
        entries["MIMSPackage"]
        == MIMSPackageStepBuilder(job=PLAIN).create_plain_step(**inputs).request()
    )
    assert entries["MIMSPackage"]["DependsOn"] == ["Check"]
    assert read_by(entries["MIMSPackage"]) == {
        "model_input": {
            "Get": "Steps.Train.ProcessingOutputConfig.Outputs['model'].S3Output.S3Uri"
        },
        "script_input": {"Get": "Parameters.ScriptUri"},
    }
    made = {
        "Get": "Steps.MIMSPackage.ProcessingOutputConfig.Outputs['package_output'].S3Output.S3Uri"
    }
    assert read_by(entries["Scan"]) == {"package": made}
    assert read_by(entries["MIMSRegistration"]) == {"PackagedModel": made, "config": CONFIG}
    assert entries["MIMSRegistration"]["DependsOn"] == ["Scan", "Check"]
    order = [step.name for step in sdk.PipelineGraph(steps)]
    assert [name for name in order if name != "Check"] == [
        *("Train", "MIMSPackage", "Scan", "MIMSRegistration")
    ]
    assert order.index("Check") < order.index("MIMSPackage")


def read_by(entry: dict[str, Any]) -> dict[str, Any]:
    """What a step reads, by input."""
    return {
        source["InputName"]: source["S3Input"]["S3Uri"]
        for source in entry["Arguments"]["ProcessingInputs"]
    }
