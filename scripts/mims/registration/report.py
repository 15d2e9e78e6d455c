"""What a registration tells: the exit message, its failure in words, and the log's full account.

Goes in: an `Outcome` for each region and registry. Comes out: entries of the exit message, short
enough for as many regions as there are; or the text of the error. Nothing is asked and nothing is
written here.

The message names the ARN once; where there are several regions, with `<region>` and `<version>` to
be filled in from `new` (what this run has registered) and `known` (what was registered before):

    {"arn": "arn:aws:sagemaker:<region>:123456789012:model-package/fraud/<version>",
     "new": {"us-west-2": 4}, "known": {"eu-west-1": 7}, …}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mims.text import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mims.registration.artifacts import Artifact
    from mims.registration.backends.base import Registration
    from mims.registration.storage import Stored

SAGEMAKER, MIMS = "sagemaker", "mims"


@dataclass(frozen=True)
class Outcome:
    """How a registration in one region and registry ended. It failed where there is an `error`."""

    region: str
    backend: str = SAGEMAKER
    registration: Registration | None = None
    status: str = ""  # the registry's own word for it
    error: str = ""
    by_user: bool = False  # the error is for the user to mend, not a service's
    stored: tuple[Stored, ...] = ()
    retries: int = 0
    seconds: float = 0.0

    @property
    def moved(self) -> int:
        """Bytes uploaded."""
        return sum(stored.moved for stored in self.stored)

    @property
    def copied(self) -> int:
        """Bytes copied from bucket to bucket."""
        return sum(stored.copied for stored in self.stored)

    @property
    def place(self) -> str:
        """Where it was to be registered, in words."""
        return self.region if self.backend == SAGEMAKER else f"{self.region} ({self.backend})"

    @property
    def deed(self) -> str:
        """What this run did, in words."""
        if self.error or not self.registration:
            return "failed"
        return "registered" if self.registration.new else "registered before"


def exit_entries(
    group: str, outcomes: Sequence[Outcome], model: Artifact, payload: Artifact | None
) -> dict[str, Any]:
    """Entries of a successful job's exit message; what can be done without stands last.

    Other registries than SageMaker's have an entry each, of their own ids by region.
    """
    entries: dict[str, Any] = {"group": group}
    done = [(o, o.registration) for o in outcomes if o.registration]
    own = [found for outcome, found in done if outcome.backend == SAGEMAKER]
    if own:
        pattern = arn_pattern(own[0].arn)
        entries["arn"] = own[0].arn if len(own) == 1 else pattern
        for name, new in (("new", True), ("known", False)):
            entries[name] = {
                found.region: found.version if arn_pattern(found.arn) == pattern else found.arn
                for found in own
                if found.new is new
            }
    for outcome, found in done:
        if outcome.backend != SAGEMAKER:
            entries.setdefault(outcome.backend, {})[found.region] = found.arn
    return {
        **entries,
        "bytes_uploaded": sum(outcome.moved for outcome in outcomes),
        "bytes_copied": sum(outcome.copied for outcome in outcomes),
        "retries": sum(outcome.retries for outcome in outcomes),
        "model_sha256": model.sha256,
        "payload_sha256": payload.sha256 if payload else None,
    }


def arn_pattern(arn: str) -> str:
    """A version's ARN with `<region>` and `<version>` for what differs between regions."""
    parts = arn.rpartition("/")[0].split(":")
    parts[3:4] = ["<region>"]
    return f"{':'.join(parts)}/<version>"


def failure(outcomes: Iterable[Outcome]) -> str:
    """Say what failed where, and first of all what is registered: the end may be cut off."""
    told = list(outcomes)
    done = [
        f"{outcome.place}: {outcome.registration.arn}"
        if outcome.backend != SAGEMAKER
        else f"{outcome.place}: version {outcome.registration.version}"
        for outcome in told
        if outcome.registration and not outcome.error
    ]
    failed = [outcome for outcome in told if outcome.error]
    reasons = "; ".join(dict.fromkeys(outcome.error for outcome in failed))
    if len(told) == 1:
        return reasons
    where = ", ".join(outcome.place for outcome in failed)
    return f"failed in {where}; registered in {', '.join(done) or 'no region'}: {reasons}"


def account(outcome: Outcome) -> str:
    """All about an outcome, in one line of the log."""
    found = outcome.registration
    parts = [
        found.arn if found else "no version",
        outcome.status,
        f"{size(outcome.moved)} uploaded",
        f"{size(outcome.copied)} copied",
        f"{outcome.retries} retries",
        f"{outcome.seconds:.1f} s",
    ]
    return f"{outcome.place}: {outcome.deed}: {', '.join(part for part in parts if part)}"
