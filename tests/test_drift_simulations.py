"""A drift check's promises, by simulation with known truth: what is stated is what happens.

Each seed is fixed. A rate is held against its promise by the binomial distribution: as many false
alarms, or as few catches, would come by chance once in a thousand times if the promise just held.
Every day a few hundred checks; the long ones are marked slow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from drift_fields import profiles
from mims.governance.drift.check import DRIFT, NONE, Limits, compare, judged
from mims.governance.profiles.profile import CATEGORY, NUMBER, Field, Profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.random import Generator
    from numpy.typing import NDArray

    Draw = Callable[[Generator, int], NDArray[np.float64] | NDArray[np.object_]]

NOTHING = Limits(psi=0.0, share=0.0)  # every significant trifle counts
SOME = [pytest.param(100, id="daily"), pytest.param(2000, id="long", marks=pytest.mark.slow)]


def categorical(shares: NDArray[np.float64]) -> Draw:
    names = np.array([f"c{i}" for i in range(len(shares))], dtype=object)
    return lambda draw, n: names[draw.choice(len(shares), n, p=shares / shares.sum())]


def with_missing(share: float, of: Draw) -> Draw:
    def drawn(draw: Generator, n: int) -> NDArray[np.float64] | NDArray[np.object_]:
        values = of(draw, n)
        values[draw.random(n) < share] = np.nan if values.dtype.kind == "f" else None
        return values

    return drawn


def _normal(draw: Generator, n: int) -> NDArray[np.float64]:
    return draw.normal(size=n)


def _infinite_at_times(draw: Generator, n: int) -> NDArray[np.float64]:
    values = draw.standard_cauchy(n)
    values[np.abs(values) > 50] = np.inf
    return values


FEW = np.array([0.5, 0.2, 0.15, 0.1, 0.05])
FIELDS: dict[str, Draw] = {
    "normal": _normal,
    "normal, wide": lambda draw, n: draw.normal(1e6, 1e5, n),
    "lognormal": lambda draw, n: draw.lognormal(0, 2, n),
    "exponential": lambda draw, n: draw.exponential(3, n),
    "uniform": lambda draw, n: draw.random(n),
    "student": lambda draw, n: draw.standard_t(2, n),
    "infinite at times": _infinite_at_times,
    "count": lambda draw, n: draw.poisson(3, n).astype(float),
    "rare count": lambda draw, n: draw.poisson(0.02, n).astype(float),
    "flag": lambda draw, n: (draw.random(n) < 0.3).astype(float),
    "mostly zero": lambda draw, n: draw.lognormal(size=n) * (draw.random(n) < 0.2),
    "constant": lambda _, n: np.full(n, 7.0),
    "normal, missing": with_missing(0.02, _normal),
    "count, often missing": with_missing(0.4, lambda d, n: d.poisson(9, n).astype(float)),
    "colour": categorical(FEW),
    "colour, missing": with_missing(0.05, categorical(FEW)),
    "yes": categorical(np.array([0.995, 0.005])),
    "one": categorical(np.ones(1)),
    "town": categorical(1 / np.arange(1, 201.0)),  # most of them rare, and some yet unseen
    "shop": categorical(np.ones(600)),
}


def drawn(draw: Generator, records: int) -> dict[str, Any]:
    return {name: field(draw, records) for name, field in FIELDS.items()}


def test_there_are_twenty_fields() -> None:
    assert len(FIELDS) == 20


@pytest.mark.parametrize("checks", SOME)
@pytest.mark.parametrize(
    ("before", "now", "alpha"),
    [
        (4000, 2000, 0.05),
        (500, 500, 0.05),
        (500, 5000, 0.05),  # a small baseline, whose rare categories are seldom all there
        (4000, 250, 0.01),
    ],
)
def test_without_drift_alarms_are_as_rare_as_alpha(
    before: int, now: int, alpha: float, checks: int
) -> None:
    draw = np.random.default_rng([before, now])
    trifles = alarms = 0
    for _ in range(checks):
        pair = profiles(drawn(draw, before), drawn(draw, now))
        report = compare(*pair, Limits(alpha=alpha, psi=0, share=0))
        trifles += report.verdict == DRIFT
        alarms += compare(*pair, Limits(alpha=alpha)).verdict == DRIFT
    allowed = stats.binom.ppf(0.999, checks, alpha)
    print(f"{trifles} of {checks} checks with any significant field, {alarms} alarms")  # noqa: T201
    assert trifles <= allowed
    assert alarms <= trifles


SHIFTS: dict[str, tuple[Draw, Draw, str]] = {
    "a mean by 0.6 standard deviations": (
        _normal,
        lambda draw, n: draw.normal(0.6, 1, n),
        "distribution",
    ),
    "a standard deviation by 1.7": (_normal, lambda d, n: d.normal(0, 1.7, n), "distribution"),
    "a median of amounts doubled": (
        lambda draw, n: draw.lognormal(0, 1, n),
        lambda draw, n: draw.lognormal(np.log(2), 1, n),
        "distribution",
    ),
    "a flag from 20 % to 45 %": (
        lambda draw, n: (draw.random(n) < 0.2).astype(float),
        lambda draw, n: (draw.random(n) < 0.45).astype(float),
        "distribution",
    ),
    "a category from 3 % to 18 %": (
        categorical(np.array([0.5, 0.47, 0.03])),
        categorical(np.array([0.42, 0.40, 0.18])),
        "distribution",
    ),
    "missing from 2 % to 10 %": (
        with_missing(0.02, _normal),
        with_missing(0.10, _normal),
        "missing",
    ),
    "a new category of 8 %": (
        categorical(FEW),
        categorical(np.append(FEW * 0.92, 0.08)),
        "new categories",
    ),
    "infinite from 0 % to 8 %": (
        _normal,
        lambda draw, n: np.where(draw.random(n) < 0.08, np.inf, draw.normal(size=n)),
        "invalid",
    ),
}


@pytest.mark.parametrize("checks", SOME)
@pytest.mark.parametrize("shift", SHIFTS)
def test_what_moved_is_caught(shift: str, checks: int) -> None:
    """In 2,000 records, with the default limits, among twenty fields that did not move."""
    before, now, test = SHIFTS[shift]
    draw = np.random.default_rng([*SHIFTS].index(shift))
    quiet, still = profiles(drawn(draw, 10_000), drawn(draw, 2000))
    caught = 0
    for _ in range(checks):
        was, moved = profiles({"moved": before(draw, 10_000)}, {"moved": now(draw, 2000)})
        report = compare(
            Profile(10_000, {**quiet.inputs, **was.inputs}),
            Profile(2000, {**still.inputs, **moved.inputs}),
        )
        drifted = {(f.name, f.test) for f in report.findings if f.drifted}
        assert drifted <= {("moved", one) for one in (test, "distribution")}
        caught += ("moved", test) in drifted
    print(f"{shift}: caught in {caught} of {checks}")  # noqa: T201
    assert caught >= stats.binom.ppf(0.001, checks, 0.99)


def test_ten_million_records_make_no_alarm_of_a_trifle() -> None:
    draw = np.random.default_rng(10)
    edges = tuple(np.linspace(-4, 4, 200).tolist())
    names = [f"c{i}" for i in range(20)]
    shares = np.linspace(1, 2, 20) / np.linspace(1, 2, 20).sum()
    pair: list[Profile] = []
    for records, shift in ((100_000, 0.0), (10_000_000, 0.02)):
        cuts = np.concatenate([[0], stats.norm.cdf(edges, shift), [1]])
        counts = draw.multinomial(records, np.diff(cuts))
        missing = round(records * (0.02 + shift / 2))
        moved = shares + shift * 0.1 * np.where(np.arange(20) % 2, 1, -1)
        by_name = dict(zip(names, draw.multinomial(records - missing, moved).tolist(), strict=True))
        fields = {
            "number": Field(
                "number", NUMBER, records, 0, edges=edges, counts=tuple(counts.tolist())
            ),
            "category": Field("category", CATEGORY, records, missing, categories=by_name),
        }
        pair.append(Profile(records, fields))
    report = compare(pair[0], pair[1])
    significant = {(f.name, f.test) for f in report.findings if f.p is not None and f.p <= 0.01}
    assert significant == {
        ("number", "distribution"),
        ("category", "distribution"),
        ("category", "missing"),
    }
    assert report.verdict == NONE
    assert compare(pair[0], pair[1], NOTHING).verdict == DRIFT


@pytest.mark.parametrize("records", [200, 300])
def test_few_records_make_no_alarm_of_chance(records: int) -> None:
    """A stability index of so few is beyond its limit by chance alone, now and then."""
    draw = np.random.default_rng(records)
    beyond = alarms = 0
    for _ in range(200):
        report = compare(*profiles(drawn(draw, 200), drawn(draw, records)))
        beyond += any(f.effect >= f.limit for f in report.findings)
        alarms += report.verdict == DRIFT
    assert beyond > 20
    assert alarms <= stats.binom.ppf(0.999, 200, 0.01)


def test_holm_holds_where_fields_are_the_same_thing_twenty_times() -> None:
    assert judged([], 0.01) == ()
    draw = np.random.default_rng(4)
    found = 0
    for _ in range(300):
        before, now = draw.normal(size=1000), draw.normal(size=1000)
        every = [f"f{i}" for i in range(20)]
        pair = profiles(dict.fromkeys(every, before), dict.fromkeys(every, now))
        found += compare(*pair, Limits(alpha=0.05, psi=0, share=0)).verdict == DRIFT
    assert found <= stats.binom.ppf(0.999, 300, 0.05)
