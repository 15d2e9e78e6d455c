"""SageMaker Model Registry: a model package group, and in it a version for each registration.

Goes in: a `Submission`. Comes out: a `Registration`, the same for the same submission however
often it is made: its identity stands in the version's description, where one listing finds it and
no update reaches it. Never approves, never deletes, never changes a version.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mims.errors import InputError, ServiceError
from mims.registration.aws import asking, client, required
from mims.registration.backends.base import Registration, State, Status
from mims.registration.backends.package import (
    REQUEST_DIGEST,
    client_token,
    identity,
    model_package,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sagemaker.type_defs import TagTypeDef

    from mims.registration.backends.base import Submission

log = logging.getLogger("mims")

_STATES = {"Completed": State.DONE, "Failed": State.FAILED, "Deleting": State.FAILED}
_CREATE_ATTEMPTS = 2  # the second only after an answer that left the outcome unknown


class SageMaker:
    """The registry of a region."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._sagemaker = client("sagemaker", region)

    def register(self, submission: Submission) -> Registration:
        """Register a model, or find that it is.

        Raises:
            InputError: this workflow execution has registered this model with other settings.
            ServiceError: SageMaker refused or could not be reached.

        """
        group = submission.config.group
        transforms = self._sagemaker.meta.service_model.shape_for("TransformInstanceType")
        request = model_package(submission, transforms.metadata["enum"])
        self._require_group(submission)
        for attempt in range(_CREATE_ATTEMPTS):
            arn, failures = self._find(group, identity(submission))
            if arn:
                self._require_same(arn, request)
                log.info("%s: registered already", arn)
                return Registration(self.region, arn, _version(arn), new=attempt > 0)
            token = client_token(submission, failures)
            with asking("CreateModelPackage", self.region, group):
                answer = self._sagemaker.create_model_package(**request, ClientToken=token)
            arn = answer.get("ModelPackageArn", "")
            if arn:  # an answer that was cut short is empty to botocore, and no error
                log.info("%s: registered", arn)
                return Registration(self.region, arn, _version(arn), new=True)
            log.warning("CreateModelPackage in %s: no ARN came back; looking", self.region)
        raise ServiceError(
            f"CreateModelPackage in {self.region} for {group}: no ARN came back, and no version "
            "shows; run again, nothing is registered twice"
        )

    def status(self, registration: Registration) -> Status:
        """Ask how a version fares.

        Raises:
            ServiceError: SageMaker refused or could not be reached.

        """
        found = self._describe(registration.arn)
        word = found.get("ModelPackageStatus", "unknown")
        details = found.get("ModelPackageStatusDetails", {})
        items = details.get("ValidationStatuses", []) + details.get("ImageScanStatuses", [])
        reasons = tuple(item["FailureReason"] for item in items if item.get("FailureReason"))
        return Status(_STATES.get(word, State.PENDING), word, reasons)

    def _require_group(self, submission: Submission) -> None:
        """Create the group when it is missing, with the config's tags; else see to its tags."""
        config = submission.config
        with asking("DescribeModelPackageGroup", self.region, config.group):
            try:
                found = self._sagemaker.describe_model_package_group(
                    ModelPackageGroupName=config.group
                )
            except ClientError as error:
                if "does not exist" not in str(error):
                    raise
                self._create_group(config.group, config.tags)
                return
        if config.tags:
            arn = required(found, "ModelPackageGroupArn", "DescribeModelPackageGroup", self.region)
            self._complete_tags(arn, config.tags)

    def _create_group(self, group: str, tags: Mapping[str, str]) -> None:
        try:
            self._sagemaker.create_model_package_group(
                ModelPackageGroupName=group, Tags=_as_list(tags)
            )
        except ClientError as error:
            if "already exists" not in str(error):  # as when another run was quicker
                raise
        else:
            log.info("model package group %s in %s: created", group, self.region)

    def _complete_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        with asking("ListTags", self.region, arn):
            pages = self._sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
            found = [tag for p in pages for tag in required(p, "Tags", "ListTags", self.region)]
            there = {tag["Key"]: tag["Value"] for tag in found}
            missing = {key: value for key, value in tags.items() if there.get(key) != value}
            if missing:
                self._sagemaker.add_tags(ResourceArn=arn, Tags=_as_list(missing))

    def _find(self, group: str, known_by: str) -> tuple[str, int]:
        """Give the ARN of the version of that identity, and how many like it have failed."""
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
        )
        failures = 0
        with asking("ListModelPackages", self.region, group):
            for page in pages:
                member = "ModelPackageSummaryList"
                for version in required(page, member, "ListModelPackages", self.region):
                    if known_by not in version.get("ModelPackageDescription", ""):
                        continue
                    if _STATES.get(version["ModelPackageStatus"]) is not State.FAILED:
                        return version["ModelPackageArn"], failures
                    failures += 1
        return "", failures

    def _require_same(self, arn: str, request: Mapping[str, Any]) -> None:
        wanted = request["CustomerMetadataProperties"][REQUEST_DIGEST]
        properties = self._describe(arn).get("CustomerMetadataProperties", {})
        if properties.get(REQUEST_DIGEST, wanted) != wanted:
            raise InputError(
                f"this workflow execution has registered this model before, as {arn}, with other "
                "settings: give MODS_WORKFLOW_EXECUTION_ID a value of its own, or take the "
                "config of that time"
            )

    def _describe(self, arn: str) -> Mapping[str, Any]:
        with asking("DescribeModelPackage", self.region, arn):
            return self._sagemaker.describe_model_package(ModelPackageName=arn)


def _as_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _version(arn: str) -> int:
    return int(arn.rpartition("/")[2])
