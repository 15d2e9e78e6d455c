"""The request that makes a version in SageMaker Model Registry. Pure: a submission in, a dict out.

The container's environment is what SageMaker's framework containers read; the metadata is what
an operator looks for: who, which workflow execution, which bytes. A version begins its life in
Development, pending approval; SageMaker validates it, always.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from mims import __version__
from mims.registration.backends.card import model_card
from mims.registration.backends.evidence import sources
from mims.registration.backends.limits import violations
from mims.registration.parameters import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from botocore.model import Shape

    from mims.registration.backends.base import Submission
    from mims.registration.config import RegistrationConfig

SETTINGS_DIGEST = "settings_sha256"  # the metadata property that tells two users' wishes apart
_NAMESPACE = UUID("5f0c3c7e-6d0b-5c1e-9a55-4f7e3a3d1b6a")
_FRAMEWORKS = {  # as Inference Recommender spells them
    "xgboost": "XGBOOST",
    "sklearn": "SAGEMAKER-SCIKIT-LEARN",
    "pytorch": "PYTORCH",
    "tensorflow": "TENSORFLOW",
}
# The first of the stages that SageMaker Studio knows, and its word for what comes next.
_LIFE_CYCLE = {"Stage": "Development", "StageStatus": "PendingApproval"}
# Keys of the config that no version shows; the group's name is part of the identity.
_NOT_OF_THE_VERSION = {
    *("model_name", "tags", "group_description", "regions", "bucket_owner", "source_dir"),
    *("backends", "load_testing", "source_model_region"),
}
_BY_REGION = {"bucket", "kms_key", "image_uri"}  # of which the region's own counts
_VARIABLES = (
    "source_model_inference_input_variable_list",
    "source_model_inference_output_variable_list",
)
_INFERENCE, _CONTAINER = "InferenceSpecification", "InferenceSpecification.Containers[0]"
_PROPERTIES = "CustomerMetadataProperties"
_COMPARED = (_INFERENCE, "Domain", "Task", "SecurityConfig", "ModelMetrics", _PROPERTIES)
_SECRETS = (f"{_CONTAINER}.Environment", "ModelCard")  # which no message quotes
# What a user wrote, by where it stands in the request; the longest that fits.
_CAUSES = {
    "ModelPackageGroupName": "config model_name",
    "ModelPackageDescription": "config model_registration_objective",
    "Domain": "config sagemaker_domain",
    "Task": "config sagemaker_task",
    "SamplePayloadUrl": "config bucket",
    "SecurityConfig": "config kms_key",
    "ModelMetrics": "input metadata",
    "DriftCheckBaselines": "input metadata",
    f"{_CONTAINER}.Image": "config image_uri",
    f"{_CONTAINER}.ModelDataUrl": "config bucket",
    f"{_CONTAINER}.Framework": "config framework",
    f"{_CONTAINER}.FrameworkVersion": "config framework_version",
    f"{_CONTAINER}.Environment": "config environment",
    f"{_CONTAINER}.Environment.SAGEMAKER_PROGRAM": "config inference_entry_point",
    f"{_INFERENCE}.SupportedContentTypes": "config source_model_inference_content_types",
    f"{_INFERENCE}.SupportedResponseMIMETypes": "config source_model_inference_response_types",
    f"{_INFERENCE}.SupportedRealtimeInferenceInstanceTypes": "config inference_instance_type",
    f"{_INFERENCE}.SupportedTransformInstanceTypes": "config inference_instance_type",
    f"{_PROPERTIES}.workflow_execution_id": "MODS_WORKFLOW_EXECUTION_ID",
    f"{_PROPERTIES}.model_owner": "config model_owner",
    f"{_PROPERTIES}.model_version": "config model_version",
    f"{_PROPERTIES}.model_registration_domain": "config model_registration_domain",
    f"{_PROPERTIES}.model_registration_objective": "config model_registration_objective",
    f"{_PROPERTIES}.initial_instance_count": "config initial_instance_count",
    f"{_PROPERTIES}.performance_metadata": "input metadata",
    f"{_PROPERTIES}.variable_schema_sha256": "config's variable lists",
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


def settings_digest(submission: Submission) -> str:
    """SHA-256 of what the user chose for the version, and of nothing that this tool adds.

    A newer release, with more in its requests, with more keys in its config or with a newer
    serving image, gives the same digest for the same wishes.
    """
    config = submission.config
    chosen = config.model_dump(
        mode="json", exclude_defaults=True, exclude=_NOT_OF_THE_VERSION | _BY_REGION
    )
    if "framework_version" not in config.model_fields_set:
        chosen.pop("framework_version", None)
    for name in _VARIABLES:  # their order counts
        chosen[name] = list(chosen.get(name, {}).items())
    chosen["bucket"] = config.bucket[submission.region]
    chosen["kms_key"] = config.kms_key.get(submission.region)
    chosen["image_uri"] = config.image_uri.get(submission.region)
    if submission.metadata:
        chosen["metadata"] = [submission.metadata.uri, submission.metadata.artifact.sha256]
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


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
        "ModelLifeCycle": _LIFE_CYCLE,
        "ModelCard": model_card(submission),
        "CustomerMetadataProperties": _properties(submission),
        **sources(submission),
    }
    if submission.payload:
        request["SamplePayloadUrl"] = submission.payload.uri
    if submission.region in config.kms_key:
        request["SecurityConfig"] = {"KmsKeyId": config.kms_key[submission.region]}
    return request


def source_uri(submission: Submission, shape: Shape) -> str:
    """Where the model comes from: the S3 object that the job's input is, else the stored one.

    A version takes it after it was made: CreateModelPackage has no place for both a source and an
    inference specification. An S3 key may hold what a SourceUri may not, such as =.
    """
    origin = submission.model.artifact.origin
    known = origin and not [*violations(shape, origin.uri)]
    return origin.uri if origin and known else submission.model.uri


def problems(request: Mapping[str, Any], shape: Shape | None) -> list[str]:
    """What SageMaker would refuse in a request, each by the name of what the user wrote."""
    found = []
    for path, value, must in violations(shape, request) if shape else ():
        quoted = "" if value is None or path.startswith(_SECRETS) else f"{shown(value)} "
        found.append(f"{cause(path) or path}: {quoted}{must} ({path} of CreateModelPackage)")
    return found


def changes(found: Mapping[str, Any], request: Mapping[str, Any]) -> list[str]:
    """What the user wrote otherwise when a version was made, as far as it shows."""
    compared = {name: request[name] for name in _COMPARED if name in request}
    causes = (cause(path) for path in _differing(found, compared, ""))
    return list(dict.fromkeys(name for name in causes if name))


def cause(path: str) -> str:
    """What the user wrote that stands at a path of the request; empty for what is not his."""
    fitting = [start for start in _CAUSES if path.startswith(start)]
    return _CAUSES[max(fitting, key=len)] if fitting else ""


def _differing(found: Any, wanted: Any, path: str) -> Iterator[str]:
    """Yield the paths of what both have and is not the same."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in (key for key in wanted if key in found):
            yield from _differing(found[key], wanted[key], f"{path}.{key}" if path else key)
    elif path == f"{_INFERENCE}.Containers":
        yield from _differing(found[0], wanted[0], _CONTAINER)
    elif found != wanted:
        yield path


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
        "Environment": config.container_environment(submission.region),
    }
    if config.framework_version:
        container["FrameworkVersion"] = config.framework_version
    return container


def _properties(submission: Submission) -> dict[str, str]:
    """At most 50; the config holds each value to what SageMaker takes."""
    config = submission.config
    metadata = submission.metadata
    properties = {
        "workflow_execution_id": submission.workflow_id,
        "processing_job_arn": submission.job_arn,
        "model_owner": config.model_owner,
        "model_version": config.model_version,
        "model_registration_domain": config.model_registration_domain,
        "model_registration_objective": config.model_registration_objective,
        "model_sha256": submission.model.artifact.sha256,
        "payload_sha256": submission.payload.artifact.sha256 if submission.payload else None,
        "variable_schema_uri": submission.schema.uri,
        "variable_schema_sha256": submission.schema.artifact.sha256,
        "performance_metadata_uri": metadata.uri if metadata else None,
        "performance_metadata_sha256": metadata.artifact.sha256 if metadata else None,
        "initial_instance_count": str(config.initial_instance_count),
        "registered_by": f"mims {__version__}",
        SETTINGS_DIGEST: settings_digest(submission),
    }
    return {name: value for name, value in properties.items() if value}
