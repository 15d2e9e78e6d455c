"""Archives that nobody thought of: each is refused, or read as GNU tar reads it.

Property-based: hypothesis makes headers of any bytes with right checksums, and damages archives at
any place. `slow` is the same, longer.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Callable, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archives import (
    END,
    GNU,
    USTAR,
    V7,
    base256,
    extension,
    file,
    folder,
    gz,
    hardlink,
    long_name,
    long_target,
    pax,
    symlink,
    tar,
)
from mims.archive.links import read_resolved
from mims.archive.reader import FOLDER, Limits
from mims.errors import InputError

Test = TypeVar("Test", bound=Callable[..., None])

GOOD = tar(
    folder("d/"),
    file("d/a", b"abc" * 300),
    pax((b"path", b"long/" * 30 + b"name")),
    file("cut", b"pax"),
    symlink("s", "d/a"),
    hardlink("h", "d/a"),
    file("last", b"\0" * 600),
)


def thorough(examples: int) -> Callable[[Test], Test]:
    """Settings of a property: the same examples in every run of the same test."""
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


def refused_or_as_gnu_tar_reads(data: bytes) -> str:
    """Check the property for one archive."""
    with tempfile.TemporaryDirectory() as place:
        path, unpacked = Path(place) / "archive", Path(place) / "unpacked"
        path.write_bytes(data)
        try:
            found = {
                member.name: None if member.kind == FOLDER else b"".join(content)
                for member, content in read_resolved(path, Limits(ratio=10_000), lambda _: None)
            }
        except InputError:
            return "refused"
        unpacked.mkdir()
        command = ["tar", "-x", "--warning=none", "-f", str(path), "-C", str(unpacked)]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["chmod", "-R", "u+rwX", str(unpacked)], check=True)
        seen = {
            entry.relative_to(unpacked).as_posix(): None if entry.is_dir() else entry.read_bytes()
            for entry in unpacked.rglob("*")
        }
        parents = {name for name in seen if seen[name] is None} - set(found)
        assert found == {name: seen[name] for name in seen if name not in parents}
        return "taken"


# ---- any headers ---------------------------------------------------------------------------------

names = st.sampled_from(["b", "c", "./d", "e/g", "e/h/i", "j//k", "é/名"])
odd_names = st.one_of(
    st.sampled_from(["", ".", "..", "../a", "/a", "a/", "a\\b"]), st.binary(max_size=9)
)
targets = st.sampled_from(["a", "./a", "e/f", "e/../a", "a", "e/./f", "l", "../a", "/a", "e", "b"])
numbers = st.one_of(
    st.sampled_from([0, 1, 511, 512, 1024, 8**11 - 1, base256(3), base256(-1), b"", b" 17 ", b"8"]),
    st.binary(max_size=8),
)
one_odd_field = st.one_of(
    st.fixed_dictionaries({"name": odd_names}),
    st.fixed_dictionaries({"size": numbers}),
    st.fixed_dictionaries({"kind": st.binary(min_size=1, max_size=1)}),
    st.fixed_dictionaries({"mode": numbers}),
    st.fixed_dictionaries({"mtime": numbers}),
    st.fixed_dictionaries({"magic": st.sampled_from([GNU, V7])}),
    st.fixed_dictionaries({"magic": st.sampled_from([USTAR, GNU]), "prefix": names}),
    st.fixed_dictionaries({"prefix": odd_names}),
    st.fixed_dictionaries({"target": odd_names}),
)
records = st.one_of(
    st.tuples(st.just(b"path"), names.map(str.encode)),
    st.tuples(st.just(b"linkpath"), targets.map(str.encode)),
    st.tuples(st.just(b"size"), st.sampled_from([b"0", b"3", b"512", b"600", b"-1", b"x"])),
    st.tuples(st.just(b"mtime"), st.sampled_from([b"1.5", b"-1", b"1e30", b"", b"x"])),
    st.tuples(st.sampled_from([b"comment", b"SCHILY.xattr.a"]), st.binary(max_size=9)),
    st.tuples(st.sampled_from([b"path", b"GNU.sparse.name", b"size"]), st.binary(max_size=9)),
)
members = st.one_of(
    st.builds(file, names, st.binary(max_size=600)),
    st.builds(folder, names),
    st.builds(symlink, st.sampled_from(["l", "m", "e/l"]), targets),
    st.builds(hardlink, st.sampled_from(["n", "o", "e/n"]), targets),
    st.builds(
        lambda name, content, odd: file(**{"name": name, "content": content, **odd}),
        names,
        st.binary(max_size=600),
        one_odd_field,
    ),
    st.builds(pax, records),
    st.builds(lambda record: pax(record, kind=b"g"), records),
    st.builds(long_name, names),
    st.builds(long_target, targets),
    st.builds(extension, st.sampled_from([b"x", b"g", b"L", b"K"]), st.binary(max_size=30)),
)
ends = st.sampled_from([END] * 9 + [bytes(10_240), END + b"x", END[:512], b""])
archives = st.builds(
    lambda parts, end: gz(tar(file("a", b"A"), file("e/f", b"F"), *parts, end=end)),
    st.lists(members, min_size=1, max_size=4),
    ends,
)


@given(archives)
@thorough(200)
def test_any_headers(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data)


@pytest.mark.slow
@given(archives)
@thorough(10_000)
def test_any_headers_for_long(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data)


# ---- any damage ----------------------------------------------------------------------------------

Damage = Callable[[bytes], bytes]


def flip(place: int, bit: int) -> Damage:
    def damage(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[place % len(data)] ^= 1 << bit
        return bytes(changed)

    return damage


def cut(place: int, length: int) -> Damage:
    return lambda data: data[: place % len(data)] + data[place % len(data) + length :]


def double(place: int, length: int) -> Damage:
    return lambda data: data[: place % len(data) + length] + data[place % len(data) :]


def insert(place: int, more: bytes) -> Damage:
    return lambda data: data[: place % len(data)] + more + data[place % len(data) :]


places = st.one_of(st.integers(0, 10**4), st.integers(0, 20).map(lambda block: 512 * block))
lengths = st.one_of(st.integers(1, 600), st.sampled_from([512, 1024]))
damages = st.one_of(
    st.builds(flip, places, st.integers(0, 7)),
    st.builds(cut, places, lengths),
    st.builds(double, places, lengths),
    st.builds(insert, places, st.binary(min_size=1, max_size=600)),
)


def damaged(in_tar: list[Damage], in_stream: list[Damage]) -> bytes:
    data = GOOD
    for damage in in_tar:
        data = damage(data)
    data = gz(data)
    for damage in in_stream:
        data = damage(data)
    return data


broken = st.builds(damaged, st.lists(damages, max_size=3), st.lists(damages, max_size=1))


@given(broken)
@thorough(150)
def test_any_damage(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data)


@pytest.mark.slow
@given(broken)
@thorough(10_000)
def test_any_damage_for_long(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data)


def test_the_undamaged_is_taken() -> None:
    assert refused_or_as_gnu_tar_reads(gz(GOOD)) == "taken"
