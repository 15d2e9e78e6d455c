"""A pipeline's definition: its JSON, and what is said of one that SageMaker would refuse."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mims.errors import InputError
from mims.pipeline.checks import step_problems
from mims.pipeline.definition import PipelineDefinition, problems, read
from mims.pipeline.flow import Edge, edges, order
from mims.pipeline.graph import mermaid
from mims.pipeline.references import PIPELINE_NAME, Join, Parameter
from mims.pipeline.steps import File, Step
from mims.text import printable
from pipeline_definitions import (
    CHAIN,
    DATA,
    IMAGE,
    PACKAGE,
    REGISTER,
    ROLE,
    TRAIN,
    changed,
    processing,
    training,
    without,
)

if TYPE_CHECKING:
    from pathlib import Path

JSON = CHAIN.to_json()
STEP = PACKAGE.request()
INPUT = ("Arguments", "ProcessingInputs", 0)
OUTPUT = ("Arguments", "ProcessingOutputConfig", "Outputs", 0)
URI = ("Steps", 2, *INPUT, "S3Input", "S3Uri")
LATER = {"Get": "Parameters.ImageUri"}


@dataclass
class SdkVariable:
    """As the SDK's variables are: known by `expr`."""

    expr: dict[str, Any]


def step_of(entry: dict[str, Any]) -> Step:
    return Step(entry["Name"], entry["Type"], entry["Arguments"])


# A step's request


@pytest.mark.parametrize("step", [TRAIN, PACKAGE, REGISTER], ids=lambda step: step.name)
def test_a_step_that_sagemaker_takes(step: Step) -> None:
    assert step_problems(step) == []


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        # of another type
        (("RoleArn",), 5, "RoleArn must be a text, not 5"),
        (("Environment",), ["A"], "Environment must be an object, not a list"),
        (("Environment", "N"), 5, "Environment.N must be a text, not 5"),
        (("Environment", "N"), None, "Environment.N must be a text, not None"),
        (
            ("ProcessingResources", "ClusterConfig", "InstanceCount"),
            "two",
            "ProcessingResources.ClusterConfig.InstanceCount must be a whole number, not 'two'",
        ),
        (
            ("ProcessingResources", "ClusterConfig", "InstanceCount"),
            True,
            "ProcessingResources.ClusterConfig.InstanceCount must be a whole number, not True",
        ),
        (
            ("NetworkConfig",),
            {"EnableNetworkIsolation": "no"},
            "NetworkConfig.EnableNetworkIsolation must be true or false, not 'no'",
        ),
        (
            ("AppSpecification", "ContainerEntrypoint"),
            "run",
            "AppSpecification.ContainerEntrypoint must be a list, not 'run'",
        ),
        # unknown
        (
            ("AppSpecification", "Image"),
            "mims",
            (
                "AppSpecification.Image is unknown; known are ImageUri, ContainerEntrypoint, "
                "ContainerArguments"
            ),
        ),
        # too long, too many, too few
        (
            ("Environment", "FIELD_DEFAULTS"),
            "x" * 300,
            "Environment.FIELD_DEFAULTS must be at most 256 characters, not 300",
        ),
        (
            ("Environment",),
            {f"N{n}": "" for n in range(101)},
            "Environment must be at most 100 entries, not 101",
        ),
        (
            ("StoppingCondition",),
            {"MaxRuntimeInSeconds": 0},
            "StoppingCondition.MaxRuntimeInSeconds must be at least 1, not 0",
        ),
        # of another form
        (
            ("Environment", "A B"),
            "",
            "Environment.A B: the name must be of the form [a-zA-Z_][a-zA-Z0-9_]*",
        ),
        (
            (*INPUT[1:], "S3Input", "S3DataType"),
            "Folder",
            (
                "ProcessingInputs[0].S3Input.S3DataType must be one of ManifestFile, S3Prefix to "
                "SageMaker, as of the boto3 that is installed"
            ),
        ),
        # a variable where none can stand
        (
            ("AppSpecification", "ContainerEntrypoint"),
            LATER,
            (
                "AppSpecification.ContainerEntrypoint must be a list, for which no variable can "
                "stand: Get"
            ),
        ),
        (
            ("Environment",),
            LATER,
            "Environment must be an object, for which no variable can stand: Get",
        ),
        (
            ("ProcessingResources", "ClusterConfig", "InstanceCount"),
            {"Std:Join": {"On": "", "Values": ["1"]}},
            (
                "ProcessingResources.ClusterConfig.InstanceCount must be a whole number, not "
                "Std:Join, which makes a text"
            ),
        ),
        # local paths: the service's documentation
        (
            (*INPUT[1:], "S3Input", "LocalPath"),
            "/opt/ml/processing/../model",
            (
                "ProcessingInputs[0].S3Input.LocalPath must be below /opt/ml/processing/, not "
                "/opt/ml/processing/../model"
            ),
        ),
        (
            (*OUTPUT[1:], "S3Output", "LocalPath"),
            "/opt/ml/processing/input/model_input/",
            (
                "ProcessingOutputConfig.Outputs[0].S3Output.LocalPath is "
                "/opt/ml/processing/input/model_input/, as is ProcessingInputs[0].S3Input.LocalPath"
            ),
        ),
    ],
)
def test_what_a_request_must_be(path: tuple[str | int, ...], value: Any, problem: str) -> None:
    step = step_of(changed(STEP, ("Arguments", *path), value))
    assert step_problems(step) == [f"step Package: {problem}"]


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        (("RoleArn",), "RoleArn"),
        ((*INPUT[1:], "InputName"), "ProcessingInputs[0].InputName"),
        ((*INPUT[1:], "S3Input", "LocalPath"), "ProcessingInputs[0].S3Input.LocalPath"),
    ],
)
def test_what_must_be_given(path: tuple[str | int, ...], missing: str) -> None:
    step = step_of(without(STEP, ("Arguments", *path)))
    assert step_problems(step) == [f"step Package: {missing} must be given"]


def test_an_application_that_gets_its_files_itself_needs_no_local_path() -> None:
    plain = without(STEP, (*INPUT, "S3Input", "LocalPath"))
    assert step_problems(step_of(changed(plain, (*INPUT, "AppManaged"), True))) == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "step : Name must be given"),
        ("my step", r"step my step: Name must be of the form [A-Za-z0-9\-_]*"),
        ("x" * 65, f"step {'x' * 65}: Name must be at most 64 characters, not 65"),
        ("a\nb", r"step a\nb: Name must be of the form [A-Za-z0-9\-_]*"),
    ],
)
def test_a_name_that_is_none(name: str, problem: str) -> None:
    assert step_problems(replace(PACKAGE, name=name)) == [problem]


def test_names_within_a_step_that_come_twice() -> None:
    twice = processing("P", {"a": "s3://b/1", "b": "s3://b/2"}, ["x", "y"]).request()
    twice = changed(twice, ("Arguments", "ProcessingInputs", 1, "InputName"), "a")
    outputs = (*OUTPUT[:-1], 1, "OutputName")
    assert step_problems(step_of(changed(twice, outputs, "x"))) == [
        "step P: ProcessingInputs has more than one InputName a",
        "step P: ProcessingOutputConfig.Outputs has more than one OutputName x",
    ]
    channel = TRAIN.request()["Arguments"]["InputDataConfig"][0]
    channels = ("Arguments", "InputDataConfig")
    assert step_problems(step_of(changed(TRAIN.request(), channels, [channel, channel]))) == [
        "step Train: InputDataConfig has more than one ChannelName train"
    ]


def test_more_inputs_than_a_job_takes() -> None:
    many = processing("P", {f"i{n}": "s3://b/k" for n in range(11)})
    assert step_problems(many) == ["step P: ProcessingInputs must be at most 10 items, not 11"]


@pytest.mark.parametrize(
    "variable",
    [
        Parameter("P"),
        Join("/", ["s3:/", PIPELINE_NAME]),
        SdkVariable({"Get": "Parameters.P"}),
        {"Get": "Parameters.P"},
        {"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Execution.PipelineName"}]}},
        {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.E.PropertyFiles.f"}, "Path": "a.b"}},
    ],
    ids=lambda variable: type(variable).__name__,
)
def test_a_variable_stands_for_any_text(variable: Any) -> None:
    request = PACKAGE.arguments
    for path in (("RoleArn",), ("Environment", "NAME"), (*INPUT[1:], "S3Input", "LocalPath")):
        request = changed(request, path, variable)
    assert step_problems(Step("P", "Processing", request)) == []


# A definition


def test_the_json_is_what_the_sdk_compiles() -> None:
    small = PipelineDefinition("p", (replace(REGISTER, depends_on=("Train",)),), (IMAGE,))
    assert small.to_json() == {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            {"Name": "ImageUri", "Type": "String", "DefaultValue": IMAGE.default},
        ],
        "PipelineExperimentConfig": {
            "ExperimentName": {"Get": "Execution.PipelineName"},
            "TrialName": {"Get": "Execution.PipelineExecutionId"},
        },
        "Steps": [REGISTER.request()],
    }
    assert REGISTER.request()["DependsOn"] == ["Train"]
    assert json.loads(small.text()) == small.to_json()


def test_a_definition_that_sagemaker_takes() -> None:
    CHAIN.check()
    assert problems(json.loads(CHAIN.text())) == []


def test_steps_come_after_what_they_need_wherever_they_stand() -> None:
    backwards = replace(CHAIN, steps=(REGISTER, PACKAGE, TRAIN))
    backwards.check()
    assert backwards.in_order() == [TRAIN, PACKAGE, REGISTER]


def test_what_flows() -> None:
    assert CHAIN.edges() == [
        Edge("Train", "Package", "S3ModelArtifacts as model_input"),
        Edge("Package", "Register", "package_output as PackagedModel"),
        Edge("Train", "Register", "depends on"),
    ]


def test_files_of_all_steps_once() -> None:
    one, two = File("s3://b/1", b"1"), File("s3://b/2", b"2")
    steps = (replace(PACKAGE, files=(one,)), replace(REGISTER, files=(one, two)))
    assert PipelineDefinition("p", steps).files == (one, two)


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        # its own
        (
            replace(CHAIN, name="my pipeline"),
            "pipeline my pipeline: name must be of the form [a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}",
        ),
        (
            replace(CHAIN, description="x" * 3073),
            "pipeline chain: description must be at most 3072 characters, not 3073",
        ),
        # names
        (
            replace(CHAIN, steps=(*CHAIN.steps, TRAIN)),
            "step Train: more than one step has this name",
        ),
        (
            replace(CHAIN, parameters=(*CHAIN.parameters, IMAGE)),
            "parameter ImageUri: more than one parameter has this name",
        ),
        # what is not there
        (
            replace(CHAIN, steps=(TRAIN, PACKAGE, replace(REGISTER, depends_on=("Tain",)))),
            "step Register: DependsOn names step Tain, which is not in the pipeline",
        ),
        (
            replace(CHAIN, steps=(TRAIN, REGISTER)),
            (
                "step Register: ProcessingInputs[0].S3Input.S3Uri refers to step Package, which is "
                "not in the pipeline"
            ),
        ),
        (
            replace(CHAIN, parameters=(IMAGE,)),
            (
                "step Train: InputDataConfig[0].DataSource.S3DataSource.S3Uri refers to parameter "
                "TrainingData, which is not declared"
            ),
        ),
        (
            replace(CHAIN, parameters=(IMAGE, DATA, Parameter("Colour"))),
            "parameter Colour: no step uses it, so setting it would change nothing",
        ),
    ],
)
def test_a_pipeline_that_would_be_refused(definition: PipelineDefinition, problem: str) -> None:
    with pytest.raises(InputError) as refusal:
        definition.check()
    assert refusal.value.problems == (problem,)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("Version",), "2021-01-01", "definition: Version must be 2020-12-01"),
        # what the service shows of a step
        (("Steps", 0, "DisplayName"), 5, "step Train: DisplayName must be a text, not 5"),
        (("Steps", 0, "Description"), "a\nb", "step Train: Description must be of the form .*"),
        # parameters
        (
            ("Parameters", 0, "DefaultValue"),
            5,
            "parameter ImageUri: DefaultValue must be a text, as Type is String",
        ),
        (
            ("Parameters", 0),
            {"Name": "ImageUri", "Type": "Integer", "DefaultValue": True},
            "parameter ImageUri: DefaultValue must be a whole number, as Type is Integer",
        ),
        (
            ("Parameters", 0),
            {"Name": "ImageUri", "Type": "Float", "DefaultValue": float("inf")},
            "parameter ImageUri: DefaultValue must be a finite number, as Type is Float",
        ),
        (
            ("Parameters", 0),
            {"Name": "ImageUri", "Type": "Boolean", "DefaultValue": 1},
            "parameter ImageUri: DefaultValue must be true or false, as Type is Boolean",
        ),
        (
            ("Parameters", 0, "Type"),
            "Text",
            "parameter ImageUri: Type must be one of String, Integer, Float, Boolean",
        ),
        # references
        (
            URI,
            {"Get": "Steps.Package.ProcessingOutputConfig.Outputs['package'].S3Output.S3Uri"},
            (
                "step Register: ProcessingInputs[0].S3Input.S3Uri refers to output package of step "
                "Package, which has package_output"
            ),
        ),
        (
            URI,
            {"Get": "Steps.Package.ProcessingInputs['model'].S3Input.S3Uri"},
            (
                "step Register: ProcessingInputs[0].S3Input.S3Uri refers to input model of step "
                "Package, which has model_input"
            ),
        ),
        (
            URI,
            {"Get": "Steps.Train.ModelArtifact.S3ModelArtifacts"},
            (
                "step Register: ProcessingInputs[0].S3Input.S3Uri refers to "
                "Steps.Train.ModelArtifact.S3ModelArtifacts, which such a step doesn't have"
            ),
        ),
        (
            URI,
            {"Get": "Steps.Train.ModelArtifacts"},
            (
                "step Register: ProcessingInputs[0].S3Input.S3Uri refers to "
                "Steps.Train.ModelArtifacts, which is not one value: say which in it"
            ),
        ),
        (
            URI,
            {"Get": "Train.ModelArtifacts.S3ModelArtifacts"},
            (
                "step Register: ProcessingInputs[0].S3Input.S3Uri refers to "
                "Train.ModelArtifacts.S3ModelArtifacts, which is not of the form Parameters.name, "
                "Execution.name or Steps.name.property"
            ),
        ),
        (
            URI,
            {"Std:Join": {"On": "/", "Values": ["s3:/", {"Get": "Execution.Name"}]}},
            (
                "step Register: ProcessingInputs[0].S3Input.S3Uri refers to Name; executions have "
                "PipelineName, PipelineArn, PipelineExecutionId, PipelineExecutionArn, "
                "StartDateTime, CurrentDateTime, TrainingJobName, ProcessingJobName"
            ),
        ),
        # cycles
        (
            ("Steps", 0, "DependsOn"),
            ["Register"],
            "steps wait for each other: Train → Package → Register → Train",
        ),
        (("Steps", 2, "DependsOn"), ["Register"], "steps wait for each other: Register → Register"),
    ],
)
def test_json_that_would_be_refused(path: tuple[str | int, ...], value: Any, problem: str) -> None:
    found = problems(changed(JSON, path, value))
    assert problem in found
    # A reference that is changed takes Package's use with it, a cycle has more than one way round.
    assert [other for other in found if other != problem and "wait" not in other] == []


@pytest.mark.parametrize(
    "get",
    [
        "Steps.Train.ModelArtifacts.S3ModelArtifacts",
        "Steps.Train.TrainingJobName",
        "Steps.Train.HyperParameters['rounds']",
        "Steps.Train.SecondaryStatusTransitions[0].Status",
        "Steps.Train.FinalMetricDataList['val:acc'].Value",  # as the SDK's documentation has it
        'Steps.Package.ProcessingOutputConfig.Outputs["package_output"].S3Output.S3Uri',
        "Steps.Package.ProcessingInputs['model_input'].S3Input.S3Uri",
        "Steps.Package.PropertyFiles.report",
        "Execution.PipelineExecutionId",
        "Parameters.ImageUri",
    ],
)
def test_what_can_be_referred_to(get: str) -> None:
    assert problems(changed(JSON, URI, {"Get": get})) == []


@pytest.mark.parametrize(
    ("definition", "found"),
    [
        ({}, ["definition: Steps must be a list of steps"]),
        ({"Steps": 5}, ["definition: Steps must be a list of steps"]),
        (
            {"Steps": [5, {"Name": "a"}], "Parameters": {}},
            [
                "definition: Parameters must be a list",
                "definition: Steps[0] must be an object with Name and Type, in texts",
                "definition: Steps[1] must be an object with Name and Type, in texts",
            ],
        ),
        (
            {"Steps": [{"Name": "a", "Type": "Processing", "Arguments": []}]},
            ["step a: Arguments must be an object, not a list"],
        ),
        (
            {"Steps": [{"Name": "a", "Type": "Fail"}], "Parameters": [{"Type": "String"}]},
            ["definition: Parameters[0] must be an object with Name, in texts"],
        ),
    ],
)
def test_json_that_is_no_definition(definition: dict[str, Any], found: list[str]) -> None:
    assert problems(definition) == found


def test_all_problems_come_together() -> None:
    broken = replace(
        CHAIN,
        name="-",
        parameters=(IMAGE,),
        steps=(TRAIN, replace(PACKAGE, arguments={"RoleArn": ROLE}), replace(REGISTER, name="")),
    )
    with pytest.raises(InputError) as refusal:
        broken.check()
    said = str(refusal.value)
    for part in ("pipeline -: name", "ProcessingResources", "Name must", "Package", "TrainingData"):
        assert part in said


def test_a_definition_that_is_too_long() -> None:
    steps = tuple(
        replace(training(f"T{n}"), description="x" * 3000, depends_on=("T0",) if n else ())
        for n in range(300)
    )
    definition = PipelineDefinition("long", steps, (IMAGE, DATA))
    length = len(definition.text())
    with pytest.raises(InputError) as refusal:
        definition.check()
    assert refusal.value.problems == (
        f"definition: its text must be at most 1048576 characters, not {length}",
    )


def conditional() -> dict[str, Any]:
    """As the SDK writes a condition on a property file, with a step in its branch."""
    report = {"Get": "Steps.Package.PropertyFiles.report"}
    condition = {
        "Name": "Good",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {
                    "Type": "LessThanOrEqualTo",
                    "LeftValue": {"Std:JsonGet": {"PropertyFile": report, "Path": "mae"}},
                    "RightValue": 6.0,
                }
            ],
            "IfSteps": [REGISTER.request()],
            "ElseSteps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "bad"}}],
        },
    }
    return {**JSON, "Steps": [TRAIN.request(), PACKAGE.request(), condition]}


def test_steps_in_the_branches_of_a_condition() -> None:
    definition = conditional()
    assert problems(definition) == []
    assert edges(definition) == [
        Edge("Train", "Package", "S3ModelArtifacts as model_input"),
        Edge("Package", "Good", "report as LeftValue"),
        Edge("Good", "Register", "if"),
        Edge("Package", "Register", "package_output as PackagedModel"),
        Edge("Train", "Register", "depends on"),
        Edge("Good", "Stop", "else"),
    ]
    assert order(definition).index("Good") < order(definition).index("Register")
    definition["Steps"][2]["Arguments"]["IfSteps"][0]["Arguments"].pop("RoleArn")
    assert problems(definition) == ["step Register: RoleArn must be given"]


def paths(value: Any) -> list[tuple[str | int, ...]]:
    """Every path in JSON but the empty one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [
        (key, *below)
        for key, item in inner
        for below in ((), *(paths(item) if isinstance(item, dict | list) else ()))
    ]


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("Get"), inner),
)


@given(path=st.sampled_from(paths(conditional())), value=ANY_JSON)
def test_whatever_stands_in_a_definition_it_is_judged(
    path: tuple[str | int, ...], value: Any
) -> None:
    definition = changed(conditional(), path, value)
    assert all(problem == printable(problem) for problem in problems(definition))
    assert mermaid(definition).startswith("flowchart LR")


# Reading one


def test_reading_a_definition(tmp_path: Path) -> None:
    path = tmp_path / "definition.json"
    path.write_text(CHAIN.text(), encoding="utf-8")
    assert read(path) == read(str(path)) == read(CHAIN.text()) == JSON


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "is not JSON: Expecting property name"),
        (b"[]", "must be a JSON object"),
        (b"\xff", "can't be read: 'utf-8' codec can't decode"),
        (b'{"a":' * 100_000, "is not JSON: maximum recursion depth"),
        (None, "can't be read: [Errno 2] No such file"),
    ],
)
def test_what_can_not_be_read(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "definition.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        read(path)
    assert str(refusal.value).startswith(f"definition {path}: {problem}")


def test_order_of_steps_that_wait_for_each_other() -> None:
    waiting = replace(PACKAGE, depends_on=("Register",))
    circle = replace(CHAIN, steps=(TRAIN, waiting, REGISTER))
    with pytest.raises(InputError, match="wait for each other: Package → Register → Package"):
        circle.in_order()
