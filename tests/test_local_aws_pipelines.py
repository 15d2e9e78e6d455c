"""The local AWS, over real HTTP: pipelines, and executions that follow a script."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pipeline_executions import (
    DEFINITION,
    NAME,
    ROLE,
    create,
    ended,
    executing,
    job_arn,
    play,
    step,
)
from refusals import refusal

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws

TOKEN = "0" * 32
OTHER_TOKEN = "1" * 32


def request_for(**more: Any) -> dict[str, Any]:
    text = json.dumps(DEFINITION)
    return {"PipelineName": NAME, "PipelineDefinition": text, "RoleArn": ROLE, **more}


def look(sagemaker: SageMakerClient, arn: str) -> tuple[str, dict[str, str]]:
    """The execution's status and its steps'."""
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    listed = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
    steps = {s["StepName"]: str(s["StepStatus"]) for s in listed["PipelineExecutionSteps"]}
    return described["PipelineExecutionStatus"], steps


def start(sagemaker: SageMakerClient, **more: Any) -> str:
    request: dict[str, Any] = {"PipelineName": NAME, **more}  # botocore adds a token
    return sagemaker.start_pipeline_execution(**request)["PipelineExecutionArn"]


def stop(sagemaker: SageMakerClient, arn: str) -> None:
    request: dict[str, Any] = {"PipelineExecutionArn": arn}
    sagemaker.stop_pipeline_execution(**request)


def test_a_pipeline_is_found_by_name_and_arn_and_keeps_what_an_update_does_not_name(
    sagemaker: SageMakerClient,
) -> None:
    arn = create(sagemaker)
    sagemaker.update_pipeline(PipelineName=NAME, PipelineDescription="penguins by weight")
    for name in (NAME, arn):
        described = sagemaker.describe_pipeline(PipelineName=name)
        assert json.loads(described["PipelineDefinition"]) == DEFINITION
        assert described["PipelineDescription"] == "penguins by weight"
        assert described["RoleArn"] == ROLE
        assert described["LastModifiedTime"] >= described["CreationTime"]


def test_what_is_not_there_is_not_found(sagemaker: SageMakerClient) -> None:
    execution = f"arn:aws:sagemaker:us-west-2:123456789012:pipeline/{NAME}/execution/abc"
    calls: list[Any] = [
        lambda: sagemaker.describe_pipeline(PipelineName=NAME),
        lambda: sagemaker.update_pipeline(PipelineName=NAME),
        lambda: start(sagemaker),
        lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution),
        lambda: sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution),
        lambda: stop(sagemaker, execution),
    ]
    for call in calls:
        with pytest.raises(ClientError) as error:
            call()
        code, text = refusal(error)
        assert code == "ResourceNotFound"
        assert text.endswith("does not exist.")


def test_a_name_is_taken_once_and_a_token_creates_once(sagemaker: SageMakerClient) -> None:
    first = sagemaker.create_pipeline(**request_for(ClientRequestToken=TOKEN))
    again = sagemaker.create_pipeline(**request_for(ClientRequestToken=TOKEN))
    assert first["PipelineArn"] == again["PipelineArn"]
    with pytest.raises(ClientError, match=r"ConflictException.*used for another request"):
        sagemaker.create_pipeline(**request_for(ClientRequestToken=TOKEN, PipelineDescription="x"))
    with pytest.raises(ClientError, match=r"ValidationException.*already exists"):
        sagemaker.create_pipeline(**request_for(ClientRequestToken=OTHER_TOKEN))


@pytest.mark.parametrize("text", ["{", "[]", '{"Version": "2020-12-01"}'])
def test_a_definition_is_json_with_steps(sagemaker: SageMakerClient, text: str) -> None:
    with pytest.raises(ClientError, match="Unable to parse pipeline definition"):
        sagemaker.create_pipeline(**request_for() | {"PipelineDefinition": text})
    create(sagemaker)
    with pytest.raises(ClientError, match="Unable to parse pipeline definition"):
        sagemaker.update_pipeline(PipelineName=NAME, PipelineDefinition=text)


def test_without_a_script_the_steps_succeed_one_a_look(sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    arn = start(sagemaker, PipelineExecutionDisplayName="first")
    assert look(sagemaker, arn) == ("Executing", {"Train": "Executing"})
    assert look(sagemaker, arn) == ("Executing", {"Train": "Succeeded", "Package": "Executing"})
    end = ("Succeeded", {"Train": "Succeeded", "Package": "Succeeded"})
    assert look(sagemaker, arn) == end
    assert look(sagemaker, arn) == end
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn, SortOrder="Ascending")
    jobs = [s["Metadata"] for s in steps["PipelineExecutionSteps"]]
    assert jobs == [
        {"TrainingJob": {"Arn": job_arn("training", "train")}},
        {"ProcessingJob": {"Arn": job_arn("processing", "package")}},
    ]
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionDisplayName"] == "first"


def test_an_execution_follows_its_script_and_its_jobs_say_how_they_ended(
    aws: LocalAws, sagemaker: SageMakerClient
) -> None:
    create(sagemaker)
    failed = step("Package", "Failed", FailureReason="ClientError: exit code 1")
    train = {
        "TrainingJobName": "train",
        "TrainingJobArn": job_arn("training", "train"),
        "TrainingJobStatus": "Failed",
        "FailureReason": "AlgorithmError",
    }
    package = {
        "ProcessingJobName": "package",
        "ProcessingJobArn": job_arn("processing", "package"),
        "ProcessingJobStatus": "Failed",
        "ExitMessage": "no model",
    }
    play(
        aws,
        executing(step("Package", "Starting", StartTime=1_700_000_000)),
        ended("Failed", failed, reason="a step failed"),
        jobs=[train, package],
    )
    arn = start(sagemaker)
    assert look(sagemaker, arn) == ("Executing", {"Package": "Starting"})
    listed = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
    assert listed["PipelineExecutionSteps"][0]["StartTime"].timestamp() == 1_700_000_000
    assert look(sagemaker, arn) == ("Failed", {"Package": "Failed"})
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["FailureReason"] == "a step failed"
    job = sagemaker.describe_processing_job(ProcessingJobName="package")
    assert job["ExitMessage"] == "no model"
    other = sagemaker.describe_training_job(TrainingJobName="train")
    assert other["FailureReason"] == "AlgorithmError"
    with pytest.raises(ClientError, match="Could not find processing job"):
        sagemaker.describe_processing_job(ProcessingJobName="train")


def test_a_script_keeps_to_the_service_model(aws: LocalAws) -> None:
    bad = executing(step("Not a name", "Runs", Color="red"))
    with pytest.raises(ValueError, match="has no member Color") as error:
        play(aws, bad, jobs=[{"ProcessingJobName": "j", "ExitMessage": "x" * 1025}])
    for part in ("'Not a name'", "'Runs'", "length less than or equal to 1024"):
        assert part in str(error.value)


def test_a_token_starts_one_execution(sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    first = start(sagemaker, ClientRequestToken=TOKEN)
    assert start(sagemaker, ClientRequestToken=TOKEN) == first
    assert start(sagemaker, ClientRequestToken=OTHER_TOKEN) != first
    assert start(sagemaker) != first
    with pytest.raises(sagemaker.exceptions.ConflictException, match=first):
        start(sagemaker, ClientRequestToken=TOKEN, PipelineExecutionDisplayName="other")


def test_executions_are_listed_the_newest_first(sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    arns = [start(sagemaker), start(sagemaker)]
    listed = sagemaker.list_pipeline_executions(PipelineName=NAME)["PipelineExecutionSummaries"]
    assert [summary["PipelineExecutionArn"] for summary in listed] == arns[::-1]
    assert {summary["PipelineExecutionStatus"] for summary in listed} == {"Executing"}


def test_steps_come_page_by_page(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    names = [f"Step{number}" for number in range(120)]
    play(aws, executing(*(step(name, "Executing") for name in names)))
    arn = start(sagemaker)
    sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    pages = list(
        sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
            PipelineExecutionArn=arn, SortOrder="Ascending"
        )
    )
    sizes = [len(page["PipelineExecutionSteps"]) for page in pages]
    assert sizes == [10] * 12
    assert [s["StepName"] for page in pages for s in page["PipelineExecutionSteps"]] == names


def test_an_execution_is_stopped_once(sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    parameters: Any = [{"Name": "ModelUri", "Value": "s3://a/b"}]
    arn = start(sagemaker, PipelineParameters=parameters)
    look(sagemaker, arn)
    stop(sagemaker, arn)
    assert look(sagemaker, arn) == ("Stopping", {"Train": "Stopping"})
    assert look(sagemaker, arn) == ("Stopped", {"Train": "Stopped"})
    with pytest.raises(sagemaker.exceptions.ConflictException, match="not executing"):
        stop(sagemaker, arn)
    kept = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert kept["PipelineParameters"] == parameters


def test_regions_and_resets_keep_them_apart(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    arn = start(sagemaker)
    elsewhere = boto3.client("sagemaker", region_name="eu-west-1")
    with pytest.raises(ClientError, match="does not exist"):
        elsewhere.describe_pipeline_execution(PipelineExecutionArn=arn)
    aws.reset()
    with pytest.raises(ClientError, match="does not exist"):
        sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
