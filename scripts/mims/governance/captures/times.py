"""When records were captured, and clocks that go wrong.

Goes in: inferenceTime as endpoints write it, `2026-03-02T14:30:00Z`. Comes out: times in UTC, null
where they can't be read, and notes on what is odd with them; a record is read whatever its time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from mims.governance.captures.unread import Unread

TYPE = pa.timestamp("us", tz="UTC")
_SKEW = 300  # seconds: clocks of machines differ by less
_AGES = 10**12  # seconds: more than between any two times
_LATE = 3600  # seconds: an endpoint writes a file's records as they come, from several workers


def parsed(texts: pa.StringArray) -> pa.TimestampArray:
    """Read times; what is none is null."""
    try:
        return pc.cast(texts, TYPE)
    except pa.ArrowInvalid:
        return pa.array([_time(text) for text in texts.to_pylist()], TYPE)


def _time(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    try:
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except OverflowError:  # of the year 1 or 9999, in another zone
        return None


def noted(
    times: pa.TimestampArray,
    files: NDArray[np.int64],
    now: float,
    place: Callable[[int], str],
    unread: Unread,
) -> None:
    """Note when records are from, and what is odd with it. `files` tells which are of one file."""
    known = np.flatnonzero(times.is_valid().to_numpy(zero_copy_only=False))
    if times.null_count:
        first = int(np.setdiff1d(np.arange(len(times)), known)[0])
        unread.note("has no inferenceTime that can be read", place(first), times.null_count)
    if not len(known):
        return
    span = pc.min_max(times).as_py()
    unread.span(span["min"], span["max"])
    seconds = pc.cast(times.drop_null(), pa.int64()).to_numpy() // 1_000_000
    latest = np.maximum.accumulate(seconds + files[known] * _AGES) - files[known] * _AGES
    odd = {
        "has an inferenceTime in the future": seconds > now + _SKEW,
        "has an inferenceTime more than an hour before that of a line above": (
            seconds < latest - _LATE
        ),
    }
    for what, mask in odd.items():
        count = int(mask.sum())
        if count:
            unread.note(what, place(int(known[int(np.argmax(mask))])), count)
