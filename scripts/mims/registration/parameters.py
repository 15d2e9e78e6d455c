"""The registration step's parameters, their defaults and rules: mims_registration_step.md.

Shared by whoever takes them: the registration job's config here, a pipeline's step config. Each
rule says what is allowed and what was given.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationInfo,
    field_validator,
)

from mims.contracts import CSV, JSON
from mims.registration.images import Framework  # noqa: TC001 - pydantic reads it
from mims.text import listed, printable

if TYPE_CHECKING:
    from collections.abc import Callable

METADATA_RULE = "at most 256 letters, digits, spaces and _.:/=+-@"


class VariableType(StrEnum):
    """What a model's input or output variable holds."""

    NUMERIC = "NUMERIC"
    TEXT = "TEXT"


def must_be(allowed: str, check: Callable[[Any], object]) -> Callable[[Any], Any]:
    """Make a rule: it passes a value on, or raises ValueError where `check` finds it wrong."""

    def rule(value: Any) -> Any:
        if not check(value):
            raise ValueError(f"must be {allowed}, not {shown(value)}")
        return value

    return rule


def shown(value: Any) -> str:
    """A value as an error quotes it: safe and short."""
    text = printable(repr(value))
    return text if len(text) <= 100 else text[:99] + "…"


def fits_metadata(text: str) -> bool:
    """Whether SageMaker takes a text as the value of a metadata property or a tag."""
    return len(text) <= 256 and all(
        unicodedata.category(c)[0] in "LZN" or c in "_.:/=+-@" for c in text
    )


def _pairs_as_object(value: Any) -> Any:
    """Take `[[name, type], …]` for `{name: type, …}`."""
    if not isinstance(value, list):
        return value
    pairs = [tuple(pair) for pair in value if isinstance(pair, list | tuple)]
    names = [pair[0] for pair in pairs if len(pair) == 2 and isinstance(pair[0], str)]
    if len(names) < len(value):
        raise ValueError("must be an object of name and type, or a list of [name, type]")
    if repeated(names):
        raise ValueError(f"names {listed(repeated(names))} twice")
    return dict(pairs)


def repeated(names: list[str]) -> list[str]:
    """The names that occur more than once."""
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _is_program(path: str) -> bool:
    steps = {"", ".", ".."} & {*path.split("/")}
    return path.endswith(".py") and not steps and "\\" not in path and len(path) <= 1024


_PROPERTY = must_be(METADATA_RULE, lambda text: text.strip() and fits_metadata(text))
_CONTENT_TYPES = must_be(f'exactly ["{CSV}"] or ["{JSON}"]', lambda types: types in ([CSV], [JSON]))
_INSTANCE_TYPE = must_be(
    "an instance type that starts with 'ml.', such as ml.m5.large",
    re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+").fullmatch,
)
_PROGRAM = must_be("the path of a .py file within code/", _is_program)
_OUTPUTS = must_be("an object that defines at least one output variable", len)

Property = Annotated[str, AfterValidator(_PROPERTY)]
Variable = Annotated[str, AfterValidator(must_be("a name", str.strip))]
Variables = Annotated[dict[Variable, VariableType], BeforeValidator(_pairs_as_object)]
ContentTypes = Annotated[list[str], AfterValidator(_CONTENT_TYPES)]


class RegistrationParameters(BaseModel):
    """The step's parameters."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True
    )

    framework: Framework = "xgboost"
    """xgboost, sklearn, pytorch or tensorflow"""
    inference_instance_type: Annotated[str, AfterValidator(_INSTANCE_TYPE)] = "ml.m5.large"
    """instance type for endpoints and transform jobs"""
    inference_entry_point: Annotated[str, AfterValidator(_PROGRAM)] = "inference.py"
    """the program under code/ that serves the model"""
    model_owner: Property = "team id"
    """the team that owns the model"""
    model_registration_domain: Property = "BuyerSellerMessaging"
    """the domain that the model is registered for"""
    model_registration_objective: Property
    """what the model is for; `model_name` may stand for it"""
    source_model_inference_content_types: ContentTypes = [CSV]
    """content type of requests: exactly `["text/csv"]` or `["application/json"]`"""
    source_model_inference_response_types: ContentTypes = [JSON]
    """content type of answers: likewise"""
    source_model_inference_output_variable_list: Annotated[Variables, AfterValidator(_OUTPUTS)] = {
        "legacy-score": VariableType.NUMERIC
    }
    """output variables by name: NUMERIC or TEXT, at least one"""
    source_model_inference_input_variable_list: Variables = {}
    """input variables by name: NUMERIC or TEXT; empty: those of the payload"""
    source_dir: str | None = None
    """where the inference code comes from: S3, or a folder that holds the entry point"""

    @field_validator("source_dir")
    @classmethod
    def _holds_entry_point(cls, source_dir: str | None, info: ValidationInfo) -> str | None:
        program = info.data.get("inference_entry_point")
        if source_dir is None or source_dir.startswith("s3://") or program is None:
            return source_dir
        if not Path(source_dir, program).is_file():
            raise ValueError(f"no {program} (inference_entry_point) in {shown(source_dir)}")
        return source_dir


def variable_schema(parameters: RegistrationParameters) -> dict[str, Any]:
    """The variable schema, in the shape that the step's document gives."""
    sides = {
        "input": parameters.source_model_inference_input_variable_list,
        "output": parameters.source_model_inference_output_variable_list,
    }
    return {
        side: {"variables": [{"name": name, "type": str(kind)} for name, kind in variables.items()]}
        for side, variables in sides.items()
    }
