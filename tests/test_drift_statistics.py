"""The formulas of a drift check: against scipy and statsmodels on real data, and by hand."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportions_ztest

from mims.governance.drift import statistics
from penguins import CATEGORICAL, NUMERIC, read_birds, split_by_season
from processing.imputation import is_missing

SEASONS = split_by_season(read_birds())
PAIRS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=60)


def values(field: str) -> tuple[list[str], list[str]]:
    """What was noted of a field in the first seasons, and in the last."""
    first, last = (
        [bird.fields[field] for bird in birds if not is_missing(bird.fields[field])]
        for birds in SEASONS
    )
    return first, last


def on_grid(field: str, edges: int | None) -> tuple[list[int], list[int]]:
    """Numbers of both, counted on quantiles of the first, or at every value there is."""
    first, last = (np.array(one, float) for one in values(field))
    grid = np.unique(np.concatenate([first, last]))
    if edges:
        grid = np.unique(np.quantile(first, np.linspace(0, 1, edges)))
    e, a = (
        np.bincount(np.searchsorted(grid, one), minlength=len(grid) + 1) for one in (first, last)
    )
    return e.tolist(), a.tolist()


def by_category(field: str) -> tuple[list[int], list[int]]:
    first, last = map(Counter, values(field))
    names = sorted({*first, *last})
    return [first[name] for name in names], [last[name] for name in names]


# Real data: the penguins of two seasons, and of the third.


@pytest.mark.parametrize("field", NUMERIC)
def test_ks_is_scipys_where_the_grid_has_every_value(field: str) -> None:
    first, last = (np.array(one, float) for one in values(field))
    theirs = stats.ks_2samp(first, last, method="exact")
    d, p = statistics.ks(*on_grid(field, None))
    assert d == pytest.approx(theirs.statistic, abs=1e-12)
    n = len(first) * len(last) / (len(first) + len(last))
    assert p == pytest.approx(stats.kstwobign.sf(math.sqrt(n) * d), rel=1e-12)
    assert theirs.pvalue <= p < 2 * theirs.pvalue + 0.15  # never surer than the exact test


@pytest.mark.parametrize("field", NUMERIC)
@pytest.mark.parametrize("edges", [5, 20, 100])
def test_ks_is_never_surer_on_a_coarser_grid(field: str, edges: int) -> None:
    fine = statistics.ks(*on_grid(field, None))
    coarse = statistics.ks(*on_grid(field, edges))
    assert coarse.statistic <= fine.statistic + 1e-12
    assert coarse.p >= fine.p - 1e-12


@pytest.mark.parametrize("field", CATEGORICAL)
def test_chi_squared_is_scipys(field: str) -> None:
    e, a = by_category(field)
    theirs = stats.chi2_contingency([e, a], correction=False)
    assert theirs.expected_freq.min() >= 5  # else categories would be pooled
    found = statistics.chi_squared(statistics.cells(e, a))
    assert found.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    assert found.p == pytest.approx(theirs.pvalue, rel=1e-9)


@pytest.mark.parametrize("field", [*NUMERIC, *CATEGORICAL, "sex"])
def test_shares_are_those_of_statsmodels_and_scipy(field: str) -> None:
    missing = [sum(is_missing(b.fields[field]) for b in birds) for birds in SEASONS]
    n0, n1 = (len(birds) for birds in SEASONS)
    k0, k1 = missing
    difference, p = statistics.shares(k0, n0, k1, n1)
    assert difference == pytest.approx(k1 / n1 - k0 / n0)
    if min(k0 + k1, n0 + n1 - k0 - k1) * min(n0, n1) / (n0 + n1) < 5:
        theirs = stats.fisher_exact([[k0, n0 - k0], [k1, n1 - k1]]).pvalue
    else:
        theirs = proportions_ztest([k1, k0], [n1, n0])[1]
    assert p == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    ("k0", "n0", "k1", "n1"),
    [
        (40, 2000, 200, 2000),  # many
        (3, 1000, 30, 1000),
        (100, 100_000, 900, 100_000),
        (500, 1000, 1_200_000, 2_500_000),
    ],
)
def test_large_shares_are_those_of_statsmodels(k0: int, n0: int, k1: int, n1: int) -> None:
    p = statistics.shares(k0, n0, k1, n1).p
    assert p == pytest.approx(proportions_ztest([k1, k0], [n1, n0])[1], rel=1e-9)


def test_holm_is_that_of_statsmodels_on_the_penguins() -> None:
    ps = [statistics.ks(*on_grid(field, 50)).p for field in NUMERIC]
    ps += [statistics.chi_squared(statistics.cells(*by_category(f))).p for f in CATEGORICAL]
    assert statistics.holm(ps) == pytest.approx(multipletests(ps, method="holm")[1], abs=1e-15)


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_is_that_of_statsmodels(ps: list[float]) -> None:
    assert statistics.holm(ps) == pytest.approx(multipletests(ps, method="holm")[1], abs=1e-12)


def test_holm_of_nothing_is_nothing() -> None:
    assert statistics.holm([]) == []


@pytest.mark.parametrize("field", NUMERIC)
def test_psi_is_jeffreys_divergence_of_deciles(field: str) -> None:
    e, a = on_grid(field, 100)
    into = statistics.bins(e)
    assert 8 <= len(into) <= 10
    both = [np.array(statistics.pooled(counts, into)) + 0.5 for counts in (e, a)]
    there_and_back = stats.entropy(both[0], both[1]) + stats.entropy(both[1], both[0])
    found = statistics.psi(*(statistics.pooled(counts, into) for counts in (e, a)))
    assert found == pytest.approx(there_and_back, rel=1e-12)


# By hand.


def test_psi_by_hand() -> None:
    # 0.2 ln(0.7 / 0.5) - 0.2 ln(0.3 / 0.5); what is added to the counts matters little
    hand = 0.2 * math.log(1.4) + 0.2 * math.log(0.5 / 0.3)
    assert statistics.psi([50_000, 50_000], [70_000, 30_000]) == pytest.approx(hand, rel=1e-4)
    assert statistics.psi([10, 20], [100, 200]) == pytest.approx(0, abs=1e-3)


def test_psi_of_an_empty_bin_is_finite() -> None:
    assert 1 < statistics.psi([1000, 0], [0, 1000]) < 100


def test_bins_hold_a_tenth_each() -> None:
    into = statistics.bins([0, *[20] * 500, 0])
    assert [len(range(502)[each]) for each in into] == [51, *[50] * 8, 51]


def test_a_value_that_is_most_records_is_a_bin() -> None:
    # Nine tenths are 0, as of amounts that few have.
    e = [0, 900, *[5] * 20]
    held = statistics.pooled(e, statistics.bins(e))
    assert held == [0, 900, 100]  # and what goes below it would be seen


def test_a_constant_has_what_is_below_and_above() -> None:
    assert statistics.pooled([0, 7, 0], statistics.bins([0, 7, 0])) == [0, 7, 0]


@given(PAIRS)
def test_bins_lose_nothing(pairs: list[tuple[int, int]]) -> None:
    e, a = ([one[at] for one in pairs] for at in (0, 1))
    into = statistics.bins(e)
    assert 1 <= len(into) <= 10
    assert [i for each in into for i in range(len(e))[each]] == [*range(len(e))]
    assert sum(statistics.pooled(a, into)) == sum(a)


@given(PAIRS)
def test_no_counts_break_a_formula(pairs: list[tuple[int, int]]) -> None:
    e, a = ([one[at] for one in pairs] for at in (0, 1))
    compared = statistics.cells(e, a, rare=(3, 4))
    assert math.isfinite(statistics.psi(e, a))
    for one in (statistics.ks(e, a), statistics.chi_squared(compared)):
        assert math.isfinite(one.statistic)
        assert 0 <= one.p <= 1
    if compared:
        assert [*map(sum, zip(*compared, strict=True))] == [sum(e) + 3, sum(a) + 4]
    assert [*map(sum, statistics.stable_bins(e, a))] == [sum(e), sum(a)]


@pytest.mark.parametrize(
    "nothing",
    [
        statistics.ks([0, 0], [5, 5]),
        statistics.chi_squared(statistics.cells([0, 0], [5, 5])),
        statistics.chi_squared(statistics.cells([400], [500])),  # one category, as it was
        statistics.shares(0, 0, 3, 5),
        statistics.shares(0, 100, 0, 100),
        statistics.shares(100, 100, 50, 50),
        statistics.unseen([], 3, 5),
        statistics.unseen([5], 0, 0),
    ],
)
def test_without_anything_to_compare_nothing_is_found(nothing: statistics.Distance) -> None:
    assert nothing == (0.0, 1.0)


def test_rare_categories_are_compared_together() -> None:
    # Of each rare one, 2 are expected; together they moved.
    e, a = [1000, *[2] * 50], [900, *[4] * 50]
    compared = statistics.cells(e, a)
    assert compared == [(1000, 900), (100, 200)]
    theirs = stats.chi2_contingency(np.array(compared).T, correction=False)
    assert statistics.chi_squared(compared).p == pytest.approx(theirs.pvalue)


def test_a_rest_too_small_for_a_cell_joins_the_rarest() -> None:
    assert statistics.cells([500, 300, 1], [500, 300, 2], rare=(0, 1)) == [(500, 500), (301, 303)]


def test_an_index_has_more_categories_where_chance_makes_little_of_them() -> None:
    few, many = [5] * 100, [100_000] * 100
    assert len(statistics.stable_bins(few, few)[0]) == 10
    assert len(statistics.stable_bins(many, many)[0]) == 100


def test_without_change_an_index_is_what_yurdakul_says() -> None:
    draw = np.random.default_rng(7)
    e, a = (draw.multinomial(n, [0.1] * 10, 2000) for n in (5000, 1000))
    mean = np.mean([statistics.psi(x, y) for x, y in zip(e, a, strict=True)])
    assert mean == pytest.approx(9 * (1 / 5000 + 1 / 1000), rel=0.05)


# New categories.


@given(x=st.floats(0.01, 60), t=st.floats(0.01, 0.99), ratio=st.floats(0.01, 100))
def test_a_bet_on_new_categories_is_fair(x: float, t: float, ratio: float) -> None:
    """Of a category that x records of the baseline are expected of, whatever x is."""
    r = np.arange(1, 400)
    seen = float(np.sum(stats.poisson.pmf(r, x) * (1 - t**r)))
    new = np.arange(0, int(ratio * x + 60 * math.sqrt(ratio * x) + 200))
    paid = np.exp(stats.poisson.logpmf(new, ratio * x) + new * math.log1p(t / ratio))
    assert seen + math.exp(-x) * float(paid.sum()) == pytest.approx(1, rel=1e-6)


def test_new_values_are_no_news_where_all_are_rare() -> None:
    assert statistics.unseen([1] * 900, new=880, n1=1000).p == 1


def test_new_values_are_news_where_none_are_rare() -> None:
    difference, p = statistics.unseen([500, 500], new=60, n1=1000)
    assert difference == pytest.approx(0.06)
    assert p < 1e-12


def test_singles_tell_how_many_new_ones_there_will_be() -> None:
    # 50 of 1,000 were seen once, so 5 % will be new.
    assert statistics.unseen([*[1] * 50, 950], 50, 1000).statistic == pytest.approx(0)


def test_one_rare_category_that_comes_again_is_one_surprise() -> None:
    """A baseline of 1,000 missed a category of 0.3 %, and now it has come 3,000 times."""
    assert statistics.unseen([600, 400], 3000, 1_000_000).p > 0.01


# Percentages.


@pytest.mark.parametrize(
    ("baseline", "current", "percent"),
    [
        (0.8, 0.72, 10),  # as the specification has it
        (0.8, 0.88, 10),
        (0, 0, 0),
        (0.0, -0.0, 0),
        (0, 0.001, math.inf),  # the specification would divide by zero
        (-0.5, -0.25, 50),  # and find a negative change, which is never above a limit
        (100, 0, 100),
        (3, 3, 0),
        (1e-300, 1e300, math.inf),
    ],
)
def test_percent_change(baseline: float, current: float, percent: float) -> None:
    assert statistics.percent_change(baseline, current) == pytest.approx(percent)


@settings(max_examples=200)
@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_percent_change_is_never_less_than_none(baseline: float, current: float) -> None:
    assert not statistics.percent_change(baseline, current) < 0
