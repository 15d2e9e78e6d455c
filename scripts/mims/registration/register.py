"""The flow of registration: verify, store, register in each region, wait, report.

Goes in: the channels and settings of MIMS_REGISTRATION_CONTRACT. Comes out: a version in the model
package group of each region, Completed and pending approval; and what the exit message says of it.
There is nothing to clean up afterwards: artifacts are stored once, under names that their content
gives them, and an upload that ends early is aborted as it ends. What went wrong in one region does
not keep the others from being registered, and the next run does only what is missing.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mims.archive.files import reading
from mims.archive.reader import Limits
from mims.errors import InputError, Problems, ServiceError
from mims.registration.artifacts import Artifact
from mims.registration.backends.base import Registration, Submission
from mims.registration.backends.sagemaker import SageMaker
from mims.registration.config import load_config
from mims.registration.parameters import METADATA_RULE, fits_metadata, variable_schema
from mims.registration.storage import Location, Storage, content_address, parse_location
from mims.registration.verify import verify
from mims.registration.waiting import Deadline, wait_until_done

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mims.job import Job
    from mims.registration.backends.base import Backend
    from mims.registration.config import RegistrationConfig
    from mims.registration.storage import Stored
    from mims.registration.verify import Verified

log = logging.getLogger("mims")


@dataclass(frozen=True)
class Order:
    """What the user asks for, apart from the artifacts themselves."""

    config: RegistrationConfig
    workflow_id: str
    timeout: int  # seconds
    limits: Limits  # of the archives
    metadata_at: Location | None


def register(
    job: Job,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Mapping[str, Any]:
    """Register the packaged model; give what the exit message reports.

    Raises:
        InputError: with everything that is wrong with settings, config and inputs.
        ServiceError: with what failed in which region, and where the model is registered.

    """
    order = read_order(job)
    verified = verify(job, order.config, order.limits)
    submitted: list[tuple[Backend, Registration]] = []
    regions: dict[str, dict[str, Any]] = {}
    failures: list[str] = []
    moved = 0
    for region in verified.config.regions:
        with _noting(failures):
            submission = store(job, order, verified, region)
            moved += sum(stored.moved for stored in submission.stored)
            registry = SageMaker(region)
            submitted.append((registry, registry.register(submission)))
    deadline = Deadline(order.timeout, clock, sleep)
    for backend, registration in submitted:
        with _noting(failures):
            status = wait_until_done(backend, registration, deadline)
            regions[registration.region] = _row(registration, status.word)
    if failures:
        done = [f"registered in {region}: {row['arn']}" for region, row in regions.items()]
        raise ServiceError("; ".join(failures + done))
    return {
        "group": verified.config.group,
        "regions": regions,
        "model_sha256": verified.model.sha256,
        "payload_sha256": verified.payload.sha256 if verified.payload else None,
        "bytes_uploaded": moved,
    }


def read_order(job: Job) -> Order:
    """Read settings and config, and see that the inputs are there.

    Raises:
        InputError: with every problem that was found.

    """
    problems = Problems()
    with problems.gather():
        settings = job.settings()
        workflow_id = _workflow_id(settings["MODS_WORKFLOW_EXECUTION_ID"])
    with problems.gather():
        metadata_at = _metadata_at(job.environ.get("PERFORMANCE_METADATA_PATH"))
    with problems.gather():
        job.require_inputs()
    with problems.gather(), reading(job.path("config")):
        if job.path("config").exists():
            config = load_config(job.path("config"), job.environ)
    problems.raise_any()
    timeout = settings["REGISTRATION_TIMEOUT_SECONDS"]
    return Order(config, workflow_id, timeout, Limits.of(settings), metadata_at)


@contextmanager
def _noting(failures: list[str]) -> Iterator[None]:
    """Note what a service refused, so that the other regions have their turn."""
    try:
        yield
    except ServiceError as error:
        failures.append(str(error))


def _workflow_id(text: str) -> str:
    if not fits_metadata(text):
        raise InputError(f"MODS_WORKFLOW_EXECUTION_ID is {text!r}: must be {METADATA_RULE}")
    return text


def _metadata_at(path: str | None) -> Location | None:
    if not path:
        return None
    location = parse_location(path, "metadata.json", "PERFORMANCE_METADATA_PATH")
    if not fits_metadata(location.uri):
        raise InputError(f"PERFORMANCE_METADATA_PATH is {path!r}: must be {METADATA_RULE}")
    return location


def store(job: Job, order: Order, verified: Verified, region: str) -> Submission:
    """Bring the artifacts to a region's bucket.

    Raises:
        ServiceError: S3 refused or could not be reached.

    """
    bucket, group = verified.config.bucket[region], verified.config.group
    schema = json.dumps(variable_schema(verified.config), ensure_ascii=False, indent=2)
    storage = Storage(region)
    storage.require(bucket)
    artifacts = [verified.model, verified.payload, verified.metadata]
    total = sum(artifact.size for artifact in artifacts if artifact)

    with job.progress(f"storing in {region}", total) as progress:

        def put(artifact: Artifact, at: Location | None = None) -> Stored:
            place = at or content_address(bucket, group, artifact)
            return storage.store(artifact, place, progress.advance)

        return Submission(
            region=region,
            config=verified.config,
            workflow_id=order.workflow_id,
            model=put(verified.model),
            schema=put(Artifact.of_bytes("variable_schema.json", schema.encode())),
            payload=put(verified.payload) if verified.payload else None,
            metadata=put(verified.metadata, order.metadata_at) if verified.metadata else None,
        )


def _row(registration: Registration, status: str) -> dict[str, Any]:
    return {
        "arn": registration.arn,
        "version": registration.version,
        "status": status,
        "new": registration.new,
    }
