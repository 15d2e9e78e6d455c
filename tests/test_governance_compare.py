"""Two registered versions side by side: what differs, what is the same, and what can't be told."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from faults import truncated
from governance_versions import QUALITY, REGION, REPORTS, register_version
from mims.errors import InputError, ServiceError
from mims.governance import compare as comparing
from mims.governance.compare import compare
from mims.governance.registry import Registry
from mims.governance.versions import File
from registration_inputs import GROUP, PACKAGE, VARIABLES
from test_governance_everyday import foreign

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from faults import Faults
    from mims.governance.versions import Version

OTHER = {
    **REPORTS,
    "model_quality": {"binary_classification_metrics": {"auc": {"value": 0.95}, "f1": 0.7}},
}


@pytest.fixture
def registry(bucket: str) -> Registry:
    """The registry of the region that the bucket is in."""
    del bucket
    return Registry(REGION)


@pytest.fixture
def pair(registry: Registry, tmp_path: Path) -> tuple[Version, Version]:
    """Two versions that differ in everything that is compared."""
    del registry
    code = {"code/inference.py": b"def model_fn(): return 1", "code/more.py": b""}
    first = register_version(tmp_path / "1", package={**PACKAGE, "calibration/old.json": b"{}"})
    second = register_version(
        tmp_path / "2",
        OTHER,
        package={**PACKAGE, **code},
        model_owner="risk",
        source_model_inference_output_variable_list={"legacy-score": "TEXT", "score": "NUMERIC"},
    )
    return first, second


def test_what_differs_is_told(registry: Registry, pair: tuple[Version, Version]) -> None:
    found = compare(registry, *pair)
    assert (found["first"], found["second"]) == (f"{GROUP}/1", f"{GROUP}/2")
    assert found["facts"]["model_owner"] == ["team id", "risk"]
    metrics = {row["metric"]: row for row in found["metrics"]}
    auc = metrics["ModelQuality.Statistics: binary_classification_metrics.auc"]
    assert (auc["first"], auc["second"]) == (0.93, 0.95)
    assert auc["difference"] == pytest.approx(0.02)
    f1 = metrics["ModelQuality.Statistics: binary_classification_metrics.f1"]
    assert (f1["first"], f1["second"], f1["difference"]) == (None, 0.7, None)
    assert metrics["Bias.Report: sex female DI"]["difference"] == 0
    assert metrics["Explainability.Report: age"]["first"] == 0.31
    same = {"added": {}, "removed": {}, "changed": {}, "reordered": False}
    assert found["schema"]["input"] == same
    assert found["schema"]["output"]["added"] == {"score": "NUMERIC"}
    assert found["schema"]["output"]["changed"] == {"legacy-score": ["NUMERIC", "TEXT"]}
    assert found["digests"]["model.tar.gz"] == [version.model.sha256 for version in pair]
    payload = found["digests"]["payload.tar.gz"]
    assert payload[0] == payload[1]
    assert found["code"] == {
        "read": True,
        "added": ["code/more.py"],
        "removed": ["calibration/old.json"],
        "changed": ["code/inference.py", "model_artifacts/weights.txt"],
        "same": 1,
    }
    assert found["properties"]["workflow_execution_id"] == ["wf-1", "wf-2"]
    assert "model_registration_domain" not in found["properties"]


def test_a_version_is_the_same_as_itself(registry: Registry, tmp_path: Path) -> None:
    version = register_version(tmp_path / "1")
    found = compare(registry, version, version, code=True)
    assert (found["facts"], found["properties"]) == ({}, {})
    assert {row["difference"] for row in found["metrics"]} == {0}
    assert found["code"] == {
        "read": False,
        "why": "the packages are the same, by their digests",
    }


def test_variables_that_went_or_moved(registry: Registry, tmp_path: Path) -> None:
    first = register_version(tmp_path / "1", source_model_inference_input_variable_list=VARIABLES)
    second = register_version(
        tmp_path / "2",
        source_model_inference_input_variable_list=dict(reversed(VARIABLES.items())),
        source_model_inference_output_variable_list={"score": "NUMERIC"},
        source_model_inference_content_types=["application/json"],  # CSV would go by place
    )
    schema = compare(registry, first, second)["schema"]
    assert schema["input"]["reordered"]
    assert schema["output"]["removed"] == {"legacy-score": "NUMERIC"}
    assert not schema["output"]["reordered"]


def test_packages_are_read_unless_they_are_large(
    registry: Registry, pair: tuple[Version, Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compare(registry, *pair, code=False)["code"]["why"] == "not asked for"
    monkeypatch.setattr(comparing, "LIMIT", 100)
    assert "bytes together: --code reads them" in compare(registry, *pair)["code"]["why"]
    assert compare(registry, *pair, code=True)["code"]["read"]


CHANGED = {
    # other bytes where a report was registered
    "reports": (lambda version: version.reports["Bias.Report"], b"{}", "it was changed since"),
    # a package that was put in its place
    "packages": (lambda version: version.model, b"trojan", "model.tar.gz: "),
}


@pytest.mark.parametrize(("file", "content", "problem"), CHANGED.values(), ids=CHANGED)
def test_what_was_changed_since_is_not_compared(  # noqa: PLR0917 - the table's columns
    registry: Registry,
    pair: tuple[Version, Version],
    s3: S3Client,
    file: Any,
    content: bytes,
    problem: str,
) -> None:
    bucket, _, key = file(pair[0]).uri.removeprefix("s3://").partition("/")
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    with pytest.raises(InputError, match=problem):
        compare(registry, *pair)


def test_a_whole_package_in_anothers_place_is_noticed(
    registry: Registry, pair: tuple[Version, Version], s3: S3Client
) -> None:
    one, other = (version.model.uri.removeprefix("s3://").partition("/") for version in pair)
    content = io.BytesIO()
    s3.download_fileobj(other[0], other[2], content)
    s3.put_object(Bucket=one[0], Key=one[2], Body=content.getvalue())
    with pytest.raises(InputError, match="it is another one, or was changed since"):
        compare(registry, *pair)


def test_a_package_that_breaks_off_is_no_difference(proxy: Faults, tmp_path: Path) -> None:
    pair = [register_version(tmp_path / name) for name in ("1", "2")]
    is_model = lambda request: request.path.endswith("model.tar.gz")  # noqa: E731
    proxy.on("GetObject", truncated(keep=100), when=is_model)
    with pytest.raises(ServiceError, match=r"GetObject in us-west-2 for .*model.tar.gz"):
        compare(Registry(REGION), *pair)


def test_a_version_of_another_tool_is_compared_as_far_as_it_goes(
    registry: Registry, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    ours = register_version(tmp_path / "1")
    found = compare(registry, ours, registry.version(foreign(sagemaker)), code=False)
    assert found["schema"] == {"known": False}
    assert {row["second"] for row in found["metrics"]} == {None}
    assert found["digests"]["model.tar.gz"] == [ours.model.sha256, None]
    assert found["facts"]["image"][1] == "x/y:1"


def test_only_finite_numbers_are_metrics(registry: Registry, tmp_path: Path) -> None:
    quality = {**QUALITY, "loss": "NaN", "good": True, "epochs": 3, "curve": [1, 2]}
    version = register_version(tmp_path / "1", {"model_quality": quality})
    found = comparing.numbers_of(registry, version)
    names = {name.removeprefix("ModelQuality.Statistics: ") for name in found}
    assert "epochs" in names
    assert not names & {"loss", "good", "curve"}


def test_a_folder_is_no_file(registry: Registry, s3: S3Client, bucket: str) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        folder = tarfile.TarInfo("code")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        tar.addfile(tarfile.TarInfo("code/inference.py"))
    s3.put_object(Bucket=bucket, Key="model.tar.gz", Body=content.getvalue())
    found = comparing.members(registry, File(f"s3://{bucket}/model.tar.gz"))
    assert list(found) == ["code/inference.py"]


ODD_FILES = [
    ("[1]", "must be an object, not"),
    ('{"loss": NaN}', "is no JSON"),
]


@pytest.mark.parametrize(("content", "problem"), ODD_FILES)
def test_an_odd_report_of_another_tool(
    registry: Registry, tmp_path: Path, s3: S3Client, content: str, problem: str
) -> None:
    s3.put_object(Bucket="mims-models", Key="report.json", Body=content.encode())
    reports = {"model_quality": "s3://mims-models/report.json"}
    version = register_version(tmp_path / "1", reports)
    with pytest.raises(InputError, match=problem):
        compare(registry, version, version)


def test_a_schema_of_another_shape(registry: Registry, tmp_path: Path, s3: S3Client) -> None:
    s3.put_object(Bucket="mims-models", Key="schema.json", Body=b'{"input": []}')
    version = register_version(tmp_path / "1")
    odd = replace(version, schema=File("s3://mims-models/schema.json"))
    with pytest.raises(InputError, match=r"s3://mims-models/schema.json: is no variable schema"):
        compare(registry, odd, version)
