"""Plots of how an A/B went: the difference with its interval, and the p-value, over records.

Goes in: a look. Comes out: a figure in the house's style, or None before there is anything to draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from mims.governance import plots
from mims.governance.ab.design import CORRECT

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mims.governance.ab.watching import Look

_WIDE, _HIGH, _LOW = 8.0, 3.0, 2.0  # inches
_ROOM = 1.15  # of an axis beyond what it shows
_EARLY = 0.05  # of the records, whose wide intervals are not to set the axis


def difference(seen: Look) -> Figure | None:
    """The difference with its interval, over records; None before there is one."""
    course, design = seen.verdict.course, seen.design
    known = np.isfinite(course.difference) & np.isfinite(course.low) & np.isfinite(course.high)
    if known.sum() < 2:
        return None
    records, middle, low, high = (
        np.asarray(values)[known]
        for values in (course.records, course.difference, course.low, course.high)
    )
    reach = _reach(records, low, high, design.smallest)
    if design.score == CORRECT:
        reach = min(reach, _ROOM)  # no share differs from another by more than 1
    with plots.house():
        made, axes = plots.figure(_WIDE, _HIGH)
        band = axes.axhspan(-design.smallest, design.smallest, color=plots.INK, alpha=0.14, lw=0)
        band.set_label(f"too small to be worth finding: ±{design.smallest:g}")
        axes.axhline(0, color=plots.INK, lw=0.9)
        interval = axes.fill_between(records, low, high, color=plots.BAR, alpha=0.22, lw=0)
        interval.set_label("its interval, right at any time")
        axes.plot(records, middle, color=plots.BAR, lw=1.8, label="difference")
        axes.set_ylim(-reach, reach)
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        if design.score == CORRECT:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=_decimals(reach)))
        _along(axes, int(course.records[-1]), shadow=design.shadow)
        return made


def _reach(records: NDArray[Any], low: NDArray[Any], high: NDArray[Any], smallest: float) -> float:
    """How far the axis goes: what came early is not to make the rest flat."""
    late = records >= _EARLY * records[-1]
    widest = max(float(np.quantile(np.abs(side[late]), 0.9)) for side in (low, high))
    return _ROOM * max(widest, 2 * smallest)


def _decimals(reach: float) -> int:
    return 0 if reach > 0.05 else 1 if reach > 0.005 else 2


def p_value(seen: Look) -> Figure | None:
    """The p-value over records, down a logarithmic axis, with the line that decides."""
    course, alpha = seen.verdict.course, seen.design.alpha
    if len(course.records) < 2:
        return None
    p = course.p
    with plots.house():
        made, axes = plots.figure(_WIDE, _LOW)
        axes.axhline(alpha, color=plots.MARK, lw=1.4, ls=(0, (4, 3)))
        axes.plot(course.records, p, color=plots.BAR, lw=1.8)
        axes.set_yscale("log")
        axes.set_ylim(min(float(p.min()), alpha) / 3, 1.6)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        _along(axes, int(course.records[-1]), shadow=seen.design.shadow)
        return made


def _along(axes: Any, last: int, *, shadow: bool) -> None:
    axes.set_xlim(0, max(last, 1))
    axes.set_xlabel("labelled pairs" if shadow else "labelled records of both variants")
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
