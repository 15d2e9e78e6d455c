"""The request that makes a version in SageMaker Model Registry. Pure: a submission in, a dict out.

The container's environment is what SageMaker's framework containers read; the metadata is what
an operator looks for: who, which workflow execution, which bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from collections.abc import Collection

    from mims.registration.backends.base import Submission
    from mims.registration.config import RegistrationConfig

REQUEST_DIGEST = "request_sha256"  # the metadata property that tells two requests apart
_NAMESPACE = UUID("5f0c3c7e-6d0b-5c1e-9a55-4f7e3a3d1b6a")
_CODE = "/opt/ml/model/code"
_FRAMEWORKS = {  # as Inference Recommender spells them
    "xgboost": "XGBOOST",
    "sklearn": "SAGEMAKER-SCIKIT-LEARN",
    "pytorch": "PYTORCH",
    "tensorflow": "TENSORFLOW",
}


def identity(submission: Submission) -> str:
    """What makes two submissions one registration: group, region, workflow execution, bytes."""
    payload = submission.payload.artifact.sha256 if submission.payload else ""
    parts = (
        submission.config.group,
        submission.region,
        submission.workflow_id,
        submission.model.artifact.sha256,
        payload,
    )
    return str(uuid5(_NAMESPACE, "\n".join(parts)))


def client_token(submission: Submission, failures: int) -> str:
    """The token by which SageMaker knows a repeated request; a new one after each that failed."""
    known = identity(submission)
    return str(uuid5(UUID(known), str(failures))) if failures else known


def model_package(submission: Submission, transform_types: Collection[str]) -> dict[str, Any]:
    """Parameters of CreateModelPackage, but for the client token."""
    config = submission.config
    version = f" {config.model_version}" if config.model_version else ""
    request: dict[str, Any] = {
        "ModelPackageGroupName": config.group,
        "ModelPackageDescription": (
            f"{config.model_registration_objective}{version}, workflow execution "
            f"{submission.workflow_id}, registration {identity(submission)}"
        ),
        "InferenceSpecification": _inference(submission, transform_types),
        "Domain": config.sagemaker_domain,
        "Task": config.sagemaker_task,
        "ModelApprovalStatus": "PendingManualApproval",
        "CustomerMetadataProperties": _metadata(submission),
    }
    if submission.payload:
        request["SamplePayloadUrl"] = submission.payload.uri
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    request["CustomerMetadataProperties"][REQUEST_DIGEST] = digest
    return request


def _inference(submission: Submission, transform_types: Collection[str]) -> dict[str, Any]:
    config = submission.config
    specification = {
        "Containers": [_container(submission, config)],
        "SupportedContentTypes": config.source_model_inference_content_types,
        "SupportedResponseMIMETypes": config.source_model_inference_response_types,
        "SupportedRealtimeInferenceInstanceTypes": [config.inference_instance_type],
    }
    # ml.t2.medium, say, is for endpoints alone.
    if config.inference_instance_type in transform_types:
        specification["SupportedTransformInstanceTypes"] = [config.inference_instance_type]
    return specification


def _container(submission: Submission, config: RegistrationConfig) -> dict[str, Any]:
    container = {
        "Image": config.image(submission.region),
        "ModelDataUrl": submission.model.uri,
        "Framework": _FRAMEWORKS[config.framework],
        "Environment": {
            "SAGEMAKER_PROGRAM": config.inference_entry_point,
            "SAGEMAKER_SUBMIT_DIRECTORY": _CODE,
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "SAGEMAKER_REGION": submission.region,
        },
    }
    if config.framework_version:
        container["FrameworkVersion"] = config.framework_version
    return container


def _metadata(submission: Submission) -> dict[str, str]:
    """At most 50 properties; the config holds each value to what SageMaker takes."""
    config = submission.config
    properties = {
        "workflow_execution_id": submission.workflow_id,
        "model_owner": config.model_owner,
        "model_registration_domain": config.model_registration_domain,
        "model_registration_objective": config.model_registration_objective,
        "model_sha256": submission.model.artifact.sha256,
        "variable_schema_uri": submission.schema.uri,
        "initial_instance_count": str(config.initial_instance_count),
    }
    if config.model_version:
        properties["model_version"] = config.model_version
    if submission.payload:
        properties["payload_sha256"] = submission.payload.artifact.sha256
    if submission.metadata:
        properties["performance_metadata_uri"] = submission.metadata.uri
    return properties
