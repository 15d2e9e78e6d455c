"""Fixtures of the tests that run with either SageMaker SDK: its own, silent, and on this machine.

`tests/run.sh --ci` runs them in .venv-sdk/2 and .venv-sdk/3; elsewhere there is no SDK, and
tests/conftest.py leaves them out. The local AWS runs in .venv, which has what it needs.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from chain import TOP
from local_mode import bridge
from sdk_names import Sdk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import LocalAws, StartLocalAws

_SILENT = {
    "SchemaVersion": "1.0",
    "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
}


def pytest_configure(config: pytest.Config) -> None:
    """The SDK's warnings are its own; ours fail a test here as anywhere."""
    config.addinivalue_line("filterwarnings", "default")
    config.addinivalue_line("filterwarnings", "error:::mims")


@pytest.fixture(scope="session", autouse=True)
def _silent_sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No telemetry, no settings and no credentials of the caller's."""
    settings = tmp_path_factory.mktemp("settings") / "config.yaml"
    settings.write_text(json.dumps(_SILENT))  # which is YAML, too
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith(("AWS_", "MIMS_")) or name.lower().endswith("_proxy"):
                patch.delenv(name)
        for scope in ("ADMIN", "USER"):
            patch.setenv(f"SAGEMAKER_{scope}_CONFIG_OVERRIDE", str(settings))
        patch.setenv("SAGEMAKER_SUPPRESS_V2_WARNING", "1")
        patch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session", autouse=True)
def _nobody_else() -> Iterator[None]:
    """No host is looked up but this one; told at the end, for telemetry swallows its errors."""
    asked: list[Any] = []
    look_up = socket.getaddrinfo

    def here_alone(host: Any, *options: Any, **more: Any) -> Any:
        if host != "localhost" and not _is_private(host):
            asked.append(host)
            raise socket.gaierror(f"a test may not ask for {host}")
        return look_up(host, *options, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", here_alone)
        yield
    assert asked == []


def _is_private(host: Any) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


@pytest.fixture(scope="session")
def sdk() -> Sdk:
    return Sdk()


@pytest.fixture(scope="session")
def server_python() -> str:
    return str(TOP / ".venv/bin/python")


@pytest.fixture(scope="session")
def local_aws(start_local_aws: StartLocalAws) -> Iterator[LocalAws]:
    """One local AWS for the whole run, which containers reach, too."""
    with start_local_aws("--host", bridge(), "--status-seconds", "0.05") as started:
        yield started
