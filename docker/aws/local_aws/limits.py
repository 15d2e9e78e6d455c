"""The limits that a botocore service model states for a request, checked.

In: the shape of an operation's input and the parameters of one request, as boto3 takes them or as
they travel in JSON. Out: every violation, in the wording of AWS's own ValidationException. It
stands on botocore alone, sends nothing and changes nothing. botocore itself checks required
members, types and minimums before it sends; it never checks patterns, maximums and enums.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from botocore.model import ListShape, MapShape, StructureShape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from botocore.model import Shape

# What a value of a type may be in Python. Timestamps and blobs have many forms: any will do.
_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "list": (list, tuple),
    "map": (dict,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
}
_NESTED = ("structure", "list", "map")
_SIZED = ("string", "list", "map")


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Yield a sentence for each limit of `shape` that `value`, which stands at `path`, breaks."""
    for limit in _broken(shape, value):
        yield _sentence(shape, value, path, limit)
    if not _fits(shape, value):
        return
    if isinstance(shape, StructureShape):
        yield from _in_structure(shape, value, path)
    elif isinstance(shape, ListShape):
        yield from _in_list(shape, value, path)
    elif isinstance(shape, MapShape):
        yield from _in_map(shape, value, path)


def message(found: Sequence[str]) -> str:
    """Return what a ValidationException says about the violations `found`."""
    errors = "error" if len(found) == 1 else "errors"
    return f"{len(found)} validation {errors} detected: {'; '.join(found)}"


def _in_structure(shape: StructureShape, value: dict[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        # AWS names ModelPackageGroupName modelPackageGroupName.
        at = f"{path}{'.' if path else ''}{name[0].lower()}{name[1:]}"
        if value.get(name) is not None:
            yield from violations(member, value[name], at)
        elif name in shape.required_members:
            yield _sentence(member, None, at, "Member must not be null")


def _in_list(shape: ListShape, value: Sequence[Any], path: str) -> Iterator[str]:
    if shape.member.type_name in _NESTED:
        for number, item in enumerate(value, 1):
            yield from violations(shape.member, item, f"{path}.{number}.member")
    elif any(_broken(shape.member, item) for item in value):
        yield _sentence(shape, value, path, f"Member {_satisfy(shape.member)}")


def _in_map(shape: MapShape, value: dict[str, Any], path: str) -> Iterator[str]:
    if any(_broken(shape.key, key) for key in value):
        yield _sentence(shape, value, path, f"Map keys {_satisfy(shape.key)}")
    if shape.value.type_name in _NESTED:
        for key, item in value.items():
            yield from violations(shape.value, item, f"{path}.{key}.member")
    elif any(_broken(shape.value, item) for item in value.values()):
        yield _sentence(shape, value, path, f"Map value {_satisfy(shape.value)}")


def _satisfy(shape: Shape) -> str:
    return f"must satisfy constraint: [{', '.join(limit for limit, _ in _limits(shape))}]"


def _broken(shape: Shape, value: Any) -> list[str]:
    """Return the limits of `shape` itself, not of what is in it, that `value` breaks."""
    if not _fits(shape, value):
        return [f"Member must be of type {shape.type_name}"]
    return [limit for limit, holds in _limits(shape) if not holds(value)]


def _fits(shape: Shape, value: Any) -> bool:
    return isinstance(value, _TYPES.get(shape.type_name, object))


def _limits(shape: Shape) -> list[tuple[str, Callable[[Any], bool]]]:
    """Return each limit of `shape` as AWS words it, with what tells whether a value keeps to it."""
    if shape.type_name not in _TYPES:
        return []
    limits = shape.metadata
    what = "length" if shape.type_name in _SIZED else "value"
    stated: dict[str, tuple[str, Callable[[Any], bool]]] = {
        "max": (
            f"Member must have {what} less than or equal to {limits.get('max')}",
            lambda value: _size(value) <= limits["max"],
        ),
        "min": (
            f"Member must have {what} greater than or equal to {limits.get('min')}",
            lambda value: _size(value) >= limits["min"],
        ),
        "pattern": (
            f"Member must satisfy regular expression pattern: {limits.get('pattern')}",
            lambda value: _regex(limits["pattern"]).fullmatch(value) is not None,
        ),
        "enum": (
            f"Member must satisfy enum value set: [{', '.join(limits.get('enum', ()))}]",
            lambda value: value in limits["enum"],
        ),
    }
    return [limit for name, limit in stated.items() if name in limits]


def _size(value: Any) -> float:
    return value if isinstance(value, (int, float)) else len(value)


def _sentence(shape: Shape, value: Any, path: str, limit: str) -> str:
    if value is None:
        shown = " null"
    elif shape.metadata.get("sensitive"):
        shown = ""
    else:
        shown = f" '{_shown(value)}'"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {limit}"


def _shown(value: Any) -> str:
    """Write a value as the service does: Java's notation."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value)


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    """Return Python's form of a service model's pattern, which is in Java's dialect."""
    # Characters beyond 16 bits are written as surrogate pairs.
    pattern = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    # An anchor may be repeated, which changes nothing.
    pattern = re.sub(r"\$\{\d+,\d+\}", "$", pattern)
    # SageMaker's runtime has this class outside of brackets.
    pattern = pattern.replace(r"\p{ASCII}*", r"[\x00-\x7f]*")
    # It writes the ends of a text as Java does; a printable character is ASCII's.
    pattern = pattern.replace(r"\z", r"\Z").replace(r"\p{Print}", r"\x20-\x7e")
    # Classes of characters have names; \w, \d and \s are ASCII's.
    pattern = re.sub(r"\\p\{(\w+)\}", lambda named: _characters(named[1]), pattern)
    return re.compile(pattern, re.ASCII)


@cache
def _characters(name: str) -> str:
    """Return the characters of a Unicode category, or of Alnum, as ranges within [ and ]."""
    if name == "Alnum":
        return "a-zA-Z0-9"
    codes = range(sys.maxunicode + 1)
    inside = [code for code in codes if unicodedata.category(chr(code)).startswith(name)]
    # What stays the same along a run of neighbours tells the runs apart.
    runs = [list(run) for _, run in groupby(enumerate(inside), lambda pair: pair[1] - pair[0])]
    return "".join(rf"\U{run[0][1]:08x}-\U{run[-1][1]:08x}" for run in runs)
