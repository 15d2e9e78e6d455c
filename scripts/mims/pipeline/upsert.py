"""A pipeline in SageMaker: create it, or update it where it differs from what it is to be.

Goes in: a SageMaker client of `mims.registration.aws` (the only layer of retries), and the
definition, role and the rest. Comes out: what was done. A call whose answer was lost is asked again
with the same token, so it makes no second pipeline.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError, ServiceError
from mims.pipeline.checks import service, value_problems
from mims.registration.aws import AwsError, asking, required

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sagemaker import SageMakerClient

_NAMESPACE = uuid.UUID("2c6f3f0e-6d0f-4b8e-8a53-94b1c7a0d2e6")  # of our tokens; arbitrary
_LOOKS = 4  # at a pipeline that others change at the same time


class Upserted(NamedTuple):
    """What `upsert` did: `done` is created, updated or unchanged; of a dry run, what it would."""

    arn: str
    done: str


@dataclass(frozen=True)
class _Wanted:
    """A pipeline as it is to be."""

    name: str
    definition: str
    role: str
    description: str
    parallelism: int  # steps at a time; 0: as many as can

    def request(self) -> dict[str, Any]:
        """What CreatePipeline and UpdatePipeline take alike."""
        request: dict[str, Any] = {
            "PipelineName": self.name,
            "PipelineDefinition": self.definition,
            "RoleArn": self.role,
        }
        if self.description:
            request["PipelineDescription"] = self.description
        if self.parallelism:
            limit = {"MaxParallelExecutionSteps": self.parallelism}
            request["ParallelismConfiguration"] = limit
        return request

    def is_in(self, described: Mapping[str, Any]) -> bool:
        """Whether the service has it so; what is not asked for may be anything."""
        there = {**described, "PipelineDefinition": _parsed(described.get("PipelineDefinition"))}
        wanted = {**self.request(), "PipelineDefinition": _parsed(self.definition)}
        return all(there.get(member) == value for member, value in wanted.items())


def upsert(
    client: SageMakerClient,
    definition_json: str,
    *,
    name: str,
    role: str,
    tags: Mapping[str, str] | None = None,
    description: str = "",
    parallelism: int = 0,
    dry_run: bool = False,
) -> Upserted:
    """Create a pipeline, or update it where it differs from the definition, role and the rest.

    Tags are for a new pipeline; those of one that is there stay. Others may do the same at the same
    time: one that was created is looked at again. `dry_run` only looks.

    Raises:
        InputError: the definition is longer than the service takes, or the name or role no such.
        ServiceError: the service refused, or others kept changing the pipeline.

    """
    problems = [
        f"name {must}" for must in value_problems(service().shape_for("PipelineName"), name)
    ]
    problems += (f"role {must}" for must in value_problems(service().shape_for("RoleArn"), role))
    limit = service().shape_for("PipelineDefinition").metadata["max"]
    if len(definition_json) > limit:
        problems.append(
            f"the definition has {len(definition_json)} characters, the service takes {limit}: "
            "split the pipeline, or move long values into files in S3"
        )
    if problems:
        raise InputError(*(f"pipeline {name}: {problem}" for problem in problems))
    wanted = _Wanted(name, definition_json, role, description, parallelism)
    created = False
    for look in range(_LOOKS):
        described = _described(client, name)
        arn = described.get("PipelineArn", "")
        as_wanted = wanted.is_in(described)
        if dry_run:
            return Upserted(arn, _doing(described, as_wanted))
        if not described:
            created = _create(client, wanted, tags or {}, look)
        elif as_wanted or _update(client, wanted):
            return Upserted(arn, "created" if created else _doing(described, as_wanted))
    raise ServiceError(
        f"pipeline {name} in {client.meta.region_name} came and went while it was written {_LOOKS} "
        "times: others change it too; run again"
    )


def _doing(described: Mapping[str, Any], as_wanted: bool) -> str:
    if not described:
        return "created"
    return "unchanged" if as_wanted else "updated"


def _described(client: SageMakerClient, name: str) -> Mapping[str, Any]:
    """Describe a pipeline; nothing, if there is none."""
    region = client.meta.region_name
    try:
        with asking("DescribePipeline", region, f"pipeline {name}"):
            answer = client.describe_pipeline(PipelineName=name)
    except AwsError as error:
        if error.code == "ResourceNotFound":
            return {}
        raise
    required(answer, "PipelineArn", "DescribePipeline", region)
    return answer


def _create(client: SageMakerClient, wanted: _Wanted, tags: Mapping[str, str], look: int) -> bool:
    """Create it; False if someone else has.

    The token comes from the content, and from how often it was looked for: a service that takes a
    token for one of a pipeline that has been deleted since says yes and creates nothing.
    """
    request = wanted.request()
    request["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    content = json.dumps([request, look], sort_keys=True)
    token = str(uuid.uuid5(_NAMESPACE, content))
    try:
        with asking("CreatePipeline", client.meta.region_name, f"pipeline {wanted.name}"):
            client.create_pipeline(**request, ClientRequestToken=token)
    except AwsError as error:
        taken = error.code == "ValidationException" and "already exists" in str(error)
        if taken or error.code == "ConflictException":
            return False
        raise
    return True


def _update(client: SageMakerClient, wanted: _Wanted) -> bool:
    """Update it; False if someone else changes it or has deleted it."""
    try:
        with asking("UpdatePipeline", client.meta.region_name, f"pipeline {wanted.name}"):
            client.update_pipeline(**wanted.request())
    except AwsError as error:
        if error.code in ("ResourceNotFound", "ConflictException"):
            return False
        raise
    return True


def definition_of(client: SageMakerClient, name: str) -> dict[str, Any]:
    """Give the definition of a pipeline that is there.

    Raises:
        ServiceError: there is none, or the service refused.

    """
    region = client.meta.region_name
    with asking("DescribePipeline", region, f"pipeline {name}"):
        answer = client.describe_pipeline(PipelineName=name)
    definition = _parsed(required(answer, "PipelineDefinition", "DescribePipeline", region))
    return definition if isinstance(definition, dict) else {}


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except ValueError:
        return text
