"""Why an execution failed: each step's reason, and what its job said at its end.

Goes in: a SageMaker client of `mims.registration.aws` (the only layer of retries), and the
execution's ARN. Comes out: its failures, in text that is safe to show. Changes nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.pipeline.execution import describe, failure_reason, step_name, steps
from mims.registration.aws import AwsError, asking
from mims.text import printable_lines, without_secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sagemaker import SageMakerClient


class Failure(NamedTuple):
    """Why a step failed, or the execution itself (`step` is empty).

    `reason` is the service's; `message` is what the job said at its end, made readable; `job` is
    the job's ARN.
    """

    step: str
    reason: str
    message: str = ""
    job: str = ""


def failures(client: SageMakerClient, arn: str) -> list[Failure]:
    """Give the steps of an execution that failed, each with what its job said.

    A job that cannot be asked is no reason to keep the rest back: its message says why.

    Raises:
        ServiceError: the service refused.

    """
    execution = describe(client, arn)
    failed = [step for step in steps(client, arn) if step.get("StepStatus") == "Failed"]
    found = [_failure(client, step) for step in failed]
    if not found and execution["PipelineExecutionStatus"] == "Failed":
        found.append(Failure("", failure_reason(execution) or "no reason given"))
    return found


def _failure(client: SageMakerClient, step: Mapping[str, Any]) -> Failure:
    metadata = step.get("Metadata", {})
    job = _job(metadata)
    reason, message = failure_reason(step), metadata.get("Fail", {}).get("ErrorMessage", "")
    if job:
        try:
            said = _said(client, job)
        except AwsError as error:
            message = f"what the job said is not to be had: {error}"
        else:
            reason = reason or failure_reason(said)
            message = said.get("ExitMessage", "")
            # The step's reason can be shorter than the job's own.
            if failure_reason(said) not in reason:
                reason = f"{reason}; {failure_reason(said)}"
    return Failure(step_name(step), reason or "no reason given", readable(message), job)


def _job(metadata: Mapping[str, Any]) -> str:
    """Give the ARN of the step's processing or training job, if it has one."""
    for member in ("ProcessingJob", "TrainingJob"):
        if metadata.get(member, {}).get("Arn"):
            return str(metadata[member]["Arn"])
    for member in ("QualityCheck", "ClarifyCheck"):  # run as processing jobs
        if metadata.get(member, {}).get("CheckJobArn"):
            return str(metadata[member]["CheckJobArn"])
    return ""


def _said(client: SageMakerClient, job: str) -> Mapping[str, Any]:
    """Ask what a job ended with: a processing job's ExitMessage, and any job's FailureReason."""
    region = client.meta.region_name
    kind, _, name = job.rpartition("/")
    if kind.endswith(":training-job"):
        with asking("DescribeTrainingJob", region, name):
            return client.describe_training_job(TrainingJobName=name)
    with asking("DescribeProcessingJob", region, name):
        return client.describe_processing_job(ProcessingJobName=name)


def readable(message: str) -> str:
    """Make an exit message readable: the problems that our jobs' JSON tells, others' text as is."""
    try:
        parsed = json.loads(message)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict) and isinstance(parsed.get("error"), str):
        job, code = parsed.get("job", "the job"), parsed.get("exit_code")
        ended = f"{job} {parsed.get('status', 'failed')}" + (f" (exit code {code})" if code else "")
        message = f"{ended}: {parsed['error']}"
    return printable_lines(without_secrets(message)).strip()
