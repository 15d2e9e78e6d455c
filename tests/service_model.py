"""Every request that a test's boto3 clients send is held to the limits of its service model.

botocore checks required members, types and minimums; AWS checks patterns, maximums and enums too,
and so does this, with the checker of the local AWS. In: a pytest MonkeyPatch. Out: an
AssertionError in the call that is off its limits, and once more at the end, in case the code under
test caught the first. It holds for all services and for sessions made while it is in force.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import botocore.handlers

from local_aws import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from botocore.model import OperationModel


class RequestChecker:
    """A handler of botocore's event before-parameter-build."""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def __call__(self, params: dict[str, Any], model: OperationModel, **_: object) -> None:
        """Raise AssertionError when the parameters break a limit of the operation."""
        if model.input_shape is None:
            return
        found = list(limits.violations(model.input_shape, params))
        if found:
            self.failures.append(f"{model.name}: {limits.message(found)}")
            raise AssertionError(self.failures[-1])


@contextmanager
def checked_requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check the requests of every session that is made in this context."""
    checker = RequestChecker()
    # Last, so that it sees what botocore's own handlers made of the parameters.
    handler = ("before-parameter-build", checker, botocore.handlers.REGISTER_LAST)
    builtin = [*botocore.handlers.BUILTIN_HANDLERS, handler]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", builtin)
    # boto3.client() would use a session from before.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    yield
    if checker.failures:
        raise AssertionError("; ".join(checker.failures))
