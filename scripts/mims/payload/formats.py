"""Sample requests as text, one format a content type, each able to read itself back.

Goes in: records, values in the order of the fields. Comes out: the body of one request that holds
them all, in pieces. CSV is as RFC 4180 has it but for the line's end, which is a newline alone.
"""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import zip_longest
from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple, Sequence, Tuple

from mims.contracts import CSV, JSON, JSON_LINES, LARGEST_REQUEST
from mims.errors import InputError
from mims.payload.values import Value

Row = Tuple[Value, ...]


class Records(NamedTuple):
    """What is sent: rows of values, named by the fields."""

    names: Sequence[str]
    rows: Sequence[Row]

    def as_objects(self) -> Iterator[dict[str, Value]]:
        """Give each record with its names."""
        return (dict(zip(self.names, row)) for row in self.rows)


class Format(NamedTuple):
    """A content type: its files' suffix, and how records are written and read.

    `seen` is what a reader of the format makes of a value.
    """

    suffix: str
    write: Callable[[Records], Iterator[str]]
    read: Callable[[str, Sequence[str]], Iterable[Mapping[str, Any]]]
    seen: Callable[[Value], Value]


def formats(csv_header: bool) -> dict[str, Format]:
    """Every format, by content type."""
    with_header = Format(".csv", _write_csv, _read_csv, str)
    without = Format(".csv", _write_rows, _read_rows, str)
    return {
        JSON: Format(".json", _write_json, _read_json, _as_it_is),
        CSV: with_header if csv_header else without,
        JSON_LINES: Format(".jsonl", _write_lines, _read_lines, _as_it_is),
    }


def reads_back(form: Format, records: Records, body: str) -> bool:
    """Whether a body holds just these records: every field, in order, of the same type."""
    names = list(records.names)
    for row, found in zip_longest(records.rows, form.read(body, names)):
        if row is None or found is None or list(found) != names:
            return False
        sent, received = list(map(form.seen, row)), list(found.values())
        if sent != received or list(map(type, sent)) != list(map(type, received)):
            return False
    return True


def _as_it_is(value: Value) -> Value:
    return value


def _write_json(records: Records) -> Iterator[str]:
    """One record a line."""
    between = '{"instances": [\n'
    for record in records.as_objects():
        yield between + json.dumps(record, ensure_ascii=False)
        between = ",\n"
    yield "\n]}\n"


def _read_json(text: str, _: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    instances: list[Mapping[str, Any]] = json.loads(text)["instances"]
    return instances


def _write_lines(records: Records) -> Iterator[str]:
    return (json.dumps(record, ensure_ascii=False) + "\n" for record in records.as_objects())


def _read_lines(text: str, _: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    *lines, _end = text.split("\n")
    return map(json.loads, lines)


def csv_reader(text: str) -> Any:
    """Python's reader of CSV, strict, for cells as long as a request may be."""
    csv.field_size_limit(LARGEST_REQUEST)
    return csv.reader(io.StringIO(text, newline=""), strict=True)


def _write_csv(records: Records) -> Iterator[str]:
    yield _line(records.names)
    yield from _write_rows(records)


def _write_rows(records: Records) -> Iterator[str]:
    return map(_line, records.rows)


def _line(cells: Iterable[object]) -> str:
    """Python's own writer leaves a lone CR unquoted before 3.13."""
    return ",".join(map(_cell, cells)) + "\n"


def _cell(value: object) -> str:
    text = str(value)
    if "\0" in text:
        raise InputError(
            "text/csv cannot carry a NUL character, and a value holds one: leave it out, or "
            "text/csv out of CONTENT_TYPES"
        )
    if re.search(r'^$|^\s|\s$|[,"\r\n]', text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _read_csv(text: str, _: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    rows = csv_reader(text)
    header = next(rows)
    return (dict(zip(header, row)) for row in rows)


def _read_rows(text: str, names: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    return (dict(zip(names, row)) for row in csv_reader(text))
