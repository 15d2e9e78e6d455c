"""Labels that come later, joined to captures; and metrics, each against another's computation."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.tools import eval_measures

import captures
from mims.errors import InputError
from mims.governance.captures.labels import Labels, join, read_labels
from mims.governance.captures.reading import Captured, read, sources
from mims.governance.captures.unread import Unread
from mims.governance.drift import quality
from mims.governance.drift.check import DRIFT, NONE, UNDECIDED, Limits, Part, report
from mims.governance.drift.performance import Performance, changes, performance
from mims.governance.drift.task import BINARY, MULTICLASS, REGRESSION, Task
from mims.governance.profiles.profile import CATEGORY, NUMBER, Field, Profile, below
from penguins import read_birds
from processing.imputation import is_missing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

BIRDS = [bird for bird in read_birds() if not is_missing(bird.fields["flipper_length_mm"])]
FLIPPERS = np.array([float(bird.fields["flipper_length_mm"]) for bird in BIRDS])
HEAVY = np.array([bird.heavy for bird in BIRDS], bool)
SCORED = Task(BINARY, scores=("score",))


# Metrics of an endpoint: the specification's percentage.


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (0.9, 0.8, DRIFT),  # 11 %
        (0.9, 0.82, NONE),
        (0.9, 0.99, NONE),  # 10 % is not more than 10 %
        (0.8, 0.9, DRIFT),  # better is a change, too
        (0, 0, NONE),
        (0, 1e-9, DRIFT),  # of none, any is infinitely many
        (-0.2, -0.1, DRIFT),
        (10**400, 1, UNDECIDED),
        ("NaN", 1, UNDECIDED),
        (0.9, math.nan, UNDECIDED),
        (0.9, None, UNDECIDED),
    ],
)
def test_a_metric_that_changed(before: Any, now: Any, verdict: str) -> None:
    part = changes({"accuracy": before}, {"accuracy": now}, Limits())
    assert report([part], Limits(), subject="e", source="").verdict == verdict


def test_a_metric_without_data_is_not_zero() -> None:
    part = changes({"ModelLatency": 1200.0, "Invocations": 5}, {"Invocations": 5}, Limits())
    assert part.undecided == ("metric 'ModelLatency': has no data; it was 1200",)
    assert [one.name for one in part.measured] == ["Invocations"]


@pytest.mark.parametrize(
    ("name", "now", "said"),
    [
        ("accuracy", 0.4, "0.4, was 0.5: worse"),
        ("ModelLatency", 0.4, "0.4, was 0.5"),
        ("log_loss", 0.4, "0.4, was 0.5: better"),
        ("log_loss", 0.5, "0.5, was 0.5"),
    ],
)
def test_which_way_a_metric_went_is_told(name: str, now: float, said: str) -> None:
    (one,) = changes({name: 0.5}, {name: now}, Limits()).measured
    assert one.said == said


# Metrics of labels, by hand and against scipy and statsmodels.


def test_binary_metrics_by_hand() -> None:
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool)
    predicted = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0], bool)  # 3 hits, 1 missed, 1 false alarm
    made = quality.binary(labels, predicted)
    assert {name: one.value for name, one in made.items()} == pytest.approx(
        {"accuracy": 0.8, "precision": 0.75, "recall": 0.75, "f1": 0.75}
    )
    assert made["accuracy"].error == pytest.approx(math.sqrt(0.8 * 0.2 / 10))
    assert made["recall"].error == pytest.approx(math.sqrt(0.75 * 0.25 / 4))
    assert made["precision"].error == pytest.approx(math.sqrt(0.75 * 0.25 / 4))
    # Takahashi and others: F1 is 2p / (1 + p + …), here by their formula for two classes
    tp, wrong, n = 0.3, 0.2, 10
    variance = 4 * tp * wrong * (wrong + tp) / (2 * tp + wrong) ** 4 / n
    assert made["f1"].error == pytest.approx(math.sqrt(variance))


def test_multiclass_metrics_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 1, 0])
    made = {n: one.value for n, one in quality.multiclass(labels, predicted, 4).items()}
    assert made == pytest.approx(
        {
            "accuracy": 4 / 6,
            "macro_precision": (2 / 3 + 2 / 3 + 0) / 3,
            "macro_recall": (2 / 3 + 1 + 0) / 3,
            "macro_f1": (2 / 3 + 4 / 5 + 0) / 3,
            "weighted_precision": (3 * 2 / 3 + 2 * 2 / 3) / 6,
            "weighted_recall": 4 / 6,
            "weighted_f1": (3 * 2 / 3 + 2 * 4 / 5) / 6,
        }
    )


def test_auc_of_the_penguins_is_mann_and_whitneys() -> None:
    one = quality.auc(HEAVY, FLIPPERS)  # long flippers, heavy bird; many ties
    u = stats.mannwhitneyu(FLIPPERS[HEAVY], FLIPPERS[~HEAVY]).statistic
    assert one.value == pytest.approx(u / HEAVY.sum() / (~HEAVY).sum(), rel=1e-12)


def test_aucs_error_is_delongs_by_all_pairs() -> None:
    one = quality.auc(HEAVY, FLIPPERS)
    pairs = np.sign(FLIPPERS[HEAVY][:, None] - FLIPPERS[~HEAVY]) / 2 + 0.5
    by_bird = pairs.mean(axis=1), pairs.mean(axis=0)
    variance = sum(each.var(ddof=1) / len(each) for each in by_bird)
    assert one.error == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_regression_metrics_of_the_penguins_are_statsmodels() -> None:
    depths = np.array([float(bird.fields["culmen_depth_mm"]) for bird in BIRDS])
    line = stats.linregress(FLIPPERS, depths)
    predicted = line.intercept + line.slope * FLIPPERS
    made = quality.regression(depths, predicted)
    assert {name: one.value for name, one in made.items()} == pytest.approx(
        {
            "mae": eval_measures.meanabs(predicted, depths),
            "mse": eval_measures.mse(predicted, depths),
            "rmse": eval_measures.rmse(predicted, depths),
            "r2": line.rvalue**2,
        }
    )
    assert made["mae"].error == pytest.approx(stats.sem(np.abs(predicted - depths), ddof=0))


def test_log_loss_is_the_mean_surprise() -> None:
    labels = np.array([1, 0, 1], bool)
    made = quality.binary(labels, labels, np.array([0.5, 0.25, 1.0]))["log_loss"]
    assert made.value == pytest.approx((math.log(2) - math.log(0.75)) / 3)
    shares = np.array([[0.5, 0.5], [0.75, 0.25], [0.0, 1.0]])
    again = quality.multiclass(labels.astype(int), labels.astype(int), 2, shares)["log_loss"]
    assert again == pytest.approx(made)


def _answers(draw: np.random.Generator, kind: str, records: int) -> dict[str, quality.Measure]:
    if kind == REGRESSION:
        truth = draw.normal(size=records)
        return quality.regression(truth, truth + draw.exponential(0.5, records))
    classes = 3 if kind == MULTICLASS else 2
    labels = draw.choice(
        classes, records, p=np.arange(1, classes + 1) / (classes + 1) / classes * 2
    )
    if kind == MULTICLASS:
        wrong = draw.random(records) < 0.1 + 0.1 * labels
        return quality.multiclass(labels, np.where(wrong, 0, labels), 3)
    scores = 1 / (1 + np.exp(-draw.normal(2 * labels - 1, 1.2)))
    return quality.binary(labels.astype(bool), scores >= 0.5, scores)


@pytest.mark.parametrize("kind", [BINARY, MULTICLASS, REGRESSION])
def test_an_error_is_how_far_a_metric_strays(kind: str) -> None:
    draw = np.random.default_rng(3)
    runs = [_answers(draw, kind, 600) for _ in range(1500)]
    for name in runs[0]:
        strays = np.std([run[name].value for run in runs])
        told = np.mean([run[name].error for run in runs])
        assert told == pytest.approx(strays, rel=0.1), name


@pytest.mark.parametrize("kind", [BINARY, MULTICLASS, REGRESSION])
def test_a_metric_that_is_as_good_as_ever_is_found_worse_as_seldom_as_alpha(kind: str) -> None:
    draw = np.random.default_rng(5)
    truth = {name: one.value for name, one in _answers(draw, kind, 500_000).items()}
    runs, alpha = 1000, 0.05
    found = dict.fromkeys(truth, 0)
    for _ in range(runs):
        for name, one in _answers(draw, kind, 500).items():
            found[name] += one.p(truth[name]) <= alpha
    # z of a skewed loss is a little off at 500 records
    allowed = {name: stats.binom.ppf(0.999, runs, 0.065) for name in truth}
    assert all(found[name] <= allowed[name] for name in truth), found


def test_a_perfect_score_is_tested_by_what_was_expected() -> None:
    few = np.array([1] * 40 + [0] * 400, bool)
    one = quality.binary(few, few)["recall"]
    assert one.error == 0
    assert one.p(0.95) == pytest.approx(2 * stats.norm.sf(0.05 / math.sqrt(0.95 * 0.05 / 40)))
    assert one.p(1.0) == 1
    assert quality.regression(np.arange(9.0), np.arange(9.0))["mae"].p(0.5) == 0


def test_what_records_do_not_define_is_left_out() -> None:
    none = np.zeros(5, bool)
    assert [*quality.binary(none, none, np.full(5, 0.2))] == ["accuracy", "log_loss"]
    assert "log_loss" not in quality.binary(~none, ~none, np.full(5, 3.0))
    assert "r2" not in quality.regression(np.ones(5), np.arange(5.0))


# Labels and captures.


def ground_truth(event: str, data: str = "1", **members: Any) -> str:
    return json.dumps(
        {
            "groundTruthData": {"data": data, "encoding": "CSV"},
            "eventMetadata": {"eventId": event},
            "eventVersion": "0",
            **members,
        }
    )


def read_all(folder: Path, lines: Iterable[str | bytes]) -> tuple[Labels, Unread]:
    (folder / "labels").mkdir(exist_ok=True)
    (folder / "labels" / "some.jsonl").write_bytes(captures.content(lines))
    unread = Unread()
    return read_labels(str(folder / "labels"), None, unread), unread


def captured(folder: Path, lines: Iterable[str], *outputs: str) -> Iterable[Captured]:
    captures.write(folder / "captures", lines)
    return read(sources(folder / "captures"), (), outputs, Unread())


def story(
    folder: Path,
    pairs: Iterable[tuple[Any, Any]],
    task: Task,
    baseline: dict[str, Any],
    **limits: Any,
) -> Performance:
    """Labels with answers, by files as they come, to what is said of them."""
    every = [*enumerate(pairs)]
    labels, _ = read_all(folder, (ground_truth(f"e{i}", str(label)) for i, (label, _) in every))
    lines = (captures.line("1", str(answer), event_id=f"e{i}") for i, (_, answer) in every)
    found = captured(folder, lines, *task.outputs)
    return performance(found, labels, task, baseline, Limits(**limits))


def verdict(part: Part) -> str:
    return report([part], Limits(), subject="e", source="").verdict


def drawn(rate: float, records: int = 1500) -> list[tuple[int, float]]:
    """Scores that are right at that rate."""
    draw = np.random.default_rng(11)
    labels = draw.random(records) < 0.4
    right = draw.random(records) < rate
    scores = np.where(labels == right, 0.8, 0.2)
    return [*zip(labels.astype(int).tolist(), scores.tolist(), strict=True)]


def test_a_model_that_got_worse_is_found(tmp_path: Path) -> None:
    made = story(tmp_path, drawn(0.75), SCORED, {"binary_classification_metrics.accuracy": 0.91})
    assert made.records == 1500
    assert verdict(made.part) == DRIFT
    (one,) = made.part.measured
    assert (one.side, one.name, one.test) == ("performance", "accuracy", "change")
    assert one.said.endswith("of 1,500 labelled records, was 0.91: worse")
    assert set(made.measures) == {"accuracy", "precision", "recall", "f1", "auc", "log_loss"}


def test_a_model_that_is_as_good_is_quiet(tmp_path: Path) -> None:
    baseline = {"accuracy": 0.91, "f1_score": 0.9, "roc_auc": 0.91}
    made = story(tmp_path, drawn(0.91), SCORED, baseline)
    assert verdict(made.part) == NONE
    assert [one.name for one in made.part.measured] == ["accuracy", "f1", "auc"]


def test_few_labels_decide_nothing(tmp_path: Path) -> None:
    made = story(tmp_path, drawn(0.5, 150), SCORED, {"accuracy": 0.91})
    assert verdict(made.part) == UNDECIDED
    assert made.part.undecided == (
        "performance: 150 captures with a label and an answer: fewer than 200",
    )
    assert made.measures["accuracy"].value < 0.7  # what there is, is given


def test_no_labels_at_all_decide_nothing(tmp_path: Path) -> None:
    lines = [captures.line("1", "0.5", event_id="e1")]
    made = performance(
        captured(tmp_path, lines, "score"), Labels(), SCORED, {"accuracy": 0.9}, Limits()
    )
    assert verdict(made.part) == UNDECIDED
    assert made.part.notes == ("1 of 1 captured records without a label, so far",)
    assert made.part.undecided == ("performance: there are no labels",)


def test_labels_of_other_events_are_told_what_they_should_name(tmp_path: Path) -> None:
    lines = [captures.line("1", "0.5", event_id=f"e{at}") for at in range(300)]
    labels, _ = read_all(tmp_path, (ground_truth(f"order-{at}") for at in range(400)))
    found = captured(tmp_path, lines, "score")
    made = performance(found, labels, SCORED, {"accuracy": 0.9}, Limits())
    (why,) = made.part.undecided
    assert why.startswith("performance: none of 400 labels is of a captured record: a label's eve")
    assert "the InferenceId that the client sent" in why


def test_a_metric_that_rests_on_few_is_not_tested(tmp_path: Path) -> None:
    pairs = [(0, 0.1)] * 400 + [(1, 0.1)] * 20
    made = story(tmp_path, pairs, SCORED, {"recall": 0.9, "accuracy": 0.95, "precision": 0.9})
    assert [one.name for one in made.part.measured] == ["accuracy"]
    assert made.part.undecided == (
        "recall rests on fewer than 30 records: not tested",
        "precision can't be told of these records",
    )


def test_a_baseline_without_such_metrics_decides_nothing(tmp_path: Path) -> None:
    made = story(tmp_path, drawn(0.9), SCORED, {"bleu": 0.3, "accuracy": "NaN"})
    assert made.part.undecided == (
        "performance: the baseline has no metric that could be compared",
    )
    assert "accuracy 0." in made.part.notes[0]


def test_a_baseline_that_says_two_things_is_refused(tmp_path: Path) -> None:
    two = {"training.auc": 0.99, "test.auc": 0.9, "confusion_matrix.0.0": 3, "x.confusion.0": 4}
    with pytest.raises(InputError, match=r"which of training.auc 0.99, test.auc 0.9\? Say auc="):
        story(tmp_path, drawn(0.9), SCORED, two)
    assert story(tmp_path, drawn(0.9), SCORED, {**two, "auc": 0.9}).part.measured
    assert story(tmp_path, drawn(0.9), SCORED, {"a.auc": 0.9, "b.auc": 0.9}).part.measured


def test_several_classes_by_their_scores(tmp_path: Path) -> None:
    names = ("Adelie", "Gentoo", "Chinstrap")
    task = Task(MULTICLASS, scores=names)
    draw = np.random.default_rng(2)
    pairs = [
        (
            names[(at + (draw.random() < 0.3)) % 3],
            ",".join("0.8" if i == at else "0.1" for i in range(3)),
        )
        for at in draw.integers(0, 3, 900)
    ]
    made = story(tmp_path, pairs, task, {"accuracy": 0.95, "weighted_f1": 0.95})
    assert verdict(made.part) == DRIFT
    assert made.measures["accuracy"].value == pytest.approx(0.7, abs=0.05)
    assert "log_loss" in made.measures


def test_a_class_that_is_new_makes_every_answer_wrong(tmp_path: Path) -> None:
    task = Task(MULTICLASS, scores=("s0", "s1"), classes=("0", "1"))
    pairs = [("0.0", "0.9,0.1")] * 200 + [("2", "0.9,0.1")] * 50
    made = story(tmp_path, pairs, task, {"accuracy": 1.0})
    assert made.measures["accuracy"].value == 0.8
    assert "log_loss" not in made.measures
    assert any(note.startswith("50 labels of a class without a score") for note in made.part.notes)


def test_numbers_by_their_errors(tmp_path: Path) -> None:
    pairs = [(i, i + (-1) ** i * 2) for i in range(300)] + [("n/a", 1), (3, "n/a")]
    made = story(tmp_path, pairs, Task(REGRESSION, "price"), {"mae": 1.0, "rmse": 2.0})
    assert made.records == 300
    assert made.measures["mae"].value == pytest.approx(2)
    assert [one.name for one in made.part.measured if one.p == 0] == ["mae"]
    assert made.part.notes[0] == (
        "2 labelled records left out: the label or the prediction is no number"
    )


@pytest.mark.parametrize("far", ["1e200", "1e308"])
def test_numbers_whose_squares_overflow_tell_nothing(tmp_path: Path, far: str) -> None:
    pairs = [(f"-{far}" if at % 2 else far, "3") for at in range(300)]
    made = story(tmp_path, pairs, Task(REGRESSION, "price"), {"mae": 1.0, "rmse": 2.0})
    assert "mse" not in made.measures
    assert "rmse can't be told of these records" in made.part.undecided
    found = report([made.part], Limits(), subject="e", source="")
    json.dumps(found.to_json(), allow_nan=False)


def test_predictions_without_scores(tmp_path: Path) -> None:
    pairs = [("yes", "yes")] * 200 + [("no", "yes")] * 100
    task = Task(BINARY, "answer", positive="yes")
    made = story(tmp_path, pairs, task, {"precision": 0.9})
    assert made.measures["precision"].value == pytest.approx(2 / 3)
    assert verdict(made.part) == DRIFT
    assert "auc" not in made.measures


def test_scores_that_are_predictions_have_no_curve(tmp_path: Path) -> None:
    made = story(tmp_path, [(1, 1.0)] * 150 + [(0, 1.0)] * 100, SCORED, {"accuracy": 0.9})
    assert set(made.measures) == {"accuracy", "precision", "recall", "f1"}


def test_labels_of_three_classes_are_no_binary_ones(tmp_path: Path) -> None:
    made = story(tmp_path, [(i % 3, 0.4) for i in range(300)], SCORED, {"accuracy": 0.9})
    assert verdict(made.part) == UNDECIDED
    assert "labels that are not 1 are 0, 2: a binary task has one other" in made.part.notes


def test_answers_that_are_called_otherwise_than_labels_are_no_wrong_ones(tmp_path: Path) -> None:
    for name in "123":
        (tmp_path / name).mkdir()
    flags = [(i % 2, "true" if i % 2 else "false") for i in range(300)]
    made = story(tmp_path / "1", flags, Task(BINARY, "score"), {"accuracy": 0.9})
    assert verdict(made.part) == UNDECIDED
    assert any("are 0, false, true: a binary task has one other" in one for one in made.part.notes)
    named = Task(BINARY, "score", positive="True")
    flags = [(one == "true", one) for _, one in flags]
    assert story(tmp_path / "2", flags, named, {}).measures["accuracy"].value == 1
    animals = [("cat" if i % 2 else "dog", i % 2) for i in range(300)]
    made = story(tmp_path / "3", animals, Task(MULTICLASS, "score"), {"accuracy": 0.9})
    assert verdict(made.part) == UNDECIDED
    assert any("they have no class in common" in one for one in made.part.notes)


def test_labels_and_captures_that_find_no_partner_are_counted(tmp_path: Path) -> None:
    labels, unread = read_all(
        tmp_path,
        [
            ground_truth("both"),
            ground_truth("both", "0"),  # twice: the first counts
            ground_truth("ours"),
            ground_truth("no capture"),
            ground_truth("rows", "1\n0\n"),
            ground_truth("more rows", "1\n0\n1"),
            ground_truth("bad", ""),
            '{"eventMetadata": {"eventId": "x"}}',
            ground_truth("", "1"),
            ground_truth("n", groundTruthData={"data": 1}),
            b"\xff\xfe",
            "[1]",
            ground_truth("cut")[:30],
        ],
    )
    assert labels.again == 1
    assert unread.count == 7
    lines = [
        captures.line("1", "0.25", event_id="both"),
        captures.line("1", "0.5", event_id="theirs", inference_id="ours"),
        captures.line("1", "0.75", event_id="no label"),
        captures.line("1", "0.9", event_id="again", inference_id="ours"),
        captures.line("1\n2", "0.1\n0.2", event_id="rows"),
        captures.line("1\n2", "0.3\n0.4", event_id="more rows"),
    ]
    joined = join(captured(tmp_path, lines, "score"), labels, ["score"])
    assert joined.labels == ["1", "1", "1", "0"]
    assert joined.answers == {"score": ["0.25", "0.5", "0.1", "0.2"]}
    counts = (joined.captured, joined.unlabelled, joined.again, joined.uneven, joined.waiting)
    assert counts == (8, 1, 1, 2, 2)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), min_size=1, max_size=30))
def test_no_label_and_no_answer_break_it(pairs: list[tuple[str, str]]) -> None:
    labels = Labels()
    for at, (label, _) in enumerate(pairs):
        labels.add(f"e{at}", [label])
    ids = pa.array([f"e{at}" for at in range(len(pairs))])
    answers = pa.table({name: [answer for _, answer in pairs] for name in ("a", "b")})
    block = Captured(pa.table({}), answers, ids, ids, pa.nulls(len(pairs), pa.timestamp("us")))
    for task in (
        Task(BINARY, scores=("a",)),
        Task(BINARY, "a"),
        Task(MULTICLASS, "a"),
        Task(MULTICLASS, scores=("a", "b")),
        Task(REGRESSION, "a"),
    ):
        made = performance([block], labels, task, {"accuracy": 0.9, "mae": 1}, Limits(minimum=1))
        made_report = report([made.part], Limits(), subject="e", source="")
        json.dumps(made_report.to_json(), allow_nan=False)


# What a model predicts.


def baseline_of(**outputs: str | Field) -> Profile:
    made = {
        name: Field(name, one, 9, 9, counts=()) if isinstance(one, str) else replace(one, name=name)
        for name, one in outputs.items()
    }
    return Profile(9, {}, made)


def of_values(*values: float) -> Field:
    """A number field that had these values, as often each."""
    edges = (below(min(values)), *sorted(values))
    counts = (0, *[1] * len(values), 0)
    made = Field("", NUMBER, len(values), 0, edges=edges, counts=counts)
    return replace(made, low=min(values), high=max(values), mean=sum(values) / len(values))


CODE, SHARE = of_values(0, 1, 2), of_values(0.5, 0.62, 0.93, 1)


@pytest.mark.parametrize(
    ("kind", "outputs", "task"),
    [
        (BINARY, {"p": NUMBER}, Task(BINARY, scores=("p",))),
        (BINARY, {"answer": CATEGORY}, Task(BINARY, "answer")),
        (REGRESSION, {"price": NUMBER}, Task(REGRESSION, "price")),
        (MULTICLASS, {"species": CATEGORY}, Task(MULTICLASS, "species")),
        (MULTICLASS, {"class": NUMBER}, Task(MULTICLASS, "class")),
        (MULTICLASS, {"a": NUMBER, "b": NUMBER}, Task(MULTICLASS, scores=("a", "b"))),
        # "1,0.93": a class, and how likely it is, or else the positive one
        (MULTICLASS, {"label": CODE, "p": SHARE}, Task(MULTICLASS, "label")),
        (BINARY, {"p": SHARE, "label": of_values(0, 1)}, Task(BINARY, "label")),
        (BINARY, {"answer": CATEGORY, "p": SHARE}, Task(BINARY, "answer")),
        (MULTICLASS, {"label": CODE, "a": SHARE, "b": SHARE}, Task(MULTICLASS, "label")),
        (BINARY, {"code": of_values(1, 2)}, Task(BINARY, "code")),
        (BINARY, {"flag": of_values(0, 1)}, Task(BINARY, scores=("flag",))),
        # margins; and a class that the baseline never gave a probability
        (
            MULTICLASS,
            {"a": of_values(-1.5, 3), "b": of_values(-2, 4.5)},
            Task(MULTICLASS, scores=("a", "b")),
        ),
        (
            MULTICLASS,
            {"a": of_values(0.25, 0.5), "b": of_values(0.5, 0.75), "c": of_values(0)},
            Task(MULTICLASS, scores=("a", "b", "c")),
        ),
    ],
)
def test_outputs_that_can_mean_one_thing_only(
    kind: str, outputs: dict[str, str | Field], task: Task
) -> None:
    assert Task.of(kind, baseline_of(**outputs)) == task


@pytest.mark.parametrize(
    ("kind", "outputs", "named", "problem"),
    [
        (BINARY, {}, {}, "the baseline has no outputs"),
        (BINARY, {"a": NUMBER, "b": NUMBER}, {}, "has a, b"),
        (REGRESSION, {"a": NUMBER, "b": NUMBER}, {}, "has a, b"),
        (MULTICLASS, {"a": NUMBER, "b": CATEGORY}, {}, "has a, b"),
        (MULTICLASS, {"label": of_values(1), "p": SHARE}, {}, "has label, p"),
        (MULTICLASS, {"a": CODE, "b": CODE}, {}, "has a, b"),
        (MULTICLASS, {"label": CODE, "odds": of_values(0.1, 7.5)}, {}, "has label, odds"),
        (BINARY, {"a": CATEGORY, "b": CATEGORY}, {}, "has a, b"),
        (BINARY, {"a": NUMBER}, {"prediction": "b"}, "no outputs of the baseline: b; it has a"),
    ],
)
def test_outputs_that_could_mean_anything_are_asked_for(
    kind: str, outputs: dict[str, str | Field], named: dict[str, Any], problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        Task.of(kind, baseline_of(**outputs), **named)


@pytest.mark.parametrize(
    ("made", "problems"),
    [
        ({"kind": "ranking"}, 2),
        ({"kind": BINARY, "scores": ("a", "b")}, 1),
        ({"kind": MULTICLASS, "scores": ("a",)}, 1),
        ({"kind": REGRESSION, "scores": ("a",)}, 1),
        ({"kind": MULTICLASS, "scores": ("a", "b"), "classes": ("x",)}, 1),
        ({"kind": MULTICLASS, "scores": ("a", "b"), "classes": ("x", "x")}, 1),
    ],
)
def test_a_task_that_does_not_go_together_is_refused(made: dict[str, Any], problems: int) -> None:
    with pytest.raises(InputError) as refused:
        Task(**made)
    assert len(refused.value.problems) == problems
