"""The private library: asked for by name, called with retries, its failures in our words.

It has the calls of mims_registration_contract.md and no more: `SandboxSession()`, `upload_file`,
`get_mims_resource()`, `register_model`, `get_registration_status`. Goes in: a call. Comes out: its
answer, or a `LibraryError` that names the operation, the region and the reason, and says whether
the call may have been carried out all the same. Nobody told us what the library raises, so any
Exception of a call is judged by its kind and by those that it was raised from: what never reached
the service is asked again, what failed on the way too unless twice would be once too often, and
all else is taken for an answer.
"""

from __future__ import annotations

import logging
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as CannotConnect
from botocore.parsers import ResponseParserError
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from mims.errors import InputError, ServiceError
from mims.text import printable, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger("mims")

LIBRARY = "secure_ai_sandbox_python_lib"
ATTEMPTS = 5  # of each call, the first included
LONGEST_WAIT = 20  # seconds; each wait is random, below a bound that doubles
_BUSY = {"SlowDown", "ServiceUnavailable", "RequestLimitExceeded", "TooManyRequestsException"}


class MimsResource(Protocol):
    """MIMS, as the library shows it."""

    def register_model(self, *, model_uri: str, config: dict[str, Any], workflow_id: str) -> Any:
        """Begin to register a model; give its registration."""
        ...

    def get_registration_status(self, registration_id: str) -> Any:
        """Ask how a registration fares: COMPLETED, FAILED, or something before."""
        ...


class Session(Protocol):
    """A session, as the library shows it."""

    def upload_file(self, path: str, s3_location: str) -> Any:
        """Put a file where MIMS can read it."""
        ...

    def get_mims_resource(self) -> MimsResource:
        """Give MIMS."""
        ...


class Outcome(Enum):
    """What a failure tells of the call."""

    NOT_SENT = "it never reached the service"
    UNKNOWN = "it may have been carried out"
    REFUSED = "the service, or the library, said no"


class LibraryError(ServiceError):
    """A call of the library that failed."""

    def __init__(self, text: str, outcome: Outcome) -> None:
        super().__init__(text)
        self.outcome = outcome


def session_type() -> Callable[[], Session]:
    """Give the library's `SandboxSession`.

    Raises:
        InputError: the library, or something that it needs, is not installed.

    """
    try:
        return cast("Callable[[], Session]", import_module(LIBRARY).SandboxSession)
    except ModuleNotFoundError as error:
        raise InputError(
            f"backend mims needs the Python package {error.name}, which is missing: add its wheel "
            "in an image FROM this one (RUN python -m ensurepip, then python -m pip install; the "
            "README shows it), or leave mims out of backends"
        ) from error
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"backend mims: {LIBRARY} has no SandboxSession that can be imported ({error}): is it "
            "the right package, and for this Python?"
        ) from error


class Calls:
    """Calls of the library on behalf of a region. `retries` counts those made again."""

    def __init__(self, region: str, sleep: Callable[[float], None]) -> None:
        self.retries = 0
        self._region, self._sleep = region, sleep

    def __call__(
        self,
        operation: str,
        call: Callable[..., Any],
        *values: Any,
        once: bool = False,
        **named: Any,
    ) -> Any:
        """Make a call. `once`: never again if it may have been carried out.

        Raises:
            LibraryError: it failed.

        """
        again = {Outcome.NOT_SENT} if once else {Outcome.NOT_SENT, Outcome.UNKNOWN}

        def note(state: RetryCallState) -> None:
            self.retries += 1
            log.warning(
                "%s in %s: attempt %d of %d failed (%s); again in %.1f s",
                operation,
                self._region,
                state.attempt_number,
                ATTEMPTS,
                _reason(cast("BaseException", state.outcome and state.outcome.exception())),
                state.upcoming_sleep,
            )

        asking = Retrying(
            retry=retry_if_exception(
                lambda error: isinstance(error, Exception) and outcome_of(error) in again
            ),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(max=LONGEST_WAIT),
            sleep=self._sleep,
            before_sleep=note,
            reraise=True,
        )
        try:
            return asking(call, *values, **named)
        except Exception as error:  # whatever a library raises whose errors have no names for us
            raise LibraryError(
                f"{operation} in {self._region}: {_reason(error)}", outcome_of(error)
            ) from error


def outcome_of(error: BaseException) -> Outcome:
    """Judge a failure by the first known kind, of the error or of those that it was raised from."""
    for found in _chain(error):
        if isinstance(found, ClientError):
            return _of_answer(found)
        if isinstance(found, CannotConnect | ConnectionRefusedError):
            return Outcome.NOT_SENT
        if isinstance(found, HTTPClientError | ResponseParserError):
            return Outcome.UNKNOWN
        if isinstance(found, OSError) and found.filename is None:  # of no file: of a connection
            return Outcome.UNKNOWN
    return Outcome.REFUSED


def _of_answer(error: ClientError) -> Outcome:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    if code in _BUSY or "Throttl" in code or status == 429:
        return Outcome.NOT_SENT
    return Outcome.UNKNOWN if status >= 500 else Outcome.REFUSED


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _reason(error: BaseException) -> str:
    text = without_secrets(printable(str(error)))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
