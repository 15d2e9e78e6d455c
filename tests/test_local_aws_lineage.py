"""The local AWS, over real HTTP: lineage entities, associations and queries."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from refusals import refusal

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws

DATA = "s3://data/train.csv"
JOB = "arn:aws:sagemaker:us-west-2:123456789012:training-job/train"
ENDPOINT = "arn:aws:sagemaker:us-west-2:123456789012:endpoint/live"
NOBODY = "arn:aws:sagemaker:us-west-2:123456789012:artifact/nobody"


def artifact(sagemaker: SageMakerClient, uri: str = DATA, **more: Any) -> str:
    request: dict[str, Any] = {"ArtifactType": "DataSet", "Source": {"SourceUri": uri}, **more}
    return sagemaker.create_artifact(**request)["ArtifactArn"]


def action(sagemaker: SageMakerClient, name: str = "train") -> str:
    return sagemaker.create_action(
        ActionName=name, ActionType="TrainingJob", Source={"SourceUri": JOB}
    )["ActionArn"]


def context(sagemaker: SageMakerClient, name: str = "live") -> str:
    return sagemaker.create_context(
        ContextName=name, ContextType="Endpoint", Source={"SourceUri": ENDPOINT}
    )["ContextArn"]


def join(sagemaker: SageMakerClient, *arns: str) -> None:
    """Associate each with the next."""
    for source, destination in pairwise(arns):
        sagemaker.add_association(
            SourceArn=source, DestinationArn=destination, AssociationType="ContributedTo"
        )


def query(sagemaker: SageMakerClient, start: str, direction: Any, **more: Any) -> list[str]:
    answer = sagemaker.query_lineage(StartArns=[start], Direction=direction, **more)
    return [vertex["Arn"] for vertex in answer["Vertices"]]


# Entities


def test_an_artifact_is_described_with_all_that_it_was_created_with(
    sagemaker: SageMakerClient,
) -> None:
    request: dict[str, Any] = {
        "ArtifactName": "train",
        "Source": {
            "SourceUri": DATA,
            "SourceTypes": [{"SourceIdType": "Custom", "Value": "sha256:00"}],
        },
        "Properties": {"rows": "10"},
        "MetadataProperties": {"CommitId": "abc"},
    }
    arn = artifact(sagemaker, **request)
    described = sagemaker.describe_artifact(ArtifactArn=arn)
    assert {name: described[name] for name in request} == request  # type: ignore[literal-required]
    assert described["ArtifactArn"] == arn
    assert described["ArtifactType"] == "DataSet"
    assert described["CreationTime"] == described["LastModifiedTime"]
    sagemaker.update_artifact(
        ArtifactArn=arn, Properties={"columns": "2"}, PropertiesToRemove=["rows"]
    )
    changed = sagemaker.describe_artifact(ArtifactArn=arn)
    assert changed["Properties"] == {"columns": "2"}
    assert changed["ArtifactName"] == "train"
    assert changed["LastModifiedTime"] > changed["CreationTime"]


def test_actions_and_contexts_are_found_by_name_and_by_arn(sagemaker: SageMakerClient) -> None:
    arn = action(sagemaker)
    for name in ("train", arn):
        found = sagemaker.describe_action(ActionName=name)
        assert (found["ActionArn"], found["Source"]) == (arn, {"SourceUri": JOB})
    arn = context(sagemaker)
    for name in ("live", arn):
        assert sagemaker.describe_context(ContextName=name)["ContextArn"] == arn


def test_an_entity_is_created_once(sagemaker: SageMakerClient) -> None:
    artifact(sagemaker, ArtifactName="train")
    again: list[Any] = [
        lambda: artifact(sagemaker),  # a SourceUri has one artifact
        lambda: artifact(sagemaker, ArtifactType="Other"),  # whatever its type
        lambda: artifact(sagemaker, "s3://data/other", ArtifactName="train"),  # a name too
        lambda: [action(sagemaker), action(sagemaker)],
        lambda: [context(sagemaker), context(sagemaker)],
    ]
    for call in again:
        with pytest.raises(ClientError) as error:
            call()
        code, text = refusal(error)
        assert code == "ValidationException"
        assert text.endswith("already exists.")


def test_of_two_at_once_one_creates(sagemaker: SageMakerClient) -> None:
    def create(_: int) -> str:
        try:
            return artifact(sagemaker)
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(4) as pool:
        *refused, made = sorted(pool.map(create, range(4)))
    assert refused == ["ValidationException"] * 3
    (found,) = sagemaker.list_artifacts()["ArtifactSummaries"]
    assert found["ArtifactArn"] == made


def test_regions_have_lineages_of_their_own(sagemaker: SageMakerClient) -> None:
    here = artifact(sagemaker)
    there = artifact(boto3.client("sagemaker", "eu-west-1"))
    assert there == here.replace("us-west-2", "eu-west-1")
    assert len(sagemaker.list_artifacts()["ArtifactSummaries"]) == 1


def test_what_is_not_there_is_not_found(sagemaker: SageMakerClient) -> None:
    data = artifact(sagemaker)
    calls: list[Any] = [
        lambda: sagemaker.describe_artifact(ArtifactArn=NOBODY),
        lambda: sagemaker.update_artifact(ArtifactArn=NOBODY, ArtifactName="x"),
        lambda: sagemaker.describe_action(ActionName="nobody"),
        lambda: sagemaker.describe_context(ContextName="nobody"),
        lambda: join(sagemaker, data, NOBODY),
        lambda: join(sagemaker, NOBODY, data),
        lambda: sagemaker.delete_association(SourceArn=data, DestinationArn=NOBODY),
        lambda: query(sagemaker, NOBODY, "Both"),
    ]
    for call in calls:
        with pytest.raises(ClientError) as error:
            call()
        assert refusal(error)[0] == "ResourceNotFound"


def test_lists_filter_by_source_and_type_and_come_page_by_page(sagemaker: SageMakerClient) -> None:
    arns = [artifact(sagemaker, f"s3://data/{number}") for number in range(23)]
    model = artifact(sagemaker, "s3://data/model", ArtifactType="Model")
    pages = [
        [summary["ArtifactArn"] for summary in page["ArtifactSummaries"]]
        for page in sagemaker.get_paginator("list_artifacts").paginate(ArtifactType="DataSet")
    ]
    assert [len(page) for page in pages] == [10, 10, 3]
    assert [arn for page in pages for arn in page] == arns[::-1]  # the newest first
    (found,) = sagemaker.list_artifacts(SourceUri="s3://data/model")["ArtifactSummaries"]
    assert found["ArtifactArn"] == model
    first = sagemaker.list_artifacts(SortOrder="Ascending", MaxResults=1)["ArtifactSummaries"]
    assert first[0]["ArtifactArn"] == arns[0]
    assert sagemaker.list_artifacts(SourceUri="s3://data/2")["ArtifactSummaries"]
    assert not sagemaker.list_artifacts(SourceUri="s3://data")["ArtifactSummaries"]
    for name in ("b", "a"):
        action(sagemaker, name)
        context(sagemaker, name)
    actions = sagemaker.list_actions(SortBy="Name", SortOrder="Ascending")["ActionSummaries"]
    assert [one["ActionName"] for one in actions] == ["a", "b"]
    contexts = sagemaker.list_contexts(SourceUri=ENDPOINT)["ContextSummaries"]
    assert [one["ContextName"] for one in contexts] == ["a", "b"]


# Associations


def test_two_are_associated_once_and_no_longer_when_it_is_deleted(
    sagemaker: SageMakerClient,
) -> None:
    data, job = artifact(sagemaker), action(sagemaker)
    join(sagemaker, data, job)
    with pytest.raises(ClientError, match=r"ValidationException.*already exists"):
        join(sagemaker, data, job)
    join(sagemaker, job, data)  # the other way is another
    (found,) = sagemaker.list_associations(DestinationArn=job)["AssociationSummaries"]
    assert (found["SourceArn"], found["DestinationArn"]) == (data, job)
    assert (found["SourceType"], found["DestinationType"]) == ("DataSet", "TrainingJob")
    assert (found["DestinationName"], found["AssociationType"]) == ("train", "ContributedTo")
    assert len(sagemaker.list_associations()["AssociationSummaries"]) == 2
    assert not sagemaker.list_associations(SourceType="Model")["AssociationSummaries"]
    sagemaker.delete_association(SourceArn=data, DestinationArn=job)
    assert not sagemaker.list_associations(DestinationArn=job)["AssociationSummaries"]


def test_jobs_of_experiments_are_associated_with_entities_and_not_with_each_other(
    sagemaker: SageMakerClient,
) -> None:
    jobs = [
        sagemaker.create_trial_component(TrialComponentName=name)["TrialComponentArn"]
        for name in ("one", "two")
    ]
    data = artifact(sagemaker)
    join(sagemaker, data, jobs[0])
    answer = sagemaker.query_lineage(StartArns=[data], Direction="Descendants")
    assert answer["Vertices"][0]["LineageType"] == "TrialComponent"
    with pytest.raises(ClientError, match="ValidationException"):
        join(sagemaker, *jobs)


# Queries


@pytest.fixture
def chain(sagemaker: SageMakerClient) -> list[str]:
    """data -> job -> model -> endpoint, and another model of the same job."""
    data, job, live = artifact(sagemaker), action(sagemaker), context(sagemaker)
    models = [
        artifact(sagemaker, uri, ArtifactType="Model") for uri in ("s3://m/1.tar", "s3://m/2.tar")
    ]
    join(sagemaker, data, job, models[0], live)
    join(sagemaker, job, models[1])
    return [data, job, models[0], live, models[1]]


@pytest.mark.parametrize(
    ("start", "more", "found"),
    [
        (2, {"Direction": "Ascendants"}, [1, 0]),
        (2, {"Direction": "Descendants"}, [3]),
        # From each on the way, in both directions: a sibling too.
        (2, {"Direction": "Both"}, [1, 3, 0, 4]),
        (2, {}, [1, 3, 0, 4]),
        (3, {"Direction": "Ascendants", "MaxDepth": 2}, [2, 1]),
        (0, {"Direction": "Ascendants"}, []),
        # A filter leaves out what it goes through.
        (3, {"Direction": "Ascendants", "Filters": {"Types": ["DataSet"]}}, [0]),
        (3, {"Direction": "Ascendants", "Filters": {"LineageTypes": ["Action"]}}, [1]),
    ],
)
def test_a_query_goes_up_and_down(
    sagemaker: SageMakerClient, chain: list[str], start: int, more: Any, found: list[int]
) -> None:
    answer = sagemaker.query_lineage(StartArns=[chain[start]], **more)
    assert [vertex["Arn"] for vertex in answer["Vertices"]] == [chain[n] for n in found]
    assert answer["Edges"] == []  # which are for those who ask


def test_a_query_tells_the_edges_on_its_way(sagemaker: SageMakerClient, chain: list[str]) -> None:
    answer = sagemaker.query_lineage(
        StartArns=[chain[2]], Direction="Ascendants", IncludeEdges=True
    )
    edges = [(edge["SourceArn"], edge["DestinationArn"]) for edge in answer["Edges"]]
    assert edges == [(chain[1], chain[2]), (chain[0], chain[1])]
    assert {edge["AssociationType"] for edge in answer["Edges"]} == {"ContributedTo"}


def test_a_query_in_a_circle_ends(sagemaker: SageMakerClient) -> None:
    arns = [artifact(sagemaker, f"s3://data/{number}") for number in range(3)]
    join(sagemaker, *arns, arns[0])
    answer = sagemaker.query_lineage(StartArns=[arns[0]], Direction="Ascendants", IncludeEdges=True)
    assert [vertex["Arn"] for vertex in answer["Vertices"]] == [arns[2], arns[1]]
    assert len(answer["Edges"]) == 3


def test_a_query_comes_page_by_page_with_all_edges(sagemaker: SageMakerClient) -> None:
    job = action(sagemaker)
    arns = [artifact(sagemaker, f"s3://data/{number}") for number in range(60)]
    for arn in arns:
        join(sagemaker, arn, job)
    vertices, edges, token = [], set(), ""
    sizes = []
    while True:
        more: Any = {"NextToken": token} if token else {}
        page = sagemaker.query_lineage(
            StartArns=[job], Direction="Ascendants", IncludeEdges=True, **more
        )
        sizes.append(len(page["Vertices"]))
        vertices += [vertex["Arn"] for vertex in page["Vertices"]]
        edges |= {edge["SourceArn"] for edge in page["Edges"]}
        token = page.get("NextToken", "")
        if not token:
            break
    assert sizes == [50, 10]
    assert set(vertices) == set(arns) == edges


def test_a_query_goes_no_deeper_than_the_service_says(sagemaker: SageMakerClient) -> None:
    arns = [artifact(sagemaker, f"s3://data/{number}") for number in range(12)]
    join(sagemaker, *arns)
    assert query(sagemaker, arns[0], "Descendants") == arns[1:11]


def test_a_query_that_the_local_aws_has_no_answer_for_is_refused(
    sagemaker: SageMakerClient,
) -> None:
    data = artifact(sagemaker)
    with pytest.raises(ClientError, match="StartArns must be given"):
        sagemaker.query_lineage(Direction="Both")
    with pytest.raises(ClientError, match="filters by Types, LineageTypes alone"):
        query(sagemaker, data, "Both", Filters={"Properties": {"rows": "10"}})


def test_requests_keep_to_the_service_model(local_aws: LocalAws) -> None:
    config = Config(parameter_validation=False)
    unchecked = boto3.Session("testing", "testing", region_name="us-west-2").client(
        "sagemaker", endpoint_url=local_aws.url, config=config
    )
    wrong: list[Any] = [
        lambda: artifact(unchecked, ArtifactName="a b"),
        lambda: artifact(unchecked, "s3://data/a\nb"),
        lambda: artifact(unchecked, "s3://" + "x" * 2048),
        lambda: artifact(unchecked, Properties={str(n): "" for n in range(31)}),
        lambda: query(unchecked, NOBODY, "Up"),
        lambda: query(unchecked, NOBODY, "Both", MaxDepth=11),
        lambda: query(unchecked, NOBODY, "Both", MaxResults=51),
    ]
    for call in wrong:
        with pytest.raises(ClientError, match=r"ValidationException.*1 validation error"):
            call()
