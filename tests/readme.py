"""The README's tables and the picture of the pipeline, made from the code.

    PYTHONPATH=scripts .venv/bin/python tests/readme.py

rewrites them; tests/test_readme.py holds the README to them.

Each stands between `<!-- table: NAME -->`, or `<!-- graph: FILE -->`, and `<!-- end -->`.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from mims import contracts
from mims.governance.drift.job import MIMS_DRIFT_CONTRACT
from mims.pipeline.chain import load
from mims.pipeline.graph import mermaid
from mims.pipeline.jobs import JobSettings
from mims.registration.config import RegistrationConfig

if TYPE_CHECKING:
    from pydantic import BaseModel

    from mims.contracts import Contract

README = Path(__file__).parent.parent / "README.md"
_MADE = re.compile(r"(<!-- (table|graph): (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_CONTRACTS = {"MIMS_DRIFT_CONTRACT": MIMS_DRIFT_CONTRACT}  # of a job beyond the chain
_MODELS: dict[str, type[BaseModel]] = {
    "RegistrationConfig": RegistrationConfig,
    "JobSettings": JobSettings,
}


def with_tables(text: str) -> str:
    """Give the README's text with every table and picture made anew."""
    make = {"table": _table, "graph": _graph}
    return _MADE.sub(
        lambda found: found[1] + "\n".join(make[found[2]](found[3])) + "\n" + found[4], text
    )


def _graph(file: str) -> list[str]:
    role = "arn:aws:iam::123456789012:role/jobs"
    named = {"MIMS_IMAGE_URI": "mims", "MIMS_ROLE_ARN": role, "MIMS_BUCKET": "my-models"}
    with patch.dict(os.environ, named):
        definition = load(README.parent / file)
    return ["```mermaid", mermaid(definition.to_json()).rstrip(), "```"]


def _table(name: str) -> list[str]:
    if name in _MODELS:
        return _model_table(_MODELS[name])
    return _contract_table(_CONTRACTS.get(name) or getattr(contracts, name))


def _contract_table(contract: Contract) -> list[str]:
    rows = ["| path | what |", "|---|---|"]
    for channel in (*contract.inputs, *contract.outputs):
        optional = "" if channel.required else " (optional)"
        rows.append(f"| `{channel.path}`<br>{channel.name} | {channel.description}{optional} |")
    rows += ["", "| variable | default | what |", "|---|---|---|"]
    for setting in contract.settings:
        default = "required" if setting.required else _code(setting.default)
        rows.append(
            f"| `{setting.name}` | {default} | {setting.description}; {setting.kind.allowed} |"
        )
    return rows


def _model_table(model: type[BaseModel]) -> list[str]:
    rows = ["| key | default | what |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else _code(field.default)
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return rows


def _code(value: object) -> str:
    if value in (None, "", {}, []) or isinstance(value, tuple):  # the text tells of a tuple
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
