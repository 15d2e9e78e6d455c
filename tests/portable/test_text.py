"""Text for people: nothing hidden, no secret, not too long."""

from __future__ import annotations

import pytest

from mims.text import (
    counted,
    is_utf8,
    listed,
    meant,
    printable,
    printable_lines,
    repeated,
    size,
    without_secrets,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 名 🙂 ~\\", "plain é 名 🙂 ~\\"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x7f\x85", "\\x7f\\x85"),
        ("gpj\u202eexe", "gpj\\u202eexe"),  # right-to-left override
        ("\u200b\ufeff\u2028", "\\u200b\\ufeff\\u2028"),  # nothing to see
        ("caf\udce9", "caf\\udce9"),  # an undecodable byte
        ("\ue000", "\\ue000"),  # means something else everywhere
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable_lines(f"{shown}\n{shown}") == f"{shown}\n{shown}"


@pytest.mark.parametrize(
    "secret",
    [
        "https://b.s3.amazonaws.com/k?X-Amz-Signature={}&x=1",
        "https://b.s3.amazonaws.com/k?X-Amz-Credential={}%2F20261120&x=1",
        "https://b.s3.amazonaws.com/k?X-Amz-Security-Token={}",
        "https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Signature={}",
        "x-amz-signature%3D{}",
        "aws_secret_access_key={}",
        'aws_session_token: "{}"',
        '{{"aws_secret_access_key": "{}"}}',
        "key AKIAIOSFODNN7EXAMPLE of {}",
        "key ASIAIOSFODNN7EXAMPLE of {}",
    ],
)
def test_secrets_are_blanked(secret: str) -> None:
    told = without_secrets(f"refused: {secret.format('wJalrXUtnFEMI')}")
    assert told.startswith("refused: ")
    assert "***" in told
    assert "IOSFODNN7EXAMPLE" not in told
    assert "wJalrXUtnFEMI" not in told or "key" in secret[:4]


def test_counted() -> None:
    assert [counted(count, "record") for count in (0, 1, 2000)] == [
        "0 records",
        "1 record",
        "2,000 records",
    ]
    assert counted(1, "category", "categories") == "1 category"
    assert counted(2, "category", "categories") == "2 categories"


def test_what_is_no_secret_stays() -> None:
    for text in (
        "https://b.s3.amazonaws.com/k?versionId=1",
        "Signature version 4",
        "AKIA is short",
    ):
        assert without_secrets(text) == text


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (1_500_000, "1.5 MB"),
        (6_291_456, "6.3 MB"),
        (2 * 10**9, "2.0 GB"),
        (10**12, "1.0 TB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_size(count: int, shown: str) -> None:
    assert size(count) == shown


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b\n"], "a, b\\n"),
        (["a", "b", "c"], "a, b, c"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more"),
    ],
)
def test_listed(names: list[str], shown: str) -> None:
    assert listed(names, limit=3) == shown


def test_is_utf8() -> None:
    assert is_utf8("é 名 🙂")
    assert not is_utf8("caf\udce9")


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        ([], []),
        (["a", "A", "a "], []),
        (["b", "a", "b", "c", "a", "b"], ["b", "a"]),
    ],
)
def test_repeated(names: list[str], twice: list[str]) -> None:
    assert repeated(iter(names)) == twice


def test_repeated_does_not_compare_each_name_with_each() -> None:
    """One JSON object can hold names by the million."""
    compared = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    names = [Name(number // 2) for number in range(2000)]
    assert repeated(names) == [str(number) for number in range(1000)]
    assert compared < 10 * len(names)


def test_what_was_meant() -> None:
    known = ["model_owner", "Regions"]
    assert meant("regiones", known, "?") == "did you mean Regions?"
    assert meant("MODEL_OWNR", known, "?") == "did you mean model_owner?"
    assert meant("colour", known, "known are two") == "known are two"
