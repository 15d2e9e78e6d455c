"""Sample requests: what is checked of them before anything moves.

Goes in: the payload's archive, as mims_payload.py or anybody else made it, and the config. Comes
out: a `Payload` that is what its metadata.json says, which lies in the archive, beside it, or both;
where there is none, the samples' names tell their content types. And the config with the input
variables that the payload shows.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel

from mims.archive.reader import DEFAULT_LIMITS, FILE, FOLDER
from mims.contracts import CSV, JSON, JSON_LINES, LARGEST_REQUEST
from mims.errors import InputError, Problems
from mims.registration.artifacts import Artifact, Digest
from mims.registration.inputs import (
    JSON_LIMIT,
    StatedArchive,
    find_file,
    json_object,
    own_file,
    parsed,
    read_json_object,
    read_unpackable,
)
from mims.registration.parameters import Variables, VariableType  # noqa: TC001 - pydantic reads it
from mims.text import listed, printable, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mims.archive.reader import Limits
    from mims.registration.config import RegistrationConfig

log = logging.getLogger("mims")

METADATA = "metadata.json"
_BY_ENDING = {".json": JSON, ".csv": CSV, ".jsonl": JSON_LINES}


@dataclass(frozen=True)
class Payload:
    """Sample requests: the archive, the samples' content types, the input variables they show."""

    artifact: Artifact
    content_types: frozenset[str]
    variables: Mapping[str, VariableType]


class _Sample(BaseModel):
    name: str
    content_type: str
    size: int
    sha256: str


class _Metadata(BaseModel):
    archive: StatedArchive | None = None  # only the copy beside the archive can know it
    files: list[_Sample] = []
    source_model_inference_input_variable_list: Variables = {}


class _Contents(NamedTuple):
    """What a payload's archive holds."""

    samples: dict[str, tuple[int, str]]  # size in bytes and SHA-256, by name
    metadata: bytes | None


def verify_payload(
    channel: Path, seen: Callable[[bytes], None], limits: Limits = DEFAULT_LIMITS
) -> Payload | None:
    """Check the sample requests, if there are any: whole, and as their metadata says.

    Raises:
        InputError: the archive is broken, or a sample is not what it should be.

    """
    file = find_file(channel, "payload.tar.gz", ".tar.gz", "GeneratedPayloadSamples")
    if file is None:
        log.info("payload: none at %s", channel)
        return None
    digest = Digest(seen)
    contents = _read(file, limits, digest)
    problems = Problems(
        f"{file}: sample {name} has {count} bytes; an endpoint takes {LARGEST_REQUEST}"
        for name, (count, _) in contents.samples.items()
        if count > LARGEST_REQUEST
    )
    metadata = _Metadata()
    with problems.gather():
        metadata = _metadata(file, channel, contents, digest)
    problems.raise_any()
    log.info(
        "payload: %d samples, %s, sha256 %s",
        len(contents.samples),
        size(digest.size),
        digest.sha256,
    )
    stated = {sample.content_type for sample in metadata.files}
    endings = [e for e in _BY_ENDING if any(name.endswith(e) for name in contents.samples)]
    return Payload(
        digest.artifact("payload.tar.gz", file),
        frozenset(stated or (_BY_ENDING[ending] for ending in endings)),
        metadata.source_model_inference_input_variable_list,
    )


def _read(file: Path, limits: Limits, digest: Digest) -> _Contents:
    """Digest each sample. A link has no digest of its own, so metadata can't speak for it."""
    samples: dict[str, tuple[int, str]] = {}
    metadata = None
    for member, chunks in read_unpackable(file, limits, digest.update):
        if member.kind == FOLDER:
            continue
        if member.name == METADATA and member.kind == FILE:
            metadata = bytearray()
            for chunk in chunks:
                metadata += chunk[: JSON_LIMIT + 1 - len(metadata)]
            continue
        sample = Digest()
        for chunk in chunks:
            sample.update(bytes(chunk))
        samples[member.name] = (sample.size, sample.sha256 if member.kind == FILE else "")
    return _Contents(samples, None if metadata is None else bytes(metadata))


def _metadata(file: Path, channel: Path, contents: _Contents, digest: Digest) -> _Metadata:
    """Give what is said of the payload, in the archive or beside it, when that is so.

    Raises:
        InputError: the archive or a sample is another, or the two say different things.

    """
    inside = beside = None
    place = f"{file}: {METADATA}"
    if contents.metadata is not None:
        inside = parsed(_Metadata, json_object(contents.metadata, place), place)
    path = channel / METADATA
    if channel.is_dir() and os.path.lexists(path):
        raw = read_json_object(own_file(path, channel), "the payload's metadata")
        found = parsed(_Metadata, raw, str(path))
        if found.archive or found.files:  # else it tells of something else
            beside, place = found, str(path)
    if beside and beside.archive:
        again = "afterwards: make the payload again"
        beside.archive.check(file, digest, by=f"{path.name} beside it", cure=again)
    if beside and inside and _said(beside) != _said(inside):
        raise InputError(
            f"{path} and the {METADATA} in {file.name} say different things: one of them was "
            "changed afterwards; make the payload again"
        )
    metadata = beside or inside or _Metadata()
    _compare_samples(metadata, contents, place)
    return metadata


def _said(metadata: _Metadata) -> str:
    return metadata.model_dump_json(exclude={"archive"})


def _compare_samples(metadata: _Metadata, contents: _Contents, place: str) -> None:
    names = {sample.name for sample in metadata.files}
    missing = sorted(names - contents.samples.keys())
    unlisted = sorted(contents.samples.keys() - names) if names else []
    changed = [
        sample.name
        for sample in metadata.files
        if contents.samples.get(sample.name, (sample.size, sample.sha256))
        != (sample.size, sample.sha256)
    ]
    problems = Problems()
    if missing:
        problems.found.append(f"{place} lists {listed(missing)}, which is not there: make it again")
    if changed:
        problems.found.append(
            f"{place} lists {listed(changed)}, but not with this size and sha256: make it again"
        )
    if unlisted:
        problems.found.append(
            f"{place} does not list {listed(unlisted)}, which the archive holds: make it again"
        )
    problems.raise_any()


def fit(config: RegistrationConfig, payload: Payload) -> RegistrationConfig:
    """Hold the config against the payload; take the input variables from it if there are none."""
    problems = []
    wanted = config.source_model_inference_content_types
    if not payload.content_types.intersection(wanted):
        problems.append(
            f"no payload sample is of content type {listed(wanted)}, which "
            "source_model_inference_content_types names (samples are of "
            f"{listed(sorted(payload.content_types)) or 'none that is known'}): make one with "
            f"CONTENT_TYPES={','.join(wanted)}, or mend the config"
        )
    configured, shown = config.source_model_inference_input_variable_list, payload.variables
    if configured and shown:
        differences = _differences(configured, shown, in_order=wanted == [CSV])
        if differences:
            problems.append(
                "source_model_inference_input_variable_list and the payload differ: "
                f"{'; '.join(differences)}: mend the config, or leave it out to take the payload's"
            )
    if problems:
        raise InputError(*problems)
    variables = {"source_model_inference_input_variable_list": dict(configured or shown)}
    return config.model_copy(update=variables)


def _differences(
    configured: Mapping[str, VariableType], shown: Mapping[str, VariableType], *, in_order: bool
) -> list[str]:
    sides = [("payload", shown, configured), ("config", configured, shown)]
    differences = [
        f"only the {side} has {listed(name for name in these if name not in those)}"
        for side, these, those in sides
        if these.keys() - those.keys()
    ]
    differences += [
        f"{printable(name)} is {kind} in the config, {shown[name]} in the payload"
        for name, kind in configured.items()
        if shown.get(name, kind) != kind
    ]
    if in_order and not differences and list(configured) != list(shown):
        differences.append(f"the payload's CSV has them in the order {listed(shown)}")
    return differences
