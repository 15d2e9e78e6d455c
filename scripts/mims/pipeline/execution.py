"""An execution of a pipeline: what it and its steps become, until its end; or stop it.

Goes in: a SageMaker client of `mims.registration.aws` (the only layer of retries), and the
execution's ARN. Comes out: each change, once. Nothing here stops an execution unless it is told to
(`stop`), and no wait is without an end.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mims.errors import ServiceError
from mims.registration.aws import AwsError, asking, required
from mims.text import printable_lines, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_sagemaker import SageMakerClient

log = logging.getLogger("mims")

DAY = 86_400.0  # seconds
ENDS = frozenset({"Succeeded", "Failed", "Stopped", "CompletedWithFailures"})
_SLOWER = 2  # times as long until the next poll after one that failed

# What a poll gets over: the service is busy or ill, or the way to it is; the next may be answered.
PASSING = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded"),
        *("TooManyRequestsException", "RequestThrottled", "ServiceUnavailable", "InternalError"),
        *("InternalFailure", "InternalServerError", "RequestTimeout", "500", "502", "503", "504"),
        *("ResponseParserError", "IncompleteReadError", "ConnectTimeoutError", "ReadTimeoutError"),
        *("EndpointConnectionError", "ConnectionClosedError", "HTTPClientError"),
        *("ProxyConnectionError", ""),  # none: an answer that was cut short
    }
)


@dataclass(frozen=True)
class Change:
    """What a step has become, or the execution itself (`step` is empty).

    `since` is when it began, `seconds` how long it took or has taken (None: it has not begun);
    `cached` says that an earlier execution's result was taken, `attempt` counts from 1.
    """

    step: str
    status: str
    since: datetime | None = None
    seconds: float | None = None
    cached: bool = False
    attempt: int = 1
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Whether it won't change again."""
        return self.status in ENDS

    def news(self) -> Change:
        """It without what grows by itself, to compare with."""
        return replace(self, seconds=None)


def follow(
    client: SageMakerClient,
    arn: str,
    *,
    seconds_between_polls: float = 10.0,
    timeout: float = DAY,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Change]:
    """Yield what changes in an execution, until it ends; its end comes last.

    A poll that is throttled, or that the service or the network fails, is no end: the next comes
    later.

    Raises:
        ServiceError: the service refused, or the execution had not ended `timeout` seconds later.

    """
    end = clock() + timeout
    known: dict[str, Change] = {}
    while True:
        wait = seconds_between_polls
        try:
            now = _changes(client, arn)
        except AwsError as error:
            if error.code not in PASSING:
                raise
            log.warning("%s; asking again", without_secrets(str(error)))
            wait *= _SLOWER
        else:
            for change in now:
                if known.get(change.step) != change.news():
                    known[change.step] = change.news()
                    yield change
            if now[-1].ended:
                return
        left = end - clock()
        if left <= 0:
            status = known[""].status if known else "unknown"
            raise ServiceError(
                f"{arn} is still {status} after {timeout:g} s: it goes on; follow it again, with a "
                "longer --timeout"
            )
        sleep(min(wait, left))


def _changes(client: SageMakerClient, arn: str) -> list[Change]:
    """Give every step as it is, and last the execution, asked first: its end is its steps' end."""
    execution = describe(client, arn)
    began, status = execution.get("CreationTime"), execution["PipelineExecutionStatus"]
    until = execution.get("LastModifiedTime") if status in ENDS else None
    last = Change("", status, began, _seconds(began, until), reason=failure_reason(execution))
    return [*map(_step, steps(client, arn)), last]


def describe(client: SageMakerClient, arn: str) -> Mapping[str, Any]:
    """Describe an execution.

    Raises:
        ServiceError: there is none, or the service refused.

    """
    region = client.meta.region_name
    with asking("DescribePipelineExecution", region, arn):
        answer = client.describe_pipeline_execution(PipelineExecutionArn=arn)
    required(answer, "PipelineExecutionStatus", "DescribePipelineExecution", region)
    return answer


def steps(client: SageMakerClient, arn: str) -> list[Mapping[str, Any]]:
    """List an execution's steps, in the order in which they began.

    Raises:
        ServiceError: there is no such execution, or the service refused.

    """
    operation, region = "ListPipelineExecutionSteps", client.meta.region_name
    listed: list[Mapping[str, Any]] = []
    with asking(operation, region, arn):
        pages = client.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending", PaginationConfig={"PageSize": 100}
        )
        for page in pages:
            listed += required(page, "PipelineExecutionSteps", operation, region)
    return listed


def _step(step: Mapping[str, Any]) -> Change:
    began = step.get("StartTime")
    return Change(
        step_name(step),
        step.get("StepStatus", ""),
        began,
        _seconds(began, step.get("EndTime")),
        cached="CacheHitResult" in step,
        attempt=max(step.get("AttemptCount", 1), 1),
        reason=failure_reason(step),
    )


def step_name(step: Mapping[str, Any]) -> str:
    """Name a step; one of a loop has the number of its turn."""
    name: str = step.get("StepName", "")
    turn = step.get("IterationContext", {})
    return f"{turn.get('ParentStepName', '')}[{turn['Index']}].{name}" if "Index" in turn else name


def failure_reason(answer: Mapping[str, Any]) -> str:
    """Give why an execution, a step or a job failed, safe to show; empty if it does not say."""
    return printable_lines(without_secrets(answer.get("FailureReason", "")))


def _seconds(began: datetime | None, ended: datetime | None) -> float | None:
    if began is None:
        return None
    return max(((ended or datetime.now(UTC)) - began).total_seconds(), 0.0)


def stop(client: SageMakerClient, arn: str) -> None:
    """Ask the service to stop an execution; its jobs are told, and end in their own time.

    Raises:
        ServiceError: the service refused.

    """
    with asking("StopPipelineExecution", client.meta.region_name, arn):
        token = str(uuid.uuid4())
        client.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=token)
