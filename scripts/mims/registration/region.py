"""What happens in one region: store, register with each registry, wait, clean up, account.

Goes in: the plan and the region's storage. Comes out: an `Outcome` for each registry, whatever went
wrong: one region does not keep the others from being registered, and the next run does only what is
missing. Runs in a thread of its own; `pause` sleeps, and raises when it is time to stop.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mims.errors import InputError, ServiceError
from mims.registration.audit import Trail, describe
from mims.registration.backends.mims import Mims
from mims.registration.backends.sagemaker import SageMaker
from mims.registration.report import SAGEMAKER, Outcome
from mims.registration.waiting import Deadline, wait_until_done

if TYPE_CHECKING:
    from collections.abc import Callable

    from mims.registration.backends.base import Submission
    from mims.registration.plan import Plan
    from mims.registration.storage import Storage, Stored

log = logging.getLogger("mims")

_SECRET = 8  # characters; no token is shorter


@dataclass(frozen=True)
class Means:
    """What a region's work is done with."""

    storage: Storage
    advance: Callable[[int], None]  # told of bytes as they arrive
    clock: Callable[[], float]  # seconds
    pause: Callable[[float], None]


def register_in(plan: Plan, means: Means) -> list[Outcome]:
    """Register in a region; never raises what a service or the input is at fault for.

    What storing took is told once: with the first registry's outcome.
    """
    storage, started = means.storage, means.clock()
    first, *others = (Outcome(storage.region, name) for name in plan.config.backends)
    try:
        submission, stored = store(plan, storage, means.advance)
    except (InputError, ServiceError) as error:
        outcomes = [_failed(plan, outcome, error) for outcome in (first, *others)]
    else:
        first = replace(first, stored=stored)
        there = tuple(replace(one, moved=0, copied=0) for one in stored)
        others = [replace(other, stored=there) for other in others]
        outcomes = [register_with(plan, submission, one, means) for one in (first, *others)]
    outcomes[0] = replace(outcomes[0], retries=outcomes[0].retries + storage.retries.count)
    seconds = means.clock() - started
    return [account_for(plan, replace(one, seconds=seconds), storage) for one in outcomes]


def store(
    plan: Plan, storage: Storage, advance: Callable[[int], None]
) -> tuple[Submission, tuple[Stored, ...]]:
    """Bring the artifacts to the region's bucket, side by side, and sweep what is unfinished there.

    Raises:
        ServiceError: S3 refused or could not be reached.

    """
    storage.require(plan.config.bucket[storage.region])
    places = plan.places(storage.region)
    with ThreadPoolExecutor(len(places), f"store-{storage.region}") as pool:
        running = {
            artifact: pool.submit(storage.store, artifact, at, advance)
            for artifact, at in places.items()
        }
        stored = {artifact: one.result() for artifact, one in running.items()}
    storage.sweep(*places.values())
    return plan.submission(storage.region, stored), tuple(stored.values())


def register_with(plan: Plan, submission: Submission, outcome: Outcome, means: Means) -> Outcome:
    """Register with the outcome's registry and wait until it has decided."""
    registry: SageMaker | Mims | None = None
    try:
        if outcome.backend == SAGEMAKER:
            registry = SageMaker(outcome.region)
        else:
            registry = Mims(means.storage, means.pause)
        with closing(registry):
            registration = registry.register(submission)
            outcome = replace(outcome, registration=registration)
            deadline = Deadline(plan.order.timeout, means.clock, means.pause)
            status = wait_until_done(registry, registration, deadline)
            outcome = replace(outcome, status=status.word)
    except (InputError, ServiceError) as error:
        outcome = _failed(plan, outcome, error)
    return replace(outcome, retries=registry.retries if registry else 0)


def account_for(plan: Plan, outcome: Outcome, storage: Storage) -> Outcome:
    """Write the audit record; where that fails, so has the registration."""
    config = plan.config
    record = describe(
        outcome,
        group=config.group,
        workflow_id=plan.order.workflow_id,
        at=datetime.now(UTC),
        job_arn=plan.job_arn,
        role_arn=plan.role_arn,
    )
    try:
        Trail(storage, config.bucket[outcome.region], config.group).append(record)
    except ServiceError as error:
        if not outcome.error:
            return _failed(plan, outcome, error)
        log.warning("no audit record: %s", error)  # as the outcome says already, all is not well
    return outcome


def _failed(plan: Plan, outcome: Outcome, error: InputError | ServiceError) -> Outcome:
    """Note why. A reason may quote the container's environment, where users put tokens."""
    about, colon, reason = str(error).partition(": ")
    for value in sorted(plan.config.environment.values(), key=len, reverse=True):
        if len(value) >= _SECRET:
            reason = reason.replace(value, "***")
    return replace(outcome, error=about + colon + reason, by_user=isinstance(error, InputError))
