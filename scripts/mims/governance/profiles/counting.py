"""Counting records against a baseline, table by table.

Goes in: a baseline's `Profile`, and tables of records. Comes out: a `Profile` of what was counted,
with the baseline's edges and categories, so that the two can be compared. It needs no more memory
for more records, and in whatever portions and order they come, the profile is the same to the last
bit: counts are whole numbers, and sums are exact.

Numbers are counted by sorting them: numpy does that faster than it looks each up among 500 edges,
as the processor sorts several at a time. Two columns are counted at a time, without Python's lock.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mims.governance.profiles import columns
from mims.governance.profiles.profile import CATEGORY, NUMBER, Field, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

BLOCK = 1 << 16  # values that are sorted at a time: they fit the processor's cache
_MOST_EXTRA = 1000  # names of unknown columns that are kept
_LOWEST = 1100  # added to a binary exponent, so that none is negative


class Counter:
    """Counts tables of inputs and outputs against a baseline."""

    def __init__(self, baseline: Profile, *, threads: int | None = None) -> None:
        self._inputs = _Side(baseline.inputs)
        self._outputs = _Side(baseline.outputs)
        self._threads = threads or min(4, os.cpu_count() or 1)
        self.extra: dict[str, int] = {}
        """records of columns that the baseline has not, by name"""

    def add_inputs(self, table: pa.Table) -> None:
        """Count records of inputs; columns are known by name, and an absent one is missing."""
        self._add(self._inputs, table)

    def add_outputs(self, table: pa.Table) -> None:
        """Count records of outputs."""
        self._add(self._outputs, table)

    def _add(self, side: _Side, table: pa.Table) -> None:
        side.records += len(table)
        places = {name: place for place, name in enumerate(table.column_names)}
        for name, at in places.items():
            if name not in side.counts and (name in self.extra or len(self.extra) < _MOST_EXTRA):
                there = len(table) - table.column(at).null_count
                self.extra[name] = self.extra.get(name, 0) + there
        known = [(side.counts[name], at) for name, at in places.items() if name in side.counts]

        def count(one: tuple[_Count, int]) -> None:
            one[0].add(table.column(one[1]))

        if len(table) * len(known) < BLOCK or self._threads == 1:
            for one in known:
                count(one)
            return
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(count, known):
                pass

    def merge(self, other: Counter) -> None:
        """Add what another counter of the same baseline has counted."""
        for mine, theirs in ((self._inputs, other._inputs), (self._outputs, other._outputs)):
            mine.records += theirs.records
            for name, count in mine.counts.items():
                count.merge(theirs.counts[name])
        for name, records in other.extra.items():
            self.extra[name] = self.extra.get(name, 0) + records

    def profile(self) -> Profile:
        """What was counted until now."""
        return Profile(
            max(self._inputs.records, self._outputs.records),
            self._inputs.fields(),
            self._outputs.fields(),
        )


class _Side:
    """The counts of all inputs, or of all outputs."""

    def __init__(self, fields: Mapping[str, Field]) -> None:
        self.records = 0
        self.counts: dict[str, _Count] = {name: _count_of(one) for name, one in fields.items()}

    def fields(self) -> dict[str, Field]:
        return {name: count.field(self.records) for name, count in self.counts.items()}


class _Count(Protocol):
    """The count of a field."""

    def add(self, column: pa.ChunkedArray) -> None: ...
    def merge(self, other: Any) -> None: ...
    def field(self, records: int) -> Field: ...


def _count_of(baseline: Field) -> _Count:
    if baseline.kind == NUMBER:
        return _NumberCount(baseline)
    return _CategoryCount(baseline) if baseline.kind == CATEGORY else _TextCount(baseline)


class _NumberCount:
    def __init__(self, baseline: Field) -> None:
        self._name = baseline.name
        self._edges = np.array(baseline.edges, dtype=np.float64)
        self._center = baseline.mean or 0.0
        self._counts = np.zeros(len(baseline.edges) + 1, dtype=np.int64)
        self._invalid = self._infinite = 0
        self._low, self._high = math.inf, -math.inf
        self._sum, self._squares = ExactSum(), ExactSum()
        self._examples: list[str] = []

    def add(self, column: pa.ChunkedArray) -> None:
        found = columns.numbers(column)
        self._invalid += found.invalid
        self._examples = columns.first_of([*self._examples, *found.examples])
        for start in range(0, len(found.values), BLOCK):
            self._add_block(np.sort(found.values[start : start + BLOCK]))

    def _add_block(self, values: NDArray[np.float64]) -> None:
        """Count sorted numbers: NaN come last, the infinite on either end."""
        ends = np.searchsorted(values, (-np.inf, np.inf, np.inf, np.nan), side="left")
        first = int(np.searchsorted(values, -np.inf, side="right"))
        last, nan = int(ends[1]), int(ends[3])
        self._infinite += first + nan - last
        if first == last:
            return
        finite = values[first:last]
        bounds = np.searchsorted(finite, self._edges, side="right")
        self._counts += np.diff(bounds, prepend=0, append=len(finite))
        self._low = min(self._low, float(finite[0]))
        self._high = max(self._high, float(finite[-1]))
        self._sum.add(finite)
        with np.errstate(over="ignore"):
            self._squares.add((finite - self._center) ** 2)

    def merge(self, other: _NumberCount) -> None:
        self._counts += other._counts
        self._invalid += other._invalid
        self._infinite += other._infinite
        self._low, self._high = min(self._low, other._low), max(self._high, other._high)
        self._sum.merge(other._sum)
        self._squares.merge(other._squares)
        self._examples = columns.first_of([*self._examples, *other._examples])

    def field(self, records: int) -> Field:
        count = int(self._counts.sum())
        total, squares = self._sum.value, self._squares.value
        mean = deviation = None
        if count and total is not None:
            mean = float(total / count)
            if squares is not None:
                off = total / count - Fraction(self._center)
                deviation = math.sqrt(max(squares / count - off * off, Fraction(0)))
        return Field(
            name=self._name,
            kind=NUMBER,
            records=records,
            missing=records - count - self._invalid - self._infinite,
            invalid=self._invalid + self._infinite,
            infinite=self._infinite,
            edges=tuple(self._edges.tolist()),
            counts=tuple(self._counts.tolist()),
            low=self._low if count else None,
            high=self._high if count else None,
            mean=mean,
            deviation=deviation,
            examples=tuple(self._examples),
        )


class ExactSum:
    """A sum of float64 numbers without any rounding, so that their order does not matter.

    A number is m * 2**e with |m| < 2**53. The ms of each e are added first, in halves of 27 and 26
    bits, so that sums of 2**26 of them fit float64's own 53 bits; then all in one whole number.
    """

    def __init__(self) -> None:
        self._total = 0  # in units of 2**-(_LOWEST + 53)
        self._overflown = False

    def add(self, values: NDArray[np.float64]) -> None:
        """Add at most 2**26 numbers."""
        if not np.isfinite(values).all():
            self._overflown = True
            return
        halves, exponents = np.frexp(values)
        exponents += _LOWEST
        halves *= 2.0**27
        upper = np.trunc(halves)
        uppers = np.bincount(exponents, upper)
        lowers = np.bincount(exponents, (halves - upper) * 2.0**26)
        for place in np.flatnonzero((uppers != 0) | (lowers != 0)).tolist():
            self._total += ((int(uppers[place]) << 26) + int(lowers[place])) << place

    def merge(self, other: ExactSum) -> None:
        """Add another sum."""
        self._total += other._total
        self._overflown |= other._overflown

    @property
    def value(self) -> Fraction | None:
        """The sum; None if a number was infinite."""
        return None if self._overflown else Fraction(self._total, 1 << (_LOWEST + 53))


class _CategoryCount:
    def __init__(self, baseline: Field) -> None:
        self._name = baseline.name
        self._counts = dict.fromkeys(baseline.categories, 0)
        self._others = 0
        self._examples: list[str] = []

    def add(self, column: pa.ChunkedArray) -> None:
        found = columns.labels(column)
        self._others += found.invalid
        unknown = []
        for label, count in found.counts.items():
            if label in self._counts:
                self._counts[label] += count
            else:
                self._others += count
                unknown.append(label)
        self._examples = columns.first_of([*self._examples, *unknown])

    def merge(self, other: _CategoryCount) -> None:
        for label, count in other._counts.items():
            self._counts[label] += count
        self._others += other._others
        self._examples = columns.first_of([*self._examples, *other._examples])

    def field(self, records: int) -> Field:
        return Field(
            name=self._name,
            kind=CATEGORY,
            records=records,
            missing=records - sum(self._counts.values()) - self._others,
            categories=dict(self._counts),
            others=self._others,
            examples=tuple(self._examples),
        )


class _TextCount:
    def __init__(self, baseline: Field) -> None:
        self._name, self._kind = baseline.name, baseline.kind
        self._present = 0

    def add(self, column: pa.ChunkedArray) -> None:
        self._present += len(column) - columns.missing(column)

    def merge(self, other: _TextCount) -> None:
        self._present += other._present

    def field(self, records: int) -> Field:
        return Field(self._name, self._kind, records, records - self._present)
