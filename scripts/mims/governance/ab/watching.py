"""How an A/B stands, and what is done about it: looks that may be taken at any time.

Goes in: an endpoint. Comes out: a `Look`: the design, what became known of both variants, what the
guardrails say, the verdict. It looks and, if asked to watch, acts: what speaks for the champion
rolls back by itself, what speaks for the challenger promotes it through the gates, if it may.
Looking changes nothing, and costs no certainty: the test stays right however often one looks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.governance.ab import experiment, guardrails, judging, outcomes
from mims.governance.ab.lost import running
from mims.governance.endpoints import IN_SERVICE, check_seconds
from mims.governance.everyday import instant
from mims.governance.versions import PRODUCTION, STAGING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mims.governance.ab.design import Design
    from mims.governance.ab.endpoint import Standing
    from mims.governance.ab.experiment import Ended
    from mims.governance.ab.guardrails import Guardrails
    from mims.governance.ab.judging import Verdict
    from mims.governance.ab.outcomes import Outcomes
    from mims.governance.endpoints import Patience
    from mims.governance.gates.file import GateFile
    from mims.governance.registry import Registry
    from mims.governance.versions import Version


@dataclass(frozen=True)
class Look:
    """An A/B at a time."""

    design: Design
    standing: Standing
    champion: Version
    challenger: Version
    outcomes: Outcomes
    guardrails: Guardrails
    verdict: Verdict
    at: datetime

    @property
    def over(self) -> list[str]:
        """Why nothing can come of it any more, whatever it finds: then it is to be rolled back."""
        champion, challenger = self.champion, self.challenger
        found: list[str] = []
        if challenger.stage == PRODUCTION:
            return found
        if (challenger.stage, challenger.approval) != (STAGING, "Approved"):
            now = f"{challenger.approval}, in {challenger.stage},"
            found.append(f"{challenger.name} is {now} by now, and can't be promoted: roll back")
        if champion.stage != PRODUCTION:
            found.append(f"{champion.name} is in {champion.stage} by now: roll back")
        return found

    @property
    def promoted(self) -> bool:
        """Whether somebody has promoted the challenger, and the endpoint still serves both."""
        return self.challenger.stage == PRODUCTION

    @property
    def wins(self) -> bool:
        """Whether the challenger is to have the endpoint."""
        states = {judging.CHALLENGER_BETTER} | ({judging.RUNNING} if self.promoted else set())
        return self.verdict.state in states and not self.over

    @property
    def ended(self) -> bool:
        """Whether there is something to be done."""
        return self.verdict.ended or bool(self.over) or self.promoted

    @property
    def advice(self) -> str:
        """What to do."""
        stop = f"mims-registry ab stop {self.design.endpoint}"
        if self.promoted and self.wins:
            return f"the challenger is in Production: give it all of the endpoint, {stop} --promote"
        if self.promoted:
            out = f"mims-registry rollback {self.challenger.group}"
            return f"take the challenger out of Production, {out}, and roll back"
        return f"roll back, {stop} --roll-back" if self.over else self.verdict.advice


def status(registry: Registry, endpoint: str, period: int | None = None) -> Look:
    """Look at the A/B behind an endpoint.

    `period` is CloudWatch's, in seconds; else a minute, or the shortest that it has kept.

    Raises:
        InputError: none runs there, or what was captured lies nowhere.
        ServiceError: a service refused.

    """
    standing = running(registry, endpoint)
    design = standing.design
    if design is None:
        raise InputError(f"no A/B runs behind endpoint {endpoint}")
    champion, challenger = (
        _there(registry, endpoint, arn) for arn in (design.champion, design.challenger)
    )
    at = datetime.now(UTC)
    known = outcomes.outcomes(design, registry)
    watched = guardrails.look(registry.cloudwatch, design, now=at, period=period)
    return Look(
        design=design,
        standing=standing,
        champion=champion,
        challenger=challenger,
        outcomes=known,
        guardrails=watched,
        verdict=judging.verdict(design, known, watched, standing.share),
        at=at,
    )


def _there(registry: Registry, endpoint: str, arn: str) -> Version:
    name = arn.rpartition(":")[2].removeprefix("model-package/")
    try:
        return registry.version(arn)
    except InputError as error:
        raise InputError(
            f"{name}, which the A/B behind endpoint {endpoint} compares, was deleted: roll the A/B "
            f"back: mims-registry ab stop {endpoint} --roll-back"
        ) from error


def _meanwhile(seen: Look) -> Iterator[str]:
    """What has become of the versions beside the A/B, where that is in its way."""
    if seen.standing.status != IN_SERVICE:
        yield f"endpoint {seen.design.endpoint} is {seen.standing.status}"
    if seen.promoted:
        yield f"{seen.challenger.name} is in Production already"
    yield from seen.over


def watch(
    registry: Registry,
    endpoint: str,
    *,
    promote: GateFile | None = None,
    reason: str,
    every: float | None = 60.0,
    period: int | None = None,
    patience: Patience | None = None,
    dry_run: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Look, Ended | None]]:
    """Look again and again, until it is decided, and act; give each look, and the end.

    What has nothing to come of it any more, as its challenger was rejected or another version went
    to Production, is rolled back, too.

    `promote`: the gates through which a better challenger goes to Production; without them it is
    only told of. `every`: seconds between two looks; None looks once. `period`: as of `status`.

    Raises:
        InputError: none runs there, or the stages forbid what is to be done.
        ServiceError: a service refused.

    """
    check_seconds(every=every or 0)
    while True:
        seen = status(registry, endpoint, period)
        ended = None
        if seen.ended and (promote or not seen.wins):
            ended = experiment.stop(
                registry,
                endpoint,
                promote=promote if seen.wins else None,
                reason=why(seen, reason),
                patience=patience,
                dry_run=dry_run,
            )
        yield seen, ended
        if seen.ended or every is None:
            return
        sleep(every)


def why(seen: Look, reason: str) -> str:
    """What the audit trail says of an end that nobody asked for by hand."""
    said = [*_meanwhile(seen), *seen.verdict.reasons][:2]
    return f"A/B, {seen.verdict.state}: {'; '.join(said)}; {reason}".rstrip("; ")


def report(seen: Look) -> dict[str, Any]:
    """A look as plain data, for programs and for people's tables alike."""
    design, verdict, known, watched = seen.design, seen.verdict, seen.outcomes, seen.guardrails
    course = verdict.course
    last = len(course.records) - 1

    def latest(values: Any) -> float | None:
        return _finite(values[last]) if last >= 0 else None

    arms = zip(
        ("champion", "challenger"),
        (seen.champion, seen.challenger),
        (design.champion_variant, design.challenger_variant),
        (1.0 if design.shadow else round(1 - design.share, 12), design.share),
        strict=True,
    )
    return {
        "endpoint": design.endpoint,
        "status": seen.standing.status,
        "state": verdict.state,
        "ended": seen.ended,
        "winner": verdict.winner,
        "reasons": [*_meanwhile(seen), *verdict.reasons],
        "advice": seen.advice,
        **{
            role: {
                "version": version.name,
                "stage": version.stage,
                "variant": variant,
                "share": share,
                "captured": known.captured[at],
                "scored": known.scored[at],
                "requests": watched.requests[at],
                "failed": watched.failed[at],
                "latency_ms": watched.latency[at] if watched.latency else None,
            }
            for at, (role, version, variant, share) in enumerate(arms)
        },
        "p": latest(course.p),
        "difference": latest(course.difference),
        "low": latest(course.low),
        "high": latest(course.high),
        "split_p": verdict.split,
        "errors_p": watched.p,
        "breaches": [*watched.breaches],
        "design": design.report(),
        "at": instant(seen.at),
    }


def _finite(value: Any) -> float | None:
    """A number as JSON knows it: not a number and infinity are none."""
    number = float(value)
    return number if number - number == 0 else None
