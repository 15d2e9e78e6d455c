"""Columns of tables, as numbers and as categories: what is a number, what is missing, what neither.

Goes in: a column of Arrow's, of any type. Comes out: float64 numbers, or how often each label is
there; the same whether a value came as a number or as its text, in CSV, JSON or Parquet. What is
missing and what is invalid is told in profile.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

LONGEST = 200  # characters of a category: what is longer is no category
EXAMPLES = 5
_CUT = 60  # characters of an example
_ABSENT = r"^[ \t\r\n]*([+-]?nan(\([a-z0-9_]*\))?|#?n/?a|<na>|null|none)?[ \t\r\n]*$"
_IS_ABSENT = re.compile(_ABSENT, re.IGNORECASE | re.ASCII)
_NUMBER = r"^[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity)$"
_BOOLEANS = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false"}


class Numbers(NamedTuple):
    """A column as numbers."""

    values: NDArray[np.float64]
    """NaN where it is missing or no number; infinite ones as they are"""
    invalid: int
    """texts and the like that are no number"""
    examples: list[str]


class Labels(NamedTuple):
    """A column as categories."""

    counts: dict[str, int]
    missing: int
    invalid: int
    """values that are no label: nested, binary"""


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts, be it as a dictionary."""
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_plain(kind: pa.DataType) -> bool:
    """Whether a column's values are scalars that have a text: not nested, not bytes."""
    if types.is_dictionary(kind):
        kind = kind.value_type
    return not (types.is_nested(kind) or "binary" in str(kind))


def is_numeric(kind: pa.DataType) -> bool:
    """Whether a column holds numbers as such."""
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def numbers(column: pa.ChunkedArray) -> Numbers:
    """Read a column as numbers; true and false are none, in JSON as in CSV."""
    kind = column.type
    if is_numeric(kind) or types.is_null(kind):
        return Numbers(_floats(column), 0, [])
    if not is_text(kind) and not types.is_boolean(kind):
        invalid = len(column) - column.null_count
        examples = ["…"] if invalid else []
        return Numbers(np.full(len(column), np.nan), invalid, examples)
    return _parsed(_as_text(column))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """NaN where it is null."""
    cast = column if types.is_float64(column.type) else column.cast(pa.float64(), safe=False)
    return np.asarray(cast.to_numpy(), dtype=np.float64)


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if types.is_dictionary(column.type) or not types.is_large_string(column.type):
        return column.cast(pa.large_string())  # a chunk of texts may be larger than 2 GiB
    return column


def _parsed(texts: pa.ChunkedArray) -> Numbers:
    """Read texts as numbers: all at once where they are, with care where they are not."""
    empty = pc.equal(texts, "")
    if pc.any(empty).as_py():
        texts = pc.if_else(empty, None, texts)
    try:
        return Numbers(_floats(texts.cast(pa.float64())), 0, [])
    except pa.ArrowInvalid:
        pass
    absent = pc.match_substring_regex(texts, _ABSENT, ignore_case=True)
    texts = pc.utf8_trim_whitespace(pc.if_else(absent, None, texts))
    sound = pc.match_substring_regex(texts, _NUMBER, ignore_case=True)
    found = pc.if_else(sound, texts, None)
    wrong = texts.filter(pc.invert(sound))
    return Numbers(
        _floats(found.cast(pa.float64())),
        len(wrong),
        first_of(pc.unique(wrong).to_pylist() if len(wrong) else ()),
    )


def labels(column: pa.ChunkedArray) -> Labels:
    """Count how often each label is there, exactly as it is written."""
    kind = column.type
    if not is_plain(kind):
        return Labels({}, column.null_count, len(column) - column.null_count)
    if types.is_null(kind):
        return Labels({}, len(column), 0)
    if types.is_floating(kind):
        column = _fraction_texts(column)
    elif not is_text(kind) or types.is_dictionary(kind):
        column = column.cast(pa.large_string())
    found: dict[str, int] = {}
    missing = 0
    for entry in pc.value_counts(column).to_pylist():
        label, count = entry["values"], entry["counts"]
        if label is None or _IS_ABSENT.match(label):
            missing += count
        else:
            label = _BOOLEANS.get(label, label)
            found[label] = found.get(label, 0) + count
    return Labels(found, missing, 0)


def _fraction_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write fractions as JSON does, and whole ones without a point, as of an integer; NaN is null.

    So a label is the same whether a block of the data had it among fractions or not.
    """
    values = _floats(column)
    distinct, places = np.unique(values, return_inverse=True)
    texts = [None if np.isnan(one) else number_text(one) for one in distinct.tolist()]
    return pa.chunked_array([pa.array(texts, pa.large_string()).take(pa.array(places))])


def number_text(value: float) -> str:
    """A number as a label."""
    whole = abs(value) < 2**53 and value == int(value)
    return str(int(value)) if whole else repr(value)


def missing(column: pa.ChunkedArray) -> int:
    """How many records have no value."""
    if types.is_floating(column.type):
        return int(np.isnan(_floats(column)).sum())
    if not is_text(column.type):
        return int(column.null_count)
    absent = pc.match_substring_regex(_as_text(column), _ABSENT, ignore_case=True)
    return int(column.null_count + (pc.sum(absent).as_py() or 0))


def first_of(values: Iterable[Any]) -> list[str]:
    """A few values, the first in order, whatever order they came in; cut short."""
    return sorted({str(value)[:_CUT] for value in values})[:EXAMPLES]
