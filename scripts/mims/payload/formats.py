"""Sample requests as text, one format a content type, each able to read itself back.

Goes in: a record, values by field name. Comes out: the body of a request with that one record.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple, Sequence

from mims.contracts import CSV, JSON, JSON_LINES
from mims.payload.values import Value

Record = Mapping[str, Value]

LARGEST_REQUEST = 6_291_456  # bytes: InvokeEndpoint's Body


class Format(NamedTuple):
    """A content type: the sample's name in the archive, and how a record is written and read."""

    file: str
    write: Callable[[Record], str]
    read: Callable[[str, Sequence[str]], Mapping[str, Any]]


def formats(csv_header: bool) -> dict[str, Format]:
    """Every format, by content type."""
    csv_codec = (_write_csv, _read_csv) if csv_header else (_write_row, _read_row)
    return {
        JSON: Format("application_json/sample_payload.json", _write_json, _read_json),
        CSV: Format("text_csv/sample_payload.csv", *csv_codec),
        JSON_LINES: Format("application_jsonlines/sample_payload.jsonl", _write_line, _read_line),
    }


def same_record(record: Record, read: Mapping[str, Any]) -> bool:
    """Whether a record was read back with all its fields, in order; CSV knows only text."""
    return list(record) == list(read) and all(
        read[name] in (value, str(value)) for name, value in record.items()
    )


def _write_json(record: Record) -> str:
    return json.dumps({"instances": [record]}, ensure_ascii=False, indent=2) + "\n"


def _read_json(text: str, _: Sequence[str]) -> Mapping[str, Any]:
    (record,) = json.loads(text)["instances"]
    return dict(record)


def _write_line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _read_line(text: str, _: Sequence[str]) -> Mapping[str, Any]:
    return dict(json.loads(text))


def _row(cells: Iterable[object]) -> str:
    """RFC 4180 but for the line's end. Python's csv leaves a lone CR unquoted before 3.13."""
    return ",".join(map(_cell, cells)) + "\n"


def _cell(value: object) -> str:
    text = str(value)
    if re.search(r'^$|^\s|\s$|[,"\r\n]', text):
        return '"' + text.replace('"', '""') + '"'
    return text


def _rows(text: str) -> Iterator[list[str]]:
    csv.field_size_limit(LARGEST_REQUEST)
    return csv.reader(io.StringIO(text, newline=""), strict=True)


def _write_row(record: Record) -> str:
    return _row(record.values())


def _read_row(text: str, names: Sequence[str]) -> Mapping[str, Any]:
    (row,) = _rows(text)
    return dict(zip(names, row))


def _write_csv(record: Record) -> str:
    return _row(record) + _write_row(record)


def _read_csv(text: str, _: Sequence[str]) -> Mapping[str, Any]:
    header, row = _rows(text)
    return dict(zip(header, row))
