"""What a sample request says in each field.

Goes in: the fields and the settings. Comes out: a value for each, typed by the field, and where it
came from. Nothing is random, and no clock is read but for `{timestamp}`.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Iterator, Mapping, NamedTuple, Sequence, Union

from mims.errors import InputError, Problems
from mims.payload.fields import NUMERIC, Field
from mims.payload.wording import worded
from mims.settings import number
from mims.text import listed

log = logging.getLogger("mims")

SPECIAL, DEFAULTS = "SPECIAL_FIELD_", "FIELD_DEFAULTS"
CATEGORIES, NAME = "known categories", "name of the field"  # sources that are no setting
Value = Union[int, float, str]


class Chosen(NamedTuple):
    """A field's value and where it came from."""

    value: Value
    source: str


class _Given(NamedTuple):
    """A text that a setting gives for a field."""

    text: str
    source: str
    shown: str  # in messages


def choose_values(
    fields: Sequence[Field], settings: Mapping[str, Any], timestamp: str, *, by_name: bool
) -> dict[str, Chosen]:
    """Give each field its value, by name.

    What a setting gives for the field goes first, then the first of its known categories, then,
    where `by_name`, a text that its name suggests, then the default of its type.

    Raises:
        InputError: with every setting that does not fit its field.

    """
    chosen: dict[str, Chosen] = {}
    problems = Problems()
    given = _given(fields, settings, problems)
    for field in fields:
        with problems.gather():
            if field.name in given:
                chosen[field.name] = _typed(field, given[field.name], timestamp)
            else:
                chosen[field.name] = _made_up(field, settings, by_name=by_name)
    problems.raise_any()
    return chosen


def _given(
    fields: Sequence[Field], settings: Mapping[str, Any], problems: Problems
) -> dict[str, _Given]:
    """What settings give, by field; a special field goes before a default.

    Several names that match a field in any case, and none exactly, are a problem.
    """
    given: dict[str, _Given] = {}
    for texts, prefix, source in (
        (settings[SPECIAL + "<fieldname>"], SPECIAL, SPECIAL + "{}"),
        (settings[DEFAULTS] or {}, f"{DEFAULTS}.", DEFAULTS),
    ):
        unused = set(texts)
        for field, names in _matches(fields, list(texts)):
            unused.difference_update(names)
            if field.name in given:
                continue
            shown = listed(prefix + name for name in names)
            if len(names) > 1:
                problems.found.append(
                    f"{shown} are all for field {field.name!r:.200}: leave one, or give the name "
                    "as the model has it"
                )
            given[field.name] = _Given(texts[names[0]], source.format(names[0]), shown)
        if unused:
            log.warning(
                "%s: no such field; the model's are %s",
                listed(prefix + name for name in sorted(unused)),
                listed(field.name for field in fields),
            )
    return given


def _matches(fields: Sequence[Field], names: Sequence[str]) -> Iterator[tuple[Field, list[str]]]:
    """Which names are for which field: the exact one, or else those that no field has exactly."""
    exact = {field.name for field in fields}.intersection(names)
    loose: dict[str, list[str]] = {}
    for name in names:
        if name not in exact:
            loose.setdefault(name.casefold(), []).append(name)
    for field in fields:
        found = [field.name] if field.name in exact else loose.get(field.name.casefold())
        if found:
            yield field, found


def _typed(field: Field, given: _Given, timestamp: str) -> Chosen:
    if field.type != NUMERIC:
        return Chosen(given.text.replace("{timestamp}", timestamp), given.source)
    try:
        return Chosen(_number(given.text), given.source)
    except ValueError:
        raise InputError(
            f"{given.shown} is {given.text!r}: the field is NUMERIC, so it must be a number"
        ) from None


def _number(text: str) -> Value:
    """A finite number as it was written: 5 stays an integer."""
    value: float = number().parse(text)
    return int(text) if re.fullmatch(r"\s*-?[0-9]+\s*", text) else value


def _made_up(field: Field, settings: Mapping[str, Any], *, by_name: bool) -> Chosen:
    if field.type == NUMERIC:
        return Chosen(settings["DEFAULT_NUMERIC_VALUE"], "DEFAULT_NUMERIC_VALUE")
    if field.categories:
        return Chosen(field.categories[0], CATEGORIES)
    text = worded(field.name) if by_name else None
    if text is not None:
        return Chosen(text, NAME)
    return Chosen(settings["DEFAULT_TEXT_VALUE"], "DEFAULT_TEXT_VALUE")
