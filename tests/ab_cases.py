"""An A/B for tests: its design, and what its variants captured and what labels came, as files.

Goes in: what differs from the usual. Comes out: a `Design`; files below a folder, with the time at
which they were written.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import captures
from mims.governance.ab.design import Design

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

STARTED = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)
_ARN = "arn:aws:sagemaker:us-west-2:123456789012:model-package/penguins/"
_GIVEN: dict[str, Any] = {
    "endpoint": "penguins",
    "champion": f"{_ARN}1",
    "challenger": f"{_ARN}2",
    "champion_variant": "penguins-1",
    "challenger_variant": "penguins-2",
    "share": 0.5,
    "smallest": 0.05,
    "score": "correct",
    "capture": "s3://mims-models/captures",
    "labels": "s3://mims-models/labels",
    "most": 20_000,
    "started": STARTED,
    "former": "penguins-0",
}


def design(**changes: Any) -> Design:
    """Make a design with these changes."""
    return Design(**{**_GIVEN, **changes})


def here(folder: Path, **changes: Any) -> Design:
    """Make a design whose files lie in a folder here."""
    places = {"capture": str(folder / "captures"), "labels": str(folder / "labels")}
    return design(**places, **changes)


def label(event: str, data: str, **changes: Any) -> str:
    """A line of ground truth."""
    return json.dumps(
        {
            "groundTruthData": {"data": data, "encoding": "CSV"},
            "eventMetadata": {"eventId": event},
            "eventVersion": "0",
            **changes,
        }
    )


def labels(folder: Path, lines: Iterable[str], *, after: float = 60, name: str = "1") -> Path:
    """A label file that came so many minutes after the start."""
    path = folder / "labels" / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(captures.content(lines))
    return written(path, after)


def captured(
    folder: Path, number: int, lines: Iterable[str | bytes], *, after: float = 10, name: str = "1"
) -> Path:
    """A capture file of variant penguins-`number` that was written so many minutes after."""
    at = STARTED + timedelta(minutes=after)
    variant = f"penguins-{number}"
    path = captures.write(folder / "captures", lines, variant=variant, at=at, name=f"{name}.jsonl")
    return written(path, after)


def answer(event: str, output: str = "0.9", *, after: float = 5, **more: Any) -> str:
    """A line of a capture, answered so many minutes after the start."""
    at = STARTED + timedelta(minutes=after)
    return captures.line("1,2", output, event_id=event, at=at, **more)


def written(path: Path, after: float) -> Path:
    """Set when a file was written."""
    at = (STARTED + timedelta(minutes=after)).timestamp()
    os.utime(path, (at, at))
    return path
