"""Waiting for what is to come: long, for it ends early; by the clock, for a look may be quick."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def looks(seconds: float = 60) -> Iterator[None]:
    """Time after time until so many seconds are over, or the caller has seen enough."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.01)
