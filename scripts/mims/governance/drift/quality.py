"""How good answers were, measured by what turned out: each metric with its standard error.

Goes in: labels and answers as arrays of equal length, shape (records,). Comes out: metrics by the
names that reports use. A metric that these records do not define, such as the recall of a class
that never came, is left out. Reads nothing and keeps nothing.

The errors are those of large samples: the delta method on the confusion matrix's multinomial
counts (Agresti, Categorical Data Analysis, 2013, section 16.1), which for accuracy and recall is
the binomial's, and for F1 is that of Takahashi, Yamamoto, Kuchiba, Koyama (Applied Intelligence 52,
2022).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Truths = NDArray[np.bool_]
    Classes = NDArray[np.int64]

_AVERAGES = ("macro", "weighted")


class Measure(NamedTuple):
    """A metric's value."""

    value: float
    error: float
    """standard error"""
    base: float | None = None
    """of what lies between 0 and 1: were its true value v, v (1 - v) / base would bound its
    variance, or be it; how many records it rests on"""

    def p(self, expected: float) -> float:
        """How likely chance alone makes it differ as much from what was expected, two-sided.

        z by the standard error. At its edges, such as an accuracy of 1, an error is 0 and tells
        nothing; so it is at least what it would be, were the expected value true.
        """
        if self.value == expected:
            return 1.0
        error = self.error_if(expected)
        distance = abs(self.value - expected) / error if error else math.inf
        return float(special.erfc(distance / math.sqrt(2)))

    def error_if(self, expected: float) -> float:
        """The standard error, at least what it would be, were the expected value true."""
        if self.base and 0 <= expected <= 1:
            return max(self.error, math.sqrt(expected * (1 - expected) / self.base))
        return self.error


def binary(labels: Truths, predicted: Truths, scores: Floats | None = None) -> dict[str, Measure]:
    """Accuracy, precision, recall and f1 of the positive class; auc and log_loss of scores.

    log_loss is there if all scores are probabilities.
    """
    counts = _confusion(labels.astype(np.int64), predicted.astype(np.int64), 2)
    made = {"accuracy": _accuracy(counts)}
    for name, one in _by_class(counts).items():
        if one.bases[1] > 0:
            error = _delta(counts, one.gradients[1])
            made[name] = Measure(float(one.values[1]), error, float(one.bases[1]))
    if scores is not None:
        if labels.any() and not labels.all():
            made["auc"] = auc(labels, scores)
        if _are_shares(scores):
            made["log_loss"] = _log_loss(np.where(labels, scores, 1 - scores))
    return made


def multiclass(
    labels: Classes, predicted: Classes, classes: int, shares: Floats | None = None
) -> dict[str, Measure]:
    """Accuracy; precision, recall and f1 as macro and weighted averages; log_loss of `shares`.

    Labels and predictions are numbers of classes, from 0 on; `shares` has the shape (records,
    classes). Averages are those of the classes that came, as a label or a prediction; where a class
    was never predicted, its precision counts as 0.
    """
    counts = _confusion(labels, predicted, classes)
    made = {"accuracy": _accuracy(counts)}
    came = (counts.sum(axis=0) + counts.sum(axis=1)) > 0
    for name, one in _by_class(counts).items():
        for average in _AVERAGES:
            made[f"{average}_{name}"] = _averaged(counts, one, came, weighted=average == "weighted")
    if shares is not None and _are_shares(shares):
        made["log_loss"] = _log_loss(shares[np.arange(len(labels)), labels])
    return made


def regression(labels: Floats, predicted: Floats) -> dict[str, Measure]:
    """Give mae, mse, rmse and r2; r2 where the labels are not all the same.

    The errors of rmse and r2 = 1 - mse / variance are by the delta method, too. What overflows, as
    the square of 1e200 does, is left out.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        made = _regression(labels, predicted)
    return {
        name: one
        for name, one in made.items()
        if math.isfinite(one.value) and math.isfinite(one.error)
    }


def _regression(labels: Floats, predicted: Floats) -> dict[str, Measure]:
    errors = predicted - labels
    squares = errors**2
    mse = float(squares.mean())
    made = {
        "mae": _mean(np.abs(errors)),
        "mse": _mean(squares),
        "rmse": Measure(
            math.sqrt(mse), _mean(squares).error / (2 * math.sqrt(mse)) if mse else 0.0
        ),
    }
    variance = float(labels.var())
    if variance > 0:
        centred = (labels - labels.mean()) ** 2
        influence = (mse * (centred - variance) / variance - (squares - mse)) / variance
        made["r2"] = Measure(1 - mse / variance, _mean(influence).error)
    return made


def auc(labels: Truths, scores: Floats) -> Measure:
    """The area under the ROC curve: how often a positive has the higher score; ties count half.

    Its error is that of DeLong, DeLong, Clarke-Pearson (Biometrics 44, 1988), by ranks as Sun and
    Xu (IEEE Signal Processing Letters 21, 2014) have it; its base is the smaller class, as its
    variance is at most v (1 - v) / min(m, n) (Birnbaum, Klose, Annals of Mathematical Statistics
    28, 1957). It needs all scores at once, 8 bytes each.
    """
    ranks = stats.rankdata(scores)
    positive, negative = scores[labels], scores[~labels]
    m, n = len(positive), len(negative)
    above = (ranks[labels] - stats.rankdata(positive)) / n
    below = 1 - (ranks[~labels] - stats.rankdata(negative)) / m
    variance = sum(part.var(ddof=1) / len(part) for part in (above, below) if len(part) > 1)
    return Measure(float(above.mean()), math.sqrt(variance), float(min(m, n)))


class _ByClass(NamedTuple):
    values: Floats
    """shape (classes,)"""
    gradients: Floats
    """by the shares of the confusion matrix: shape (classes, classes, classes)"""
    bases: Floats


def _confusion(labels: Classes, predicted: Classes, classes: int) -> Floats:
    """Records by label (rows) and prediction (columns)."""
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(float)


def _by_class(counts: Floats) -> dict[str, _ByClass]:
    """Precision, recall and f1 = 2 hits / (labels + predictions) of each class.

    Each is hits over a sum, h / s: its gradient is (dh - (h / s) ds) / s.
    """
    classes, total = len(counts), counts.sum()
    hits = np.diagonal(counts)
    is_label, is_predicted = np.zeros((2, classes, classes, classes))
    each = np.arange(classes)
    is_label[each, each, :] = 1
    is_predicted[each, :, each] = 1
    is_hit = is_label * is_predicted
    made = {}
    for name, part in (
        ("precision", is_predicted),
        ("recall", is_label),
        ("f1", (is_label + is_predicted) / 2),
    ):
        sums = (part * counts).sum(axis=(1, 2))
        some = np.maximum(sums, 0.5)  # 0 / 0 is 0
        values = np.where(sums > 0, hits / some, 0.0)
        gradients = (is_hit - values[:, None, None] * part) * (total / some)[:, None, None]
        made[name] = _ByClass(values, gradients, sums)
    return made


def _accuracy(counts: Floats) -> Measure:
    total = float(counts.sum())
    value = float(np.trace(counts)) / total
    return Measure(value, math.sqrt(value * (1 - value) / total), total)


def _averaged(counts: Floats, one: _ByClass, came: Truths, *, weighted: bool) -> Measure:
    """Average over classes; weights by labels depend on the counts, too."""
    labels = counts.sum(axis=1)
    weights = labels / labels.sum() if weighted else came / came.sum()
    gradient = np.einsum("c,cij->ij", weights, one.gradients)
    if weighted:
        gradient = gradient + one.values[:, None]
    known = (weights > 0) & (one.bases > 0)
    spread = float(np.sum(weights[known] ** 2 / one.bases[known]))
    value = float(weights @ one.values)
    return Measure(value, _delta(counts, gradient), 1 / spread if spread else 0.0)


def _delta(counts: Floats, gradient: Floats) -> float:
    """The standard error of a function of multinomial shares."""
    total = counts.sum()
    shares = counts / total
    mean = np.sum(shares * gradient)
    return math.sqrt(max(0.0, float(np.sum(shares * gradient**2) - mean**2)) / total)


def _mean(values: Floats) -> Measure:
    return Measure(float(values.mean()), float(values.std()) / math.sqrt(len(values)))


def _are_shares(values: Floats) -> bool:
    return bool(np.all((values >= 0) & (values <= 1)))


def _log_loss(shares: Floats) -> Measure:
    """Mean of -log of what the label's class was given; 0 counts as 2e-16."""
    return _mean(-np.log(np.clip(shares, np.finfo(float).eps, 1.0)))
