"""An A/B's endpoint: what stands behind it, and the configurations that begin and end an A/B.

Goes in: an endpoint's name. Comes out: a `Standing`: its configuration, the versions behind it, and
the design of its A/B, if one runs; and parameters of configurations. What else the present
configuration has, such as keys, networks and tags of others, goes into the new ones. The champion's
variant stays as it is, name included, so that its metrics go on. Only reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.governance.ab.design import PREFIX, Design
from mims.governance.deploy import (
    Variant,
    data_capture,
    model_request,
    named,
    production_variant,
)
from mims.governance.endpoints import Patience, describe, missing, settled
from mims.registration.aws import AwsError, asking, required
from mims.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mims.governance.registry import Registry

_UNFIT = {  # members of a configuration, and why there is no A/B with them
    "AsyncInferenceConfig": "answers asynchronously",
    "ShadowProductionVariants": "has shadow variants already",
    "ExplainerConfig": "explains its answers, and what it captures is then no table",
}


@dataclass(frozen=True)
class Standing:
    """An endpoint as it stands."""

    endpoint: str
    status: str
    config: Mapping[str, Any]
    """what DescribeEndpointConfig answers, but with as many instances as have been scaled to"""
    tags: Mapping[str, str]
    models: Mapping[str, Mapping[str, Any]]
    """what DescribeModel answers, by variant"""
    design: Design | None
    """of the A/B that runs"""
    weights: Mapping[str, float]
    """of each variant, as they are by now: somebody may have changed what the configuration says"""

    @property
    def share(self) -> float | None:
        """The challenger's part of the traffic by now; None of a shadow, and where none runs."""
        design = self.design
        if design is None or design.shadow:
            return None
        variants = (design.champion_variant, design.challenger_variant)
        champion, challenger = (self.weights.get(name, 0.0) for name in variants)
        return challenger / (champion + challenger) if champion + challenger else None

    @property
    def name(self) -> str:
        """The configuration's name."""
        return str(self.config["EndpointConfigName"])

    @property
    def variants(self) -> Sequence[Mapping[str, Any]]:
        """Its production variants; a shadow is none."""
        found: Sequence[Mapping[str, Any]] = self.config["ProductionVariants"]
        return found

    @property
    def version(self) -> str | None:
        """The ARN of the version that serves alone; None where it is no version, or not alone."""
        return self.arn(self.variants[0]) if len(self.variants) == 1 else None

    def arn(self, variant: Mapping[str, Any]) -> str | None:
        """The ARN of the version behind a variant."""
        containers = _containers(self.models[variant["VariantName"]])
        found = containers[0].get("ModelPackageName") if len(containers) == 1 else None
        return str(found) if found else None

    def role(self, variant: Mapping[str, Any]) -> str:
        """The role that a variant's model runs with."""
        return str(self.models[variant["VariantName"]]["ExecutionRoleArn"])


def look(registry: Registry, endpoint: str, patience: Patience | None = None) -> Standing:
    """Look at an endpoint; with patience, once it is on its way no more.

    Raises:
        InputError: there is no such endpoint, or its A/B's tags are not as they were written.
        ServiceError: a service refused, or it took too long.

    """
    found = find(registry, endpoint, patience)
    if found is None:
        raise missing(registry.region, endpoint)
    return found


def find(registry: Registry, endpoint: str, patience: Patience | None = None) -> Standing | None:
    """Look at an endpoint as `look` does; None where there is none."""
    client, region = registry.sagemaker, registry.region
    found = settled(client, endpoint, patience) if patience else describe(client, endpoint)
    if not found:
        return None
    name = required(found, "EndpointConfigName", "DescribeEndpoint", region)
    config, tags = configured(registry, name)
    design = Design.of(tags)
    if design and design.endpoint != endpoint:
        raise InputError(
            f"endpoint {endpoint} has the configuration of an A/B behind endpoint "
            f"{design.endpoint}: give it one of its own"
        )
    models = {}
    for variant in [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]:
        with asking("DescribeModel", region, variant["ModelName"]):
            models[variant["VariantName"]] = client.describe_model(ModelName=variant["ModelName"])
    every = [*found.get("ProductionVariants", []), *found.get("ShadowProductionVariants", [])]
    weights = {one["VariantName"]: one.get("CurrentWeight", 0.0) for one in every}
    counts = {one["VariantName"]: one.get("DesiredInstanceCount") for one in every}
    for variant in config["ProductionVariants"]:
        if count := counts.get(variant["VariantName"]):
            variant["InitialInstanceCount"] = count
    return Standing(endpoint, str(found["EndpointStatus"]), config, tags, models, design, weights)


def free(registry: Registry, endpoint: str, patience: Patience) -> str | None:
    """Give the configuration of an endpoint, which is no A/B; None where there is no endpoint.

    Raises:
        InputError: an A/B runs there.
        ServiceError: a service refused, or it took too long.

    """
    found = settled(registry.sagemaker, endpoint, patience)
    if not found:
        return None
    name = str(required(found, "EndpointConfigName", "DescribeEndpoint", registry.region))
    # A configuration may be deleted while the endpoint goes on: then it is nobody's A/B any more.
    if exists(registry, name) and any(
        key.startswith(PREFIX) for key in configured(registry, name)[1]
    ):
        raise InputError(
            f"an A/B runs behind endpoint {endpoint}: stop it first, mims-registry ab stop "
            f"{endpoint} --promote or --roll-back"
        )
    return name


def configured(registry: Registry, name: str) -> tuple[Mapping[str, Any], dict[str, str]]:
    """Describe a configuration, and read its tags."""
    client, region = registry.sagemaker, registry.region
    with asking("DescribeEndpointConfig", region, name):
        config = client.describe_endpoint_config(EndpointConfigName=name)
        arn = required(config, "EndpointConfigArn", "DescribeEndpointConfig", region)
    return config, registry.tags(arn)


def unfit(standing: Standing) -> list[str]:
    """Why no A/B can begin there; [] where one can."""
    problems = []
    about = f"endpoint {standing.endpoint}"
    if standing.status != "InService":
        problems.append(f"{about}: is {standing.status}, not InService")
    problems += [f"{about}: {why}" for key, why in _UNFIT.items() if standing.config.get(key)]
    if len(standing.variants) > 1:
        names = listed(variant["VariantName"] for variant in standing.variants)
        problems.append(f"{about}: has several variants, {names}: the champion has to serve alone")
    elif not standing.version:
        problems.append(f"{about}: what serves there is no version of a model package group")
    if standing.variants[0].get("ServerlessConfig"):
        problems.append(f"{about}: is serverless, of which SageMaker captures nothing")
    return problems


def beginning(
    standing: Standing, design: Design, challenger: Variant, role: str
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Parameters of the configuration that an A/B is, and of the challenger's model."""
    champion = {**standing.variants[0], "InitialVariantWeight": 1.0}
    shares: dict[str, Any] = {"ProductionVariants": [champion]}
    other = production_variant(challenger, role)
    if design.shadow:
        shares["ShadowProductionVariants"] = [other]
    else:
        champion["InitialVariantWeight"] = round(1 - design.share, 12)
        shares["ProductionVariants"] += [other]
    former = standing.config.get("DataCaptureConfig") or {}
    kept = {key: former[key] for key in ("KmsKeyId",) if key in former}
    capture = {**kept, **data_capture(design.capture)}
    numbers = [arn.rpartition("/")[2] for arn in (design.champion, design.challenger)]
    content = {
        **_kept(standing),
        **shares,
        "DataCaptureConfig": capture,
        "Tags": _as_list({**_others(standing), **design.tags()}),
    }
    made = named(challenger.version.group, "-".join(numbers), content)
    return made, [model_request(challenger.version, role)]


def ending(standing: Standing, design: Design, winner: str, group: str) -> dict[str, Any]:
    """Parameters of the configuration in which the winner, an ARN, serves alone as before.

    The challenger gets all that the champion has but its type of instance.
    """
    config = standing.config
    every = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
    of = {variant["VariantName"]: variant for variant in every}
    alone = {**of[design.champion_variant], "InitialVariantWeight": 1.0}
    if winner == design.challenger:
        own = ("VariantName", "ModelName", "InstanceType")
        alone |= {key: of[design.challenger_variant][key] for key in own}
    content = {**_kept(standing), "ProductionVariants": [alone]}
    if config.get("DataCaptureConfig"):
        content["DataCaptureConfig"] = config["DataCaptureConfig"]
    if tags := _others(standing):
        content["Tags"] = _as_list(tags)
    return named(group, winner.rpartition("/")[2], content)


def exists(registry: Registry, config: str) -> bool:
    """Whether there is such a configuration (still)."""
    try:
        with asking("DescribeEndpointConfig", registry.region, config):
            registry.sagemaker.describe_endpoint_config(EndpointConfigName=config)
    except AwsError as error:
        if error.code == "ValidationException":
            return False
        raise
    return True


def _containers(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    primary = model.get("PrimaryContainer")
    return [primary] if primary else [*model.get("Containers", [])]


def _kept(standing: Standing) -> dict[str, Any]:
    """What goes from one configuration into the next, whatever stands behind the endpoint."""
    names = ("KmsKeyId", "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation")
    return {name: standing.config[name] for name in names if standing.config.get(name)}


def _others(standing: Standing) -> dict[str, str]:
    """Tags of others: ours are of one A/B, and AWS's own can't be set."""
    ours = (PREFIX, "aws:")
    return {key: value for key, value in standing.tags.items() if not key.startswith(ours)}


def _as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
