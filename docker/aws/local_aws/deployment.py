"""What an endpoint's configuration makes of it: variants, shadow variants and Data Capture.

In: endpoint configurations and what is to be changed of an endpoint's variants. Out: what is
deployed, which stays as it was when its configuration or its models are deleted; and the refusals
of what could not be deployed. Nothing is sent to a model here: `traffic` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from moto.sagemaker.exceptions import ValidationError

if TYPE_CHECKING:
    from moto.sagemaker.models import FakeEndpoint, SageMakerModelBackend


@dataclass
class Deployed:
    """What an endpoint's configuration makes of it."""

    config: str
    variants: list[dict[str, Any]]
    """production variants, as DescribeEndpoint shows them"""
    shadows: list[dict[str, Any]]
    capture: dict[str, Any]
    """the DataCaptureConfig; empty where there is none"""
    models: dict[str, list[str]] = field(default_factory=dict)
    """of each variant, the name of its model and the versions that it is made of"""


def check_names(names: list[str]) -> None:
    """Refuse variants of one name."""
    for name in names:
        if names.count(name) > 1:
            raise ValidationError(f'The variant name "{name}" was non-unique within the request.')


def check_weights(weights: list[float]) -> None:
    """Refuse variants that no request would go to."""
    if not any(weights):
        # The words are ours.
        raise ValidationError("The weights of all production variants are 0: none would answer.")


def check_variants(variants: list[dict[str, Any]], shadows: list[dict[str, Any]]) -> None:
    """Refuse a configuration's variants where they can't be told apart or share no traffic.

    "If you use this field, you can only specify one variant for ProductionVariants and one variant
    for ShadowProductionVariants", says CreateEndpointConfig's documentation.
    """
    check_names([variant["VariantName"] for variant in [*variants, *shadows]])
    check_weights([variant.get("InitialVariantWeight", 1.0) for variant in variants])
    if shadows and (len(variants) > 1 or len(shadows) > 1):
        raise ValidationError(
            "You can only specify one variant for ProductionVariants and one variant for "
            "ShadowProductionVariants."
        )


def check_capture(capture: dict[str, Any]) -> None:
    """Refuse a place that is not in S3; the service model's pattern lets https through."""
    where = capture.get("DestinationS3Uri", "s3://")
    if not where.startswith("s3://"):
        raise ValidationError(f"DestinationS3Uri {where} must be an S3 URI.")


def deployed_by(backend: SageMakerModelBackend, config: str) -> Deployed:
    """Say what a configuration makes of an endpoint, whatever becomes of the configuration."""
    found = backend.describe_endpoint_config(config)
    shadows = found.get("ShadowProductionVariants") or []
    return Deployed(
        config,
        [_summary(variant) for variant in found["ProductionVariants"]],
        [_summary(variant) for variant in shadows],
        found.get("DataCaptureConfig") or {},
        {
            variant["VariantName"]: _models(backend, variant["ModelName"])
            for variant in [*found["ProductionVariants"], *shadows]
        },
    )


def _summary(variant: dict[str, Any]) -> dict[str, Any]:
    """Show a variant as DescribeEndpoint does."""
    weight, count = variant.get("InitialVariantWeight", 1.0), variant.get("InitialInstanceCount")
    shown = {
        "VariantName": variant["VariantName"],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
        "CurrentServerlessConfig": variant.get("ServerlessConfig"),
        "DesiredServerlessConfig": variant.get("ServerlessConfig"),
    }
    return {name: value for name, value in shown.items() if value is not None}


def changed(variant: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Show a variant with the weight and the number of instances that are wanted."""
    told = {
        name: wanted[f"Desired{name}"]
        for name in ("Weight", "InstanceCount")
        if wanted.get(f"Desired{name}") is not None
    }
    return {
        **variant,
        **{
            f"{time}{name}": value
            for name, value in told.items()
            for time in ("Current", "Desired")
        },
    }


def retained(deployed: Deployed, now: Deployed | None, but: set[str]) -> Deployed:
    """Let variants that are there already keep weight and number of instances, except `but`.

    As UpdateEndpoint's RetainAllVariantProperties has it; `but` is what
    ExcludeRetainedVariantProperties names. A variant is known by its name.
    """
    there = {one["VariantName"]: one for one in [*now.variants, *now.shadows]} if now else {}
    kept = [name for name in ("Weight", "InstanceCount") if f"Desired{name}" not in but]

    def keeping(variant: dict[str, Any]) -> dict[str, Any]:
        own = there.get(variant["VariantName"], {})
        return changed(variant, {f"Desired{name}": own.get(f"Desired{name}") for name in kept})

    variants = [keeping(variant) for variant in deployed.variants]
    shadows = [keeping(variant) for variant in deployed.shadows]
    return replace(deployed, variants=variants, shadows=shadows)


def _models(backend: SageMakerModelBackend, name: str) -> list[str]:
    """Give a model's name, and the versions that it is made of."""
    model = backend._models[name]  # noqa: SLF001
    containers = [model.primary_container or {}, *(model.containers or [])]
    versions = [container.get("ModelPackageName") for container in containers]
    return [name, *(version for version in versions if version)]


def show(endpoint: FakeEndpoint, deployed: Deployed) -> None:
    """Let DescribeEndpoint show what is deployed."""
    capture = deployed.capture
    on = capture.get("EnableCapture", True)
    summary = {
        "EnableCapture": on,
        "CaptureStatus": "Started" if on else "Stopped",
        "CurrentSamplingPercentage": capture.get("InitialSamplingPercentage"),
        "DestinationS3Uri": capture.get("DestinationS3Uri"),
        "KmsKeyId": capture.get("KmsKeyId", ""),
    }
    endpoint.endpoint_config_name = deployed.config
    endpoint.production_variants = deployed.variants
    endpoint.data_capture_config = summary if capture else {}
    vars(endpoint)["shadow_production_variants"] = deployed.shadows
