"""Categorical fields: each category becomes the share of positive labels seen with it.

A table is a plain dict, `{"bins": {category: risk}, "default_bin": risk}`. The default is the
share over all rows; it stands for a missing category and for one never seen in training.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any, TypedDict

from processing.errors import RequestError
from processing.imputation import is_missing

if TYPE_CHECKING:
    from collections.abc import Sequence


class RiskTable(TypedDict):
    """What `risk_table_map.pkl` holds for a field."""

    bins: dict[str, float]
    default_bin: float


def risk_table(values: Sequence[str], labels: Sequence[int], smoothing: float) -> RiskTable:
    """Learn a table. `smoothing` counts as that many rows of the overall share in each category."""
    overall = fmean(labels)
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for value, label in zip(values, labels, strict=True):
        if not is_missing(value):
            seen[value].append(label)
    bins = {
        category: (sum(found) + smoothing * overall) / (len(found) + smoothing)
        for category, found in sorted(seen.items())
    }
    return {"bins": bins, "default_bin": overall}


def risk(field: str, value: Any, table: RiskTable) -> float:
    """Look a category up.

    Raises:
        RequestError: it is neither text nor missing; the message names the field.

    """
    if is_missing(value):
        return table["default_bin"]
    if not isinstance(value, str):
        raise RequestError(f"{field} is {value!r}: must be text")
    return table["bins"].get(value, table["default_bin"])
