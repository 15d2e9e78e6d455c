"""Parallel gzip: an ordinary gzip file, the same bytes whatever the machine."""

from __future__ import annotations

import gzip
import io
import os
import random
import struct
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from mims.archive import gz
from mims.archive.gz import BLOCK, GzipWriter, cpus, crc32_combine
from mims.archive.names import PATH_LIMIT, ArchiveError
from mims.archive.writer import TarWriter, canonical_mode

if TYPE_CHECKING:
    from pathlib import Path

RANDOM = random.Random(7)  # noqa: S311 - the same bytes in every run
MIXED = bytes(BLOCK) + RANDOM.getrandbits(8 * BLOCK).to_bytes(BLOCK, "big") + b"text " * 300_000


def compressed(data: bytes, level: int = 1, threads: int = 2, piece: int = 100_000) -> bytes:
    made = io.BytesIO()
    with GzipWriter(made, level, threads) as writer:
        for start in range(0, len(data), piece):
            writer.write(memoryview(data)[start : start + piece])
    return made.getvalue()


@pytest.mark.parametrize("level", [1, 3, 4, 9])
@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, len(MIXED)])
def test_other_readers_read_it(size: int, level: int) -> None:
    data = MIXED[:size]
    made = compressed(data, level)

    assert gzip.decompress(made) == data
    done = subprocess.run(["gzip", "-d"], input=made, stdout=subprocess.PIPE, check=True)
    assert done.stdout == data


def test_one_member_without_name_or_time() -> None:
    made = compressed(MIXED)

    engine = zlib.decompressobj(zlib.MAX_WBITS | 16)
    engine.decompress(made)
    assert engine.eof
    assert engine.unused_data == b""
    assert made[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    assert made[-8:] == struct.pack("<LL", zlib.crc32(MIXED), len(MIXED))


@pytest.mark.parametrize(("threads", "piece"), [(1, 1), (1, BLOCK), (3, 777), (16, 10**9)])
def test_bytes_depend_on_the_input_alone(threads: int, piece: int) -> None:
    data = MIXED[: BLOCK + 4000] if piece == 1 else MIXED
    assert compressed(data, 1, threads, piece) == compressed(data)


def test_a_failing_disk_ends_it() -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        GzipWriter(Full())


def test_after_an_error_nothing_is_written() -> None:
    made = io.BytesIO()
    writer = GzipWriter(made)
    writer.write(b"half")
    writer.__exit__(ValueError, ValueError("x"), None)
    assert made.getvalue() == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


@pytest.mark.parametrize("first", [0, 1, 1000, len(MIXED)])
@pytest.mark.parametrize("second", [0, 1, 511, BLOCK])
def test_crc32_combine(first: int, second: int) -> None:
    one, other = MIXED[:first], MIXED[-second:] if second else b""
    whole = zlib.crc32(one + other)
    assert crc32_combine(zlib.crc32(one), zlib.crc32(other), second) == whole


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"cpu.max": "max 100000\n"}, float("inf")),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "20000 100000\n"}, 0.2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, float("inf")),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({}, float("inf")),
    ],
)
def test_quota_of_a_cgroup(tmp_path: Path, files: dict[str, str], quota: float) -> None:
    (tmp_path / "cpu").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert gz._cgroup_quota(tmp_path) == quota  # noqa: SLF001 - no other way to a cgroup


def test_processors_of_this_process() -> None:
    allowed = os.sched_getaffinity(0)
    assert 1 <= cpus() <= len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)


# ---- the tar inside ------------------------------------------------------------------------------


def written(*calls: tuple[str, int, int, int]) -> bytes:
    """The tar that holds these: name, size, mode, time; contents are zeros."""
    made = io.BytesIO()
    with GzipWriter(made) as sink:
        tar = TarWriter(sink)
        for name, size, mode, mtime in calls:
            tar.add_file(name, size, mode, mtime, [bytes(size)])
        tar.close()
    return gzip.decompress(made.getvalue())


def test_a_plain_member_is_a_plain_header() -> None:
    made = written(("a/b", 3, 0o644, 1_500_000_000))
    assert len(made) == 4 * 512
    assert made[:512].rstrip(b"\0") == (
        b"a/b".ljust(100, b"\0")
        + b"0000644\x000000000\x000000000\x00"
        + b"00000000003\x00%011o\x00" % 1_500_000_000
        + made[148:156]
        + b"0".ljust(101, b"\0")
        + b"ustar\x0000"
    )


@pytest.mark.parametrize(
    ("name", "mtime", "records"),
    [
        ("n" * 100, 0, b""),
        ("n" * 101, 0, b"111 path=" + b"n" * 101 + b"\n"),
        ("é", 0, b"11 path=\xc3\xa9\n"),
        ("a", 8**11 - 1, b""),
        ("a", 8**11, b"20 mtime=8589934592\n"),
        # 99 bytes without its length, so 101 with two digits, so 102 with three
        ("n" * 90 + "é", 0, b"102 path=" + b"n" * 90 + b"\xc3\xa9\n"),
    ],
)
def test_what_a_header_cannot_hold_is_a_pax_record(name: str, mtime: int, records: bytes) -> None:
    made = written((name, 0, 0o644, mtime))
    if not records:
        assert len(made) == 3 * 512
    else:
        assert made[156:157] == b"x"
        assert made[512 : 512 + len(records) + 1] == records + b"\0"


def test_size_over_eight_gigabytes_is_a_pax_record() -> None:
    made = io.BytesIO()
    with GzipWriter(made) as sink, pytest.raises(ArchiveError, match="0 bytes where 8589934592"):
        TarWriter(sink).add_file("a", 8 << 30, 0o644, 0, [])

    headers = gzip.decompress(made.getvalue())
    assert headers[512:532] == b"19 size=8589934592\n\0"
    assert headers[1024 + 124 : 1024 + 136] == b"00000000000\0"


@pytest.mark.parametrize("content", [[], [b"ab"], [b"abc", b"d"]])
def test_content_of_another_size_is_an_error(content: list[bytes]) -> None:
    announced = f"'a' has {len(b''.join(content))} bytes where 3 were announced"
    with GzipWriter(io.BytesIO()) as sink, pytest.raises(ArchiveError, match=announced):
        TarWriter(sink).add_file("a", 3, 0o644, 0, content)


def test_a_name_may_grow_too_long_in_the_package() -> None:
    with GzipWriter(io.BytesIO()) as sink, pytest.raises(ArchiveError, match="over 4096 bytes"):
        TarWriter(sink).add_folder("d" * PATH_LIMIT, 0)


@pytest.mark.parametrize(
    ("mode", "canonical"), [(0, 0o644), (0o777, 0o755), (0o001, 0o755), (0o6644, 0o644)]
)
def test_canonical_mode(mode: int, canonical: int) -> None:
    assert canonical_mode(mode) == canonical
