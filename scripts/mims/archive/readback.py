"""The last check of an archive that we wrote: what the disk holds, through the checked reader.

Goes in: the finished file and the members that were to be written. Comes out: its digest and size.
"""

from __future__ import annotations

import hashlib
import math
from contextlib import closing
from typing import IO, TYPE_CHECKING, Sequence

from mims.archive.reader import FILE, Limits, read_members
from mims.errors import MimsError

if TYPE_CHECKING:
    from mims.archive.manifest import Entry


def read_back(file: IO[bytes], entries: Sequence[Entry]) -> tuple[str, int]:
    """Read the finished archive from the disk again; give its SHA-256 and size.

    Raises:
        MimsError: it does not hold just what was to be written.

    """
    digest, archive_size = hashlib.sha256(), 0

    def watch(raw: bytes) -> None:
        nonlocal archive_size
        digest.update(raw)
        archive_size += len(raw)

    file.flush()
    file.seek(0)
    written = iter(entries)
    with closing(read_members(file, Limits(ratio=math.inf, depth=10**6), watch)) as members:
        for member, content in members:
            entry = next(written, None)
            content_digest = hashlib.sha256()
            for piece in content:
                content_digest.update(piece)
            sha256 = content_digest.hexdigest() if member.kind == FILE else ""
            found = (member.name, member.kind, member.size, member.mode, sha256)
            if entry is None or found != entry[:5]:
                raise MimsError(f"the archive reads back differently at member '{member.name}'")
    if next(written, None) is not None:
        raise MimsError("the archive reads back with members missing")
    return digest.hexdigest(), archive_size
