"""An A/B's page: what it says, that it stands alone, that nothing in it is markup of others."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from ab_looks import a_look
from mims.governance.ab import plots
from mims.governance.ab.page import page


class _Text(HTMLParser):
    """The text that a reader sees, and what the page would fetch."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.fetched: list[str] = []
        self.skipped = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.skipped += tag == "style"
        names = ("src", "href", "xlink:href", "action")
        self.fetched += [v for k, v in attrs if k in names and v and not v.startswith("#")]
        assert tag not in ("script", "link", "img", "iframe", "b")
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        self.skipped -= tag == "style"

    def handle_data(self, data: str) -> None:
        if not self.skipped:
            self.seen.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.seen))


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

    read = _Text(html)
    assert words in read.text
    assert read.fetched == []
    assert "fraud/2 against fraud/1" in read.text
    for part in ("traffic 70.0%", "traffic 30.0%", "Guardrails", "Smallest difference"):
        assert part in read.text
    assert html == page(a_look(**look))  # type: ignore[arg-type]


def test_the_difference_is_told_and_drawn() -> None:
    read = _Text(page(a_look()))

    assert re.search(
        r"mean score is \+3\.\d\d percentage points .* 95% confidence, at any time, between "
        r"\+\d\.\d\d percentage points and \+\d\.\d\d",
        read.text,
    )
    assert read.text.count("labelled records of both variants") == 2  # an axis each
    assert "p-value" in read.text
    assert "13,995" in read.text


def test_nothing_is_drawn_of_nothing() -> None:
    html = page(a_look(records=0))

    assert "<svg" not in html
    assert "Too few records have labels" in html


def test_scores_of_another_kind_have_their_own_unit() -> None:
    read = _Text(page(a_look(score="error", smallest=0.05)))

    assert "percentage" not in read.text
    assert "mean score is +0.03" in read.text


def test_what_others_wrote_is_text() -> None:
    html = page(
        a_look(group="<b>x</b>", notes=('<script>alert("x")</script>', "a\u202eb"), records=100)
    )

    read = _Text(html)  # which takes neither tag
    assert "<b>x</b>/2" in read.text
    assert '<script>alert("x")</script>' in read.text
    assert "\u202e" not in html


def test_plots_take_the_colours_of_the_page() -> None:
    html = page(a_look())

    svg = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert "currentColor" in svg
    assert "var(--bar)" in svg
    assert not re.search(r"#[0-9a-f]{6}\b(?![\"'])", svg)  # no colour of matplotlib's own
    assert "<style" not in svg


def test_names_in_plots_are_text() -> None:
    with plots.house():
        figure, axes = plots.figure(3, 2)
        axes.set_xlabel('<b onclick="x()">$a$ & "b"')
        made = plots.svg(figure, 'says "<i>"')

    assert "<b" not in made
    assert "<i>" not in made
    assert "$a$ &amp;" in made
