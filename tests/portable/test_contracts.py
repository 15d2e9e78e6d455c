"""The contracts as the specification's usage examples use them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from front_door import SCRIPTS
from mims.contracts import (
    MIMS_PACKAGE_CONTRACT,
    MIMS_PAYLOAD_CONTRACT,
    MIMS_REGISTRATION_CONTRACT,
)

if TYPE_CHECKING:
    from mims.contracts import Contract

every = pytest.mark.parametrize(
    "contract", [MIMS_PACKAGE_CONTRACT, MIMS_PAYLOAD_CONTRACT, MIMS_REGISTRATION_CONTRACT]
)


def test_package() -> None:
    assert MIMS_PACKAGE_CONTRACT.entry_point == "mims_package.py"
    paths = MIMS_PACKAGE_CONTRACT.expected_input_paths
    assert paths["model_input"] == "/opt/ml/processing/input/model"
    assert paths["script_input"] == "/opt/ml/processing/input/script"
    outputs = {"package_output": "/opt/ml/processing/output"}
    assert MIMS_PACKAGE_CONTRACT.expected_output_paths == outputs
    assert MIMS_PACKAGE_CONTRACT.required_env_vars == []


def test_payload() -> None:
    assert MIMS_PAYLOAD_CONTRACT.entry_point == "mims_payload.py"
    inputs = {
        "model_input": "/opt/ml/processing/input/model",
        "custom_payload_input": "/opt/ml/processing/input/custom_payload",
    }
    assert MIMS_PAYLOAD_CONTRACT.expected_input_paths == inputs
    required = [channel.name for channel in MIMS_PAYLOAD_CONTRACT.inputs if channel.required]
    assert required == ["model_input"]
    outputs = {"payload_sample": "/opt/ml/processing/output"}
    assert MIMS_PAYLOAD_CONTRACT.expected_output_paths == outputs
    assert MIMS_PAYLOAD_CONTRACT.required_env_vars == []
    optional = MIMS_PAYLOAD_CONTRACT.optional_env_vars
    assert optional["CONTENT_TYPES"] == "application/json"
    assert optional["PAYLOAD_LAYOUT"] == "mims"
    assert optional["DEFAULT_NUMERIC_VALUE"] == "0.0"
    assert optional["DEFAULT_TEXT_VALUE"] == "DEFAULT_TEXT"
    assert optional["SPECIAL_FIELD_<fieldname>"] is None


def test_registration() -> None:
    assert MIMS_REGISTRATION_CONTRACT.entry_point == "script.py"
    paths = MIMS_REGISTRATION_CONTRACT.expected_input_paths
    assert paths["PackagedModel"] == "/opt/ml/processing/input/model"
    assert paths["GeneratedPayloadSamples"] == "/opt/ml/processing/mims_payload"
    assert paths["config"] == "/opt/ml/processing/config/config"
    assert paths["metadata"] == "/opt/ml/processing/input/metadata"
    assert MIMS_REGISTRATION_CONTRACT.expected_output_paths == {}
    assert MIMS_REGISTRATION_CONTRACT.required_env_vars == ["MODS_WORKFLOW_EXECUTION_ID"]
    assert "PERFORMANCE_METADATA_PATH" in MIMS_REGISTRATION_CONTRACT.optional_env_vars


@every
def test_defaults_are_allowed_values(contract: Contract) -> None:
    for setting in contract.settings:
        if setting.default is not None:
            setting.read({})


@every
def test_the_script_says_what_its_contract_says(contract: Contract) -> None:
    """The docstring at the top of a script is what a reader sees first."""
    source = (SCRIPTS / contract.entry_point).read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    for channel in (*contract.inputs, *contract.outputs):
        assert channel.path in docstring
    for setting in contract.settings:
        assert setting.name in docstring
