"""The content of a version's model card, in AWS's published schema (cards/schema.py).

Goes in: a version, its reports, what its group's file says under `card:`, what lineage knows. Comes
out: the content, checked. Says only what somebody or something has said. Stage and approval are not
in it: they change without it. Asks nothing and stores nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.governance.cards.reports import (
    BIAS,
    EXPLAINED,
    QUALITY,
    curves,
    disparities,
    importances,
    matrices,
    measures,
)
from mims.governance.cards.schema import (
    LIMIT,
    LISTED,
    MIDDLE,
    NAME,
    ROWS,
    SHORT,
    Facts,
    check_content,
    facts_of,
)
from mims.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mims.governance.lineage.parts import Graph
    from mims.governance.versions import Version

NOT_FOR = "Not for:"  # what stands below it in intended_uses, this must not be used for
_NONE: Mapping[str, Any] = {}
_KINDS = {
    "binary_classification_metrics": "Binary classification",
    "multiclass_classification_metrics": "Multiclass classification",
    "regression_metrics": "Regression",
}
_LINEAGE = {
    "DataSet": "data",
    "Code": "code",
    "Image": "image",
    "Parameters": "parameters",
    "TrainingJob": "training_job",
    "Endpoint": "endpoint",
}


def card_content(
    version: Version,
    reports: Mapping[str, Any],
    facts: Mapping[str, Any] = _NONE,
    lineage: Mapping[str, Sequence[str]] = _NONE,
) -> dict[str, Any]:
    """Make a card's content.

    `reports`: as `read_reports` gives them. `facts`: as `Facts` has them. `lineage`: URIs and ARNs
    by kind; `data`, `training_job` and `image` have places of their own in the schema.

    Raises:
        InputError: with everything that is wrong with `facts`.

    """
    known = facts_of(facts)
    registered = _registered(version)
    content = {
        "model_overview": _overview(version, reports, known, registered),
        "intended_uses": _uses(known, registered),
        "business_details": {
            "business_problem": known.business.problem,
            "business_stakeholders": known.business.stakeholders,
            "line_of_business": known.business.line
            or _text(registered, "business_details", "line_of_business"),
        },
        "training_details": _training(known, lineage),
        "evaluation_details": _evaluations(version, reports, known),
        "additional_information": {
            "ethical_considerations": known.ethical_considerations,
            "caveats_and_recommendations": known.caveats,
            "custom_details": _details(version, known, registered, lineage),
        },
    }
    made: dict[str, Any] = _fitting(_without_gaps(content))
    check_content(made)
    return made


def content_text(content: Mapping[str, Any]) -> str:
    """The content as SageMaker takes it: JSON on one line, in ASCII."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def lineage_of(graph: Graph) -> dict[str, list[str]]:
    """What `card_content` wants of lineage: what a graph's nodes stand for, by kind."""
    found: dict[str, list[str]] = {}
    nodes = dict.fromkeys(
        node for edge in (*graph.up, *graph.down) for node in (edge.source, edge.destination)
    )
    for node in nodes:
        kind = _LINEAGE.get(node.type)
        if kind == "parameters":
            found.setdefault(kind, []).extend(f"{name}={fact}" for name, fact in node.facts.items())
        elif kind:
            found.setdefault(kind, []).append(node.uri)
    return found


def _overview(
    version: Version, reports: Mapping[str, Any], known: Facts, registered: Mapping[str, Any]
) -> dict[str, Any]:
    containers = version.described.get("InferenceSpecification", {}).get("Containers", [])
    quality = _dict(reports.get(QUALITY))
    kinds = [kind for section, kind in _KINDS.items() if section in quality]
    return {
        "model_id": version.arn,
        "model_name": version.group,
        "model_version": version.number or None,
        "model_description": known.description
        or version.described.get("ModelPackageDescription", "")[:MIDDLE],
        "model_owner": known.owner,
        "model_creator": _text(registered, "model_overview", "model_creator"),
        "problem_type": known.problem_type or (kinds[0] if len(kinds) == 1 else None),
        "algorithm_type": known.algorithm,
        "model_artifact": [version.model.uri] if version.model.uri else [],
        "inference_environment": {
            "container_image": [one["Image"] for one in containers if one.get("Image")][:LISTED]
        },
    }


def _uses(known: Facts, registered: Mapping[str, Any]) -> dict[str, Any]:
    uses = [known.intended_uses or ""]
    if known.out_of_scope:
        uses.append(f"{NOT_FOR}\n{known.out_of_scope}")
    return {
        "purpose_of_model": known.purpose or _text(registered, "intended_uses", "purpose_of_model"),
        "intended_uses": "\n\n".join(uses).strip(),
        "factors_affecting_model_efficiency": known.factors,
        "risk_rating": known.risk_rating,
        "explanations_for_risk_rating": known.risk_explanation,
    }


def _training(known: Facts, lineage: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    training, objective = known.training, known.training.objective
    jobs = lineage.get("training_job", ())
    datasets = dict.fromkeys([*training.datasets, *lineage.get("data", ())])
    return {
        "objective_function": {
            "function": objective.model_dump(exclude={"notes"}),
            "notes": objective.notes,
        }
        if objective
        else None,
        "training_observations": training.observations,
        "training_job_details": {
            "training_arn": jobs[0] if jobs else None,
            "training_datasets": list(datasets)[:LISTED],
            "training_environment": {"container_image": [*lineage.get("image", ())][:LISTED]},
            "user_provided_hyper_parameters": [
                {"name": name, "value": str(value)[:NAME] or "(empty)"}
                for name, value in training.hyperparameters.items()
            ],
        },
    }


def _evaluations(
    version: Version, reports: Mapping[str, Any], known: Facts
) -> list[dict[str, Any]]:
    made = []
    for name, place, groups in (
        ("model quality", QUALITY, _quality_groups(reports)),
        *(
            (f"bias: {place.partition('.')[2]}", place, _bias_groups(reports, place))
            for place in BIAS
        ),
        ("explainability", EXPLAINED, _importance_groups(reports)),
    ):
        file = version.reports.get(place)
        if file and place in reports:
            made.append(
                {
                    "name": name,
                    "metadata": {"uri": file.uri, "sha256": file.sha256},
                    "datasets": known.evaluation.datasets if place == QUALITY else [],
                    "evaluation_observation": known.evaluation.observations
                    if place == QUALITY
                    else None,
                    "metric_groups": groups,
                }
            )
    return made


def _quality_groups(reports: Mapping[str, Any]) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = []
    for measure in measures(reports):
        notes = []
        if measure.deviation is not None:
            notes.append(f"standard deviation {measure.deviation:g}")
        if measure.constant is not None:
            notes.append(f"best constant classifier {measure.constant:g}")
        data.append(
            {
                "name": measure.name[:NAME] or "unnamed",
                "type": "number",
                "value": measure.value,
                "notes": ", ".join(notes),
            }
        )
    for matrix in matrices(reports):
        if len(matrix.labels) <= ROWS:
            labels = [label[:SHORT] for label in matrix.labels]
            data.append(
                {
                    "name": matrix.name[:NAME],
                    "type": "matrix",
                    "value": matrix.rows,
                    "x_axis_name": labels,
                    "y_axis_name": labels,
                }
            )
    data += [
        {
            "name": curve.name,
            "type": "linear_graph",
            "value": [list(point) for point in thinned(curve.points, ROWS)],
            "x_axis_name": curve.x,
            "y_axis_name": curve.y,
        }
        for curve in curves(reports)
    ]
    return [{"name": "metrics", "metric_data": data}] if data else []


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """So many of a curve's points, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(at * (len(points) - 1) / (most - 1))] for at in range(most)]


def _bias_groups(reports: Mapping[str, Any], place: str) -> list[dict[str, Any]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in disparities({place: reports.get(place)}):
        if one.value is not None:
            where = f"{one.attribute} = {one.group}, {one.stage}" if one.attribute else "metrics"
            metric = {"name": one.metric[:NAME] or "unnamed", "type": "number", "value": one.value}
            groups.setdefault(where[:SHORT], []).append(
                {**metric, "notes": one.description[:MIDDLE]}
            )
    return [{"name": name, "metric_data": data} for name, data in groups.items()]


def _importance_groups(reports: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = importances(reports)
    data = []
    for label in dict.fromkeys(one.label for one in found):
        of_label = [one for one in found if one.label == label]
        shown = of_label[:ROWS]
        left = len(of_label) - len(shown)
        data.append(
            {
                "name": (f"global SHAP values, {label}" if label else "feature importance")[:NAME],
                "type": "bar_chart",
                "value": [one.value for one in shown],
                "x_axis_name": [one.feature[:SHORT] for one in shown],
                "notes": f"the largest {ROWS}; {left} more are in the report" if left else None,
            }
        )
    return [{"name": "feature importance", "metric_data": data}] if data else []


def _details(
    version: Version,
    known: Facts,
    registered: Mapping[str, Any],
    lineage: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    told = _dict(_dict(registered.get("additional_information")).get("custom_details"))
    found = {
        **{name: value for name, value in told.items() if isinstance(value, str)},
        "model_package_arn": version.arn,
        "registered_at": f"{version.created:%Y-%m-%dT%H:%M:%SZ}" if version.created else None,
        "registered_by": version.created_by,
        "model_sha256": version.model.sha256,
        "sample_payload": version.payload.uri if version.payload else None,
        "payload_sha256": version.payload.sha256 if version.payload else None,
        "variable_schema": version.schema.uri if version.schema else None,
        "variable_schema_sha256": version.schema.sha256 if version.schema else None,
        **known.details,
        **{
            f"lineage: {kind}": listed(names)
            for kind, names in lineage.items()
            if names and kind not in ("data", "image") and (kind, len(names)) != ("training_job", 1)
        },
    }
    return {name: value[:MIDDLE] for name, value in found.items() if value}


def _registered(version: Version) -> Mapping[str, Any]:
    """The card that the package was registered with; one that is no JSON object says nothing."""
    try:
        return _dict(json.loads(version.described.get("ModelCard", {}).get("ModelCardContent", "")))
    except (ValueError, RecursionError):
        return {}


def _fitting(content: dict[str, Any]) -> dict[str, Any]:
    """Leave metrics to their reports, the most voluminous first, until the content is not too long.

    It holds people's words in full: they have limits of their own.
    """
    evaluations = content.get("evaluation_details", [])
    for one in sorted(evaluations, key=lambda one: -len(content_text(one))):
        if len(content_text(content)) > LIMIT and one.pop("metric_groups", None):
            one.setdefault("evaluation_observation", "Too long for a card: see the report.")
    if len(content_text(content)) > LIMIT:
        raise InputError(f"the model card has {len(content_text(content))} characters: {LIMIT} fit")
    return content


def _without_gaps(value: Any) -> Any:
    """Leave out what nobody has said."""
    if isinstance(value, dict):
        kept = {name: _without_gaps(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if one not in (None, "", [], {})}
    return [_without_gaps(one) for one in value] if isinstance(value, list) else value


def _text(content: Mapping[str, Any], section: str, name: str) -> str | None:
    value = _dict(content.get(section)).get(name)
    return value if isinstance(value, str) else None


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
