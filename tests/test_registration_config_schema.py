"""The published JSON Schema of the registration config: it is the model's, and it means the same.

What reads it here is a small validator of JSON Schema 2020-12 that knows the keywords in it and
raises KeyError on any other.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import config_schema
from mims.registration.config import RegistrationConfig
from mims.registration.forms import ALIASES
from registration_configs import CONTRACT_FORM, OBJECTIVE, PIPELINE_FORM, STEP_FORM, parse, problems

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = json.loads(config_schema.FILE.read_text(encoding="utf-8"))
TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "null": lambda value: value is None,
    "any": lambda _: True,
}
# What each keyword asks of a value of its type, given what stands behind it.
ASKS: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "$ref": ("any", lambda value, place: fits(value, at(place))),
    "type": ("any", lambda value, kind: TYPES[kind](value)),
    "enum": ("any", lambda value, choices: value in choices),
    "anyOf": ("any", lambda value, schemas: any(fits(value, schema) for schema in schemas)),
    "allOf": ("any", lambda value, schemas: all(fits(value, schema) for schema in schemas)),
    "minLength": ("string", lambda value, least: len(value) >= least),
    "maxLength": ("string", lambda value, most: len(value) <= most),
    "pattern": ("string", lambda value, pattern: re.search(pattern, value)),
    "minimum": ("number", lambda value, least: value >= least),
    "maximum": ("number", lambda value, most: value <= most),
    "minItems": ("array", lambda value, least: len(value) >= least),
    "maxItems": ("array", lambda value, most: len(value) <= most),
    "uniqueItems": ("array", lambda value, _: len(value) == len(set(map(json.dumps, value)))),
    "items": ("array", lambda value, schema: all(fits(item, schema) for item in value)),
    "prefixItems": ("array", lambda value, schemas: all(map(fits, value, schemas))),
    "minProperties": ("object", lambda value, least: len(value) >= least),
    "maxProperties": ("object", lambda value, most: len(value) <= most),
    "required": ("object", lambda value, names: set(names) <= set(value)),
    "propertyNames": ("object", lambda value, schema: all(fits(name, schema) for name in value)),
}
OTHERS = {"properties", "additionalProperties"}  # which `members_fit` heeds
SAY_NOTHING = {"$schema", "$defs", "title", "description", "default"}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    for keyword in schema.keys() - OTHERS - SAY_NOTHING:
        kind, check = ASKS[keyword]
        if TYPES[kind](value) and not check(value, schema[keyword]):
            return False
    return not isinstance(value, dict) or members_fit(value, schema)


def members_fit(value: dict[str, Any], schema: dict[str, Any]) -> bool:
    named, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    rules = {name: named.get(name, others) for name in value}
    return all(rule is not False and fits(value[name], rule) for name, rule in rules.items())


def at(place: str) -> dict[str, Any]:
    """The schema that a reference leads to."""
    found = SCHEMA
    for step in place.removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def test_it_is_made_from_the_model() -> None:
    assert config_schema.FILE.read_text("utf-8") == config_schema.text()  # else run it


def test_it_tells_of_every_key() -> None:
    keys = SCHEMA["properties"]
    assert set(keys) == {*RegistrationConfig.model_fields, *ALIASES, "inference_config"}
    for name, field in RegistrationConfig.model_fields.items():
        assert keys[name]["description"] == field.description


LOAD = {"expected_tps": 2, "max_latency_in_millisecond": 800}
KEYS = {"us-west-2": "alias/models", "eu-west-1": "alias/models"}


@pytest.mark.parametrize(
    "raw",
    [
        STEP_FORM,
        CONTRACT_FORM,
        PIPELINE_FORM,
        {"model_objective": "FraudDetection"},
        {**OBJECTIVE, "backends": "mims", "regions": ["us-west-2", "EU"], "kms_key": KEYS},
        {**OBJECTIVE, "bucket": {"NA": "bucket-a", "us-west-2": "bucket-b"}, "kms_key": None},
        {**OBJECTIVE, "environment": {"A_1": "x"}, "group_description": "Für Käufer: 12 €"},
        {**OBJECTIVE, "load_testing": {"expectedTPS": "2", "maxLatencyInMillisecond": 800}},
        {**OBJECTIVE, "model_owner": "Team Ä_.:/=+-@ 1", "image_uri": "own:1"},
    ],
)
def test_what_the_job_takes_it_takes(raw: dict[str, Any]) -> None:
    parse(raw)
    assert fits(raw, SCHEMA)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {**OBJECTIVE, "frame_work": "xgboost"},
        {**OBJECTIVE, "framework": "mxnet"},
        {**OBJECTIVE, "inference_instance_type": "m5.large"},
        {**OBJECTIVE, "inference_entry_point": "/inference.py"},
        {**CONTRACT_FORM, "inference_config": {"instance_type": "m5.large"}},
        {**CONTRACT_FORM, "inference_config": {"count": 1}},
        {**OBJECTIVE, "source_model_inference_content_types": ["text/csv", "application/json"]},
        {**OBJECTIVE, "source_model_inference_content_types": "text/csv"},
        {**OBJECTIVE, "source_model_inference_output_variable_list": {}},
        {**OBJECTIVE, "source_model_inference_output_variable_list": {"score": "NUMBER"}},
        {**OBJECTIVE, "source_model_inference_input_variable_list": [["a"]]},
        {**OBJECTIVE, "source_model_inference_input_variable_list": {" ": "TEXT"}},
        {**OBJECTIVE, "model_owner": "me & you"},
        {**OBJECTIVE, "model_owner": "x" * 257},
        {**OBJECTIVE, "model_domain": ""},
        {**OBJECTIVE, "model_name": "my_model"},
        {**OBJECTIVE, "initial_instance_count": 0},
        {**OBJECTIVE, "initial_instance_count": "1"},
        {**OBJECTIVE, "tags": {"debug": True}},
        {**OBJECTIVE, "regions": ["Oregon"]},
        {**OBJECTIVE, "model_registration_region": "Oregon"},
        {**OBJECTIVE, "bucket": "s3://models/"},
        {**OBJECTIVE, "bucket": {"oregon": "models", "us-west-2": "models"}},
        {**OBJECTIVE, "bucket_owner": 123456789012},
        {**OBJECTIVE, "kms_key": "my key"},
        {**OBJECTIVE, "backends": ["mlflow"]},
        {**OBJECTIVE, "environment": {"1ST": "x"}},
        {**OBJECTIVE, "source_model_environment_variable_map": {"K": "x" * 1025}},
        {**OBJECTIVE, "group_description": "a\nb"},
        {**OBJECTIVE, "load_testing_info_map": {"expected_tps": 1}},
        {**OBJECTIVE, "load_testing": {**LOAD, "expectedtps": 1}},
        {**OBJECTIVE, "load_testing": {**LOAD, "max_acceptable_error_rate": 1.5}},
        {**OBJECTIVE, "load_testing": {**LOAD, "instance_type_list": []}},
        {**OBJECTIVE, "image_uri": ["own:1"]},
    ],
)
def test_what_it_refuses_the_job_refuses(raw: dict[str, Any]) -> None:
    assert not fits(raw, SCHEMA)
    assert problems(raw)
