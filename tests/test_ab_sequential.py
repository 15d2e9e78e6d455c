"""The numbers behind an A/B against other ways to them: plain Python, scipy, statsmodels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from palmerpenguins import load_penguins
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from mims.governance.ab import sequential
from mims.governance.ab.sequential import (
    course,
    least,
    mismatch,
    paired,
    power,
    records_needed,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

BETS = (-4.0, -2.0, -1.0, -0.5, -0.25, 0.25, 0.5, 1.0, 2.0, 4.0)


def plain(
    records: Iterable[tuple[float, bool]], share: float, smallest: float, *, pairs: bool = False
) -> float:
    """The p-value of the bets, record by record as the docstring's formula has them."""
    capitals, smallest_p = [1.0] * len(BETS), 1.0
    before: list[float] = []
    for score, challenger in records:
        count, mean = len(before), 0.0 if pairs else math.fsum(before) / (len(before) or 1)
        squares = math.fsum((y - mean) ** 2 for y in before) + (10 * smallest) ** 2
        for number, bet in enumerate(BETS):
            b = bet * smallest / (squares / (count + 1))
            tilt = 2 * b * abs(score) if pairs else b * (score - mean)
            tilt = max(-1.0, min(1.0, tilt)) if count >= 50 else 0.0
            q = 1 / (1 + math.exp(-(math.log(share / (1 - share)) + tilt)))
            capitals[number] *= q / share if challenger else (1 - q) / (1 - share)
        before.append(score)
        smallest_p = min(smallest_p, len(BETS) / math.fsum(capitals))
    return smallest_p


@settings(max_examples=40, deadline=None)
@given(
    scores=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=150),
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0.01, 0.99),
    smallest=st.floats(1e-3, 10),
    offset=st.sampled_from([0.0, 1e6]),
)
def test_the_capital_is_that_of_the_formula(
    scores: list[float], seed: int, share: float, smallest: float, offset: float
) -> None:
    arm = np.random.default_rng(seed).random(len(scores)) < share
    shifted = np.array(scores) + offset
    found = course(shifted, arm, share=share, smallest=smallest, alpha=0.05)
    expected = plain(zip(scores, arm.tolist(), strict=True), share, smallest)
    assert found.p[-1] == pytest.approx(expected, rel=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    differences=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=150),
    smallest=st.floats(1e-3, 10),
)
def test_the_capital_of_pairs_is_that_of_the_formula(
    differences: list[float], smallest: float
) -> None:
    found = paired(np.array(differences), smallest=smallest, alpha=0.05)
    records = ((y, y > 0) for y in differences)
    assert found.p[-1] == pytest.approx(plain(records, 0.5, smallest, pairs=True), rel=1e-9)


def test_a_bet_is_worth_what_it_costs_where_there_is_no_difference() -> None:
    """Over all ways in which the split could have fallen, for given scores: exactly 1."""
    rng = np.random.default_rng(5)
    scores, free, share = rng.lognormal(size=60), 8, 0.3
    head = rng.random(60 - free) < share
    worth = 0.0
    for way in range(2**free):
        tail = np.array([way >> bit & 1 for bit in range(free)], bool)
        arm = np.concatenate([head, tail])
        slopes = sequential._slopes(scores, 0.2)  # noqa: SLF001 - what nobody sees but in p
        capital = np.exp(sequential._log_capital(slopes, arm, share, 0.2))  # noqa: SLF001
        worth += share ** tail.sum() * (1 - share) ** (~tail).sum() * capital[-1]
        start = capital[len(head) - 1]
    assert worth == pytest.approx(start, rel=1e-9)


def penguins() -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.bool_]]:
    """Real data, in an order of chance: female?, body mass in grams, is it a Gentoo?"""
    found = load_penguins().dropna().sample(frac=1, random_state=7)
    gentoo = (found["species"] == "Gentoo").to_numpy()
    return (found["sex"] == "female").to_numpy(), found["body_mass_g"].to_numpy(float), gentoo


def test_the_interval_agrees_with_statsmodels_on_proportions() -> None:
    female, _, gentoo = penguins()
    found = course(female.astype(float), gentoo, share=0.35, smallest=0.1, alpha=0.05)
    low, high = confint_proportions_2indep(
        *(female[gentoo].sum(), gentoo.sum(), female[~gentoo].sum(), (~gentoo).sum()),
        method="wald",
        compare="diff",
    )
    assert found.records[-1] == len(female)
    assert found.difference[-1] == pytest.approx((low + high) / 2)
    _is_wider(found, low, high)


def test_the_interval_agrees_with_statsmodels_on_means() -> None:
    _, mass, gentoo = penguins()
    found = course(mass, gentoo, share=0.35, smallest=500.0, alpha=0.05)
    compared = CompareMeans(DescrStatsW(mass[gentoo]), DescrStatsW(mass[~gentoo]))
    low, high = compared.zconfint_diff(usevar="unequal")
    assert found.difference[-1] == pytest.approx(mass[gentoo].mean() - mass[~gentoo].mean())
    _is_wider(found, low, high)
    assert found.p[-1] < 1e-6  # Gentoo penguins are heavier


def _is_wider(found: Any, low: float, high: float) -> None:
    """By what it costs to look at any time, and no more."""
    assert found.low[-1] < low < high < found.high[-1]
    assert (found.high[-1] - found.low[-1]) / (high - low) < 2.5


def test_equal_scores_say_nothing() -> None:
    arm = np.arange(1000) % 2 == 0
    found = course(np.full(1000, 0.1), arm, share=0.5, smallest=0.01, alpha=0.05)
    assert found.p[-1] == 1
    assert found.difference[-1] == 0
    assert (found.low[-1], found.high[-1]) == (-math.inf, math.inf)
    same = paired(np.zeros(1000), smallest=0.01, alpha=0.05)
    assert (same.p[-1], same.low[-1], same.high[-1]) == (1, -math.inf, math.inf)


def test_one_variant_alone_says_nothing() -> None:
    scores = np.random.default_rng(1).random(1000)
    found = course(scores, np.zeros(1000, bool), share=0.5, smallest=0.01, alpha=0.05)
    assert math.isnan(found.difference[-1])
    assert (found.low[-1], found.high[-1]) == (-math.inf, math.inf)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_few_records(count: int) -> None:
    scores, arm = np.linspace(0, 1, count), np.arange(count) % 2 == 0
    found = course(scores, arm, share=0.5, smallest=0.1, alpha=0.05)
    pairs = paired(scores, smallest=0.1, alpha=0.05)
    assert found.records.tolist() == pairs.records.tolist() == [*range(1, count + 1)]
    assert (found.p == 1).all()  # no bet yet
    assert (found.low == -math.inf)[:2].all()


def test_one_odd_score_ruins_nothing() -> None:
    """A score of a billion among ones: not the bets, nor what they see afterwards."""
    rng = np.random.default_rng(2)
    arm = rng.random(4000) < 0.5
    scores = rng.normal(arm * 0.5, 1)
    before = course(scores[:3000], arm[:3000], share=0.5, smallest=0.5, alpha=0.05)
    scores[3000] = 1e9
    after = course(scores, arm, share=0.5, smallest=0.5, alpha=0.05)
    assert before.p[-1] < 1e-6
    assert after.p[-1] <= before.p[-1]
    assert np.isfinite(after.p).all()


def test_chunks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    arm = rng.random(5000) < 0.2
    scores = rng.random(5000)
    whole = course(scores, arm, share=0.2, smallest=0.05, alpha=0.05)
    monkeypatch.setattr(sequential, "_CHUNK", 999)
    parts = course(scores, arm, share=0.2, smallest=0.05, alpha=0.05)
    np.testing.assert_allclose(whole.p, parts.p)


def test_power_without_a_difference_is_at_most_alpha() -> None:
    found = power(0.0, 1e5, smallest=0.01, looks=200, alpha=0.05)
    assert 0.01 < found <= 0.05


def test_power_of_one_look_is_that_of_the_normal_distribution() -> None:
    """One look: the chance that S, normal, is beyond where the capital reaches 1/alpha."""
    bound = sequential._reaches(400.0, 0.1, 0.05)  # noqa: SLF001
    paths = [math.exp(d * 0.1 * bound - (d * 0.1) ** 2 * 200) for d in BETS]
    assert math.fsum(paths) / len(paths) == pytest.approx(20)
    expected = stats.norm.sf(bound, 40, 20) + stats.norm.cdf(-bound, 40, 20)
    found = power(0.1, 400.0, smallest=0.1, looks=1, alpha=0.05)
    assert found == pytest.approx(expected, abs=1e-4)


def test_what_is_needed_grows_as_the_square_of_what_is_small() -> None:
    small, large = (
        records_needed(delta, variance=0.09, share=0.5, chance=0.8, alpha=0.05)
        for delta in (0.02, 0.04)
    )
    assert small / large == pytest.approx(4, rel=0.05)
    # What fixed samples need, without looking before: no more than twice as many.
    fixed = ((1.96 + 0.8416) / 0.02) ** 2 * 0.09 * 4
    assert fixed < small < 2 * fixed


def test_mismatch_is_scipys() -> None:
    """The counts' chance under Dirichlet-multinomial over multinomial, each by scipy."""
    counts, shares = [930, 70], [0.9, 0.1]
    flat = stats.dirichlet_multinomial.logpmf(counts, [1.8, 0.2], 1000)
    expected = stats.multinomial.logpmf(counts, 1000, shares) - flat
    assert mismatch(counts, shares) == pytest.approx(min(1.0, math.exp(expected)))
    assert mismatch([0, 0], shares) == 1
    assert mismatch([900, 100], shares) == 1
    assert mismatch([0, 1000], shares) < 1e-12
    assert mismatch([9, 1], [9, 1]) == mismatch([9, 1], shares)


@given(st.floats(-1e9, 0))
def test_no_p_value_is_told_as_zero(log_p: float) -> None:
    p = least(log_p)

    sign, number = told(p).split()[1:]
    assert 0 < float(number) <= 1
    assert sign == "<" or float(number) == pytest.approx(math.exp(log_p), rel=0.05)
    assert p >= math.exp(log_p)
