"""SageMaker Model Registry: a model package group, and in it a version for each registration.

Goes in: a `Submission`. Comes out: a `Registration`, the same for the same submission however
often it is made: its identity stands in the version's description, where one listing finds it and
no update reaches it. A request is held to the service model's limits before it is sent, and where
the outcome of one is unknown the version is looked for before another is sent. Never approves and
never deletes; changes a version in one thing alone, to name the source of one that names none.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from mims.errors import InputError, ServiceError
from mims.registration.aws import AwsError, Retries, asking, client, required
from mims.registration.backends.base import Registration, State, Status
from mims.registration.backends.package import (
    SETTINGS_DIGEST,
    changes,
    client_token,
    identity,
    model_package,
    problems,
    source_uri,
)
from mims.text import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sagemaker.type_defs import CreateModelPackageGroupInputTypeDef, TagTypeDef

    from mims.registration.backends.base import Submission
    from mims.registration.config import RegistrationConfig

log = logging.getLogger("mims")

_STATES = {"Completed": State.DONE, "Failed": State.FAILED, "Deleting": State.FAILED}
_CREATE_ATTEMPTS = 2  # the second only after an answer that left the outcome unknown
_CONFLICT = "ConflictException"  # the client token has come with another request
_SOURCE = "ModelPackageSourceUri"  # the service model's name for what a SourceUri may be
_PAGE = 100  # versions of a listing, the most that SageMaker gives at a time


class SageMaker:
    """The registry of a region."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._sagemaker = client("sagemaker", region)
        self._retries = Retries()
        self._retries.watch(self._sagemaker)

    @property
    def retries(self) -> int:
        """How many requests were sent again."""
        return self._retries.count

    def check(self, submission: Submission) -> None:
        """Hold what would be sent, here or to another region, to the service model; ask nothing.

        Raises:
            InputError: with everything that SageMaker would refuse.

        """
        self._request(submission)

    def register(self, submission: Submission) -> Registration:
        """Register a model, or find that it is.

        Raises:
            InputError: SageMaker would refuse the request, or this workflow execution has
                registered this model with other settings.
            ServiceError: SageMaker refused or could not be reached.

        """
        request = self._request(submission)
        self._require_group(submission)
        registration, source = self._find_or_create(submission, request)
        if not source:
            self._name_source(registration.arn, submission)
        return registration

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

    def close(self) -> None:
        """Nothing was put into temporary places."""

    def _request(self, submission: Submission) -> dict[str, Any]:
        model = self._sagemaker.meta.service_model
        transforms = model.shape_for("TransformInstanceType").metadata["enum"]
        request = model_package(submission, transforms)
        found = problems(request, model.operation_model("CreateModelPackage").input_shape)
        if found:
            raise InputError(*found)
        return request

    def _find_or_create(
        self, submission: Submission, request: Mapping[str, Any]
    ) -> tuple[Registration, str]:
        """Give the version, and the source that it names already."""
        group = submission.config.group
        asked, why = False, ""
        for _ in range(_CREATE_ATTEMPTS):
            arn, failures = self._find(group, identity(submission))
            if arn:
                found = self._require_same(arn, request)
                log.info("%s: %s", arn, "registered" if asked else "registered already")
                registration = Registration(self.region, arn, _version(arn), new=asked)
                return registration, found.get("SourceUri", "")
            try:
                arn = self._create(group, request, client_token(submission, failures))
            except AwsError as error:
                if error.code != _CONFLICT:
                    raise
                why = str(error)  # another run of this workflow execution is at it
            else:
                asked, why = True, "no ARN came back"
            if arn:
                log.info("%s: registered", arn)
                return Registration(self.region, arn, _version(arn), new=True), ""
            log.warning("CreateModelPackage in %s: %s; looking for the version", self.region, why)
        raise ServiceError(
            f"CreateModelPackage in {self.region} for {group}: {why}, and no version shows; run "
            "again, nothing is registered twice"
        )

    def _create(self, group: str, request: Mapping[str, Any], token: str) -> str:
        """Create a version; no ARN where the answer was cut short: to botocore that is no error."""
        with asking("CreateModelPackage", self.region, group):
            answer = self._sagemaker.create_model_package(**request, ClientToken=token)
        return answer.get("ModelPackageArn", "")

    def _name_source(self, arn: str, submission: Submission) -> None:
        uri = source_uri(submission, self._sagemaker.meta.service_model.shape_for(_SOURCE))
        with asking("UpdateModelPackage", self.region, arn):
            self._sagemaker.update_model_package(ModelPackageArn=arn, SourceUri=uri)

    def _require_group(self, submission: Submission) -> None:
        """Create the group when it is missing, with the config's tags; else see to its tags."""
        config = submission.config
        try:
            with asking("DescribeModelPackageGroup", self.region, config.group):
                found = self._sagemaker.describe_model_package_group(
                    ModelPackageGroupName=config.group
                )
        except AwsError as error:
            if "does not exist" not in str(error):
                raise
            self._create_group(config)
            return
        if config.tags:
            arn = required(found, "ModelPackageGroupArn", "DescribeModelPackageGroup", self.region)
            self._complete_tags(arn, config.tags)

    def _create_group(self, config: RegistrationConfig) -> None:
        about: CreateModelPackageGroupInputTypeDef = {
            "ModelPackageGroupName": config.group,
            "Tags": _as_list(config.tags),
        }
        if config.group_description:
            about["ModelPackageGroupDescription"] = config.group_description
        try:
            with asking("CreateModelPackageGroup", self.region, config.group):
                self._sagemaker.create_model_package_group(**about)
        except AwsError as error:
            if "already exists" not in str(error):  # as when another run was quicker
                raise
        else:
            log.info("model package group %s in %s: created", config.group, self.region)

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
            ModelPackageGroupName=group,
            SortBy="CreationTime",
            SortOrder="Descending",
            PaginationConfig={"PageSize": _PAGE},
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

    def _require_same(self, arn: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Check that a version was made by the same settings; one without their digest was."""
        found = self._describe(arn)
        wanted = request["CustomerMetadataProperties"][SETTINGS_DIGEST]
        properties = found.get("CustomerMetadataProperties", {})
        if properties.get(SETTINGS_DIGEST, wanted) != wanted:
            other = listed(changes(found, request))
            raise InputError(
                f"this workflow execution has registered this model before, as {arn}, with other "
                f"settings{other and f' ({other})'}: give MODS_WORKFLOW_EXECUTION_ID a value of "
                "its own, or take the config of that time"
            )
        return found

    def _describe(self, arn: str) -> Mapping[str, Any]:
        with asking("DescribeModelPackage", self.region, arn):
            return self._sagemaker.describe_model_package(ModelPackageName=arn)


def _as_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _version(arn: str) -> int:
    return int(arn.rpartition("/")[2])
