"""The gate file's JSON Schema, made from the models.

    PYTHONPATH=scripts .venv/bin/python tests/gates_schema.py

writes it; tests/test_governance_gate_file.py holds the file to it. It says what an editor can check
as a gate file is written: keys, types, what a number may be. What depends on several keys is
`GateFile`'s to say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mims.governance.gates.file import GateFile

FILE = Path(__file__).parent.parent / "scripts/mims/governance/gates/gates.schema.json"
_NULL = {"type": "null"}


def schema() -> dict[str, Any]:
    """Make the schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The gate file of a model package group",
        **_tidied(GateFile.model_json_schema(mode="validation")),
    }


def _tidied(part: Any) -> Any:
    """Drop what pydantic makes of names and of None: a gate file has nothing that is empty."""
    if isinstance(part, list):
        return [_tidied(item) for item in part if item != _NULL]
    if not isinstance(part, dict):
        return part
    tidied: dict[str, Any] = {}
    for key, value in part.items():
        if key in ("properties", "$defs"):  # of which the keys are names
            tidied[key] = {name: _tidied(item) for name, item in value.items()}
        elif key == "patternProperties":
            ((pattern, item),) = value.items()
            tidied["additionalProperties"] = _tidied(item)
            tidied["propertyNames"] = {"pattern": pattern}
        elif key not in ("title", "propertyNames") and not (key == "default" and value is None):
            tidied[key] = _tidied(value)
    only = tidied.get("anyOf", ())
    if len(only) == 1:
        del tidied["anyOf"]
        tidied = {**only[0], **tidied}
    return tidied


def text() -> str:
    """The file's content."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
