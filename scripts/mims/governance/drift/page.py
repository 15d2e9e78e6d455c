"""A drift report as a page for people: one HTML file with its plots, and nothing to fetch.

Goes in: a report. Comes out: HTML that stands alone: no script, no font, no image from elsewhere;
for screens and paper, light and dark. The verdict comes first, in words; then what moved, each with
a plot of the baseline and of what was seen; then how good the model was over time, where labels
tell; then what did not move, small. Names of fields and
categories come from outside: markup in them stays visible, and the longest are cut. The same report
makes the same bytes: no clock is read. Judges nothing: the check did.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, NamedTuple

from mims.governance.drift.check import DRIFT, NONE, UNDECIDED
from mims.governance.drift.plots import bars, course, histogram, shares
from mims.governance.pages.template import template
from mims.governance.profiles.profile import CATEGORY, NUMBER
from mims.text import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jinja2 import Template
    from markupsafe import Markup

    from mims.governance.drift.check import Finding, Report
    from mims.governance.drift.plots import Bars
    from mims.governance.drift.series import Series
from mims.governance.profiles.profile import Field

_MINUS = "\N{MINUS SIGN}"
_MOVED = 40  # fields that get a plot because they moved
_QUIET = 48  # and because they did not
_ROWS = 10  # categories that are shown
_FEW_ROWS = 4  # of a field that did not move
_FINDINGS = 400  # rows of the table
_NAME = 80  # characters of a name
_SAID = 600  # characters of a sentence
_TOLD = 5  # names in the verdict
_SIDES = {"input": "input", "output": "answer", "metric": "metric", "performance": "performance"}


class Row(NamedTuple):
    """A category, and its shares; widths in per cent of the bar's."""

    name: str
    before: str
    now: str
    width_before: float
    width_now: float


class Shown(NamedTuple):
    """A field, as it was and as it is."""

    side: str
    name: str
    said: list[str]
    """of what drifted"""
    plot: Markup | None
    rows: list[Row]
    left: int
    """categories that are not among the rows"""
    facts: list[tuple[str, str, str]]
    """what, in the baseline, now"""
    text: str
    """the plot in words"""


class Course(NamedTuple):
    """A metric over time."""

    name: str
    plot: Markup
    said: str
    """the plot in words"""


def page(report: Report) -> str:
    """Write the page."""
    fields = [*_fields(report)]
    by_field: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        by_field.setdefault((finding.side, finding.name), []).append(finding)
    moved = [one for one in fields if _drifted(by_field.get(one[:2], ()))]
    moved.sort(key=lambda one: -_farthest(by_field[one[:2]]))
    quiet = [one for one in fields if not _drifted(by_field.get(one[:2], ()))]
    others = [f for f in report.findings if f.drifted and f.side in ("metric", "performance")]
    findings = sorted(report.findings, key=lambda one: not one.drifted)
    return _template().render(
        report=report,
        headline=_headline(report),
        tone={DRIFT: "bad", NONE: "good"}.get(report.verdict, "warn"),
        moved=[_shown(*one, by_field.get(one[:2], ())) for one in moved[:_MOVED]],
        moved_left=len(moved[_MOVED:]),
        others=others,
        courses=[*_courses(report.series)],
        compared=any(one.baseline is not None for one in report.series),
        quiet=[_shown(*one, by_field.get(one[:2], ()), small=True) for one in quiet[:_QUIET]],
        quiet_left=len(quiet[_QUIET:]),
        findings=findings[:_FINDINGS],
        findings_left=len(findings[_FINDINGS:]),
        side=_SIDES,
    )


@functools.cache
def _template() -> Template:
    return template(
        "drift/drift.html.j2", name=_name, said=_said, number=_number, p=_p, count=_count
    )


def _headline(report: Report) -> str:
    """The verdict in words, what moved farthest first."""
    if report.verdict == UNDECIDED:
        return "Undecided"
    if report.verdict == NONE:
        return "No drift"
    drifted = sorted((one for one in report.findings if one.drifted), key=lambda one: -_far(one))
    names = [*dict.fromkeys(_name(one.name) for one in drifted)]
    more = len(names) - _TOLD
    told = ", ".join(names[:_TOLD]) + (f" and {more} more" if more > 0 else "")
    return f"Drift: {told}"


def _fields(report: Report) -> Iterator[tuple[str, str, Field, Field]]:
    """Each field of the baseline, and as it is now."""
    before, now = report.before, report.now
    if before is None or now is None:
        return
    for side, fields, seen in (
        ("input", before.inputs, now.inputs),
        ("output", before.outputs, now.outputs),
    ):
        for name, field in fields.items():
            yield side, name, field, seen[name]


def _drifted(findings: Sequence[Finding]) -> bool:
    return any(finding.drifted for finding in findings)


def _farthest(findings: Sequence[Finding]) -> float:
    return max((_far(one) for one in findings if one.drifted), default=0.0)


def _far(finding: Finding) -> float:
    """How far beyond its limit something went."""
    return finding.effect / finding.limit if finding.limit else finding.effect


def _shown(
    side: str,
    name: str,
    before: Field,
    now: Field,
    findings: Sequence[Finding],
    *,
    small: bool = False,
) -> Shown:
    said = [finding.said for finding in findings if finding.drifted]
    facts = [*_facts(before, now)]
    made = Shown(side, name, said, None, [], 0, facts, "")
    if before.kind == NUMBER and before.numbers and now.numbers:
        shown = bars(before, now)
        plot = histogram(shown, small=small, salt=f"{side} {name}")
        return made._replace(plot=plot, text=_in_words(before, now, shown))
    if before.kind == CATEGORY:
        rows, most = _rows(before, now), _FEW_ROWS if small else _ROWS
        return made._replace(rows=rows[:most], left=len(rows[most:]))
    return made


def _courses(series: Sequence[Series]) -> Iterator[Course]:
    """Yield plots over time: of the metrics with a baseline, else of all."""
    compared = [one for one in series if one.baseline is not None]
    for one in compared or series:
        plot = course(one, salt=f"over time {one.name}")
        if plot:
            said = "" if one.baseline is None else f"{_number(one.baseline)} in the baseline, "
            said += f"{_number(one.whole.value)} ± {one.whole.error:.2g} of all that has a label"
            yield Course(one.name, plot, said)


def _in_words(before: Field, now: Field, shown: Bars) -> str:
    told = f"mean {_number(before.mean)} in the baseline, {_number(now.mean)} now"
    outside = shown.below[1] + shown.above[1]
    return f"{told}; {_percent(outside)} lie outside of what is drawn" if outside > 0.01 else told


def _rows(before: Field, now: Field) -> list[Row]:
    """Categories by their larger share, which is as wide as there is room."""
    found = shares(before, now)
    full = max((max(row[1:]) for row in found), default=0.0) or 1.0
    widths = [[round(100 * share / full, 2) for share in row[1:]] for row in found]
    return [
        Row(name, _percent(was), _percent(now_), *width)
        for (name, was, now_), width in zip(found, widths, strict=True)
    ]


def _facts(before: Field, now: Field) -> Iterator[tuple[str, str, str]]:
    """Yield what, in the baseline, now."""
    if before.mean is not None:
        yield "Mean", _number(before.mean), _number(now.mean)
    for what, counted in (("Missing", "missing"), ("No number", "invalid")):
        parts = [getattr(one, counted) / max(one.records, 1) for one in (before, now)]
        if any(parts):
            yield what, _percent(parts[0]), _percent(parts[1])


def _name(value: str) -> str:
    """A name that fits."""
    text = printable_lines(value).replace("\n", "\\n")
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"


def _said(value: str) -> str:
    text = printable_lines(value)
    return text if len(text) <= _SAID else f"{text[: _SAID - 1]}…"


def _number(value: float | None) -> str:
    """Three significant digits."""
    if value is None or math.isnan(value):
        return "none"
    if math.isinf(value):
        return f"{_MINUS if value < 0 else ''}∞"
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"
    return text.replace("-", _MINUS)


def _count(value: int) -> str:
    return f"{value:,}"


def _percent(share: float) -> str:
    """A share; what is there is not 0."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.9995 or share == 1 else "> 99.9 %"


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2g}" if value >= 1e-4 else "< 0.0001"
