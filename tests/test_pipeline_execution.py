"""Executions over real HTTP: followed to the end, or stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from faults import expired, internal_error, reset, throttled, truncated
from mims.errors import ServiceError
from mims.pipeline.execution import Change, describe, follow, stop
from mims.pipeline.start import start
from mims.registration import aws as clients
from mims.registration.aws import ATTEMPTS
from pipeline_executions import ARN, MODEL, NAME, REGION, create, ended, executing, play, step

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from faults import Fault, Faults

BEGAN = 1_700_000_000
SINCE = datetime.fromtimestamp(BEGAN, UTC)


@pytest.fixture
def faulty(proxy: Faults) -> SageMakerClient:
    """A client with our own limits that goes through the proxy."""
    del proxy  # the environment leads there
    return clients.client("sagemaker", REGION)


@dataclass
class Time:
    """A clock that goes on when someone sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def followed(client: SageMakerClient, arn: str, time: Time | None = None) -> list[Change]:
    time = time or Time()
    return list(follow(client, arn, timeout=595, sleep=time.sleep, clock=time.clock))


def test_what_changes_is_told_once_and_the_end_last(
    aws: LocalAws, sagemaker: SageMakerClient
) -> None:
    create(sagemaker)
    training = step("Train", "Executing", StartTime=BEGAN)
    trained = step("Train", "Succeeded", StartTime=BEGAN, EndTime=BEGAN + 90)
    source = {"SourcePipelineExecutionArn": f"{ARN}/execution/abc"}
    cached = step("Package", "Succeeded", CacheHitResult=source)
    play(
        aws,
        executing(),
        executing(training),
        executing(training),  # nothing new
        executing({**training, "AttemptCount": 2}),
        executing(trained),
        ended("Succeeded", trained, cached),
    )
    time = Time()
    changes = followed(sagemaker, start(sagemaker, NAME, MODEL), time)
    assert [(c.step, c.status) for c in changes] == [
        ("", "Executing"),
        ("Train", "Executing"),
        ("Train", "Executing"),
        ("Train", "Succeeded"),
        ("Package", "Succeeded"),
        ("", "Succeeded"),
    ]
    assert [c.attempt for c in changes] == [1, 1, 2, 1, 1, 1]
    assert changes[1].since == SINCE
    assert changes[1].seconds is not None
    assert changes[1].seconds > 1_000_000  # and counting
    assert changes[3].seconds == 90
    assert [c.cached for c in changes] == [False] * 4 + [True, False]
    assert [c.ended for c in changes] == [False, False, False, True, True, True]
    assert time.slept == [10.0] * 5


def test_a_step_of_a_loop_is_told_by_its_turn(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    turns = [
        step("Train", status, IterationContext={"ParentStepName": "Each", "Index": number})
        for number, status in enumerate(("Succeeded", "Failed"))
    ]
    play(aws, ended("CompletedWithFailures", *turns))
    arn = start(sagemaker, NAME, MODEL)
    assert [(c.step, c.status) for c in followed(sagemaker, arn)] == [
        ("Each[0].Train", "Succeeded"),
        ("Each[1].Train", "Failed"),
        ("", "CompletedWithFailures"),
    ]


def test_more_steps_than_a_page(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    play(aws, ended("Succeeded", *(step(f"Step{number}", "Succeeded") for number in range(250))))
    changes = followed(sagemaker, start(sagemaker, NAME, MODEL))
    assert [c.step for c in changes] == [*(f"Step{number}" for number in range(250)), ""]


@pytest.mark.parametrize("operation", ["DescribePipelineExecution", "ListPipelineExecutionSteps"])
@pytest.mark.parametrize(
    "fault",
    [throttled(), internal_error(), reset(), truncated()],
    ids=["throttled", "500", "reset", "cut"],
)
def test_a_poll_that_fails_is_not_the_end(
    proxy: Faults,
    faulty: SageMakerClient,
    operation: str,
    fault: Fault,
    caplog: pytest.LogCaptureFixture,
) -> None:
    create(faulty)
    arn = start(faulty, NAME, MODEL)
    proxy.on(operation, fault, times=2 * ATTEMPTS)
    time = Time()
    changes = followed(faulty, arn, time)
    assert changes[-1] == Change("", "Succeeded", changes[-1].since, changes[-1].seconds)
    assert "asking again" in caplog.text
    assert max(time.slept) == 20  # later than usual


def test_a_poll_that_is_refused_ends_it(proxy: Faults, faulty: SageMakerClient) -> None:
    create(faulty)
    arn = start(faulty, NAME, MODEL)
    proxy.on("DescribePipelineExecution", expired())
    with pytest.raises(ServiceError, match="ExpiredTokenException"):
        followed(faulty, arn)


def test_following_has_an_end(
    aws: LocalAws, proxy: Faults, faulty: SageMakerClient, caplog: pytest.LogCaptureFixture
) -> None:
    create(faulty)
    play(aws, executing(step("Train", "Executing")))
    arn = start(faulty, NAME, MODEL)
    time = Time()
    with pytest.raises(ServiceError, match=r"still Executing after 595 s: it goes on"):
        followed(faulty, arn, time)
    assert sum(time.slept) == 595
    proxy.on("DescribePipelineExecution", throttled())
    with pytest.raises(ServiceError, match=r"still unknown after 595 s"):
        followed(faulty, arn)
    assert "Rate exceeded" in caplog.text


def test_an_execution_is_stopped(sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    arn = start(sagemaker, NAME, MODEL)
    describe(sagemaker, arn)
    stop(sagemaker, arn)
    assert followed(sagemaker, arn)[-1].status == "Stopped"
    with pytest.raises(ServiceError, match="not executing"):
        stop(sagemaker, arn)
