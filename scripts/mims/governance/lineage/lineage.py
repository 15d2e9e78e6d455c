"""Lineage: what a version comes from and what came of it, written down and read back.

Goes in: a version; to write, what only an operator knows: data, commit, parameters, the training
job, the endpoint. Comes out: artifacts, actions, contexts and associations in SageMaker lineage;
to read, a `Graph` of both directions. What is there already stays as it is, whoever made it: an
artifact is known by its SourceUri, an action by its name. Where SageMaker lineage can't be asked,
or knows nothing of the version, the audit trail answers. Nothing is ever removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError, Problems, ServiceError
from mims.governance.decisions import KIND, History
from mims.governance.lineage.parts import (
    Edge,
    Graph,
    Node,
    Training,
    audited_edges,
    code_node,
    edges,
    file_node,
    parameters_node,
    training_of,
    version_node,
)
from mims.governance.lineage.reading import query
from mims.governance.lineage.writing import Writer
from mims.governance.versions import File
from mims.registration.aws import AwsError, asking, required
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mims.governance.registry import Registry
    from mims.governance.versions import Version

_URI = 1900  # characters; SageMaker takes 2048, and a digest may be added
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_MODEL_OF_JOB = re.compile(r"s3://\S+/([a-zA-Z0-9-]+)/output/model\.tar\.gz")
_UNKNOWN = {"ResourceNotFound", "ValidationException"}  # what SageMaker says of an unknown job


class Made(NamedTuple):
    """An entity or an association, and whether it was (with dry_run: would be) made just now."""

    what: Node | Edge
    new: bool


@dataclass(frozen=True)
class Lineage:
    """What a version's lineage holds after it was recorded."""

    version: str
    entities: tuple[Made, ...]
    associations: tuple[Made, ...]

    @property
    def new(self) -> list[Node | Edge]:
        """What was made just now, or would be."""
        return [made.what for made in (*self.entities, *self.associations) if made.new]


def record(
    registry: Registry,
    version: Version,
    *,
    data: Iterable[File | str] = (),
    commit: str | None = None,
    repository: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    training_job: str | None = None,
    endpoint: str | None = None,
    dry_run: bool = False,
) -> Lineage:
    """Write down what a version comes from, and the endpoint that serves it, if one is named.

    A training job or an endpoint is a name or an ARN; data is a URI, or a file with its digest.
    Run again, or by two at once, it makes nothing twice. With `dry_run` it only says what it would
    make.

    Raises:
        InputError: something named is malformed or not there; it tells of all.
        ServiceError: SageMaker refused, or can't be reached.

    """
    files = tuple(File(one) if isinstance(one, str) else one for one in data)
    told = _Told(files, commit, repository, parameters or {}, training_job, endpoint)
    training, arn = _checked(registry, version, told)
    writer = Writer(registry, dry_run=dry_run)
    found = edges(version, training, arn)
    nodes = dict.fromkeys(node for edge in found for node in edge[:2])
    entities = tuple(Made(node, writer.enter(node)) for node in nodes)
    return Lineage(
        version.name, entities, tuple(Made(edge, writer.associate(edge)) for edge in found)
    )


def graph(registry: Registry, version: Version) -> Graph:
    """Read what a version comes from and what came of it: from SageMaker, else the audit trail.

    Raises:
        InputError: neither knows the version, or the audit trail is broken.
        ServiceError: neither can be asked.

    """
    try:
        found = query(registry, version)
    except AwsError as error:
        reason = f"SageMaker lineage can't be asked: {error}"
    else:
        if found:
            return found
        reason = "SageMaker lineage knows nothing of it"
    return _audited(registry, version, reason)


# What is told


class _Told(NamedTuple):
    """What an operator tells."""

    data: tuple[File, ...]
    commit: str | None
    repository: str | None
    parameters: Mapping[str, Any]
    training_job: str | None
    endpoint: str | None

    def problems(self, commit: str | None) -> Iterator[str]:
        """Say what is malformed; `commit` is the one that counts."""
        for name in ("commit", "repository", "training_job", "endpoint"):
            if getattr(self, name) == "":  # of a variable that is not set, most likely
                yield f"{name.replace('_', ' ')}: is empty: name one, or leave it out"
        for file in self.data:
            uri = printable(file.uri)
            if not 0 < len(uri) <= _URI:
                yield f"data {uri[:80]!r}: a URI must have 1 to {_URI} characters"
        if self.repository and not commit:
            yield f"repository {printable(self.repository)}: name the commit too"
        if self.commit and not _COMMIT.fullmatch(self.commit):
            yield f"commit {printable(self.commit)[:80]}: must be 7 to 64 digits of 0-9a-f"


def _checked(registry: Registry, version: Version, told: _Told) -> tuple[Training, str | None]:
    """What is told, with what SageMaker knows; and the endpoint's ARN."""
    known = version.described.get("MetadataProperties", {})
    commit = told.commit or known.get("CommitId")
    problems = Problems(told.problems(commit))
    training, arn = Training(), None
    with problems.gather():
        training = _training(registry, version, told.training_job)
    with problems.gather():
        arn = _endpoint_arn(registry, told.endpoint) if told.endpoint else None
    problems.raise_any()
    inputs = [file_node("DataSet", file) for file in told.data]
    if commit:
        inputs.append(code_node(commit, told.repository or known.get("Repository")))
    if told.parameters:
        inputs.append(parameters_node(told.parameters))
    replaced = {node.uri for node in inputs} | ({"Parameters"} if told.parameters else set())
    rest = [node for node in training.inputs if not {node.uri, node.type} & replaced]
    return replace(training, inputs=(*inputs, *rest)), arn


def _training(registry: Registry, version: Version, name: str | None) -> Training:
    """What a training job says; without a name, the one whose model the version's source is."""
    source = version.described.get("SourceUri", "")
    guess = _MODEL_OF_JOB.fullmatch(source)
    job = (name or (guess[1] if guess else "")).rpartition("/")[2]
    if not job:
        return Training()
    try:
        with asking("DescribeTrainingJob", registry.region, job):
            answer = registry.sagemaker.describe_training_job(TrainingJobName=job)
    except AwsError as error:
        if error.code not in _UNKNOWN:
            raise
        if not name:
            return Training()
        raise InputError(
            f"{registry.region} has no training job {printable(job)}: {error}"
        ) from error
    model = answer.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    return training_of(answer) if name or model == source else Training()


def _endpoint_arn(registry: Registry, name: str) -> str:
    if name.startswith("arn:"):
        return printable(name)
    try:
        with asking("DescribeEndpoint", registry.region, name):
            answer = registry.sagemaker.describe_endpoint(EndpointName=name)
    except AwsError as error:
        if error.code not in _UNKNOWN:
            raise
        raise InputError(f"{registry.region} has no endpoint {printable(name)}: {error}") from error
    arn: str = required(answer, "EndpointArn", "DescribeEndpoint", registry.region)
    return arn


# Reading


def _audited(registry: Registry, version: Version, reason: str) -> Graph:
    """Read what the audit trail holds, whose chain is checked."""
    try:
        history = History.read(registry.trail(version))
    except ServiceError as error:
        raise ServiceError(f"{reason}; and the audit trail: {error}") from error
    registered = [
        record
        for record in history.records
        if record.get("kind") != KIND and record.get("model_package_arn") == version.arn
    ]
    if not registered:
        raise InputError(
            f"{version.name}: {reason}; and the group's audit trail has no registration of it"
        )
    # The first made it; later runs found it.
    found = audited_edges(version, registered[0])
    return Graph(version_node(version), tuple(found), (), f"the audit trail: {reason}")
