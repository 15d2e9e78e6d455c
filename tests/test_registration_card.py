"""The model card, held to the schema that AWS publishes for the card of a model package.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any, Literal

import botocore.session
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from mims.errors import InputError
from mims.registration.backends.card import LIMIT, model_card
from mims.registration.backends.package import model_package, problems
from quality import model_quality
from submissions import JOB, submission

MODEL = botocore.session.get_session().get_service_model("sagemaker")
SHAPE = MODEL.operation_model("CreateModelPackage").input_shape

Text63 = Annotated[str, Field(min_length=1, max_length=63)]
Text255 = Annotated[str, Field(min_length=1, max_length=255)]
Text1024 = Annotated[str, Field(max_length=1024)]
Text2048 = Annotated[str, Field(max_length=2048)]
Row = Annotated[list[float], Field(min_length=1, max_length=20)]


class Part(BaseModel):
    """A part of the schema: no other properties."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), strict=True)


class Overview(Part):
    model_creator: Text1024
    model_artifact: Annotated[list[Text1024], Field(max_length=15)]


class Uses(Part):
    purpose_of_model: Text2048


class Business(Part):
    line_of_business: Text2048


class Simple(Part):
    name: Text255
    type: Literal["number", "boolean"]
    value: float | bool


class Matrix(Part):
    name: Text255
    type: Literal["matrix"]
    value: Annotated[list[Row], Field(min_length=1, max_length=20)]
    x_axis_name: list[Text63]
    y_axis_name: list[Text63]


class Group(Part):
    name: Text63
    metric_data: list[Simple | Matrix]


class Evaluation(Part):
    name: Text63
    metadata: dict[str, Text1024]
    metric_groups: list[Group]


class Additional(Part):
    custom_details: dict[str, Text1024]


class Card(Part):
    model_overview: Overview
    intended_uses: Uses
    business_details: Business
    evaluation_details: list[Evaluation] = []
    additional_information: Additional


def card(metadata: dict[str, Any] | None = None, **config: Any) -> Card:
    made = model_card(submission(metadata, **config))
    assert made["ModelCardStatus"] == "Draft"
    content = made["ModelCardContent"]
    assert len(content) <= LIMIT
    assert content.isascii()
    assert content.isprintable()  # one line: the service model's pattern is .*
    return Card.model_validate(json.loads(content))


def metrics(metadata: dict[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    (evaluation,) = card(metadata).evaluation_details
    return {
        group.name: [(metric.name, metric.value) for metric in group.metric_data]
        for group in evaluation.metric_groups
    }


def test_what_it_says() -> None:
    found = card(model_owner="fraud-team", model_version="1.2")
    assert found.model_overview.model_creator == "fraud-team"
    assert found.intended_uses.purpose_of_model == "FraudDetection"
    assert found.business_details.line_of_business == "BuyerSellerMessaging"
    assert found.evaluation_details == []
    details = found.additional_information.custom_details
    assert details["workflow_execution_id"] == "wf-1"
    assert details["processing_job"] == JOB
    assert details["model_version"] == "1.2"


def test_the_report_of_the_sample_model() -> None:
    report = model_quality([0, 0, 1, 1], [0.1, 0.6, 0.7, 0.9], threshold=0.5)
    (evaluation,) = card(report).evaluation_details
    assert evaluation.metadata["uri"].endswith("/metadata.json")
    quality = metrics(report)["binary_classification_metrics"]
    assert ("accuracy", 0.75) in quality
    assert ("confusion_matrix", [[1, 1], [0, 2]]) in quality


@pytest.mark.parametrize(
    ("metadata", "groups"),
    [
        (
            {"accuracy": 0.9, "calibrated": True},
            {"metrics": [("accuracy", 0.9), ("calibrated", 1)]},
        ),
        # as of Model Monitor, in a section of its own
        (
            {
                "model_quality": {"regression_metrics": {"mae": {"value": 0.5}}},
                "bias_uri": "s3://b/k",
            },
            {"regression_metrics": [("mae", 0.5)]},
        ),
        # what a card has no form for is left to the file
        (
            {"auc": "NaN", "curve": [1, 2], "": 1, "note": None, "huge": 10**400, "endless": 1e999},
            {},
        ),
        ({"matrix": {"a": {"a": 1, "b": "x"}, "b": {"a": 1, "b": 2}}}, {}),
        # names
        ({"x" * 300: 1}, {"metrics": [("x" * 255, 1)]}),
        ({"g" * 80: {"auc": 1}}, {"g" * 63: [("auc", 1)]}),
        ({"Zeilen\nwechsel": {"größe": 2}}, {"Zeilen\nwechsel": [("größe", 2)]}),
        # a report that is somewhere else
        ({"statistics_uri": "s3://b/quality.json"}, {}),
    ],
    ids=["flat", "section", "no form", "no matrix", "long name", "long group", "odd", "elsewhere"],
)
def test_metrics(metadata: dict[str, Any], groups: dict[str, list[tuple[str, Any]]]) -> None:
    assert metrics(metadata) == groups


NAMES = st.sampled_from(
    ["model_quality", "Bias", "bias_uri", "drift_check_baselines", "report", "statistics", "value"]
) | st.text(max_size=5)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["s3://b/k.json", "s3:/b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_whatever_the_metadata(metadata: dict[str, Any]) -> None:
    """It is refused, or makes a card that follows its schema and a request within limits."""
    with suppress(InputError):
        request = model_package(submission(metadata), [])
        assert problems(request, SHAPE) == []
        card(metadata)


def test_more_metrics_than_fit() -> None:
    """They are left out, all of them, and the file is named as ever."""
    assert len(metrics({f"metric {n}": n for n in range(500)})["metrics"]) == 500
    (evaluation,) = card({f"metric {n}": n for n in range(5000)}).evaluation_details
    assert evaluation.metric_groups == []
    assert evaluation.metadata["uri"].endswith("/metadata.json")


def test_a_large_matrix() -> None:
    classes = [str(n) for n in range(30)]
    matrix = {row: dict.fromkeys(classes, 1) for row in classes}
    (name, quality), *_ = metrics({"m": {"confusion_matrix": matrix, "auc": 0.9}}).items()
    assert (name, quality) == ("m", [("auc", 0.9)])
