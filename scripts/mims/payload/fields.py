"""What a model takes: the names and types of its fields, from the shapes that trainers write.

Goes in: decoded hyperparameters, the columns of a CSV request, maps of categories. Comes out: the
fields in order. The shapes, most telling first: a typed map
(`source_model_inference_input_variable_list`, `field_info`, `field_types`), lists
(`full_field_list`, `tab_field_list`, `cat_field_list`). To both belong a text model's `text_name`,
or `primary_text_name` and `secondary_text_name`, and its `id_name`; neither `label_name` nor
another model's `id_name` is an input. Only the first typed map is taken as it stands.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from mims.errors import InputError, Problems
from mims.payload.categories import KEYS, listed_inside, told_categories
from mims.payload.decoding import kind_of, unquoted
from mims.text import is_utf8, listed

log = logging.getLogger("mims")

NUMERIC, TEXT = "NUMERIC", "TEXT"
TYPES = {
    **dict.fromkeys(
        (
            *("numeric", "number", "numerical", "continuous", "int", "integer", "long", "bigint"),
            *("int8", "int16", "int32", "int64", "float", "double", "decimal"),
            *("float16", "float32", "float64"),
        ),
        NUMERIC,
    ),
    **dict.fromkeys(
        ("text", "string", "str", "object", "varchar", "categorical", "category"), TEXT
    ),
}
VARIABLES = "source_model_inference_input_variable_list"
TYPED_MAPS = (VARIABLES, "field_info", "field_types")
TEXT_NAMES = ("text_name", "primary_text_name", "secondary_text_name")
LISTS = ("full_field_list", "tab_field_list", "cat_field_list")
_TEXT_CLASSES = ("bert", "bimodal", "multimodal", "trimodal")  # in a `model_class`


class Field(NamedTuple):
    """One input of a model."""

    name: str
    type: str
    categories: tuple[str, ...] = ()  # that are known; the most usual one first


class _Roles(NamedTuple):
    """What single fields are for."""

    label: str
    identity: str
    texts: list[str]
    is_text_model: bool


def model_fields(
    hyperparameters: Mapping[str, Any],
    columns: Sequence[str] = (),
    categories: Mapping[str, Any] | None = None,
) -> list[Field]:
    """Give a model's input fields, in the order of `columns` where that tells one.

    `categories` are those that files beside hyperparameters.json tell, by field.

    Raises:
        InputError: with everything that is wrong with their names or types, or that none are told.

    """
    key = next((key for key in TYPED_MAPS if hyperparameters.get(key)), None)
    roles = _roles(hyperparameters)
    fields = _typed(key, hyperparameters[key]) if key else _listed(hyperparameters, roles)
    if key != VARIABLES:
        fields = _inputs(fields, roles)
    if not fields:
        known = (*TYPED_MAPS, *TEXT_NAMES, *LISTS)
        raise InputError(f"hyperparameters.json names no field; it may by {listed(known)}")
    _check_names([field.name for field in fields])
    maps = [*(hyperparameters.get(key) for key in KEYS), categories]
    fields = [_with_categories(field, maps) for field in fields]
    _check_categories(fields)
    return _in_order(fields, columns, may_lack=key != VARIABLES and not roles.is_text_model)


def _roles(hyperparameters: Mapping[str, Any]) -> _Roles:
    problems = Problems()
    names = dict.fromkeys(("label_name", "id_name", *TEXT_NAMES), "")
    for key in names:
        value = hyperparameters.get(key)
        if value and not isinstance(value, str):
            problems.found.append(
                f"hyperparameters.json: {key} has to be a name, not {kind_of(value)}"
            )
        names[key] = value or ""
    problems.raise_any()
    texts = [names[key] for key in TEXT_NAMES if names[key]]
    model_class = str(hyperparameters.get("model_class")).lower()
    is_text_model = bool(texts) or any(word in model_class for word in _TEXT_CLASSES)
    return _Roles(names["label_name"], names["id_name"], texts, is_text_model)


def _typed(key: str, value: Any) -> list[Field]:
    problems = Problems()
    fields = []
    for name, told in _pairs(key, value):
        entry = unquoted(told)
        kind = entry.get("type") if isinstance(entry, dict) else entry
        if not isinstance(name, str):
            problems.found.append(
                f"hyperparameters.json: {key}: {kind_of(name)} is no field's name"
            )
        elif str(kind).lower() not in TYPES:
            problems.found.append(
                f"hyperparameters.json: {key}: field {name!r} is of type "
                f"{repr(kind[:40]) if isinstance(kind, str) else kind_of(kind)}; "
                f"known are {listed(TYPES, limit=len(TYPES))}"
            )
        else:
            fields.append(Field(name, TYPES[str(kind).lower()], listed_inside(entry)))
    problems.raise_any()
    return fields


def _pairs(key: str, value: Any) -> list[tuple[Any, Any]]:
    """Names and types, from {name: type}, [[name, type], …] or [{"name": …, "type": …}, …]."""
    if isinstance(value, dict):
        return list(value.items())
    pairs = []
    for entry in value if isinstance(value, list) else [None]:
        if isinstance(entry, dict) and "name" in entry:
            pairs.append((entry["name"], entry))
        elif isinstance(entry, list) and len(entry) == 2:
            pairs.append((entry[0], entry[1]))
        else:
            raise InputError(f"hyperparameters.json: {key} has to map names to types")
    return pairs


def _listed(hyperparameters: Mapping[str, Any], roles: _Roles) -> list[Field]:
    full, numeric, categorical = _lists(hyperparameters)
    both = set(numeric) & {*categorical, *roles.texts}
    if both:
        raise InputError(
            f"hyperparameters.json: {listed(sorted(both))} is in tab_field_list, for numeric "
            f"fields, and in {'cat_field_list' if both & set(categorical) else 'a text_name'}"
        )
    if roles.is_text_model and not roles.texts and not full:
        log.warning(
            "model_class is %s, and none of %s names its text",
            hyperparameters["model_class"],
            listed(TEXT_NAMES),
        )
    typed = [*numeric, *categorical]
    known = set(full)
    lacking = [name for name in typed if name not in known] if full else []
    if lacking:
        log.warning("full_field_list lacks %s: taken from the other lists", listed(lacking))
    names = [*full, *lacking] or typed
    known = {*typed, *roles.texts, roles.label, roles.identity}
    untyped = [name for name in names if name not in known]
    if untyped:
        log.info("taken for text, as no list gives a type: %s", listed(untyped))
    types = dict.fromkeys(numeric, NUMERIC)
    return [Field(name, types.get(name, TEXT)) for name in names]


def _lists(hyperparameters: Mapping[str, Any]) -> list[list[str]]:
    problems = Problems()
    lists = []
    for key in LISTS:
        value = hyperparameters.get(key) or []
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            problems.found.append(
                f"hyperparameters.json: {key} has to be a list of names: it is {kind_of(value)}"
            )
        lists.append(value)
    problems.raise_any()
    return lists


def _inputs(fields: list[Field], roles: _Roles) -> list[Field]:
    """Leave out what is no input. A text model is asked with the id of the text; others are not."""
    left_out = {roles.label} if roles.is_text_model else {roles.label, roles.identity}
    inputs = [field for field in fields if not field.name or field.name not in left_out]
    first = [roles.identity, *roles.texts] if roles.is_text_model else []
    told = {field.name for field in fields} | {roles.label, ""}
    return [*(Field(name, TEXT) for name in dict.fromkeys(first) if name not in told), *inputs]


def _with_categories(field: Field, maps: list[Any]) -> Field:
    if field.type == NUMERIC:
        return field._replace(categories=())
    return field._replace(categories=field.categories or told_categories(field.name, maps))


def _check_names(names: list[str]) -> None:
    problems = Problems()
    for name in names:
        if not name.strip() or not _is_sendable(name):
            problems.found.append(f"hyperparameters.json: {name!r:.200} is no name of a field")
    twice = sorted(name for name, count in Counter(map(repr, names)).items() if count > 1)
    if twice:
        problems.found.append(f"hyperparameters.json: field {listed(twice)} is there twice")
    problems.raise_any()


def _check_categories(fields: Iterable[Field]) -> None:
    problems = Problems()
    for field in fields:
        bad = [category for category in field.categories if not _is_sendable(category)]
        if bad:
            problems.found.append(
                f"field {field.name!r:.200} has {len(bad)} categories that no request can hold"
            )
    problems.raise_any()


def _is_sendable(text: str) -> bool:
    return "\0" not in text and is_utf8(text)


def _in_order(fields: list[Field], columns: Sequence[str], *, may_lack: bool) -> list[Field]:
    """Order the fields, or leave them as they are where the columns are not those of a request."""
    if not columns:
        return fields
    by_name = {field.name: field for field in fields}
    named = [name if name in by_name else name.strip() for name in columns]
    counts = Counter(named)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise InputError(f"feature_columns.txt has {listed(twice)} twice")
    lacking = [field.name for field in fields if field.name not in counts]
    others = [name for name in named if name not in by_name]
    if lacking and (others or not may_lack):
        log.warning(
            "feature_columns.txt lacks %s: fields keep the order of hyperparameters.json",
            listed(lacking),
        )
        return fields
    if lacking:
        log.warning("left out, as feature_columns.txt lacks them: %s", listed(lacking))
    if others:
        log.warning(
            "feature_columns.txt has columns that are no field of hyperparameters.json, and no "
            "part of the sample: %s",
            listed(others),
        )
    return [by_name[name] for name in named if name in by_name]
