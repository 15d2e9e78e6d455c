"""The jobs as one file each, for containers that take one script."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Iterator

import pytest

from front_door import SCRIPTS, Container, lay
from mims import __version__


def build(folder: Path, umask: int = 0o022) -> None:
    """Run the README's command."""
    before = os.umask(umask)
    try:
        command = [sys.executable, "-S", str(SCRIPTS / "build_pyz.py"), "--output", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    build(folder)
    return folder


def python(built: Path, job: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a zipapp with nothing else to import from."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "-W", "error", str(built / f"{job}.pyz"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("job", ["mims_package", "mims_payload"])
def test_version_and_help(built: Path, job: str) -> None:
    assert python(built, job, "--version").stdout == f"{job}.py {__version__}\n"
    assert f"usage: {job}.py" in python(built, job, "--help").stdout


def test_a_job_runs_as_one_file(built: Path, container: Container) -> None:
    lay(container.model, {"hyperparameters.json": '{"tab_field_list": ["a"]}'})

    for job in ("mims_package", "mims_payload"):
        done = python(built, job, "--root", str(container.root))
        assert container.checked(done.returncode, done.stdout, done.stderr).code == 0

    assert container.outputs() == [
        "manifest.json",
        "metadata.json",
        "model.tar.gz",
        "payload.tar.gz",
    ]
    assert container.contents("model_artifacts/")


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
    rooms = {job: set(_rooms(built / f"{job}.pyz")) for job in ("mims_package", "mims_payload")}
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
    for job in ("mims_package.pyz", "mims_payload.pyz"):
        assert (tmp_path / job).read_bytes() == (built / job).read_bytes()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [sys.executable, str(SCRIPTS / "build_pyz.py"), "--output", str(tmp_path / "file")]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"build_pyz.py: cannot write ")
