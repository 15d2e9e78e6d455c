"""Commands that decide: promote, rollback, archive, approve, reject; and audit, which checks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mims import console
from mims.errors import EXIT_DONE, EXIT_INPUT, InputError
from mims.governance.commands.shared import (
    as_change,
    as_read,
    gate_file,
    reason,
    registry_of,
    taught,
    tell,
)
from mims.governance.commands.shared import version as version_
from mims.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from mims.governance.decisions import Decision
    from mims.governance.moves import Outcome

_KEYS = (
    "  action, phase (begun: made; done: put down; refused), version, actor, reason,\n"
    "  moves (version, from, to), verdicts (gate, passed, found, wanted, reason),\n"
    "  settled (moves of earlier runs that were completed first), dry_run"
)
_why = reason(required=True)


@click.command(epilog=taught(["promote fraud/3", "promote fraud/3 --gates fraud.yaml"], _KEYS))
@version_
@click.option("--to", metavar="STAGE", help="the stage; it can only be the next one")
@gate_file("the group's gate file, else GROUP.yaml here")
@reason(required=False)
@as_change
def promote(name: str, to: str | None, gates: Path | None, reason: str, **options: Any) -> int:
    """Promote VERSION to its next stage, if all gates let it pass.

    Development goes to Staging, Staging to Production, and what was in Production is archived.
    Each gate is printed with its evidence; a refusal is put down in the audit trail, too.
    """
    from mims.governance import stages
    from mims.governance.gates.file import GateFile

    registry = registry_of(options, name)
    group = registry.version(name).group
    file = gates or Path(f"{group}.yaml")
    if not gates and not file.exists():
        raise InputError(f"no gate file: give --gates FILE, or write {file} here")
    gates_of = GateFile.load(file, group)
    outcome = stages.promote(
        registry, name, gates_of, to=to, reason=reason, dry_run=options["dry_run"]
    )
    return _told(options, outcome)


@click.command(epilog=taught(["rollback fraud --reason 'too many complaints'"], _KEYS))
@click.argument("group")
@_why
@as_change
def rollback(group: str, reason: str, **options: Any) -> int:
    """Put back into Production what the present version of GROUP has replaced.

    Said again, it puts the other one back. No endpoint is changed.
    """
    from mims.governance import stages

    if "/" in group:
        raise click.UsageError(f"{group} is no group: give the group, whose Production it is about")
    return _decided(options, stages.rollback, group, reason)


@click.command(epilog=taught(["archive fraud/1 --reason superseded"], _KEYS))
@version_
@_why
@as_change
def archive(name: str, reason: str, **options: Any) -> int:
    """Retire VERSION, while another one is in Production."""
    from mims.governance import stages

    return _decided(options, stages.archive, name, reason)


@click.command(epilog=taught(["approve fraud/3 --reason 'board of 2026-11-20'"], _KEYS))
@version_
@_why
@as_change
def approve(name: str, reason: str, **options: Any) -> int:
    """Put down that you approve VERSION.

    A gate may want that, of others than who registered it.
    """
    from mims.governance import stages

    return _decided(options, stages.approve, name, reason)


@click.command(epilog=taught(["reject fraud/3 --reason 'trained on the wrong month'"], _KEYS))
@version_
@_why
@as_change
def reject(name: str, reason: str, **options: Any) -> int:
    """Reject VERSION; approvals so far count no longer."""
    from mims.governance import stages

    return _decided(options, stages.reject, name, reason)


@click.group()
def audit() -> None:
    """Check the audit trail."""


@audit.command(
    epilog=taught(
        ["audit verify fraud"],
        "  a line a bucket that the group lies in: group, bucket, records, newest (key),\n"
        "  sha256: note it, to compare later",
    )
)
@click.argument("group")
@as_read
def verify(group: str, **options: Any) -> None:
    """Check every link of GROUP's audit trail; a broken one is named."""
    from mims.governance.decisions import History

    registry = registry_of(options)
    rows = []
    for trail in registry.trails(registry.versions(group)):
        read = History.read(trail)
        rows.append(
            {
                "group": group,
                "bucket": trail.bucket,
                "records": len(read.records),
                "newest": read.newest.key if read.newest else None,
                "sha256": read.newest.sha256 if read.newest else None,
            }
        )
    tell(options, rows, lambda: "\n".join(map(_verified, rows)) or f"{group} has no versions")


def _verified(row: dict[str, Any]) -> str:
    if not row["newest"]:
        return f"no records in s3://{row['bucket']}"
    linked = ", each linked to the one before" if row["records"] > 1 else ""
    return (
        f"{counted(row['records'], 'record')}{linked}; the newest is {row['newest']}\n"
        f"sha256 {row['sha256']}"
    )


def _decided(options: dict[str, Any], act: Callable[..., Outcome], name: str, reason: str) -> int:
    registry = registry_of(options, name)
    return _told(options, act(registry, name, reason=reason, dry_run=options["dry_run"]))


def _told(options: dict[str, Any], outcome: Outcome) -> int:
    """Tell what came of a decision, and give the exit code: a refusal is the input's fault."""
    for settled in outcome.settled:
        name = _name(outcome, settled.arn)
        console.say(f"completed first: {settled.action} of {name}, which was cut off")
    if outcome.tried:
        console.say(going_on(outcome.group, outcome.tried))
    report = _report(outcome)
    tell(options, [report], lambda: _text(report))
    return EXIT_INPUT if outcome.decision.phase == "refused" else EXIT_DONE


def going_on(group: str, admitted: Decision) -> str:
    """Say that an A/B of a group goes on, whatever is decided otherwise, and how it is ended."""
    from mims.governance.ab.lost import behind

    endpoint = admitted.reason.removeprefix("A/B behind ").partition(":")[0]
    known = admitted.reason.startswith(behind(endpoint))
    return (
        f"note: an A/B of {group}/{admitted.arn.rpartition('/')[2]} goes on"
        f"{f' behind endpoint {endpoint}' if known else ''}, begun by {admitted.actor} at "
        f"{admitted.at:%Y-%m-%d %H:%M} UTC: look at it, mims-registry ab status "
        f"{endpoint if known else 'ENDPOINT'}, and end it with ab stop"
    )


def _report(outcome: Outcome) -> dict[str, Any]:
    decision = outcome.decision
    return {
        "action": decision.action,
        "phase": decision.phase,
        "version": _name(outcome, decision.arn),
        "actor": decision.actor,
        "reason": decision.reason,
        "moves": [
            {"version": _name(outcome, step.arn), "from": step.stage_from, "to": step.stage_to}
            for step in decision.steps
        ],
        "verdicts": [verdict._asdict() for verdict in outcome.verdicts],
        "settled": [settled.action for settled in outcome.settled],
        "dry_run": outcome.dry_run,
    }


def _text(report: dict[str, Any]) -> str:
    from mims.governance.texts import table

    lines = []
    if report["verdicts"]:
        rows = [
            ("passed" if v["passed"] else "failed", v["gate"], v["found"], v["wanted"], v["reason"])
            for v in report["verdicts"]
        ]
        lines.append(table(("", "gate", "found", "wanted", ""), rows))
    if report["phase"] == "refused":
        failed = sum(not verdict["passed"] for verdict in report["verdicts"])
        return "\n".join([*lines, f"{report['version']} is refused: {failed} of its gates failed"])
    would = "would be: " if report["dry_run"] else ""
    moved = [move for move in report["moves"] if move["from"] != move["to"]]
    lines += [f"{would}{move['version']}: {move['from']} → {move['to']}" for move in moved]
    if not moved:
        lines.append(f"{would}{report['action']} of {report['version']} by {report['actor']}")
    return "\n".join(lines)


def _name(outcome: Outcome, arn: str) -> str:
    """Name a version as its group is written: ARNs have small letters."""
    return f"{outcome.group}/{arn.rpartition('/')[2]}"
