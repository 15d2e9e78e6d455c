"""What an endpoint saw: SageMaker Data Capture, of any size, in little memory.

Goes in: a file, a folder or an S3 path, with files in the layout that endpoints give them,
`PREFIX/ENDPOINT/VARIANT/yyyy/mm/dd/hh/NAME.jsonl`; and the names of a baseline's fields. Comes out:
tables of inputs and outputs, block after block, and in `Unread` all that could not be read. The
format is https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html: a line a
request, what was asked and answered as text in CSV, JSON or BASE64.

Files come in order of their names, which begin with the hour. While a block is being worked on, the
next ones are read and parsed in two threads.
"""

from __future__ import annotations

import re
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.governance.captures.blocks import (
    Block,
    Captured,
    Piece,
    lines_in,
    read_block,
)
from mims.governance.captures.payloads import Fields
from mims.governance.captures.unread import Unread
from mims.registration.aws import ATTEMPTS, AwsError, asking
from mims.registration.storage import Location
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from mypy_boto3_s3 import S3Client

__all__ = ["Captured", "Source", "Unread", "read", "sources"]

BLOCK = 4 << 20  # bytes that are read and parsed at a time: more takes memory, and is no faster
LONGEST = 64 << 20  # bytes of a line: twice what an endpoint takes and answers at most
_SMALL = 1 << 20  # bytes: objects up to here are fetched side by side, whole
_AHEAD = 8  # such objects at a time
_PARSERS = 2
_ENDING = ".jsonl"
_LAYOUT = re.compile(
    r"(?:^|/)(?P<endpoint>[^/]+)/(?P<variant>[^/]+)/(?P<hour>\d{4}/\d\d/\d\d/\d\d)/[^/]+$"
)
_GONE = ("NoSuchKey", "404")
_BROKEN_OFF = {  # what S3's answer may end with on its way
    *("IncompleteReadError", "ResponseStreamingError", "ReadTimeoutError"),
    *("ConnectionClosedError", "ProtocolError"),
}


class Source(NamedTuple):
    """A capture file: a path, or an object of S3."""

    uri: str
    size: int
    s3: S3Client | None = None


def sources(
    where: str | Path,
    *,
    endpoint: str | None = None,
    variant: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    s3: S3Client | None = None,
) -> list[Source]:
    """List capture files: a file, or those named .jsonl below a folder or an S3 path.

    Of files in an endpoint's layout those of the endpoint, the variant, and the hours from that of
    `since` to the last that begins before `until`; where one of these is given, files that are not
    in the layout are left out. There may be none: a quiet endpoint captures nothing. `s3` is asked
    where `where` is an S3 path.

    Raises:
        InputError: the path is not there.
        ServiceError: S3 refused or could not be reached.

    """
    chosen = _Choice(endpoint, variant, _hour(since), _end(until))
    at = Location.read(str(where))
    if at is None:
        return _local(Path(where), chosen)
    if s3 is None:
        raise InputError(f"{printable(str(where))}: to read it from S3, a region is needed")
    return list(_listed(s3, at, chosen))


def read(
    sources: Iterable[Source],
    input_names: Sequence[str],
    output_names: Sequence[str],
    unread: Unread,
    *,
    input_numbers: Collection[str] = (),
    output_numbers: Collection[str] = (),
    clock: Callable[[], float] = time.time,
) -> Iterator[Captured]:
    """Read captures, block after block.

    Fields are text, but for those among the numbers: these are float64 in each block where all
    values are numbers. What is missing is null. A field of a JSON object that is not among
    the names is a column of its own, after them: the first 100 such of a block. Names of one side
    may be left empty: it is not looked at then. A record is read whole or, if one side of it is
    refused, not at all. `unread` is told of each block before the block is yielded.

    Raises:
        InputError: a file can't be read.
        ServiceError: S3 refused or could not be reached.

    """
    inputs, outputs = Fields.of(input_names, input_numbers), Fields.of(output_names, output_numbers)
    now = clock()
    with ThreadPoolExecutor(_PARSERS, "capture") as pool, closing(_blocks(sources)) as blocks:
        running: deque[Future[Block]] = deque()
        try:
            for pieces in blocks:
                running.append(pool.submit(read_block, pieces, inputs, outputs, now))
                del pieces
                while len(running) > _PARSERS:
                    yield from _told(running.popleft().result(), unread)
            while running:
                yield from _told(running.popleft().result(), unread)
        finally:
            for future in running:
                future.cancel()


def _told(block: Block, unread: Unread) -> Iterator[Captured]:
    unread.add(block.unread)
    if block.captured is not None:
        yield block.captured


class _Choice(NamedTuple):
    """Which files are asked for. Hours as in their names: these sort as time does."""

    endpoint: str | None
    variant: str | None
    since: str | None
    until: str | None

    def has(self, name: str) -> bool:
        """Whether a file is among them."""
        if not any(self):
            return True
        found = _LAYOUT.search(name)
        return (
            found is not None
            and self.endpoint in (None, found["endpoint"])
            and self.variant in (None, found["variant"])
            and (self.since or "") <= found["hour"]
            and (self.until is None or found["hour"] < self.until)
        )


def _hour(at: datetime | None) -> str | None:
    return f"{at.astimezone(UTC):%Y/%m/%d/%H}" if at else None


def _end(at: datetime | None) -> str | None:
    """What the hours that begin before a time come before: so no two days have one in common."""
    hour = _hour(at)
    on_the_hour = at is None or not (at.minute or at.second or at.microsecond)
    return hour if on_the_hour else f"{hour}/"


def _local(path: Path, chosen: _Choice) -> list[Source]:
    try:
        if path.is_dir():
            found = sorted(one for one in path.rglob(f"*{_ENDING}") if one.is_file())
            found = [one for one in found if chosen.has(one.absolute().as_posix())]
        else:
            found = [path]
        return [Source(str(one), one.stat().st_size) for one in found]
    except OSError as error:
        raise InputError(f"cannot read {printable(str(path))}: {error.strerror}") from error


def _listed(s3: S3Client, at: Location, chosen: _Choice) -> Iterator[Source]:
    folder = at.key if at.key.endswith("/") or not at.key else f"{at.key}/"
    prefix, after = at.key, ""
    if chosen.endpoint and f"/{chosen.endpoint}/" not in f"/{folder}":
        # An endpoint of a year has many objects, and its siblings as many: begin where it does.
        prefix = folder = f"{folder}{chosen.endpoint}/"
        if chosen.variant:
            prefix = folder = f"{folder}{chosen.variant}/"
            after = f"{folder}{chosen.since or ''}"
    options: dict[str, Any] = {"StartAfter": after} if after else {}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=at.bucket, Prefix=prefix, **options)
    with asking("ListObjectsV2", s3.meta.region_name, f"{at.uri}"):
        for page in pages:
            for one in page.get("Contents", []):
                key = one["Key"]
                inside = key.startswith(folder) and key.endswith(_ENDING) and chosen.has(key)
                if inside or key == at.key:
                    yield Source(Location(at.bucket, key).uri, one["Size"], s3)


def _blocks(sources: Iterable[Source]) -> Generator[list[Piece]]:
    """Gather pieces, of one file or of many, to blocks."""
    gathered: list[Piece] = []
    size = 0
    for source, chunks in _opened(sources):
        for piece in pieces(source.uri, chunks):
            gathered.append(piece)
            size += len(piece.data)
            if size >= BLOCK:
                yield gathered
                gathered, size = [], 0
    if gathered:
        yield gathered


def pieces(uri: str, chunks: Iterable[bytes]) -> Iterator[Piece]:
    """Cut a file's bytes into whole lines. A line that is too long is left out, and told of."""
    rest: list[bytes] = []
    line, held, is_skipping, is_first = 1, 0, False, True
    try:
        for whole in chunks:
            chunk = whole.removeprefix(b"\xef\xbb\xbf") if is_first else whole
            is_first = False
            if is_skipping:
                end = chunk.find(b"\n") + 1
                if not end:
                    continue
                chunk, is_skipping = chunk[end:], False
                line += 1
            end = chunk.rfind(b"\n") + 1
            if end:
                data = b"".join([*rest, chunk[:end]])
                yield Piece(uri, line, data)
                line += lines_in(data)
                rest, held = [], 0
            rest.append(chunk[end:])
            held += len(chunk) - end
            if held > LONGEST:
                yield Piece(uri, line, b"", f"longer than {LONGEST >> 20} MiB")
                rest, held, is_skipping = [], 0, True
    except AwsError as error:
        if error.code not in _GONE:
            raise
        yield Piece(uri, 0, b"", "was deleted after it was listed", is_end=True)
        return
    if is_first:
        yield Piece(uri, 0, b"", "is empty", is_end=True)
    else:
        yield Piece(uri, line, b"".join(rest), is_end=True)


def _opened(sources: Iterable[Source]) -> Iterator[tuple[Source, Iterable[bytes]]]:
    """Open files in order. Endpoints write many small objects: these are fetched ahead."""
    with ThreadPoolExecutor(_AHEAD, "capture-s3") as pool:
        waiting: deque[tuple[Source, Future[list[bytes]] | None]] = deque()
        try:
            for source in sources:
                small = source.s3 is not None and source.size <= _SMALL
                whole = pool.submit(lambda one: list(_chunks(one)), source) if small else None
                waiting.append((source, whole))
                if len(waiting) >= _AHEAD:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        finally:
            for _, whole in waiting:
                if whole:
                    whole.cancel()


def _next(
    waiting: deque[tuple[Source, Future[list[bytes]] | None]],
) -> tuple[Source, Iterable[bytes]]:
    source, whole = waiting.popleft()
    return source, (_fetched(whole) if whole else _chunks(source))


def _fetched(whole: Future[list[bytes]]) -> Iterator[bytes]:
    """Wait for an object only when its turn comes, where its errors are reported."""
    yield from whole.result()


def _chunks(source: Source) -> Iterator[bytes]:
    return _file(source) if source.s3 is None else _object(source.s3, source)


def _file(source: Source) -> Iterator[bytes]:
    try:
        with Path(source.uri).open("rb") as file:
            while chunk := file.read(BLOCK):
                yield chunk
    except OSError as error:
        raise InputError(f"cannot read {printable(source.uri)}: {error.strerror}") from error


def _object(s3: S3Client, source: Source) -> Iterator[bytes]:
    """Stream an object. Where S3's answer breaks off, it is asked for the rest."""
    at = Location.read(source.uri)
    assert at is not None  # noqa: S101 - `sources` made it
    done, broken, etag = 0, 0, ""
    options: dict[str, Any] = {}
    while True:
        try:
            with asking("GetObject", s3.meta.region_name, source.uri):
                answer = s3.get_object(Bucket=at.bucket, Key=at.key, **options)
                etag = answer["ETag"]
                with closing(answer["Body"]) as body:
                    while chunk := body.read(BLOCK):
                        yield chunk
                        done += len(chunk)
        except AwsError as error:
            broken += 1
            if error.code not in _BROKEN_OFF or broken >= ATTEMPTS or not etag:
                raise
            options = {"Range": f"bytes={done}-", "IfMatch": etag}
        else:
            return
