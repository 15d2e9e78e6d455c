"""What a model input holds: an archive, loose files, or both.

Goes in: the folder (or file) of a channel. Comes out: the archive in it, if there is one, and the
names that it goes by.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mims.archive.files import check_link, reading
from mims.errors import InputError
from mims.text import listed

if TYPE_CHECKING:
    from pathlib import Path

ARCHIVES = ("model.tar.gz", "model.tgz", "model.tar", "model.tar.bz2", "model.tar.xz")


def find_archive(path: Path) -> Path | None:
    """Give the model's archive: the file itself, or the one in the folder; it may be a folder too.

    Raises:
        InputError: the folder is empty or holds several.

    """
    if not path.is_dir():
        return path
    with reading(path):
        names = {entry.name for entry in path.iterdir()}
    if not names:
        raise InputError(f"{path} is empty; put {ARCHIVES[0]} or the model's files there")
    found = [name for name in ARCHIVES if name in names]
    if len({os.path.realpath(str(path / name)) for name in found}) > 1:
        raise InputError(f"{path} holds {listed(found)}; leave the one that is meant")
    if not found:
        return None
    archive = path / found[0]
    with reading(archive):
        check_link(archive, os.path.realpath(str(path)))
    return archive


def names_of(archive: Path, folder: Path) -> frozenset[str]:
    """The names under `folder` by which its archive goes: its own, and those that links give it."""
    real = os.path.realpath(str(archive))
    with reading(folder), os.scandir(str(folder)) as listing:
        links = [entry for entry in listing if entry.is_symlink()]
    names = [entry.name for entry in links if os.path.realpath(entry.path) == real]
    return frozenset([archive.name, os.path.relpath(real, os.path.realpath(str(folder))), *names])
