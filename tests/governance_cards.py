"""What the tests of model cards share: reports of every kind, and what a group's file may say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from governance_versions import BIAS, EXPLAINED, QUALITY
from mims.governance.versions import File, Version

if TYPE_CHECKING:
    from collections.abc import Mapping

ARN = "arn:aws:sagemaker:us-west-2:123456789012:model-package/fraud/3"
PLACE = "s3://mims-models/mims/fraud/sha256"
FACTS: dict[str, Any] = {
    "description": "Scores card payments.",
    "owner": "Payments risk",
    "algorithm": "XGBoost",
    "purpose": "Find fraud",
    "intended_uses": ["Ranking payments for review", "Holding a payment for an hour"],
    "out_of_scope": ["Decisions about credit"],
    "factors": "Worse before Christmas",
    "risk_rating": "Medium",
    "risk_explanation": "An analyst looks.",
    "business": {"problem": "Fraud", "stakeholders": ["Risk", "Care"], "line": "Payments"},
    "training": {
        "datasets": ["s3://lake/2025/"],
        "objective": {"function": "Maximize", "facet": "AUC", "notes": "early stopping"},
        "observations": "Converged.",
        "hyperparameters": {"max_depth": 6, "eta": 0.1, "dart": False},
    },
    "evaluation": {"datasets": ["s3://lake/2026/"], "observations": "A month unseen."},
    "ethical_considerations": "Sex is no input.",
    "caveats": ["Retrain each half-year"],
    "details": {"ticket": "RISK-1"},
}
CURVE = "receiver_operating_characteristic_curve"
RATES = [at / 100 for at in range(101)]
WHOLE: dict[str, Any] = {
    "ModelQuality.Statistics": {
        "version": 0.0,
        "dataset": {"item_count": 200},
        "binary_classification_metrics": {
            **QUALITY["binary_classification_metrics"],
            "accuracy_best_constant_classifier": {"value": 0.5, "standard_deviation": "NaN"},
            "false_positive_rate": {"value": 0.1, "standard_deviation": "NaN"},
            CURVE: {
                "false_positive_rates": RATES,
                "true_positive_rates": [rate**0.5 for rate in RATES],
            },
        },
    },
    "Bias.Report": BIAS,
    "Explainability.Report": EXPLAINED,
}


def described_version(reports: Mapping[str, Any] = WHOLE, **changes: Any) -> Version:
    """A version, as described; its reports lie where nobody looks."""
    digest = "5f" * 32
    made = Version(
        arn=ARN,
        group="fraud",
        number=3,
        region="us-west-2",
        status="Completed",
        approval="PendingManualApproval",
        stage="Staging",
        created=datetime(2026, 11, 3, 9, 12, tzinfo=UTC),
        created_by=None,
        model=File(f"{PLACE}/{digest}/model.tar.gz", digest),
        payload=None,
        schema=None,
        reports={place: File(f"{PLACE}/{place}.json", "cd" * 32) for place in reports},
        properties={},
        described={},
    )
    return replace(made, **changes)
