"""Versions behind an endpoint of the local AWS: what is made, taken back and refused."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from faults import denied, lost_answer
from governance_versions import REGION, register_version
from mims.errors import InputError, ServiceError
from mims.governance.deploy import (
    Deployed,
    DeploymentError,
    Probe,
    Variant,
    clipped,
    config_request,
    deploy,
    model_request,
    restore,
    serve,
)
from mims.governance.endpoints import Patience, describe, settled
from mims.governance.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import LocalAws
    from faults import Fault, Faults
    from mims.governance.versions import Version

pytestmark = pytest.mark.usefixtures("bucket")

ROLE = "arn:aws:iam::123456789012:role/model"
QUICK = Patience(timeout=60, between=0.05)


@pytest.fixture
def version(tmp_path: Path) -> Version:
    return approved(tmp_path / "1")


@pytest.fixture
def other(tmp_path: Path) -> Version:
    return approved(tmp_path / "2")


def approved(root: Path) -> Version:
    registry = Registry(REGION)
    version = register_version(root, None)
    registry.update(version, ModelApprovalStatus="Approved")
    return registry.version(version.arn)


@pytest.fixture
def script(aws: LocalAws) -> Callable[..., None]:
    """Have the endpoint end, or the model answer, otherwise than well."""

    def post(**script: Any) -> None:
        body = json.dumps({"region": REGION, "endpoint": "fraud", **script}).encode()
        request = urllib.request.Request(f"{aws.url}/local-aws/endpoints", body)  # noqa: S310
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
            pass

    return post


def bring(*versions: Version, patience: Patience = QUICK, **how: Any) -> Deployed:
    """Deploy versions, each with the same traffic."""
    variants = [Variant(version, "ml.m5.large") for version in versions]
    client = Registry(REGION).sagemaker
    return deploy(client, "fraud", variants, role=ROLE, patience=patience, **how)


def served() -> tuple[str | None, str | None]:
    """The endpoint's status and configuration."""
    found = describe(boto3.client("sagemaker"), "fraud")
    return found.get("EndpointStatus"), found.get("EndpointConfigName")


def probe(body: bytes = b"1,DE") -> Probe:
    return Probe(boto3.client("sagemaker-runtime"), body)


def test_an_endpoint_is_created_then_updated_then_left_alone(
    version: Version, other: Version
) -> None:
    made = [bring(version, probe=probe()), bring(other, probe=probe()), bring(other)]

    assert [one.done for one in made] == ["created", "updated", "unchanged"]
    assert [one.former for one in made] == [None, made[0].config, made[1].config]
    assert served() == ("InService", made[1].config)
    config = boto3.client("sagemaker").describe_endpoint_config(EndpointConfigName=made[1].config)
    (variant,) = config["ProductionVariants"]
    model = boto3.client("sagemaker").describe_model(ModelName=variant["ModelName"])
    assert model["PrimaryContainer"]["ModelPackageName"] == other.arn


def test_two_versions_side_by_side(version: Version, other: Version) -> None:
    made = bring(version, other)

    assert len(made.models) == 2
    found = boto3.client("sagemaker").describe_endpoint(EndpointName="fraud")
    names = [variant["VariantName"] for variant in found["ProductionVariants"]]
    assert [name.rpartition("-")[2] for name in names] == ["1", "2"]


def test_a_dry_run_makes_nothing(version: Version) -> None:
    assert bring(version, dry_run=True).done == "created"
    assert served() == (None, None)
    assert boto3.client("sagemaker").list_models()["Models"] == []


# How a deployment goes wrong, and what the error says.
FAILURES = {
    # SageMaker itself went back
    "rolled back": ({"ends": ["RolledBack"]}, "did not pass the ping health check"),
    # only deleting helps: it is made anew
    "failed": ({"ends": ["Failed"]}, "endpoint fraud is Failed with configuration"),
    # in service, but the model answers nothing
    "model": ({"invocations": ["no module inference"]}, "no module inference"),
}


@pytest.mark.parametrize(("ways", "text"), FAILURES.values(), ids=FAILURES)
def test_what_fails_is_taken_back(
    version: Version, other: Version, script: Callable[..., None], ways: Any, text: str
) -> None:
    former = bring(version).config
    script(**ways)

    with pytest.raises(DeploymentError, match=text) as caught:
        bring(other, probe=probe())

    assert f"has its former configuration {former} again" in str(caught.value)
    assert served() == ("InService", former)


@pytest.mark.slow
@pytest.mark.parametrize(("ways", "text"), FAILURES.values(), ids=FAILURES)
def test_what_fails_leaves_instances_and_weights(
    version: Version, other: Version, script: Callable[..., None], ways: Any, text: str
) -> None:
    """An endpoint of two versions that was scaled; then the first one alone, on one instance."""
    former = bring(version, other).config
    sagemaker = boto3.client("sagemaker")
    first, second = sagemaker.describe_endpoint(EndpointName="fraud")["ProductionVariants"]
    wanted: Any = [
        {"VariantName": first["VariantName"], "DesiredInstanceCount": 7},
        {"VariantName": second["VariantName"], "DesiredWeight": 0.25},
    ]
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="fraud", DesiredWeightsAndCapacities=wanted
    )
    settled(sagemaker, "fraud", QUICK)
    script(**ways)

    with pytest.raises(DeploymentError, match=text):
        bring(version, probe=probe())

    assert served() == ("InService", former)
    found = sagemaker.describe_endpoint(EndpointName="fraud")["ProductionVariants"]
    assert [(one["CurrentInstanceCount"], one["CurrentWeight"]) for one in found] == [
        (7, 1.0),
        (1, 0.25),
    ]


def test_a_first_deployment_that_fails_leaves_no_endpoint(
    version: Version, script: Callable[..., None]
) -> None:
    script(ends=["Failed"])

    with pytest.raises(DeploymentError, match="deleted: it was not there before"):
        bring(version)

    assert served() == (None, None)


def test_a_failed_endpoint_is_made_anew(version: Version, script: Callable[..., None]) -> None:
    """As one that nobody has cleared away."""
    sagemaker = boto3.client("sagemaker")
    bring(version)
    sagemaker.delete_endpoint(EndpointName="fraud")
    settled(sagemaker, "fraud", QUICK)
    script(ends=["Failed"])
    config = config_request([Variant(version, "ml.m5.large")], ROLE)["EndpointConfigName"]
    sagemaker.create_endpoint(EndpointName="fraud", EndpointConfigName=config)

    bring(version)

    assert served()[0] == "InService"


def test_a_failed_endpoint_that_fails_again_is_left(
    version: Version, script: Callable[..., None]
) -> None:
    """It has no other configuration to go back to, and it was there before."""
    sagemaker = boto3.client("sagemaker")
    config = bring(version).config
    sagemaker.delete_endpoint(EndpointName="fraud")
    settled(sagemaker, "fraud", QUICK)
    script(ends=["Failed", "Failed"])
    sagemaker.create_endpoint(EndpointName="fraud", EndpointConfigName=config)

    with pytest.raises(DeploymentError, match=r"was Failed .* is Failed now, and is left so"):
        bring(version)

    assert served() == ("Failed", config)
    assert bring(version).done == "updated"


def test_every_wait_has_an_end(version: Version, script: Callable[..., None]) -> None:
    script(ends=["Stuck"])

    with pytest.raises(ServiceError, match=r"still Creating after 0.2 s; .* by hand"):
        bring(version, patience=Patience(timeout=0.2, between=0.05))


# Where a run is cut off: everything before it is there already at the next one.
CUTS = {
    # the model is there, its configuration is not
    "configuration": ("CreateEndpointConfig", denied("sagemaker:CreateEndpointConfig"), True),
    # the configuration is there, the endpoint is not
    "endpoint": ("CreateEndpoint", denied("sagemaker:CreateEndpoint"), True),
    # what was asked was done, but its answer is lost: asked again, it is there
    "lost model": ("CreateModel", lost_answer(), False),
    "lost configuration": ("CreateEndpointConfig", lost_answer(), False),
    "lost endpoint": ("CreateEndpoint", lost_answer(), False),
}


@pytest.mark.slow
@pytest.mark.parametrize(("operation", "fault", "fails"), CUTS.values(), ids=CUTS)
def test_a_run_that_was_cut_off_is_completed(
    proxy: Faults, tmp_path: Path, operation: str, fault: Fault, fails: bool
) -> None:
    version = approved(tmp_path / "1")
    proxy.on(operation, fault, times=1)
    if fails:
        with pytest.raises(ServiceError, match=operation):
            bring(version)

    assert bring(version).done == "created"
    assert served()[0] == "InService"


def test_an_update_whose_answer_is_lost_is_made_once(proxy: Faults, tmp_path: Path) -> None:
    """boto3 asks again, and hears that the endpoint is being updated: that is this update."""
    first, second = approved(tmp_path / "1"), approved(tmp_path / "2")
    bring(first)
    proxy.on("UpdateEndpoint", lost_answer(), times=1)

    made = bring(second)

    assert made.done == "updated"
    assert served() == ("InService", made.config)


def test_a_configuration_in_force_that_may_be_replaced(version: Version, other: Version) -> None:
    former = bring(version).config
    config = config_request([Variant(other, "ml.m5.large")], ROLE)
    models = [model_request(other, ROLE)]
    client = Registry(REGION).sagemaker

    made = serve(client, "fraud", config, models, instead_of=former, patience=QUICK)

    assert (made.done, made.former) == ("updated", former)
    again = serve(client, "fraud", config, models, instead_of=former, patience=QUICK)
    assert again.done == "unchanged"
    with pytest.raises(InputError, match=rf"has configuration {made.config} by now, not {former}"):
        serve(
            *(client, "fraud", config_request([Variant(version, "ml.c5.large")], ROLE)),
            instead_of=former,
            patience=QUICK,
        )
    back = restore(client, "fraud", None, QUICK, instead_of=former)
    assert back == f"endpoint fraud has configuration {made.config}, which somebody else gave it"
    assert served() == ("InService", made.config)


# What no endpoint can have, and how that is said.
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    # none to serve the requests
    "instances": ({"count": 0}, "0 instances; one at least"),
    # a share below nothing
    "weight": ({"weight": -1.0}, "weight -1.0 must be"),
    # none of the versions is asked anything
    "traffic": ({"weight": 0.0}, "no version gets any traffic"),
}


@pytest.mark.parametrize(("changes", "text"), WRONG.values(), ids=WRONG)
def test_variants_that_no_endpoint_can_have(
    version: Version, changes: dict[str, Any], text: str
) -> None:
    variant = replace(Variant(version, "ml.m5.large"), **changes)

    with pytest.raises(InputError, match=text):
        deploy(boto3.client("sagemaker"), "fraud", [variant], role=ROLE)


def test_all_that_is_wrong_is_said_at_once(version: Version) -> None:
    pending = replace(version, approval="PendingManualApproval")
    twice = [Variant(pending, "ml.m5.large", count=0)] * 2

    with pytest.raises(InputError) as caught:
        deploy(boto3.client("sagemaker"), "fraud", twice, role=ROLE)

    assert len(caught.value.problems) == 3
    with pytest.raises(InputError, match="needs a version"):
        deploy(boto3.client("sagemaker"), "fraud", [], role=ROLE)


def test_names_tell_content_and_fit(version: Version) -> None:
    """Another role, another instance type: another model, another configuration."""
    long = replace(version, group="g" * 63, number=123)
    first, second = Variant(long, "ml.m5.large"), Variant(long, "ml.c5.large")
    names = {
        model_request(long, ROLE)["ModelName"],
        model_request(long, f"{ROLE}2")["ModelName"],
        config_request([first], ROLE)["EndpointConfigName"],
        config_request([second], ROLE)["EndpointConfigName"],
    }
    assert len(names) == 4
    assert {len(name) for name in names} <= set(range(64))
    assert clipped("a" * 56 + "-bcdefgh", "12345") == "a" * 56 + "-12345"
