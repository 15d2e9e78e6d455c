"""The registration config: what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest

from registration_configs import ENVIRON, OBJECTIVE, problems

LOAD = {"expected_tps": 2, "max_latency_in_millisecond": 800}


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
        # The service's pattern alone would let it pass.
        ({**OBJECTIVE, "model_name": f"x{'-' * 62}x"}, "model_name: must be at most 63 letters, d"),
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
        # An Arabic digit.
        ({**OBJECTIVE, "regions": ["us-west-\u0663"]}, "regions[0]: must be a region such as us-w"),
        ({**OBJECTIVE, "regions": ["NA", "us-east-1"]}, "regions: names us-east-1 twice"),
        ({**OBJECTIVE, "regions": {"us-west-2": "b"}}, "regions: must be a list, not {'us-west-2'"),
        (
            {**OBJECTIVE, "bucket": "s3://models/"},
            "bucket: must be a bucket's name alone, not 's3:",
        ),
        (
            {**OBJECTIVE, "bucket": ["models"]},
            "bucket: must be a bucket's name alone, or an object of o",
        ),
        (
            {**OBJECTIVE, "bucket": {"us-east-1": "models"}},
            "bucket: names none for region us-west-2",
        ),
        ({**OBJECTIVE, "bucket": {"us-west-2": "S3"}}, "bucket.us-west-2: must be a bucket's name"),
        (
            {**OBJECTIVE, "bucket": {"us-west-2": "models", "oregon": "models"}},
            "bucket.oregon: must be a region such as us-west-2, not 'oregon'",
        ),
        (
            {**OBJECTIVE, "regions": "NA", "bucket": {"us-east-1": "bucket-a", "NA": "bucket-b"}},
            "bucket: names us-east-1 twice",
        ),
        # As a template leaves it that was not filled in: nothing stands in for it.
        ({**OBJECTIVE, "bucket": ""}, "bucket: must be a bucket's name alone, not ''"),
        ({**OBJECTIVE, "bucket": {}}, "bucket: names none for region us-west-2"),
        # As a number it would lose leading zeros.
        (
            {**OBJECTIVE, "bucket_owner": 123456789012},
            "bucket_owner: must be an account's 12 digits as text, or an object of one a region, ",
        ),
        ({**OBJECTIVE, "bucket_owner": "1234"}, "bucket_owner: must be an account's 12 digits as"),
        (
            {**OBJECTIVE, "kms_key": ""},
            "kms_key: must be a KMS key's ARN, id or alias/name, not ''",
        ),
        ({**OBJECTIVE, "kms_key": "my key"}, "kms_key: must be a KMS key's ARN, id or alias/name"),
        # It would encrypt some of the regions, and leave others as they are.
        (
            {**OBJECTIVE, "kms_key": {"eu-west-1": "alias/models"}},
            "kms_key: names none for region us-west-2",
        ),
        # A key is used in its own region.
        (
            {**OBJECTIVE, "kms_key": "arn:aws:kms:eu-west-1:123456789012:alias/models"},
            "kms_key: arn:aws:kms:eu-west-1:123456789012:alias/models is none of region us-west-2",
        ),
        (
            {
                **OBJECTIVE,
                "regions": ["us-west-2", "eu-west-1"],
                "kms_key": "11111111-2222-3333-4444-555555555555",
            },
            "kms_key: 11111111-2222-3333-4444-555555555555 is of one region alone: name a key for ",
        ),
        ({**OBJECTIVE, "backends": ["mlflow"]}, "backends[0]: must be 'sagemaker' or 'mims', not"),
        ({**OBJECTIVE, "backends": ["mims", "mims"]}, "backends: names mims twice"),
        ({**OBJECTIVE, "backends": 1}, "backends: must be a list, not 1"),
        (
            {**OBJECTIVE, "environment": {"1ST": "x"}},
            "environment.1ST: must be a variable's name: ",
        ),
        (
            {**OBJECTIVE, "environment": {"K" * 1025: "x"}},
            ": must be a variable's name: at most 1024",
        ),
        (
            {**OBJECTIVE, "environment": {f"V{n}": "" for n in range(97)}},
            "environment: must be at most 100 with SAGEMAKER_CONTAINER_LOG_LEVEL, SAGE",
        ),
        # What is ours to set, set to something else.
        (
            {**OBJECTIVE, "environment": {"SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/code"}},
            "environment: SAGEMAKER_SUBMIT_DIRECTORY must be /opt/ml/model/code, where the package",
        ),
        (
            {**OBJECTIVE, "environment": {"SAGEMAKER_REGION": "us-east-1"}},
            "environment: SAGEMAKER_REGION must be a region to register in (us-west-2): each",
        ),
        (
            {
                **OBJECTIVE,
                "inference_entry_point": "inference.py",
                "environment": {"SAGEMAKER_PROGRAM": "serve.py"},
            },
            "environment.SAGEMAKER_PROGRAM: is 'serve.py', but inference_entry_point is 'inference",
        ),
        (
            {**OBJECTIVE, "environment": {"SAGEMAKER_PROGRAM": "../serve.py"}},
            "environment.SAGEMAKER_PROGRAM: must be the path of a .py file within code/, not '..",
        ),
        (
            {**OBJECTIVE, "group_description": "x" * 1025},
            "group_description: must be at most 1024 ",
        ),
        (
            {**OBJECTIVE, "group_description": "a\nb"},
            "group_description: must be at most 1024 lett",
        ),
        (
            {**OBJECTIVE, "source_model_region": "here"},
            "source_model_region: must be a region such",
        ),
        # The folder's name is longer than a file system takes.
        ({**OBJECTIVE, "source_dir": "x" * 300}, "source_dir: no inference.py (inference_entry_po"),
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
        (
            {**OBJECTIVE, "source_model_inference_image": "x"},
            "unknown key; did you mean source_model_inference_image_arn?",
        ),
        (
            {**OBJECTIVE, "load_testing": {**LOAD, "expectedtps": 1}},
            "load_testing.expectedtps: unknown key; did you mean expectedTPS?",
        ),
        # A load test is told whole.
        (
            {**OBJECTIVE, "load_testing": {"expected_tps": 1}},
            "load_testing.max_latency_in_millisecond: must be given",
        ),
        (
            {**OBJECTIVE, "load_testing": {**LOAD, "sample_payload_s3_key": "k"}},
            "load_testing: names half a place: give sample_payload_s3_bucket, sample_pay",
        ),
        ({**OBJECTIVE, "load_testing": "2"}, "load_testing: must be an object, not '2'"),
        (
            {**OBJECTIVE, "load_testing": {**LOAD, "expected_tps": 0}},
            "load_testing.expected_tps: must be at least 1, not 0",
        ),
        (
            {**OBJECTIVE, "load_testing": {**LOAD, "expected_tps": "2.5"}},
            "load_testing.expected_tps: must be a whole number, not 2.5",
        ),
        (
            {**OBJECTIVE, "load_testing": {**LOAD, "expected_tps": True}},
            "load_testing.expected_tps: must be a whole number, not True",
        ),
        (
            {**OBJECTIVE, "load_testing": {**LOAD, "max_acceptable_error_rate": "20"}},
            "load_testing.max_acceptable_error_rate: must be at most 1, not 20",
        ),
        (
            {**OBJECTIVE, "load_testing": {**LOAD, "instance_type_list": ["m5.large"]}},
            "load_testing.instance_type_list[0]: must be an instance type that starts with 'ml.', ",
        ),
        (
            {**OBJECTIVE, "load_testing": {**LOAD, "instance_type_list": []}},
            "load_testing.instance_type_list: must be a list of instance types, none twice, not []",
        ),
        ({**OBJECTIVE, "xyz": 1}, "xyz: unknown key; known are framework, inference_instance_type"),
        # Shown without what it could do to a terminal.
        ({**OBJECTIVE, "x\x1b[2J": 1}, "config x\\x1b[2J: unknown key"),
        ({**OBJECTIVE, "framework_version": "\x1b[2J"}, "version: no xgboost \\x1b[2J image is k"),
    ],
)
def test_one_problem(raw: dict[str, Any], expected: str) -> None:
    (problem,) = problems(raw)
    assert problem.startswith("config ")
    assert expected in problem
    assert "pydantic" not in problem


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"AWS_REGION": "Oregon"}, "AWS_REGION: must be a region such as us-west-2, not 'Oregon'"),
        ({"MIMS_BUCKET": "s3://x/"}, "MIMS_BUCKET: must be a bucket's name alone, not 's3://x/'"),
        (
            {"REGISTRATION_BACKENDS": "sagemaker,mlflow"},
            "REGISTRATION_BACKENDS: must be 'sagemaker' or 'mims', not 'mlflow'",
        ),
        ({"REGISTRATION_BACKENDS": "mims,mims"}, "REGISTRATION_BACKENDS: names mims twice"),
    ],
)
def test_what_stands_in_is_reported_under_its_own_name(
    environ: dict[str, str], expected: str
) -> None:
    assert problems(OBJECTIVE, {**ENVIRON, **environ}) == (expected,)


@pytest.mark.parametrize(
    "raw",
    [
        {"environment": {"TOKEN": "canary" * 200}},
        {"environment": {"TOKEN": ["canary"]}},
        {"environment": ["canary"]},
        {"environment": {"TOKEN": "canary"}, "source_model_environment_variable_map": {}},
        {"source_model_environment_variable_map": {"TOKEN": "canary", "1ST": "canary"}},
        {"environment": {"SAGEMAKER_REGION": "canary"}},
    ],
)
def test_no_message_quotes_what_the_environment_holds(raw: dict[str, Any]) -> None:
    assert "canary" not in "".join(problems({**OBJECTIVE, **raw}))


def test_a_config_nested_too_deep() -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    found = problems({**OBJECTIVE, "model_domain": deep, "model_registration_domain": [deep]})
    assert found == ("the config is nested too deep",)
    (problem,) = problems({**OBJECTIVE, "model_owner": deep})
    assert problem.startswith("config model_owner: must be text, not [[[")


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
