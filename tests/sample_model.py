"""The sample model, trained once for every test that wants it, and packages made of it by hand."""

from __future__ import annotations

import csv
import functools
import io
import subprocess
import sys
import tarfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCKER = Path(__file__).resolve().parent.parent / "docker"
OUTPUT = "opt/ml/processing/output"
LAYOUTS = {"mims": "model_artifacts/", "sagemaker": ""}


def train(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the training program as the chain does."""
    command = [sys.executable, str(DOCKER / "train" / "train.py"), "--root", str(root)]
    command += options
    return subprocess.run(command, capture_output=True, text=True, check=False)


@functools.cache
def _trained(root: Path) -> Path:
    done = train(root)
    assert done.returncode == 0, done.stderr
    return root / OUTPUT


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that training wrote: model/, script/, metadata/, config/."""
    return _trained(tmp_path_factory.getbasetemp() / "sample-model")


def archive_files(archive: Path) -> dict[str, bytes]:
    """Every file of an archive, in its order."""
    with tarfile.open(archive) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def write_archive(path: Path, files: Mapping[str, bytes | str]) -> Path:
    """Write a .tar.gz of plain files."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            body = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return path


def package_sample(sample: Path, layout: str, path: Path) -> Path:
    """Package the sample model and its code in a layout, without the packager."""
    script = sample / "script"
    model = archive_files(sample / "model" / "model.tar.gz")
    code = [file for file in sorted(script.rglob("*")) if file.is_file()]
    return write_archive(
        path,
        {
            **{LAYOUTS[layout] + name: content for name, content in model.items()},
            **{f"code/{file.relative_to(script)}": file.read_bytes() for file in code},
        },
    )


def raw_penguins() -> list[dict[str, str]]:
    """The rows of the data that the model was trained on, as they come."""
    file = distribution("palmerpenguins").locate_file("palmerpenguins/data/penguins-raw.csv")
    with Path(str(file)).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
