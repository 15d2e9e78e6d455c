"""What a captured request or response says, one at a time: rows of CSV, of the baseline's fields.

Goes in: a payload's text, and whether it is CSV or JSON. Comes out: rows of CSV in the order of the
fields, so that what came as JSON is read on just as what came as CSV; or why it can't be read. JSON
may be an object by name, a list of values by position, rows of either below `instances`,
`predictions`, `features` and the like, or JSON Lines of these. Slow and exact; what is plain CSV
goes past it, by `blocks`, and so does flat JSON, by `flat`.
"""

from __future__ import annotations

import binascii
import csv
import io
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.text import is_utf8, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

CSV, JSON = "CSV", "JSON"
_BASE64 = "BASE64"
# What servers put rows below; some of them nest: {"instances": [{"features": [1, 2]}]}.
WRAPPERS = ("instances", "predictions", "features", "inputs", "outputs", "data", "results", "rows")
_EXTRAS = 100  # fields of a record that the baseline does not have; with more it is another thing
_CSV_TYPES = {"text/csv", "application/csv", "text/plain"}
_JSON_TYPES = {
    *("application/json", "application/jsonlines", "application/x-jsonlines"),
    *("application/jsonl", "application/x-ndjson", "application/ndjson", "text/json"),
}
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_SIDES = ("endpointInput", "endpointOutput")


class Refused(Exception):  # noqa: N818 - an answer that is expected, not a fault
    """Why a record can't be read, as in `12 lines: …`."""


class Rows(NamedTuple):
    """Rows of CSV, and fields that the baseline does not have: (row, name, text) of each value."""

    text: str
    number: int
    extras: tuple[tuple[int, str, str], ...] = ()


def record(line: bytes, *, cut: bool) -> dict[str, Any]:
    """Read a line's envelope. `cut`: it is a file's last and has no end.

    Raises:
        Refused: it is no record.

    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise Refused("cut off" if cut else "is no UTF-8") from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("cut off" if cut else "is no JSON") from error
    captured = _object(found, "the line", required=True).get("captureData")
    metadata = _object(found, "the line", required=True).get("eventMetadata")
    captured = _object(captured, "captureData")
    metadata = _object(metadata, "eventMetadata")
    sides = {}
    for name in _SIDES:
        side = _object(captured.get(name), name)
        sides[name] = (
            {key: _text(side, key) for key in ("data", "encoding", "observedContentType")}
            if captured.get(name) is not None
            else None
        )
    return {
        "captureData": sides,
        "eventMetadata": {
            key: _text(metadata, key) for key in ("eventId", "inferenceId", "inferenceTime")
        },
    }


def _object(value: Any, what: str, *, required: bool = False) -> Mapping[str, Any]:
    if value is None and not required:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"{what} is no JSON object")
    return value


def _text(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused(f"{name} is no text")
    if not is_utf8(value):
        raise Refused("is no UTF-8")
    return value


def unpacked(data: str, encoding: str | None, content_type: str | None) -> tuple[str, str]:
    """Give a payload's text, and whether that is CSV or JSON.

    Raises:
        Refused: an encoding or a content type that is not known, or not what is there.

    """
    if encoding in (CSV, JSON):
        return data, encoding
    if encoding == _BASE64:
        try:
            data = binascii.a2b_base64(data, strict_mode=True).decode()
        except UnicodeDecodeError as error:
            raise Refused(f"of type {content_type} is no UTF-8") from error
        except ValueError as error:
            raise Refused("said to be BASE64 is not") from error
    elif encoding is not None:
        raise Refused(f"has encoding {encoding}: CSV, JSON or BASE64 can be read")
    return data, _kind(data, content_type)


def _kind(data: str, content_type: str | None) -> str:
    media = (content_type or "").partition(";")[0].strip().lower()
    if media in _JSON_TYPES or media.endswith("+json"):
        return JSON
    if media == "text/csv":
        return CSV
    if (
        media in _CSV_TYPES or not media
    ):  # it says little: JSON begins in a way that CSV seldom does
        return JSON if data.lstrip().startswith(("{", "[")) else CSV
    raise Refused(f"has content type {media}: CSV or JSON can be read")


def rows(data: str, kind: str, names: Sequence[str], places: Sequence[int] = ()) -> Rows:
    """Read a payload's rows; `places` of the names are another order in which to write values.

    Raises:
        Refused: it has none, or not of these fields.

    """
    data = data.lstrip("\ufeff")
    try:
        found = _csv_rows(data, names) if kind == CSV else _json_rows(data, names)
    except RecursionError as error:
        raise Refused("is nested too deep") from error
    if not found:
        raise Refused("has no data")
    known = frozenset(names)
    lines, extras = [], []
    for number, row in enumerate(found):
        if isinstance(row, dict):
            extras += _extras(number, row, known)
            row = [_scalar(row.get(name)) for name in names]  # noqa: PLW2901 - now by position
        if len(row) != len(names):
            raise Refused(f"has {_values(len(row))}, the baseline {len(names)}")
        if places:
            row = [row[place] for place in places]  # noqa: PLW2901 - in order
        lines.append(_csv_line(row))
    return Rows("\n".join(lines), len(lines), tuple(extras))


def _csv_rows(data: str, names: Sequence[str]) -> list[list[str] | dict[str, Any]]:
    """Give rows by position; by name where a client sent a header along in another order."""
    try:
        found = [row for row in csv.reader(io.StringIO(data, newline="")) if row]
    except csv.Error as error:
        raise Refused(f"is no CSV: {error}") from error
    header: list[str] = []
    while len(found) > 1 and _is_header(found[0], names):
        header = [cell.strip() for cell in found.pop(0)]
    if header in ([], [*names]):
        return [*found]
    for row in found:
        if len(row) != len(header):
            raise Refused(f"has {_values(len(row))}, its header {len(header)}")
    return [dict(zip(header, row, strict=True)) for row in found]


def _is_header(row: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a first row is of names: all of the baseline's, or nothing else."""
    cells, known = {cell.strip() for cell in row}, {*names}
    return len(cells) == len(row) and (cells <= known or cells >= known)


def _json_rows(data: str, names: Sequence[str]) -> list[list[str] | dict[str, Any]]:
    try:
        value = _parsed(data)
    except (ValueError, RecursionError) as error:
        try:
            lines = [_parsed(line) for line in data.split("\n") if line.strip()]
        except (ValueError, RecursionError):
            raise Refused("said to be JSON is not") from error
        if len(lines) <= 1:  # which was tried before
            raise Refused("has no data" if not lines else "said to be JSON is not") from error
        return [row for line in lines for row in _rows_of(line, names)]
    return _rows_of(value, names)


def _parsed(text: str) -> Any:
    """JSON with its numbers as they are written: they are read later, as those of CSV are."""
    return _DECODER.decode(text)


def _rows_of(
    value: Any, names: Sequence[str], *, outermost: bool = True
) -> list[list[str] | dict[str, Any]]:
    if isinstance(value, dict):
        if any(name in value for name in names):
            return [value]
        inside = next((value[key] for key in WRAPPERS if key in value), None)
        if inside is None:
            raise Refused(f"has none of the baseline's fields, but {listed(value, 3) or 'nothing'}")
        return _rows_of(inside, names)
    if not isinstance(value, list):
        return [[_scalar(value)]]
    if any(isinstance(one, dict | list) for one in value) and not _is_row(value, names):
        return [row for one in value for row in _rows_of(one, names, outermost=False)]
    if len(names) == 1 and outermost:  # [0.1, 0.7]: a prediction each
        return [[_scalar(one)] for one in value]
    return [[_scalar(one) for one in value]] if value else []


def _is_row(value: list[Any], names: Sequence[str]) -> bool:
    """Whether a list that holds lists or objects is a row of values: some of them are scalars."""
    return len(value) == len(names) and any(not isinstance(one, dict | list) for one in value)


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _extras(
    number: int, row: Mapping[str, Any], known: Collection[str]
) -> list[tuple[int, str, str]]:
    new = [name for name in row if name not in known]
    if len(new) > _EXTRAS:
        raise Refused(f"has {len(new)} fields that the baseline does not have")
    return [(number, name, _scalar(row[name])) for name in new]


def _values(count: int) -> str:
    return "1 value" if count == 1 else f"{count} values"


def _csv_line(row: Sequence[str]) -> str:
    line = ",".join(row)
    if not is_utf8(line):
        raise Refused("is no UTF-8")
    if line.count(",") == len(row) - 1 and not any(mark in line for mark in '"\r\n'):
        return line or '""'  # an empty line would be none
    return ",".join(_quoted(value) for value in row)


def _quoted(value: str) -> str:
    if any(mark in value for mark in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value
