"""A folder on disk, read as if it were an archive.

Goes in: a folder. Comes out: its members in sorted order, as `read_archive` gives them, hidden
files and empty folders included. A symlink to a file inside the folder is that file; one that
leaves the folder, and whatever is neither file nor folder, is refused. A file that changes while
it is read is refused.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO, Callable, Iterator

from mims.archive.names import ArchiveError, checked_name
from mims.archive.reader import FILE, FOLDER, Member, Members
from mims.archive.streams import CHUNK
from mims.errors import InputError
from mims.text import printable

_ODD = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFDIR: "a link to a folder",
}


def read_folder(folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> Members:
    """Yield each file and folder under `folder` for whose name `wanted` holds, in sorted order.

    Raises:
        ArchiveError: names the path and the reason.
        InputError: a file can't be read, or changes while it is read.

    """
    real = os.path.realpath(str(folder))
    for name, path in _walk(folder, "", wanted):
        try:
            if path.is_dir() and not path.is_symlink():
                yield Member(name, FOLDER, 0, 0o755, int(path.stat().st_mtime)), iter(())
                continue
            with _open(path, real) as file:
                before = os.fstat(file.fileno())
                yield _member(name, path, before, real), _chunks(file, path)
                after = os.fstat(file.fileno())
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputError(f"{path} changed while it was read; run again when it is complete")


def _member(name: str, path: Path, status: os.stat_result, real_top: str) -> Member:
    target = ""
    if path.is_symlink():
        target = os.path.relpath(os.path.realpath(str(path)), real_top)
    mtime = max(0, int(status.st_mtime))
    return Member(name, FILE, status.st_size, status.st_mode, mtime, target)


def _walk(folder: Path, prefix: str, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Path]]:
    try:
        entries = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot read {folder}: {error.strerror}") from error
    for entry in entries:
        name, path = prefix + entry, folder / entry
        if not wanted(name):
            continue
        yield checked_name(name), path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path, f"{name}/", wanted)


def _open(path: Path, real_top: str) -> IO[bytes]:
    """Open a regular file, or what a link inside the folder leads to."""
    check_link(path, real_top)
    real, shown = os.path.realpath(str(path)), printable(str(path))
    _refuse_odd(Path(real).stat().st_mode, shown)
    # Not through a link and not waiting for a pipe's writer, should it be swapped just now.
    file = os.fdopen(os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0)
    _refuse_odd(os.fstat(file.fileno()).st_mode, shown)
    return file


def check_link(path: Path, real_top: str) -> None:
    """Refuse a link to nothing, or to something outside the folder whose real path is given."""
    if path.is_symlink():
        if not path.exists():
            raise ArchiveError(f"{printable(str(path))} is a link to nothing")
        if not os.path.realpath(str(path)).startswith(real_top + os.sep):
            raise ArchiveError(f"{printable(str(path))} is a link that leaves {real_top}")


def _refuse_odd(mode: int, shown: str) -> None:
    odd = _ODD.get(stat.S_IFMT(mode))
    if odd:
        raise ArchiveError(f"{shown} is {odd}")


def _chunks(file: IO[bytes], path: Path) -> Iterator[memoryview]:
    try:
        while True:
            chunk = file.read(CHUNK)
            if not chunk:
                return
            yield memoryview(chunk)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
