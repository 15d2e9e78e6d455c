"""Step configs: what they take is what the jobs take, what they refuse is refused in one error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from front_door import Container, lay
from mims.errors import InputError
from mims.payload.values import DEFAULTS, SPECIAL
from mims.pipeline.configs import (
    MIMSPackageConfig,
    MIMSPayloadConfig,
    ModelRegistrationConfig,
    RegistrationSettings,
)
from mims.pipeline.variables import VariableType
from mims.registration.config import RegistrationConfig, parse_config
from mims.settings import read_settings
from registration_configs import (
    CONTRACT_FORM,
    ENVIRON,
    OBJECTIVE,
    PIPELINE_FORM,
    STEP_DEFAULTS,
    STEP_FORM,
    STEP_SCHEMA,
)
from test_registration_config_anything import configs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

TWO = ["us-east-1", "eu-west-1"]
BUCKETS = {"us-east-1": "models-us", "eu-west-1": "models-eu"}
KEYS = {region: f"arn:aws:kms:{region}:123456789012:alias/mims" for region in TWO}
SETTINGS = (MIMSPackageConfig, MIMSPayloadConfig, RegistrationSettings)


def problems(make: Callable[..., Any], *args: Any, **values: Any) -> tuple[str, ...]:
    with pytest.raises(InputError) as error:
        make(*args, **values)
    return error.value.problems


def registration(**values: Any) -> ModelRegistrationConfig:
    return ModelRegistrationConfig(**{**OBJECTIVE, **values})


def pairs(values: Mapping[str, Any]) -> list[list[Any]]:
    return [list(pair) for pair in values.items()]


# The registration step's config


def test_the_specification_s_example() -> None:
    config = ModelRegistrationConfig(
        framework="xgboost",
        inference_instance_type="ml.m5.large",
        model_owner="my-team-id",
        model_registration_domain="BuyerSellerMessaging",
        model_registration_objective="FraudDetection",
        source_model_inference_content_types=["text/csv"],
        source_model_inference_response_types=["application/json"],
        source_model_inference_output_variable_list={
            "fraud_score": VariableType.NUMERIC,
            "risk_category": VariableType.TEXT,
        },
        source_model_inference_input_variable_list={
            "account_age": VariableType.NUMERIC,
            "transaction_count": VariableType.NUMERIC,
            "country_code": VariableType.TEXT,
        },
    )
    assert config.framework == "xgboost"
    assert config.model_registration_objective == "FraudDetection"
    assert config.source_model_inference_content_types == ["text/csv"]
    assert config.source_model_inference_output_variable_list == {
        "fraud_score": VariableType.NUMERIC,
        "risk_category": VariableType.TEXT,
    }
    assert config.variable_schema() == STEP_SCHEMA
    assert config.for_job() == {
        **STEP_FORM,
        "inference_entry_point": "inference.py",
        "initial_instance_count": 1,
        "sagemaker_domain": "MACHINE_LEARNING",
        "sagemaker_task": "OTHER",
    }


def test_the_specification_s_defaults() -> None:
    config = registration()
    assert {name: getattr(config, name) for name in STEP_DEFAULTS} == STEP_DEFAULTS


def test_parameters_are_those_of_the_job() -> None:
    ours, theirs = ModelRegistrationConfig.model_fields, RegistrationConfig.model_fields
    assert ours.keys() == theirs.keys()
    left_to_the_job = {"backends", "regions", "bucket", "bucket_owner", "kms_key", "image_uri"}
    for name in ours.keys() - left_to_the_job:
        assert ours[name].default == theirs[name].default, name
    assert not any(ours[name].default for name in left_to_the_job)


@pytest.mark.parametrize("form", [STEP_FORM, CONTRACT_FORM, PIPELINE_FORM])
def test_other_names_mean_what_they_mean_to_the_job(form: dict[str, Any]) -> None:
    config = ModelRegistrationConfig(**form)
    assert parse_config(config.for_job(), ENVIRON) == parse_config(form, ENVIRON)


@given(configs)
def test_whatever_the_job_takes_is_taken_and_arrives_whole(raw: dict[str, Any]) -> None:
    try:
        job, refused = parse_config(raw, ENVIRON), None
    except InputError as error:
        job, refused = None, error
    if job:
        config = ModelRegistrationConfig(**raw)
        assert parse_config(config.for_job(), ENVIRON) == job
        assert ModelRegistrationConfig(**json.loads(config.to_json())) == config
    elif refused and raw.get("regions"):  # else it may be meant for another region than this job's
        assert problems(lambda: ModelRegistrationConfig(**raw)) == refused.problems


buckets = st.fixed_dictionaries({region: st.sampled_from(["models-a", "b.c"]) for region in TWO})
variables = st.dictionaries(
    st.text("aé_ ", min_size=1).filter(str.strip), st.sampled_from(VariableType)
)
regional = st.fixed_dictionaries(
    {},
    optional={
        "regions": st.sampled_from([TWO, ["us-east-1"], ["NA", "EU"], "EU", []]),
        "bucket": buckets | st.just("one-for-all"),
        "kms_key": st.sampled_from([KEYS, "alias/mims", None]),
        "image_uri": st.sampled_from(["own:1", {"NA": "own:us", "EU": "own:eu"}]),
        "bucket_owner": st.just("123456789012"),
        "environment": st.dictionaries(st.sampled_from("ab"), st.text()),
        "tags": st.dictionaries(st.text("aé:", min_size=1), st.text("aé ")),
        "framework_version": st.sampled_from([None, "1.7"]),
        "backends": st.sampled_from(["mims", ["mims", "sagemaker"]]),
        "source_model_inference_input_variable_list": variables | variables.map(pairs),
        "load_testing": st.just({"expectedTPS": "3", "maxLatencyInMillisecond": 5}),
        "model_name": st.none() | st.just("group"),
        "initial_instance_count": st.integers(1, 5),
    },
)


@given(regional)
def test_what_is_right_is_taken_and_arrives_whole(raw: dict[str, Any]) -> None:
    config = registration(**raw)
    environ = {**ENVIRON, "AWS_REGION": "eu-west-1"}
    assert parse_config(config.for_job(), environ) == parse_config({**OBJECTIVE, **raw}, environ)
    for region in TWO:
        narrow = parse_config(config.for_job([region]), environ)
        assert narrow == parse_config(
            {**OBJECTIVE, **raw, "regions": [region]}, environ
        ).model_copy(
            update={
                "bucket": narrow.bucket,
                "kms_key": narrow.kms_key,
                "image_uri": narrow.image_uri,
            }
        )
        assert narrow.bucket.keys() == {region}
    assert ModelRegistrationConfig(**json.loads(config.to_json())) == config
    assert ModelRegistrationConfig.model_validate(config) == config


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"framework": "lightgbm"}, "framework"),
        ({"model_registration_objective": None}, "model_registration_objective"),
        ({"inference_instance_type": "m5.large"}, "inference_instance_type"),
        # the allowed pair, but both at once; and another
        (
            {"source_model_inference_content_types": ["text/csv", "application/json"]},
            "source_model_inference_content_types",
        ),
        (
            {"source_model_inference_response_types": ["text/plain"]},
            "source_model_inference_response_types",
        ),
        (
            {"source_model_inference_output_variable_list": {}},
            "source_model_inference_output_variable_list",
        ),
        (
            {"source_model_inference_input_variable_list": {"age": "INTEGER"}},
            "source_model_inference_input_variable_list.age",
        ),
        ({"source_dir": "/no/such/folder"}, "source_dir"),
        ({"regions": ["us-east-1", "us-east-1"]}, "regions"),
        # the same region by its marketplaces' name
        ({"regions": ["us-east-1", "NA"]}, "regions"),
        ({"regions": TWO, "bucket": {"us-east-1": "models"}}, "bucket"),
        ({"framwork": "xgboost"}, "framwork"),
        # for no region at all
        ({"bucket": {"us-east-1": "models"}, "kms_key": {"eu-west-1": "alias/a"}}, "kms_key"),
        ({"bucket": {"mars": "models"}}, "bucket"),
    ],
)
def test_a_wrong_parameter_is_named(values: dict[str, Any], named: str) -> None:
    (problem,) = problems(registration, **values)
    assert problem.startswith(f"config {named}: ")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        ModelRegistrationConfig,
        framework="lightgbm",
        inference_instance_type="m5.large",
        source_model_inference_content_types=["text/plain"],
        source_model_inference_input_variable_list={"age": "INTEGER"},
        source_dir=str(tmp_path),
        regions=["us-east-1", "us-east-1"],
        framwork="xgboost",
    )
    assert [problem.partition(":")[0].removeprefix("config ") for problem in found] == [
        "framework",
        "inference_instance_type",
        "model_registration_objective",
        "source_model_inference_content_types",
        "source_model_inference_input_variable_list.age",
        "source_dir",
        "regions",
        "framwork",
    ]
    assert found[-1].endswith("did you mean framework?")


@pytest.mark.parametrize(
    "values",
    [
        {"bucket": "models"},
        {"bucket": BUCKETS},
        {"kms_key": KEYS["eu-west-1"]},
        {"kms_key": KEYS, "bucket": "models"},
        {"kms_key": KEYS["eu-west-1"], "bucket": BUCKETS},
        {"image_uri": "own:1", "bucket_owner": "123456789012"},
        {"regions": TWO, "bucket": "models", "image_uri": "own:1"},
        {"regions": TWO, "bucket": BUCKETS, "kms_key": KEYS},
    ],
)
def test_what_is_said_by_region_stays_as_written(values: dict[str, Any]) -> None:
    config = registration(**values)
    assert {name: getattr(config, name) for name in values} == values
    assert {name: config.for_job()[name] for name in values} == values


def test_regions_by_their_marketplaces() -> None:
    config = registration(regions=["NA", "EU"], bucket={"NA": "models-us", "EU": "models-eu"})
    assert config.regions == TWO
    assert config.bucket == BUCKETS
    assert config.for_job(["EU"])["regions"] == ["eu-west-1"]


def test_the_container_s_own_region_needs_no_mention() -> None:
    """Existing pipelines name it; each region's container gets its own."""
    config = registration(environment={"SAGEMAKER_REGION": "eu-west-1", "LEVEL": "2"})
    assert config.for_job(["us-east-1"])["environment"] == {"LEVEL": "2"}


def test_a_job_s_config_is_narrowed_to_its_regions() -> None:
    images = {"us-east-1": "own:us", "eu-west-1": "own:eu"}
    config = registration(regions=TWO, bucket=BUCKETS, kms_key=KEYS, image_uri=images)
    assert config.for_job(TWO) == config.for_job() == config.to_dict()
    narrow = config.for_job(["eu-west-1"])
    assert narrow["regions"] == ["eu-west-1"]
    assert narrow["bucket"] == {"eu-west-1": "models-eu"}
    assert narrow["kms_key"] == {"eu-west-1": KEYS["eu-west-1"]}
    assert narrow["image_uri"] == {"eu-west-1": "own:eu"}
    assert parse_config(narrow, {}).bucket == {"eu-west-1": "models-eu"}


@pytest.mark.parametrize(
    ("regions", "named"),
    [
        ([], "regions: must name a region"),
        (["mars"], "config regions[0]: must be a region"),
        (["us-east-1", "NA"], "config regions: names us-east-1 twice"),
        # which the config says nothing of
        (["us-west-2"], "config bucket: names none for region us-west-2"),
    ],
)
def test_a_job_s_regions_are_checked(regions: list[str], named: str) -> None:
    (problem,) = problems(registration(bucket=BUCKETS).for_job, regions)
    assert problem.startswith(named)


def test_the_job_gets_no_folder_that_it_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "serve.py").touch()
    local = registration(source_dir=str(tmp_path), inference_entry_point="serve.py")
    assert local.source_dir == str(tmp_path)
    assert "source_dir" not in local.for_job()
    assert local.for_job()["inference_entry_point"] == "serve.py"
    assert registration(source_dir="s3://code/a").for_job()["source_dir"] == "s3://code/a"


def test_a_config_is_a_value() -> None:
    tags = {"team": "a"}
    config = registration(tags=tags)
    tags["team"] = "b"
    assert config.tags == {"team": "a"}
    assert config == registration(framework="xgboost", tags={"team": "a"})
    assert config != registration(tags=tags)
    with pytest.raises(ValidationError, match="frozen"):
        config.framework = "pytorch"


# Files


@pytest.mark.parametrize(
    "config",
    [
        registration(regions=TWO, bucket="models", tags={"équipe": "ü"}),
        registration(**PIPELINE_FORM),
        MIMSPackageConfig(compression_level=9),
        MIMSPayloadConfig(content_types=["text/csv"], csv_header=False, default_text_value=""),
        RegistrationSettings(metrics_namespace="MIMS"),
    ],
)
def test_a_saved_config_is_loaded(config: Any, tmp_path: Path) -> None:
    config.save(tmp_path / "config.json")
    assert type(config).load(str(tmp_path / "config.json")) == config


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"framework": "xgboost", "framework": "pytorch"}', "'framework' twice"),
        ('{"model_registration_objective": "a", "framework": "b"}', "config framework: must be"),
    ],
)
def test_a_wrong_file_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    (problem,) = problems(ModelRegistrationConfig.load, path)
    assert words in problem


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "none" / "config.json"
    assert "cannot read" in problems(MIMSPackageConfig.load, path)[0]
    assert f"cannot write {path}" in problems(MIMSPackageConfig().save, path)[0]


# Settings


def by_setting(config: Any) -> dict[str, Any]:
    """The values under their environment variables' names."""
    return {config.setting(name).name: value for name, value in config}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_are_those_of_the_contract(kind: Any) -> None:
    settings = {setting.name: setting for setting in kind.contract.settings}
    ours = by_setting(kind())
    elsewhere = {
        "MODS_WORKFLOW_EXECUTION_ID",  # the builder's
        "AWS_REGION",  # the service's
        "AWS_DEFAULT_REGION",
        "MIMS_BUCKET",  # the config's
        "REGISTRATION_BACKENDS",
    }
    assert ours.keys() == settings.keys() - elsewhere
    left_unset: dict[str, Any] = {"DEFAULT_TEXT_VALUE": None, "FIELD_DEFAULTS": {}}
    for name, value in ours.items():
        assert value == left_unset.get(name, settings[name].read({})), name
    assert kind().environment() == {}
    assert kind(**dict.fromkeys(kind.model_fields)) == kind.model_validate(kind()) == kind()


@pytest.mark.parametrize(
    ("config", "environment"),
    [
        (MIMSPackageConfig(compression_level=1), {}),
        (MIMSPackageConfig(package_layout="sagemaker"), {"PACKAGE_LAYOUT": "sagemaker"}),
        (
            MIMSPackageConfig(inference_entry_point="serve.py", max_members=5),
            {"INFERENCE_ENTRY_POINT": "serve.py", "MAX_MEMBERS": "5"},
        ),
        (
            MIMSPayloadConfig(content_types=["text/csv", "application/json"]),
            {"CONTENT_TYPES": "text/csv,application/json"},
        ),
        (
            MIMSPayloadConfig(csv_header=False, default_numeric_value=-1),
            {"CSV_HEADER": "false", "DEFAULT_NUMERIC_VALUE": "-1.0"},
        ),
        # set, so that no field's text is made of its name
        (
            MIMSPayloadConfig(default_text_value="DEFAULT_TEXT"),
            {"DEFAULT_TEXT_VALUE": "DEFAULT_TEXT"},
        ),
        (
            MIMSPayloadConfig(special_fields={"age": "7"}, field_defaults={"a b": "x"}),
            {"SPECIAL_FIELD_age": "7", "FIELD_DEFAULTS": '{"a b":"x"}'},
        ),
        (
            RegistrationSettings(performance_metadata_path="s3://a/b"),
            {"PERFORMANCE_METADATA_PATH": "s3://a/b"},
        ),
    ],
)
def test_the_environment_says_what_differs(config: Any, environment: Mapping[str, str]) -> None:
    assert config.environment() == environment
    read = read_settings([config.setting(name) for name, _ in config], environment)
    for name, value in by_setting(config).items():
        if value not in (None, {}):
            assert read[name] == value


LONG = {f"field_{n}": f"{n} " + "x" * 30 for n in range(10)}


def test_defaults_too_long_for_one_variable_become_special_fields() -> None:
    config = MIMSPayloadConfig(field_defaults={**LONG, "a field": "y", "field_0": "0"})
    specials = {f"SPECIAL_FIELD_{name}": text for name, text in LONG.items()}
    assert config.environment() == {
        **specials,
        "SPECIAL_FIELD_field_0": "0",
        "FIELD_DEFAULTS": '{"a field":"y"}',
    }


def test_a_special_field_goes_before_its_default() -> None:
    config = MIMSPayloadConfig(field_defaults=LONG, special_fields={"field_0": "0"})
    assert config.environment()["SPECIAL_FIELD_field_0"] == "0"


def test_the_payload_job_takes_them(tmp_path: Path) -> None:
    container = Container(tmp_path)
    fields = dict.fromkeys(LONG, "TEXT")
    lay(container.model, {"hyperparameters.json": json.dumps({"field_types": fields})})
    assert container.payload_here(**MIMSPayloadConfig(field_defaults=LONG).environment()).code == 0
    (record,) = json.loads(container.samples()["application_json/sample_payload.json"])["instances"]
    assert record == LONG


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"compression_level": 10}, "compression_level is '10': must be a whole number from 1"),
        ({"compression_level": True}, "compression_level is 'true': must be a whole number"),
        ({"compression_level": 1.5}, "compression_level is 1.5: must be a whole number"),
        ({"compression_level": [1]}, "compression_level is [1]: must be a whole number"),
        ({"package_layout": "flat"}, "package_layout is 'flat': must be mims or sagemaker"),
        ({"inference_entry_point": " "}, "inference_entry_point is ' ': must be text that is not"),
        ({"inference_entry_point": "x" * 257}, "inference_entry_point has 257 characters; an"),
        ({"max_member": 5}, "max_member: unknown; did you mean max_members?"),
        ({"regions": []}, "regions: unknown; known are package_layout, "),
    ],
)
def test_a_wrong_package_setting_is_named(values: dict[str, Any], named: str) -> None:
    (problem,) = problems(MIMSPackageConfig, **values)
    assert problem.startswith(named)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"content_types": []}, "content_types is ''"),
        ({"content_types": ["text/csv", "text/csv"]}, "content_types is 'text/csv,text/csv'"),
        ({"content_types": ["text/plain"]}, "content_types is 'text/plain'"),
        ({"content_types": [1]}, "content_types is [1]"),
        ({"default_numeric_value": float("nan")}, "default_numeric_value is 'nan'"),
        ({"default_text_value": "\udfff"}, "default_text_value is '\\udfff'"),
        ({"field_defaults": ["a"]}, "field_defaults is ['a']: must be a JSON object"),
        ({"field_defaults": {"a": None}}, "field_defaults gives 'a' null"),
        ({"field_defaults": {"a": {1}}}, "field_defaults is {'a': {1}}"),
        ({"special_fields": {"a": True}}, "special_fields gives 'a' true or false"),
        # no environment variable can hold them
        ({"special_fields": {"a b": "x"}}, "special_fields: 'a b' can't end an environment"),
        ({"special_fields": {"a" * 243: "x"}}, f"special_fields: '{'a' * 80}"),
        ({"special_fields": {"a": "x" * 257}}, "special_fields: the value of 'a' has 257"),
        ({"field_defaults": {"a": "x" * 257}}, "field_defaults: has 265 characters as JSON"),
        ({"field_defaults": {**LONG, "a b": "x" * 250}}, "field_defaults: has "),
        # after a move, the special field would no longer go before the default
        (
            {"field_defaults": LONG, "special_fields": {"Field_0": "y"}},
            "field_defaults: field_0: there is another of that name but for its case",
        ),
        ({"field_defaults": {f"f{n}": "x" * 9 for n in range(101)}}, "special_fields and field_d"),
    ],
)
def test_a_wrong_payload_setting_is_named(values: dict[str, Any], named: str) -> None:
    (problem,) = problems(MIMSPayloadConfig, **values)
    assert problem.startswith(named)


def test_all_wrong_settings_are_told_at_once() -> None:
    found = problems(
        MIMSPayloadConfig,
        csv_header="perhaps",
        default_numeric_value="many",
        special_fields={"a b": "x" * 257},
        header=True,
    )
    assert len(found) == 5


names = st.text("abAB _é1", min_size=1, max_size=4)
texts = st.dictionaries(names, st.text('ab "é', max_size=60), max_size=12)


@given(texts, texts)
def test_the_service_takes_the_environment(
    special: dict[str, str], defaults: dict[str, str]
) -> None:
    try:
        config = MIMSPayloadConfig(special_fields=special, field_defaults=defaults)
    except InputError:
        return
    environment = config.environment()
    assert all(len(text) <= 256 for text in environment.values())
    assert all(name.isascii() and name.isidentifier() for name in environment)
    # and the script finds each value where it was meant
    settings = [config.setting(name) for name in ("special_fields", "field_defaults")]
    read = read_settings(settings, environment)
    told = {**(read[DEFAULTS] or {}), **read[SPECIAL + "<fieldname>"]}
    assert told == {**defaults, **special}
