"""Stages of versions: promote, roll back, archive, approve, reject; and who is in an A/B.

Goes in: a version's name, the group's gates, who decides. Comes out: the version in its new stage
and the decision in the audit trail; or a refusal with each gate's reason, recorded too. One version
of a group is in Production at a time: who takes its place archives it, in the same move.

A move writes down what it is going to change, changes it, and writes down that it has. Whoever runs
after a move that was cut off completes it first, and makes it no second time; where SageMaker
refuses a change, what was changed is changed back. So a group is never left half moved.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mims.errors import InputError
from mims.governance.approval.trail import settled
from mims.governance.decisions import (
    ADMIT,
    APPROVE,
    ARCHIVE,
    BEGUN,
    DONE,
    PROMOTE,
    REFUSED,
    REJECT,
    ROLLBACK,
    WITHDRAW,
    Decision,
    History,
    OvertakenError,
)
from mims.governance.gates.evidence import gather
from mims.governance.gates.judging import evaluate
from mims.governance.moves import Desk, Outcome, carry_out, decide, number, step_of
from mims.governance.versions import ARCHIVED, DEVELOPMENT, PRODUCTION, STAGING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mims.governance.decisions import Step
    from mims.governance.gates.file import GateFile
    from mims.governance.gates.judging import Verdict
    from mims.governance.registry import Registry
    from mims.governance.versions import Version

LEASE = timedelta(minutes=5)  # that a move is left to whoever began it
NEXT = {DEVELOPMENT: STAGING, STAGING: PRODUCTION}


def promote(
    registry: Registry,
    name: str,
    gate_file: GateFile,
    *,
    to: str | None = None,
    tried: bool = False,
    reason: str = "",
    dry_run: bool = False,
) -> Outcome:
    """Promote a version to the next stage, if every gate of that stage lets it pass.

    `tried`: only while it takes part in an A/B, from which nobody has withdrawn it.

    Raises:
        InputError: there is no such version, or no way to that stage from where it is.
        OvertakenError: another operator was quicker.
        ServiceError: a service refused; what was changed is changed back, or will be completed.

    """
    desk = _sit_down(registry, name, dry_run=dry_run)
    version = desk[name]
    done = desk.settled_as(PROMOTE, version.arn)
    if done and (to or version.stage).lower() == version.stage.lower():
        return done
    target = _target(version, to)
    if tried and version.arn not in [one.arn for one in desk.history.admitted()]:
        raise InputError(f"{version.name} was withdrawn from the A/B: roll it back")
    leaves = desk.serving if target == PRODUCTION else []
    steps = (
        step_of(version, target, "Approved" if target == PRODUCTION else None),
        *(step_of(old, ARCHIVED) for old in leaves),
    )
    verdicts = _judge(desk, version, gate_file, target)
    decision = _judged(desk, PROMOTE, steps, verdicts, gate_file, reason=reason)
    return decide(desk, decision, verdicts, dry_run=dry_run)


def rollback(registry: Registry, group: str, *, reason: str, dry_run: bool = False) -> Outcome:
    """Put the version back into Production that the present one has replaced.

    Raises:
        InputError: nothing is in Production, or it has replaced nothing.
        OvertakenError: another operator was quicker.
        ServiceError: a service refused.

    """
    desk = _sit_down(registry, group, dry_run=dry_run)
    if done := desk.settled_as(ROLLBACK):
        return done
    current = desk.production
    if current is None:
        raise InputError(f"group {desk.group} has no version in Production to roll back from")
    former = _replaced_by(desk, current)
    steps = (
        step_of(former, PRODUCTION, "Approved"),
        *(step_of(version, ARCHIVED) for version in desk.serving),
    )
    decision = Decision(ROLLBACK, BEGUN, registry.actor, former.arn, reason, steps)
    return decide(desk, decision, (), dry_run=dry_run)


def archive(registry: Registry, name: str, *, reason: str, dry_run: bool = False) -> Outcome:
    """Retire a version, while another one is in Production.

    Raises:
        InputError: it is the one in Production, none is, or it is archived already.
        OvertakenError: another operator was quicker.
        ServiceError: a service refused.

    """
    desk = _sit_down(registry, name, dry_run=dry_run)
    version = desk[name]
    if done := desk.settled_as(ARCHIVE, version.arn):
        return done
    if version.stage == ARCHIVED:
        raise InputError(f"{version.name} is archived already")
    if desk.production is None or desk.production.arn == version.arn:
        raise InputError(
            f"{version.name} can't be archived: no other version of the group is in Production; "
            "promote one first"
        )
    steps = (step_of(version, ARCHIVED),)
    decision = Decision(ARCHIVE, BEGUN, registry.actor, version.arn, reason, steps)
    return decide(desk, decision, (), dry_run=dry_run)


def approve(registry: Registry, name: str, *, reason: str, dry_run: bool = False) -> Outcome:
    """Put down that whoever asks approves a version; a gate may want that.

    Raises:
        InputError: there is no such version, or it is archived.
        OvertakenError: another operator was quicker.

    """
    desk = _sit_down(registry, name, dry_run=dry_run)
    version = desk[name]
    if version.stage == ARCHIVED:
        raise InputError(f"{version.name} is archived: there is nothing to approve")
    rejected = version.approval == "Rejected"
    steps = (step_of(version, version.stage, "PendingManualApproval"),) if rejected else ()
    phase = BEGUN if steps else DONE
    decision = Decision(APPROVE, phase, registry.actor, version.arn, reason, steps)
    return decide(desk, decision, (), dry_run=dry_run)


def reject(registry: Registry, name: str, *, reason: str, dry_run: bool = False) -> Outcome:
    """Reject a version that is not in Production; approvals so far no longer count.

    Raises:
        InputError: there is no such version, or it is in Production.
        OvertakenError: another operator was quicker.
        ServiceError: a service refused.

    """
    desk = _sit_down(registry, name, dry_run=dry_run)
    version = desk[name]
    if version.stage == PRODUCTION:
        raise InputError(f"{version.name} is in Production: roll back, or promote another first")
    steps = (step_of(version, version.stage, "Rejected"),)
    decision = Decision(REJECT, BEGUN, registry.actor, version.arn, reason, steps)
    return decide(desk, decision, (), dry_run=dry_run)


def admit(
    registry: Registry, name: str, gate_file: GateFile, *, reason: str, dry_run: bool = False
) -> Outcome:
    """Let a version in Staging take part in an A/B, if every gate of Production lets it pass.

    It stays in Staging, and is Approved: an endpoint takes no other. Whoever has admitted it may
    ask again, after being cut off; others after `LEASE`.

    Raises:
        InputError: there is no such version, it is not in Staging, or another one is admitted.
        OvertakenError: another operator was quicker.
        ServiceError: a service refused.

    """
    desk = _sit_down(registry, name, dry_run=dry_run)
    version = desk[name]
    if done := desk.settled_as(ADMIT, version.arn):
        return done
    if version.stage != STAGING:
        raise InputError(
            f"{version.name} is in {version.stage}: only a version in Staging can be tried out"
        )
    _target(version, PRODUCTION)
    _check_free(desk, version)
    steps = (step_of(version, STAGING, "Approved"),)
    verdicts = _judge(desk, version, gate_file, PRODUCTION)
    decision = _judged(desk, ADMIT, steps, verdicts, gate_file, reason=reason)
    return decide(desk, decision, verdicts, dry_run=dry_run)


def withdraw(
    registry: Registry, group: str, *, reason: str, left: str = "", dry_run: bool = False
) -> Outcome | None:
    """Take back that a version of the group takes part in an A/B; None where none does.

    Its approval is what it was before. `left`: no A/B runs, so only an admission counts whose
    reason begins so; and whoever made it may be about to start one, and has `LEASE` to do so.

    Raises:
        OvertakenError: another operator was quicker.
        ServiceError: a service refused.

    """
    desk = _sit_down(registry, group, dry_run=dry_run)
    if done := desk.settled_as(WITHDRAW):
        return done
    admitted = desk.history.admitted()
    version = desk.versions.get(number(admitted[-1].arn)) if admitted else None
    if version is None or version.stage != STAGING:
        return None
    if not admitted[-1].reason.startswith(left):
        return None
    if left:
        _check_free(desk, version)
    before = admitted[0].steps[0].approval_from
    steps = (step_of(version, STAGING, before),)
    decision = Decision(WITHDRAW, BEGUN, registry.actor, version.arn, reason, steps)
    return decide(desk, decision, (), dry_run=dry_run)


def settle(registry: Registry, group: str, *, dry_run: bool = False) -> Desk:
    """Complete what an earlier run has left half done; give the group as it stands then.

    Raises:
        InputError: something was cut off, and this is a dry run.
        OvertakenError: another operator's move may be under way.
        ServiceError: a service refused.

    """
    return _sit_down(registry, group, dry_run=dry_run)


def _check_free(desk: Desk, version: Version) -> None:
    """Refuse a second A/B of the group, and one that another operator is about to start."""
    admitted = desk.history.admitted()
    if not admitted:
        return
    last = admitted[-1]
    by = f"{last.actor} at {last.at:%Y-%m-%d %H:%M:%S} UTC"
    if last.arn != version.arn:
        other = f"{desk.group}/{number(last.arn)}"
        raise InputError(
            f"{other} is in an A/B, admitted by {by}: stop that one first, or reject {other} where "
            "its endpoint is gone"
        )
    if last.actor != desk.registry.actor and datetime.now(UTC) - last.at < LEASE:
        raise OvertakenError(
            f"{version.name} was admitted to an A/B by {by}, who may be starting it: run again "
            f"when it runs, or after {LEASE.total_seconds() / 60:g} minutes"
        )


def _sit_down(registry: Registry, name: str, *, dry_run: bool) -> Desk:
    """Look at the whole group, and complete what an earlier run has left half done.

    The trail is read before the stages: a move between the two is behind what was read, and wins.
    """
    group = registry.version(name).group if name.startswith("arn:") else name.partition("/")[0]
    trails = registry.trails(registry.versions(group))
    if not trails:
        raise InputError(f"group {group} in {registry.region} has no version with a model in S3")
    history = History.read(*trails)
    versions = {version.number: version for version in registry.versions(group)}
    desk = Desk(registry, group, versions, trails[0], history, ())
    unfinished = history.unfinished()
    if not unfinished:
        return desk
    of_machines = [decision for decision in unfinished if decision.execution]
    for decision in of_machines:  # which complete them, or change them back, themselves
        settled(registry, trails[0], decision, dry_run=dry_run)
    if of_machines:
        return _sit_down(registry, name, dry_run=dry_run)
    if dry_run:
        cut_off = unfinished[0]
        raise InputError(
            f"a {cut_off.action} of {group}/{number(cut_off.arn)} by {cut_off.actor} was cut off: "
            "run without --dry-run to complete it first"
        )
    for decision in unfinished:
        if decision.actor != registry.actor and datetime.now(UTC) - decision.at < LEASE:
            raise OvertakenError(
                f"{decision.actor} began to {decision.action} {group}/{number(decision.arn)} at "
                f"{decision.at:%H:%M:%S} UTC, which may be under way: run again when it is done, "
                f"or after {LEASE.total_seconds() / 60:g} minutes to complete it"
            )
        carry_out(desk, decision)
    return replace(_sit_down(registry, name, dry_run=dry_run), settled=tuple(unfinished))


def _target(version: Version, to: str | None) -> str:
    """Where a version goes, if it may."""
    known = NEXT.get(version.stage)
    if known is None:
        raise InputError(f"{version.name} is in {version.stage}, from where nothing is promoted")
    if to is not None and to.lower() != known.lower():
        raise InputError(f"{version.name} is in {version.stage}: it can go to {known}, not to {to}")
    if version.approval == "Rejected":
        raise InputError(f"{version.name} was rejected: it has to be approved first")
    if version.status != "Completed":
        raise InputError(f"{version.name} is {version.status}: only a Completed version goes on")
    return known


def _judged(
    desk: Desk,
    action: str,
    steps: tuple[Step, ...],
    verdicts: Sequence[Verdict],
    gate_file: GateFile,
    *,
    reason: str,
) -> Decision:
    """What the gates make of a move, whose first step is of the version that they have judged."""
    return Decision(
        action=action,
        phase=BEGUN if all(verdict.passed for verdict in verdicts) else REFUSED,
        actor=desk.registry.actor,
        arn=steps[0].arn,
        reason=reason,
        steps=steps,
        verdicts=tuple(verdict._asdict() for verdict in verdicts),
        gates_sha256=gate_file.sha256,
    )


def _judge(desk: Desk, version: Version, gate_file: GateFile, target: str) -> Sequence[Verdict]:
    """Hold a version to the gates of a stage."""
    if gate_file.group != version.group:
        raise InputError(f"the gate file is of group {gate_file.group}, not {version.group}")
    evidence = gather(
        desk.registry,
        version,
        production=desk.production,
        baselines=desk.versions,
        history=desk.history,
    )
    return evaluate(gate_file.gates(target), evidence)


def _replaced_by(desk: Desk, current: Version) -> Version:
    """The version that a promotion to Production has archived, if it is still there."""
    for decision in reversed(desk.history.decisions):
        if decision.phase == DONE and decision.arn == current.arn and len(decision.steps) > 1:
            former = desk.of(decision.steps[1])
            named = f"{desk.group}/{number(decision.steps[1].arn)}, which {current.name} replaced,"
            if former is None:
                raise InputError(f"{named} was deleted: promote another one")
            if former.approval == "Rejected" or former.status != "Completed":
                is_ = former.approval if former.approval == "Rejected" else former.status
                raise InputError(f"{named} is {is_}: promote another one")
            return former
    raise InputError(
        f"{current.name} has replaced no version that the audit trail tells of: there is nothing "
        "to roll back to (of a promotion by state machine, `pipeline follow` puts it down)"
    )
