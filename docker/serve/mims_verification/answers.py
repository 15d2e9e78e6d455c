"""Whether an answer of /invocations is one: status, content type, form, and predictions in it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import NoReturn

_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP."""

    status: int
    content_type: str
    body: bytes

    @property
    def shown(self) -> str:
        """Its beginning, for a report."""
        return self.body.decode("utf-8", "replace").strip()[:_SHOWN_CHARACTERS]

    def problem(self, accept: str) -> str | None:
        """Say what is wrong with it as an answer of the type that was asked for, if anything is."""
        if self.status != HTTPStatus.OK:
            return f"answered {self.status}: {self.shown}"
        if self.content_type.partition(";")[0].strip() != accept:
            return f"answered in {self.content_type}"
        if not self.body.strip():
            return "the answer is empty"
        if accept not in _HOLDS_PREDICTIONS:
            return None
        try:
            held = _HOLDS_PREDICTIONS[accept](self.body.decode("utf-8"))
        except (ValueError, csv.Error) as error:
            return f"the answer is no {accept}: {error}"
        return None if held else f"the answer holds no predictions: {self.shown}"


def _in_json(text: str) -> bool:
    answer = json.loads(text, parse_constant=_no_constant)
    predictions = answer.get("predictions", answer) if isinstance(answer, dict) else answer
    return predictions not in (None, "", [], {})


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _in_json_lines(text: str) -> bool:
    return all(_in_json(line) for line in text.splitlines())


def _in_csv(text: str) -> bool:
    return any(any(row) for row in csv.reader(io.StringIO(text, newline=""), strict=True))


_HOLDS_PREDICTIONS = {
    "application/json": _in_json,
    "application/jsonlines": _in_json_lines,
    "text/csv": _in_csv,
}
