"""How an execution fails: the names of its errors, and states that end it by one of them.

Goes in: what a look at a version or a report has failed by. Comes out: states. Asks nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mims.governance.approval.states_language import (
    State,
    States,
    both,
    choice,
    fail,
    rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

# Before anything changed.
GATE_REFUSED, VERSION_CHANGED, NOT_READY = "GateRefused", "VersionChanged", "NotReady"
APPROVAL_REFUSED, APPROVAL_TIMED_OUT = "ApprovalRefused", "ApprovalTimedOut"
UPDATE_REFUSED = "UpdateRefused"
REFUSALS = {
    *(GATE_REFUSED, VERSION_CHANGED, NOT_READY),
    *(APPROVAL_REFUSED, APPROVAL_TIMED_OUT, UPDATE_REFUSED),
}
# After the first change: all of it taken back, or not all.
ROLLED_BACK, ROLLBACK_INCOMPLETE = "RolledBack", "RollbackIncomplete"
SAME_GATES = "Same gate file?"  # the state that begins
UPDATE = "Update the version"  # the state that makes the first change
FORMAT = 2  # of an execution's input


def same_gates(gates_sha256: str) -> State:
    """What the input of an execution must be: of our making, and judged by this gate file."""
    return both(
        [
            {"Variable": "$.format", "IsPresent": True},
            {"Variable": "$.format", "NumericEquals": FORMAT},
            {"Variable": "$.gates_sha256", "StringEquals": gates_sha256},
        ],
        "All gates passed?",
    )


def unread(name: str, changed: Iterable[str]) -> States:
    """Where a look goes that failed: what such a cause tells has changed, all else is not ready."""
    other = f"{name}: changed"
    rules = [rule("$.error.Cause", StringMatches=f"*{cause}*", then=other) for cause in changed]
    failed = f"{name}: failed"
    return {
        name: choice(rules, default=failed),
        other: fail(VERSION_CHANGED, path="$.error.Cause"),
        failed: fail(NOT_READY, path="$.error.Cause"),
    }
