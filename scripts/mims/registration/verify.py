"""What is checked before anything moves.

Goes in: the channels' paths and the config. Comes out: `Verified`, artifacts with digests taken
from the very bytes that were checked, and the config with the input variables that the payload
shows. Or one `InputError` with all that is wrong: an archive that is not whole or would harm who
unpacks it, a digest that is not its manifest's, an entry point that the package lacks, samples
that don't fit the config.
Reads each archive once; never extracts, never asks a service.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mims.archive.files import open_regular
from mims.archive.manifest import MANIFEST
from mims.archive.reader import DEFAULT_LIMITS, FOLDER
from mims.errors import InputError, Problems
from mims.registration.artifacts import Artifact, Digest
from mims.registration.inputs import (
    StatedArchive,
    find_file,
    json_object,
    own_file,
    parsed,
    read_json_object,
    read_small,
    read_unpackable,
)
from mims.registration.samples import fit, verify_payload
from mims.text import listed, size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mims.archive.reader import Limits
    from mims.job import Job
    from mims.registration.config import RegistrationConfig

log = logging.getLogger("mims")

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Verified:
    """What may be stored and registered."""

    config: RegistrationConfig
    model: Artifact
    payload: Artifact | None
    metadata: Artifact | None
    evidence: dict[str, Any] | None  # the metadata, parsed


def verify(job: Job, config: RegistrationConfig, limits: Limits = DEFAULT_LIMITS) -> Verified:
    """Check everything that is to be registered.

    Raises:
        InputError: with every problem that was found.

    """
    problems = Problems()
    payload = metadata = evidence = None
    channels = [job.path("PackagedModel"), job.path("GeneratedPayloadSamples")]
    with job.progress("verifying", sum(map(_bytes_in, channels))) as progress:

        def seen(chunk: bytes) -> None:
            progress.advance(len(chunk))

        with problems.gather():
            model = verify_package(channels[0], config.inference_entry_point, seen, limits)
        with problems.gather():
            payload = verify_payload(channels[1], seen, limits)
            config = config if payload is None else fit(config, payload)
        with problems.gather():
            metadata, evidence = read_metadata(job.path("metadata"))
    problems.raise_any()
    artifact = payload.artifact if payload else None
    return Verified(config, model, artifact, metadata, evidence)


def _bytes_in(channel: Path) -> int:
    """How much there is to read. What is out of reach counts as nothing: reading it will tell."""
    with suppress(OSError):
        files = channel.glob("*.tar.gz") if channel.is_dir() else [channel]
        return sum(file.stat().st_size for file in files if file.is_file())
    return 0


def verify_package(
    channel: Path, program: str, seen: Callable[[bytes], None], limits: Limits
) -> Artifact:
    """Check the package: whole, as its manifest says, with `code/<program>` in it.

    Raises:
        InputError: with every problem that was found.

    """
    file = find_file(channel, "model.tar.gz", ".tar.gz", "PackagedModel")
    if file is None:
        raise InputError(f"input PackagedModel: {channel} is empty: mount the package there")
    code: list[str] = []
    digest = Digest(seen)
    for member, _ in read_unpackable(file, limits, digest.update):
        folder, _, rest = member.name.partition("/")
        if folder == "code" and rest and member.kind != FOLDER:
            code.append(rest)
    problems = Problems()
    with open_regular(file) as opened:
        if opened.read(len(_GZIP)) != _GZIP:
            problems.found.append(
                f"{file} is not compressed with gzip, and SageMaker takes no other archive: "
                "make it with mims_package.py"
            )
    if program not in code:
        holds = f"code/ holds {listed(sorted(code))}" if code else "it has no code/"
        problems.found.append(
            f"{file}: no code/{program}, which the config names as inference_entry_point ({holds})"
        )
    manifest = channel / MANIFEST
    if channel.is_dir() and os.path.lexists(manifest):
        with problems.gather():
            _compare(manifest, file, digest)
    problems.raise_any()
    log.info("package: %s, %s, sha256 %s", file.name, size(digest.size), digest.sha256)
    return digest.artifact("model.tar.gz", file)


class _Manifest(BaseModel):
    archive: StatedArchive


def _compare(manifest: Path, file: Path, digest: Digest) -> None:
    raw = read_json_object(own_file(manifest, file.parent), "the manifest")
    said = parsed(_Manifest, raw, str(manifest)).archive
    said.check(file, digest, by=manifest.name, cure="after packaging: package again")


def read_metadata(channel: Path) -> tuple[Artifact | None, dict[str, Any] | None]:
    """Read the performance metadata, if there is any: a JSON object, as it is and parsed."""
    file = find_file(channel, "metadata.json", ".json", "metadata")
    if file is None:
        log.info("metadata: none at %s", channel)
        return None, None
    content = read_small(file)
    evidence = json_object(content, f"the performance metadata ({file})")
    return Artifact.of_bytes("metadata.json", content), evidence
