"""The model registry of a region: groups, versions and their files, read and changed.

Goes in: names as people write them: `group/3`, `group/Production`, `group` (its newest version), or
an ARN. Comes out: `Version`s, reports whose digests hold, and changes that were made. Every call is
one of boto3's with its own retries; what fails says what was asked where, and what to do.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.governance.versions import STAGES, Version
from mims.registration.audit import Trail
from mims.registration.aws import AwsError, asking, client, required
from mims.registration.storage import Storage
from mims.text import listed, meant, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from mims.governance.versions import File

_REPORT_LIMIT = 64 * 2**20  # bytes: a report is read whole
_MISSING = ("ResourceNotFound", "ValidationException")  # what SageMaker says of an unknown name


class UnknownVersionError(InputError):
    """There is no such version."""


class Registry:
    """SageMaker Model Registry in a region, and S3 where its files lie."""

    def __init__(self, region: str) -> None:
        self.region = region

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        """The client of SageMaker."""
        return client("sagemaker", self.region)

    @cached_property
    def s3(self) -> S3Client:
        """The client of S3."""
        return client("s3", self.region)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """The client of CloudWatch."""
        return client("cloudwatch", self.region)

    @cached_property
    def actor(self) -> str:
        """The ARN of whoever asks, for decisions to bear a name.

        Raises:
            ServiceError: nobody, or STS can't be asked.

        """
        sts = client("sts", self.region)
        with asking("GetCallerIdentity", self.region, "the caller"):
            return str(required(sts.get_caller_identity(), "Arn", "GetCallerIdentity", self.region))

    def groups(self) -> list[dict[str, Any]]:
        """Every model package group, as ListModelPackageGroups tells of it."""
        pages = self.sagemaker.get_paginator("list_model_package_groups").paginate()
        with asking("ListModelPackageGroups", self.region, "groups"):
            return [dict(group) for page in pages for group in page["ModelPackageGroupSummaryList"]]

    def group(self, name: str) -> Mapping[str, Any]:
        """Describe a group.

        Raises:
            InputError: there is none of that name.

        """
        if not name:
            raise InputError("no group is named: give a group, group/number or group/stage")
        try:
            with asking("DescribeModelPackageGroup", self.region, name):
                return self.sagemaker.describe_model_package_group(ModelPackageGroupName=name)
        except AwsError as error:
            if error.code not in _MISSING:
                raise
            known = [group["ModelPackageGroupName"] for group in self.groups()]
            hint = meant(name, known, f"there are {listed(known) or 'none'}")
            raise InputError(
                f"{self.region} has no model package group {printable(name)}: {hint}"
            ) from error

    def versions(self, group: str) -> Iterator[Version]:
        """Yield a group's versions, the newest first.

        Raises:
            InputError: there is no such group.

        """
        self.group(group)
        pages = self.sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
        )
        with asking("ListModelPackages", self.region, group):
            arns = [
                summary["ModelPackageArn"]
                for page in pages
                for summary in page["ModelPackageSummaryList"]
            ]
        for arn in sorted(arns, key=lambda arn: -int(arn.rpartition("/")[2])):
            try:
                yield self._described(arn)
            except UnknownVersionError:  # deleted since it was listed
                continue

    def version(self, name: str) -> Version:
        """Find a version: `group/3`, `group/Production`, `group` for its newest, or an ARN.

        Raises:
            InputError: there is none such.

        """
        if name.startswith("arn:"):
            return self._described(name)
        return self.pick(name, self.versions(name.partition("/")[0]))

    def pick(self, name: str, versions: Iterable[Version]) -> Version:
        """Find a version among those of its group, newest first; it asks nobody itself.

        Raises:
            InputError: there is none such.

        """
        if name.startswith("arn:"):
            group, which = name, name.rpartition("/")[2]
        else:
            group, _, which = name.partition("/")
        stage = next((stage for stage in STAGES if stage.lower() == which.lower()), None)
        if which and not which.isdigit() and not stage:
            raise InputError(
                f"{printable(name)}: must be group, group/number or group/stage, of "
                f"{listed(STAGES)}"
            )
        for version in versions:
            if which in ("", str(version.number)) or version.stage == stage:
                return version
        lacking = f"in {stage}" if stage else (f"number {which}" if which else "at all")
        raise UnknownVersionError(
            f"group {printable(group)} in {self.region} has no version {lacking}"
        )

    def _described(self, arn: str) -> Version:
        try:
            with asking("DescribeModelPackage", self.region, arn):
                answer = self.sagemaker.describe_model_package(ModelPackageName=arn)
        except AwsError as error:
            if error.code not in _MISSING:
                raise
            raise UnknownVersionError(f"{self.region} has no version {printable(arn)}") from error
        required(answer, "ModelPackageArn", "DescribeModelPackage", self.region)
        return Version.of(answer)

    def tags(self, arn: str, about: str = "") -> dict[str, str]:
        """Read the tags of a group or of whatever else has an ARN; `about` is what errors call it.

        Raises:
            ServiceError: SageMaker refused.

        """
        pages = self.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
        with asking("ListTags", self.region, about or arn):
            return {
                one["Key"]: one["Value"]
                for page in pages
                for one in required(page, "Tags", "ListTags", self.region)
            }

    def update(self, version: Version, **changes: Any) -> None:
        """Change members of a version: UpdateModelPackage."""
        with asking("UpdateModelPackage", self.region, version.name):
            self.sagemaker.update_model_package(ModelPackageArn=version.arn, **changes)

    def read(self, file: File) -> bytes:
        """Read an object whole, and hold it to its digest, if that is known.

        Raises:
            InputError: it is not what was registered, or too large for a report.
            ServiceError: it is not there, or S3 refused.

        """
        bucket, _, key = file.uri.removeprefix("s3://").partition("/")
        with asking("GetObject", self.region, file.uri):
            answer = self.s3.get_object(Bucket=bucket, Key=key)
            if answer["ContentLength"] > _REPORT_LIMIT:
                raise InputError(f"{file.uri}: {answer['ContentLength']} bytes are no report")
            content = answer["Body"].read()
        found = hashlib.sha256(content).hexdigest()
        if file.sha256 and found != file.sha256:
            raise InputError(
                f"{file.uri}: its SHA-256 is {found}, but {file.sha256} was registered: it was "
                "changed since"
            )
        return content

    def read_json(self, file: File) -> Any:
        """Read an object of JSON, NaN and the like refused.

        Raises:
            InputError: it is no JSON, or as `read`.

        """
        try:
            return json.loads(self.read(file), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file.uri}: is no JSON: {error}") from error

    def trail(self, version: Version) -> Trail:
        """The audit trail of a version's group, in its bucket."""
        return Trail(Storage(self.region), version.bucket, version.group)

    def trails(self, versions: Iterable[Version]) -> list[Trail]:
        """A group's audit trails, of all its versions: one in each bucket that they lie in.

        Decisions are in the first, where the oldest version lies: a new one in another bucket moves
        them nowhere. What other tools have registered has a say only where nothing of ours is.
        """
        placed = sorted((v for v in versions if v.bucket), key=lambda version: version.number)
        ours = [version for version in placed if version.model.sha256] or placed
        oldest: dict[str, Version] = {}
        for version in ours:
            oldest.setdefault(version.bucket, version)
        return [self.trail(version) for version in oldest.values()]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
