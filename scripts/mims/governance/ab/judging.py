"""What a comparison has come to: which variant is better, or why nobody can tell yet.

Goes in: a design, what became known of both variants, what the guardrails say. Comes out: a
`Verdict`: a state, the winner if there is one, the reasons in sentences, what to do. The rules were
fixed by the design before the first record, so a verdict may be asked for at any time, and the
first that ends the A/B is valid. Reads and changes nothing.

In this order: a guardrail that is breached ends it, as users suffer. Weights that somebody has
changed end it, as the test stands on the split; and so do records that come in other shares than
they were sent, as their loss may be what makes the difference. Before both variants have the
minimum of records nothing else is said. Then a p-value at or below alpha names the better one; an
interval that lies within the smallest difference worth finding says that there is none; and at the
most records it ends undecided.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mims.governance.ab.sequential import Course, course, mismatch, paired, told
from mims.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mims.governance.ab.design import Design
    from mims.governance.ab.guardrails import Guardrails
    from mims.governance.ab.outcomes import Outcomes

RUNNING = "running"
CHALLENGER_BETTER = "challenger better"
CHAMPION_BETTER = "champion better"
NO_DIFFERENCE = "no difference worth having"
UNDECIDED = "undecided at the end"
GUARDRAIL = "guardrail"
SPLIT_BROKEN = "split broken"
CHAMPION, CHALLENGER = "champion", "challenger"

_ROUNDED = 1e-5  # SageMaker keeps weights in single precision
BROKEN = 0.001  # p-value of the shares, below which the split is not what it should be

_ADVICE = {
    RUNNING: "let it run, and look again whenever you like",
    CHALLENGER_BETTER: "promote the challenger",
    CHAMPION_BETTER: "roll back: the champion stays",
    NO_DIFFERENCE: "roll back, or promote if the challenger is cheaper or faster: by its answers "
    "neither is to be preferred",
    UNDECIDED: "roll back, or start another with a larger difference to find or more records",
    GUARDRAIL: "roll back at once, and find out why before another is started",
    SPLIT_BROKEN: "roll back, and find out who changed the weights or which variant's records get "
    "lost: what there is can't be compared",
}


@dataclass(frozen=True)
class Verdict:
    """What an A/B has come to."""

    state: str
    winner: str | None
    """champion, challenger, or None where it has not been found"""
    reasons: tuple[str, ...]
    """sentences: what the state stands on first, then what else is known, or isn't"""
    advice: str
    course: Course
    """how it went; of a shadow in pairs"""
    split: float
    """the p-value of the shares in which records came; 1 for a shadow"""

    @property
    def ended(self) -> bool:
        """Whether there is something to be done."""
        return self.state != RUNNING


def verdict(
    design: Design, outcomes: Outcomes, guardrails: Guardrails, share: float | None = None
) -> Verdict:
    """Say what the A/B has come to, by the design's rules.

    `share` is what the challenger gets of the traffic by now, if that is known.
    """
    followed = _followed(design, outcomes)
    split = _split(design, outcomes)
    broken = _broken(design, outcomes, split) if split < BROKEN else ""
    if share is not None and not math.isclose(share, design.share, rel_tol=_ROUNDED):
        broken = _changed(design, share)
    state, winner, because = _state(design, outcomes, guardrails, followed, broken)
    said = [*because, *_standing(design, outcomes, followed), *outcomes.notes, *guardrails.notes]
    return Verdict(state, winner, tuple(dict.fromkeys(said)), _ADVICE[state], followed, split)


def _followed(design: Design, outcomes: Outcomes) -> Course:
    if design.shadow:
        return paired(outcomes.scores, smallest=design.smallest, alpha=design.alpha)
    return course(
        outcomes.scores,
        outcomes.challenger,
        share=design.share,
        smallest=design.smallest,
        alpha=design.alpha,
    )


def _split(design: Design, outcomes: Outcomes) -> float:
    """A p-value of the shares: of what was captured, and of what of it was labelled."""
    if design.shadow:
        return 1.0
    shares = (1 - design.share, design.share)
    counts = (outcomes.captured_by_then, outcomes.scored_by_then)
    return min(1.0, len(counts) * min(mismatch(count, shares) for count in counts))


def _state(
    design: Design,
    outcomes: Outcomes,
    guardrails: Guardrails,
    followed: Course,
    broken: str,
) -> tuple[str, str | None, list[str]]:
    scored = outcomes.scored
    if guardrails.breaches:
        return GUARDRAIL, CHAMPION, [*guardrails.breaches]
    if broken:
        return SPLIT_BROKEN, None, [broken]
    if min(scored) < design.minimum:
        few = counted(design.minimum, "labelled record")
        return RUNNING, None, [f"nothing is decided before each variant has {few}"]
    return _decided(design, followed, sum(scored))


def _decided(design: Design, followed: Course, records: int) -> tuple[str, str | None, list[str]]:
    p, difference, low, high = (float(one[-1]) for one in followed[1:])
    if p <= design.alpha and difference:
        better = (CHALLENGER_BETTER, CHALLENGER) if difference > 0 else (CHAMPION_BETTER, CHAMPION)
        return *better, [f"{told(p)}, at or below {design.alpha:g}"]
    if -design.smallest <= low and high <= design.smallest:
        said = f"the difference is within ±{design.smallest:g}, the smallest that is worth finding"
        return NO_DIFFERENCE, None, [said]
    known = f"{told(p)}, above {design.alpha:g}"
    if records >= design.most:
        return UNDECIDED, None, [f"{known}, and {design.most:,} records were to be enough"]
    return RUNNING, None, [known]


def _changed(design: Design, share: float) -> str:
    return (
        f"the endpoint gives the challenger {share:.4g} of the traffic by now, not the "
        f"{design.share:.4g} of the design: somebody has changed its weights, and the test stands "
        "on them"
    )


def _broken(design: Design, outcomes: Outcomes, split: float) -> str:
    captured, scored = outcomes.captured_by_then, outcomes.scored_by_then
    return (
        f"the challenger was to get {design.share:.1%} of the requests, but has {captured[1]} of "
        f"{sum(captured)} captured and {scored[1]} of {sum(scored)} labelled records: "
        f"{told(split)}"
    )


def _standing(design: Design, outcomes: Outcomes, followed: Course) -> Iterator[str]:
    champion, challenger = outcomes.scored
    if design.shadow:
        yield f"{counted(champion, 'pair')} {'is' if champion == 1 else 'are'} labelled"
    else:
        of = f"{counted(champion, 'record')} of the champion"
        yield f"{of} and {challenger:,} of the challenger are labelled"
    if not all(outcomes.scored):
        return
    difference, low, high = (float(one[-1]) for one in followed[2:])
    said = f"the challenger's mean score less the champion's is {difference:+.4g}"
    if math.isinf(low):
        yield f"{said}; how sure that is nobody knows while all scores are equal"
    else:
        sure = f"at {1 - design.alpha:.4g} confidence, however often one looks"
        yield f"{said}, between {low:+.4g} and {high:+.4g} {sure}"
