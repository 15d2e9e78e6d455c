"""Fixtures of the tests that run under every Python."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from front_door import Container, lay


@pytest.fixture
def container(tmp_path: Path) -> Container:
    """A container with the usual inference code and no model yet."""
    made = Container(tmp_path / "root")
    lay(made.script, {"inference.py": "def model_fn(path): ...\n"})
    return made


@pytest.fixture
def public_container() -> Iterator[Container]:
    """One that every user can reach; pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Container(Path(folder) / "root")
        lay(made.script, {"inference.py": "def model_fn(path): ...\n"})
        yield made
