"""What an execution of a group's state machine is given: a version, judged, and how to deploy it.

Goes in: a version in Staging and the group's gate file. Comes out: an execution's input: the
verdicts of all gates, and what the machine needs to judge again and to see that nothing has changed
since: digests, stages, where the reports lie and their ETags, which gates it can judge itself.

The gate file's section `deployment`:

    deployment:
      endpoint: fraud                # none: versions change their stage alone
      role: arn:aws:iam::123456789012:role/model
      instance_type: ml.m5.large
      initial_instance_count: 2
      verification: {body: "1,2,3", content_type: text/csv}
      approval_hours: 72

Writes nothing.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.governance.ab.endpoint import free
from mims.governance.approval.checks import checks, report_keys
from mims.governance.approval.endpoint import Plan
from mims.governance.approval.ends import FORMAT
from mims.governance.decisions import History
from mims.governance.deploy import Variant, clipped, config_request, count_now, model_request
from mims.governance.endpoints import Patience
from mims.governance.gates.evidence import gather
from mims.governance.gates.judging import evaluate, person
from mims.governance.report_shapes import number
from mims.governance.versions import PRODUCTION, STAGING
from mims.registration.aws import asking
from mims.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mims.governance.approval.checks import Check
    from mims.governance.gates.evidence import Evidence
    from mims.governance.gates.file import GateFile
    from mims.governance.gates.models import Deployment
    from mims.governance.registry import Registry
    from mims.governance.versions import Version

_INPUT_LIMIT = 262_144  # bytes of an execution's input, and of what a task answers
_COUNT_DIGITS = 6  # of a number of instances
_REPORT_LIMIT = 200_000  # bytes of a report that a state machine can read beside its input


def plan(gate_file: GateFile, queue_url: str) -> Plan:
    """How the group's state machine goes about it, by the gate file's section."""
    wanted = gate_file.deployment
    return Plan(
        queue_url=queue_url,
        endpoint=wanted.endpoint,
        role=wanted.role or "",
        instance_type=wanted.instance_type,
        probe=wanted.verification.model_dump() if wanted.verification else None,
        approval_seconds=max(round(wanted.approval_hours * 3600), 1),
    )


def prepare(
    registry: Registry, name: str, gate_file: GateFile, *, reason: str = ""
) -> dict[str, Any]:
    """Judge a version for Production, and give an execution's input; approvals are yet to come.

    Raises:
        InputError: there is no such version, it is not in Staging, or not fit for a state machine;
            or an A/B runs behind the endpoint.
        ServiceError: a service refused.

    """
    version = registry.version(name)
    if gate_file.group != version.group:
        raise InputError(f"the gate file is of group {gate_file.group}, not {version.group}")
    _check_fit(version)
    deployment = gate_file.deployment
    if deployment.endpoint:
        free(registry, deployment.endpoint, Patience())
    versions = {one.number: one for one in registry.versions(version.group)}
    serving = [one for one in versions.values() if one.stage == PRODUCTION]
    if len(serving) > 1:
        raise InputError(
            f"{listed(one.name for one in serving)} are in Production at a time: a state machine "
            "archives one, `promote` all of them"
        )
    production = next(iter(serving), None)
    gates = gate_file.gates(PRODUCTION)
    evidence = gather(
        registry,
        version,
        production=production,
        baselines=versions,
        history=History.read(*registry.trails(versions.values())),
    )
    if gates.approval and evidence.registered_by is None:
        raise InputError(
            f"nobody knows who registered {version.name}, so nobody is surely another: the gate "
            "file asks for approvals by others"
        )
    verdicts = evaluate(gates.model_copy(update={"approval": None}), evidence)
    refusals = "; ".join(f"{one.gate}: {one.reason}" for one in verdicts if not one.passed)
    found = checks(gates)
    read, limits, baselines = _numbers(found, gates.metrics, evidence)
    run = str(uuid.uuid4())
    made = {
        "format": FORMAT,
        "group": version.group,
        "run": run,
        "reason": reason,
        "said": f"promote, run {run}: {reason}"[:1024],
        "asked_by": registry.actor,
        "registered_by": person(evidence.registered_by or "").casefold(),
        "gates_sha256": gate_file.sha256,
        "passed": not refusals,
        "refusals": refusals,
        "verdicts": [verdict._asdict() for verdict in verdicts],
        "version": _told(version),
        "production": _told(production) if production else None,
        "reports": dict(_reports(registry, found, evidence)),
        "read": read,
        "limits": limits,
        "baselines": baselines,
        "deployment": _names(registry, version, deployment),
    }
    if len(json.dumps(made)) > _INPUT_LIMIT // 2:
        raise InputError(f"{version.name}: its verdicts are too long for a state machine")
    return made


def _check_fit(version: Version) -> None:
    problems = []
    if version.stage != STAGING:
        problems.append(
            f"{version.name} is in {version.stage}: only from {STAGING} on to Production"
        )
    if version.approval == "Rejected":
        problems.append(f"{version.name} was rejected: it has to be approved first")
    if version.status != "Completed":
        problems.append(f"{version.name} is {version.status}: only a Completed version goes on")
    if version.model.sha256 is None:
        problems.append(f"{version.name} has no model_sha256: what it is made of is unknown")
    if problems:
        raise InputError(*problems)


def _told(version: Version) -> dict[str, Any]:
    """What an execution has to know of a version."""
    return {
        "arn": version.arn,
        "name": version.name,
        "sha256": version.model.sha256,
        "url": version.model.uri,
        "stage": version.stage,
        "approval": version.approval,
        "status": version.status,
        "life": dict(version.described.get("ModelLifeCycle", {})),
    }


def _names(registry: Registry, version: Version, deployment: Deployment) -> dict[str, Any]:
    """How the model, its configuration and its variant are called, and on how many instances.

    No fewer than the endpoint has by now. `scaled` begins the name of a configuration for more,
    should it be scaled while approvals are waited for.
    """
    if deployment.endpoint is None:
        return {}
    role = deployment.role or ""
    variant = Variant(version, deployment.instance_type)
    now = count_now(registry.sagemaker, deployment.endpoint, variant, role, None)
    variant = replace(variant, count=max(deployment.initial_instance_count, now))
    config = config_request([variant], role)["EndpointConfigName"]
    return {
        "model": model_request(version, role)["ModelName"],
        "config": config,
        "scaled": clipped(version.group, str(version.number), config[-12:], "n" * _COUNT_DIGITS)[
            : -_COUNT_DIGITS - 1
        ],
        "count": variant.count,
        "variant": variant.name,
    }


def _numbers(
    found: Sequence[Check], gates: Mapping[str, Any], evidence: Evidence
) -> tuple[dict[str, bool], dict[str, float], dict[str, float]]:
    """Which gates the machine can judge, and for those with a baseline its number and the limit."""
    read: dict[str, bool] = {}
    limits: dict[str, float] = {}
    baselines: dict[str, float] = {}
    for place, check in enumerate(found, 1):
        key = f"g{place}"
        own = _found(check, evidence, evidence.version)
        read[key] = own is not None
        if own is None or check.baseline is None:
            continue
        other = _baseline(check.baseline, evidence)
        theirs = _found(check, evidence, other) if other else None
        read[key] = theirs is not None
        if theirs is not None:
            margin = gates[check.gate.removeprefix("metrics.")].at_most_worse or 0
            exact, less = Decimal(repr(theirs)), Decimal(repr(float(margin)))
            limits[key] = float(exact - less if check.higher else exact + less)
            baselines[key] = theirs
    return read, limits, baselines


def _baseline(named: str | int, evidence: Evidence) -> Version | None:
    return evidence.production if isinstance(named, str) else evidence.baselines.get(named)


def _found(check: Check, evidence: Evidence, version: Version) -> float | None:
    """The number that a state machine finds, if it is the one that the command has judged."""
    try:
        report = evidence.report(version, check.report)
        name = check.gate.removeprefix("metrics.")
        judged = None
        if name != check.gate:
            judged = evidence.metric(name, version)
        else:
            _, attribute, metric = check.gate.split(".", 2)
            values = evidence.bias(attribute, metric)
            judged = values.get("") if len(values) == 1 else None
    except InputError:
        return None
    for path in check.paths:
        value: Any = report
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            same = number(value) == judged
            return judged if same else None
    return None


def _reports(
    registry: Registry, found: Sequence[Check], evidence: Evidence
) -> Iterator[tuple[str, dict[str, str] | None]]:
    """Yield where the reports lie that the machine reads, and their ETags as they were judged."""
    for key, (of, place) in report_keys(found).items():
        version = evidence.version if of is None else _baseline(of, evidence)
        file = version.reports.get(place) if version else None
        if file is None:
            yield key, None
            continue
        bucket, _, name = file.uri.removeprefix("s3://").partition("/")
        with asking("HeadObject", registry.region, file.uri):
            there = registry.s3.head_object(Bucket=bucket, Key=name)
        if there["ContentLength"] > _REPORT_LIMIT:
            raise InputError(
                f"{file.uri}: {there['ContentLength']} bytes are more than a state machine can "
                f"read, {_REPORT_LIMIT}: promote without one"
            )
        yield key, {"bucket": bucket, "key": name, "etag": there["ETag"], "uri": file.uri}
