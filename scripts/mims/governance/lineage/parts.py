"""What a version comes from and where it goes: the things, and how they hang together.

Goes in: a version, a training job's description, what an operator tells, or an audit record. Comes
out: nodes and edges as SageMaker lineage has them: artifacts, actions, contexts, and associations
from what was there first to what came of it. Pure: nothing is asked or changed here.

    data, code, parameters, image -> training job -> trained model -> package
    package, payload, schema -> registration -> version -> deployment -> endpoint; reports - version
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.governance.versions import File
from mims.text import printable, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mims.governance.versions import Version

CONTRIBUTED, PRODUCED, DERIVED, ASSOCIATED = (
    *("ContributedTo", "Produced", "DerivedFrom", "AssociatedWith"),
)
ARTIFACT, ACTION, CONTEXT = "Artifact", "Action", "Context"
DIGEST, LABEL = "sha256", "label"  # properties

_FACTS = 28  # properties of an entity are 30 at most, with digest and label
_FACT = 2500  # characters of one
_TYPES = {  # of the audit trail's artifacts, by name; others are reports
    "model.tar.gz": "ModelData",
    "payload.tar.gz": "SamplePayload",
    "variable_schema.json": "VariableSchema",
}


@dataclass(frozen=True)
class Node:
    """An artifact, an action or a context. Its texts hide nothing and break no line."""

    entity: str
    type: str
    """DataSet, Model, TrainingJob, … : SageMaker's own word where it has one"""
    uri: str
    """what it stands for: an S3 URI, an ARN, a commit"""
    label: str
    sha256: str | None = None
    whose: str = ""
    """the ARN of the version that an action is about, where its URI leaves that open"""
    arn: str = ""
    """of the lineage entity, where there is one"""
    facts: Mapping[str, str] = field(default_factory=dict, compare=False)


class Edge(NamedTuple):
    """An association, from what was there first."""

    source: Node
    destination: Node
    type: str


@dataclass(frozen=True)
class Graph:
    """What a version comes from, and what came of it."""

    root: Node
    """the version"""
    up: tuple[Edge, ...]
    down: tuple[Edge, ...]
    origin: str
    """who says so: SageMaker lineage, or the audit trail and why"""
    left_out: int = 0
    """how many nodes were too many to show"""
    more: bool = False
    """whether there are more still, uncounted"""


@dataclass(frozen=True)
class Training:
    """What made the model, as far as it is known."""

    inputs: tuple[Node, ...] = ()
    """data, code, parameters, image"""
    job: Node | None = None
    model: Node | None = None


def edges(version: Version, training: Training, endpoint: str | None = None) -> list[Edge]:
    """All that a version's description and its training say, and the endpoint that serves it."""
    properties = version.properties
    root, package = version_node(version), file_node("ModelData", version.model)
    files = {"SamplePayload": version.payload, "VariableSchema": version.schema}
    inputs = [package] if version.model.uri else []
    inputs += [file_node(kind, file) for kind, file in files.items() if file]
    reports = list(version.reports.values())
    if metadata := properties.get("performance_metadata_uri"):
        reports.append(File(metadata, properties.get("performance_metadata_sha256")))
    job, workflow = (
        properties.get(name) for name in ("processing_job_arn", "workflow_execution_id")
    )
    found = [
        *_trained(training, package if version.model.uri else root, _source(version)),
        *_registered(root, _registration(version, job, workflow), inputs, reports),
    ]
    if endpoint:
        label = endpoint.rpartition("/")[2]
        deployment = Node(ACTION, "ModelDeployment", endpoint, label, whose=version.arn)
        served = Node(CONTEXT, "Endpoint", endpoint, label)
        found += [Edge(root, deployment, CONTRIBUTED), Edge(deployment, served, PRODUCED)]
    return list(dict.fromkeys(found))


def audited_edges(version: Version, record: Mapping[str, Any]) -> list[Edge]:
    """What the audit record of a version's registration says."""
    inputs, reports = [], []
    for artifact in record["artifacts"]:
        file = File(artifact["uri"], artifact["sha256"])
        kind = _TYPES.get(artifact["name"])
        if kind:
            inputs.append(file_node(kind, file))
        else:
            reports.append(file)
    run = _registration(version, record["job_arn"], record["workflow_execution_id"])
    return _registered(version_node(version), run, inputs, reports)


def version_node(version: Version) -> Node:
    """The version, as SageMaker's own artifact of a model package."""
    return Node(ARTIFACT, "Model", version.arn, version.name)


def file_node(kind: str, file: File, label: str = "") -> Node:
    """A file, or whatever else data is named by."""
    uri = printable(file.uri)
    return Node(ARTIFACT, kind, uri, printable(label) or short(uri), file.sha256)


def code_node(commit: str, repository: str | None) -> Node:
    """A commit."""
    at, commit = printable(repository or "git"), printable(commit)
    facts = {"commit": commit, **({"repository": at} if repository else {})}
    label = f"{short(at).removesuffix('.git')}@{commit[:12]}"
    return Node(ARTIFACT, "Code", f"{at}@{commit}", label, facts=facts)


def parameters_node(parameters: Mapping[str, Any]) -> Node:
    """Parameters, known by the digest of them all; of many only the first are facts."""
    content = json.dumps(parameters, sort_keys=True, separators=(",", ":"), default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()
    facts = {
        printable(str(name)): _fact(value if isinstance(value, str) else json.dumps(value))
        for name, value in sorted(parameters.items())[:_FACTS]
    }
    label = f"{len(parameters)} parameter{'s' * (len(parameters) != 1)}"
    return Node(ARTIFACT, "Parameters", f"parameters:sha256:{digest}", label, digest, facts=facts)


def training_of(job: Mapping[str, Any]) -> Training:
    """What DescribeTrainingJob answers of the data, the code, the parameters and the model."""
    parameters = dict(job.get("HyperParameters", {}))
    code = parameters.get("sagemaker_submit_directory", "").strip('"')
    own = {name: value for name, value in parameters.items() if not name.startswith("sagemaker_")}
    inputs = []
    for channel in job.get("InputDataConfig", []):
        uri = channel.get("DataSource", {}).get("S3DataSource", {}).get("S3Uri")
        if uri:
            inputs.append(file_node("DataSet", File(uri), channel["ChannelName"]))
    if image := job.get("AlgorithmSpecification", {}).get("TrainingImage"):
        inputs.append(file_node("Image", File(image)))
    if code.startswith("s3://"):
        inputs.append(file_node("Code", File(code)))
    if own:
        inputs.append(parameters_node(own))
    model = job.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    return Training(
        tuple(inputs),
        Node(ACTION, "TrainingJob", job["TrainingJobArn"], job["TrainingJobName"]),
        file_node("ModelData", File(model)) if model else None,
    )


def short(uri: str) -> str:
    """The last part of a name, cut where it is long."""
    last = uri.rstrip("/").rpartition("/")[2] or uri
    return last if len(last) <= 40 else f"{last[:24]}…{last[-15:]}"


def _source(version: Version) -> Node | None:
    """Where the package was before it was stored."""
    uri = version.described.get("SourceUri", "")
    known = uri.startswith("s3://") and uri != version.model.uri
    return file_node("ModelData", File(uri)) if known else None


def _registration(version: Version, job: str | None, workflow: str | None) -> Node:
    facts = {"workflow_execution_id": workflow, "tool": version.properties.get("registered_by")}
    return Node(
        ACTION,
        "ModelRegistration",
        job or version.arn,
        printable(short(job) if job else workflow or version.name),
        whose=version.arn,
        facts={name: _fact(value) for name, value in facts.items() if value},
    )


def _trained(training: Training, package: Node, source: Node | None) -> list[Edge]:
    """From the data to the package, through what is known of the way."""
    way = list(dict.fromkeys(node for node in (training.model, source, package) if node))
    found = [Edge(before, after, DERIVED) for before, after in pairwise(way)]
    if training.job:
        found.append(Edge(training.job, way[0], PRODUCED))
    end = training.job or way[0]
    return [*(Edge(node, end, CONTRIBUTED) for node in training.inputs), *found]


def _registered(
    root: Node, run: Node, inputs: Iterable[Node], reports: Iterable[File]
) -> list[Edge]:
    return [
        *(Edge(node, run, CONTRIBUTED) for node in inputs),
        Edge(run, root, PRODUCED),
        *(Edge(file_node("Report", file), root, ASSOCIATED) for file in dict.fromkeys(reports)),
    ]


def _fact(value: str) -> str:
    return without_secrets(printable(value))[:_FACT]
