"""The builders make the steps that the specification describes, and refuse what can't work."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mims.errors import InputError
from mims.pipeline.builders import (
    MIMSPackageStepBuilder,
    MIMSPayloadStepBuilder,
    MIMSRegistrationStepBuilder,
    ModelRegistrationStepBuilder,
)
from mims.pipeline.configs import (
    MIMSPackageConfig,
    MIMSPayloadConfig,
    ModelRegistrationConfig,
    RegistrationSettings,
)
from mims.pipeline.jobs import Cache, JobSettings, RetryPolicy
from mims.pipeline.references import Join, Parameter
from mims.pipeline.steps import Step
from mims.registration.config import parse_config

ROLE = "arn:aws:iam::123456789012:role/jobs"
JOB = JobSettings(image_uri="mims:1", role=ROLE, bucket="my-models", environ={})
MODEL, CODE = "s3://my-models/trained/model.tar.gz", "s3://my-code/inference/"
CONFIG = ModelRegistrationConfig(model_registration_objective="FraudDetection")


def inputs(step: Step) -> dict[str, tuple[Any, str]]:
    """By name: what is read, and where it is mounted."""
    return {
        entry["InputName"]: (entry["S3Input"]["S3Uri"], entry["S3Input"]["LocalPath"])
        for entry in step.request()["Arguments"]["ProcessingInputs"]
    }


def registration(job: JobSettings = JOB, **arguments: Any) -> Any:
    given = {"packaging_step_output": "s3://my-models/package/", **arguments}
    return ModelRegistrationStepBuilder(CONFIG, job).create_plain_step(**given)


def test_a_package_step() -> None:
    config = MIMSPackageConfig(package_layout="sagemaker", inference_entry_point="serve.py")
    step = MIMSPackageStepBuilder(config, JOB).create_plain_step(
        MODEL, CODE, dependencies=["Evaluate"]
    )
    arguments = step.request()["Arguments"]
    assert arguments["AppSpecification"] == {
        "ImageUri": "mims:1",
        "ContainerEntrypoint": ["mims_package.py"],
    }
    assert arguments["RoleArn"] == ROLE
    assert arguments["Environment"] == {
        "PACKAGE_LAYOUT": "sagemaker",
        "INFERENCE_ENTRY_POINT": "serve.py",
    }
    assert arguments["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert inputs(step) == {
        "model_input": (MODEL, "/opt/ml/processing/input/model"),
        "script_input": (CODE, "/opt/ml/processing/input/script"),
    }
    (output,) = arguments["ProcessingOutputConfig"]["Outputs"]
    assert output["OutputName"] == "package_output"
    assert output["S3Output"]["S3Uri"] == {  # a folder an execution
        "Std:Join": {
            "On": "/",
            "Values": [
                *("s3:/", "my-models", "mims", {"Get": "Execution.PipelineName"}),
                *({"Get": "Execution.PipelineExecutionId"}, "MIMSPackage"),
            ],
        }
    }
    assert step.request()["DependsOn"] == ["Evaluate"]


def test_a_payload_step() -> None:
    config = MIMSPayloadConfig(content_types=["application/json", "text/csv"])
    step = MIMSPayloadStepBuilder(config, JOB).create_plain_step(
        MODEL, "s3://my-models/records.jsonl", output_uri="s3://elsewhere/payload", name="Samples"
    )
    arguments = step.request()["Arguments"]
    assert step.name == "Samples"
    assert arguments["Environment"] == {"CONTENT_TYPES": "application/json,text/csv"}
    assert [*inputs(step)] == ["model_input", "custom_payload_input"]
    (output,) = arguments["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"] == "s3://elsewhere/payload"


def test_a_registration_step_brings_its_config() -> None:
    settings = RegistrationSettings(registration_timeout_seconds=60)
    builder = ModelRegistrationStepBuilder(CONFIG, JOB, settings)
    packaging = MIMSPackageStepBuilder(job=JOB).create_plain_step(MODEL, CODE)
    step = builder.create_plain_step(
        packaging_step_output=packaging.properties.ProcessingOutputConfig.Outputs[
            "package_output"
        ].S3Output.S3Uri,
        payload_step_output="s3://my-models/payload/",
        dependencies=[packaging],
    )
    assert isinstance(step, Step)
    (file,) = step.files
    assert file.uri.startswith("s3://my-models/mims/config/")
    found = inputs(step)
    assert found["PackagedModel"][0] == {
        "Get": "Steps.MIMSPackage.ProcessingOutputConfig.Outputs['package_output'].S3Output.S3Uri"
    }
    assert found["GeneratedPayloadSamples"][1] == "/opt/ml/processing/mims_payload"
    assert found["config"] == (file.uri, "/opt/ml/processing/config/config")
    arguments = step.request()["Arguments"]
    assert arguments["Environment"] == {
        "MODS_WORKFLOW_EXECUTION_ID": {"Get": "Execution.PipelineExecutionId"},
        "MIMS_BUCKET": "my-models",
        "REGISTRATION_TIMEOUT_SECONDS": "60",
    }
    assert "NetworkConfig" not in arguments  # it has to reach AWS
    assert "ProcessingOutputConfig" not in arguments
    assert step.request()["DependsOn"] == ["MIMSPackage"]
    job_environment = {"AWS_REGION": "us-west-2", "MIMS_BUCKET": "my-models"}
    config = parse_config(json.loads(file.content), job_environment)
    assert config.model_registration_objective == "FraudDetection"


def test_a_step_a_region_or_one_for_all() -> None:
    apart = registration(regions=["us-east-1", "EU"])
    assert [step.name for step in apart] == [
        "MIMSRegistration-us-east-1",
        "MIMSRegistration-eu-west-1",
    ]
    wanted = [json.loads(step.files[0].content)["regions"] for step in apart]
    assert wanted == [["us-east-1"], ["eu-west-1"]]
    together = registration(regions=["us-east-1", "eu-west-1"], one_step=True)
    assert json.loads(together.files[0].content)["regions"] == ["us-east-1", "eu-west-1"]
    assert registration().name == "MIMSRegistration"


def test_the_same_config_is_the_same_object() -> None:
    assert registration().files == registration().files


def test_a_config_that_lies_elsewhere_is_not_brought() -> None:
    step = registration(config_uri=Parameter("Config", "s3://my-models/config.json"))
    assert step.files == ()
    assert inputs(step)["config"][0] == {"Get": "Parameters.Config"}


def test_how_the_job_runs() -> None:
    job = JobSettings(
        image_uri=Parameter("Image"),
        role=ROLE,
        bucket="my-models",
        prefix="fraud/pipeline",
        instance_type=Parameter("InstanceType", "ml.m5.large"),
        volume_size_in_gb=100,
        max_runtime_in_seconds=600,
        volume_kms_key="disk-key",
        output_kms_key="output-key",
        subnets=("subnet-1",),
        security_group_ids=("sg-1",),
        tags={"team": "fraud"},
        environment={"COMPRESSION_LEVEL": Parameter("Level", "9")},
        entry_point=("python3", "/code/mims_package.py"),
        cache=Cache(expire_after="P30D"),
        retries=(RetryPolicy(exception_types=("SageMaker.CAPACITY_ERROR",), expire_after_mins=60),),
    )
    request = MIMSPackageStepBuilder(job=job).create_plain_step(MODEL, CODE).request()
    arguments = request["Arguments"]
    assert arguments["AppSpecification"] == {
        "ImageUri": {"Get": "Parameters.Image"},
        "ContainerEntrypoint": ["python3", "/code/mims_package.py"],
    }
    assert arguments["ProcessingResources"]["ClusterConfig"] == {
        "InstanceCount": 1,
        "InstanceType": {"Get": "Parameters.InstanceType"},
        "VolumeSizeInGB": 100,
        "VolumeKmsKeyId": "disk-key",
    }
    assert arguments["StoppingCondition"] == {"MaxRuntimeInSeconds": 600}
    assert arguments["ProcessingOutputConfig"]["KmsKeyId"] == "output-key"
    assert arguments["NetworkConfig"] == {
        "EnableNetworkIsolation": True,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    }
    assert arguments["Tags"] == [{"Key": "team", "Value": "fraud"}]
    assert arguments["Environment"] == {"COMPRESSION_LEVEL": {"Get": "Parameters.Level"}}
    assert request["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"}
    assert request["RetryPolicies"] == [
        {
            "ExceptionType": ["SageMaker.CAPACITY_ERROR"],
            "IntervalSeconds": 1,
            "BackoffRate": 2.0,
            "ExpireAfterMin": 60,
        }
    ]


def test_registering_is_never_answered_from_the_cache() -> None:
    step = registration(JOB.model_copy(update={"cache": Cache()}))
    assert "CacheConfig" not in step.request()


def test_steps_run_again_when_the_service_fails() -> None:
    (policy,) = registration().request()["RetryPolicies"]
    assert policy["ExceptionType"] == ["Step.SERVICE_FAULT", "Step.THROTTLING"]


def test_the_registration_builder_has_two_names() -> None:
    assert MIMSRegistrationStepBuilder is ModelRegistrationStepBuilder


@pytest.mark.parametrize(
    ("make", "messages"),
    [
        # every required input that is not given
        (
            lambda: MIMSPackageStepBuilder(job=JOB).create_plain_step(),
            ["model_input: must be given", "script_input: must be given"],
        ),
        # a path of the author's own machine
        (
            lambda: MIMSPackageStepBuilder(job=JOB).create_plain_step("model.tar.gz", CODE),
            ["model_input: must be an S3 URI, a parameter or a step's property"],
        ),
        # the same as a parameter's default
        (
            lambda: MIMSPackageStepBuilder(job=JOB).create_plain_step(
                MODEL, Parameter("ScriptUri", "./inference")
            ),
            ["script_input: must be an S3 URI, a parameter or a step's property", "'./inference'"],
        ),
        # one step or name in place of a list, whose letters would be the names
        (
            lambda: registration(dependencies="Evaluate"),
            ["dependencies: must be a list of steps, not 'Evaluate'"],
        ),
        (
            lambda: registration(regions="us-east-1"),
            ["regions: must be a list of regions, or left out, not 'us-east-1'"],
        ),
        (
            lambda: registration(dependencies=["Evaluate", None]),
            ["dependencies[1]: must be a step or a step's name, not None"],
        ),
        # a config of another step, or settings where the config stands
        (
            lambda: MIMSPackageStepBuilder(MIMSPayloadConfig(), JOB),  # type: ignore[arg-type]
            ["config: must be a MIMSPackageConfig, not MIMSPayloadConfig"],
        ),
        (
            lambda: MIMSPayloadStepBuilder(JOB),  # type: ignore[arg-type]
            ["config: must be a MIMSPayloadConfig, not JobSettings"],
        ),
        (
            lambda: ModelRegistrationStepBuilder({"framework": "xgboost"}),  # type: ignore[arg-type]
            ["config: must be a ModelRegistrationConfig, not dict"],
        ),
        # arguments go by their own names, not by the channels'
        (
            lambda: registration(packaging_step_output=None, payload_step_output="payload.tar.gz"),
            ["packaging_step_output: must be given", "payload_step_output: must be an S3 URI"],
        ),
        # in no region nothing would be registered
        (lambda: registration(regions=[]), ["regions: must be a list of regions"]),
        # one region under two names
        (
            lambda: registration(regions=["us-east-1", "EU", "NA"]),
            ["regions: names us-east-1 twice"],
        ),
        # where the config lies already, its regions are what they are
        (
            lambda: registration(regions=["us-east-1"], config_uri="s3://my-models/config.json"),
            ["regions: config_uri names a config that is there already"],
        ),
        # a region that is none, in one of several
        (
            lambda: registration(regions=["us-east-1", "mars"]),
            ["config regions[0]: must be a region such as us-west-2"],
        ),
        # the bucket is not known before the pipeline runs
        (
            lambda: registration(JOB.model_copy(update={"bucket": Parameter("Bucket")})),
            ["bucket: is a pipeline variable", "config_uri"],
        ),
        # registering without a network
        (
            lambda: registration(JOB.model_copy(update={"network_isolation": True})),
            ["network_isolation: script.py has to reach AWS"],
        ),
        # what SageMaker would refuse: a name, and a value of the environment
        (
            lambda: MIMSPackageStepBuilder(
                job=JOB.model_copy(update={"environment": {"NOTE": "x" * 257}})
            ).create_plain_step(MODEL, CODE, name="my package"),
            ["Name must be of the form", "Environment.NOTE must be at most 256 characters"],
        ),
        # defaults that would go before the custom payload's records
        (
            lambda: MIMSPayloadStepBuilder(
                MIMSPayloadConfig(field_defaults={f"field_{n}": "x" * 20 for n in range(20)}), JOB
            ).create_plain_step(MODEL, "s3://my-models/records.csv"),
            ["field_defaults: are too long for one environment variable"],
        ),
        # a hundred variables are all that a job takes
        (
            lambda: MIMSPackageStepBuilder(
                job=JOB.model_copy(update={"environment": {f"V{n}": "x" for n in range(101)}})
            ).create_plain_step(MODEL, CODE),
            ["Environment must be at most 100 entries, not 101"],
        ),
    ],
)
def test_what_cannot_work_is_refused(make: Any, messages: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        make()
    assert [message for message in messages if message not in str(refused.value)] == []


def test_all_that_is_wrong_with_a_step_is_told_at_once() -> None:
    job = JOB.model_copy(update={"network_isolation": True, "volume_kms_key": "no key"})
    with pytest.raises(InputError) as refused:
        registration(
            job,
            packaging_step_output=None,
            dependencies="Evaluate",
            regions=["us-east-1", "mars", "EU"],
            name="my model",
        )
    problems = refused.value.problems
    assert len(problems) == len({*problems})  # each once, whatever the number of regions
    for beginning in (
        "packaging_step_output: must be given",
        "dependencies: must be a list",
        "config regions[0]: must be a region",
        "network_isolation: script.py has to reach AWS",
        "step my model-mars: Name must be of the form",
        "step my model-mars: ProcessingResources.ClusterConfig.VolumeKmsKeyId must be",
    ):
        assert [problem for problem in problems if problem.startswith(beginning)], beginning


def test_a_join_is_an_input() -> None:
    below = Join("/", [Parameter("Trained", "s3://my-models/run"), "model"])
    step = MIMSPackageStepBuilder(job=JOB).create_plain_step(below, CODE)
    assert inputs(step)["model_input"][0] == {
        "Std:Join": {"On": "/", "Values": [{"Get": "Parameters.Trained"}, "model"]}
    }
