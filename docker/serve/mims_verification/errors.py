"""The one error of a verification."""

from __future__ import annotations


class VerificationError(Exception):
    """The registered model is not as it should be; the message says in what."""
