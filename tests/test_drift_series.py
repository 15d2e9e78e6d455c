"""How good a model was over time: in few bins, the same whatever the order, whatever the clocks."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import browser
import captures
from drift_captures import labels as ground_truth
from drift_captures import written
from drift_reports import baseline, compared, records
from mims.governance.captures.labels import read_labels
from mims.governance.captures.reading import read, sources
from mims.governance.captures.unread import Unread
from mims.governance.drift import quality
from mims.governance.drift.check import Limits
from mims.governance.drift.page import page
from mims.governance.drift.performance import Performance, performance
from mims.governance.drift.plots import course
from mims.governance.drift.quality import Measure
from mims.governance.drift.series import MOST, Point, Series, placed, series, width
from mims.governance.drift.task import BINARY, Task

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

AT = captures.AT
NOW = AT + timedelta(days=99)
SCORED = Task(BINARY, scores=("score",))


def story(
    folder: Path, answers: Iterable[tuple[datetime, int, float]], known: dict[str, Any]
) -> Performance:
    """Answers with their labels, by files as they come, to what is said of them."""
    every = [*enumerate(answers)]
    lines = [
        captures.line("1", str(score), event_id=f"event-{at}", at=when)
        for at, (when, _, score) in every
    ]
    captures.write(folder / "captures", lines)
    truth = written(folder / "truth.jsonl", ground_truth(label for _, (_, label, _) in every))
    found = read(sources(folder / "captures"), (), SCORED.outputs, Unread())
    labels = read_labels(str(truth), None, Unread())
    return performance(found, labels, SCORED, known, Limits(), clock=NOW.timestamp)


def drawn(count: int, days: float, rate: Any = lambda _: 0.9) -> list[tuple[datetime, int, float]]:
    """Scores of so many days, right at a rate that may depend on the day."""
    draw = np.random.default_rng(7)
    made = []
    for at in range(count):
        day = days * at / count
        label = draw.random() < 0.4
        right = draw.random() < rate(day)
        made.append((AT + timedelta(days=day), int(label), 0.8 if label == right else 0.2))
    return made


def test_a_model_that_gets_worse_shows_when(tmp_path: Path) -> None:
    answers = drawn(4000, 20, lambda day: 0.95 if day < 10 else 0.75)
    made = story(tmp_path, answers, {"accuracy": 0.95, "auc": 0.95})
    assert [one.name for one in made.series[:2]] == ["accuracy", "auc"]
    assert [one.baseline for one in made.series] == [0.95, 0.95, None, None, None, None]
    (accuracy, *_) = made.series
    assert accuracy.seconds == 12 * 3600
    middle = AT + timedelta(days=10)
    for point in accuracy.points:
        if point.start >= middle or point.start + timedelta(hours=12) <= middle:
            truth = 0.95 if point.start < middle else 0.75
            assert abs(point.value - truth) < 4 * point.error
    assert sum(point.records for point in accuracy.points) == made.records == 4000
    assert accuracy.whole == made.measures["accuracy"]


def test_points_are_what_the_metric_is_of_their_records(tmp_path: Path) -> None:
    answers = drawn(600, 2)
    made = story(tmp_path, answers, {})
    for one in made.series:
        for point in one.points:
            inside = [
                (label == 1, score)
                for when, label, score in answers
                if point.start
                <= when.replace(microsecond=0)
                < point.start + timedelta(seconds=one.seconds)
            ]
            labels, scores = (np.array(side) for side in zip(*inside, strict=True))
            expected = quality.binary(labels, scores >= 0.5, scores)[one.name]
            assert point.records == len(inside)
            assert point.value == pytest.approx(expected.value)
            assert point.error == pytest.approx(expected.error) or expected.error == 0


def test_the_same_records_make_the_same_bins_in_any_order(tmp_path: Path) -> None:
    answers = drawn(900, 3)
    made = story(tmp_path / "1", answers, {"accuracy": 0.9})
    mixed = [answers[at] for at in np.random.default_rng(2).permutation(len(answers))]
    again = story(tmp_path / "2", mixed, {"accuracy": 0.9})
    assert [one.points for one in again.series[:4]] == [one.points for one in made.series[:4]]


def test_rare_positives_have_wider_bins(tmp_path: Path) -> None:
    answers = [
        (when, int(at % 50 == 0), 0.9 if at % 50 == 0 else 0.1)
        for at, (when, *_) in enumerate(drawn(5000, 20))
    ]
    made = {one.name: one for one in story(tmp_path, answers, {}).series}
    assert made["accuracy"].seconds == 12 * 3600
    assert len(made["recall"].points) <= 3
    assert all(point.base >= 10 for point in made["recall"].points)


@pytest.mark.parametrize(
    ("odd", "noted"),
    [
        ([datetime(1970, 1, 1, tzinfo=UTC)] * 40, 40),  # a machine without a clock
        ([datetime(2099, 1, 1, tzinfo=UTC)] * 40, 40),
        ([AT - timedelta(days=900)] * 3, 3),  # few, and far off
        ([AT + timedelta(days=90)] * 3, 3),
        ([AT - timedelta(days=900), AT + timedelta(days=90)], 2),
        ([AT - timedelta(hours=3)] * 3, 0),  # not far
    ],
)
def test_clocks_that_jump_do_not_squeeze_the_rest(
    tmp_path: Path, odd: list[datetime], noted: int
) -> None:
    right = drawn(2000, 7)
    made = story(tmp_path, [*right[:1000], *((at, 1, 0.8) for at in odd), *right[1000:]], {})
    (accuracy, *_) = made.series
    assert len(accuracy.points) >= 28
    assert made.measures["accuracy"].value == pytest.approx(0.9, abs=0.03)
    said = [note for note in made.part.notes if "over time" in note]
    assert [note.split()[0] for note in said] == ([str(noted)] if noted else [])


def test_one_record_and_no_time_at_all(tmp_path: Path) -> None:
    made = story(tmp_path, drawn(1, 1), {"accuracy": 0.9})
    assert [len(one.points) for one in made.series] == [1] * len(made.series)
    assert course(made.series[0]) is None  # a point is no course
    places = placed(np.full(300, math.nan), NOW.timestamp())
    assert series(np.full(300, math.nan), places, lambda _: {}, made.measures, {}) == ()


@settings(max_examples=300, deadline=None)
@given(
    st.floats(0, 4e9), st.one_of(st.floats(0, 100), st.floats(0, 1e8), st.floats(0, 9e9)),
    st.integers(-1, 10**9),
)  # fmt: skip
def test_bins_are_few_and_no_wider_than_needed(first: float, span: float, most: int) -> None:
    most = min(max(most, 2), MOST)
    seconds = width(first, first + span, most)
    assert span <= seconds * most
    # The next narrower one, 2 / 7 of it at least, would need more.
    assert seconds == 1 or span >= seconds / 3.5 * (most - 1)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.floats(), st.floats(1.7e9, 1.8e9), st.just(1.75e9)), max_size=80))
def test_any_times_make_a_series_in_order(found: list[float]) -> None:
    times = np.array(found, np.float64)
    places = placed(times, 1.8e9)
    assert (np.diff(times[places]) >= 0).all()
    assert len({*places.tolist()}) == len(places)
    labels = np.arange(len(times)) % 2 == 0

    def measuring(at: Any) -> dict[str, Measure]:
        return quality.binary(labels[at], labels[at])

    if len(places):
        for one in series(times, places, measuring, measuring(places), {"accuracy": 1.0}):
            assert len(one.points) <= MOST
            assert all(a.start < b.start for a, b in pairwise(one.points))
            assert one.name != "accuracy" or sum(p.records for p in one.points) == len(places)
            json.dumps(one.to_json(), allow_nan=False)


# On the page


def test_the_page_shows_it_with_its_baseline(tmp_path: Path) -> None:
    before = baseline(tmp_path / "training")
    answers = drawn(2000, 12, lambda day: 0.95 if day < 6 else 0.7)
    made = story(tmp_path, answers, {"accuracy": 0.95, "auc": 0.93})
    report = compared(before, records(2000, seed=2), parts=[made.part], series=made.series)
    found = browser.read(page(report))
    said = found.text("performance")
    assert said.startswith("How good it was over time")
    assert "accuracy" in said
    assert "auc" in said
    assert "log_loss" not in said  # there is nothing to compare it with
    assert "0.95 in the baseline, 0.8" in said
    assert page(report) == page(report)
    assert {one["name"] for one in report.to_json()["series"]} == {*made.measures}
    json.dumps(report.to_json(), allow_nan=False)


def test_without_a_baseline_every_metric_is_shown(tmp_path: Path) -> None:
    made = story(tmp_path, drawn(2000, 12), {})
    report = compared(baseline(tmp_path / "training"), records(2000, seed=2), series=made.series)
    said = browser.read(page(report)).text("performance")
    assert all(name in said for name in ("accuracy", "auc", "log_loss", "f1"))
    assert "in the baseline" not in said


def test_without_labels_the_page_says_nothing_of_it(tmp_path: Path) -> None:
    report = compared(baseline(tmp_path), records(2000, seed=2))
    assert report.to_json()["series"] == []
    assert browser.read(page(report)).text("performance") == ""


@pytest.mark.parametrize("seconds", [1, 2, 5, 600, 6 * 3600, 86400, 7 * 86400, 28 * 86400])
@pytest.mark.parametrize("last", [1, 2, 3, 10, 15, 16, 28, 33, 39, 47])
def test_there_is_a_calendar_for_every_span(seconds: int, last: int) -> None:
    """No warning either, such as AutoDateLocator's, which is an error here."""
    points = tuple(
        Point(AT + timedelta(seconds=at * seconds), 40, 0.9, 0.1, 40) for at in (0, last)
    )
    assert course(Series("m", None, Measure(0.5, 0.1), seconds, points))


VALUES = st.floats(-1e308, 1e308) | st.floats(0, 1)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(0, 47), VALUES, st.floats(0, 1e308)), max_size=12),
    st.one_of(st.none(), VALUES),
    st.sampled_from([1, 30, 600, 3600, 86400, 28 * 86400, 448 * 86400]),
    st.sampled_from([None, 30.0]),
)
def test_any_course_can_be_drawn(
    found: list[tuple[int, float, float]],
    before: float | None,
    seconds: int,
    base: float | None,
) -> None:
    by_bin = {at: (value, error) for at, value, error in sorted(found)}
    points = tuple(
        Point(AT + timedelta(seconds=at * seconds), 40, value, error, 40)
        for at, (value, error) in by_bin.items()
    )
    made = course(Series("m", before, Measure(0.5, 0.1, base), seconds, points))
    assert made is None or made.startswith("<svg viewBox=")
    if made is not None:
        assert len(points) >= 2
