"""The everyday of the registry, against the local AWS: what is told, made, tagged, downloaded."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from faults import denied, lost_answer, throttled, truncated
from governance_versions import JOB, OPERATOR, REGION, REPORTS, register_version
from mims.errors import InputError, ServiceError
from mims.governance import everyday, texts
from mims.governance.decisions import BEGUN, DONE, PROMOTE, REJECT, Decision, Step
from mims.governance.download import download
from mims.governance.enter import Sources, register
from mims.governance.registry import Registry
from mims.governance.tags import OWN, create_group, tag
from mims.governance.versions import Version
from mims.registration.audit import canonical
from mims.registration.parts import SMALLEST
from patience import looks
from registration_inputs import GROUP, PACKAGE, archive, digests
from registration_runs import make_buckets

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from faults import Faults

SPECIFICATION: Any = {
    "Containers": [{"Image": "x/y:1", "ModelDataUrl": "s3://mims-models/theirs/model.tar.gz"}],
    "SupportedContentTypes": ["text/csv"],
    "SupportedResponseMIMETypes": ["text/csv"],
}


@pytest.fixture
def registry(bucket: str) -> Registry:
    """The registry of the region that the bucket is in."""
    del bucket
    return Registry(REGION)


def foreign(sagemaker: SageMakerClient, group: str = "theirs") -> str:
    """A version that another tool has made: what it says of itself is next to nothing."""
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    made = sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=SPECIFICATION
    )
    return made["ModelPackageArn"]


# Looking


def test_groups_are_listed_by_name(registry: Registry) -> None:
    assert everyday.groups(registry) == []
    create_group(registry, "sales", description="what sells", tags={})
    create_group(registry, "fraud", tags={})
    first, second = everyday.groups(registry)
    assert first["group"] == "fraud"
    assert first["arn"].endswith(":model-package-group/fraud")
    assert (second["description"], second["status"]) == ("what sells", "Completed")


def test_versions_are_listed_newest_first(registry: Registry, tmp_path: Path) -> None:
    register_version(tmp_path / "1", model_owner="risk")
    register_version(tmp_path / "2", {"model_quality": {"auc": 0.8, "recall": 1}})
    second, first = everyday.versions(registry, GROUP)
    assert (second["version"], first["version"]) == (f"{GROUP}/2", f"{GROUP}/1")
    assert second["metrics"] == {"auc": 0.8, "recall": 1}
    assert first["metrics"] == {"accuracy": 0.91, "auc": 0.93}
    assert (first["stage"], first["status"]) == ("Development", "Completed")
    assert (first["approval"], first["model_owner"]) == ("PendingManualApproval", "risk")
    assert [v["version"] for v in everyday.versions(registry, GROUP, 1)] == [f"{GROUP}/2"]


def test_an_unknown_group_or_version_names_what_is_near(registry: Registry) -> None:
    create_group(registry, "fraud", tags={})
    with pytest.raises(InputError, match="no model package group frauds: did you mean fraud"):
        list(everyday.versions(registry, "frauds"))
    with pytest.raises(InputError, match="did you mean fraud"):
        everyday.history(registry, "frauds/3")
    with pytest.raises(InputError, match="group fraud in us-west-2 has no version number 3"):
        everyday.history(registry, "fraud/3")


def test_a_version_is_shown_whole(registry: Registry, tmp_path: Path) -> None:
    shown = everyday.show(register_version(tmp_path / "1"))
    model = digests(tmp_path / "1/opt/ml/processing/input/model/model.tar.gz")["sha256"]
    assert shown["files"]["model.tar.gz"]["sha256"] == model
    assert list(shown["files"]) == [
        *("model.tar.gz", "payload.tar.gz", "variable_schema.json"),
        *("ModelQuality.Statistics.json", "Bias.Report.json", "Explainability.Report.json"),
    ]
    assert shown["properties"]["workflow_execution_id"] == "wf-1"
    assert shown["card"] == "Draft"
    assert shown["failures"] == []
    json.dumps(shown)  # as programs get it
    del registry


def test_a_version_of_another_tool_is_shown_as_far_as_it_goes(
    registry: Registry, sagemaker: SageMakerClient
) -> None:
    arn = foreign(sagemaker)
    for _ in looks():
        shown = everyday.show(registry.version(arn))
        if shown["status"] == "Failed":
            break
    assert shown["failures"] == [
        "Could not find model data at s3://mims-models/theirs/model.tar.gz."
    ]
    assert shown["files"] == {
        "model.tar.gz": {"uri": "s3://mims-models/theirs/model.tar.gz", "sha256": None}
    }
    assert (shown["metrics"], shown["card"], shown["model_owner"]) == ({}, None, None)
    assert everyday.history(registry, "theirs") == []


WRONG_CARDS = [
    "[]",
    "{",
    '{"evaluation_details": [{"metric_groups": [{}]}]}',
    '{"evaluation_details": 3}',
    '{"evaluation_details": [{"metric_groups": [{"metric_data": [{"type": "number"}]}]}]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("content", WRONG_CARDS)
def test_a_card_that_is_none_is_told(content: str) -> None:
    arn = "arn:aws:sagemaker:us-west-2:123456789012:model-package/fraud/1"
    card = {"ModelCardContent": content, "ModelCardStatus": "Draft"}
    with pytest.raises(InputError, match="fraud/1: its card is not of AWS's schema"):
        everyday.card_metrics(Version.of({"ModelPackageArn": arn, "ModelCard": card}))


def test_an_odd_version_hides_no_other(proxy: Faults, tmp_path: Path) -> None:
    odd, well = (register_version(tmp_path / name) for name in ("1", "2"))

    def without_data(exchange: Any) -> None:
        status, headers, body = exchange.carry_out()
        if f'"{odd.arn}"'.encode() in body:
            body = body.replace(b"metric_data", b"metric_dota")
        exchange.answer(status, [*headers, ("Content-Length", str(len(body)))], body)

    proxy.on("DescribeModelPackage", without_data)
    registry = Registry(REGION)
    second, first = everyday.versions(registry, GROUP)
    assert (second["version"], second["problem"]) == (well.name, None)
    assert second["metrics"]
    assert (first["version"], first["stage"], first["metrics"]) == (odd.name, "Development", {})
    problem = f"{odd.name}: its card is not of AWS's schema: KeyError('metric_data')"
    assert first["problem"] == problem
    assert problem in texts.versions([second, first])
    shown = everyday.show(registry.version(odd.name))
    assert shown["properties"]["workflow_execution_id"] == "wf-1"
    assert problem in texts.version(shown)


# History


def test_history_tells_registrations_and_decisions_newest_first(
    registry: Registry, tmp_path: Path
) -> None:
    versions = [register_version(tmp_path / name) for name in ("1", "2")]
    trail = registry.trail(versions[0])
    step = Step(versions[0].arn, "Development", "Staging", "Approved", "Approved")
    for phase in (BEGUN, DONE):
        decision = Decision(PROMOTE, phase, OPERATOR, versions[0].arn, "looks good", (step,))
        trail.append(decision.record())
    still = Step(versions[1].arn, "Staging", "Staging", "Approved", "Rejected")
    trail.append(Decision(REJECT, DONE, OPERATOR, versions[1].arn, steps=(still,)).record())
    newest, *rows = everyday.history(registry, GROUP)
    assert (newest["number"], newest["event"]) == (5, "reject: done")
    assert newest["detail"] == f"{GROUP}/2 Approved → Rejected"
    assert [row["number"] for row in rows] == [4, 3, 2, 1]
    assert [row["event"] for row in rows] == [
        *("promote: done", "promote: begun", "registered", "registered")
    ]
    assert (rows[0]["by"], rows[0]["version"]) == (OPERATOR, f"{GROUP}/1")
    assert rows[0]["detail"] == f"{GROUP}/1 Development → Staging; looks good"
    assert (rows[2]["by"], rows[2]["detail"]) == (JOB, "workflow execution wf-2")
    assert rows[3]["record"]["previous_sha256"] is None
    only = everyday.history(registry, f"{GROUP}/2")
    assert [row["number"] for row in only] == [5, 2]


def test_history_refuses_a_broken_chain(
    registry: Registry, s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    register_version(tmp_path / "1")
    register_version(tmp_path / "2")
    key = f"mims/{GROUP}/audit/00000001.json"
    record = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    s3.put_object(Bucket=bucket, Key=key, Body=canonical({**record, "status": "Failed"}))
    with pytest.raises(InputError, match=r"audit/00000002.json: its previous_sha256"):
        everyday.history(registry, GROUP)


def test_history_of_versions_in_two_buckets_is_one(
    registry: Registry, s3: S3Client, tmp_path: Path
) -> None:
    where: Any = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket="mims-more", CreateBucketConfiguration=where)
    register_version(tmp_path / "1")
    register_version(tmp_path / "2", bucket="mims-more")
    rows = everyday.history(registry, GROUP)
    assert {row["version"] for row in rows} == {f"{GROUP}/1", f"{GROUP}/2"}
    assert [row["number"] for row in rows] == [1, 1]


# Groups and tags


def test_a_group_is_created_once(registry: Registry) -> None:
    would = create_group(registry, "fraud", tags={"team": "risk"}, dry_run=True)
    assert (would["done"], everyday.groups(registry)) == ("created", [])
    made = create_group(registry, "fraud", description="finds it", tags={"team": "risk"})
    assert made == {"group": "fraud", "done": "created", "tags": {"team": "risk"}, "dry_run": False}
    again = create_group(registry, "fraud", description="finds it", tags={"team": "risk"})
    assert again["done"] == "unchanged"
    more = create_group(registry, "fraud", tags={"stack": "a"})
    assert (more["done"], more["tags"]) == ("tagged", {"team": "risk", "stack": "a"})
    with pytest.raises(InputError, match="with the description 'finds it', and SageMaker can't"):
        create_group(registry, "fraud", description="loses it", tags={"more": "tags"})
    assert "more" not in tag(registry, "fraud", {}, ["none"])["tags"]


def test_a_group_whose_answer_was_lost_is_found_again(proxy: Faults) -> None:
    proxy.on("CreateModelPackageGroup", lost_answer(), times=1)
    registry = Registry(REGION)
    assert create_group(registry, "fraud", tags={"team": "risk"})["tags"] == {"team": "risk"}
    assert [group["group"] for group in everyday.groups(registry)] == ["fraud"]
    assert proxy.count("CreateModelPackageGroup") == 2


def test_all_that_is_wrong_with_a_group_is_told_at_once(registry: Registry) -> None:
    with pytest.raises(InputError) as caught:
        create_group(registry, "-fraud-", description="a\nb", tags={"aws:team": "x", "k": "ä!"})
    told = str(caught.value)
    for part in ("ModelPackageGroupName: '-fraud-'", "Description", "aws: for itself", "'ä!'"):
        assert part in told
    assert everyday.groups(registry) == []


def test_a_group_that_is_being_deleted_takes_nothing(proxy: Faults) -> None:
    registry = Registry(REGION)
    create_group(registry, "fraud", tags={})

    def deleting(exchange: Any) -> None:
        status, headers, body = exchange.carry_out()
        body = body.replace(b'"Completed"', b'"Deleting"')
        exchange.answer(status, [*headers, ("Content-Length", str(len(body)))], body)

    proxy.on("DescribeModelPackageGroup", deleting)
    with pytest.raises(InputError, match="group fraud in us-west-2 is Deleting: wait"):
        create_group(registry, "fraud", tags={})


def test_tags_of_a_group_are_set_and_removed(registry: Registry) -> None:
    create_group(registry, "fraud", tags={"team": "risk", "draft": "yes"})
    would = tag(registry, "fraud", {"team": "fraud"}, ["draft"], dry_run=True)
    done = tag(registry, "fraud", {"team": "fraud"}, ["draft", "never"])
    assert would == {**done, "dry_run": True}
    assert (done["set"], done["removed"]) == ({"team": "fraud"}, ["draft"])
    arn = everyday.groups(registry)[0]["arn"]
    again = tag(registry, arn, {"team": "fraud"}, ["draft"])
    assert (again["name"], again["set"], again["removed"]) == ("fraud", {}, [])
    assert again["tags"] == {"team": "fraud"}
    with pytest.raises(InputError, match="team: set and removed at once"):
        tag(registry, "fraud", {"team": "x"}, ["team"])
    with pytest.raises(InputError, match="fraud would have 51 of them, and SageMaker takes 50"):
        tag(registry, "fraud", {f"k{number}": "" for number in range(50)})


def test_properties_of_a_version_are_set_and_removed(registry: Registry, tmp_path: Path) -> None:
    name = register_version(tmp_path / "1").name
    before = registry.version(name).properties
    would = tag(registry, name, {"reviewed": "2026"}, dry_run=True)
    assert registry.version(name).properties == before
    assert tag(registry, name, {"reviewed": "2026"}) == {**would, "dry_run": False}
    assert registry.version(name).properties == {**before, "reviewed": "2026"}
    assert tag(registry, name, {}, ["reviewed"])["removed"] == ["reviewed"]
    assert registry.version(name).properties == before
    with pytest.raises(InputError, match="model_owner, model_sha256: the registration has written"):
        tag(registry, name, {"model_sha256": "0"}, ["model_owner"])
    with pytest.raises(InputError, match=r"CustomerMetadataProperties.a: '!' must be of the form"):
        tag(registry, name, {"a": "!"})


def test_all_that_a_registration_writes_is_protected(registry: Registry, tmp_path: Path) -> None:
    version = register_version(tmp_path / "1", model_version="3.1")
    assert set(version.properties) == OWN
    del registry


def test_a_version_that_is_being_deleted(
    registry: Registry, aws: LocalAws, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    version = register_version(tmp_path / "1")
    with aws.package_status(progression="time", seconds=3600):
        sagemaker.delete_model_package(ModelPackageName=version.arn)
        assert [v["status"] for v in everyday.versions(registry, GROUP)] == ["Deleting"]
        with pytest.raises(InputError, match="/1 is being deleted"):
            tag(registry, version.name, {"a": "b"})


# Download


def test_files_are_downloaded_and_verified(registry: Registry, tmp_path: Path) -> None:
    version = register_version(tmp_path / "1")
    to = tmp_path / "new" / "folder"
    would = download(registry, version, to, everything=False, dry_run=True)
    assert [row["done"] for row in would] == ["to be downloaded"]
    assert not to.exists()
    (row,) = download(registry, version, to, everything=False)
    assert (row["done"], row["verified"], row["sha256"]) == (
        "downloaded",
        True,
        version.model.sha256,
    )
    registered = tmp_path / "1/opt/ml/processing/input/model/model.tar.gz"
    assert (to / "model.tar.gz").read_bytes() == registered.read_bytes()
    rows = download(registry, version, to, everything=True)
    assert [row["done"] for row in rows] == ["there already", *["downloaded"] * 5]
    assert json.loads((to / "Bias.Report.json").read_bytes()) == REPORTS["bias"]
    for row in rows:
        assert digests(to / row["file"].rpartition("/")[2])["sha256"] == row["sha256"]


def test_another_file_is_never_overwritten(registry: Registry, tmp_path: Path) -> None:
    version = register_version(tmp_path / "1")
    (tmp_path / "to").mkdir()
    (tmp_path / "to/Bias.Report.json").write_text("mine")
    (tmp_path / "to/payload.tar.gz").mkdir()
    with pytest.raises(InputError) as caught:
        download(registry, version, tmp_path / "to", everything=True)
    assert len(caught.value.problems) == 2
    assert "Bias.Report.json is there, and is another file" in str(caught.value)
    names = {path.name for path in (tmp_path / "to").iterdir()}
    assert names == {"Bias.Report.json", "payload.tar.gz"}


def test_what_was_changed_since_is_not_kept(
    registry: Registry, s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    version = register_version(tmp_path / "1")
    key = version.model.uri.partition(f"{bucket}/")[2]
    s3.put_object(Bucket=bucket, Key=key, Body=b"trojan")
    with pytest.raises(InputError, match="or was changed since"):
        download(registry, version, tmp_path / "to", everything=False)
    assert list((tmp_path / "to").iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing(proxy: Faults, tmp_path: Path) -> None:
    version = register_version(tmp_path / "1")
    proxy.on("GetObject", truncated(keep=20))
    with pytest.raises(ServiceError, match="GetObject in us-west-2"):
        download(Registry(REGION), version, tmp_path / "to", everything=False)
    assert list((tmp_path / "to").iterdir()) == []


def test_without_a_digest_a_file_is_unverified(
    registry: Registry, sagemaker: SageMakerClient, s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    version = registry.version(foreign(sagemaker))
    with pytest.raises(InputError, match=r"theirs/model.tar.gz: is not there \(404\)"):
        download(registry, version, tmp_path, everything=True)
    s3.put_object(Bucket=bucket, Key="theirs/model.tar.gz", Body=b"model")
    (row,) = download(registry, version, tmp_path, everything=True)
    assert row["sha256"] == hashlib.sha256(b"model").hexdigest()
    assert not row["verified"]
    with pytest.raises(InputError, match="is there, and is another file"):
        download(registry, version, tmp_path, everything=True)


def test_a_version_without_files(
    registry: Registry, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="empty")
    sagemaker.create_model_package(ModelPackageGroupName="empty")
    with pytest.raises(InputError, match="empty/1 names no files to download"):
        download(registry, registry.version("empty"), tmp_path, everything=True)


# Register


@pytest.fixture
def latest(s3: S3Client, bucket: str, tmp_path: Path) -> str:
    """The S3 path of a model that somebody has packaged."""
    s3.upload_file(str(archive(tmp_path / "model.tar.gz", PACKAGE)), bucket, "latest/model.tar.gz")
    return f"s3://{bucket}/latest/model.tar.gz"


@pytest.fixture
def at_once(aws: LocalAws) -> Any:
    """SageMaker decides at once."""
    with aws.package_status(progression="immediate"):
        yield


@pytest.mark.usefixtures("at_once")
def test_an_artifact_in_s3_becomes_one_version(
    registry: Registry, latest: str, tmp_path: Path
) -> None:
    create_group(registry, "fraud", tags={})
    would = register(registry, Sources(latest), group="fraud", dry_run=True)
    assert list(everyday.versions(registry, "fraud")) == []
    done = register(registry, Sources(latest), group="fraud")
    assert done["new"] == {REGION: 1}
    assert (
        done["model_sha256"]
        == would["model_sha256"]
        == digests(tmp_path / "model.tar.gz")["sha256"]
    )
    again = register(registry, Sources(latest))  # the only group
    assert (again["known"], again["bytes_uploaded"]) == ({REGION: 1}, 0)
    version = registry.version("fraud")
    assert version.described["SourceUri"] == latest
    assert version.model.uri in would["places"][REGION]
    assert [row["event"] for row in everyday.history(registry, "fraud")] == [
        *("registered before", "registered")
    ]
    assert register(registry, Sources(latest), workflow="retrained")["new"] == {REGION: 2}


@pytest.mark.usefixtures("at_once")
def test_config_payload_and_metrics_come_along(
    registry: Registry, s3: S3Client, bucket: str, latest: str, tmp_path: Path
) -> None:
    register_version(tmp_path / "1")
    payload = tmp_path / "1/opt/ml/processing/mims_payload/payload.tar.gz"
    s3.upload_file(str(payload), bucket, "payload/samples.tar.gz")
    metrics = tmp_path / "metrics.json"
    metrics.write_text('{"model_quality": {"auc": 0.5}}')
    config = tmp_path / "config.json"
    make_buckets({"eu-west-1": "mims-eu"})
    create_group(registry, "fraud", tags={})
    create_group(Registry("eu-west-1"), "fraud", tags={})
    where = {REGION: bucket, "eu-west-1": "mims-eu"}
    config.write_text(json.dumps({"regions": list(where), "bucket": where, "model_owner": "me"}))
    sources = Sources(latest, f"s3://{bucket}/payload/samples.tar.gz", str(metrics))
    done = register(registry, sources, group="fraud", config=config)
    assert done["new"] == {REGION: 1, "eu-west-1": 1}
    (row,) = everyday.versions(Registry("eu-west-1"), "fraud")
    assert (row["metrics"], row["model_owner"]) == ({"auc": 0.5}, "me")
    assert registry.version("fraud").payload
    config.write_text(json.dumps({"model_name": "sales"}))
    with pytest.raises(InputError, match="the config names group sales, and --group fraud"):
        register(registry, sources, group="fraud", config=config)


@pytest.mark.usefixtures("at_once")
def test_s3_copies_a_large_artifact_itself(
    registry: Registry, s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    weights = random.Random(1).randbytes(SMALLEST + 1)  # noqa: S311 - no secret
    package = {**PACKAGE, "model_artifacts/weights.bin": weights}
    s3.upload_file(str(archive(tmp_path / "m.tar.gz", package)), bucket, "big/fraud.tar.gz")
    create_group(registry, "fraud", tags={})
    done = register(registry, Sources(f"s3://{bucket}/big/fraud.tar.gz"), group="fraud")
    assert done["bytes_copied"] == digests(tmp_path / "m.tar.gz")["size"]
    assert done["bytes_uploaded"] < SMALLEST


WRONG = [
    # what was mistyped
    ({"group": "frauds"}, "did you mean fraud"),
    # what is another model than was meant
    ({"group": "fraud", "sha256": "0" * 64}, f"not {'0' * 64}: it is another one"),
    # which one is not for us to guess
    ({}, "no group: give --group, or --config (us-west-2 has fraud, sales)"),
]


@pytest.mark.parametrize(("options", "problem"), WRONG)
def test_a_registration_that_is_refused_writes_nothing(
    registry: Registry, s3: S3Client, latest: str, options: Any, problem: str
) -> None:
    for group in ("fraud", "sales"):
        create_group(registry, group, tags={})
    with pytest.raises(InputError) as caught:
        register(registry, Sources(latest), **options)
    assert problem in str(caught.value)
    assert s3.list_objects_v2(Bucket="mims-models")["KeyCount"] == 1
    assert list(everyday.versions(registry, "fraud")) == []


def test_what_is_wrong_with_inputs_is_told_by_their_s3_paths(
    registry: Registry, s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no group yet: make one with create-group"):
        register(registry, Sources(f"s3://{bucket}/a.tar.gz"))
    create_group(registry, "fraud", tags={})
    s3.upload_file(str(archive(tmp_path / "m", {"a": b""})), bucket, "a/model.tar.gz")
    with pytest.raises(InputError) as caught:
        register(registry, Sources(f"s3://{bucket}/a/model.tar.gz"))
    assert str(caught.value).startswith(f"s3://{bucket}/a/model.tar.gz: no code/inference.py")
    for wrong in ("models/latest", f"s3://{bucket}", f"s3://{bucket}/a/"):
        with pytest.raises(InputError, match="must be an object's S3 path"):
            register(registry, Sources(wrong))
    with pytest.raises(InputError, match=r"none.tar.gz: is not there"):
        register(registry, Sources(f"s3://{bucket}/none.tar.gz"))


# What AWS may say


def test_throttled_requests_are_sent_again(proxy: Faults, tmp_path: Path) -> None:
    register_version(tmp_path / "1")
    for operation in ("ListModelPackages", "DescribeModelPackage", "GetObject"):
        proxy.on(operation, throttled(), times=2)
    assert len(everyday.history(Registry(REGION), GROUP)) == 1
    proxy.on("DescribeModelPackage", throttled())
    with pytest.raises(ServiceError, match=r"ThrottlingException.*asked 5 times.*run again later"):
        list(everyday.versions(Registry(REGION), GROUP))


def test_a_refusal_says_what_to_allow(proxy: Faults, tmp_path: Path) -> None:
    version = register_version(tmp_path / "1")
    proxy.on("UpdateModelPackage", denied("sagemaker:UpdateModelPackage"))
    with pytest.raises(ServiceError, match="not authorized to perform: sagemaker:UpdateModelPac"):
        tag(Registry(REGION), version.name, {"a": "b"})
    proxy.on("CreateModelPackageGroup", denied("sagemaker:CreateModelPackageGroup"))
    with pytest.raises(ServiceError, match="CreateModelPackageGroup in us-west-2 for fraud"):
        create_group(Registry(REGION), "fraud", tags={})
    proxy.on("DescribeModelPackageGroup", denied("sagemaker:DescribeModelPackageGroup"))
    with pytest.raises(ServiceError, match="DescribeModelPackageGroup in us-west-2 for fraud"):
        create_group(Registry(REGION), "fraud", tags={})
