"""Numeric fields: read a value, and put the training mean where there is none."""

from __future__ import annotations

import math
from contextlib import suppress
from statistics import fmean
from typing import TYPE_CHECKING, Any

from processing.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

_MISSING = {"", "na", "n/a", "nan", "null", "none"}


def is_missing(value: object) -> bool:
    """Tell whether a raw value stands for none, as null, NA or an empty text do."""
    return value is None or (isinstance(value, str) and value.strip().lower() in _MISSING)


def number(field: str, value: Any) -> float:
    """Read a number, as JSON holds it or as text.

    Raises:
        RequestError: it is no finite number; the message names the field.

    """
    with suppress(TypeError, ValueError, OverflowError):
        read = math.nan if isinstance(value, bool) else float(value)
        if math.isfinite(read):
            return read
    raise RequestError(f"{field} is {value!r}: must be a finite number, or empty if unknown")


def mean(field: str, values: Iterable[Any]) -> float:
    """Give the mean of the values that are there: what stands in for a missing one."""
    return fmean(number(field, value) for value in values if not is_missing(value))


def imputed(field: str, value: Any, default: float) -> float:
    """Read a number, or give the default where there is none."""
    return default if is_missing(value) else number(field, value)
