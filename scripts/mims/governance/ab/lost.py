"""An A/B that its endpoint tells of no more: deleted, or given something else by somebody.

Goes in: an endpoint without an A/B, or none. Comes out: the design of the last A/B that was begun
behind it, if it was never ended: its configuration is still there, as configurations are never
deleted, and its challenger is still admitted by the group's audit trail. Only reads.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mims.errors import InputError
from mims.governance.ab.design import PREFIX, Design
from mims.governance.ab.endpoint import find
from mims.governance.decisions import History
from mims.governance.endpoints import missing
from mims.registration.aws import asking

if TYPE_CHECKING:
    from mims.governance.ab.endpoint import Standing
    from mims.governance.decisions import Decision
    from mims.governance.registry import Registry

# What `named` calls a configuration of two versions: others need no look at their tags.
_OF_TWO = re.compile(r".+-\d+-\d+-[0-9a-f]{12}")


class Lost(NamedTuple):
    """An A/B that was neither promoted nor rolled back, and that its endpoint tells of no more."""

    design: Design
    group: str
    said: str
    """what was found"""


def behind(endpoint: str) -> str:
    """How the reason of an admission begins: it tells of which endpoint's A/B."""
    return f"A/B behind {endpoint}: "


def running(registry: Registry, endpoint: str) -> Standing:
    """Look at an endpoint whose A/B runs.

    Raises:
        InputError: none runs there; it says what became of it, and what to do.
        ServiceError: a service refused.

    """
    standing = find(registry, endpoint)
    if standing and standing.design:
        return standing
    if found := lost(registry, endpoint, standing):
        raise InputError(f"{found.said}: end it, mims-registry ab stop {endpoint} --roll-back")
    if standing is None:
        raise missing(registry.region, endpoint)
    raise InputError(f"no A/B runs behind endpoint {endpoint}")


def lost(registry: Registry, endpoint: str, standing: Standing | None) -> Lost | None:
    """Find the A/B that was behind an endpoint and was never ended; None where there is none.

    Raises:
        ServiceError: a service refused.

    """
    design = _last(registry, endpoint)
    group = group_of(registry, design) if design else None
    if design is None or group is None:
        return None
    history = History.read(*registry.trails(registry.versions(group)))
    last = admission(history, endpoint)
    if last is None or last.arn != design.challenger:
        return None
    challenger, champion = (arn.rpartition("/")[2] for arn in (design.challenger, design.champion))
    its = f"its A/B of {group}/{challenger} against {group}/{champion}"
    if standing is None:
        said = f"endpoint {endpoint} was deleted during {its}, which began at"
    elif standing.name == design.former:
        said = f"endpoint {endpoint} serves as before {its}, which was not ended, and began at"
    else:
        said = f"somebody gave endpoint {endpoint} configuration {standing.name} during {its} of"
    return Lost(design, group, f"{said} {design.started:%Y-%m-%d %H:%M} UTC")


def group_of(registry: Registry, design: Design) -> str | None:
    """The group of an A/B's versions, of which one may have been deleted; None where both were."""
    for arn in (design.champion, design.challenger):
        try:
            return registry.version(arn).group
        except InputError:
            continue
    return None


def admission(history: History, endpoint: str) -> Decision | None:
    """The admission of the version that takes part in the A/B behind an endpoint, if one does."""
    admitted = history.admitted()
    return admitted[-1] if admitted and admitted[-1].reason.startswith(behind(endpoint)) else None


def _last(registry: Registry, endpoint: str) -> Design | None:
    """The design of the newest configuration that is an A/B behind this endpoint."""
    pages = registry.sagemaker.get_paginator("list_endpoint_configs").paginate(
        SortBy="CreationTime", SortOrder="Descending"
    )
    with asking("ListEndpointConfigs", registry.region, f"endpoint {endpoint}"):
        for page in pages:
            for one in page["EndpointConfigs"]:
                if not _OF_TWO.fullmatch(one["EndpointConfigName"]):
                    continue
                tags = registry.tags(one["EndpointConfigArn"])
                if tags.get(f"{PREFIX}endpoint") == endpoint:
                    return _readable(tags)
    return None


def _readable(tags: dict[str, str]) -> Design | None:
    """A design; None where somebody has changed its tags: nothing runs by it any more."""
    try:
        return Design.of(tags)
    except InputError:
        return None
