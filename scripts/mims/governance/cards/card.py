"""The model card of a version in SageMaker: found, created, changed, with its versions and status.

Goes in: a version, and content for its card (cards/content.py). Comes out: the card as SageMaker
has it: created, or given a new version where the content is another; a repetition makes no second
version of the same content, nor does an answer that was lost.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3.session
from botocore.config import Config

from mims.errors import InputError, ServiceError
from mims.governance.cards.content import content_text
from mims.governance.cards.schema import check_content
from mims.registration.aws import AwsError, asking, required
from mims.text import listed, printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mims.governance.registry import Registry
    from mims.governance.versions import Version

STATUSES = DRAFT, PENDING, APPROVED, ARCHIVED = ("Draft", "PendingReview", "Approved", "Archived")
_NAME_LIMIT = 63
_ATTEMPTS = 4  # at an update whose outcome is not known
_REFUSED = {  # which asking again does not mend
    *("AccessDeniedException", "ValidationException", "ConflictException", "ResourceNotFound"),
    *("ResourceLimitExceeded", "ExpiredTokenException", "UnrecognizedClientException"),
    *("NoCredentialsError", "InvalidSignatureException"),
}


class Card(NamedTuple):
    """A model card as SageMaker has it, in one of its versions."""

    name: str
    arn: str
    number: int
    """of the card's version; 0 for one that is not there yet"""
    status: str
    content: Mapping[str, Any]
    deed: str = ""
    """what `save` did, or would do: created, updated, unchanged"""

    @property
    def text(self) -> str:
        """One line about it."""
        which = f", version {self.number}" if self.number else ""
        return f"model card {self.name}{which}, {self.status}" + (self.deed and f": {self.deed}")

    @property
    def whole(self) -> str:
        """All of it as lines of text, for a terminal."""
        return "\n".join([self.text, *_lines(self.content)])


def _lines(value: Any, depth: int = 1) -> Iterator[str]:
    """Yield lines: names and values, deeper ones indented; metrics one a line."""
    for name, one in value.items():
        label = f"{'  ' * depth}{printable(str(name)).replace('_', ' ')}:"
        if isinstance(one, dict):
            yield label
            yield from _lines(one, depth + 1)
        elif isinstance(one, list) and one and all(isinstance(item, dict) for item in one):
            yield label
            for item in one:
                kept = {key: given for key, given in item.items() if key not in ("name", "type")}
                plain = kept.keys() <= {"value", "notes"}
                shown = {item.get("name", "-"): kept.get("value") if plain else kept}
                yield from _lines(shown, depth + 1)
        else:
            text = ", ".join(map(str, one)) if isinstance(one, list) else str(one)
            indent = "\n" + "  " * (depth + 1)
            yield f"{label} {printable_lines(text).replace(chr(10), indent)}"


def card_name(version: Version) -> str:
    """The name of a version's card: group and number; a long group's is cut, and marked."""
    tail = f"-{version.number}"
    if len(version.group) + len(tail) <= _NAME_LIMIT:
        return version.group + tail
    mark = hashlib.sha256(version.group.encode()).hexdigest()[:8]
    kept = version.group[: _NAME_LIMIT - len(tail) - len(mark) - 1].rstrip("-")
    return f"{kept}-{mark}{tail}"


def find(registry: Registry, version: Version, number: int | None = None) -> Card | None:
    """A version's card, or one of its versions; None where there is none.

    Raises:
        InputError: the card of that name is another model's.
        ServiceError: SageMaker refused or could not be reached.

    """
    name, asked = card_name(version), {"ModelCardVersion": number} if number else {}
    try:
        with asking("DescribeModelCard", registry.region, name):
            answer = registry.sagemaker.describe_model_card(ModelCardName=name, **asked)  # type: ignore[arg-type]
    except AwsError as error:
        if error.code == "ResourceNotFound":
            return None
        raise
    text = required(answer, "Content", "DescribeModelCard", registry.region)
    content = json.loads(text)  # SageMaker takes no other
    of = content.get("model_overview", {}).get("model_id")
    if of not in (None, version.arn):
        raise InputError(f"model card {name} is that of {of}: rename or delete it")
    return Card(
        name,
        answer["ModelCardArn"],
        answer["ModelCardVersion"],
        answer["ModelCardStatus"],
        content,
    )


def history(registry: Registry, version: Version) -> list[dict[str, Any]]:
    """A card's versions, the oldest first: number, status, and when they were made and changed."""
    name = card_name(version)
    pages = registry.sagemaker.get_paginator("list_model_card_versions").paginate(
        ModelCardName=name, SortBy="Version", SortOrder="Ascending"
    )
    with asking("ListModelCardVersions", registry.region, name):
        return [
            {
                "number": one["ModelCardVersion"],
                "status": one["ModelCardStatus"],
                "created": one["CreationTime"],
                "changed": one.get("LastModifiedTime"),
            }
            for page in pages
            for one in page["ModelCardVersionSummaryList"]
        ]


def save(
    registry: Registry,
    version: Version,
    content: Mapping[str, Any],
    status: str | None = None,
    *,
    dry_run: bool = False,
    sleep: Callable[[float], object] = time.sleep,
) -> Card:
    """Bring a version's card to this content and status; None keeps the status, Draft at first.

    Content that is there already makes no version. A status is the card's newest version's.

    Raises:
        InputError: off the schema, no such status, or the card is archived.
        ServiceError: SageMaker refused or could not be reached.

    """
    if status not in (None, *STATUSES):
        raise InputError(f"status of a model card: must be one of {listed(STATUSES)}, not {status}")
    check_content(content)
    there = find(registry, version)
    if (
        there
        and there.status == ARCHIVED
        and (there.content != content or status not in (None, ARCHIVED))
    ):
        raise InputError(f"model card {there.name} is archived: it does not change any more")
    same = there is not None and there.content == content and status in (None, there.status)
    deed = "unchanged" if same else "updated" if there else "created"
    if dry_run or (there and same):
        name, wanted = card_name(version), status or (there.status if there else DRAFT)
        arn, number = (there.arn, there.number) if there else ("", 0)
        return Card(name, arn, number, wanted, content, deed)
    if there is None:
        there = _create(registry, version, content, status or DRAFT)
    if there.content != content:
        _update(registry, version, {"Content": content_text(content)}, sleep)
    if status not in (None, there.status):
        _update(registry, version, {"ModelCardStatus": status}, sleep)
    now = find(registry, version)
    if now is None:
        raise ServiceError(f"model card {card_name(version)} was deleted meanwhile; run again")
    return now._replace(deed=deed)


def _create(registry: Registry, version: Version, content: Mapping[str, Any], status: str) -> Card:
    """Create a card. One that is there by now is ours, its answer lost, or another operator's."""
    name = card_name(version)
    try:
        with asking("CreateModelCard", registry.region, name):
            registry.sagemaker.create_model_card(
                ModelCardName=name,
                Content=content_text(content),
                ModelCardStatus=status,  # type: ignore[arg-type]
            )
    except AwsError as error:
        if error.code != "ConflictException":
            raise
    made = find(registry, version)
    if made is None:
        raise ServiceError(f"model card {name} was deleted meanwhile; run again")
    return made


def _update(
    registry: Registry,
    version: Version,
    change: Mapping[str, Any],
    sleep: Callable[[float], object],
) -> None:
    """Change content or status: SageMaker takes one at a time, and has no token for a repetition.

    So botocore asks once only, and where no answer tells, a look does, before it is asked again.
    """
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60)
    session = boto3.session.Session(region_name=registry.region)
    sagemaker = session.client("sagemaker", config=once)
    name = card_name(version)
    for wait in _waits():
        try:
            with asking("UpdateModelCard", registry.region, name):
                answer = sagemaker.update_model_card(ModelCardName=name, **change)
            required(answer, "ModelCardArn", "UpdateModelCard", registry.region)
        except AwsError as error:
            if error.code in _REFUSED or wait is None:
                raise
            sleep(wait)
            there = find(registry, version)
            if there and _has(there, change):
                return
        else:
            return


def _waits() -> Iterator[float | None]:
    """Seconds to wait after each attempt; None after the last."""
    yield from (0.5 * 2**attempt for attempt in range(_ATTEMPTS - 1))
    yield None


def _has(card: Card, change: Mapping[str, Any]) -> bool:
    if "Content" in change:
        return bool(card.content == json.loads(change["Content"]))
    return bool(card.status == change["ModelCardStatus"])
