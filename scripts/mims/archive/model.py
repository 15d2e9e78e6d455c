"""What a model input holds: an archive, loose files, or both.

Goes in: the folder (or file) of a channel. Comes out: the archive in it, if there is one.
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
    if len(found) > 1:
        raise InputError(f"{path} holds {listed(found)}; leave the one that is meant")
    if not found:
        return None
    archive = path / found[0]
    with reading(archive):
        check_link(archive, os.path.realpath(str(path)))
    return archive
