"""SageMaker Pipelines: pipelines kept as the service keeps them, executions that follow a script.

In: requests to SageMaker that keep to its limits, and scripts, which a test posts to SCRIPTS:

    {"pipeline": "name", "region": "us-west-2",
     "states": [a state of the execution, one a look],
     "jobs": [what DescribeProcessingJob or DescribeTrainingJob answers of a job]}

A state is members of DescribePipelineExecution's answer and `PipelineExecutionSteps` as
ListPipelineExecutionSteps answers them; all is held to the service model. Each execution that
starts from then on goes through the states; without a script the steps succeed, one a look. Out:
moto's answers, except for the operations here. No job is run. An execution moves on when
DescribePipelineExecution has answered, and its steps are those of the state answered last.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import botocore.session
from botocore.model import ListShape, StructureShape
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import ConflictException, ResourceNotFound, ValidationError
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.utils import arn_formatter

from local_aws import limits, model_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ServiceModel, Shape
    from moto.sagemaker.models import FakePipeline, SageMakerModelBackend

SCRIPTS = "/local-aws/pipeline-executions"

_ENDS = {"Stopped", "Failed", "Succeeded", "CompletedWithFailures"}
_PAGE = 10  # steps, when a request does not say
# A step's type, and the member of its metadata that names its job; the job's ARN is of a kind.
_JOBS = {
    "Processing": ("ProcessingJob", "processing-job"),
    "Training": ("TrainingJob", "training-job"),
}


class Execution:
    """An execution: the request that started it, its states to come and the one shown last."""

    def __init__(self, arn: str, request: dict[str, Any], states: list[dict[str, Any]]) -> None:
        self.arn = arn
        self.request = request
        self.coming = list(states)
        self.shown = states[0]
        self.created = self.changed = utcnow()

    def look(self) -> dict[str, Any]:
        """Move on, unless it is at its end, and return the state."""
        if self.coming:
            self.shown = self.coming.pop(0)
            self.changed = utcnow()
        return self.shown

    def stop(self) -> None:
        """Stop it: what executes is stopping, then stopped."""
        if self.shown["PipelineExecutionStatus"] in _ENDS:
            raise ConflictException(f"Pipeline execution {self.arn} is not executing.")
        stopping, stopped = (self._halted(status) for status in ("Stopping", "Stopped"))
        self.coming, self.shown = [stopping, stopped], stopping

    def _halted(self, status: str) -> dict[str, Any]:
        running = ("Starting", "Executing", "Stopping")
        steps = [
            {**step, "StepStatus": status} if step.get("StepStatus") in running else step
            for step in self.shown.get("PipelineExecutionSteps", [])
        ]
        return {"PipelineExecutionStatus": status, "PipelineExecutionSteps": steps}


@dataclass
class Kept:
    """What an account has in a region beyond what moto keeps of pipelines."""

    tokens: dict[str, tuple[dict[str, Any], ActionResult]] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    scripts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    jobs: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)


class SageMaker(model_packages.SageMaker):
    """moto's SageMaker with model packages, pipelines and executions of our own."""

    def create_pipeline(self) -> ActionResult:
        """Create a pipeline; for a client token that came before, answer what was made then."""
        request = self._get_params()
        _check_definition(request)
        token = request["ClientRequestToken"]
        tokens = _kept(self.sagemaker_backend).tokens
        if token in tokens:
            before, made = tokens[token]
            if before != request:
                raise ConflictException(f"ClientRequestToken {token} was used for another request.")
            return made
        made = super().create_pipeline()
        tokens[token] = (request, made)
        return made

    def update_pipeline(self) -> ActionResult:
        """Change what the request names and keep all else."""
        pipeline = self._pipeline(self._get_param("PipelineName"))
        _check_definition(self._get_params())
        pipeline.last_modified_time = utcnow()
        return super().update_pipeline()

    def describe_pipeline(self) -> ActionResult:
        """Take an ARN too."""
        pipeline = self._pipeline(self._get_param("PipelineName"))
        return ActionResult(self.sagemaker_backend.describe_pipeline(pipeline.pipeline_name))

    def start_pipeline_execution(self) -> ActionResult:
        """Start an execution; for a client token that came before, answer what was started then."""
        request = self._get_params()
        pipeline = self._pipeline(request["PipelineName"])
        executions = _kept(self.sagemaker_backend).executions
        for execution in executions.values():
            if execution.request["ClientRequestToken"] == request["ClientRequestToken"]:
                if execution.request != request:
                    raise ConflictException(
                        f"ClientRequestToken {request['ClientRequestToken']} was used for another "
                        f"request, which started {execution.arn}."
                    )
                return ActionResult({"PipelineExecutionArn": execution.arn})
        arn = f"{pipeline.arn}/execution/{uuid4().hex[:12]}"
        scripts = _kept(self.sagemaker_backend).scripts
        states = scripts.get(pipeline.pipeline_name) or list(_successes(pipeline))
        executions[arn] = Execution(arn, request, states)
        pipeline.last_execution_time = utcnow()
        return ActionResult({"PipelineExecutionArn": arn})

    def describe_pipeline_execution(self) -> ActionResult:
        """Answer the next state."""
        execution = self._execution()
        state = execution.look()
        request = execution.request
        return ActionResult(
            {
                "PipelineArn": execution.arn.rpartition("/execution/")[0],
                "PipelineExecutionArn": execution.arn,
                "PipelineExecutionDisplayName": request.get("PipelineExecutionDisplayName"),
                "CreationTime": execution.created,
                "LastModifiedTime": execution.changed,
                "CreatedBy": {},
                **{
                    name: value for name, value in state.items() if name != "PipelineExecutionSteps"
                },
            }
        )

    def list_pipeline_executions(self) -> ActionResult:
        """List the executions of a pipeline, the newest first, all in one page."""
        pipeline = self._pipeline(self._get_param("PipelineName"))
        executions = _kept(self.sagemaker_backend).executions.values()
        summaries = [
            {
                "PipelineExecutionArn": execution.arn,
                "StartTime": execution.created,
                "PipelineExecutionStatus": execution.shown["PipelineExecutionStatus"],
            }
            for execution in executions
            if execution.arn.startswith(f"{pipeline.arn}/execution/")
        ]
        return ActionResult({"PipelineExecutionSummaries": summaries[::-1]})

    def list_pipeline_execution_steps(self) -> ActionResult:
        """Answer the steps of the state that was answered last, page by page."""
        steps = self._execution().shown.get("PipelineExecutionSteps", [])
        if self._get_param("SortOrder") != "Ascending":
            steps = steps[::-1]
        begin = int(self._get_param("NextToken") or 0)
        end = begin + int(self._get_param("MaxResults") or _PAGE)
        more = {"NextToken": str(end)} if end < len(steps) else {}
        return ActionResult({"PipelineExecutionSteps": steps[begin:end], **more})

    def list_pipeline_parameters_for_execution(self) -> ActionResult:
        """Answer what the execution was started with."""
        parameters = self._execution().request.get("PipelineParameters", [])
        return ActionResult({"PipelineParameters": parameters})

    def stop_pipeline_execution(self) -> ActionResult:
        """Stop an execution that has not ended."""
        execution = self._execution()
        execution.stop()
        return ActionResult({"PipelineExecutionArn": execution.arn})

    def describe_processing_job(self) -> ActionResult:
        """Answer what a script says of a job."""
        scripted = self._job("ProcessingJobName")
        return ActionResult(scripted) if scripted else super().describe_processing_job()

    def describe_training_job(self) -> ActionResult:
        """Answer what a script says of a job."""
        scripted = self._job("TrainingJobName")
        return ActionResult(scripted) if scripted else super().describe_training_job()

    def _pipeline(self, name: str) -> FakePipeline:
        backend = self.sagemaker_backend
        arn = (
            name
            if name.startswith("arn:")
            else arn_formatter("pipeline", name, backend.account_id, backend.region_name)
        )
        for pipeline in backend.pipelines.values():
            if pipeline.arn == arn:
                return pipeline
        raise ResourceNotFound(f"Pipeline '{arn}' does not exist.")

    def _execution(self) -> Execution:
        arn = self._get_param("PipelineExecutionArn")
        executions = _kept(self.sagemaker_backend).executions
        if arn not in executions:
            raise ResourceNotFound(f"Pipeline execution '{arn}' does not exist.")
        return executions[arn]

    def _job(self, name: str) -> dict[str, Any] | None:
        return _kept(self.sagemaker_backend).jobs.get((name, self._get_param(name)))


def keep_script(body: bytes) -> list[str]:
    """Keep a script for the executions to come; return what is wrong with it, if anything is."""
    script = json.loads(body)
    model = botocore.session.get_session().get_service_model("sagemaker")
    problems = []
    for state in script["states"]:
        rest = dict(state)
        steps = {"PipelineExecutionSteps": rest.pop("PipelineExecutionSteps", [])}
        problems += _wrong(model, "DescribePipelineExecution", rest)
        for begin in range(
            0, len(steps["PipelineExecutionSteps"]), 100
        ):  # as many as an answer has
            page = steps["PipelineExecutionSteps"][begin : begin + 100]
            problems += _wrong(
                model, "ListPipelineExecutionSteps", {"PipelineExecutionSteps": page}
            )
    jobs = {}
    for job in script.get("jobs", []):
        kind = "ProcessingJob" if "ProcessingJobName" in job else "TrainingJob"
        problems += _wrong(model, f"Describe{kind}", job)
        jobs[f"{kind}Name", job.get(f"{kind}Name")] = job
    if not problems:
        kept = _kept(sagemaker_backends[DEFAULT_ACCOUNT_ID][script["region"]])
        kept.scripts[script["pipeline"]] = script["states"]
        kept.jobs.update(jobs)
    return problems


def _wrong(model: ServiceModel, operation: str, part: dict[str, Any]) -> list[str]:
    """Say where a part of an answer breaks a limit, or has a member that the answer lacks."""
    shape = cast("StructureShape", model.operation_model(operation).output_shape)
    found = [*_unknown(shape, part, operation)]
    for name in set(part) & set(shape.members):
        found += limits.violations(shape.members[name], part[name], name)
    return found


def _unknown(shape: Shape, value: Any, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, item in value.items():
            if name in shape.members:
                yield from _unknown(shape.members[name], item, f"{path}.{name}")
            else:
                yield f"{path} has no member {name}"
    elif isinstance(shape, ListShape):
        for item in value:
            yield from _unknown(shape.member, item, path)


def _check_definition(request: dict[str, Any]) -> None:
    """Refuse a definition that is no object with a version and steps."""
    text = request.get("PipelineDefinition")
    if text is None:
        return
    try:
        definition = json.loads(text)
    except ValueError as error:
        raise ValidationError(f"Unable to parse pipeline definition: {error}") from error
    if not isinstance(definition, dict) or not {"Version", "Steps"} <= set(definition):
        raise ValidationError("Unable to parse pipeline definition: it lacks Version or Steps.")


def _successes(pipeline: FakePipeline) -> Iterator[dict[str, Any]]:
    """Yield the states of an execution whose steps succeed one after another."""
    names = json.loads(pipeline.pipeline_definition)["Steps"]
    done: list[dict[str, Any]] = []
    for step in names:
        begun = {"StepName": step["Name"], "StepStatus": "Executing", "AttemptCount": 1}
        if step["Type"] in _JOBS:
            member, kind = _JOBS[step["Type"]]
            job = f"{pipeline.arn.rpartition(':')[0]}:{kind}/{step['Name'].lower()}"
            begun["Metadata"] = {member: {"Arn": job}}
        yield {"PipelineExecutionStatus": "Executing", "PipelineExecutionSteps": [*done, begun]}
        done.append({**begun, "StepStatus": "Succeeded"})
    yield {"PipelineExecutionStatus": "Succeeded", "PipelineExecutionSteps": done}


def _kept(backend: SageMakerModelBackend) -> Kept:
    """Return what is kept beside moto's own: a reset forgets it with all of the backend."""
    return cast("Kept", backend.__dict__.setdefault("kept_of_pipelines", Kept()))
