"""The README's tables, made from the code.

    PYTHONPATH=scripts .venv/bin/python tests/readme.py

rewrites them; tests/test_readme.py holds the README to them.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mims import contracts
from mims.registration.config import RegistrationConfig

if TYPE_CHECKING:
    from mims.contracts import Contract

README = Path(__file__).parent.parent / "README.md"
_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """Give the README's text with every table made anew."""
    return _TABLE.sub(lambda found: found[1] + "\n".join(_table(found[2])) + "\n" + found[3], text)


def _table(name: str) -> list[str]:
    if name == "RegistrationConfig":
        return _config_table()
    return _contract_table(getattr(contracts, name))


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


def _config_table() -> list[str]:
    rows = ["| key | default | what |", "|---|---|---|"]
    for name, field in RegistrationConfig.model_fields.items():
        default = "required" if field.is_required() else _code(field.default)
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return rows


def _code(value: object) -> str:
    if value in (None, "", {}, []):
        return ""
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
