"""A version's model card in SageMaker: its versions, its status, and answers that are lost."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from faults import denied, internal_error, lost_answer, throttled, truncated
from governance_cards import FACTS, WHOLE, described_version
from mims.errors import InputError, ServiceError
from mims.governance.cards.card import card_name, find, history, save
from mims.governance.cards.content import card_content
from mims.governance.registry import Registry

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from faults import Faults

VERSION = described_version()
FIRST = card_content(VERSION, WHOLE)
SECOND = card_content(VERSION, WHOLE, FACTS)


@pytest.fixture
def registry(aws: object) -> Registry:
    del aws  # the environment leads there
    return Registry("us-west-2")


def ignore(_: float) -> None:
    """No waiting."""


def test_created_changed_and_unchanged(registry: Registry) -> None:
    assert find(registry, VERSION) is None
    card = save(registry, VERSION, FIRST)
    assert (card.name, card.number, card.status, card.deed) == ("fraud-3", 1, "Draft", "created")
    assert card.content == FIRST
    assert save(registry, VERSION, FIRST).text == "model card fraud-3, version 1, Draft: unchanged"
    card = save(registry, VERSION, SECOND)
    assert (card.number, card.deed, card.content) == (2, "updated", SECOND)
    first = find(registry, VERSION, 1)
    assert first
    assert first.content == FIRST
    assert [one["number"] for one in history(registry, VERSION)] == [1, 2]


def test_a_status_is_of_the_version_that_is_there(registry: Registry) -> None:
    save(registry, VERSION, FIRST)
    card = save(registry, VERSION, FIRST, "PendingReview")
    assert (card.number, card.status, card.deed) == (1, "PendingReview", "updated")
    card = save(registry, VERSION, SECOND, "Approved")  # both: SageMaker takes one at a time
    assert (card.number, card.status) == (2, "Approved")
    assert save(registry, VERSION, SECOND).status == "Approved"  # None keeps it


def test_a_dry_run_says_what_it_would_do(registry: Registry) -> None:
    card = save(registry, VERSION, FIRST, dry_run=True)
    assert (card.number, card.deed) == (0, "created")
    assert find(registry, VERSION) is None
    save(registry, VERSION, FIRST)
    card = save(registry, VERSION, SECOND, "Approved", dry_run=True)
    assert (card.deed, card.status) == ("updated", "Approved")
    assert [one["status"] for one in history(registry, VERSION)] == ["Draft"]


def test_an_archived_card_stays_as_it_is(registry: Registry) -> None:
    save(registry, VERSION, FIRST, "Archived")
    assert save(registry, VERSION, FIRST).deed == "unchanged"
    for content, status in ((SECOND, None), (FIRST, "Draft")):
        with pytest.raises(InputError, match="fraud-3 is archived"):
            save(registry, VERSION, content, status)


@pytest.mark.parametrize(
    ("content", "status", "problem"),
    [
        (FIRST, "approved", "must be one of Draft, PendingReview, Approved, Archived"),
        ({"model_overview": {"colour": "red"}}, None, "there is no such key"),
    ],
)
def test_what_is_refused_before_anything_is_asked(
    registry: Registry, content: Any, status: Any, problem: str
) -> None:
    with pytest.raises(InputError, match=problem):
        save(registry, VERSION, content, status)
    assert find(registry, VERSION) is None


def test_the_card_of_another_model_is_left_alone(
    registry: Registry, sagemaker: SageMakerClient
) -> None:
    content = json.dumps({"model_overview": {"model_id": "somebody-else"}})
    sagemaker.create_model_card(ModelCardName="fraud-3", Content=content, ModelCardStatus="Draft")
    with pytest.raises(InputError, match="fraud-3 is that of somebody-else"):
        save(registry, VERSION, FIRST)
    # one that a person began in the console says nothing of a model, and is continued
    sagemaker.update_model_card(ModelCardName="fraud-3", Content="{}")
    assert save(registry, VERSION, FIRST).number == 3


@pytest.mark.parametrize(
    ("group", "number", "pattern"),
    [
        ("fraud", 3, "fraud-3"),
        ("g" * 61, 3, "g{61}-3"),  # just fits
        ("g" * 63, 12, "g{51}-[0-9a-f]{8}-12"),  # cut, and marked
        ("a-" * 31 + "b", 1, "(a-){26}[0-9a-f]{8}-1"),  # cut behind a hyphen
    ],
)
def test_names_fit_the_services_pattern(group: str, number: int, pattern: str) -> None:
    made = card_name(described_version(group=group, number=number))
    assert re.fullmatch(pattern, made)
    assert re.fullmatch("[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", made)
    assert len(made) <= 63
    other = described_version(group=group[:-1] + "x", number=number)
    assert card_name(other) != made


@pytest.mark.parametrize("fault", [lost_answer(), truncated(), internal_error(), throttled()])
@pytest.mark.parametrize("operation", ["CreateModelCard", "UpdateModelCard"])
def test_an_answer_that_is_lost_makes_no_second_version(
    proxy: Faults, operation: str, fault: Any
) -> None:
    registry = Registry("us-west-2")
    if operation == "UpdateModelCard":
        save(registry, VERSION, FIRST)
    proxy.on(operation, fault, times=1)
    card = save(registry, VERSION, SECOND, "Approved", sleep=ignore)
    before = 1 if operation == "UpdateModelCard" else 0
    assert (card.number, card.status, card.content) == (before + 1, "Approved", SECOND)
    assert len(history(registry, VERSION)) == before + 1


def test_what_fails_at_last_says_so(proxy: Faults) -> None:
    registry = Registry("us-west-2")
    save(registry, VERSION, FIRST)
    waits: list[float] = []
    proxy.on("UpdateModelCard", throttled())
    with pytest.raises(ServiceError, match=r"UpdateModelCard in us-west-2 for fraud-3: Throttling"):
        save(registry, VERSION, SECOND, sleep=waits.append)
    assert waits == [0.5, 1, 2]
    proxy.mend()
    proxy.on("UpdateModelCard", denied("sagemaker:UpdateModelCard"))
    with pytest.raises(ServiceError, match="allow the operation in the policy"):
        save(registry, VERSION, SECOND)
    assert proxy.count("UpdateModelCard") == len(waits) + 2


def test_reading_never_writes(proxy: Faults) -> None:
    registry = Registry("us-west-2")
    save(registry, VERSION, FIRST)
    proxy.requests.clear()
    find(registry, VERSION)
    history(registry, VERSION)
    save(registry, VERSION, FIRST)
    save(registry, VERSION, SECOND, dry_run=True)
    asked = {request.operation for request in proxy.requests}
    assert asked == {"DescribeModelCard", "ListModelCardVersions"}


def test_all_of_it_as_text(registry: Registry) -> None:
    lines = save(registry, VERSION, SECOND).whole.splitlines()
    assert lines[0] == "model card fraud-3, version 1, Draft: created"
    assert "    model owner: Payments risk" in lines
    assert "            accuracy: 0.91" in lines
    assert "      - Decisions about credit" in lines


def test_text_of_others_cannot_move_the_cursor(sagemaker: SageMakerClient) -> None:
    content = json.dumps({"business_details": {"business_problem": "\x1b[2J\u202egnp"}})
    sagemaker.create_model_card(ModelCardName="fraud-3", Content=content, ModelCardStatus="Draft")
    card = find(Registry("us-west-2"), VERSION)
    assert card
    assert r"business problem: \x1b[2J\u202egnp" in card.whole
    assert (
        boto3.client("sagemaker").describe_model_card(ModelCardName="fraud-3")["Content"] == content
    )
