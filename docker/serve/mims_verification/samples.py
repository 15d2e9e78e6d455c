"""The sample requests of a registered version: its payload archive, read whole and in bounds.

Goes in: payload.tar.gz. Comes out: each file with its content type. Nothing is extracted, and no
more is inflated than a payload may hold.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from mims_verification.errors import VerificationError

if TYPE_CHECKING:
    from pathlib import Path

METADATA = "metadata.json"
MAX_SAMPLE_BYTES = 6_291_456  # InvokeEndpoint's limit
MAX_INFLATED_BYTES = 64 * 1024**2
_BY_SUFFIX = {".json": "application/json", ".csv": "text/csv", ".jsonl": "application/jsonlines"}


@dataclass(frozen=True)
class Sample:
    """One request."""

    name: str
    content_type: str
    body: bytes


def read_samples(archive: Path) -> list[Sample]:
    """Read every sample request.

    Raises:
        VerificationError: no whole archive, too large, or a file of no known content type.

    """
    files = _read_files(archive)
    declared = _declared_types(files.pop(METADATA, b"{}"))
    missing = sorted(set(declared) - set(files))
    if missing:
        raise VerificationError(f"{METADATA} names files that are not there: {', '.join(missing)}")
    samples = [
        Sample(name, declared.get(name) or _type_by_name(name), body)
        for name, body in sorted(files.items())
    ]
    if not samples:
        raise VerificationError("the payload archive holds no sample request")
    return samples


def _read_files(archive: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        with gzip.open(archive) as stream:
            content = stream.read(MAX_INFLATED_BYTES + 1)
        if len(content) > MAX_INFLATED_BYTES:
            raise VerificationError(f"the payload archive inflates to over {MAX_INFLATED_BYTES:,}")
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar:
                if not member.isdir():
                    name = str(PurePosixPath(member.name))
                    files[name] = _read_member(tar, member, taken=name in files)
    except (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error) as error:
        raise VerificationError(f"the payload archive is no whole .tar.gz: {error}") from error
    return files


def _read_member(tar: tarfile.TarFile, member: tarfile.TarInfo, *, taken: bool) -> bytes:
    file = tar.extractfile(member) if member.isreg() and not member.issparse() else None
    if file is None or taken or not member.name.isprintable():
        raise VerificationError(f"payload member {member.name!r} is refused")
    if member.size > MAX_SAMPLE_BYTES:
        raise VerificationError(
            f"payload member {member.name} has {member.size:,} bytes, more than "
            f"InvokeEndpoint's {MAX_SAMPLE_BYTES:,}"
        )
    return file.read()


def _declared_types(metadata: bytes) -> dict[str, str]:
    """Content types by file name, as `metadata.json` has them under `files`."""
    try:
        files = json.loads(metadata).get("files", [])
        return {str(file["name"]): str(file["content_type"]) for file in files}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise VerificationError(
            f'{METADATA} must be JSON with "files": [{{"name": …, "content_type": …}}]'
        ) from error


def _type_by_name(name: str) -> str:
    """`text_csv/sample_payload.csv` is text/csv, and so is `sample_payload_0001.csv`."""
    path = PurePosixPath(name)
    if len(path.parts) == 1 and path.suffix in _BY_SUFFIX:
        return _BY_SUFFIX[path.suffix]
    kind, _, subtype = path.parts[0].partition("_")
    if len(path.parts) == 1 or not (kind and subtype):
        raise VerificationError(
            f"{name} has no content type: name it in {METADATA}, put it in a folder such as "
            f"application_json, or let it end in one of {', '.join(_BY_SUFFIX)}"
        )
    return f"{kind}/{subtype}"
