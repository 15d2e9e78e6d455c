"""A baseline made of the data that a model was trained on, and of what it predicted.

Goes in: tables. Comes out: a `Profile`. The data are read twice, in no more memory for more of
them: first to learn what each field is and where its edges lie, by a sample; then to count, which
is exact. The sample is drawn by a generator with a fixed seed, a record a number, and every sum is
exact; so the same records in the same order give the same profile, whatever they are stored as.

A field is a number if 95 % of its values are. Its edges are the values themselves, where they are
few, else quantiles; the first is just below the lowest value, so that what is less than anything in
the data has a place of its own, and the last is the highest. Other fields are categories, or texts
where they have more than 1000 values, or one that is longer than 200 characters, or nested ones.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mims.errors import InputError, Problems
from mims.governance.profiles import columns
from mims.governance.profiles.counting import Counter, ExactSum
from mims.governance.profiles.profile import (
    CATEGORY,
    MOST_CATEGORIES,
    MOST_EDGES,
    NUMBER,
    TEXT,
    Field,
    Profile,
    below,
)
from mims.text import listed, meant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from mims.governance.profiles.tables import Tables

SAMPLE = 100_000  # values of a field that its quantiles are taken of
_SAMPLES = 8_000_000  # values of all fields: 128 MB
_SHARE = 0.95  # of a field's values are numbers, if it is one
_SEED = 20_240_229


def profiled(
    data: Tables, predictions: Tables | None = None, leave_out: Collection[str] = ()
) -> Profile:
    """Profile inputs and, where there are some, outputs; `leave_out` names columns of no interest.

    Raises:
        InputError: there is no record, no column to watch, no column of a name to leave out; a file
            can't be read, or changed meanwhile. With what is wrong of either.

    """
    problems = Problems()
    found: dict[str, _Learned] = {}
    for side, tables in (("inputs", data), ("outputs", predictions)):
        if tables is not None:
            with problems.gather():
                found[side] = _learn(tables)
    with problems.gather():
        _check_left_out(leave_out, found.values())
    for side, learned in found.items():
        with problems.gather():
            if not {*learned.columns} - {*leave_out}:
                raise InputError(f"{learned.where}: has no column to watch as one of the {side}")
    problems.raise_any()
    sketches = {side: learned.fields(leave_out) for side, learned in found.items()}
    counter = Counter(Profile(0, sketches["inputs"], sketches.get("outputs", {})))
    _count(data, found["inputs"].records, counter.add_inputs)
    if predictions is not None:
        _count(predictions, found["outputs"].records, counter.add_outputs)
    made = counter.profile()
    source = {"inputs": data.about()}
    if predictions is not None:
        source["outputs"] = predictions.about()
    return replace(made, records=found["inputs"].records, source=source)


def _check_left_out(leave_out: Collection[str], found: Collection[_Learned]) -> None:
    known = {name for learned in found for name in learned.columns}
    wrong = [name for name in leave_out if name not in known]
    if found and wrong:
        hint = meant(wrong[0], known, f"there are {listed(sorted(known))}")
        raise InputError(f"no column is named {listed(wrong)}: {hint}")


def _count(tables: Tables, records: int, add: Callable[[pa.Table], None]) -> None:
    counted = 0
    for table in tables:
        add(table)
        counted += len(table)
    if counted != records:
        raise InputError(f"{tables.where}: changed while it was read: run again")


def _learn(tables: Tables) -> _Learned:
    learned = _Learned(tables.where)
    for table in tables:
        learned.add(table)
    if not learned.records:
        raise InputError(f"{tables.where}: has no records")
    return learned


class _Learned:
    """What the first reading tells of each column."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.records = 0
        self.columns: dict[str, _Column] = {}
        self._keys = np.random.PCG64(_SEED)

    def add(self, table: pa.Table) -> None:
        self.records += len(table)
        # of the generator's bits, not numpy's Generator: these stay the same in all its versions
        keys = np.asarray(self._keys.random_raw(len(table)), dtype=np.uint64)
        for name, column in zip(table.column_names, table.columns, strict=True):
            self.columns.setdefault(name, _Column()).add(column, keys, self._most)

    @property
    def _most(self) -> int:
        return min(SAMPLE, _SAMPLES // max(1, len(self.columns)))

    def fields(self, leave_out: Collection[str]) -> Mapping[str, Field]:
        """Give each field's kind, edges and categories, by which the second reading counts."""
        return {
            name: column.field(name, self._most)
            for name, column in self.columns.items()
            if name not in leave_out
        }


class _Column:
    """What the first reading tells of a column. In any order of its portions it's the same."""

    def __init__(self) -> None:
        self._nested = False
        self._labels: set[str] | None = set()  # None: too many, or too long
        self._values: NDArray[np.float64] | None = np.empty(0)  # distinct ones; None: too many
        self._sample = _Sample()
        self._numbers = self._invalid = 0
        self._low, self._high = math.inf, -math.inf
        self._sum = ExactSum()

    def add(self, column: pa.ChunkedArray, keys: NDArray[np.uint64], most: int) -> None:
        if self._nested or not columns.is_plain(column.type):
            self._nested |= column.null_count < len(column)
            return
        if self._labels is not None:
            self._labels.update(columns.labels(column).counts)
            if len(self._labels) > MOST_CATEGORIES or max(map(len, self._labels), default=0) > (
                columns.LONGEST
            ):
                self._labels = None
        found = columns.numbers(column)
        self._invalid += found.invalid
        present = ~np.isnan(found.values)
        self._numbers += int(present.sum())
        finite = np.isfinite(found.values)
        self._add_finite(found.values[finite] + 0.0, keys[finite], most)  # -0 is 0

    def _add_finite(self, values: NDArray[np.float64], keys: NDArray[np.uint64], most: int) -> None:
        if not len(values):
            return
        self._low, self._high = min(self._low, values.min()), max(self._high, values.max())
        for start in range(0, len(values), 1 << 20):
            self._sum.add(values[start : start + (1 << 20)])
        self._sample.add(values, keys, most)
        if self._values is not None:
            self._values = np.unique(np.concatenate((self._values, values)))
            if len(self._values) >= MOST_EDGES:
                self._values = None

    def field(self, name: str, most: int) -> Field:
        numbers = self._numbers >= _SHARE * (self._numbers + self._invalid)
        if self._low < math.inf and numbers and not self._nested:
            edges = self._edges(most)
            total = self._sum.value
            mean = float(total / self._sample.seen) if total is not None else None
            return Field(name, NUMBER, 0, 0, edges=edges, mean=mean)
        if self._labels and not self._nested:
            return Field(name, CATEGORY, 0, 0, categories=dict.fromkeys(sorted(self._labels), 0))
        return Field(name, TEXT, 0, 0)

    def _edges(self, most: int) -> tuple[float, ...]:
        if self._values is not None:
            inner = self._values
        else:
            values = self._sample.sorted(most)
            count = MOST_EDGES - 2
            places = (np.arange(1, count + 1) * len(values) + count - 1) // count - 1
            inner = np.append(values[places], self._high)
        return tuple(np.unique(np.append(inner, below(float(self._low)))).tolist())


class _Sample:
    """The values of a column whose records have the smallest keys: a uniform sample."""

    def __init__(self) -> None:
        self.seen = 0
        self._keys = np.empty(0, dtype=np.uint64)
        self._values = np.empty(0)
        self._limit: Any = None

    def add(self, values: NDArray[np.float64], keys: NDArray[np.uint64], most: int) -> None:
        self.seen += len(values)
        if self._limit is not None:
            kept = keys <= self._limit
            values, keys = values[kept], keys[kept]
        self._values = np.concatenate((self._values, values))
        self._keys = np.concatenate((self._keys, keys))
        if len(self._keys) > 2 * most:
            self._cut(most)

    def _cut(self, most: int) -> None:
        if len(self._keys) > most:
            chosen = np.argpartition(self._keys, most - 1)[:most]
            self._keys, self._values = self._keys[chosen], self._values[chosen]
            self._limit = self._keys.max()

    def sorted(self, most: int) -> NDArray[np.float64]:
        self._cut(most)
        return np.sort(self._values)
