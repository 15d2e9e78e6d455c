"""The registration config's JSON Schema, made from the model.

    PYTHONPATH=scripts .venv/bin/python tests/config_schema.py

writes it; tests/test_registration_config_schema.py holds the file to it. It says what an editor
can check as a config is written: both documented forms, the pipelines' names, types, patterns and
lengths. What depends on several keys, on the environment or on tables is the job's to say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mims.registration.config import RegistrationConfig
from mims.registration.forms import ALIASES, INFERENCE_CONFIG, LOAD_TESTING

FILE = Path(__file__).parent.parent / "scripts/mims/registration/config.schema.json"
_OBJECTIVE = ("model_registration_objective", "model_objective", "model_name")


def schema() -> dict[str, Any]:
    """Make the schema: the model's, and what else a user may write."""
    made = RegistrationConfig.model_json_schema(mode="validation")
    del made["required"]  # the environment may stand in, or another key
    keys = made["properties"]
    _rename(keys, ALIASES, "#/properties/")
    keys["inference_config"] = {
        "type": "object",
        "description": "the contract's form of two keys",
        "properties": {
            nested: {"$ref": f"#/properties/{name}"} for nested, name in INFERENCE_CONFIG.items()
        },
        "additionalProperties": False,
    }
    test = made["$defs"]["LoadTesting"]
    _rename(test["properties"], LOAD_TESTING, "#/$defs/LoadTesting/properties/")
    spelt = {name: alias for alias, name in LOAD_TESTING.items()}
    test["allOf"] = [_one_of(name, spelt[name]) for name in test.pop("required")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The registration config of script.py",
        **_tidied(made),
        **_one_of(*_OBJECTIVE),
    }


def _rename(keys: dict[str, Any], aliases: dict[str, str], where: str) -> None:
    keys |= {alias: {"$ref": where + name} for alias, name in aliases.items()}


def _one_of(*names: str) -> dict[str, Any]:
    return {"anyOf": [{"required": [name]} for name in names]}


def _tidied(part: Any) -> Any:
    """Drop the titles that pydantic makes of names, and refuse names that no pattern matches."""
    if isinstance(part, list):
        return [_tidied(item) for item in part]
    if not isinstance(part, dict):
        return part
    tidied: dict[str, Any] = {}
    for key, value in part.items():
        if key in ("properties", "$defs"):  # of which the keys are names
            tidied[key] = {name: _tidied(item) for name, item in value.items()}
        elif key == "patternProperties":
            ((pattern, item),) = value.items()
            tidied["additionalProperties"] = _tidied(item)
            names = part.get("propertyNames", {})
            tidied["propertyNames"] = {**names, "pattern": pattern}
        elif key not in ("title", "propertyNames"):
            tidied[key] = _tidied(value)
    return tidied


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
