"""Packaging and payloads dropped into a job of somebody else's: `code=` and `source_dir`.

As plain processes, so that every Python runs them; image/test_drop_in_containers.py is the same in
containers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

import pytest

import drop_in
from drop_in import JOBS, upload_code, upload_source_dir
from front_door import Outcome, lay
from mims import __version__

if TYPE_CHECKING:
    from front_door import Container

built = drop_in.built

PYTHON = (sys.executable, "-S", "-W", "error")  # nothing but the standard library


@pytest.fixture
def container(container: Container) -> Container:
    """A container with a model to package and to make payloads for."""
    hyperparameters = '{"tab_field_list": ["age", "income"], "text_name": "note"}'
    lay(container.model, {"hyperparameters.json": hyperparameters})
    return container


def as_file(root: Path, built: Path, job: str) -> list[str]:
    return upload_code(root, built / f"{job}.pyz", PYTHON, str(root))


def as_renamed_file(root: Path, built: Path, job: str) -> list[str]:
    """Some pipelines take nothing but .py."""
    shutil.copy(str(built / f"{job}.pyz"), str(root / "step.py"))
    return upload_code(root, root / "step.py", PYTHON, str(root))


def as_source_dir(root: Path, built: Path, job: str) -> list[str]:
    del built
    return upload_source_dir(root, f"{job}.py", PYTHON, str(root))


WAYS = [as_file, as_renamed_file, as_source_dir]
by_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
by_job = pytest.mark.parametrize("job", JOBS)


class Job(NamedTuple):
    """A job that somebody else's pipeline starts."""

    container: Container
    entry_point: list[str]

    def run(self, before: str = "", **environ: str) -> Outcome:
        """Run it, after what a shell does before."""
        root = self.container.root
        done = subprocess.run(
            ["/bin/sh", "-c", f'{before}exec "$@"', "sh", *self.entry_point, "--root", str(root)],
            cwd=str(root),
            env={"PATH": os.environ["PATH"], **environ},
            capture_output=True,
            check=False,
        )
        return self.container.checked(done.returncode, done.stdout.decode(), done.stderr.decode())


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@by_job
@by_way
def test_it_does_what_the_checkout_does(
    container: Container, built: Path, job: str, way: Callable[..., list[str]]
) -> None:
    assert container.run(f"{job}.py").code == 0
    expected = contents(container.output)
    shutil.rmtree(str(container.output))

    dropped = Job(container, way(container.root, built, job))
    assert dropped.run().code == 0
    assert contents(container.output) == expected


@pytest.mark.parametrize(
    "before",
    [
        # only the job's own user may read what it writes
        "umask 077 && ",
        # in a folder that is no more
        "mkdir gone && cd gone && rmdir ../gone && ",
        # in one with files named as modules are
        "mkdir there && cd there && for m in mims json re; do echo 1/0 >$m.py; done && ",
    ],
    ids=["umask", "no folder", "modules about"],
)
@by_way
def test_where_and_how_it_is_started_makes_no_difference(
    container: Container, built: Path, way: Callable[..., list[str]], before: str
) -> None:
    ended = Job(container, way(container.root, built, "mims_package")).run(before)
    assert ended.code == 0
    assert {"model_artifacts/hyperparameters.json", "code/inference.py"} == set(
        container.packaged()
    )


@by_way
def test_settings_and_mistakes_reach_their_reader(
    container: Container, built: Path, way: Callable[..., list[str]]
) -> None:
    ended = Job(container, way(container.root, built, "mims_payload")).run(PAYLOAD_LAYOUT="odd")
    assert ended.code == 1
    assert "PAYLOAD_LAYOUT" in ended.error


@by_job
def test_nothing_is_left_beside_the_file(container: Container, built: Path, job: str) -> None:
    """The folder may be read-only: Python's byte code does not go there."""
    dropped = Job(container, as_file(container.root, built, job))
    dropped.run()
    folder = Path(dropped.entry_point[-1]).parent
    assert [path.name for path in folder.iterdir()] == [f"{job}.pyz"]


def test_registration_answers_from_there_on_any_python(tmp_path: Path) -> None:
    """It lies in source_dir too, and refuses a Python that is too old instead of breaking."""
    entry_point = upload_source_dir(tmp_path, "script.py", PYTHON, str(tmp_path))
    version = subprocess.run([*entry_point, "--version"], stdout=subprocess.PIPE, check=True)
    assert version.stdout.decode() == f"script.py {__version__}\n"

    command = [*entry_point, "--root", str(tmp_path)]
    ended = subprocess.run(command, env={}, stdout=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    wanted = b"needs 3.11" if sys.version_info < (3, 11) else b"the Python package "
    assert wanted in ended.stdout
