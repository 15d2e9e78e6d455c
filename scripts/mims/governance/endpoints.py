"""An endpoint as it is: found, waited for, and scaled as it was.

Goes in: an endpoint's name. Comes out: what DescribeEndpoint tells of it; after a while, once it is
on its way no more; or that an update is begun. An endpoint may have been scaled since it got its
configuration, which says only what it began with: `scale` gives it back what it had. deploy.py
decides what an endpoint serves.

Every wait has an end. The one layer of retries is boto3's.
"""

from __future__ import annotations

import json
import logging
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mims.errors import InputError, ServiceError
from mims.registration.aws import AwsError, asking, required
from mims.registration.parameters import shown
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mypy_boto3_sagemaker import SageMakerClient

log = logging.getLogger("mims")

IN_SERVICE, FAILED = "InService", "Failed"
# What an endpoint stays in until something is done; UpdateRollbackFailed serves a mixture.
SETTLED = (IN_SERVICE, FAILED, "OutOfService", "UpdateRollbackFailed")
NAME_LIMIT = 63  # characters of a model's, a configuration's, an endpoint's and a variant's name
HOUR, YEAR = 3600.0, 31_536_000.0  # seconds
_ENDPOINT = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_LOOKS = 15.0  # seconds between two looks at an endpoint


def check_seconds(**named: float) -> None:
    """Refuse waits without an end: not a number, or more than a year.

    Raises:
        InputError: with all of them.

    """
    problems = [
        f"{name} {seconds:g}: must be from 0 to {YEAR:g} seconds"
        for name, seconds in named.items()
        if not 0 <= seconds <= YEAR
    ]
    if problems:
        raise InputError(*problems)


@dataclass(frozen=True)
class Patience:
    """How long to wait for an endpoint, and by what clock, in seconds."""

    timeout: float = HOUR
    between: float = _LOOKS
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        check_seconds(timeout=self.timeout, poll=self.between)


def describe(client: SageMakerClient, endpoint: str) -> Mapping[str, Any]:
    """Describe an endpoint; nothing, if there is none.

    Raises:
        InputError: no endpoint can have that name.
        ServiceError: the service refused.

    """
    if not _ENDPOINT.fullmatch(endpoint):
        raise InputError(
            f"endpoint {shown(endpoint)}: must be up to {NAME_LIMIT} letters and digits, with "
            "hyphens between them"
        )
    region = client.meta.region_name
    try:
        with asking("DescribeEndpoint", region, f"endpoint {endpoint}"):
            answer = client.describe_endpoint(EndpointName=endpoint)
    except AwsError as error:
        if error.code == "ValidationException" and "Could not find endpoint" in str(error):
            return {}
        raise
    required(answer, "EndpointStatus", "DescribeEndpoint", region)
    return answer


def missing(region: str, endpoint: str) -> InputError:
    """What to raise where there is no such endpoint."""
    return InputError(f"{region} has no endpoint {printable(endpoint)}")


def instances(now: Mapping[str, Any]) -> dict[str, Any]:
    """What DescribeEndpoint tells, but of each variant the number of instances alone."""
    only = ("VariantName", "DesiredInstanceCount")
    found = now.get("ProductionVariants", ())
    return {"ProductionVariants": [{k: v for k, v in one.items() if k in only} for one in found]}


def scale(
    client: SageMakerClient, endpoint: str, before: Mapping[str, Any], patience: Patience
) -> None:
    """Give an endpoint's variants the instances and weights that they had, if they differ.

    Raises:
        ServiceError: they could not be given; it says which.

    """
    if wanted := _lacking(describe(client, endpoint), before):
        about = f"endpoint {endpoint}"
        try:
            with unless_begun(
                "UpdateEndpointWeightsAndCapacities", client.meta.region_name, endpoint
            ):
                client.update_endpoint_weights_and_capacities(
                    EndpointName=endpoint, DesiredWeightsAndCapacities=wanted
                )
            lacking = _lacking(settled(client, endpoint, patience), before)
        except ServiceError as error:
            raise ServiceError(
                f"{error}; {about} has its former configuration again, and has to be scaled by "
                f"hand: {json.dumps(wanted)}"
            ) from error
        if lacking:
            raise ServiceError(
                f"{about} has its former configuration again, and has to be scaled by hand: "
                f"{json.dumps(lacking)}"
            )


def _lacking(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[Any]:
    """What UpdateEndpointWeightsAndCapacities takes, so that variants are as they were before."""
    had = {one["VariantName"]: one for one in before.get("ProductionVariants", ())}
    found = []
    for one in now.get("ProductionVariants", ()):
        own = had.get(one["VariantName"], {})
        kept = ("DesiredInstanceCount", "DesiredWeight")
        changes = {key: own[key] for key in kept if key in own and own[key] != one.get(key)}
        if changes:
            found.append({"VariantName": one["VariantName"], **changes})
    return found


@contextmanager
def unless_begun(operation: str, region: str, endpoint: str) -> Iterator[None]:
    """Ask for a change; where it is refused as one is under way, that one's end will tell.

    It may be this very one: boto3 asks again where an answer was lost.
    """
    try:
        with asking(operation, region, f"endpoint {endpoint}"):
            yield
    except AwsError as error:
        begun = "in-progress" in str(error) or "already existing" in str(error)
        if error.code != "ValidationException" or not begun:
            raise


def settled(client: SageMakerClient, endpoint: str, patience: Patience) -> Mapping[str, Any]:
    """Wait until an endpoint is on its way no more; nothing, if there is none (any more).

    Raises:
        ServiceError: it takes longer than it may.

    """
    end = patience.clock() + patience.timeout
    while True:
        now = describe(client, endpoint)
        if not now or now["EndpointStatus"] in SETTLED:
            return now
        left = end - patience.clock()
        if left <= 0:
            raise ServiceError(
                f"endpoint {endpoint} is still {now['EndpointStatus']} after {patience.timeout:g} s"
            )
        log.info("endpoint %s: %s", endpoint, now["EndpointStatus"])
        patience.sleep(min(patience.between, left))
