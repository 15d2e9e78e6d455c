"""An A/B from start to decision: two versions behind one endpoint, until it is known who stays.

Goes in: an endpoint that serves the version in Production; a challenger in Staging that every gate
of Production lets pass; what is to be found out. Comes out: the endpoint with both; then with one.

Nothing is kept here. The A/B is the endpoint's configuration, its design stands in that one's tags,
and who began and ended it in the group's audit trail, where of two operators one wins. So any
machine carries on, and a run after one that was cut off goes on where that one was:

    start      admit (audit trail, approval) -> the endpoint gets both variants
    promote    promote (gates, audit trail, stages) -> the endpoint gets the challenger alone
    roll back  withdraw (audit trail, approval) -> the endpoint gets what it had

Where the endpoint refuses, the stage goes back to what it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from mims.errors import InputError, ServiceError
from mims.governance import stages
from mims.governance.ab.endpoint import beginning, ending, exists, find, look
from mims.governance.ab.lost import admission, behind, group_of, lost
from mims.governance.ab.planning import plan
from mims.governance.decisions import DONE, REFUSED, WITHDRAW, Decision, History, append
from mims.governance.deploy import restore, serve
from mims.governance.endpoints import IN_SERVICE, Patience, describe, missing
from mims.governance.moves import Outcome
from mims.governance.versions import PRODUCTION

if TYPE_CHECKING:
    from mims.governance.ab.design import Design
    from mims.governance.ab.endpoint import Standing
    from mims.governance.ab.planning import Wish
    from mims.governance.gates.file import GateFile
    from mims.governance.registry import Registry
    from mims.governance.versions import Version

_ASKED = ("smallest", "score", "alpha", "minimum", "error_rise", "latency_ratio", "shadow")


class Started(NamedTuple):
    """What came of a start: `done` is started, unchanged (it runs already) or refused."""

    design: Design
    needed: int | None
    done: str
    admitted: Outcome | None
    dry_run: bool


class Ended(NamedTuple):
    """What came of an end: `done` is promoted, rolled back, refused, or ended.

    Ended: the endpoint was gone or had been given something else, and was left so.
    """

    endpoint: str
    design: Design | None
    """None where the A/B had ended already, and only the rest was done"""
    done: str
    said: str
    outcome: Outcome | None
    """what was decided of the stages"""
    dry_run: bool


@dataclass(frozen=True)
class _Case:
    """An end that somebody wants."""

    registry: Registry
    standing: Standing
    reason: str
    patience: Patience | None
    dry_run: bool


def start(
    registry: Registry,
    endpoint: str,
    name: str,
    gate_file: GateFile,
    wish: Wish,
    *,
    reason: str,
    patience: Patience | None = None,
    dry_run: bool = False,
) -> Started:
    """Put a challenger beside what serves behind an endpoint.

    Raises:
        InputError: with everything that stands in the way.
        OvertakenError: another operator was quicker.
        ServiceError: a service refused; the endpoint is as it was, or the next run goes on.

    """
    standing = look(registry, endpoint, patience or Patience())
    version = registry.version(name)
    if standing.design:
        return _running(standing, standing.design, version, wish, dry_run=dry_run)
    planned = plan(registry, standing, version, wish)
    design = planned.design
    admitted = stages.admit(
        registry, version.arn, gate_file, reason=f"{behind(endpoint)}{reason}", dry_run=dry_run
    )
    refused = admitted.decision.phase == REFUSED
    done = "refused" if refused else "started"
    made = Started(design, planned.needed, done, admitted, dry_run)
    if refused or dry_run:
        return made
    config, models = beginning(standing, design, planned.challenger, planned.role)
    client = registry.sagemaker
    try:
        serve(client, endpoint, config, models, instead_of=standing.name, patience=patience)
    except (InputError, ServiceError) as error:
        kind = InputError if isinstance(error, InputError) else ServiceError
        raise kind(f"{error}; {_taken_back(registry, standing, version)}") from error
    return made


def stop(
    registry: Registry,
    endpoint: str,
    *,
    promote: GateFile | None = None,
    reason: str,
    patience: Patience | None = None,
    dry_run: bool = False,
) -> Ended:
    """End the A/B behind an endpoint: promote the challenger through these gates, or roll back.

    Raises:
        InputError: none runs, or the stages forbid it.
        OvertakenError: another operator was quicker.
        ServiceError: a service refused; it says how things are left.

    """
    standing = find(registry, endpoint, patience or Patience())
    if standing is None or standing.design is None:
        return _nothing_runs(registry, endpoint, standing, promote, reason=reason, dry_run=dry_run)
    case = _Case(registry, standing, reason, patience, dry_run)
    group = group_of(registry, standing.design)
    if group is None:
        raise InputError(
            f"both versions of the A/B behind endpoint {endpoint} were deleted: give it another "
            "configuration by hand (UpdateEndpoint), or delete it"
        )
    stages.settle(registry, group, dry_run=dry_run)
    if promote is None:
        return _roll_back(case, standing.design, group)
    return _promote(case, standing.design, group, promote)


def _running(
    standing: Standing, design: Design, version: Version, wish: Wish, *, dry_run: bool
) -> Started:
    """Tell of an A/B that runs already: the one that is asked for, or another one.

    Raises:
        InputError: it is another one.

    """
    asked = replace(
        design,
        challenger=version.arn,
        share=wish.traffic,
        capture=wish.capture.rstrip("/"),
        labels=wish.labels.rstrip("/"),
        most=wish.most or design.most,
        **{name: getattr(wish, name) for name in _ASKED},
    )
    if asked != design or standing.status != IN_SERVICE:
        since = f"{design.started:%Y-%m-%d %H:%M} UTC"
        raise InputError(
            f"an A/B runs behind endpoint {standing.endpoint} ({standing.status}) since {since}: "
            f"{design.challenger.rpartition('/')[2]} against "
            f"{design.champion.rpartition('/')[2]}, by another design; stop it first"
        )
    return Started(design, None, "unchanged", None, dry_run)


def _taken_back(registry: Registry, standing: Standing, version: Version) -> str:
    """After a start that failed: take the admission back, if the endpoint is as it was."""
    if not _as_before(registry, standing):
        return f"{version.name} stays admitted to the A/B: look at the endpoint and run again"
    stages.withdraw(registry, version.group, reason="the A/B could not be started")
    return f"{version.name} is no longer admitted to the A/B: run again"


def _as_before(registry: Registry, standing: Standing) -> bool:
    """Whether an endpoint surely is as it stood; not where nobody can be asked."""
    try:
        now = describe(registry.sagemaker, standing.endpoint)
    except ServiceError:
        return False
    found = (now.get("EndpointConfigName"), now.get("EndpointStatus"))
    return found == (standing.name, IN_SERVICE)


def _promote(case: _Case, design: Design, group: str, gate_file: GateFile) -> Ended:
    challenger = _compared(case.registry, design, group)
    outcome = None
    if challenger.stage != PRODUCTION:  # else a run before this one was cut off behind this
        outcome = stages.promote(
            case.registry,
            challenger.arn,
            gate_file,
            to=PRODUCTION,
            tried=True,
            reason=case.reason,
            dry_run=case.dry_run,
        )
    if outcome and outcome.decision.phase == REFUSED:
        said = f"the gates refuse {challenger.name}: the A/B behind {design.endpoint} goes on"
        return Ended(design.endpoint, design, "refused", said, outcome, case.dry_run)
    if not case.dry_run:
        _give_all_to(case, design, challenger)
    said = f"endpoint {design.endpoint} serves {challenger.name} alone"
    return Ended(design.endpoint, design, "promoted", said, outcome, case.dry_run)


def _compared(registry: Registry, design: Design, group: str) -> Version:
    """The challenger, if it would take the place of the version that it was compared with.

    Raises:
        InputError: it would not.

    """
    versions = {one.arn: one for one in registry.versions(group)}
    if design.challenger not in versions:
        raise InputError(f"{design.challenger} was deleted: roll the A/B back")
    for one in versions.values():
        if one.stage == PRODUCTION and one.arn not in (design.champion, design.challenger):
            raise InputError(
                f"{one.name} went to Production meanwhile, and was not compared: roll the A/B back"
            )
    return versions[design.challenger]


def _give_all_to(case: _Case, design: Design, challenger: Version) -> None:
    """Have the endpoint serve the challenger alone; where it can't, Production goes back."""
    registry, standing = case.registry, case.standing
    config = ending(standing, design, challenger.arn, challenger.group)
    try:
        serve(
            registry.sagemaker,
            design.endpoint,
            config,
            instead_of=standing.name,
            patience=case.patience,
        )
    except (InputError, ServiceError) as error:
        if not _as_before(registry, standing):
            raise ServiceError(
                f"{error}; {challenger.name} is in Production: run again to go on"
            ) from error
        why = f"endpoint {design.endpoint} could not be given to {challenger.name} alone"
        back = stages.rollback(registry, challenger.group, reason=why)
        former = f"{challenger.group}/{back.decision.arn.rpartition('/')[2]}"
        raise ServiceError(
            f"{error}; {former} is in Production again, and the A/B still behind the endpoint: "
            "roll it back"
        ) from error


def _roll_back(case: _Case, design: Design, group: str) -> Ended:
    registry, dry_run = case.registry, case.dry_run
    # First of all, so that nobody promotes it from now on.
    outcome = stages.withdraw(registry, group, reason=case.reason, dry_run=dry_run)
    if outcome is None:  # somebody has promoted, rejected, archived or deleted it; or withdrawn it
        serving = next((one for one in registry.versions(group) if one.stage == PRODUCTION), None)
        if serving and serving.arn == design.challenger:
            raise InputError(
                f"{serving.name} is in Production already: end the A/B by promoting it, or take it "
                f"out first: mims-registry rollback {group}"
            )
        outcome = _put_down(registry, group, design.endpoint, reason=case.reason, dry_run=dry_run)
    said = f"endpoint {design.endpoint} has its former configuration {design.former} again"
    place, present = (registry.sagemaker, design.endpoint), case.standing.name
    if not dry_run and exists(registry, design.former):
        said = restore(*place, design.former, case.patience, instead_of=present)
    elif not dry_run:  # somebody has tidied up
        config = ending(case.standing, design, design.champion, group)
        serve(*place, config, instead_of=present, patience=case.patience)
        said = f"endpoint {design.endpoint} serves the champion alone"
    return Ended(design.endpoint, design, "rolled back", said, outcome, dry_run)


def _put_down(
    registry: Registry, group: str, endpoint: str, *, reason: str, dry_run: bool
) -> Outcome | None:
    """End an admission that no version stands for any more, which else would bar every other A/B.

    Raises:
        OvertakenError: another operator was quicker.
        ServiceError: a service refused.

    """
    trails = registry.trails(registry.versions(group))
    history = History.read(*trails)
    admitted = admission(history, endpoint)
    if admitted is None:
        return None
    decision = Decision(WITHDRAW, DONE, registry.actor, admitted.arn, reason)
    if not dry_run:
        append(trails[0], decision, history)
    return Outcome(group, decision, dry_run=dry_run)


def _nothing_runs(
    registry: Registry,
    endpoint: str,
    standing: Standing | None,
    promote: GateFile | None,
    *,
    reason: str,
    dry_run: bool,
) -> Ended:
    """Do what is left of a start or an end that was cut off, or of an A/B whose endpoint is gone.

    Raises:
        InputError: nothing is.

    """
    found = lost(registry, endpoint, standing)
    version = standing.version if standing else None
    serving = registry.version(version).name if version else "no version"
    group = found.group if found else serving.partition("/")[0] if version else None
    about = f"endpoint {endpoint}"
    if found and promote:
        raise InputError(
            f"{found.said}: there is nothing that could be given to the challenger; end it with "
            "--roll-back, and then promote and deploy it, if it is still to be promoted"
        )
    if group and promote is None:
        why = f"{found.said}; {reason}" if found else reason
        outcome = stages.withdraw(
            registry, group, reason=why, left=behind(endpoint), dry_run=dry_run
        ) or _put_down(registry, group, endpoint, reason=why, dry_run=dry_run)
        if outcome and found and (standing is None or standing.name != found.design.former):
            return Ended(endpoint, found.design, "ended", found.said, outcome, dry_run)
        if outcome:
            said = f"{about} serves {serving} alone"
            return Ended(endpoint, None, "rolled back", said, outcome, dry_run)
    if standing is None:
        raise missing(registry.region, endpoint)
    raise InputError(f"no A/B runs behind {about}: it serves {serving} alone")
