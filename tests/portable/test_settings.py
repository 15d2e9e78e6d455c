"""Settings: what each kind takes, and that every problem is told, with its name and value."""

from __future__ import annotations

from typing import Any

import pytest

from mims.errors import InputError
from mims.settings import (
    ANY_TEXT,
    TEXT,
    TEXTS_BY_NAME,
    Kind,
    Setting,
    integer,
    names,
    number,
    one_of,
    read_settings,
    some_of,
    true_or_false,
)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (ANY_TEXT, "", ""),
        (ANY_TEXT, " é ", " é "),
        (TEXT, " é ", " é "),
        (one_of("a", "b"), "b", "b"),
        (some_of("a", "b"), "b", ["b"]),
        (some_of("a", "b"), " b,a ", ["b", "a"]),
        (names(), " b, a c ", ["b", "a c"]),
        (integer(1, 9), "9", 9),
        (integer(0), " 007 ", 7),
        (integer(1), "1000000000000", 10**12),
        (number(), "-12.5", -12.5),
        (number(), "1e3", 1000.0),
        (true_or_false(), "True", True),
        (true_or_false(), " false ", False),
        (TEXTS_BY_NAME, "{}", {}),
        (TEXTS_BY_NAME, ' {"a": "x", "b": 1.50, "": -2} ', {"a": "x", "b": "1.50", "": "-2"}),
        (TEXTS_BY_NAME, '{"n": ' + "9" * 5000 + "}", {"n": "9" * 5000}),
    ],
)
def test_good_values(kind: Kind, given: str, value: Any) -> None:
    found = Setting("NAME", "what it is", kind).read({"NAME": given})
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "given", "allowed"),
    [
        (ANY_TEXT, "\udce9", "text"),
        (TEXT, "", "text that is not empty"),
        (TEXT, " \n", "text that is not empty"),
        (one_of("a", "b"), "A", "a or b"),
        (one_of("a", "b"), "", "a or b"),
        (some_of("a", "b"), "a,c", "a comma-separated list, each once, of a, b"),
        (some_of("a", "b"), "a,a", "a comma-separated list, each once, of a, b"),
        (some_of("a", "b"), "a,", "a comma-separated list, each once, of a, b"),
        (names(), "a,,b", "a comma-separated list of names, each once"),
        (names(), "a,b,a", "a comma-separated list of names, each once"),
        (names(), "a\udce9", "a comma-separated list of names, each once"),
        (integer(1, 9), "10", "a whole number from 1 to 9"),
        (integer(1, 9), "0", "a whole number from 1 to 9"),
        (integer(1), "1.0", "a whole number of at least 1"),
        (integer(1), "-1", "a whole number of at least 1"),
        (integer(1), "1_000", "a whole number of at least 1"),
        (integer(1), "²", "a whole number of at least 1"),
        (number(), "", "a finite number such as 0.0 or -12.5"),
        (number(), "1,5", "a finite number such as 0.0 or -12.5"),
        (number(), "-inf", "a finite number such as 0.0 or -12.5"),
        (number(), "NaN", "a finite number such as 0.0 or -12.5"),
        (number(), "1_000", "a finite number such as 0.0 or -12.5"),
        (true_or_false(), "1", "true or false"),
    ],
)
def test_bad_values(kind: Kind, given: str, allowed: str) -> None:
    with pytest.raises(InputError) as caught:
        Setting("NAME", "what it is", kind).read({"NAME": given})
    assert str(caught.value) == f"NAME is {given!r}: must be {allowed}"


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ("[]", ["is no JSON object: must be {allowed}"]),
        ('"{}"', ["is no JSON object: must be {allowed}"]),
        ("null", ["is no JSON object: must be {allowed}"]),
        ('{"a": 1, "b": 2, "a": 3}', ["has 'a' twice"]),
        (
            '{"a": true, "b": null, "c": [1], "d": {"e": 1}, "f": NaN, "g": "fine"}',
            [
                "gives 'a' true or false: must be a text or a number",
                "gives 'b' null: must be a text or a number",
                "gives 'c' a list: must be a text or a number",
                "gives 'd' an object: must be a text or a number",
                "gives 'f' NaN or Infinity: must be a text or a number",
            ],
        ),
        (r'{"a": "\ud800"}', ["gives 'a' the text '\\ud800', which no request can hold"]),
        (r'{"a": "x\u0000"}', ["gives 'a' the text 'x\\x00', which no request can hold"]),
    ],
)
def test_bad_texts_by_name(given: str, problems: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        Setting("NAME", "what it is", TEXTS_BY_NAME).read({"NAME": given})
    allowed = TEXTS_BY_NAME.allowed
    assert list(caught.value.problems) == [
        f"NAME {problem.format(allowed=allowed)}" for problem in problems
    ]


@pytest.mark.parametrize("given", ["", "{", "{'a': 1}", '{"a": 1} x', "[" * 100_000])
def test_texts_by_name_that_are_no_json(given: str) -> None:
    with pytest.raises(InputError, match=r"NAME is no JSON: .*; must be a JSON object of texts"):
        Setting("NAME", "what it is", TEXTS_BY_NAME).read({"NAME": given})


def test_defaults_and_what_has_none() -> None:
    assert Setting("NAME", "what it is", integer(1), "5").read({}) == 5
    assert Setting("NAME", "what it is", integer(1)).read({}) is None


@pytest.mark.parametrize("environ", [{}, {"NAME": ""}])
def test_required(environ: dict[str, str]) -> None:
    with pytest.raises(InputError, match="NAME is not set: what it is"):
        Setting("NAME", "what it is", TEXT, required=True).read(environ)


def test_a_family_shares_a_prefix() -> None:
    family = Setting("SPECIAL_<name>", "what it is", integer(1))
    assert family.read({"SPECIAL_b": "2", "SPECIAL_a": "1", "OTHER": "x"}) == {"a": 1, "b": 2}
    assert family.read({}) == {}
    with pytest.raises(InputError, match="SPECIAL_a is 'x'"):
        family.read({"SPECIAL_a": "x"})


def test_all_problems_at_once() -> None:
    settings = [
        Setting("A", "a", integer(1)),
        Setting("B", "b", TEXT, required=True),
        Setting("C", "c", TEXT),
    ]
    with pytest.raises(InputError) as caught:
        read_settings(settings, {"A": "x", "C": "fine"})
    assert caught.value.problems == (
        "A is 'x': must be a whole number of at least 1",
        "B is not set: b",
    )
