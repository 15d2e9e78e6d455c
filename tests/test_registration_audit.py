"""The audit trail, over real HTTP: one chain whoever writes, and no way to change it unseen."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from faults import denied, lost_answer, refused, truncated
from mims.errors import InputError, ServiceError
from mims.registration.artifacts import Artifact
from mims.registration.audit import Trail, canonical, describe, verify_chain
from mims.registration.backends.base import Registration
from mims.registration.report import Outcome
from mims.registration.storage import Storage, Stored
from registration_runs import at_once
from stored_artifacts import REGION

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

    from faults import Exchange, Faults

FOLDER = "mims/Fraud/audit/"
ARN = "arn:aws:sagemaker:us-west-2:123456789012:model-package/fraud/4"
JOB = "arn:aws:sagemaker:us-west-2:123456789012:processing-job/register"
MODEL = Artifact.of_bytes("model.tar.gz", b"model")
DONE = Outcome(
    REGION,
    registration=Registration(REGION, ARN, 4, new=True),
    status="Completed",
    stored=(Stored(MODEL, "s3://b/model.tar.gz", moved=5),),
    retries=1,
    seconds=1.2345,
)


def record(outcome: Outcome = DONE) -> dict[str, Any]:
    at = datetime(2026, 11, 20, 13, 0, 0, 999999, tzinfo=timezone(timedelta(hours=1)))
    return describe(outcome, group="Fraud", workflow_id="wf-1", at=at, job_arn=JOB)


def trail(kms_key: str | None = None, owner: str | None = None) -> Trail:
    return Trail(Storage(REGION, kms_key, owner), "mims-models", "Fraud")


def records() -> list[tuple[str, bytes]]:
    return list(trail().records())


def chain(count: int) -> list[tuple[str, bytes]]:
    """Records as they lie in S3, made without it."""
    made: list[tuple[str, bytes]] = []
    for number in range(1, count + 1):
        previous = hashlib.sha256(made[-1][1]).hexdigest() if made else None
        content = canonical({**record(), "number": number, "previous_sha256": previous})
        made.append((f"{FOLDER}{number:08}.json", content))
    return made


# What a record says


def test_a_record(proxy: Faults, s3: S3Client) -> None:
    link = trail().append(record())
    answer = s3.get_object(Bucket="mims-models", Key=f"{FOLDER}00000001.json")
    content = answer["Body"].read()
    found = json.loads(content)
    assert hashlib.sha256(content).hexdigest() == link.sha256
    assert answer["ContentType"] == "application/json"
    assert re.fullmatch(r"[0-9a-f-]{36}", found.pop("run"))
    assert found.pop("tool").startswith("mims ")
    assert found == {
        "format": 1,
        "number": 1,
        "previous_sha256": None,
        "time": "2026-11-20T12:00:00Z",
        "job_arn": JOB,
        "role_arn": None,
        "workflow_execution_id": "wf-1",
        "group": "Fraud",
        "region": REGION,
        "backend": "sagemaker",
        "outcome": "registered",
        "model_package_arn": ARN,
        "status": "Completed",
        "error": None,
        "artifacts": [
            {
                "name": "model.tar.gz",
                "uri": "s3://b/model.tar.gz",
                "sha256": MODEL.sha256,
                "size": 5,
                "moved": 5,
                "copied": 0,
            }
        ],
        "retries": 1,
        "milliseconds": 1234,
    }
    assert [request.operation for request in proxy.requests[:2]] == ["ListObjectsV2", "PutObject"]


def test_a_failure_is_recorded_without_secrets() -> None:
    canary = "AKIACANARYCANARYCANA"
    error = f"no access\x1b[2J for {canary}: https://b/k?X-Amz-Signature=canary&a=b"
    found = record(Outcome("eu-west-1", error=error))
    assert (found["outcome"], found["model_package_arn"]) == ("failed", None)
    assert found["error"] == r"no access\x1b[2J for ***: https://b/k?X-Amz-Signature=***&a=b"


def test_bytes_are_canonical() -> None:
    assert canonical({"b": "größe", "a": [1, None]}) == '{"a":[1,null],"b":"größe"}\n'.encode()


# One chain


def test_each_record_holds_the_digest_of_the_one_before(proxy: Faults) -> None:
    links = [trail().append(record()) for _ in range(3)]
    assert [link.number for link in links] == [1, 2, 3]
    found = [json.loads(content)["previous_sha256"] for _, content in records()]
    assert found == [None, links[0].sha256, links[1].sha256]
    assert verify_chain(records()) == links[-1]
    assert proxy.count("PutObject") == 3


def test_nothing_else_in_the_folder_counts(proxy: Faults, s3: S3Client) -> None:
    trail().append(record())
    for name in ("00000009.json.bak", "notes.txt", "deep/00000009.json"):
        s3.put_object(Bucket="mims-models", Key=FOLDER + name, Body=b"x")
    assert trail().append(record()).number == 2
    assert proxy.requests


def test_many_writers_at_once_make_one_chain(proxy: Faults) -> None:
    trails = [trail() for _ in range(6)]
    links = at_once(lambda one: one.append(record()), trails)
    assert sorted(link.number for link in links) == [1, 2, 3, 4, 5, 6]
    newest = verify_chain(records())
    assert newest in links
    assert proxy.count("PutObject") >= 6


def be_late(exchange: Exchange) -> None:
    """Another run writes its record first."""
    trail().append({**record(), "run": "another"})
    exchange.pass_through()


def test_a_writer_that_comes_second_takes_the_next_number(proxy: Faults) -> None:
    ours = trail()
    proxy.on("PutObject", be_late, times=1)
    assert ours.append(record()).number == 2
    assert [json.loads(content)["run"] == "another" for _, content in records()] == [True, False]
    assert verify_chain(records())


def test_a_writer_that_is_second_each_time(proxy: Faults) -> None:
    ours, theirs = trail(), trail()

    def beaten(exchange: Exchange) -> None:
        """Let the other's own request pass."""
        if not busy.locked():
            with busy:
                theirs.append(record())
        exchange.pass_through()

    busy = threading.Lock()
    proxy.on("PutObject", beaten)
    with pytest.raises(ServiceError, match=r"another run was quicker .*, 20 times; run again"):
        ours.append(record())
    proxy.mend()
    link = verify_chain(records())
    assert link
    assert link.number == 20


@pytest.mark.parametrize("others", [False, True])
def test_a_lost_answer_makes_no_second_record(others: bool, proxy: Faults) -> None:
    """S3 has it, the client asks again and is told that it is there; others may have gone on."""

    def lost(exchange: Exchange) -> None:
        exchange.carry_out()
        if others:
            trail().append({**record(), "run": "another"})
        exchange.reset()

    proxy.on("PutObject", lost, times=1)
    assert trail().append(record()).number == 1
    assert len(records()) == 1 + others
    assert verify_chain(records())


def test_a_number_whose_writer_is_not_done_yet(proxy: Faults) -> None:
    """S3 answers the second of two at one time with a conflict, before there is a record."""
    conflict = refused("ConditionalRequestConflict", "a conflict", status=409)
    proxy.on("PutObject", conflict, times=1)
    assert trail().append(record()).number == 1
    assert len(records()) == 1


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject"])
def test_an_answer_that_is_cut_short_never_forks_the_chain(operation: str, proxy: Faults) -> None:
    trail().append(record())
    proxy.on(operation, truncated(), times=1)
    with pytest.raises(ServiceError, match=f"^{operation} in us-west-2"):
        trail().append(record())
    assert trail().append(record()).number == 2
    assert verify_chain(records())


@pytest.mark.parametrize("operation", ["ListObjectsV2", "GetObject", "PutObject"])
def test_a_refusal_is_named(operation: str, proxy: Faults) -> None:
    trail().append(record())
    proxy.on(operation, denied(f"s3:{operation}"))
    with pytest.raises(ServiceError, match=f"^{operation} in us-west-2 for s3://mims-models/mims/"):
        trail().append(record())


def test_key_and_owner_go_with_every_request(proxy: Faults) -> None:
    key = boto3.client("kms", REGION).create_key()["KeyMetadata"]["Arn"]
    proxy.requests.clear()
    ours = trail(key, "123456789012")
    ours.append(record())
    ours.append(record())
    assert {r.headers["x-amz-expected-bucket-owner"] for r in proxy.requests} == {"123456789012"}
    for request in proxy.requests:
        if request.operation == "PutObject":
            assert request.headers["x-amz-server-side-encryption-aws-kms-key-id"] == key
            assert request.headers["if-none-match"] == "*"


# Tampering


def without(chain: list[tuple[str, bytes]], at: int) -> list[tuple[str, bytes]]:
    return chain[:at] + chain[at + 1 :]


def renumbered(chain: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Leave the second out, and let the others move up."""
    return [
        (key, content) for (key, _), (_, content) in zip(chain, without(chain, 1), strict=False)
    ]


def changed(chain: list[tuple[str, bytes]], at: int, old: bytes, new: bytes) -> Any:
    key, content = chain[at]
    assert old in content
    return [*chain[:at], (key, content.replace(old, new, 1)), *chain[at + 1 :]]


@pytest.mark.parametrize(
    ("tampered", "problem"),
    [
        pytest.param(
            lambda c: changed(c, 1, b'"outcome":"registered"', b'"outcome":"failed"'),
            "00000003.json: its previous_sha256 is",
            id="a record that is changed",
        ),
        pytest.param(
            lambda c: changed(c, 1, b'","', b'", "'),
            "00000002.json: not as it was written",
            id="a record that is formatted anew",
        ),
        pytest.param(
            lambda c: [c[0], (c[1][0], b"\xff"), c[2]],
            "00000002.json: not as it was written",
            id="rubbish",
        ),
        pytest.param(
            lambda c: [c[0], (c[1][0], b"[]\n"), c[2]],
            "00000002.json: not as it was written",
            id="no object",
        ),
        pytest.param(
            lambda c: without(c, 1),
            "00000003.json: number 2 is missing before it",
            id="a record that is gone",
        ),
        pytest.param(
            lambda c: without(c, 0),
            "00000002.json: number 1 is missing before it",
            id="the first one gone",
        ),
        pytest.param(renumbered, "00000002.json: its number is 3, but must be 2", id="moved up"),
        pytest.param(
            lambda c: [c[0], (c[1][0], c[0][1]), c[2]],
            "00000002.json: its number is 1, but must be 2",
            id="one put in twice",
        ),
        pytest.param(
            lambda c: changed(c, 0, b'"previous_sha256":null', b'"previous_sha256":"0"'),
            "00000001.json: its previous_sha256 is '0', but must be None",
            id="something before the first",
        ),
        pytest.param(
            lambda c: changed(c, 0, b'"previous_sha256":null,', b""),
            "00000001.json: its previous_sha256 is 'missing', but must be None",
            id="no digest at all",
        ),
    ],
)
def test_the_first_broken_link_is_named(
    tampered: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]], problem: str
) -> None:
    whole = chain(3)
    assert verify_chain(whole)
    with pytest.raises(InputError) as raised:
        verify_chain(tampered(whole))
    assert str(raised.value).startswith(f"audit record {FOLDER}{problem}")


def test_that_the_newest_are_gone_shows_by_the_logs_digest() -> None:
    whole = chain(3)
    newest, before = verify_chain(whole), verify_chain(whole[:2])
    assert newest
    assert before
    assert newest.sha256 != before.sha256
    assert verify_chain([]) is None


def test_times_are_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    found = describe(DONE, group="Fraud", workflow_id="wf-1", at=at)
    assert found["time"] == "2026-01-01T00:00:00Z"


def test_lost_answers_without_end(proxy: Faults) -> None:
    """Each is carried out: what is there is ours."""
    proxy.on("PutObject", lost_answer())
    with pytest.raises(ServiceError, match=r"^PutObject in us-west-2"):
        trail().append(record())
    proxy.mend()
    assert verify_chain(records())
