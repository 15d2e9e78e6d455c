"""How good a model was over time: each metric in bins of time, with its standard error.

Goes in: when the answers that have a label were given, and what measures some of them. Comes out:
of each metric at most 48 points, however many records there are and however long it took. Bins are
of equal width, one that clocks and calendars have, and begin where these begin, in UTC; it is the
narrowest of which 48 are enough, and that leaves 30 records to each on average. So the same records
make the same bins, in whatever order they came. Reads nothing and keeps nothing.

A clock that goes wrong does not squeeze all else into one bin: what can't be the time of an answer,
or is far from all others, is left out.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import chain, count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from mims.governance.drift.quality import Measure

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]
    Measuring = Callable[[Places], Mapping[str, Measure]]

MOST = 48  # bins
_FEWEST = 30  # records that a point rests on, on average: of fewer its error is not normal
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WIDTHS = (
    *(1, 2, 5, 10, 15, 30),
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 28)),
)
_MONDAY = 4 * _DAY  # a beginning of weeks and of all that is shorter, in seconds since 1970
_FIRST = datetime(2019, 12, 1, tzinfo=UTC).timestamp()  # Data Capture is no older
_SKEW = 300  # seconds: clocks of machines differ by less
_STRAYS = 0.05  # of the records, and fewer than _FEWEST, may be far from all others


class Point(NamedTuple):
    """What a metric was, of the answers of a bin."""

    start: datetime
    records: int
    """labelled ones in the bin"""
    value: float
    error: float
    """standard error; where records that are all right or all wrong tell none, what it would be
    were the value that of all records"""
    base: float
    """records that the metric rests on: of recall, the positives"""


class Series(NamedTuple):
    """A metric over time."""

    name: str
    baseline: float | None
    whole: Measure
    """of all labelled records"""
    seconds: int
    """width of a bin"""
    points: tuple[Point, ...]
    """in order of time; a bin without labelled records has none"""

    def to_json(self) -> dict[str, Any]:
        """Give the series for programs, its times in UTC."""
        return {
            "name": self.name,
            "baseline": self.baseline,
            "value": self.whole.value,
            "error": self.whole.error,
            "seconds": self.seconds,
            "points": [
                {
                    "start": f"{point.start:%Y-%m-%dT%H:%M:%SZ}",
                    "records": point.records,
                    "value": point.value,
                    "error": point.error,
                }
                for point in self.points
            ],
        }


def placed(times: Floats, now: float) -> Places:
    """Give the places of the times that can be right, in order of time.

    Seconds since 1970, NaN where unknown.
    """
    known = np.flatnonzero((times >= _FIRST) & (times <= now + _SKEW))
    known = known[np.argsort(times[known], kind="stable")]
    return known[_together(times[known])]


def _together(times: Floats) -> slice:
    """All but a few at either end that are farther off than all others are apart."""
    low, high = 0, len(times)
    few = min(_FEWEST - 1, int(_STRAYS * len(times)))
    for _ in range(2):  # strays at one end make those at the other seem near
        for at in range(low + 1, few + 1):
            if times[at] - times[at - 1] > max(times[high - 1] - times[at], _HOUR):
                low = at
        for at in range(high - 1, len(times) - few - 1, -1):
            if times[at] - times[at - 1] > max(times[at - 1] - times[low], _HOUR):
                high = at
    return slice(low, high)


def series(
    times: Floats,
    places: Places,
    measuring: Measuring,
    measures: Mapping[str, Measure],
    baseline: Mapping[str, float],
) -> tuple[Series, ...]:
    """Measure over time: metrics that have a baseline first.

    `places` are of `times` in order; `measuring` measures the records of such places, and
    `measures` are those of all records.
    """
    made = []
    binned: dict[int, list[tuple[float, int, Mapping[str, Measure]]]] = {}
    for name in sorted(measures, key=lambda name: name not in baseline):
        whole = measures[name]
        if not len(places) or not _is_finite(whole):
            continue
        base = min(_base(whole, len(places)), len(places))
        seconds = width(float(times[places[0]]), float(times[places[-1]]), int(base) // _FEWEST)
        if seconds not in binned:  # metrics that rest on fewer records have wider bins
            binned[seconds] = [*_binned(times, places, seconds, measuring)]
        points = tuple(
            _point(start, records, found[name], whole)
            for start, records, found in binned[seconds]
            if name in found and _is_finite(found[name])
        )
        made.append(Series(name, baseline.get(name), whole, seconds, points))
    return tuple(made)


def _is_finite(one: Measure) -> bool:
    return math.isfinite(one.value) and math.isfinite(one.error)


def _base(one: Measure, records: int) -> float:
    return records if one.base is None else one.base


def width(first: float, last: float, most: int) -> int:
    """Give the narrowest width of which so many bins are enough, in seconds; 2 to 48 may be."""
    most = min(max(most, 2), MOST)
    longer: Iterator[int] = (_WIDTHS[-1] << n for n in count(1))
    return next(
        seconds
        for seconds in chain(_WIDTHS, longer)
        if _number(last, seconds) - _number(first, seconds) < most
    )


def _number(at: float, seconds: int) -> float:
    """The number of the bin that holds a time, or of each of times."""
    return (at - _MONDAY) // seconds


def _binned(
    times: Floats, places: Places, seconds: int, measuring: Measuring
) -> Iterator[tuple[float, int, Mapping[str, Measure]]]:
    """Yield where a bin begins, how many records it has, and what is measured of them."""
    numbers = (times[places] - _MONDAY) // seconds
    found, firsts = np.unique(numbers, return_index=True)
    for number, inside in zip(found.tolist(), np.split(places, firsts[1:]), strict=True):
        yield number * seconds + _MONDAY, len(inside), measuring(inside)


def _point(start: float, records: int, one: Measure, whole: Measure) -> Point:
    error = one.error or one.error_if(whole.value)
    return Point(datetime.fromtimestamp(start, UTC), records, one.value, error, _base(one, records))
