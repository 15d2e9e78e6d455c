"""JSON payloads that are alike and flat, made plain CSV all at once: a few times as fast.

Goes in: a block's payloads, and the fields. Comes out: which of them are one flat row each, as most
of an endpoint are, and these as rows of CSV, just as `lines` would write them:

    [1, 2.5, "a"]    {"f": 1, "g": 2.5, "h": "a"}    {"instances": [[1, 2.5, "a"]]}    0.93

Of 20 fields that takes 2 to 5 µs a payload, where one by one takes 18 to 25. One payload shows how
they are nested and in what order its fields are; a regular expression, which pyarrow runs over all,
tells which are the same. Any doubt, such as a quote or a comma in a text, leaves a payload out, and
`lines` looks at it. Reads nothing.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mims.governance.captures.lines import WRAPPERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_DEEPEST = 6  # brackets and braces around a row
_SAMPLES = 3  # payloads that may show the shape
_NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_TEXT = r'"[^"\\,\x00-\x1f]{%d,}"'
_SPACE = "[ \t\r\n]*"
_KEY = r'"[^"]*" ?: ?'
_AROUND = "[]{} \t\r\n"


class Flat(NamedTuple):
    """Payloads as rows of CSV."""

    fits: NDArray[np.bool_]
    """which of all they are"""
    texts: pa.StringArray
    """a row each"""
    order: tuple[str, ...]
    """of the fields in a row"""


class _Shape(NamedTuple):
    """How a payload is nested: what is opened before its row, and closed after it."""

    opened: tuple[str, ...]
    closed: tuple[str, ...]
    order: tuple[str, ...] | None
    """of an object's fields; None of a list, or of a value alone"""


def flattened(payloads: pa.StringArray, names: Sequence[str]) -> Flat | None:
    """Find payloads of JSON that are one flat row; None where a look at a few shows none.

    There are payloads, none of them null.
    """
    at = np.unique(np.linspace(0, len(payloads) - 1, _SAMPLES).astype(int))
    shapes = (_shape(payloads[int(one)].as_py(), names) for one in at)
    shape = next((one for one in shapes if one), None)
    if shape is None:
        return None
    try:
        fits = pc.match_substring_regex(payloads, _pattern(shape, len(names)))
    except pa.ArrowInvalid:  # of ten thousand fields it is too large
        return None
    if shape.order is None:
        fits = pc.and_(fits, pc.equal(pc.count_substring(payloads, ","), len(names) - 1))
    texts = _csv(payloads.filter(fits), has_keys="{" in shape.opened)
    return Flat(np.asarray(fits.to_numpy(zero_copy_only=False)), texts, shape.order or (*names,))


def _shape(text: str, names: Sequence[str]) -> _Shape | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    known = {*names}
    opened: list[str] = []
    closed: list[str] = []
    while len(opened) <= 2 * _DEEPEST:
        if isinstance(found, dict) and found.keys() & known:
            is_row = found.keys() == known and all(map(_is_plain, names))
            order = tuple(found)
            return _Shape((*opened, "{"), ("}", *closed), order) if is_row else None
        inside = _inside(found)
        if inside is None:
            break
        opener, found, closer = inside
        opened += opener
        closed.insert(0, closer)
    if isinstance(found, dict):
        return None
    if isinstance(found, list):
        return _Shape((*opened, "["), ("]", *closed), None)
    return _Shape(tuple(opened), tuple(closed), None) if len(names) == 1 else None


def _inside(found: Any) -> tuple[list[str], Any, str] | None:
    """Look below what servers put around a row, as `lines` does."""
    if isinstance(found, dict) and len(found) == 1:
        ((key, value),) = found.items()
        return (["{", f'"{key}" ?: ?'], value, "}") if key in WRAPPERS else None
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict | list):
        return (["["], found[0], "]")
    return None


def _is_plain(name: str) -> bool:
    """Whether JSON may write a name as it is, and `_KEY` can't take what is before it for a key.

    Of `"a",":b":1` it would take `",":`, as that of `:b` begins with a colon.
    """
    colon = name.lstrip(" ").startswith(":")
    return not colon and json.dumps(name, ensure_ascii=False) == f'"{name}"'


def _pattern(shape: _Shape, width: int) -> str:
    """What payloads of this shape are; of lists, of any length."""
    text = _TEXT % (width == 1)  # one empty value would be an empty line
    value = f"(?:{_NUMBER}|{text}|true|false{'' if width == 1 else '|null'})"
    if shape.order is not None:
        keyed = (f"{re.escape(json.dumps(n, ensure_ascii=False))} ?: ?{value}" for n in shape.order)
        row = ", ?".join(keyed)
    else:
        row = f"{value}(?:, ?{value})*"
    opened = "".join(_token(one) for one in shape.opened)
    closed = "".join(_token(one) for one in shape.closed)
    return rf"\A{_SPACE}{opened}{row}{_SPACE}{closed}\z"


def _token(one: str) -> str:
    return one if len(one) > 1 else rf"\{one}{_SPACE}"


def _csv(payloads: pa.StringArray, *, has_keys: bool) -> pa.StringArray:
    """Leave a row's values and the commas: these are in no text, nor are quotes."""
    if has_keys:
        payloads = pc.replace_substring_regex(payloads, _KEY, "")
    rows = pc.replace_substring(pc.ascii_trim(payloads, _AROUND), ", ", ",")
    rows = pc.replace_substring_regex(rows, r"(^|,)null", r"\1")
    return pc.replace_substring(rows, '"', "")
