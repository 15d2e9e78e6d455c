"""Plots of a drift report: how a field was distributed in the baseline, and how it is now.

Goes in: a field of numbers, twice; or a metric over time. Comes out: shares a bar, and their plot.
There are no names in it, only numbers: names are the page's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import MaxNLocator

from mims.governance import plots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup
    from numpy.typing import NDArray

    from mims.governance.drift.series import Series
    from mims.governance.profiles.profile import Field

BINS = 24
_FEW = 16  # cells: so many are bars of their own
_TAIL = 0.01  # of the baseline, beyond either end of the axis where its tails are long
_FEWEST = 10  # records that a point rests on: one of fewer would say little, and set the axis
_ERRORS = 2  # standard errors either way: about 95 % of what chance does
_HIGHEST = 1e100  # beyond it, a drawing's own numbers overflow
_DAY = 86400  # seconds: axes of time are in days
_LONG = 0.5  # times the width between those, and a tail is long: a normal distribution's is not


class Bars(NamedTuple):
    """Shares of a field's numbers in the baseline and now; shape (bars,)."""

    baseline: NDArray[np.float64]
    current: NDArray[np.float64]
    edges: NDArray[np.float64]
    """of the bars in the field's own units; empty where each bar has a label instead"""
    labels: tuple[str, ...]
    below: Sequence[float]
    """shares beyond the lowest edge, in the baseline and now"""
    above: Sequence[float]


def bars(baseline: Field, current: Field) -> Bars:
    """Shares a bar, from the grid on which both were counted.

    Where it has few cells, each is a bar. Else bars are of equal width over the baseline's range,
    without long tails; inside a cell of the grid, numbers are taken to lie evenly.
    """
    edges = np.asarray(baseline.edges, np.float64)
    counted = [np.asarray(field.counts, np.float64) for field in (baseline, current)]
    before, now = (counts / max(counts.sum(), 1.0) for counts in counted)
    if len(edges) > _FEW and not _can_be_drawn(edges):
        every = -(-len(edges) // _FEW)  # cells of the grid in a bar
        before, now = (np.add.reduceat(one, range(0, len(one), every)) for one in (before, now))
        edges = edges[every - 1 : every * (len(before) - 1) : every]
    if len(edges) <= _FEW:
        labels = _labels(edges)
        # Beyond what the baseline has ever seen there is mostly nothing.
        kept = [at for at in range(len(labels)) if 0 < at < len(labels) - 1 or before[at] + now[at]]
        named = tuple(labels[at] for at in kept)
        return Bars(before[kept], now[kept], np.empty(0), named, (0.0, 0.0), (0.0, 0.0))
    rises = [np.cumsum(shares)[:-1] for shares in (before, now)]
    grid = _grid(edges, rises[0])
    reached = [np.interp(grid, edges, rise) for rise in rises]
    below = tuple(float(one[0]) for one in reached)
    above = tuple(
        float(shares.sum() - one[-1]) for shares, one in zip((before, now), reached, strict=True)
    )
    return Bars(np.diff(reached[0]), np.diff(reached[1]), grid, (), below, above)


def _can_be_drawn(edges: NDArray[np.float64]) -> bool:
    """Whether a drawing can have these numbers on its axis."""
    half = edges[-1] / 2 - edges[0] / 2  # the whole could overflow
    return bool(1e-9 * np.abs(edges).max() < half < 1e100 and half > 1e-100)


def _grid(edges: NDArray[np.float64], rise: NDArray[np.float64]) -> NDArray[np.float64]:
    """The bars' edges: over the baseline's range, less tails that would squeeze the rest."""
    low, high = edges[0], edges[-1]
    at = np.minimum(np.searchsorted(rise, (_TAIL, 1 - _TAIL)), len(edges) - 1)
    inner_low, inner_high = edges[at]
    long = _LONG * (inner_high - inner_low)
    if inner_low - low > long:
        low = inner_low
    if high - inner_high > long:
        high = inner_high
    if np.array_equal(edges[1:], np.round(edges[1:])):
        # Of whole numbers each bar is to hold as many: others would look like a comb.
        width = max(1.0, np.ceil((high - low) / BINS))
        count = int(np.ceil((high - np.floor(low)) / width))
        return np.asarray(high - width * np.arange(count, -1, -1), np.float64)
    return np.linspace(low, high, BINS + 1)


def _labels(edges: NDArray[np.float64]) -> tuple[str, ...]:
    """What each cell holds: counts and codes by themselves, else ranges.

    The first edge is just below the baseline's lowest number.
    """
    if not len(edges):
        return ("all",)
    starts, ends = edges[:-1], edges[1:]
    if np.array_equal(ends, np.round(ends)):
        starts = np.floor(starts) + 1  # whole numbers: the next one
    pairs = [(f"{low:.4g}", f"{high:.4g}") for low, high in zip(starts, ends, strict=True)]
    between = [low if low == high else f"{low} to {high}" for low, high in pairs]
    lowest = pairs[0][0] if pairs else f"{edges[0]:.4g}"
    return (f"< {lowest}", *between, f"> {edges[-1]:.4g}")


def shares(baseline: Field, current: Field) -> list[tuple[str, float, float]]:
    """Categories and their shares before and now, by the larger; one is all that is new."""
    counts = [
        (name, count, current.categories.get(name, 0))
        for name, count in baseline.categories.items()
    ]
    if baseline.others or current.others:
        counts.append(("(not in the baseline)", baseline.others, current.others))
    totals = [max(1, sum(row[1] for row in counts)), max(1, sum(row[2] for row in counts))]
    made = [(name, was / totals[0], now / totals[1]) for name, was, now in counts]
    return sorted(made, key=lambda row: -max(row[1:]))


def histogram(shown: Bars, *, small: bool = False, salt: str = "") -> Markup:
    """Draw shares for a page. `salt` keeps what two plots of a page refer to apart."""
    with plots.house():
        made, axes = plots.figure(*((2.6, 1.15) if small else (4.0, 1.9)))
        draw(axes, shown, small=small)
    return plots.svg(made, salt=salt)


def draw(axes: Any, shown: Bars, *, small: bool = False) -> None:
    """Draw shares: the baseline as a filled shape, what is seen now as a line over it."""
    places = _draw_spanned(axes, shown) if len(shown.edges) else _draw_labelled(axes, shown)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(2 if small else 4))
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:g} %")
    axes.margins(x=0.01)
    if small and shown.labels:
        _thin(axes, *places)


def _draw_labelled(axes: Any, shown: Bars) -> tuple[Sequence[float], Sequence[str]]:
    at = np.arange(len(shown.labels))
    axes.bar(at, shown.baseline, 0.86, color=plots.BASE, linewidth=0)
    axes.bar(at, shown.current, 0.86, fill=False, edgecolor=plots.MARK, linewidth=1.6)
    crowded = sum(map(len, shown.labels)) > 44
    axes.set_xticks(
        at, shown.labels, rotation=35 if crowded else 0, ha="right" if crowded else "center"
    )
    return [*at], shown.labels


def _draw_spanned(axes: Any, shown: Bars) -> tuple[Sequence[float], Sequence[str]]:
    """Draw bars of equal width, and apart from them what lies beyond the ends."""
    width = shown.edges[1] - shown.edges[0]
    axes.stairs(shown.baseline, shown.edges, fill=True, color=plots.BASE, linewidth=0)
    axes.stairs(shown.current, shown.edges, color=plots.MARK, linewidth=1.6)
    for (before, now), at in (
        (shown.below, shown.edges[0] - 1.6 * width),
        (shown.above, shown.edges[-1] + 1.6 * width),
    ):
        if max(before, now) >= _TAIL:
            axes.bar(at, before, 1.6 * width, color=plots.BASE, linewidth=0)
            axes.bar(at, now, 1.6 * width, fill=False, edgecolor=plots.MARK, linewidth=1.6)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    return [], []


def _thin(axes: Any, at: Sequence[float], labels: Sequence[str]) -> None:
    """Keep so many labels that none runs into the next."""
    step = max(1, -(-sum(len(label) + 2 for label in labels) // 36))
    axes.set_xticks(at[::step], labels[::step], rotation=0, ha="center")


def course(one: Series, salt: str = "") -> Markup | None:
    """Draw a metric over time for a page; None where there are no two points to draw.

    Each point is as wide as its bin, in a band of two standard errors; where there are no labels
    there is nothing. A dashed line is the baseline.
    """
    drawn = [point for point in one.points if point.base >= _FEWEST]
    if len(drawn) < 2:
        return None
    starts = np.array([point.start.timestamp() for point in drawn])
    at = np.round((starts - starts[0]) / one.seconds).astype(int)
    values, errors = np.full((2, at[-1] + 1), np.nan)
    values[at] = [point.value for point in drawn]
    errors[at] = [_ERRORS * point.error for point in drawn]
    edges = (starts[0] + one.seconds * np.arange(len(values) + 1)) / _DAY
    with np.errstate(over="ignore"):  # what is infinite is too high to be drawn
        low, high = values - errors, values + errors
    if one.whole.base is not None:  # a share
        low, high = np.maximum(low, 0), np.minimum(high, 1)
    ends = [np.nanmin([low, values]), np.nanmax([high, values])]
    ends += [] if one.baseline is None else [one.baseline]
    if max(map(abs, ends)) > _HIGHEST:
        return None
    with plots.house():
        made, axes = plots.figure(4.0, 1.9)
        axes.stairs(high, edges, baseline=low, fill=True, color=plots.MARK, alpha=0.2, linewidth=0)
        axes.stairs(values, edges, baseline=None, color=plots.MARK, linewidth=1.6)
        if one.baseline is not None:
            axes.axhline(one.baseline, color=plots.INK, linewidth=1.2, linestyle=(0, (4, 3)))
        room = max(0.06 * (max(ends) - min(ends)), 1e-3 * max(map(abs, ends)), 1e-100)
        axes.set_ylim(min(ends) - room, max(ends) + room)
        axes.set_xlim(edges[0], edges[-1])
        axes.yaxis.set_major_locator(MaxNLocator(4))
        # Of 3 at least there are spans, such as 160 minutes, of which it can't make 6 at most.
        dates = AutoDateLocator(minticks=2, maxticks=6)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(dates)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(dates))  # type: ignore[no-untyped-call]
    return plots.svg(made, salt=salt)
