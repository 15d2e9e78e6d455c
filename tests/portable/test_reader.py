"""The checked reader and what stands under it: streams, links, folders.

What hostile archives get is in test_threats.py; here is how a program uses the reader.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Callable, Iterator

import pytest

from archives import COMPRESSIONS, file, folder, gz, hardlink, symlink, tar
from front_door import lay
from mims.archive.folder import read_folder
from mims.archive.links import read_resolved
from mims.archive.names import ArchiveError
from mims.archive.reader import FILE, FOLDER, HARDLINK, SYMLINK, Limits, Member, read_archive
from mims.archive.streams import CHUNK, Ahead
from mims.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

BIG = bytes(range(256)) * 8192  # 2 MB: several chunks
WHOLE = tar(
    folder("d/"),
    file("d/big", BIG),
    symlink("s", "d/big"),
    hardlink("h", "d/big"),
    file("last", b"last", mode=0o755),
)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(gz(WHOLE))
    return path


def readers() -> int:
    """Threads that read ahead."""
    return sum(thread.name == "read-ahead" for thread in threading.enumerate())


def test_members_as_they_are(archive: Path) -> None:
    members = [member for member, _ in read_archive(archive)]

    assert [(m.name, m.kind, m.size, m.target) for m in members] == [
        ("d", FOLDER, 0, ""),
        ("d/big", FILE, len(BIG), ""),
        ("s", SYMLINK, 0, "d/big"),
        ("h", HARDLINK, 0, "d/big"),
        ("last", FILE, 4, ""),
    ]
    assert members[-1] == Member("last", FILE, 4, 0o755, 1_500_000_000)


def test_content_that_is_not_wanted_is_skipped(archive: Path) -> None:
    for member, content in read_archive(archive):
        if member.name == "d/big":
            next(content)  # a part of it
        if member.name == "last":
            assert b"".join(content) == b"last"


def test_watch_sees_every_byte_of_the_archive(archive: Path) -> None:
    seen: list[bytes] = []
    for _ in read_archive(archive, watch=seen.append):
        pass
    assert b"".join(seen) == archive.read_bytes()


def test_stopping_early_ends_the_thread(archive: Path) -> None:
    with closing(read_archive(archive)) as members:
        next(members)
        assert readers() == 1
    assert readers() == 0


def test_an_error_ends_the_thread(archive: Path) -> None:
    archive.write_bytes(gz(WHOLE)[:-4])
    with pytest.raises(ArchiveError):
        for _ in read_archive(archive):
            pass
    assert readers() == 0


@pytest.mark.parametrize("change", [lambda f: f.write(b"\0"), lambda f: f.truncate()])
def test_an_archive_that_changes_while_it_is_read(
    archive: Path, change: Callable[[object], None]
) -> None:
    members = read_archive(archive)
    next(members)
    with archive.open("ab") as opened:
        change(opened)
        os.utime(str(archive), (1, 1))
    with pytest.raises(InputError, match="changed while it was read; run again"):
        for _ in members:
            pass


@pytest.mark.parametrize("limits", [Limits(members=4), Limits(unpacked_bytes=len(BIG))])
def test_limits(archive: Path, limits: Limits) -> None:
    with pytest.raises(ArchiveError, match="MAX_"):
        for _ in read_archive(archive, limits):
            pass


@pytest.mark.parametrize("limits", [Limits(members=5), Limits(unpacked_bytes=len(BIG) + 4)])
def test_limits_are_the_most_that_passes(archive: Path, limits: Limits) -> None:
    assert len(list(read_archive(archive, limits))) == 5


@pytest.mark.parametrize("name", list(COMPRESSIONS))
def test_contents_of_every_compression(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(COMPRESSIONS[name](WHOLE))
    contents = {m.name: b"".join(content) for m, content in read_archive(tmp_path / name)}
    assert contents["d/big"] == BIG


# ---- links ---------------------------------------------------------------------------------------


def resolved(path: Path) -> dict[str, tuple[str, bytes]]:
    """What each file is a copy of, and its content."""
    return {
        member.name: (member.target, b"".join(content))
        for member, content in read_resolved(path, Limits(), lambda _: None)
        if member.kind == FILE
    }


def test_links_are_copies(archive: Path) -> None:
    assert resolved(archive) == {
        "d/big": ("", BIG),
        "s": ("d/big", BIG),
        "h": ("d/big", BIG),
        "last": ("", b"last"),
    }


def test_many_links_to_a_small_file(tmp_path: Path) -> None:
    links = (symlink(f"{number}", "f") for number in range(500))
    (tmp_path / "a.tar").write_bytes(tar(file("f", b"f"), *links))

    assert len(resolved(tmp_path / "a.tar")) == 501


def test_many_links_to_a_large_file(tmp_path: Path) -> None:
    """Each would be another pass over the archive."""
    large = file("f", bytes(8 * 1024 * 1024 + 1))
    for count in (2, 17):
        links = (hardlink(f"{number}", "f") for number in range(count))
        (tmp_path / f"{count}.tar").write_bytes(tar(large, *links))

    assert len(resolved(tmp_path / "2.tar")) == 3
    with pytest.raises(ArchiveError, match="'f' has over 16 links"):
        resolved(tmp_path / "17.tar")


def test_a_long_row_of_links(tmp_path: Path) -> None:
    links = (symlink(f"{number}", f"{number + 1}") for number in range(3000))
    (tmp_path / "a.tar").write_bytes(tar(*links, file("3000", b"end")))

    assert set(resolved(tmp_path / "a.tar").values()) == {("", b"end"), ("3000", b"end")}


# ---- folders -------------------------------------------------------------------------------------


def test_a_folder_is_read_like_an_archive(tmp_path: Path) -> None:
    lay(tmp_path, {"b": b"2", "a/z": b"1", "a/empty": None, ".h": b""})
    os.utime(str(tmp_path / "b"), (5, 5))
    (tmp_path / "l").symlink_to("a/z")

    members = [(m, b"".join(content)) for m, content in read_folder(tmp_path)]

    names = [(member.name, member.kind, member.target) for member, _ in members]
    assert names == [
        (".h", FILE, ""),
        ("a", FOLDER, ""),
        ("a/empty", FOLDER, ""),
        ("a/z", FILE, ""),
        ("b", FILE, ""),
        ("l", FILE, "a/z"),
    ]
    assert {member.name: member.mtime for member, _ in members}["b"] == 5
    assert [content for _, content in members] == [b"", b"", b"", b"1", b"2", b"1"]


def test_what_is_not_wanted_is_not_entered(tmp_path: Path) -> None:
    lay(tmp_path, {"a/b": b"", "c/d": b""})
    os.mkfifo(str(tmp_path / "a/pipe"))

    names = [member.name for member, _ in read_folder(tmp_path, lambda name: name != "a")]

    assert names == ["c", "c/d"]


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"longer"),
        lambda path: path.write_bytes(b""),
        lambda path: os.utime(str(path), (1, 1)),
    ],
)
def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    lay(tmp_path, {"a": b"before"})
    members = read_folder(tmp_path)
    _, content = next(members)
    change(tmp_path / "a")

    with pytest.raises(InputError, match="a changed while it was read; run again"):
        b"".join(content)


def test_a_file_that_vanishes(tmp_path: Path) -> None:
    lay(tmp_path, {"a": b"", "b": b""})
    members = read_folder(tmp_path)
    next(members)
    (tmp_path / "b").unlink()

    with pytest.raises(InputError, match=f"cannot read {tmp_path}/b: No such file or directory"):
        next(members)


# ---- reading ahead -------------------------------------------------------------------------------


def endless() -> Iterator[bytes]:
    while True:
        yield b"chunk"


def test_no_more_is_read_ahead_than_a_few_chunks() -> None:
    taken = []

    def counted() -> Iterator[bytes]:
        for number in range(1000):
            taken.append(number)
            yield bytes(CHUNK)

    with closing(Ahead(counted())) as ahead:
        items = iter(ahead)
        next(items)
        time.sleep(0.05)
        assert len(taken) < 10


def test_closing_ends_an_endless_one() -> None:
    for _ in range(20):
        with closing(Ahead(endless())) as ahead:
            assert next(iter(ahead)) == b"chunk"
    assert readers() == 0


def test_an_error_comes_where_it_is_waited_for() -> None:
    def failing() -> Iterator[bytes]:
        yield b"1"
        raise ValueError("here")

    with closing(Ahead(failing())) as ahead:
        items = iter(ahead)
        assert next(items) == b"1"
        with pytest.raises(ValueError, match="here"):
            next(items)
