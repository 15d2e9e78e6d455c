"""A folder on disk, read as if it were an archive.

Goes in: a folder. Comes out: its members in sorted order, as `read_archive` gives them, hidden
files and empty folders included. A symlink to a file inside the folder is that file; one that
leaves the folder, and whatever is neither file nor folder, is refused. A file that changes while
it is read is refused.
"""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Callable, Iterator

from mims.archive.files import check_link, open_regular, reading
from mims.archive.names import DEPTH_LIMIT, ArchiveError, checked_name
from mims.archive.reader import FILE, FOLDER, Member, Members
from mims.archive.streams import CHUNK
from mims.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def read_folder(folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> Members:
    """Yield each file and folder under `folder` for whose name `wanted` holds, in sorted order.

    Raises:
        ArchiveError: names the path and the reason.
        InputError: a file can't be read, or changes while it is read.

    """
    real = os.path.realpath(str(folder))
    for name, path in _walk(folder, "", wanted):
        with reading(path):
            if path.is_dir() and not path.is_symlink():
                yield Member(name, FOLDER, 0, 0o755, int(path.stat().st_mtime)), iter(())
                continue
            check_link(path, real)
            with open_regular(path) as file:
                before = os.fstat(file.fileno())
                yield _member(name, path, before, real), _chunks(file, path)
                after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputError(f"{path} changed while it was read; run again when it is complete")


def _member(name: str, path: Path, status: os.stat_result, real_top: str) -> Member:
    target = ""
    if path.is_symlink():
        target = os.path.relpath(os.path.realpath(str(path)), real_top)
    mtime = max(0, int(status.st_mtime))
    return Member(name, FILE, status.st_size, status.st_mode, mtime, target)


def _walk(folder: Path, prefix: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
    with reading(folder):
        entries = sorted(path.name for path in folder.iterdir())
    for entry in entries:
        name, path = prefix + entry, folder / entry
        if not wanted(name):
            continue
        if name.count("/") >= DEPTH_LIMIT:
            raise ArchiveError(f"{path} lies over {DEPTH_LIMIT} folders deep")
        yield checked_name(name), path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path, f"{name}/", wanted)


def _chunks(file: IO[bytes], path: Path) -> Iterator[memoryview]:
    with reading(path):
        while True:
            chunk = file.read(CHUNK)
            if not chunk:
                return
            yield memoryview(chunk)
