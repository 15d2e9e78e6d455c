"""Files on disk, opened for reading: regular files only, each fault with the path in its message.

A named pipe would block the job and a device would feed it for ever, so they are refused unopened.
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
    stat.S_IFDIR: "a link to a folder",
}


@contextmanager
def reading(path: Path) -> Iterator[None]:
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
    """Open a regular file, or the one that a link leads to.

    Raises:
        ArchiveError: it is something else.
        OSError: it can't be opened.

    """
    real = os.path.realpath(str(path))
    refuse_odd(Path(real).stat().st_mode)
    # Not through a link and not waiting for a pipe's writer, should it be swapped just now.
    file = os.fdopen(os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0)
    refuse_odd(os.fstat(file.fileno()).st_mode)
    return file


def check_link(path: Path, real_top: str) -> None:
    """Refuse a link to nothing, or to something outside the folder whose real path is given.

    Raises:
        ArchiveError: it is such a link.

    """
    if path.is_symlink():
        if not os.path.exists(str(path)):  # noqa: PTH110 - Path.exists fails on a circle in 3.7
            raise ArchiveError("it is a link to nothing")
        if not os.path.realpath(str(path)).startswith(real_top + os.sep):
            raise ArchiveError(f"it is a link that leaves {real_top}")


def refuse_odd(mode: int) -> None:
    """Refuse what is no regular file, by its mode.

    Raises:
        ArchiveError: it says what it is.

    """
    odd = _ODD.get(stat.S_IFMT(mode))
    if odd:
        raise ArchiveError(f"it is {odd}")
