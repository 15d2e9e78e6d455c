"""Data Capture as an endpoint would have written it, of the records of drift_reports.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from drift_reports import Records

HOUR = "2026/03/02/14"


def lines(made: Records, first: int = 0) -> Iterator[str]:
    """A capture a record: what was asked is CSV, what was answered JSON."""
    answers = made.outputs.to_pylist()
    for at, row in enumerate(made.inputs.to_pylist()):
        asked = ",".join(str(value) for value in row.values())
        yield json.dumps(
            {
                "captureData": {
                    "endpointInput": _side("text/csv", "INPUT", asked, "CSV"),
                    "endpointOutput": _side(
                        "application/json", "OUTPUT", json.dumps(answers[at]), "JSON"
                    ),
                },
                "eventMetadata": {
                    "eventId": f"event-{first + at}",
                    "inferenceTime": "2026-03-02T14:30:00Z",
                },
                "eventVersion": "0",
            }
        )


def _side(content_type: str, mode: str, data: str, encoding: str) -> dict[str, str]:
    return {
        "observedContentType": content_type,
        "mode": mode,
        "data": data,
        "encoding": encoding,
    }


def labels(values: Iterable[Any], first: int = 0) -> Iterator[str]:
    """Ground truth of the same events."""
    for at, value in enumerate(values):
        yield json.dumps(
            {
                "groundTruthData": {"data": str(value), "encoding": "CSV"},
                "eventMetadata": {"eventId": f"event-{first + at}"},
                "eventVersion": "0",
            }
        )


def written(path: Path, found: Iterable[str]) -> Path:
    """Write lines to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in found))
    return path


def capture_file(root: Path, endpoint: str = "fraud", variant: str = "AllTraffic") -> Path:
    """The path that an endpoint gives a capture file."""
    return root / endpoint / variant / HOUR / "30-00-000-1.jsonl"
