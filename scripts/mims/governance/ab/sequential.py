"""A comparison of two variants that may be looked at any time: the numbers behind an A/B.

Goes in: scores in the order in which they became known, which of them the challenger got, and its
share of the traffic. Comes out: how much speaks against "no difference", which stays right however
often one looks and whenever one stops; an interval of the difference; and how long it will take.
Asks nobody and keeps nothing.

What is tested is the split itself. The endpoint sends each request to the challenger with
probability p, whatever comes of it; so where there is no difference, a score tells nothing of the
variant it came from. A bet that it does, at odds that were fixed before,

    q(challenger | score y) = sigmoid(logit p + b (y - c)),     b = d / s^2

pays q/p for a record of the challenger and (1 - q)/(1 - p) for one of the champion: 1 on average,
if there is no difference. c and s^2 are mean and variance of the scores before; d is a difference
one bets on. Capital that began at 1 reaches 1/alpha with probability alpha at most, at any time, by
Ville's inequality; so does an average over several d. It is exact for scores of any distribution,
rare failures and days that are worse than others included, as nothing but the split is random:
testing by betting (Shafer, Journal of the Royal Statistical Society A 184, 2021; Grünwald, de
Heide, Koolen, Journal of the Royal Statistical Society B 86, 2024), on the randomization as Fisher
has it.

A shadow gets a copy of a request that the champion answers too. There is no split then, but pairs
of scores, and where there is no difference, either of the two could be the challenger's: given how
far they are apart, a fair coin says which is the better. With y the challenger's score less the
champion's and s^2 the mean of y^2 before, the bet is

    q(y > 0 | |y|) = sigmoid(2 d |y| / s^2)

at odds of 1/2; pairs of equal scores move nothing. For scores with normal noise both bets are the
likelihood ratio of d, and to second order the capital is exp(d S - d^2 I / 2), S the differences'
sum in units of information and I that information, which is what `power` reckons with.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import optimize, special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Differences that are bet on, in those that one wants to find; half of the capital on each side.
BETS = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
_CHUNK = 1 << 16  # records at a time
_GRID = 401  # points on which the density of what is undecided is kept
_LARGEST = 10**9  # records: beyond it no plan goes
_FIRST = 50  # records: mean and variance of so many are known before the first bet
_BOLDEST = 1.0  # how far a bet goes from the split, in logits: one odd score is not to ruin it
# A p-value below it is told as it: computers know no smaller numbers but 0, which none is.
LEAST = 1e-300
_TOLD = 10 * LEAST  # so that a p-value of several looks, a few times LEAST, is told of as a bound
_PRIOR = 10.0  # standard deviations that one wants to find: a score's, before any is known


class Course(NamedTuple):
    """How a comparison went, at some records on its way: arrays of equal length."""

    records: NDArray[np.int64]
    """how many scores there were of both variants"""
    p: NDArray[np.float64]
    """the smallest p-value so far, of "no difference", two-sided"""
    difference: NDArray[np.float64]
    """mean score of the challenger less that of the champion; NaN before both have one"""
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    """the difference's interval: for large samples all of them hold together"""


def course(
    scores: NDArray[np.float64],
    challenger: NDArray[np.bool_],
    *,
    share: float,
    smallest: float,
    alpha: float,
    points: int = 200,
) -> Course:
    """Follow a comparison from its first score to its last.

    `scores` and `challenger` have the shape (records,), in the order in which scores became known,
    which must not depend on what they are; `smallest` is the difference that is worth finding, in
    units of the score. `p` is taken at every record, and told at `points` of them.
    """
    slopes = _slopes(scores - scores[:1], smallest)
    told = _told(len(scores), points)
    p = _p(slopes, challenger, share, smallest)
    (n0, m0, v0), (n1, m1, v1) = (_sums(scores, arm, told) for arm in (~challenger, challenger))
    # A variant without a failure yet has a variance all the same: at least that within both.
    within = (n0 * np.nan_to_num(v0) + n1 * np.nan_to_num(v1)) / told
    with np.errstate(divide="ignore", invalid="ignore"):
        information = 1 / (np.fmax(v0, within) / n0 + np.fmax(v1, within) / n1)
    low, high = _interval(m1 - m0, information, alpha, smallest)
    return Course(told, p[told - 1], m1 - m0, low, high)


def paired(
    differences: NDArray[np.float64], *, smallest: float, alpha: float, points: int = 200
) -> Course:
    """Follow a comparison where both variants have a score of each request, as with a shadow.

    `differences`, of shape (pairs,): the challenger's score less the champion's, in the order in
    which they became known; `records` of what comes out counts pairs.
    """
    before = np.arange(len(differences))
    variance = (_sum_before(differences**2) + (_PRIOR * smallest) ** 2) / (before + 1)
    slopes = np.where(before >= _FIRST, 2 * np.abs(differences) / variance, 0.0)
    told = _told(len(differences), points)
    p = _p(slopes, differences > 0, 0.5, smallest)
    count, mean, variance = _sums(differences, np.ones(len(differences), bool), told)
    with np.errstate(divide="ignore"):
        information = count / variance
    return Course(told, p[told - 1], mean, *_interval(mean, information, alpha, smallest))


def _told(count: int, points: int) -> NDArray[np.int64]:
    """At how many records the course is told: the last of them is all."""
    return np.unique(np.linspace(0, count, min(points, count) + 1, dtype=np.int64)[1:])


def _interval(
    difference: NDArray[np.float64],
    information: NDArray[np.float64],
    alpha: float,
    smallest: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The difference's interval; without an end where nothing is known of a variance yet."""
    with np.errstate(divide="ignore", invalid="ignore"):
        width = _boundary(information, alpha, smallest) / information
    known = np.isfinite(width) & np.isfinite(difference)
    return np.where(known, difference - width, -np.inf), np.where(known, difference + width, np.inf)


def _slopes(scores: NDArray[np.float64], smallest: float) -> NDArray[np.float64]:
    """(y - c) / s^2 of each score, with mean and variance of those before it."""
    before = np.arange(len(scores))
    total, squares = _sum_before(scores), _sum_before(scores**2)
    mean = total / np.maximum(before, 1)
    spread = np.maximum(squares - mean * total, 0.0)
    variance = (spread + (_PRIOR * smallest) ** 2) / (before + 1)
    return np.where(before >= _FIRST, (scores - mean) / variance, 0.0)


def _sum_before(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([[0.0], np.cumsum(values)[:-1]])[: len(values)]


def _p(
    slopes: NDArray[np.float64], challenger: NDArray[np.bool_], share: float, smallest: float
) -> NDArray[np.float64]:
    """The smallest p-value up to each record: 1 over the most that the bets made of 1."""
    most = np.maximum.accumulate(_log_capital(slopes, challenger, share, smallest))
    return np.maximum(np.exp(-np.maximum(most, 0.0)), LEAST)


def _log_capital(
    slopes: NDArray[np.float64], challenger: NDArray[np.bool_], share: float, smallest: float
) -> NDArray[np.float64]:
    """The logarithm of what the bets have made of 1 after each record."""
    differences = np.concatenate([-BETS, BETS]) * smallest
    kept = np.zeros(len(differences))
    capital = np.empty(len(slopes))
    logit = special.logit(share)
    for start in range(0, len(slopes), _CHUNK):
        here = slice(start, start + _CHUNK)
        arm = challenger[here, None]
        tilted = logit + np.clip(slopes[here, None] * differences, -_BOLDEST, _BOLDEST)
        fair = np.where(arm, math.log(share), math.log1p(-share))
        paths = kept + np.cumsum(special.log_expit(np.where(arm, tilted, -tilted)) - fair, axis=0)
        capital[here] = special.logsumexp(paths, axis=1) - math.log(len(differences))
        kept = paths[-1]
    return capital


def _sums(
    scores: NDArray[np.float64], arm: NDArray[np.bool_], at: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Count, mean and variance of an arm's scores at some records."""
    first = scores[:1]  # taken off, so that large scores leave their variance its digits
    own = np.where(arm, scores - first, 0.0)
    count = np.cumsum(arm)[at - 1].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.cumsum(own)[at - 1] / count
        variance = np.cumsum(own**2)[at - 1] / count - mean**2
    return count, mean + first, np.maximum(variance, 0.0)


def _boundary(information: Any, alpha: float, scale: float) -> Any:
    """How far D*I may go: sqrt((I + 1/t^2) (log(1 + t^2 I) + 2 log(1/alpha))), Robbins' mixture.

    D*I, a difference times its information I = 1 / (v0/n0 + v1/n1), moves like a Brownian motion
    for large samples: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (Annals of Statistics 52, 2024,
    theorem 2.2, with I for their t and `scale` for their rho).
    """
    grown = np.log1p(scale**2 * information) - 2 * math.log(alpha)
    return np.sqrt((information + 1 / scale**2) * grown)


def power(delta: float, information: float, *, smallest: float, looks: int, alpha: float) -> float:
    """How likely a difference is found by `information`, looking so often, equally far apart.

    For many records the bets' capital is the mean of exp(d S - d^2 I / 2), with S a Brownian motion
    whose drift is `delta`. By recursive integration over what is undecided at each look: Armitage,
    McPherson, Rowe (Journal of the Royal Statistical Society A 132, 1969).
    """
    step = information / looks
    density, points = np.ones(1), np.zeros(1)
    for number in range(1, looks + 1):
        bound = _reaches(step * number, smallest, alpha)
        following = np.linspace(-bound, bound, _GRID)
        moves = following[:, None] - points - delta * step
        kernel = np.exp(-(moves**2) / (2 * step)) / math.sqrt(2 * math.pi * step)
        weights = np.full(_GRID, following[1] - following[0])
        weights[[0, -1]] /= 2
        density, points = (kernel @ density) * weights, following
    return float(1 - density.sum())


def _reaches(information: float, smallest: float, alpha: float) -> float:
    """Where S has brought the capital to 1/alpha."""
    differences = np.concatenate([-BETS, BETS]) * smallest

    def lacking(s: float) -> float:
        paths = differences * s - differences**2 * information / 2
        return float(special.logsumexp(paths) - math.log(len(differences)) + math.log(alpha))

    high = 1 / smallest
    while lacking(high) < 0:
        high *= 2
    return float(optimize.brentq(lacking, 0.0, high))


def records_needed(
    delta: float, *, variance: float, share: float, chance: float, alpha: float, looks: int = 50
) -> int:
    """How many records of both variants find a difference with that chance, within about 2 %.

    `variance` is that of a score, of whichever variant, in its unit squared; `share` the
    challenger's part. For the pairs of a shadow give a quarter of the variance of their
    differences, and a share of 0.5. Where the scores of a challenger with a small share vary far
    more than the champion's, it takes more: 1 % of failures that become 2 %, at a share of a tenth,
    are found in 73 % of cases where 80 % were wanted.
    """
    per_record = share * (1 - share) / variance

    def lacking(log_records: float) -> float:
        information = math.exp(log_records) * per_record
        return power(delta, information, smallest=abs(delta), looks=looks, alpha=alpha) - chance

    # In units of delta all plans are alike, so these bounds hold for all of them.
    bounds = (math.log(k / per_record / delta**2) for k in (1.0, 1000.0))
    return math.ceil(math.exp(optimize.brentq(lacking, *bounds, xtol=0.02)))


def mismatch(counts: Sequence[int], shares: Sequence[float]) -> float:
    """A p-value, right at every look, of records that come in other shares than they were sent.

    A Dirichlet-multinomial against the multinomial: Lindon, Malek (NeurIPS 2022). Where records of
    one variant get lost, the comparison is worth nothing.
    """
    found, expected = np.asarray(counts, float), np.asarray(shares, float) / sum(shares)
    prior = expected * len(expected)
    log_ratio = (
        special.gammaln(prior.sum())
        - special.gammaln((prior + found).sum())
        + (special.gammaln(prior + found) - special.gammaln(prior)).sum()
        - (found * np.log(expected)).sum()
    )
    return least(-max(float(log_ratio), 0.0))


def least(log_p: float) -> float:
    """A p-value by its logarithm; `LEAST` where it is below that."""
    return max(math.exp(log_p), LEAST)


def told(p: float) -> str:
    """A p-value in words: never 0, which no p-value is."""
    return f"p < {_TOLD:g}" if p < _TOLD else f"p = {p:.2g}"
