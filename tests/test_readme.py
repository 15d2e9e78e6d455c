"""What the README says is so."""

from __future__ import annotations

import re

import pytest

import readme
from mims.contracts import (
    MIMS_PACKAGE_CONTRACT,
    MIMS_PAYLOAD_CONTRACT,
    MIMS_REGISTRATION_CONTRACT,
    Contract,
)

CONTRACTS = (MIMS_PACKAGE_CONTRACT, MIMS_PAYLOAD_CONTRACT, MIMS_REGISTRATION_CONTRACT)
TOP = readme.README.parent


def test_tables_are_those_of_the_code() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert readme.with_tables(text) == text  # else run tests/readme.py


def test_every_path_that_it_names_is_there() -> None:
    text = readme.README.read_text(encoding="utf-8")
    named = re.findall(r"`((?:docker|scripts|tests)/[\w./-]*)`", text)
    assert named
    assert [path for path in named if not (TOP / path).exists()] == []


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.job)
def test_a_script_opens_with_its_contract(contract: Contract) -> None:
    """Whoever opens a script reads every path and setting of its contract."""
    docstring = (TOP / "scripts" / contract.entry_point).read_text(encoding="utf-8").split('"""')[1]
    paths = [channel.path for channel in (*contract.inputs, *contract.outputs)]
    names = [setting.name for setting in contract.settings]
    assert [name for name in (*paths, *names) if name not in docstring] == []
