"""One side of captured records, what was asked or what was answered, read as a table.

Goes in: payloads as they were captured, in whatever encoding. Comes out: a table of the baseline's
fields, and which records can't be read. Most are plain CSV: pyarrow reads all of a block at once.
What is not is made plain CSV first, flat JSON at once (`flat`) and the rest one by one (`lines`),
so that all is read one way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from mims.governance.captures.flat import flattened
from mims.governance.captures.lines import CSV, JSON, Refused, rows, unpacked

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

_TEXT = pa.string()
_BOM = b"\xef\xbb\xbf"
# Rows of CSV that Python's csv and pyarrow's are known to read alike, with quotes in them.
_QUOTED = r'^(?:[^",\r\n]*|"(?:[^"\r\n]|"")*")(?:,(?:[^",\r\n]*|"(?:[^"\r\n]|"")*"))*$'


_REST = r"(?s)[,\n].*"  # all but the first value
_EXTRAS = 100  # names of fields that the baseline does not have, of a block; they may be any


class Fields(NamedTuple):
    """Fields of a side in the order in which CSV has them, and which of them are numbers."""

    names: tuple[str, ...]
    numbers: frozenset[str]

    @classmethod
    def of(cls, names: Sequence[str], numbers: Collection[str] = ()) -> Fields:
        """Make them."""
        return cls(tuple(names), frozenset(numbers))


class _Ragged(Exception):  # noqa: N818 - an answer that is expected, not a fault
    """What looked like plain CSV has another number of values."""


class Side:
    """One side's payloads: as they are, then plain CSV, then a table."""

    def __init__(self, found: pa.StructArray, fields: Fields) -> None:
        self.fields = fields
        self._data, self._kinds, self._types = found.flatten()
        self.there = as_numpy(self._data.is_valid())
        self.refused: dict[int, str] = {}
        self.rows = np.zeros(len(found), np.int64)  # of each record
        self._made = np.zeros(len(found), np.bool_)  # plain CSV by us: nothing is left to look at
        self._extras: list[tuple[int, int, str, str]] = []  # record, row of it, name, text
        self._order = fields.names  # of the values in rows
        self._places: list[int] = []  # the same by places of the names, where it is another
        if fields.names:
            self._unpack()
            self._flatten()
            self._prepare(strict=False)
            try:
                self.table = self._read()
            except _Ragged:
                self._prepare(strict=True)
                self.table = self._read()
        else:
            self.table = pa.table({})

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Leave out the rows of records."""
        if self.fields.names and not kept.all():
            self.table = self.table.filter(pa.array(np.repeat(kept, self.rows)))
        self.rows = self.rows[kept]

    def _unpack(self) -> None:
        """Bring payloads out of BASE64, and tell CSV from JSON."""
        known = _truth(pc.is_in(self._kinds, pa.array([CSV, JSON])))
        at = np.flatnonzero(~known & self.there)
        if not len(at):
            return
        columns = (one.take(pa.array(at)).to_pylist() for one in self._columns)
        found: list[tuple[str | None, str | None]] = []
        for index, data, encoding, content_type in zip(at.tolist(), *columns, strict=True):
            try:
                found.append(unpacked(data, encoding, content_type))
            except Refused as refused:
                self.refused[index] = str(refused)
                found.append((None, None))
        self._data = _replaced(self._data, at, [text for text, _ in found])
        self._kinds = _replaced(self._kinds, at, [kind for _, kind in found])

    def _flatten(self) -> None:
        """Make flat JSON plain CSV, all at once; in its own order, if no CSV has the fields'."""
        valid = as_numpy(self._data.is_valid())
        is_json = _truth(pc.equal(self._kinds, JSON)) & valid
        at = np.flatnonzero(is_json)
        found = flattened(self._data.take(pa.array(at)), self.fields.names) if len(at) else None
        if found is None or (found.order != self.fields.names and (valid & ~is_json).any()):
            return
        if found.order != self.fields.names:
            places = {name: at for at, name in enumerate(self.fields.names)}
            self._order, self._places = found.order, [places[name] for name in found.order]
        at = at[found.fits]
        self._data = _replaced(self._data, at, found.texts)
        self._made[at] = True
        self.rows[at] = 1

    @property
    def _columns(self) -> tuple[pa.StringArray, ...]:
        return self._data, self._kinds, self._types

    def _prepare(self, *, strict: bool) -> None:
        """Make all payloads plain CSV that are not; `strict` looks at the values of each."""
        made = self.rows[self._made]
        self.rows = as_numpy(self._data.is_valid()).astype(np.int64)
        plain = self._plain(strict=strict)
        self.rows[self._made] = made
        odd = np.flatnonzero(~plain & ~self._made & (self.rows > 0))
        self.rows[odd] = 0
        texts: list[str | None] = []
        columns = (one.take(pa.array(odd)).to_pylist() for one in self._columns)
        for index, data, kind, _ in zip(odd.tolist(), *columns, strict=True):
            try:
                found = rows(data, kind, self.fields.names, self._places)
            except Refused as refused:
                self.refused[index] = str(refused)
                texts.append(None)
                continue
            texts.append(found.text)
            self.rows[index] = found.number
            self._extras += [(index, *extra) for extra in found.extras]
        if len(odd):
            self._data = _replaced(self._data, odd, texts)
            self._made[odd] = True

    def _plain(self, *, strict: bool) -> NDArray[np.bool_]:
        """Find the payloads that pyarrow reads as Python would, and count their rows.

        Most blocks have one row a record and no quotes, which is seen at a glance.
        """
        raw = _values(self._data)
        if b"\n" in raw or b"\r" in raw:
            self._data = pc.ascii_rtrim(self._data, "\r\n")
            raw = _values(self._data)
        plain = _truth(pc.equal(self._kinds, CSV)) & _truth(pc.not_equal(self._data, ""))
        if strict or any(mark in raw for mark in (b'"', b"\n", b"\r", _BOM)):
            further = pc.count_substring(self._data, "\n")
            plain &= self._is_well_formed(as_numpy(pc.fill_null(further, 0)), strict=strict)
            self.rows += np.where(plain, as_numpy(pc.fill_null(further, 0)), 0)
        return plain

    def _is_well_formed(self, further: NDArray[np.int32], *, strict: bool) -> NDArray[np.bool_]:
        def has(text: str) -> NDArray[np.bool_]:
            return _truth(pc.match_substring(self._data, text))

        quoted = has('"')
        good = ~(has("\r") | has("\n\n") | has("\ufeff"))
        good &= ~_truth(pc.starts_with(self._data, "\n"))
        if quoted.any():
            good &= ~quoted | _truth(pc.match_substring_regex(self._data, _QUOTED))
        if (further > 0).any():  # the first row may be a header
            first = pc.ascii_trim_whitespace(pc.replace_substring_regex(self._data, _REST, ""))
            header = _truth(pc.is_in(first, pa.array(self.fields.names, _TEXT)))
            good &= ~(header & (further > 0))
        if strict:
            commas = as_numpy(pc.fill_null(pc.count_substring(self._data, ","), 0))
            good &= ~quoted & (further == 0) & (commas == len(self.fields.names) - 1)
        return good

    def _read(self) -> pa.Table:
        """Read what is plain CSV now.

        Raises:
            _Ragged: some rows have more or fewer values.

        """
        names = self._order
        texts = self._data.drop_null()
        if not len(texts):
            return pa.table({name: pa.array([], _TEXT) for name in self.fields.names})
        joined = _values(pc.binary_join_element_wise(texts, "", "\n"))
        if joined.startswith(_BOM):
            joined = _BOM + joined  # pyarrow takes one away
        numbers = [name for name in names if name in self.fields.numbers]
        try:
            table = _read_csv(joined, names, numbers)
        except pa.ArrowInvalid:  # rows are ragged, or of some number field not all are numbers
            try:
                table = _with_numbers(_read_csv(joined, names, ()), numbers)
            except pa.ArrowInvalid as error:
                raise _Ragged from error
        if table.num_rows != int(self.rows.sum()):
            raise _Ragged
        return self._with_extras(table.select([*self.fields.names]))

    def _with_extras(self, table: pa.Table) -> pa.Table:
        starts = np.cumsum(self.rows) - self.rows
        columns: dict[str, list[str | None]] = {}
        for index, row, name, text in self._extras:
            if name not in columns:
                if len(columns) == _EXTRAS:
                    continue
                columns[name] = [None] * table.num_rows
            columns[name][int(starts[index]) + row] = text or None
        for name, column in columns.items():
            table = table.append_column(name, pa.array(column, _TEXT))
        return table


def _read_csv(text: bytes, names: Sequence[str], numbers: Collection[str]) -> pa.Table:
    kinds = {name: pa.float64() if name in numbers else _TEXT for name in names}
    return pa.csv.read_csv(
        pa.BufferReader(text),
        read_options=pa.csv.ReadOptions(
            use_threads=False, block_size=len(text) + 1, column_names=list(names)
        ),
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=kinds, null_values=[""], strings_can_be_null=True
        ),
    )


def _with_numbers(table: pa.Table, numbers: Sequence[str]) -> pa.Table:
    """Turn those text columns to numbers in which all are."""
    columns = dict(zip(table.column_names, table.columns, strict=True))
    for name in numbers:
        try:
            columns[name] = pc.cast(pc.ascii_trim(columns[name], " \t"), pa.float64())
        except pa.ArrowInvalid:
            continue
    return pa.table(columns)


def as_numpy(values: pa.Array) -> NDArray[Any]:
    """Give an array of pyarrow's to numpy."""
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _values(texts: pa.StringArray) -> bytes:
    """The characters of all texts, one after another."""
    _, offsets, values = texts.buffers()
    if not len(texts) or values is None:
        return b""
    at = np.frombuffer(offsets, np.int32)
    first, last = int(at[texts.offset]), int(at[texts.offset + len(texts)])
    return bytes(values.slice(first, last - first).to_pybytes())


def _truth(values: pa.BooleanArray) -> NDArray[np.bool_]:
    """True and false, null being false."""
    found: NDArray[np.bool_] = as_numpy(pc.fill_null(values, fill_value=False))
    return found


def _replaced(
    texts: pa.StringArray, at: NDArray[np.int64], new: pa.StringArray | Sequence[str | None]
) -> pa.StringArray:
    mask = np.zeros(len(texts), dtype=bool)
    mask[at] = True
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(new, _TEXT))
