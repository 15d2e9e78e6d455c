"""A folder on disk, read as if it were an archive.

Goes in: a folder. Comes out: its members in sorted order, as `read_archive` gives them, hidden
files and empty folders included. A symlink to a file inside the folder is that file; one that
leaves the folder, and whatever is neither file nor folder, is refused. A file that changes while
it is read is refused.
"""

from __future__ import annotations

import os
import stat
from typing import IO, TYPE_CHECKING, Callable, Iterator

from mims.archive.files import check_link, open_regular, reading, refuse_odd
from mims.archive.names import DEPTH_LIMIT, ArchiveError, checked_name
from mims.archive.reader import FILE, FOLDER, Member, Members
from mims.archive.streams import CHUNK
from mims.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY
# Not through a link and not waiting for a pipe's writer, should it be swapped just now.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


def read_folder(folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> Members:
    """Yield each file and folder under `folder` for whose name `wanted` holds, in sorted order.

    Raises:
        ArchiveError: names the path and the reason.
        InputError: a file can't be read, or changes while it is read.

    """
    with reading(folder):
        top = os.open(str(folder), _OPEN_FOLDER)
    try:
        yield from _walk(folder, top, "", wanted)
    finally:
        os.close(top)


def _walk(top: Path, descriptor: int, prefix: str, wanted: Callable[[str], bool]) -> Members:
    """Walk by descriptors, so that no part of the way can be swapped for a link meanwhile."""
    with reading(top / prefix), os.scandir(descriptor) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        raw = prefix + entry.name
        if not wanted(raw):
            continue
        path = top / raw
        if raw.count("/") >= DEPTH_LIMIT:
            raise ArchiveError(f"{path} lies over {DEPTH_LIMIT} folders deep")
        name = checked_name(raw)
        with reading(path):
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                yield Member(name, FOLDER, 0, 0o755, int(status.st_mtime)), iter(())
                flags = _OPEN_FOLDER | os.O_NOFOLLOW
                inner = os.open(entry.name, flags, dir_fd=descriptor)
            else:
                is_link = stat.S_ISLNK(status.st_mode)
                if not is_link:
                    refuse_odd(status.st_mode)
                yield from _file(name, path, top, descriptor, is_link)
                continue
        try:
            yield from _walk(top, inner, f"{raw}/", wanted)
        finally:
            os.close(inner)


def _file(name: str, path: Path, top: Path, folder: int, is_link: bool) -> Members:
    target = ""
    if is_link:
        real_top = os.path.realpath(str(top))
        check_link(path, real_top)
        target = os.path.relpath(os.path.realpath(str(path)), real_top)
        file = open_regular(path)
    else:
        file = os.fdopen(os.open(path.name, _OPEN_FILE, dir_fd=folder), "rb", buffering=0)
    with file:
        before = os.fstat(file.fileno())
        refuse_odd(before.st_mode)
        mtime = max(0, int(before.st_mtime))
        member = Member(name, FILE, before.st_size, before.st_mode, mtime, target)
        yield member, _content(file, path, before.st_size)
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _changed(path)


def _content(file: IO[bytes], path: Path, size: int) -> Iterator[memoryview]:
    with reading(path):
        while size:
            chunk = file.read(min(size, CHUNK))
            if not chunk:
                raise _changed(path)
            size -= len(chunk)
            yield memoryview(chunk)


def _changed(path: Path) -> InputError:
    return InputError(f"{path} changed while it was read; run again when it is complete")
