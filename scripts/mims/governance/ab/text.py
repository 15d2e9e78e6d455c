"""What the commands of A/B tell: plain data for programs, and the same as text for people.

Goes in: what came of a start, a look, an end. Comes out: data, and text of it. Asks nobody but for
the names of versions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mims.governance.texts import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.governance.ab.experiment import Ended, Started
    from mims.governance.moves import Outcome
    from mims.governance.registry import Registry

_NONE = "\N{EN DASH}"


def started(registry: Registry, made: Started) -> dict[str, Any]:
    """What came of a start."""
    design = made.design
    return {
        "endpoint": design.endpoint,
        "champion": registry.version(design.champion).name,
        "challenger": registry.version(design.challenger).name,
        "done": made.done,
        "needed": made.needed,
        "verdicts": [one._asdict() for one in made.admitted.verdicts] if made.admitted else [],
        "design": design.report(),
        "dry_run": made.dry_run,
    }


def start(report: Mapping[str, Any]) -> str:
    """Tell of a start."""
    lines = [_verdicts(report)] if report["verdicts"] else []
    challenger, design = report["challenger"], report["design"]
    if report["done"] == "refused":
        failed = sum(not one["passed"] for one in report["verdicts"])
        return "\n".join([*lines, f"{challenger} is refused: {failed} of its gates failed"])
    would = "would be: " if report["dry_run"] else ""
    gets = f"copies of {design['traffic']:.4g}" if design["shadow"] else f"{design['traffic']:.4g}"
    already = ", as it does already" if report["done"] == "unchanged" else ""
    lines.append(
        f"{would}endpoint {report['endpoint']} serves {report['champion']}, and {challenger} gets "
        f"{gets} of the traffic{already}"
    )
    smallest, most = design["smallest"], design["most"]
    if report["done"] == "unchanged":
        lines.append(f"it ends at {most:,} records at the latest")
    elif report["needed"]:
        lines.append(
            f"a difference of {smallest:g} is found 8 times in 10 within {report['needed']:,} "
            f"labelled records of both; it ends at {most:,} at the latest"
        )
    else:
        lines.append(
            f"how many records a difference of {smallest:g} takes is not known before, as it "
            f"depends on how much the score varies; it ends at {most:,} at the latest"
        )
    return "\n".join(lines)


def look(report: Mapping[str, Any]) -> str:
    """Tell how an A/B stands."""
    design = report["design"]
    head = (
        f"{report['endpoint']}: {report['state']}: {report['advice']}\n"
        f"since {design['started']}; score: {design['score']}, smallest difference "
        f"{design['smallest']:g}, alpha {design['alpha']:g}"
    )
    rows = []
    for role in ("champion", "challenger"):
        arm = report[role]
        latency = arm["latency_ms"]
        share = f"{arm['share']:.4g}" if role == "champion" or not design["shadow"] else "shadow"
        took = _NONE if latency is None else f"{latency:.4g} ms"
        counts = [f"{arm[name]:,}" for name in ("captured", "scored", "requests", "failed")]
        rows.append((role, arm["version"], arm["stage"], share, *counts, took))
    heads = ("", "version", "stage", "traffic", "captured", "labelled", "requests", "failed", "p95")
    return "\n".join([head, table(heads, rows), *(f"  {one}" for one in report["reasons"])])


def ended(made: Ended) -> dict[str, Any]:
    """What came of an end."""
    outcome = made.outcome
    return {
        "endpoint": made.endpoint,
        "done": made.done,
        "said": made.said,
        "version": _name(outcome, outcome.decision.arn) if outcome else None,
        "moves": _moves(outcome) if outcome else [],
        "verdicts": [one._asdict() for one in outcome.verdicts] if outcome else [],
        "dry_run": made.dry_run,
    }


def end(report: Mapping[str, Any]) -> str:
    """Tell of an end."""
    would = "would be: " if report["dry_run"] else ""
    lines = [_verdicts(report)] if report["verdicts"] else []
    lines.append(f"{would}{report['done']}: {report['said']}")
    if report["done"] != "refused":
        lines += [f"{would}{m['version']}: {m['from']} → {m['to']}" for m in report["moves"]]
    return "\n".join(lines)


def _verdicts(report: Mapping[str, Any]) -> str:
    rows = [
        ("passed" if v["passed"] else "failed", v["gate"], v["found"], v["wanted"], v["reason"])
        for v in report["verdicts"]
    ]
    return table(("", "gate", "found", "wanted", ""), rows)


def _moves(outcome: Outcome) -> list[dict[str, str]]:
    """Stages that change; of those that stay, the approval."""
    return [
        {
            "version": _name(outcome, step.arn),
            "from": step.stage_from if step.stage_from != step.stage_to else step.approval_from,
            "to": step.stage_to if step.stage_from != step.stage_to else step.approval_to,
        }
        for step in outcome.decision.steps
    ]


def _name(outcome: Outcome, arn: str) -> str:
    return f"{outcome.group}/{arn.rpartition('/')[2]}"
