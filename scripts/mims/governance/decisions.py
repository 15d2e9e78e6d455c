"""Who decided what of which version, when and why: decisions in a group's audit trail.

Goes in: a decision. Comes out: a record behind the newest, in the same chain as the registrations'
(registration/audit.py). A move of versions between stages is two records: one before anything
changes, `begun`, and one after: `done`, or `undone` where all was changed back. So whoever comes
later sees what was left half done. A move that a state machine makes may also end `refused`, with
nothing changed, or `incomplete`: what it changed was not all changed back, and people have to look.
A record is only added behind the one that its author had seen: of two operators, one wins.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from mims import __version__
from mims.errors import MimsError
from mims.registration.audit import FORMAT, Link, verify_chain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mims.registration.audit import Trail

KIND = "decision"
PROMOTE, ROLLBACK, ARCHIVE, APPROVE, REJECT = "promote", "rollback", "archive", "approve", "reject"
BASELINE = "baseline"  # whose reason is its SHA-256
ADMIT, WITHDRAW = "admit", "withdraw"  # to an A/B, and from it
BEGUN, DONE, UNDONE, REFUSED = "begun", "done", "undone", "refused"
INCOMPLETE = "incomplete"  # neither done nor undone, and nobody goes on with it


class OvertakenError(MimsError):
    """Another operator was quicker: what was judged is no longer how things stand."""

    exit_code = 1


class Step(NamedTuple):
    """A version's way from one stage to another; approvals likewise, None where they stay."""

    arn: str
    stage_from: str
    stage_to: str
    approval_from: str
    approval_to: str


@dataclass(frozen=True)
class Decision:
    """A decision on a version, as the trail holds it."""

    action: str
    phase: str
    actor: str
    """the ARN of whoever decided"""
    arn: str
    """the version"""
    reason: str = ""
    steps: tuple[Step, ...] = ()
    verdicts: tuple[Mapping[str, Any], ...] = ()
    """what each gate found"""
    gates_sha256: str | None = None
    """of the gate file"""
    run: str = field(default_factory=lambda: str(uuid4()))
    """one for the records of one move"""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    execution: str | None = None
    """the ARN of the state machine's execution that makes the move"""

    def record(self) -> dict[str, Any]:
        """The decision as the trail writes it."""
        return {
            "format": FORMAT,
            "kind": KIND,
            "tool": f"mims {__version__}",
            "time": self.at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "run": self.run,
            "action": self.action,
            "phase": self.phase,
            "actor": self.actor,
            "model_package_arn": self.arn,
            "reason": self.reason,
            "steps": [step._asdict() for step in self.steps],
            "verdicts": [dict(verdict) for verdict in self.verdicts],
            "gates_sha256": self.gates_sha256,
            **({"execution": self.execution} if self.execution else {}),
        }

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Decision:
        """Read a record."""
        return cls(
            action=record["action"],
            phase=record["phase"],
            actor=record["actor"],
            arn=record["model_package_arn"],
            reason=record["reason"],
            steps=tuple(Step(**step) for step in record["steps"]),
            verdicts=tuple(record["verdicts"]),
            gates_sha256=record["gates_sha256"],
            run=record["run"],
            at=datetime.fromisoformat(record["time"]),
            execution=record.get("execution"),
        )


@dataclass(frozen=True)
class History:
    """A group's trail as it was read, from its first record on; its chain holds."""

    records: tuple[Mapping[str, Any], ...]
    newest: Link | None
    elsewhere: tuple[Mapping[str, Any], ...] = ()
    """records of the group in other buckets, whose chains hold, too: registrations"""

    @classmethod
    def read(cls, trail: Trail, *others: Trail) -> History:
        """Read the trail that has the decisions, and others of the group: `Registry.trails`.

        Raises:
            InputError: the chain is broken; it names the record.
            ServiceError: S3 refused.

        """
        found = list(trail.records())
        newest = verify_chain(found)
        return cls(
            tuple(json.loads(content) for _, content in found),
            newest,
            tuple(record for other in others for record in cls.read(other).records),
        )

    @property
    def decisions(self) -> list[Decision]:
        """The decisions, oldest first."""
        return [Decision.of(record) for record in self.records if record.get("kind") == KIND]

    def unfinished(self) -> list[Decision]:
        """Moves that have begun, and of which no end is known."""
        ended = {d.run for d in self.decisions if d.phase != BEGUN}
        return [d for d in self.decisions if d.phase == BEGUN and d.run not in ended]

    def admitted(self) -> list[Decision]:
        """The admissions of the version that is in an A/B, oldest first; [] where none is."""
        found: list[Decision] = []
        for decision in self.decisions:
            if decision.phase == DONE:
                if decision.action == ADMIT:
                    found = [one for one in found if one.arn == decision.arn] + [decision]
                elif (
                    found
                    and decision.arn == found[-1].arn
                    and decision.action not in (APPROVE, BASELINE)
                ):
                    found = []  # it was withdrawn, promoted, rejected or archived
        return found


def approvals(decisions: Iterable[Decision], arn: str) -> list[tuple[str, datetime]]:
    """Who has approved a version, and when; a rejection takes all before it back."""
    found: list[tuple[str, datetime]] = []
    for decision in decisions:
        if decision.arn == arn and decision.phase == DONE:
            if decision.action == APPROVE:
                found.append((decision.actor, decision.at))
            elif decision.action == REJECT:
                found.clear()
    return found


def append(trail: Trail, decision: Decision, history: History) -> Link:
    """Add a decision behind what its author has seen.

    Raises:
        OvertakenError: there is a newer record; it says whose.
        ServiceError: S3 refused.

    """
    link = trail.append_behind(decision.record(), history.newest)
    if link is None:
        raise OvertakenError(_overtaken(trail, history))
    return link


def _overtaken(trail: Trail, history: History) -> str:
    now = History.read(trail)
    newer = now.records[len(history.records) :]
    latest = next((Decision.of(r) for r in reversed(newer) if r.get("kind") == KIND), None)
    if latest is None:
        return "the group's audit trail grew meanwhile, by a registration: run again"
    number = latest.arn.rpartition("/")[2]
    return (
        f"{latest.actor} was quicker: {latest.action} of version {number}, {latest.phase}, at "
        f"{latest.at:%Y-%m-%d %H:%M:%S} UTC: look at the group and run again"
    )
