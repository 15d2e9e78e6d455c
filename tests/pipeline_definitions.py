"""A pipeline of plain steps as tests want it: Train, Package and Register, named as in MIMS."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from mims.pipeline.definition import PipelineDefinition
from mims.pipeline.references import Parameter
from mims.pipeline.steps import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROLE = "arn:aws:iam::123456789012:role/job"
IMAGE = Parameter("ImageUri", "123456789012.dkr.ecr.us-west-2.amazonaws.com/mims:1")
DATA = Parameter("TrainingData")
MACHINE = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}


def processing(
    name: str, inputs: Mapping[str, Any], outputs: Sequence[str] = (), **more: Any
) -> Step:
    request = {
        "ProcessingResources": {"ClusterConfig": MACHINE},
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["run"]},
        "RoleArn": ROLE,
        "Environment": {"NAME": "value"},
        "ProcessingInputs": [
            {
                "InputName": channel,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/input/{channel}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for channel, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": channel,
                    "S3Output": {
                        "S3Uri": f"s3://bucket/{channel}",
                        "LocalPath": f"/opt/ml/processing/output/{channel}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for channel in outputs
            ]
        },
    }
    return Step(name=name, kind="Processing", arguments=request, **more)


def training(name: str = "Train") -> Step:
    request = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": {"rounds": "10"},
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": DATA}},
            }
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": MACHINE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return Step(name=name, kind="Training", arguments=request)


TRAIN = training()
PACKAGE = processing(
    "Package",
    {"model_input": TRAIN.properties.ModelArtifacts.S3ModelArtifacts},
    ["package_output"],
)
PACKAGED = PACKAGE.properties.ProcessingOutputConfig.Outputs["package_output"].S3Output.S3Uri
REGISTER = processing("Register", {"PackagedModel": PACKAGED}, depends_on=(TRAIN,))
CHAIN = PipelineDefinition("chain", (TRAIN, PACKAGE, REGISTER), (IMAGE, DATA))


def changed(value: Any, path: Sequence[str | int], new: Any) -> Any:
    """A copy of JSON with another value at a path."""
    made = copy.deepcopy(value)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return made


def without(value: Any, path: Sequence[str | int]) -> Any:
    """A copy of JSON without what is at a path."""
    made = copy.deepcopy(value)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return made
