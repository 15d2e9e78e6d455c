"""A drift report's page: what a reader sees of it, and that it stands alone, whatever is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import browser
from drift_reports import Records, baseline, compared, records, seen
from mims.governance.drift.check import Finding, Limits, Measured, Part, Report
from mims.governance.drift.page import page
from mims.governance.drift.plots import bars, histogram
from mims.governance.profiles.profile import CATEGORY, NUMBER, Field, Profile, below

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from browser import Read


def read(report: Report) -> Read:
    """Make the page of a report, and hold it to what every page is to be."""
    return browser.read(page(report))


def plots(found: Read) -> int:
    return len(labels(found))


def labels(found: Read) -> list[str | None]:
    return [attrs["aria-label"] for _, attrs in found.elements if attrs.get("class") == "plot"]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return baseline(tmp_path_factory.mktemp("baseline"))


def test_drift_comes_first_and_by_name(before: Profile) -> None:
    found = read(compared(before, records(3000, seed=2, shift=1.0)))
    assert found.text("verdict").startswith("Drift: country, age 3,000 records seen")
    assert "against a baseline of 4,000" in found.text("verdict")
    moved = found.text("moved")
    assert moved.index("country input") < moved.index("age input")  # the farthest first
    assert "age input PSI" in moved
    assert "country input" in moved
    assert "amount" not in moved
    assert "amount input" in found.text("quiet")
    assert "score answer" in found.text("quiet")


def test_a_field_that_moved_is_drawn(before: Profile) -> None:
    made = records(3000, seed=2, shift=1.0)
    found = read(compared(before, made))
    assert plots(found) == 3  # age; amount and score, small
    mean = float(np.mean(made.inputs["age"]))
    assert f"{mean:.3g} now" in str(labels(found)[0])
    # Of categories the shares are told, too.
    for share in ("US", "60.", "FR"):
        assert share in found.text("moved")


def test_no_drift(before: Profile) -> None:
    found = read(compared(before, records(3000, seed=2)))
    assert found.text("verdict").startswith("No drift 3,000 records seen")
    assert found.text("moved") == ""
    assert plots(found) == 3
    assert "quiet" in found.text("findings")


def test_too_few_records_are_no_verdict(before: Profile) -> None:
    found = read(compared(before, records(20, seed=2)))
    assert found.text("verdict").startswith("Undecided 20 records seen")
    assert "fewer than 200" in found.text("verdict")
    assert "What was seen so far" in found.text("quiet")


def test_nothing_was_seen(before: Profile) -> None:
    found = read(compared(before, records(0)))
    assert found.text("verdict").startswith("Undecided 0 records seen")
    assert plots(found) == 0


def test_metrics_alone() -> None:
    finding = Finding("metric", "ModelLatency", "change", 31, 10, None, True, "15 ms, was 11 ms")
    found = read(Report("endpoint fraud", "metrics.json", 0, (finding,)))
    assert found.text("verdict").startswith("Drift: ModelLatency")
    assert "15 ms, was 11 ms" in found.text("moved")


def test_notes_are_told(before: Profile) -> None:
    found = read(compared(before, records(3000, seed=2), notes=["7 lines are cut off"]))
    assert found.text("notes") == "Notes 7 lines are cut off"


def test_a_field_that_vanished(before: Profile) -> None:
    made = records(3000, seed=2)
    found = read(compared(before, Records(made.inputs.drop_columns(["age"]), made.outputs)))
    assert found.text("verdict").startswith("Drift: age")
    assert "vanished" in found.text("moved")


def test_an_infinite_effect(before: Profile) -> None:
    part = Part((Measured("metric", "Invocation5XXErrors", "change", float("inf"), 10, None, "x"),))
    found = read(compared(before, records(3000, seed=2), parts=[part]))
    assert "∞" in found.text("findings")


def test_the_same_report_is_the_same_page(before: Profile) -> None:
    report = compared(before, records(3000, seed=2, shift=1.0))
    assert page(report) == page(report)


# Hostile names

EVIL = "<script>alert(1)</script>"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (EVIL, EVIL),  # runs nothing, and is seen as what it is
        (
            "</svg></style><img src=x onerror=alert(1)>",
            "</svg></style><img src=x onerror=alert(1)>",
        ),
        ('" onload="alert(1)', '" onload="alert(1)'),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),  # a bidi mark would turn the text after it
        ("a\0b\x1b[31m", "a\\x00b\\x1b[31m"),
        ("two\nlines", "two\\nlines"),
        ("x" * 500, "x" * 79 + "…"),  # would push all else off the screen
        ("$\\frac{1}{0}$", "$\\frac{1}{0}$"),  # mathematics, to matplotlib
        ("年齢 😀", "年齢 😀"),
    ],
)
def test_a_hostile_name_is_shown(tmp_path: Path, name: str, shown: str) -> None:
    def renamed(made: Records) -> Records:
        table = made.inputs.rename_columns([name, "amount", "country"])
        places = pa.array([name if one == "FR" else one for one in table["country"].to_pylist()])
        return Records(table.set_column(2, "country", places), made.outputs)

    before = baseline(tmp_path, renamed(records(4000)))
    report = compared(before, renamed(records(3000, seed=2, shift=1.0)), subject=name, source=name)
    found = read(report)
    for part in ("header", "verdict", "moved", "findings"):
        assert shown in found.text(part)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(), min_size=1, max_size=4, unique=True), st.text(), st.data())
def test_any_text_anywhere(names: Sequence[str], said: str, data: st.DataObject) -> None:
    categories = data.draw(st.dictionaries(st.text(), st.integers(0, 9), max_size=12))
    total = sum(categories.values())
    fields = {
        name: Field(name, CATEGORY, total + at, at, categories=categories)
        for at, name in enumerate(names)
    }
    profile = Profile(total, fields)
    drifted = data.draw(st.booleans())
    findings = tuple(
        Finding("input", name, "distribution", 0.3, 0.2, 0.001, drifted, said) for name in names
    )
    read(Report(said, said, total, findings, (said,), (said,), Limits(), profile, profile))


# Size


@pytest.mark.slow
def test_hundreds_of_fields_make_no_endless_page() -> None:
    """The first are drawn, the rest are in the table."""
    counts = tuple([40] * 25)
    fields = {
        f"f{at}": Field(f"f{at}", NUMBER, 1000, 0, edges=tuple(range(24)), counts=counts, mean=0.5)
        for at in range(300)
    }
    profile = Profile(1000, fields)
    findings = tuple(
        Finding("input", name, "distribution", 0.3, 0.2, 0.001, int(name[1:]) % 2 == 0, "moved")
        for name in fields
    )
    report = Report("wide/1", "baseline.json", 1000, findings, before=profile, now=profile)
    found = read(report)
    assert plots(found) == 40 + 48
    assert "Drift: f0, f2, f4, f6, f8 and 145 more" in found.text("verdict")
    assert "110 more moved" in found.text("moved")
    assert "102 more fields stayed" in found.text("quiet")
    assert len(page(report)) < 1_500_000


# Plots


def number_field(edges: Sequence[float], counts: Sequence[int]) -> Field:
    return Field("x", NUMBER, sum(counts), 0, edges=tuple(edges), counts=tuple(counts))


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_bars_hold_every_record(data: st.DataObject) -> None:
    numbers = st.one_of(st.floats(-1e300, 1e300), st.integers(-50, 50).map(float))
    edges = sorted(data.draw(st.sets(numbers, min_size=0, max_size=60)))
    counts = st.lists(st.integers(0, 10**9), min_size=len(edges) + 1, max_size=len(edges) + 1)
    before, now = (number_field(edges, data.draw(counts)) for _ in range(2))
    shown = bars(before, now)
    for at, one, shares in ((0, before, shown.baseline), (1, now, shown.current)):
        total = shares.sum() + shown.below[at] + shown.above[at]
        assert total == pytest.approx(1.0 if one.numbers else 0.0, abs=1e-6)
        assert (shares >= -1e-9).all()
    assert len(shown.labels or shown.edges[1:]) == len(shown.baseline)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(st.floats(-1e308, 1e308), min_size=0, max_size=30), st.booleans())
def test_any_grid_can_be_drawn(found: set[float], small: bool) -> None:
    edges = sorted(found)
    one = number_field(edges, [1] * (len(edges) + 1))
    assert histogram(bars(one, one), small=small).startswith("<svg viewBox=")


def test_counts_are_named_by_themselves() -> None:
    edges = (below(0.0), 0.0, 1.0, 2.0)
    same = number_field(edges, (0, 5, 3, 2, 0))
    assert bars(same, same).labels == ("0", "1", "2")
    more = number_field(edges, (1, 5, 3, 2, 4))
    assert bars(same, more).labels == ("< 0", "0", "1", "2", "> 2")


def test_ranges_are_named_by_their_ends() -> None:
    edges = (below(0.5), 0.5, 2.5, 10.0)
    same = number_field(edges, (0, 5, 3, 2, 0))
    assert bars(same, same).labels == ("0.5", "0.5 to 2.5", "2.5 to 10")


def test_a_constant_has_one_bar() -> None:
    same = number_field((below(7.0), 7.0), (0, 9, 0))
    assert bars(same, same).labels == ("7",)


def test_a_long_tail_does_not_squeeze_the_rest(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    amounts = draw.lognormal(0, 2.5, 5000)
    made = Records(pa.table({"amount": amounts}), pa.table({"score": amounts}))
    profile = baseline(tmp_path, made)
    shown = bars(profile.inputs["amount"], seen(profile, made).inputs["amount"])
    assert shown.edges[-1] < np.quantile(amounts, 0.995)
    assert shown.above[0] == pytest.approx(0.01, abs=0.005)


def test_whole_numbers_make_no_comb(tmp_path: Path) -> None:
    ages = np.random.default_rng(3).integers(18, 95, 20000).astype(float)
    made = Records(pa.table({"age": ages}), pa.table({"score": ages}))
    profile = baseline(tmp_path, made)
    shown = bars(profile.inputs["age"], profile.inputs["age"])
    inner = shown.baseline[1:-1]
    assert inner.max() / inner.min() < 1.3
