"""A stand-in for the private library of this name: the calls that the specification shows, no more.

It stands on the AWS that boto3 finds, in tests the local one. MIMS itself is a bucket, INVENTORY,
that the test makes: a record a registration, and once it is COMPLETED a copy of the model. What a
registration was given is read when it is asked for its status, as late as a real service might.
"""

from __future__ import annotations

import json
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INVENTORY = "mims-inventory"
UNDER_WAY = 1  # how many times a registration is IN_PROGRESS before it ends
_ONE_ATTEMPT = Config(retries={"total_max_attempts": 1})
_ALONE = Lock()  # boto3's default session makes one client at a time


class SandboxSession:
    """A session with the account's own credentials."""

    def __init__(self) -> None:
        with _ALONE:
            self._s3 = boto3.client("s3", config=_ONE_ATTEMPT)

    def upload_file(self, path: str, s3_location: str) -> None:
        """Put a file at an s3:// place."""
        at = urlsplit(s3_location)
        self._s3.upload_file(path, at.netloc, at.path[1:])

    def get_mims_resource(self) -> MimsResource:
        """Give MIMS."""
        return MimsResource(self._s3)


class MimsResource:
    """MIMS."""

    def __init__(self, s3: S3Client) -> None:
        self._s3 = s3

    def register_model(self, *, model_uri: str, config: dict[str, Any], workflow_id: str) -> str:
        """Note a registration; give its id."""
        registration_id = f"mims-{uuid4()}"
        self._write(
            registration_id,
            {
                "model_uri": model_uri,
                "config": config,
                "workflow_id": workflow_id,
                "status": "SUBMITTED",
                "left": UNDER_WAY,
            },
        )
        return registration_id

    def get_registration_status(self, registration_id: str) -> str:
        """Give the status; the model is taken in as the last wait ends."""
        key = f"registrations/{registration_id}.json"
        record = json.loads(self._s3.get_object(Bucket=INVENTORY, Key=key)["Body"].read())
        if record["status"] in ("COMPLETED", "FAILED"):
            return str(record["status"])
        record["left"] -= 1
        record["status"] = "IN_PROGRESS" if record["left"] >= 0 else self._take(record, key)
        self._write(registration_id, record)
        return str(record["status"])

    def _take(self, record: dict[str, Any], key: str) -> str:
        at = urlsplit(record["model_uri"])
        name = key.replace("registrations/", "models/").replace(".json", ".tar.gz")
        try:
            source = {"Bucket": at.netloc, "Key": at.path[1:]}
            self._s3.copy_object(Bucket=INVENTORY, Key=name, CopySource=source)  # type: ignore[arg-type]
        except ClientError:
            return "FAILED"
        return "COMPLETED"

    def _write(self, registration_id: str, record: dict[str, Any]) -> None:
        self._s3.put_object(
            Bucket=INVENTORY,
            Key=f"registrations/{registration_id}.json",
            Body=json.dumps(record).encode(),
        )
