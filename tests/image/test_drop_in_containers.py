"""Packaging and payloads in somebody else's pipeline: in stock containers, and in ours.

Each way to bring the code in is started as SageMaker starts it, and has to leave what the image's
own entry point leaves. A stock container is the base image, which holds nothing of ours: with its
own Python, and with each of pyenv's from 3.7 on that this machine has.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import drop_in
import sample_model
from containers import LOCKED_UP, Containers, mounts
from drop_in import CODE_FOLDERS, upload_code, upload_source_dir
from front_door import SCRIPTS
from mims import __version__
from mims.contracts import (
    MIMS_PACKAGE_CONTRACT,
    MIMS_PAYLOAD_CONTRACT,
    MIMS_REGISTRATION_CONTRACT,
    Contract,
)

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image

pytestmark = [pytest.mark.image, pytest.mark.slow]  # a container each
sample = sample_model.sample
built = drop_in.built

CONTRACTS = (MIMS_PACKAGE_CONTRACT, MIMS_PAYLOAD_CONTRACT)
ROOT = {"user": "0:0", "cap_drop": []}  # as most containers on SageMaker run


class Job(NamedTuple):
    """A job, the folder that its channels lie in, and what it has to leave."""

    contract: Contract
    root: Path
    built: Path
    expected: dict[str, bytes]

    def outputs(self, containers: Containers, *command: str, **options: Any) -> dict[str, bytes]:
        """Run it to its good end; give what it wrote, by name."""
        volumes = [*mounts(self.contract, self.root), *code_mounts(self.root)]
        volumes += options.pop("volumes", [])
        containers.run(*command, volumes=volumes, **{**LOCKED_UP, **options})
        folder = self.root / "opt/ml/processing/output"
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def code_mounts(root: Path) -> list[str]:
    """Mount the code that was uploaded; only what is to be unpacked can be written to."""
    folders = [folder for folder in CODE_FOLDERS if (root / folder).exists()]
    packed = (root / CODE_FOLDERS[0] / "sourcedir.tar.gz").exists()
    return [f"{root}/{folder}:/{folder}:{'rw' if packed else 'ro'}" for folder in folders]


def unpacked(written: dict[str, bytes]) -> dict[str, Any]:
    """What is the same with isal, which the image has, and without: all but how it is deflated."""
    found: dict[str, Any] = {}
    for name, content in written.items():
        if name.endswith(".gz"):
            found[name] = gzip.decompress(content)
        else:
            found[name] = json.loads(content)
            assert found[name].pop("archive").keys() == {"name", "size", "sha256"}
    return found


@pytest.fixture(params=CONTRACTS, ids=lambda contract: contract.entry_point)
def job(
    request: pytest.FixtureRequest,
    containers: Containers,
    sample: Path,
    built: Path,
    tmp_path: Path,
) -> Job:
    """A job on the sample model; the image's own entry point shows what it has to leave."""
    job = Job(request.param, tmp_path / "root", built, {})
    channels = job.root / "opt/ml/processing/input"
    channels.mkdir(parents=True)
    for channel in ("model", "script"):
        (channels / channel).symlink_to(sample / channel)
    expected = job.outputs(containers, job.contract.entry_point)
    assert len(expected) == 2
    shutil.rmtree(job.root / "opt/ml/processing/output")
    return job._replace(expected=expected)


def as_file(job: Job) -> list[str]:
    """`code=mims_package.pyz`."""
    script = Path(job.contract.entry_point)
    return upload_code(job.root, job.built / script.with_suffix(".pyz"), ["python3"])


def as_source_dir(job: Job) -> list[str]:
    """`source_dir=scripts`."""
    return upload_source_dir(job.root, job.contract.entry_point, ["python"])


Way = Callable[[Job], list[str]]
by_way = pytest.mark.parametrize("way", [as_file, as_source_dir], ids=lambda way: way.__name__)


class Python(NamedTuple):
    """A Python that a stock container has: one that is mounted there, or its own."""

    version: str
    folder: Path | None = None

    @property
    def options(self) -> dict[str, Any]:
        if self.folder is None:
            return {}
        path = "/opt/python/bin:/usr/local/bin:/usr/bin:/bin"
        return {
            "environment": {"PATH": path, "LD_LIBRARY_PATH": "/opt/python/lib"},
            "volumes": [f"{self.folder}:/opt/python:ro"],
        }


def pythons() -> list[Python]:
    """Every Python to try; there is always one, the base image's own."""
    found = [
        Python(f"3.{match[1]}", folder)
        for folder in Path.home().glob(".pyenv/versions/*")
        if (match := re.fullmatch(r"3\.(\d+)\.\d+", folder.name)) and int(match[1]) >= 7
    ]
    return [Python("its own"), *found]


by_python = pytest.mark.parametrize("python", pythons(), ids=lambda python: python.version)
both_names = pytest.mark.parametrize("python", ["python", "python3"])


@pytest.fixture(scope="session")
def stock(engine: docker.DockerClient, image: Image) -> Containers:
    """Containers of the image that ours is made from."""
    base = image.labels["org.opencontainers.image.base.name"]
    return Containers(engine, engine.images.get(base))


@by_python
def test_a_stock_container_has_the_python_that_is_meant(stock: Containers, python: Python) -> None:
    for name in ("python", "python3"):
        version = stock.run(name, "--version", **LOCKED_UP, **python.options).stdout
        assert python.folder is None or version.startswith(f"Python {python.version}.")


@by_way
@by_python
def test_a_stock_container_will_do(stock: Containers, job: Job, way: Way, python: Python) -> None:
    written = job.outputs(stock, *way(job), **python.options)
    assert unpacked(written) == unpacked(job.expected)


@by_way
def test_and_so_will_one_whose_user_is_root(stock: Containers, job: Job, way: Way) -> None:
    written = job.outputs(stock, *way(job), **ROOT)
    assert unpacked(written) == unpacked(job.expected)


@pytest.mark.parametrize("job", CONTRACTS[:1], indirect=True, ids=["mims_package.py"])
def test_bytes_are_the_same_where_isal_has_no_hand_in_it(
    stock: Containers, containers: Containers, job: Job
) -> None:
    command, level = as_file(job), {"environment": {"COMPRESSION_LEVEL": "6"}}
    theirs = job.outputs(stock, *command, **level)
    assert theirs == job.outputs(containers, *command, **level) != job.expected


@by_way
def test_our_image_takes_what_a_stock_container_takes(
    containers: Containers, job: Job, way: Way
) -> None:
    assert job.outputs(containers, *way(job)) == job.expected


@both_names
def test_our_image_takes_the_entry_script_alone(
    containers: Containers, job: Job, python: str
) -> None:
    """`mims` comes from the image."""
    command = upload_code(job.root, SCRIPTS / job.contract.entry_point, [python])
    assert job.outputs(containers, *command) == job.expected


@both_names
def test_and_that_of_registration(containers: Containers, tmp_path: Path, python: str) -> None:
    """It gets as far as to miss a setting, so boto3 and all else that it imports is there."""
    contract = MIMS_REGISTRATION_CONTRACT
    command = upload_code(tmp_path, SCRIPTS / contract.entry_point, [python])
    volumes = [*mounts(contract, tmp_path), *code_mounts(tmp_path)]
    ended = containers.run(*command, code=1, volumes=volumes, **LOCKED_UP)
    assert "MODS_WORKFLOW_EXECUTION_ID" in ended.message["error"]


def test_an_upload_with_a_mims_of_its_own_keeps_it(containers: Containers, tmp_path: Path) -> None:
    """A pipeline that is pinned to a version runs that one in a newer image as well."""
    code = tmp_path / CODE_FOLDERS[0]
    shutil.copytree(SCRIPTS, code, ignore=shutil.ignore_patterns("__pycache__"))
    version = code / "mims" / "__init__.py"
    version.write_text(version.read_text().replace(__version__, "0.0.1"))
    command = ("python3", f"/{CODE_FOLDERS[0]}/mims_package.py", "--version")
    ended = containers.run(*command, volumes=code_mounts(tmp_path), **LOCKED_UP)
    assert ended.stdout == "mims_package.py 0.0.1\n"
