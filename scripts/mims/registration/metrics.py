"""Metrics of a registration as CloudWatch's Embedded Metric Format: a JSON object a line.

Goes in: a namespace and how each region fared. Comes out: lines for stdout, where CloudWatch Logs
takes them from a container; they need no call and no permission. Each line holds nothing but its
object, as the format demands, so they never go through the log with its times.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import re
import sys
from typing import IO, TYPE_CHECKING, Any

from mims.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mims.registration.report import Outcome

UNITS = {
    "Success": "Count",
    "Duration": "Seconds",
    "BytesUploaded": "Bytes",
    "BytesCopied": "Bytes",
    "Retries": "Count",
}
_DIMENSIONS = [["Region"], ["ModelPackageGroup", "Region"]]
_NAMESPACE_RULE = "at most 255 letters, digits, spaces and .-_/#:, not starting with : or AWS/"
_NAMESPACE = re.compile(r"(?!:|AWS/|\s)[\w .\-/#:]{1,255}(?<!\s)", re.ASCII)


def namespace(text: str) -> str:
    """Check a metrics namespace.

    Raises:
        InputError: CloudWatch would not take it.

    """
    if not _NAMESPACE.fullmatch(text):
        raise InputError(f"METRICS_NAMESPACE is {text!r}: must be {_NAMESPACE_RULE}")
    return text


def metric_line(
    outcome: Outcome, namespace: str, group: str, workflow_id: str, at: datetime
) -> str:
    """One outcome's metrics; ids that would make a series each are properties, not dimensions."""
    registration = outcome.registration
    values: dict[str, Any] = {
        "Success": 0 if outcome.error else 1,
        "Duration": round(outcome.seconds, 3),
        "BytesUploaded": outcome.moved,
        "BytesCopied": outcome.copied,
        "Retries": outcome.retries,
    }
    directive = {
        "Namespace": namespace,
        "Dimensions": _DIMENSIONS,
        "Metrics": [{"Name": name, "Unit": unit} for name, unit in UNITS.items()],
    }
    event = {
        "_aws": {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": [directive]},
        "Region": outcome.region,
        "ModelPackageGroup": group,
        **values,
        "Backend": outcome.backend,
        "WorkflowExecutionId": workflow_id,
        "ModelPackageArn": registration.arn if registration else None,
        "Status": outcome.status or None,
    }
    return json.dumps(event, separators=(",", ":"))


def emit(lines: Iterable[str], stream: IO[str] | None = None) -> None:
    """Write lines to stdout, before the exit message, which stays the last."""
    out = stream or sys.stdout
    for line in lines:
        out.write(f"{line}\n")
    out.flush()
