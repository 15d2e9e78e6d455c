"""Parallel gzip: one ordinary gzip member, its blocks compressed side by side.

Goes in: bytes. Comes out: a gzip file (RFC 1952) of one member without name or time, which every
reader of gzip reads. Each block is deflated on its own thread, ends on a byte boundary (a full
flush) and joins the stream in its turn; the blocks' CRCs are combined. The bytes depend on the
input, the level and the library alone, never on the number of threads.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Protocol

    class Writable(Protocol):
        """What can be written to."""

        def write(self, __data: bytes) -> object: ...  # noqa: D102


try:
    from isal import isal_zlib
except ImportError:  # it makes things quicker, no more
    isal_zlib = None  # type: ignore[assignment]

crc32 = zlib.crc32 if isal_zlib is None else isal_zlib.crc32

Bytes = Union[bytes, memoryview]

BLOCK = 1024 * 1024  # bytes
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST = b"\x03\x00"  # an empty deflate block with the final bit
_ISAL_LEVELS = 3
_CRC_POLYNOMIAL = 0xEDB88320


def cpus() -> int:
    """Processors that this process may use: its affinity, and its cgroup's quota rounded up."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, math.ceil(min(allowed or 1, _cgroup_quota())))


def _cgroup_quota(root: Path = Path("/sys/fs/cgroup")) -> float:
    """Processors that the cgroup grants; infinity without a limit. Linux's cgroup v2, then v1."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return math.inf
    return math.inf if quota in ("max", "-1") else int(quota) / int(period)


class GzipWriter:
    """Compresses what is written to it into `file`. Leave the `with` block to complete it."""

    def __init__(self, file: Writable, level: int = 1, threads: int | None = None) -> None:
        threads = cpus() if threads is None else threads
        self._file, self._level = file, level
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="gzip")
        self._room = 2 * threads
        self._waiting: deque[Future[tuple[bytes, int, int]]] = deque()
        self._pieces: list[Bytes] = []  # of the block that is being filled
        self._left = BLOCK  # its room
        self._crc, self._size = 0, 0
        file.write(_HEADER)

    def write(self, data: Bytes) -> None:
        """Add bytes, which must not change any more: they are kept until their block is full."""
        while len(data) >= self._left:
            view = memoryview(data)
            self._pieces.append(view[: self._left])
            data = view[self._left :]
            self._submit()
        if data:
            self._pieces.append(data)
            self._left -= len(data)

    def _submit(self) -> None:
        pieces, self._pieces = self._pieces, []
        self._left = BLOCK
        while len(self._waiting) >= self._room:
            self._collect()
        self._waiting.append(self._pool.submit(_deflate, pieces, self._level))

    def _collect(self) -> None:
        compressed, crc, size = self._waiting.popleft().result()
        self._file.write(compressed)
        self._crc = crc32_combine(self._crc, crc, size)
        self._size += size

    def _finish(self) -> None:
        if self._pieces:
            self._submit()
        while self._waiting:
            self._collect()
        self._file.write(_LAST + struct.pack("<LL", self._crc, self._size & 0xFFFFFFFF))

    def __enter__(self) -> GzipWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._waiting.clear()
            self._pool.shutdown()


def _deflate(pieces: list[Bytes], level: int) -> tuple[bytes, int, int]:
    """One block as a piece of a raw deflate stream, its CRC-32 and its size."""
    block = b"".join(pieces)
    if isal_zlib is not None and level <= _ISAL_LEVELS:
        engine = isal_zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
        compressed = engine.compress(block) + engine.flush(isal_zlib.Z_FULL_FLUSH)
        return compressed, crc32(block), len(block)
    deflate = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    compressed = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    return compressed, crc32(block), len(block)


def crc32_combine(first: int, second: int, second_size: int) -> int:
    """CRC-32 of two blocks one after the other, from their CRCs.

    The first one's CRC is multiplied by x^(8 * second_size) modulo the polynomial, as in zlib's
    crc32_combine; bits are reflected, so x^0 is the highest bit.
    """
    return _multiply(_power(8 * second_size), first) ^ second


@lru_cache(maxsize=8)
def _power(exponent: int) -> int:
    power, square = 1 << 31, 1 << 30  # x^0 and x^1
    while exponent:
        if exponent & 1:
            power = _multiply(power, square)
        square = _multiply(square, square)
        exponent >>= 1
    return power


def _multiply(a: int, b: int) -> int:
    """The product of two polynomials over GF(2), modulo CRC-32's."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (_CRC_POLYNOMIAL if b & 1 else 0)
    return product
