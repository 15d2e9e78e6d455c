"""Stages of versions: promote, roll back, archive, approve, reject.

Goes in: a version's name, the group's gates, who decides. Comes out: the version in its new stage
and the decision in the audit trail; or a refusal with each gate's reason, recorded too. One version
of a group is in Production at a time: who takes its place archives it, in the same move.

A move writes down what it is going to change, changes it, and writes down that it has. Whoever runs
after a move that was cut off completes it first, and makes it no second time; where SageMaker
refuses a change, what was changed is changed back. So a group is never left half moved.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.governance.decisions import (
    APPROVE,
    ARCHIVE,
    BEGUN,
    DONE,
    PROMOTE,
    REFUSED,
    REJECT,
    ROLLBACK,
    UNDONE,
    Decision,
    History,
    OvertakenError,
    Step,
    append,
)
from mims.governance.gates.evidence import gather
from mims.governance.gates.judging import Verdict, evaluate
from mims.governance.versions import ARCHIVED, DEVELOPMENT, PRODUCTION, STAGING
from mims.registration.aws import AwsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mims.governance.gates.file import GateFile
    from mims.governance.registry import Registry
    from mims.governance.versions import Version
    from mims.registration.audit import Trail

LEASE = timedelta(minutes=5)  # that a move is left to whoever began it
NEXT = {DEVELOPMENT: STAGING, STAGING: PRODUCTION}
_STATUSES = {  # SageMaker's StageStatus of a version that has come to a stage
    DEVELOPMENT: "InProgress",
    STAGING: "InProgress",
    PRODUCTION: "Deployed",
    ARCHIVED: "Retired",
}
_REFUSALS = {
    "ValidationException",
    "AccessDeniedException",
    "ConflictException",
    "ResourceNotFound",
}


class Outcome(NamedTuple):
    """What came of a command."""

    group: str
    decision: Decision
    verdicts: Sequence[Verdict] = ()
    settled: Sequence[Decision] = ()
    """moves of earlier runs, completed first"""
    dry_run: bool = False


@dataclass(frozen=True)
class _Desk:
    """A group as it stands: its versions, its trail, and who is deciding."""

    registry: Registry
    group: str
    versions: dict[int, Version]
    trail: Trail
    history: History
    settled: tuple[Decision, ...]

    @property
    def serving(self) -> list[Version]:
        """What is in Production: one version, unless somebody has gone past us."""
        return [version for version in self.versions.values() if version.stage == PRODUCTION]

    @property
    def production(self) -> Version | None:
        """The version in Production."""
        return next(iter(self.serving), None)

    def __getitem__(self, name: str) -> Version:
        version = self.registry.pick(name, self.versions.values())
        if self.settled and name.lower() == f"{self.group}/{version.stage}".lower():
            raise InputError(
                f"{name} is {version.name} now that what was cut off is completed: "
                "look at the group and run again"
            )
        return version

    def of(self, step: Step) -> Version | None:
        """The version that a step moves; None where it was deleted."""
        return self.versions.get(_number(step.arn))

    def settled_as(self, action: str, arn: str = "") -> Outcome | None:
        """What was asked for, where an earlier run had begun it and this one has completed it."""
        for decision in reversed(self.settled):
            if decision.action == action and arn in ("", decision.arn):
                verdicts = [Verdict(**verdict) for verdict in decision.verdicts]
                return Outcome(self.group, decision, verdicts, self.settled)
        return None


def promote(
    registry: Registry,
    name: str,
    gate_file: GateFile,
    *,
    to: str | None = None,
    reason: str = "",
    dry_run: bool = False,
) -> Outcome:
    """Promote a version to the next stage, if every gate of that stage lets it pass.

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
    if gate_file.group != version.group:
        raise InputError(f"the gate file is of group {gate_file.group}, not {version.group}")
    evidence = gather(
        registry,
        version,
        production=desk.production,
        baselines=desk.versions,
        history=desk.history,
    )
    verdicts = evaluate(gate_file.gates(target), evidence)
    leaves = desk.serving if target == PRODUCTION else []
    decision = Decision(
        action=PROMOTE,
        phase=BEGUN if all(verdict.passed for verdict in verdicts) else REFUSED,
        actor=registry.actor,
        arn=version.arn,
        reason=reason,
        steps=(
            _step(version, target, "Approved" if target == PRODUCTION else None),
            *(_step(old, ARCHIVED) for old in leaves),
        ),
        verdicts=tuple(verdict._asdict() for verdict in verdicts),
        gates_sha256=gate_file.sha256,
    )
    return _decide(desk, decision, verdicts, dry_run=dry_run)


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
    decision = Decision(
        action=ROLLBACK,
        phase=BEGUN,
        actor=registry.actor,
        arn=former.arn,
        reason=reason,
        steps=(
            _step(former, PRODUCTION, "Approved"),
            *(_step(version, ARCHIVED) for version in desk.serving),
        ),
    )
    return _decide(desk, decision, (), dry_run=dry_run)


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
    decision = Decision(
        action=ARCHIVE,
        phase=BEGUN,
        actor=registry.actor,
        arn=version.arn,
        reason=reason,
        steps=(_step(version, ARCHIVED),),
    )
    return _decide(desk, decision, (), dry_run=dry_run)


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
    steps = (_step(version, version.stage, "PendingManualApproval"),) if rejected else ()
    phase = BEGUN if steps else DONE
    decision = Decision(APPROVE, phase, registry.actor, version.arn, reason, steps)
    return _decide(desk, decision, (), dry_run=dry_run)


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
    steps = (_step(version, version.stage, "Rejected"),)
    decision = Decision(REJECT, BEGUN, registry.actor, version.arn, reason, steps)
    return _decide(desk, decision, (), dry_run=dry_run)


def _sit_down(registry: Registry, name: str, *, dry_run: bool) -> _Desk:
    """Look at the whole group, and complete what an earlier run has left half done.

    The trail is read before the stages: a move between the two is behind what was read, and wins.
    """
    group = registry.version(name).group if name.startswith("arn:") else name.partition("/")[0]
    trails = registry.trails(registry.versions(group))
    if not trails:
        raise InputError(f"group {group} in {registry.region} has no version with a model in S3")
    history = History.read(*trails)
    versions = {version.number: version for version in registry.versions(group)}
    desk = _Desk(registry, group, versions, trails[0], history, ())
    unfinished = history.unfinished()
    if not unfinished:
        return desk
    if dry_run:
        cut_off = unfinished[0]
        raise InputError(
            f"a {cut_off.action} of {group}/{_number(cut_off.arn)} by {cut_off.actor} was cut off: "
            "run without --dry-run to complete it first"
        )
    for decision in unfinished:
        if decision.actor != registry.actor and datetime.now(UTC) - decision.at < LEASE:
            raise OvertakenError(
                f"{decision.actor} began to {decision.action} {group}/{_number(decision.arn)} at "
                f"{decision.at:%H:%M:%S} UTC, which may be under way: run again when it is done, "
                f"or after {LEASE.total_seconds() / 60:g} minutes to complete it"
            )
        _carry_out(desk, decision)
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


def _replaced_by(desk: _Desk, current: Version) -> Version:
    """The version that a promotion to Production has archived, if it is still there."""
    for decision in reversed(desk.history.decisions):
        if decision.phase == DONE and decision.arn == current.arn and len(decision.steps) > 1:
            former = desk.of(decision.steps[1])
            named = f"{desk.group}/{_number(decision.steps[1].arn)}, which {current.name} replaced,"
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


def _number(arn: str) -> int:
    return int(arn.rpartition("/")[2])


def _step(version: Version, stage: str, approval: str | None = None) -> Step:
    return Step(
        arn=version.arn,
        stage_from=version.stage,
        stage_to=stage,
        approval_from=version.approval,
        approval_to=approval or version.approval,
    )


def _decide(
    desk: _Desk, decision: Decision, verdicts: Sequence[Verdict], *, dry_run: bool
) -> Outcome:
    """Put the decision down, and carry it out."""
    if dry_run:
        return Outcome(desk.group, decision, verdicts, desk.settled, dry_run=True)
    append(desk.trail, decision, desk.history)
    if decision.phase == BEGUN:
        _carry_out(desk, decision)
    return Outcome(desk.group, decision, verdicts, desk.settled)


def _carry_out(desk: _Desk, decision: Decision) -> None:
    """Make every change, and put down that they are made; or change back what was refused.

    Raises:
        ServiceError: SageMaker refused, and things are as before; or what came of a change is
            unknown, and the next run completes it.

    """
    made = [step for step in decision.steps if _stands(desk, step)]  # by a run that was cut off
    try:
        for step in decision.steps:
            _change(desk, step, step.stage_to, step.approval_to, decision)
            if step not in made:
                made.append(step)
    except AwsError as error:
        if error.code not in _REFUSALS:
            raise
        for step in reversed(made):
            if desk.of(step):
                _change(desk, step, step.stage_from, step.approval_from, decision)
        _end(desk, decision, UNDONE)
        raise
    _end(desk, decision, DONE)


def _stands(desk: _Desk, step: Step) -> bool:
    version = desk.of(step)
    return version is not None and (version.stage, version.approval) == (
        step.stage_to,
        step.approval_to,
    )


def _change(desk: _Desk, step: Step, stage: str, approval: str, decision: Decision) -> None:
    version = desk.of(step)
    if version is None:
        raise AwsError(
            f"{decision.action}: {desk.group}/{_number(step.arn)} was deleted meanwhile; the move "
            "was taken back, run again",
            "ResourceNotFound",
        )
    said = f"{decision.action}, run {decision.run}: {decision.reason}"[:1024]
    status = _STATUSES.get(stage, "InProgress")  # people may have stages of their own
    life = {"Stage": stage, "StageStatus": status, "StageDescription": said}
    changes: dict[str, Any] = {"ModelLifeCycle": life}
    if step.approval_from != step.approval_to:
        changes |= {"ModelApprovalStatus": approval, "ApprovalDescription": said}
    desk.registry.update(version, **changes)


def _end(desk: _Desk, decision: Decision, phase: str) -> None:
    """Put the end of a move down, unless another run that came upon it has."""
    ending = replace(decision, phase=phase, actor=desk.registry.actor)
    while True:
        history = History.read(desk.trail)
        if decision.run not in [d.run for d in history.unfinished()]:
            return
        if desk.trail.append_behind(ending.record(), history.newest):
            return
