"""An A/B's page: what it says, that it stands alone, that nothing in it is markup of others."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ab_looks import a_look
from browser import read
from mims.governance.ab.page import page
from mims.governance.ab.watching import report

# How an A/B stands, and what the page says first.
STATES = {
    "better": ({}, "The challenger is better"),
    "worse": ({"challenger": 0.8}, "The champion is better"),
    "running": ({"records": 3000, "challenger": 0.9}, "Nothing is decided yet"),
    "nothing": ({"records": 0}, "Nothing is decided yet"),
    "end": ({"records": 4000, "challenger": 0.905, "most": 4000}, "It ended without a decision"),
    "same": ({"records": 200_000, "challenger": 0.9}, "There is no difference worth having"),
    "guardrail": ({"breaches": ("errors: many",)}, "A guardrail is breached"),
}


@pytest.mark.parametrize(("look", "words"), STATES.values(), ids=STATES)
def test_the_verdict_stands_in_words(look: dict[str, float], words: str) -> None:
    html = page(a_look(**look))  # type: ignore[arg-type]

    text = read(html).text()
    assert words in text
    assert "fraud/2 against fraud/1" in text
    for part in ("traffic 70.0%", "traffic 30.0%", "Guardrails", "Smallest difference"):
        assert part in text
    assert html == page(a_look(**look))  # type: ignore[arg-type]


def test_the_difference_is_told_and_drawn() -> None:
    text = read(page(a_look())).text()

    assert re.search(
        r"mean score is \+3\.\d\d percentage points .* 95% confidence, at any time, between "
        r"\+\d\.\d\d percentage points and \+\d\.\d\d",
        text,
    )
    assert text.count("labelled records of both variants") == 2  # an axis each
    assert "p-value" in text
    assert "13,995" in text


def test_nothing_is_drawn_of_nothing() -> None:
    html = page(a_look(records=0))

    assert "<svg" not in html
    assert "Too few records have labels" in html


def test_scores_of_another_kind_have_their_own_unit() -> None:
    text = read(page(a_look(score="error", smallest=0.05))).text()

    assert "percentage" not in text
    assert "mean score is +0.03" in text


def test_what_others_wrote_is_text() -> None:
    html = page(
        a_look(group="<b>x</b>", notes=('<script>alert("x")</script>', "a\u202eb"), records=100)
    )

    text = read(html).text()  # whatever tags it has are ours
    assert "<b>x</b>/2" in text
    assert '<script>alert("x")</script>' in text
    assert "\u202e" not in html


def test_plots_take_the_colours_of_the_page() -> None:
    html = page(a_look())

    svg = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert "var(--bar)" in svg
    assert not re.search(r"#[0-9a-f]{6}\b(?![\"'])", svg)  # no colour of matplotlib's own
    assert "<style" not in svg


def test_of_few_records_no_more_is_drawn_than_there_can_be() -> None:
    """The interval goes far beyond what two shares can differ by."""
    drawn = read(page(a_look(records=60))).text("section")
    assert "100%" in drawn
    assert "200%" not in drawn


def test_a_latency_that_is_not_watched_does_not_hold() -> None:
    """There are values, but of too few requests to hold one against the other."""
    seen = a_look()
    assert "in 3 periods running holds" in read(page(seen)).text()
    rails = replace(seen.guardrails, notes=("latency: in no period had both 200 requests",))
    assert "in 3 periods running not watched" in read(page(replace(seen, guardrails=rails))).text()


def test_no_p_value_is_zero() -> None:
    """All right against all wrong: beyond what a computer can tell from 0."""
    seen = a_look(records=30_000, champion=0.0, challenger=1.0)

    assert "p < 1e-299" in read(page(seen)).text()
    assert report(seen)["p"] == 1e-300
    assert not re.search(r"p = 0[^.]", page(seen))
