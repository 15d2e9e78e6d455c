"""The known categories of a field, from the shapes that trainers write.

Goes in: what hyperparameters.json, or a file of `FILES` beside it, says of one field. Comes out:
its categories as texts; the most usual one first where that is told, and what stands for a missing
value last. Where the shape is another, nothing: it tells something else.
"""

from __future__ import annotations

import math
from typing import Any, Mapping

from mims.payload.decoding import unquoted

# Maps from a field's name to its categories: hyperparameters, and files of their own.
KEYS = (
    "categorical_processor_mappings",
    "categorical_mappings",
    "categorical_values",
    "cat_field_values",
    "label_encoders",
    "categories",
)
FILES = ("categorical_mappings.json", "label_encoders.json")
_INSIDE = ("categories", "values", "all_levels", "levels", "classes", "bins")
_NO_VALUE = {"", "nan", "none", "null", "na", "n/a", "missing", "unknown", "<unk>", "<pad>"}


def told_categories(name: str, maps: list[Any]) -> tuple[str, ...]:
    """Give what the first of the maps that knows the field says of it."""
    for told in maps:
        if isinstance(told, dict) and name in told:
            entry = unquoted(told[name])
            known = listed_inside(entry) or _texts(_plain(entry))
            if known:
                return known
    return ()


def listed_inside(entry: Any) -> tuple[str, ...]:
    """Give the categories of an object that lists them: {"categories": [...], "mode": ...}."""
    if isinstance(entry, dict):
        for key in _INSIDE:
            if isinstance(entry.get(key), (list, dict)):
                usual = [entry["mode"]] if "mode" in entry else []
                return _texts([*usual, *_plain(entry[key])])
    return ()


def _plain(told: Any) -> list[Any]:
    """Categories in a list, or in a map from them to codes, or from codes to them."""
    if isinstance(told, list):
        return told
    if isinstance(told, dict):
        if all(map(_is_number, told.values())):
            return list(told)
        if all(isinstance(value, str) for value in told.values()) and _are_codes(told):
            return list(told.values())
    return []


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_codes(told: Mapping[str, Any]) -> bool:
    return all(code.lstrip("-").isdigit() for code in told)


def _texts(told: list[Any]) -> tuple[str, ...]:
    said = [
        value
        for value in told
        if isinstance(value, str)
        or (_is_number(value) and (isinstance(value, int) or math.isfinite(value)))
    ]
    return tuple(sorted(dict.fromkeys(map(str, said)), key=_is_no_value))


def _is_no_value(text: str) -> bool:
    return text.strip().lower() in _NO_VALUE
