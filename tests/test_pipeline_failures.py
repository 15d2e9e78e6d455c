"""Why executions failed, over real HTTP: the service's reasons and the jobs' own messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from faults import denied
from mims.job import exit_message
from mims.pipeline.failures import Failure, failures, readable
from mims.pipeline.start import start
from mims.registration import aws as clients
from pipeline_executions import MODEL, NAME, REGION, create, ended, job_arn, play, step

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from faults import Faults

SAID = exit_message(
    {"job": "package", "status": "failed", "exit_code": 1, "seconds": 0.1},
    "2 problems:\n  - model.tar.gz is cut short\n  - inference.py is missing",
    {},
)


@pytest.fixture
def faulty(proxy: Faults) -> SageMakerClient:
    """A client with our own limits that goes through the proxy."""
    del proxy  # the environment leads there
    return clients.client("sagemaker", REGION)


def described_job(kind: str, name: str, **more: Any) -> dict[str, Any]:
    arn = job_arn(kind.lower(), name)
    return {f"{kind}JobName": name, f"{kind}JobArn": arn, f"{kind}JobStatus": "Failed", **more}


def failed(name: str, reason: str = "", **metadata: Any) -> dict[str, Any]:
    more = {"FailureReason": reason} if reason else {}
    return step(name, "Failed", Metadata=metadata, **more)


def test_each_failure_has_the_service_s_reason_and_the_job_s_message(
    aws: LocalAws, sagemaker: SageMakerClient
) -> None:
    create(sagemaker)
    package, train = job_arn("processing", "package"), job_arn("training", "train")
    quality = job_arn("processing", "quality")
    check = {"CheckType": "q", "CheckJobArn": quality}
    play(
        aws,
        ended(
            "Failed",
            step("Good", "Succeeded"),
            failed("Package", "ClientError: exit code 1", ProcessingJob={"Arn": package}),
            failed("Train", TrainingJob={"Arn": train}),
            failed("Quality", "CheckFailed", QualityCheck=check),
            failed("Fail", Fail={"ErrorMessage": "no version is good enough"}),
            failed("Register", "AccessDenied: no role"),  # no job was made
        ),
        jobs=[
            described_job("Processing", "package", ExitMessage=SAID, FailureReason="exit code 1"),
            described_job("Training", "train", FailureReason="AlgorithmError: no label"),
            described_job("Processing", "quality", ExitMessage="drift", FailureReason="violations"),
        ],
    )
    arn = start(sagemaker, NAME, MODEL)
    said = (
        "package failed (exit code 1): 2 problems:\n"
        "  - model.tar.gz is cut short\n"
        "  - inference.py is missing"
    )
    assert failures(sagemaker, arn) == [
        Failure("Package", "ClientError: exit code 1", said, package),
        Failure("Train", "AlgorithmError: no label", "", train),
        Failure("Quality", "CheckFailed; violations", "drift", quality),
        Failure("Fail", "no reason given", "no version is good enough"),
        Failure("Register", "AccessDenied: no role"),
    ]


def test_an_execution_may_fail_without_a_step(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    ends = [
        (ended("Failed", reason="The role cannot be assumed"), "The role cannot be assumed"),
        (ended("Failed"), "no reason given"),
    ]
    for state, reason in ends:
        play(aws, state)
        assert failures(sagemaker, start(sagemaker, NAME, MODEL)) == [Failure("", reason)]


def test_one_that_did_not_fail_has_none(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    for status in ("Succeeded", "Stopped"):
        play(aws, ended(status, step("Train", "Succeeded")))
        assert failures(sagemaker, start(sagemaker, NAME, MODEL)) == []


def test_a_step_of_a_loop_is_told_by_its_turn(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    turn = {"ParentStepName": "Each", "Index": 1}
    failing = step("Train", "Failed", IterationContext=turn)
    play(aws, ended("CompletedWithFailures", failing))
    arn = start(sagemaker, NAME, MODEL)
    assert failures(sagemaker, arn) == [Failure("Each[1].Train", "no reason given")]


def test_a_job_that_cannot_be_asked_hides_no_failure(
    aws: LocalAws, proxy: Faults, faulty: SageMakerClient
) -> None:
    create(faulty)
    package = job_arn("processing", "package")
    play(aws, ended("Failed", failed("Package", "exit code 1", ProcessingJob={"Arn": package})))
    arn = start(faulty, NAME, MODEL)
    proxy.on("DescribeProcessingJob", denied("sagemaker:DescribeProcessingJob"))
    (failure,) = failures(faulty, arn)
    assert failure.reason == "exit code 1"
    assert failure.message.startswith("what the job said is not to be had: DescribeProcessingJob")


READABLE = [
    # ours, and ours when it says nothing of a code
    (
        '{"job":"package","exit_code":1,"error":"2 problems:\\n  - a\\n  - b"}',
        "package failed (exit code 1): 2 problems:\n  - a\n  - b",
    ),
    ('{"job":"payload","status":"stopped","error":"SIGTERM"}', "payload stopped: SIGTERM"),
    # others': text, JSON of another kind, nothing
    ("Traceback: ValueError\n", "Traceback: ValueError"),
    ('{"reason": "x"}', '{"reason": "x"}'),
    ("[1]", "[1]"),
    ("", ""),
    # what would act on a terminal, and what is secret
    ("\x1b[31mred", "\\x1b[31mred"),
    ('{"job":"package","error":"\\u001b[2J"}', "package failed: \\x1b[2J"),
    ("AKIAABCDEFGHIJKLMNOP", "***"),
]


@pytest.mark.parametrize(("message", "shown"), READABLE)
def test_an_exit_message_is_made_readable(message: str, shown: str) -> None:
    assert readable(message) == shown
