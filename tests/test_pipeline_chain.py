"""The chain as a pipeline: from Python and from a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mims.errors import InputError
from mims.pipeline.chain import chain, load
from mims.pipeline.configs import ModelRegistrationConfig
from mims.pipeline.jobs import JobSettings
from mims.pipeline.references import Parameter
from mims.pipeline.steps import Step

EXAMPLE = Path(__file__).parent.parent / "scripts/mims/pipeline/example.json"
ENVIRON = {
    "MIMS_IMAGE_URI": "mims:1",
    "MIMS_ROLE_ARN": "arn:aws:iam::123456789012:role/jobs",
    "MIMS_BUCKET": "my-models",
}
JOB = JobSettings(environ=ENVIRON)
CONFIG = ModelRegistrationConfig(model_registration_objective="FraudDetection")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


def changed(tmp_path: Path, **changes: Any) -> Path:
    """The example with some keys changed; None takes one out."""
    raw = {**json.loads(EXAMPLE.read_text()), **changes}
    file = tmp_path / "pipeline.json"
    file.write_text(json.dumps({key: value for key, value in raw.items() if value is not None}))
    return file


def test_the_example_is_a_whole_pipeline() -> None:
    definition = load(EXAMPLE)
    assert [step.name for step in definition.in_order()] == [
        *("Train", "Package", "Payload", "Register"),
    ]
    assert {(edge.before, edge.after) for edge in definition.edges()} == {
        *(("Train", "Package"), ("Train", "Payload")),
        *(("Package", "Register"), ("Payload", "Register")),
    }
    parameters = {entry["Name"]: entry for entry in definition.to_json()["Parameters"]}
    assert parameters["ScriptUri"]["DefaultValue"] == "s3://my-code/fraud/inference/"
    assert parameters["ImageUri"]["DefaultValue"] == "mims:1"
    assert parameters["TrainingImage"] == {"Name": "TrainingImage", "Type": "String"}


def test_the_training_job_has_the_jobs_role_unless_it_names_one(tmp_path: Path) -> None:
    train = json.loads(EXAMPLE.read_text())["train"]
    given = load(EXAMPLE).to_json()["Steps"][0]["Arguments"]["RoleArn"]
    assert given == ENVIRON["MIMS_ROLE_ARN"]
    own = "arn:aws:iam::123456789012:role/trains"
    train["Training"]["RoleArn"] = own
    named = load(changed(tmp_path, train=train)).to_json()["Steps"][0]["Arguments"]["RoleArn"]
    assert named == own


def test_a_model_that_was_trained_elsewhere(tmp_path: Path) -> None:
    file = changed(tmp_path, train=None, parameters=None, model="s3://my-models/model.tar.gz")
    definition = load(file)
    assert [step.name for step in definition.steps] == ["Package", "Payload", "Register"]
    model = next(p for p in definition.parameters if p.name == "ModelUri")
    assert model.default == "s3://my-models/model.tar.gz"


def test_a_step_a_region(tmp_path: Path) -> None:
    definition = load(changed(tmp_path, regions=["us-east-1", "eu-west-1"]))
    assert [step.name for step in definition.steps][-2:] == [
        *("Register-us-east-1", "Register-eu-west-1"),
    ]
    assert len(definition.files) == 2


def test_the_authors_own_parameters_come_first() -> None:
    script = Parameter("Code", "s3://my-code/")
    definition = chain(
        "fraud", CONFIG, script=script, model="s3://m/model.tar.gz", job=JOB, parameters=[script]
    )
    assert [p.name for p in definition.parameters] == [
        *("Code", "ImageUri", "InstanceType", "ModelUri"),
    ]


def test_the_authors_parameter_stands_for_the_chains_own(tmp_path: Path) -> None:
    train = {"TrainingImage": None, "TrainingData": "s3://d/", "InstanceType": "ml.c5.large"}
    definition = load(changed(tmp_path, parameters=train))
    (given,) = [p for p in definition.parameters if p.name == "InstanceType"]
    assert given.default == "ml.c5.large"
    cluster = definition.steps[-1].arguments["ProcessingResources"]["ClusterConfig"]
    assert cluster["InstanceType"] == given


def test_the_authors_default_is_held_to_what_a_setting_is(tmp_path: Path) -> None:
    train = {"TrainingImage": None, "TrainingData": "s3://d/", "InstanceType": "m5.large"}
    with pytest.raises(InputError, match=r"job: instance_type: must start with 'ml\.'"):
        load(changed(tmp_path, parameters=train))


def test_a_missing_entry_point_is_found_before_anything_is_packaged() -> None:
    config = ModelRegistrationConfig(
        model_registration_objective="FraudDetection", inference_entry_point="serve.py"
    )
    definition = chain("fraud", config, script="s3://code/", model="s3://m/m.tar.gz", job=JOB)
    environment = definition.steps[0].arguments["Environment"]
    assert environment == {"INFERENCE_ENTRY_POINT": "serve.py"}


def test_training_is_tried_again_like_the_rest() -> None:
    steps = load(EXAMPLE).to_json()["Steps"]
    assert steps[0]["RetryPolicies"] == steps[1]["RetryPolicies"]


def test_after_another_kind_of_step_the_model_must_be_named() -> None:
    evaluate = Step("Evaluate", "Processing", {})
    with pytest.raises(InputError, match="model: must be given"):
        chain("fraud", CONFIG, script="s3://code/", train=evaluate, job=JOB)


def test_one_command_for_all_three_steps_is_no_chain(tmp_path: Path) -> None:
    file = changed(tmp_path, job={"entry_point": ["python3", "mims_package.py"]})
    with pytest.raises(InputError, match="job: entry_point: would run one command in all three"):
        load(file)


def test_code_on_the_authors_own_machine(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="script: must be an S3 URI"):
        load(changed(tmp_path, script="./inference"))


def test_every_problem_of_a_file_is_told_under_its_key(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        script=None,
        payload={"content_types": ["text/html"], "csv_headers": True},
        package={"compression_level": 11},
        registration={"framework": "caffe", "inference_instance_type": "m5.large"},
        job={"instance_type": "m5.large"},
        train={"Tuning": {}},
        regiones=["us-west-2"],
        one_step="false",
    )
    with pytest.raises(InputError) as refused:
        load(file)
    text = str(refused.value)
    for message in (
        "regiones: unknown; did you mean regions?",
        "script: must be given",
        "one_step: must be true or false, not 'false'",
        "payload: content_types",
        "payload: csv_headers: ",
        "package: compression_level",
        "registration: config framework: must be",
        "registration: config inference_instance_type: must be",
        "registration: config model_registration_objective: must be given",
        "job: instance_type: must start with 'ml.'",
        "train: must be an object of one request, under Processing or Training",
    ):
        assert message in text


def test_every_problem_of_the_steps_is_told_at_once(tmp_path: Path) -> None:
    train = {"Training": {"AlgorithmSpecification": "xgboost"}}
    file = changed(
        tmp_path,
        name="my pipeline",
        train=train,
        script=5,
        metadata="metrics.json",
        regions=["us-east-1", "NA"],
        job={"entry_point": ["python3"], "environment": {"1ST": "x"}},
    )
    with pytest.raises(InputError) as refused:
        load(file)
    told = (
        *("job: entry_point:", "script: must be an S3 URI", "metadata: must be an S3 URI"),
        *("regions: names us-east-1 twice", "pipeline my pipeline: name must be"),
        *("step Train: AlgorithmSpecification must be", "step Register: Environment.1ST"),
    )
    for beginning in told:
        found = [p for p in refused.value.problems if p.startswith(beginning)]
        assert len(found) == 1, beginning


def test_what_is_not_given_or_of_another_kind() -> None:
    with pytest.raises(InputError, match="registration: must be a ModelRegistrationConfig"):
        chain("fraud", {"framework": "xgboost"}, script="s3://c/", model="s3://m/")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="script: must be given"):
        chain("fraud", CONFIG, script=None, model="s3://m/", job=JOB)
    with pytest.raises(InputError, match="train: must be a Step, not dict"):
        chain("fraud", CONFIG, script="s3://c/", train={"Training": {}})  # type: ignore[arg-type]


def test_what_sagemaker_would_refuse_of_the_training_job(tmp_path: Path) -> None:
    train = json.loads(EXAMPLE.read_text())["train"]
    del train["Training"]["OutputDataConfig"]
    train["Training"]["ResourceConfig"]["InstanceCount"] = "one"
    with pytest.raises(InputError) as refused:
        load(changed(tmp_path, train=train))
    assert "step Train: OutputDataConfig must be given" in refused.value.problems
    assert "step Train: ResourceConfig.InstanceCount must be a whole number, not 'one'" in (
        refused.value.problems
    )


def test_a_reference_to_nothing(tmp_path: Path) -> None:
    file = changed(tmp_path, metadata={"Get": "Steps.Evaluate.ModelArtifacts.S3ModelArtifacts"})
    with pytest.raises(InputError, match="refers to step Evaluate, which is not in the pipeline"):
        load(file)
