"""Each gate: what passes, what fails and why, and that none of them hides the others."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from faults import denied, internal_error, truncated
from governance_evidence import ARN, SHA256, Shelf, described, evidence_of
from governance_versions import OTHER, REGISTRAR, REPORTS, register_version
from mims.errors import InputError, ServiceError
from mims.governance.decisions import APPROVE, DONE, REJECT, Decision, History, append
from mims.governance.gates.evidence import gather
from mims.governance.gates.file import GateFile
from mims.governance.gates.judging import Verdict, evaluate
from mims.governance.gates.models import MetricGate, StageGates
from mims.governance.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from faults import Fault, Faults
    from mims.governance.gates.evidence import Evidence

QUALITY, BIAS, EXPLAINED = "ModelQuality.Statistics", "Bias.Report", "Explainability.Report"


def gates(text: str) -> StageGates:
    """The gates of a stage, as a gate file says them."""
    return GateFile.parse(f"group: fraud\nstaging: {{{text}}}\n").gates("Staging")


def judged(text: str, evidence: Evidence) -> Verdict:
    """What comes of the one gate."""
    (verdict,) = evaluate(gates(text), evidence)
    assert json.loads(json.dumps(verdict._asdict())) == verdict._asdict()  # for the audit trail
    return verdict


# Metrics


@pytest.mark.parametrize(
    ("limit", "report", "passed", "reason"),
    [
        ("at_least: 0.85", {"auc": 0.85}, True, ""),  # the end is included
        ("at_least: 0.85", {"auc": 0.8499999999}, False, "0.8499999999 is less than 0.85"),
        ("at_most: 1e-9", {"auc": 1e-9}, True, ""),
        ("at_most: 3", {"auc": 3.5}, False, "3.5 is more than 3"),
        ("between: [1, 2]", {"auc": 2}, True, ""),
        ("between: [1, 2]", {"auc": 0}, False, "0 is less than 1"),
        # shapes of reports
        ("at_least: 0", {"binary_classification_metrics": {"auc": {"value": 1}}}, True, ""),
        ("at_least: 0", {"metrics": {"auc": 1}}, True, ""),
        ("at_least: 0.5", {"train": {"auc": 0}, "auc": 1}, True, ""),  # the whole name comes first
        ("between: [1, 1]", {"auc": 1}, True, ""),
        ("at_least: 0", {"auc": {"value": 1, "standard_deviation": "NaN"}}, True, ""),
        # bad input: missing, NaN, no number
        ("at_least: 0", {"aux": 1}, False, "fraud/9 has no metric 'auc': did you mean aux?"),
        ("at_least: 0", {"f1": 1}, False, "fraud/9 has no metric 'auc': it has f1"),
        ("at_least: 0", {}, False, "fraud/9 has no metric 'auc': the report has none"),
        ("at_least: 0", {"auc": "NaN"}, False, "fraud/9's auc is 'NaN': no finite number"),
        ("at_least: 0", '{"auc": NaN}', False, "is no JSON: NaN is no JSON"),
        ("at_least: 0", '{"auc": 1e999}', False, "fraud/9's auc is inf: no finite number"),
        ("at_least: 0", f'{{"auc": 1{"0" * 400}}}', False, "no finite number"),
        ("at_least: 0", {"auc": None}, False, "fraud/9's auc is None: no finite number"),
        ("at_least: 0", {"auc": True}, False, "fraud/9's auc is True: no finite number"),
        ("at_least: 0", {"auc": "0.9"}, False, "fraud/9's auc is '0.9': no finite number"),
        ("at_least: 0", {"auc": [0.9]}, False, "fraud/9 has no metric 'auc'"),
        (
            "at_least: 0",
            {"train": {"auc": 1}, "test": {"auc": 0}},
            False,
            "fraud/9 has several auc: name one of train.auc, test.auc",
        ),
        # no report at all, or none that can be read
        ("at_least: 0", "[0.9]", False, "must be an object, not [0.9]"),
        ("at_least: 0", "auc: 0.9", False, "is no JSON"),
        ("at_least: 0", "[" * 100_000, False, "is no JSON"),
        # of another version
        ("at_least: 0", {"auc": 1, "model": f"{ARN}8"}, False, f"of another version: {ARN}8"),
        ("at_least: 0", {"auc": 1, "model": f"{ARN}9"}, True, ""),
        ("at_least: 0", {"auc": 1, "baseline": f"{ARN}8"}, True, ""),
        ("at_least: 0", {"auc": 1, "of": [{"model_sha256": "00"}]}, False, "of another model: "),
        ("at_least: 0", {"auc": 1, "model_sha256": f"sha256:{SHA256}"}, True, ""),
    ],
)
def test_a_metric_against_numbers(limit: str, report: Any, passed: bool, reason: str) -> None:
    verdict = judged(f"metrics: {{auc: {{{limit}}}}}", evidence_of({QUALITY: report}))
    assert verdict.gate == "metrics.auc"
    assert verdict.passed is passed
    assert reason in verdict.reason
    assert bool(verdict.reason) is not passed


def test_a_metric_by_its_path() -> None:
    report = {"train": {"auc": 1}, "test": {"auc": 0.25}}
    verdict = judged("metrics: {test.auc: {at_least: 0.25}}", evidence_of({QUALITY: report}))
    assert verdict == Verdict("metrics.test.auc", True, "0.25", "at least 0.25", "")


def test_which_way_is_better_is_never_guessed() -> None:
    """The gate file says it; gates that were made otherwise may not."""
    asked = StageGates(metrics={"churn": MetricGate(baseline=3)})
    old = described(3, {QUALITY: {"churn": 1}})
    (verdict,) = evaluate(asked, evidence_of({QUALITY: {"churn": 1}}, None, {3: old}))
    assert verdict.reason == "the gate file does not say which way churn is better"


OLD = {3: {"auc": 0.93, "rmse": 2.5}, 4: {"auc": "NaN"}, 5: {"f1": 1}}


@pytest.mark.parametrize(
    ("gate", "value", "wanted", "reason"),
    [
        # 0.93 - 0.92 is 0.010000000000000009 to a computer
        ("auc: {baseline: 3, at_most_worse: 0.01}", 0.92, "at least 0.92 (fraud/3's 0.93", ""),
        ("auc: {baseline: 3}", 0.93, "at least 0.93 (fraud/3's 0.93)", ""),
        ("auc: {baseline: 3}", 0.9299, "at least 0.93", "0.9299 is less than 0.93"),
        ("rmse: {baseline: 3, at_most_worse: 0.1}", 2.6, "at most 2.6 (fraud/3's 2.5 plus", ""),
        ("rmse: {baseline: 3}", 2.6, "at most 2.5", "2.6 is more than 2.5"),
        ("auc: {baseline: 3, better: lower}", 0.94, "at most 0.93", "0.94 is more than 0.93"),
        ("auc: {baseline: Production}", 0.92, "at least 0.93 (fraud/3's", "0.92 is less"),
        # together with a number: both count
        ("auc: {baseline: 3, at_least: 0.95}", 0.94, "at least 0.95 and at", "less than 0.95"),
        ("auc: {baseline: 3, at_least: 0.95}", 0.9, "at", "less than 0.95; 0.9 is less than 0.93"),
        # a baseline that says nothing
        ("auc: {baseline: 4}", 1, "not worse than version 4", "fraud/4's auc is 'NaN'"),
        ("auc: {baseline: 5}", 1, "not worse than version 5", "fraud/5 has no metric 'auc'"),
        ("auc: {baseline: 6}", 1, "not worse", "group fraud has no version 6 to compare with"),
    ],
)
def test_a_metric_against_a_version(gate: str, value: float, wanted: str, reason: str) -> None:
    old = {number: described(number, {QUALITY: report}) for number, report in OLD.items()}
    name = gate.partition(":")[0]
    evidence = evidence_of({QUALITY: {name: value}}, old[3], old)
    verdict = judged(f"metrics: {{{gate}}}", evidence)
    assert wanted in verdict.wanted
    assert reason in verdict.reason
    assert verdict.passed is not bool(reason)


@pytest.mark.parametrize(
    ("value", "passed", "reason"),
    [(0.9, True, "no version in Production yet"), (0.7, False, "0.7 is less than 0.8")],
)
def test_the_first_version_has_nothing_to_be_compared_with(
    value: float, passed: bool, reason: str
) -> None:
    evidence = evidence_of({QUALITY: {"auc": value}})
    verdict = judged("metrics: {auc: {baseline: Production, at_least: 0.8}}", evidence)
    assert (verdict.passed, verdict.reason) == (passed, reason)


def test_a_metric_of_the_mlflow_run_counts_where_the_report_has_none() -> None:
    run = "77ea43501fcc46e789dd01e196745055"
    linked = {
        "model_sha256": SHA256,
        "mlflow_run_id": run,
        "mlflow_metrics_uri": "s3://models/9/mlflow_run.json",
        "mlflow_metrics_sha256": SHA256,
    }
    told = {"metrics": {"auc": 0.5, "gini": 0.9}, "problems": {"loss": "NaN at step 3"}}
    report = {"binary_classification_metrics": {"auc": {"value": 0.93}}}
    version = described(9, {QUALITY: report}, CustomerMetadataProperties=linked)
    evidence = evidence_of(version)
    assert isinstance(evidence.registry, Shelf)
    evidence.registry.texts[linked["mlflow_metrics_uri"]] = json.dumps(
        {"mlflow": {"run_id": run}, **told}
    )
    assert evidence.metric("auc") == 0.93  # what was registered goes before
    assert evidence.metric("gini") == 0.9
    with pytest.raises(InputError, match="loss is 'NaN at step 3': no finite number"):
        evidence.metric("loss")
    with pytest.raises(InputError, match="has no metric 'churn'"):
        evidence.metric("churn")


# Fairness


def facet(*values: Any, metric: str = "DPL") -> dict[str, Any]:
    """Clarify's report of a facet with a group for each value."""
    groups = [
        {"value_or_threshold": str(number), "metrics": [{"name": metric, **value}]}
        for number, value in enumerate(values)
    ]
    return {"pre_training_bias_metrics": {"label": "y", "facets": {"sex": groups}}}


@pytest.mark.parametrize(
    ("limit", "report", "found", "reason"),
    [
        ("at_most: 0.1", {"sex": {"DPL": 0.1}}, "0.1", ""),
        ("at_most: 0.1", {"sex": {"DPL": -0.5}}, "-0.5", "-0.5 is less than -0.1"),  # as unfair
        ("at_most: 0.1", {"sex": {"DPL": 0.11}}, "0.11", "0.11 is more than 0.1"),
        ("at_least: -0.05, at_most: 0.1", {"sex": {"DPL": -0.06}}, "-0.06", "less than -0.05"),
        ("at_least: -1, at_most: 0.1", {"sex": {"DPL": -0.2}}, "-0.2", "less than -0.1"),
        ("between: [0.8, 1.25]", {"sex": {"DPL": 1.25}}, "1.25", ""),
        ("between: [0.8, 1.25]", {"sex": {"DPL": 0.5}}, "0.5", "0.5 is less than 0.8"),
        ("at_most: 1", {"sex": {"f": {"DPL": 0}, "m": {"DPL": -2}}}, "f 0, m -2", "m: -2 is less"),
        ("at_most: 1", facet({"value": 0.5}, {"value": -0.5}), "0 0.5, 1 -0.5", ""),
        ("at_most: 1", facet({"value": 0.5}, {"value": 3}), "0 0.5, 1 3", "1: 3 is more than 1"),
        # what is not there
        ("at_most: 1", {"age": {"DPL": 0}}, "", "no attribute 'sex': it has age"),
        ("at_most: 1", {"sex": {"DI": 0}}, "", "no 'DPL' of sex: it has DI"),
        ("at_most: 1", {}, "", "no attribute 'sex': it has none"),
        ("at_most: 1", facet({"value": None}), "", "DPL of sex 0 is None: no finite number"),
        ("at_most: 1", facet({"value": 0}, {"value": "NaN"}), "", "DPL of sex 1 is 'NaN'"),
        ("at_most: 1", facet({"error": "no labels"}), "", "DPL of sex 0 is 'no labels'"),
        ("at_most: 1", {"sex": {"DPL": 0}, "model": f"{ARN}1"}, "", "of another version"),
    ],
)
def test_fairness(limit: str, report: Any, found: str, reason: str) -> None:
    verdict = judged(f"fairness: {{sex: {{DPL: {{{limit}}}}}}}", evidence_of({BIAS: report}))
    assert verdict.gate == "fairness.sex.DPL"
    assert verdict.found == found
    assert reason in verdict.reason
    assert verdict.passed is not bool(reason)


def test_fairness_before_and_after_training() -> None:
    reports = {
        "Bias.PreTrainingReport": {"sex": {"DPL": 0.1}},
        "Bias.PostTrainingReport": {"sex": {"DPPL": 0.2}},
    }
    text = "fairness: {sex: {DPL: {at_most: 1}, DPPL: {at_most: 1}}}"
    assert [one.found for one in evaluate(gates(text), evidence_of(reports))] == ["0.1", "0.2"]


def test_the_worse_of_two_values_of_a_group_counts() -> None:
    reports = {
        "Bias.PreTrainingReport": {"sex": {"DPL": -0.3}},
        "Bias.PostTrainingReport": {"sex": {"DPL": 0.2}},
    }
    assert judged("fairness: {sex: {DPL: {at_most: 1}}}", evidence_of(reports)).found == "-0.3"


# Explainability


def shap(**labels: Any) -> dict[str, Any]:
    values = {name: {"global_shap_values": weights} for name, weights in labels.items()}
    return {"explanations": {"kernel_shap": values}}


@pytest.mark.parametrize(
    ("reports", "passed", "said"),
    [
        ({EXPLAINED: shap(y={"age": 0.3})}, True, "1 feature, first age 0.3"),
        (
            {EXPLAINED: shap(a={"age": 0.3, "sex": 0.4}, b={"age": -0.5})},
            True,
            "2 features, first age -0.5, sex 0.4",
        ),
        ({EXPLAINED: {"feature_importance": {"age": 1}}}, True, "1 feature, first age 1"),
        ({EXPLAINED: {"feature_importance": {"age": {"value": 1}}}}, True, "first age 1"),
        ({EXPLAINED: {"feature_importance": {"age": "NaN"}}}, False, "importance of age is 'NaN'"),
        ({EXPLAINED: {"feature_importance": {}}}, False, "names no feature"),
        ({EXPLAINED: {"version": "1.0"}}, False, "names no feature"),
        ({EXPLAINED: {"explanations": [1]}}, False, "names no feature"),
        ({}, False, "fraud/9 was registered without a report Explainability.Report"),
    ],
)
def test_explainability(reports: Mapping[str, Any], passed: bool, said: str) -> None:
    verdict = judged("explainability: required", evidence_of(reports))
    assert verdict.passed is passed
    assert said in (verdict.found or verdict.reason)


# Schema

IN, OUT = {"age": "NUMERIC", "country": "TEXT"}, {"score": "NUMERIC"}
JSON, CSV = ["application/json"], ["text/csv"]


@pytest.mark.parametrize(
    ("schema", "types", "old_types", "reason"),
    [
        ((IN, OUT), (JSON, JSON), (JSON, JSON), ""),
        (({"age": "NUMERIC"}, OUT), (JSON, JSON), (JSON, JSON), ""),  # it needs less
        ((IN, {**OUT, "band": "TEXT"}), (JSON, JSON), (JSON, JSON), ""),  # it tells more
        ((IN, OUT), (CSV + JSON, JSON), (JSON, JSON), ""),
        (({**IN, "sex": "TEXT"}, OUT), (JSON, JSON), (JSON, JSON), "input sex is new"),
        (({"age": "TEXT"}, OUT), (JSON, JSON), (JSON, JSON), "age was NUMERIC and is TEXT"),
        ((IN, {"band": "TEXT"}), (JSON, JSON), (JSON, JSON), "output score is gone"),
        ((IN, {"score": "TEXT"}), (JSON, JSON), (JSON, JSON), "score was NUMERIC and is TEXT"),
        ((IN, OUT), (CSV, JSON), (JSON, JSON), "requests of application/json are gone"),
        ((IN, OUT), (JSON, CSV), (JSON, JSON), "answers of application/json are gone"),
        # columns go by their place
        ((IN, OUT), (CSV, CSV), (CSV, CSV), ""),
        ((IN, {**OUT, "band": "TEXT"}), (CSV, CSV), (CSV, CSV), ""),
        (({"age": "NUMERIC"}, OUT), (CSV, JSON), (CSV, JSON), "columns are age, country, in this"),
        ((dict(reversed(IN.items())), OUT), (CSV, JSON), (CSV, JSON), "age, country, in this"),
        ((IN, {"band": "TEXT", **OUT}), (JSON, CSV), (JSON, CSV), "begin with score, in this"),
        # none, or none to speak of
        (None, (JSON, JSON), (JSON, JSON), "fraud/9 was registered without a variable schema"),
        ("[]", (JSON, JSON), (JSON, JSON), "s3://models/9/schema: is no variable schema"),
        ('{"input": {"variables": [1]}}', (JSON, JSON), (JSON, JSON), "is no variable schema"),
    ],
)
def test_schema(schema: Any, types: Any, old_types: Any, reason: str) -> None:
    new = described(9, {}, schema=schema, types=types)
    old = described(1, {}, schema=(IN, OUT), types=old_types)
    verdict = judged("schema: compatible", evidence_of(new, old))
    assert reason in verdict.reason
    assert verdict.passed is not bool(reason)


def test_several_changes_of_a_schema_are_all_told() -> None:
    new = described(9, {}, schema=({"age": "TEXT", "sex": "TEXT"}, {"band": "TEXT"}))
    old = described(1, {}, schema=(IN, OUT))
    verdict = judged("schema: compatible", evidence_of(new, old))
    assert verdict.wanted == "serves the callers of fraud/1"
    assert verdict.reason == (
        "input sex is new; input age was NUMERIC and is TEXT; output score is gone"
    )


def test_the_first_version_has_no_callers_yet() -> None:
    verdict = judged("schema: compatible", evidence_of(described(9, {}, schema=(IN, OUT))))
    assert verdict.passed
    assert verdict.found == "2 inputs, 1 output"
    assert verdict.reason == "no version in Production yet"


# Age


@pytest.mark.parametrize(("days", "passed"), [(29.5, True), (30.5, False)])
def test_age(days: float, passed: bool, tmp_path: Path, bucket: str) -> None:
    """Of three reports one is older than its file, by its own word."""
    assert bucket
    made = datetime.now(UTC) - timedelta(days=days)
    evidence = gathered(tmp_path / "1", {**REPORTS, "bias": {"time": made.isoformat()}})
    verdict = judged("evidence: {at_most_days_old: 30}", evidence)
    assert verdict.passed is passed
    assert verdict.found == f"Bias.Report is the oldest, {days} days"
    assert verdict.reason == ("" if passed else "Bias.Report is 30.5 days old")


# Approval

ROLE = "arn:aws:sts::123456789012:assumed-role"
USER = "arn:aws:iam::123456789012:user/team"


@pytest.mark.parametrize(
    ("count", "registrar", "approvals", "found", "passed"),
    [
        (1, f"{ROLE}/Ops/ann", [f"{ROLE}/Ops/ben"], "ben", True),
        (1, f"{ROLE}/Ops/ann", [f"{ROLE}/Ops/ann"], "nobody", False),  # oneself
        (1, f"{ROLE}/Ops/ann", [f"{ROLE}/Board/Ann"], "nobody", False),  # in another role
        (1, f"{ROLE}/Ops/ann", [f"{USER}/ann"], "nobody", False),
        (1, f"{USER}/ann", [f"{USER}/ben"], "ben", True),
        (1, f"{ROLE}/Ops/ann", [], "nobody", False),
        (1, "ann", [f"{USER}/ann"], "nobody", False),  # a Studio user profile's name
        (2, f"{ROLE}/Ops/ann", [f"{ROLE}/Ops/ben", f"{USER}/ben"], "ben", False),  # one person
        (2, f"{ROLE}/Ops/ann", [f"{ROLE}/Ops/ben", f"{USER}/cat"], "ben, cat", True),
        (1, REGISTRAR, [f"{ROLE}/Ops/ann"], "ann", True),  # a job is nobody
        # the job's own role approves what it registered
        (1, "arn:aws:iam::123456789012:role/Jobs", [f"{ROLE}/Jobs/x"], "nobody", False),
        (1, None, [f"{ROLE}/Ops/ben"], "ben", False),
    ],
)
def test_approval(
    count: int, registrar: str | None, approvals: list[str], found: str, passed: bool
) -> None:
    evidence = evidence_of({}, approvals=tuple(approvals), registered_by=registrar)
    verdict = judged(f"approval: {{by_others: {count}}}", evidence)
    assert (verdict.found, verdict.passed) == (found, passed)
    assert bool(verdict.reason) is not passed


def test_who_registered_is_told_that_their_own_approval_does_not_count() -> None:
    by = f"{USER}/ann"
    verdict = judged("approval: {by_others: 1}", evidence_of({}, approvals=(by,), registered_by=by))
    assert verdict.reason == "nobody else approved, and ann registered it"


def test_nobody_is_surely_another_than_nobody_knows_whom() -> None:
    verdict = judged("approval: {by_others: 1}", evidence_of({}, registered_by=None))
    assert verdict.reason == "nobody knows who registered it, so nobody is surely another"


# All of them

EVERY = """
    metrics: {auc: {at_least: 0.9, baseline: Production}, mae: {at_most: 1}},
    fairness: {sex: {DPL: {at_most: 0.1}, DI: {between: [0.8, 1.25]}}},
    explainability: required, schema: compatible, evidence: {at_most_days_old: 1},
    integrity: required, approval: {by_others: 1}
"""
NAMES = [
    *("metrics.auc", "metrics.mae", "fairness.sex.DPL", "fairness.sex.DI", "explainability"),
    *("schema", "evidence", "integrity.package", "integrity.payload", "integrity.audit"),
    "approval",
]


def gathered(root: Path, reports: Any = REPORTS) -> Evidence:
    """The evidence of a version that the job has registered."""
    version = register_version(root, reports)
    registry = Registry(version.region)
    history = History.read(registry.trail(version))
    return gather(registry, version, production=None, baselines={}, history=history)


def test_every_gate_of_a_real_version(tmp_path: Path, bucket: str) -> None:
    evidence = gathered(tmp_path / "1")
    assert bucket == evidence.version.bucket
    verdicts = evaluate(gates(EVERY), evidence)
    assert [one.gate for one in verdicts] == NAMES
    failed = {one.gate: one.reason for one in verdicts if not one.passed}
    assert failed == {
        "metrics.mae": (
            f"{evidence.version.name} has no metric 'mae': it has "
            "binary_classification_metrics.accuracy, binary_classification_metrics.auc, "
            "binary_classification_metrics.confusion_matrix.0.0, "
            "binary_classification_metrics.confusion_matrix.0.1, "
            "binary_classification_metrics.confusion_matrix.1.0, "
            "binary_classification_metrics.confusion_matrix.1.1"
        ),
        "approval": "nobody approved, and moto registered it",
    }
    found = {one.gate: one.found for one in verdicts}
    assert found["fairness.sex.DPL"] == "female 0.02, male -0.02"
    assert found["integrity.package"] == f"sha256 {evidence.version.model.sha256}"
    assert found["integrity.audit"] == "record 1 of 1"


def test_a_version_without_a_payload_needs_none(tmp_path: Path, bucket: str) -> None:
    assert bucket
    evidence = gathered(tmp_path / "1")
    bare = dataclasses.replace(evidence.version, payload=None)
    verdicts = evaluate(gates("integrity: required"), dataclasses.replace(evidence, version=bare))
    assert [one.gate for one in verdicts] == ["integrity.package", "integrity.audit"]


def test_a_version_without_any_evidence_fails_each_gate(tmp_path: Path, bucket: str) -> None:
    assert bucket
    verdicts = evaluate(gates(EVERY), gathered(tmp_path / "1", None))
    passed = [one.gate for one in verdicts if one.passed]
    assert passed == ["schema", "integrity.package", "integrity.payload", "integrity.audit"]


def test_an_approval_that_the_trail_knows_counts(tmp_path: Path, bucket: str) -> None:
    assert bucket
    version = register_version(tmp_path / "1")
    registry = Registry(version.region)
    trail = registry.trail(version)
    for action, count in ((APPROVE, 1), (REJECT, 0)):  # which takes it back
        append(trail, Decision(action, DONE, OTHER, version.arn), History.read(trail))
        history = History.read(trail)
        evidence = gather(registry, version, production=None, baselines={}, history=history)
        assert evidence.registered_by == REGISTRAR
        assert len(evidence.approvals) == count
        assert judged("approval: {by_others: 1}", evidence).passed is bool(count)


@pytest.mark.parametrize(
    "fault",
    [denied("s3:GetObject"), internal_error(), truncated(keep=10)],
)
def test_without_s3_there_is_no_verdict(tmp_path: Path, proxy: Faults, fault: Fault) -> None:
    evidence = gathered(tmp_path / "1")
    proxy.on("GetObject", fault)
    for text in ("metrics: {auc: {at_least: 0}}", "integrity: required", "schema: compatible"):
        with pytest.raises(ServiceError, match="GetObject in us-west-2 for s3://mims-models/"):
            evaluate(gates(text), evidence)


def test_nothing_is_written(tmp_path: Path, proxy: Faults) -> None:
    evidence = gathered(tmp_path / "1")
    asked = len(proxy.requests)
    evaluate(gates(EVERY), evidence)
    operations = {request.operation for request in proxy.requests[asked:]}
    assert operations == {"GetObject", "HeadObject"}


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from([f"{ARN}8", "NaN", "2026-01-01"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("auc", "value", "sex", "DPL", "DI", "facets", "metrics", "name", "", "."),
                    *("pre_training_bias_metrics", "value_or_threshold", "explanations", "time"),
                    *("global_shap_values", "feature_importance", "model_sha256", "input"),
                    *("variables", "type", "output"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)
READING = """
    metrics: {auc: {at_least: 0.9, baseline: 8}}, explainability: required, schema: compatible,
    fairness: {sex: {DPL: {at_most: 0.1}}}
"""


@given(ANY, ANY)
@example({"sex": {"DPL": 10**400}}, {"input": {"variables": "ab"}})
@example({"pre_training_bias_metrics": {"facets": {"sex": [{"metrics": 1}]}}}, {})
@example({"auc": {"value": {"value": 1}}}, {})
def test_whatever_a_report_holds_every_gate_has_a_verdict(report: Any, other: Any) -> None:
    texts = [json.dumps(report), json.dumps(other)]
    old = described(8, {QUALITY: texts[1]}, schema=texts[1])
    new = described(9, dict.fromkeys((QUALITY, BIAS, EXPLAINED), texts[0]), schema=texts[0])
    verdicts = evaluate(gates(READING), evidence_of(new, old, {8: old}))
    assert [one.gate for one in verdicts] == [
        *("metrics.auc", "fairness.sex.DPL", "explainability", "schema")
    ]
    for one in verdicts:
        assert one.passed or one.reason
        assert one.reason.isprintable()
        assert one.found.isprintable()
