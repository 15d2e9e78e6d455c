"""JSON as trainers write it: into a file, and as SageMaker does, once more into strings.

Goes in: bytes of a file, or a decoded value. Comes out: plain values. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from mims.errors import InputError
from mims.text import listed, printable, repeated

_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def kind_of(value: Any) -> str:
    """What kind of JSON a value is, in words: messages never quote what a model's files hold."""
    return _KINDS.get(type(value), type(value).__name__)


def decoded(shown: str, raw: bytes) -> Any:
    """Decode a file's JSON; `shown` is its name in messages.

    Raises:
        InputError: it is none, or names something twice in one object.

    """
    try:
        return json.loads(raw, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown} is not usable JSON: {printable(str(error))[:300]}") from error


def unquoted(value: Any) -> Any:
    """Decode a value that is JSON in a string, however often; leave any other as it is."""
    if value == "null":
        return None
    with suppress(ValueError, RecursionError):
        while isinstance(value, str) and value.lstrip()[:1] in ("[", "{", '"'):
            value = json.loads(value, object_pairs_hook=once)
    return value


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of names and values, for `json.loads`.

    Raises:
        ValueError: a name is there twice; the text says so.

    """
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError(f"{listed(repeated(name for name, _ in pairs))} is there twice")
    return values
