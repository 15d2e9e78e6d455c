"""Archives that must be refused, by the harm that they would do, and odd ones that must be taken.

The rows of THREATS that an archive can hold. Whatever reads a model's archive is tested against
all of them: `HOSTILE` says what has to stand in the message, `ODD` what the archive holds.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Callable, Dict, NamedTuple, Optional

from archives import (
    END,
    GNU,
    V7,
    base256,
    extension,
    file,
    folder,
    gz,
    hardlink,
    header,
    long_name,
    long_target,
    pax,
    special,
    symlink,
    tar,
)

Holds = Dict[str, Optional[bytes]]

GOOD = file("model.bin", b"weights")
BYTES = file("bytes", bytes(range(256)) * 64)


class Hostile(NamedTuple):
    """An archive to refuse: what makes its bytes, what the message says, settings it needs."""

    build: Callable[[], bytes]
    says: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()


class Odd(NamedTuple):
    """An archive to take: what makes its bytes, and its content by name; None is a folder."""

    build: Callable[[], bytes]
    holds: Holds


def _members(*members: bytes, says: tuple[str, ...]) -> Hostile:
    """A good member, then these."""
    return Hostile(lambda: gz(tar(GOOD, *members)), says)


def _odd(*members: bytes, holds: Holds) -> Odd:
    """A good member, then these."""
    return Odd(lambda: gz(tar(GOOD, *members)), {"model.bin": b"weights", **holds})


def _stream(build: Callable[[], bytes]) -> Odd:
    """The good member alone, in an odd stream."""
    return Odd(build, {"model.bin": b"weights"})


def _flipped(whole: bytes, place: int) -> bytes:
    """One bit changed."""
    changed = bytearray(whole)
    changed[place] ^= 1
    return bytes(changed)


def _zeros(count: int) -> bytes:
    """A bzip2 bomb: `count` times 10 MB of zeros, 50 bytes each."""
    start = bz2.compress(header("zeros", count * 10**7))
    return start + bz2.compress(bytes(10**7)) * count + bz2.compress(END)


# `..` anywhere in a name, absolute names, drive letters, backslashes, leave-and-return
NAMES = {
    "climbs-out": _members(file("../evil"), says=("'../evil'", "holds '..'")),
    "climbs-out-from-below": _members(file("a/../../evil"), says=("'a/../../evil'", "holds '..'")),
    "leaves-and-returns": _members(file("../x/../x/f"), says=("'../x/../x/f'", "holds '..'")),
    "climbs-out-as-folder": _members(folder("../"), says=("'../'", "holds '..'")),
    "climbs-out-as-link": _members(symlink("../l", "model.bin"), says=("'../l'", "holds '..'")),
    "climbs-out-by-prefix": _members(file("evil", prefix=".."), says=("'../evil'", "holds '..'")),
    "overwrites-the-host": _members(file("/etc/passwd"), says=("'/etc/passwd'", "absolute")),
    "overwrites-the-host-by-prefix": _members(
        file("passwd", prefix="/etc"), says=("'/etc/passwd'", "absolute")
    ),
    "lands-on-a-drive": _members(file("C:evil"), says=("'C:evil'", "drive letter")),
    "climbs-out-on-windows": _members(file("..\\evil"), says=("evil'", "backslash")),
}

# a link that leaves the archive, dangles, loops, or passes through another link to escape;
# a hard link to a later or missing member
LINKS = {
    "reads-the-host": _members(symlink("l", "/etc/passwd"), says=("'/etc/passwd'", "leads out")),
    "reads-the-host-from-below": _members(
        symlink("a/l", "../../etc/passwd"), says=("'a/l'", "'../../etc/passwd'", "leads out")
    ),
    "reads-the-host-by-pax": _members(
        pax((b"linkpath", b"../etc/passwd")), symlink("l", "model.bin"), says=("leads out",)
    ),
    "reads-the-host-by-long-target": _members(
        long_target("../" * 40 + "etc/passwd"), symlink("l", "model.bin"), says=("leads out",)
    ),
    "links-hard-to-the-host": _members(
        hardlink("l", "/etc/passwd"), says=("'l' -> '/etc/passwd'", "leads out")
    ),
    "links-hard-to-above": _members(
        hardlink("l", "../etc/passwd"), says=("'l' -> '../etc", "leads out")
    ),
    "dangles": _members(symlink("l", "gone"), says=("'l' -> 'gone'", "leads to nothing")),
    "leads-to-itself": _members(symlink("l", "l"), says=("'l' -> 'l'", "in a circle")),
    "leads-in-a-circle": _members(symlink("a", "b"), symlink("b", "a"), says=("in a circle",)),
    "leads-to-a-folder": _members(folder("d/"), symlink("l", "d"), says=("'l'", "to a folder")),
    "leads-to-the-root": _members(symlink("l", "."), says=("'l'", "leads to")),
    # CPython's `sly_relative`: each step is harmless, the end is outside
    "escapes-through-a-link": _members(
        symlink("z/up", ".."), symlink("l", "z/up/../etc/passwd"), says=("through another link",)
    ),
    # CVE-2025-4517: realpath gives up where the expanded path is over PATH_MAX
    "escapes-through-a-chain-of-links": _members(
        folder("d" * 99 + "/"),
        *(symlink(f"z{n}", "d" * 99) for n in range(20)),
        symlink("l", "/".join(f"z{n}" for n in range(20)) + "/.." * 10),
        says=("through another link",),
    ),
    "writes-through-a-link": _members(
        symlink("d", "elsewhere"), file("d/evil"), says=("'d/evil'", "which is a file")
    ),
    "puts-a-link-over-a-folder": _members(
        file("d/f"), symlink("d", "/usr"), says=("'d'", "both a file and a folder")
    ),
    "links-hard-to-a-later-member": _members(
        hardlink("l", "late"), file("late"), says=("'l' -> 'late'", "no earlier member")
    ),
    "links-hard-to-nothing": _members(
        hardlink("l", "gone"), says=("'l' -> 'gone'", "no earlier member")
    ),
    "multiplies-by-links": Hostile(
        lambda: gz(tar(file("big", bytes(10**6)), *(symlink(f"{n}", "big") for n in range(20)))),
        ("with its links it unpacks to over 9999999 bytes", "MAX_UNPACKED_BYTES"),
        (("MAX_UNPACKED_BYTES", "9999999"),),
    ),
}

# device, FIFO, socket, unknown type; sparse member
TYPES = {
    "makes-a-character-device": _members(special("d", b"3"), says=("'d'", "character device")),
    "makes-a-block-device": _members(special("d", b"4"), says=("'d'", "block device")),
    "makes-a-pipe-that-blocks": _members(special("p", b"6"), says=("'p'", "named pipe")),
    "is-read-differently-by-each": _members(special("u", b"Z"), says=("'u'", "unknown type")),
    "lists-a-backup": _members(special("d", b"D"), says=("'d'", "incremental backup")),
    "goes-on-elsewhere": _members(special("m", b"M"), says=("'m'", "multi-volume")),
    "is-a-label": _members(special("v", b"V"), says=("'v'", "volume label")),
    "claims-holes": _members(special("s", b"S"), says=("'s'", "sparse")),
    "claims-holes-by-pax-0.1": _members(
        pax((b"GNU.sparse.size", b"1073741824"), (b"GNU.sparse.map", b"")),
        file("s"),
        says=("sparse",),
    ),
    "claims-holes-by-pax-1.0": _members(
        pax((b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0")), file("s"), says=("sparse",)
    ),
}

# two members of one name (after normalising), a file where a folder stands
DUPLICATES = {
    "hides-behind-a-name": _members(file("model.bin", b"evil"), says=("'model.bin'", "twice")),
    "hides-behind-a-dot": _members(file("./model.bin", b"evil"), says=("'model.bin'", "twice")),
    "hides-behind-a-slash": _members(file("a/b"), file("a//b"), says=("'a/b'", "twice")),
    "hides-behind-a-link": _members(symlink("model.bin", "x"), says=("'model.bin'", "twice")),
    "puts-a-file-into-a-file": _members(file("model.bin/x"), says=("which is a file",)),
    "puts-a-file-over-a-folder": _members(file("d/x"), file("d"), says=("both a file and a",)),
    "puts-a-folder-over-a-file": _members(folder("model.bin/"), says=("both a file and a",)),
}

# NUL, newline, control or bidi characters, undecodable bytes, a part over 255, a path over 4,096
CHARACTERS = {
    "ends-early": _members(
        pax((b"path", b"safe.txt\0.exe")), file("x"), says=("safe.txt\\x00.exe", "control")
    ),
    "ends-early-by-long-name": _members(
        long_name("safe.txt\0.exe"), file("x"), says=("safe.txt\\x00.exe", "control")
    ),
    "forges-a-line-of-the-log": _members(file("a\nERROR"), says=("'a\\nERROR'", "control")),
    "drives-the-terminal": _members(file("\x1b[2Jx"), says=("'\\x1b[2Jx'", "control")),
    "breaks-the-line": _members(file("a\u2028b"), says=("'a\\u2028b'", "control")),
    "reads-backwards": _members(file("a\u202eexe"), says=("'a\\u202eexe'", "reorders text")),
    "is-no-text": _members(file(b"caf\xe9"), says=("caf\\xe9", "not UTF-8")),
    "is-no-text-by-pax": _members(
        pax((b"path", b"caf\xe9")), file("x"), says=("caf\\xe9", "not UTF-8")
    ),
    "is-no-text-by-long-name": _members(long_name(b"caf\xe9"), file("x"), says=("not UTF-8",)),
    "leads-to-no-text": _members(symlink("l", b"caf\xe9"), says=("caf\\xe9", "not UTF-8")),
    "fits-no-file-system": _members(
        pax((b"path", b"n" * 256)), file("x"), says=("a part of its name is over 255 bytes",)
    ),
    "fits-no-path": _members(
        pax((b"path", b"d/" * 2048 + b"f")), file("x"), says=("its name is over 4096 bytes",)
    ),
    "has-no-name": _members(file(""), says=("a file has no name",)),
    "is-a-link-for-root": _members(symlink(".", "model.bin"), says=("a symlink has no name",)),
}

# pax path, size and linkpath tricks, global pax headers, GNU long-name tricks
EXTENSIONS = {
    "renames-by-pax": _members(
        pax((b"path", b"../evil")), file("fine"), says=("'../evil'", "holds '..'")
    ),
    "renames-by-long-name": _members(
        long_name("../evil"), file("fine"), says=("'../evil'", "holds '..'")
    ),
    "has-two-names": _members(
        long_name("one"), pax((b"path", b"two")), file("x"), says=("name is set by two",)
    ),
    "has-two-long-names": _members(
        long_name("one"), long_name("two"), file("x"), says=("two extended headers of one kind",)
    ),
    # GNU tar heeds the second alone, Python's tarfile both
    "has-two-pax-headers": _members(
        pax((b"path", b"one")),
        pax((b"mtime", b"1")),
        file("x"),
        says=("two extended headers of one kind",),
    ),
    "has-two-paths": _members(
        pax((b"path", b"one"), (b"path", b"two")), file("x"), says=("'path' twice",)
    ),
    "swallows-the-end-by-pax": _members(
        pax((b"size", b"4096")), file("x", bytes(512)), says=("inside member 'x'", "cut off")
    ),
    "counts-for-ever": _members(
        pax((b"size", b"9" * 5000)), file("x"), says=("a pax header's size is no number",)
    ),
    "runs-backwards-by-pax": _members(
        pax((b"size", b"-1")), file("x"), says=("a pax header's size is no number",)
    ),
    "renames-all": _members(
        pax((b"path", b"evil"), kind=b"g"), file("x"), says=("a global header sets the name",)
    ),
    "links-all": _members(
        pax((b"linkpath", b"/etc/passwd"), kind=b"g"), file("x"), says=("a global header sets",)
    ),
    "resizes-all": _members(
        pax((b"size", b"0"), kind=b"g"), file("x"), says=("a global header sets",)
    ),
    "has-a-record-too-long": _members(
        extension(b"x", b"30 path=evil\n"), file("x"), says=("a pax header is malformed",)
    ),
    "has-a-record-of-no-length": _members(
        extension(b"x", b"0 path=evil\n"), file("x"), says=("a pax header is malformed",)
    ),
    "has-a-record-of-less-than-none": _members(
        extension(b"x", b"-1 path=evil\n"), file("x"), says=("a pax header is malformed",)
    ),
    "has-a-record-of-nothing": _members(
        extension(b"x", b"11 pathevil\n"), file("x"), says=("a pax header is malformed",)
    ),
    "was-made-yesterday": _members(
        pax((b"mtime", b"yesterday")), file("x"), says=("mtime is no number",)
    ),
    "was-made-at-infinity": _members(
        pax((b"mtime", b"inf")), file("x"), says=("mtime is no number",)
    ),
}

# negative or absurd size, loops in headers
NUMBERS = {
    "runs-backwards": _members(header("x", base256(-512)), says=("'x'", "claims -512 bytes")),
    "swallows-the-end": _members(header("x", 8**11 - 1), says=("inside member 'x'", "cut off")),
    "is-larger-than-any-disk": _members(
        header("x", base256(2**80)), says=("unpacks to over", "MAX_UNPACKED_BYTES")
    ),
    "has-no-octal-size": _members(header("x", b"12345678901"), says=("size is no octal number",)),
    "has-no-numeric-size": _members(header("x", b"large"), says=("size is no octal number",)),
    "is-a-folder-with-content": _members(
        folder("d/", size=512), bytes(512), says=("'d'", "claims 512 bytes")
    ),
    "is-a-link-with-content": _members(
        header("l", 512, b"2", target="model.bin"), bytes(512), says=("'l'", "claims 512 bytes")
    ),
    "claims-a-header-of-gigabytes": _members(
        header("L", 2**31, b"L"), says=("an extended header claims 2147483648 bytes",)
    ),
    "claims-a-header-of-less-than-none": _members(
        header("L", base256(-1), b"L"), says=("an extended header claims -1 bytes",)
    ),
    "ends-before-what-it-names": _members(long_name("x"), says=("after an extended header",)),
    "ends-inside-an-extended-header": Hostile(
        lambda: gz(tar(GOOD, header("L", 2000, b"L"), end=b"x" * 100)),
        ("inside an extended header", "cut off"),
    ),
}

# gzip or tar bomb: ratio, total bytes, members, depth
BOMBS = {
    "fills-memory": Hostile(lambda: _zeros(50), ("over 1000 times its own size",)),
    "fills-the-disk": Hostile(
        lambda: gz(tar(file("x", bytes(2000)))),
        ("unpacks to over 1999 bytes", "MAX_UNPACKED_BYTES"),
        (("MAX_UNPACKED_BYTES", "1999"),),
    ),
    "fills-the-directory": Hostile(
        lambda: gz(tar(*(file(f"{n}") for n in range(11)))),
        ("over 10 members", "MAX_MEMBERS"),
        (("MAX_MEMBERS", "10"),),
    ),
    "nests-without-end": _members(
        pax((b"path", b"d/" * 101 + b"f")), file("x"), says=("over 100 folders deep",)
    ),
}

# data after the end of archive, a second archive, a second gzip member with more tar
ENDINGS = {
    "hides-data-after-the-end": Hostile(
        lambda: gz(tar(GOOD) + b"evil"), ("something follows its end-of-archive mark",)
    ),
    "hides-data-in-the-end": Hostile(
        lambda: gz(tar(GOOD, end=bytes(512) + b"evil".ljust(512, b"\0"))),
        ("something follows its end-of-archive mark",),
    ),
    "hides-an-archive-after-the-end": Hostile(
        lambda: gz(tar(GOOD) + tar(file("evil"))), ("something follows its end-of-archive mark",)
    ),
    "hides-an-archive-in-another-stream": Hostile(
        lambda: gz(tar(GOOD)) + gz(tar(file("evil"))),
        ("something follows its end-of-archive mark",),
    ),
    "hides-data-after-the-gzip-stream": Hostile(
        lambda: gz(tar(GOOD)) + b"evil", ("something that does not belong to it",)
    ),
    "hides-data-after-zeros": Hostile(
        lambda: gz(tar(GOOD)) + bytes(512) + b"evil", ("something that does not belong to it",)
    ),
    "hides-data-after-the-bzip2-stream": Hostile(
        lambda: bz2.compress(tar(GOOD)) + b"evil", ("something that does not belong to it",)
    ),
    "hides-data-after-the-xz-stream": Hostile(
        lambda: lzma.compress(tar(GOOD)) + b"evil", ("something that does not belong to it",)
    ),
    "hides-an-archive-in-another-format": Hostile(
        lambda: gz(tar(GOOD)) + bz2.compress(tar(file("evil"))),
        ("something that does not belong to it",),
    ),
}

# truncation anywhere, bit flips, wrong CRC or length, no end-of-archive mark, empty, no archive
DAMAGED = {
    "is-cut-in-the-stream": Hostile(lambda: gz(tar(BYTES))[:300], ("ends too early", "cut off")),
    "is-cut-before-its-checksum": Hostile(lambda: gz(tar(GOOD))[:-8], ("ends too early",)),
    "is-cut-in-a-header": Hostile(lambda: gz(tar(GOOD, GOOD)[:1200]), ("cut off",)),
    "is-cut-in-a-member": Hostile(
        lambda: gz(tar(BYTES)[:1500]), ("inside member 'bytes'", "cut off")
    ),
    "is-cut-after-a-member": Hostile(lambda: gz(tar(GOOD, end=b"")), ("no end-of-archive mark",)),
    "has-half-an-end": Hostile(lambda: gz(tar(GOOD, end=END[:512])), ("no end-of-archive mark",)),
    "is-cut-in-bzip2": Hostile(lambda: bz2.compress(tar(GOOD))[:-4], ("ends too early",)),
    "is-cut-in-xz": Hostile(lambda: lzma.compress(tar(GOOD))[:-4], ("ends too early",)),
    "lost-a-bit-of-a-header": Hostile(lambda: gz(_flipped(tar(GOOD), 3)), ("a header is damaged",)),
    "lost-a-bit-of-data": Hostile(
        lambda: _flipped(gz(tar(BYTES), level=0), 9000), ("gzip data is damaged",)
    ),
    "has-a-wrong-checksum": Hostile(lambda: _flipped(gz(tar(GOOD)), -8), ("gzip data is damaged",)),
    "has-a-wrong-length": Hostile(lambda: _flipped(gz(tar(GOOD)), -4), ("gzip data is damaged",)),
    "has-a-wrong-checksum-in-bzip2": Hostile(
        lambda: _flipped(bz2.compress(tar(GOOD)), 12), ("bzip2 data is damaged",)
    ),
    "has-a-wrong-checksum-in-xz": Hostile(
        lambda: _flipped(lzma.compress(tar(GOOD)), -40), ("xz data is damaged",)
    ),
    "has-no-checksum-in-a-header": _members(file("x", checksum=bytes(8)), says=("is damaged",)),
    "is-empty": Hostile(bytes, ("it is empty",)),
    "is-an-empty-stream": Hostile(lambda: gz(b""), ("no end-of-archive mark",)),
    "is-only-a-magic": Hostile(lambda: b"\x1f\x8b", ("ends too early",)),
    "is-a-web-page": Hostile(lambda: b"<html>404</html>".ljust(600), ("this is no tar archive",)),
    "is-a-short-answer": Hostile(lambda: b"AccessDenied", ("cut off",)),
    "is-a-zip": Hostile(lambda: b"PK\x03\x04".ljust(600, b"z"), ("this is no tar archive",)),
    "is-raw-zlib": Hostile(
        lambda: zlib.compress(tar(GOOD)).ljust(600, b"z"), ("this is no tar archive",)
    ),
    "is-a-compressed-text": Hostile(lambda: gz(b"x" * 600), ("this is no tar archive",)),
    "is-no-deflate": Hostile(lambda: gz(b"")[:10] + b"\xff" * 99, ("gzip data is damaged",)),
}

_DEEP = "d/" * 60 + "weights.bin"  # more than the 100 bytes of a header's name
_INNER = file("inner", b"content, not a member")

# What looks strange and is good: other writers' archives, odd streams, names of all kinds.
TAKEN = {
    # AWS tools and `tar -C model .`
    "root-without-a-name": _odd(folder(""), holds={}),
    "root-is-dot": _odd(folder("."), file("./a", b"a"), holds={"a": b"a"}),
    "root-is-dot-slash": _odd(folder("./"), file("./d/a", b"a"), holds={"d/a": b"a"}),
    "folder-said-twice": _odd(
        folder("d/"), folder("d"), file("d/a"), holds={"d": None, "d/a": b""}
    ),
    "folder-said-late": _odd(file("d/a"), folder("d/"), holds={"d/a": b"", "d": None}),
    "empty-folder": _odd(folder("a/b/c/"), holds={"a/b/c": None}),
    "empty-file": _odd(file("e"), holds={"e": b""}),
    # the formats of tar
    "v7": _odd(file("old", b"o", magic=V7), holds={"old": b"o"}),
    "v7-type": _odd(file("old", b"o", magic=V7, kind=b"\0"), holds={"old": b"o"}),
    "v7-folder": _odd(header("old/", kind=b"\0", magic=V7), holds={"old": None}),
    "contiguous-file": _odd(file("c", b"c", kind=b"7"), holds={"c": b"c"}),
    "gnu": _odd(file("g", b"g", magic=GNU), holds={"g": b"g"}),
    "gnu-times-in-place-of-a-prefix": _odd(
        file("g", b"g", magic=GNU, prefix=b"14500000000\x0014500000000"), holds={"g": b"g"}
    ),
    "gnu-long-name": _odd(long_name(_DEEP), file(_DEEP[:100], b"w"), holds={_DEEP: b"w"}),
    "gnu-base-256": _odd(file("b", b"b", size=base256(1)), holds={"b": b"b"}),
    "ustar-prefix": _odd(file("w", b"w", prefix="p" * 150), holds={"p" * 150 + "/w": b"w"}),
    "pax-path": _odd(pax((b"path", _DEEP.encode())), file("x", b"w"), holds={_DEEP: b"w"}),
    "pax-size": _odd(pax((b"size", b"3")), file("s", b"abc", size=0), holds={"s": b"abc"}),
    # POSIX: the size of the pax header counts, so this is content …
    "pax-size-over-a-member": _odd(
        pax((b"size", b"1024")), file("s", _INNER, size=0), holds={"s": _INNER}
    ),
    # … and this is a member
    "pax-size-of-nothing": _odd(
        pax((b"size", b"0")), file("s", _INNER), holds={"s": b"", "inner": b"content, not a member"}
    ),
    "pax-of-no-interest": _odd(
        pax(
            (b"mtime", b"1500000000.123456789"),
            (b"atime", b"1500000000.5"),
            (b"SCHILY.xattr.user.note", b"\x00\xff=\n"),
            (b"uname", b"somebody"),
        ),
        file("m", b"m"),
        holds={"m": b"m"},
    ),
    "git-archive": _odd(pax((b"comment", b"f00d"), kind=b"g"), file("g"), holds={"g": b""}),
    "macos": _odd(
        file("._model.bin", b"\0\5\x16\7"),
        file(".DS_Store", b"Bud1"),
        holds={"._model.bin": b"\0\5\x16\7", ".DS_Store": b"Bud1"},
    ),
    "checksum-with-spaces": _stream(
        lambda: gz(tar(GOOD[:148] + b"%6o\0 " % int(GOOD[148:154], 8) + GOOD[156:]))
    ),
    "time-before-1970": _odd(file("t", mtime=base256(-62135596800)), holds={"t": b""}),
    "time-past-all-clocks": _odd(file("t", mtime=base256(2**80)), holds={"t": b""}),
    "time-past-all-clocks-by-pax": _odd(pax((b"mtime", b"1e30")), file("t"), holds={"t": b""}),
    # streams
    "many-gzip-streams": _stream(lambda: gz(GOOD[:99]) + gz(GOOD[99:]) + gz(b"") + gz(END)),
    "many-bzip2-streams": _stream(lambda: bz2.compress(GOOD) + bz2.compress(END)),
    "many-xz-streams": _stream(lambda: lzma.compress(GOOD) + lzma.compress(END)),
    "zeros-after-the-stream": _stream(lambda: gz(tar(GOOD)) + bytes(10_000)),
    "zeros-after-the-end": _stream(lambda: gz(tar(GOOD, end=bytes(10_240)))),
    "no-whole-block-of-zeros-after-the-end": _stream(lambda: gz(tar(GOOD, end=bytes(1025)))),
    # names
    "any-language": _odd(
        file("模型/重み.bin", b"1"),
        file("модель é 🙂", b"2"),
        holds={"模型/重み.bin": b"1", "модель é 🙂": b"2"},
    ),
    "quotes-and-spaces": _odd(
        file(" a 'b' \"c\" "),
        file("-rf"),
        file("$(x);&|*"),
        holds={" a 'b' \"c\" ": b"", "-rf": b"", "$(x);&|*": b""},
    ),
    "hidden": _odd(file(".hidden"), file(".d/.e"), holds={".hidden": b"", ".d/.e": b""}),
    "dots-that-do-not-climb": _odd(file("a..b"), file("..."), holds={"a..b": b"", "...": b""}),
    "as-long-as-names-get": _odd(
        pax((b"path", b"n" * 255)), file("x", b"n"), holds={"n" * 255: b"n"}
    ),
    # names that differ only in case or Unicode normalisation: taken, with a warning
    "differ-in-case": _odd(file("Model.bin", b"M"), holds={"Model.bin": b"M"}),
    "differ-in-normalisation": _odd(
        file("caf\u00e9", b"1"),
        file("cafe\u0301", b"2"),
        holds={"caf\u00e9": b"1", "cafe\u0301": b"2"},
    ),
}

# A link to a regular member of the same archive becomes a copy of that member.
COPIED = {
    "symlink": _odd(symlink("l", "model.bin"), holds={"l": b"weights"}),
    "symlink-from-below": _odd(symlink("a/b/l", "../../model.bin"), holds={"a/b/l": b"weights"}),
    "symlink-before-its-target": _odd(
        symlink("l", "z"), file("z", b"z"), holds={"l": b"z", "z": b"z"}
    ),
    "symlinks-in-a-row": _odd(
        symlink("1", "2"),
        symlink("2", "./d/../3"),
        symlink("3", "model.bin"),
        holds={"1": b"weights", "2": b"weights", "3": b"weights"},
    ),
    "symlink-by-long-target": _odd(
        long_name("t" * 120),
        file("t" * 100, b"t"),
        long_target("t" * 120),
        symlink("l", "t" * 100),
        holds={"t" * 120: b"t", "l": b"t"},
    ),
    "hard-link": _odd(hardlink("l", "model.bin"), holds={"l": b"weights"}),
    "hard-link-to-a-hard-link": _odd(
        hardlink("k", "model.bin"),
        hardlink("l", "./k"),
        holds={"k": b"weights", "l": b"weights"},
    ),
    "links-to-a-large-file": Odd(
        lambda: gz(
            tar(file("large", bytes(9_000_000)), *(hardlink(f"{n}", "large") for n in range(3)))
        ),
        {name: bytes(9_000_000) for name in ("large", "0", "1", "2")},
    ),
}

HOSTILE = {
    f"{row}/{harm}": case
    for row, cases in {
        "names": NAMES,
        "links": LINKS,
        "types": TYPES,
        "duplicates": DUPLICATES,
        "characters": CHARACTERS,
        "extensions": EXTENSIONS,
        "numbers": NUMBERS,
        "bombs": BOMBS,
        "endings": ENDINGS,
        "damaged": DAMAGED,
    }.items()
    for harm, case in cases.items()
}
ODD = {**TAKEN, **COPIED}
