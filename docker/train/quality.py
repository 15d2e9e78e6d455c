"""How good a binary classifier is, in the form that SageMaker Model Registry shows.

The schema is Model Monitor's `binary_classification_metrics`, which a model package names under
ModelMetrics → ModelQuality → Statistics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def model_quality(
    labels: Sequence[int], probabilities: Sequence[float], threshold: float
) -> dict[str, Any]:
    """Compare what was predicted with what is true; needs both labels among `labels`."""
    truth, score = np.array(labels, dtype=bool), np.array(probabilities)
    positive = score > threshold
    hits, misses = int((positive & truth).sum()), int((~positive & truth).sum())
    false_alarms, rejections = int((positive & ~truth).sum()), int((~positive & ~truth).sum())
    metrics = {
        "accuracy": (hits + rejections) / len(truth),
        # What answering the same for everybody would reach: the floor for a model of any use.
        "accuracy_best_constant_classifier": max(truth.mean(), 1 - truth.mean()),
        "precision": hits / max(hits + false_alarms, 1),
        "recall": hits / (hits + misses),
        "f1": 2 * hits / (2 * hits + false_alarms + misses),
        "auc": _auc(truth, score),
    }
    return {
        "version": 0.0,
        "dataset": {"item_count": len(truth)},
        "binary_classification_metrics": {
            "confusion_matrix": {
                "0": {"0": rejections, "1": false_alarms},
                "1": {"0": misses, "1": hits},
            },
            # One held-out set gives no deviation; the schema's word for that is "NaN".
            **{
                name: {"value": round(float(value), 6), "standard_deviation": "NaN"}
                for name, value in metrics.items()
            },
        },
    }


def _auc(truth: np.ndarray[Any, Any], score: np.ndarray[Any, Any]) -> float:
    """Give the chance that a positive scores above a negative; ties count half."""
    difference = score[truth][:, None] - score[~truth][None, :]
    return float(np.mean((difference > 0) + (difference == 0) / 2))
