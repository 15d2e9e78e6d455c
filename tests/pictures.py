"""Pictures for the README: what a page draws, as SVG files that stand alone.

Goes in: a drift report, a look at an A/B. Comes out: SVG on white, of type that is everywhere, 800
pixels wide. The same input makes the same bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from matplotlib.patches import Patch

from mims.governance import plots
from mims.governance.ab.design import CORRECT
from mims.governance.ab.plots import difference
from mims.governance.drift.plots import bars, draw, shares
from mims.governance.profiles.profile import CATEGORY, NUMBER
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from mims.governance.ab.watching import Look
    from mims.governance.drift.check import Finding, Report
    from mims.governance.profiles.profile import Field

_WIDE = 8.0  # inches
_HIGH = 1.75  # of a row of fields
_COLUMNS = 3
_FIELDS = 9
_ROWS = 4  # categories
_NAME = 34  # characters
_DARK = "#1b2430"


def drift_svg(report: Report) -> str:
    """Draw the fields that drifted, the farthest first: the baseline, and what was seen."""
    fields = [*_drifted(report)][:_FIELDS]
    rows = max(1, -(-len(fields) // _COLUMNS))
    with plots.house():
        made, every = plots.figure(_WIDE, 0.5 + _HIGH * rows, rows, _COLUMNS)
        for axes in every.flat[len(fields) :]:
            axes.remove()
        for axes, (finding, before, now) in zip(every.flat, fields, strict=False):
            _titled(axes, finding)
            if before.kind == NUMBER:
                draw(axes, bars(before, now), small=True)
            else:
                _draw_categories(axes, before, now)
        keys = [
            Patch(facecolor=plots.BASE, label="baseline"),
            Patch(fill=False, edgecolor=plots.MARK, linewidth=1.6, label="seen now"),
        ]
        _with_legend(made, keys)
    names = ", ".join(finding.name for finding, *_ in fields)
    return _alone(made, f"How {names or 'nothing'} drifted: the baseline, and what was seen")


def ab_svg(seen: Look) -> str:
    """Draw the difference of the mean scores with its interval, over records."""
    made = difference(seen)
    assert made is not None, "nothing has labels yet"
    (axes,) = made.axes
    says = f"Mean score of {seen.challenger.name} less that of {seen.champion.name}"
    with plots.house():
        axes.set_title(printable(says), color=_DARK, weight="bold")
        _at_the_end(axes, seen)
        made.set_size_inches(_WIDE, 3.4)
        _with_legend(made, axes.get_legend_handles_labels()[0][::-1])
    return _alone(made, f"{says}, with its interval, over records")


def _drifted(report: Report) -> Iterator[tuple[Finding, Field, Field]]:
    """Fields that can be drawn, by how far beyond its limit their distribution is."""
    assert report.before is not None
    assert report.now is not None
    sides = {
        "input": (report.before.inputs, report.now.inputs),
        "output": (report.before.outputs, report.now.outputs),
    }
    drifted = {(one.side, one.name) for one in report.findings if one.drifted}
    for finding in sorted(report.findings, key=lambda one: -one.effect):
        if finding.test == "distribution" and (finding.side, finding.name) in drifted:
            before, now = (fields[finding.name] for fields in sides[finding.side])
            if before.kind == CATEGORY or (before.numbers and now.numbers):
                yield finding, before, now


def _titled(axes: Any, finding: Finding) -> None:
    axes.set_title(_cut(finding.name), color=_DARK, weight="bold")
    axes.set_title(f"PSI {finding.effect:.2f}", loc="right", color=plots.MARK)


def _draw_categories(axes: Any, before: Field, now: Field) -> None:
    """Draw shares along the axis, the names over them."""
    rows = shares(before, now)[:_ROWS]
    places = range(len(rows))
    axes.barh(places, [row[1] for row in rows], 0.36, color=plots.BASE)
    seen = [row[2] for row in rows]
    axes.barh(places, seen, 0.36, fill=False, edgecolor=plots.MARK, linewidth=1.6)
    for at, (name, *_) in enumerate(rows):
        axes.text(0, at - 0.26, _cut(name), va="bottom", fontsize=8)
    axes.set_ylim(_ROWS - 0.6, -0.75)
    axes.set_yticks([])
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    axes.grid(visible=False)


def _at_the_end(axes: Any, seen: Look) -> None:
    """Write the difference beside its line, where the line ends."""
    last = float(seen.verdict.course.difference[-1])
    told = f"{100 * last:+.1f} points" if seen.design.score == CORRECT else f"{last:+.3g}"
    where = {"ha": "right", "textcoords": "offset points", "xytext": (-2, 5)}
    at = (float(seen.verdict.course.records[-1]), last)
    axes.annotate(told.replace("-", "\N{MINUS SIGN}"), at, color=plots.BAR, weight="bold", **where)


def _cut(name: str) -> str:
    text = printable(name)
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"


def _with_legend(made: Figure, keys: list[Any]) -> None:
    made.set_layout_engine("constrained", w_pad=0.12, h_pad=0.1, wspace=0.04, hspace=0.04)
    made.legend(handles=keys, loc="outside lower left", ncols=len(keys))


def _alone(made: Figure, says: str) -> str:
    """Give a figure what a page would give it: a size, a type, paper."""
    width, height = (round(72 * inches) for inches in made.get_size_inches())
    told = printable(says).replace("&", "&amp;").replace("<", "&lt;")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="{800 * height // width}" '
        f'viewBox="0 0 {width} {height}" stroke-linejoin="round" '
        f'font-family="system-ui, Helvetica, Arial, sans-serif" role="img">\n'
        f'<title>{told}</title>\n<rect width="100%" height="100%" fill="#fff"/>'
    )
    return re.sub(r"<svg [^>]*>", lambda _: head, plots.drawn(made), count=1) + "\n"
