"""A step of a pipeline: the service's own request, with variables in it.

Goes in: a name, the kind of job and the request that starts it (CreateProcessingJob or
CreateTrainingJob), steps that go before. Comes out: the step's entry in a pipeline definition, as
JSON. `sdk.py` makes a step of the SageMaker SDK of it, which says the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mims.pipeline.references import Property, expression

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.pipeline.jobs import Cache, RetryPolicy

Kind = Literal["Processing", "Training"]


class File(NamedTuple):
    """What has to lie in S3 before a step starts, under a name that holds its digest."""

    uri: str
    content: bytes
    kms_key: str | None = None


@dataclass(frozen=True)
class Step:
    """One job of a pipeline."""

    name: str
    kind: Kind
    arguments: Mapping[str, Any]
    """the request that starts the job, but for its name"""
    depends_on: tuple[Any, ...] = ()
    """steps that go before beyond those it refers to: ours, the SDK's, or names"""
    display_name: str | None = None
    description: str | None = None
    cache: Cache | None = None
    retries: tuple[RetryPolicy, ...] = ()
    files: tuple[File, ...] = field(default=(), repr=False)

    @property
    def properties(self) -> Property:
        """What the job will answer of itself, for other steps to refer to."""
        return Property(self.name)

    def request(self) -> dict[str, Any]:
        """The step's entry in a pipeline definition."""
        entry: dict[str, Any] = {
            "Name": self.name,
            "Type": self.kind,
            "Arguments": expression(self.arguments),
        }
        if self.depends_on:
            entry["DependsOn"] = [name_of(step) for step in self.depends_on]
        if self.display_name:
            entry["DisplayName"] = self.display_name
        if self.description:
            entry["Description"] = self.description
        if self.cache:
            entry |= self.cache.config
        if self.retries:
            entry["RetryPolicies"] = [policy.to_request() for policy in self.retries]
        return entry


def name_of(step: Any) -> str:
    """The name of a step: ours, one of the SDK, or its name itself."""
    return step if isinstance(step, str) else str(step.name)
