"""Promotions by a state machine to an endpoint that was scaled since it got its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from approval_groups import AFTER, BEFORE, Group, play
from mims.governance.approval import trail

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import LocalAws

pytestmark = [pytest.mark.usefixtures("bucket"), pytest.mark.slow]  # whole executions
# Variants: name, instances, weight.
Scale = list[tuple[str, int, float]]


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path)


def scale(group: Group, **counts: int) -> None:
    group.config()
    wanted: Any = [
        {"VariantName": name, "DesiredInstanceCount": count} for name, count in counts.items()
    ]
    group.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="fraud", DesiredWeightsAndCapacities=wanted
    )
    group.config()


def scaled(group: Group) -> Scale:
    """What the endpoint is scaled to, once it is at rest."""
    group.config()
    found = group.sagemaker.describe_endpoint(EndpointName="fraud")["ProductionVariants"]
    return [
        (one["VariantName"], one["DesiredInstanceCount"], one["DesiredWeight"]) for one in found
    ]


def approved_with(group: Group, aws: LocalAws, **script: Any) -> Any:
    """Promote with a script that begins when approval is waited for."""
    execution = group.start()
    group.config()
    play(aws, **script)
    group.approve(execution)
    return group.end(execution)


def test_a_new_version_begins_with_as_many_instances_as_there_are(group: Group) -> None:
    scale(group, old=3)

    execution = group.promoted()

    assert execution.status == "SUCCEEDED", execution.cause
    assert group.config() == execution.input["deployment"]["config"]
    assert scaled(group) == [(execution.input["deployment"]["variant"], 3, 1.0)]


def test_and_with_more_if_there_are_more_by_the_time_that_it_is_approved(group: Group) -> None:
    execution = group.start()
    scale(group, old=5)
    group.approve(execution)

    ended = group.end(execution)

    assert ended.status == "SUCCEEDED", ended.cause
    given = ended.input["deployment"]
    assert scaled(group) == [(given["variant"], 5, 1.0)]
    config = group.config()
    assert config == f"{given['scaled']}-5"
    assert given["scaled"] == given["config"]
    # Once more, which has nothing to change at the endpoint.
    group.put(group.old, "Production")
    group.put(group.new, "Staging")
    again = group.promoted()
    assert (again.error, group.stages()) == ("", AFTER)
    assert scaled(group) == [(given["variant"], 5, 1.0)]


# How the new configuration fares at an endpoint that was scaled.
FAILURES: dict[str, dict[str, Any]] = {
    "no answer": {"invocations": ["No module named inference"]},
    "made anew": {"ends": ["Failed"]},
    "SageMaker itself goes back": {"ends": ["RolledBack"]},
}


@pytest.mark.parametrize("script", FAILURES.values(), ids=FAILURES)
def test_the_way_back_ends_with_as_many_as_before(
    group: Group, aws: LocalAws, script: dict[str, Any]
) -> None:
    scale(group, old=3)

    ended = approved_with(group, aws, **script)

    assert ended.error == "RolledBack", ended.cause
    assert (group.config(), group.stages()) == ("old", BEFORE)
    assert scaled(group) == [("old", 3, 1.0)]


def test_the_way_back_of_several_variants(group: Group, aws: LocalAws) -> None:
    variants: Any = [
        {
            "VariantName": name,
            "ModelName": "old",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        for name in ("one", "two")
    ]
    group.sagemaker.create_endpoint_config(EndpointConfigName="both", ProductionVariants=variants)
    group.config()
    group.sagemaker.update_endpoint(EndpointName="fraud", EndpointConfigName="both")
    scale(group, one=2, two=4)
    wanted: Any = [{"VariantName": "two", "DesiredWeight": 0.25}]
    group.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="fraud", DesiredWeightsAndCapacities=wanted
    )
    before = scaled(group)
    assert before == [("one", 2, 1.0), ("two", 4, 0.25)]

    ended = approved_with(group, aws, invocations=["No module named inference"])

    assert ended.error == "RolledBack", ended.cause
    assert ended.input["deployment"]["count"] == 4
    assert scaled(group) == before


def test_a_serverless_endpoint_has_nothing_to_scale(group: Group, aws: LocalAws) -> None:
    serverless: Any = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    variant: Any = {"VariantName": "old", "ModelName": "old", "ServerlessConfig": serverless}
    group.sagemaker.create_endpoint_config(
        EndpointConfigName="serverless", ProductionVariants=[variant]
    )
    group.config()
    group.sagemaker.update_endpoint(EndpointName="fraud", EndpointConfigName="serverless")

    ended = approved_with(group, aws, invocations=["No module named inference"])

    assert ended.error == "RolledBack", ended.cause
    assert group.config() == "serverless"


def test_what_could_not_be_scaled_back_is_told(group: Group, aws: LocalAws) -> None:
    scale(group, old=3)
    ends = ["InService", "InService", "RolledBack"]  # the new one, the former one, its scale

    ended = approved_with(group, aws, ends=ends, invocations=["No module named inference"])

    assert ended.error == "RollbackIncomplete"
    assert "fraud has its former configuration again, and has to be scaled by hand" in ended.cause
    assert '"DesiredInstanceCount":3' in ended.cause.replace(" ", "")
    assert (group.config(), group.stages()) == ("old", BEFORE)
    assert trail.record(group.registry, ended).phase == "incomplete"
