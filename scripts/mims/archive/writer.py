"""A canonical tar: the same members make the same bytes.

Goes in: names, sizes, times, contents. Comes out: POSIX.1-2017 ustar headers, a pax header only
where a name or size needs one; owner 0:0 without names, mode 0755 or 0644.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Iterable

from mims.archive.gz import crc32
from mims.archive.names import PATH_LIMIT, ArchiveError
from mims.archive.reader import BLOCK

if TYPE_CHECKING:
    from mims.archive.gz import Bytes, GzipWriter

_NAME_ROOM = 100  # bytes in a ustar header
_USTAR = struct.Struct("100s8s8s8s12s12s8sc100s6s2s247x")
_OCTAL_ROOM = 8**11  # what eleven octal digits hold: 8 GiB


class TarWriter:
    """Writes members to `sink`; `close` ends the archive."""

    def __init__(self, sink: GzipWriter) -> None:
        self._sink = sink

    def add_folder(self, name: str, mtime: int) -> None:
        """Write a folder."""
        self._sink.write(_headers(f"{name}/", b"5", 0, 0o755, mtime))

    def add_file(
        self, name: str, size: int, mode: int, mtime: int, content: Iterable[Bytes]
    ) -> int:
        """Write a file of `size` bytes and give its CRC-32.

        Raises:
            ArchiveError: the content has another size.

        """
        self._sink.write(_headers(name, b"0", size, mode, mtime))
        crc, written = 0, 0
        for piece in content:
            crc = crc32(piece, crc)
            written += len(piece)
            self._sink.write(piece)
        if written != size:
            raise ArchiveError(f"'{name}' has {written} bytes where {size} were announced")
        self._sink.write(bytes(-size % BLOCK))
        return crc

    def close(self) -> None:
        """Write the end-of-archive mark."""
        self._sink.write(bytes(2 * BLOCK))


def canonical_mode(mode: int) -> int:
    """0755 where anybody may execute it, else 0644: no set-id, sticky or world-writable bits."""
    return 0o755 if mode & 0o111 else 0o644


def _headers(name: str, kind: bytes, size: int, mode: int, mtime: int) -> bytes:
    raw = name.encode()
    if len(raw) > PATH_LIMIT:
        raise ArchiveError(f"'{name[:300]}': its name in the package is over {PATH_LIMIT} bytes")
    records = b""
    if len(raw) > _NAME_ROOM or not name.isascii():
        records += _record(b"path", raw)
    if size >= _OCTAL_ROOM:
        records += _record(b"size", b"%d" % size)
    if mtime >= _OCTAL_ROOM:
        records += _record(b"mtime", b"%d" % mtime)
    if not records:
        return _header(raw, kind, size, mode, mtime)
    padding = bytes(-len(records) % BLOCK)
    pax = _header(b"././@PaxHeader", b"x", len(records), 0o644, 0)
    # What these fields hold is for readers that know no pax: they get the start of the name.
    plain = name.encode("ascii", "replace")[:_NAME_ROOM]
    size, mtime = (0 if number >= _OCTAL_ROOM else number for number in (size, mtime))
    return pax + records + padding + _header(plain, kind, size, mode, mtime)


def _header(name: bytes, kind: bytes, size: int, mode: int, mtime: int) -> bytes:
    """One ustar header. POSIX.1-2017, pax, 'ustar Interchange Format'."""
    owner, target = b"%07o" % 0, b""
    fields = (name, b"%07o" % mode, owner, owner, b"%011o" % size, b"%011o" % mtime)
    told = (*fields, b" " * 8, kind, target, b"ustar", b"00")
    header = _USTAR.pack(*told)
    return header[:148] + b"%06o\0 " % sum(b"".join(told)) + header[156:]


def _record(key: bytes, value: bytes) -> bytes:
    """One pax record, `length key=value` and a newline, whose length counts its own digits."""
    rest = b" %s=%s\n" % (key, value)
    length = len(rest) + len(str(len(rest)))
    length = len(rest) + len(str(length))
    return b"%d%s" % (length, rest)
