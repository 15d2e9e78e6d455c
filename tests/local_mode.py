"""The SageMaker SDK's own local mode, version 2 or 3: every job a real container; for sdk/.

Compose starts each job. Containers run as the caller, so that nobody else's files stay behind, and
reach a local AWS that listens on the engine's bridge. Compose leaves containers and a network
behind: `local_mode` removes them.
"""

from __future__ import annotations

import gc
import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from os import getgid, getuid
from typing import TYPE_CHECKING, Any

import boto3

from mims.pipeline.files import upload
from mims.pipeline.sdk import as_sdk_pipeline, installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mims.pipeline.definition import PipelineDefinition
    from sdk_names import Sdk

_NETWORK = "sagemaker-local"


@dataclass(frozen=True)
class Execution:
    """How an execution ended: Succeeded or Failed, and why; each step that began, likewise."""

    id: str
    status: str
    reason: str
    steps: dict[str, str]


@contextmanager
def local_mode(sdk: Sdk, work: Path) -> Iterator[Callable[[PipelineDefinition], Execution]]:
    """Give what runs a pipeline to its end, with its working files below a folder."""
    networks = _docker("network", "ls", "--quiet", "--filter", f"name=^{_NETWORK}$")

    def execute(definition: PipelineDefinition) -> Execution:
        upload(definition.files)
        session = _session(sdk, work)
        pipeline = as_sdk_pipeline(
            definition.name, list(definition.parameters), definition.in_order(), session
        )
        service = session.sagemaker_client if installed() == "2" else session
        service.create_pipeline(pipeline, definition.description)
        ended = service.start_pipeline_execution(definition.name)
        told = ended.list_steps()["PipelineExecutionSteps"]
        return Execution(
            ended.pipeline_execution_name,
            ended.status,
            ended.failure_reason or "",
            {step["StepName"]: step["StepStatus"] for step in told},
        )

    try:
        yield execute
    finally:
        gc.collect()  # the SDK leaves pipes open: the test that is to be warned of them is this one
        for file in work.glob("*/docker-compose.yaml"):
            project = f"label=com.docker.compose.project={file.parent.name}"
            for container in _docker("ps", "--all", "--quiet", "--filter", project):
                _docker("rm", "--force", "--volumes", container)
        if not networks:
            _docker("network", "rm", _NETWORK)


def bridge() -> str:
    """The host's address on the engine's bridge: who listens there is heard in containers."""
    (told,) = _docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
    config = json.loads(told)[0]  # an engine that has never been restarted leaves Gateway out
    return config.get("Gateway") or str(ip_network(config["Subnet"])[1])


def _session(sdk: Sdk, work: Path) -> Any:
    """A session that runs pipelines and their jobs here."""
    local, pipeline = sdk.LocalPipelineSession, sdk.PipelineSession
    both = local if issubclass(local, pipeline) else type("Both", (local, pipeline), {})
    session = both(boto3.Session())
    user = {"user": f"{getuid()}:{getgid()}"}
    session.config = {"local": {"container_root": str(work), "container_config": user}}
    return session


def _docker(*command: str) -> list[str]:
    done = subprocess.run(["docker", *command], check=True, capture_output=True, text=True)
    return done.stdout.split()
