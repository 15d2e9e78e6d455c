"""SageMaker Data Capture files as an endpoint writes them, for tests.

Goes in: what a request and its response held. Comes out: a line of a capture file, or a file in the
layout that an endpoint gives it, `ENDPOINT/VARIANT/yyyy/mm/dd/hh/NAME.jsonl` (the documentation's
"Data capture": https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture.html).
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

AT = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)
TYPES = {"CSV": "text/csv", "JSON": "application/json", "BASE64": "text/csv"}


def line(
    inputs: str | bytes | None,
    outputs: str | bytes | None = "0.5",
    *,
    encoding: str = "CSV",
    output_encoding: str | None = None,
    content_type: str | None = None,
    output_type: str | None = None,
    event_id: str | None = None,
    inference_id: str | None = None,
    at: datetime = AT,
) -> str:
    """One line, without its end. None leaves that side out, as where it is not captured.

    What is said of the inputs goes for the outputs too, where nothing else is said of these.
    """
    sides = {}
    if inputs is not None:
        sides["endpointInput"] = _side("INPUT", inputs, encoding, content_type)
    if outputs is not None:
        sides["endpointOutput"] = _side(
            "OUTPUT",
            outputs,
            output_encoding or encoding,
            output_type or (None if output_encoding else content_type),
        )
    seed = f"{inputs!r} {outputs!r} {at}"
    metadata = {
        "eventId": event_id or str(uuid.uuid5(uuid.NAMESPACE_URL, seed)),
        "inferenceTime": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    if inference_id is not None:
        metadata["inferenceId"] = inference_id
    record = {"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def write(
    folder: Path,
    lines: Iterable[str | bytes],
    *,
    endpoint: str = "penguins",
    variant: str = "AllTraffic",
    at: datetime = AT,
    name: str = "30-00-000-4f1e1b1c.jsonl",
) -> Path:
    """A capture file below a folder, where an endpoint would put it below its prefix."""
    path = folder / key(endpoint=endpoint, variant=variant, at=at, name=name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(lines))
    return path


def key(
    *,
    endpoint: str = "penguins",
    variant: str = "AllTraffic",
    at: datetime = AT,
    name: str = "30-00-000-4f1e1b1c.jsonl",
) -> str:
    """Where an endpoint puts a file, below its prefix."""
    return f"{endpoint}/{variant}/{at:%Y/%m/%d/%H}/{name}"


def content(lines: Iterable[str | bytes]) -> bytes:
    """Lines as a file holds them, each with its end."""
    return b"".join((one.encode() if isinstance(one, str) else one) + b"\n" for one in lines)


def _side(mode: str, data: str | bytes, encoding: str, content_type: str | None) -> dict[str, Any]:
    raw = data if isinstance(data, bytes) else data.encode()
    text = base64.b64encode(raw).decode() if encoding == "BASE64" else raw.decode()
    return {
        "observedContentType": content_type or TYPES.get(encoding, "application/octet-stream"),
        "mode": mode,
        "data": text,
        "encoding": encoding,
    }
