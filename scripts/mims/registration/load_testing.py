"""What the registry is to know for its load test of a model: `load_testing_info_map`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mims.registration.parameters import BucketName, InstanceType, Rule
from mims.text import listed, repeated

_KEY = Rule(
    "an object's key of at most 1024 bytes",
    lambda key: 0 < len(key.encode()) <= 1024,
    {"minLength": 1, "maxLength": 1024},
)
_SOME_TYPES = Rule(
    "a list of instance types, none twice",
    lambda types: types and not repeated(types),
    {"minItems": 1, "uniqueItems": True},
)


def _number(value: Any) -> Any:
    """Take `"100"` for 100, as pipelines write it."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}\.[0-9]{1,9}", value):
        return float(value)
    return value


_Count = Annotated[
    int,
    Field(strict=True, ge=1),
    BeforeValidator(
        _number,
        json_schema_input_type=Annotated[int, Field(ge=1)]
        | Annotated[str, Field(pattern="^[0-9]{1,9}$")],
    ),
]
_Share = Annotated[
    float,
    Field(strict=True, ge=0, le=1),
    BeforeValidator(
        _number,
        json_schema_input_type=Annotated[float, Field(ge=0, le=1)]
        | Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?$")],
    ),
]


class LoadTesting(BaseModel):
    """A load test: what to send, how often, to what, and what is still good."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    expected_tps: _Count
    """requests a second"""
    max_latency_in_millisecond: _Count
    """the longest that an answer may take"""
    max_acceptable_error_rate: _Share | None = None
    """the share of requests that may fail, from 0 to 1"""
    instance_type_list: Annotated[list[InstanceType], _SOME_TYPES] | None = None
    """instance types to test on; else the config's own"""
    sample_payload_s3_bucket: BucketName | None = None
    """bucket of the sample payload; else the payload of this registration is sent"""
    sample_payload_s3_key: Annotated[str, _KEY] | None = None
    """key of the sample payload in that bucket"""

    @model_validator(mode="after")
    def _a_whole_place(self) -> LoadTesting:
        if (self.sample_payload_s3_bucket is None) != (self.sample_payload_s3_key is None):
            names = listed(["sample_payload_s3_bucket", "sample_payload_s3_key"])
            raise ValueError(f"names half a place: give {names}, or neither")
        return self
