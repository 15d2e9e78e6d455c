"""The registration config: what is accepted, what it means, and every problem in plain words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from mims.errors import InputError
from mims.registration.config import derived_group, load_config, parse_config
from mims.registration.parameters import RegistrationParameters, VariableType, variable_schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mims.registration.config import RegistrationConfig

ENVIRON = {"AWS_REGION": "us-west-2", "MIMS_BUCKET": "mims-models"}
OBJECTIVE = {"model_registration_objective": "FraudDetection"}
CONTRACT_FORM = {
    "model_name": "my-model",
    "model_version": "1.0.0",
    "framework": "xgboost",
    "inference_config": {"instance_type": "ml.t2.medium", "initial_instance_count": 1},
    "tags": {"environment": "production", "team": "ml-team"},
}


def parse(raw: Mapping[str, Any], environ: Mapping[str, str] = ENVIRON) -> RegistrationConfig:
    return parse_config(raw, environ)


def problems(raw: Mapping[str, Any], environ: Mapping[str, str] = ENVIRON) -> tuple[str, ...]:
    with pytest.raises(InputError) as error:
        parse_config(raw, environ)
    return error.value.problems


# What the forms mean


def test_defaults_of_the_steps_document() -> None:
    config = parse(OBJECTIVE)
    assert config.framework == "xgboost"
    assert config.inference_instance_type == "ml.m5.large"
    assert config.inference_entry_point == "inference.py"
    assert config.model_owner == "team id"
    assert config.model_registration_domain == "BuyerSellerMessaging"
    assert config.source_model_inference_content_types == ["text/csv"]
    assert config.source_model_inference_response_types == ["application/json"]
    assert config.source_model_inference_output_variable_list == {"legacy-score": "NUMERIC"}
    assert config.source_model_inference_input_variable_list == {}


def test_the_contracts_example_means_the_same_in_the_steps_words() -> None:
    in_step_form = {
        "model_name": "my-model",
        "model_version": "1.0.0",
        "model_registration_objective": "my-model",
        "framework": "xgboost",
        "inference_instance_type": "ml.t2.medium",
        "tags": {"environment": "production", "team": "ml-team"},
    }
    assert parse(CONTRACT_FORM) == parse(in_step_form)


def test_the_steps_example_gives_the_documented_schema() -> None:
    config = parse(
        {
            **OBJECTIVE,
            "source_model_inference_output_variable_list": {
                "fraud_score": "NUMERIC",
                "risk_category": "TEXT",
            },
            "source_model_inference_input_variable_list": {
                "account_age": "NUMERIC",
                "country_code": "TEXT",
            },
        }
    )
    assert json.loads(json.dumps(variable_schema(config))) == {
        "input": {
            "variables": [
                {"name": "account_age", "type": "NUMERIC"},
                {"name": "country_code", "type": "TEXT"},
            ]
        },
        "output": {
            "variables": [
                {"name": "fraud_score", "type": "NUMERIC"},
                {"name": "risk_category", "type": "TEXT"},
            ]
        },
    }


def test_pairs_mean_the_same_as_an_object() -> None:
    name = "source_model_inference_input_variable_list"
    pairs = parse({**OBJECTIVE, name: [["b", "TEXT"], ["a", "NUMERIC"]]})
    assert list(pairs.source_model_inference_input_variable_list) == ["b", "a"]
    assert pairs == parse({**OBJECTIVE, name: {"b": "TEXT", "a": "NUMERIC"}})


@pytest.mark.parametrize(
    ("version", "full"),
    [
        pytest.param(None, "3.0-5", id="the newest when none is given"),
        pytest.param("1.7", "1.7-1", id="the newest build of a version"),
        pytest.param("1.7-1", "1.7-1", id="as given"),
    ],
)
def test_framework_version(version: str | None, full: str) -> None:
    config = parse({**OBJECTIVE, "framework_version": version})
    assert config.framework_version == full
    assert config.image("us-west-2").endswith(f"/sagemaker-xgboost:{full}")


def test_an_image_of_the_users_own_needs_no_known_version() -> None:
    config = parse({**OBJECTIVE, "image_uri": "registry/own:1", "regions": ["mars-north-1"]})
    assert config.image("mars-north-1") == "registry/own:1"
    assert config.framework_version is None


# Where: region and bucket, from config or environment


@pytest.mark.parametrize(
    ("raw", "environ", "expected"),
    [
        pytest.param(
            {"regions": ["us-east-1", "eu-west-1"], "bucket": "one-bucket"},
            {"AWS_REGION": "us-west-2", "MIMS_BUCKET": "another"},
            {"us-east-1": "one-bucket", "eu-west-1": "one-bucket"},
            id="the config wins; one name stands for every region",
        ),
        pytest.param(
            {
                "regions": ["eu-west-1"],
                "bucket": {"us-east-1": "bucket-a", "eu-west-1": "bucket-b"},
            },
            {},
            {"us-east-1": "bucket-a", "eu-west-1": "bucket-b"},
            id="a map may name more regions than are asked for",
        ),
        pytest.param(
            {},
            {"AWS_DEFAULT_REGION": "eu-west-1", "MIMS_BUCKET": "from-environ"},
            {"eu-west-1": "from-environ"},
            id="both from the environment",
        ),
        pytest.param(
            {},
            {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "eu-west-1", "MIMS_BUCKET": "mine"},
            {"us-west-2": "mine"},
            id="AWS_REGION goes first, as in the AWS SDKs",
        ),
    ],
)
def test_bucket_of_each_region(
    raw: dict[str, Any], environ: dict[str, str], expected: dict[str, str]
) -> None:
    config = parse({**OBJECTIVE, **raw}, environ)
    assert config.bucket == expected
    assert set(config.regions) <= set(expected)


# The group's name


@pytest.mark.parametrize(
    ("domain", "objective", "group"),
    [
        # The default domain.
        ("BuyerSellerMessaging", "FraudDetection", "BuyerSellerMessaging-FraudDetection"),
        # Each run of other characters is one hyphen, none at the ends.
        ("_Risk / EU", "a  b.c:", "Risk-EU-a-b-c"),
        # Cut, and told apart by the digest of the whole name.
        ("D" * 40, "O" * 40, f"{'D' * 40}-{'O' * 13}-b9bfca12"),
        # No hyphen before the digest's own.
        ("D" * 53, "Objective2", f"{'D' * 53}-a19f77d7"),
    ],
)
def test_group_derived_from_domain_and_objective(domain: str, objective: str, group: str) -> None:
    assert derived_group(domain, objective) == group
    config = parse({"model_registration_domain": domain, "model_registration_objective": objective})
    assert config.group == group


def test_a_model_name_is_the_groups_name() -> None:
    assert parse({**OBJECTIVE, "model_name": "fraud"}).group == "fraud"


# What is refused, and in which words


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        # Required, and nothing stands in for it.
        ({}, "model_registration_objective: must be given"),
        (
            {**OBJECTIVE, "inference_instance_type": "m5.large"},
            "must be an instance type that starts",
        ),
        ({**OBJECTIVE, "inference_instance_type": "ml."}, "must be an instance type that starts"),
        ({**OBJECTIVE, "framework": "mxnet"}, "framework: must be 'xgboost', 'sklearn', 'pytorch'"),
        # Exactly one of two, not both.
        (
            {
                **OBJECTIVE,
                "source_model_inference_content_types": ["text/csv", "application/json"],
            },
            'content_types: must be exactly ["text/csv"] or ["application/json"], not [',
        ),
        (
            {**OBJECTIVE, "source_model_inference_response_types": []},
            "response_types: must be exac",
        ),
        # A text is no list of one.
        (
            {**OBJECTIVE, "source_model_inference_content_types": "text/csv"},
            "must be a list, not 't",
        ),
        (
            {**OBJECTIVE, "source_model_inference_output_variable_list": {}},
            "output_variable_list: must be an object that defines at least one output variable",
        ),
        (
            {**OBJECTIVE, "source_model_inference_output_variable_list": {"score": "NUMBER"}},
            "output_variable_list.score: must be 'NUMERIC' or 'TEXT', not 'NUMBER'",
        ),
        # A name twice in pairs would lose a variable.
        (
            {
                **OBJECTIVE,
                "source_model_inference_input_variable_list": [["a", "TEXT"], ["a", "NUMERIC"]],
            },
            "input_variable_list: names a twice",
        ),
        (
            {**OBJECTIVE, "source_model_inference_input_variable_list": [["a"]]},
            "input_variable_list: must be an object of name and type, or a list of [name, type]",
        ),
        (
            {**OBJECTIVE, "source_model_inference_input_variable_list": {" ": "TEXT"}},
            "must be a nam",
        ),
        # The path would lead out of code/.
        (
            {**OBJECTIVE, "inference_entry_point": "../inference.py"},
            "entry_point: must be the path",
        ),
        # SageMaker would refuse it after the upload.
        ({**OBJECTIVE, "model_owner": "me & you"}, "model_owner: must be at most 256 letters, dig"),
        (
            {**OBJECTIVE, "model_owner": "x" * 257},
            "model_owner: must be at most 256 letters, digit",
        ),
        (
            {**OBJECTIVE, "model_registration_domain": ""},
            "domain: must be at most 256 letters, dig",
        ),
        ({**OBJECTIVE, "tags": {"aws:mine": "x"}}, "no key starting with aws:; mend aws:mine"),
        ({**OBJECTIVE, "tags": {"debug": True}}, "tags.debug: must be text, not True"),
        ({**OBJECTIVE, "tags": {f"k{n}": "" for n in range(51)}}, "tags: must be at most 50"),
        ({**OBJECTIVE, "model_name": "my_model"}, "model_name: must be at most 63 letters, digits"),
        (
            {**OBJECTIVE, "model_name": "x-"},
            "model_name: must be at most 63 letters, digits and hy",
        ),
        (
            {**OBJECTIVE, "model_name": "x" * 64},
            "model_name: must be at most 63 letters, digits an",
        ),
        # Nothing is left to name a group by.
        (
            {"model_registration_domain": "Домен", "model_registration_objective": "Цель"},
            "model_name: must be given, since domain and objective hold none of a-z",
        ),
        ({**OBJECTIVE, "model_version": 1.0}, "model_version: must be text, not 1.0"),
        ({**OBJECTIVE, "initial_instance_count": "1"}, "must be a whole number, not '1'"),
        ({**OBJECTIVE, "initial_instance_count": 0}, "must be at least 1, not 0"),
        ({**OBJECTIVE, "regions": ["us-west-2", "us-west-2"]}, "regions: names us-west-2 twice"),
        ({**OBJECTIVE, "regions": ["Oregon"]}, "regions[0]: must be a region such as us-west-2"),
        ({**OBJECTIVE, "regions": "us-west-2"}, "regions: must be a list, not 'us-west-2'"),
        (
            {**OBJECTIVE, "bucket": "s3://models/"},
            "bucket: must be a bucket's name alone, not 's3:",
        ),
        ({**OBJECTIVE, "bucket": ["models"]}, "bucket: must be a name, or an object of a name a r"),
        (
            {**OBJECTIVE, "bucket": {"us-east-1": "models"}},
            "bucket: names none for region us-west-2",
        ),
        ({**OBJECTIVE, "bucket": {"us-west-2": "S3"}}, "bucket.us-west-2: must be a bucket's name"),
        ({**OBJECTIVE, "image_uri": "my image"}, "image_uri: must be an image URI, not 'my image'"),
        (
            {**OBJECTIVE, "framework_version": "9.9"},
            "framework_version: no xgboost 9.9 image is known (known: 0.90-1, ",
        ),
        (
            {**OBJECTIVE, "regions": ["ap-east-2"]},
            "framework_version: no xgboost 3.0-5 image is known in region ap-east-2 ",
        ),
        (
            {**OBJECTIVE, "image_uri": "own:1", "framework_version": "v1"},
            "must be a version such as",
        ),
        # Two forms that say different things.
        (
            {
                **OBJECTIVE,
                "inference_instance_type": "ml.m5.large",
                "inference_config": {"instance_type": "ml.c5.large"},
            },
            "inference_config.instance_type: is 'ml.c5.large', but inference_instance_type is",
        ),
        ({**OBJECTIVE, "inference_config": []}, "inference_config: must be an object, not []"),
        # Unknown keys, with the nearest that is known.
        ({**OBJECTIVE, "frame_work": "x"}, "frame_work: unknown key; did you mean framework?"),
        (
            {**OBJECTIVE, "Inference_Instance_Typ": "x"},
            "unknown key; did you mean inference_instance_type?",
        ),
        (
            {**OBJECTIVE, "inference_config": {"instancetype": "ml.m5.large"}},
            "inference_config.instancetype: unknown key; did you mean instance_type?",
        ),
        ({**OBJECTIVE, "xyz": 1}, "xyz: unknown key; known are framework, inference_instance_type"),
        # Shown without what it could do to a terminal.
        ({**OBJECTIVE, "x\x1b[2J": 1}, "config x\\x1b[2J: unknown key"),
    ],
)
def test_one_problem(raw: dict[str, Any], expected: str) -> None:
    (problem,) = problems(raw)
    assert problem.startswith("config ")
    assert expected in problem
    assert "pydantic" not in problem


def test_all_problems_at_once_each_with_its_path_as_written() -> None:
    found = problems(
        {
            "model_name": "my model",
            "framwork": "xgboost",
            "inference_config": {"instance_type": "m5.large", "count": 1},
            "source_model_inference_content_types": ["text/html"],
            "framework_version": "1.7",
        },
        {},
    )
    paths = [problem.removeprefix("config ").partition(":")[0] for problem in found]
    assert sorted(paths) == [
        "bucket",
        "framwork",
        "inference_config.count",
        "inference_config.instance_type",
        "model_name",
        "regions",
        "source_model_inference_content_types",
    ]


# The step's parameters as a pipeline author writes them in Python


def test_parameters_take_enum_members_and_name_what_is_wrong() -> None:
    kept = RegistrationParameters(
        model_registration_objective="FraudDetection",
        source_model_inference_output_variable_list={"fraud_score": VariableType.NUMERIC},
    )
    assert kept.source_model_inference_output_variable_list == {"fraud_score": "NUMERIC"}
    with pytest.raises(ValidationError, match=r"must be an instance type that starts with 'ml\."):
        RegistrationParameters(
            model_registration_objective="FraudDetection", inference_instance_type="m5.large"
        )


@pytest.mark.parametrize(
    ("source_dir", "is_taken"),
    [
        ("{here}", True),  # holds the entry point
        ("{here}/empty", False),  # does not
        ("s3://bucket/code.tar.gz", True),  # out of sight
    ],
)
def test_a_local_source_dir_holds_the_entry_point(
    source_dir: str, is_taken: bool, tmp_path: Path
) -> None:
    (tmp_path / "inference.py").touch()
    (tmp_path / "empty").mkdir()
    raw = {**OBJECTIVE, "source_dir": source_dir.format(here=tmp_path)}
    if is_taken:
        assert parse(raw).source_dir == raw["source_dir"]
    else:
        (problem,) = problems(raw)
        assert problem.startswith("config source_dir: no inference.py (inference_entry_point) in")


# Finding and reading the file


@pytest.mark.parametrize(
    "place",
    [
        "config",  # the file itself
        "config/config",  # SageMaker mounts a folder there
        "config/registration.json",  # by any name, when it is the only JSON
    ],
)
def test_the_config_channel_is_a_file_or_a_folder(place: str, tmp_path: Path) -> None:
    file = tmp_path / place
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(OBJECTIVE))
    (tmp_path / "config.md").touch()
    assert load_config(tmp_path / "config", ENVIRON) == parse(OBJECTIVE)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], "is empty: put the registration config there"),
        (["a.json", "b.json"], "several could be meant: keep one, or call it config"),
        (["config.yaml"], "no config in "),
    ],
)
def test_a_folder_that_leaves_the_config_open(
    files: list[str], expected: str, tmp_path: Path
) -> None:
    for file in files:
        (tmp_path / file).touch()
    with pytest.raises(InputError) as error:
        load_config(tmp_path, ENVIRON)
    assert expected in str(error.value)
    assert all(file in str(error.value) for file in files)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"framework: xgboost", "is not JSON: Expecting value: line 1 column 1"),
        (b"", "is not JSON: Expecting value"),
        (b'["xgboost"]', "is not a JSON object but list"),
        # Two readers could read it differently.
        (b'{"bucket": "a", "bucket": "b"}', "says 'bucket' twice: which one counts?"),
        (b'{"tags": {"a": "1", "a": "2"}}', "says 'a' twice: which one counts?"),
        (b'{"initial_instance_count": NaN}', "is not JSON: NaN is no JSON number"),
        # As Windows editors save it.
        (
            b'\xef\xbb\xbf{"framework": "xgboost"}',
            "starts with a byte order mark: save it as UTF-8",
        ),
        ('{"framework": "xgboost"}'.encode("utf-16"), "is not UTF-8 but UTF-16 or UTF-32: save it"),
        ('{"framework": "xgboost"}'.encode("utf-16-le"), "is not UTF-8 but UTF-16 or UTF-32: save"),
        (b'{"framework": "\xe4"}', "is not UTF-8 (byte 15): save it as UTF-8"),
        # It could not be written back.
        (b'{"framework": "\\ud800"}', "holds half a character"),
        # It would exhaust the stack.
        (b'{"a":' * 100_000, "is nested too deep"),
        (b" " * 16_000_001, "is over 16.0 MB: is it the right file?"),
    ],
)
def test_a_file_that_is_no_json_object(content: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(content)
    with pytest.raises(InputError) as error:
        load_config(tmp_path / "config", ENVIRON)
    assert expected in str(error.value)
    assert str(tmp_path / "config") in str(error.value)
