"""A/Bs whose truth is known, many of each: what is promised of them is what happens.

Seeded, so that they come out the same each time. A rate that is promised to be at most alpha is
held to the number that chance goes beyond once in a thousand times if it is alpha exactly; so a
test that keeps its promise passes, and one that errs by half as often again fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

from mims.governance.ab.guardrails import failing_more
from mims.governance.ab.sequential import course, mismatch, paired, records_needed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ALPHA = 0.05


def most(runs: int, alpha: float = ALPHA) -> int:
    """How many of the runs may err, if each does with probability alpha."""
    return int(stats.binom.ppf(0.999, runs, alpha))


def rate(likely: float) -> Callable[[np.random.Generator, int], NDArray[np.float64]]:
    """Successes and failures."""

    def scores(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        return rng.binomial(1, likely, count).astype(np.float64)

    return scores


def lognormal(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Waiting times, prices: most are small, some are huge."""
    return rng.lognormal(0, 1.5, count)


def day_and_night(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Successes that come and go, and a week that grows worse."""
    hours = np.arange(count) / count * 24 * 7
    likely = 0.75 + 0.2 * np.sin(hours * np.pi / 12) - 0.04 * hours / hours[-1]
    scores: NDArray[np.float64] = rng.binomial(1, likely).astype(np.float64)
    return scores


def batches(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Labels that come by the hundred: the failures of each first, then its successes."""
    scores = (rng.random(count) < 0.9).astype(float)
    ordered: NDArray[np.float64] = np.sort(scores.reshape(-1, 100), axis=1).reshape(-1)
    return ordered


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize(
    ("scores", "smallest"),
    [
        pytest.param(rate(0.5), 0.05, id="rate 0.5"),
        pytest.param(rate(0.9), 0.03, id="rate 0.9"),
        pytest.param(rate(0.99), 0.01, id="rate 0.99"),
        pytest.param(rate(0.999), 0.003, id="rate 0.999"),
        pytest.param(lognormal, 0.3, id="lognormal"),
        pytest.param(day_and_night, 0.04, id="day and night"),
        pytest.param(batches, 0.03, id="batches"),
    ],
)
def test_no_difference_is_found_where_there_is_none(
    scores: Callable[[np.random.Generator, int], NDArray[np.float64]], smallest: float, share: float
) -> None:
    """A/A, looked at after every record: p keeps alpha, the interval holds the truth."""
    rng, runs, found, outside = np.random.default_rng(11), 1000, 0, 0
    for _ in range(runs):
        y, arm = scores(rng, 6000), rng.random(6000) < share
        seen = course(y, arm, share=share, smallest=smallest, alpha=ALPHA, points=300)
        found += bool(seen.p[-1] <= ALPHA)
        late = seen.records * min(share, 1 - share) >= 50
        outside += bool(((seen.low > 0) | (seen.high < 0))[late].any())
    assert found <= most(runs)
    assert outside <= most(runs)


def test_few_runs_of_no_difference() -> None:
    """The same in little, for every day."""
    rng, runs = np.random.default_rng(12), 200
    found = 0
    for _ in range(runs):
        y, arm = rate(0.9)(rng, 3000), rng.random(3000) < 0.5
        found += bool(course(y, arm, share=0.5, smallest=0.03, alpha=ALPHA).p[-1] <= ALPHA)
    assert found <= most(runs)


def test_what_everybody_does_finds_differences_where_there_are_none() -> None:
    """Why all this: a z-test made for one look, taken at each of a hundred."""
    rng, runs = np.random.default_rng(13), 400
    looks = np.arange(1, 101) * 50
    wrong, ours = 0, 0
    for _ in range(runs):
        y, arm = rate(0.9)(rng, 5000), rng.random(5000) < 0.5
        n1, n0 = np.cumsum(arm)[looks - 1], np.cumsum(~arm)[looks - 1]
        k1, k0 = np.cumsum(y * arm)[looks - 1], np.cumsum(y * ~arm)[looks - 1]
        pooled = (k0 + k1) / looks
        error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / n0 + 1 / n1))
        wrong += bool((np.abs(k1 / n1 - k0 / n0) / error > stats.norm.isf(ALPHA / 2)).any())
        ours += bool(course(y, arm, share=0.5, smallest=0.03, alpha=ALPHA).p[-1] <= ALPHA)
    assert wrong > 3 * most(runs)
    assert ours <= most(runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("champion", "challenger", "share"),
    [
        (0.90, 0.92, 0.5),
        (0.92, 0.90, 0.5),
        (0.50, 0.55, 0.1),
        (0.55, 0.50, 0.1),
        (0.70, 0.74, 0.2),
        (0.98, 0.99, 0.5),
        (0.99, 0.98, 0.5),
        (0.90, 0.87, 0.1),
        (0.90, 0.95, 0.3),
    ],
)
def test_a_difference_is_found_as_often_as_was_planned(
    champion: float, challenger: float, share: float
) -> None:
    rng, runs, found = np.random.default_rng(14), 600, 0
    mean = (1 - share) * champion + share * challenger
    spread = mean * (1 - mean)
    delta = challenger - champion
    count = records_needed(delta, variance=spread, share=share, chance=0.8, alpha=ALPHA)
    for _ in range(runs):
        arm = rng.random(count) < share
        y = (rng.random(count) < np.where(arm, challenger, champion)).astype(float)
        seen = course(y, arm, share=share, smallest=abs(delta), alpha=ALPHA)
        found += bool(seen.p[-1] <= ALPHA)
        if seen.p[-1] <= ALPHA / 100:
            assert np.sign(seen.difference[-1]) == np.sign(delta)
    assert 0.75 <= found / runs <= 0.88


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scores", "share"),
    [(rate(0.999), 0.5), (rate(0.999), 0.1), (rate(0.99), 0.1), (lognormal, 0.1)],
    ids=["0.999, half", "0.999, a tenth", "0.99, a tenth", "lognormal, a tenth"],
)
def test_the_interval_holds_a_difference_that_is_there(
    scores: Callable[[np.random.Generator, int], NDArray[np.float64]], share: float
) -> None:
    """At any look after the 50th record of the smaller variant, rare failures included."""
    rng, runs, missed, shift = np.random.default_rng(15), 600, 0, 0.25
    for _ in range(runs):
        arm = rng.random(10_000) < share
        y = scores(rng, 10_000) + shift * arm
        seen = course(y, arm, share=share, smallest=0.01, alpha=ALPHA, points=300)
        late = seen.records * min(share, 1 - share) >= 50
        missed += bool(((seen.low > shift) | (seen.high < shift))[late].any())
    assert missed <= most(runs)


def pairs(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Two models that are wrong of the same requests, mostly, and a fifth of them apart."""
    return rng.choice([-1.0, 0.0, 1.0], count, p=[0.02, 0.96, 0.02])


def heavy_pairs(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Errors of two regressions, alike in law, on easy requests and on hard ones."""
    hard = rng.lognormal(0, 1, count)
    return hard * (rng.standard_t(3, count) - rng.standard_t(3, count))


@pytest.mark.slow
@pytest.mark.parametrize(("scores", "smallest"), [(pairs, 0.01), (heavy_pairs, 0.5)])
def test_a_shadow_that_is_no_better_is_not_found_to_be(
    scores: Callable[[np.random.Generator, int], NDArray[np.float64]], smallest: float
) -> None:
    rng, runs = np.random.default_rng(16), 1000
    found = sum(
        bool(paired(scores(rng, 5000), smallest=smallest, alpha=ALPHA).p[-1] <= ALPHA)
        for _ in range(runs)
    )
    assert found <= most(runs)


@pytest.mark.slow
@pytest.mark.parametrize(("better", "worse"), [(0.06, 0.04), (0.04, 0.06), (0.3, 0.25)])
def test_a_better_shadow_is_found_as_often_as_was_planned(better: float, worse: float) -> None:
    rng, runs, found, delta = np.random.default_rng(17), 600, 0, better - worse
    spread = (better + worse - delta**2) / 4
    count = records_needed(delta, variance=spread, share=0.5, chance=0.8, alpha=ALPHA)
    for _ in range(runs):
        y = rng.choice([1.0, -1.0, 0.0], count, p=[better, worse, 1 - better - worse])
        found += bool(paired(y, smallest=abs(delta), alpha=ALPHA).p[-1] <= ALPHA)
    assert 0.75 <= found / runs <= 0.88


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_an_even_loss_is_none_and_an_uneven_one_is_found(share: float) -> None:
    """A/A looked at every 200 records; and 3 % of one variant's records that get lost."""
    rng, runs, alarms, found = np.random.default_rng(18), 1000, 0, 0
    shares, size = (1 - share, share), 200
    looks = np.arange(1, round(250 / (share * (1 - share))) + 1) * size
    for _ in range(runs):
        new = rng.binomial(size, share, len(looks))
        got = np.cumsum(new)
        # Of all looks p is smallest at one of those at which the share is farthest off.
        worst = np.argsort(np.abs(got - share * looks) / np.sqrt(looks))[-5:]
        alarms += any(
            mismatch((int(looks[at] - got[at]), int(got[at])), shares) <= ALPHA for at in worst
        )
        kept = int(rng.binomial(got[-1], 0.97))
        found += mismatch((int(looks[-1] - got[-1]), kept), shares) < 0.001
    assert alarms <= most(runs)
    assert found / runs > 0.8


@pytest.mark.slow
def test_a_challenger_that_fails_no_more_often_breaks_no_guardrail() -> None:
    """Rates that change by the minute, requests that come unevenly: at most 1 % are accused."""
    rng, runs, alpha, found = np.random.default_rng(19), 1500, 0.01, 0
    for _ in range(runs):
        minutes = 60
        likely = rng.beta(0.5, 20, minutes)[:, None]
        requests = np.column_stack((rng.poisson(90, minutes), rng.poisson(10, minutes)))
        failed = rng.binomial(requests, likely)
        found += failing_more(requests, failed, 0.02) <= alpha
    assert found <= most(runs, alpha)


@pytest.mark.slow
def test_a_shadow_that_fails_no_more_often_breaks_no_guardrail() -> None:
    """It gets every request too, and both fail of some; at 5 %, to see more of it."""
    rng, runs, found = np.random.default_rng(21), 400, 0
    for _ in range(runs):
        requests = rng.poisson(50, 60)
        both = rng.binomial(requests, 0.02)
        own = rng.binomial((requests - both)[:, None], 0.02, (60, 2))
        found += failing_more(np.column_stack((requests,) * 2), both[:, None] + own, 0.02) <= ALPHA
    assert found <= most(runs)


def test_a_challenger_that_fails_more_often_is_found_in_time() -> None:
    """Of 100 requests a minute a tenth goes to it; it fails 10 % more: within half an hour."""
    rng, runs, found = np.random.default_rng(20), 200, 0
    for _ in range(runs):
        requests = np.column_stack((rng.poisson(90, 30), rng.poisson(10, 30)))
        failed = rng.binomial(requests, [0.01, 0.11])
        found += failing_more(requests, failed, 0.02) <= 0.01
    assert found / runs > 0.95
