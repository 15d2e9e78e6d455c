"""The everyday of a registry: its groups and versions, what is known of each, their history.

Goes in: a `Registry`, and names as people write them. Comes out: plain data, the same for people's
tables and for programs. Only reads.
"""

from __future__ import annotations

import json
import math
from datetime import UTC
from itertools import islice
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.governance.decisions import KIND, History
from mims.governance.download import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from mims.governance.registry import Registry
    from mims.governance.versions import Version


def groups(registry: Registry) -> list[dict[str, Any]]:
    """Give every group: name, status, when it was created, what it is for."""
    return [
        {
            "group": group["ModelPackageGroupName"],
            "arn": group["ModelPackageGroupArn"],
            "status": group["ModelPackageGroupStatus"],
            "created": instant(group["CreationTime"]),
            "description": group.get("ModelPackageGroupDescription", ""),
        }
        for group in sorted(registry.groups(), key=lambda group: group["ModelPackageGroupName"])
    ]


def versions(registry: Registry, group: str, limit: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield a group's versions, the newest first, `limit` of them at most.

    Raises:
        InputError: there is no such group.

    """
    return map(summary, islice(registry.versions(group), limit))


def summary(version: Version) -> dict[str, Any]:
    """What a list tells of a version; one whose card is odd says so, and hides no other."""
    metrics, problem = {}, None
    try:
        metrics = card_metrics(version)
    except InputError as error:
        problem = str(error)
    return {
        "version": version.name,
        "arn": version.arn,
        "stage": version.stage,
        "approval": version.approval,
        "status": version.status,
        "created": instant(version.created) if version.created else None,
        "model_owner": version.properties.get("model_owner"),
        "metrics": metrics,
        "problem": problem,
    }


def show(version: Version) -> dict[str, Any]:
    """All that the registry tells of a version."""
    described = version.described
    details = described.get("ModelPackageStatusDetails", {})
    checks = details.get("ValidationStatuses", []) + details.get("ImageScanStatuses", [])
    containers = described.get("InferenceSpecification", {}).get("Containers", [])
    return {
        **summary(version),
        "description": described.get("ModelPackageDescription", ""),
        "created_by": version.created_by,
        "failures": [check["FailureReason"] for check in checks if check.get("FailureReason")],
        "approval_description": described.get("ApprovalDescription"),
        "image": containers[0].get("Image") if containers else None,
        "card": described.get("ModelCard", {}).get("ModelCardStatus"),
        "files": {place: file._asdict() for place, file in files(version).items()},
        "properties": dict(version.properties),
    }


_NO_METRICS = {"version", "item_count"}  # of Model Monitor's reports themselves


def card_metrics(version: Version) -> dict[str, float]:
    """The numbers on a version's card, which needs no further request; {} where there are none.

    Raises:
        InputError: the card is not of AWS's schema.

    """
    try:
        card = json.loads(version.described.get("ModelCard", {}).get("ModelCardContent", "{}"))
        data = [
            metric
            for evaluation in card.get("evaluation_details", [])
            for group in evaluation.get("metric_groups", [])
            for metric in group["metric_data"]
        ]
        return {
            metric["name"]: metric["value"]
            for metric in data
            if metric["type"] == "number"
            and math.isfinite(metric["value"])
            and metric["name"] not in _NO_METRICS
        }
    except (
        *(ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError),
    ) as error:
        raise InputError(f"{version.name}: its card is not of AWS's schema: {error!r}") from error


def history(registry: Registry, name: str) -> list[dict[str, Any]]:
    """What a group's audit trail holds, or of it what is about one version; the newest first.

    A group whose versions lie in several buckets has a trail in each.

    Raises:
        InputError: there is no such group or version, or a trail's chain is broken.

    """
    only = registry.version(name).arn if "/" in name else None
    group = registry.version(name).group if only else name
    trails = registry.trails(registry.versions(group))
    rows = [
        _event(group, record)
        for trail in trails
        for record in reversed(History.read(trail).records)
        if only is None or only in _versions_in(record)
    ]
    return rows if len(trails) < 2 else sorted(rows, key=lambda row: row["time"], reverse=True)


def _versions_in(record: Mapping[str, Any]) -> set[str]:
    return {record.get("model_package_arn"), *(s["arn"] for s in record.get("steps", ()))} - {None}


def _event(group: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """A record in a few words, and whole."""
    arn = record.get("model_package_arn")
    row = {
        "number": record["number"],
        "time": record["time"],
        "version": f"{group}/{arn.rpartition('/')[2]}" if arn else None,
    }
    if record.get("kind") == KIND:
        ways = [_way(group, step) for step in record["steps"]]
        said = [*ways, record["reason"]]
        row |= {"event": f"{record['action']}: {record['phase']}", "by": record["actor"]}
    else:
        said = [record["error"] or f"workflow execution {record['workflow_execution_id']}"]
        row |= {"event": record["outcome"], "by": record["role_arn"] or record["job_arn"]}
    return {**row, "detail": "; ".join(one for one in said if one), "record": dict(record)}


def _way(group: str, step: Mapping[str, Any]) -> str:
    number = step["arn"].rpartition("/")[2]
    if step["stage_from"] != step["stage_to"]:
        return f"{group}/{number} {step['stage_from']} → {step['stage_to']}"
    return f"{group}/{number} {step['approval_from']} → {step['approval_to']}"


def instant(at: datetime) -> str:
    """A time as reports and the audit trail write it: UTC, to the second."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
