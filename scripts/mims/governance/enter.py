"""An artifact that lies in S3 becomes a version: the registration job's own flow, run by a person.

Goes in: S3 paths, and a config. Comes out: what the job's exit message says. The artifact is
downloaded to a temporary folder, laid out as SageMaker lays out a job's inputs: whoever registers
checks all of it first, and S3 can't. From there on it is the job: the same checks, request, audit
record and identity, so the same artifact is registered once; and what SageMaker would tell the job
of its inputs says here where they came from, so that S3 copies a large artifact itself.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.contracts import MIMS_REGISTRATION_CONTRACT
from mims.errors import InputError, Problems
from mims.governance.download import fetch, location, size_of
from mims.governance.registry import Registry
from mims.governance.versions import File
from mims.job import Job, Progress
from mims.outputs import writing
from mims.registration.config import parse_config
from mims.registration.inputs import read_json_object, read_small
from mims.registration.origins import CONFIG_PATH
from mims.registration.plan import make_plan
from mims.registration.register import register as run
from mims.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.registration.config import RegistrationConfig
    from mims.registration.plan import Plan

WORKFLOW = "mims-registry"  # so that an artifact is one version, however often it is registered


class Sources(NamedTuple):
    """Where the inputs are: S3 paths; payload and metrics may be files too, or none."""

    artifact: str
    payload: str | None = None
    metrics: str | None = None


def register(
    registry: Registry,
    sources: Sources,
    *,
    group: str | None = None,
    config: Path | None = None,
    workflow: str | None = None,
    sha256: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Register an artifact in a group that is there, in each region that the config names.

    Raises:
        InputError: with everything that is wrong with config and inputs; the artifact's SHA-256
            is another; there is no such group.
        ServiceError: with what failed in which region.

    """
    artifact = File(sources.artifact, sha256)
    environ = {
        "MODS_WORKFLOW_EXECUTION_ID": WORKFLOW,
        "MIMS_BUCKET": location(artifact.uri).bucket,
        **os.environ,
        "AWS_REGION": registry.region,
    }
    if workflow:
        environ["MODS_WORKFLOW_EXECUTION_ID"] = workflow
    given = _config(registry, group, config)
    checked = parse_config(given, environ)
    _require_groups(checked, group)
    with tempfile.TemporaryDirectory(prefix="mims-register-") as folder:
        job = Job(MIMS_REGISTRATION_CONTRACT, Path(folder), environ)
        channels = {
            "PackagedModel": artifact,
            "GeneratedPayloadSamples": File(sources.payload) if sources.payload else None,
            "metadata": File(sources.metrics) if sources.metrics else None,
        }
        places = _lay_out(registry, job, {name: f for name, f in channels.items() if f})
        _write(job.path("config"), json.dumps(given).encode())
        try:
            if dry_run:
                return _would_be(make_plan(job))
            return {**run(job), "dry_run": False}
        except InputError as error:
            raise InputError(*(_named(problem, places) for problem in error.problems)) from error


def _config(registry: Registry, group: str | None, config: Path | None) -> dict[str, Any]:
    """The config as it is written, or the least one; the group is its model_name."""
    given = read_json_object(config, "the config") if config else {}
    if group is None and not given:
        known = [found["ModelPackageGroupName"] for found in registry.groups()]
        if len(known) != 1:
            raise InputError(
                f"no group: give --group, or --config ({registry.region} has "
                f"{listed(sorted(known)) or 'no group yet: make one with create-group'})"
            )
        group = known[0]
    return {**given, "model_name": given.get("model_name") or group} if group else given


def _require_groups(config: RegistrationConfig, group: str | None) -> None:
    """See that the group is there: a job makes one that is missing, a person may have mistyped."""
    if group and config.group != group:
        raise InputError(f"the config names group {config.group}, and --group {group}: which one?")
    problems = Problems()
    for region in config.regions:
        with problems.gather():
            Registry(region).group(config.group)
    problems.raise_any()


def _lay_out(registry: Registry, job: Job, channels: Mapping[str, File]) -> dict[Path, str]:
    """Bring each input to its channel, and say where it is from, as SageMaker does; and give that.

    Raises:
        InputError: with every input that is not there, or is another.

    """
    problems, places, told = Problems(), {}, []
    sizes = {
        name: size_of(registry, file) for name, file in channels.items() if _is_in_s3(file.uri)
    }
    with Progress("downloading", sum(sizes.values())) as progress:
        for name, file in channels.items():
            path = job.path(name) / PurePosixPath(file.uri).name
            places[path] = file.uri
            with problems.gather():
                if name in sizes:
                    fetch(registry, file, path, lambda chunk: progress.advance(len(chunk)))
                    channel = f"/{job.path(name).relative_to(job.root)}"
                    told.append({"S3Input": {"LocalPath": channel, "S3Uri": file.uri}})
                else:
                    _write(path, read_small(Path(file.uri)))
    problems.raise_any()
    says = {"ProcessingInputs": told, "RoleArn": registry.actor}  # who registers it
    _write(job.root / CONFIG_PATH, json.dumps(says).encode())
    return places


def _is_in_s3(path: str) -> bool:
    return path.startswith("s3://")


def _write(path: Path, content: bytes) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _named(problem: str, places: Mapping[Path, str]) -> str:
    """A problem, with the paths that the user knows."""
    for path, uri in places.items():
        problem = problem.replace(str(path), uri)
    return problem


def _would_be(plan: Plan) -> dict[str, Any]:
    """What a run would do, in the exit message's words."""
    return {
        "group": plan.config.group,
        "places": {
            region: [place.uri for place in plan.places(region).values()]
            for region in plan.config.regions
        },
        "model_sha256": plan.model.sha256,
        "payload_sha256": plan.payload.sha256 if plan.payload else None,
        "dry_run": True,
    }
