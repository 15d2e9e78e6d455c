"""What is stored: a file or a few bytes, with the digests that name and prove it."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mims.registration.storage import Location


@dataclass(frozen=True)
class Artifact:
    """Something to store under `name`. SHA-256 in hex; CRC-32 in base64, as S3 spells it.

    `origin` is the S3 object that the source was downloaded from, where that is known.
    """

    name: str
    source: Path | bytes
    size: int
    sha256: str
    crc32: str
    origin: Location | None = None

    @classmethod
    def of_bytes(cls, name: str, content: bytes) -> Artifact:
        """An artifact made here."""
        digest = Digest()
        digest.update(content)
        return digest.artifact(name, content)


def _unseen(_: bytes) -> None:
    pass


class Digest:
    """Counts and digests bytes as they pass; `seen` sees them too."""

    def __init__(self, seen: Callable[[bytes], None] = _unseen) -> None:
        self.size = 0
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self._seen = seen

    def update(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.size += len(chunk)
        self._sha256.update(chunk)
        self._crc32 = zlib.crc32(chunk, self._crc32)
        self._seen(chunk)

    @property
    def sha256(self) -> str:
        """The SHA-256 of what passed, in hex."""
        return self._sha256.hexdigest()

    def artifact(self, name: str, source: Path | bytes) -> Artifact:
        """What passed, as an artifact."""
        crc32 = base64.b64encode(self._crc32.to_bytes(4, "big")).decode()
        return Artifact(name, source, self.size, self.sha256, crc32)
