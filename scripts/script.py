#!/usr/bin/env python3
"""Register a packaged model in SageMaker Model Registry.

Reads   /opt/ml/processing/input/model      model.tar.gz and, if there, its manifest.json
        /opt/ml/processing/mims_payload     payload.tar.gz (optional)
        /opt/ml/processing/config/config    the registration config: JSON, a file or in a folder
        /opt/ml/processing/input/metadata   performance metadata: JSON (optional)
Writes  s3://<bucket>/mims/<group>/         the artifacts, once, named by their SHA-256
        /opt/ml/output/message              the exit message, with each region's ARN
Heeds   MODS_WORKFLOW_EXECUTION_ID (required), PERFORMANCE_METADATA_PATH, MIMS_BUCKET,
        REGISTRATION_BACKENDS, METRICS_NAMESPACE, REGISTRATION_TIMEOUT_SECONDS, MAX_MEMBERS,
        MAX_UNPACKED_BYTES, MAX_COMPRESSION_RATIO; AWS_REGION, AWS_DEFAULT_REGION,
        AWS_ENDPOINT_URL and whatever else boto3 finds credentials by

Needs Python 3.11, boto3, pydantic and tenacity. `--help` tells more. Exit codes: 0 done, 1 the
inputs or settings are at fault, 2 wrong command line, 3 a service refused or took too long, 70 a
bug, 128+n stopped by signal n.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mims.command_line import read_command_line
from mims.contracts import MIMS_REGISTRATION_CONTRACT
from mims.errors import InputError, packages_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mims.job import Job


def register(job: Job) -> Mapping[str, Any]:
    """Run the flow, imported only now so that --help needs nothing but Python."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever container it finds itself in
        raise InputError(f"Python {sys.version.split()[0]} is too old: registration needs 3.11")
    with packages_of("registration", "mims"):
        from mims.registration.register import register as flow
    return flow(job)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; give its exit code."""
    command_line = read_command_line(MIMS_REGISTRATION_CONTRACT, argv)

    from mims.job import run_job

    return run_job(command_line, register)


if __name__ == "__main__":
    sys.exit(main())
