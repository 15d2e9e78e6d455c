"""Groups made, and the tags of groups; versions take none, but properties.

Goes in: names, and pairs of key and value. Comes out: what was changed, and what there is now. It
looks first and changes no more than it must, so that it may be run again; on `dry_run` it does
nothing but look. What a registration has written of a version is evidence: it stays as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.registration.aws import AwsError, asking
from mims.registration.backends.limits import violations
from mims.registration.parameters import shown
from mims.text import listed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from mims.governance.registry import Registry
    from mims.governance.versions import Version

OWN = frozenset(  # the properties that a registration writes: evidence, and so nobody's to change
    (
        *("workflow_execution_id", "processing_job_arn", "model_owner", "model_version"),
        *("model_registration_domain", "model_registration_objective"),
        *("model_sha256", "payload_sha256", "variable_schema_uri", "variable_schema_sha256"),
        *("performance_metadata_uri", "performance_metadata_sha256", "initial_instance_count"),
        *("registered_by", "settings_sha256"),
    )
)
OF_BASELINE = ("drift_baseline_uri", "drift_baseline_sha256")  # drift/baselines.py writes them
LIMIT = 50  # tags of a group, properties of a version
_GONE = ("Deleting", "DeleteFailed", "Failed")  # a group that takes no version


def create_group(
    registry: Registry,
    name: str,
    *,
    description: str = "",
    tags: Mapping[str, str],
    dry_run: bool = False,
) -> dict[str, Any]:
    """Create a group, unless it is there; then see to its tags.

    Raises:
        InputError: with everything that SageMaker would refuse; or the group is there with another
            description, which nobody can change, or is being deleted.

    """
    request = {"ModelPackageGroupName": name, "ModelPackageGroupDescription": description}
    _check(registry, "CreateModelPackageGroup", {**request, "Tags": _as_list(tags)}, tags)
    found = _group(registry, name)
    if found is None:
        if dry_run or _create(registry, {**request, "Tags": _as_list(tags)}):
            return {"group": name, "done": "created", "tags": dict(tags), "dry_run": dry_run}
        found = registry.group(name)
    if found["ModelPackageGroupStatus"] in _GONE:
        raise InputError(
            f"group {name} in {registry.region} is {found['ModelPackageGroupStatus']}: wait until "
            "it is gone, or take another name"
        )
    there = found.get("ModelPackageGroupDescription", "")
    if description and there != description:
        raise InputError(
            f"group {name} is there with the description {shown(there)}, and SageMaker can't "
            "change one: leave it out"
        )
    changed = _tag_group(registry, name, _Wanted(tags, dry_run=dry_run))
    done = "tagged" if changed["set"] else "unchanged"
    return {"group": name, "done": done, "tags": changed["tags"], "dry_run": dry_run}


def _group(registry: Registry, name: str) -> Mapping[str, Any] | None:
    try:
        return registry.group(name)
    except InputError:
        return None


def _create(registry: Registry, request: Mapping[str, Any]) -> bool:
    """Create a group; False if somebody, or a request whose answer was lost, has done so."""
    given = {member: value for member, value in request.items() if value}
    try:
        with asking("CreateModelPackageGroup", registry.region, given["ModelPackageGroupName"]):
            registry.sagemaker.create_model_package_group(**given)
    except AwsError as error:
        if "already exists" not in str(error):
            raise
        return False
    return True


def tag(
    registry: Registry,
    name: str,
    pairs: Mapping[str, str],
    remove: Collection[str] = (),
    *,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Set and remove tags of a group, or properties of a version, which takes no tags.

    Raises:
        InputError: there is no such group or version, or with everything that SageMaker would
            refuse, or that a registration has written.

    """
    if both := [key for key in remove if key in pairs]:
        raise InputError(f"{listed(both)}: set and removed at once")
    wanted = _Wanted(pairs, remove, dry_run)
    if "/" in name and ":model-package-group/" not in name:
        return _tag_version(registry, registry.version(name), wanted)
    return _tag_group(registry, name.rpartition("/")[2], wanted)


class _Wanted(NamedTuple):
    """What is asked for."""

    pairs: Mapping[str, str]
    remove: Collection[str] = ()
    dry_run: bool = False

    def changes(self, name: str, there: Mapping[str, str]) -> dict[str, Any]:
        """What is to change, and what there is then.

        Raises:
            InputError: it would be more than SageMaker takes.

        """
        both = {**there, **self.pairs}
        then = {key: value for key, value in both.items() if key not in self.remove}
        if len(then) > LIMIT:
            raise InputError(f"{name} would have {len(then)} of them, and SageMaker takes {LIMIT}")
        return {
            "name": name,
            "set": {key: value for key, value in self.pairs.items() if there.get(key) != value},
            "removed": [key for key in self.remove if key in there],
            "tags": then,
            "dry_run": self.dry_run,
        }


def _tag_group(registry: Registry, name: str, wanted: _Wanted) -> dict[str, Any]:
    arn = registry.group(name)["ModelPackageGroupArn"]
    request = {"ResourceArn": arn, "Tags": _as_list(wanted.pairs)}
    _check(registry, "AddTags", request, wanted.pairs)
    report = wanted.changes(name, registry.tags(arn, name))
    with asking("AddTags", registry.region, name):
        if report["set"] and not wanted.dry_run:
            registry.sagemaker.add_tags(ResourceArn=arn, Tags=_as_list(report["set"]))
        if report["removed"] and not wanted.dry_run:
            registry.sagemaker.delete_tags(ResourceArn=arn, TagKeys=report["removed"])
    return report


def _tag_version(registry: Registry, version: Version, wanted: _Wanted) -> dict[str, Any]:
    keys = [*wanted.pairs, *wanted.remove]
    if ours := sorted(OWN.intersection(keys)):
        raise InputError(f"{listed(ours)}: the registration has written that, and it is evidence")
    if ours := [name for name in OF_BASELINE if name in keys]:
        raise InputError(f"{listed(ours)}: mims-registry baseline {version.name} writes that")
    if version.status == "Deleting":
        raise InputError(f"{version.name} is being deleted")
    request: dict[str, Any] = {"ModelPackageArn": version.arn}
    if wanted.pairs:
        request["CustomerMetadataProperties"] = wanted.pairs
    _check(registry, "UpdateModelPackage", request, wanted.pairs)
    report = wanted.changes(version.name, version.properties)
    changes = {
        "CustomerMetadataProperties": report["set"],
        "CustomerMetadataPropertiesToRemove": report["removed"],
    }
    if any(changes.values()) and not wanted.dry_run:
        registry.update(version, **{member: value for member, value in changes.items() if value})
    return report


def _check(
    registry: Registry, operation: str, request: Mapping[str, Any], tags: Mapping[str, str]
) -> None:
    """Hold a request to what the service model states."""
    shape = registry.sagemaker.meta.service_model.operation_model(operation).input_shape
    found = [f"{v.path}: {shown(v.value)} {v.must}" for v in violations(shape, request)]  # type: ignore[arg-type]
    found += [f"{key}: AWS keeps aws: for itself" for key in tags if key.lower()[:4] == "aws:"]
    if found:
        raise InputError(*found)


def _as_list(tags: Mapping[str, str]) -> list[Any]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
