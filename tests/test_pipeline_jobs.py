"""How jobs run: nothing is guessed, and every problem is named at once."""

from __future__ import annotations

from typing import Any

import pytest

from mims.errors import InputError
from mims.pipeline.jobs import JobSettings, RetryPolicy
from mims.pipeline.references import Parameter

NAMED = {"image_uri": "mims:1", "role": "arn:aws:iam::123456789012:role/jobs", "bucket": "models"}


def test_the_environment_stands_in() -> None:
    environ = {"MIMS_IMAGE_URI": "mims:1", "MIMS_ROLE_ARN": "role", "MIMS_BUCKET": "models"}
    job = JobSettings(environ=environ, bucket="others")
    assert (job.image_uri, job.role, job.bucket) == ("mims:1", "role", "others")


def test_what_nobody_named_is_not_guessed() -> None:
    with pytest.raises(InputError) as refused:
        JobSettings(environ={"MIMS_ROLE_ARN": ""})
    assert refused.value.problems == (
        "image_uri: must be given, or MIMS_IMAGE_URI must be set",
        "role: must be given, or MIMS_ROLE_ARN must be set",
        "bucket: must be given, or MIMS_BUCKET must be set",
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"instance_type": "m5.large"}, "instance_type: must start with 'ml.'"),
        # what a parameter is, unless an execution says otherwise
        ({"instance_type": Parameter("Type", "m5.large")}, "instance_type: must start with 'ml.'"),
        ({"volume_size_in_gb": Parameter("Size", "30")}, "volume_size_in_gb: must be a whole"),
        ({"bucket": Parameter("Bucket", "s3://models/")}, "bucket: must be a bucket's name alone"),
        ({"volume_size_in_gb": 0}, "volume_size_in_gb: must be a whole number of at least 1"),
        ({"volume_size_in_gb": True}, "volume_size_in_gb: must be a whole number"),
        ({"image_uri": " "}, "image_uri: must be a text that is not empty"),
        ({"bucket": "s3://models/"}, "bucket: must be a bucket's name alone"),
        ({"prefix": "/teams/"}, "prefix: must be a path such as teams/fraud"),
        ({"prefix": ""}, "prefix: must be a path such as teams/fraud"),
        ({"cache": {"expire_after": "30 days"}}, "cache.expire_after: must be an ISO 8601"),
        ({"cache": {"expire_after": "PT"}}, "cache.expire_after: must be an ISO 8601"),
        ({"subnets": ("subnet-1",)}, "subnets and security_group_ids go together"),
        ({"instance": "ml.m5.large"}, "instance: unknown; known are image_uri, role"),
        ({"retries": [{"exception_types": ["Step.SERVICE_FAULT"]}]}, "retries.0: must end by"),
        ({"retries": [{"exception_types": ["Oops"], "max_attempts": 2}]}, "Step.SERVICE_FAULT"),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        JobSettings(environ={}, **{**NAMED, **values})
    assert message in str(refused.value)


def test_variables_stand_for_texts_and_numbers() -> None:
    job = JobSettings(
        environ={},
        **{
            **NAMED,
            "instance_type": Parameter("Type"),
            "volume_size_in_gb": {"Get": "Parameters.Size"},
        },
    )
    assert (job.instance_type, job.volume_size_in_gb) == (
        Parameter("Type"),
        {"Get": "Parameters.Size"},
    )


def test_a_retry_has_one_end() -> None:
    with pytest.raises(ValueError, match="must end by"):
        RetryPolicy(exception_types=("Step.THROTTLING",), max_attempts=2, expire_after_mins=5)


def test_a_parameters_default_has_a_type() -> None:
    with pytest.raises(InputError, match="parameter Regions: its default must be a text"):
        Parameter("Regions", ["us-west-2"])  # type: ignore[arg-type]
