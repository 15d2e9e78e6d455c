"""Files of records, read row by row: JSON, JSON Lines, CSV and Parquet.

Goes in: a file's content, and the columns that are wanted of it. Comes out: rows, each with its
place in the file and its cells by name, or with what is wrong with it. What a cell may hold is not
known here, and no cell is ever shown: it may be somebody's personal data.
"""

from __future__ import annotations

import csv
import io
import json
from itertools import chain
from typing import Any, Callable, Collection, Iterator, Mapping, NamedTuple, Sequence

from mims.errors import InputError
from mims.payload.decoding import once
from mims.payload.formats import csv_reader
from mims.text import listed, repeated

_LONGEST_NUMBER = 400  # digits; a float has 309, and int() of very many takes for ever
_UNPACKED_LIMIT = 256 * 1024 * 1024  # bytes of Parquet columns in memory
_BATCH = 128  # rows of Parquet


class TableError(InputError):
    """A file of records is broken, or not what it has to be."""


class Wanted(NamedTuple):
    """The columns that are wanted, in order; and those that can't be done without."""

    names: Sequence[str]
    needed: Collection[str]
    csv_header: bool


class Line(NamedTuple):
    """One row: its place, and its cells by name or what is wrong with it."""

    place: str
    cells: Mapping[str, Any]
    fault: str = ""


class Reader(NamedTuple):
    """How files of one suffix are read; in a text format every cell is a str."""

    read: Callable[[bytes, Wanted], Iterator[Line]]
    only_text: bool = False


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"it is not UTF-8 (byte {error.start}): save it as UTF-8") from None
    if "\0" in text:
        raise TableError("it holds NUL characters; if it is UTF-16, save it as UTF-8")
    return text


# ---- JSON ----------------------------------------------------------------------------------------


def _read_json(content: bytes, _: Wanted) -> Iterator[Line]:
    """`{"instances": [...]}`, a list of records, or one record."""
    try:
        found = _parsed(_text(content))
    except ValueError as error:
        raise TableError(f"it is {error}") from None
    if isinstance(found, dict) and isinstance(found.get("instances"), list):
        others = [name for name in found if name != "instances"]
        if others:
            raise TableError(f"beside 'instances' it holds {listed(others)}: leave that out")
        found = found["instances"]
    records = found if isinstance(found, list) else [found]
    return (_object(f"record {number}", record) for number, record in enumerate(records, 1))


def _read_lines(content: bytes, _: Wanted) -> Iterator[Line]:
    for number, line in enumerate(_text(content).split("\n"), 1):
        if line.strip():
            place = f"line {number}"
            try:
                yield _object(place, _parsed(line))
            except ValueError as error:
                yield Line(place, {}, f"is {error}")


def _parsed(text: str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: it is none, says a name twice, or nests too deep; the text says so.

    """
    try:
        return json.loads(text, object_pairs_hook=once, parse_int=_integer)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except ValueError as error:
        raise ValueError(f"not usable JSON: {error}") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else float(digits)


def _object(place: str, record: Any) -> Line:
    if isinstance(record, dict):
        return Line(place, record)
    return Line(place, {}, "is no JSON object, names with values")


# ---- CSV -----------------------------------------------------------------------------------------


def _read_csv(content: bytes, wanted: Wanted) -> Iterator[Line]:
    rows = _csv_rows(_text(content))
    first = next(rows, None)
    if first is None:
        return
    columns: Sequence[str] = first[1]
    if wanted.csv_header or set(wanted.names) <= set(columns):
        _check_columns(columns, wanted, "its first line")
    else:  # CSV_HEADER=false, and the first line is a record already
        columns, rows = wanted.names, chain([first], rows)
    for place, cells in rows:
        if len(cells) == len(columns):
            yield Line(place, dict(zip(columns, cells)))
        else:
            yield Line(place, {}, f"has {len(cells)} cells where {len(columns)} are to be")


def _csv_rows(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every row but empty lines, with the line that it starts at."""
    reader, line = csv_reader(text), 1
    try:
        for cells in reader:
            if cells:
                yield f"line {line}", cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise TableError(f"its CSV is broken in the row at line {line}: {error}") from None


def _check_columns(columns: Sequence[str], wanted: Wanted, where: str) -> None:
    present, twice = set(columns), repeated(columns)
    missing = [name for name in wanted.names if name in wanted.needed and name not in present]
    if missing and present.isdisjoint(wanted.names):
        raise TableError(
            f"{where} names no field of the model, which takes {listed(wanted.names)}; a CSV file "
            "without a header is read with CSV_HEADER=false"
        )
    if missing:
        raise TableError(f"{where} lacks {listed(missing)}; it names {listed(columns)}")
    if twice:
        raise TableError(f"{where} names {listed(twice)} twice")


# ---- Parquet -------------------------------------------------------------------------------------


def _read_parquet(content: bytes, wanted: Wanted) -> Iterator[Line]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise TableError(
            "it is Parquet, which needs the Python package pyarrow, and there is none here: "
            "install it in this container, or save the records as CSV, JSON or JSON Lines"
        ) from None
    number = unpacked = 0
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        _check_columns(file.schema_arrow.names, wanted, "its schema")
        nested = [f.name for f in file.schema_arrow if pa.types.is_nested(f.type)]
        if any(name in wanted.names for name in nested):
            raise TableError(f"{listed(nested)}: lists and objects are no values of a field")
        left_out = [name for name in file.schema_arrow.names if name not in wanted.names]
        names = [name for name in file.schema_arrow.names if name in wanted.names]
        for batch in file.iter_batches(batch_size=_BATCH, columns=names):
            unpacked += batch.nbytes
            for scalars in zip(*batch.columns):
                row = [scalar.as_py() for scalar in scalars]
                # A dictionary holds a long text once, however many records say it.
                unpacked += sum(len(value) for value in row if isinstance(value, (str, bytes)))
                if unpacked > _UNPACKED_LIMIT:
                    raise TableError(
                        f"it unpacks to over {_UNPACKED_LIMIT} bytes: give fewer records"
                    )
                number += 1
                yield Line(f"record {number}", {**dict.fromkeys(left_out), **dict(zip(names, row))})
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"it is no usable Parquet ({type(error).__name__})") from None


READERS = {
    ".json": Reader(_read_json),
    ".jsonl": Reader(_read_lines),
    ".csv": Reader(_read_csv, only_text=True),
    ".parquet": Reader(_read_parquet),
}
