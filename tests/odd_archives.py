"""Archives that look strange and must be taken, by the rows of THREATS, and what each holds.

Other writers' archives, odd streams, names of all kinds: `ODD` has them as `row/what`. `real/` is
no row of THREATS: it is what other people's tools write.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
from typing import TYPE_CHECKING, NamedTuple

from archive_cases import GOOD
from archives import (
    END,
    GNU,
    V7,
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
    symlink,
    tar,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    Holds = dict[str, bytes | None]


class Odd(NamedTuple):
    """An archive to take: what makes its bytes, and its content by name; None is a folder."""

    build: Callable[[], bytes]
    holds: Holds


def _odd(*members: bytes, holds: Holds) -> Odd:
    """A good member, then these."""
    return Odd(lambda: gz(tar(GOOD, *members)), {"model.bin": b"weights", **holds})


def _stream(build: Callable[[], bytes]) -> Odd:
    """The good member alone, in an odd stream."""
    return Odd(build, {"model.bin": b"weights"})


_DEEP = "d/" * 60 + "weights.bin"  # more than the 100 bytes of a header's name
_INNER = file("inner", b"content, not a member")
_ANY_NAMES = {"模型/重み.bin": b"1", "модель é 🙂": b"2", "a b": b"3", ".h": b""}


def _by_tarfile(form: int) -> Odd:
    """What Python's tarfile writes."""

    def build() -> bytes:
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz", format=form) as archive:
            for name, content in {"model.bin": b"weights", **_ANY_NAMES}.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return made.getvalue()

    return Odd(build, {"model.bin": b"weights", **_ANY_NAMES})


# root member '', '.' or './'; directory entries: empty directories are kept
ROOT = {
    "without-a-name": _odd(folder(""), holds={}),
    "is-dot": _odd(folder("."), file("./a", b"a"), holds={"a": b"a"}),
    "is-dot-slash": _odd(folder("./"), file("./d/a", b"a"), holds={"d/a": b"a"}),
    "folder-said-twice": _odd(
        folder("d/"), folder("d"), file("d/a"), holds={"d": None, "d/a": b""}
    ),
    "folder-said-late": _odd(file("d/a"), folder("d/"), holds={"d/a": b"", "d": None}),
    "empty-folder": _odd(folder("a/b/c/"), holds={"a/b/c": None}),
}

# symlink or hard link to a regular member of the same archive: a copy of that member
COPIED = {
    "symlink": _odd(symlink("l", "model.bin"), holds={"l": b"weights"}),
    "symlink-from-below": _odd(symlink("a/b/l", "../../model.bin"), holds={"a/b/l": b"weights"}),
    "symlink-before-its-target": _odd(
        symlink("l", "z"), file("z", b"z"), holds={"l": b"z", "z": b"z"}
    ),
    "symlinks-in-a-row": _odd(
        folder("d/"),
        symlink("1", "2"),
        symlink("2", "./d/..//3"),
        symlink("3", "model.bin"),
        holds={"1": b"weights", "2": b"weights", "3": b"weights", "d": None},
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
    # the same symlink once more, read from its new place
    "hard-link-to-a-symlink": _odd(
        symlink("s", "f"),
        file("f", b"1"),
        file("d/f", b"2"),
        hardlink("d/l", "s"),
        holds={"s": b"1", "f": b"1", "d/f": b"2", "d/l": b"2"},
    ),
    # CPython's deep_symlink and chains
    "links-of-both-kinds": _odd(
        file("of/target", b"t"),
        hardlink("from/hard", "of/target"),
        symlink("from/soft", "../of/target"),
        holds={"of/target": b"t", "from/hard": b"t", "from/soft": b"t"},
    ),
    "chains-of-both-kinds": _odd(
        symlink("from/soft", "hard"),
        symlink("soft2", "from/hard2"),
        file("of/target", b"t"),
        hardlink("from/hard", "of/target"),
        hardlink("from/hard2", "from/soft"),
        holds=dict.fromkeys(["from/soft", "soft2", "of/target", "from/hard", "from/hard2"], b"t"),
    ),
}

# setuid, setgid, sticky, world-writable: the bits are stripped
MODES = {
    "writable-by-anybody": _odd(file("m", mode=0o666), holds={"m": b""}),
    "sticky": _odd(file("m", mode=0o1755), holds={"m": b""}),
    "folder-of-a-group": _odd(folder("d/", mode=0o2775), holds={"d": None}),
}
# Registration can't strip bits, so it refuses these.
SET_ID = {
    "runs-as-its-owner": _odd(file("m", mode=0o4755), holds={"m": b""}),
    "runs-as-its-group": _odd(file("m", mode=0o2755), holds={"m": b""}),
    "runs-as-its-owner-by-a-link": _odd(
        header("l", kind=b"1", target="model.bin", mode=0o4755), holds={"l": b"weights"}
    ),
}

# names that differ only in case or Unicode normalisation: taken, with a warning
ALIKE = {
    "differ-in-case": _odd(file("Model.bin", b"M"), holds={"Model.bin": b"M"}),
    "differ-in-normalisation": _odd(
        file("caf\u00e9", b"1"),
        file("cafe\u0301", b"2"),
        holds={"caf\u00e9": b"1", "cafe\u0301": b"2"},
    ),
}

# what is no `..`, no drive and no absolute name
GOOD_NAMES = {
    "dots-that-do-not-climb": _odd(file("a..b"), file("..."), holds={"a..b": b"", "...": b""}),
}

# names of any language, as long as they get
GOOD_CHARACTERS = {
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
    "as-long-as-names-get": _odd(
        pax((b"path", b"n" * 255)), file("x", b"n"), holds={"n" * 255: b"n"}
    ),
}

# pax and GNU headers that say what they may
GOOD_EXTENSIONS = {
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
    "gnu-long-name": _odd(long_name(_DEEP), file(_DEEP[:100], b"w"), holds={_DEEP: b"w"}),
    "long-name-without-its-nul": _odd(
        extension(b"L", b"n" * 120), file("x", b"n"), holds={"n" * 120: b"n"}
    ),
    # the name counts, not the header's: a slash there makes no folder
    "long-name-over-a-folders": _odd(long_name("f"), file("d/", b"f"), holds={"f": b"f"}),
    "global-comment-and-charset": _odd(
        pax((b"hdrcharset", b"ISO-IR 10646 2000 UTF-8"), (b"path", "é".encode())),
        file("x"),
        holds={"é": b""},
    ),
}

# numbers in other people's notation
GOOD_NUMBERS = {
    "gnu-base-256": _odd(file("b", b"b", size=base256(1)), holds={"b": b"b"}),
    "checksum-with-spaces": _stream(
        lambda: gz(tar(GOOD[:148] + b"%6o\0 " % int(GOOD[148:154], 8) + GOOD[156:]))
    ),
    "time-before-1970": _odd(file("t", mtime=base256(-62135596800)), holds={"t": b""}),
    "time-past-all-clocks": _odd(file("t", mtime=base256(2**80)), holds={"t": b""}),
    "time-past-all-clocks-by-pax": _odd(pax((b"mtime", b"1e30")), file("t"), holds={"t": b""}),
    "size-with-spaces": _odd(file("s", b"abc", size=b"          3 "), holds={"s": b"abc"}),
    "no-time": _odd(file("t", mtime=bytes(12)), holds={"t": b""}),
    "no-owner": _odd(file("o", owner=bytes(8)), holds={"o": b""}),
    "owner-past-octal": _odd(file("o", owner=base256(2**31)[4:]), holds={"o": b""}),
    "device-numbers-of-a-file": _odd(file("f", device=b"0000001\0" * 2), holds={"f": b""}),
}

# streams that are whole, and nothing but zeros after them
GOOD_ENDINGS = {
    "many-gzip-streams": _stream(lambda: gz(GOOD[:99]) + gz(GOOD[99:]) + gz(b"") + gz(END)),
    "many-bzip2-streams": _stream(lambda: bz2.compress(GOOD) + bz2.compress(END)),
    "many-xz-streams": _stream(lambda: lzma.compress(GOOD) + lzma.compress(END)),
    "zeros-after-the-stream": _stream(lambda: gz(tar(GOOD)) + bytes(10_000)),
    "zeros-after-the-end": _stream(lambda: gz(tar(GOOD, end=bytes(10_240)))),
    "no-whole-block-of-zeros-after-the-end": _stream(lambda: gz(tar(GOOD, end=bytes(1025)))),
    "zeros-after-the-xz-stream": _stream(lambda: lzma.compress(tar(GOOD)) + bytes(8)),
    "xz-without-a-checksum": _stream(lambda: lzma.compress(tar(GOOD), check=lzma.CHECK_NONE)),
    "gzip-of-stored-blocks": _stream(lambda: gz(tar(GOOD), level=0)),
    "gzip-with-all-headers": _stream(
        lambda: gz_with(tar(GOOD), b"xx\2\0yy", b"model.tar", b"a comment")
    ),
    # bgzip, and other writers of blocks: extra fields, and an empty block at the end
    "gzip-in-blocks": _stream(
        lambda: b"".join(
            gz_with(part, b"BC\2\0\0\0") for part in (GOOD[:700], GOOD[700:] + END, b"")
        )
    ),
}

# what other tools write
REAL = {
    "empty-file": _odd(file("e"), holds={"e": b""}),
    "v7": _odd(file("old", b"o", magic=V7), holds={"old": b"o"}),
    "v7-type": _odd(file("old", b"o", magic=V7, kind=b"\0"), holds={"old": b"o"}),
    "v7-folder": _odd(header("old/", kind=b"\0", magic=V7), holds={"old": None}),
    "contiguous-file": _odd(file("c", b"c", kind=b"7"), holds={"c": b"c"}),
    "gnu": _odd(file("g", b"g", magic=GNU), holds={"g": b"g"}),
    "gnu-times-in-place-of-a-prefix": _odd(
        file("g", b"g", magic=GNU, prefix=b"14500000000\x0014500000000"), holds={"g": b"g"}
    ),
    "star-times-behind-a-prefix": _odd(
        file("w", b"w", prefix=b"p".ljust(131, b"\0") + b"14500000000 " * 2 + bytes(8) + b"tar\0"),
        holds={"p/w": b"w"},
    ),
    "ustar-prefix": _odd(file("w", b"w", prefix="p" * 150), holds={"p" * 150 + "/w": b"w"}),
    # bsdtar on macOS: a pax header with extended attributes, and AppleDouble files
    "macos": _odd(
        pax(
            (b"mtime", b"1700000000.123456"),
            (b"LIBARCHIVE.creationtime", b"1699999999"),
            (b"LIBARCHIVE.xattr.com.apple.quarantine", b"MDA4MTs2NTQz"),
            (b"SCHILY.xattr.com.apple.quarantine", b"0081;6543;Safari;\0\xff\n"),
            (b"SCHILY.fflags", b"nodump"),
        ),
        file("./weights.bin", b"w"),
        file("./._weights.bin", b"\0\5\x16\7"),
        file("./.DS_Store", b"Bud1"),
        holds={"weights.bin": b"w", "._weights.bin": b"\0\5\x16\7", ".DS_Store": b"Bud1"},
    ),
    "python-gnu": _by_tarfile(tarfile.GNU_FORMAT),
    "python-pax": _by_tarfile(tarfile.PAX_FORMAT),
    "python-ustar": _by_tarfile(tarfile.USTAR_FORMAT),
    "name-of-100-bytes": _odd(file("n" * 100, b"n"), holds={"n" * 100: b"n"}),
    "trailing-slash-by-pax": _odd(
        pax((b"path", _DEEP[:120].encode())), folder("d"), holds={_DEEP[:119]: None}
    ),
}


ODD = {
    f"{row}/{what}": case
    for row, cases in {
        "names": GOOD_NAMES,
        "links-inside": COPIED,
        "modes": {**MODES, **SET_ID},
        "alike": ALIKE,
        "characters": GOOD_CHARACTERS,
        "extensions": GOOD_EXTENSIONS,
        "numbers": GOOD_NUMBERS,
        "endings": GOOD_ENDINGS,
        "root": ROOT,
        "real": REAL,
    }.items()
    for what, case in cases.items()
}
