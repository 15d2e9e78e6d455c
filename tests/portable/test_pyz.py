"""The jobs as one file each: what is in it. test_drop_in.py runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Iterator

import pytest

import drop_in
from drop_in import JOBS, build
from front_door import SCRIPTS
from mims import __version__

built = drop_in.built


def python(built: Path, job: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a zipapp with nothing else to import from."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", str(built / f"{job}.pyz"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("job", JOBS)
def test_version_and_help(built: Path, job: str) -> None:
    assert python(built, job, "--version").stdout == f"{job}.py {__version__}\n"
    assert f"usage: {job}.py" in python(built, job, "--help").stdout


def test_runs_as_a_program(built: Path) -> None:
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [str(built / "mims_package.pyz"), "--version"],
        stdout=subprocess.PIPE,
        env=environ,
        check=True,
    )
    assert done.stdout.startswith(b"mims_package.py ")


def test_holds_its_own_room_and_no_other(built: Path) -> None:
    rooms = {job: set(_rooms(built / f"{job}.pyz")) for job in JOBS}
    assert rooms == {
        "mims_package": {"archive", "packaging"},
        "mims_payload": {"archive", "payload"},
    }


def _rooms(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(str(path)) as zipapp:
        for name in zipapp.namelist():
            if name.count("/") == 2:
                yield name.split("/")[1]


def test_same_sources_same_bytes(built: Path, tmp_path: Path) -> None:
    build(tmp_path, umask=0o077)
    for job in JOBS:
        assert (tmp_path / f"{job}.pyz").read_bytes() == (built / f"{job}.pyz").read_bytes()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, str(SCRIPTS / "build_pyz.py"), "--output", str(tmp_path / "file")]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"build_pyz.py: cannot write ")
