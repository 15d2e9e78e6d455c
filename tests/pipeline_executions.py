"""Pipelines for tests: a definition, and scripts that the local AWS's executions follow.

`play` posts a script: from then on an execution of the pipeline goes through its states, one a look
(docker/aws/local_aws/pipelines.py says what a state is).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import LocalAws

NAME = "penguins"
ROLE = "arn:aws:iam::123456789012:role/pipelines"
REGION = "us-west-2"
ACCOUNT = "123456789012"
ARN = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/{NAME}"
MODEL = {"ModelUri": "s3://a/model.tar.gz"}  # what an execution can't do without

DEFINITION: dict[str, Any] = {
    "Version": "2020-12-01",
    "Metadata": {},
    "Parameters": [
        {"Name": "ModelUri", "Type": "String"},
        {"Name": "Trees", "Type": "Integer", "DefaultValue": 10},
        {"Name": "Rate", "Type": "Float", "DefaultValue": 0.3},
        {"Name": "Isolated", "Type": "Boolean", "DefaultValue": False},
        {
            "Name": "Instance",
            "Type": "String",
            "DefaultValue": "ml.m5.large",
            "EnumValues": ["ml.m5.large", "ml.m5.xlarge"],
        },
    ],
    "Steps": [
        {
            "Name": "Train",
            "Type": "Training",
            "Arguments": {
                "AlgorithmSpecification": {"TrainingImage": "a:1", "TrainingInputMode": "File"},
                "HyperParameters": {
                    "trees": {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Trees"}]}},
                    "rate": {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.Rate"}]}},
                },
                "OutputDataConfig": {"S3OutputPath": {"Get": "Parameters.ModelUri"}},
                "ResourceConfig": {
                    "InstanceCount": 1,
                    "InstanceType": {"Get": "Parameters.Instance"},
                    "VolumeSizeInGB": 30,
                },
                "RoleArn": ROLE,
                "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            },
        },
        {
            "Name": "Package",
            "Type": "Processing",
            "DependsOn": ["Train"],
            "Arguments": {
                "AppSpecification": {"ImageUri": "mims:1"},
                "NetworkConfig": {"EnableNetworkIsolation": {"Get": "Parameters.Isolated"}},
                "ProcessingResources": {
                    "ClusterConfig": {
                        "InstanceCount": 1,
                        "InstanceType": {"Get": "Parameters.Instance"},
                        "VolumeSizeInGB": 30,
                    }
                },
                "RoleArn": ROLE,
            },
        },
    ],
}


def job_arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}-job/{name}"


def step(name: str, status: str, **more: Any) -> dict[str, Any]:
    """A step as ListPipelineExecutionSteps answers it."""
    return {"StepName": name, "StepStatus": status, "AttemptCount": 1, **more}


def executing(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"PipelineExecutionStatus": "Executing", "PipelineExecutionSteps": list(steps)}


def ended(status: str, *steps: dict[str, Any], reason: str = "") -> dict[str, Any]:
    state = {"PipelineExecutionStatus": status, "PipelineExecutionSteps": list(steps)}
    return {**state, "FailureReason": reason} if reason else state


def play(aws: LocalAws, *states: dict[str, Any], jobs: list[Any] | None = None) -> None:
    """Let executions that start from now on go through these states."""
    script = {"pipeline": NAME, "region": REGION, "states": states, "jobs": jobs or []}
    url = f"{aws.url}/local-aws/pipeline-executions"
    request = urllib.request.Request(url, json.dumps(script).encode())  # noqa: S310 - http
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request):
            pass
    except urllib.error.HTTPError as error:
        raise ValueError(error.read().decode()) from error


def create(sagemaker: Any, definition: dict[str, Any] | None = None) -> str:
    """Create the pipeline; give its ARN."""
    text = json.dumps(DEFINITION if definition is None else definition)
    made = sagemaker.create_pipeline(PipelineName=NAME, PipelineDefinition=text, RoleArn=ROLE)
    arn: str = made["PipelineArn"]
    return arn


def starting(sagemaker: Any) -> str:
    """Start an execution; give its ARN."""
    arn: str = sagemaker.start_pipeline_execution(PipelineName=NAME)["PipelineExecutionArn"]
    return arn
