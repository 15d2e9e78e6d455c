"""Archives that nobody thought of: headers of any bytes with right checksums, damage at any place.

Strategies of hypothesis for whatever reads archives: `any_headers`, and `any_damage` to `GOOD`.
Python 3.7+: the tests of every interpreter stand on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hypothesis import settings
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

if TYPE_CHECKING:
    from collections.abc import Callable

    Damage = Callable[[bytes], bytes]

Test = TypeVar("Test", bound="Callable[..., None]")

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


# ---- any headers ---------------------------------------------------------------------------------

names = st.sampled_from(["b", "c", "./d", "e/g", "e/h/i", "j//k", "é/名"])
odd_names = st.one_of(
    st.sampled_from(["", ".", "..", "../a", "/a", "a/", "a\\b"]), st.binary(max_size=9)
)
targets = st.sampled_from(
    [
        "a",
        "./a",
        "a",
        "e/f",
        "e/../a",
        "e/./f",
        "l",
        "../a",
        "/a",
        "e",
        "b",
        "f",
        "a/",
        "e/f/.",
        "x/../a",
        "a/../a",
        "../e/f",
    ]
)
hard_targets = st.one_of(targets, st.sampled_from(["m", "e/l", "a/", "e/../a"]))
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
    st.builds(hardlink, st.sampled_from(["n", "o", "e/n"]), hard_targets),
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
any_headers = st.builds(
    lambda parts, end: gz(tar(file("a", b"A"), file("e/f", b"F"), *parts, end=end)),
    st.lists(members, min_size=1, max_size=4),
    ends,
)


# ---- any damage ----------------------------------------------------------------------------------


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


def damaged(good: bytes) -> st.SearchStrategy[bytes]:
    """Damaged copies of a tar archive, as gzip: some of the damage came before, some after."""

    def damage(in_tar: list[Damage], in_stream: list[Damage]) -> bytes:
        data = good
        for harm in in_tar:
            data = harm(data)
        data = gz(data)
        for harm in in_stream:
            data = harm(data)
        return data

    return st.builds(damage, st.lists(damages, max_size=3), st.lists(damages, max_size=1))


any_damage = damaged(GOOD)
