"""The config that MIMS is given with a model. Pure: a submission in, a dict that is JSON out.

Keys go by the names that MIMS pipelines use, which are `forms.ALIASES` read backwards, and by those
of the contract's document; with them the variable schema that the step's document gives, and what
tells where it all came from: artifacts that stay, with their digests.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from mims.registration.parameters import variable_schema

if TYPE_CHECKING:
    from mims.registration.backends.base import Submission
    from mims.registration.storage import Location, Stored


def mims_config(submission: Submission, payload_at: Location | None) -> dict[str, Any]:
    """Make the `config` of `register_model`; the load test's sample lies at `payload_at`."""
    config, region = submission.config, submission.region
    artifacts = {
        "model": submission.model,
        "variable_schema": submission.schema,
        "payload": submission.payload,
        "performance_metadata": submission.metadata,
    }
    made = {
        "model_name": config.group,
        "model_version": config.model_version,
        "framework": config.framework,
        "inference_config": {
            "instance_type": config.inference_instance_type,
            "initial_instance_count": config.initial_instance_count,
        },
        "tags": config.tags or None,
        "model_owner": config.model_owner,
        "model_domain": config.model_registration_domain,
        "model_objective": config.model_registration_objective,
        "model_registration_region": region,
        "source_model_region": config.source_model_region or region,
        "source_model_inference_image_arn": config.image(region),
        "source_model_inference_content_types": config.source_model_inference_content_types,
        "source_model_inference_response_types": config.source_model_inference_response_types,
        "source_model_inference_input_variable_list": _plain(
            config.source_model_inference_input_variable_list
        ),
        "source_model_inference_output_variable_list": _plain(
            config.source_model_inference_output_variable_list
        ),
        "source_model_environment_variable_map": config.container_environment(region),
        "load_testing_info_map": _load_testing(submission, payload_at),
        "variable_schema": variable_schema(config),
        "artifacts": {name: _whence(stored) for name, stored in artifacts.items() if stored},
    }
    return {key: value for key, value in made.items() if value is not None}


def request_sha256(submission: Submission) -> str:
    """The digest by which two requests are told apart, wherever a run puts its temporary files."""
    text = json.dumps(mims_config(submission, None), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(variables: dict[Any, Any]) -> dict[str, str]:
    return {name: str(kind) for name, kind in variables.items()}


def _whence(stored: Stored) -> dict[str, str]:
    return {"uri": stored.uri, "sha256": stored.artifact.sha256}


def _load_testing(submission: Submission, payload_at: Location | None) -> dict[str, Any] | None:
    """What the config says, its gaps filled: our payload, the config's instance type."""
    told = submission.config.load_testing
    if told is None:
        return None
    made = told.model_dump(exclude_none=True)
    made.setdefault("instance_type_list", [submission.config.inference_instance_type])
    if payload_at is not None and told.sample_payload_s3_key is None:
        made["sample_payload_s3_bucket"], made["sample_payload_s3_key"] = payload_at
    return made
