"""What a version's reports say, in the few forms that a model card shows.

Goes in: reports as JSON: Model Monitor's of a model's quality, Clarify's analysis.json, or plain
objects of numbers. Comes out: measures, curves, matrices, disparities between groups, importances
of features. Pure. What is no finite number is left out, and whoever shows the rest says so; whether
a value is good enough is for gates to say.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
https://docs.aws.amazon.com/sagemaker/latest/dg/clarify-processing-job-analysis-results.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import Problems
from mims.governance import report_shapes
from mims.governance.report_shapes import number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mims.governance.registry import Registry
    from mims.governance.versions import Version

QUALITY = "ModelQuality.Statistics"
BIAS = ("Bias.Report", "Bias.PreTrainingReport", "Bias.PostTrainingReport")
EXPLAINED = "Explainability.Report"
_STAGES = {
    "pre_training_bias_metrics": "in the data",
    "post_training_bias_metrics": "in the predictions",
}
_CURVES = {  # Model Monitor's: their x and y
    "receiver_operating_characteristic_curve": ("false_positive_rates", "true_positive_rates"),
    "precision_recall_curve": ("recalls", "precisions"),
}
_CONSTANT = "_best_constant_classifier"


class Measure(NamedTuple):
    """A metric of a model's quality."""

    name: str
    value: float
    deviation: float | None = None
    constant: float | None = None
    """what answering the same for everybody would reach"""


class Curve(NamedTuple):
    """A curve through points of x and y."""

    name: str
    x: str
    y: str
    points: list[tuple[float, float]]


class Matrix(NamedTuple):
    """A confusion matrix: a row an actual label, a column a predicted one."""

    name: str
    labels: list[str]
    rows: list[list[float]]


class Disparity(NamedTuple):
    """A bias metric of a group of people against everybody else."""

    stage: str
    attribute: str
    group: str
    metric: str
    description: str
    value: float | None
    """None where it is not defined"""
    error: str = ""

    @property
    def parity(self) -> float:
        """The value that says both are treated alike: a ratio's is 1, a difference's 0."""
        return 1.0 if self.metric == "DI" else 0.0

    @property
    def distance(self) -> float:
        """How far it is from parity; 0 where it is not defined."""
        return abs(self.value - self.parity) if self.value is not None else 0.0


class Importance(NamedTuple):
    """How much a feature moves what a model says: a mean of absolute SHAP values, or the like."""

    label: str
    feature: str
    value: float


def read_reports(registry: Registry, version: Version) -> dict[str, Any]:
    """Read those of a version's reports that a card shows, by place, as `Version.reports` has them.

    Raises:
        InputError: with every report that is not what was registered, or no JSON.
        ServiceError: one is not there, or S3 refused.

    """
    problems, found = Problems(), {}
    for place in (QUALITY, *BIAS, EXPLAINED):
        if place in version.reports:
            with problems.gather():
                found[place] = registry.read_json(version.reports[place])
    problems.raise_any()
    return found


def measures(reports: Mapping[str, Any]) -> list[Measure]:
    """The metrics of the model's quality, as the report orders them."""
    found = dict(_numbers(reports.get(QUALITY)))
    return [
        Measure(name, value, deviation, found.get(f"{name}{_CONSTANT}", (None,))[0])
        for name, (value, deviation) in found.items()
        if not name.endswith(_CONSTANT)
    ]


def curves(reports: Mapping[str, Any]) -> Iterator[Curve]:
    """Yield the curves of the model's quality."""
    for _, metrics in _sections(reports.get(QUALITY)):
        for name, (x, y) in _CURVES.items():
            given = metrics.get(name)
            if isinstance(given, dict):
                points = [
                    (float(a), float(b))
                    for a, b in zip(_list(given.get(x)), _list(given.get(y)), strict=False)
                    if number(a) is not None and number(b) is not None
                ]
                if len(points) > 1:
                    yield Curve(name, x, y, points)


def matrices(reports: Mapping[str, Any]) -> Iterator[Matrix]:
    """Yield the confusion matrices of the model's quality."""
    for _, metrics in _sections(reports.get(QUALITY)):
        for name, given in metrics.items():
            rows = list(given.values()) if isinstance(given, dict) else []
            if rows and all(isinstance(row, dict) and row.keys() == given.keys() for row in rows):
                cells = [[number(row[label]) for label in given] for row in rows]
                if all(cell is not None for row in cells for cell in row):
                    yield Matrix(name, list(given), cells)  # type: ignore[arg-type]


def disparities(reports: Mapping[str, Any]) -> list[Disparity]:
    """The bias metrics: stage by stage, attribute by attribute, group by group."""
    found: list[Disparity] = []
    for place in BIAS:
        report = reports.get(place)
        if not isinstance(report, dict):
            continue
        for section, stage in _STAGES.items():
            facets = _dict(_dict(report.get(section)).get("facets"))
            for attribute, groups in facets.items():
                for group in filter(lambda one: isinstance(one, dict), _list(groups)):
                    found += _of_group(stage, attribute, group)
        found += _plain_disparities(report)
    return list(dict.fromkeys(found))


def _plain_disparities(report: Mapping[str, Any]) -> Iterator[Disparity]:
    """Yield what no Clarify has written: numbers by attribute, by group, or at the top."""
    for name, given in report.items():
        if (value := number(given)) is not None and name != "version":
            yield Disparity("", "", "", name, "", value)
    plain = {
        name: given
        for name, given in report.items()
        if name not in (*_STAGES, "explanations") and "facets" not in _dict(given)
    }
    for one in report_shapes.bias(plain):
        if (value := number(one.value)) is not None:
            yield Disparity("", one.attribute, one.group, one.metric, "", value)


def importances(reports: Mapping[str, Any]) -> list[Importance]:
    """Global SHAP values of each label, or plain feature importances, the largest first."""
    report = _dict(reports.get(EXPLAINED))
    found = [
        Importance(label, feature, value)
        for explained in _dict(report.get("explanations")).values()
        for label, one in _dict(explained).items()
        for feature, value in _plain(_dict(one).get("global_shap_values"))
    ]
    if not found:
        weights = report_shapes.importance(report)
        found = [Importance("", feature, value) for feature, value in _plain(weights)]
    labels = list(dict.fromkeys(one.label for one in found))
    return sorted(found, key=lambda one: (labels.index(one.label), -abs(one.value), one.feature))


def better(name: str, difference: float) -> bool | None:
    """Whether a metric that has changed so is better; None where nobody knows."""
    direction = report_shapes.direction_of(name)
    if direction is None or difference == 0:
        return None
    return (difference > 0) == (direction == "higher")


def _numbers(report: Any) -> Iterator[tuple[str, tuple[float, float | None]]]:
    for prefix, metrics in _sections(report):
        for name, given in metrics.items():
            inner = given if isinstance(given, dict) else {"value": given}
            value = number(inner.get("value"))
            if value is not None and not (prefix == "" and name == "version"):
                deviation = number(inner.get("standard_deviation"))
                yield f"{prefix}{name}", (value, deviation)


def _sections(report: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """What stands at the top, and in objects of metrics; names have the object where two have."""
    top = _dict(report)
    inner = {
        name: given
        for name, given in top.items()
        if isinstance(given, dict) and "value" not in given and name != "dataset"
    }
    many = len(inner) > 1
    return [("", top), *((f"{name}." if many else "", given) for name, given in inner.items())]


def _of_group(stage: str, attribute: str, group: Mapping[str, Any]) -> Iterator[Disparity]:
    for metric in _list(group.get("metrics")):
        if isinstance(metric, dict) and isinstance(metric.get("name"), str):
            yield Disparity(
                stage,
                attribute,
                str(group.get("value_or_threshold", "")),
                metric["name"],
                str(metric.get("description", "")),
                number(metric.get("value")),
                str(metric.get("error", "")),
            )


def _plain(values: Any) -> Iterator[tuple[str, float]]:
    for name, given in _dict(values).items():
        if (value := number(given)) is not None:
            yield name, value


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
