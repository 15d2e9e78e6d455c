"""The flow of registration: plan, then each region side by side, then report.

Goes in: the channels and settings of MIMS_REGISTRATION_CONTRACT. Comes out: a version in the
registry of each region, Completed and pending approval, an audit record of it, and what the exit
message says. Artifacts are stored once, under names that their content gives them; what was begun
and not finished is aborted as it ends, or swept by the next run.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mims.errors import InputError, ServiceError
from mims.registration.metrics import emit, metric_line
from mims.registration.plan import make_plan
from mims.registration.region import Means, register_in
from mims.registration.report import account, exit_entries, failure
from mims.registration.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mims.job import Job
    from mims.registration.plan import Plan
    from mims.registration.report import Outcome

log = logging.getLogger("mims")

_AT_A_TIME = 8  # regions


def register(
    job: Job,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] | None = None,
) -> Mapping[str, Any]:
    """Register the packaged model; give what the exit message reports.

    Raises:
        InputError: with everything that is wrong with settings, config and inputs.
        ServiceError: with what failed in which region, and where the model is registered.

    """
    plan = make_plan(job)
    outcomes = register_everywhere(job, plan, clock, sleep)
    report(plan, outcomes)
    failed = [outcome for outcome in outcomes if outcome.error]
    if failed:
        at_fault = InputError if all(outcome.by_user for outcome in failed) else ServiceError
        raise at_fault(failure(outcomes))
    return exit_entries(plan.config.group, outcomes, plan.model, plan.payload)


def register_everywhere(
    job: Job, plan: Plan, clock: Callable[[], float], sleep: Callable[[float], None] | None
) -> list[Outcome]:
    """Register in all regions side by side; a stop ends them all before it goes on."""
    config, stopping = plan.config, threading.Event()
    storages = [
        Storage(region, config.kms_key.get(region), config.bucket_owner.get(region))
        for region in config.regions
    ]

    def pause(seconds: float) -> None:
        if sleep:
            sleep(seconds)
        else:
            stopping.wait(seconds)
        if stopping.is_set():
            raise ServiceError("stopped")

    size = sum(artifact.size for artifact in plan.places(config.regions[0]))
    with (
        job.progress("storing", size * len(storages)) as progress,
        ThreadPoolExecutor(_AT_A_TIME, "region") as pool,
    ):
        try:
            running = [
                pool.submit(register_in, plan, Means(storage, progress.advance, clock, pause))
                for storage in storages
            ]
            return [outcome for region in running for outcome in region.result()]
        except BaseException:
            stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for storage in storages:
                storage.stop()
            log.info("stopping: what is under way in a region is taken back or left whole")
            raise


def report(plan: Plan, outcomes: Sequence[Outcome]) -> None:
    """Log each outcome, and emit its metrics where they are asked for."""
    for outcome in outcomes:
        log.info("%s", account(outcome))
    if plan.order.metrics:
        now, group = datetime.now(UTC), plan.config.group
        emit(
            metric_line(outcome, plan.order.metrics, group, plan.order.workflow_id, now)
            for outcome in outcomes
        )
