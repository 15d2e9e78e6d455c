"""What the audit trail learns of a promotion by state machine: its approvals, beginning and end.

Goes in: an approval that an execution waits for and its answer, or an execution that has ended.
Comes out: records behind the newest (decisions.py). The machine writes none itself: it can't make a
link of the chain. So whoever gives the last approval puts down that the move has begun, before the
machine hears of it, unless another move is under way; from then on every other one is told. Its end
is put down by whoever looks first: `pipeline follow`, or the group's next command.

An answer that goes past `answer`, straight to Step Functions, holds nobody else's move off: between
the machine's last look and its end, another could come.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from mims.errors import InputError
from mims.governance.approval import executions
from mims.governance.approval.ends import REFUSALS, ROLLED_BACK, UPDATE
from mims.governance.approval.executions import RUNNING
from mims.governance.decisions import (
    APPROVE,
    BEGUN,
    DONE,
    INCOMPLETE,
    PROMOTE,
    REFUSED,
    UNDONE,
    Decision,
    History,
    OvertakenError,
    Step,
)
from mims.governance.gates.judging import person
from mims.governance.versions import ARCHIVED, PRODUCTION
from mims.registration.aws import AwsError

if TYPE_CHECKING:
    from mims.governance.approval.executions import Execution, Pending
    from mims.governance.registry import Registry
    from mims.registration.audit import Trail


def answer(
    registry: Registry,
    pending: Pending,
    *,
    approved: bool,
    by: str | None = None,
    reason: str,
    dry_run: bool = False,
) -> None:
    """Answer for whoever asks (`by`, an ARN, or the caller); an approval is put into the trail.

    On `dry_run` it only sees whether they may.

    Raises:
        InputError: nobody waits for it any more, or they may not approve it.
        OvertakenError: another move of the group is under way.
        ServiceError: a service refused.

    """
    by = by or registry.actor
    said = {"approved": approved, "by": by, "person": person(by).casefold(), "reason": reason}
    execution = executions.status(registry, pending.execution)
    if approved and execution.status == RUNNING:
        _check_may_approve(registry, pending, by)
        if dry_run:
            return
        _put_down(registry, pending, execution, by, reason)
    if not dry_run and not executions.send(registry, pending, said):
        raise InputError(
            f"nobody waits for an approval of {pending.version} any more: it was answered, or too "
            "late"
        )


def told(registry: Registry, execution: Execution) -> Decision:
    """What the audit trail is told, or was, of an execution that has ended; writes nothing.

    Raises:
        InputError: the execution is no promotion of ours.
        ServiceError: a service refused.

    """
    ours = {"group", "run", "version", "production"}
    if not isinstance(execution.input, dict) or not ours <= execution.input.keys():
        raise InputError(f"{execution.arn} was not started by `pipeline start`: it is no promotion")
    return _decision(execution, _phase(registry, execution))


def record(registry: Registry, execution: Execution) -> Decision:
    """Put the end of an execution that has ended into the group's audit trail, once.

    Raises:
        InputError: the execution is no promotion of ours, or the trail's chain is broken.
        ServiceError: a service refused.

    """
    decision = told(registry, execution)
    return _ended(_trail(registry, execution.input["group"]), decision)


def settled(registry: Registry, trail: Trail, begun: Decision, *, dry_run: bool = False) -> None:
    """Put down the end of a move that a state machine makes.

    Raises:
        InputError: it has ended, and this is a dry run.
        OvertakenError: it is under way.
        ServiceError: a service refused.

    """
    arn = str(begun.execution)
    version = f"version {begun.arn.rpartition('/')[2]}"
    try:
        execution = executions.status(registry, arn)
    except AwsError as error:
        if error.code != "ExecutionDoesNotExist":
            raise
        execution = None  # Step Functions forgets an execution after 90 days
    if execution and execution.status == RUNNING:
        raise OvertakenError(
            f"a state machine is promoting {version} to {PRODUCTION} for {begun.actor}: run again "
            f"when it is done; to wait for that: mims-registry pipeline follow {arn}"
        )
    if dry_run:
        raise InputError(
            f"the promotion of {version} by a state machine has ended, and the audit trail does "
            f"not know how: put it down first: mims-registry pipeline follow {arn}"
        )
    if execution:
        record(registry, execution)
        return
    reason = f"{arn} is no longer known: look whether versions and endpoint are as they should be"
    at = datetime.now(UTC)
    _ended(trail, replace(begun, phase=INCOMPLETE, reason=reason, actor=registry.actor, at=at))


def _check_may_approve(registry: Registry, pending: Pending, by: str) -> None:
    names = {person(by).casefold()}
    if ":assumed-role/" in by:
        names.add(by.split("/")[-2].casefold())
    if pending.by_others and pending.registered_by in names:
        raise InputError(
            f"{by} is, or acts as, who registered {pending.version}: another has to approve it"
        )
    heard = executions.answers(registry, pending.execution)[: pending.number - 1]
    if person(by).casefold() in [one.get("person") for one in heard]:
        raise InputError(
            f"{by} has approved {pending.version} already: this is approval {pending.number} of "
            f"{pending.of}, which another has to give"
        )


def _put_down(
    registry: Registry, pending: Pending, execution: Execution, by: str, reason: str
) -> None:
    """Put an approval into the trail, and with the last one that the move has begun; each once."""
    run = str(uuid5(NAMESPACE_URL, f"{execution.arn}#{pending.number}:{by}"))
    arn = execution.input["version"]["arn"]
    decisions = [Decision(APPROVE, DONE, by, arn, reason, run=run)]
    if pending.number == pending.of:
        decisions.append(_decision(execution, BEGUN))
    trail = _trail(registry, pending.group)
    for decision in decisions:
        while True:
            history = History.read(trail)
            if decision.run in [one.run for one in history.decisions]:
                break  # by an earlier attempt
            if _others(registry, trail, history, execution.name):
                continue
            if trail.append_behind(decision.record(), history.newest):
                break


def _others(registry: Registry, trail: Trail, history: History, run: str) -> bool:
    """Refuse while another move is under way; True where one has ended that was not put down."""
    unfinished = [one for one in history.unfinished() if one.run != run]
    for other in unfinished:
        if not other.execution:
            raise OvertakenError(
                f"{other.actor} began to {other.action} version {other.arn.rpartition('/')[2]} at "
                f"{other.at:%H:%M:%S} UTC, which may be under way: approve when it is done; what "
                "was cut off, the group's next promote, rollback or archive completes"
            )
        settled(registry, trail, other)
    return bool(unfinished)


def _ended(trail: Trail, decision: Decision) -> Decision:
    """Put an end down, unless somebody has."""
    while True:
        history = History.read(trail)
        for known in history.decisions:
            if known.run == decision.run and known.phase != BEGUN:
                return known
        if trail.append_behind(decision.record(), history.newest):
            return decision


def _trail(registry: Registry, group: str) -> Trail:
    """The trail that has the decisions on a group's versions."""
    trails = registry.trails(registry.versions(group))
    if not trails:
        raise InputError(f"group {group} in {registry.region} has no version with a model in S3")
    return trails[0]


def _phase(registry: Registry, execution: Execution) -> str:
    """How it ended; what stopped otherwise than by the definition may have stopped half way."""
    if execution.status == "SUCCEEDED":
        return DONE
    ended = execution.error if execution.status == "FAILED" else ""
    if ended in REFUSALS:
        return REFUSED
    if ended == ROLLED_BACK:
        return UNDONE
    return INCOMPLETE if UPDATE in executions.entered(registry, execution.arn) else REFUSED


def _decision(execution: Execution, phase: str) -> Decision:
    given = execution.input
    version, production = given["version"], given["production"]
    steps = [Step(version["arn"], version["stage"], PRODUCTION, version["approval"], "Approved")]
    if production:
        approval = production["approval"]
        steps.append(Step(production["arn"], PRODUCTION, ARCHIVED, approval, approval))
    why = ("" if execution.status in (RUNNING, "SUCCEEDED", "FAILED") else execution.status,)
    reason = ": ".join(part for part in (*why, execution.error, execution.cause) if part)
    return Decision(
        action=PROMOTE,
        phase=phase,
        actor=given["asked_by"],
        arn=version["arn"],
        reason="; ".join(part for part in (given["reason"], reason) if part),
        steps=tuple(steps),
        verdicts=tuple(given["verdicts"]),
        gates_sha256=given["gates_sha256"],
        run=execution.name,
        at=datetime.now(UTC).replace(microsecond=0),
        execution=execution.arn,
    )
