"""What a pipeline's author imports of the SageMaker SDK, wherever its version has it; for sdk/."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import boto3

from mims.pipeline.sdk import installed

_OF_2 = {
    "sagemaker.network": ("NetworkConfig",),
    "sagemaker.processing": ("Processor", "ProcessingInput", "ProcessingOutput"),
    "sagemaker.workflow.execution_variables": ("ExecutionVariables",),
    "sagemaker.workflow.functions": ("Join",),
    "sagemaker.workflow.parameters": ("ParameterString", "ParameterInteger"),
    "sagemaker.workflow.pipeline": ("Pipeline", "PipelineGraph"),
    "sagemaker.workflow.pipeline_context": ("LocalPipelineSession", "PipelineSession"),
    "sagemaker.workflow.retry": ("StepRetryPolicy", "StepExceptionTypeEnum"),
    "sagemaker.workflow.steps": ("CacheConfig", "ProcessingStep"),
}
_OF_3 = {
    "sagemaker.core.network": ("NetworkConfig",),
    "sagemaker.core.processing": ("Processor",),
    "sagemaker.core.shapes": (
        *("ProcessingInput", "ProcessingS3Input"),
        *("ProcessingOutput", "ProcessingS3Output"),
    ),
    "sagemaker.core.workflow.execution_variables": ("ExecutionVariables",),
    "sagemaker.core.workflow.functions": ("Join",),
    "sagemaker.core.workflow.parameters": ("ParameterString", "ParameterInteger"),
    "sagemaker.core.workflow.pipeline_context": ("PipelineSession",),
    "sagemaker.mlops.local": ("LocalPipelineSession",),
    "sagemaker.mlops.workflow.pipeline": ("Pipeline", "PipelineGraph"),
    "sagemaker.mlops.workflow.retry": ("StepRetryPolicy", "StepExceptionTypeEnum"),
    "sagemaker.mlops.workflow.steps": ("CacheConfig", "ProcessingStep"),
}


class Sdk(SimpleNamespace):
    """The installed version's names, and what differs between the two behind one signature."""

    def __init__(self) -> None:
        rooms = _OF_2 if installed() == "2" else _OF_3
        super().__init__(
            **{
                name: getattr(import_module(room), name)
                for room, names in rooms.items()
                for name in names
            }
        )
        self.session = self.PipelineSession(boto3.Session(), default_bucket="default-bucket")

    def input(self, name: str, uri: Any, path: str) -> Any:
        """An input of a processor's run."""
        if installed() == "2":
            return self.ProcessingInput(input_name=name, source=uri, destination=path)
        return self.ProcessingInput(
            input_name=name,
            app_managed=False,
            s3_input=self.ProcessingS3Input(
                s3_uri=uri,
                local_path=path,
                s3_data_type="S3Prefix",
                s3_input_mode="File",
                s3_data_distribution_type="FullyReplicated",
                s3_compression_type="None",
            ),
        )

    def output(self, name: str, uri: Any, path: str) -> Any:
        """An output of a processor's run."""
        if installed() == "2":
            return self.ProcessingOutput(output_name=name, source=path, destination=uri)
        stored = self.ProcessingS3Output(s3_uri=uri, local_path=path, s3_upload_mode="EndOfJob")
        return self.ProcessingOutput(output_name=name, app_managed=False, s3_output=stored)

    def step(
        self,
        name: str,
        inputs: list[Any] | None = None,
        outputs: list[Any] | None = None,
        processor: Any = None,
        **options: Any,
    ) -> Any:
        """A processing step of the SDK alone."""
        processor = processor or self.Processor(
            role="arn:aws:iam::123456789012:role/pipelines",
            image_uri="123456789012.dkr.ecr.us-west-2.amazonaws.com/theirs:1",
            instance_count=1,
            instance_type="ml.m5.large",
            sagemaker_session=self.session,
        )
        run = processor.run(inputs=inputs or [], outputs=outputs or [])
        return self.ProcessingStep(name, step_args=run, **options)
