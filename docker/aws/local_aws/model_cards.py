"""The model card of a model package: what its content may hold, and what of it is open.

In: a request that may bring a card, or a card. Out: SageMaker's refusal, or the card without what
only a reader with kms:Decrypt may see. The rules are those of "Model package model card schema" in
the SageMaker developer guide, as far as the names of sections and the values of enumerations go.
"""

from __future__ import annotations

import json
from typing import Any

from moto.sagemaker.exceptions import ValidationError

_SECTIONS = {
    "model_overview": {"model_creator", "model_artifact"},
    "intended_uses": {
        "purpose_of_model",
        "intended_uses",
        "factors_affecting_model_efficiency",
        "risk_rating",
        "explanations_for_risk_rating",
    },
    "business_details": {"business_problem", "business_stakeholders", "line_of_business"},
    "training_details": {"objective_function", "training_observations", "training_job_details"},
    "evaluation_details": None,  # a list
    "additional_information": {
        "ethical_considerations",
        "caveats_and_recommendations",
        "custom_details",
    },
}
_EVALUATION = {
    "name",
    "evaluation_observation",
    "evaluation_job_arn",
    "datasets",
    "metadata",
    "metric_groups",
}
_RISKS = ("High", "Medium", "Low", "Unknown")
_OPEN = (
    ("model_overview", "model_id"),
    ("model_overview", "model_name"),
    ("intended_uses", "risk_rating"),
    ("model_package_details", "model_package_group_name"),
    ("model_package_details", "model_package_arn"),
)


def check(request: dict[str, Any]) -> None:
    """Hold a request's card to its schema.

    Raises:
        ValidationError: it is not JSON, or holds what a card has no place for.

    """
    content = request.get("ModelCard", {}).get("ModelCardContent")
    if content is None:
        return
    try:
        card = json.loads(content)
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise ValidationError("ModelCardContent must be a JSON object.")
    found = [*_strangers(card, set(_SECTIONS), "")]
    for section, names in _SECTIONS.items():
        if names is not None:
            found += _strangers(card.get(section, {}), names, f"{section}.")
    for evaluation in card.get("evaluation_details", []):
        found += _strangers(evaluation, _EVALUATION, "evaluation_details.")
        if not evaluation.get("name"):
            found.append("evaluation_details.name is missing")
    risk = card.get("intended_uses", {}).get("risk_rating", "Unknown")
    if risk not in _RISKS:
        found.append(f"intended_uses.risk_rating is {risk}, not one of {', '.join(_RISKS)}")
    if found:
        raise ValidationError(f"ModelCardContent does not follow its schema: {'; '.join(found)}")


def metadata_only(card: dict[str, Any]) -> dict[str, Any]:
    """Return the card with the open members of its content alone."""
    content = json.loads(card.get("ModelCardContent", "{}"))
    kept: dict[str, Any] = {}
    for section, name in _OPEN:
        if name in content.get(section, {}):
            kept.setdefault(section, {})[name] = content[section][name]
    return {**card, "ModelCardContent": json.dumps(kept)}


def _strangers(given: dict[str, Any], known: set[str], where: str) -> list[str]:
    return [f"{where}{name} is not known" for name in given if name not in known]
