"""Bytes out of a file, decompressed and checked to its very end.

Goes in: an open file that is a .tar, .tar.gz, .tar.bz2 or .tar.xz. Comes out: its decompressed
bytes in chunks, made ahead in a thread of their own. Complete iteration proves that every
checksum held, that nothing was cut off and that nothing but zeros follows. Memory stays bounded
whatever the file holds.
"""

from __future__ import annotations

import bz2
import lzma
import queue
import threading
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Callable, Iterator

from mims.archive.names import ArchiveError

if TYPE_CHECKING:
    from typing import Protocol

    class Readable(Protocol):
        """What can be read from, to its end."""

        def read(self, __count: int) -> bytes: ...  # noqa: D102


try:
    from isal import igzip_lib
except ImportError:  # it makes things quicker, no more
    igzip_lib = None  # type: ignore[assignment]

CHUNK = 512 * 1024
_AHEAD = 4  # chunks
_FLAGS, _UNKNOWN = 4, 0xE0  # where gzip's flags lie, and those that there are none of
_XZ_MEMORY = 256 * 1024 * 1024  # bytes: four times what `xz -9` asks for
_BROKEN: tuple[type[Exception], ...] = (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
if igzip_lib is not None:
    _BROKEN = (*_BROKEN, igzip_lib.error)  # type: ignore[arg-type]  # its stub says instance


class _Gunzip:
    """zlib's gzip reader under the interface that bz2's and lzma's have."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail and not self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


class _Igunzip:
    """igzip's gzip reader, with the check that it lacks: flags of which RFC 1952 knows none."""

    def __init__(self) -> None:
        self._igzip = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        self._head = b""

    @property
    def eof(self) -> bool:
        return self._igzip.eof

    @property
    def needs_input(self) -> bool:
        return self._igzip.needs_input

    @property
    def unused_data(self) -> bytes:
        return self._igzip.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if len(self._head) < _FLAGS:
            self._head += data[: _FLAGS - len(self._head)]
            if len(self._head) == _FLAGS and self._head[-1] & _UNKNOWN:
                raise ValueError("unknown header flags set")
        return self._igzip.decompress(data, max_length)


def _gunzip() -> Any:
    return _Gunzip() if igzip_lib is None else _Igunzip()


def _unxz() -> Any:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


_FORMATS: dict[bytes, tuple[str, Callable[[], Any]]] = {
    b"\x1f\x8b": ("gzip", _gunzip),
    b"BZh": ("bzip2", bz2.BZ2Decompressor),
    b"\xfd7zXZ\x00": ("xz", _unxz),
}


def decompressed(
    file: Readable, watch: Callable[[bytes], None], max_ratio: float
) -> Iterator[bytes]:
    """Yield the decompressed bytes of a file; `watch` sees the file's own bytes as they are read.

    Raises:
        ArchiveError: the file is empty, broken, cut off, followed by something, or unpacks to
            more than `max_ratio` times its own size.

    """
    blocks = _blocks(file, watch)
    first = next(blocks, b"")
    if not first:
        raise ArchiveError("it is empty")
    for magic in _FORMATS:
        if first.startswith(magic):
            yield from _inflated(first, blocks, magic, max_ratio)
            return
    yield first
    yield from blocks


def _blocks(file: Readable, watch: Callable[[bytes], None]) -> Iterator[bytes]:
    while True:
        block = file.read(CHUNK)
        if not block:
            return
        watch(block)
        yield block


def _inflated(
    block: bytes, blocks: Iterator[bytes], magic: bytes, max_ratio: float
) -> Iterator[bytes]:
    name, new = _FORMATS[magic]
    engine, taken, given = new(), len(block), 0
    while True:
        if engine.needs_input and not block:
            block = next(blocks, b"")
            taken += len(block)
            if not block:
                raise ArchiveError(f"its {name} data ends too early: it was cut off")
        try:
            chunk = engine.decompress(block, CHUNK)
        except _BROKEN as error:
            raise ArchiveError(f"its {name} data is damaged ({error})") from error
        block = b""
        given += len(chunk)
        # The first megabytes are free: a short file of zeros is no bomb.
        if given > max_ratio * taken + 64 * CHUNK:
            raise ArchiveError(f"it unpacks to over {max_ratio:g} times its own size")
        if chunk:
            yield chunk
        if engine.eof:
            block = _after(engine.unused_data, blocks, magic)
            if not block:
                return
            engine = new()  # gzip, bzip2 and xz files may be concatenated


def _after(rest: bytes, blocks: Iterator[bytes], magic: bytes) -> bytes:
    """What follows a compressed stream: another one, or zeros (a tape's padding) to the end."""
    while not rest.strip(b"\0") or len(rest) < len(magic):
        more = next(blocks, b"")
        if not more:
            break
        rest = rest.lstrip(b"\0") + more
    if rest.strip(b"\0") and not rest.startswith(magic):
        raise ArchiveError("something that does not belong to it follows its end")
    return rest.strip(b"\0") and rest


class Ahead:
    """Runs an iterator in a thread, a few items ahead. Close it to stop early."""

    _END = object()

    def __init__(self, items: Iterator[bytes]) -> None:
        self._items = items
        self._queue: queue.Queue[Any] = queue.Queue(_AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for item in self._items:
                self._queue.put(item)
                if self._closed.is_set():
                    return
            self._queue.put(self._END)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            self._queue.put(error)

    def __iter__(self) -> Iterator[bytes]:
        while True:
            item = self._queue.get()
            if item is self._END:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def close(self) -> None:
        """Stop the thread and wait for it."""
        self._closed.set()
        while self._thread.is_alive():
            with suppress(queue.Empty):
                self._queue.get(timeout=0.01)
        self._thread.join()
