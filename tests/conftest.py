"""What tests share: a local AWS to talk to.

It is loaded by every Python that a test runs under, so it stands on the standard library; what
needs boto3 is imported by the fixture that needs it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from typing import Protocol

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from faults import Faults

    class StartLocalAws(Protocol):
        """Start a local AWS of the test's own, with more options."""

        def __call__(self, *options: str) -> AbstractContextManager[LocalAws]: ...


@pytest.hookimpl(optionalhook=True)  # other Pythons have no xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Of tests side by side, those of a file share a process; so do all that need an engine."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "image" if file.startswith("tests/image/") else file

    return ByFile(config, log)


if find_spec("hypothesis"):  # tests/sdk goes without
    from hypothesis import HealthCheck, settings

    # No test hangs on chance or on how quick the machine is; CI=true does the same in new versions.
    settings.register_profile(
        "steady",
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("steady")

SERVER = Path(__file__).parents[1] / "docker" / "aws" / "server.py"
# What these need is in .venv-sdk alone: tests/run.sh.
collect_ignore = [] if find_spec("sagemaker") else ["sdk"]


@dataclass(frozen=True)
class LocalAws:
    """A running local AWS."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment by which any AWS client finds it, and finds nothing else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-west-2",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1",
        }

    def reset(self) -> None:
        """Forget all buckets, groups and versions."""
        self._post("reset")

    @contextmanager
    def package_status(self, **transition: Any) -> Iterator[None]:
        """Set how a model package's status moves on: moto's state transitions.

        `progression="manual", times=1` is one step a describe, `progression="immediate"` goes to
        the end at once, and `progression="time", seconds=3600` stays Pending.
        """
        with self._status("sagemaker::model-package", transition):
            yield

    @contextmanager
    def endpoint_status(self, **transition: Any) -> Iterator[None]:
        """Set how an endpoint's status moves on, in the same words."""
        with self._status("sagemaker::endpoint", transition):
            yield

    @contextmanager
    def _status(self, name: str, transition: dict[str, Any]) -> Iterator[None]:
        model = {"model_name": name}
        self._post("state-manager/set-transition", {**model, "transition": transition})
        try:
            yield
        finally:
            self._post("state-manager/unset-transition", model)

    def _post(self, path: str, body: Any = None) -> None:
        data = json.dumps(body or {}).encode()
        request = urllib.request.Request(f"{self.url}/moto-api/{path}", data)  # noqa: S310
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
            pass


@pytest.fixture(scope="session")
def server_python() -> str:
    """The Python that has what the local AWS needs."""
    return sys.executable


@pytest.fixture(scope="session")
def start_local_aws(tmp_path_factory: pytest.TempPathFactory, server_python: str) -> StartLocalAws:
    """Return a context manager that runs a local AWS on a port of its own."""

    @contextmanager
    def start(*options: str) -> Iterator[LocalAws]:
        log = tmp_path_factory.mktemp("local-aws") / "log"
        command = [server_python, str(SERVER), "--port", "0", *options]
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        with process:
            assert process.stdout
            url = process.stdout.readline().strip()
            assert url, log.read_text()
            try:
                yield LocalAws(url, process, log)
            finally:
                process.terminate()

    return start


@pytest.fixture(scope="session")
def local_aws(start_local_aws: StartLocalAws) -> Iterator[LocalAws]:
    """One local AWS for the whole run. Most tests want `aws` instead."""
    with start_local_aws("--status-seconds", "0.05") as started:
        yield started


@pytest.fixture
def aws(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """An empty local AWS, which clients find by the environment and must not send rubbish to."""
    from service_model import checked_requests  # noqa: PLC0415

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in local_aws.environ.items():
        monkeypatch.setenv(name, value)
    local_aws.reset()
    with checked_requests(monkeypatch):
        yield local_aws


@pytest.fixture
def bucket(aws: LocalAws) -> str:
    """Return the name of an empty bucket in the default region, us-west-2."""
    import boto3  # noqa: PLC0415

    region = aws.environ["AWS_DEFAULT_REGION"]
    where: Any = {"LocationConstraint": region}
    boto3.client("s3").create_bucket(Bucket="mims-models", CreateBucketConfiguration=where)
    return "mims-models"


@pytest.fixture
def proxy(aws: LocalAws, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """A fault proxy between `aws`, which has a bucket, and the clients made from now on.

    Those made before it go past it. botocore asks again at once.
    """
    from faults import Faults  # noqa: PLC0415
    from stored_artifacts import no_waits  # noqa: PLC0415

    del bucket  # made past the proxy
    no_waits(monkeypatch)
    with Faults(aws.url) as faults:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faults.url)
        yield faults


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that clients ask for from now on."""
    import botocore.handlers  # noqa: PLC0415 - other Pythons load this file without it

    operations: list[str] = []

    def note(model: Any, **_: object) -> None:
        operations.append(model.name)

    handlers = [*botocore.handlers.BUILTIN_HANDLERS, ("before-parameter-build", note)]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)
    return operations


@pytest.fixture
def sagemaker(aws: LocalAws) -> SageMakerClient:
    """A client of the local AWS."""
    del aws  # the environment leads there
    import boto3  # noqa: PLC0415 - other Pythons load this file without it

    return boto3.client("sagemaker")


@pytest.fixture
def s3(aws: LocalAws) -> S3Client:
    """A client of the local AWS."""
    del aws  # the environment leads there
    import boto3  # noqa: PLC0415 - other Pythons load this file without it

    return boto3.client("s3")
