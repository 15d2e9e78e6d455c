"""What data look like: counted exactly, in any portions, and the same whatever it is stored as."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift_data import birds, profile_of
from mims.errors import InputError
from mims.governance.profiles.counting import BLOCK, Counter, ExactSum
from mims.governance.profiles.profile import CATEGORY, NUMBER, TEXT, Field, Profile, below

if TYPE_CHECKING:
    from pathlib import Path

RANDOM = np.random.default_rng(7)
VALUES = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-(2**60), 2**60),
    st.sampled_from(["", " ", "NA", "nan", "-NaN", "null", "None", "inf", "-Infinity", "1_0"]),
    st.sampled_from(
        ["1", "+1", " 1.5 ", ".5", "5.", "1e400", "-0", "0x1", "x", "1e", "e1", "\uff11"]
    ),
)


def field(name: str = "x", **given: Any) -> Field:
    return Field(name, NUMBER, 0, 0, **given)


def counted(baseline: Field, *portions: Any) -> Field:
    counter = Counter(Profile(0, {baseline.name: baseline}))
    for portion in portions:
        counter.add_inputs(pa.table({baseline.name: portion}))
    return counter.profile().inputs[baseline.name]


# Numbers


def test_numbers_are_counted_as_numpy_does(tmp_path: Path) -> None:
    values = RANDOM.gamma(2, 1e3, 200_000)
    values[::11] = np.nan
    one = profile_of(tmp_path, pa.table({"x": values})).inputs["x"]
    there = values[~np.isnan(values)]
    assert (one.kind, one.records, one.missing) == (NUMBER, 200_000, np.isnan(values).sum())
    assert (one.low, one.high) == (there.min(), there.max())
    assert one.mean == pytest.approx(there.mean(), rel=1e-12)
    assert one.deviation == pytest.approx(there.std(), rel=1e-12)
    assert one.counts == tuple(
        np.histogram(np.searchsorted(one.edges, there), np.arange(len(one.edges) + 2))[0]
    )


def test_edges_are_quantiles(tmp_path: Path) -> None:
    one = profile_of(tmp_path, pa.table({"x": RANDOM.lognormal(0, 3, 150_000)})).inputs["x"]
    assert len(one.edges) in (499, 500)
    assert (one.counts[0], one.counts[-1]) == (0, 0)  # nothing is below the lowest
    assert one.edges[-1] == one.high
    assert one.edges[0] == below(one.low or 0)
    inner = np.array(one.counts[1:-2])
    assert abs(inner / 150_000 * 498 - 1).max() < 0.35  # of a sample of 100,000


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        ([5, 5, 5], [below(5), 5], [0, 3, 0]),  # constant
        ([0, 1, 1, None], [below(0), 0, 1], [0, 1, 2, 0]),  # a flag
        ([-0.0, 0.0, 2.5], [below(0), 0, 2.5], [0, 2, 1, 0]),
        ([math.inf, -1.0], [below(-1), -1], [0, 1, 0]),
        ([1.7976931348623157e308, -1.7976931348623157e308], None, [1, 1, 0]),
    ],
)
def test_few_values_are_the_edges(
    tmp_path: Path, values: list[Any], edges: list[float] | None, counts: list[int]
) -> None:
    one = profile_of(tmp_path, pa.table({"x": values})).inputs["x"]
    assert edges is None or one.edges == tuple(edges)
    assert one.counts == tuple(counts)


def test_less_than_a_constant_is_seen() -> None:
    constant = field(edges=(below(5), 5.0), counts=(0, 3, 0))
    assert counted(constant, [4.0, 5.0, 6.0, 6.0]).counts == (1, 1, 2)


def test_what_is_no_number_is_told() -> None:
    texts = ["1", "", None, "NA", "nan", "inf", "-inf", "x", "y" * 100, " 2 "]
    one = counted(field(edges=(1.0,), counts=(0, 0)), texts, [math.nan, math.inf], [True, None])
    assert (one.records, one.missing, one.invalid, one.infinite) == (14, 6, 6, 3)
    assert (one.counts, one.numbers, one.present) == ((1, 1), 2, 8)
    assert one.examples == ("true", "x", "y" * 60)


def test_a_nested_value_is_no_number() -> None:
    one = counted(field(counts=(0,)), [[1], None, [2]])
    assert (one.missing, one.invalid) == (1, 2)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1"] * 95 + ["x"] * 5, NUMBER),
        (["1"] * 94 + ["x"] * 6, CATEGORY),
        (["1"] + ["NA"] * 9, NUMBER),  # of its values, 100 %
        (["inf", "inf"], CATEGORY),  # of which no edge can be made
        ([None, None], TEXT),
        (["", "NA"], TEXT),
        ([f"{number}!" for number in range(1000)], CATEGORY),
        ([f"{number}!" for number in range(1001)], TEXT),
        (["a" * 200], CATEGORY),
        (["a" * 201], TEXT),
        ([{"a": 1}, None], TEXT),
        ([True, False], CATEGORY),
        ([b"1"], TEXT),
    ],
)
def test_kinds(tmp_path: Path, values: list[Any], kind: str) -> None:
    assert profile_of(tmp_path, pa.table({"x": values})).inputs["x"].kind == kind


# Categories


def test_categories_are_counted_as_pandas_does(tmp_path: Path) -> None:
    data = birds()
    profile = profile_of(tmp_path, pa.Table.from_pandas(data))
    for name in ("species", "island", "sex", "clutch_completion"):
        known = data[name].replace("NA", None)
        one = profile.inputs[name]
        assert (one.kind, one.missing) == (CATEGORY, known.isna().sum())
        assert one.categories == known.value_counts().to_dict()
    for name in ("culmen_length_mm", "delta_13_c"):
        numbers = pd.to_numeric(data[name], errors="coerce")
        one = profile.inputs[name]
        assert (one.kind, one.missing) == (NUMBER, numbers.isna().sum())
        assert one.mean == pytest.approx(numbers.mean())
        assert one.deviation == pytest.approx(numbers.std(ddof=0))
        assert one.edges[1:] == tuple(sorted(numbers.dropna().unique()))


def test_new_categories_are_others() -> None:
    known = Field("x", CATEGORY, 3, 0, categories={"a": 2, "b": 1})
    one = counted(known, ["a", "c", None, "d"], ["c", "NA", ""], [1.5, 2.0], [[1], None])
    assert (one.categories, one.others, one.missing) == ({"a": 1, "b": 0}, 6, 4)
    assert one.examples == ("1.5", "2", "c", "d")
    assert known.singles == 1


@pytest.mark.parametrize(
    ("column", "label"),
    [
        (pa.array([1], pa.int8()), "1"),
        (pa.array([1.0]), "1"),  # a block of JSON may have it among fractions
        (pa.array(["1"]).dictionary_encode(), "1"),
        (pa.array([True]), "true"),
        (pa.array(["True"]), "true"),  # as Python writes it
        (pa.array([1e300]), "1e+300"),
    ],
)
def test_a_label_is_the_same_whatever_its_type(column: Any, label: str) -> None:
    known = Field("x", CATEGORY, 1, 0, categories={label: 1})
    assert counted(known, column).categories == {label: 1}


def test_of_texts_only_missing_ones_are_counted() -> None:
    text = Field("x", TEXT, 1, 0)
    one = counted(text, ["a", "", None, " ", "n/a"], [1.5, None, math.nan], [[1], None])
    assert (one.records, one.missing) == (10, 7)


# Columns that come and go


def test_absent_and_unknown_columns() -> None:
    baseline = Profile(2, {"a": field("a", counts=(0,))}, {"score": field("score", counts=(0,))})
    counter = Counter(baseline)
    counter.add_inputs(pa.table({"b": [1, 2]}))
    counter.add_inputs(pa.table({"a": [3.0], "b": [1]}))
    counter.add_outputs(pa.table({"score": [1.0, 2.0, 3.0, None]}))
    profile = counter.profile()
    assert (profile.records, counter.extra) == (4, {"b": 3})
    assert (profile.inputs["a"].missing, profile.inputs["a"].records) == (2, 3)
    assert profile.outputs["score"].missing == 1


def test_nothing_counted() -> None:
    one = counted(field(edges=(1.0,), counts=(1, 2), mean=3.0))
    assert (one.records, one.counts, one.mean, one.low) == (0, (0, 0), None, None)


# Any portions


@given(st.lists(VALUES, min_size=1, max_size=60), st.data())
def test_portions_make_no_difference(values: list[Any], data: st.DataObject) -> None:
    texts = pa.array([None if value is None else str(value) for value in values])
    cuts = sorted(data.draw(st.sets(st.integers(0, len(values)), max_size=5)))
    bounds = [*zip([0, *cuts], [*cuts, len(values)], strict=True)]
    numbers = field(edges=(-1.0, 0.0, 1.0, 1e10), counts=(0,) * 5, mean=0.3)
    labels = Field("y", CATEGORY, 0, 0, categories={"1": 0, "x": 0})
    baseline = Profile(0, {"x": numbers, "y": labels, "z": Field("z", TEXT, 0, 0)})
    table = pa.table({"x": texts, "y": texts, "z": texts})
    whole, parts, merged = Counter(baseline), Counter(baseline), Counter(baseline)
    whole.add_inputs(table)
    for start, end in bounds:
        parts.add_inputs(table.slice(start, end - start))
        one = Counter(baseline)
        one.add_inputs(table.slice(start, end - start))
        one.merge(merged)  # in another order
        merged = one
    assert whole.profile() == parts.profile() == merged.profile()
    assert Profile.from_json(json.loads(json.dumps(whole.profile().to_json()))) == whole.profile()


@given(st.lists(VALUES.filter(lambda value: not isinstance(value, int)), max_size=40))
def test_a_number_is_the_same_as_its_text(values: list[Any]) -> None:
    """Column by column as by value: what Arrow reads at once, and what is looked at with care."""
    baseline = field(edges=(-1.0, 0.0, 1.0, 1e10), counts=(0,) * 5)
    texts = [None if value is None else str(value) for value in values]
    together = counted(baseline, pa.array(texts, pa.string()))
    alone = counted(baseline, *(pa.array([text], pa.string()) for text in texts))
    assert together == alone
    floats = [value for value in values if isinstance(value, float)]
    as_texts = pa.array([str(value) for value in floats], pa.string())
    assert counted(baseline, pa.array(floats, pa.float64())) == counted(baseline, as_texts)


def test_threads_and_blocks_make_no_difference() -> None:
    table = pa.table({f"x{n}": RANDOM.normal(n, 1, 2 * BLOCK + 17) for n in range(3)})
    baseline = Profile(
        0, {n: field(n, edges=(0.0, 1.0), counts=(0, 0, 0)) for n in table.schema.names}
    )
    one, several = Counter(baseline, threads=1), Counter(baseline, threads=3)
    one.add_inputs(table)
    several.add_inputs(table)
    assert one.profile() == several.profile()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30))
def test_sums_are_exact(values: list[float]) -> None:
    total = ExactSum()
    for value in values:
        total.add(np.array([value]))
    assert total.value is not None
    try:
        assert float(total.value) == math.fsum(values)
    except OverflowError:
        assert abs(total.value) > 2**1000


def test_moments_that_overflow_are_none() -> None:
    one = counted(field(counts=(0,)), [1e200, -1e200, 1e308, 1e308])
    assert (one.deviation, one.mean) == (None, 5e307)
    json.dumps(one.mean)


# Baselines


def test_the_same_data_are_the_same_baseline(tmp_path: Path) -> None:
    table = pa.table({"x": RANDOM.normal(size=120_000), "c": RANDOM.choice(["a", "b"], 120_000)})
    first, second = (profile_of(tmp_path, table, form="parquet") for _ in range(2))
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())


def test_it_matters_not_what_data_are_stored_as(tmp_path: Path) -> None:
    table = pa.table(
        {
            "x": RANDOM.normal(size=120_000),  # more than the sample, and several blocks
            "few": RANDOM.integers(0, 9, 120_000),
            "big": RANDOM.integers(-(2**60), 2**60, 120_000),
            "c": RANDOM.choice(["a", 'ü, "q"', "2024-01-01", ""], 120_000),
            "flag": RANDOM.choice([True, False], 120_000),
            "t": [f"t{number}" for number in range(120_000)],
            "gone": pa.array([None, 1.5, 2.5] * 40_000),
        }
    )
    csv, jsonl, parquet = (
        profile_of(tmp_path, table, form=form) for form in ("csv", "jsonl", "parquet")
    )
    assert csv.inputs == jsonl.inputs == parquet.inputs
    assert csv.records == jsonl.records == parquet.records


@given(
    st.lists(st.tuples(VALUES, st.sampled_from(["a", "b", None, "True"])), min_size=1, max_size=40)
)
def test_any_table_is_the_same_in_csv_and_json(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    table = pa.table(
        {
            "x": pa.array([None if x is None else str(x) for x, _ in rows], pa.string()),
            "y": pa.array([y for _, y in rows], pa.string()),
            "z": pa.array([float(n) for n in range(len(rows))]),
        }
    )
    profiles = [profile_of(folder, table, form=form) for form in ("csv", "jsonl", "parquet")]
    assert profiles[0].inputs == profiles[1].inputs == profiles[2].inputs


def test_outputs_and_columns_left_out(tmp_path: Path) -> None:
    table = pa.table({"x": [1.0, 2.0], "label": [0, 1]})
    predictions = pa.table({"score": [0.1, 0.9, 0.5]})
    profile = profile_of(tmp_path, table, predictions, leave_out=["label"])
    assert (profile.records, [*profile.inputs], [*profile.outputs]) == (2, ["x"], ["score"])
    assert profile.outputs["score"].records == 3
    assert profile.source["outputs"]["files"] == 1
    again = Profile.from_json(json.loads(json.dumps(profile.to_json())))
    assert again == profile


@pytest.mark.parametrize(
    ("table", "leave_out", "problem"),
    [
        (pa.table({"x": [1.0]}), ["y"], "no column is named y: there are x"),
        (pa.table({"label": [1.0]}), ["lable"], "no column is named lable: did you mean label?"),
        (pa.table({"x": [1.0]}), ["x"], "has no column to watch"),
        (pa.table({"x": pa.array([], pa.float64())}), [], "has no records"),
    ],
)
def test_nothing_to_make_a_baseline_of(
    tmp_path: Path, table: pa.Table, leave_out: list[str], problem: str
) -> None:
    with pytest.raises(InputError, match=problem.replace("?", r"\?")):
        profile_of(tmp_path, table, leave_out=leave_out)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    empty = pa.table({"score": pa.array([], pa.float64())})
    with pytest.raises(InputError) as caught:
        profile_of(tmp_path, pa.table({"x": [1.0]}), empty, leave_out=["x", "y"])
    assert len(caught.value.problems) == 3


# As JSON

MONITOR: dict[str, Any] = {  # as Model Monitor's suggest_baseline writes it, cut down
    "version": 0.0,
    "dataset": {"item_count": 2333},
    "features": [
        {
            "name": "Churn",
            "inferred_type": "Integral",
            "numerical_statistics": {
                "common": {"num_present": 2333, "num_missing": 0},
                "mean": 0.13930561508786969,
                "sum": 325.0,
                "std_dev": 0.3462656241185747,
                "min": 0.0,
                "max": 1.0,
                "distribution": {
                    "kll": {
                        "buckets": [
                            {"lower_bound": 0.0, "upper_bound": 0.5, "count": 2008.0},
                            {"lower_bound": 0.5, "upper_bound": 1.0, "count": 325.0},
                        ],
                        "sketch": {"parameters": {"c": 0.64, "k": 2048.0}, "data": [[0.0]]},
                    }
                },
            },
        },
        {
            "name": "State",
            "inferred_type": "String",
            "string_statistics": {
                "common": {"num_present": 2330, "num_missing": 3},
                "distinct_count": 2.0,
                "distribution": {
                    "categorical": {
                        "buckets": [{"value": "VA", "count": 2000}, {"value": "WV", "count": 330}]
                    }
                },
            },
        },
        {
            "name": "Phone",
            "inferred_type": "String",
            "string_statistics": {"common": {"num_present": 2333, "num_missing": 0}},
        },
        {"name": "Nothing", "inferred_type": "Unknown"},
    ],
}


def test_what_model_monitor_has_made_is_read() -> None:
    profile = Profile.from_json(MONITOR)
    churn, state, phone, nothing = profile.inputs.values()
    assert profile.records == 2333
    assert (churn.edges, churn.counts) == ((below(0), below(0.5), 1.0), (0, 2008, 325, 0))
    assert (churn.mean, churn.low, churn.high) == (0.13930561508786969, 0.0, 1.0)
    assert (state.categories, state.missing) == ({"VA": 2000, "WV": 330}, 3)
    assert (phone.kind, nothing.kind, profile.outputs) == (TEXT, TEXT, {})
    counter = Counter(profile)
    counter.add_inputs(pa.table({"Churn": [0, 1], "State": ["VA", "NY"]}))
    assert counter.profile().inputs["Churn"].counts == (0, 1, 1, 0)
    assert counter.profile().inputs["State"].others == 1


def test_a_whole_number_on_a_bound_of_model_monitor_lies_where_it_counted_it() -> None:
    """Its buckets hold lower <= x < upper: counted otherwise, the very same data would drift."""
    counts = [100, 100, 100, 100, 100, 100, 100, 100, 100, 200]  # 0 to 10, in ten buckets
    buckets = [
        {"lower_bound": float(at), "upper_bound": at + 1.0, "count": float(count)}
        for at, count in enumerate(counts)
    ]
    told = {"common": {"num_missing": 0}, "distribution": {"kll": {"buckets": buckets}}}
    feature = {"name": "n", "inferred_type": "Integral", "numerical_statistics": told}
    made = Profile.from_json({"dataset": {"item_count": 1100}, "features": [feature]})
    counter = Counter(made)
    counter.add_inputs(pa.table({"n": [*range(11)] * 100}))
    assert counter.profile().inputs["n"].counts == made.inputs["n"].counts


def test_model_monitor_can_read_it(tmp_path: Path) -> None:
    """What it reads of a statistics.json, in its shape, and without our own part."""
    data = pa.Table.from_pandas(birds())
    profile = profile_of(tmp_path, data)
    report = profile.to_json()
    del report["mims"]
    theirs = Profile.from_json(json.loads(json.dumps(report, allow_nan=False)))
    for name, one in profile.inputs.items():
        other = theirs.inputs[name]
        assert (other.kind, other.missing, other.mean) == (one.kind, one.missing, one.mean)
        assert sum(other.counts) == sum(one.counts)
        assert len(other.counts) <= 12
        assert other.categories == one.categories
        # A bucket's records are those between its bounds.
        for edge, count in zip(other.edges, np.cumsum(other.counts), strict=False):
            assert count == sum(one.counts[: np.searchsorted(one.edges, edge) + 1])


OURS = Profile(
    3,
    {
        "x": Field("x", NUMBER, 3, 1, edges=(1.0, 2.0), counts=(0, 1, 1), mean=1.5),
        "c": Field("c", CATEGORY, 3, 0, categories={"a": 3}),
    },
).to_json()


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (["mims", "format"], 2, "its format is 2, and this version reads 1"),
        (["mims", "inputs", 0, "edges"], [2, 1], "'x': its edges don't ascend"),
        (["mims", "inputs", 0, "edges"], [1], "'x' has 1 edges and 3 counts"),
        (["mims", "inputs", 0, "counts"], [0, 1, 2], "'x': 4 counted, of 3 records"),
        (["mims", "inputs", 0, "counts"], [0, 1, -1], "-1 must be a count"),
        (["mims", "inputs", 0, "counts"], [0, 1, "1"], "'1' must be a count"),
        (["mims", "inputs", 0, "mean"], math.inf, "inf must be a finite number"),
        (["mims", "inputs", 0, "kind"], "colour", "'x' is of kind 'colour'"),
        (["mims", "inputs", 1, "name"], "x", "'x' is there twice"),
        (["mims", "inputs", 1, "name"], 7, "7 must be a text"),
        (["mims", "inputs"], None, "not iterable"),
        (["mims"], [], "list indices"),
    ],
)
def test_what_is_no_baseline_is_refused(path: list[Any], value: Any, problem: str) -> None:
    report = json.loads(json.dumps(OURS))
    place = report
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InputError, match=problem):
        Profile.from_json(report, "b.json")


@pytest.mark.parametrize("report", [{}, [], None, "x", 3, {"dataset": {}}, {"accuracy": 0.9}])
def test_another_report_is_no_baseline(report: Any) -> None:
    with pytest.raises(InputError, match=r"b\.json: is no baseline"):
        Profile.from_json(report, "b.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.data(), JSON)
def test_any_damage_is_an_input_error(data: st.DataObject, value: Any) -> None:
    report = json.loads(json.dumps(data.draw(st.sampled_from([OURS, MONITOR]))))
    place: Any = report
    while True:
        keys = [*place] if isinstance(place, dict) else [*range(len(place))]
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = value
            break
        place = place[key]
    with suppress(InputError):
        Profile.from_json(report)
