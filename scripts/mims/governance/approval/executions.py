"""Promotions by a state machine, as Step Functions has them: deploy, start, look, tell, follow.

Goes in: the registry, the definition (approval/state_machine.py) and what an execution is given
(approval/promotion.py). Comes out: executions, and the approvals that they wait for. What the audit
trail learns of them is approval/trail.py's.
"""

from __future__ import annotations

import functools
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError, ServiceError
from mims.governance.approval.ends import SAME_GATES, same_gates
from mims.registration.aws import AwsError, asking, client, required
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_stepfunctions import SFNClient

    from mims.governance.registry import Registry

RUNNING = "RUNNING"
_ANSWERED = {"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"}


class Machine(NamedTuple):
    """What `deploy` did: `done` is created, updated or unchanged; of a dry run, what it would."""

    arn: str
    done: str


@dataclass(frozen=True)
class Pending:
    """An approval that an execution waits for."""

    execution: str
    token: str
    group: str
    version: str
    """group/number"""
    asked_by: str
    registered_by: str
    reason: str
    number: int
    """which approval of the promotion it is, of how many"""
    of: int
    by_others: bool
    message: Mapping[str, Any]
    """all of what the queue was told"""


@dataclass(frozen=True)
class Execution:
    """A promotion by state machine, as it is."""

    arn: str
    status: str
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED"""
    error: str
    """GateRefused, VersionChanged, ApprovalRefused, ApprovalTimedOut, RolledBack, …"""
    cause: str
    input: Mapping[str, Any]
    output: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name, which is the run of its decisions in the audit trail."""
        return self.arn.rpartition(":")[2]


def machine_name(group: str) -> str:
    """What a group's state machine is called, unless it is told otherwise."""
    return f"mims-promote-{group}"


def deploy(
    registry: Registry,
    definition: Mapping[str, Any],
    name: str,
    role: str,
    *,
    dry_run: bool = False,
) -> Machine:
    """Create the state machine, or update it where it differs; executions under way keep theirs.

    Raises:
        ServiceError: Step Functions refused.

    """
    sfn, region = _sfn(registry), registry.region
    wanted = json.dumps(definition)
    arn = _machine_arn(registry, name)
    if arn is None:
        if dry_run:
            return Machine("", "created")
        with asking("CreateStateMachine", region, name):
            answer = sfn.create_state_machine(name=name, definition=wanted, roleArn=role)
        return Machine(required(answer, "stateMachineArn", "CreateStateMachine", region), "created")
    with asking("DescribeStateMachine", region, name):
        there = sfn.describe_state_machine(stateMachineArn=arn)
    same = json.loads(there["definition"]) == definition and there["roleArn"] == role
    if not same and not dry_run:
        with asking("UpdateStateMachine", region, name):
            sfn.update_state_machine(stateMachineArn=arn, definition=wanted, roleArn=role)
    return Machine(arn, "unchanged" if same else "updated")


def check_made_of(registry: Registry, machine: str, gates_sha256: str) -> None:
    """See that a state machine was made from a gate file: it would end what another has judged.

    Raises:
        InputError: there is no such state machine, or it was made from another gate file.
        ServiceError: Step Functions refused.

    """
    arn = _deployed(registry, machine)
    with asking("DescribeStateMachine", registry.region, machine):
        found = _sfn(registry).describe_state_machine(stateMachineArn=arn)
    states = json.loads(found["definition"]).get("States", {})
    if states.get(SAME_GATES, {}).get("Choices") != [same_gates(gates_sha256)]:
        raise InputError(
            f"state machine {machine} was made from another gate file, or by another version of "
            "mims: deploy it from the present one first, mims-registry pipeline deploy"
        )


def start(registry: Registry, machine: str, given: Mapping[str, Any]) -> str:
    """Start an execution with what `prepare` gave; give its ARN.

    Raises:
        InputError: there is no such state machine, or a promotion of the group is under way.
        ServiceError: Step Functions refused.

    """
    arn = _deployed(registry, machine)
    under_way = [
        one for one in _executions(registry, arn, RUNNING) if one.rpartition(":")[2] != given["run"]
    ]
    if under_way:
        raise InputError(
            f"a promotion of {given['group']} is under way: {under_way[0]}; let it end first"
        )
    # A name that came before with the same input is the same execution: no lost answer starts two.
    with asking("StartExecution", registry.region, machine):
        answer = _sfn(registry).start_execution(
            stateMachineArn=arn, name=given["run"], input=json.dumps(given)
        )
    return str(required(answer, "executionArn", "StartExecution", registry.region))


def waiting(registry: Registry, group: str, machine: str | None = None) -> list[Pending]:
    """Give the approvals that a group's executions wait for, from their own histories.

    Raises:
        InputError: there is no such state machine.
        ServiceError: Step Functions refused.

    """
    arn = _deployed(registry, machine or machine_name(group))
    found = (_pending(registry, one) for one in _executions(registry, arn, RUNNING))
    return [one for one in found if one and one.group == group]


def send(registry: Registry, pending: Pending, said: Mapping[str, Any]) -> bool:
    """Let an execution hear an answer; False where nobody waits for it any more.

    Raises:
        ServiceError: Step Functions refused.

    """
    try:
        with asking("SendTaskSuccess", registry.region, pending.version):
            _sfn(registry).send_task_success(taskToken=pending.token, output=json.dumps(said))
    except AwsError as error:
        if error.code not in _ANSWERED:
            raise
        return said in answers(registry, pending.execution)  # what came of it was lost on its way
    return True


def answers(registry: Registry, execution: str) -> list[dict[str, Any]]:
    """The answers that an execution has heard, oldest first."""
    return [
        json.loads(event["taskSucceededEventDetails"].get("output", "null"))
        for event in _events(registry, execution)
        if event["type"] == "TaskSucceeded"
        and event["taskSucceededEventDetails"]["resourceType"] == "sqs"
    ]


def entered(registry: Registry, execution: str) -> set[str]:
    """The names of the states that an execution has come to."""
    return {
        event["stateEnteredEventDetails"]["name"]
        for event in _events(registry, execution)
        if "stateEnteredEventDetails" in event
    }


def status(registry: Registry, execution: str) -> Execution:
    """Give an execution as it is.

    Raises:
        ServiceError: there is none, or Step Functions refused.

    """
    region = registry.region
    with asking("DescribeExecution", region, execution):
        found = _sfn(registry).describe_execution(executionArn=execution)
    required(found, "status", "DescribeExecution", region)
    return Execution(
        arn=execution,
        status=found["status"],
        error=found.get("error", ""),
        cause=printable(found.get("cause", "")),
        input=json.loads(found.get("input") or "{}"),
        output=json.loads(found.get("output") or "{}"),
    )


def follow(
    registry: Registry,
    execution: str,
    *,
    timeout: float,
    between: float = 10.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Execution:
    """Wait until an execution has ended; times in seconds.

    Raises:
        ServiceError: it had not ended `timeout` seconds later, or Step Functions refused.

    """
    end = clock() + timeout
    while True:
        now = status(registry, execution)
        if now.status != RUNNING:
            return now
        left = end - clock()
        if left <= 0:
            raise ServiceError(f"{execution} is still running after {timeout:g} s: it goes on")
        sleep(min(between, left))


@functools.lru_cache(4)
def _sfn(registry: Registry) -> SFNClient:
    return client("stepfunctions", registry.region)


def _machine_arn(registry: Registry, name: str) -> str | None:
    pages = _sfn(registry).get_paginator("list_state_machines").paginate()
    with asking("ListStateMachines", registry.region, name):
        found = [one for page in pages for one in page["stateMachines"] if one["name"] == name]
    return found[0]["stateMachineArn"] if found else None


def _deployed(registry: Registry, name: str) -> str:
    arn = _machine_arn(registry, name)
    if arn is None:
        raise InputError(f"{registry.region} has no state machine {name}: deploy it first")
    return arn


def _executions(registry: Registry, machine: str, status: Any) -> list[str]:
    pages = _sfn(registry).get_paginator("list_executions")
    with asking("ListExecutions", registry.region, machine):
        return [
            one["executionArn"]
            for page in pages.paginate(stateMachineArn=machine, statusFilter=status)
            for one in page["executions"]
        ]


def _events(registry: Registry, execution: str) -> list[Any]:
    """An execution's events, oldest first."""
    pages = _sfn(registry).get_paginator("get_execution_history")
    with asking("GetExecutionHistory", registry.region, execution):
        return [
            event for page in pages.paginate(executionArn=execution) for event in page["events"]
        ]


def _pending(registry: Registry, execution: str) -> Pending | None:
    events = _events(registry, execution)
    if not events or events[-1]["type"] != "TaskSubmitted":
        return None
    asked = next(one for one in reversed(events) if one["type"] == "TaskScheduled")
    message = json.loads(asked["taskScheduledEventDetails"]["parameters"]).get("MessageBody")
    if not isinstance(message, dict) or "token" not in message:
        return None
    return Pending(
        execution=execution,
        token=message["token"],
        group=message["group"],
        version=message["version"]["name"],
        asked_by=message["asked_by"],
        registered_by=message["registered_by"],
        reason=message["reason"],
        number=message["approval"],
        of=message["of"],
        by_others=message["by_others"],
        message=message,
    )
