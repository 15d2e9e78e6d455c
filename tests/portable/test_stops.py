"""A job that is stopped or killed in its middle: nothing half-done, and the next run succeeds."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from front_door import lay

if TYPE_CHECKING:
    import subprocess

    from front_door import Container

SLOW = {"COMPRESSION_LEVEL": "9"}
SIZE = 32_000_000  # takes seconds at that level


def wait_until_written(process: subprocess.Popen[bytes], folder: Path, size: int) -> None:
    """Wait until the process has written so much of an output, named or not yet."""
    while process.poll() is None:
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                opened = os.readlink(str(descriptor))
                if opened.startswith(f"{folder}/") and descriptor.stat().st_size > size:
                    return
        time.sleep(0.005)
    pytest.fail("it ended before it could be stopped")


@pytest.fixture
def model(container: Container) -> Container:
    """A container with a model that takes a while: random bytes, which nothing compresses."""
    lay(container.model, {"model.bin": os.urandom(SIZE)})
    return container


@pytest.mark.parametrize(
    ("stop", "written"),
    [
        (signal.SIGINT, 0),  # StopProcessingJob
        (signal.SIGTERM, SIZE // 2),  # docker stop
    ],
)
def test_stopped(model: Container, stop: signal.Signals, written: int) -> None:
    process = model.start("mims_package.py", **SLOW)
    wait_until_written(process, model.output, written)
    process.send_signal(stop)

    outcome = model.end(process)

    assert outcome.code == 128 + stop
    assert outcome.message["status"] == "stopped"
    assert outcome.error == f"stopped by {stop.name}; run it again"
    assert model.outputs() == []
    assert model.package().code == 0
    assert model.contents("model_artifacts/")["model.bin"]


def test_a_second_stop_changes_nothing(model: Container) -> None:
    process = model.start("mims_package.py", **SLOW)
    wait_until_written(process, model.output, 0)
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        process.send_signal(stop)

    outcome = model.end(process)

    assert outcome.code in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    assert model.outputs() == []


@pytest.mark.parametrize("written", [0, SIZE // 2])
def test_killed(model: Container, written: int) -> None:
    process = model.start("mims_package.py", **SLOW)
    wait_until_written(process, model.output, written)
    process.kill()
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert not (model.output / "model.tar.gz").exists()
    assert not (model.output / "manifest.json").exists()
    assert model.package().code == 0
    assert model.outputs() == ["manifest.json", "model.tar.gz"]


def test_stopped_beside_an_earlier_package(model: Container) -> None:
    model.package()
    before = model.packaged()
    process = model.start("mims_package.py", **SLOW)
    wait_until_written(process, model.output, 0)
    process.send_signal(signal.SIGTERM)

    model.end(process)

    assert model.packaged() == before
