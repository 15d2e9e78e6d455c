"""What an A/B will be, and everything that stands in its way, before anything is changed.

Goes in: what the operator asks for, the endpoint as it stands, the challenger. Comes out: a `Plan`:
the design, with how many records it will take; or all problems at once. Only reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from mims.errors import Problems
from mims.governance.ab.design import CORRECT, Design
from mims.governance.ab.endpoint import unfit
from mims.governance.ab.sequential import records_needed
from mims.governance.deploy import Variant
from mims.governance.everyday import card_metrics
from mims.governance.versions import PRODUCTION, STAGING
from mims.text import printable

if TYPE_CHECKING:
    from mims.governance.ab.endpoint import Standing
    from mims.governance.registry import Registry
    from mims.governance.versions import Version

CHANCE = 0.8  # of finding the smallest difference, with as many records as are needed
_PATIENT = 2  # times as many: the end, where nothing was found
_NO_END = 10**15  # records: until it is known how many there may be
_WORST = 0.25  # variance of a score that is 0 or 1: no larger one is possible


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What an operator asks for; None: as the endpoint has it, or as many as are needed."""

    smallest: float
    capture: str
    labels: str
    traffic: float = 0.1
    score: str = CORRECT
    champion: str | None = None
    alpha: float = 0.05
    minimum: int = 500
    most: int | None = None
    error_rise: float = 0.01
    latency_ratio: float = 1.5
    shadow: bool = False
    instance_type: str | None = None
    instances: int | None = None
    role: str | None = None


class Plan(NamedTuple):
    """An A/B that can be started."""

    design: Design
    challenger: Variant
    role: str
    needed: int | None
    """records that find the smallest difference with `CHANCE`; None where nobody can know"""


def plan(registry: Registry, standing: Standing, version: Version, wish: Wish) -> Plan:
    """Make an A/B of what is asked for.

    Raises:
        InputError: with everything that stands in the way.

    """
    problems = Problems(unfit(standing))
    champion = _champion(registry, standing, version, wish, problems)
    if version.stage != STAGING:
        problems.found.append(
            f"{version.name}: is in {version.stage}; only a version in Staging can be a challenger"
        )
    present = standing.variants[0]
    kind = wish.instance_type or present.get("InstanceType") or ""
    count = wish.instances or present.get("InitialInstanceCount") or 1
    challenger = Variant(version, kind, count, wish.traffic)
    if wish.score != CORRECT and wish.most is None:
        problems.found.append(
            f"most: must be given: how much a score of {printable(wish.score)} varies is not known "
            "before, so neither is how many records are needed"
        )
    with problems.gather():
        design = Design(
            endpoint=standing.endpoint,
            champion=standing.version or "",
            challenger=version.arn,
            champion_variant=present["VariantName"],
            challenger_variant=challenger.name,
            share=wish.traffic,
            smallest=wish.smallest,
            score=wish.score,
            capture=wish.capture.rstrip("/"),
            labels=wish.labels.rstrip("/"),
            most=_NO_END if wish.most is None else wish.most,
            started=datetime.now(UTC).replace(microsecond=0),
            former=standing.name,
            alpha=wish.alpha,
            minimum=wish.minimum,
            error_rise=wish.error_rise,
            latency_ratio=wish.latency_ratio,
            shadow=wish.shadow,
        ).checked()
    problems.raise_any()
    needed = _needed(design, champion)
    most = wish.most or max(_PATIENT * (needed or 0), _records_for_minimum(design))
    role = wish.role or standing.role(present)
    return Plan(replace(design, most=most), challenger, role, needed)


def _champion(
    registry: Registry, standing: Standing, version: Version, wish: Wish, problems: Problems
) -> Version | None:
    """The version that serves alone, which must be the one in Production that is meant."""
    if standing.version is None:
        return None  # as unfit() says
    found = registry.version(standing.version)
    about = f"endpoint {standing.endpoint}: serves {found.name}"
    if found.stage != PRODUCTION:
        problems.found.append(f"{about}, which is in {found.stage}, not in Production")
    if wish.champion and registry.version(wish.champion).arn != found.arn:
        problems.found.append(f"{about}, not the champion {printable(wish.champion)}")
    if found.group != version.group:
        problems.found.append(
            f"{about}, of another group than {version.name}: a promotion archives it not"
        )
    return found


def _needed(design: Design, champion: Version | None) -> int | None:
    """How many records will be needed, by the champion's known accuracy where that is the score."""
    if design.score != CORRECT:
        return None
    accuracy = known_accuracy(champion) if champion else None
    variance = _WORST if accuracy is None else max(accuracy * (1 - accuracy), design.smallest**2)
    # A shadow's pairs differ as much as both scores vary, if the two err each on its own; else it
    # takes fewer. The records of both are twice the pairs.
    found = records_needed(
        design.smallest,
        variance=2 * variance / 4 if design.shadow else variance,
        share=0.5 if design.shadow else design.share,
        chance=CHANCE,
        alpha=design.alpha,
    )
    return 2 * found if design.shadow else found


def known_accuracy(version: Version) -> float | None:
    """The accuracy on a version's card, if there is just one."""
    found = [
        value
        for name, value in card_metrics(version).items()
        if name.rpartition(".")[2] == "accuracy" and 0 <= value <= 1
    ]
    return found[0] if len(found) == 1 else None


def _records_for_minimum(design: Design) -> int:
    """So many records that both variants have their minimum, and as many again."""
    rarer = 0.5 if design.shadow else min(design.share, 1 - design.share)
    return _PATIENT * -int(-design.minimum // rarer)
