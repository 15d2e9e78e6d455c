"""What a sample request says in each field.

Goes in: the fields and the settings. Comes out: a value for each, typed by the field, and which
setting it came from.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Mapping, NamedTuple, Sequence, Union

from mims.errors import InputError, Problems
from mims.payload.fields import NUMERIC, Field
from mims.settings import number
from mims.text import listed

log = logging.getLogger("mims")

SPECIAL = "SPECIAL_FIELD_"
Value = Union[int, float, str]


class Chosen(NamedTuple):
    """A field's value and the setting that gave it."""

    value: Value
    source: str


def choose_values(
    fields: Sequence[Field], settings: Mapping[str, Any], timestamp: str
) -> dict[str, Chosen]:
    """Give each field its value, by name.

    A `SPECIAL_FIELD_<fieldname>` of the exact name goes first, then one that differs in case, then
    the default of the field's type.

    Raises:
        InputError: with every setting that does not fit its field.

    """
    special: dict[str, str] = settings[SPECIAL + "<fieldname>"]
    given = _assigned(special, fields)
    chosen: dict[str, Chosen] = {}
    problems = Problems()
    for field in fields:
        with problems.gather():
            chosen[field.name] = _value(field, given.get(field.name), special, settings, timestamp)
    problems.raise_any()
    return chosen


def _assigned(special: Mapping[str, str], fields: Sequence[Field]) -> dict[str, str]:
    """Which special setting belongs to which field, by the field's name."""
    names = [field.name for field in fields]
    assigned: dict[str, str] = {}
    loose = []
    for rest in special:
        if rest in names:
            assigned[rest] = rest
        else:
            loose.append(rest)
    for rest in loose:
        alike = [name for name in names if name.lower() == rest.lower()]
        if not alike:
            log.warning(
                "%s%s is for no field of this model; its fields are %s",
                SPECIAL,
                rest,
                listed(names),
            )
        for name in alike:
            assigned.setdefault(name, rest)
    return assigned


def _value(
    field: Field,
    rest: str | None,
    special: Mapping[str, str],
    settings: Mapping[str, Any],
    timestamp: str,
) -> Chosen:
    if rest is None and field.type == NUMERIC:
        return Chosen(settings["DEFAULT_NUMERIC_VALUE"], "DEFAULT_NUMERIC_VALUE")
    if rest is None:
        return Chosen(settings["DEFAULT_TEXT_VALUE"], "DEFAULT_TEXT_VALUE")
    text, source = special[rest], SPECIAL + rest
    if field.type != NUMERIC:
        return Chosen(text.replace("{timestamp}", timestamp), source)
    try:
        return Chosen(_number(text), source)
    except ValueError:
        raise InputError(
            f"{source} is {text!r}: the field is NUMERIC, so it must be a number"
        ) from None


def _number(text: str) -> Value:
    """A number as it was written: 5 stays an integer."""
    if re.fullmatch(r"-?[0-9]+", text.strip()):
        return int(text)
    value: float = number().parse(text)
    return value
