"""SageMaker's model package groups and model packages, kept as the real service keeps them.

In: requests to SageMaker that keep to its limits. Out: moto's answers, except for the operations
here, which moto lacks or answers otherwise than AWS does. Groups and packages live in moto's own
backends, one an account and region, where moto's lists, searches and reset find them. No image is
looked for and no model is loaded: a package fails when its model data or its sample payload is not
there.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.moto_api._internal.managed_state_model import ManagedState
from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends
from moto.sagemaker.exceptions import ConflictException, ValidationError
from moto.sagemaker.models import ModelPackageGroup, sagemaker_backends
from moto.sagemaker.utils import arn_formatter
from moto.sts.models import sts_backends

from local_aws import model_cards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from moto.core.common_types import TYPE_RESPONSE
    from moto.sagemaker.models import SageMakerModelBackend

# The name by which moto's state manager sets the pace at which packages change their status.
STATUS = "sagemaker::model-package"

_ARN = re.compile(r"arn:[^:]+:sagemaker:(?P<region>[^:]+):(?P<account>[^:]+):[^/]+/(?P<name>.+)")
_VERSION_ARN = re.compile(r":model-package/[^/]+/\d+$")
_GROUP_ARN = re.compile(r":model-package-group/[^/]+$")
_ARCHIVE = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.+\.tar\.gz)")
_TAGS_REFUSED = (
    "Tags are not supported in Model Package versions. Please add them to the Model Package Group."
)
# As a pull request of SageMaker's own SDK says, aws/sagemaker-python-sdk#4492; the words are ours.
_SOURCE_REFUSED = (
    "Both SourceUri and InferenceSpecification are provided in the input. Update the model package "
    "with the SourceUri once it is created."
)
_ARCHIVES = {"ModelDataUrl": "model data", "SamplePayloadUrl": "sample payload"}
_MERGED = ("CustomerMetadataProperties", "ModelCard")
_one_at_a_time = Lock()


class Group(ModelPackageGroup):
    """A group that counts its versions, so that the number of a deleted one never comes back."""

    versions = 0


class Failure(NamedTuple):
    """Why a package fails: the part of the request that is at fault, and what is wrong with it."""

    name: str
    reason: str


class Package(ManagedState):
    """A model package: the request that made it, and what has become of it since.

    Its status goes from Pending over InProgress to Completed, or to Failed for the reason
    `failure`; a deleted one is Deleting before it is gone. It moves on when it is looked at, at
    most one step a look.
    """

    def __init__(
        self, arn: str, request: dict[str, Any], group: str | None, failure: Failure | None
    ) -> None:
        end = "Failed" if failure else "Completed"
        super().__init__(STATUS, transitions=[("Pending", "InProgress"), ("InProgress", end)])
        self.arn = arn
        self.request = request
        self.failure = failure
        self.deletion: ManagedState | None = None
        self.tags = request.get("Tags", [])
        # What moto's lists sort and filter by.
        self.model_package_group_name = group
        self.model_package_name = group or request["ModelPackageName"]
        self.model_package_version = int(arn.rpartition("/")[2]) if group else None
        self.creation_time = utcnow()
        self.record = {
            **request,
            "ModelPackageArn": arn,
            "ModelPackageGroupName": group,
            "ModelPackageVersion": self.model_package_version,
            "CreationTime": self.creation_time,
            "CreatedBy": {},
            "CertifyForMarketplace": request.get("CertifyForMarketplace", False),
        }
        if group:
            self.record.setdefault("ModelApprovalStatus", "PendingManualApproval")

    @property
    def model_approval_status(self) -> str | None:
        """The approval status, which moto's lists filter by."""
        return self.record.get("ModelApprovalStatus")

    @property
    def gone(self) -> bool:
        """Whether it was deleted, and that has been done."""
        return self.deletion is not None and self.deletion.status == "Deleted"

    def delete(self) -> None:
        """Begin to delete it."""
        self.deletion = self.deletion or ManagedState(STATUS, [("Deleting", "Deleted")])

    def advance(self) -> None:
        """Count a look."""
        if self.deletion:
            self.deletion.advance()
        else:
            super().advance()

    def update(self, request: dict[str, Any]) -> None:
        """Change what `request` names and keep all else.

        Raises:
            ValidationError: it is about the content of an archived model card.

        """
        archived = self.record.get("ModelCard", {}).get("ModelCardStatus") == "Archived"
        if archived and "ModelCardContent" in request.get("ModelCard", {}):
            raise ValidationError("Model Card is in Archived state.")
        change = {name: value for name, value in request.items() if name != "ModelPackageArn"}
        removed = change.pop("CustomerMetadataPropertiesToRemove", [])
        added = change.pop("AdditionalInferenceSpecificationsToAdd", [])
        for name in _MERGED:
            if name in change:
                change[name] = {**self.record.get(name, {}), **change[name]}
        self.record |= change
        if removed:
            properties = self.record.get("CustomerMetadataProperties", {})
            kept = {key: value for key, value in properties.items() if key not in removed}
            self.record["CustomerMetadataProperties"] = kept
        if added:
            present = self.record.get("AdditionalInferenceSpecifications", [])
            self.record["AdditionalInferenceSpecifications"] = [*present, *added]
        self.record |= {"LastModifiedTime": utcnow(), "LastModifiedBy": {}}

    def gen_response_object(self) -> dict[str, Any]:
        """Return all that is known; of it moto answers what the service model says."""
        status = self.deletion.status if self.deletion else self.status
        failed = []
        if self.failure and status == "Failed":
            name, reason = self.failure
            failed = [{"Name": name, "Status": "Failed", "FailureReason": reason}]
        return {
            **self.record,
            "ModelPackageStatus": status,
            "ModelPackageStatusDetails": {"ValidationStatuses": failed},
        }


class SageMaker(model_cards.SageMaker):
    """moto's SageMaker with model cards and model packages of our own."""

    def call_action(self) -> TYPE_RESPONSE:
        """Let no two requests get one version number, nor one client token two versions."""
        with _one_at_a_time:
            packages = _packages(self.sagemaker_backend)
            for arn in [arn for arn, package in packages.items() if package.gone]:
                del packages[arn]
            return super().call_action()

    def create_model_package_group(self) -> ActionResult:
        """Refuse a name that is taken, where moto would begin the group anew."""
        name = self._get_param("ModelPackageGroupName")
        groups = self.sagemaker_backend.model_package_groups
        if name in groups:
            raise ValidationError(f"Model Package Group already exists: {groups[name].arn}")
        groups[name] = Group(
            name,
            self._get_param("ModelPackageGroupDescription"),
            self.current_account,
            self.region,
            self._get_param("Tags", []),
        )
        return ActionResult({"ModelPackageGroupArn": groups[name].arn})

    def describe_model_package_group(self) -> ActionResult:
        """Take an ARN too."""
        group, _ = self._group(self._get_param("ModelPackageGroupName"))
        return ActionResult({**group.gen_response_object(), "CreatedBy": {}})

    def delete_model_package_group(self) -> ActionResult:
        """Delete a group without versions."""
        group, backend = self._group(self._get_param("ModelPackageGroupName"))
        name = group.model_package_group_name
        if any(package.model_package_group_name == name for package in _packages(backend).values()):
            raise ConflictException(f"Model Package Group {group.arn} still has Model Packages.")
        del backend.model_package_groups[name]
        return EmptyResult()

    def create_model_package(self) -> ActionResult:
        """Create a package; for a client token that came before, answer what was made then."""
        request = self._get_params()
        group, backend = self._home(request)
        package = _made_before(request, backend) or self._made(request, group, backend)
        return ActionResult({"ModelPackageArn": package.arn})

    def describe_model_package(self) -> ActionResult:
        """Answer all that the package was created with; of its model card all, or what is open."""
        package = self._package(self._get_param("ModelPackageName"))
        description = package.gen_response_object()
        if self._get_param("IncludedData") == "MetadataOnly" and "ModelCard" in description:
            description["ModelCard"] = model_cards.metadata_only(description["ModelCard"])
        package.advance()
        return ActionResult(description)

    def batch_describe_model_package(self) -> ActionResult:
        """Describe versions in short, and say of which there are none."""
        summaries, errors = {}, {}
        for arn in self._get_param("ModelPackageArnList"):
            try:
                summaries[arn] = self._package(arn).gen_response_object()
            except ValidationError as error:
                errors[arn] = {"ErrorCode": error.code, "ErrorResponse": error.message}
        return ActionResult(
            {"ModelPackageSummaries": summaries, "BatchDescribeModelPackageErrorMap": errors}
        )

    def update_model_package(self) -> ActionResult:
        """Keep what the request does not name."""
        package = self._package(self._get_param("ModelPackageArn"))
        request = self._get_params()
        model_cards.check(request)
        package.update(request)
        return ActionResult({"ModelPackageArn": package.arn})

    def delete_model_package(self) -> ActionResult:
        """Delete a version, or a package that belongs to no group."""
        self._package(self._get_param("ModelPackageName")).delete()
        return EmptyResult()

    def add_tags(self) -> ActionResult:
        """Add tags to a group, or overwrite those it has; a version takes none."""
        group = self._tagged()
        if group is None:
            return super().add_tags()
        added: list[dict[str, str]] = self._get_param("Tags")
        group.tags = list({tag["Key"]: tag for tag in [*(group.tags or []), *added]}.values())
        return ActionResult({"Tags": group.tags})

    def delete_tags(self) -> ActionResult:
        """Refuse those of versions, and of groups that are not there."""
        self._tagged()
        return super().delete_tags()

    def list_tags(self) -> ActionResult:
        """Answer that a version has none."""
        if _VERSION_ARN.search(self._get_param("ResourceArn")):
            return ActionResult({"Tags": []})
        self._tagged()
        return super().list_tags()

    def _tagged(self) -> Group | None:
        """Return the group that a request about tags names, if it names one."""
        arn = self._get_param("ResourceArn")
        if _VERSION_ARN.search(arn):
            raise ValidationError(_TAGS_REFUSED)
        return self._group(arn)[0] if _GROUP_ARN.search(arn) else None

    def _located(self, name: str) -> tuple[SageMakerModelBackend, str]:
        """Return the backend that a name or an ARN leads to, and the name alone."""
        arn = _ARN.fullmatch(name)
        if arn is None:
            return self.sagemaker_backend, name
        if arn["region"] != self.region:
            raise ValidationError(f"ARN should be scoped to correct region: {self.region}")
        return sagemaker_backends[arn["account"]][self.region], arn["name"]

    def _group(self, name: str) -> tuple[Group, SageMakerModelBackend]:
        backend, name = self._located(name)
        return cast("Group", backend.describe_model_package_group(name)), backend

    def _package(self, name: str) -> Package:
        backend, name = self._located(name)
        arn = _package_arn(backend, name)
        if arn not in _packages(backend):
            raise ValidationError(f"ModelPackage {arn} does not exist.")
        return _packages(backend)[arn]

    def _home(self, request: dict[str, Any]) -> tuple[Group | None, SageMakerModelBackend]:
        """Return where a new package goes: its group, if it is to be a version, and the backend."""
        if "ModelPackageGroupName" not in request:
            if "ModelPackageName" not in request:
                raise ValidationError("Missing ARN.")
            return None, self.sagemaker_backend
        if "ModelPackageName" in request:
            raise ValidationError(
                "Both ModelPackageName and ModelPackageGroupName are provided in the input. "
                "Cannot determine which one to use."
            )
        if request.get("Tags"):
            raise ValidationError(_TAGS_REFUSED)
        return self._group(request["ModelPackageGroupName"])

    def _made(
        self, request: dict[str, Any], group: Group | None, backend: SageMakerModelBackend
    ) -> Package:
        if "SourceUri" in request and "InferenceSpecification" in request:
            raise ValidationError(_SOURCE_REFUSED)
        model_cards.check(request)
        failure = self._failure(request)
        if group is None:
            group_name = None
            arn = _package_arn(backend, request["ModelPackageName"])
        else:
            group.versions += 1
            group_name = group.model_package_group_name
            arn = _package_arn(backend, f"{group_name}/{group.versions}")
        if arn in _packages(backend):
            raise ValidationError(f"ModelPackage {arn} already exists.")
        _packages(backend)[arn] = package = Package(arn, request, group_name, failure)
        package.record["CreatedBy"] = self._caller()
        return package

    def _caller(self) -> dict[str, Any]:
        """Whoever asks, as SageMaker names who has created something."""
        identities = sts_backends[self.current_account]["aws"]
        user, arn, _ = identities.get_caller_identity(self.access_key, self.region)
        return {"IamIdentity": {"Arn": arn, "PrincipalId": user}}

    def _failure(self, request: dict[str, Any]) -> Failure | None:
        """Return why the package will fail, if it will; refuse what is out of reach at once."""
        for name, url in _archives(request):
            reason = self._missing(name, url)
            if reason:
                return Failure(name, reason)
        return None

    def _missing(self, name: str, url: str) -> str | None:
        what = _ARCHIVES[name]
        found = _ARCHIVE.fullmatch(url)
        if found is None:
            raise ValidationError(
                f"{name} {url} must point to a single gzip compressed tar archive in S3 "
                "(.tar.gz suffix)."
            )
        try:
            bucket = s3_backends[self.current_account][self.partition].get_bucket(found["bucket"])
        except MissingBucket:
            return f"Could not find {what} at {url}."
        if bucket.region_name != self.region:
            raise ValidationError(
                f"Could not access {what} at {url}. "
                f"Please ensure that the object is located in {self.region}."
            )
        return None if found["key"] in bucket.keys else f"Could not find {what} at {url}."


def _made_before(request: dict[str, Any], backend: SageMakerModelBackend) -> Package | None:
    token = request.get("ClientToken")
    for package in _packages(backend).values():
        if token and package.request.get("ClientToken") == token:
            if package.request != request:
                raise ConflictException(
                    f"ClientToken {token} was used for another request, which made {package.arn}."
                )
            return package
    return None


def _packages(backend: SageMakerModelBackend) -> dict[str, Package]:
    """Return moto's packages by ARN: all of them are ours."""
    return cast("dict[str, Package]", backend.model_packages)


def _package_arn(backend: SageMakerModelBackend, name: str) -> str:
    """Return the ARN of a package: whatever the case of its name, an ARN has small letters."""
    return arn_formatter("model-package", name.lower(), backend.account_id, backend.region_name)


def _archives(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what a request says of archives in S3: the member, and the URL."""
    specifications = [
        request.get("InferenceSpecification", {}),
        *request.get("AdditionalInferenceSpecifications", []),
    ]
    for container in [one for given in specifications for one in given.get("Containers", [])]:
        if "ModelDataUrl" in container:
            yield "ModelDataUrl", container["ModelDataUrl"]
    if request.get("SamplePayloadUrl"):
        yield "SamplePayloadUrl", request["SamplePayloadUrl"]
