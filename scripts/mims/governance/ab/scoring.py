"""How good an answer was, by the label that came for it.

Goes in: a captured response, its label, and how a design scores. Comes out: a number, the higher
the better; or why there is none. A response is to one request: a number, a class, or a number for
each class, or a class by its name with numbers beside it; as CSV or as JSON, below `predictions`
and the like. Asks nobody.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from typing import Any

from mims.governance.ab.design import CORRECT, LABEL
from mims.governance.captures.lines import CSV, Refused

# What servers put answers below, or an answer's best part.
_INSIDE = (
    *("predictions", "outputs", "results", "instances", "data"),
    *("predicted_label", "prediction", "label", "probabilities", "score"),
)
_DEEPEST = 10
_WHOLE = re.compile(r"[+-]?[0-9]+")  # as it is written: scores are 0.0 and 1.0, or both whole


def score(by: str, response: str, kind: str, label: str) -> float:
    """Score a response; `kind` says whether it is CSV or JSON.

    By `correct`, 1 where the prediction is the label, else 0: of several values the one that is no
    number is the prediction; of a whole number and a fraction, as in 1,0.93, the whole one, beside
    which is its probability; of several other numbers the greatest's position; of one from 0 to 1
    whether it is 0.5 or more, if the label is 0 or 1. By `label`, the label. By `error`, how far
    the prediction is from the label, below 0.

    Raises:
        Refused: there is no such number.

    """
    if by == LABEL:
        return _finite(label, "label")
    values = prediction(response, kind)
    if by == CORRECT:
        return float(_is_correct(values, label))
    if len(values) != 1:
        raise Refused(f"has {len(values)} values, where one was to be predicted")
    return -abs(_finite(values[0], "prediction") - _finite(label, "label"))


def prediction(response: str, kind: str) -> list[str]:
    """Give the values of the one answer that a response holds.

    Raises:
        Refused: it holds none, or several.

    """
    if kind == CSV:
        try:
            found = [row for row in csv.reader(io.StringIO(response, newline="")) if row]
        except csv.Error as error:
            raise Refused(f"is no CSV: {error}") from error
        if len(found) > 1:
            raise Refused(f"answers {len(found)} records at once: none can be told from the others")
        values = [value.strip() for row in found for value in row]
    else:
        try:
            values = _flat(json.loads(response, parse_float=str, parse_int=str), _DEEPEST)
        except (ValueError, RecursionError) as error:
            raise Refused("said to be JSON is not") from error
    if not any(values):
        raise Refused("has no data")
    return values


def _flat(value: Any, deepest: int) -> list[str]:
    """The values of one answer, whatever is around it."""
    if isinstance(value, dict) and deepest:
        name = next((name for name in _INSIDE if name in value), None)
        if name is None and len(value) == 1:
            name = next(iter(value))
        if name is None:
            named = [one for one in value.values() if isinstance(one, str) and _is_name(one)]
            if len(named) == 1:
                return named
            raise Refused(f"is an object without any of {', '.join(_INSIDE)}")
        return _flat(value[name], deepest - 1)
    if isinstance(value, list) and deepest:
        if not any(isinstance(one, dict | list) for one in value):
            return [_text(one) for one in value]
        if len(value) == 1:
            return _flat(value[0], deepest - 1)
        raise Refused(f"answers {len(value)} records at once: none can be told from the others")
    return [_text(value)]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value).strip()


def _is_correct(values: list[str], label: str) -> bool:
    wanted = _number(label)
    names = [value for value in values if _is_name(value)] if len(values) > 1 else []
    if len(names) > 1:
        raise Refused(f"has {len(names)} values that are no numbers: one is to be the prediction")
    if names:
        return names[0] == label
    if code := _code(values):
        return _number(code) == wanted
    if len(values) > 1:
        if not wanted.is_integer() or not 0 <= wanted < len(values):
            raise Refused(f"has {len(values)} values, and its label is no position of one")
        numbers = [_number(value) for value in values]
        return not any(map(math.isnan, numbers)) and numbers.index(max(numbers)) == wanted
    predicted = _number(values[0])
    if math.isnan(predicted) or math.isnan(wanted):
        return values[0] == label
    if 0 <= predicted <= 1 and wanted in (0, 1):
        return (predicted >= 0.5) == bool(wanted)
    return predicted == wanted


def _code(values: list[str]) -> str:
    """The class of a class and its probability; "" where it is not one of two."""
    whole = [value for value in values if _WHOLE.fullmatch(value)]
    shares = [value for value in values if value not in whole and 0 <= _number(value) <= 1]
    return whole[0] if len(whole) == len(shares) == 1 and len(values) == 2 else ""


def _is_name(text: str) -> bool:
    """Whether it is neither a number, not even "nan", nor empty."""
    try:
        float(text)
    except ValueError:
        return bool(text)
    return False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _finite(text: str, what: str) -> float:
    found = _number(text)
    if not math.isfinite(found):
        raise Refused(f"has a {what} that is no number")
    return found
