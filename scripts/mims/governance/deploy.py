"""Put versions behind an endpoint: model, endpoint configuration, endpoint; and back, if it fails.

Goes in: approved versions, each with its instances and its share of the traffic, and the name of an
endpoint. Comes out: the endpoint in service with just these, or as it was before, and an error that
says why. Models and configurations are named after the version and what is in them, so a run after
one that was cut off finds what is there already; they cost nothing and are never deleted. An
endpoint that failed can only be deleted, says SageMaker: it is made anew with what it had.

Every wait has an end. The one layer of retries is boto3's.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError, ServiceError
from mims.governance.endpoints import (
    FAILED,
    IN_SERVICE,
    NAME_LIMIT,
    Patience,
    describe,
    instances,
    scale,
    settled,
    unless_begun,
)
from mims.registration.aws import AwsError, asking
from mims.registration.parameters import shown
from mims.text import printable, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

    from mims.governance.versions import Version

log = logging.getLogger("mims")

S3_PLACE = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?")
# Of UpdateEndpoint: variants keep their instances, and have the weights of the configuration.
_RETAINED: Any = {
    "RetainAllVariantProperties": True,
    "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}],
}


@dataclass(frozen=True)
class Variant:
    """A version behind an endpoint, on `count` instances; its share of the traffic by `weight`."""

    version: Version
    instance_type: str
    count: int = 1
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its production variant's name."""
        return clipped(self.version.group, str(self.version.number))


class Probe(NamedTuple):
    """A request that the endpoint must answer before it counts as deployed."""

    client: SageMakerRuntimeClient
    body: bytes
    content_type: str = "text/csv"


class Deployed(NamedTuple):
    """What `deploy` did: `done` is created, updated or unchanged; of a dry run, what it would."""

    endpoint: str
    config: str
    models: tuple[str, ...]
    former: str | None
    """the configuration that the endpoint had"""
    done: str


class DeploymentError(ServiceError):
    """The endpoint did not come into service with a configuration; it says how it is left."""


def clipped(start: str, *rest: str) -> str:
    """Join parts of a name by hyphens, the first one shortened so that all fits."""
    end = "".join(f"-{part}" for part in rest)
    return start[: NAME_LIMIT - len(end)].rstrip("-") + end


def model_request(version: Version, role: str) -> dict[str, Any]:
    """Parameters of CreateModel; the name tells version, model and role."""
    sha256 = _digest([version.arn, version.model, role])
    return {
        "ModelName": clipped(version.group, str(version.number), sha256[:12]),
        "ExecutionRoleArn": role,
        "PrimaryContainer": {"ModelPackageName": version.arn},
    }


def config_request(
    variants: Sequence[Variant], role: str, capture: str | None = None
) -> dict[str, Any]:
    """Parameters of CreateEndpointConfig; the name tells the versions and all that is in it."""
    content: dict[str, Any] = {
        "ProductionVariants": [production_variant(variant, role) for variant in variants]
    }
    if capture:
        content["DataCaptureConfig"] = data_capture(capture)
    numbers = "-".join(str(variant.version.number) for variant in variants)
    return named(variants[0].version.group, numbers, content)


def data_capture(uri: str) -> dict[str, Any]:
    """Have SageMaker write every request and its answer below an s3:// place.

    The content types that are text are captured as text: all else is in base 64.
    """
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": uri,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json", "application/jsonlines"],
        },
    }


def production_variant(variant: Variant, role: str) -> dict[str, Any]:
    """A variant as CreateEndpointConfig takes it."""
    return {
        "VariantName": variant.name,
        "ModelName": model_request(variant.version, role)["ModelName"],
        "InstanceType": variant.instance_type,
        "InitialInstanceCount": variant.count,
        "InitialVariantWeight": variant.weight,
    }


def named(group: str, numbers: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of CreateEndpointConfig, by a name that tells all that is in it."""
    only = content["ProductionVariants"] if len(content) == 1 else content
    return {"EndpointConfigName": clipped(group, numbers, _digest(only)[:12]), **content}


def deploy(
    client: SageMakerClient,
    endpoint: str,
    variants: Sequence[Variant],
    *,
    role: str,
    capture: str | None = None,
    instead_of: str | None = None,
    probe: Probe | None = None,
    patience: Patience | None = None,
    dry_run: bool = False,
) -> Deployed:
    """Bring the endpoint into service with these variants and nothing else.

    `capture` is an s3:// place: there SageMaker writes what is asked and answered (Data Capture);
    `instead_of` is the one configuration that may be replaced, if not any.

    Raises:
        InputError: variants that no endpoint can have.
        DeploymentError: it failed or took too long; the endpoint has its former configuration
            again, or is gone if it was not there before; with no other former configuration than
            this one it is left.
        ServiceError: a service refused, or what it was asked to take back it did not.

    """
    _check(endpoint, variants, capture)
    models = [
        model_request(version, role)
        for version in {v.version.arn: v.version for v in variants}.values()
    ]
    config = config_request(variants, role, capture)
    return serve(
        *(client, endpoint, config, models),
        instead_of=instead_of,
        probe=probe,
        patience=patience,
        dry_run=dry_run,
    )


def serve(
    client: SageMakerClient,
    endpoint: str,
    config: Mapping[str, Any],
    models: Sequence[Mapping[str, Any]] = (),
    *,
    instead_of: str | None = None,
    probe: Probe | None = None,
    patience: Patience | None = None,
    dry_run: bool = False,
) -> Deployed:
    """Bring the endpoint into service with a configuration; it and the models are made first.

    `config` and `models` are the parameters that make them, named after what is in them;
    `instead_of` is the one configuration that may be replaced, if not any.

    Raises:
        InputError: the endpoint has another configuration than the one to be replaced.
        DeploymentError: as `deploy`.
        ServiceError: as `deploy`.

    """
    patience = patience or Patience()
    name = config["EndpointConfigName"]
    before = settled(client, endpoint, patience)
    former = before.get("EndpointConfigName")
    _check_present(endpoint, former, name, instead_of)
    serves = before.get("EndpointStatus") == IN_SERVICE and former == name
    done = "unchanged" if serves else "updated" if before else "created"
    made = Deployed(endpoint, name, tuple(m["ModelName"] for m in models), former, done)
    if dry_run:
        return made
    for model in models:
        _create(client, "CreateModel", model)
    _create(client, "CreateEndpointConfig", config)
    try:
        if not serves:
            _bring(client, endpoint, name, patience, instead_of=instead_of)
        if probe:
            _probe(client.meta.region_name, endpoint, probe)
    except ServiceError as error:
        if serves:
            raise
        if former == name:
            raise DeploymentError(f"{error}; {_no_better(client, endpoint, before)}") from error
        back = restore(client, endpoint, former, patience, instead_of=name, before=before)
        raise DeploymentError(f"{error}; {back}") from error
    log.info("endpoint %s: %s, configuration %s", endpoint, done, name)
    return made


def restore(
    client: SageMakerClient,
    endpoint: str,
    former: str | None,
    patience: Patience | None = None,
    *,
    instead_of: str | None = None,
    before: Mapping[str, Any] | None = None,
) -> str:
    """Give an endpoint its former configuration back; without one, delete it. Say what was done.

    `instead_of` is the one configuration that is taken back, if not any: what somebody else has
    brought into service meanwhile stays. An endpoint may have been scaled, and the configuration
    says only what it began with: its variants get the instances and weights that they had by
    `before`, what DescribeEndpoint told then; else those that are there keep their instances.

    Raises:
        ServiceError: it could not be; it says how the endpoint is left.

    """
    patience = patience or Patience()
    try:
        now = settled(client, endpoint, patience)
        there = now.get("EndpointConfigName")
        ours = instead_of is None or there in (instead_of, former)
        if not ours and now.get("EndpointStatus") == IN_SERVICE:
            return f"endpoint {endpoint} has configuration {there}, which somebody else gave it"
        if former is None:
            if now:
                _delete(client, endpoint, patience)
            return f"endpoint {endpoint} was deleted: it was not there before"
        _bring(client, endpoint, former, patience, retain=before is None)
    except ServiceError as error:
        wanted = f"has to get configuration {former}" if former else "has to be deleted"
        raise ServiceError(f"{error}; endpoint {endpoint} {wanted} by hand") from error
    scale(client, endpoint, before or instances(now), patience)
    return f"endpoint {endpoint} has its former configuration {former} again"


def _no_better(client: SageMakerClient, endpoint: str, before: Mapping[str, Any]) -> str:
    """Tell of an endpoint that had this very configuration, and did not serve: nothing to go back.

    Raises:
        ServiceError: nobody can tell how it is left.

    """
    is_ = describe(client, endpoint).get("EndpointStatus", "gone")
    return (
        f"endpoint {endpoint} was {before['EndpointStatus']} with this configuration before, is "
        f"{is_} now, and is left so"
    )


def count_now(
    client: SageMakerClient, endpoint: str, variant: Variant, role: str, capture: str | None
) -> int:
    """How many instances a variant gets where nobody says: as many as the endpoint has by now.

    If it serves just this variant already, as many as its configuration says: then nothing is to
    be changed, however it was scaled since. 1 where there is no endpoint.
    """
    now = describe(client, endpoint)
    if not now:
        return 1
    counts = [one.get("DesiredInstanceCount") or 0 for one in now.get("ProductionVariants", ())]
    name = str(now.get("EndpointConfigName"))
    began: list[int] = []
    try:
        with asking("DescribeEndpointConfig", client.meta.region_name, name):
            config = client.describe_endpoint_config(EndpointConfigName=name)
        began = [one.get("InitialInstanceCount", 1) for one in config["ProductionVariants"]]
    except AwsError as error:
        if error.code != "ValidationException":  # deleted, while the endpoint goes on
            raise
    for count in began:
        same = config_request([replace(variant, count=count)], role, capture)
        if same["EndpointConfigName"] == name:
            return count
    return max([1, *counts])


def _check_present(endpoint: str, there: str | None, config: str, instead_of: str | None) -> None:
    """Refuse to replace what somebody else has brought into service meanwhile."""
    if instead_of and there not in (instead_of, config):
        raise InputError(
            f"endpoint {endpoint} has configuration {there} by now, not {instead_of}: somebody "
            "else was quicker; look at it and run again"
        )


def _bring(
    client: SageMakerClient,
    endpoint: str,
    config: str,
    patience: Patience,
    *,
    instead_of: str | None = None,
    retain: bool = False,
) -> None:
    """Have the endpoint serve a configuration, whatever it is in now.

    `instead_of`: the one that may be replaced, if not any. `retain`: variants that are there
    already keep their number of instances.

    Raises:
        InputError: somebody else was quicker.
        ServiceError: it does not.

    """
    now = describe(client, endpoint)
    _check_present(endpoint, now.get("EndpointConfigName"), config, instead_of)
    if now.get("EndpointStatus") == FAILED:
        _delete(client, endpoint, patience)
        now = {}
    if not now:
        with unless_begun("CreateEndpoint", client.meta.region_name, endpoint):
            client.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    elif now.get("EndpointConfigName") != config or now["EndpointStatus"] != IN_SERVICE:
        with unless_begun("UpdateEndpoint", client.meta.region_name, endpoint):
            client.update_endpoint(
                EndpointName=endpoint, EndpointConfigName=config, **(_RETAINED if retain else {})
            )
    now = settled(client, endpoint, patience)
    status, serves = now.get("EndpointStatus", "gone"), now.get("EndpointConfigName")
    if status != IN_SERVICE or serves != config:
        reason = printable(without_secrets(now.get("FailureReason", ""))) or "no reason given"
        raise ServiceError(
            f"endpoint {endpoint} is {status} with configuration {serves}, not {config}: {reason}"
        )


def _delete(client: SageMakerClient, endpoint: str, patience: Patience) -> None:
    with asking("DeleteEndpoint", client.meta.region_name, f"endpoint {endpoint}"):
        client.delete_endpoint(EndpointName=endpoint)
    settled(client, endpoint, patience)


def _probe(region: str, endpoint: str, probe: Probe) -> None:
    with asking("InvokeEndpoint", region, f"endpoint {endpoint}"):
        probe.client.invoke_endpoint(
            EndpointName=endpoint, Body=probe.body, ContentType=probe.content_type
        )


def _create(client: SageMakerClient, operation: str, request: Mapping[str, Any]) -> None:
    """Create what has its content in its name; it may be there already."""
    name = next(iter(request.values()))
    calls: dict[str, Callable[..., Any]] = {
        "CreateModel": client.create_model,
        "CreateEndpointConfig": client.create_endpoint_config,
    }
    try:
        with asking(operation, client.meta.region_name, name):
            calls[operation](**request)
    except AwsError as error:
        if error.code != "ValidationException" or "already existing" not in str(error):
            raise


def _check(endpoint: str, variants: Sequence[Variant], capture: str | None) -> None:
    problems = [] if variants else [f"endpoint {endpoint}: needs a version at least"]
    if capture and not S3_PLACE.fullmatch(capture):
        problems.append(f"capture {shown(capture)}: must be s3://bucket/prefix")
    names = [variant.name for variant in variants]
    for variant in variants:
        name = variant.version.name
        if names.count(variant.name) > 1:
            problems.append(f"{name}: stands behind endpoint {endpoint} more than once")
        if variant.version.approval != "Approved":
            problems.append(f"{name}: is {variant.version.approval}; approve it first")
        if variant.count < 1:
            problems.append(f"{name}: {variant.count} instances; one at least is needed")
        if not 0 <= variant.weight < float("inf"):
            problems.append(f"{name}: weight {variant.weight} must be a number from 0 up")
    if variants and not any(variant.weight > 0 for variant in variants):
        problems.append(f"endpoint {endpoint}: no version gets any traffic")
    if problems:
        raise InputError(*dict.fromkeys(problems))


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
