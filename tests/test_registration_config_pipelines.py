"""The registration config as existing pipelines write it: their names for our keys."""

from __future__ import annotations

from typing import Any

import pytest

from registration_configs import CONTRACT_FORM, OBJECTIVE, PIPELINE_FORM, parse, problems

LATENCY = {"max_latency_in_millisecond": 1}


def test_a_pipelines_config_means_the_same_in_our_words() -> None:
    ours = {
        "model_registration_domain": "BuyerSellerMessaging",
        "model_registration_objective": "FraudDetection",
        "model_owner": "my-team-id",
        "source_model_inference_input_variable_list": {"account_age": "NUMERIC"},
        "regions": ["us-east-1"],
        "image_uri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1",
        "source_model_region": "us-east-1",
        "inference_entry_point": "serve.py",
        "environment": {"SAGEMAKER_CONTAINER_LOG_LEVEL": "20"},
        "load_testing": PIPELINE_FORM["load_testing_info_map"],
    }
    assert parse(PIPELINE_FORM) == parse(ours)


def test_the_load_test_as_their_documentation_has_it() -> None:
    theirs = {
        "samplePayloadS3Bucket": "mods-personal-bucket",
        "samplePayloadS3Key": "sample_payload.csv",
        "expectedTPS": "2000",
        "maxLatencyInMillisecond": "50",
        "instanceTypeList": ["ml.m5.xlarge", "ml.m5d.2xlarge"],
        "maxAcceptableErrorRate": "0.01",
    }
    told = parse({**OBJECTIVE, "load_testing_info_map": theirs}).load_testing
    assert told is not None
    assert told.model_dump() == {
        "expected_tps": 2000,
        "max_latency_in_millisecond": 50,
        "max_acceptable_error_rate": 0.01,
        "instance_type_list": ["ml.m5.xlarge", "ml.m5d.2xlarge"],
        "sample_payload_s3_bucket": "mods-personal-bucket",
        "sample_payload_s3_key": "sample_payload.csv",
    }


@pytest.mark.parametrize("regions", ["us-west-2", ["us-west-2", "eu-west-1"]])
def test_their_region_is_a_name_or_a_list(regions: Any) -> None:
    theirs = parse({**OBJECTIVE, "model_registration_region": regions})
    assert theirs == parse({**OBJECTIVE, "regions": regions})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        # Told twice, differently: which one counts?
        (
            {**OBJECTIVE, "model_objective": "Spam"},
            "model_objective: is 'Spam', but model_registration_objective is 'FraudDetection': giv",
        ),
        (
            {**OBJECTIVE, "model_domain": "A", "model_registration_domain": "B"},
            "model_domain: is 'A', but model_registration_domain is 'B': give one",
        ),
        (
            {**OBJECTIVE, "model_registration_region": "EU", "regions": ["us-west-2"]},
            "model_registration_region: is 'EU', but regions is ['us-west-2']: give one",
        ),
        (
            {**OBJECTIVE, "source_model_inference_image_arn": "a", "image_uri": "b"},
            "source_model_inference_image_arn: is 'a', but image_uri is 'b': give one",
        ),
        (
            {
                **OBJECTIVE,
                "source_model_environment_variable_map": {"A": "1"},
                "environment": {"A": "2"},
            },
            "source_model_environment_variable_map: is not the same as environment: give one",
        ),
        (
            {**OBJECTIVE, "load_testing": {"expectedTPS": 1, "expected_tps": 2, **LATENCY}},
            "load_testing.expectedTPS: is 1, but load_testing.expected_tps is 2: give one",
        ),
        # What is wrong is named as the user wrote it.
        ({"model_objective": "a#b"}, "model_objective: must be at most 256 letters, digits, spac"),
        ({**CONTRACT_FORM, "model_name": "a" * 64}, "model_name: must be at most 63 letters, dig"),
        ({**OBJECTIVE, "model_domain": 1}, "model_domain: must be text, not 1"),
        (
            {**OBJECTIVE, "model_registration_region": "Oregon"},
            "model_registration_region: must be a region such as us-west-2, not 'Oregon'",
        ),
        (
            {**OBJECTIVE, "model_registration_region": ["us-west-2", "Oregon"]},
            "model_registration_region[1]: must be a region such as us-west-2, not 'Oregon'",
        ),
        (
            {**OBJECTIVE, "source_model_inference_image_arn": "my image"},
            "source_model_inference_image_arn: must be an image URI, not 'my image'",
        ),
        (
            {**OBJECTIVE, "source_model_environment_variable_map": {"A-B": "1"}},
            "source_model_environment_variable_map.A-B: must be a variable's name: ",
        ),
        (
            {**OBJECTIVE, "load_testing_info_map": {"expectedTPS": "fast", **LATENCY}},
            "load_testing_info_map.expectedTPS: must be a whole number, not 'fast'",
        ),
        (
            {**OBJECTIVE, "load_testing_info_map": {"expectedTPS": 1}},
            "load_testing_info_map.max_latency_in_millisecond: must be given",
        ),
    ],
)
def test_one_problem(raw: dict[str, Any], expected: str) -> None:
    (problem,) = problems(raw)
    assert problem.startswith(f"config {expected}")


def test_told_twice_the_same_is_no_problem() -> None:
    assert parse({**OBJECTIVE, "model_objective": "FraudDetection"}) == parse(OBJECTIVE)
