"""The last check of an archive: what the disk holds is what was to be written."""

from __future__ import annotations

import hashlib
import os
import zlib
from typing import IO, TYPE_CHECKING, Iterator

import pytest

from mims.archive.gz import GzipWriter
from mims.archive.manifest import Entry
from mims.archive.readback import ReadBack
from mims.archive.reader import FILE, FOLDER
from mims.archive.writer import TarWriter
from mims.errors import MimsError

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"content" * 300_000
ENTRIES = [
    Entry("d", FOLDER, 0, 0o755, 0, "model_input"),
    Entry("d/f", FILE, len(CONTENT), 0o644, zlib.crc32(CONTENT), "model_input"),
]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IO[bytes]]:
    with (tmp_path / "archive").open("w+b") as opened:
        yield opened


def write(back: ReadBack) -> None:
    with GzipWriter(back) as sink:
        tar = TarWriter(sink)
        tar.add_folder("d", 0)
        tar.add_file("d/f", len(CONTENT), 0o644, 0, [CONTENT])
        tar.close()


def test_what_was_written_is_there(file: IO[bytes]) -> None:
    with ReadBack(file) as back:
        write(back)

    sha256, size, entries = back.compare(ENTRIES)

    file.seek(0)
    raw = file.read()
    assert (sha256, size) == (hashlib.sha256(raw).hexdigest(), len(raw))
    assert [entry.sha256 for entry in entries] == ["", hashlib.sha256(CONTENT).hexdigest()]


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (ENTRIES[:1], "other members"),
        ([*ENTRIES, ENTRIES[0]], "other members"),
        ([ENTRIES[0], ENTRIES[1]._replace(name="d/g")], "at member 'd/g'"),
        ([ENTRIES[0], ENTRIES[1]._replace(size=5)], "at member 'd/f'"),
        ([ENTRIES[0], ENTRIES[1]._replace(mode=0o755)], "at member 'd/f'"),
        ([ENTRIES[0], ENTRIES[1]._replace(crc32=0)], "at member 'd/f'"),
        ([ENTRIES[1], ENTRIES[0]], "at member 'd/f'"),
    ],
)
def test_what_is_not_there_is_told(file: IO[bytes], entries: list[Entry], says: str) -> None:
    with ReadBack(file) as back:
        write(back)

    with pytest.raises(MimsError, match=says) as caught:
        back.compare(entries)
    assert caught.value.exit_code == 70  # it is nothing that a user can mend


def test_a_disk_that_holds_something_else(file: IO[bytes]) -> None:
    class Worn(ReadBack):
        """A disk that loses a bit of what is written."""

        def write(self, data: bytes) -> None:
            super().write(data[:50] + bytes([data[50] ^ 1]) + data[51:] if data[50:] else data)

    with Worn(file) as back:
        write(back)

    with pytest.raises(MimsError, match="is damaged"):
        back.compare(ENTRIES)


def test_an_error_while_writing_leaves_no_process(file: IO[bytes]) -> None:
    def fail(back: ReadBack) -> None:
        with back:
            back.write(b"half")
            raise OSError(28, os.strerror(28))

    back = ReadBack(file)
    with pytest.raises(OSError, match="No space left"):
        fail(back)
    with pytest.raises(ChildProcessError):  # it is not there to wait for
        os.waitpid(back._child, os.WNOHANG)  # noqa: SLF001 - other tests have children too
