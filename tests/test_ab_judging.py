"""What an A/B has come to, by its design's rules and in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ab_cases import design
from mims.governance.ab import judging
from mims.governance.ab.guardrails import Guardrails
from mims.governance.ab.judging import verdict
from mims.governance.ab.outcomes import Outcomes

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUIET = Guardrails((900, 900), (1, 1), 1.0, (9.0, 9.0), 0, (), ())


def known(scores: NDArray[np.float64], challenger: NDArray[np.bool_], **changes: Any) -> Outcomes:
    counts = (int((~challenger).sum()), int(challenger.sum()))
    given: dict[str, Any] = {
        "captured": counts,
        "scored": counts,
        "captured_by_then": counts,
        "scored_by_then": counts,
        "unused": 0,
        "notes": (),
    }
    return Outcomes(scores, challenger, **{**given, **changes})


def records(champion: float, challenger: float, count: int, **changes: Any) -> Outcomes:
    """So many records of both, successes at these rates, the split as it should be."""
    rng = np.random.default_rng(4)
    arm = rng.random(count) < 0.5
    likely = np.where(arm, challenger, champion)
    return known(rng.binomial(1, likely).astype(np.float64), arm, **changes)


@pytest.mark.parametrize(
    ("outcomes", "changes", "state", "winner"),
    [
        (records(0.8, 0.9, 4000), {}, "challenger better", "challenger"),
        (records(0.9, 0.8, 4000), {}, "champion better", "champion"),
        (records(0.9, 0.9, 4000), {}, "no difference worth having", None),
        (records(0.9, 0.9, 4000), {"smallest": 0.01}, "running", None),
        (records(0.9, 0.9, 4000), {"smallest": 0.01, "most": 4000}, "undecided at the end", None),
        # certain at the end is not undecided
        (records(0.8, 0.9, 4000), {"most": 4000}, "challenger better", "challenger"),
        # certain, but fewer than the minimum
        (records(0.1, 0.9, 900), {}, "running", None),
        (records(0.1, 0.9, 900), {"minimum": 400}, "challenger better", "challenger"),
        (records(0.9, 0.9, 900), {"smallest": 0.5}, "running", None),
        # every answer is right: no variance, so no interval
        (records(1.0, 1.0, 4000), {}, "running", None),
        (records(1.0, 1.0, 4000), {"most": 3000}, "undecided at the end", None),
    ],
)
def test_states(
    outcomes: Outcomes, changes: dict[str, Any], state: str, winner: str | None
) -> None:
    found = verdict(design(**changes), outcomes, QUIET)

    assert (found.state, found.winner) == (state, winner)
    assert found.ended == (state != "running")
    assert found.advice


def test_reasons_are_sentences_with_the_numbers() -> None:
    found = verdict(design(), records(0.8, 0.9, 4000, notes=("a note",)), QUIET)

    because, counted, difference, note = found.reasons
    assert because.startswith("p = ")
    assert because.endswith(", at or below 0.05")
    assert counted.endswith("of the challenger are labelled")
    assert difference.startswith("the challenger's mean score less the champion's is +0.0")
    assert difference.endswith(" at 0.95 confidence, however often one looks")
    assert note == "a note"
    assert found.advice == "promote the challenger"


def test_a_guardrail_goes_before_everything() -> None:
    broken = Guardrails((900, 900), (0, 90), 1e-9, None, 0, ("errors: many",), ("one note",))
    lost = {"captured_by_then": (9000, 1), "scored_by_then": (9000, 1)}

    found = verdict(design(), records(0.1, 0.9, 4000, **lost), broken)

    assert (found.state, found.winner) == ("guardrail", "champion")
    assert found.reasons[0] == "errors: many"
    assert found.reasons[-1] == "one note"
    assert found.advice.startswith("roll back at once")
    assert verdict(design(), records(0.5, 0.5, 0), broken).state == "guardrail"


@pytest.mark.parametrize(
    ("lost", "broken"),
    [
        ({"captured_by_then": (2000, 1700)}, True),
        ({"scored_by_then": (2000, 1700)}, True),
        ({"captured_by_then": (2000, 1950), "scored_by_then": (1000, 960)}, False),
        ({"captured_by_then": (0, 0), "scored_by_then": (0, 0)}, False),
        ({"captured_by_then": (20, 0)}, True),
    ],
)
def test_records_that_get_lost_break_the_split(lost: dict[str, Any], broken: bool) -> None:
    found = verdict(design(), records(0.1, 0.9, 4000, **lost), QUIET)

    assert (found.state == "split broken") == broken
    assert (found.split < judging.BROKEN) == broken
    if broken:
        assert found.winner is None
        assert "the challenger was to get 50.0% of the requests, but has" in found.reasons[0]


def test_a_shadow_is_judged_by_pairs() -> None:
    rng = np.random.default_rng(6)
    better = rng.choice([-1.0, 0.0, 1.0], 2000, p=[0.02, 0.9, 0.08])
    counts: dict[str, Any] = {"scored": (2000, 2000), "captured_by_then": (9000, 2000)}
    found = verdict(
        design(shadow=True, share=0.2), known(better, np.ones(2000, bool), **counts), QUIET
    )

    assert found.state == "challenger better"
    assert found.split == 1
    assert found.reasons[1] == "2,000 pairs are labelled"
    assert found.course.difference[-1] == pytest.approx(better.mean())


def test_equal_scores_leave_it_open() -> None:
    found = verdict(design(), records(1.0, 1.0, 4000), QUIET)

    assert found.reasons[-1].endswith("how sure that is nobody knows while all scores are equal")


@pytest.mark.parametrize("shadow", [False, True])
def test_nothing_is_known_yet(shadow: bool) -> None:
    found = verdict(design(shadow=shadow), records(0.9, 0.9, 0), QUIET)

    assert found.state == "running"
    assert found.reasons[0].startswith("nothing is decided before each variant has 500")
    assert len(found.course.records) == 0


def test_what_is_all_but_certain_has_a_bound_and_no_p_of_zero() -> None:
    """So far beyond what a computer can tell from 0 that only a bound is honest."""
    rng = np.random.default_rng(4)
    arm = rng.random(20_000) < 0.5
    found = verdict(design(most=40_000), known(arm.astype(np.float64), arm), QUIET)

    assert found.reasons[0] == "p < 1e-299, at or below 0.05"
    assert 0 < found.course.p[-1] <= 1e-300

    lost = {"captured_by_then": (9_000_000, 1), "scored_by_then": (9_000_000, 1)}
    found = verdict(design(), records(0.1, 0.9, 4000, **lost), QUIET)

    assert found.reasons[0].endswith("labelled records: p < 1e-299")
    assert 0 < found.split < 1e-299


@pytest.mark.slow
def test_verdicts_are_wrong_as_seldom_as_promised() -> None:
    """Looked at every 200 records until it ends: over A/As, and over A/Bs of twice the smallest."""
    runs, wrong, dismissed = 300, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        arm = rng.random(8000) < 0.5
        same = rng.binomial(1, 0.9, 8000).astype(np.float64)
        other = rng.binomial(1, np.where(arm, 0.86, 0.90)).astype(np.float64)
        rules = design(smallest=0.02, most=8000)
        wrong += _ends(rules, same, arm) in (judging.CHALLENGER_BETTER, judging.CHAMPION_BETTER)
        dismissed += _ends(rules, other, arm) in (judging.NO_DIFFERENCE, judging.CHALLENGER_BETTER)
    assert wrong / runs <= 0.09
    assert dismissed / runs <= 0.02


def _ends(rules: Any, scores: NDArray[np.float64], arm: NDArray[np.bool_]) -> str:
    for count in range(200, len(scores) + 1, 600):
        found = verdict(rules, known(scores[:count], arm[:count]), QUIET)
        if found.ended:
            return found.state
    return found.state
