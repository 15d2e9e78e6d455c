"""SageMaker lineage: artifacts, actions, contexts, associations, and queries over them.

In: requests to SageMaker that keep to its limits. Out: moto's answers, except for the operations
here, of which moto has none. The rules are those of "Lineage Tracking Entities", "Manually Create
Tracking Entities" and "Querying Lineage Entities" in the developer guide: one artifact a SourceUri,
one entity a name, one association a pair; who would make another is told that it already exists.
QueryLineage starts from one entity, which its answer leaves out, and goes up, down, or both ways
from each entity on its way; of its filters there are Types and LineageTypes, of the lists' all but
times. Unlike the service's, this lineage holds nothing of jobs, versions and endpoints by itself.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import ResourceNotFound, ValidationError
from moto.sagemaker.utils import arn_formatter

from local_aws import endpoints

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from moto.sagemaker.models import SageMakerModelBackend

Pair = tuple[str, str]

_PAGE = 10  # of a list, when a request does not say
_QUERY_PAGE = 50  # of a query, and at most
_DEPTH = 10  # associations on a query's way, and at most
_FILTERS = {"Types": "Type", "LineageTypes": "LineageType"}


@dataclass
class Entity:
    """An artifact, an action or a context."""

    kind: str
    """Artifact, Action or Context"""
    arn: str
    request: dict[str, Any]
    """what it was created with, and changed to since"""
    created: datetime = field(default_factory=utcnow)
    changed: datetime = field(default_factory=utcnow)

    @property
    def type(self) -> str:
        """DataSet, Model, Endpoint or what else it was called."""
        return str(self.request[f"{self.kind}Type"])

    @property
    def name(self) -> str | None:
        """Its name; an artifact may have none."""
        return self.request.get(f"{self.kind}Name")

    @property
    def uri(self) -> str:
        """What it stands for."""
        return str(self.request["Source"]["SourceUri"])

    @property
    def described(self) -> dict[str, Any]:
        """All that is known; of it moto answers what the service model says."""
        return {
            **self.request,
            f"{self.kind}Arn": self.arn,
            "CreationTime": self.created,
            "CreatedBy": {},
            "LastModifiedTime": self.changed,
            "LastModifiedBy": {},
        }


class Association(NamedTuple):
    """What is known of a directed edge."""

    type: str | None
    created: datetime


@dataclass
class Graph:
    """What an account has in a region."""

    entities: dict[str, Entity] = field(default_factory=dict)
    associations: dict[Pair, Association] = field(default_factory=dict)

    def steps(self, arn: str, direction: str) -> Iterator[tuple[str, Pair]]:
        """Yield who is associated with an entity, and how."""
        for source, destination in self.associations:
            if destination == arn and direction != "Descendants":
                yield source, (source, destination)
            if source == arn and direction != "Ascendants":
                yield destination, (source, destination)

    def reached(self, start: str, direction: str, depth: int) -> dict[str, list[Pair]]:
        """What is up or down from an entity, near before far, each with associations on the way."""
        far = {start: 0}
        seen: dict[str, list[Pair]] = {}
        coming = deque([start])
        while coming:
            arn = coming.popleft()
            for other, pair in self.steps(arn, direction) if far[arn] < depth else ():
                if other not in far:
                    far[other] = far[arn] + 1
                    coming.append(other)
                    seen[other] = []
                seen[other if arn == start else arn].append(pair)
        return seen


class SageMaker(endpoints.SageMaker):
    """moto's SageMaker with a lineage of our own."""

    def create_artifact(self) -> ActionResult:
        """Create an artifact, unless there is one of its SourceUri."""
        uri = self._get_param("Source")["SourceUri"]
        for one in self._all("Artifact"):
            if one.uri == uri:
                raise ValidationError(f"Artifact {one.arn} of SourceUri {uri} already exists.")
        return self._create("Artifact", hashlib.sha256(uri.encode()).hexdigest()[:32])

    def create_action(self) -> ActionResult:
        """Create an action, unless there is one of its name."""
        return self._create("Action", self._get_param("ActionName"))

    def create_context(self) -> ActionResult:
        """Create a context, unless there is one of its name."""
        return self._create("Context", self._get_param("ContextName"))

    def describe_artifact(self) -> ActionResult:
        """Describe an artifact by its ARN."""
        return ActionResult(self._find("Artifact", self._get_param("ArtifactArn")).described)

    def describe_action(self) -> ActionResult:
        """Describe an action by its name or ARN."""
        return ActionResult(self._find("Action", self._get_param("ActionName")).described)

    def describe_context(self) -> ActionResult:
        """Describe a context by its name or ARN."""
        return ActionResult(self._find("Context", self._get_param("ContextName")).described)

    def update_artifact(self) -> ActionResult:
        """Change an artifact's name and properties; what is not named stays."""
        request = self._get_params()
        artifact = self._find("Artifact", request["ArtifactArn"])
        properties = {**artifact.request.get("Properties", {}), **request.get("Properties", {})}
        for name in request.get("PropertiesToRemove", []):
            properties.pop(name, None)
        name = request.get("ArtifactName", artifact.name)
        artifact.request |= {"Properties": properties, **({"ArtifactName": name} if name else {})}
        artifact.changed = utcnow()
        return ActionResult({"ArtifactArn": artifact.arn})

    def list_artifacts(self) -> ActionResult:
        """List artifacts, the newest first."""
        return self._list("Artifact")

    def list_actions(self) -> ActionResult:
        """List actions, the newest first."""
        return self._list("Action")

    def list_contexts(self) -> ActionResult:
        """List contexts, the newest first."""
        return self._list("Context")

    def add_association(self) -> ActionResult:
        """Associate two entities that are there, once, and not two of experiments."""
        pair = self._pair()
        for arn in pair:
            self._vertex(arn)
        if all(_kind(arn).startswith("experiment") for arn in pair):
            raise ValidationError("Experiment entities can't be associated with each other.")
        if pair in self._graph.associations:
            raise ValidationError(f"Association of {pair[0]} with {pair[1]} already exists.")
        made = Association(self._get_param("AssociationType"), utcnow())
        self._graph.associations[pair] = made
        return ActionResult({"SourceArn": pair[0], "DestinationArn": pair[1]})

    def delete_association(self) -> ActionResult:
        """Take an association away."""
        pair = self._pair()
        if self._graph.associations.pop(pair, None) is None:
            raise ResourceNotFound(f"{pair[0]} is not associated with {pair[1]}.")
        return ActionResult({"SourceArn": pair[0], "DestinationArn": pair[1]})

    def list_associations(self) -> ActionResult:
        """List associations, the newest first."""
        request = self._get_params()
        found = []
        for pair, association in self._graph.associations.items():
            summary = {"AssociationType": association.type, "CreationTime": association.created}
            for end, arn in zip(("Source", "Destination"), pair, strict=True):
                vertex = self._vertex(arn)
                summary |= {f"{end}{name}": vertex[name] for name in ("Arn", "Type", "Name")}
            if all(request.get(name, value) == value for name, value in summary.items()):
                found.append({name: value for name, value in summary.items() if value is not None})
        return ActionResult(self._page("AssociationSummaries", self._sorted(found), _PAGE))

    def query_lineage(self) -> ActionResult:
        """Answer what is up or down from an entity; a page's edges are those at its vertices."""
        request = self._get_params()
        if not request.get("StartArns"):
            raise ValidationError("StartArns must be given.")
        start = self._vertex(request["StartArns"][0])["Arn"]
        depth = request.get("MaxDepth", _DEPTH)
        reached = self._graph.reached(start, request.get("Direction", "Both"), depth)
        filters = request.get("Filters", {})
        if not set(filters) <= set(_FILTERS):
            raise ValidationError(f"The local AWS filters by {', '.join(_FILTERS)} alone.")
        vertices = [
            vertex
            for vertex in map(self._vertex, reached)
            if all(vertex[_FILTERS[name]] in wanted for name, wanted in filters.items())
        ]
        answer = self._page("Vertices", vertices, _QUERY_PAGE)
        at = [vertex["Arn"] for vertex in answer["Vertices"]] if request.get("IncludeEdges") else []
        answer["Edges"] = [
            {
                "SourceArn": pair[0],
                "DestinationArn": pair[1],
                "AssociationType": self._graph.associations[pair].type,
            }
            for pair in dict.fromkeys(pair for arn in at for pair in reached[arn])
        ]
        return ActionResult(answer)

    @property
    def _graph(self) -> Graph:
        """What is kept beside moto's own: a reset forgets it with all of the backend."""
        backend: SageMakerModelBackend = self.sagemaker_backend
        return cast("Graph", backend.__dict__.setdefault("kept_of_lineage", Graph()))

    def _all(self, kind: str) -> list[Entity]:
        return [one for one in self._graph.entities.values() if one.kind == kind]

    def _find(self, kind: str, name: str) -> Entity:
        for entity in self._all(kind):
            if name in (entity.name, entity.arn):
                return entity
        raise ResourceNotFound(f"{kind} '{name}' does not exist.")

    def _create(self, kind: str, tail: str) -> ActionResult:
        request = self._get_params()
        made = Entity(kind, self._arn(kind.lower(), tail), request)
        for one in self._all(kind):
            if one.arn == made.arn or (made.name and one.name == made.name):
                raise ValidationError(f"{kind} {one.arn} already exists.")
        self._graph.entities[made.arn] = made
        return ActionResult({f"{kind}Arn": made.arn})

    def _list(self, kind: str) -> ActionResult:
        request = self._get_params()
        found = [
            entity.described
            for entity in self._all(kind)
            if request.get("SourceUri", entity.uri) == entity.uri
            and request.get(f"{kind}Type", entity.type) == entity.type
        ]
        return ActionResult(self._page(f"{kind}Summaries", self._sorted(found), _PAGE))

    def _vertex(self, arn: str) -> dict[str, Any]:
        """An entity in short; one of experiments is moto's.

        Raises:
            ResourceNotFound: there is none.

        """
        entity = self._graph.entities.get(arn)
        if entity:
            members = {"Type": entity.type, "LineageType": entity.kind, "Name": entity.name}
            return {"Arn": arn, **members}
        for component in self.sagemaker_backend.trial_components.values():
            if component.arn == arn:
                members = {"Type": "TrialComponent", "LineageType": "TrialComponent"}
                return {"Arn": arn, **members, "Name": component.trial_component_name}
        raise ResourceNotFound(f"Entity '{arn}' does not exist.")

    def _pair(self) -> Pair:
        return self._get_param("SourceArn"), self._get_param("DestinationArn")

    def _arn(self, kind: str, tail: str) -> str:
        return arn_formatter(kind, tail, self.current_account, self.region)

    def _sorted(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Sort by time, what came later being later, or by a member that the request names."""
        by = self._get_param("SortBy") or "CreationTime"
        by = next((name for name in found[0] if name.endswith(by)), by) if found else by
        ascending = sorted(found, key=lambda summary: summary.get(by) or "")
        return ascending if self._get_param("SortOrder") == "Ascending" else ascending[::-1]

    def _page(self, name: str, found: list[dict[str, Any]], size: int) -> dict[str, Any]:
        begin = int(self._get_param("NextToken") or 0)
        end = begin + int(self._get_param("MaxResults") or size)
        more = {"NextToken": str(end)} if end < len(found) else {}
        return {name: found[begin:end], **more}


def _kind(arn: str) -> str:
    return arn.split(":")[5].partition("/")[0]
