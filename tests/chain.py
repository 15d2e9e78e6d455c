"""docker/chain.sh as a user starts it, with a local AWS of its own; for the tests of both modes."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from messages import versions_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from mypy_boto3_sagemaker import SageMakerClient

TOP = Path(__file__).resolve().parent.parent
STEPS = ("package", "payload", "register")
_PATIENCE = 300.0  # seconds; the first run may build images


@dataclass(frozen=True)
class Run:
    """How one run of the chain ended and what it left."""

    code: int
    stdout: str
    stderr: str
    messages: dict[str, dict[str, Any]]
    predictions: list[dict[str, str]]

    @property
    def version(self) -> dict[str, Any]:
        """What registration said of the version."""
        return versions_of(self.messages["register"])["us-west-2"]


def free_port() -> int:
    """Give a port that nothing listens on, of those that the kernel gives nobody by itself.

    Another test's server would take one of those before the program that it is for.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)  # the kernel's begin at 32768
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Chain:
    """The chain in a folder. Leave its `with` block to stop its local AWS."""

    run: Path
    options: tuple[str, ...] = ()
    top: Path = TOP
    user: int | None = None  # the caller's number, where it is not this process's
    groups: tuple[int, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)

    @property
    def endpoint(self) -> str:
        """Where the local AWS answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def project(self) -> str:
        """The Compose project."""
        return f"mims-test-{self.port}"

    def __call__(self, *options: str, **environ: str) -> Run:
        """Run it to its end."""
        done = self.command(*options, **environ)
        return Run(done.returncode, done.stdout, done.stderr, self._messages(), self._predictions())

    def command(self, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run docker/chain.sh."""
        return subprocess.run(
            ["bash", "docker/chain.sh", "--run", str(self.run), *self.options, *options],
            cwd=self.top,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else self.groups,
        )

    @property
    def environ(self) -> dict[str, str]:
        """The caller's environment, with what keeps this chain apart from others here."""
        own = {"MIMS_AWS_PORT": str(self.port), "COMPOSE_PROJECT_NAME": self.project}
        return {**os.environ, **own, **self.settings}

    def output(self, step: str, name: str) -> Path:
        """An output of a step."""
        return self.run / step / "opt/ml/processing/output" / name

    def sagemaker(self) -> SageMakerClient:
        """A client of the local AWS."""
        return boto3.client(
            "sagemaker",
            region_name="us-west-2",
            endpoint_url=self.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def answers(self) -> bool:
        """Whether the local AWS is up."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.endpoint}/moto-api/", timeout=10):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> subprocess.CompletedProcess[str]:
        """Stop the local AWS."""
        return self.command("--stop")

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stopped = self.stop()
        assert stopped.returncode == 0, stopped.stderr

    def _messages(self) -> dict[str, dict[str, Any]]:
        files = {step: self.run / step / "opt/ml/output/message" for step in STEPS}
        return {step: json.loads(file.read_text()) for step, file in files.items() if file.exists()}

    def _predictions(self) -> list[dict[str, str]]:
        report = self.run / "verify/report.jsonl"
        lines = report.read_text().splitlines() if report.exists() else []
        return [prediction for line in lines for prediction in json.loads(line)["predictions"]]
