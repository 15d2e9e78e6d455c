"""Moves of versions between stages, as they are carried out: never half, and never twice.

Goes in: a group's desk, which is its versions and its trail as they were read; and a decision.
Comes out: the decision in the audit trail and its steps made; or, where SageMaker refuses one,
those before it changed back. What stages.py decides, this does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.governance.decisions import BEGUN, DONE, UNDONE, Decision, History, Step, append
from mims.governance.gates.judging import Verdict
from mims.governance.versions import ARCHIVED, DEVELOPMENT, PRODUCTION, STAGING
from mims.registration.aws import AwsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mims.governance.registry import Registry
    from mims.governance.versions import Version
    from mims.registration.audit import Trail

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
    tried: Decision | None = None
    """the admission to an A/B that goes on, if the decision has a bearing on it"""


@dataclass(frozen=True)
class Desk:
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
        return self.versions.get(number(step.arn))

    def settled_as(self, action: str, arn: str = "") -> Outcome | None:
        """What was asked for, where an earlier run had begun it and this one has completed it."""
        for decision in reversed(self.settled):
            if decision.action == action and arn in ("", decision.arn):
                verdicts = [Verdict(**verdict) for verdict in decision.verdicts]
                return Outcome(self.group, decision, verdicts, self.settled)
        return None


def number(arn: str) -> int:
    """A version's number among those of its group."""
    return int(arn.rpartition("/")[2])


def step_of(version: Version, stage: str, approval: str | None = None) -> Step:
    """A version's way from where it is."""
    return Step(
        arn=version.arn,
        stage_from=version.stage,
        stage_to=stage,
        approval_from=version.approval,
        approval_to=approval or version.approval,
    )


def decide(
    desk: Desk, decision: Decision, verdicts: Sequence[Verdict], *, dry_run: bool
) -> Outcome:
    """Put the decision down, and carry it out."""
    tried = _tried(desk, decision)
    if dry_run:
        return Outcome(desk.group, decision, verdicts, desk.settled, dry_run=True, tried=tried)
    append(desk.trail, decision, desk.history)
    if decision.phase == BEGUN:
        carry_out(desk, decision)
    return Outcome(desk.group, decision, verdicts, desk.settled, tried=tried)


def _tried(desk: Desk, decision: Decision) -> Decision | None:
    """The A/B whose champion or challenger a decision moves: it compares them no longer."""
    admitted = desk.history.admitted()
    if not admitted or decision.phase != BEGUN:
        return None
    own = decision.arn == admitted[-1].arn
    moved = any(PRODUCTION in (step.stage_from, step.stage_to) for step in decision.steps)
    return admitted[-1] if own or moved else None


def carry_out(desk: Desk, decision: Decision) -> None:
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


def _stands(desk: Desk, step: Step) -> bool:
    version = desk.of(step)
    return version is not None and (version.stage, version.approval) == (
        step.stage_to,
        step.approval_to,
    )


def _change(desk: Desk, step: Step, stage: str, approval: str, decision: Decision) -> None:
    version = desk.of(step)
    if version is None:
        raise AwsError(
            f"{decision.action}: {desk.group}/{number(step.arn)} was deleted meanwhile; the move "
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


def _end(desk: Desk, decision: Decision, phase: str) -> None:
    """Put the end of a move down, unless another run that came upon it has."""
    ending = replace(decision, phase=phase, actor=desk.registry.actor)
    while True:
        history = History.read(desk.trail)
        if decision.run not in [d.run for d in history.unfinished()]:
            return
        if desk.trail.append_behind(ending.record(), history.newest):
            return
