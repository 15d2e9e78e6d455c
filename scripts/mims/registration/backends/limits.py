"""Holds a request to what its service model states, before it is sent.

Goes in: an operation's input shape and its parameters. Comes out: where each is off its limits,
and how. botocore itself checks required members, types and minimums; this checks lengths, patterns
and enums too, so that a user hears of all problems at once, and by the name of what he wrote.
Sends nothing. The local AWS has a checker of its own: what one of them misses the other can see.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.model import ListShape, MapShape, StructureShape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape


class Violation(NamedTuple):
    """A value off its limits, at a path such as InferenceSpecification.Containers[0].Image."""

    path: str
    value: Any
    must: str


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[Violation]:
    """Yield every violation. Values are of the right types: ours are."""
    for must in off_limits(shape, value):
        yield Violation(path, value, must)
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            at = f"{path}.{name}" if path else name
            if name in value:
                yield from violations(member, value[name], at)
            elif name in shape.required_members:
                yield Violation(at, None, "must be given")
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value):
            yield from violations(shape.member, item, f"{path}[{number}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from violations(shape.key, key, f"{path}.{key}")
            yield from violations(shape.value, item, f"{path}.{key}")


def off_limits(shape: Shape, value: Any) -> Iterator[str]:
    """Yield what a value itself breaks, whatever may be in it."""
    limits = shape.metadata
    sized = shape.type_name in ("string", "list", "map")
    count = len(value) if sized else value
    of = {"string": " characters", "list": " items", "map": " entries"}.get(shape.type_name, "")
    if "max" in limits and count > limits["max"]:
        yield f"must be at most {limits['max']}{of}, not {count}"
    if "min" in limits and count < limits["min"]:
        yield f"must be at least {limits['min']}{of}, not {count}"
    if "enum" in limits and value not in limits["enum"]:
        known = f"one of {', '.join(limits['enum'])}" if len(limits["enum"]) < 20 else "known"
        yield f"must be {known} to SageMaker, as of the boto3 that is installed"
    if "pattern" in limits and not _fits(limits["pattern"], value):
        yield f"must be of the form {limits['pattern']}"


def _fits(pattern: str, text: str) -> bool:
    r"""Match Java's dialect of patterns, as far as service models use it.

    A class such as \p{L} becomes those characters of the text that are of it: there are far too
    many others.
    """
    present = set(text)

    def members(named: re.Match[str]) -> str:
        inside = [c for c in present if unicodedata.category(c).startswith(named[1])]
        return "".join(map(re.escape, sorted(inside))) or "\U0010ffff"  # which is no character

    pattern = re.sub(r"\$\{\d+,\d+\}", "", pattern)  # an anchor, repeated
    pattern = re.sub(r"\\p\{(\w)\}", members, pattern)
    return re.compile(pattern, re.ASCII).fullmatch(text) is not None
