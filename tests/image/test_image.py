"""The image itself: what it answers, what it holds, what it must not hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from docker.errors import APIError

from containers import LOCKED_UP, revision
from mims import __version__
from mims.contracts import (
    MIMS_PACKAGE_CONTRACT,
    MIMS_PAYLOAD_CONTRACT,
    MIMS_REGISTRATION_CONTRACT,
    Contract,
)

if TYPE_CHECKING:
    from pathlib import Path

    from docker.models.images import Image

    from containers import Containers

pytestmark = pytest.mark.image

LARGEST = 250_000_000  # bytes; 190 MB when this was written, 124 MB of it the base
CONTRACTS = (MIMS_PACKAGE_CONTRACT, MIMS_PAYLOAD_CONTRACT, MIMS_REGISTRATION_CONTRACT)
by_script = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.entry_point)


@by_script
def test_help_lists_paths_and_settings(containers: Containers, contract: Contract) -> None:
    text = containers.run(contract.entry_point, "--help", **LOCKED_UP).stdout
    paths = [channel.path for channel in (*contract.inputs, *contract.outputs)]
    names = [setting.name for setting in contract.settings]
    assert [word for word in (*paths, *names, "--root", "exit codes") if word not in text] == []


@by_script
def test_version(containers: Containers, contract: Contract) -> None:
    # A user of no name and no home, as clusters give one.
    ended = containers.run(contract.entry_point, "--version", user="54321:54321")
    assert ended.stdout == f"{contract.entry_point} {__version__}\n"


def test_a_job_that_names_no_program_does_not_end_well(containers: Containers) -> None:
    with pytest.raises(APIError, match=r"(?i)no command specified"):
        containers.run()


def test_nothing_of_the_image_lies_where_sagemaker_mounts(containers: Containers) -> None:
    containers.run("test", "!", "-e", "/opt/ml")


def test_it_holds_nothing_heavy(containers: Containers) -> None:
    """Nothing of ours needs NumPy or SciPy, and nothing is installed at run time."""
    there = "import importlib.util, sys; print(*filter(importlib.util.find_spec, sys.argv[1:]))"
    unwanted = ("numpy", "scipy", "pandas", "pip", "setuptools")
    assert containers.run("python", "-c", there, *unwanted, "boto3").stdout == "boto3\n"


def test_it_is_lean(image: Image) -> None:
    assert image.attrs["Size"] < LARGEST


def test_its_labels_say_what_it_is(image: Image) -> None:
    prefix = "org.opencontainers.image."
    labels = {k.removeprefix(prefix): v for k, v in image.labels.items() if k.startswith(prefix)}
    assert labels.pop("description").startswith("SageMaker processing scripts")
    assert labels.pop("base.name") in ("python:3.11-slim-bookworm", "mims-base:bookworm")
    assert labels == {"title": "mims", "version": __version__, "revision": revision()}


USER_SCRIPT = """\
import argparse, os, pathlib, subprocess, sys

parser = argparse.ArgumentParser()
parser.add_argument("--status", type=int)
channel = pathlib.Path(os.environ["SM_CHANNEL_TRAINING"])
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_bytes((channel / "rows").read_bytes())
subprocess.run(["mims_package.py", "--version"], check=True)
sys.exit(parser.parse_args().status)
"""


@pytest.mark.parametrize(("status", "code"), [(0, 0), (7, 1)])
def test_it_runs_as_a_training_job(
    containers: Containers, tmp_path: Path, status: int, code: int
) -> None:
    """`train` is sagemaker-training's; whatever a user's script ends with, it makes 1 of it."""
    files = {
        "input/config/hyperparameters.json": json.dumps(
            {
                "sagemaker_program": json.dumps("repack.py"),
                "sagemaker_submit_directory": json.dumps("/opt/ml/source"),
                "status": json.dumps(status),
            }
        ),
        "input/config/inputdataconfig.json": json.dumps(
            {"training": {"TrainingInputMode": "File"}}
        ),
        "input/config/resourceconfig.json": json.dumps(
            {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
        ),
        "input/data/training/rows": "1,2\n",
        "source/repack.py": USER_SCRIPT,
    }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for folder in ("model", "output"):
        (tmp_path / folder).mkdir()
    containers.run(
        "train",
        code=code,
        volumes=[f"{tmp_path}:/opt/ml"],
        network_mode="none",
        extra_hosts={"algo-1": "127.0.0.1"},  # it waits until it finds itself
    )
    assert (tmp_path / "model/model.txt").read_text() == "1,2\n"
    if status:
        assert f"ExitCode {status}" in (tmp_path / "output/failure").read_text()
    else:
        assert (tmp_path / "output/success").exists()
