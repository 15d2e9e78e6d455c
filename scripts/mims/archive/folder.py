"""A folder on disk, read as if it were an archive.

Goes in: a folder. Comes out: its members in sorted order, as `read_archive` gives them, hidden
files and empty folders included. A symlink to a file inside the folder is that file; one that
leaves the folder, and whatever is neither file nor folder, is refused. So is a file that changes
while it is read, and a folder that gets other entries meanwhile.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, Iterator

from mims.archive.files import (
    changed,
    check_link,
    is_still,
    open_descriptor,
    reading,
    refuse_odd,
)
from mims.archive.names import DEPTH_LIMIT, ArchiveError, checked_name
from mims.archive.reader import FILE, FOLDER, Member, Members
from mims.archive.streams import CHUNK

if TYPE_CHECKING:
    from pathlib import Path

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY
# Not through a link and not waiting for a pipe's writer, should it be swapped just now.
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


def folder_size(folder: Path) -> int:
    """Bytes in the files under a folder, as far as they can be seen."""
    total, folders = 0, [str(folder)]
    while folders:
        with suppress(OSError), os.scandir(folders.pop()) as listing:
            for entry in listing:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


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
    before = os.fstat(descriptor)
    with reading(top / prefix), os.scandir(descriptor) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        raw = prefix + entry.name
        if not wanted(raw):
            continue
        if raw.count("/") >= DEPTH_LIMIT:
            raise ArchiveError(f"{top / raw} lies over {DEPTH_LIMIT} folders deep")
        name = checked_name(raw)
        if not entry.is_dir(follow_symlinks=False):
            yield from _file(name, f"{top}/{raw}", top, descriptor, entry)
            continue
        with reading(top / raw):
            mtime = int(entry.stat(follow_symlinks=False).st_mtime)
            inner = os.open(entry.name, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
        try:
            yield Member(name, FOLDER, 0, 0o755, mtime), iter(())
            yield from _walk(top, inner, f"{raw}/", wanted)
        finally:
            os.close(inner)
    _refuse_changed(top / prefix, descriptor, before, [entry.name for entry in entries])


def _refuse_changed(
    folder: Path, descriptor: int, before: os.stat_result, names: list[str]
) -> None:
    """Refuse a folder that has got other entries. Some file systems make up a folder's time."""
    if os.fstat(descriptor).st_mtime_ns != before.st_mtime_ns:
        with reading(folder):
            now = sorted(os.listdir(descriptor))
        if now != names:
            raise changed(folder)


def _file(name: str, path: str, top: Path, folder: int, entry: os.DirEntry[str]) -> Members:
    with reading(path):
        target, place = "", entry.name
        if entry.is_symlink():
            real_top = os.path.realpath(str(top))
            check_link(path, real_top)
            place = os.path.realpath(path)
            target = os.path.relpath(place, real_top)
            file = open_descriptor(path)
        else:
            if not entry.is_file(follow_symlinks=False):
                refuse_odd(entry.stat(follow_symlinks=False).st_mode)
            file = os.open(entry.name, _OPEN_FILE, dir_fd=folder)
    try:
        before = os.fstat(file)
        refuse_odd(before.st_mode)
        member = Member(
            name, FILE, before.st_size, before.st_mode, max(0, int(before.st_mtime)), target
        )
        yield member, _content(file, path, lambda: is_still(before, place, folder), before.st_size)
    finally:
        os.close(file)


def _content(file: int, path: str, still: Callable[[], bool], size: int) -> Iterator[memoryview]:
    while size:
        with reading(path):
            chunk = os.read(file, min(size, CHUNK))
        if not chunk:
            raise changed(path)
        size -= len(chunk)
        yield memoryview(chunk)
    with reading(path):
        if not still():
            raise changed(path)
