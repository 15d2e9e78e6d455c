"""What a service says when it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest
    from botocore.exceptions import ClientError


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    """The code and the message."""
    refused = error.value.response["Error"]
    return refused["Code"], refused["Message"]
