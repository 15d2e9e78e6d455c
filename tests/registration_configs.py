"""Registration configs that several tests parse, and how they do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mims.errors import InputError
from mims.registration.config import parse_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.registration.config import RegistrationConfig

ENVIRON = {"AWS_REGION": "us-west-2", "MIMS_BUCKET": "mims-models"}
OBJECTIVE = {"model_registration_objective": "FraudDetection"}
STEP_FORM = {
    "framework": "xgboost",
    "inference_instance_type": "ml.m5.large",
    "model_owner": "my-team-id",
    "model_registration_domain": "BuyerSellerMessaging",
    "model_registration_objective": "FraudDetection",
    "source_model_inference_content_types": ["text/csv"],
    "source_model_inference_response_types": ["application/json"],
    "source_model_inference_output_variable_list": {
        "fraud_score": "NUMERIC",
        "risk_category": "TEXT",
    },
    "source_model_inference_input_variable_list": {
        "account_age": "NUMERIC",
        "transaction_count": "NUMERIC",
        "country_code": "TEXT",
    },
}
STEP_SCHEMA = {
    "input": {
        "variables": [
            {"name": "account_age", "type": "NUMERIC"},
            {"name": "transaction_count", "type": "NUMERIC"},
            {"name": "country_code", "type": "TEXT"},
        ]
    },
    "output": {
        "variables": [
            {"name": "fraud_score", "type": "NUMERIC"},
            {"name": "risk_category", "type": "TEXT"},
        ]
    },
}
STEP_DEFAULTS = {  # the step's document's
    "framework": "xgboost",
    "inference_instance_type": "ml.m5.large",
    "inference_entry_point": "inference.py",
    "model_owner": "team id",
    "model_registration_domain": "BuyerSellerMessaging",
    "source_model_inference_content_types": ["text/csv"],
    "source_model_inference_response_types": ["application/json"],
    "source_model_inference_output_variable_list": {"legacy-score": "NUMERIC"},
    "source_model_inference_input_variable_list": {},
}
CONTRACT_FORM = {
    "model_name": "my-model",
    "model_version": "1.0.0",
    "framework": "xgboost",
    "inference_config": {"instance_type": "ml.t2.medium", "initial_instance_count": 1},
    "tags": {"environment": "production", "team": "ml-team"},
}
PIPELINE_FORM = {  # what pipelines put into the step's execution document today
    "model_domain": "BuyerSellerMessaging",
    "model_objective": "FraudDetection",
    "source_model_inference_content_types": ["text/csv"],
    "source_model_inference_response_types": ["application/json"],
    "source_model_inference_input_variable_list": [["account_age", "NUMERIC"]],
    "source_model_inference_output_variable_list": {"legacy-score": "NUMERIC"},
    "model_registration_region": "NA",
    "source_model_inference_image_arn": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1",
    "source_model_region": "us-east-1",
    "model_owner": "my-team-id",
    "source_model_environment_variable_map": {
        "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
        "SAGEMAKER_PROGRAM": "serve.py",
        "SAGEMAKER_REGION": "us-east-1",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    },
    "load_testing_info_map": {
        "sample_payload_s3_bucket": "mims-payloads",
        "sample_payload_s3_key": "fraud/payload.tar.gz",
        "expected_tps": 2,
        "max_latency_in_millisecond": 800,
        "instance_type_list": ["ml.m5.large"],
        "max_acceptable_error_rate": 0.2,
    },
}


def parse(raw: Mapping[str, Any], environ: Mapping[str, str] = ENVIRON) -> RegistrationConfig:
    return parse_config(raw, environ)


def problems(raw: Mapping[str, Any], environ: Mapping[str, str] = ENVIRON) -> tuple[str, ...]:
    with pytest.raises(InputError) as error:
        parse_config(raw, environ)
    return error.value.problems
