"""The one checked reader of tar archives.

Goes in: a .tar, .tar.gz, .tar.bz2 or .tar.xz. Comes out: its members in their order, each with
its content as a stream; or an `ArchiveError`. Nothing is extracted, and nothing is trusted:
names, numbers and order are derived and checked here (POSIX.1-2017 pax and ustar, GNU long names),
because Python's tarfile passes over most damage in silence. A complete iteration proves that the
archive is whole: every checksum held, two zero blocks ended it, only zeros followed.
"""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, Callable, Generator, Iterator, Mapping, NamedTuple, Tuple

from mims.archive.files import open_regular, reading, unchanged
from mims.archive.names import DEPTH_LIMIT, ArchiveError, Namespace, checked_name
from mims.archive.streams import Ahead, decompressed
from mims.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from mims.archive.streams import Readable

BLOCK = 512  # bytes
FILE, FOLDER, SYMLINK, HARDLINK = "file", "directory", "symlink", "hardlink"
_KINDS = {b"0": FILE, b"\0": FILE, b"7": FILE, b"5": FOLDER, b"2": SYMLINK, b"1": HARDLINK}
_REFUSED = {
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"S": "a sparse file",
    b"D": "an incremental backup's folder",
    b"M": "a part of a multi-volume archive",
    b"V": "a volume label",
}
_LAST_SECOND = 8**11 - 1  # the last that eleven octal digits hold, in the year 2242
_PAX_LIMIT = 1024 * 1024  # bytes of extended header


class Limits(NamedTuple):
    """Where an archive is taken for a bomb."""

    members: int = 1_000_000
    unpacked_bytes: int = 10**12
    ratio: float = 1000
    depth: int = DEPTH_LIMIT  # folders in one another

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Limits:
        """What the settings say; those of that name are in every contract."""
        names = ("MAX_MEMBERS", "MAX_UNPACKED_BYTES", "MAX_COMPRESSION_RATIO")
        return cls(*(settings[name] for name in names))


DEFAULT_LIMITS = Limits()


class Member(NamedTuple):
    """A file, folder or link of an archive. Sizes in bytes, times in seconds since 1970."""

    name: str
    kind: str
    size: int
    mode: int
    mtime: int
    target: str = ""  # of a link


Members = Generator[Tuple[Member, Iterator[memoryview]], None, None]


def _unwatched(_: bytes) -> None:
    pass


def read_archive(
    path: Path,
    limits: Limits = DEFAULT_LIMITS,
    watch: Callable[[bytes], None] = _unwatched,
) -> Members:
    """Yield each member with its content; content that is not read is checked and skipped.

    `watch` sees the archive's own bytes as they are read, in another thread.

    Raises:
        ArchiveError: names the archive, the member and the reason.
        InputError: the file can't be read, or changed meanwhile.

    """
    with unchanged(path), reading(path), open_regular(path) as file, closing(
        read_members(file, limits, watch)
    ) as members:
        for member, content in members:
            yield member, _content(path, content)


def _content(path: Path, content: Iterator[memoryview]) -> Iterator[memoryview]:
    with reading(path):
        yield from content


def read_members(
    file: Readable,
    limits: Limits = DEFAULT_LIMITS,
    watch: Callable[[bytes], None] = _unwatched,
) -> Members:
    """Do the same for a file that is open."""
    with closing(Ahead(decompressed(file, watch, limits.ratio))) as chunks:
        yield from _members(_Blocks(iter(chunks)), limits)


class _Blocks:
    """A stream of bytes that gives exact counts."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def take(self, count: int) -> bytes:
        """Exactly `count` bytes, or fewer at the very end."""
        if len(self._chunk) >= count:
            taken, self._chunk = self._chunk[:count], self._chunk[count:]
            return bytes(taken)
        return b"".join(self.stream(count))

    def stream(self, count: int) -> Iterator[memoryview]:
        """Up to `count` bytes, in pieces."""
        while count:
            if not self._chunk:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return
                self._chunk = memoryview(chunk)
            piece, self._chunk = self._chunk[:count], self._chunk[count:]
            count -= len(piece)
            yield piece


class _Content:
    """What is left of the current member, its padding included."""

    def __init__(self, blocks: _Blocks, name: str, size: int) -> None:
        self._blocks, self._name, self._left, self._size = blocks, name, size, size

    def __iter__(self) -> Iterator[memoryview]:
        for piece in self._blocks.stream(self._left):
            self._left -= len(piece)
            yield piece
        self._expect(not self._left)

    def skip(self) -> None:
        """Read to the start of the next header.

        Raises:
            ArchiveError: the archive ends first.

        """
        for _ in self:
            pass
        padding = -self._size % BLOCK
        self._expect(len(self._blocks.take(padding)) == padding)

    def _expect(self, whole: bool) -> None:
        if not whole:
            raise ArchiveError(f"it ends inside member '{self._name}': it was cut off")


def _members(blocks: _Blocks, limits: Limits) -> Members:
    names, count, unpacked = Namespace(), 0, 0
    while True:
        member = _next_member(blocks)
        if member is None:
            return
        count += 1
        unpacked += member.size
        if count > limits.members:
            raise ArchiveError(f"it holds over {limits.members} members (MAX_MEMBERS)")
        if unpacked > limits.unpacked_bytes:
            raise ArchiveError(
                f"it unpacks to over {limits.unpacked_bytes} bytes (MAX_UNPACKED_BYTES)"
            )
        if member.name.count("/") >= limits.depth:
            raise ArchiveError(f"member '{member.name}' lies over {limits.depth} folders deep")
        content = _Content(blocks, member.name, member.size)
        if member.kind == FOLDER:
            if member.name and names.add_folder(member.name):
                yield member, iter(())
        else:
            names.add_file(member.name)
            yield member, iter(content)
        content.skip()


class _Extended(NamedTuple):
    """What pax or GNU headers say of the member that follows them."""

    name: str | None = None
    target: str | None = None
    size: int | None = None
    mtime: int | None = None


def _next_member(blocks: _Blocks) -> Member | None:
    """Read headers up to and with that of the next member; None at a proper end."""
    extended, before = _Extended(), b""
    while True:
        header = blocks.take(BLOCK)
        if not header.strip(b"\0"):
            if any(field is not None for field in extended):
                raise ArchiveError("it ends after an extended header")
            _expect_end(header, blocks)
            return None
        _check_sum(header)
        kind = header[156:157]
        if kind in (b"x", b"L", b"K", b"g"):
            if kind in before and kind != b"g":  # some readers heed both, some only the last
                raise ArchiveError("a member has two extended headers of one kind")
            before += kind
            content = _extension(header, blocks)
            extended = _merged(extended, kind, content)
        else:
            return _member(header, kind, extended)


def _expect_end(first: bytes, blocks: _Blocks) -> None:
    second = blocks.take(BLOCK)
    if len(first) < BLOCK or len(second) < BLOCK:
        raise ArchiveError("it has no end-of-archive mark: it was cut off")
    rest = any(bytes(piece).strip(b"\0") for piece in blocks.stream(sys.maxsize))
    if rest or second.strip(b"\0"):
        raise ArchiveError("something follows its end-of-archive mark")


def _check_sum(header: bytes) -> None:
    if len(header) < BLOCK:
        raise ArchiveError("it ends inside a header: it was cut off")
    field = header[148:156]
    digits = field.split(b"\0", 1)[0].strip()
    total = sum(header) - sum(field) + 8 * ord(" ")
    if not digits.isdigit() or digits.lstrip(b"0") != b"%o" % total:
        raise ArchiveError("a header is damaged, or this is no tar archive")


def _number(field: bytes, what: str) -> int:
    """Octal digits, or GNU's base 256 with the first bit set."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    if field[0] == 0xFF:
        return int.from_bytes(field, "big", signed=True)
    digits = field.split(b"\0", 1)[0].strip()
    if digits and not all(0x30 <= digit <= 0x37 for digit in digits):
        raise ArchiveError(f"a header's {what} is no octal number")
    return int(digits or b"0", 8)


def _time(seconds: int) -> int:
    """A time that every system can set: others would make the package impossible to unpack."""
    return min(max(0, seconds), _LAST_SECOND)


def _text(raw: bytes, what: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        escaped = printable(raw.decode("utf-8", "backslashreplace"))
        raise ArchiveError(f"member '{escaped[:300]}': its {what} is not UTF-8") from None


def _field(field: bytes, what: str) -> str:
    """Text up to the NUL that ends it; readers disagree on what may hide behind it."""
    text = _text(field.rstrip(b"\0"), what)
    if "\0" in text:
        raise ArchiveError(f"member '{printable(text)}': its {what} holds a NUL")
    return text


def _extension(header: bytes, blocks: _Blocks) -> bytes:
    size = _number(header[124:136], "size")
    if not 0 <= size <= _PAX_LIMIT:
        raise ArchiveError(f"an extended header claims {size} bytes")
    content = blocks.take(size)
    if len(content) < size or len(blocks.take(-size % BLOCK)) < -size % BLOCK:
        raise ArchiveError("it ends inside an extended header: it was cut off")
    return content


def _merged(extended: _Extended, kind: bytes, content: bytes) -> _Extended:
    """Add an extension's fields. Two that say the same thing would let readers disagree."""
    if kind == b"g":
        if any(field is not None for field in _pax(content)):
            raise ArchiveError("a global header sets the name, link, size or time of its members")
        return extended
    if kind == b"x":
        more = _pax(content)
    else:
        text = _text(content[:-1] if content.endswith(b"\0") else content, "long name")
        more = _Extended(name=text) if kind == b"L" else _Extended(target=text)
    fields = {}
    for field, old, new in zip(_Extended._fields, extended, more):
        if old is not None and new is not None:
            raise ArchiveError(f"a member's {field} is set by two extended headers")
        fields[field] = new if old is None else old
    return _Extended(**fields)  # type: ignore[arg-type]


def _pax(content: bytes) -> _Extended:
    """The records of a pax header that matter here. POSIX.1-2017, pax, 'Extended Header'."""
    records: dict[bytes, bytes] = {}
    while content:
        digits, space, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 8 else 0
        record, content = content[:length], content[length:]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        whole = space and equals and len(record) == length and record.endswith(b"\n")
        if not whole or b"\0" in key:
            raise ArchiveError("a pax header is malformed")
        if key.startswith(b"GNU.sparse."):
            raise ArchiveError("it holds a sparse file")
        if key in records:
            raise ArchiveError(f"a pax header sets '{_text(key, 'keyword')}' twice")
        records[key] = value
    size, mtime = records.get(b"size"), records.get(b"mtime")
    if size is not None and not (size.isdigit() and len(size) < 30):  # int() of more is slow
        raise ArchiveError("a pax header's size is no number")
    try:
        seconds = None if mtime is None else int(float(mtime))
    except (ValueError, OverflowError):
        raise ArchiveError("a pax header's mtime is no number") from None
    return _Extended(
        name=_text(records[b"path"], "name") if b"path" in records else None,
        target=_text(records[b"linkpath"], "target") if b"linkpath" in records else None,
        size=None if size is None else int(size),
        mtime=seconds,
    )


def _member(header: bytes, kind: bytes, extended: _Extended) -> Member:
    raw = extended.name
    if raw is None:
        raw = _field(header[:100], "name")
        if header[257:263] == b"ustar\0":  # GNU's own magic has other fields here
            # star keeps two times behind a shorter prefix.
            prefix = _field(header[345 : 476 if header[508:] == b"tar\0" else 500], "name")
            raw = f"{prefix}/{raw}" if prefix else raw
    name = checked_name(raw)
    if kind in _REFUSED:
        raise ArchiveError(f"member '{name}' is {_REFUSED[kind]}")
    if kind not in _KINDS:
        raise ArchiveError(f"member '{name}' is of unknown type {kind!r}")
    sort = FOLDER if kind in (b"0", b"\0") and raw.endswith("/") else _KINDS[kind]
    size = _number(header[124:136], "size") if extended.size is None else extended.size
    if size < 0 or (size and sort != FILE):
        raise ArchiveError(f"member '{name}' is a {sort} and claims {size} bytes")
    if not name and sort != FOLDER:
        raise ArchiveError(f"a {sort} has no name")
    target = extended.target
    if target is None:
        target = _field(header[157:257], "target")
    return Member(
        name=name,
        kind=sort,
        size=size,
        mode=_number(header[100:108], "mode"),
        mtime=_time(
            _number(header[136:148], "mtime") if extended.mtime is None else extended.mtime
        ),
        target=target,
    )
