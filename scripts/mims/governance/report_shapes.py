"""Reports of metrics, bias and explainability, in the shapes that people have.

Goes in: a report, a JSON object. Metrics may be as Model Monitor has them
(`{"binary_classification_metrics": {"accuracy": {"value": 0.9}}}`) or plain (`{"accuracy": 0.9}`);
bias as Clarify's analysis.json, `{"sex": {"DPL": 0.02}}` or `{"sex": {"female": {"DPL": 0.02}}}`;
explainability as Clarify's analysis.json or `{"feature_importance": {"age": 0.3}}`. Comes out: what
it says, by name; values are passed on as they stand, so that whoever asks for one can say what is
wrong with it. What has another shape is passed over; nothing is raised. Says also which way a
metric is better, for gates and cards alike.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PACKAGE = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package/\S+")
_TIMES = (  # under which a report tells when it was made
    *("created", "created_at", "creation_time", "generated_at", "evaluated_at"),
    *("time", "timestamp", "end_time"),
)
_IMPORTANCE = ("feature_importance", "feature_importances", "global_shap_values", "shap_values")


# Metrics by which way is better.
_LOWER = re.compile(
    r"mae|mse|rmse|mape|smape|wape|rmsle|brier_score|(.*_)?(error|error_rate|loss|latency)|logloss"
    r"|false_(positive|negative)_rate|fpr|fnr"
)
_HIGHER = re.compile(
    r"(weighted_|macro_|micro_)?(accuracy|precision|recall|f[0-9].*|auc)|balanced_accuracy|roc_auc"
    r"|pr_auc|average_precision|gini|specificity|sensitivity|true_(positive|negative)_rate|tpr|tnr"
    r"|r2|ndcg|map|mcc|kappa"
)


class Bias(NamedTuple):
    """A bias metric of a group of people."""

    attribute: str
    """the facet: sex"""
    group: str
    """its value or threshold: female; empty where the report tells of none"""
    metric: str
    """DPL, DI, …"""
    value: Any
    """a number, else what stands in its place"""


def metrics(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report's values by their path with dots; `{"value": 0.9, …}` is a value, lists are none."""
    found: dict[str, Any] = {}
    left: list[tuple[str, Any]] = [("", report)]
    while left:
        path, value = left.pop()
        if isinstance(value, dict) and path and not isinstance(value.get("value", {}), dict | list):
            found[path] = value["value"]
        elif isinstance(value, dict):
            inner = ((f"{path}.{key}" if path else key, item) for key, item in value.items())
            left += reversed([*inner])
        elif not isinstance(value, list):
            found[path] = value
    return found


def bias(report: Mapping[str, Any]) -> list[Bias]:
    """A report's bias metrics, in its order."""
    found = []
    for name, section in report.items():
        if not isinstance(section, dict):
            continue
        if isinstance(section.get("facets"), dict):
            found += [one for facet in section["facets"].items() for one in _clarified(*facet)]
            continue
        for key, value in section.items():
            if isinstance(value, dict) and "value" not in value:
                found += [Bias(name, key, inner, _value(of)) for inner, of in value.items()]
            else:
                found.append(Bias(name, "", key, _value(value)))
    return found


def _clarified(facet: str, groups: Any) -> Iterator[Bias]:
    """Yield what Clarify says of a facet."""
    for group in groups if isinstance(groups, list) else ():
        if not isinstance(group, dict):
            continue
        named = str(group.get("value_or_threshold", ""))
        listing = group.get("metrics")
        for metric in listing if isinstance(listing, list) else ():
            if isinstance(metric, dict):
                value = metric.get("value", metric.get("error"))
                yield Bias(facet, named, str(metric.get("name", "")), value)


def importance(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report's features and their weights; of several labels' the one furthest from 0."""
    found: dict[str, Any] = {}
    explained = report.get("explanations")
    methods = explained.values() if isinstance(explained, dict) else ()
    labels = [label for method in methods if isinstance(method, dict) for label in method.values()]
    for part in (report, *labels):
        if not isinstance(part, dict):
            continue
        for key in _IMPORTANCE:
            weights = part.get(key)
            for name, weight in weights.items() if isinstance(weights, dict) else ():
                value = _value(weight)
                known, new = number(found.get(name)), number(value)
                if known is None or (new is not None and abs(new) > abs(known)):
                    found[name] = value
    return found


def direction_of(name: str) -> str | None:
    """Which way a metric of that name is better, higher or lower; None where nobody knows."""
    plain = name.rpartition(".")[2].lower()
    return "lower" if _LOWER.fullmatch(plain) else "higher" if _HIGHER.fullmatch(plain) else None


def _value(of: Any) -> Any:
    return of["value"] if isinstance(of, dict) and "value" in of else of


def number(value: Any) -> float | None:
    """A finite number as a float; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        made = float(value)
    except OverflowError:
        return None
    return made if math.isfinite(made) else None


def own_times(report: Mapping[str, Any]) -> Iterator[datetime]:
    """Yield when a report says that it was made; without a time zone it is UTC."""
    for name in _TIMES:
        try:
            time = datetime.fromisoformat(report.get(name, ""))
        except (TypeError, ValueError):
            continue
        yield time if time.tzinfo else time.replace(tzinfo=UTC)


def named(report: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The ARNs of model packages and the models' SHA-256 that a report names, but as baselines."""
    packages: set[str] = set()
    models: set[str] = set()
    left: list[tuple[str, Any]] = [("", report)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            left += [one for one in value.items() if "baseline" not in one[0].lower()]
        elif isinstance(value, list):
            left += [(key, item) for item in value]
        elif isinstance(value, str) and _PACKAGE.fullmatch(value):
            packages.add(value.lower())
        elif isinstance(value, str) and key == "model_sha256":
            models.add(value.removeprefix("sha256:").lower())
    return packages, models
