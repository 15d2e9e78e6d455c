"""The last check of an archive that we write: what the disk holds, through the checked reader.

Goes in: what is written to the file, and at the end the members that were to be written. Comes
out: the file's digest and size, and the members' digests. A process of its own reads the file
from the disk, a little behind the writer, so that the check shares nothing with the writing and
costs little more time. CRC-32 ties each member to its source, its SHA-256 is that of the disk.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import signal
import struct
import sys
from contextlib import closing, suppress
from typing import IO, TYPE_CHECKING, Iterator, NamedTuple, Sequence

from mims.archive.gz import crc32
from mims.archive.names import ArchiveError
from mims.archive.reader import FILE, Limits, read_members
from mims.errors import MimsError

if TYPE_CHECKING:
    from types import TracebackType

    from mims.archive.manifest import Entry

_OURS = Limits(members=sys.maxsize, unpacked_bytes=sys.maxsize, ratio=math.inf)
_SIZE = struct.Struct("<Q")


_MEMBER = struct.Struct("32s32s")  # the fingerprint of an entry, the SHA-256 of its content


class Proven(NamedTuple):
    """An archive as the disk holds it: SHA-256, size in bytes, entries with their SHA-256."""

    sha256: str
    size: int
    entries: Iterator[Entry]


class ReadBack:
    """Takes what is written to a file, while a child process reads it back from there.

    Leave the `with` block when all is written; then `compare`.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = 0
        self._answer = b""

    def __enter__(self) -> ReadBack:
        sizes, self._sizes = os.pipe()  # how large the file is by now
        self._answers, answers = os.pipe()
        stops = {signal.SIGINT, signal.SIGTERM}  # of the parent alone, which ends the child
        before = signal.pthread_sigmask(signal.SIG_BLOCK, stops)
        self._child = os.fork()
        if self._child == 0:
            os.close(self._sizes)
            _read_back(_GrowingFile(self._file.fileno(), sizes), answers)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(sizes)
        os.close(answers)
        return self

    def write(self, data: bytes) -> None:
        """Write to the file."""
        self._file.write(data)
        self._file.flush()
        self._size += len(data)
        with suppress(BrokenPipeError):  # the child met damage and has ended: compare will say
            os.write(self._sizes, _SIZE.pack(self._size))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._sizes)
        try:
            if kind is None:
                with open(self._answers, "rb", closefd=False) as answers:
                    self._answer = answers.read()
        finally:
            os.close(self._answers)
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)

    def compare(self, entries: Sequence[Entry]) -> Proven:
        """Give what the file holds, when that is just these members: by CRC-32 the same content.

        Raises:
            MimsError: it does not hold just these members.

        """
        head, _, members = self._answer.partition(b"\n")
        answer = json.loads(head or b'{"damage": "its reader ended early"}')
        if "damage" in answer:
            raise MimsError(f"the archive does not read back: {answer['damage']}")
        for entry, (found, _) in zip(entries, _MEMBER.iter_unpack(members)):
            if _fingerprint(*entry[:5]) != found:
                raise MimsError(f"the archive reads back differently at member '{entry.name}'")
        if len(members) != len(entries) * _MEMBER.size or answer["size"] != self._size:
            raise MimsError("the archive reads back with other members")
        proven = (
            entry._replace(sha256=digest.hex() if entry.type == FILE else "")
            for entry, (_, digest) in zip(entries, _MEMBER.iter_unpack(members))
        )
        return Proven(answer["sha256"], self._size, proven)


class _GrowingFile:
    """A file that another process writes; reading waits for more until that one is done."""

    def __init__(self, descriptor: int, sizes: int) -> None:
        self._descriptor = descriptor
        self._sizes = sizes
        self._size = 0
        self._position = 0

    def read(self, count: int) -> bytes:
        """Up to `count` bytes; none at the end of the complete file."""
        while self._size - self._position < count:
            told = os.read(self._sizes, _SIZE.size)
            if not told:
                break
            (self._size,) = _SIZE.unpack(told)
        data = os.pread(self._descriptor, count, self._position)
        self._position += len(data)
        return data


def _read_back(file: _GrowingFile, answers: int) -> None:
    """The child process: read the archive, write what it holds to a pipe, and end."""
    try:
        answer = memoryview(_contents(file))
        while answer:
            answer = answer[os.write(answers, answer) :]
    finally:
        os._exit(0)  # nothing of the parent's may run here


def _contents(file: _GrowingFile) -> bytes:
    """A line of JSON about the archive, then a record for each member."""
    whole, size, members = hashlib.sha256(), 0, bytearray()

    def watch(raw: bytes) -> None:
        nonlocal size
        whole.update(raw)
        size += len(raw)

    try:
        with closing(read_members(file, _OURS, watch)) as found:
            for member, content in found:
                crc, digest = 0, hashlib.sha256()
                for piece in content:
                    crc = crc32(piece, crc)
                    digest.update(piece)
                members += _MEMBER.pack(_fingerprint(*member[:4], crc), digest.digest())
    except (ArchiveError, OSError) as error:
        return json.dumps({"damage": str(error)}).encode()
    return json.dumps({"sha256": whole.hexdigest(), "size": size}).encode() + b"\n" + members


def _fingerprint(name: str, kind: str, size: int, mode: int, crc: int) -> bytes:
    return hashlib.sha256(f"{name}\0{kind}\0{size}\0{mode}\0{crc}".encode()).digest()
