"""The CSV of a payload, read by pandas: what a serving container is likely to read it with."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mims.payload.formats import Records, formats

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ["number", 'a "name", quoted', " text\n"]

texts = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=12)
nasty = st.text(st.sampled_from("\",\r\n \t;\\'a\ufeff\u2028\x85\x1c"), max_size=6)
numbers = st.one_of(
    st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False, width=32)
)
rows = st.lists(st.tuples(numbers, st.one_of(texts, nasty), nasty), min_size=1, max_size=5)


def read(sent: Sequence[tuple[Any, ...]], *, header: bool, engine: Any) -> list[list[str]]:
    """Write rows and read every cell as text."""
    body = "".join(formats(header)["text/csv"].write(Records(NAMES, sent)))
    frame = pd.read_csv(
        io.BytesIO(body.encode()),
        header=0 if header else None,
        dtype=str,
        keep_default_na=False,
        engine=engine,
    )
    if header:
        assert list(frame.columns) == NAMES
    return [list(row) for row in frame.itertuples(index=False)]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("engine", ["c", "python"])
@given(sent=rows)
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_pandas_reads_what_was_written(
    sent: list[tuple[Any, ...]], header: bool, engine: str
) -> None:
    found = read(sent, header=header, engine=engine)

    assert [row[1:] for row in found] == [[*row[1:]] for row in sent]
    assert all(math.isclose(float(f[0]), s[0], rel_tol=0) for f, s in zip(found, sent, strict=True))
