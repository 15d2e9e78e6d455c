"""Executions over real HTTP: checked before, and started once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from faults import lost_answer, reset, throttled, truncated
from mims.errors import InputError, ServiceError
from mims.pipeline.start import checked_parameters, start
from mims.registration import aws as clients
from mims.registration.aws import ATTEMPTS
from pipeline_executions import DEFINITION, MODEL, NAME, REGION, create

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from faults import Fault, Faults


@pytest.fixture
def faulty(proxy: Faults) -> SageMakerClient:
    """A client with our own limits that goes through the proxy."""
    del proxy  # the environment leads there
    return clients.client("sagemaker", REGION)


# Parameters


def test_all_wrong_parameters_are_told_at_once() -> None:
    given = {
        "ModleUri": "s3://a/b",  # near one that is there
        "zzz": "1",  # near none
        "Trees": "1.5",
        "Rate": "fast",
        "Isolated": "yes",
        "Instance": "ml.p3.2xlarge",
    }
    with pytest.raises(InputError) as error:
        checked_parameters(DEFINITION, given)
    assert error.value.problems == (
        "the pipeline has no parameter ModleUri: did you mean ModelUri?",
        "the pipeline has no parameter zzz: it has ModelUri, Trees, Rate, Isolated, Instance",
        "parameter ModelUri has no default: give it with -p ModelUri=…",
        "parameter Trees: 1.5 is not of type Integer",
        "parameter Rate: fast is not of type Float",
        "parameter Isolated: yes is not of type Boolean",
        "parameter Instance: ml.p3.2xlarge is none of ml.m5.large, ml.m5.xlarge",
    )


def test_a_value_is_held_to_the_service_s_length() -> None:
    checked_parameters(DEFINITION, {"ModelUri": "x" * 1024})
    with pytest.raises(InputError, match="ModelUri has 1025 characters: the service takes 1024"):
        checked_parameters(DEFINITION, {"ModelUri": "x" * 1025})
    many = [{"Name": f"P{number}", "Type": "String"} for number in range(201)]
    with pytest.raises(InputError, match="201 parameters: the service takes 200"):
        checked_parameters({"Parameters": many}, {entry["Name"]: "x" for entry in many})


def test_right_parameters_pass() -> None:
    right = {"Trees": "-3", "Rate": "1e-3", "Isolated": "True", "Instance": "ml.m5.xlarge"}
    checked_parameters(DEFINITION, {**MODEL, **right})
    with pytest.raises(InputError, match="parameter Rate: nan is not of type Float"):
        checked_parameters(DEFINITION, {**MODEL, "Rate": "nan"})


# An execution


def test_an_execution_starts_with_its_parameters(sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    arn = start(sagemaker, NAME, MODEL, "first-try")
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionDisplayName"] == "first-try"
    kept = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert kept["PipelineParameters"] == [{"Name": "ModelUri", "Value": "s3://a/model.tar.gz"}]


@pytest.mark.parametrize("token", ["run 7", "x" * 32, "y" * 128, "z" * 129])
def test_a_token_of_any_length_starts_one(sagemaker: SageMakerClient, token: str) -> None:
    create(sagemaker)
    assert start(sagemaker, NAME, MODEL, token=token) == start(sagemaker, NAME, MODEL, token=token)
    assert start(sagemaker, NAME, MODEL) != start(sagemaker, NAME, MODEL)


@pytest.mark.parametrize("fault", [lost_answer(), reset(), throttled(), truncated()])
def test_a_passing_fault_starts_no_second_execution(
    proxy: Faults, faulty: SageMakerClient, fault: Fault
) -> None:
    create(faulty)
    tokens: set[Any] = set()
    faulty.meta.events.register(
        "before-parameter-build.sagemaker.StartPipelineExecution",
        lambda params, **_: tokens.add(params["ClientRequestToken"]),
    )
    proxy.on("StartPipelineExecution", fault, times=1)
    arn = start(faulty, NAME, MODEL)
    assert proxy.count("StartPipelineExecution") == 2
    (token,) = tokens
    assert start(faulty, NAME, MODEL, token=token) == arn


def test_when_it_is_unknown_whether_it_started_the_message_has_the_token(
    proxy: Faults, faulty: SageMakerClient, sagemaker: SageMakerClient
) -> None:
    create(sagemaker)
    proxy.on("StartPipelineExecution", lost_answer(), times=ATTEMPTS)
    with pytest.raises(ServiceError, match=r"with --token \S+ run again") as error:
        start(faulty, NAME, MODEL)
    assert proxy.count("StartPipelineExecution") == ATTEMPTS
    token = str(error.value).partition("--token ")[2].split()[0]
    arn = start(faulty, NAME, MODEL, token=token)
    assert start(sagemaker, NAME, MODEL, token=token) == arn


def test_a_pipeline_that_is_not_there_is_not_started(sagemaker: SageMakerClient) -> None:
    with pytest.raises(ServiceError, match=r"StartPipelineExecution.*penguins' does not exist"):
        start(sagemaker, NAME, MODEL)
