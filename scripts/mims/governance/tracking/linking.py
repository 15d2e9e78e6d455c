"""A version and the MLflow run that trained it, linked in both directions.

Goes in: a version and a run's id. Comes out: the run's last metrics, its parameters, commit and
datasets as one report, stored under its digest beside the version's other files; the version's
mlflow_* properties, which lead to it; and the run's mims.* tags, which lead back. Whatever is there
already stays, so a run that was broken off is repeated. `evidence_of` reads the report again,
held to its digest, and asks MLflow nothing. Changes no metric, and deletes nothing.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, FiniteFloat

from mims.errors import InputError, ServiceError
from mims.governance.tracking.mlflow_api import Tracking
from mims.governance.versions import File
from mims.registration.artifacts import Artifact
from mims.registration.inputs import parsed
from mims.registration.storage import Storage, content_address
from mims.text import listed, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.governance.registry import Registry
    from mims.governance.tracking.mlflow_api import Metric, Run
    from mims.governance.versions import Version

REPORT = "mlflow_run.json"
_ARN_TAG, _GROUP_TAG, _NUMBER_TAG = "mims.model_package_arn", "mims.group", "mims.version"
_RUN, _URI, _SHA256 = "mlflow_run_id", "mlflow_metrics_uri", "mlflow_metrics_sha256"
_EXPERIMENT = "mlflow_experiment"
_MOST_PROPERTIES = 50  # of a version: CustomerMetadataMap
_LONGEST = 256  # characters of a property: CustomerMetadataValue, as is the pattern
_NOT_TAKEN = re.compile(r"[^\w .:/=+\-@]")
_UNFINISHED = {
    "RUNNING": "is still running: wait until it has ended",
    "SCHEDULED": "has not begun: wait until it has ended",
    "FAILED": "has failed, so its metrics are no evidence: name one that finished",
    "KILLED": "was killed, so its metrics are no evidence: name one that finished",
}


@dataclass(frozen=True)
class Link:
    """A version and its run."""

    version: str
    """group/number"""
    arn: str
    server: str
    """the tracking URI, without a password"""
    run: Run
    report: File
    metrics: Mapping[str, float]
    """those that are finite numbers"""
    problems: Mapping[str, str]
    """the others, each with what it is: NaN at step 3"""
    changes: tuple[str, ...]
    """what was changed, or would be; empty where everything was there"""

    @property
    def commit(self) -> str | None:
        """The commit of the code that trained."""
        return self.run.tags.get("mlflow.source.git.commit")


def link(
    registry: Registry,
    version: Version,
    run_id: str,
    tracking_uri: str | None = None,
    *,
    force: bool = False,
    dry_run: bool = False,
) -> Link:
    """Link a version to an MLflow run of the server at `tracking_uri`, else MLFLOW_TRACKING_URI.

    `force` takes a run from another version, or another run from this one. `dry_run` changes
    nothing.

    Raises:
        InputError: the run is not there, was deleted, or has not finished; run or version are
            linked otherwise; with all that is wrong.
        ServiceError: MLflow or AWS refused, could not be reached, or did not keep what was written.

    """
    tracking = Tracking(tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", ""))
    run = tracking.run(run_id)
    content = _report(tracking.name, run)
    artifact = Artifact.of_bytes(REPORT, json.dumps(content, indent=1, sort_keys=True).encode())
    at = content_address(version.bucket, version.group, artifact)
    properties = {
        _RUN: run.id,
        _EXPERIMENT: _NOT_TAKEN.sub("_", run.experiment)[:_LONGEST],
        _URI: at.uri,
        _SHA256: artifact.sha256,
    }
    tags = {
        _ARN_TAG: version.arn,
        _GROUP_TAG: version.group,
        _NUMBER_TAG: str(version.number),
    }
    _check(run, version, properties, force=force)
    new_properties = _differing(version.properties, properties)
    new_tags = _differing(run.tags, tags)
    changes = [f"{version.name}: {name} = {value}" for name, value in new_properties.items()]
    changes += [f"run {run.id}: {name} = {value}" for name, value in new_tags.items()]
    if not dry_run:
        key = version.described.get("SecurityConfig", {}).get("KmsKeyId")
        Storage(registry.region, key).store(artifact, at, lambda _: None)
        if new_properties:
            registry.update(version, CustomerMetadataProperties=new_properties)
        for name, value in new_tags.items():
            tracking.set_tag(run.id, name, value)
        if changes:
            _check_arrived(f"run {run.id}", tracking.run(run.id).tags, tags)
            _check_arrived(version.name, registry.version(version.arn).properties, properties)
    return Link(
        version=version.name,
        arn=version.arn,
        server=tracking.name,
        run=run,
        report=File(at.uri, artifact.sha256),
        metrics=content["metrics"],
        problems=content["problems"],
        changes=tuple(changes),
    )


class _Source(BaseModel):
    run_id: str


class _Report(BaseModel):
    mlflow: _Source
    metrics: dict[str, FiniteFloat]
    problems: dict[str, str]


def evidence_of(registry: Registry, version: Version) -> Mapping[str, float | str]:
    """Read the metrics of the run that a version is linked to; empty where it is to none.

    A metric that is no finite number is there as text that says so: "NaN at step 3".

    Raises:
        InputError: the report is not what was linked, or of another run.
        ServiceError: it is not there, or S3 refused.

    """
    found = {name: version.properties.get(name) for name in (_RUN, _URI, _SHA256)}
    run, uri, sha256 = found.values()
    if not any(found.values()):
        return {}
    if not (run and uri and sha256):
        lacking = [name for name, value in found.items() if not value]
        raise InputError(
            f"{version.name}: its metadata lacks {listed(lacking)}: link its run again"
        )
    report = parsed(_Report, registry.read_json(File(uri, sha256)), uri)
    if report.mlflow.run_id != run:
        raise InputError(
            f"{uri}: is of MLflow run {printable(report.mlflow.run_id)}, but {version.name} is "
            f"linked to {printable(run)}: link its run again"
        )
    return {**report.metrics, **report.problems}


def text_of(link: Link) -> str:
    """Describe a link in lines, for a terminal."""
    run = link.run
    lines = [
        f"{link.version} and MLflow run {run.name or run.id}, experiment {run.experiment}",
        f"  run       {run.id} at {link.server}",
        f"  metrics   {listed(f'{name} {value:g}' for name, value in link.metrics.items())}",
        f"  params    {listed(f'{name} {value}' for name, value in run.params.items())}",
        f"  datasets  {listed(' '.join([one['name'], one['digest']]) for one in run.datasets)}",
        f"  commit    {link.commit or ''}",
        f"  report    {link.report.uri}",
        *(f"  problem   metric {name} is {what}" for name, what in link.problems.items()),
        *(f"  change    {change}" for change in link.changes),
    ]
    return "\n".join(printable(line).rstrip() for line in lines)


def _check(run: Run, version: Version, properties: Mapping[str, str], *, force: bool) -> None:
    problems = []
    if run.deleted:
        problems.append(f"was deleted: restore it (mlflow runs restore --run-id {run.id})")
    if run.status != "FINISHED":
        default = f"has the status {run.status}: name one that finished"
        problems.append(_UNFINISHED.get(run.status, default))
    owner = run.tags.get(_ARN_TAG, version.arn)
    if owner != version.arn and not force:
        problems.append(
            f"is linked to {owner} already: name another, or take it from there with --force"
        )
    problems = [f"MLflow run {run.id} {problem}" for problem in problems]
    other = version.properties.get(_RUN, run.id)
    if other != run.id and not force:
        problems.append(
            f"{version.name} is linked to MLflow run {other} already: --force links it to this one"
        )
    count = len({*version.properties, *properties})
    if count > _MOST_PROPERTIES:
        problems.append(
            f"{version.name} would have {count} metadata properties, and SageMaker takes "
            f"{_MOST_PROPERTIES}: remove some"
        )
    if not version.bucket:
        problems.append(f"{version.name} has no model in S3, so there is no place for the report")
    if problems:
        raise InputError(*map(printable, problems))


def _report(server: str, run: Run) -> dict[str, Any]:
    """What is stored: the same bytes for the same run, whatever tags it has."""
    odd = {name: _oddness(metric) for name, metric in run.metrics.items()}
    return {
        "mlflow": {
            "tracking_uri": server,
            "run_id": run.id,
            "run_name": run.name,
            "experiment": run.experiment,
            "user": run.user,
            "started_ms": run.started,
            "ended_ms": run.ended,
            "source": run.tags.get("mlflow.source.name"),
            "commit": run.tags.get("mlflow.source.git.commit"),
        },
        "metrics": {name: one.value for name, one in run.metrics.items() if not odd[name]},
        "params": run.params,
        "datasets": run.datasets,
        "problems": {name: what for name, what in odd.items() if what},
    }


def _oddness(metric: Metric) -> str:
    """What a value is that is no finite number. MLflow's database keeps infinity as the largest."""
    value, at = metric.value, f" at step {metric.step}"
    if math.isnan(value):
        return f"NaN{at}"
    if abs(value) >= sys.float_info.max:
        return f"{'-' if value < 0 else ''}infinity{at}"
    return ""


def _differing(found: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in wanted.items() if found.get(name) != value}


def _check_arrived(where: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    lost = _differing(found, wanted)
    if lost:
        raise ServiceError(
            f"{where}: {listed(lost)} did not keep what was written: does somebody else link it "
            "just now? run again"
        )
