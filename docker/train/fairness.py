"""How a classifier treats groups, in the form of Clarify's analysis.json (post-training bias).

Of each value of an attribute, against all others: DPPL, the difference in the share that is
predicted positive; DI, the ratio of these shares; AD, the difference in accuracy.
https://docs.aws.amazon.com/sagemaker/latest/dg/clarify-measure-post-training-bias.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DESCRIPTIONS = {
    "DPPL": "Difference in Positive Proportions in Predicted Labels",
    "DI": "Disparate Impact",
    "AD": "Accuracy Difference",
}


def bias_report(
    label: str, groups: Mapping[str, Sequence[str]], truth: Sequence[int], guess: Sequence[int]
) -> dict[str, Any]:
    """Report on each attribute: its value for each row, what is true and what was predicted."""
    rows = (np.array(truth), np.array(guess))
    facets = {
        name: [_facet(value, np.array(values) == value, *rows) for value in sorted({*values})]
        for name, values in groups.items()
    }
    return {"version": "1.0", "post_training_bias_metrics": {"label": label, "facets": facets}}


def _facet(value: str, inside: Any, truth: Any, guess: Any) -> dict[str, Any]:
    ours, others = guess[inside].mean(), guess[~inside].mean()
    right = truth == guess
    found = {
        "DPPL": others - ours,
        "DI": ours / others if others else None,
        "AD": right[~inside].mean() - right[inside].mean(),
    }
    metrics = [
        {"name": name, "description": _DESCRIPTIONS[name], "value": _rounded(number)}
        for name, number in found.items()
    ]
    return {"value_or_threshold": value, "metrics": metrics}


def _rounded(number: Any) -> float | None:
    return None if number is None else round(float(number), 6)
