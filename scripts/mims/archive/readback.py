"""The last check of an archive that we write: what the disk holds, through the checked reader.

Goes in: what is written to the file, and at the end the members that were to be written. Comes
out: the file's digest and size. A thread of its own reads the file from the disk, a little behind
the writer, so that the check costs little time more than the writing.
"""

from __future__ import annotations

import hashlib
import math
import os
import threading
from contextlib import closing
from typing import IO, TYPE_CHECKING, Sequence

from mims.archive.reader import FILE, Limits, read_members
from mims.errors import MimsError

if TYPE_CHECKING:
    from types import TracebackType

    from mims.archive.manifest import Entry

_OURS = Limits(ratio=math.inf, depth=10**6)


class ReadBack:
    """Takes what is written to a file, and reads it back from there at the same time.

    Leave the `with` block when all is written; then `compare`.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._tail = _Tail(file.fileno())
        self._digest = hashlib.sha256()
        self._found: list[tuple[str, str, int, int, str]] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="read-back", daemon=True)

    def write(self, data: bytes) -> None:
        """Write to the file."""
        self._file.write(data)
        self._file.flush()
        self._tail.grown(len(data))

    def __enter__(self) -> ReadBack:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tail.complete()
        self._thread.join()

    def _run(self) -> None:
        try:
            with closing(read_members(self._tail, _OURS, self._digest.update)) as members:
                for member, content in members:
                    digest = hashlib.sha256()
                    for piece in content:
                        digest.update(piece)
                    sha256 = digest.hexdigest() if member.kind == FILE else ""
                    self._found.append((member.name, member.kind, member.size, member.mode, sha256))
        except Exception as error:  # noqa: BLE001 - told by compare
            self._error = error

    def compare(self, entries: Sequence[Entry]) -> tuple[str, int]:
        """Give the file's SHA-256 and size in bytes.

        Raises:
            MimsError: it does not hold just these members.

        """
        if self._error:
            raise MimsError(f"the archive can't be read back: {self._error}") from self._error
        for entry, found in zip(entries, self._found):
            if entry[:5] != found:
                raise MimsError(f"the archive reads back differently at member '{entry.name}'")
        if len(entries) != len(self._found):
            raise MimsError("the archive reads back with other members")
        return self._digest.hexdigest(), self._tail.size


class _Tail:
    """A file that grows: reading waits for more until it is complete."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._complete = False
        self.size = 0
        self._position = 0

    def grown(self, count: int) -> None:
        with self._changed:
            self.size += count
            self._changed.notify()

    def complete(self) -> None:
        with self._changed:
            self._complete = True
            self._changed.notify()

    def read(self, count: int) -> bytes:
        """Up to `count` bytes; none at the end of the complete file."""
        with self._changed:
            self._changed.wait_for(lambda: self._complete or self.size - self._position >= count)
        data = os.pread(self._descriptor, count, self._position)
        self._position += len(data)
        return data
