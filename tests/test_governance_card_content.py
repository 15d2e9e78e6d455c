"""What a model card says: from the version, its reports, and its group's file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance_cards import CURVE, FACTS, WHOLE, described_version
from governance_versions import register_version
from mims.errors import InputError
from mims.governance.cards.content import NOT_FOR, card_content, content_text, lineage_of
from mims.governance.cards.reports import read_reports
from mims.governance.cards.schema import LIMIT, check_content, fact_problems
from mims.governance.lineage.parts import Graph, edges, training_of, version_node
from mims.governance.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path


def groups(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Metrics by group, then by name."""
    return {
        group["name"]: {metric["name"]: metric for metric in group["metric_data"]}
        for evaluation in content["evaluation_details"]
        for group in evaluation.get("metric_groups", [])
    }


@pytest.mark.usefixtures("bucket")
def test_the_card_of_a_registered_version(tmp_path: Path) -> None:
    version = register_version(tmp_path / "1", model_owner="fraud-team")
    content = card_content(version, read_reports(Registry("us-west-2"), version), FACTS)
    overview = content["model_overview"]
    assert overview["model_id"] == version.arn
    assert (overview["model_name"], overview["model_version"]) == (version.group, 1)
    assert overview["model_creator"] == "fraud-team"  # whoever registered it said so
    assert overview["problem_type"] == "Binary classification"
    assert overview["model_artifact"] == [version.model.uri]
    details = content["additional_information"]["custom_details"]
    assert details["model_sha256"] == version.model.sha256
    assert details["workflow_execution_id"] == "wf-1"
    sources = {one["name"]: one["metadata"]["sha256"] for one in content["evaluation_details"]}
    assert sources == {
        "model quality": version.reports["ModelQuality.Statistics"].sha256,
        "bias: Report": version.reports["Bias.Report"].sha256,
        "explainability": version.reports["Explainability.Report"].sha256,
    }


def test_what_the_group_says_has_its_places() -> None:
    content = card_content(described_version(), WHOLE, FACTS)
    uses = content["intended_uses"]
    assert uses["intended_uses"] == (
        "- Ranking payments for review\n- Holding a payment for an hour\n\n"
        f"{NOT_FOR}\n- Decisions about credit"
    )
    assert (uses["purpose_of_model"], uses["risk_rating"]) == ("Find fraud", "Medium")
    assert content["business_details"]["business_stakeholders"] == "- Risk\n- Care"
    training = content["training_details"]
    assert training["objective_function"] == {
        "function": {"function": "Maximize", "facet": "AUC"},
        "notes": "early stopping",
    }
    told = training["training_job_details"]["user_provided_hyper_parameters"]
    assert told[2] == {"name": "dart", "value": "False"}
    quality = content["evaluation_details"][0]
    assert quality["datasets"] == ["s3://lake/2026/"]
    assert quality["evaluation_observation"] == "A month unseen."
    assert content["additional_information"]["ethical_considerations"] == "Sex is no input."
    assert content["additional_information"]["custom_details"]["ticket"] == "RISK-1"


def test_what_reports_say_has_its_forms() -> None:
    found = groups(card_content(described_version(), WHOLE))
    metrics = found["metrics"]
    assert metrics["accuracy"]["value"] == 0.91
    assert metrics["accuracy"]["notes"] == "standard deviation 0.01, best constant classifier 0.5"
    assert metrics["confusion_matrix"]["value"] == [[90, 10], [8, 92]]
    assert len(metrics[CURVE]["value"]) == 20  # points are all that the schema takes
    assert metrics[CURVE]["value"][-1] == [1.0, 1.0]
    assert found["sex = female, in the data"]["DPL"]["value"] == 0.02
    assert found["sex = female, in the predictions"]["DI"]["value"] == 0.95
    shap = found["feature importance"]["global SHAP values, fraud"]
    assert (shap["x_axis_name"], shap["value"]) == (["age", "country"], [0.31, 0.12])


def test_lineage_has_its_places() -> None:
    lineage = {
        "data": ["s3://lake/raw/"],
        "training_job": ["arn:aws:sagemaker:us-west-2:123456789012:training-job/t"],
        "image": ["image:1"],
        "code": ["repo@9f2c1d7", "repo@77aa001"],
    }
    content = card_content(described_version(), WHOLE, FACTS, lineage)
    job = content["training_details"]["training_job_details"]
    assert job["training_arn"].endswith("training-job/t")
    assert job["training_datasets"] == ["s3://lake/2025/", "s3://lake/raw/"]
    assert job["training_environment"] == {"container_image": ["image:1"]}
    details = content["additional_information"]["custom_details"]
    assert details["lineage: code"] == "repo@9f2c1d7, repo@77aa001"


def test_a_lineage_graph_becomes_a_cards_lineage() -> None:
    job = {
        "TrainingJobArn": "arn:aws:sagemaker:us-west-2:123456789012:training-job/t",
        "TrainingJobName": "t",
        "AlgorithmSpecification": {"TrainingImage": "image:1"},
        "HyperParameters": {"eta": "0.1", "max_depth": "6"},
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://lake/raw/"}}}
        ],
    }
    version = described_version()
    endpoint = "arn:aws:sagemaker:us-west-2:123456789012:endpoint/e"
    found = edges(version, training_of(job), endpoint)
    graph = Graph(version_node(version), tuple(found), (), "SageMaker lineage")
    assert lineage_of(graph) == {
        "data": ["s3://lake/raw/"],
        "image": ["image:1"],
        "parameters": ["eta=0.1", "max_depth=6"],
        "training_job": [job["TrainingJobArn"]],
        "endpoint": [endpoint],
    }


def test_what_nobody_has_said_is_not_there() -> None:
    content = card_content(described_version({}), {})
    assert content.keys() == {"model_overview", "additional_information"}
    assert "" not in content["model_overview"].values()


@pytest.mark.parametrize(
    ("facts", "problems"),
    [
        # each is told, with its path, and what was meant
        (
            {"intended_use": "x", "risk_rating": "Huge", "training": {"dataset": ["x"]}},
            [
                "card.risk_rating: must be 'High', 'Medium', 'Low' or 'Unknown', not 'Huge'",
                "card.training.dataset: there is no such key; did you mean datasets?",
                "card.intended_use: there is no such key; did you mean intended_uses?",
            ],
        ),
        ({"owner": 7}, ["card.owner: must be text, not 7"]),
        ({"purpose": "x" * 2049}, ["card.purpose: must have at most 2048 characters, not 2049"]),
        # points count together
        (
            {"caveats": ["x" * 1500, "y" * 1500]},
            ["card.caveats: must have at most 2048 characters, not 3005"],
        ),
        ({"training": ["s3://x"]}, ["card.training: must be a mapping, not ['s3://x']"]),
        (
            {"evaluation": {"datasets": ["x"] * 11}},
            ["card.evaluation.datasets: must have at most 10 entries, not 11"],
        ),
    ],
)
def test_facts_that_are_wrong(facts: dict[str, Any], problems: list[str]) -> None:
    with pytest.raises(InputError) as error:
        card_content(described_version(), WHOLE, facts)
    assert sorted(error.value.problems) == sorted(problems)


def test_problems_have_their_paths_for_whoever_knows_the_lines() -> None:
    assert fact_problems(FACTS) == []
    (problem,) = fact_problems({"training": {"objective": {"function": "Max"}}})
    assert problem[0] == ("training", "objective", "function")


def test_metrics_beyond_the_limit_are_left_to_their_report() -> None:
    many = {f"metric_{number}": number / 7 for number in range(3000)}
    reports = {**WHOLE, "ModelQuality.Statistics": many}
    content = card_content(described_version(), reports)
    assert len(content_text(content)) <= LIMIT
    quality = content["evaluation_details"][0]
    assert "metric_groups" not in quality
    assert quality["evaluation_observation"] == "Too long for a card: see the report."
    assert "sex = female, in the data" in groups(content)  # what fits stays


def test_the_text_is_one_line() -> None:
    text = content_text(card_content(described_version(), WHOLE, FACTS))
    assert text.isascii()
    assert text.isprintable()  # the service model's pattern is .*


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            {"model_overview": {"model_nam": "x"}},
            "model_overview.model_nam: there is no such key; did you mean model_name?",
        ),
        (
            {"evaluation_details": [{"metric_groups": []}]},
            "evaluation_details.0.name: must be given",
        ),
        (
            {"intended_uses": {"purpose_of_model": 1}},
            "intended_uses.purpose_of_model: must be text, not 1",
        ),
        ([], ": must be a mapping, not []"),
    ],
)
def test_content_that_is_off_the_schema(content: Any, problem: str) -> None:
    with pytest.raises(InputError) as error:
        check_content(content)
    assert str(error.value) == f"model card {problem}"


SCALARS = (
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.just(10**400)
)
KEYS = st.text(max_size=3) | st.sampled_from(
    [
        *("binary_classification_metrics", "accuracy", "value", "confusion_matrix", CURVE),
        *("false_positive_rates", "true_positive_rates", "standard_deviation", "explanations"),
        *("kernel_shap", "label0", "global_shap_values", "post_training_bias_metrics", "facets"),
        *("value_or_threshold", "metrics", "name"),
    ]
)
REPORTS = SCALARS | st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=30,
)


@given(REPORTS, REPORTS, REPORTS)
@settings(max_examples=150, deadline=None)
def test_any_report_makes_a_card_that_aws_takes(quality: Any, bias: Any, explained: Any) -> None:
    places = ("ModelQuality.Statistics", "Bias.Report", "Explainability.Report")
    reports = dict(zip(places, (quality, bias, explained), strict=True))
    content = card_content(described_version(reports), reports)
    assert json.loads(content_text(content)) == content
