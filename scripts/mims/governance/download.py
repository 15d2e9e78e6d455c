"""Files of a version, brought to this machine.

Goes in: a version, a folder. Comes out: its files there, each under its final name only once all of
it has come and its SHA-256 is the registered one. Never overwrites a file that is another.
"""

from __future__ import annotations

import hashlib
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from mims.errors import InputError, Problems
from mims.governance.tags import OF_BASELINE
from mims.governance.versions import File
from mims.job import Progress
from mims.outputs import Output, writing
from mims.registration.artifacts import Digest
from mims.registration.aws import AwsError, asking
from mims.registration.storage import Location
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from botocore.response import StreamingBody

    from mims.governance.registry import Registry
    from mims.governance.versions import Version

MODEL = "model.tar.gz"
CHUNK = 1 << 20  # bytes
_GONE = {"404", "NoSuchBucket", "NoSuchKey", "NotFound"}


def files(version: Version) -> dict[str, File]:
    """A version's files, by names that nobody outside has chosen."""
    uri, sha256 = (version.properties.get(name) for name in OF_BASELINE)
    known = {
        MODEL: version.model,
        "payload.tar.gz": version.payload,
        "variable_schema.json": version.schema,
        **{f"{place}.json": file for place, file in version.reports.items()},
        "baseline.json": File(uri, sha256) if uri else None,
    }
    return {name: file for name, file in known.items() if file and file.uri}


def download(
    registry: Registry, version: Version, folder: Path, *, everything: bool, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Bring the package, or `everything`, to a folder; what is there already stays.

    Raises:
        InputError: another file has the name of one, or what S3 holds is not what was registered,
            or it holds nothing there.
        ServiceError: S3 refused or could not be reached.

    """
    wanted = files(version)
    if not everything:
        wanted = {name: file for name, file in wanted.items() if name == MODEL}
    if not wanted:
        raise InputError(f"{version.name} names no files to download")
    sizes = {name: size_of(registry, file) for name, file in wanted.items()}
    problems, there = Problems(), set()
    for name, file in wanted.items():
        with problems.gather():
            if _is_there(folder / name, file):
                there.add(name)
    problems.raise_any()
    digests = {name: file.sha256 for name, file in wanted.items()}
    missing = [name for name in wanted if name not in there]
    if not dry_run:
        with Progress("downloading", sum(sizes[name] for name in missing)) as progress:
            for name in missing:
                seen = _counted(progress)
                digests[name] = fetch(registry, wanted[name], folder / name, seen).sha256
    done = "to be downloaded" if dry_run else "downloaded"
    return [
        {
            "file": str(folder / name),
            "uri": file.uri,
            "size": sizes[name],
            "sha256": digests[name],
            "verified": file.sha256 is not None and (name in there or not dry_run),
            "done": "there already" if name in there else done,
        }
        for name, file in wanted.items()
    ]


def _counted(progress: Progress) -> Callable[[bytes], None]:
    return lambda chunk: progress.advance(len(chunk))


def fetch(registry: Registry, file: File, to: Path, seen: Callable[[bytes], None]) -> Digest:
    """Download an object to a path, and give its digest; without a known one it is unverified.

    Raises:
        InputError: it is not there or not what it must be, or the place can't be written to.
        ServiceError: S3 refused, or broke off.

    """
    digest = Digest(seen)
    with Output(to) as output, reaching(registry, "GetObject", file):
        with closing(opened(registry, file)) as body:
            for chunk in body.iter_chunks(CHUNK):
                with writing(to):
                    output.file.write(chunk)
                digest.update(chunk)
        check(file, digest)
        output.publish()
    return digest


@contextmanager
def reaching(registry: Registry, operation: str, file: File) -> Iterator[None]:
    """Report what S3 says of an object inside.

    Raises:
        InputError: it is not there.
        ServiceError: S3 refused, or broke off.

    """
    try:
        with asking(operation, registry.region, file.uri):
            yield
    except AwsError as error:
        if error.code not in _GONE:
            raise
        raise InputError(f"{file.uri}: is not there ({error.code})") from error


def opened(registry: Registry, file: File) -> StreamingBody:
    """Open an object to be read to its end."""
    at = location(file.uri)
    return registry.s3.get_object(Bucket=at.bucket, Key=at.key)["Body"]


def size_of(registry: Registry, file: File) -> int:
    """How many bytes an object has."""
    at = location(file.uri)
    with reaching(registry, "HeadObject", file):
        return int(registry.s3.head_object(Bucket=at.bucket, Key=at.key)["ContentLength"])


def check(file: File, found: Digest) -> None:
    """Hold what was read to the digest that it must have, if that is known.

    Raises:
        InputError: it is another.

    """
    if file.sha256 and file.sha256 != found.sha256:
        raise InputError(
            f"{file.uri}: its SHA-256 is {found.sha256}, not {file.sha256}: it is another one, or "
            "was changed since"
        )


def location(uri: str) -> Location:
    """Read the path of an object.

    Raises:
        InputError: it is none.

    """
    at = Location.read(uri)
    if at is None or not at.key or at.key.endswith("/"):
        raise InputError(
            f"{printable(uri) or 'no path'}: must be an object's S3 path, s3://bucket/key"
        )
    return at


def _is_there(path: Path, file: File) -> bool:
    """Whether a file is there, and is this one."""
    try:
        with path.open("rb") as found:
            same = hashlib.file_digest(found, "sha256").hexdigest() == file.sha256
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not same:
        raise InputError(f"{path} is there, and is another file: move it, or give another --to")
    return True
