"""Flat JSON that is made CSV at once: it is what `lines` makes of each, or is left to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import captures
from mims.governance.captures import payloads, reading
from mims.governance.captures.flat import flattened
from mims.governance.captures.lines import JSON, rows
from mims.governance.captures.unread import Unread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIELDS = ("bill", "depth", "island")


def check(texts: Sequence[str], names: Sequence[str]) -> int:
    """Hold what is flat to what `lines` makes of it; give how many are."""
    found = flattened(pa.array(texts, pa.string()), names)
    if found is None:
        return 0
    assert sorted(found.order) == sorted(names)
    fit = [text for text, fits in zip(texts, found.fits.tolist(), strict=True) if fits]
    assert len(found.texts) == len(fit)
    at = {name: place for place, name in enumerate(names)}
    places = [at[name] for name in found.order]
    for text, made in zip(fit, found.texts.to_pylist(), strict=True):
        assert rows(text, JSON, names, places) == (made, 1, ()), text
    return len(fit)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('[39.1, 18.7, "Biscoe"]', FIELDS),
        ('[39.1,18.7,"Biscoe"]\n', FIELDS),
        ('[-0, 1E-7, ""]', FIELDS),
        ("[null, 1, null]", FIELDS),
        ('[null, true, "null"]', FIELDS),
        ('["a[", "{b}]", "c: d"]', FIELDS),
        ('["x", "é 年", "\u2028"]', FIELDS),
        ('[[39.1, 18.7, "Biscoe"]]', FIELDS),
        ('{"instances": [[39.1, 18.7, "Biscoe"]]}', FIELDS),
        ('{"instances": [{"features": [39.1, 18.7, "Biscoe"]}]}', FIELDS),
        ('{"bill": 39.1, "depth": 18.7, "island": "Biscoe"}', FIELDS),
        ('{"island":"Biscoe","bill":39.1,"depth":null}\r\n', FIELDS),
        ('{"instances": [{"depth": 18.7, "island": "null", "bill": 39.1}]}', FIELDS),
        ('{"inputs": {"depth": 18.7, "island": ": ", "bill": 39.1}}', FIELDS),
        ("0.93", ("score",)),
        ('"heavy"', ("label",)),
        ("[0.93]", ("score",)),
        ("[[0.93]]", ("score",)),
        ('{"score": 0.93}', ("score",)),
        ('{"predictions": [0.93]}', ("score",)),
        ('{"predictions": [[0.93]]}', ("score",)),
        ('{"predictions": [{"score": 0.93}]}', ("score",)),
        ('{"predictions": 0.93}', ("score",)),
        ('{"data": 1}', ("data",)),
        ('{"a.b (c)": 1, "+": 2}', ("a.b (c)", "+")),
    ],
)
def test_what_endpoints_take_and_answer_is_flat(text: str, names: Sequence[str]) -> None:
    assert check([text], names) == 1


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[0.2, 0.8]", ("score",)),  # two answers
        ("[]", ("score",)),
        ("null", ("score",)),  # an empty line would be none
        ('""', ("score",)),
        ('[1, 2, "a,b"]', FIELDS),
        ('[1, 2, "a\\"b"]', FIELDS),
        ('[1, 2, "\\u00e9"]', FIELDS),
        ("[1, 2]", FIELDS),
        ("[01, 2, 3]", FIELDS),
        ("[1, 2, 3", FIELDS),
        ("[1, 2, NaN]", FIELDS),
        ("[1, 2, [3]]", FIELDS),
        ("[[1, 2, 3], [4, 5, 6]]", FIELDS),
        ('{"bill": 1, "depth": 2}', FIELDS),
        ('{"bill": 1, "depth": 2, "island": 3, "new": 4}', FIELDS),
        ('{"bill": 1, "depth": 2, "island": 3, "bill": 4}', FIELDS),
        ('{"data": {"data": 1}}', ("data",)),
        ('{"instances": [1, 2, 3], "id": 7}', FIELDS),
        ("{" * 9 + "}" * 9, FIELDS),
        ("[" * 100_000, FIELDS),
        ("", FIELDS),
    ],
)
def test_what_is_not_is_left_to_lines(text: str, names: Sequence[str]) -> None:
    assert check([text], names) == 0
    good = '{"bill": 1, "depth": 2, "island": 3}' if names is FIELDS else "[1]"
    assert check([good, text, good], names) == 2


@pytest.mark.parametrize("name", [":", ":x", " :x"])
def test_names_that_look_as_if_they_came_after_a_key(name: str) -> None:
    assert check([json.dumps({"a": "q", name: 1}), f'{{"a":"q","{name}":1}}'], ("a", name)) == 0


@pytest.mark.parametrize(("width", "is_flat"), [(2000, 1), (30_000, 0)])
def test_many_fields_are_no_trouble(width: int, is_flat: int) -> None:
    """So many that the expression for an object is too large are left to `lines`."""
    names = tuple(f"field_{at}" for at in range(width))
    assert check([json.dumps(dict.fromkeys(names, 1.5))], names) == is_flat
    assert check([json.dumps([1.5] * width)], names) == 1


NAMES = st.lists(
    st.sampled_from(["a", "b", "data", "é", 'q"', "c d", "x:y", ":x", "a,b", "null"]) | st.text(),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["null", " x ", "a: b", "]", '{"', ", ", "\ufeff", "\x7f", "\u2028", "'"]),
)


@st.composite
def written(draw: st.DrawFn, names: Sequence[str]) -> str:
    """A payload, mostly a row of these fields, in one of few forms."""
    row: Any = [draw(SCALARS) for _ in names]
    form = draw(st.integers(0, 5))
    if form % 2:
        row = dict(zip(reversed(names) if form == 5 else names, row, strict=True))
    for _ in range(draw(st.integers(0, 2))):
        row = draw(st.sampled_from([[row], {"instances": row}, {"data": [row]}, [row, row]]))
    separators = draw(st.sampled_from([(", ", ": "), (",", ":"), (" ,", " :")]))
    text = json.dumps(row, ensure_ascii=draw(st.booleans()), separators=separators)
    text += draw(st.sampled_from(["", "", "\n", " "]))
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at] + draw(st.sampled_from(["", ",", '"', "]", "1", " ", "}"])) + text[at + 1 :]
        )
    return text


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_flat_is_what_lines_makes_of_it(data: st.DataObject) -> None:
    names = data.draw(NAMES)
    texts = data.draw(st.lists(written(names), min_size=1, max_size=5))
    check([text for text in texts if text.isprintable() or "\n" in text] or ["1"], names)


def test_blocks_are_the_same_with_it_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the clients' own order, with a few that are otherwise and a few that are bad."""
    good = ['{"island": "Dream", "bill": %d.5, "depth": null}' % at for at in range(50)]  # noqa: UP031
    odd = ['{"depth": 1, "bill": 2}', "[1, 2, 3]", '{"island": "a,\\"b", "bill": 1, "depth": 2}']
    bad = ["{", '{"new": 1}', '{"island": 1, "bill": [', "[1, 2]"]
    for number, texts in enumerate(([*good, *odd, *bad], [*odd, *good], ["1,2,x", *good, *bad])):
        lines = [
            captures.line(one, '{"score": 0.5}', encoding="CSV" if one[0] == "1" else "JSON",
                          output_encoding="JSON") for one in texts
        ]  # fmt: skip
        captures.write(tmp_path / str(number), lines)

    def found(number: int) -> Any:
        unread = Unread()
        blocks = reading.read(
            reading.sources(tmp_path / str(number)), FIELDS, ("score",), unread,
            input_numbers=("bill",), output_numbers=("score",),
        )  # fmt: skip
        return [(one.inputs, one.outputs) for one in blocks], unread

    fast = [found(number) for number in range(3)]
    monkeypatch.setattr(payloads, "flattened", lambda *_: None)
    assert fast == [found(number) for number in range(3)]
    assert [unread.count for _, unread in fast] == [4, 0, 4]
