"""Scripts that a contract reads in the tests, piece by piece, and what it says of them.

`RIGHT` is a script that heeds all of the contract `SMALL`; `held` writes one, with other files
beside it, and holds it to a contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Mapping, Sequence

from mims.contracts import (
    Channel,
    Contract,
)
from mims.settings import ANY_TEXT, Setting

if TYPE_CHECKING:
    from pathlib import Path

    from mims.implementation.checks import Validation

# A contract of which a script can heed everything in a few lines.
SMALL = Contract(
    job="small",
    entry_point="small.py",
    description="",
    inputs=(Channel("model_input", "/opt/ml/processing/input/model", ""),),
    outputs=(Channel("result", "/opt/ml/processing/output", ""),),
    settings=(
        Setting("MODE", "", ANY_TEXT, "quick"),
        Setting("FIELD_<name>", "", ANY_TEXT),
    ),
    framework_requirements={"python": ">=3.7"},
)
RICHER = SMALL._replace(
    inputs=(*SMALL.inputs, Channel("extra", "/opt/ml/processing/input/extra", "", required=False)),
    settings=(Setting("RUN_ID", "", ANY_TEXT, required=True),),
)
HEEDS = """\
mode = os.environ.get("MODE", "quick")
fields = {k: v for k, v in os.environ.items() if k.startswith("FIELD_")}
"""
WRITES = 'OUTPUT = "/opt/ml/processing/output"\n'
READS = 'MODEL = "/opt/ml/processing/input/model"\n'
IMPORTS = """\
import argparse, importlib, json, os, sys
from os import environ, getenv
from os.path import join
from pathlib import Path
import pathlib as pl
"""
GUARD = 'def main(): ...\nif __name__ == "__main__":\n    main()\n'
RIGHT = IMPORTS + HEEDS + WRITES + READS + GUARD


def held(
    folder: Path,
    script: str | bytes,
    contract: Contract = SMALL,
    others: Mapping[str, str] | None = None,
) -> Validation:
    """Hold a script to a contract, with other files beside it."""
    for name, text in {"small.py": script, **(others or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return contract.validate_implementation(folder / "small.py")


def finds(found: Sequence[str], *expected: str) -> bool:
    """Whether there are just the expected findings, in any order, each with its file and line."""
    assert all(":" in finding for finding in found)
    left = list(found)
    for text in expected:
        fitting = [finding for finding in left if text in finding]
        assert fitting, f"no {text!r} in {found}"
        left.remove(fitting[0])
    assert left == []
    return True
