"""Are two samples alike: the formulas behind a drift check, each with its source.

Goes in: counts, of a baseline and of what came later, over the same bins or categories. Comes out:
how far they are apart, and how likely chance alone makes as much. Counts are all that is needed, so
ten million records cost what ten do. Reads nothing and keeps nothing.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BINS = 10  # of a population stability index, as credit scoring has it since Lewis 1994
_HALF = 0.5  # added to each count, so that an empty bin has a logarithm
_CHANCE = 0.02  # how much of an index may come from the number of categories alone
_EXPECTED = 5.0  # the least expected count of a cell: Cochran, Biometrics 10, 1954
_BETS = np.array([0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9])  # on new categories; any in (0, 1) hold


class Distance(NamedTuple):
    """How far apart, and how likely by chance."""

    statistic: float
    p: float


def bins(expected: Sequence[int], most: int = BINS) -> list[slice]:
    """Neighbours of a grid that together hold about a share 1/most of the baseline each.

    The cuts are those of the grid next to the baseline's quantiles i/most; a value that is a large
    part of the records is not split, so there may be fewer bins, and what lies below or above it
    is a bin, even if the baseline has nothing there. A grid that is as coarse stays as it is.
    """
    cumulated = np.cumsum(np.asarray(expected, float))
    total = cumulated[-1]
    cells = len(cumulated)
    if cells <= most:
        return [slice(i, i + 1) for i in range(cells)]
    targets = total * np.arange(1, most) / most
    after = np.searchsorted(cumulated, targets)
    before = np.maximum(after - 1, 0)
    nearer = np.where(targets - cumulated[before] < cumulated[after] - targets, before, after)
    cuts = [0, *sorted({int(cut) + 1 for cut in nearer if cut + 1 < cells}), cells]
    return [slice(a, b) for a, b in itertools.pairwise(cuts)]


def pooled(counts: Sequence[int], into: Iterable[slice]) -> list[int]:
    """The sums of counts over bins."""
    return [sum(counts[each]) for each in into]


def psi(expected: Sequence[int], actual: Sequence[int]) -> float:
    """The population stability index: the sum of (a - e) log(a / e) over the bins' shares a and e.

    It is Jeffreys' divergence (Proceedings of the Royal Society A 186, 1946), under the name that
    Lewis (An Introduction to Credit Scoring, 1994) and Siddiqi (Credit Risk Scorecards, 2006) gave
    it there: below 0.1 little, from 0.2 on much. Every count gets 0.5 more. Without any change it
    is about (B - 1)(1/n0 + 1/n1) for B bins (Yurdakul, Statistical properties of population
    stability index, 2018), so few records alone can make it large.
    """
    e, a = (np.asarray(counts, float) + _HALF for counts in (expected, actual))
    e, a = e / e.sum(), a / a.sum()
    return float(np.sum((a - e) * np.log(a / e)))


def stable_bins(expected: Sequence[int], actual: Sequence[int]) -> tuple[list[int], list[int]]:
    """Categories for an index: the rarest are pooled until their number alone makes it no larger.

    At least 10 stay; more only as far as (B - 1)(1/n0 + 1/n1), what chance makes of the index
    (see `psi`), is 0.02 at most.
    """
    n0, n1 = sum(expected), sum(actual)
    most = BINS
    if n0 and n1:
        most = max(BINS, int(1 + _CHANCE / (1 / n0 + 1 / n1)))
    if len(expected) <= most:
        return list(expected), list(actual)
    order = _by_size(expected, actual)
    kept, rest = order[: most - 1], order[most - 1 :]
    return (
        [*(expected[i] for i in kept), sum(expected[i] for i in rest)],
        [*(actual[i] for i in kept), sum(actual[i] for i in rest)],
    )


def _by_size(expected: Sequence[int], actual: Sequence[int]) -> list[int]:
    """Indexes of categories by their records in both, the most first."""
    totals = [e + a for e, a in zip(expected, actual, strict=True)]
    return sorted(range(len(totals)), key=lambda i: (-totals[i], i))


def ks(expected: Sequence[int], actual: Sequence[int]) -> Distance:
    """Kolmogorov and Smirnov's test: D, the largest distance of two distribution functions, and p.

    p = Q(sqrt(n0 n1 / (n0 + n1)) D) with Kolmogorov's limiting distribution (Smirnov, Annals of
    Mathematical Statistics 19, 1948). D is looked for at the grid's edges, so it is that of the
    values or less, and p is that of the values or more: the test errs on the quiet side, on a
    coarse grid, for values that repeat, and for few records alike.
    """
    e, a = np.asarray(expected, float), np.asarray(actual, float)
    n0, n1 = e.sum(), a.sum()
    if not n0 or not n1:
        return Distance(0.0, 1.0)
    d = float(np.max(np.abs(np.cumsum(e) / n0 - np.cumsum(a) / n1)))
    return Distance(d, float(special.kolmogorov(math.sqrt(n0 * n1 / (n0 + n1)) * d)))


def cells(
    expected: Sequence[int], actual: Sequence[int], *, rare: tuple[int, int] = (0, 0)
) -> list[tuple[int, int]]:
    """Categories that `chi_squared` can compare: records in the baseline and now.

    Categories of which fewer than 5 records are expected in either sample are pooled, with `rare`:
    the records of values that are not listed. New ones go there, for the list is that of the
    baseline: a cell of their own, in which the baseline has nothing by construction, would speak of
    the list alone. What is pooled depends on both samples together and so, without any change,
    tells nothing of either.
    """
    n0, n1 = sum(expected) + rare[0], sum(actual) + rare[1]
    if not n0 or not n1:
        return []
    least = _EXPECTED * (n0 + n1) / min(n0, n1)
    every = [(expected[i], actual[i]) for i in _by_size(expected, actual)]
    pool = [rare, *(cell for cell in every if sum(cell) < least)]
    kept = [cell for cell in every if sum(cell) >= least]
    rest = (sum(e for e, _ in pool), sum(a for _, a in pool))
    if sum(rest) >= least:
        kept.append(rest)
    elif kept:
        last = kept.pop()
        kept.append((last[0] + rest[0], last[1] + rest[1]))
    return kept


def chi_squared(compared: Sequence[tuple[int, int]]) -> Distance:
    """Pearson's test of homogeneity for k x 2 counts (Philosophical Magazine 50, 1900), and p."""
    if len(compared) < 2:
        return Distance(0.0, 1.0)
    table = np.asarray(compared, float)
    ideal = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(np.sum((table - ideal) ** 2 / ideal))
    return Distance(statistic, float(stats.chi2.sf(statistic, len(compared) - 1)))


def shares(k0: int, n0: int, k1: int, n1: int) -> Distance:
    """Two proportions: k1/n1 - k0/n0, and p, two-sided.

    Pearson's chi-squared where at least 5 records are expected in each cell, else Fisher's exact
    test (Journal of the Royal Statistical Society 85, 1922).
    """
    if not n0 or not n1:
        return Distance(0.0, 1.0)
    difference = k1 / n1 - k0 / n0
    n, k = n0 + n1, k0 + k1
    if min(k, n - k) == 0:
        return Distance(difference, 1.0)
    if min(k, n - k) * min(n0, n1) / n >= _EXPECTED:
        z = difference / math.sqrt(k / n * (1 - k / n) * (1 / n0 + 1 / n1))
        return Distance(difference, float(special.erfc(abs(z) / math.sqrt(2))))
    p = stats.fisher_exact([[k0, n0 - k0], [k1, n1 - k1]]).pvalue
    return Distance(difference, min(1.0, float(p)))


def unseen(seen: Iterable[int], new: int, n1: int) -> Distance:
    """Records of categories that the baseline never saw: more than rare categories explain, and p.

    `seen` are the baseline's counts by category. Good (Biometrika 40, 1953), after Turing: the next
    record is of an unseen category with a chance of about f1/n0, f1 the number of categories that
    were seen once. The statistic is new/n1 - f1/n0.

    One category that the baseline missed by bad luck comes again and again, so `new` does not count
    independent things. But take any t in (0, 1), and bet: each new record multiplies the stake by
    1 + t n0/n1, each category that was seen r times by 1 - t^r. Of a category that the baseline
    should have seen x times, that makes on average

        exp(-x) (exp(t x) + sum over r > 0 of x^r/r! (1 - t^r)) = 1

    whatever x is. So where nothing has changed the product for all categories is 1 on average, and
    reaches 1/p with a chance of p at most (Markov); so does the mean of the products for several t.
    The p-value of such a bet is 1 over what it made: Vovk, Wang (Annals of Statistics 49, 2021).
    """
    counts, categories = np.unique(np.asarray([*seen], np.int64), return_counts=True)
    n0 = int(np.sum(counts * categories))
    if not n0 or not n1:
        return Distance(0.0, 1.0)
    singles = int(categories[counts == 1].sum())
    difference = new / n1 - singles / n0
    lost = np.log1p(-(_BETS[:, None] ** counts.astype(float))) @ categories
    made = special.logsumexp(new * np.log1p(_BETS * n0 / n1) + lost) - math.log(len(_BETS))
    return Distance(difference, math.exp(-max(0.0, float(made))))


def holm(ps: Sequence[float]) -> list[float]:
    """p-values adjusted for their number, in the same order.

    However the tests hang together, the chance that any true "no change" has an adjusted value of
    alpha or less is alpha at most: Holm (Scandinavian Journal of Statistics 6, 1979).
    """
    adjusted = [1.0] * len(ps)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, ps[index] * (len(ps) - rank)))
        adjusted[index] = highest
    return adjusted


def percent_change(baseline: float, current: float) -> float:
    """|current - baseline| / |baseline| in percent; 0 to 0 is 0, 0 to x infinite.

    As the specification has it (mlops_model_registry, step 3), but for its division by zero and
    negative baselines, of which no change would ever have been one.
    """
    if current == baseline:
        return 0.0
    if not baseline:
        return math.inf
    return abs(current - baseline) / abs(baseline) * 100
