"""Archives that must be refused, by the rows of THREATS and the harm that they would do.

Whatever reads a model's archive is tested against all of them: `HOSTILE` has them as `row/harm`,
with what has to stand in the message. odd_archives.py has those that must be taken.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Callable, NamedTuple

from archives import (
    END,
    base256,
    extension,
    file,
    folder,
    gz,
    gz_with,
    hardlink,
    header,
    long_name,
    long_target,
    pax,
    special,
    symlink,
    tar,
)

GOOD = file("model.bin", b"weights")
BYTES = file("bytes", bytes(range(256)) * 64)


class Hostile(NamedTuple):
    """An archive to refuse: what makes its bytes, what the message says, settings it needs."""

    build: Callable[[], bytes]
    says: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()


def _members(*members: bytes, says: tuple[str, ...]) -> Hostile:
    """A good member, then these."""
    return Hostile(lambda: gz(tar(GOOD, *members)), says)


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
    "leaves-and-returns-inside": _members(
        folder("a/"), file("a/../f"), says=("'a/../f'", "holds '..'")
    ),
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

# link that leaves the archive, dangles, loops, or passes through another link to escape
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
    "dangles": _members(symlink("l", "gone"), says=("'l' -> 'gone'", "leads to nothing")),
    "dangles-in-a-folder-that-is-none": _members(
        symlink("l", "gone/../model.bin"), says=("'l' -> 'gone/", "nothing: 'gone' is no folder")
    ),
    "dangles-behind-a-file": _members(
        symlink("l", "model.bin/../model.bin"), says=("'l'", "'model.bin' is no folder")
    ),
    "dangles-by-its-slash": _members(
        symlink("l", "model.bin/"), says=("'l' -> 'model.bin/'", "'model.bin' is no folder")
    ),
    "leads-nowhere": _members(symlink("l", ""), says=("'l' -> ''", "leads to")),
    "ends-early-by-pax": _members(
        pax((b"linkpath", b"model.bin\0x")), symlink("l", "x"), says=("model.bin\\x00x", "nothing")
    ),
    "leads-to-itself": _members(symlink("l", "l"), says=("'l' -> 'l'", "in a circle")),
    "leads-in-a-circle": _members(symlink("a", "b"), symlink("b", "a"), says=("in a circle",)),
    "leads-to-a-folder": _members(folder("d/"), symlink("l", "d"), says=("'l'", "to a folder")),
    "leads-to-the-root": _members(symlink("l", "."), says=("'l'", "leads to")),
    # each step is harmless, the end is outside
    "escapes-through-a-link": _members(
        symlink("z/up", ".."), symlink("l", "z/up/../etc/passwd"), says=("through another link",)
    ),
    # CPython's parent_symlink: the root by another name, and its parent
    "escapes-through-the-root": _members(
        symlink("here", "."),
        symlink("up", "here/.."),
        file("up/evil"),
        says=("'up/evil' lies in 'up', which is a file",),
    ),
    "escapes-from-under-a-link": _members(
        symlink("here", "."), symlink("here/up", ".."), file("up/evil"), says=("which is a file",)
    ),
    # CVE-2025-4330: where a link lies is changed after it was looked at
    "moves-from-under-its-parent": _members(
        file("a/t/f"),
        folder("b/"),
        symlink("c", "a/t"),
        symlink("c/escape", "../../evil"),
        symlink("c", "b"),
        hardlink("boom", "c/escape"),
        says=("'c/escape' lies in 'c', which is a file",),
    ),
    # CVE-2025-4517: realpath gives up where the expanded path is over PATH_MAX
    "escapes-through-a-chain-of-links": _members(
        folder("d" * 99 + "/"),
        *(symlink(f"z{n}", "d" * 99) for n in range(20)),
        symlink("l", "/".join(f"z{n}" for n in range(20)) + "/.." * 10),
        says=("through another link",),
    ),
    "writes-to-the-host-through-a-link": _members(
        symlink("up", "/usr"), file("up/evil"), says=("'up' -> '/usr' leads out",)
    ),
    # CVE-2024-12718: the mode is meant for where the link leads
    "opens-the-root": _members(
        symlink("x", "."), folder("x/", mode=0o777), says=("'x' is both a file and a folder",)
    ),
    "writes-through-a-link": _members(
        symlink("d", "elsewhere"), file("d/evil"), says=("'d/evil'", "which is a file")
    ),
    "puts-a-link-over-a-folder": _members(
        file("d/f"), symlink("d", "/usr"), says=("'d'", "both a file and a folder")
    ),
    "multiplies-by-links": Hostile(
        lambda: gz(tar(file("big", bytes(10**6)), *(symlink(f"{n}", "big") for n in range(20)))),
        ("with its links it unpacks to over 9999999 bytes", "MAX_UNPACKED_BYTES"),
        (("MAX_UNPACKED_BYTES", "9999999"),),
    ),
}

# hard link to a later or missing member
HARD_LINKS = {
    "links-hard-to-the-host": _members(
        hardlink("l", "/etc/passwd"), says=("'l' -> '/etc/passwd'", "leads out")
    ),
    "links-hard-to-above": _members(
        hardlink("l", "../etc/passwd"), says=("'l' -> '../etc", "leads out")
    ),
    "links-hard-to-a-later-member": _members(
        hardlink("l", "late"), file("late"), says=("'l' -> 'late'", "no earlier member")
    ),
    "links-hard-to-nothing": _members(
        hardlink("l", "gone"), says=("'l' -> 'gone'", "no earlier member")
    ),
    "links-hard-to-itself": _members(hardlink("l", "l"), says=("'l' -> 'l'", "no earlier member")),
    "links-hard-to-a-folder": _members(
        folder("d/"), hardlink("l", "d"), says=("'l' -> 'd'", "no earlier member")
    ),
    "links-hard-with-a-slash": _members(
        hardlink("l", "model.bin/"), says=("'l' -> 'model.bin/'", "no earlier member")
    ),
    "links-hard-with-a-dot": _members(
        hardlink("l", "model.bin/."), says=("'l' -> 'model.bin/.'", "no earlier member")
    ),
    "links-hard-through-a-link": _members(
        file("d/f"), symlink("s", "d"), hardlink("l", "s/f"), says=("'l' -> 's/f'", "no earlier")
    ),
    # the new name is the same symlink, and from there it dangles
    "links-hard-to-a-symlink-of-elsewhere": _members(
        symlink("s", "model.bin"), hardlink("d/l", "s"), says=("'d/l' -> 'model.bin'", "nothing")
    ),
}

# device, FIFO, socket, unknown type
TYPES = {
    "makes-a-character-device": _members(special("d", b"3"), says=("'d'", "character device")),
    "makes-a-block-device": _members(special("d", b"4"), says=("'d'", "block device")),
    "makes-a-pipe-that-blocks": _members(special("p", b"6"), says=("'p'", "named pipe")),
    "is-read-differently-by-each": _members(special("u", b"Z"), says=("'u'", "unknown type")),
    "lists-a-backup": _members(special("d", b"D"), says=("'d'", "incremental backup")),
    "goes-on-elsewhere": _members(special("m", b"M"), says=("'m'", "multi-volume")),
    "is-a-label": _members(special("v", b"V"), says=("'v'", "volume label")),
}

# sparse member
SPARSE = {
    "claims-holes": _members(special("s", b"S"), says=("'s'", "sparse")),
    "claims-holes-by-pax-0.0": _members(
        pax((b"GNU.sparse.size", b"9"), (b"GNU.sparse.numblocks", b"0")),
        file("s"),
        says=("sparse",),
    ),
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
    "ends-early": _members(file(b"safe.txt\0.exe"), says=("safe.txt\\x00.exe", "holds a NUL")),
    "ends-early-by-prefix": _members(
        file("x", prefix=b"safe\0evil"), says=("safe\\x00evil", "holds a NUL")
    ),
    "ends-early-as-target": _members(
        symlink("l", b"model.bin\0x"), says=("model.bin\\x00x", "its target holds a NUL")
    ),
    "ends-early-by-pax": _members(
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
    # GNU tar and Go refuse it; a C program would see `path`
    "has-a-keyword-that-ends-early": _members(
        pax((b"path\0x", b"evil")), file("x"), says=("a pax header is malformed",)
    ),
    "counts-for-ever": _members(
        pax((b"size", b"9" * 5000)), file("x"), says=("a pax header's size is no number",)
    ),
    "has-no-name-by-pax": _members(pax((b"path", b"")), file("x"), says=("a file has no name",)),
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
    "hides-a-member-after-half-an-end": Hostile(
        lambda: gz(tar(GOOD, bytes(512), file("evil"))),
        ("something follows its end-of-archive mark",),
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
    "has-a-wrong-checksum-in-its-gzip-header": Hostile(
        lambda: _flipped(gz_with(tar(GOOD), name=b"model.tar"), 13), ("gzip data is damaged",)
    ),
    "has-an-unknown-flag-in-its-gzip-header": Hostile(
        lambda: gz(tar(GOOD)).replace(b"\x08\x00", b"\x08\x20", 1), ("unknown header flags set",)
    ),
    "has-an-unknown-flag-in-its-second-gzip-header": Hostile(
        lambda: gz(GOOD) + gz(END).replace(b"\x08\x00", b"\x08\x20", 1),
        ("unknown header flags set",),
    ),
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

HOSTILE = {
    f"{row}/{harm}": case
    for row, cases in {
        "names": NAMES,
        "links-out": LINKS,
        "hard-links": HARD_LINKS,
        "types": TYPES,
        "duplicates": DUPLICATES,
        "characters": CHARACTERS,
        "extensions": EXTENSIONS,
        "sparse": SPARSE,
        "numbers": NUMBERS,
        "bombs": BOMBS,
        "endings": ENDINGS,
        "damaged": DAMAGED,
    }.items()
    for harm, case in cases.items()
}
