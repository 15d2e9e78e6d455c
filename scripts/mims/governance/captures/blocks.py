"""Blocks of capture files, read fast where they are as an endpoint writes them, else line by line.

Goes in: pieces of files, each of whole lines. Comes out: their rows as tables, and what could not
be read. pyarrow reads the envelopes of a block at once. A block that it refuses is cut in parts,
until few lines are left with the one at fault, at which Python's json looks (`lines`).
Whichever way a line goes, it gives the same: from the envelope on there is one way only
(`payloads`). pyarrow lets go of Python's lock meanwhile, so blocks are read side by side
with whatever is done with them.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from mims.governance.captures.lines import Refused, record
from mims.governance.captures.payloads import Fields, Side
from mims.governance.captures.times import noted, parsed
from mims.governance.captures.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_TEXT = pa.string()
_SIDE = pa.struct([("data", _TEXT), ("encoding", _TEXT), ("observedContentType", _TEXT)])
_SIDES = pa.struct([("endpointInput", _SIDE), ("endpointOutput", _SIDE)])
_METADATA = pa.struct([("eventId", _TEXT), ("inferenceId", _TEXT), ("inferenceTime", _TEXT)])
_SCHEMA = pa.schema([("captureData", _SIDES), ("eventMetadata", _METADATA)])
_PARTS = 8  # in which what pyarrow refuses is cut
_SMALL = 1 << 15  # bytes: less is not worth a cut


class Captured(NamedTuple):
    """What a block of captures holds. A record gives its rows in order, seldom more than one."""

    inputs: pa.Table
    """fields by name, text or, where it was asked for and all of a block's are, numbers"""
    outputs: pa.Table
    ids: pa.StringArray
    """of each row of `outputs`: what labels call it, the inferenceId or else the eventId; of each
    record, where no outputs were asked for"""
    events: pa.StringArray
    """likewise, the eventId always"""
    times: pa.TimestampArray
    """likewise, the inferenceTime in UTC, null where it can't be read"""


class Piece(NamedTuple):
    """Whole lines of a file. `fault` is what was wrong instead of lines."""

    uri: str
    line: int
    """the first one's number, from 1"""
    data: bytes
    fault: str = ""
    is_end: bool = False


class Block(NamedTuple):
    """What came of a block, and of its files."""

    captured: Captured | None
    unread: Unread


class _Records:
    """Envelopes that were read, with the places that they came from."""

    def __init__(self, unread: Unread) -> None:
        self.unread = unread
        self.tables: list[pa.Table] = []
        self._runs: list[tuple[str, int]] = []  # records that follow one another: the first's place
        self._counts: list[int] = []

    def add(self, table: pa.Table, pieces: Sequence[Piece]) -> None:
        """Take records that came from every line of these pieces."""
        self.tables.append(table)
        for piece in pieces:
            self._runs.append((piece.uri, piece.line))
            self._counts.append(len(table) if len(pieces) == 1 else lines_in(piece.data))

    def place(self, index: int) -> str:
        """Say where a record came from."""
        run = bisect_right(self._starts, index) - 1
        uri, line = self._runs[run]
        return f"{uri} line {line + index - self._starts[run]}"

    @property
    def files(self) -> NDArray[np.int64]:
        """A number for each record's file, the same for those of one file."""
        new = [one[0] != other[0] for one, other in pairwise(self._runs)]
        return np.repeat(np.cumsum([0, *new]), self._counts)

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(self._counts)]


def read_block(pieces: Sequence[Piece], inputs: Fields, outputs: Fields, now: float) -> Block:
    """Read a block. `now` is in seconds since 1970: what is from later has a wrong clock."""
    unread = Unread()
    for piece in pieces:
        unread.files += piece.is_end
        if piece.fault:
            at = f"{piece.uri} line {piece.line}" if piece.line else piece.uri
            unread.refuse(piece.fault, at)
    records = _Records(unread)
    _envelopes([piece for piece in pieces if piece.data], records)
    captured = _captured(records, inputs, outputs, now) if records.tables else None
    return Block(captured, unread)


def _envelopes(pieces: Sequence[Piece], records: _Records) -> None:
    """Read envelopes fast; where that is refused, of smaller parts, and at last line by line."""
    if not pieces:
        return
    table = _fast(b"".join(_ended(piece.data) for piece in pieces))
    if table is not None:
        records.add(table, pieces)
    elif len(pieces) > 1:
        middle = len(pieces) // 2
        _envelopes(pieces[:middle], records)
        _envelopes(pieces[middle:], records)
    elif len(pieces[0].data) > _SMALL and lines_in(pieces[0].data) > 1:
        for part in _parts(pieces[0]):
            _envelopes([part], records)
    else:
        _one_by_one(pieces[0], records)


def _fast(data: bytes) -> pa.Table | None:
    """Read envelopes with pyarrow, or not at all.

    To pyarrow a line is wherever a value ends. So each line must begin and end as an object does,
    and there must be as many objects as lines: then each line is one object.
    """
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    characters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    starts = ends[:-1] + 1
    if not data.startswith(b"{") or not (characters[starts] == ord("{")).all():
        return None
    if not (characters[ends - 1] == ord("}")).all() or not _is_utf8(data):
        return None
    try:
        table = pa.json.read_json(
            pa.BufferReader(data),
            read_options=pa.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pa.json.ParseOptions(
                explicit_schema=_SCHEMA, unexpected_field_behavior="ignore"
            ),
        )
    except pa.ArrowInvalid:
        return None
    return table if table.num_rows == len(ends) else None


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    offsets = pa.py_buffer(np.array([0, len(data)], np.int32))
    try:
        pa.StringArray.from_buffers(1, offsets, pa.py_buffer(data)).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _parts(piece: Piece) -> Iterator[Piece]:
    """Cut a piece between lines."""
    at, line, size = 0, piece.line, len(piece.data)
    while at < size:
        end = piece.data.find(b"\n", min(at + size // _PARTS, size)) + 1 or size
        part = piece.data[at:end]
        yield piece._replace(line=line, data=part, is_end=piece.is_end and end == size)
        line += lines_in(part)
        at = end


def _one_by_one(piece: Piece, records: _Records) -> None:
    lines = piece.data.split(b"\n")
    last = lines.pop()  # nothing, unless the file ends within a line
    good: list[dict[str, Any]] = []
    places: list[Piece] = []
    for number, line in enumerate([*lines, last], piece.line):
        if not line.strip():
            continue
        try:
            good.append(record(line, cut=number == piece.line + len(lines)))
        except Refused as refused:
            records.unread.refuse(str(refused), f"{piece.uri} line {number}")
        else:
            places.append(Piece(piece.uri, number, line))
    if good:
        records.add(pa.Table.from_pylist(good, _SCHEMA), places)


def _captured(records: _Records, inputs: Fields, outputs: Fields, now: float) -> Captured | None:
    whole = pa.concat_tables(records.tables)
    (asked, answered), metadata = (_whole(whole[name]).flatten() for name in _SCHEMA.names)
    sides = (Side(asked, inputs), Side(answered, outputs))
    kept = _kept(sides, records)
    if not kept.any():
        return None
    for side in sides:
        side.keep(kept)
    events, ids, times = (column.filter(pa.array(kept)) for column in metadata)
    at = np.flatnonzero(kept).tolist()
    times = parsed(times)
    noted(times, records.files[kept], now, lambda index: records.place(at[index]), records.unread)
    records.unread.records += len(at)
    ids = pc.coalesce(ids, events)
    if outputs.names and not (sides[1].rows == 1).all():
        index = pa.array(np.repeat(np.arange(len(at)), sides[1].rows))
        ids, events, times = (column.take(index) for column in (ids, events, times))
    return Captured(sides[0].table, sides[1].table, ids, events, times)


def _kept(sides: tuple[Side, Side], records: _Records) -> NDArray[np.bool_]:
    """Of which records what is there could be read; the others are told of."""
    kept: NDArray[np.bool_] = sides[0].there | sides[1].there
    for bare in np.flatnonzero(~kept).tolist():
        records.unread.refuse("has neither input nor output", records.place(bare))
    for index, reason in sorted({**sides[1].refused, **sides[0].refused}.items()):
        records.unread.refuse(reason, records.place(index))
        kept[index] = False
    for side, name in zip(sides, ("input", "output"), strict=True):
        absent = kept & ~side.there
        if side.fields.names and absent.any():
            where = records.place(int(np.argmax(absent)))
            records.unread.note(f"has no {name}", where, int(absent.sum()))
    return kept


def lines_in(data: bytes) -> int:
    """How many lines these are, the last with its end or without."""
    ends = np.count_nonzero(np.frombuffer(data, np.uint8) == ord("\n"))  # without Python's lock
    return int(ends) + (not data.endswith(b"\n"))


def _ended(data: bytes) -> bytes:
    return data if data.endswith(b"\n") else data + b"\n"


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
