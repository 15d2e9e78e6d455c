"""What a registry is to the flow: it takes a submission and can be asked how it fares."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.registration.config import RegistrationConfig
    from mims.registration.storage import Stored


@dataclass(frozen=True)
class Submission:
    """What is to be registered in one region, all of it stored there."""

    region: str
    config: RegistrationConfig
    workflow_id: str
    model: Stored
    schema: Stored
    payload: Stored | None = None
    metadata: Stored | None = None
    evidence: Mapping[str, Any] | None = None  # the performance metadata, parsed
    job_arn: str | None = None  # of this processing job, in one

    @property
    def stored(self) -> list[Stored]:
        """All that is stored for it."""
        return [s for s in (self.model, self.schema, self.payload, self.metadata) if s]


@dataclass(frozen=True)
class Registration:
    """A version in a registry. `new`: this run has made it."""

    region: str
    arn: str
    version: int
    new: bool


class State(Enum):
    """Whether a registration is still to be waited for, and how it ended."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Status:
    """How a registration fares: the registry's own word for it, and its reasons for a failure."""

    state: State
    word: str
    reasons: tuple[str, ...] = ()


class Backend(Protocol):
    """A registry, as one region reaches it."""

    def register(self, submission: Submission) -> Registration:
        """Register a model, or find that it is: the same submission makes one version, ever."""
        ...

    def status(self, registration: Registration) -> Status:
        """Ask how a registration fares."""
        ...

    def close(self) -> None:
        """Take away what was put into temporary places; the flow calls it at every end."""
        ...
