"""What a member may be called, and which names go together in one archive."""

from __future__ import annotations

import pytest

from mims.archive.names import ArchiveError, Namespace, checked_name


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("a", "a"),
        ("", ""),  # the root
        (".", ""),
        ("./", ""),
        ("./a", "a"),
        ("a/", "a"),
        ("a//b", "a/b"),
        ("a/./b", "a/b"),
        ("./././a/.", "a"),
        ("..a/b..", "..a/b.."),
        ("...", "..."),
        ("~/a", "~/a"),
        ("-rf", "-rf"),
        (" ", " "),
        ("ab:c", "ab:c"),  # a drive has one letter
        ("1:c", "1:c"),
        ("C", "C"),
        ("模型/é 🙂", "模型/é 🙂"),
        ("a\u200db", "a\u200db"),  # joins emoji, and Arabic and Indic letters
        ("n" * 255, "n" * 255),
        ("é" * 127, "é" * 127),
        ("d/" * 2047 + "f", "d/" * 2047 + "f"),
    ],
)
def test_good_names(raw: str, name: str) -> None:
    assert checked_name(raw) == name


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("..", "holds '..'"),
        ("a/..", "holds '..'"),
        ("a/../b", "holds '..'"),
        ("/", "absolute"),
        ("//a", "absolute"),
        ("/a", "absolute"),
        ("\\a", "backslash"),
        ("a\\b", "backslash"),
        ("C:", "drive letter"),
        ("c:a", "drive letter"),
        ("é:a", "drive letter"),
        ("a\0b", "control character"),
        ("a\tb", "control character"),
        ("a\x7f", "control character"),
        ("a\x9f", "control character"),
        ("a\u2029b", "control character"),
        ("a\u2066b", "reorders text"),
        ("\u200ea", "reorders text"),
        ("a\udc80", "not UTF-8"),
        ("n" * 256, "a part of its name is over 255 bytes"),
        ("é" * 128, "a part of its name is over 255 bytes"),
        ("d/" * 2048 + "f", "its name is over 4096 bytes"),
    ],
)
def test_bad_names(raw: str, reason: str) -> None:
    with pytest.raises(ArchiveError, match=reason) as caught:
        checked_name(raw)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("folders", "files"),
    [
        ([], ["a", "b", "d/a", "d/b"]),
        (["d"], ["d/a"]),
        (["d", "d/e", "d/e/f"], ["d/e/a"]),
        (["d"], ["dd", "d.e"]),
    ],
)
def test_names_that_go_together(folders: list[str], files: list[str]) -> None:
    names = Namespace()
    for name in folders:
        assert names.add_folder(name)
        assert not names.add_folder(name)
    for name in files:
        names.add_file(name)
    assert names.files == set(files)
    assert names.lookalikes == []


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ("a", "a", "'a' is there twice"),
        ("a", "a/b", "'a/b' lies in 'a', which is a file"),
        ("a", "a/b/c", "'a/b/c' lies in 'a', which is a file"),
        ("a/b", "a", "'a' is both a file and a folder"),
        ("a/", "a", "'a' is both a file and a folder"),
        ("a", "a/", "'a' is both a file and a folder"),
        ("a", "a/b/", "'a/b' lies in 'a', which is a file"),
    ],
)
def test_names_that_do_not(first: str, second: str, reason: str) -> None:
    names = Namespace()

    def add(name: str) -> None:
        if name.endswith("/"):
            names.add_folder(name[:-1])
        else:
            names.add_file(name)

    add(first)
    with pytest.raises(ArchiveError, match=reason):
        add(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Model", "model"),
        ("STRASSE", "straße"),
        ("caf\u00e9", "cafe\u0301"),
        ("D/a", "d/b"),  # their folders are alike
    ],
)
def test_names_alike(first: str, second: str) -> None:
    names = Namespace()
    names.add_file(first)
    names.add_file(second)
    assert names.lookalikes in ([(first, second)], [(first[:1], second[:1])])
