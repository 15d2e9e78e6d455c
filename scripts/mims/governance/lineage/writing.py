"""SageMaker lineage, written: entities and associations made where they are missing.

Goes in: nodes and edges. Comes out: which were new. An artifact is known by its SourceUri, of which
SageMaker has one, whoever made it; a context likewise; an action by its name, made of what it is
about. Who is told that something already exists was beaten to it, or had lost an answer: it is
taken as it is. Nothing is removed; of what is there, an artifact gets the digest that it lacks, and
nothing else changes.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from mims.errors import ServiceError
from mims.governance.lineage.parts import ACTION, ARTIFACT, CONTEXT, DIGEST, LABEL, Edge, Node
from mims.governance.lineage.reading import described
from mims.registration.aws import AwsError, asking, required

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sagemaker.literals import AssociationEdgeTypeType

    from mims.governance.registry import Registry

_METADATA = {
    "commit": "CommitId",
    "repository": "Repository",
    "workflow_execution_id": "GeneratedBy",
}


class Writer:
    """Makes what is missing; with `dry_run` it only tells what is."""

    def __init__(self, registry: Registry, *, dry_run: bool) -> None:
        self._sagemaker = registry.sagemaker
        self._region = registry.region
        self._dry_run = dry_run
        self._arns: dict[Node, str] = {}  # of what is there
        self._sources: dict[str, set[str]] = {}  # by destination

    def enter(self, node: Node) -> bool:
        """Make an entity; whether it was missing."""
        arn, wanted = self._look(node)
        missing = arn is None
        if missing and not self._dry_run:
            arn = self._create(wanted)
            if arn is None:  # another was quicker
                missing = False
                arn, _ = self._look(node)
        if arn:
            self._arns[node] = arn
        elif not self._dry_run:
            raise ServiceError(
                f"Create{node.entity} in {self._region} for {node.label}: SageMaker says that it "
                "already exists, but doesn't find it yet; run again"
            )
        return missing

    def associate(self, edge: Edge) -> bool:
        """Make an association; whether it was missing."""
        source, destination = self._arns.get(edge.source), self._arns.get(edge.destination)
        if source is None or destination is None:
            return True  # one end is still to be made
        if source in self._sources_of(destination):
            return False
        if not self._dry_run:
            about = f"{edge.source.label} and {edge.destination.label}"
            with self._unless_there("AddAssociation", about):
                self._sagemaker.add_association(
                    SourceArn=source,
                    DestinationArn=destination,
                    AssociationType=cast("AssociationEdgeTypeType", edge.type),
                )
        return True

    def _look(self, node: Node) -> tuple[str | None, Node]:
        """Find an entity; where there is none, say as what to make it."""
        if node.entity == ACTION:
            return self._action(node), node
        if node.entity == CONTEXT:
            with asking("ListContexts", self._region, node.uri):
                contexts = self._sagemaker.list_contexts(SourceUri=node.uri, ContextType=node.type)
                found = required(contexts, "ContextSummaries", "ListContexts", self._region)
            return (found[0]["ContextArn"] if found else None), node
        held = self._artifact(node)
        if node.sha256 and held and held.sha256 not in (None, node.sha256):
            # The same place held something else then: this is another artifact.
            node = replace(node, uri=f"{node.uri}#sha256={node.sha256}")
            held = self._artifact(node)
        if held and node.sha256 and not held.sha256 and not self._dry_run:
            with asking("UpdateArtifact", self._region, node.uri):
                self._sagemaker.update_artifact(
                    ArtifactArn=held.arn, Properties={DIGEST: node.sha256}
                )
        return (held.arn if held else None), node

    def _artifact(self, node: Node) -> Node | None:
        with asking("ListArtifacts", self._region, node.uri):
            artifacts = self._sagemaker.list_artifacts(SourceUri=node.uri)
            found = required(artifacts, "ArtifactSummaries", "ListArtifacts", self._region)
        return described(self._sagemaker, self._region, found[0]["ArtifactArn"]) if found else None

    def _action(self, node: Node) -> str | None:
        try:
            with asking("DescribeAction", self._region, node.label):
                answer = self._sagemaker.describe_action(ActionName=_name(node))
        except AwsError as error:
            if error.code != "ResourceNotFound":
                raise
            return None
        arn: str = required(answer, "ActionArn", "DescribeAction", self._region)
        return arn

    def _create(self, node: Node) -> str | None:
        """Make an entity; give its ARN, None where another has."""
        operation, request = f"Create{node.entity}", _request(node)
        answer: Any = None
        with self._unless_there(operation, node.label):
            if node.entity == ARTIFACT:
                answer = self._sagemaker.create_artifact(**request)
            elif node.entity == ACTION:
                answer = self._sagemaker.create_action(**request)
            else:
                answer = self._sagemaker.create_context(**request)
        if answer is None:
            return None
        arn: str = required(answer, f"{node.entity}Arn", operation, self._region)
        return arn

    def _sources_of(self, destination: str) -> set[str]:
        """Who is associated with a destination, asked once."""
        if destination not in self._sources:
            pages = self._sagemaker.get_paginator("list_associations").paginate(
                DestinationArn=destination
            )
            with asking("ListAssociations", self._region, destination):
                self._sources[destination] = {
                    summary["SourceArn"]
                    for page in pages
                    for summary in required(
                        page, "AssociationSummaries", "ListAssociations", self._region
                    )
                }
        return self._sources[destination]

    @contextmanager
    def _unless_there(self, operation: str, about: str) -> Iterator[None]:
        """Make something; that it is there already is as good."""
        try:
            with asking(operation, self._region, about):
                yield
        except AwsError as error:
            if error.code != "ValidationException" or "already exists" not in str(error):
                raise


def _request(node: Node) -> dict[str, Any]:
    """The parameters that make an entity."""
    source: dict[str, Any] = {"SourceUri": node.uri}
    if node.sha256:
        types = [{"SourceIdType": "Custom", "Value": f"sha256:{node.sha256}"}]
        source["SourceTypes"] = types
    if node.whose:
        source["SourceId"] = node.whose
    request = {
        f"{node.entity}Name": _name(node),
        f"{node.entity}Type": node.type,
        "Source": source,
        "Properties": {**node.facts, LABEL: node.label},
    }
    metadata = {
        _METADATA[name]: fact[:1024] for name, fact in node.facts.items() if name in _METADATA
    }
    if metadata:
        request["MetadataProperties"] = metadata
    if node.entity == ACTION:
        request["Status"] = "Completed"
    return request


def _name(node: Node) -> str:
    """A name that tells a person what it is, and of which there is one."""
    known = hashlib.sha256(f"{node.type}\n{node.uri}\n{node.whose}".encode()).hexdigest()
    words = re.sub(r"[^a-zA-Z0-9]+", "-", f"{node.type} {node.label}")[:80].strip("-")
    return f"{words}-{known[:12]}"
