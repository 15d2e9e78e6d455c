"""A drift report as text: what drifted first, then how much is quiet, then what is to be known.

Goes in: a report. Comes out: lines for a terminal or a pipe. Names and values come from outside:
they can hide or colour nothing. Asks nobody for anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mims.governance.drift.check import DRIFT, NONE
from mims.governance.texts import table
from mims.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mims.governance.drift.check import Finding, Report

_COLUMNS = ("", "name", "test", "effect", "limit", "p", "")
_VERDICTS = {DRIFT: "drift", NONE: "no drift"}


def text(report: Report) -> str:
    """Write the report."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    drifted = [one for one in report.findings if one.drifted]
    yield _head(report)
    if report.baseline:
        yield printable(f"baseline: {report.baseline}")
    if drifted:
        yield table(_COLUMNS, map(_row, drifted))
    if report.findings:
        yield _quiet(report, drifted)
    for reason in report.undecided:
        yield printable(f"not decided: {reason}")
    for note in report.notes:
        yield printable(f"note: {note}")


def _head(report: Report) -> str:
    said = _VERDICTS.get(report.verdict, report.verdict)
    of = f" of {counted(report.records, 'record')}" if report.records else ""
    subject = f"{report.subject}: " if report.subject else ""
    return printable(f"{subject}{said}{of}")


def _row(one: Finding) -> tuple[str, ...]:
    unit = "{:.3g} %" if one.side in ("metric", "performance") else "{:.3g}"
    p = "" if one.p is None else "< 0.0001" if one.p < 1e-4 else f"{one.p:.2g}"
    return (
        one.side,
        one.name,
        one.test,
        unit.format(one.effect),
        unit.format(one.limit),
        p,
        one.said,
    )


def _quiet(report: Report, drifted: list[Finding]) -> str:
    moved = {(one.side, one.name) for one in drifted}
    quiet = {(one.side, one.name) for one in report.findings} - moved
    metrics = sum(side in ("metric", "performance") for side, _ in quiet)
    parts = [
        counted(count, what)
        for count, what in ((len(quiet) - metrics, "field"), (metrics, "metric"))
        if count
    ]
    tests = counted(len(report.findings), "test")
    return f"quiet: {' and '.join(parts) or 'nothing'}, by {tests} at alpha {report.limits.alpha:g}"
