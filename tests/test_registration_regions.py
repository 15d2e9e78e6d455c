"""Registration in several regions: one is down, two runs at once, stops, and what is reported."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faults import reset
from registration_inputs import run_registration
from registration_runs import (
    THREE,
    TWO,
    audit_records,
    begun,
    between,
    check_attempts,
    check_whole,
    enlarge,
    make_buckets,
    run_again,
    runner,
    short_waits,
    versions_in,
    write_inputs,
    writes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import LocalAws
    from faults import Exchange, Request
    from registration_inputs import Inputs
    from registration_runs import Runner

SCRIPT = Path(__file__).parents[1] / "scripts" / "script.py"
NAMESPACE = "MIMS/Tests"
SLOW = pytest.mark.slow


@pytest.fixture(autouse=True)
def surroundings(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty buckets, a workflow, and no waits."""
    del aws
    short_waits(monkeypatch)
    monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", "wf-1")
    make_buckets(THREE)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Small ones, for three regions."""
    return write_inputs(tmp_path, THREE)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """For two regions, with a model that goes in parts."""
    return enlarge(write_inputs(tmp_path_factory.mktemp("inputs"), TWO))


@pytest.fixture(scope="module")
def runners(local_aws: LocalAws) -> Iterator[tuple[Runner, Runner]]:
    del local_aws
    with runner() as one, runner() as other:
        yield one, other


# A second run


def test_a_second_run_asks_and_writes_a_record_and_nothing_else(
    inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_registration(inputs)
    with between(aws, monkeypatch) as proxy:
        ending = run_registration(inputs)
    assert ending.code == 0
    assert ending.message["bytes_uploaded"] == ending.message["bytes_copied"] == 0
    assert ending.message["retries"] == 0
    assert (ending.message["new"], ending.message["known"]) == ({}, dict.fromkeys(THREE, 1))
    assert writes(proxy.requests) == []
    for region in THREE:
        asked = Counter(r.operation for r in proxy.requests if r.region == region)
        assert asked == {
            "HeadBucket": 1,
            "HeadObject": 6,  # model, payload, schema, metadata and its two reports
            "ListMultipartUploads": 1,
            "DescribeModelPackageGroup": 1,
            "ListModelPackages": 1,
            "DescribeModelPackage": 2,  # its settings, its status
            "ListObjectsV2": 1,
            "GetObject": 1,  # the record before
            "PutObject": 1,  # this run's record
        }
    check_whole(inputs, THREE)


def test_two_at_once(
    large: Inputs,
    aws: LocalAws,
    runners: tuple[Runner, Runner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once(large, aws, runners, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("_round", range(15))
def test_two_at_once_again_and_again(
    _round: int,
    large: Inputs,
    aws: LocalAws,
    runners: tuple[Runner, Runner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at_once(large, aws, runners, monkeypatch)


def at_once(
    large: Inputs,
    aws: LocalAws,
    runners: tuple[Runner, Runner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with between(aws, monkeypatch):
        for one in runners:
            one.start(large)
        assert [one.wait() for one in runners] == [0, 0]
    check_whole(large, TWO)
    for region, bucket in TWO.items():
        assert len(audit_records(region, bucket)) == 2


@pytest.mark.parametrize("number", [30, *(pytest.param(n, marks=SLOW) for n in range(2, 60, 6))])
def test_one_of_two_is_killed(
    number: int,
    large: Inputs,
    aws: LocalAws,
    runners: tuple[Runner, Runner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def kill(exchange: Exchange) -> None:
        exchange.carry_out()
        runners[0].signal(signal.SIGKILL)
        exchange.hang_up()

    with between(aws, monkeypatch) as proxy:
        proxy.on(None, kill, when=lambda _: len(proxy.requests) == number)
        for one in runners:
            one.start(large)
        # The request may have been the other's: to him its answer was lost.
        assert [one.wait() for one in runners] == [-signal.SIGKILL, 0]
    run_again(large, aws, monkeypatch)
    check_whole(large, TWO)


# One region down


def all_of_it(_: Request) -> bool:
    return True


def its_registry(request: Request) -> bool:
    return request.service == "sagemaker"


@pytest.mark.parametrize(
    ("down", "what", "first_asked"),
    [
        ("eu-west-1", all_of_it, "HeadBucket"),
        ("us-west-2", its_registry, "DescribeModelPackageGroup"),
        pytest.param("us-west-2", all_of_it, "HeadBucket", marks=SLOW),
        pytest.param("ap-south-1", all_of_it, "HeadBucket", marks=SLOW),
        pytest.param("eu-west-1", its_registry, "DescribeModelPackageGroup", marks=SLOW),
        pytest.param("ap-south-1", its_registry, "DescribeModelPackageGroup", marks=SLOW),
    ],
)
def test_a_region_that_is_down(
    *,
    what: Callable[[Request], bool],
    first_asked: str,
    down: str,
    inputs: Inputs,
    aws: LocalAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = {region: bucket for region, bucket in THREE.items() if region != down}
    with between(aws, monkeypatch) as proxy:
        proxy.on(None, reset(), region=down, when=what)
        ending = run_registration(inputs)
    done = ", ".join(f"{region}: version 1" for region in others)
    assert ending.code == 3
    assert ending.error.startswith(
        f"failed in {down}; registered in {done}: {first_asked} in {down} for "
    )
    assert "Connection was closed" in ending.error
    assert "check the network" in ending.error
    check_attempts(proxy.requests)
    check_whole(inputs, others)
    assert versions_in(down) == []
    records = audit_records(down, THREE[down])
    assert [record["outcome"] for record in records] == ["failed"] * (what is its_registry)

    asked = run_again(inputs, aws, monkeypatch)
    assert {request.region for request in writes(asked)} == {down}
    check_whole(inputs, THREE)


def test_all_regions_down(inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    with between(aws, monkeypatch) as proxy:
        for region in THREE:
            proxy.down(region)
        ending = run_registration(inputs)
    assert ending.code == 3
    assert ending.error.startswith(f"failed in {', '.join(THREE)}; registered in no region: ")
    check_attempts(proxy.requests)
    run_again(inputs, aws, monkeypatch)
    check_whole(inputs, THREE)


# What is reported


def emitted(text: str) -> tuple[list[Any], Any]:
    """Give stdout's metrics, and its last line."""
    *metrics, last = [json.loads(line) for line in text.splitlines()]
    return metrics, last


def test_metrics_and_records(
    inputs: Inputs,
    aws: LocalAws,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("METRICS_NAMESPACE", NAMESPACE)
    first = run_registration(inputs)
    metrics, last = emitted(capfd.readouterr().out)
    assert last == first.message
    assert [line["Region"] for line in metrics] == list(THREE)
    sizes = sum(line["BytesUploaded"] for line in metrics)
    assert sizes == first.message["bytes_uploaded"] > 0
    for line in metrics:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == NAMESPACE
        assert {metric["Name"] for metric in directive["Metrics"]} <= line.keys()
        assert (line["Success"], line["Status"]) == (1, "Completed")

    monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", "wf-2")
    with between(aws, monkeypatch) as proxy:
        proxy.on("CreateModelPackage", reset(), region="eu-west-1")
        second = run_registration(inputs)
    metrics, last = emitted(capfd.readouterr().out)
    assert last == second.message
    assert {line["Region"]: line["Success"] for line in metrics} == {
        region: int(region != "eu-west-1") for region in THREE
    }
    assert {line["Region"]: line["Retries"] for line in metrics} == {
        region: 4 * (region == "eu-west-1") for region in THREE
    }
    for region, bucket in THREE.items():
        old, new = audit_records(region, bucket)
        assert (old["outcome"], old["error"]) == ("registered", None)
        assert (old["workflow_execution_id"], new["workflow_execution_id"]) == ("wf-1", "wf-2")
        assert new["outcome"] == ("failed" if region == "eu-west-1" else "registered")
        assert ("CreateModelPackage in eu-west-1" in str(new["error"])) == (region == "eu-west-1")
        assert [artifact["moved"] for artifact in new["artifacts"]] == [0] * 6


def test_no_metrics_unless_asked_for(inputs: Inputs, capfd: pytest.CaptureFixture[str]) -> None:
    run_registration(inputs)
    assert len(capfd.readouterr().out.splitlines()) == 1


# Stops


def stop_at(
    operation: str, number: int, inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    """Run the script itself, and send a signal when a request comes: in both regions, so twice.

    A second stop is not to hinder what the first one has to clean up.
    """
    command = [sys.executable, "-X", "faulthandler", str(SCRIPT), "--root", str(inputs.root)]
    started: list[subprocess.Popen[str]] = []
    log = inputs.root / "log"

    def stop(exchange: Exchange) -> None:
        started[0].send_signal(number)
        while started[0].poll() is None and "stopping" not in log.read_text():
            exchange.proxy.wait(0.02)
        exchange.pass_through()

    with log.open("w") as stderr, between(aws, monkeypatch) as proxy:
        for region in TWO:
            proxy.on(operation, stop, times=1, region=region)
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True))
        try:  # far below the two minutes that SageMaker leaves a job to end in
            said = started[0].communicate(timeout=60)[0]
        except subprocess.TimeoutExpired:
            started[0].send_signal(signal.SIGABRT)  # it tells where it hangs
            started[0].communicate()
            pytest.fail(log.read_text())
    if operation == "CreateMultipartUpload":  # what was begun was not gone on with
        assert proxy.count("CompleteMultipartUpload") == 0
    return started[0].returncode, json.loads(said.splitlines()[-1])["error"]


TERM, INT = signal.SIGTERM, signal.SIGINT


@pytest.mark.parametrize(
    ("operation", "number"),
    [
        ("CreateMultipartUpload", TERM),
        pytest.param("UploadPart", TERM, marks=SLOW),
        pytest.param("UploadPart", INT, marks=SLOW),
        pytest.param("CompleteMultipartUpload", TERM, marks=SLOW),
        pytest.param("CompleteMultipartUpload", INT, marks=SLOW),
        pytest.param("CreateModelPackage", TERM, marks=SLOW),
    ],
)
def test_a_stop_amid_the_work(
    *,
    operation: str,
    number: signal.Signals,
    large: Inputs,
    aws: LocalAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, error = stop_at(operation, number, large, aws, monkeypatch)
    assert (code, error) == (128 + number, f"stopped by {number.name}; run it again")
    assert begun(TWO) == 0
    run_again(large, aws, monkeypatch)
    check_whole(large, TWO)


@pytest.mark.parametrize("number", [INT, pytest.param(TERM, marks=SLOW)])
def test_a_stop_while_the_registry_decides(
    number: signal.Signals, large: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with aws.package_status(progression="time", seconds=3600):
        code, error = stop_at("DescribeModelPackage", number, large, aws, monkeypatch)
    assert (code, error) == (128 + number, f"stopped by {number.name}; run it again")
    for region, bucket in TWO.items():
        (record,) = audit_records(region, bucket)
        assert (record["outcome"], record["error"]) == ("failed", "stopped")
    run_again(large, aws, monkeypatch)
    check_whole(large, TWO)
