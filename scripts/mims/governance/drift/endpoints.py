"""Where an endpoint captures what it sees.

Goes in: an endpoint's name and, where it has several, a variant's. Comes out: the S3 path of its
Data Capture, of its configuration as it is now. Changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mims.errors import InputError
from mims.governance.endpoints import describe, missing
from mims.registration.aws import asking
from mims.text import listed, meant, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_sagemaker import SageMakerClient


class Captures(NamedTuple):
    """What an endpoint captures."""

    variant: str
    where: str | None
    """an S3 path; None where it captures nothing"""


def captures(client: SageMakerClient, endpoint: str, variant: str = "") -> Captures:
    """Find out where an endpoint's captures are, and of which variant.

    Raises:
        InputError: there is no such endpoint or variant, or it has several and none is named.
        ServiceError: SageMaker refused or could not be reached.

    """
    region = client.meta.region_name
    described = describe(client, endpoint)
    if not described:
        raise missing(region, endpoint)
    name = described["EndpointConfigName"]
    with asking("DescribeEndpointConfig", region, f"configuration {name} of endpoint {endpoint}"):
        config = client.describe_endpoint_config(EndpointConfigName=name)
    productions = [
        *config.get("ProductionVariants", []),
        *config.get("ShadowProductionVariants", []),
    ]
    chosen = _variant(endpoint, variant, [one["VariantName"] for one in productions])
    capture = config.get("DataCaptureConfig")
    enabled = capture is not None and capture.get("EnableCapture", True)
    return Captures(chosen, capture["DestinationS3Uri"] if capture and enabled else None)


def _variant(endpoint: str, variant: str, names: Sequence[str]) -> str:
    if not variant and len(names) == 1:
        return names[0]
    if variant in names:
        return variant
    if not variant:
        raise InputError(
            f"endpoint {printable(endpoint)} has the variants {listed(names)}: name one with "
            "--variant"
        )
    hint = meant(variant, names, f"it has {listed(names)}")
    raise InputError(f"endpoint {printable(endpoint)} has no variant {printable(variant)}: {hint}")
