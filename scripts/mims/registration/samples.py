"""Sample requests: what is checked of them before anything moves.

Goes in: the payload's archive, as mims_payload.py or anybody else made it, and the config. Comes
out: a `Payload` whose samples are what its metadata.json lists, if it has one; and the config with
the input variables that the payload shows.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from mims.archive.reader import FILE, read_archive
from mims.contracts import CSV, JSON, JSON_LINES
from mims.errors import InputError
from mims.registration.artifacts import Artifact, Digest
from mims.registration.inputs import JSON_LIMIT, find_file, json_object, parsed
from mims.registration.parameters import Variables, VariableType  # noqa: TC001 - pydantic reads it
from mims.text import listed, printable, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mims.registration.config import RegistrationConfig

log = logging.getLogger("mims")

METADATA = "metadata.json"
REQUEST_LIMIT = 6_291_456  # bytes: what InvokeEndpoint takes
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
    files: list[_Sample] = []
    source_model_inference_input_variable_list: Variables = {}


def verify_payload(channel: Path, seen: Callable[[bytes], None]) -> Payload | None:
    """Check the sample requests, if there are any: whole, and as their metadata says.

    Raises:
        InputError: the archive is broken, or a sample is not what it should be.

    """
    file = find_file(channel, "payload.tar.gz", ".tar.gz", "GeneratedPayloadSamples")
    if file is None or not file.exists():
        log.info("payload: none at %s", channel)
        return None
    digest = Digest(seen)
    samples, content = _read(file, digest)
    what = f"{file}: {METADATA}"
    metadata = parsed(_Metadata, json_object(content, what), what) if content else _Metadata()
    problems = [
        f"{file}: sample {name} has {sample.size} bytes; an endpoint takes {REQUEST_LIMIT}"
        for name, sample in samples.items()
        if sample.size > REQUEST_LIMIT
    ]
    for said in metadata.files:
        found = samples.get(said.name)
        if found is None or (said.sha256, said.size) != (found.sha256, found.size):
            is_not = "which is not there" if found is None else "but not with this size and sha256"
            problems.append(f"{what} lists {printable(said.name)}, {is_not}: make it again")
    if problems:
        raise InputError(*problems)
    log.info("payload: %d samples, %s, sha256 %s", len(samples), size(digest.size), digest.sha256)
    stated = {sample.content_type for sample in metadata.files}
    by_ending = {_BY_ENDING[e] for e in _BY_ENDING if any(name.endswith(e) for name in samples)}
    return Payload(
        digest.artifact("payload.tar.gz", file),
        frozenset(stated or by_ending),
        metadata.source_model_inference_input_variable_list,
    )


def _read(file: Path, digest: Digest) -> tuple[dict[str, Digest], bytes]:
    """Digest each sample; give the metadata's content apart."""
    samples: dict[str, Digest] = {}
    metadata = bytearray()
    for member, chunks in read_archive(file, watch=digest.update):
        if member.name == METADATA:
            for chunk in chunks:
                metadata += chunk[: JSON_LIMIT + 1 - len(metadata)]
        elif member.kind == FILE:
            samples[member.name] = Digest()
            for chunk in chunks:
                samples[member.name].update(bytes(chunk))
    return samples, bytes(metadata)


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
