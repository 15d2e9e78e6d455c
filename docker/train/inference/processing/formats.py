"""The content types of requests and answers: bytes to rows, predictions to text.

Only form is checked here; what the fields mean is the encoder's business.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from processing.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def from_json(text: str) -> list[dict[str, Any]]:
    """Read `{"instances": [{field: value, …}, …]}`."""
    document = _parse_json(text, "the request")
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise RequestError('JSON must be {"instances": [{"field": value, …}, …]}')
    return [_fields(row, f"instance {position}") for position, row in enumerate(instances, 1)]


def from_json_lines(text: str) -> list[dict[str, Any]]:
    """Read an object a line."""
    lines = [line for line in text.splitlines() if line.strip()]
    return [
        _fields(_parse_json(line, f"line {position}"), f"line {position}")
        for position, line in enumerate(lines, 1)
    ]


def from_csv(text: str) -> list[list[str]]:
    """Read lines of values; a header is left for the encoder to recognise."""
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise RequestError(f"the request is no CSV: {error}") from error


def to_json(predictions: Sequence[Mapping[str, Any]]) -> str:
    """Write `{"predictions": [{output: value, …}, …]}`."""
    return json.dumps({"predictions": predictions})


def to_csv(predictions: Sequence[Mapping[str, Any]]) -> str:
    """Write a line of values a prediction, without a header, as SageMaker's own algorithms do."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(row.values() for row in predictions)
    return text.getvalue()


def _parse_json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise RequestError(f"{what} is no JSON: {error}") from error


def _fields(row: Any, what: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise RequestError(f"{what} must be an object of fields")
    return row
