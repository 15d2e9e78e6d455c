"""Pipelines over real HTTP: written once, and again where they differ."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from faults import denied, internal_error, lost_answer, refused, reset, throttled, truncated
from mims.errors import InputError, ServiceError
from mims.pipeline.upsert import Upserted, definition_of, upsert
from mims.registration import aws as clients
from pipeline_executions import ARN, DEFINITION, NAME, REGION, ROLE, create

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from faults import Exchange, Fault, Faults

TEXT = json.dumps(DEFINITION)
LIMIT = 1_048_576  # characters, by the model of CreatePipeline


@pytest.fixture
def faulty(proxy: Faults) -> SageMakerClient:
    """A client with our own limits that goes through the proxy."""
    del proxy  # the environment leads there
    return clients.client("sagemaker", REGION)


def put(client: SageMakerClient, text: str = TEXT, **more: Any) -> Upserted:
    return upsert(client, text, **{"name": NAME, "role": ROLE, **more})


def test_it_is_created_updated_where_it_differs_and_otherwise_left(
    sagemaker: SageMakerClient,
) -> None:
    tags = {"team": "penguins"}
    assert put(sagemaker, tags=tags, description="by weight", parallelism=2) == (ARN, "created")
    made = sagemaker.describe_pipeline(PipelineName=NAME)
    assert json.loads(made["PipelineDefinition"]) == DEFINITION
    assert (made["RoleArn"], made["PipelineDescription"]) == (ROLE, "by weight")
    assert made["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}
    assert sagemaker.list_tags(ResourceArn=ARN)["Tags"] == [{"Key": "team", "Value": "penguins"}]
    # the same, in other white space
    assert put(sagemaker, json.dumps(DEFINITION, indent=1)) == (ARN, "unchanged")
    changed: dict[str, Any] = {}
    for change in (
        {"text": json.dumps({**DEFINITION, "Metadata": {"changed": "yes"}})},
        {"role": f"{ROLE}-2"},
        {"description": "x"},
        {"parallelism": 3},
    ):
        changed |= change
        assert put(sagemaker, **changed, dry_run=True) == (ARN, "updated")
        assert put(sagemaker, **changed) == (ARN, "updated")
        assert put(sagemaker, **changed) == (ARN, "unchanged")
    assert sagemaker.list_tags(ResourceArn=ARN)["Tags"] == [{"Key": "team", "Value": "penguins"}]


def test_a_dry_run_changes_nothing(sagemaker: SageMakerClient) -> None:
    assert put(sagemaker, dry_run=True) == ("", "created")
    assert sagemaker.list_pipelines()["PipelineSummaries"] == []


def test_two_at_once_make_one_pipeline(sagemaker: SageMakerClient) -> None:
    texts = [json.dumps({**DEFINITION, "Metadata": {"by": str(n % 4)}}) for n in range(8)]
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda text: put(sagemaker, text), texts))
    assert {one.arn for one in done} == {ARN}
    assert "created" in {one.done for one in done}
    assert sagemaker.describe_pipeline(PipelineName=NAME)["PipelineDefinition"] in texts


def test_one_that_was_deleted_is_made_again(sagemaker: SageMakerClient) -> None:
    """With the token of the one that is gone, the service would say yes and make nothing."""
    put(sagemaker)
    sagemaker.delete_pipeline(PipelineName=NAME, ClientRequestToken="0" * 32)
    assert put(sagemaker) == (ARN, "created")
    assert sagemaker.describe_pipeline(PipelineName=NAME)["PipelineArn"] == ARN


PASSING: list[tuple[Fault, str]] = [
    (lost_answer(), "CreatePipeline"),
    (reset(), "CreatePipeline"),
    (throttled(), "CreatePipeline"),
    (internal_error(), "DescribePipeline"),
    (truncated(), "CreatePipeline"),  # nobody needs the answer: it is looked at again
]


@pytest.mark.parametrize(("fault", "operation"), PASSING)
def test_a_passing_fault_makes_no_second_pipeline(
    proxy: Faults, faulty: SageMakerClient, fault: Fault, operation: str
) -> None:
    proxy.on(operation, fault, times=1)
    assert put(faulty) == (ARN, "created")
    assert len(faulty.list_pipelines()["PipelineSummaries"]) == 1


def test_it_is_made_anew_when_someone_deletes_it_before_the_update(
    proxy: Faults, faulty: SageMakerClient, sagemaker: SageMakerClient
) -> None:
    put(sagemaker)

    def deleted(exchange: Exchange) -> None:
        sagemaker.delete_pipeline(PipelineName=NAME, ClientRequestToken="0" * 32)
        exchange.pass_through()

    proxy.on("UpdatePipeline", deleted, times=1)
    changed = json.dumps({**DEFINITION, "Metadata": {"changed": "yes"}})
    assert put(faulty, changed) == (ARN, "created")
    assert sagemaker.describe_pipeline(PipelineName=NAME)["PipelineDefinition"] == changed


def test_someone_else_is_quicker(
    proxy: Faults, faulty: SageMakerClient, sagemaker: SageMakerClient
) -> None:
    def made_before(exchange: Exchange) -> None:
        create(sagemaker, {**DEFINITION, "Metadata": {"by": "another"}})
        exchange.pass_through()

    proxy.on("CreatePipeline", made_before, times=1)
    assert put(faulty) == (ARN, "updated")
    assert sagemaker.describe_pipeline(PipelineName=NAME)["PipelineDefinition"] == TEXT


def test_those_who_keep_changing_it_are_not_fought_forever(
    proxy: Faults, faulty: SageMakerClient
) -> None:
    create(faulty, {**DEFINITION, "Metadata": {"by": "another"}})
    proxy.on("UpdatePipeline", refused("ConflictException", "An update is in progress."))
    with pytest.raises(ServiceError, match="others change it too; run again"):
        put(faulty)
    assert proxy.count("UpdatePipeline") == 4


def test_a_refusal_says_what_was_asked(proxy: Faults, faulty: SageMakerClient) -> None:
    proxy.on("DescribePipeline", denied("sagemaker:DescribePipeline"), times=1)
    with pytest.raises(ServiceError, match="allow the operation in the policy of the job's role"):
        put(faulty)
    proxy.on("CreatePipeline", denied("sagemaker:CreatePipeline"))
    with pytest.raises(ServiceError, match=r"CreatePipeline in us-west-2 for pipeline penguins.*"):
        put(faulty)
    proxy.mend()
    create(faulty)
    proxy.on("UpdatePipeline", denied("sagemaker:UpdatePipeline"))
    with pytest.raises(ServiceError, match="UpdatePipeline in us-west-2"):
        put(faulty, role=f"{ROLE}-2")
    proxy.mend()
    proxy.on("DescribePipeline", truncated())
    with pytest.raises(ServiceError, match="DescribePipeline in us-west-2: the answer was cut"):
        put(faulty)


def test_a_definition_too_long_is_refused_before_it_is_sent(sagemaker: SageMakerClient) -> None:
    with_room = {**DEFINITION, "Metadata": {"x": ""}}
    longest = {"x": "y" * (LIMIT - len(json.dumps(with_room)))}
    text = json.dumps({**DEFINITION, "Metadata": longest})
    with pytest.raises(
        InputError, match=f"penguins: the definition has {LIMIT + 1} characters, .* takes {LIMIT}:"
    ):
        put(sagemaker, f"{text} ")
    assert put(sagemaker, text).done == "created"


def test_the_definition_of_one_that_is_there(sagemaker: SageMakerClient) -> None:
    with pytest.raises(ServiceError, match=r"DescribePipeline.*penguins' does not exist"):
        definition_of(sagemaker, NAME)
    create(sagemaker)
    assert definition_of(sagemaker, NAME) == DEFINITION


def test_a_name_and_a_role_that_are_none(sagemaker: SageMakerClient) -> None:
    with pytest.raises(InputError) as refusal:
        put(sagemaker, name="my_pipeline", role="pipelines")
    assert refusal.value.problems == (
        "pipeline my_pipeline: name must be of the form [a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}",
        "pipeline my_pipeline: role must be at least 20 characters, not 9",
        (
            "pipeline my_pipeline: role must be of the form "
            r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
        ),
    )
