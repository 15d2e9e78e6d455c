"""Steps that see whether a version, and the one in Production, are still those that were judged.

Goes in: an execution's input, which tells how they were. Comes out: steps; where anything differs,
the execution ends. A group may have any number of versions: they are looked through page by page,
and what a page says is forgotten before reports are read, for an execution can't hold much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mims.governance.approval.ends import VERSION_CHANGED, unread
from mims.governance.approval.states_language import (
    NEXT,
    PATIENT,
    State,
    States,
    Step,
    both,
    call,
    choice,
    fail,
    rule,
)
from mims.governance.versions import PRODUCTION

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = 40  # versions: a task may answer 256 KiB, and two descriptions of 1,024 characters each
GONE = "does not exist"  # what SageMaker and S3 say of what was deleted


def unchanged(when: str, reports: Mapping[str, str] | None = None) -> list[Step]:
    """See that the version and the one in Production are those that were judged."""
    changed, unknown = f"Changed meanwhile{when}", f"Unknown{when}"
    ask = {**look("$.version.arn", unknown, metrics=bool(reports)), "Next": NEXT}
    same: list[State] = [
        {"Variable": f"$.now.{name}", "StringEqualsPath": f"$.version.{name}"}
        for name in ("sha256", "url", "stage", "approval", "status")
    ]
    text = "the version, or the one in Production, is no longer what was judged: start anew"
    ends = {changed: fail(VERSION_CHANGED, text), **unread(unknown, [GONE])}
    return [
        (f"Look at the version{when}", ask, ends),
        (f"Same version{when}?", choice([both(same)], default=changed), {}),
        *_same_reports(reports or {}, changed),
        *_no_other(when, changed, unknown),
        _still_there(when, changed, unknown),
    ]


def look(arn: str, failed: str, *, metrics: bool = False) -> State:
    """Look at a version, into $.now."""
    members = {
        "sha256.$": "$.CustomerMetadataProperties.model_sha256",
        "url.$": "$.InferenceSpecification.Containers[0].ModelDataUrl",
        "stage.$": "$.ModelLifeCycle.Stage",
        "approval.$": "$.ModelApprovalStatus",
        "status.$": "$.ModelPackageStatus",
        **({"metrics.$": "$.ModelMetrics"} if metrics else {}),
    }
    task = call("sagemaker:describeModelPackage", {"ModelPackageName.$": arn}, failed)
    return {**task, "ResultSelector": members, "ResultPath": "$.now", "Retry": PATIENT}


def _same_reports(reports: Mapping[str, str], changed: str) -> list[Step]:
    """See that the version still has the reports that were judged."""
    steps: list[Step] = []
    for key, place in reports.items():
        at = f"$.reports.{key}"
        same = {"Variable": f"$.now.metrics.{place}.S3Uri", "StringEqualsPath": f"{at}.uri"}
        there = {"Variable": same["Variable"], "IsPresent": True}
        rules = [rule(at, IsNull=True, then=NEXT), both([there, same])]
        steps.append((f"Same {key}?", choice(rules, default=changed), {}))
    return steps


def _no_other(when: str, changed: str, unknown: str) -> list[Step]:
    """See that no other version of the group is in Production, page by page."""
    found, further = f"Found in Production{when}", f"Look further{when}"
    same, more = f"No other in Production{when}?", f"More versions{when}?"
    first: dict[str, Any] = {
        "ModelPackageGroupName.$": "$.group",
        "SortBy": "CreationTime",
        "SortOrder": "Descending",
        "MaxResults": PAGE,
    }
    onward = {**first, "NextToken.$": "$.page.NextToken"}
    pages = {
        parameters is onward: {
            **call("sagemaker:listModelPackages", parameters, unknown),
            "ResultPath": "$.page",
            "Retry": PATIENT,
            "Next": found,
        }
        for parameters in (first, onward)
    }
    there = f"$.page.ModelPackageSummaryList[?(@.ModelLifeCycle.Stage=='{PRODUCTION}')]"
    arns = "$.in_production.arns"
    none = {"Variable": f"{arns}[0]", "IsPresent": False}
    the_one: list[State] = [
        {"Variable": "$.production", "IsNull": False},
        {"Variable": f"{arns}[0]", "IsPresent": True},
        {"Variable": f"{arns}[0]", "StringEqualsPath": "$.production.arn"},
        {"Variable": f"{arns}[1]", "IsPresent": False},
    ]
    token = "$.page.NextToken"  # noqa: S105 - of a page
    another: list[State] = [
        {"Variable": token, "IsPresent": True},
        {"Variable": token, "IsNull": False},
    ]
    states: States = {
        found: {
            "Type": "Pass",
            "Parameters": {"arns.$": f"{there}.ModelPackageArn"},
            "ResultPath": "$.in_production",
            "Next": same,
        },
        same: choice([{**none, "Next": more}, both(the_one, more)], default=changed),
        more: choice([both(another, further)], default=NEXT),
        further: pages[True],
    }
    forget = {"Type": "Pass", "Result": {}, "ResultPath": "$.page", "Next": NEXT}
    return [
        (f"Look for Production{when}", pages[False], states),
        (f"Forget the versions{when}", forget, {}),
    ]


def _still_there(when: str, changed: str, unknown: str) -> Step:
    """See that the version that was in Production still is."""
    ask, still = f"Look at Production{when}", f"Still in Production{when}?"
    states: States = {
        ask: {**look("$.production.arn", unknown), "Next": still},
        still: choice([rule("$.now.stage", StringEquals=PRODUCTION)], default=changed),
    }
    rules = [rule("$.production", IsNull=False, then=ask)]
    return (f"Is one in Production{when}?", choice(rules, default=NEXT), states)
