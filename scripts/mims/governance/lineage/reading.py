"""SageMaker lineage, asked: a version's graph, and single entities.

Goes in: a version, or an entity's ARN. Comes out: a `Graph` of what is above and below it, nearest
first and at most SHOWN nodes, with what was left out counted; or a node. Writes nothing.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from mims.governance.lineage.parts import DIGEST, LABEL, Edge, Graph, Node, short, version_node
from mims.registration.aws import AwsError, asking, required
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sagemaker import SageMakerClient

    from mims.governance.registry import Registry
    from mims.governance.versions import Version

SHOWN = 100  # nodes of a graph, each described by a call
_PAGES = 20  # of a query, each of at most 50 nodes
_DEPTH = 10  # associations, the most that SageMaker follows
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def query(registry: Registry, version: Version) -> Graph | None:
    """Ask for a version's graph, the nodes that are nearest; None where nothing is known of it.

    Raises:
        AwsError: SageMaker refused, or can't be reached.

    """
    sagemaker, region = registry.sagemaker, registry.region
    with asking("ListArtifacts", region, version.arn):
        known = sagemaker.list_artifacts(SourceUri=version.arn)
        found = required(known, "ArtifactSummaries", "ListArtifacts", region)
    if not found:
        return None
    start = found[0]["ArtifactArn"]
    up, more_up = _connected(registry, start, "Ascendants")
    down, more_down = _connected(registry, start, "Descendants")
    if not up and not down:
        return None
    near = _nearest(start, [*up, *down])
    root = replace(version_node(version), arn=start)
    nodes = {start: root} | {
        arn: described(sagemaker, region, arn) for arn in near[:SHOWN] if arn != start
    }
    above, below = (
        tuple(
            Edge(nodes[source], nodes[destination], kind)
            for source, destination, kind in side
            if source in nodes and destination in nodes
        )
        for side in (up, down)
    )
    return Graph(
        root,
        above,
        below,
        f"SageMaker lineage in {region}",
        left_out=max(0, len(near) - SHOWN),
        more=more_up or more_down,
    )


def _connected(
    registry: Registry, start: str, direction: Literal["Ascendants", "Descendants"]
) -> tuple[list[tuple[str, str, str]], bool]:
    """Associations on the way in a direction, and whether there are more than were asked for."""
    found: dict[tuple[str, str, str], None] = {}
    more: dict[str, Any] = {}
    for _ in range(_PAGES):
        with asking("QueryLineage", registry.region, start):
            page = registry.sagemaker.query_lineage(
                StartArns=[start],
                Direction=direction,
                IncludeEdges=True,
                MaxDepth=_DEPTH,
                **more,
            )
            required(page, "Vertices", "QueryLineage", registry.region)
        for edge in page.get("Edges", []):
            kind = edge.get("AssociationType", "")
            found[edge["SourceArn"], edge["DestinationArn"], kind] = None
        if not page.get("NextToken"):
            return list(found), False
        more = {"NextToken": page["NextToken"]}
    return list(found), True


def _nearest(start: str, edges: Iterable[tuple[str, str, str]]) -> list[str]:
    """All that is connected, the start first and the farthest last."""
    beside: dict[str, list[str]] = {}
    for source, destination, _ in edges:
        beside.setdefault(source, []).append(destination)
        beside.setdefault(destination, []).append(source)
    found, coming = {start: None}, deque([start])
    while coming:
        for other in beside.get(coming.popleft(), []):
            if other not in found:
                found[other] = None
                coming.append(other)
    return list(found)


def described(sagemaker: SageMakerClient, region: str, arn: str) -> Node:
    """An entity as a node; of a trial component, or what is gone by now, its ARN has to do."""
    kind = arn.split(":")[5].partition("/")[0]
    answer: Any = {}
    try:
        with asking(f"Describe{kind.title()}", region, arn):
            if kind == "artifact":
                answer = sagemaker.describe_artifact(ArtifactArn=arn)
            elif kind == "action":
                answer = sagemaker.describe_action(ActionName=arn)
            elif kind == "context":
                answer = sagemaker.describe_context(ContextName=arn)
    except AwsError as error:
        if error.code != "ResourceNotFound":
            raise
    source = answer.get("Source")
    if not source:
        words = kind.removeprefix("experiment-").title().replace("-", "")
        return Node(words, words, arn, short(printable(arn)), arn=arn)
    properties = answer.get("Properties", {}).items()
    facts = {printable(name): printable(value) for name, value in properties}
    uri = printable(source["SourceUri"])
    held = [one["Value"] for one in source.get("SourceTypes", [])] + [facts.get(DIGEST, "")]
    digests = [digest[1] for digest in map(_DIGEST.fullmatch, held) if digest]
    return Node(
        kind.title(),
        printable(answer.get(f"{kind.title()}Type", kind)),
        uri,
        facts.get(LABEL) or short(uri),
        digests[0] if digests else None,
        whose=source.get("SourceId", ""),
        arn=arn,
        facts=facts,
    )
