"""JSON Lines in S3 or in a folder here: which files there are, since when, and their lines.

Goes in: an s3:// path or a folder. Comes out: files, and a file's lines one at a time, in no more
memory for a larger file. Only reads.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mims.errors import InputError
from mims.governance.download import CHUNK, opened, reaching
from mims.governance.versions import File
from mims.registration.aws import asking
from mims.registration.storage import Location
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mims.governance.captures.unread import Unread
    from mims.governance.registry import Registry

_LONGEST = 64 << 20  # bytes of a line


class Found(NamedTuple):
    """A file."""

    uri: str
    modified: datetime
    """when all of it was there"""
    registry: Registry | None
    """by which it is reached; None for one that lies here"""


def files(where: str, registry: Registry | None) -> list[Found]:
    """Find the files below a path, or the one that it names; none where there are none yet.

    Raises:
        InputError: it is no s3:// path, and no region is known.
        ServiceError: S3 refused or could not be reached.

    """
    if not where.startswith("s3://"):
        return list(_local(Path(where)))
    at = Location.read(where)
    if at is None or registry is None:
        raise InputError(f"{printable(where)}: must be s3://bucket/prefix, in a region: --region")
    folder = at.key if not at.key or at.key.endswith("/") else f"{at.key}/"
    with asking("ListObjectsV2", registry.region, at.uri):
        pages = registry.s3.get_paginator("list_objects_v2").paginate(
            Bucket=at.bucket, Prefix=at.key
        )
        return [
            Found(at._replace(key=one["Key"]).uri, one["LastModified"], registry)
            for page in pages
            for one in page.get("Contents", [])
            if one["Size"] and (one["Key"] == at.key or one["Key"].startswith(folder))
            if _is_data(one["Key"])
        ]


def _local(where: Path) -> Iterator[Found]:
    for path in sorted(where.rglob("*")) if where.is_dir() else [where]:
        if path.is_file() and _is_data(path.name):
            yield Found(str(path), datetime.fromtimestamp(path.stat().st_mtime, UTC), None)


def _is_data(key: str) -> bool:
    """Whether a name is not that of a marker, such as Spark's _SUCCESS."""
    return not key.rpartition("/")[2].startswith(("_", ".")) and not key.endswith("/")


def lines(file: Found, unread: Unread) -> Iterator[tuple[int, bytes, bool]]:
    """Yield a file's lines with their number, and whether it is its last and has no end.

    Raises:
        InputError: it is not there any more.
        ServiceError: S3 refused, or broke off.

    """
    number, rest = 0, b""
    for chunk in _chunks(file):
        *whole, rest = (rest + chunk).split(b"\n")
        for number, line in enumerate(whole, number + 1):  # noqa: B020 - goes on
            if line.strip():
                yield number, line, False
        if len(rest) > _LONGEST:
            unread.refuse(f"has a line of more than {_LONGEST} bytes, and is not read on", file.uri)
            return
    if rest.strip():
        yield number + 1, rest, True


def _chunks(file: Found) -> Iterator[bytes]:
    if file.registry is None:
        with Path(file.uri).open("rb") as found:
            while chunk := found.read(CHUNK):
                yield chunk
        return
    with (
        reaching(file.registry, "GetObject", File(file.uri)),
        closing(opened(file.registry, File(file.uri))) as body,
    ):
        yield from body.iter_chunks(CHUNK)
