"""SageMaker's model cards, and the model card of a model package.

In: requests about model cards; or a request that may bring a package's card, or that card. Out:
moto's answers, except for the operations here, which moto lacks or answers otherwise than AWS does;
SageMaker's refusal, or a card without what only a reader with kms:Decrypt may see. What a content
may hold is said by "Model card JSON schema" and "Model package model card schema" in the SageMaker
developer guide: checked as far as the names of sections and the values of enumerations go. Cards
live in moto's own backends, where moto's lists and reset find them.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import ConflictException, ResourceNotFound, ValidationError
from moto.sagemaker.responses import SageMakerResponse

if TYPE_CHECKING:
    from moto.sagemaker.models import FakeModelCard

_SECTIONS: dict[str, set[str] | None] = {
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
# What the content of a model card has beyond that of a package's card.
_OVERVIEW = {
    *("model_description", "model_owner", "problem_type", "algorithm_type", "model_id"),
    *("model_name", "model_version", "inference_environment"),
}
_CARD_SECTIONS: dict[str, set[str] | None] = {
    **_SECTIONS,
    "model_overview": {*(_SECTIONS["model_overview"] or ()), *_OVERVIEW},
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
_ARN = re.compile(r"arn:[^:]+:sagemaker:(?P<region>[^:]+):[^:]+:model-card/(?P<name>.+)")
_PAGE = 100


class SageMaker(SageMakerResponse):
    """moto's SageMaker with model cards as AWS keeps them."""

    def create_model_card(self) -> ActionResult:
        """Refuse content that is off the schema."""
        _check(self._get_param("Content"), _CARD_SECTIONS)
        return super().create_model_card()

    def update_model_card(self) -> ActionResult:
        """Begin a version for other content; another status is the newest version's own."""
        newest = self._cards(self._get_param("ModelCardName"))[-1]
        content, status = self._get_param("Content"), self._get_param("ModelCardStatus")
        if (content is None) == (status is None):
            raise ValidationError(
                "You cannot update both model card content and model card status in a single call."
                if status
                else "Neither model card content nor model card status is given."
            )
        if content is None:
            newest.model_card_status, newest.last_modified_time = status, utcnow()
        elif newest.model_card_status == "Archived":
            raise ConflictException("Model Card is in Archived state.")
        else:
            _check(content, _CARD_SECTIONS)
            self.sagemaker_backend.update_model_card(
                newest.model_card_name, content, newest.model_card_status
            )
        return ActionResult({"ModelCardArn": newest.arn})

    def describe_model_card(self) -> ActionResult:
        """Take an ARN too, and answer all of the content, or what of it is open."""
        cards = self._cards(self._get_param("ModelCardName"))
        number = self._get_param("ModelCardVersion")
        found = [card for card in cards if number in (None, card.model_card_version)]
        if not found:
            raise ResourceNotFound(f"Model Card {cards[0].arn} has no version {number}.")
        card = {**found[-1].describe(), "LastModifiedTime": found[-1].last_modified_time}
        if self._get_param("IncludedData") == "MetadataOnly":
            card["Content"] = _open_members(card["Content"])
        return ActionResult({name: value for name, value in card.items() if value is not None})

    def list_model_card_versions(self) -> ActionResult:
        """Take an ARN too, and answer page by page."""
        cards = self._cards(self._get_param("ModelCardName"))
        status = self._get_param("ModelCardStatus")
        shown = [card for card in cards if status in (None, card.model_card_status)]
        if self._get_param("SortOrder") == "Descending":
            shown.reverse()
        start = int(self._get_param("NextToken") or 0)
        end = start + (self._get_param("MaxResults") or _PAGE)
        page = [card.version_summary() for card in shown[start:end]]
        answer: dict[str, Any] = {"ModelCardVersionSummaryList": page}
        if end < len(shown):
            answer["NextToken"] = str(end)
        return ActionResult(answer)

    def _cards(self, name: str) -> list[FakeModelCard]:
        """Return the versions of a card, the oldest first."""
        arn = _ARN.fullmatch(name)
        if arn and arn["region"] != self.region:
            raise ValidationError(f"ARN should be scoped to correct region: {self.region}")
        name = arn["name"] if arn else name
        if name not in self.sagemaker_backend.model_cards:
            raise ResourceNotFound(f"Model Card {name} does not exist.")
        return self.sagemaker_backend.model_cards[name]


def check(request: dict[str, Any]) -> None:
    """Hold a request's package card to its schema.

    Raises:
        ValidationError: it is not JSON, or holds what a card has no place for.

    """
    content = request.get("ModelCard", {}).get("ModelCardContent")
    if content is not None:
        _check(content, _SECTIONS)


def metadata_only(card: dict[str, Any]) -> dict[str, Any]:
    """Return the card with the open members of its content alone."""
    return {**card, "ModelCardContent": _open_members(card.get("ModelCardContent", "{}"))}


def _check(content: str, sections: dict[str, set[str] | None]) -> None:
    try:
        card = json.loads(content)
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise ValidationError("ModelCardContent must be a JSON object.")
    found = [*_strangers(card, set(sections), "")]
    for section, names in sections.items():
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


def _open_members(whole: str) -> str:
    content = json.loads(whole)
    kept: dict[str, Any] = {}
    for section, name in _OPEN:
        if name in content.get(section, {}):
            kept.setdefault(section, {})[name] = content[section][name]
    return json.dumps(kept)


def _strangers(given: dict[str, Any], known: set[str], where: str) -> list[str]:
    return [f"{where}{name} is not known" for name in given if name not in known]
