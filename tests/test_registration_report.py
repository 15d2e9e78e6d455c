"""What a registration tells: exit message, errors, log."""

from __future__ import annotations

import json
from typing import Any

import boto3.session
import pytest

from mims.errors import EXIT_DONE, EXIT_SERVICE
from mims.job import MESSAGE_LIMIT, exit_message
from mims.registration.artifacts import Artifact
from mims.registration.backends.base import Registration
from mims.registration.report import Outcome, account, exit_entries, failure
from mims.registration.storage import Stored

REGIONS = boto3.session.Session().get_available_regions("sagemaker")
MODEL, PAYLOAD = (Artifact.of_bytes(name, name.encode()) for name in ("model", "payload"))


def arn(region: str, version: int, group: str = "fraud") -> str:
    return f"arn:aws:sagemaker:{region}:123456789012:model-package/{group}/{version}"


def done(region: str, version: int, *, new: bool = True, **more: Any) -> Outcome:
    registration = Registration(region, more.pop("arn", arn(region, version)), version, new)
    return Outcome(region, registration=registration, status="Completed", **more)


def message(outcomes: list[Outcome], group: str = "Fraud") -> dict[str, Any]:
    """The exit message of a job that did this, as its reader takes it apart."""
    outcome = {"job": "register", "status": "done", "exit_code": EXIT_DONE, "seconds": 1234.5}
    line = exit_message(outcome, "", exit_entries(group, outcomes, MODEL, PAYLOAD))
    assert len(line.encode()) <= MESSAGE_LIMIT
    found: dict[str, Any] = json.loads(line)
    return found


def arns(found: dict[str, Any]) -> dict[str, str]:
    """Fill the pattern in, as a reader does."""
    return {
        region: found["arn"].replace("<region>", region).replace("<version>", str(version))
        for region, version in {**found["new"], **found["known"]}.items()
    }


def test_the_exit_message() -> None:
    moved = Stored(MODEL, "s3://b/model", moved=5), Stored(PAYLOAD, "s3://b/p", moved=0, copied=7)
    found = message(
        [done("us-west-2", 4, stored=moved, retries=2), done("eu-west-1", 7, new=False, retries=1)]
    )
    assert found == {
        "job": "register",
        "status": "done",
        "exit_code": 0,
        "seconds": 1234.5,
        "group": "Fraud",
        "arn": "arn:aws:sagemaker:<region>:123456789012:model-package/fraud/<version>",
        "new": {"us-west-2": 4},
        "known": {"eu-west-1": 7},
        "bytes_uploaded": 5,
        "bytes_copied": 7,
        "retries": 3,
        "model_sha256": MODEL.sha256,
        "payload_sha256": PAYLOAD.sha256,
    }
    assert arns(found) == {"us-west-2": arn("us-west-2", 4), "eu-west-1": arn("eu-west-1", 7)}


def test_every_region_of_aws_fits() -> None:
    assert len(REGIONS) > 30
    found = message([done(region, 100 + n) for n, region in enumerate(REGIONS)])
    assert arns(found) == {region: arn(region, 100 + n) for n, region in enumerate(REGIONS)}
    assert "shortened" not in found


def test_with_the_longest_group_digests_give_way_first() -> None:
    group = "G" * 63
    outcomes = [
        done(region, 12345, arn=arn(region, 12345, group.lower())) for region in REGIONS[:20]
    ]
    found = message(outcomes, group)
    assert set(arns(found)) == set(REGIONS[:20])


def test_versions_of_another_account_are_written_out() -> None:
    theirs = arn("eu-west-1", 2).replace("123456789012", "210987654321")
    found = message([done("us-west-2", 1), done("eu-west-1", 2, arn=theirs)])
    assert found["new"] == {"us-west-2": 1, "eu-west-1": theirs}


def test_other_registries_have_their_own_entry() -> None:
    mims = Outcome("us-west-2", "mims", Registration("us-west-2", "registration-17", 17, new=True))
    assert message([done("us-west-2", 1), mims])["mims"] == {"us-west-2": "registration-17"}
    alone = message([mims])
    assert alone["mims"] == {"us-west-2": "registration-17"}
    assert "arn" not in alone


def test_no_payload() -> None:
    assert exit_entries("Fraud", [done("us-west-2", 1)], MODEL, None)["payload_sha256"] is None


# Failures

BUSY = "HeadBucket in eu-west-1 for bucket b: 503: Service Unavailable"


def test_a_failure_of_the_only_region_is_just_told() -> None:
    assert failure([Outcome("eu-west-1", error=BUSY)]) == BUSY


def test_a_failure_says_what_is_registered_before_it_says_why() -> None:
    mims = Outcome("us-west-2", "mims", Registration("us-west-2", "registration-17", 17, new=True))
    told = failure([done("us-west-2", 4), Outcome("eu-west-1", error=BUSY), mims])
    assert told == (
        "failed in eu-west-1; registered in us-west-2: version 4, us-west-2 (mims): "
        f"registration-17: {BUSY}"
    )


def test_a_version_that_failed_is_not_registered() -> None:
    failed = done("eu-west-1", 3, error="arn is Failed: no model data")
    assert failure([failed, done("us-west-2", 4)]).startswith(
        "failed in eu-west-1; registered in us-west-2: version 4: arn is Failed"
    )


@pytest.mark.parametrize("reason", [BUSY, "x" * 2000])
def test_every_failed_region_shows_in_the_exit_message(reason: str) -> None:
    """However long the reasons are; one that all share is given once."""
    told = failure([Outcome(region, error=reason) for region in REGIONS])
    assert told.count(reason) == 1
    outcome = {"job": "register", "status": "failed", "exit_code": EXIT_SERVICE, "seconds": 1.0}
    error = json.loads(exit_message(outcome, told, {}))["error"]
    assert all(region in error for region in REGIONS)
    assert "registered in no region" in error


# The log


@pytest.mark.parametrize(
    ("outcome", "start", "end"),
    [
        (
            done("us-west-2", 4, stored=(Stored(MODEL, "s3://b/m", 2_000_000, 5),), seconds=2.04),
            f"us-west-2: registered: {arn('us-west-2', 4)}, Completed, ",
            "2.0 MB uploaded, 5 bytes copied, 0 retries, 2.0 s",
        ),
        (
            done("us-west-2", 4, new=False),
            f"us-west-2: registered before: {arn('us-west-2', 4)}, Completed, ",
            "0 bytes uploaded, 0 bytes copied, 0 retries, 0.0 s",
        ),
        (
            Outcome("eu-west-1", "mims", error=BUSY, retries=4),
            "eu-west-1 (mims): failed: no version, ",
            "0 bytes uploaded, 0 bytes copied, 4 retries, 0.0 s",
        ),
    ],
)
def test_the_logs_line(outcome: Outcome, start: str, end: str) -> None:
    assert account(outcome) == start + end
