"""Waiting for a registry to come to an end: polls that grow rarer, up to a deadline."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tenacity import RetryCallState, Retrying, retry_if_result, wait_random_exponential

from mims.errors import ServiceError
from mims.registration.backends.base import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from mims.registration.backends.base import Backend, Registration, Status

log = logging.getLogger("mims")

FIRST_WAIT, LONGEST_WAIT = 1, 30  # seconds; each wait is random, below a bound that doubles


class Deadline:
    """A point in time that several waits share. `clock` and `sleep` count seconds."""

    def __init__(
        self, seconds: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self.seconds = seconds
        self._clock, self.sleep = clock, sleep
        self._end = clock() + seconds

    def left(self) -> float:
        """Seconds until then, at least 0."""
        return max(self._end - self._clock(), 0)


def wait_until_done(backend: Backend, registration: Registration, deadline: Deadline) -> Status:
    """Poll until the registration is done.

    Raises:
        ServiceError: it failed, with the registry's reasons, or the deadline passed.

    """
    grow = wait_random_exponential(FIRST_WAIT, LONGEST_WAIT)

    def note(state: RetryCallState) -> None:
        word = state.outcome.result().word if state.outcome else ""
        log.info("%s: %s, asking again in %.1f s", registration.arn, word, state.upcoming_sleep)

    def give_up(state: RetryCallState) -> Status:
        word = state.outcome.result().word if state.outcome else "unknown"
        raise ServiceError(
            f"{registration.arn} is still {word} after {deadline.seconds:g} s: run again to go on "
            "waiting, or raise REGISTRATION_TIMEOUT_SECONDS"
        )

    poll = Retrying(
        retry=retry_if_result(lambda status: status.state is State.PENDING),
        wait=lambda state: min(grow(state), deadline.left()),
        stop=lambda _: deadline.left() == 0,
        sleep=deadline.sleep,
        before_sleep=note,
        retry_error_callback=give_up,
    )
    status: Status = poll(backend.status, registration)
    if status.state is State.FAILED:
        reasons = "; ".join(status.reasons) or "no reason given"
        raise ServiceError(f"{registration.arn} is {status.word}: {reasons}")
    log.info("%s: %s", registration.arn, status.word)
    return status
