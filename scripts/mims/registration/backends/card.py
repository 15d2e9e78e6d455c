"""The model card of a version: what it is, what it is for, how good it is. A draft, for people.

Goes in: a submission. Comes out: the content of CreateModelPackage's ModelCard, in the schema that
AWS publishes for a model package's card, and on one line, for botocore's pattern takes no other.
Says only what the config, the artifacts and the metadata say; the rest is its readers' to add.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mims.registration.backends.evidence import metrics_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mims.registration.backends.base import Submission

LIMIT = 100_000  # characters
_SHORT, _NAME, _LONG = 63, 255, 1024  # characters: the schema's limits on texts
_ROWS = 20  # of a matrix, and its columns
_HUGE = 1e308


def model_card(submission: Submission) -> dict[str, str]:
    """The request's ModelCard."""
    content = _content(submission, _metric_groups(submission.evidence or {}))
    if len(content) > LIMIT:  # the report itself is in S3, and the card says where
        content = _content(submission, [])
    return {"ModelCardContent": content, "ModelCardStatus": "Draft"}


def _content(submission: Submission, metric_groups: list[dict[str, Any]]) -> str:
    config = submission.config
    card: dict[str, Any] = {
        "model_overview": {
            "model_creator": config.model_owner,
            "model_artifact": [submission.model.uri],
        },
        "intended_uses": {"purpose_of_model": config.model_registration_objective},
        "business_details": {"line_of_business": config.model_registration_domain},
        "additional_information": {"custom_details": _details(submission)},
    }
    if submission.metadata:
        card["evaluation_details"] = [
            {
                "name": "performance metadata",
                "metadata": {
                    "uri": submission.metadata.uri,
                    "sha256": submission.metadata.artifact.sha256,
                },
                "metric_groups": metric_groups,
            }
        ]
    return json.dumps(card, separators=(",", ":"))


def _details(submission: Submission) -> dict[str, str]:
    config = submission.config
    origin = submission.model.artifact.origin
    details = {
        "workflow_execution_id": submission.workflow_id,
        "model_version": config.model_version,
        "framework": config.framework,
        "framework_version": config.framework_version,
        "inference_entry_point": config.inference_entry_point,
        "model_source": origin.uri if origin else None,
        "model_sha256": submission.model.artifact.sha256,
        "payload_sha256": submission.payload.artifact.sha256 if submission.payload else None,
        "variable_schema": submission.schema.uri,
        "processing_job": submission.job_arn,
    }
    return {name: value[:_LONG] for name, value in details.items() if value}


def _metric_groups(evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Metrics by the object that they stand in; those at the top are a group of their own."""
    metrics = metrics_of(evidence)
    groups = {name: value for name, value in metrics.items() if _is_group(value)}
    plain = {name: value for name, value in metrics.items() if name not in groups}
    made = [_group(name, value.items()) for name, value in groups.items()]
    made.insert(0, _group("metrics", plain.items()))
    return [group for group in made if group["metric_data"]]


def _is_group(value: Any) -> bool:
    return isinstance(value, dict) and "value" not in value and not _matrix_of(value)


def _group(name: str, metrics: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    data = [made for key, value in metrics if key and (made := _metric(key[:_NAME], value))]
    return {"name": name[:_SHORT] or "metrics", "metric_data": data}


def _metric(name: str, value: Any) -> dict[str, Any] | None:
    """A metric in one of the card's forms; None for what it has no form for."""
    matrix = _matrix_of(value)
    if matrix:
        labels = list(value)
        return {
            "name": name,
            "type": "matrix",
            "value": matrix,
            "x_axis_name": labels,
            "y_axis_name": labels,
        }
    if isinstance(value, dict):  # Model Monitor's: a value and its standard deviation
        value = value.get("value")
    if isinstance(value, bool):
        return {"name": name, "type": "boolean", "value": value}
    if _is_number(value):
        return {"name": name, "type": "number", "value": value}
    return None


def _is_number(value: Any) -> bool:
    """Whether JSON's readers take it for a number: 1e999 is infinite to Python, and no JSON."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _HUGE


def _matrix_of(value: Any) -> list[list[float]]:
    """The rows of an object of objects of numbers, such as a confusion matrix; else none."""
    if not isinstance(value, dict) or not 0 < len(value) <= _ROWS:
        return []
    rows = [row for row in value.values() if isinstance(row, dict) and row.keys() == value.keys()]
    cells = [list(row.values()) for row in rows]
    numbers = all(_is_number(cell) for row in cells for cell in row)
    short = all(0 < len(label) <= _SHORT for label in value)
    return cells if numbers and short and len(rows) == len(value) else []
