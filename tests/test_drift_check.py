"""A drift check: what it finds, what it says, and what bad input makes of it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift_fields import profiles
from mims.errors import InputError
from mims.governance.drift.check import (
    DRIFT,
    NONE,
    UNDECIDED,
    Finding,
    Limits,
    Measured,
    Part,
    Report,
    compare,
    judged,
    report,
)
from mims.governance.drift.text import text
from mims.governance.profiles.counting import Counter
from mims.governance.profiles.profile import CATEGORY, NUMBER, TEXT, Field, Profile

DRAW = np.random.default_rng(7)
AGES = DRAW.normal(40, 10, 5000)
LATER = DRAW.normal(40, 10, 2000)
TOWNS = np.array(["Rome", "Oslo", "Bern"], dtype=object)[DRAW.choice(3, 5000, p=[0.5, 0.3, 0.2])]
BEFORE = {"age": AGES, "town": TOWNS}


def checked(now: dict[str, Any], before: dict[str, Any] | None = None, **limits: Any) -> Report:
    """Check what was seen against a baseline."""
    before = {name: BEFORE[name] for name in now} if before is None else before
    return compare(*profiles(before, now), limits=Limits(**limits), subject="penguins")


def found(report: Report, test: str, name: str | None = None) -> Finding:
    (one,) = (f for f in report.findings if f.test == test and name in (None, f.name))
    return one


def test_what_stayed_is_quiet() -> None:
    made = checked({"age": LATER, "town": TOWNS[:2000]})
    assert made.verdict == NONE
    assert [(f.name, f.test) for f in made.findings] == [
        ("age", "distribution"),
        ("town", "distribution"),
        ("town", "new categories"),
    ]


def test_numbers_that_moved_are_told_with_their_moments() -> None:
    one = found(checked({"age": LATER + 8}), "distribution")
    assert one.drifted
    assert one.effect > one.limit == 0.2
    assert one.p is not None
    assert one.p < 1e-12
    assert one.said == "PSI 0.62: mean 47.86, was 39.81; standard deviation 9.885, was 9.937"


def test_categories_that_moved_are_told_the_most_first() -> None:
    now = np.array(["Rome"] * 300 + ["Oslo"] * 300 + ["Bern"] * 1400, dtype=object)
    one = found(checked({"town": now}), "distribution")
    assert one.drifted
    assert one.said.partition(": ")[2].startswith("'Bern' 70 %, was 2")


def test_a_field_that_vanished_is_said_to_have() -> None:
    made = checked({"age": np.full(2000, math.nan), "town": TOWNS[:2000]})
    one = found(made, "missing")
    assert one.drifted
    assert one.said == "vanished: missing in all of 2,000 records, was in 0 %"
    assert "age" not in {f.name for f in made.findings if f.test == "distribution"}


def test_a_column_that_is_not_there_any_more_vanished() -> None:
    baseline, _ = profiles(BEFORE, BEFORE)
    counter = Counter(baseline)
    counter.add_inputs(pa.table({"town": TOWNS[:2000].tolist(), "height": [1.7] * 2000}))
    made = compare(baseline, counter.profile(), extra=counter.extra)
    assert [(f.name, f.test) for f in made.findings if f.drifted] == [("age", "missing")]
    assert made.notes == ("not in the baseline, so not tested: height",)


@pytest.mark.parametrize("now", [6.0, 8.0, math.nextafter(7.0, 0)])
def test_a_constant_that_is_another_one_drifts(now: float) -> None:
    made = checked({"rate": np.full(2000, now)}, {"rate": np.full(5000, 7.0)})
    assert found(made, "distribution").drifted


def test_a_constant_that_stayed_is_quiet() -> None:
    made = checked({"rate": np.full(2000, 7.0)}, {"rate": np.full(5000, 7.0)})
    assert made.verdict == NONE
    assert found(made, "distribution").p == 1


def test_a_single_category_that_has_company_drifts() -> None:
    now = np.array(["EUR"] * 1500 + ["USD"] * 500, dtype=object)
    made = checked({"currency": now}, {"currency": np.array(["EUR"] * 4000, dtype=object)})
    assert {f.test for f in made.findings if f.drifted} == {"distribution", "new categories"}
    assert "'USD'" in found(made, "new categories").said


def test_infinite_numbers_are_invalid_and_counted() -> None:
    now = LATER.copy()
    now[:200] = np.inf
    one = found(checked({"age": now}), "invalid")
    assert one.drifted
    assert "(200 infinite)" in one.said


def test_values_that_never_were_there_before_count_against_what_is_rare() -> None:
    rare = np.array([f"id-{i}" for i in range(900)] + ["none"] * 100, dtype=object)
    now = np.array([f"new-{i}" for i in range(900)] + ["none"] * 100, dtype=object)
    made = checked({"note": now}, {"note": rare})
    assert made.verdict == NONE
    assert "90 % was to be expected" in found(made, "new categories").said


def test_categories_that_are_all_rare_are_told_to_be_untested() -> None:
    values = np.array([f"id-{i % 250}" for i in range(250)], dtype=object)
    made = checked({"note": values}, {"note": values})
    assert made.notes == (
        "the distribution of input 'note' is not tested: each of its 250 categories is too rare",
    )


def test_new_categories_of_a_baseline_that_lists_some_are_not_tested() -> None:
    before = Profile(1000, {"a": Field("a", CATEGORY, 1000, 0, categories={"x": 700}, others=300)})
    now = Profile(1000, {"a": Field("a", CATEGORY, 1000, 0, categories={"x": 200}, others=800)})
    made = compare(before, now)
    assert [(one.test, one.drifted) for one in made.findings] == [("distribution", True)]
    assert made.notes == (
        "new categories of input 'a' are not tested: the baseline does not list its own",
    )


def test_a_trifle_in_many_records_is_no_drift() -> None:
    now = DRAW.normal(40.5, 10, 500_000)
    one = found(checked({"age": now}), "distribution")
    assert one.p is not None
    assert one.p < 0.01
    assert not one.drifted


# What can't be tested.


def test_too_few_records_decide_nothing() -> None:
    made = checked({"age": LATER[:150] + 100})
    assert made.verdict == UNDECIDED
    assert made.findings == ()
    assert made.undecided == ("there are 150 records: fewer than 200, so no field is judged",)


def test_no_records_at_all_decide_nothing() -> None:
    baseline, _ = profiles(BEFORE, BEFORE)
    made = compare(baseline, Counter(baseline).profile())
    assert made.verdict == UNDECIDED
    assert json.dumps(made.to_json(), allow_nan=False)


def test_a_small_baseline_decides_nothing() -> None:
    made = checked({"age": LATER}, {"age": AGES[:100]})
    assert made.undecided == (
        "the baseline has 100 records: fewer than 200, so no field is judged",
    )


def test_a_field_with_few_values_is_noted() -> None:
    now = np.full(2000, math.nan)
    now[:150] = LATER[:150]
    before = np.full(5000, math.nan)
    before[:375] = AGES[:375]
    made = checked({"age": now}, {"age": before})
    assert made.notes == (
        "the distribution of input 'age' is not tested: 150 values now, 375 in the baseline",
    )


def test_outputs_that_were_not_captured_are_noted() -> None:
    inputs, _ = profiles(BEFORE, BEFORE)
    outputs, _ = profiles({"score": AGES}, {"score": AGES})
    baseline = replace(inputs, outputs=outputs.inputs)
    counter = Counter(baseline)
    counter.add_inputs(pa.table({"age": LATER, "town": TOWNS[:2000].tolist()}))
    made = compare(baseline, counter.profile())
    assert made.notes == ("outputs are not tested: there are 0 records of them",)
    assert made.verdict == NONE


def test_outputs_are_tested_like_inputs() -> None:
    pair = [
        Profile(one.records, {}, one.inputs)
        for one in profiles({"score": AGES}, {"score": LATER * 2})
    ]
    (one,) = compare(pair[0], pair[1]).findings
    assert (one.side, one.name, one.drifted) == ("output", "score", True)


def test_of_free_text_only_what_is_missing_is_tested() -> None:
    before = Profile(1000, {"note": Field("note", TEXT, 1000, 10)})
    now = Profile(1000, {"note": Field("note", TEXT, 1000, 400)})
    made = compare(before, now)
    (one,) = made.findings
    assert (one.test, one.drifted) == ("missing", True)
    assert made.notes == ("inputs of which only what is missing is tested: note",)


def test_counts_of_another_grid_are_refused() -> None:
    baseline, now = profiles(BEFORE, BEFORE)
    other = {**now.inputs, "age": replace(now.inputs["age"], edges=now.inputs["age"].edges[::-1])}
    del other["town"]
    with pytest.raises(InputError) as refused:
        compare(baseline, Profile(5000, other))
    assert refused.value.problems == (
        "input 'age': was not counted on the baseline's grid",
        "input 'town': was not counted on the baseline's grid",
    )


def test_a_baseline_of_model_monitor_works() -> None:
    """With ten buckets, as suggest_baseline writes them."""
    edges = np.quantile(AGES, np.linspace(0, 1, 11))
    counts = np.histogram(AGES, edges)[0]
    buckets = [
        {"lower_bound": low, "upper_bound": high, "count": float(n)}
        for low, high, n in zip(edges, edges[1:], counts, strict=False)
    ]
    common = {"num_present": 5000, "num_missing": 0}
    kll = {"kll": {"buckets": buckets}}
    number = {"common": common, "mean": 40.0, "std_dev": 10.0, "distribution": kll}
    feature = {"name": "age", "inferred_type": "Fractional", "numerical_statistics": number}
    baseline = Profile.from_json(
        {"version": 0.0, "dataset": {"item_count": 5000}, "features": [feature]}
    )
    for shift, verdict in ((0, NONE), (7, DRIFT)):
        counter = Counter(baseline)
        counter.add_inputs(pa.table({"age": LATER + shift}))
        assert compare(baseline, counter.profile()).verdict == verdict


COUNTS = st.lists(st.integers(0, 3000), min_size=5, max_size=5)


@settings(max_examples=150, deadline=None)
@given(COUNTS, COUNTS, st.integers(0, 500), st.integers(0, 500), st.integers(0, 300))
def test_no_counts_break_a_check(
    before: list[int], now: list[int], missing: int, others: int, invalid: int
) -> None:
    pair = []
    for counts, new in ((before, 0), (now, others)):
        records = sum(counts) + missing + invalid
        age = Field(
            *("age", NUMBER, records, missing, invalid),
            edges=(1.0, 2.0, 3.0, 4.0),
            counts=tuple(counts),
        )
        by_name = {f"c{i}": n for i, n in enumerate(counts)}
        town = Field(
            "town", CATEGORY, sum(counts) + missing + new, missing, categories=by_name, others=new
        )
        pair.append(Profile(max(age.records, town.records), {"age": age, "town": town}))
    made = compare(pair[0], pair[1])
    json.dumps(made.to_json(), allow_nan=False)
    assert text(made)
    for one in made.findings:
        assert one.p is not None
        assert 0 <= one.p <= 1
        assert one.effect >= 0
    if before == now and not others:
        assert made.verdict != DRIFT


# Limits, judging, and the report.


def test_all_wrong_limits_are_told() -> None:
    with pytest.raises(InputError) as refused:
        Limits(alpha=0, psi=math.nan, share=-1, change=math.inf, minimum=0)
    assert len(refused.value.problems) == 5


def test_a_field_drifts_only_where_chance_and_size_say_so() -> None:
    rows = [
        Measured("input", "both", "distribution", 0.3, 0.2, 1e-6, ""),
        Measured("input", "small", "distribution", 0.1, 0.2, 1e-6, ""),
        Measured("input", "chance", "distribution", 0.3, 0.2, 0.004, ""),  # times 4: not adjusted
        Measured("input", "at the limit", "distribution", 0.2, 0.2, 1e-6, ""),
        Measured("metric", "more", "change", 10.1, 10.0, None, ""),
        Measured("metric", "equal", "change", 10.0, 10.0, None, ""),
    ]
    made = {one.name: one for one in judged(rows, 0.003)}
    assert [name for name, one in made.items() if one.drifted] == ["both", "at the limit", "more"]
    assert made["both"].p == pytest.approx(4e-6)


@pytest.mark.parametrize(
    ("drifted", "undecided", "verdict"),
    [
        (True, (), DRIFT),
        (True, ("a metric has no data",), DRIFT),
        (False, ("a metric has no data",), UNDECIDED),
        (False, (), NONE),
        (None, (), UNDECIDED),  # nothing was tested at all
    ],
)
def test_the_verdict(drifted: bool | None, undecided: tuple[str, ...], verdict: str) -> None:
    rows = (
        () if drifted is None else (Measured("metric", "x", "change", 20 * drifted, 1, None, ""),)
    )
    part = Part(rows, (), undecided)
    assert report([part], Limits(), subject="e", source="").verdict == verdict


def test_parts_are_judged_as_one_check() -> None:
    own = Measured("performance", "accuracy", "change", 12.0, 10.0, 0.004, "")
    alone = report([Part((own,))], Limits(), subject="e", source="")
    pair = profiles(BEFORE, {"age": LATER, "town": TOWNS[:2000]})
    whole = compare(*pair, subject="e", parts=[Part((own,), ("labelled: some",))], notes=["first"])
    assert alone.verdict == DRIFT
    assert whole.verdict == NONE  # as one of four tests
    assert whole.notes == ("first", "labelled: some")


def test_the_json_has_what_it_says() -> None:
    infinite = Part((Measured("metric", "Errors", "change", math.inf, 10, None, "1, was 0"),))
    made = checked({"age": LATER + 8}).to_json()
    assert [*made] == [
        *("verdict", "subject", "baseline", "records", "limits", "findings"),
        *("undecided", "notes", "series"),
    ]
    assert [*made["findings"][0]] == [
        *("side", "name", "test", "effect", "limit", "p", "drifted", "said"),
    ]
    assert made["limits"] == {
        "alpha": 0.01,
        "psi": 0.2,
        "share": 0.05,
        "change": 10.0,
        "minimum": 200,
    }
    told = report([infinite], Limits(), subject="e", source="").to_json()
    assert json.loads(json.dumps(told, allow_nan=False))["findings"][0]["effect"] is None


def test_text_tells_what_drifted_first() -> None:
    made = checked({"age": LATER + 8, "town": TOWNS[:2000]})
    lines = text(replace(made, baseline="s3://b/k", notes=("one\x1b[31m",))).splitlines()
    assert lines[:2] == ["penguins: drift of 2,000 records", "baseline: s3://b/k"]
    assert "age" in lines[4]
    assert "distribution" in lines[4]
    assert lines[-2] == "quiet: 1 field, by 3 tests at alpha 0.01"
    assert lines[-1] == r"note: one\x1b[31m"


def test_text_of_a_quiet_check_is_short() -> None:
    assert text(checked({"age": LATER})).splitlines() == [
        "penguins: no drift of 2,000 records",
        "quiet: 1 field, by 1 test at alpha 0.01",
    ]


def test_text_tells_why_nothing_was_decided() -> None:
    assert text(checked({"age": LATER[:10]})).splitlines() == [
        "penguins: undecided of 10 records",
        "not decided: there are 10 records: fewer than 200, so no field is judged",
    ]
