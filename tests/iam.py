"""IAM's own decision, as far as our policies go: which statements allow what a request needs.

Goes in: a policy's statements, and an action on a resource with its context. Comes out: the names
of the statements that allow it; none is a refusal. Nothing is denied by name in our policies.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ACCOUNT = "123456789012"  # of the local AWS


class Need(NamedTuple):
    """What IAM is asked about a request, in which region."""

    region: str
    action: str
    resource: str
    context: Mapping[str, str] = {}


def allowing(statements: Sequence[Mapping[str, Any]], need: Need) -> list[str]:
    """The names of the statements that allow it."""
    return [
        statement["Sid"]
        for statement in statements
        if need.action in listed(statement["Action"])
        and any(fnmatchcase(need.resource, pattern) for pattern in listed(statement["Resource"]))
        and all(
            _holds(operator, listed(values), need.context.get(key))
            for operator, tests in statement.get("Condition", {}).items()
            for key, values in tests.items()
        )
    ]


def _holds(operator: str, values: Sequence[str], found: str | None) -> bool:
    return {
        "StringEquals": found in values,
        "StringEqualsIfExists": found is None or found in values,
        "Null": (found is None) is (values == ["true"]),
    }[operator]


def listed(value: Any) -> list[str]:
    """What may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]
