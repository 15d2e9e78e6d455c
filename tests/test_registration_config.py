"""The registration config: what its forms mean, and finding the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from mims.errors import InputError
from mims.registration.config import derived_group, load_config
from mims.registration.inputs import read_json_object
from mims.registration.parameters import RegistrationParameters, VariableType, variable_schema
from registration_configs import (
    CONTRACT_FORM,
    ENVIRON,
    OBJECTIVE,
    STEP_DEFAULTS,
    STEP_FORM,
    STEP_SCHEMA,
    parse,
    problems,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


# What the forms mean


def test_defaults_of_the_steps_document() -> None:
    config = parse(OBJECTIVE)
    assert {name: getattr(config, name) for name in STEP_DEFAULTS} == STEP_DEFAULTS


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
    assert json.loads(json.dumps(variable_schema(parse(STEP_FORM)))) == STEP_SCHEMA


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


def test_a_region_may_be_named_alone_or_by_its_marketplaces() -> None:
    assert parse({**OBJECTIVE, "regions": "eu-west-1"}).regions == ["eu-west-1"]
    raw = {**OBJECTIVE, "regions": ["NA", "FE"], "bucket": {"NA": "bucket-na", "FE": "bucket-fe"}}
    config = parse(raw)
    assert config.regions == ["us-east-1", "us-west-2"]
    assert config.bucket == {"us-east-1": "bucket-na", "us-west-2": "bucket-fe"}


KEY = "11111111-2222-3333-4444-555555555555"
MULTI_REGION_KEY = "mrk-" + "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Nothing is encrypted with a key that nobody chose: the bucket's own default stands.
        pytest.param(None, {}, id="none"),
        pytest.param("alias/models", ["alias/models"] * 2, id="an alias that each region has"),
        pytest.param(MULTI_REGION_KEY, [MULTI_REGION_KEY] * 2, id="a key of many regions"),
        pytest.param(
            {
                "us-west-2": f"arn:aws:kms:us-west-2:123456789012:key/{KEY}",
                "eu-west-1": "arn:aws:kms:eu-west-1:123456789012:alias/models",
            },
            [
                f"arn:aws:kms:us-west-2:123456789012:key/{KEY}",
                "arn:aws:kms:eu-west-1:123456789012:alias/models",
            ],
            id="one a region",
        ),
    ],
)
def test_kms_key_of_each_region(given: Any, expected: Any) -> None:
    config = parse({**OBJECTIVE, "regions": ["us-west-2", "eu-west-1"], "kms_key": given})
    assert [*config.kms_key.values()] == [*expected]
    assert set(config.kms_key) <= set(config.regions)


def test_owner_and_image_of_each_region() -> None:
    regions = {"regions": ["us-west-2", "eu-west-1"], "bucket_owner": "012345678901"}
    config = parse({**OBJECTIVE, **regions, "image_uri": {"us-west-2": "own:1", "EU": "own:2"}})
    assert config.bucket_owner == dict.fromkeys(config.regions, "012345678901")
    assert (config.image("us-west-2"), config.image("eu-west-1")) == ("own:1", "own:2")
    assert parse(OBJECTIVE).bucket_owner == {}


@pytest.mark.parametrize(
    ("raw", "environ", "expected"),
    [
        ({}, {}, ["sagemaker"]),
        ({}, {"REGISTRATION_BACKENDS": "mims"}, ["mims"]),
        ({}, {"REGISTRATION_BACKENDS": "sagemaker, mims"}, ["sagemaker", "mims"]),
        ({"backends": "mims"}, {"REGISTRATION_BACKENDS": "sagemaker"}, ["mims"]),
        ({"backends": ["mims", "sagemaker"]}, {}, ["mims", "sagemaker"]),
        ({"backends": None}, {"REGISTRATION_BACKENDS": "mims"}, ["mims"]),
    ],
)
def test_backends(raw: dict[str, Any], environ: dict[str, str], expected: list[str]) -> None:
    assert parse({**OBJECTIVE, **raw}, {**ENVIRON, **environ}).backends == expected


# The serving container's environment


def test_the_containers_environment_is_ours_and_the_users() -> None:
    config = parse({**OBJECTIVE, "environment": {"OMP_NUM_THREADS": "1"}})
    assert config.container_environment("eu-west-1") == {
        "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
        "OMP_NUM_THREADS": "1",
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
        "SAGEMAKER_REGION": "eu-west-1",
    }


def test_the_log_level_is_the_users_and_the_region_each_regions_own() -> None:
    theirs = {"SAGEMAKER_CONTAINER_LOG_LEVEL": "10", "SAGEMAKER_REGION": "us-west-2"}
    config = parse({**OBJECTIVE, "regions": ["us-west-2", "eu-west-1"], "environment": theirs})
    made = config.container_environment("eu-west-1")
    assert made["SAGEMAKER_CONTAINER_LOG_LEVEL"] == "10"
    assert made["SAGEMAKER_REGION"] == "eu-west-1"


def test_the_program_of_the_environment_is_the_entry_point() -> None:
    config = parse({**OBJECTIVE, "environment": {"SAGEMAKER_PROGRAM": "serve.py"}})
    assert config.inference_entry_point == "serve.py"
    assert config.container_environment("us-west-2")["SAGEMAKER_PROGRAM"] == "serve.py"


def test_as_many_variables_as_a_container_takes() -> None:
    config = parse({**OBJECTIVE, "environment": {f"V{n}": "" for n in range(96)}})
    assert len(config.container_environment("us-west-2")) == 100


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


def many_names(numbers: Iterable[int]) -> bytes:
    return b"{%s}" % b", ".join(b'"%d": 1' % number for number in numbers)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"framework: xgboost", "is not JSON: Expecting value: line 1 column 1"),
        (b"", "is not JSON: Expecting value"),
        (b'["xgboost"]', "is not a JSON object but list"),
        # Two readers could read it differently.
        (b'{"bucket": "a", "bucket": "b"}', "says 'bucket' twice: which one counts?"),
        (b'{"tags": {"a": "1", "a": "2"}}', "says 'a' twice: which one counts?"),
        (
            b'[{"a": 1, "b": 1, "b": 1}, {"b": 1, "b": 1, "a": 1, "a": 1}]',
            "says 'b', 'a' twice: which one counts?",
        ),
        # So many that it would take minutes to compare each with each.
        pytest.param(
            many_names(number // 2 for number in range(200_000)),
            "says '0', '1', '2', ",
            id="each of 100,000 names twice",
        ),
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


def test_many_names_are_read_at_once(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_bytes(many_names(range(200_000)))
    assert len(read_json_object(tmp_path / "metadata.json", "the metadata")) == 200_000
