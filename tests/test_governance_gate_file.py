"""Gate files: what is read, every mistake at its place, and the published JSON Schema."""

from __future__ import annotations

import hashlib
import json
import string
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import gates_schema
from mims.errors import InputError
from mims.governance.gates import marked_yaml
from mims.governance.gates.file import SIZE_LIMIT, GateFile
from mims.governance.gates.models import Limit, MetricGate

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """\
group: fraud-detection
staging:
  metrics:
    accuracy: {at_least: 0.85}
    auc: {baseline: Production, at_most_worse: 0.01}
    binary_classification_metrics.f1: {baseline: 3, at_least: 1e-3}
    churn: {baseline: Production, better: lower}
  evidence: {at_most_days_old: 30}
  integrity: required
production:
  fairness:
    sex: {DPL: {at_most: 0.1}, DI: {between: [0.8, 1.25]}}
    no: {DPL: {at_least: -1}}
  explainability: required
  schema: compatible
  approval: {by_others: 1}
card: {intended_uses: "to stop fraud", details: {since: 2026-11-21}, caveats: [a], owner: null}
deployment: {endpoint: fraud, role: "arn:aws:iam::123456789012:role/model", approval_hours: 8}
"""


def mistakes(text: str, **options: Any) -> list[str]:
    """What is wrong with a gate file, without its name."""
    with pytest.raises(InputError) as error:
        GateFile.parse(text, **options)
    return [problem.removeprefix("gates.yaml:") for problem in error.value.problems]


# What is read


def test_a_whole_file() -> None:
    found = GateFile.parse(WHOLE, group="fraud-detection")
    staging, production = found.gates("Staging"), found.gates("Production")
    assert found.group == "fraud-detection"
    assert staging.metrics["accuracy"] == MetricGate(at_least=0.85)
    assert staging.metrics["auc"] == MetricGate(baseline="Production", at_most_worse=0.01)
    f1 = staging.metrics["binary_classification_metrics.f1"]
    assert f1 == MetricGate(baseline=3, at_least=0.001)  # 1e-3 is a number
    assert f1.direction("binary_classification_metrics.f1") == "higher"
    assert staging.metrics["churn"].direction("churn") == "lower"
    assert staging.evidence
    assert staging.evidence.at_most_days_old == 30
    assert staging.approval is None
    assert production.fairness["sex"]["DI"] == Limit(between=(0.8, 1.25))
    assert "no" in production.fairness  # a name, not False
    assert production.compatibility == "compatible"
    assert production.approval
    assert production.approval.by_others == 1
    assert found.card == {
        "intended_uses": "to stop fraud",
        "details": {"since": "2026-11-21"},  # as it is written, for JSON
        "caveats": ["a"],
        "owner": None,
    }
    assert (found.deployment.endpoint, found.deployment.approval_hours) == ("fraud", 8)
    assert found.deployment.instance_type == "ml.m5.large"


def test_a_file_has_a_digest(tmp_path: Path) -> None:
    path = tmp_path / "gates.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.encode())  # as some editors begin a file
    assert GateFile.load(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert GateFile.load(path).production == GateFile.parse(WHOLE).production


def test_a_stage_without_gates_is_not_one_that_nobody_wrote_of() -> None:
    found = GateFile.parse("group: a\nstaging: {}\n")
    assert found.gates("Staging").metrics == {}
    with pytest.raises(InputError, match=r"no gates for Production: add `production:`"):
        found.gates("Production")


def test_an_alias_stands_for_what_it_names() -> None:
    text = "group: a\nstaging: {metrics: &m {auc: {at_least: 0.8}}}\nproduction: {metrics: *m}\n"
    found = GateFile.parse(text)
    assert found.gates("Production").metrics == found.gates("Staging").metrics


def test_it_stays_as_it_was_read() -> None:
    found = GateFile.parse(WHOLE)
    with pytest.raises(ValueError, match="frozen"):
        found.group = "other"


# Mistakes


def test_all_mistakes_at_once_each_at_its_place() -> None:
    text = """\
group: fraud_detection
staging:
  metrics:
    accuracy: {at_lest: 0.85}
    auc: {baseline: Latest, at_most_worse: -1}
    churn: {baseline: 3}
    rmse: {at_most: .nan}
    rmse: {at_most: 3}
    f1: 0.8
    mae: {}
    mse: {at_least: 3, at_most: 1e-3}
  integrity: yes
  fairness:
    sex: {}
    no: {DI: {between: [1, 2, 3]}, DPL: {between: [2, 1]}}
  metric: {}
production:
  approval: {by_others: "1"}
  schema:
prodution: {}
card: {owner: !!python/object:os.system x}
"""
    assert mistakes(text) == [
        (
            "1:1: group: must be a group's name: letters, digits and hyphens, a letter or digit at "
            "both ends, not 'fraud_detection'"
        ),
        "4:16: staging.metrics.accuracy.at_lest: unknown key; did you mean at_least?",
        (
            "5:11: staging.metrics.auc.baseline: must be Production or a version's number, not "
            "'Latest'"
        ),
        "5:29: staging.metrics.auc.at_most_worse: must be at least 0, not -1",
        (
            "6:5: staging.metrics.churn: say which way 'churn' is better, higher or lower: "
            "`better: higher`"
        ),
        "7:12: staging.metrics.rmse.at_most: must be a finite number, not nan",
        "8:5: staging.metrics.rmse: is given twice, the first time in line 7",
        "9:5: staging.metrics.f1: must be an object: keys and values, not 0.8",
        "10:5: staging.metrics.mae: must say one at least of at_least, at_most, between, baseline",
        "11:5: staging.metrics.mse: nothing is at least 3 and at most 0.001",
        "12:3: staging.integrity: must be 'required', not 'yes'",
        "14:5: staging.fairness.sex: is empty: give it a value, or leave the key out",
        (
            "15:15: staging.fairness.no.DI.between: must be two numbers such as [0.8, 1.25], not "
            "[1, 2, 3]"
        ),
        "15:36: staging.fairness.no.DPL: nothing is at least 2 and at most 1",
        "16:3: staging.metric: unknown key; did you mean metrics?",
        "18:14: production.approval.by_others: must be a whole number, not '1'",
        "19:3: production.schema: is empty: give it a value, or leave the key out",
        "20:1: prodution: unknown key; did you mean production?",
        "21:15: card.owner: the tag 'python/object:os.system' is not taken",
    ]


def test_mistakes_in_what_is_to_be_deployed_are_told_with_all_others() -> None:
    text = """\
group: a
production: {approval: {by_others: 0}}
deployment:
  endpoint: fraud_live
  role: model
  instance_typ: ml.m5.large
  instance_type: m5.large
  initial_instance_count: 0
  verification: {body: 12, content: text/csv}
  approval_hours:
"""
    assert mistakes(text) == [
        "2:25: production.approval.by_others: must be at least 1, not 0",
        (
            "4:3: deployment.endpoint: must be an endpoint's name: letters, digits and hyphens, a "
            "letter or digit at both ends, not 'fraud_live'"
        ),
        (
            "5:3: deployment.role: must be a role's ARN such as "
            "arn:aws:iam::123456789012:role/model, not 'model'"
        ),
        "6:3: deployment.instance_typ: unknown key; did you mean instance_type?",
        (
            "7:3: deployment.instance_type: must be a type of instances such as ml.m5.large, not "
            "'m5.large'"
        ),
        "8:3: deployment.initial_instance_count: must be at least 1, not 0",
        "9:18: deployment.verification.body: must be text, not 12",
        ("9:28: deployment.verification.content: unknown key; did you mean content_type?"),
        "10:3: deployment.approval_hours: is empty: give it a value, or leave the key out",
    ]
    assert mistakes("group: a\ndeployment: {endpoint: fraud}\n") == [
        "2:1: deployment: role must be given: the role that the model runs with"
    ]


def test_so_are_mistakes_in_what_the_model_card_is_to_say() -> None:
    text = """\
group: a
staging: {approval: {by_others: 0}}
card:
  risk_rating: Lov
  intended_use: to stop fraud
  business: {line: [1]}
"""
    assert mistakes(text) == [
        "2:22: staging.approval.by_others: must be at least 1, not 0",
        "4:3: card.risk_rating: must be 'High', 'Medium', 'Low' or 'Unknown', not 'Lov'",
        "5:3: card.intended_use: there is no such key; did you mean intended_uses?",
        "6:14: card.business.line: must be text, not [1]",
    ]


STAGING = "group: a\nstaging: "
ALIASES = "".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 10)}], " for n in range(1, 9))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # nothing, or something else altogether
        ("", "1:1: group: must be given"),
        ("# soon\n", "1:1: group: must be given"),
        ("[1]\n", "1:1: must be an object: keys and values, not [1]"),
        ("text", "1:1: must be an object: keys and values, not 'text'"),
        # no YAML
        ("group: [a\n", "2:1: is no YAML: while parsing a flow sequence, expected ',' or ']'"),
        ("group: a\n\tstaging: {}\n", "2:1: is no YAML: while scanning for the next token"),
        ("group: *a\n", "1:8: is no YAML: found undefined alias 'a'"),
        ("group: a\n--- b\n", "2:1: is no YAML: expected a single document in the stream"),
        ("group: a\ncard: \x00\n", "2:7: is no YAML: character U+0000"),
        # harm
        ("[" * 20_000, "1:1: is nested too deep"),
        ("a: &a [*a]\n", "1:4: holds more than 30 levels"),
        (f"group: a\ncard: {{k0: &k0 lol, {ALIASES}}}\n", "holds more than 10000 values"),
        ("group: a\ncard: {owner: !!python/name:os.system }\n", "2:15: card.owner: the tag"),
        ("group: a\ncard: {<<: {a: 1}}\n", "2:8: card: << is not taken: write the keys out"),
        ("group: a\n? [b]\n: c\n", "2:3: a key must be text"),
        # numbers that are none
        (STAGING + "{metrics: {auc: {at_least: .inf}}}", "2:27: staging.metrics.auc.at_least: "),
        (STAGING + "{metrics: {auc: {at_least: -.INF}}}", "must be a finite number, not -inf"),
        (STAGING + "{metrics: {auc: {at_least: 1e999}}}", "must be a finite number, not inf"),
        (STAGING + f"{{metrics: {{auc: {{at_least: {'9' * 5000}}}}}}}", "must be a number, not "),
        (STAGING + "{metrics: {auc: {at_least: true}}}", "must be a number, not True"),
        (STAGING + "{metrics: {auc: {at_least: '0.8'}}}", "must be a number, not '0.8'"),
        (STAGING + "{metrics: {auc: {at_least: }}}", "at_least: is empty: give it a value"),
        (STAGING + "{evidence: {at_most_days_old: 0}}", "must be more than 0, not 0"),
        (STAGING + "{evidence: {}}", "2:11: staging.evidence.at_most_days_old: must be given"),
        (STAGING + "{approval: {by_others: 0}}", "must be at least 1, not 0"),
        (STAGING + "{approval: {by_others: 1.5}}", "must be a whole number, not 1.5"),
        # what does not go together
        (STAGING + "{metrics: {auc: {better: higher}}}", "better need a baseline"),
        (STAGING + "{metrics: {auc: {at_least: 1, between: [0, 1]}}}", "between stands alone"),
        (STAGING + "{metrics: {auc: {baseline: 0}}}", "a version's number, not 0"),
        (STAGING + "{metrics: {auc: {baseline: true}}}", "a version's number, not True"),
        (STAGING + "{metrics: {' ': {at_least: 1}}}", "must be a name, not ' '"),
        # a whole stage that is none
        (STAGING + "required", "2:1: staging: must be an object: keys and values, not 'required'"),
        (STAGING + "\n", "2:1: staging: is empty: give it a value, or leave the key out"),
    ],
)
def test_a_mistake(text: str, said: str) -> None:
    found = mistakes(text)
    assert len(found) == 1
    assert said in found[0]


def test_a_flood_of_mistakes_ends() -> None:
    found = mistakes("group: a\n" + "".join(f"key{number}: 1\n" for number in range(150)))
    assert len(found) == 101
    assert found[-1] == "102:1: 50 more from here on"


def test_gates_of_another_group() -> None:
    (said,) = mistakes(WHOLE, group="churn")
    assert said == "1:1: group: is 'fraud-detection', but these gates are to be churn's"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"group: a\ncard: {a: '\xff'}\n", ":2: must be UTF-8"),
        (b"#" * (SIZE_LIMIT + 1), "more than 256000 bytes are no gate file"),
        (None, "cannot read "),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "gates.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        GateFile.load(path)


KEYS = [*GateFile.model_fields, "metrics", "fairness", "schema", "at_least", "between", "<<", ""]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(KEYS)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=12,
)


@given(st.one_of(VALUES.map(yaml.safe_dump), st.text(string.printable), st.text()))
@example("\ud800")
@example("a: !<tag:yaml.org,2002:int> 1")
@example("a: !!map [1]")
@example("a: \x85")
def test_whatever_it_holds_it_is_read_or_refused_with_places(text: str) -> None:
    try:
        GateFile.parse(text)
    except InputError as error:
        for problem in error.problems:
            _, line, column, said = problem.split(":", 3)
            assert 1 <= int(line) <= len(text) + 2
            assert int(column) >= 1
            assert said
            assert problem.isprintable()


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(string.printable, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab 1:"), inner),
    max_leaves=12,
)


@given(JSON_VALUES)
def test_json_is_read_as_json_reads_it(value: Any) -> None:
    assert marked_yaml.read(json.dumps(value)).value == value


# The published schema


def accepts(text: str) -> bool:
    Draft202012Validator.check_schema(gates_schema.schema())
    return bool(Draft202012Validator(gates_schema.schema()).is_valid(marked_yaml.read(text).value))


def test_the_schema_is_made_from_the_models() -> None:
    assert gates_schema.FILE.read_text("utf-8") == gates_schema.text()  # else run it


def test_what_is_read_the_schema_takes() -> None:
    assert accepts(WHOLE)


@pytest.mark.parametrize(
    "text",
    [
        "staging: {}",  # without a group
        "group: a_b",
        "group: a\nprodution: {}",
        STAGING,  # empty
        STAGING + "{metric: {}}",
        STAGING + "{metrics: {auc: 0.8}}",
        STAGING + "{metrics: {auc: {}}}",
        STAGING + "{metrics: {' ': {at_least: 1}}}",
        STAGING + "{metrics: {auc: {at_least: '1'}}}",
        STAGING + "{metrics: {auc: {at_lest: 1}}}",
        STAGING + "{metrics: {auc: {between: [1]}}}",
        STAGING + "{metrics: {auc: {baseline: 0}}}",
        STAGING + "{metrics: {auc: {baseline: production}}}",
        STAGING + "{metrics: {auc: {baseline: 1, at_most_worse: -1}}}",
        STAGING + "{metrics: {auc: {baseline: 1, better: more}}}",
        STAGING + "{fairness: {sex: {}}}",
        STAGING + "{fairness: {sex: {DPL: {baseline: 1}}}}",
        STAGING + "{explainability: yes}",
        STAGING + "{schema: required}",
        STAGING + "{evidence: {at_most_days_old: 0}}",
        STAGING + "{approval: {by_others: 0}}",
        STAGING + "{approval: {}}",
    ],
)
def test_what_the_schema_refuses_is_refused(text: str) -> None:
    assert not accepts(text)
    assert mistakes(text)
