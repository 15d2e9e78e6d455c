"""How a step's job runs: image, role, machine, network, keys, tags, caching, retries.

Goes in: keyword arguments or JSON, and the environment (MIMS_IMAGE_URI, MIMS_ROLE_ARN,
MIMS_BUCKET), which stands in for what is not given. Comes out: `JobSettings`. Nothing is guessed:
an image, a role or a bucket that nobody named is an error.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from mims.errors import InputError
from mims.pipeline.references import default_of, is_variable

if TYPE_CHECKING:
    from collections.abc import Mapping

STAND_INS = {"image_uri": "MIMS_IMAGE_URI", "role": "MIMS_ROLE_ARN", "bucket": "MIMS_BUCKET"}


def _text_or_variable(value: Any) -> Any:
    told = default_of(value)
    if not (is_variable(told) or (isinstance(told, str) and told.strip())):
        raise ValueError("must be a text that is not empty, or a pipeline variable")
    return value


def _count_or_variable(value: Any) -> Any:
    told = default_of(value)
    if not is_variable(told) and (type(told) is not int or told < 1):
        raise ValueError("must be a whole number of at least 1, or a pipeline variable")
    return value


def _instance_type(value: Any) -> Any:
    told = default_of(value)
    if not is_variable(told) and not str(told).startswith("ml."):
        raise ValueError("must start with 'ml.', such as ml.m5.large, or be a pipeline variable")
    return value


def _bucket(value: Any) -> Any:
    told = default_of(value)
    if isinstance(told, str) and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", told):
        raise ValueError("must be a bucket's name alone, such as my-models, or a pipeline variable")
    return value


def _prefix(value: str) -> str:
    if not value or "" in value.split("/"):
        raise ValueError("must be a path such as teams/fraud, without / at its ends")
    return value


def _duration(value: str) -> str:
    if not re.fullmatch(r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?", value):
        raise ValueError("must be an ISO 8601 duration, such as P30D or PT12H")
    return value


Text = Annotated[Any, AfterValidator(_text_or_variable)]
Count = Annotated[Any, AfterValidator(_count_or_variable)]
InstanceType = Annotated[Any, AfterValidator(_instance_type)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Cache(_Settings):
    """Whether a step may be answered by an earlier execution's, if nothing it reads has changed."""

    enabled: bool = True
    expire_after: Annotated[str, AfterValidator(_duration)] | None = None
    """an ISO 8601 duration, such as P30D"""

    @property
    def config(self) -> dict[str, Any]:
        """What stands in the step's entry."""
        rest = {"ExpireAfter": self.expire_after} if self.expire_after else {}
        return {"CacheConfig": {"Enabled": self.enabled, **rest}}


class RetryPolicy(_Settings):
    """When and how often the service runs a step again."""

    exception_types: tuple[
        Literal[
            "Step.SERVICE_FAULT",
            "Step.THROTTLING",
            "SageMaker.JOB_INTERNAL_ERROR",
            "SageMaker.CAPACITY_ERROR",
            "SageMaker.RESOURCE_LIMIT",
        ],
        ...,
    ] = Field(min_length=1)
    interval_seconds: Annotated[int, Field(ge=1)] = 1
    backoff_rate: Annotated[float, Field(ge=0)] = 2.0
    max_attempts: Annotated[int, Field(ge=1, le=20)] | None = None
    expire_after_mins: Annotated[int, Field(ge=1, le=14_400)] | None = None

    @model_validator(mode="after")
    def _has_one_end(self) -> Self:
        if (self.max_attempts is None) == (self.expire_after_mins is None):
            raise ValueError("must end by max_attempts or by expire_after_mins, one of them")
        return self

    def to_request(self) -> dict[str, Any]:
        """The policy as the definition writes it."""
        end = {"MaxAttempts": self.max_attempts, "ExpireAfterMin": self.expire_after_mins}
        return {
            "ExceptionType": list(self.exception_types),
            "IntervalSeconds": self.interval_seconds,
            "BackoffRate": self.backoff_rate,
            **{key: value for key, value in end.items() if value is not None},
        }


class JobSettings(_Settings):
    """How a step's job runs. A text may be a pipeline variable, such as a parameter."""

    def __init__(self, *, environ: Mapping[str, str] = os.environ, **values: Any) -> None:
        """Check settings, the environment standing in for what is not given.

        Raises:
            InputError: with every problem, each with the setting's name.

        """
        given = {name: environ[v] for name, v in STAND_INS.items() if environ.get(v)}
        try:
            super().__init__(**{**given, **values})
        except ValidationError as error:
            raise InputError(*map(_in_plain_words, error.errors(include_url=False))) from error

    image_uri: Text
    """the MIMS image in ECR; `MIMS_IMAGE_URI` may stand for it"""
    role: Text
    """the ARN of the job's role; `MIMS_ROLE_ARN` may stand for it"""
    bucket: Annotated[Text, AfterValidator(_bucket)]
    """the bucket for outputs and configs; `MIMS_BUCKET` may stand for it"""
    prefix: Annotated[str, AfterValidator(_prefix)] = "mims"
    """what the keys of outputs and configs begin with"""
    instance_type: InstanceType = "ml.m5.large"
    """the machine that the job runs on"""
    volume_size_in_gb: Count = 30
    """its disk, in GB: the model's size three times is enough"""
    max_runtime_in_seconds: Count = 3600
    """when the service stops the job"""
    volume_kms_key: Text | None = None
    """the key that its disk is encrypted with"""
    output_kms_key: Text | None = None
    """the key that outputs and configs are encrypted with"""
    network_isolation: bool | None = None
    """no network; by default for packages and payloads, never for registration, which needs AWS"""
    subnets: tuple[Text, ...] = ()
    """the VPC's subnets that the job runs in"""
    security_group_ids: tuple[Text, ...] = ()
    """and its security groups"""
    environment: dict[str, Any] = {}
    """more of the container's environment"""
    tags: dict[str, Text] = {}
    """the job's tags"""
    entry_point: tuple[Text, ...] | None = None
    """another command than the script in the image, for a container of your own"""
    cache: Cache | None = None
    """whether an earlier execution's result will do; for packages and payloads"""
    retries: tuple[RetryPolicy, ...] = (
        RetryPolicy(
            exception_types=("Step.SERVICE_FAULT", "Step.THROTTLING"),
            interval_seconds=10,
            max_attempts=5,
        ),
    )
    """when the service runs the job again; else up to 5 times after a fault of the service's own"""

    @model_validator(mode="after")
    def _a_vpc_is_whole(self) -> Self:
        if bool(self.subnets) != bool(self.security_group_ids):
            raise ValueError("subnets and security_group_ids go together")
        return self


def _in_plain_words(found: Any) -> str:
    name = ".".join(map(str, found["loc"])) or "job settings"
    if found["type"] == "missing" and name in STAND_INS:
        return f"{name}: must be given, or {STAND_INS[name]} must be set"
    if found["type"] == "extra_forbidden":
        return f"{name}: unknown; known are {', '.join(JobSettings.model_fields)}"
    return f"{name}: {found['msg'].removeprefix('Value error, ')}"
