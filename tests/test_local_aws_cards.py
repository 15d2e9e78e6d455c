"""The local AWS's model cards: what moto lacks or answers otherwise than SageMaker does.

The rules are those of the API reference and of "Amazon SageMaker Model Cards" in the developer
guide: content and status change one at a time, content begins a version, status does not.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

NAME = "Fraud-3"
FIRST = {"model_overview": {"model_id": "m-1", "model_description": "Finds fraud."}}
SECOND = {**FIRST, "intended_uses": {"risk_rating": "High", "purpose_of_model": "Fraud"}}


def create(sagemaker: SageMakerClient, content: Any = FIRST, name: str = NAME) -> str:
    return sagemaker.create_model_card(
        ModelCardName=name, Content=json.dumps(content), ModelCardStatus="Draft"
    )["ModelCardArn"]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_another_content_is_another_version(sagemaker: SageMakerClient) -> None:
    arn = create(sagemaker)
    assert arn.endswith(f":model-card/{NAME}")
    sagemaker.update_model_card(ModelCardName=NAME, Content=json.dumps(SECOND))
    card = sagemaker.describe_model_card(ModelCardName=NAME)
    assert (card["ModelCardVersion"], card["ModelCardStatus"]) == (2, "Draft")
    assert json.loads(card["Content"]) == SECOND
    first = sagemaker.describe_model_card(ModelCardName=arn, ModelCardVersion=1)
    assert json.loads(first["Content"]) == FIRST


def test_another_status_is_no_version(sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    sagemaker.update_model_card(ModelCardName=NAME, ModelCardStatus="PendingReview")
    card = sagemaker.describe_model_card(ModelCardName=NAME)
    assert (card["ModelCardVersion"], card["ModelCardStatus"]) == (1, "PendingReview")
    assert json.loads(card["Content"]) == FIRST  # moto forgets it
    assert card["LastModifiedTime"] > card["CreationTime"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"Content": "{}", "ModelCardStatus": "Approved"}, "ValidationException"),  # both
        ({}, "ValidationException"),  # neither
        ({"Content": "[]"}, "ValidationException"),
        ({"Content": '{"owner": {}}'}, "ValidationException"),
        ({"Content": '{"intended_uses": {"risk_rating": "Huge"}}'}, "ValidationException"),
        ({"Content": "{}", "ModelCardName": "Fraud-4"}, "ResourceNotFound"),
    ],
)
def test_updates_that_are_refused(
    sagemaker: SageMakerClient, request_: dict[str, Any], code: str
) -> None:
    create(sagemaker)
    with pytest.raises(ClientError) as error:
        sagemaker.update_model_card(**{"ModelCardName": NAME, **request_})
    assert code_of(error) == code
    assert sagemaker.describe_model_card(ModelCardName=NAME)["ModelCardVersion"] == 1


def test_an_archived_card_keeps_its_content(sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    sagemaker.update_model_card(ModelCardName=NAME, ModelCardStatus="Archived")
    with pytest.raises(ClientError, match="Archived") as error:
        sagemaker.update_model_card(ModelCardName=NAME, Content=json.dumps(SECOND))
    assert code_of(error) == "ConflictException"


def test_a_name_is_taken_once_and_content_has_a_schema(sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    with pytest.raises(ClientError) as error:
        create(sagemaker)
    assert code_of(error) == "ConflictException"
    with pytest.raises(ClientError, match=r"model_overview\.color is not known") as error:
        create(sagemaker, {"model_overview": {"color": "red"}}, "Fraud-4")
    assert code_of(error) == "ValidationException"


def test_what_is_not_there(sagemaker: SageMakerClient) -> None:
    for asked in ({"ModelCardName": "none"}, {"ModelCardName": NAME, "ModelCardVersion": 2}):
        if "ModelCardVersion" in asked:
            create(sagemaker)
        with pytest.raises(ClientError) as error:
            sagemaker.describe_model_card(**asked)
        assert code_of(error) == "ResourceNotFound"
    with pytest.raises(ClientError) as error:
        sagemaker.list_model_card_versions(ModelCardName="none")
    assert code_of(error) == "ResourceNotFound"


def test_without_the_key_only_what_is_open_shows(sagemaker: SageMakerClient) -> None:
    create(sagemaker, SECOND)
    card = sagemaker.describe_model_card(ModelCardName=NAME, IncludedData="MetadataOnly")
    assert json.loads(card["Content"]) == {
        "model_overview": {"model_id": "m-1"},
        "intended_uses": {"risk_rating": "High"},
    }


def test_versions_come_page_by_page(sagemaker: SageMakerClient) -> None:
    arn = create(sagemaker)
    for number in range(4):
        content = {"model_overview": {"model_id": f"m-{number}"}}
        sagemaker.update_model_card(ModelCardName=NAME, Content=json.dumps(content))
    sagemaker.update_model_card(ModelCardName=NAME, ModelCardStatus="Approved")
    pages = sagemaker.get_paginator("list_model_card_versions").paginate(
        ModelCardName=arn, SortOrder="Descending", PaginationConfig={"PageSize": 2}
    )
    found = [
        [one["ModelCardVersion"] for one in page["ModelCardVersionSummaryList"]] for page in pages
    ]
    assert found == [[5, 4], [3, 2], [1]]
    approved = sagemaker.list_model_card_versions(ModelCardName=NAME, ModelCardStatus="Approved")
    assert [one["ModelCardVersion"] for one in approved["ModelCardVersionSummaryList"]] == [5]


def test_cards_are_listed_once_each(sagemaker: SageMakerClient) -> None:
    names = [NAME, "Churn-1", "Fraud-4"]
    for name in names:
        create(sagemaker, name=name)
    sagemaker.update_model_card(ModelCardName=NAME, Content=json.dumps(SECOND))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    pages = sagemaker.get_paginator("list_model_cards").paginate(
        NameContains="fraud", CreationTimeAfter=yesterday, PaginationConfig={"PageSize": 1}
    )
    found = [one["ModelCardName"] for page in pages for one in page["ModelCardSummaries"]]
    assert sorted(found) == [NAME, "Fraud-4"]
