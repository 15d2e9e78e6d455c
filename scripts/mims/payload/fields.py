"""What a model takes: the names and types of its fields, from the shapes that trainers write.

Goes in: decoded hyperparameters. Comes out: the fields in order. The shapes, most telling first:
a typed map (`source_model_inference_input_variable_list`, `field_info`, `field_types`), a text
model's `text_name` or `primary_text_name` and `secondary_text_name`, lists (`full_field_list`,
`tab_field_list`, `cat_field_list`).
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any, Iterable, Mapping, NamedTuple

from mims.errors import InputError, Problems
from mims.text import is_utf8, listed

log = logging.getLogger("mims")

NUMERIC, TEXT = "NUMERIC", "TEXT"
TYPES = {
    **dict.fromkeys(("numeric", "number", "int", "integer", "long", "float", "double"), NUMERIC),
    **dict.fromkeys(("text", "string", "str", "categorical", "category"), TEXT),
}
TYPED_MAPS = ("source_model_inference_input_variable_list", "field_info", "field_types")
TEXT_NAMES = ("text_name", "primary_text_name", "secondary_text_name")
LISTS = ("full_field_list", "tab_field_list", "cat_field_list")


class Field(NamedTuple):
    """One input of a model."""

    name: str
    type: str


def model_fields(hyperparameters: Mapping[str, Any], columns: Iterable[str] = ()) -> list[Field]:
    """Give a model's input fields, in the order of `columns` where that names them all.

    Raises:
        InputError: with everything that is wrong with their names or types, or that none are told.

    """
    for key in TYPED_MAPS:
        if hyperparameters.get(key):
            pairs = _typed(key, hyperparameters[key])
            break
    else:
        pairs = _listed(hyperparameters)
    if not pairs:
        known = (*TYPED_MAPS, *TEXT_NAMES, *LISTS)
        raise InputError(f"hyperparameters.json names no field; it may by {listed(known)}")
    _check_names([name for name, _ in pairs])
    return _in_order([Field(*pair) for pair in pairs], list(columns))


def _typed(key: str, value: Any) -> list[tuple[str, str]]:
    pairs = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(pairs, list) or not all(
        isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs
    ):
        raise InputError(f"hyperparameters.json: {key} has to map names to types")
    problems = Problems()
    for name, kind in pairs:
        if str(kind).lower() not in TYPES:
            problems.found.append(
                f"hyperparameters.json: {key}: field {name!r} is of type {kind!r}; "
                f"known are {listed(TYPES)}"
            )
    problems.raise_any()
    return [(name, TYPES[str(kind).lower()]) for name, kind in pairs]


def _listed(hyperparameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    full, numeric, categorical = (_names(hyperparameters, key) for key in LISTS)
    both = set(numeric) & set(categorical)
    if both:
        raise InputError(
            f"hyperparameters.json: {listed(sorted(both))} is in tab_field_list and cat_field_list"
        )
    texts = [name for name in (_name(hyperparameters, key) for key in TEXT_NAMES) if name]
    label, identity = (_name(hyperparameters, key) for key in ("label_name", "id_name"))
    # A text model is asked with the id of the text; a tabular one is not.
    first = [identity] if texts and identity else []
    left_out = ({label} if texts else {label, identity}) - {""}
    names = full or [*first, *texts, *numeric, *categorical]
    names = [*names, *(name for name in (*first, *texts) if name not in names)]
    typed = {*numeric, *categorical, *texts, *first, *left_out}
    untyped = [name for name in names if name not in typed]
    if untyped:
        log.info("taken for text, as no list gives a type: %s", listed(untyped))
    types = {**dict.fromkeys(names, TEXT), **dict.fromkeys(numeric, NUMERIC)}
    return [(name, types[name]) for name in names if name not in left_out]


def _names(hyperparameters: Mapping[str, Any], key: str) -> list[str]:
    value = hyperparameters.get(key) or []
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InputError(f"hyperparameters.json: {key} has to be a list of names: {value!r:.200}")
    return value


def _name(hyperparameters: Mapping[str, Any], key: str) -> str:
    value = hyperparameters.get(key) or ""
    if not isinstance(value, str):
        raise InputError(f"hyperparameters.json: {key} has to be a name: {value!r:.200}")
    return value


def _check_names(names: list[Any]) -> None:
    problems = Problems()
    for name in names:
        if not isinstance(name, str) or not name.strip() or "\0" in name or not is_utf8(name):
            problems.found.append(f"hyperparameters.json: {name!r} is no name of a field")
    twice = sorted(name for name, count in Counter(map(repr, names)).items() if count > 1)
    if twice:
        problems.found.append(f"hyperparameters.json: field {listed(twice)} is there twice")
    problems.raise_any()


def _in_order(fields: list[Field], columns: list[str]) -> list[Field]:
    if not columns:
        return fields
    places = {name: place for place, name in reversed(list(enumerate(columns)))}
    missing = [field.name for field in fields if field.name not in places]
    if missing:
        log.warning(
            "feature_columns.txt lacks %s: fields keep the order of hyperparameters.json",
            listed(missing),
        )
        return fields
    return sorted(fields, key=lambda field: places[field.name])
