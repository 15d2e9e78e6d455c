"""Settings from environment variables: declared once, parsed and checked together.

A `Setting` says what a variable means; a contract lists them. The same declarations make the
parsed values, the text of `--help` and the README's tables.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Mapping, NamedTuple, Sequence

from mims.errors import InputError, Problems
from mims.text import is_utf8


class NotAllowedError(ValueError):
    """What is wrong inside a value, a text a problem: "is …", to follow the setting's name."""


class Kind(NamedTuple):
    """What values a setting takes. `parse` raises ValueError on any other."""

    allowed: str
    parse: Callable[[str], Any]


class Setting(NamedTuple):
    """One environment variable, or with a `<…>` in its name all those that share its prefix."""

    name: str
    description: str
    kind: Kind
    default: str | None = None
    required: bool = False

    @property
    def prefix(self) -> str:
        """What names of a family begin with; empty for a single variable."""
        return self.name.partition("<")[0] if "<" in self.name else ""

    def read(self, environ: Mapping[str, str]) -> Any:
        """Give the parsed value, a dict by rest of the name for a family, None when unset.

        Raises:
            InputError: a value is missing or not allowed; it names the variable.

        """
        if self.prefix:
            given = {k[len(self.prefix) :]: k for k in sorted(environ) if k.startswith(self.prefix)}
            return {rest: self._parse(name, environ[name]) for rest, name in given.items()}
        value = environ.get(self.name, self.default)
        if self.required and not value:
            raise InputError(f"{self.name} is not set: {self.description}")
        return None if value is None else self._parse(self.name, value)

    def _parse(self, name: str, value: str) -> Any:
        try:
            return self.kind.parse(value)
        except NotAllowedError as error:
            raise InputError(*(f"{name} {problem}" for problem in error.args)) from error
        except ValueError as error:
            raise InputError(f"{name} is {value!r}: must be {self.kind.allowed}") from error


def read_settings(settings: Sequence[Setting], environ: Mapping[str, str]) -> dict[str, Any]:
    """Read all settings, by name, or raise one `InputError` with everything that is wrong."""
    values: dict[str, Any] = {}
    problems = Problems()
    for setting in settings:
        with problems.gather():
            values[setting.name] = setting.read(environ)
    problems.raise_any()
    return values


def _any_text(text: str) -> str:
    if not is_utf8(text):
        raise ValueError
    return text


def _not_empty(text: str) -> str:
    if not text.strip():
        raise ValueError
    return _any_text(text)


def _texts_by_name(text: str) -> dict[str, str]:
    """Give an object's values as texts: a number is what stands there."""
    import json  # seldom needed, and slow to load

    try:  # objects become tuples of pairs, so that no name gets lost
        pairs = json.loads(text, object_pairs_hook=tuple, parse_int=str, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise NotAllowedError(f"is no JSON: {error}; must be {TEXTS_BY_NAME.allowed}") from error
    if not isinstance(pairs, tuple):
        raise NotAllowedError(f"is no JSON object: must be {TEXTS_BY_NAME.allowed}")
    values: dict[str, str] = {}
    problems = []
    for name, value in pairs:
        if name in values:
            problems.append(f"has {name!r} twice")
        elif not isinstance(value, str):
            problems.append(f"gives {name!r} {_NO_TEXT[type(value)]}: must be a text or a number")
        elif "\0" in value or not is_utf8(value):
            problems.append(f"gives {name!r} the text {value!r}, which no request can hold")
        values[name] = value
    if problems:
        raise NotAllowedError(*problems)
    return values


_NO_TEXT = {
    bool: "true or false",
    type(None): "null",
    list: "a list",
    tuple: "an object",
    float: "NaN or Infinity",
}
ANY_TEXT = Kind("text", _any_text)
TEXT = Kind("text that is not empty", _not_empty)
TEXTS_BY_NAME = Kind(
    'a JSON object of texts and numbers such as {"a": "x", "b": 1}', _texts_by_name
)


def one_of(*choices: str) -> Kind:
    """One of a few words."""

    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return Kind(" or ".join(choices), parse)


def some_of(*choices: str) -> Kind:
    """A comma-separated list of words, each one of a few, none twice."""

    def parse(text: str) -> list[str]:
        words = [word.strip() for word in text.split(",")]
        if len(set(words)) != len(words) or not set(words) <= set(choices):
            raise ValueError
        return words

    return Kind(f"a comma-separated list, each once, of {', '.join(choices)}", parse)


def names() -> Kind:
    """A comma-separated list of names, none empty, none twice."""

    def parse(text: str) -> list[str]:
        words = [word.strip() for word in _any_text(text).split(",")]
        if "" in words or len(set(words)) != len(words):
            raise ValueError
        return words

    return Kind("a comma-separated list of names, each once", parse)


def integer(least: int, most: int | None = None) -> Kind:
    """A whole number in a range."""

    def parse(text: str) -> int:
        if not text.strip().isdigit() or int(text) < least or (most and int(text) > most):
            raise ValueError
        return int(text)

    limits = f"from {least} to {most}" if most else f"of at least {least}"
    return Kind(f"a whole number {limits}", parse)


def number() -> Kind:
    """A finite decimal number."""

    def parse(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or "_" in text:  # 1_000 is a number to Python alone
            raise ValueError
        return value

    return Kind("a finite number such as 0.0 or -12.5", parse)


def true_or_false() -> Kind:
    """`true` or `false`, in any case."""

    def parse(text: str) -> bool:
        word = text.strip().lower()
        if word not in ("true", "false"):
            raise ValueError
        return word == "true"

    return Kind("true or false", parse)
