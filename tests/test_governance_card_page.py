"""A model card's page: what a reader sees of it, and what stands behind what they see."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import given, settings

import browser
from governance_cards import ARN, CURVE, FACTS, WHOLE, described_version
from governance_versions import OPERATOR, register_version
from mims.errors import InputError
from mims.governance.cards.card import Card
from mims.governance.cards.content import card_content
from mims.governance.cards.page import Baseline, page
from mims.governance.cards.reports import read_reports
from mims.governance.decisions import Decision
from mims.governance.registry import Registry
from test_governance_card_content import REPORTS

if TYPE_CHECKING:
    from pathlib import Path

    from browser import Read

VERSION = described_version()
CONTENT = card_content(VERSION, WHOLE, FACTS)


def read(html: str) -> Read:
    """Hold a page to what every page is to be; what is drawn has a name."""
    found = browser.read(html)
    for tag, attrs in found.elements:
        assert tag != "svg" or attrs.get("aria-label") or attrs.keys() <= {"width", "height"}
    return found


def labels(found: Read) -> list[str | None]:
    return [attrs.get("aria-label") for _, attrs in found.elements if attrs.get("role") == "img"]


def test_what_a_reader_sees_first() -> None:
    card = Card("fraud-3", "arn:card", 2, "PendingReview", CONTENT)
    found = read(page(VERSION, CONTENT, WHOLE, card=card))
    header = found.text("header")
    assert "fraud, version 3 Scores card payments." in header
    assert "Stage Staging Approval pending Card version 2, pending review" in header
    assert found.text("dl") == (
        "AUC 0.93 nothing to compare it with "
        "Farthest from parity 0.95 DI, sex = female; parity is 1 "
        "Weighs most age mean |SHAP| 0.31 "
        "Risk Medium as its owners rate it"
    )
    assert "aside" not in found.texts  # nothing is missing


def test_what_it_is_for_and_what_not() -> None:
    use = read(page(VERSION, CONTENT, WHOLE)).text("use")
    good, bad = use.split("Do not use it for")
    assert "Ranking payments for review Holding a payment for an hour" in good
    assert bad.startswith(" Decisions about credit")
    assert "Why the risk is Medium An analyst looks." in bad


def test_metrics_against_a_baseline() -> None:
    before = {"accuracy": 0.9, "auc": 0.95, "false_positive_rate": 0.2, "lift": 3}
    baseline = Baseline("fraud/2", {"ModelQuality.Statistics": before})
    found = read(page(VERSION, CONTENT, WHOLE, baseline=baseline))
    text = found.text("metrics")
    assert "baseline, version 2" in text
    assert "Accuracy 0.91 ± 0.01 0.9 +0.01 better" in text
    assert "AUC 0.93 0.95 −0.02 worse" in text  # noqa: RUF001 - a minus
    assert "False positive rate 0.1 0.2 −0.1 better" in text  # noqa: RUF001 - less is better
    assert "accuracy is 0.91; the baseline's is 0.9; the same answer for everybody reaches 0.5" in (
        str(label).lower() for label in labels(found)
    )
    bars = [attrs["width"] for tag, attrs in found.elements if attrs.get("class") == "fill"]
    assert bars[1] == "91.0%"  # behind the legend's
    assert "−0.02 on version 2" in found.text("dl")  # noqa: RUF001 - a minus


@pytest.mark.parametrize(
    ("value", "before", "words"),
    [
        (0.5, 0.5, "±0 same"),
        (7.5, 5, "+2.5"),  # nobody knows whether more of it is better
        (1e-7, 0, "+1e−07"),  # noqa: RUF001 - a minus
    ],
)
def test_differences(value: float, before: float, words: str) -> None:
    reports = {"ModelQuality.Statistics": {"lift": value}}
    baseline = Baseline("other/9", {"ModelQuality.Statistics": {"lift": before}})
    text = read(page(described_version(reports), {}, reports, baseline=baseline)).text("metrics")
    assert text.endswith(words)
    assert "baseline, other/9" in text


def test_curves_and_confusion() -> None:
    found = read(page(VERSION, CONTENT, WHOLE))
    text = found.text("metrics")
    assert "legitimate" not in text
    assert "0 90 90% 10 10% 1 8 8% 92 92%" in text
    told = "at a false positive rate of 0.10, the true positive rate is 0.32"
    assert f"{CURVE.replace('_', ' ').capitalize()}: {told}" in labels(found)


def test_fairness_by_attribute_and_group() -> None:
    found = read(page(VERSION, CONTENT, WHOLE))
    text = found.text("fairness")
    assert "sex: in the data" in text
    assert "DPL female 0.02 male −0.02" in text  # noqa: RUF001 - a minus
    assert "sex: in the predictions" in text
    places = [
        (attrs["x"], attrs["width"])
        for tag, attrs in found.elements
        if tag == "rect" and "x" in attrs
    ]
    # from parity to the right, and to the left; DI's parity is 1
    assert places == [
        ("50.0%", "50.0%"),
        ("0.0%", "50.0%"),
        ("0.0%", "50.0%"),
        ("50.0%", "30.0%"),
    ]


def test_a_bias_metric_that_is_not_defined() -> None:
    metric = {"name": "TE", "description": "", "value": None, "error": "division by zero"}
    facets = {"sex": [{"value_or_threshold": "female", "metrics": [metric]}]}
    reports = {"Bias.Report": {"post_training_bias_metrics": {"facets": facets}}}
    found = read(page(described_version(reports), {}, reports))
    assert found.text("fairness").endswith("TE female not defined")
    assert "division by zero" in [attrs.get("title") for _, attrs in found.elements]


@pytest.mark.parametrize(
    ("report", "told"),
    [
        # shapes of people's own, which gates take too
        ({"DPL": 0.01}, "Overall … DPL all 0.01"),
        ({"sex": {"DPL": 0.02}}, "sex … DPL all 0.02"),
        ({"sex": {"female": {"DPL": 0.02}, "male": {"DPL": 0.03}}}, "DPL female 0.02 male 0.03"),
    ],
)
def test_bias_in_other_shapes(report: dict[str, Any], told: str) -> None:
    reports = {"Bias.Report": report}
    text = read(page(described_version(reports), {}, reports)).text("fairness")
    title, _, rest = told.rpartition(" … ")
    assert f" {title} " in text if title else True
    assert text.endswith(rest)


def test_features_by_importance() -> None:
    text = read(page(VERSION, CONTENT, WHOLE)).text("features")
    assert "For fraud" in text
    assert text.endswith("age 0.31 country 0.12")
    values = {f"f{number:02}": number for number in range(30)}
    reports = {"Explainability.Report": {"feature_importance": values}}
    text = read(page(described_version(reports), {}, reports)).text("features")
    assert "f29 29 f28 28" in text
    assert text.endswith("f10 10 10 more, each smaller, are in the report.")


def test_files_with_their_digests_and_decisions() -> None:
    verdicts = (
        {"gate": "metrics.auc", "passed": True, "found": "0.93", "wanted": "≥ 0.9", "reason": ""},
        {"gate": "age", "passed": False, "found": "", "wanted": "30 days", "reason": "too old"},
    )
    at = datetime(2026, 11, 4, 8, tzinfo=UTC)
    mine = Decision("promote", "refused", OPERATOR, ARN, "a <try>", verdicts=verdicts, at=at)
    other = Decision("promote", "done", OPERATOR, ARN[:-1] + "2", "not shown", at=at)
    found = read(page(VERSION, CONTENT, WHOLE, decisions=[mine, other]))
    assert VERSION.model.sha256
    assert VERSION.model.sha256 in found.text("files")
    text = found.text("decisions")
    assert f"2026-11-04 08:00 promote refused {OPERATOR} a <try>" in text
    assert "metrics.auc passed 0.93 ≥ 0.9 age not passed 30 days too old" in text
    assert "not shown" not in text


def test_what_nobody_has_said_is_said_to_be_missing() -> None:
    version = described_version({})
    found = read(page(version, card_content(version, {}), {}))
    missing = found.text("aside")
    for name in ("what it must not be used for", "bias metrics", "ethical considerations"):
        assert name in missing
    assert "not in SageMaker yet" in found.text("header")
    assert found.text("fairness").endswith("nobody knows from here.")
    assert found.text("decisions") == "Decisions so far None has been recorded."


def test_the_same_page_each_time() -> None:
    assert page(VERSION, CONTENT, WHOLE) == page(VERSION, CONTENT, WHOLE)


HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\" x='{{ 7 * 7 }} \u202egpj"


def test_hostile_text_stays_text() -> None:
    reports: dict[str, Any] = {
        "ModelQuality.Statistics": {HOSTILE: 0.5, "m": {HOSTILE: {HOSTILE: 1}}},
        "Bias.Report": {
            "post_training_bias_metrics": {
                "facets": {
                    HOSTILE: [
                        {
                            "value_or_threshold": HOSTILE,
                            "metrics": [
                                {"name": HOSTILE, "description": HOSTILE, "value": 0.1},
                                {"name": "TE", "value": None, "error": HOSTILE},
                            ],
                        }
                    ]
                }
            }
        },
        "Explainability.Report": {
            "explanations": {"kernel_shap": {HOSTILE: {"global_shap_values": {HOSTILE: 0.1}}}}
        },
    }
    facts = {
        **dict.fromkeys(("description", "owner", "algorithm", "purpose", "factors"), HOSTILE),
        **dict.fromkeys(("ethical_considerations", "caveats", "risk_explanation"), HOSTILE),
        "intended_uses": [HOSTILE, HOSTILE],
        "out_of_scope": HOSTILE,
        "details": {HOSTILE: HOSTILE},
        "training": {"datasets": [HOSTILE], "hyperparameters": {HOSTILE: HOSTILE}},
    }
    version = described_version(reports, group=HOSTILE, stage=HOSTILE, approval=HOSTILE)
    verdict = {"gate": HOSTILE, "passed": False, "found": HOSTILE, "wanted": "", "reason": HOSTILE}
    decision = Decision(HOSTILE, HOSTILE, HOSTILE, ARN, HOSTILE, verdicts=(verdict,))
    html = page(
        version,
        card_content(version, reports, facts),
        reports,
        baseline=Baseline(HOSTILE, reports),
        decisions=[decision],
        card=Card(HOSTILE, HOSTILE, 1, HOSTILE, {}),
    )
    found = read(html)
    assert HOSTILE.replace("\u202e", r"\u202e") in found.text("ethics")  # as it was written
    assert "\u202e" not in html  # it would turn the line around
    assert "49" not in found.text("ethics")


@given(REPORTS, REPORTS, REPORTS)
@settings(max_examples=100, deadline=None)
def test_any_report_makes_a_page(quality: Any, bias: Any, explained: Any) -> None:
    places = ("ModelQuality.Statistics", "Bias.Report", "Explainability.Report")
    reports = dict(zip(places, (quality, bias, explained), strict=True))
    version = described_version(reports)
    content = card_content(version, reports)
    html = page(version, content, reports, baseline=Baseline("fraud/2", {**WHOLE, **reports}))
    for tag, attrs in read(html).elements:
        for name in {"x", "x1", "width"} & attrs.keys():
            place = str(attrs[name])
            assert 0 <= float(place.removesuffix("%")) <= (100 if "%" in place else 300)
        if tag == "path":
            assert set(str(attrs["d"])) <= set("ML0123456789. ")


@pytest.mark.usefixtures("bucket")
def test_a_registered_version_and_one_whose_report_was_changed(tmp_path: Path) -> None:
    registry, version = Registry("us-west-2"), register_version(tmp_path / "1")
    reports = read_reports(registry, version)
    assert set(reports) == set(WHOLE)
    found = read(page(version, card_content(version, reports), reports))
    assert "BuyerSellerMessaging-FraudDetection, version 1" in found.text("header")
    assert "Accuracy 0.91" in found.text("metrics")
    for place in ("Bias.Report", "Explainability.Report"):
        bucket, _, key = version.reports[place].uri.removeprefix("s3://").partition("/")
        boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")
    with pytest.raises(InputError) as error:
        read_reports(registry, version)
    assert len(error.value.problems) == 2
    assert all("it was changed since" in problem for problem in error.value.problems)
