"""The registration step's parameters, their defaults and rules: mims_registration_step.md.

Shared by whoever takes them: the registration job's config here, a pipeline's step config. Each
rule says what is allowed and what was given.
"""

from __future__ import annotations

import os
import re
import reprlib
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator
from pydantic_core import core_schema

from mims.contracts import CSV, JSON
from mims.registration.images import Framework  # noqa: TC001 - pydantic reads it
from mims.text import listed, printable, repeated

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic.json_schema import JsonSchemaValue

METADATA_RULE = "at most 256 letters, digits, spaces and _.:/=+-@"
_METADATA_SCHEMA = {  # but for letters, digits and spaces beyond ASCII, which it lets pass
    "minLength": 1,
    "maxLength": 256,
    "pattern": r"^[^\x00-\x1f!-*,;<>?\[-\^`{-\x7f]*$",
}


class VariableType(StrEnum):
    """What a model's input or output variable holds."""

    NUMERIC = "NUMERIC"
    TEXT = "TEXT"


@dataclass(frozen=True, eq=False)
class Rule:
    """What a value must be, in words, as a check, and as far as JSON Schema can say it.

    In a type's `Annotated` it makes pydantic pass a value on, or raise ValueError where `check`
    finds it wrong.
    """

    allowed: str
    check: Callable[[Any], object]
    schema: JsonSchemaValue = field(default_factory=dict)
    secret: bool = False  # whether no message may quote a value

    def __call__(self, value: Any) -> Any:
        """Pass a value on, or raise ValueError that says what it must be."""
        if not self.check(value):
            but = "" if self.secret else f", not {shown(value)}"
            raise ValueError(f"must be {self.allowed}{but}")
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), **self.schema}


def matching(allowed: str, pattern: str, longest: int) -> Rule:
    """Make the rule for texts that a pattern matches from end to end, of some length at most."""
    whole = re.compile(pattern)
    return Rule(
        allowed,
        lambda text: len(text) <= longest and whole.fullmatch(text),
        {"pattern": f"^(?:{pattern})$", "maxLength": longest},
    )


def shown(value: Any) -> str:
    """A value as an error quotes it: safe and short."""
    text = printable(_REPR.repr(value))
    return text if len(text) <= 100 else text[:99] + "…"


_REPR = reprlib.Repr()  # which neither goes deep nor writes out what is long
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 200
_REPR.maxlist = _REPR.maxdict = 20


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


def _is_program(path: str) -> bool:
    steps = {"", ".", ".."} & {*path.split("/")}
    return path.endswith(".py") and not steps and "\\" not in path and len(path) <= 1024


_PROPERTY = Rule(METADATA_RULE, lambda text: text.strip() and fits_metadata(text), _METADATA_SCHEMA)
_VARIABLE = Rule("a name", str.strip, {"pattern": r"\S"})
_PROGRAM = Rule("the path of a .py file within code/", _is_program, {"pattern": r"^[^/\\].*\.py$"})
_CONTENT_TYPES = Rule(
    f'exactly ["{CSV}"] or ["{JSON}"]',
    lambda types: types in ([CSV], [JSON]),
    {"items": {"enum": [CSV, JSON]}, "minItems": 1, "maxItems": 1},
)
_INSTANCE_TYPE = matching(
    "an instance type that starts with 'ml.', such as ml.m5.large",
    r"ml\.[a-z0-9-]+\.[a-z0-9-]+",
    longest=63,
)
_OUTPUTS = Rule(
    "an object that defines at least one output variable", len, {"minProperties": 1, "minItems": 1}
)

_MARKETPLACES = {"NA": "us-east-1", "EU": "eu-west-1", "FE": "us-west-2"}
_REGION_NAME = r"[a-z]{2,5}(-[a-z]+)+-[0-9]+"
_REGION = Rule(
    "a region such as us-west-2",
    re.compile(_REGION_NAME).fullmatch,
    {"pattern": f"^(?:{_REGION_NAME}|{'|'.join(_MARKETPLACES)})$"},
)
BUCKET_NAME = matching("a bucket's name alone", r"[a-z0-9][a-z0-9.-]+[a-z0-9]", longest=63)


def region_of(name: Any) -> Any:
    """The region that a pipeline calls by its marketplaces: NA, EU or FE."""
    return _MARKETPLACES.get(name, name) if isinstance(name, str) else name


BucketName = Annotated[str, BUCKET_NAME]
Region = Annotated[str, _REGION, BeforeValidator(region_of, json_schema_input_type=str)]
Property = Annotated[str, _PROPERTY]
Variable = Annotated[str, _VARIABLE]
Variables = Annotated[
    dict[Variable, VariableType],
    BeforeValidator(
        _pairs_as_object,
        json_schema_input_type=dict[Variable, VariableType] | list[tuple[Variable, VariableType]],
    ),
]
ContentTypes = Annotated[list[str], _CONTENT_TYPES]
InstanceType = Annotated[str, _INSTANCE_TYPE]


class RegistrationParameters(BaseModel):
    """The step's parameters."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), use_attribute_docstrings=True
    )

    framework: Framework = "xgboost"
    """xgboost, sklearn, pytorch or tensorflow"""
    inference_instance_type: InstanceType = "ml.m5.large"
    """instance type for endpoints and transform jobs"""
    inference_entry_point: Annotated[str, _PROGRAM] = "inference.py"
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
    source_model_inference_output_variable_list: Annotated[Variables, _OUTPUTS] = {
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
        if not os.path.isfile(os.path.join(source_dir, program)):  # noqa: PTH113, PTH118 - no raise
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
