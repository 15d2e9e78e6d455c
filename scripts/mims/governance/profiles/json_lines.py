"""JSON Lines as tables: quickly where a block of lines is regular, with care where it is not.

Goes in: a file of JSON objects, one a line. Comes out: Arrow tables, a column a member. Arrow reads
a block at once, if each member is of one type there; any other block is read by Python, which says
which line is wrong. Both give columns that mean the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.json
from pyarrow import types

from mims.errors import InputError
from mims.governance.profiles.columns import number_text
from mims.registration.parameters import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_BLOCK = 4 << 20  # bytes that are read at a time
_LONGEST = 64 << 20  # bytes of a line


def json_tables(name: str, path: Path) -> Iterator[pa.Table]:
    """Yield a file's records; `name` is what errors call it.

    Raises:
        InputError: a line is no JSON object; it says which, and the first few of them.

    """
    texts: set[str] = set()
    line = 1
    for block in _blocks(name, path):
        table = regular(block, texts)
        yield irregular(block, name, line) if table is None else table
        line += block.count(b"\n")


def _blocks(name: str, path: Path) -> Iterator[bytes]:
    """Yield whole lines."""
    rest = b""
    with pa.input_stream(str(path), compression="detect") as file:
        while chunk := file.read(_BLOCK):
            lines, newline, after = chunk.rpartition(b"\n")
            if newline:
                yield rest + lines + newline
                rest = after
            else:
                rest += chunk
            if len(rest) > _LONGEST:
                raise InputError(f"{name}: has a line of more than {_LONGEST} bytes")
    if rest.strip():
        yield rest


def regular(block: bytes, texts: set[str]) -> pa.Table | None:
    """Read a block at once; None if that can't be.

    `texts` are columns that are known to look like times, and become more.
    """
    try:
        block.decode()  # which Arrow doesn't
    except UnicodeError:
        return None
    read = pyarrow.json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    while True:
        schema = pa.schema([(name, pa.string()) for name in sorted(texts)])
        parse = pyarrow.json.ParseOptions(explicit_schema=schema)
        try:
            table = pyarrow.json.read_json(pa.BufferReader(block), read, parse)
            times = {one.name for one in table.schema if types.is_temporal(one.type)}
        except pa.ArrowInvalid:
            return None
        if not times:
            break
        texts |= times  # Arrow has guessed; a text is what its author has written
    whole = len(table) == block.count(b"\n") + (not block.endswith(b"\n"))
    return table if whole and table.num_columns else None


def irregular(block: bytes, name: str, first: int = 1) -> pa.Table:
    """Read a block line by line.

    Raises:
        InputError: as `json_tables`.

    """
    problems: list[str] = []
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(block.split(b"\n"), first):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(f"{name} line {number}: is no JSON: {error}")
        else:
            if isinstance(row, dict):
                rows.append(row)
            else:
                problems.append(f"{name} line {number}: must be an object, not {shown(row)}")
    if problems:
        more = len(problems) - 5
        raise InputError(*problems[:5], *([f"{name}: {more} more like these"] if more > 0 else []))
    names = dict.fromkeys(key for row in rows for key in row)
    columns = {_utf8(key): column([row.get(key) for row in rows]) for key in names}
    if columns:
        return pa.table(columns)
    return pa.Table.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))


def column(values: Sequence[Any]) -> pa.Array:
    """Make a column of JSON values: of one type, else as texts; nested ones remain nested."""
    if any(isinstance(value, dict | list) for value in values):
        nested = [None if value is None else [_text(value)] for value in values]
        return pa.array(nested, pa.list_(pa.string()))
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and float in kinds:
        return pa.array([None if value is None else _float(value) for value in values])
    if kinds <= {int}:
        try:
            return pa.array(values, pa.int64() if kinds else pa.null())
        except OverflowError:
            return pa.array([None if value is None else _float(value) for value in values])
    if kinds == {bool}:
        return pa.array(values)
    return pa.array([None if value is None else _text(value) for value in values])


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _text(value: Any) -> str:
    """A JSON value as a label."""
    if isinstance(value, str):
        return _utf8(value)
    if isinstance(value, float):
        return number_text(value)
    return _utf8(json.dumps(value))


def _utf8(text: str) -> str:
    """A text that can be written: of half a surrogate pair, which JSON can hold, it's a `?`."""
    return text.encode("utf-8", "replace").decode()
