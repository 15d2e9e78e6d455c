"""The monitor image, derived from the mims image: drift checks in locked-up containers."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from chain import TOP
from containers import LOCKED_UP, Containers, mounts
from drift_captures import capture_file, lines, written
from drift_reports import baseline, records
from mims.governance.drift.baselines import content
from mims.governance.drift.job import MIMS_DRIFT_CONTRACT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    import docker
    from docker.models.images import Image

pytestmark = pytest.mark.image


@pytest.fixture(scope="module")
def monitor(engine: docker.DockerClient, image: Image) -> Containers:
    """Build the image on the mims image of now, and on its base."""
    base = image.labels["org.opencontainers.image.base.name"]
    command = ["docker", "build", "-q", "-t", "mims-monitor", "-f", "docker/monitor/Dockerfile"]
    built = subprocess.run(
        [*command, "--build-arg", f"BASE={base}", "."],
        cwd=TOP,
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return Containers(engine, engine.images.get("mims-monitor"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "opt/ml/processing/input/baseline"
    folder.mkdir(parents=True)
    (folder / "baseline.json").write_bytes(content(baseline(tmp_path / "training")))
    return tmp_path


def check(
    monitor: Containers,
    root: Path,
    code: int,
    *,
    shift: float = 0.0,
    count: int = 3000,
    environment: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run the job on captures; give its exit message."""
    where = capture_file(root / "opt/ml/processing/input/capture")
    written(where, lines(records(count, seed=2, shift=shift)))
    ended = monitor.run(
        code=code,
        volumes=mounts(MIMS_DRIFT_CONTRACT, root),
        environment=environment or {},
        tmpfs={"/tmp": ""},  # noqa: S108 - matplotlib's
        **LOCKED_UP,
    )
    kept = json.loads((root / "opt/ml/output/message").read_text())
    assert kept == ended.message
    return ended.message


def test_no_drift(monitor: Containers, root: Path) -> None:
    message = check(monitor, root, 0)
    assert (message["verdict"], message["records"]) == ("none", 3000)


def test_drift_ends_the_job_with_4(monitor: Containers, root: Path) -> None:
    message = check(monitor, root, 4, shift=1.0)
    assert message["error"].startswith("drift in age, country")
    output = root / "opt/ml/processing/output/report"
    report = json.loads((output / "report.json").read_text())
    assert report["verdict"] == "drift"
    assert (output / "report.html").read_text().count("<svg viewBox=") >= 3


def test_limits_come_by_environment(monitor: Containers, root: Path) -> None:
    message = check(monitor, root, 1, environment={"MINIMUM": "5000"})
    assert "fewer than 5,000" in message["error"]


def test_the_mims_image_stays_lean(containers: Containers) -> None:
    """What statistics and plots need is in the derived image alone."""
    code = "import importlib.util as u; print([n for n in ('numpy', 'scipy') if u.find_spec(n)])"
    assert containers.run("python", "-c", code, **LOCKED_UP).stdout == "[]\n"
