"""What the tests of the registry share: submissions as the flow makes them, stored if need be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mims.registration.artifacts import Artifact
from mims.registration.backends.base import Submission
from mims.registration.backends.evidence import sections
from mims.registration.config import parse_config
from mims.registration.storage import Storage, Stored, content_address
from registration_inputs import CONFIG, GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.registration.storage import Location

REGION = "us-west-2"
BUCKET = str(CONFIG["bucket"])
PLACE = f"s3://{BUCKET}/mims/{GROUP}/sha256"
JOB = "arn:aws:sagemaker:us-west-2:123456789012:processing-job/register"
KEY = "arn:aws:kms:us-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def stored(name: str, content: bytes, origin: Location | None = None) -> Stored:
    """An artifact, as if it lay where its content says."""
    made = Artifact.of_bytes(name, content)
    artifact = Artifact(name, content, made.size, made.sha256, made.crc32, origin)
    return Stored(artifact, content_address(BUCKET, GROUP, artifact).uri, 0)


def submission(
    metadata: Mapping[str, Any] | None = None,
    *,
    workflow_id: str = "wf-1",
    region: str = REGION,
    job_arn: str | None = JOB,
    origin: Location | None = None,
    **config: Any,
) -> Submission:
    """What the flow would submit; `config` changes what the config file says."""
    content = json.dumps(metadata).encode()
    return Submission(
        region=region,
        config=parse_config({**CONFIG, "regions": [region], **config}, {}),
        workflow_id=workflow_id,
        model=stored("model.tar.gz", b"model", origin),
        schema=stored("variable_schema.json", b"{}"),
        payload=stored("payload.tar.gz", b"payload"),
        metadata=stored("metadata.json", content) if metadata is not None else None,
        evidence=metadata,
        job_arn=job_arn,
    )


def store(made: Submission) -> Submission:
    """Bring all of it to its places."""
    storage = Storage(made.region)
    reports = [section.report for section in sections(made.evidence or {})]
    own = [report for report in reports if isinstance(report, Artifact)]
    for artifact in [*(one.artifact for one in made.stored), *own]:
        storage.store(artifact, content_address(BUCKET, GROUP, artifact), lambda _: None)
    return made
