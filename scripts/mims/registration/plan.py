"""What is to be registered, all of it checked before anything moves.

Goes in: the channels and settings of MIMS_REGISTRATION_CONTRACT. Comes out: a `Plan`, the same for
every region; or one `InputError` with all that is wrong. Nothing is asked of a service.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mims.archive.files import reading
from mims.archive.reader import Limits
from mims.errors import InputError, Problems
from mims.registration.artifacts import Artifact
from mims.registration.backends.base import Submission
from mims.registration.backends.evidence import sections
from mims.registration.backends.library import session_type
from mims.registration.backends.sagemaker import SageMaker
from mims.registration.config import load_config
from mims.registration.metrics import namespace
from mims.registration.origins import read_origins
from mims.registration.parameters import METADATA_RULE, fits_metadata, variable_schema
from mims.registration.report import MIMS, SAGEMAKER
from mims.registration.storage import Stored, content_address, parse_location
from mims.registration.verify import verify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.job import Job
    from mims.registration.config import RegistrationConfig
    from mims.registration.storage import Location


@dataclass(frozen=True)
class Order:
    """What the user asks for, apart from the artifacts themselves."""

    config: RegistrationConfig
    workflow_id: str
    timeout: int  # seconds
    limits: Limits  # of the archives
    metadata_at: Location | None
    metrics: str | None  # the namespace to report them in


@dataclass(frozen=True)
class Plan:
    """What goes to each region, and what is said of it there."""

    order: Order
    config: RegistrationConfig  # with the input variables that the payload shows
    model: Artifact
    schema: Artifact
    payload: Artifact | None
    metadata: Artifact | None
    evidence: Mapping[str, Any] | None  # the metadata, parsed
    reports: tuple[Artifact, ...]  # sections of the metadata, each a file of its own
    job_arn: str | None
    role_arn: str | None

    def places(self, region: str) -> dict[Artifact, Location]:
        """Where each artifact lies in a region."""
        bucket, group = self.config.bucket[region], self.config.group
        known = (self.model, self.schema, self.payload, self.metadata, *self.reports)
        places = {one: content_address(bucket, group, one) for one in known if one}
        if self.metadata and self.order.metadata_at:
            places[self.metadata] = self.order.metadata_at
        return places

    def submission(self, region: str, stored: Mapping[Artifact, Stored]) -> Submission:
        """What a registry is told, once all is stored."""
        return Submission(
            region=region,
            config=self.config,
            workflow_id=self.order.workflow_id,
            model=stored[self.model],
            schema=stored[self.schema],
            payload=stored[self.payload] if self.payload else None,
            metadata=stored[self.metadata] if self.metadata else None,
            evidence=self.evidence,
            job_arn=self.job_arn,
        )


def make_plan(job: Job) -> Plan:
    """Read and check everything.

    Raises:
        InputError: with everything that is wrong with settings, config and inputs, or that
            SageMaker would refuse.

    """
    order = read_order(job)
    problems = Problems()
    with problems.gather():
        origins = read_origins(job.root)
    with problems.gather():
        verified = verify(job, order.config, order.limits)
    problems.raise_any()
    reports = [section.report for section in sections(verified.evidence or {})]
    schema = json.dumps(variable_schema(verified.config), ensure_ascii=False, indent=2)
    plan = Plan(
        order=order,
        config=verified.config,
        model=origins.traced(verified.model),
        schema=Artifact.of_bytes("variable_schema.json", schema.encode()),
        payload=verified.payload and origins.traced(verified.payload),
        metadata=verified.metadata,
        evidence=verified.evidence,
        reports=tuple(report for report in reports if isinstance(report, Artifact)),
        job_arn=origins.job_arn,
        role_arn=origins.role_arn,
    )
    check_requests(plan)
    return plan


def check_requests(plan: Plan) -> None:
    """Hold what will be sent to what SageMaker takes, and see that MIMS's library is there.

    Raises:
        InputError: with everything that would be refused in any region.

    """
    problems = Problems()
    if MIMS in plan.config.backends:
        with problems.gather():
            session_type()
    if SAGEMAKER in plan.config.backends:
        regions = plan.config.regions
        with problems.gather():
            registry = SageMaker(regions[0])  # what it takes, it takes in every region
            for region in regions:
                stored = {one: Stored(one, at.uri, 0) for one, at in plan.places(region).items()}
                with problems.gather():
                    registry.check(plan.submission(region, stored))
    Problems(dict.fromkeys(problems.found)).raise_any()


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
        named = job.environ.get("METRICS_NAMESPACE")
        metrics = namespace(named) if named else None
    with problems.gather():
        job.require_inputs()
    with problems.gather(), reading(job.path("config")):
        if job.path("config").exists():
            config = load_config(job.path("config"), job.environ)
    problems.raise_any()
    timeout = settings["REGISTRATION_TIMEOUT_SECONDS"]
    return Order(config, workflow_id, timeout, Limits.of(settings), metadata_at, metrics)


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
