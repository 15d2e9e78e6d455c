"""Captures of two variants joined with labels that come later: scores, and what was lost."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ab_cases import answer, captured, design, here, label, labels
from mims.errors import InputError
from mims.governance.ab.outcomes import outcomes
from mims.governance.ab.scoring import score
from mims.governance.captures.lines import Refused
from mims.governance.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client


def test_scores_come_in_the_order_in_which_they_became_known(tmp_path: Path) -> None:
    captured(tmp_path, 1, [answer("a", "0.9"), answer("b", "0.2"), answer("late", "0.7")], after=10)
    captured(tmp_path, 2, [answer("c", "0.8"), answer("nobody knows", "0.8")], after=10)
    # Its labels are there before it is written itself: it became known last of all.
    captured(tmp_path, 2, [answer("d", "0.1")], after=200, name="2")
    labels(tmp_path, [label("d", "1"), label("c", "0"), label("a", "1")], after=60, name="z")
    labels(tmp_path, [label("late", "1"), label("b", "1")], after=90, name="a")

    found = outcomes(here(tmp_path))

    assert found.scores.tolist() == [0, 1, 1, 0, 0]  # c, a, late, b, d
    assert found.challenger.tolist() == [True, False, False, False, True]
    assert found.captured == (3, 3)
    assert found.scored == (3, 2)
    assert found.unused == 0
    assert found.notes == ()


def test_what_is_of_another_time_or_variant_does_not_count(tmp_path: Path) -> None:
    captured(tmp_path, 1, [answer("before", after=-0.5), answer("at once", after=0)])
    captured(tmp_path, 3, [answer("other")])
    captured(tmp_path, 1, [answer("old", after=1)], after=-60, name="old")  # of a clock gone wrong
    events = ("before", "at once", "other", "old")
    labels(tmp_path, [label(event, "1") for event in events])
    labels(tmp_path, [label("at once", "0")], after=-60, name="old")

    found = outcomes(here(tmp_path))

    assert (found.captured, found.scored, found.unused) == ((1, 0), (1, 0), 3)
    assert found.scores.tolist() == [1]
    assert found.notes == (
        "nothing is captured of penguins-2 since 2026-03-02T14:00:00Z",
        (
            "3 of 4 labels without a captured request since the challenger's first answer, so far: "
            "a label names the InferenceId that the client sent, or the capture's eventId"
        ),
    )


def test_what_comes_twice_counts_once_or_not_at_all(tmp_path: Path) -> None:
    captured(tmp_path, 1, [answer("a", "0.9"), answer("a", "0.1"), answer("both")])
    captured(tmp_path, 2, [answer("both"), answer("c")])
    labels(tmp_path, [label("a", "1"), label("both", "1"), label("a", "0"), label("c", "1")])

    found = outcomes(here(tmp_path))

    assert found.scores.tolist() == [1, 1]
    assert found.scored == (1, 1)
    told = sorted(found.notes, key=lambda note: note.rpartition("line ")[2])
    assert len(told) == 3
    assert "penguins-1/2026/03/02/14/1.jsonl line 2" in "".join(told)
    assert "captured again of an event: the first counts" in "".join(told)
    assert "captured of an event that the other variant answered too: neither counts" in "".join(
        told
    )
    assert "labels/1.jsonl line 3" in "".join(told)
    assert "came again as a label of an event that has one: the first counts" in "".join(told)


def test_an_inference_id_joins_as_well_as_an_event_id(tmp_path: Path) -> None:
    captured(
        tmp_path, 1, [answer("x", inference_id="order 7"), answer("y", inference_id="order 8")]
    )
    captured(tmp_path, 2, [answer("z")])
    labels(tmp_path, [label("order 7", "1"), label("y", "1"), label("z", "0")])

    assert outcomes(here(tmp_path)).scores.tolist() == [1, 1, 0]


def test_the_split_begins_with_the_challengers_first_answer(tmp_path: Path) -> None:
    """The endpoint took twenty minutes to get there, and captured to the same place before."""
    before = [answer(f"old-{i}", after=i % 20) for i in range(500)]
    champion = [answer(f"a{i}", after=20 + i) for i in range(9)]
    captured(tmp_path, 1, [*before, *champion])
    captured(tmp_path, 2, [answer("b", after=20), answer("c", after=30)])
    labels(tmp_path, [label(name, "1") for name in ("old-7", "a0", "b", "c")])

    found = outcomes(here(tmp_path))

    assert found.captured == (9, 2)
    assert found.scored == (1, 2)
    assert found.captured_by_then == (8, 1)


def test_whatever_cannot_be_read_is_told_and_stops_nothing(tmp_path: Path) -> None:
    good = answer("a")
    captured(
        tmp_path,
        1,
        [
            good,
            "no JSON",
            answer("b", "1,2\n3,4"),
            answer("c", "{", encoding="JSON"),
            json.dumps({"captureData": {}, "eventMetadata": {"inferenceTime": "noon"}}),
            b"\xff",
        ],
    )
    path = captured(tmp_path, 2, [answer("d"), answer("e")])
    path.write_bytes(path.read_bytes()[:-20])  # an upload that broke off
    captured(tmp_path, 2, [], name="empty")
    said: list[Any] = [label(event, "1") for event in "abcde"]
    said += [
        "[]",
        label("f", "1", groundTruthData={"data": 1}),
        label("", "1"),
        label("g", "1\n0"),
        "",
        '{"a',
    ] * 2
    labels(tmp_path, said)

    found = outcomes(here(tmp_path))

    assert found.scored == (1, 1)
    assert found.captured == (3, 1)  # b and c as well: they are captured, and have no score
    told = "\n".join(found.notes)
    for part in (
        "capture: is no JSON",
        "capture: answers 2 records at once",
        "capture: said to be JSON is not",
        "capture: has no inferenceTime that can be read",
        "capture: is no UTF-8",
        "capture: cut off",
        "label: has no object groundTruthData",
        "label: has no groundTruthData.data, a text",
        "label: has no eventMetadata.eventId",
        "label: has 2 labels: an A/B's requests have one record each",
        "label: is no JSON",
    ):
        assert part in told


def test_nothing_there_yet_is_told(tmp_path: Path) -> None:
    found = outcomes(here(tmp_path))

    assert len(found.scores) == 0
    assert found.captured == found.scored == found.captured_by_then == (0, 0)
    assert [note.split(" since")[0] for note in found.notes] == [
        "nothing is captured of penguins-1",
        "nothing is captured of penguins-2",
        f"no labels came to {tmp_path}/labels",
    ]


def test_a_shadow_gives_pairs(tmp_path: Path) -> None:
    def both(number: int, outputs: str) -> list[str]:
        ids = zip("abc", outputs.split(), strict=True)
        return [answer(f"{n}{number}", out, inference_id=n) for n, out in ids]

    not_copied = answer("alone", inference_id="d")
    captured(tmp_path, 1, [*both(1, "0.9 0.2 0.7"), not_copied])
    captured(tmp_path, 2, both(2, "0.8 0.7 0.1"))
    labels(tmp_path, [label(event, "1") for event in "abcd"])

    found = outcomes(here(tmp_path, shadow=True))

    assert found.scores.tolist() == [0, 1, -1]
    assert found.scored == (3, 3)
    assert found.notes == ()


@pytest.mark.parametrize("pairs", [0, 20])
def test_a_shadow_needs_an_id_that_both_variants_see(tmp_path: Path, pairs: int) -> None:
    """Half of the requests are copied; of far more than the other half there is one capture."""
    seen = [f"r{at}" for at in range(pairs)]
    captured(
        *(tmp_path, 1),
        [answer(f"1{n}", inference_id=n) for n in seen] + [answer(f"e{at}") for at in range(80)],
    )
    captured(tmp_path, 2, [answer(f"2{n}", inference_id=n) for n in [*seen, "other"]])
    labels(tmp_path, [label(n, "1") for n in seen + [f"e{at}" for at in range(80)]])

    (note,) = outcomes(here(tmp_path, shadow=True)).notes

    assert note.startswith("80 labels of one variant alone: a shadow's copy has another eventId")
    assert note.endswith("clients must send an InferenceId, and the label must name it")


def test_what_is_not_written_yet_is_not_taken_for_lost(tmp_path: Path) -> None:
    """The challenger's file of the last minutes is still to come; later it counts as lost."""
    first = [answer(f"a{n}", after=n) for n in range(90)]
    captured(tmp_path, 1, first, after=90)
    captured(tmp_path, 2, [answer(f"b{n}", after=n) for n in range(40)], after=40)
    labels(tmp_path, [label(f"{who}{n}", "1") for who in "ab" for n in range(90)])

    found = outcomes(here(tmp_path))

    assert found.captured == (90, 40)
    assert found.captured_by_then == found.scored_by_then == (39, 39)

    captured(tmp_path, 1, [answer(f"c{n}", after=n) for n in range(90, 300)], after=300, name="2")
    assert outcomes(here(tmp_path)).captured_by_then == (239, 40)


def test_in_s3(s3: S3Client, bucket: str, tmp_path: Path) -> None:
    captured(tmp_path, 1, [answer("a"), answer("b", "0.1")])
    captured(tmp_path, 2, [answer("c")])
    labels(tmp_path, [label(event, "1") for event in "abc"])
    s3.put_object(Bucket=bucket, Key="labels/_SUCCESS", Body=b"x")
    s3.put_object(Bucket=bucket, Key="labels-of-others/1.jsonl", Body=b"x")
    for path in tmp_path.rglob("*.jsonl"):
        key = path.relative_to(tmp_path).as_posix()
        s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())

    found = outcomes(design(), Registry("us-west-2"))

    assert found.scores.tolist() == [1, 0, 1]
    assert (found.captured, found.scored, found.notes) == ((2, 1), (2, 1), ())


def test_s3_needs_a_region() -> None:
    with pytest.raises(InputError, match=r"^s3://mims-models/labels: must be .* --region$"):
        outcomes(design())


@pytest.mark.parametrize(
    ("by", "response", "kind", "text", "expected"),
    [
        ("correct", "0.5\n", "CSV", "1", 1),
        ("correct", "0.49", "CSV", "1", 0),
        ("correct", "0.49", "CSV", "0.0", 1),
        ("correct", "1", "CSV", "2", 0),  # a class, of three
        ("correct", "2.0", "CSV", "2", 1),
        ("correct", "Gentoo", "CSV", "Gentoo", 1),
        ("correct", '"Gentoo, big"', "CSV", "Gentoo", 0),
        ("correct", "nan", "CSV", "1", 0),  # an answer that is none is wrong
        ("correct", "0.1,0.2,0.7", "CSV", "2", 1),
        ("correct", "0.1,nan,0.7", "CSV", "2", 0),
        ("correct", "[0.1, 0.2, 0.7]", "JSON", "1", 0),
        ("correct", '{"predictions": [[0.1, 0.9]]}', "JSON", "1", 1),
        ("correct", '{"predictions": [{"score": 0.2, "predicted_label": 1}]}', "JSON", "1", 1),
        ("correct", "true", "JSON", "1", 1),
        ("correct", '{"species": "Gentoo"}', "JSON", "Gentoo", 1),
        ("correct", "heavy,0.93", "CSV", "heavy", 1),  # as docker/train's model answers
        ("correct", "heavy,0.93", "CSV", "light", 0),
        ("correct", "1,0.93", "CSV", "1", 1),  # a class by its number, and its probability
        ("correct", "0,1.0", "CSV", "0", 1),
        ("correct", "[2, 0.61]", "JSON", "1", 0),
        ("correct", "0.07,0.93", "CSV", "1", 1),  # two scores
        ("correct", "0,1", "CSV", "1", 1),
        ("correct", '{"predictions": [{"weight_class": "heavy", "p": 0.9}]}', "JSON", "heavy", 1),
        ("error", "2.5", "CSV", "3", -0.5),
        ("error", '{"predictions": [4.5]}', "JSON", "3", -1.5),
        ("label", "whatever", "CSV", "12.5", 12.5),
    ],
)
def test_scores(by: str, response: str, kind: str, text: str, expected: float) -> None:
    assert score(by, response, kind, text) == expected


@pytest.mark.parametrize(
    ("by", "response", "kind", "text", "said"),
    [
        ("label", "", "CSV", "inf", "has a label that is no number"),
        ("error", "nan", "CSV", "1", "has a prediction that is no number"),
        ("error", "1,2", "CSV", "1", "has 2 values, where one was to be predicted"),
        ("correct", "", "CSV", "1", "has no data"),
        ("correct", "null", "JSON", "1", "has no data"),
        ("correct", "Gentoo,Adelie,0.1", "CSV", "Gentoo", "has 2 values that are no numbers"),
        ("correct", '{"a": "Gentoo", "b": "Adelie"}', "JSON", "Gentoo", "is an object without any"),
        ("correct", "0.1,0.9", "CSV", "Gentoo", "its label is no position of one"),
        ("correct", "0.1,0.9", "CSV", "2", "its label is no position of one"),
        ("correct", "[[1], [2]]", "JSON", "1", "answers 2 records at once"),
        ("correct", '{"a": 1, "b": 2}', "JSON", "1", "is an object without any of predictions"),
    ],
)
def test_no_score(by: str, response: str, kind: str, text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        score(by, response, kind, text)


@settings(max_examples=150, deadline=None)
@given(
    by=st.sampled_from(["correct", "label", "error"]),
    response=st.one_of(
        st.text(),
        st.recursive(
            st.none() | st.floats() | st.text(),
            lambda inside: (
                st.lists(inside) | st.dictionaries(st.sampled_from(["predictions", "a"]), inside)
            ),
        ).map(json.dumps),
    ),
    kind=st.sampled_from(["CSV", "JSON"]),
    text=st.one_of(st.text(), st.floats().map(str)),
)
def test_any_answer_has_a_finite_score_or_none(
    by: str, response: str, kind: str, text: str
) -> None:
    with suppress(Refused):
        assert math.isfinite(score(by, response, kind, text))
