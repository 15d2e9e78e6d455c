"""Metrics as CloudWatch Logs takes them from a container, held to the format's specification.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mims.errors import InputError
from mims.registration.artifacts import Artifact
from mims.registration.backends.base import Registration
from mims.registration.metrics import emit, metric_line, namespace
from mims.registration.report import Outcome
from mims.registration.storage import Stored

UNITS = {"Seconds", "Bytes", "Count"}  # of those that CloudWatch knows, the ones we use
ARN = "arn:aws:sagemaker:us-west-2:123456789012:model-package/fraud/4"
MODEL = Artifact.of_bytes("model.tar.gz", b"model")
DONE = Outcome(
    "us-west-2",
    registration=Registration("us-west-2", ARN, 4, new=True),
    status="Completed",
    stored=(Stored(MODEL, "s3://b/m", moved=5), Stored(MODEL, "s3://b/n", moved=6, copied=7)),
    retries=3,
    seconds=12.34567,
)
FAILED = Outcome("eu-west-1", error="HeadBucket: 403: token=canary", seconds=0.5)


def line(outcome: Outcome) -> str:
    return metric_line(outcome, "Mims", "Fraud", "wf-1", datetime(2026, 11, 20, tzinfo=UTC))


def extracted(text: str) -> dict[tuple[str, ...], dict[str, float]]:
    """Do as CloudWatch does: give each metric's value, by dimension set."""
    event = json.loads(text)
    (directive,) = event["_aws"]["CloudWatchMetrics"]
    assert isinstance(event["_aws"]["Timestamp"], int)
    assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
    assert 1 <= len(directive["Namespace"]) <= 255
    assert len(directive["Metrics"]) <= 100
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for dimensions in directive["Dimensions"]:
        assert len(dimensions) <= 30
        for name in dimensions:
            assert isinstance(event[name], str)
            assert 1 <= len(event[name]) <= 1024
        values: dict[str, float] = {}
        for metric in directive["Metrics"]:
            assert metric["Unit"] in UNITS
            value: Any = event[metric["Name"]]
            assert isinstance(value, int | float)
            values[metric["Name"]] = value
        found[tuple(f"{name}={event[name]}" for name in dimensions)] = values
    return found


def test_what_cloudwatch_makes_of_it() -> None:
    values = {
        "Success": 1,
        "Duration": 12.346,
        "BytesUploaded": 11,
        "BytesCopied": 7,
        "Retries": 3,
    }
    assert extracted(line(DONE)) == {
        ("Region=us-west-2",): values,
        ("ModelPackageGroup=Fraud", "Region=us-west-2"): values,
    }
    event = json.loads(line(DONE))
    assert event["_aws"]["Timestamp"] == 1795132800000
    # What differs each time is for Logs Insights: as a dimension it would be a series each.
    assert (event["ModelPackageArn"], event["WorkflowExecutionId"]) == (ARN, "wf-1")


def test_a_failure_is_a_metric_too() -> None:
    assert extracted(line(FAILED))["Region=eu-west-1",]["Success"] == 0
    assert "canary" not in line(FAILED)  # errors stand in the log


def test_each_stands_on_a_line_of_its_own() -> None:
    """The format takes no other text on it, and CloudWatch Logs no event over 1 MB."""
    out = io.StringIO()
    emit([line(DONE), line(FAILED)], out)
    lines = out.getvalue().splitlines()
    assert [json.loads(text)["Region"] for text in lines] == ["us-west-2", "eu-west-1"]
    assert all(len(text) < 2000 for text in lines)


def test_they_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    emit([line(DONE)])
    assert capsys.readouterr() == (f"{line(DONE)}\n", "")


@pytest.mark.parametrize("name", ["Mims", "ML/Registry", "a.b-c_d#e:f g", "x" * 255])
def test_namespaces(name: str) -> None:
    assert namespace(name) == name


@pytest.mark.parametrize("name", ["", " ", ":a", "AWS/SageMaker", "x" * 256, "größe", "a\nb", "a "])
def test_namespaces_that_cloudwatch_refuses(name: str) -> None:
    with pytest.raises(InputError, match=r"^METRICS_NAMESPACE is .*: must be at most 255 letters"):
        namespace(name)
