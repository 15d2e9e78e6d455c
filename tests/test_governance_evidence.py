"""What is found of real versions in the local AWS, what of reports, and what is no evidence."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from governance_evidence import ARN, described, evidence_of
from governance_versions import OPERATOR, REGISTRAR, REPORTS, register_version
from mims.errors import InputError
from mims.governance.decisions import History
from mims.governance.gates.evidence import Evidence, gather
from mims.governance.registry import Registry
from mims.governance.report_shapes import bias, importance, metrics
from mims.governance.versions import File, Version

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

QUALITY = "ModelQuality.Statistics"
NOW = datetime(2027, 1, 1, tzinfo=UTC)


def evidence_for(version: Version, **more: Any) -> Evidence:
    """The evidence of a version as the registry has it now."""
    registry = Registry(version.region)
    history = History.read(registry.trail(version))
    version = registry.version(version.arn)
    return gather(registry, version, production=None, baselines={}, history=history, **more)


def put(s3: S3Client, file: File, content: bytes) -> None:
    bucket, _, key = file.uri.removeprefix("s3://").partition("/")
    s3.put_object(Bucket=bucket, Key=key, Body=content)


def remove(s3: S3Client, file: File) -> None:
    bucket, _, key = file.uri.removeprefix("s3://").partition("/")
    s3.delete_object(Bucket=bucket, Key=key)


@pytest.fixture
def version(tmp_path: Path, bucket: str) -> Version:
    """A version with all reports."""
    made = register_version(tmp_path / "1")
    assert made.bucket == bucket
    return made


# What there is


def test_what_a_version_brings(version: Version) -> None:
    found = evidence_for(version)
    assert found.metric("auc") == 0.93
    assert found.metric("binary_classification_metrics.accuracy") == 0.91
    assert found.bias("sex", "DPL") == {"female": 0.02, "male": -0.02}
    assert found.bias("sex", "DI") == {"female": 0.95}
    assert found.importance() == {"age": 0.31, "country": 0.12}
    inputs, outputs = found.variables(version)
    assert [*inputs.items()] == [("age", "NUMERIC"), ("country", "TEXT")]
    assert outputs == {"legacy-score": "NUMERIC"}
    assert found.digest(version.model) == version.model.sha256
    assert found.registration()["model_package_arn"] == version.arn
    assert found.approvals == ()
    assert found.registered_by == REGISTRAR


def test_who_registered_is_whom_sagemaker_names_first(version: Version) -> None:
    known = dataclasses.replace(version, created_by=OPERATOR)
    registry = Registry(version.region)
    history = History.read(registry.trail(version))
    found = gather(registry, known, production=None, baselines={}, history=history)
    assert found.registered_by == OPERATOR


def test_a_flat_report_is_all_that_it_says(tmp_path: Path, bucket: str) -> None:
    assert bucket
    found = evidence_for(register_version(tmp_path / "1", {"auc": 0.8, "bias": {"sex": {"DI": 1}}}))
    assert found.metric("auc") == 0.8
    assert found.bias("sex", "DI") == {"": 1}


# What was changed since


def test_a_changed_package(version: Version, s3: S3Client) -> None:
    put(s3, version.model, b"other trees")
    with pytest.raises(InputError, match=r"not \w{64}: it is another one, or was changed since"):
        evidence_for(version).digest(version.model)


def test_a_package_that_is_gone(version: Version, s3: S3Client) -> None:
    remove(s3, version.model)
    with pytest.raises(InputError, match=r"model.tar.gz: is not there \(NoSuchKey\)"):
        evidence_for(version).digest(version.model)


def test_a_package_whose_digest_nobody_knows(version: Version) -> None:
    with pytest.raises(InputError, match="no SHA-256 was registered to hold it to"):
        evidence_for(version).digest(version.model._replace(sha256=None))


def test_a_changed_report(version: Version, s3: S3Client) -> None:
    put(s3, version.reports[QUALITY], b'{"auc": 1.0}')
    with pytest.raises(InputError, match="it was changed since"):
        evidence_for(version).metric("auc")
    assert evidence_for(version).importance()  # the others hold


def test_a_report_that_is_gone(version: Version, s3: S3Client) -> None:
    remove(s3, version.reports[QUALITY])
    found = evidence_for(version)
    for ask in (lambda: found.metric("auc"), found.ages):
        with pytest.raises(InputError, match=r"statistics.json: is not there \((NoSuchKey|404)\)"):
            ask()


def test_a_version_whose_digest_was_changed_since(
    version: Version, s3: S3Client, sagemaker: SageMakerClient
) -> None:
    """Whoever changes the package and the version's digest has the audit trail against him."""
    put(s3, version.model, b"other trees")
    properties = {"model_sha256": "ab" * 32}
    sagemaker.update_model_package(
        ModelPackageArn=version.arn, CustomerMetadataProperties=properties
    )
    said = rf"audit record 1 has SHA-256 {version.model.sha256} for s3://\S+, but the version says "
    with pytest.raises(InputError, match=said + "ab" * 32):
        evidence_for(version).registration()


def test_a_version_that_leads_to_another_package(version: Version) -> None:
    found = evidence_for(version)
    other = dataclasses.replace(version, model=File("s3://mims-models/other.tar.gz", "ab" * 32))
    with pytest.raises(InputError, match=r"record 1 does not tell of s3://mims-models/other"):
        dataclasses.replace(found, version=other).registration()


def test_a_registration_that_the_trail_does_not_tell_of(version: Version, tmp_path: Path) -> None:
    second = register_version(tmp_path / "2")
    found = dataclasses.replace(evidence_for(second), records=evidence_for(version).records[:1])
    with pytest.raises(InputError, match=f"does not tell of {second.name}'s registration"):
        found.registration()


# Age


def test_age_is_from_when_it_was_stored(version: Version) -> None:
    now = datetime.now(UTC) + timedelta(days=10)
    ages = evidence_for(version, now=now).ages()
    assert {*ages} == {"ModelQuality.Statistics", "Bias.Report", "Explainability.Report"}
    assert all(9.9 < days < 10.1 for days in ages.values())


@pytest.mark.parametrize(
    ("says", "days"),
    [
        ({"created_at": "2020-01-01T00:00:00Z"}, 366),
        ({"time": "2020-01-01"}, 366),  # UTC
        ({"end_time": "2020-01-01T02:00:00+02:00"}, 366),
        ({"time": 12.5}, None),  # a metric
        ({"time": "soon"}, None),
        ({"created": "2999-01-01"}, None),  # no report is younger than its file
        ({"created": "0001-01-01T00:00:00+23:59", "time": "2020-01-01"}, 366),  # before time began
    ],
)
def test_age_is_from_when_the_report_was_made_if_it_says_so(
    says: dict[str, Any], days: float | None, tmp_path: Path, bucket: str
) -> None:
    assert bucket
    version = register_version(tmp_path / "1", {"model_quality": {"auc": 1, **says}})
    (found,) = evidence_for(version, now=datetime(2021, 1, 1, tzinfo=UTC)).ages().values()
    if days is None:
        assert found < 0  # stored after that day
    else:
        assert found >= days


def test_drift_baselines_are_old_by_nature(tmp_path: Path, bucket: str) -> None:
    assert bucket
    reports = {**REPORTS, "drift_check_baselines": {"auc": 0.9, "time": "2020-01-01"}}
    version = register_version(tmp_path / "1", reports)
    assert "DriftCheckBaselines.ModelQuality.Statistics" in version.reports
    assert max(evidence_for(version).ages().values()) < 1


def test_no_report_has_no_age(tmp_path: Path, bucket: str) -> None:
    assert bucket
    version = register_version(tmp_path / "1", None)
    with pytest.raises(InputError, match="was registered without a report"):
        evidence_for(version).ages()


# Places


@pytest.mark.parametrize(
    "uri",
    ["https://models/report.json", "s3://models", "s3://models/", "report.json", ""],
)
def test_a_place_that_is_no_object(uri: str) -> None:
    version = dataclasses.replace(described(9, {}), reports={QUALITY: File(uri)})
    found = evidence_of(version)
    asks: list[Callable[[], object]] = [
        lambda: found.metric("auc"),
        found.ages,
        lambda: found.digest(File(uri)),
    ]
    for ask in asks:
        with pytest.raises(
            InputError, match=re.escape(f"{uri or 'no path'}: must be an object's S3")
        ):
            ask()


def test_a_report_is_read_once(version: Version, s3: S3Client) -> None:
    found = evidence_for(version)
    assert found.metric("auc") == 0.93
    remove(s3, version.reports[QUALITY])
    assert found.metric("accuracy") == 0.91


# Shapes


@pytest.mark.parametrize(
    ("report", "found"),
    [
        ({"auc": 0.9}, {"auc": 0.9}),
        ({"a": {"auc": {"value": 0.9, "standard_deviation": "NaN"}}}, {"a.auc": 0.9}),
        ({"a": {"b": {"c": 1}, "d": "NaN"}}, {"a.b.c": 1, "a.d": "NaN"}),
        ({"curve": [1, 2], "roc": {"x": [1]}}, {}),  # for pictures
        ({"a": {"value": {"value": 1}}}, {"a.value": 1}),
        ({"value": 1}, {"value": 1}),
        ({}, {}),
    ],
)
def test_metrics_by_path(report: dict[str, Any], found: dict[str, Any]) -> None:
    assert metrics(report) == found
    assert [*metrics(report)] == [*found]  # in the report's order


def test_a_report_nested_deep_is_a_report() -> None:
    deep: dict[str, Any] = {"auc": 1}
    for _ in range(5000):
        deep = {"": deep}
    assert [*metrics(deep).values()] == [1]


@pytest.mark.parametrize(
    ("report", "found"),
    [
        ({"sex": {"DPL": 0.1}}, [("sex", "", "DPL", 0.1)]),
        ({"sex": {"DPL": {"value": 0.1}}}, [("sex", "", "DPL", 0.1)]),
        ({"sex": {"f": {"DPL": 0.1}}}, [("sex", "f", "DPL", 0.1)]),
        ({"version": "1.0", "sex": {}}, []),
        # Clarify, well formed and not
        (
            {"p": {"facets": {"sex": [{"metrics": [{"name": "CI", "value": None}]}]}}},
            [("sex", "", "CI", None)],
        ),
        ({"p": {"facets": {"sex": {"metrics": []}, "age": [1, {"metrics": 1}]}}}, []),
        ({"p": {"facets": {"sex": [{"metrics": [1, {}]}]}}}, [("sex", "", "", None)]),
    ],
)
def test_bias_of_a_report(report: dict[str, Any], found: list[Any]) -> None:
    assert bias(report) == found


@pytest.mark.parametrize(
    ("report", "found"),
    [
        ({"feature_importance": {"a": 1, "b": -2}}, {"a": 1, "b": -2}),
        ({"feature_importances": {"a": {"value": 1}}}, {"a": 1}),
        ({"shap_values": {"a": 1}}, {"a": 1}),
        ({"explanations": {"pdp": [], "shap": {"x": {"global_shap_values": {"a": 1}}}}}, {"a": 1}),
        (
            {
                "explanations": {
                    "shap": {n: {"shap_values": {"a": v}} for n, v in enumerate([-2, 1])}
                }
            },
            {"a": -2},
        ),
        ({"explanations": {"shap": {"x": 1}}}, {}),
        ({"feature_importance": [1]}, {}),
        ({"a": 1}, {}),
    ],
)
def test_importance_of_a_report(report: dict[str, Any], found: dict[str, Any]) -> None:
    assert importance(report) == found


def test_a_number_does_not_hide_behind_another_label_s_nan() -> None:
    labels = {
        name: {"global_shap_values": {"a": value}} for name, value in (("x", "NaN"), ("y", 2))
    }
    assert importance({"explanations": {"shap": labels}}) == {"a": 2}


def test_case_does_not_make_another_version() -> None:
    """SageMaker writes group names in lower case into ARNs, and people do not."""
    report = {"auc": 1, "model_package_arn": f"{ARN}9".replace("fraud", "Fraud")}
    assert evidence_of({QUALITY: json.dumps(report)}).metric("auc") == 1
