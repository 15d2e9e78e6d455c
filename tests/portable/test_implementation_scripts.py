"""Contracts read whole scripts: ours, those that people have, right and broken, and any."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from front_door import SCRIPTS
from implementation_scripts import (
    GUARD,
    RIGHT,
    finds,
    held,
)
from mims.contracts import (
    MIMS_PACKAGE_CONTRACT,
    MIMS_PAYLOAD_CONTRACT,
    MIMS_REGISTRATION_CONTRACT,
    Contract,
)

if TYPE_CHECKING:
    from pathlib import Path


# ---- our scripts ---------------------------------------------------------------------------------

CONTRACTS = [MIMS_PACKAGE_CONTRACT, MIMS_PAYLOAD_CONTRACT, MIMS_REGISTRATION_CONTRACT]


@pytest.mark.parametrize("script", [contract.entry_point for contract in CONTRACTS])
@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: str(contract.job))
def test_our_scripts(contract: Contract, script: str) -> None:
    found = contract.validate_implementation(SCRIPTS / script)
    if script != contract.entry_point:
        assert any("hands itself over to MIMS_" in error for error in found.errors)
        return
    assert found.errors == []
    if sys.version_info < (3, 11) and script == "script.py":
        assert all("is for Python 3.11" in warning for warning in found.warnings)
    else:
        assert found.warnings == []


HANDED_OVER = """\
import sys
from mims import contracts
from mims.command_line import read_command_line
from mims.job import run_job

def flow(job): return {}

def main(argv=None):
    return run_job(read_command_line(contracts.MIMS_PACKAGE_CONTRACT, argv), flow)

if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.mark.parametrize(
    ("lines", "errors"),
    [
        # all that the contract has is heeded by construction
        ("", []),
        # what it does besides is looked at
        ("open('/opt/ml/processing/x')", ["uses /opt/ml/processing/x,"]),
        ("import numpy", ["imports numpy"]),
        # another contract besides
        (
            "read_command_line(contracts.MIMS_PAYLOAD_CONTRACT)",
            ["hands itself over to MIMS_PAYLOAD_CONTRACT"],
        ),
    ],
)
def test_scripts_that_hand_themselves_over(tmp_path: Path, lines: str, errors: list[str]) -> None:
    found = held(tmp_path, f"{HANDED_OVER}{lines}\n", MIMS_PACKAGE_CONTRACT)
    assert finds(found.errors, *errors)
    assert found.warnings == []


def test_a_contract_that_is_only_shown(tmp_path: Path) -> None:
    """Naming the contract is not heeding it; taking its paths is."""
    shown = "from mims.contracts import MIMS_PACKAGE_CONTRACT as C\nprint(C)\n"
    found = held(tmp_path, shown + GUARD, MIMS_PACKAGE_CONTRACT)
    assert len(found.errors) == len([c for c in MIMS_PACKAGE_CONTRACT.inputs if c.required]) + 1
    found = held(tmp_path, f"from mims.contracts import *\nprint(JSON)\n{RIGHT}")
    assert found == ([], [])
    paths = "for p in {**C.expected_input_paths, **C.expected_output_paths}.values(): open(p)\n"
    assert held(tmp_path, shown + paths + GUARD, MIMS_PACKAGE_CONTRACT).is_valid


# ---- scripts that people have --------------------------------------------------------------------

PATHS_AS_CONSTANTS = """\
import logging
import os
import shutil
import tarfile
from pathlib import Path

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)

MODEL_DIR = Path("/opt/ml/processing/input/model")
SCRIPT_DIR = Path("/opt/ml/processing/input/script")
CALIBRATION_DIR = Path("/opt/ml/processing/input/calibration")
OUTPUT_DIR = Path("/opt/ml/processing/output")
WORK_DIR = Path("/tmp/packaging")


def copy_tree(source: Path, target: Path) -> None:
    for item in source.rglob("*"):
        if item.is_file():
            to = target / item.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(item, to)


def main() -> None:
    logger.info("packaging %s", MODEL_DIR)
    archive = MODEL_DIR / "model.tar.gz"
    if archive.exists():
        with tarfile.open(archive) as tar:
            tar.extractall(WORK_DIR)
    else:
        copy_tree(MODEL_DIR, WORK_DIR)
    copy_tree(SCRIPT_DIR, WORK_DIR / "code")
    if CALIBRATION_DIR.exists():
        copy_tree(CALIBRATION_DIR, WORK_DIR / "calibration")
    with tarfile.open(OUTPUT_DIR / "model.tar.gz", "w:gz") as tar:
        tar.add(WORK_DIR, arcname=".")


if __name__ == "__main__":
    try:
        main()
    except Exception:
        logger.exception("failed")
        raise
"""
ARGPARSE_DEFAULTS = """\
import argparse
import json
import os
import tarfile

PREFIX = "SPECIAL_FIELD_"


def parse_args():
    parser = argparse.ArgumentParser(description="makes payloads")
    parser.add_argument("--model-dir", type=str, default="/opt/ml/processing/input/model")
    parser.add_argument("--output-dir", type=str, default="/opt/ml/processing/output")
    parser.add_argument("--content-types", default=os.environ.get("CONTENT_TYPES", "text/csv"))
    return parser.parse_args()


def special_fields():
    return {k[len(PREFIX):]: v for k, v in os.environ.items() if k.startswith(PREFIX)}


def main():
    args = parse_args()
    number = float(os.environ.get("DEFAULT_NUMERIC_VALUE", "0.0"))
    text = os.getenv("DEFAULT_TEXT_VALUE", "DEFAULT_TEXT")
    with tarfile.open(os.path.join(args.model_dir, "model.tar.gz")) as tar:
        fields = json.load(tar.extractfile("hyperparameters.json"))["fields"]
    record = {name: special_fields().get(name, text or number) for name in fields}
    with open(os.path.join(args.output_dir, "payload.json"), "w") as out:
        json.dump(record, out)


if __name__ == "__main__":
    main()
"""
MAIN_WITH_DICTIONARIES = """\
import argparse
import os
import sys
from pathlib import Path
from typing import Dict, Optional

CONTAINER_PATHS = {
    "PROCESSING_INPUT_BASE": "/opt/ml/processing/input",
    "CONFIG": "/opt/ml/processing/config/config",
    "PAYLOAD": "/opt/ml/processing/mims_payload",
}


def main(
    input_paths: Dict[str, str],
    output_paths: Dict[str, str],
    environ_vars: Dict[str, str],
    job_args: Optional[argparse.Namespace] = None,
) -> str:
    if "PackagedModel" not in input_paths:
        raise ValueError("Missing required input path: PackagedModel")
    model = Path(input_paths["PackagedModel"])
    config = Path(input_paths["config"])
    payload = input_paths.get("GeneratedPayloadSamples")
    metadata = Path(input_paths.get("metadata", "")) / "metadata.json"
    from secure_ai_sandbox_python_lib.session import Session

    session = Session(session_folder="/tmp/")
    return session.register(
        model, config, payload, metadata, environ_vars["MODS_WORKFLOW_EXECUTION_ID"]
    )


if __name__ == "__main__":
    base = CONTAINER_PATHS["PROCESSING_INPUT_BASE"]
    input_paths = {
        "PackagedModel": os.path.join(base, "model"),
        "config": CONTAINER_PATHS["CONFIG"],
        "GeneratedPayloadSamples": CONTAINER_PATHS["PAYLOAD"],
        "metadata": f"{base}/metadata",
    }
    environ_vars = {}
    for name in ["MODS_WORKFLOW_EXECUTION_ID", "PERFORMANCE_METADATA_PATH"]:
        if name in os.environ:
            environ_vars[name] = os.environ[name]
    main(input_paths, {}, environ_vars)
    sys.exit(0)
"""
HAVE = {
    "constants": (PATHS_AS_CONSTANTS, MIMS_PACKAGE_CONTRACT),
    "argparse": (ARGPARSE_DEFAULTS, MIMS_PAYLOAD_CONTRACT),
    "main": (MAIN_WITH_DICTIONARIES, MIMS_REGISTRATION_CONTRACT),
}


@pytest.mark.parametrize("shape", HAVE)
def test_scripts_that_people_have(tmp_path: Path, shape: str) -> None:
    script, contract = HAVE[shape]
    found = held(tmp_path, script, contract)
    assert found.errors == []
    assert all("optional" in warning for warning in found.warnings)


BROKEN = [
    # (shape, what is changed, to what, the errors)
    (
        "constants",
        "input/script",
        "input/scripts",
        ["input/scripts,", "required input script_input"],
    ),
    (
        "constants",
        'Path("/opt/ml/processing/output")',
        "WORK_DIR",
        ["required output package_outp"],
    ),
    ("constants", "import shutil", "import shutil, pandas", ["imports pandas"]),
    ("constants", "logger = ", "os.environ['STAGE']\nlogger = ", ["needs STAGE"]),
    (
        "argparse",
        "input/model",
        "model",
        ["uses /opt/ml/processing/model,", "required input model_in"],
    ),
    (
        "argparse",
        'default="/opt/ml/processing/output"',
        "required=True",
        ["required output payload_s"],
    ),
    (
        "argparse",
        'args.model_dir, "',
        '"/opt/ml/processing/in", "',
        ["uses /opt/ml/processing/in/model"],
    ),
    ("argparse", 'os.getenv("DEFAULT_TEXT_VALUE"', 'os.environ.pop("TEXT"', []),  # a default
    (
        "argparse",
        'os.getenv("DEFAULT_TEXT_VALUE", "DEFAULT_TEXT")',
        'os.environ["T"]',
        ["needs T,"],
    ),
    (
        "argparse",
        "import json",
        "import json, sagemaker_training.trainer",
        ["creates /opt/ml/code"],
    ),
    (
        "main",
        '"config": CONT',
        '"settings": CONT',
        ["takes config from input_paths, which lacks it"],
    ),
    ("main", "config/config", "config", ["required input config"]),
    (
        "main",
        'base, "model"',
        'base, "models"',
        ["uses /opt/ml/processing/input/models", "PackagedModel"],
    ),
    (
        "main",
        '["MODS_WORKFLOW_EXECUTION_ID", ',
        "[",
        ["takes MODS_WORKFLOW_EXECUTION_ID from environ_vars", "never reads the required"],
    ),
    (
        "main",
        "MODS_WORKFLOW_EXECUTION_ID",
        "EXECUTION_ID",
        ["never reads the required MODS"],
    ),
    (
        "main",
        "import sys",
        "import sys, tensorflow",
        ["imports tensorflow, which the contract does"],
    ),
    ("constants", "def main(", "def main(:", ["is no Python that can run"]),
]


@pytest.mark.parametrize(("shape", "old", "new", "errors"), BROKEN)
def test_broken_scripts(tmp_path: Path, shape: str, old: str, new: str, errors: list[str]) -> None:
    script, contract = HAVE[shape]
    assert old in script
    found = held(tmp_path, script.replace(old, new), contract)
    assert finds(found.errors, *errors)


def test_main_alone(tmp_path: Path) -> None:
    """Called from elsewhere with the contract's names: they are all that it has to know."""
    script, _, _ = MAIN_WITH_DICTIONARIES.partition("if __name__")
    script = script.replace('    "', "    # ")
    found = held(tmp_path, script, MIMS_REGISTRATION_CONTRACT)
    assert found.errors == []
    assert any("main guard" in warning for warning in found.warnings)
    found = held(tmp_path, script.replace("PackagedModel", "Model"), MIMS_REGISTRATION_CONTRACT)
    assert finds(found.errors, "takes Model from input_paths", "required input PackagedModel")


# ---- any script ----------------------------------------------------------------------------------

PIECES = {
    # lines: what is found, by the beginning of the name in them
    "open('/opt/ml/processing/input/NAME')": "uses /opt/ml/processing/input/NAME,",
    "list(Path('/opt/ml') / 'processing' / 'NAME' / 'x')": "uses /opt/ml/processing/NAME/x,",
    "os.environ['NAME']": "needs NAME,",
    "if True:\n    import NAME": "imports NAME,",
    "def NAME():\n    return os.environ['NAME' + '_']": "needs NAME_,",
    "class NAME:\n    import NAME.x as y": "imports NAME,",
    "os.environ.get('NAME', '')": "",
    "'NAME' in os.environ and os.environ['NAME']": "",
    "try:\n    import NAME\nexcept ImportError:\n    NAME = None": "",
    "open('/opt/ml/processing/input/model/NAME')": "",
    "NAME = '/opt/ml/processing/output/' + 'NAME'": "",
    "print('/opt/ml/processing/NAME')": "",
}


@settings(max_examples=50, deadline=None)
@given(pieces=st.lists(st.sampled_from(sorted(PIECES)), max_size=8))
def test_finds_just_what_is_there(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    named = [(piece, f"name{number}") for number, piece in enumerate(pieces)]
    script = RIGHT + "".join(f"{piece}\n".replace("NAME", name) for piece, name in named)
    found = held(tmp_path_factory.mktemp("any"), script)
    expected = [PIECES[piece].replace("NAME", name) for piece, name in named]
    assert finds(found.errors, *(text for text in expected if text))
