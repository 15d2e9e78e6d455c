"""A job that is stopped as PID 1: StopProcessingJob sends SIGINT, `docker stop` SIGTERM."""

from __future__ import annotations

import json
import secrets
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

from containers import mounts
from mims.contracts import MIMS_PACKAGE_CONTRACT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docker.models.containers import Container

    from containers import Containers

pytestmark = pytest.mark.image

SIZE = 300_000_000  # bytes: seconds of work
_PATIENCE = 300.0  # seconds until that work has begun


@pytest.fixture(scope="module")
def big_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a root with a model that takes a while to package."""
    root = tmp_path_factory.mktemp("big")
    channels = root / "opt/ml/processing/input"
    (channels / "script").mkdir(parents=True)
    (channels / "script/inference.py").write_text("def model_fn(model_dir): ...\n")
    (channels / "model").mkdir()
    with (channels / "model/weights.bin").open("wb") as file:
        for _ in range(SIZE // 1_000_000):
            file.write(secrets.token_bytes(1_000_000))
    return root


def await_work(container: Container) -> None:
    """Wait until the code is packaged and the model's turn has come."""
    deadline = time.monotonic() + _PATIENCE
    while b"script_input: 1 file\n" not in container.logs():
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("stop", "signal", "code"),
    [
        (lambda container: container.kill("SIGINT"), "SIGINT", 130),
        (lambda container: container.stop(timeout=60), "SIGTERM", 143),
    ],
    ids=["StopProcessingJob", "docker stop"],
)
def test_a_job_that_is_stopped_leaves_nothing_half_done(
    stop: Callable[[Container], None],
    signal: str,
    code: int,
    containers: Containers,
    big_model: Path,
) -> None:
    volumes = mounts(MIMS_PACKAGE_CONTRACT, big_model)
    output = big_model / "opt/ml/processing/output"
    with containers.started("mims_package.py", volumes=volumes, nano_cpus=500_000_000) as slow:
        await_work(slow)
        stop(slow)
        ended = containers.ended(slow)
    assert ended.code == code, ended.stderr
    assert "Traceback" not in ended.stderr
    message = json.loads((big_model / "opt/ml/output/message").read_bytes())
    assert message == ended.message
    assert (message["status"], message["exit_code"]) == ("stopped", code)
    assert message["error"] == f"stopped by {signal}; run it again"
    assert list(output.iterdir()) == []


def test_the_same_command_can_be_run_again(containers: Containers, big_model: Path) -> None:
    ended = containers.run("mims_package.py", volumes=mounts(MIMS_PACKAGE_CONTRACT, big_model))
    assert ended.message["status"] == "done"
    with tarfile.open(big_model / "opt/ml/processing/output/model.tar.gz") as tar:
        assert tar.getmember("model_artifacts/weights.bin").size == SIZE
