"""What the registry says of a version, and the objects that it names.

Goes in: an ARN, a group or a registration's exit message. Comes out: the version's description and,
on disk, its objects, held to the digests that were registered with them. Errors of AWS itself pass
through as boto3 raises them. Changes nothing there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from mims_verification.errors import VerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger("verify")

AWS = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=10, read_timeout=60
)
ARN = re.compile(r"arn:[\w-]+:sagemaker:(?P<region>[\w-]+):\d{12}:model-package/[\w-]+/\d+")


@dataclass(frozen=True)
class StoredObject:
    """An object in S3 and the digest that was registered with it."""

    url: str
    sha256: str
    region: str

    def download(self, target: Path) -> None:
        """Write it to a file.

        Raises:
            VerificationError: it is not what was registered.

        """
        location = urlsplit(self.url)
        if location.scheme != "s3":
            raise VerificationError(f"{self.url} is no s3:// URL")
        s3 = boto3.client("s3", region_name=self.region, config=AWS)
        answer = s3.get_object(Bucket=location.netloc, Key=location.path.lstrip("/"))
        digest, size = hashlib.sha256(), 0
        with target.open("wb") as file:
            for chunk in answer["Body"].iter_chunks(1024 * 1024):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        if digest.hexdigest() != self.sha256:
            raise VerificationError(
                f"{self.url} has SHA-256 {digest.hexdigest()}, but {self.sha256} was registered"
            )
        log.info("%s: %s bytes, SHA-256 as registered: %s", self.url, f"{size:,}", self.sha256)


@dataclass(frozen=True)
class Version:
    """What a verification needs of a version."""

    arn: str
    model: StoredObject
    payload: StoredObject | None
    response_types: tuple[str, ...]
    environment: Mapping[str, str]


def describe(arn: str) -> Version:
    """Look a version up.

    Raises:
        VerificationError: it is no version's ARN, or the version lacks something: all at once.

    """
    match = ARN.fullmatch(arn)
    if not match:
        raise VerificationError(
            f"{arn!r} is no version's ARN (arn:aws:sagemaker:REGION:ACCOUNT:model-package/GROUP/N)"
        )
    region = match["region"]
    sagemaker = boto3.client("sagemaker", region_name=region, config=AWS)
    package = sagemaker.describe_model_package(ModelPackageName=arn)
    metadata = package.get("CustomerMetadataProperties", {})
    specification = package.get("InferenceSpecification", {"Containers": []})
    containers = specification["Containers"]
    model_url = containers[0].get("ModelDataUrl", "") if containers else ""
    payload_url = package.get("SamplePayloadUrl", "")
    status = package.get("ModelPackageStatus")
    checks = {
        f"its status is {status}, not Completed": status == "Completed",
        "it names no ModelDataUrl": model_url,
        "it names no SupportedResponseMIMETypes": specification.get("SupportedResponseMIMETypes"),
        "its metadata has no model_sha256": "model_sha256" in metadata,
        "its metadata has no payload_sha256": "payload_sha256" in metadata or not payload_url,
    }
    problems = [problem for problem, passed in checks.items() if not passed]
    if problems:
        raise VerificationError(f"{arn}: {'; '.join(problems)}")
    return Version(
        arn=arn,
        model=StoredObject(model_url, metadata["model_sha256"], region),
        payload=StoredObject(payload_url, metadata["payload_sha256"], region)
        if payload_url
        else None,
        response_types=tuple(specification["SupportedResponseMIMETypes"]),
        environment=containers[0].get("Environment", {}),
    )


def registered_arns(message: Path) -> list[str]:
    """Read the ARNs, one a region, from the exit message that a registration left."""
    try:
        told = json.loads(message.read_text(encoding="utf-8"))
        arns = [
            told["arn"].replace("<region>", region).replace("<version>", str(version))
            for region, version in {**told["new"], **told["known"]}.items()
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VerificationError(
            f"{message} is no exit message of a successful registration: {error!r}"
        ) from error
    if not arns:
        raise VerificationError(f"{message} names no region")
    return arns


def newest_arn(group: str) -> str:
    """Look up the newest version of a group, in the region of the environment."""
    sagemaker = boto3.client("sagemaker", config=AWS)
    versions = sagemaker.list_model_packages(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=1
    )["ModelPackageSummaryList"]
    if not versions:
        raise VerificationError(f"group {group} has no version")
    return versions[0]["ModelPackageArn"]
