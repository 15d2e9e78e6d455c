"""A version's baseline: kept beside its files, named by its digest, found again.

Goes in: a version and a profile. Comes out: `baseline.json` in the version's bucket under its
SHA-256, two properties of the version that name it, and a decision in the group's audit trail: who
has set which one when. SageMaker takes DriftCheckBaselines at a registration alone, hence the
properties; a version that was registered with such a baseline has it all the same, and a property
goes before it. Setting the same baseline again changes nothing; a run that was cut off is completed
by the next.

What the trail says counts: the property follows it, even if two operators were at it at once.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.governance import texts
from mims.governance.decisions import BASELINE, DONE, Decision, History, OvertakenError, append
from mims.governance.profiles.profile import CATEGORY, NUMBER, Profile
from mims.governance.tags import LIMIT, OF_BASELINE
from mims.governance.versions import File
from mims.registration.artifacts import Artifact
from mims.registration.storage import Location, Storage, content_address
from mims.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.governance.profiles.profile import Field
    from mims.governance.registry import Registry
    from mims.governance.versions import Version
    from mims.registration.audit import Trail

NAME = "baseline.json"
URI, SHA256 = OF_BASELINE  # properties of a version
REGISTERED = "DriftCheckBaselines.ModelDataQuality.Statistics"


class Setting(NamedTuple):
    """What came of setting a baseline."""

    file: File
    done: str
    """stored or unchanged"""
    replaced: str | None
    """the SHA-256 of the baseline before"""


def content(profile: Profile) -> bytes:
    """A baseline as it is stored: the same profile is the same bytes."""
    return json.dumps(profile.to_json(), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def artifact(profile: Profile) -> Artifact:
    """A baseline to be stored, with its digest."""
    return Artifact.of_bytes(NAME, content(profile))


def find(registry: Registry, version: Version) -> tuple[File, Profile]:
    """Give a version's baseline and where it lies; its digest holds.

    Raises:
        InputError: it has none, or what lies there is none, or another one.
        ServiceError: S3 refused.

    """
    file = named(version)
    if file is None:
        raise InputError(
            f"{version.name} has no baseline to compare with: mims-registry baseline "
            f"{version.name} --data FILE makes one of the training data"
        )
    return file, Profile.from_json(registry.read_json(file), file.uri)


def named(version: Version) -> File | None:
    """The baseline that a version names, if any."""
    if uri := version.properties.get(URI):
        return File(uri, version.properties.get(SHA256))
    return version.reports.get(REGISTERED)


def store(
    registry: Registry, version: Version, profile: Profile, *, dry_run: bool = False
) -> Setting:
    """Set a version's baseline.

    Raises:
        InputError: the version lies in no bucket, is being deleted, or has too many properties.
        OvertakenError: another operator was quicker.
        ServiceError: a service refused.

    """
    made = artifact(profile)
    file = File(_address(version, made.sha256).uri, made.sha256)
    _check(version)
    trail, history = _read(registry, version)
    before = named(version)
    replaced = before.sha256 if before and before != file else None
    if before == file and _decided(history, version) == made.sha256:
        return Setting(file, "unchanged", None)
    if not dry_run:
        Storage(registry.region).store(made, _address(version, made.sha256), lambda _: None)
        if _decided(history, version) != made.sha256:
            actor = registry.actor
            append(trail, Decision(BASELINE, DONE, actor, version.arn, made.sha256), history)
        _follow(registry, version, trail, made.sha256)
    return Setting(file, "stored", replaced)


def _address(version: Version, sha256: str) -> Location:
    named_so = Artifact(NAME, b"", 0, sha256, "")
    return content_address(version.bucket, version.group, named_so)


def _check(version: Version) -> None:
    if not version.bucket:
        raise InputError(f"{version.name} has no model in S3, beside which a baseline would lie")
    if version.status == "Deleting":
        raise InputError(f"{version.name} is being deleted")
    if len({*version.properties, URI, SHA256}) > LIMIT:
        raise InputError(
            f"{version.name} has {len(version.properties)} properties, and SageMaker takes "
            f"{LIMIT}: mims-registry tag {version.name} --remove KEY makes room"
        )


def _read(registry: Registry, version: Version) -> tuple[Trail, History]:
    trails = registry.trails(registry.versions(version.group))
    return trails[0], History.read(*trails)


def _decided(history: History, version: Version) -> str | None:
    """The SHA-256 of the baseline that the trail tells of last."""
    for decision in reversed(history.decisions):
        if decision.action == BASELINE and decision.arn == version.arn:
            return decision.reason
    return None


def _follow(registry: Registry, version: Version, trail: Trail, ours: str) -> None:
    """Let the version name what the trail says, until that has not changed meanwhile."""
    decided: str | None = ours
    while True:
        if decided is None:
            raise InputError(f"{version.name}: its baseline is gone from the audit trail")
        uri = _address(version, decided).uri
        registry.update(version, CustomerMetadataProperties={URI: uri, SHA256: decided})
        newest = _decided(History.read(trail), version)
        if newest == decided:
            break
        decided = newest
    if decided != ours:
        raise OvertakenError(
            f"another operator has set the baseline of {printable(version.name)} meanwhile, to "
            f"SHA-256 {decided}: look at mims-registry history {version.name} and run again"
        )


def summary(profile: Profile) -> dict[str, Any]:
    """What a baseline says, in a few words a field."""
    sides = {"inputs": profile.inputs, "outputs": profile.outputs}
    return {
        "records": profile.records,
        **{side: {name: _brief(one) for name, one in of.items()} for side, of in sides.items()},
    }


def _brief(one: Field) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": one.kind, "missing": one.missing / one.records}
    if one.kind == NUMBER:
        told["invalid"] = one.invalid / one.records
        return told | {"low": one.low, "high": one.high, "mean": one.mean}
    return told | {"categories": len(one.categories)} if one.kind == CATEGORY else told


def text(report: Mapping[str, Any]) -> str:
    """The same for people, and where the baseline is."""
    rows = [
        (name, side.removesuffix("s"), told["kind"], f"{told['missing']:.1%}", _range(told))
        for side in ("inputs", "outputs")
        for name, told in report[side].items()
    ]
    done = "would be " if report["dry_run"] and report["done"] != "unchanged" else ""
    lines = [f"baseline of {counted(report['records'], 'record')}, SHA-256 {report['sha256']}"]
    if report.get("version"):
        lines.append(f"{report['version']}: {done}{report['done']}, {report['uri']}")
    if report.get("replaced"):
        lines.append(f"in place of {report['replaced']}")
    if report["file"]:
        lines.append(f"{done}written: {report['file']}")
    return "\n".join((texts.table(("field", "", "kind", "missing", "values"), rows), *lines))


def _range(told: Mapping[str, Any]) -> str:
    if told["kind"] == NUMBER and told["low"] is not None:
        numbers = f"{told['low']:.6g} to {told['high']:.6g}"
        mean = f", mean {told['mean']:.6g}" if told["mean"] is not None else ""
        invalid = f", {told['invalid']:.1%} invalid" if told["invalid"] else ""
        return f"{numbers}{mean}{invalid}"
    return counted(told["categories"], "category", "categories") if told["kind"] == CATEGORY else ""
