"""How an A/B stands, as a page for people: one HTML file with its plots, and nothing to fetch.

Goes in: a look. Comes out: HTML that stands alone: no script, no font, no image from elsewhere; for
screens and paper, light and dark. Whatever is shown is text: markup in it stays visible. The same
look makes the same bytes: no clock is read. Judges nothing: judging.py does.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.governance import plots
from mims.governance.ab import judging
from mims.governance.ab.design import CORRECT
from mims.governance.ab.guardrails import ALPHA, RUNNING
from mims.governance.ab.plots import difference, p_value
from mims.governance.ab.watching import report
from mims.governance.pages.template import template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jinja2 import Template
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from mims.governance.ab.watching import Look

_MINUS, _NONE = "\N{MINUS SIGN}", "\N{EN DASH}"
_TONES = {
    judging.RUNNING: "",
    judging.CHALLENGER_BETTER: "good",
    judging.CHAMPION_BETTER: "warn",
    judging.NO_DIFFERENCE: "warn",
    judging.UNDECIDED: "warn",
    judging.GUARDRAIL: "bad",
    judging.SPLIT_BROKEN: "bad",
}
_WORDS = {
    judging.RUNNING: "Nothing is decided yet",
    judging.CHALLENGER_BETTER: "The challenger is better",
    judging.CHAMPION_BETTER: "The champion is better",
    judging.NO_DIFFERENCE: "There is no difference worth having",
    judging.UNDECIDED: "It ended without a decision",
    judging.GUARDRAIL: "A guardrail is breached",
    judging.SPLIT_BROKEN: "The split of the traffic is broken",
}
_SCORES = {
    "correct": "1 where the prediction is the label, else 0",
    "label": "the label itself, as the reward of the answer",
    "error": "how far the prediction is from the label, as a negative number",
}


class Arm(NamedTuple):
    """A variant as the page shows it."""

    role: str
    version: str
    stage: str
    share: str
    captured: str
    scored: str
    width: float
    """of its bar, in per cent"""


class Rail(NamedTuple):
    """A guardrail: both variants, what is allowed, whether it holds."""

    name: str
    champion: str
    challenger: str
    limit: str
    tone: str
    said: str


def page(seen: Look) -> str:
    """Write the page."""
    data = report(seen)
    verdict = seen.verdict
    return _template().render(
        d=data,
        words=_WORDS[verdict.state],
        # the difference stands above them, as a sentence of the page's own
        reasons=[one for one in verdict.reasons if "mean score" not in one],
        tone=_TONES[verdict.state],
        arms=[*_arms(data)],
        rails=[*_rails(seen, data)],
        facts=_facts(data),
        difference=_drawn(difference(seen), "The difference with its interval, over records"),
        p=_drawn(p_value(seen), "The p-value over records, with alpha"),
        said=_said(seen, data),
    )


@functools.cache
def _template() -> Template:
    return template("ab/ab.html.j2")


def _arms(data: dict[str, Any]) -> Iterator[Arm]:
    for role in ("champion", "challenger"):
        arm = data[role]
        copied = role == "challenger" and data["design"]["shadow"]
        yield Arm(
            role,
            arm["version"],
            arm["stage"],
            f"copies of {arm['share']:.4g}" if copied else f"{arm['share']:.1%}",
            f"{arm['captured']:,}",
            f"{arm['scored']:,}",
            round(100 * min(arm["share"], 1), 2),
        )


def _said(seen: Look, data: dict[str, Any]) -> str:
    """The difference in a sentence; empty where there is none yet."""
    if data["difference"] is None or data["low"] is None or data["high"] is None:
        return ""
    values = [_amount(seen, data[name]) for name in ("difference", "low", "high")]
    return (
        f"The challenger's mean score is {values[0]} against the champion's; with "
        f"{1 - seen.design.alpha:.0%} confidence, at any time, between {values[1]} and {values[2]}."
    )


def _amount(seen: Look, value: float) -> str:
    """A difference of scores; those of right answers are shares."""
    if seen.design.score == CORRECT:
        return f"{100 * value:+.2f} percentage points".replace("-", _MINUS)
    return f"{value:+.4g}".replace("-", _MINUS)


def _rails(seen: Look, data: dict[str, Any]) -> Iterator[Rail]:
    design, watched = seen.design, seen.guardrails
    breaches = " ".join(data["breaches"])
    arms = [data[role] for role in ("champion", "challenger")]
    failed = [
        f"{arm['failed']:,} of {arm['requests']:,} ({arm['failed'] / arm['requests']:.2%})"
        if arm["requests"]
        else _NONE
        for arm in arms
    ]
    yield Rail(
        "failed requests",
        failed[0],
        failed[1],
        f"{design.error_rise:.2%} more at most",
        *_held("errors:" in breaches, known=all(arm["requests"] for arm in arms)),
    )
    latency = _held("latency:" in breaches, known=watched.latency is not None)
    if watched.latency and any(note.startswith("latency:") for note in watched.notes):
        latency = "", "not watched"
    took = [_NONE if one["latency_ms"] is None else f"{one['latency_ms']:.4g} ms" for one in arms]
    yield Rail(
        "latency, 95th percentile",
        took[0],
        took[1],
        f"{design.latency_ratio:g} times at most, in {RUNNING} periods running",
        *latency,
    )
    shares = [_share(data, role) for role in ("champion", "challenger")]
    broken = seen.verdict.state == judging.SPLIT_BROKEN
    yield Rail(
        "part of the captures",
        shares[0],
        shares[1],
        "as sent" if not design.shadow else "copies are no split",
        *_held(broken, known=not design.shadow and sum(seen.outcomes.captured) > 0),
    )


def _held(broken: bool, *, known: bool) -> tuple[str, str]:
    if broken:
        return "bad", "breached"
    return ("good", "holds") if known else ("", "nothing known")


def _share(data: dict[str, Any], role: str) -> str:
    total = data["champion"]["captured"] + data["challenger"]["captured"]
    return f"{data[role]['captured'] / total:.1%}" if total else _NONE


def _facts(data: dict[str, Any]) -> list[tuple[str, str]]:
    design = data["design"]
    both = "both variants"
    return [
        ("Endpoint", f"{data['endpoint']}, {data['status']}"),
        ("Since", design["started"]),
        ("Score", f"{design['score']}: {_SCORES[design['score']]}"),
        ("Smallest difference", f"{design['smallest']:g}: what is worth finding"),
        ("Alpha", f"{design['alpha']:g}: how often one is found where there is none"),
        (
            "Records",
            f"{design['minimum']:,} of each at least, {design['most']:,} of {both} at most",
        ),
        ("Errors", f"p at or below {ALPHA:g}, and {design['error_rise']:.2%} more: rolled back"),
        ("Captures", design["capture"]),
        ("Labels", design["labels"]),
        ("Before", f"configuration {design['former']}"),
    ]


def _drawn(made: Figure | None, says: str) -> Markup | None:
    return plots.svg(made, says, salt=says) if made else None
