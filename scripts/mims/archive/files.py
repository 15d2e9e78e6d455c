"""Files on disk, opened for reading: regular files only, each fault with the path in its message.

A named pipe would block the job and a device would feed it for ever, so they are refused unopened.
A link may lead to a file of the same input, never out of it. A file has to stay as it is while it
is read.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Iterator

from mims.archive.names import ArchiveError
from mims.errors import InputError

_ODD = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFDIR: "a folder",
}


@contextmanager
def reading(path: Path | str) -> Iterator[None]:
    """Name the path in whatever goes wrong inside.

    Raises:
        ArchiveError: as inside.
        InputError: for an OSError.

    """
    try:
        yield
    except ArchiveError as error:
        raise ArchiveError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file, or the one that a link leads to; raises as `open_descriptor` does."""
    return os.fdopen(open_descriptor(path), "rb", buffering=0)


def open_descriptor(path: Path | str) -> int:
    """Open a regular file, or the one that a link leads to; give its descriptor.

    Raises:
        ArchiveError: it is something else.
        OSError: it can't be opened.

    """
    real = os.path.realpath(str(path))
    mode = Path(real).stat().st_mode
    if stat.S_ISDIR(mode) and Path(path).is_symlink():
        raise ArchiveError("it is a link to a folder")
    refuse_odd(mode)
    # Not through a link and not waiting for a pipe's writer, should it be swapped just now.
    descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        refuse_odd(os.fstat(descriptor).st_mode)
    except ArchiveError:
        os.close(descriptor)
        raise
    return descriptor


def check_link(path: Path | str, real_top: str) -> None:
    """Refuse a link to nothing, or to something outside the folder whose real path is given.

    Raises:
        ArchiveError: it is such a link.

    """
    if Path(path).is_symlink():
        if not os.path.exists(str(path)):  # noqa: PTH110 - Path.exists fails on a circle in 3.7
            raise ArchiveError("it is a link to nothing")
        if not os.path.realpath(str(path)).startswith(real_top + os.sep):
            raise ArchiveError(f"it is a link that leaves {real_top}")


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """Read a file inside: it has to be the same, and as it was, at the end.

    Raises:
        InputError: it has changed or was replaced, or is out of reach.

    """
    with reading(path):
        before = path.stat()
    yield
    if not is_still(before, str(path)):
        raise changed(path)


def is_still(before: os.stat_result, path: str, folder: int | None = None) -> bool:
    """Whether a path, from a folder's descriptor, leads to the file that it led to, as it was."""
    try:
        now = os.stat(path, dir_fd=folder)
    except FileNotFoundError:
        return False
    return _identity(before) == _identity(now)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def changed(path: Path | str) -> InputError:
    """What to raise for a file or a folder that changed."""
    return InputError(f"{path} changed while it was read; run again when it is complete")


def refuse_odd(mode: int) -> None:
    """Refuse what is no regular file, by its mode.

    Raises:
        ArchiveError: it says what it is.

    """
    odd = _ODD.get(stat.S_IFMT(mode))
    if odd:
        raise ArchiveError(f"it is {odd}")
