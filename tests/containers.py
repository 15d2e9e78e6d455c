"""The images, and containers that are gone when their test is; for the tests in image/."""

from __future__ import annotations

import json
import os
import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chain import TOP
from mims import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.images import Image

    from mims.contracts import Contract

_PATIENCE = 300  # seconds that a container of these tests may take
# A container that can do as little as one can.
LOCKED_UP: dict[str, Any] = {
    "network_mode": "none",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "user": "1000:1000",
}


@dataclass(frozen=True)
class Ended:
    """How a container ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def message(self) -> dict[str, Any]:
        """The exit message: the last line on stdout."""
        message: dict[str, Any] = json.loads(self.stdout.splitlines()[-1])
        return message


class Containers:
    """Starts containers of the mims image, and removes them."""

    def __init__(self, engine: DockerClient, image: Image) -> None:
        self._engine, self._image = engine, image

    def run(self, *command: str, code: int = 0, **options: Any) -> Ended:
        """Run a command to its end, which has to be `code`.

        A run that ends well must not have warned of anything, and no run may end in a traceback.
        """
        with self.started(*command, **options) as container:
            ended = self.ended(container)
        assert ended.code == code, ended.stderr
        assert "Traceback" not in ended.stderr
        assert code or not re.search("WARNING|ERROR", ended.stderr), ended.stderr
        return ended

    @contextmanager
    def started(self, *command: str, **options: Any) -> Iterator[Container]:
        """Start a command; leave the `with` block to remove its container."""
        container = self._engine.containers.create(self._image, list(command), **options)
        try:
            container.start()
            yield container
        finally:
            container.remove(force=True, v=True)

    def ended(self, container: Container) -> Ended:
        """Wait for a container's end."""
        code = container.wait(timeout=_PATIENCE)["StatusCode"]
        stdout, stderr = (
            container.logs(stdout=out, stderr=not out).decode() for out in (True, False)
        )
        return Ended(code, stdout, stderr)


def mounts(contract: Contract, root: Path) -> list[str]:
    """Mount the channels below `root` as SageMaker does: inputs read-only, outputs for anybody."""
    inputs = [channel.path for channel in contract.inputs]
    outputs = [*(channel.path for channel in contract.outputs), "/opt/ml/output"]
    for path in outputs:
        folder = root / path.lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)
    present = [path for path in inputs if (root / path.lstrip("/")).exists()]
    return [f"{root}{path}:{path}:ro" for path in present] + [f"{root}{p}:{p}" for p in outputs]


def build_images() -> None:
    """Build all images of docker-compose.yml, on whatever base this machine can get."""
    stamp = {"MIMS_VERSION": __version__, "MIMS_REVISION": revision()}
    for command in ("bash docker/base/ensure.sh", "docker compose --project-name mims build"):
        done = subprocess.run(
            command.split(),
            cwd=TOP,
            env={**os.environ, **stamp},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}"


def revision() -> str:
    """Give the commit that is checked out."""
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
