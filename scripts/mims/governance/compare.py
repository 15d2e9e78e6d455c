"""Two versions side by side: what they are, how good, what they take, what they are made of.

Goes in: two versions. Comes out: plain data: each metric with its difference, the variables that
came, went or changed their type, digests, and of the packages the members that differ. Reports and
packages are held to their registered digests as they are read. Unpacks and writes nothing.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.archive.names import ArchiveError
from mims.archive.reader import FOLDER, read_members
from mims.errors import InputError, Problems
from mims.governance.download import check, files, opened, reaching, size_of
from mims.governance.everyday import summary
from mims.governance.gates.evidence import BIAS, EXPLAINED
from mims.governance.report_shapes import bias, importance, metrics, number
from mims.registration.artifacts import Digest
from mims.registration.parameters import shown
from mims.text import size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.governance.registry import Registry
    from mims.governance.versions import File, Version

LIMIT = 10**9  # bytes of both packages that are read unasked
_ELSEWHERE = ("version", "arn", "metrics")  # in a summary, and told otherwise
_CONTAINER = {"Image": "image", "Framework": "framework", "FrameworkVersion": "framework_version"}


def compare(
    registry: Registry, first: Version, second: Version, *, code: bool | None = None
) -> dict[str, Any]:
    """Compare two versions. `code` None reads the packages if they are not too large together.

    Raises:
        InputError: a file is not what was registered, or is broken.
        ServiceError: S3 refused or could not be reached.

    """
    problems = Problems()
    differences: list[dict[str, Any]] = []
    schema: dict[str, Any] = {}
    with problems.gather():
        differences = _metrics(numbers_of(registry, first), numbers_of(registry, second))
    with problems.gather():
        schema = _schema(variables_of(registry, first), variables_of(registry, second))
    problems.raise_any()
    return {
        "first": first.name,
        "second": second.name,
        "facts": _differing(*map(_facts, (first, second))),
        "metrics": differences,
        "schema": schema,
        "digests": _differing(*map(_digests, (first, second)), all_of_them=True),
        "code": _code(registry, first, second, code),
        "properties": _differing(first.properties, second.properties),
    }


# Metrics


def numbers_of(registry: Registry, version: Version) -> dict[str, float]:
    """Every finite number in a version's reports, by report and by the name that gates know it by.

    Raises:
        InputError: a report is no JSON object, or not what was registered.

    """
    found: dict[str, float | None] = {}
    for place, file in version.reports.items():
        report = registry.read_json(file)
        if not isinstance(report, dict):
            raise InputError(f"{file.uri}: must be an object, not {shown(report)}")
        found |= {f"{place}: {name}": number(value) for name, value in _read(place, report).items()}
    return {name: value for name, value in found.items() if value is not None}


def _read(place: str, report: Mapping[str, Any]) -> dict[str, Any]:
    if place in BIAS:
        return {f"{b.attribute} {b.group} {b.metric}": b.value for b in bias(report)}
    return importance(report) if place == EXPLAINED else metrics(report)


def _metrics(first: Mapping[str, float], second: Mapping[str, float]) -> list[dict[str, Any]]:
    rows = []
    for name in dict.fromkeys([*first, *second]):
        one, other = first.get(name), second.get(name)
        difference = None if one is None or other is None else other - one
        rows.append({"metric": name, "first": one, "second": other, "difference": difference})
    return rows


# Schema


def variables_of(registry: Registry, version: Version) -> dict[str, dict[str, str]] | None:
    """Types of a version's variables by name, `input` and `output`; None where none are known.

    Raises:
        InputError: the schema is not in the shape of mims_registration_step.md.

    """
    if version.schema is None:
        return None
    schema = registry.read_json(version.schema)
    try:
        return {
            side: {one["name"]: one["type"] for one in schema[side]["variables"]}
            for side in ("input", "output")
        }
    except (KeyError, TypeError) as error:
        raise InputError(f"{version.schema.uri}: is no variable schema: {error!r}") from error


def _schema(
    first: dict[str, dict[str, str]] | None, second: dict[str, dict[str, str]] | None
) -> dict[str, Any]:
    if first is None or second is None:
        return {"known": False}
    found: dict[str, Any] = {"known": True}
    for side, before in first.items():
        after = second[side]
        kept = [name for name in before if name in after]
        found[side] = {
            "added": {name: kind for name, kind in after.items() if name not in before},
            "removed": {name: kind for name, kind in before.items() if name not in after},
            "changed": {n: [before[n], after[n]] for n in kept if before[n] != after[n]},
            "reordered": kept != [name for name in after if name in before],
        }
    return found


# Digests and code


class Entry(NamedTuple):
    """What makes two members the same."""

    kind: str
    sha256: str
    target: str


def _digests(version: Version) -> dict[str, str | None]:
    return {name: file.sha256 for name, file in files(version).items()}


def _code(
    registry: Registry, first: Version, second: Version, wanted: bool | None
) -> dict[str, Any]:
    """Which members of the packages differ; `why` says why that was not looked for."""
    if first.model.sha256 and first.model.sha256 == second.model.sha256:
        return {"read": False, "why": "the packages are the same, by their digests"}
    if wanted is None:
        total = sum(size_of(registry, version.model) for version in (first, second))
        wanted = total <= LIMIT
        why = f"the packages have {size(total)} together: --code reads them"
    else:
        why = "not asked for"
    if not wanted:
        return {"read": False, "why": why}
    before, after = members(registry, first.model), members(registry, second.model)
    return {
        "read": True,
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in before if after.get(name, before[name]) != before[name]),
        "same": sum(after.get(name) == entry for name, entry in before.items()),
    }


def members(registry: Registry, file: File) -> dict[str, Entry]:
    """The members of a package in S3, folders left out, read as a stream and to its end.

    Raises:
        InputError: it is broken, or not what was registered.
        ServiceError: S3 refused, or broke off.

    """
    digest, found = Digest(), {}
    with (
        reaching(registry, "GetObject", file),
        closing(opened(registry, file)) as body,
        closing(read_members(body, watch=digest.update)) as stream,
    ):
        try:
            for member, content in stream:
                own = hashlib.sha256()
                for piece in content:
                    own.update(piece)
                if member.kind != FOLDER:
                    found[member.name] = Entry(member.kind, own.hexdigest(), member.target)
        except ArchiveError as error:
            raise InputError(f"{file.uri}: {error}") from error
    check(file, digest)
    return found


def _facts(version: Version) -> dict[str, Any]:
    """What else is worth comparing. The container's environment is not: users put secrets there."""
    known = {name: value for name, value in summary(version).items() if name not in _ELSEWHERE}
    containers = version.described.get("InferenceSpecification", {}).get("Containers", [{}])
    served = {
        words: containers[0][name] for name, words in _CONTAINER.items() if name in containers[0]
    }
    return {**known, **served}


def _differing(
    first: Mapping[str, Any], second: Mapping[str, Any], *, all_of_them: bool = False
) -> dict[str, list[Any]]:
    """Both sides of what is not the same, None where a side has none."""
    pairs = {key: [first.get(key), second.get(key)] for key in {**first, **second}}
    return {key: [a, b] for key, (a, b) in pairs.items() if all_of_them or a != b}
