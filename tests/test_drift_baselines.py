"""A version's baseline: stored under its digest, named by the version, told in the audit trail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from drift_data import birds, profile_of, written
from faults import denied
from governance_versions import OTHER, REGION, register_version
from mims import console
from mims.errors import EXIT_DONE, EXIT_INPUT, EXIT_USAGE, InputError, ServiceError
from mims.governance import everyday, texts
from mims.governance.commands.watching import baseline
from mims.governance.decisions import (
    ADMIT,
    BASELINE,
    DONE,
    Decision,
    History,
    OvertakenError,
    append,
)
from mims.governance.download import download
from mims.governance.drift import baselines
from mims.governance.profiles.profile import Profile
from mims.governance.registry import Registry
from mims.governance.tags import tag
from test_governance_everyday import foreign

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from faults import Faults
    from mims.governance.versions import Version
    from mims.registration.audit import Trail


@pytest.fixture
def registry(bucket: str) -> Registry:
    """The registry of the region that the bucket is in."""
    del bucket
    return Registry(REGION)


@pytest.fixture
def version(registry: Registry, tmp_path: Path) -> Version:
    """A version without a baseline."""
    return register_version(tmp_path / "1", region=registry.region)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    """What the penguins look like."""
    return profile_of(tmp_path, pa.Table.from_pandas(birds()), form="csv")


@pytest.fixture
def run(aws: LocalAws, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `baseline` with some arguments: give what it says, and check its exit code."""
    del aws

    def run(*arguments: object, code: int = EXIT_DONE) -> str:
        capsys.readouterr()
        ended = console.run(baseline, [*map(str, arguments)], "mims-registry baseline", "")
        said = capsys.readouterr()
        assert ended == code, said
        return said.err if code else said.out

    return run


def decisions(registry: Registry, version: Version) -> list[Decision]:
    return [d for d in History.read(registry.trail(version)).decisions if d.action == BASELINE]


# Stored and found


def test_a_baseline_is_stored_and_found(
    registry: Registry, version: Version, profile: Profile
) -> None:
    setting = baselines.store(registry, version, profile)
    found, again = baselines.find(registry, registry.version(version.name))
    assert (setting.done, setting.replaced, setting.file) == ("stored", None, found)
    assert again == profile
    sha256 = baselines.artifact(profile).sha256
    where = f"mims/{version.group}/sha256/{sha256}/baseline.json"
    assert found == (f"s3://mims-models/{where}", sha256)
    (decision,) = decisions(registry, version)
    assert (decision.phase, decision.arn, decision.reason) == (DONE, version.arn, sha256)
    assert decision.actor == registry.actor


def test_a_download_of_everything_brings_it_along(
    registry: Registry, version: Version, profile: Profile, tmp_path: Path
) -> None:
    baselines.store(registry, version, profile)
    rows = download(registry, registry.version(version.name), tmp_path / "to", everything=True)
    assert (tmp_path / "to/baseline.json").read_bytes() == baselines.content(profile)
    assert all(row["verified"] for row in rows)


def test_the_same_baseline_again_changes_nothing(
    registry: Registry, version: Version, profile: Profile, asked: list[str]
) -> None:
    baselines.store(registry, version, profile)
    again = Registry(REGION)
    asked.clear()
    assert baselines.store(again, again.version(version.name), profile).done == "unchanged"
    assert {"PutObject", "UpdateModelPackage"}.isdisjoint(asked)
    assert len(decisions(registry, version)) == 1


def test_another_baseline_takes_its_place(
    registry: Registry, version: Version, profile: Profile, tmp_path: Path
) -> None:
    first = baselines.store(registry, version, profile)
    other = profile_of(tmp_path, pa.table({"x": [1.0, 2.0]}))
    second = baselines.store(registry, registry.version(version.name), other)
    assert second.replaced == first.file.sha256
    assert baselines.find(registry, registry.version(version.name))[1] == other
    assert registry.read(first.file)  # no object is deleted
    baselines.store(registry, registry.version(version.name), profile)  # and back
    assert baselines.find(registry, registry.version(version.name))[1] == profile
    assert len(decisions(registry, version)) == 3


def test_dry_run_changes_nothing(
    registry: Registry, version: Version, profile: Profile, s3: S3Client
) -> None:
    before = s3.list_objects_v2(Bucket="mims-models")["KeyCount"]
    assert baselines.store(registry, version, profile, dry_run=True).done == "stored"
    assert s3.list_objects_v2(Bucket="mims-models")["KeyCount"] == before
    assert registry.version(version.name).properties == version.properties


def test_a_version_without_one_says_what_to_run(registry: Registry, version: Version) -> None:
    with pytest.raises(InputError, match=f"mims-registry baseline {version.name} --data FILE"):
        baselines.find(registry, version)


@pytest.mark.parametrize("section", ["model_data_quality", "ModelDataQuality"])
def test_a_baseline_that_came_with_the_registration(
    registry: Registry, profile: Profile, tmp_path: Path, section: str
) -> None:
    reports = {"drift_check_baselines": {section: profile.to_json()}}
    version = register_version(tmp_path / "1", reports)
    file, found = baselines.find(registry, version)
    assert found == profile
    assert file.sha256
    setting = baselines.store(registry, version, profile)  # as of now by ourselves
    assert setting.done == "stored"
    assert baselines.find(registry, registry.version(version.name))[0] == setting.file


def test_a_baseline_that_was_changed_in_s3_is_refused(
    registry: Registry, version: Version, profile: Profile, s3: S3Client
) -> None:
    file = baselines.store(registry, version, profile).file
    key = file.uri.removeprefix("s3://mims-models/")
    s3.put_object(Bucket="mims-models", Key=key, Body=b"{}")
    with pytest.raises(InputError, match="it was changed since"):
        baselines.find(registry, registry.version(version.name))
    # Storing it once more heals it.
    baselines.store(registry, version, profile)
    assert baselines.find(registry, registry.version(version.name))[1] == profile


def test_show_and_history_tell_of_it(
    registry: Registry, version: Version, profile: Profile
) -> None:
    file = baselines.store(registry, version, profile).file
    version = registry.version(version.name)
    shown = everyday.show(version)
    assert shown["properties"]["drift_baseline_uri"] == file.uri
    assert str(file.sha256) in texts.version(shown)
    row = everyday.history(registry, version.name)[0]
    assert (row["event"], row["detail"]) == ("baseline: done", file.sha256)
    assert row["version"] == version.name
    texts.history([row])


def test_tag_leaves_it_alone(registry: Registry, version: Version, profile: Profile) -> None:
    baselines.store(registry, version, profile)
    for pairs, remove in (({"drift_baseline_uri": "x"}, ()), ({}, ["drift_baseline_sha256"])):
        with pytest.raises(InputError, match=r"mims-registry baseline .* writes that"):
            tag(registry, version.name, pairs, remove)


def test_versions_that_take_none(
    registry: Registry, version: Version, profile: Profile, sagemaker: SageMakerClient
) -> None:
    room = 50 - len(version.properties) - 1
    tag(registry, version.name, {f"k{number}": "v" for number in range(room)})
    with pytest.raises(InputError, match="has 49 properties, and SageMaker takes 50"):
        baselines.store(registry, registry.version(version.name), profile)
    sagemaker.create_model_package_group(ModelPackageGroupName="bare")
    bare = sagemaker.create_model_package(ModelPackageGroupName="bare")["ModelPackageArn"]
    with pytest.raises(InputError, match="bare/1 has no model in S3"):
        baselines.store(registry, registry.version(bare), profile)


def test_a_version_of_another_tool(
    registry: Registry, sagemaker: SageMakerClient, profile: Profile
) -> None:
    version = registry.version(foreign(sagemaker))
    baselines.store(registry, version, profile)
    assert baselines.find(registry, registry.version(version.name))[1] == profile


# Cut off, and together


def test_a_run_that_was_cut_off_is_completed(
    registry: Registry, version: Version, profile: Profile, proxy: Faults
) -> None:
    proxy.on("UpdateModelPackage", denied("sagemaker:UpdateModelPackage"))
    with pytest.raises(ServiceError, match="UpdateModelPackage"):
        baselines.store(Registry(REGION), version, profile)
    proxy.mend()
    with pytest.raises(InputError, match="has no baseline"):
        baselines.find(registry, registry.version(version.name))
    assert baselines.store(registry, registry.version(version.name), profile).done == "stored"
    assert baselines.find(registry, registry.version(version.name))[1] == profile
    assert len(decisions(registry, version)) == 1  # it was put down once


def test_of_two_operators_one_wins(
    registry: Registry,
    version: Version,
    profile: Profile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = profile_of(tmp_path, pa.table({"x": [1.0, 2.0]}))

    def meanwhile(trail: Trail, decision: Decision, history: History) -> None:
        monkeypatch.setattr(baselines, "append", append)
        baselines.store(Registry(REGION), version, other)
        append(trail, decision, history)

    monkeypatch.setattr(baselines, "append", meanwhile)
    with pytest.raises(OvertakenError, match="was quicker: baseline of version 1, done"):
        baselines.store(registry, version, profile)
    assert baselines.find(registry, registry.version(version.name))[1] == other


def test_who_is_late_leaves_what_was_decided_last(
    registry: Registry,
    version: Version,
    profile: Profile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both are in the trail, and the first comes to the version after the second."""
    other = profile_of(tmp_path, pa.table({"x": [1.0, 2.0]}))

    def late(trail: Trail, decision: Decision, history: History) -> None:
        append(trail, decision, history)
        monkeypatch.setattr(baselines, "append", append)
        baselines.store(Registry(REGION), version, other)

    monkeypatch.setattr(baselines, "append", late)
    with pytest.raises(OvertakenError, match="another operator has set the baseline"):
        baselines.store(registry, version, profile)
    assert baselines.find(registry, registry.version(version.name))[1] == other


def test_a_decision_of_another_version_is_none_of_ours(
    registry: Registry, version: Version, profile: Profile, tmp_path: Path
) -> None:
    second = register_version(tmp_path / "2")
    baselines.store(registry, version, profile)
    trail = registry.trail(version)
    sha256 = baselines.artifact(profile).sha256
    append(trail, Decision("approve", DONE, OTHER, second.arn, sha256), History.read(trail))
    assert baselines.store(registry, second, profile).done == "stored"
    assert [d.arn for d in decisions(registry, version)] == [version.arn, second.arn]


def test_a_version_in_an_ab_stays_in_it(
    registry: Registry, version: Version, profile: Profile
) -> None:
    trail = registry.trail(version)
    append(trail, Decision(ADMIT, DONE, OTHER, version.arn), History.read(trail))
    baselines.store(registry, version, profile)
    assert [d.arn for d in History.read(trail).admitted()] == [version.arn]


# The command


def test_the_command_makes_and_stores_one(
    run: Any, version: Version, tmp_path: Path, s3: S3Client, registry: Registry
) -> None:
    data = written(tmp_path, pa.Table.from_pandas(birds()), "csv", "train")
    s3.upload_file(str(data), "mims-models", "in/train.csv")
    scores = written(tmp_path, pa.table({"score": [0.1, 0.9]}), "jsonl", "scores")
    given = (version.name, "--data", "s3://mims-models/in/train.csv", "--predictions", scores)
    said = run(*given, "--target", "species", "--target", "island")
    assert "culmen_length_mm" in said
    assert "32.1 to 59.6, mean 43.9219" in said
    assert "species" not in said
    assert f"{version.name}: stored, s3://mims-models/mims/" in said
    again = json.loads(run(*given, "--target", "species", "--target", "island", "--json"))
    assert (again["done"], again["records"], again["dry_run"]) == ("unchanged", 342, False)
    assert again["inputs"]["sex"] == {
        "kind": "category",
        "missing": pytest.approx(0.026, abs=0.01),
        "categories": 2,
    }
    assert again["outputs"]["score"]["high"] == 0.9
    found, profile = baselines.find(registry, registry.version(version.name))
    assert (found.uri, found.sha256) == (again["uri"], again["sha256"])
    assert profile.source["inputs"]["names"] == ["s3://mims-models/in/train.csv"]
    would = run(*given, "--dry-run")
    assert f"{version.name}: would be stored" in would
    assert f"in place of {found.sha256}" in would


def test_the_command_writes_a_file(run: Any, tmp_path: Path) -> None:
    """With no version and no region: nobody is asked."""
    data = tmp_path / "train.csv"
    data.write_text("1,a\n2,b\n")
    to = tmp_path / "baseline.json"
    given = ("--data", data, "--names", "x, c", "--to", to)
    assert f"would be written: {to}" in run(*given, "--dry-run")
    assert not to.exists()
    report = json.loads(run(*given, "--json"))
    assert (report["done"], report["file"], [*report["inputs"]]) == ("written", str(to), ["x", "c"])
    assert Profile.from_json(json.loads(to.read_text())).records == 2
    first = to.read_bytes()
    run(*given)
    assert to.read_bytes() == first


def test_the_command_tells_all_that_is_wrong(run: Any, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x,x\n1,2\n")
    scores = tmp_path / "scores.txt"
    scores.write_text("1\n")
    data = tmp_path / "data.csv"
    to = ("--to", tmp_path / "b.json")
    said = run("--data", data, "--predictions", scores, *to, code=EXIT_INPUT)
    assert "2 problems" in said
    assert "data.csv: has two columns named x" in said
    assert "scores.txt: its name tells no format" in said
    assert "name a VERSION" in run("--data", data, code=EXIT_USAGE)
    assert "must be names" in run("--data", data, "--names", "a,,b", *to, code=EXIT_USAGE)
    said = run("no/1", "--data", data, "--region", REGION, code=EXIT_INPUT)
    assert "has no model package group no" in said
