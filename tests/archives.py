"""Archives made in code, byte by byte: good ones, odd ones, and hostile ones.

A member is bytes: a header whose every field can be said, its content, its padding. Members add
up to a tar, which a compression wraps:

    gz(tar(folder("model/"), file("model/weights.bin", b"..."), symlink("latest", "model")))

`listing` and `unpacked` are the independent readers that our outputs are held to. archive_cases.py
lists what must be refused, odd_archives.py what must be taken. Standard library only, Python 3.7+:
the tests of every interpreter stand on it.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import tarfile
import zlib
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Union

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 512
END = bytes(2 * BLOCK)
MTIME = 1_500_000_000  # July 2017
USTAR, GNU, V7 = b"ustar\x0000", b"ustar  \0", bytes(8)

Text = Union[str, bytes]
Number = Union[int, bytes]  # bytes go into the field as they are


def header(
    name: Text,
    size: Number = 0,
    kind: bytes = b"0",
    *,
    mode: Number = 0o644,
    mtime: Number = MTIME,
    target: Text = b"",
    magic: bytes = USTAR,
    prefix: Text = b"",
    owner: Number = 0o1750,
    device: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """One header block; nothing is checked."""
    fields = (
        (_raw(name), 100),
        (_octal(mode, 7), 8),
        (_octal(owner, 7), 8),  # uid
        (_octal(owner, 7), 8),  # gid
        (_octal(size, 11), 12),
        (_octal(mtime, 11), 12),
        (b" " * 8, 8),
        (kind, 1),
        (_raw(target), 100),
        (magic, 8),
        (b"somebody", 32),
        (b"users", 32),
        (device, 16),
        (_raw(prefix), 167),
    )
    block = b"".join(value.ljust(room, b"\0")[:room] for value, room in fields)
    total = b"%06o\0 " % sum(block) if checksum is None else checksum
    return block[:148] + total + block[156:]


def _raw(text: Text) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _octal(number: Number, digits: int) -> bytes:
    return number if isinstance(number, bytes) else b"%0*o" % (digits, number)


def base256(number: int) -> bytes:
    """A number of 12 bytes as GNU tar writes what octal can't hold."""
    return (b"\xff" if number < 0 else b"\x80") + number.to_bytes(11, "big", signed=number < 0)


def padded(content: bytes) -> bytes:
    """Content, filled up to whole blocks."""
    return content + bytes(-len(content) % BLOCK)


def file(name: Text, content: bytes = b"", **fields: Any) -> bytes:
    """A regular file."""
    return header(name, **{"size": len(content), **fields}) + padded(content)


def folder(name: Text, **fields: Any) -> bytes:
    """A folder."""
    return header(name, kind=b"5", **{"mode": 0o755, **fields})


def symlink(name: Text, target: Text) -> bytes:
    """A symbolic link."""
    return header(name, kind=b"2", target=target, mode=0o777)


def hardlink(name: Text, target: Text) -> bytes:
    """A hard link."""
    return header(name, kind=b"1", target=target)


def special(name: Text, kind: bytes) -> bytes:
    """A member of another type, without content."""
    return header(name, kind=kind)


def extension(kind: bytes, content: bytes) -> bytes:
    """A header that says something about what follows it: x and g of pax, L and K of GNU."""
    return file("././@Extension", content, kind=kind)


def record(key: bytes, value: bytes) -> bytes:
    """One pax record; its length counts its own digits."""
    length = len(key) + len(value) + 3
    while length != len(b"%d %s=%s\n" % (length, key, value)):
        length = len(b"%d %s=%s\n" % (length, key, value))
    return b"%d %s=%s\n" % (length, key, value)


def pax(*records: tuple[bytes, bytes], kind: bytes = b"x") -> bytes:
    """A pax header, about the next member or (`kind=b"g"`) about all that follow."""
    return extension(kind, b"".join(record(key, value) for key, value in records))


def long_name(name: Text) -> bytes:
    """GNU's long name of the next member."""
    return extension(b"L", _raw(name) + b"\0")


def long_target(name: Text) -> bytes:
    """GNU's long target of the next link."""
    return extension(b"K", _raw(name) + b"\0")


def tar(*members: bytes, end: bytes = END) -> bytes:
    """An archive of members."""
    return b"".join(members) + end


def gz_with(data: bytes, extra: bytes = b"", name: bytes = b"", comment: bytes = b"") -> bytes:
    """One gzip member whose header holds all that RFC 1952 knows, its own checksum included."""
    header = b"\x1f\x8b\x08\x1e" + bytes(4) + b"\0\xff"
    header += len(extra).to_bytes(2, "little") + extra + name + b"\0" + comment + b"\0"
    header += (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little")
    engine = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    ends = (zlib.crc32(data), len(data))
    trailer = b"".join(number.to_bytes(4, "little") for number in ends)
    return header + engine.compress(data) + engine.flush() + trailer


def gz(data: bytes, level: int = 6) -> bytes:
    """One gzip member."""
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", compresslevel=level, mtime=MTIME) as stream:
        stream.write(data)
    return made.getvalue()


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "model.tar": bytes,
    "model.tar.gz": gz,
    "model.tgz": gz,
    "model.tar.bz2": bz2.compress,
    "model.tar.xz": lzma.compress,
}


class Seen(NamedTuple):
    """A member as an independent reader sees it."""

    kind: str  # file, directory, or tarfile's type
    mode: int
    mtime: float
    content: bytes


def listing(path: Path) -> dict[str, Seen]:
    """The members of an archive, by name, as Python's tarfile reads them."""
    kinds = {tarfile.REGTYPE: "file", tarfile.DIRTYPE: "directory"}
    found: dict[str, Seen] = {}
    with tarfile.open(str(path)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            content = stream.read() if stream else b""
            kind = kinds.get(member.type, repr(member.type))
            assert member.name not in found or not member.isreg(), f"{member.name} is there twice"
            found[member.name] = Seen(kind, member.mode, member.mtime, content)
    return found


def unpacked(path: Path, folder: Path) -> dict[str, bytes | None]:
    """The files of an archive, by name, as GNU tar unpacks them into a new folder without a word.

    None is a folder; those that are only parents are among them.
    """
    folder.mkdir()
    command = ["tar", "-x", "--warning=no-timestamp", "-f", str(path), "-C", str(folder)]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=True)
    assert not done.stderr, done.stderr
    return {
        found.relative_to(folder).as_posix(): None if found.is_dir() else found.read_bytes()
        for found in folder.rglob("*")
    }
