"""Profiles for tests, made of values in memory; a field's is what counting files would make.

Goes in: values now and before. Comes out: profiles on the same grid. Missing are NaN and None.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from mims.governance.profiles.profile import CATEGORY, NUMBER, Field, Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


def profiles(
    before: Mapping[str, Any], now: Mapping[str, Any], edges: int = 100
) -> tuple[Profile, Profile]:
    """A baseline of inputs, and what was seen later, counted on its grid."""
    made: tuple[dict[str, Field], dict[str, Field]] = ({}, {})
    for name, values in before.items():
        pair = _numbers if _is_numeric(values) else _categories
        for side, one in zip(made, pair(name, values, now[name], edges), strict=True):
            side[name] = one
    first, second = ({*map(len, side.values())} for side in (before, now))
    return Profile(max(first), made[0]), Profile(max(second), made[1])


def _is_numeric(values: Any) -> bool:
    return isinstance(values, np.ndarray) and values.dtype.kind == "f"


def _numbers(name: str, before: Any, now: Any, edges: int) -> tuple[Field, Field]:
    known = np.sort(before[np.isfinite(before)])
    grid = np.empty(0)
    if len(known):
        cuts = np.unique(known[:: max(1, len(known) // edges)])
        grid = np.concatenate([[math.nextafter(known[0], -math.inf)], cuts])
    first, second = (_number_field(name, values, grid) for values in (before, now))
    return first, second


def _number_field(name: str, values: NDArray[np.float64], grid: NDArray[np.float64]) -> Field:
    finite = values[np.isfinite(values)]
    infinite = int(np.isinf(values).sum())
    counts = np.bincount(np.searchsorted(grid, finite), minlength=len(grid) + 1)
    some = len(finite) > 0
    return Field(
        name=name,
        kind=NUMBER,
        records=len(values),
        missing=int(np.isnan(values).sum()),
        invalid=infinite,
        infinite=infinite,
        edges=tuple(grid.tolist()),
        counts=tuple(counts.tolist()),
        low=float(finite.min()) if some else None,
        high=float(finite.max()) if some else None,
        mean=float(finite.mean()) if some else None,
        deviation=float(finite.std()) if some else None,
    )


def _categories(name: str, before: Any, now: Any, edges: int) -> tuple[Field, Field]:
    del edges
    first, second = (Counter(one for one in values if one is not None) for values in (before, now))
    kept = {value: second[value] for value in first}
    others = sum(second.values()) - sum(kept.values())
    examples = tuple(sorted(value for value in second if value not in first)[:3])
    missing = [sum(one is None for one in values) for values in (before, now)]
    return (
        Field(name, CATEGORY, len(before), missing[0], categories=dict(first)),
        Field(
            name,
            CATEGORY,
            len(now),
            missing[1],
            categories=kept,
            others=others,
            examples=examples,
        ),
    )
