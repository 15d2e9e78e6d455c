"""Is the model still as good: metrics against their baseline, and what labels that came later say.

Goes in: numbers by the names of metrics; or captures, their labels, and what a model predicts.
Comes out: a part of a drift check, and each metric over time. A metric that is missing now is told
of, it is not 0.

The labels are held in memory, and with each that has a capture its answer and its time: AUC needs
all of them at once, of a bin of time too. Captures stream past. The baseline's metrics are taken
for exact: what a test finds is that the model is not as good as they say, not whose fault it is.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mims.errors import InputError
from mims.governance.captures.labels import join
from mims.governance.drift import quality
from mims.governance.drift.check import Measured, Part
from mims.governance.drift.series import Series, placed, series
from mims.governance.drift.statistics import percent_change
from mims.governance.drift.task import BINARY, MULTICLASS, REGRESSION, Task
from mims.governance.report_shapes import direction_of, number
from mims.registration.parameters import shown
from mims.text import counted, listed, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from mims.governance.captures.labels import Joined, Labels
    from mims.governance.captures.reading import Captured
    from mims.governance.drift.check import Limits
    from mims.governance.drift.quality import Measure
    from mims.governance.drift.series import Measuring

_FEWEST = 30  # records that a share must rest on: of fewer, z is not normal
_NO_TIME = (
    "left out of the performance over time: the inferenceTime is missing, can't be right or is far "
    "from all others"
)
# What people call metrics, by what they are called here.
_ALIASES = {
    **dict.fromkeys(("f1_score", "f_score"), "f1"),
    **dict.fromkeys(("roc_auc", "auc_roc", "area_under_roc"), "auc"),
    **dict.fromkeys(("logloss", "cross_entropy"), "log_loss"),
    **dict.fromkeys(("r2_score", "r_squared"), "r2"),
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    **{f"{average}_f1_score": f"{average}_f1" for average in ("macro", "weighted")},
}
_OF_CLASSES = ("precision", "recall", "f1")
_AVERAGES = tuple(f"{average}_{name}" for average in ("macro", "weighted") for name in _OF_CLASSES)
_OF_SCORES = {BINARY: ("auc", "log_loss"), MULTICLASS: ("log_loss",), REGRESSION: ()}
_METRICS = {
    BINARY: ("accuracy", *_OF_CLASSES),
    MULTICLASS: ("accuracy", *_AVERAGES),
    REGRESSION: ("mae", "mse", "rmse", "r2"),
}


def changes(baseline: Mapping[str, Any], current: Mapping[str, Any], limits: Limits) -> Part:
    """Compare metrics, such as CloudWatch's of an endpoint, by their percentage change alone.

    As the specification has it (mlops_model_registry, step 3): |current - baseline| / baseline *
    100 > limit is drift, whichever way it goes; `statistics.percent_change` tells of zero.
    """
    measured, undecided = [], []
    for name, told in baseline.items():
        before, now = number(told), number(current.get(name))
        if before is None:
            undecided.append(f"metric {shown(name)}: the baseline's is {shown(told)}, no number")
        elif now is None:
            what = f"is {shown(current[name])} now, no number" if name in current else "has no data"
            undecided.append(f"metric {shown(name)}: {what}; it was {before:.6g}")
        else:
            said = f"{now:.6g}, was {before:.6g}{_way(name, before, now)}"
            effect = percent_change(before, now)
            measured.append(Measured("metric", name, "change", effect, limits.change, None, said))
    return Part(tuple(measured), (), tuple(undecided))


def _way(name: str, before: float, now: float) -> str:
    """Whether a change is one for the better, where that is known."""
    direction = direction_of(name)
    if direction is None or now == before:
        return ""
    return ": better" if (now > before) == (direction == "higher") else ": worse"


class Performance(NamedTuple):
    """What labels say of a model."""

    part: Part
    measures: Mapping[str, Measure]
    """whatever could be measured, with a baseline or without"""
    records: int
    """that had a label and an answer"""
    series: tuple[Series, ...] = ()
    """the measures over time, those with a baseline first"""


class _Answers(NamedTuple):
    """Labels with answers, as arrays."""

    kept: NDArray[np.bool_]
    """which of the joined records can be measured"""
    measured: Measuring
    """measures some of those that are kept, by their places among these"""
    notes: Sequence[str] = ()


def performance(
    captures: Iterable[Captured],
    labels: Labels,
    task: Task,
    baseline: Mapping[str, Any],
    limits: Limits,
    *,
    clock: Callable[[], float] = time.time,
) -> Performance:
    """Measure how good a model was, and compare it to its baseline's metrics.

    `captures` have the task's outputs; `clock` tells which of their times can't be right. Metrics
    of the baseline are known by the end of their name, as in `binary_classification_metrics.auc`;
    other metrics are passed over.

    Raises:
        InputError: the baseline has a metric several times, and each time another.

    """
    expected = _expected(baseline, task)
    joined = join(captures, labels, task.outputs)
    answers = _answers(joined, task)
    times = joined.times[answers.kept]
    records, places = len(times), placed(times, clock())
    measures = answers.measured(np.arange(records)) if records else {}
    over_time = series(times, places, answers.measured, measures, expected)
    notes = [*_counted(joined, labels), *answers.notes]
    if records > len(places):
        notes.append(f"{counted(records - len(places), 'labelled record')} {_NO_TIME}")
    if records < limits.minimum:
        part = Part((), tuple(notes), (f"performance: {_few(records, joined, labels, limits)}",))
        return Performance(part, measures, records, over_time)
    compared = {name: one for name, one in measures.items() if name in expected}
    thin = [name for name, one in compared.items() if one.base is not None and one.base < _FEWEST]
    lost = [name for name in expected if name not in measures]
    alone = [f"{name} {_said(one)}" for name, one in measures.items() if name not in expected]
    if alone:
        notes.append(f"performance without a baseline: {', '.join(alone)}")
    undecided = [
        *(f"{name} rests on fewer than {_FEWEST} records: not tested" for name in thin),
        *(f"{name} can't be told of these records" for name in lost),
    ]
    found = tuple(
        _change(name, expected[name], one, records, limits)
        for name, one in compared.items()
        if name not in thin
    )
    if not compared and not lost:
        undecided.append("performance: the baseline has no metric that could be compared")
    return Performance(Part(found, tuple(notes), tuple(undecided)), measures, records, over_time)


def _few(records: int, joined: Joined, labels: Labels, limits: Limits) -> str:
    """Why there are too few records, as far as one can do something about it."""
    if not labels.places:
        return "there are no labels"
    if joined.captured and joined.waiting == len(labels.places) and not joined.uneven:
        return (
            f"none of {counted(len(labels.places), 'label')} is of a captured record: a label's "
            "eventId is the InferenceId that the client sent, or the capture's eventId"
        )
    few = f"{counted(records, 'capture')} with a label and an answer"
    return f"{few}: fewer than {limits.minimum:,}"


def _change(name: str, before: float, one: Measure, records: int, limits: Limits) -> Measured:
    effect = percent_change(before, one.value)
    way = _way(name, before, one.value)
    said = f"{_said(one)} of {counted(records, 'labelled record')}, was {before:.4g}{way}"
    return Measured("performance", name, "change", effect, limits.change, one.p(before), said)


def _said(one: Measure) -> str:
    return f"{one.value:.4g} ± {one.error:.2g}"


def _expected(baseline: Mapping[str, Any], task: Task) -> dict[str, float]:
    """The baseline's numbers, by the names of what the task has; a plain name goes first."""
    wanted = {*_METRICS[task.kind], *_OF_SCORES[task.kind]}
    found: dict[str, dict[str, float]] = {}
    for path, told in baseline.items():
        value = number(told)
        plain = path.rpartition(".")[2].lower()
        name = _ALIASES.get(plain, plain)
        if value is not None and name in wanted:
            found.setdefault(name, {})[path] = value
    problems, made = [], {}
    for name, by_path in found.items():
        values = {by_path[name]} if name in by_path else {*by_path.values()}
        made[name] = values.pop()
        if values:
            several = listed(f"{path} {value:.6g}" for path, value in by_path.items())
            problems.append(f"baseline of {printable(name)}: which of {several}? Say {name}=…")
    if problems:
        raise InputError(*problems)
    return made


def _counted(joined: Joined, labels: Labels) -> Iterable[str]:
    """Yield what of captures and labels did not find together."""
    if joined.unlabelled:
        of = f"{joined.unlabelled:,} of {joined.captured:,}"
        yield f"{of} captured records without a label, so far"
    for count, what, said in (
        (labels.again, "label", "of an event that has one: the first counts"),
        (joined.waiting, "label", "without a capture"),
        (joined.again, "record", "captured again of an event: the first counts"),
        (joined.uneven, "record", "of requests with more or fewer records than labels: left out"),
    ):
        if count:
            yield f"{counted(count, what)} {said}"


def _answers(joined: Joined, task: Task) -> _Answers:
    """Read labels and answers as the task has them."""
    if not joined.labels:
        return _none(joined)
    if task.kind == REGRESSION:
        return _regression(joined, task)
    return _binary(joined, task) if task.kind == BINARY else _multiclass(joined, task)


def _none(joined: Joined, *notes: str) -> _Answers:
    return _Answers(np.zeros(len(joined.labels), bool), lambda _: {}, notes)


def _left_out(kept: NDArray[np.bool_], what: str) -> list[str]:
    lost = int(len(kept) - kept.sum())
    return [f"{counted(lost, 'labelled record')} left out: {what}"] if lost else []


def _regression(joined: Joined, task: Task) -> _Answers:
    labels = _numbers(joined.labels)
    predicted = _numbers(joined.answers[str(task.prediction)])
    kept = np.isfinite(labels) & np.isfinite(predicted)
    labels, predicted = labels[kept], predicted[kept]
    notes = _left_out(kept, "the label or the prediction is no number")
    return _Answers(kept, lambda at: quality.regression(labels[at], predicted[at]), notes)


def _binary(joined: Joined, task: Task) -> _Answers:
    truths, positive = [*map(_class, joined.labels)], _class(task.positive)
    answers = joined.answers[task.prediction] if task.prediction else []
    found = [None if one is None else _class(one) for one in answers]
    others = sorted({*truths, *filter(None, found)} - {positive})
    if len(others) > 1:
        told = "labels and predictions" if task.prediction else "labels"
        told = f"{told} that are not {printable(positive)} are {listed(others, 5)}"
        return _none(joined, f"{told}: a binary task has one other")
    labels = np.array([one == positive for one in truths])
    kept = np.ones(len(labels), bool)
    scores = None
    if task.scores:
        scores = _numbers(joined.answers[task.scores[0]])
        kept &= np.isfinite(scores)
    if task.prediction:
        kept &= np.array([one is not None for one in found])
        predicted = np.array([one == positive for one in found])
    else:
        predicted = np.asarray(scores) >= task.threshold
    labels, predicted = labels[kept], predicted[kept]
    shares = None if scores is None or _is_flag(scores[kept]) else scores[kept]
    return _Answers(
        kept,
        lambda at: quality.binary(
            labels[at], predicted[at], None if shares is None else shares[at]
        ),
        _left_out(kept, "there is no prediction"),
    )


def _is_flag(scores: Any) -> bool:
    """Whether scores are predictions: a loss would be infinite, and a curve has one point."""
    return bool(np.all((scores == 0) | (scores == 1)))


def _multiclass(joined: Joined, task: Task) -> _Answers:
    truths = [*map(_class, joined.labels)]
    names = [*map(_class, task.classes or task.scores)]
    kept = np.ones(len(truths), bool)
    scores = None
    if task.scores:
        scores = np.column_stack([_numbers(joined.answers[name]) for name in task.scores])
        kept &= np.isfinite(scores).all(axis=1)
    if task.prediction:
        answers = joined.answers[task.prediction]
        kept &= np.array([one is not None for one in answers])
        found = ["" if one is None else _class(one) for one in answers]
    else:
        best = np.argmax(np.nan_to_num(np.asarray(scores), nan=-math.inf), axis=1)
        found = [names[at] for at in best]
    notes = _left_out(kept, "there is no prediction")
    if kept.any() and not {*truths} & {*found}:
        told = (
            f"predictions are {listed(sorted({*found}), 5)}, labels {listed(sorted({*truths}), 5)}"
        )
        return _none(joined, *notes, f"{told}: they have no class in common")
    classes = [*dict.fromkeys((*names, *sorted({*truths, *found})))]
    places = {name: at for at, name in enumerate(classes)}
    labels, predicted = (np.array([places[x] for x in side])[kept] for side in (truths, found))
    shares = None if scores is None else scores[kept]
    unknown = int((labels >= len(names)).sum()) if task.scores else 0
    if unknown:
        shares = None
        notes.append(
            f"{counted(unknown, 'label')} of a class without a score: every answer is wrong"
        )
    return _Answers(
        kept,
        lambda at: quality.multiclass(
            labels[at], predicted[at], len(classes), None if shares is None else shares[at]
        ),
        notes,
    )


def _numbers(values: Sequence[Any]) -> Any:
    """Numbers as an array; NaN where there is none."""
    made = np.full(len(values), math.nan)
    for at, value in enumerate(values):
        try:
            made[at] = float(value)
        except (TypeError, ValueError):
            continue
    return made


def _class(value: Any) -> str:
    """A class's name: 1, "1" and "1.0" are the same, and so are "True" and "true"."""
    text = str(value).strip()
    if text.lower() in ("true", "false"):
        return text.lower()
    try:
        plain = float(text)
    except ValueError:
        return text
    return f"{plain:.12g}" if math.isfinite(plain) else text
