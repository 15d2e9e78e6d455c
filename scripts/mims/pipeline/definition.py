"""A whole pipeline as the JSON that CreatePipeline takes, checked before it is sent.

Goes in: our steps and parameters, or a definition that lies somewhere, from the SDK or by hand.
Comes out: the JSON, as the SageMaker SDK compiles it, and everything that is wrong with it. All
checks are on the JSON, so that whoever wrote it hears the same. Sends nothing.
"""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.model import ListShape, MapShape, StructureShape

from mims.errors import InputError
from mims.pipeline.checks import entry_problems, service, value_problems
from mims.pipeline.flow import (
    cycles,
    depends_on,
    dig,
    edges,
    has_texts,
    named,
    order,
    parameters,
    references,
    steps,
)
from mims.text import listed, printable, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import Shape

    from mims.pipeline.flow import Edge, Reference
    from mims.pipeline.references import Parameter
    from mims.pipeline.steps import File, Step

VERSION = "2020-12-01"
_EXPERIMENT = {  # what the SDK writes where nobody asks for something else
    "ExperimentName": {"Get": "Execution.PipelineName"},
    "TrialName": {"Get": "Execution.PipelineExecutionId"},
}
_EXECUTION = (
    *("PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn"),
    *("StartDateTime", "CurrentDateTime", "TrainingJobName", "ProcessingJobName"),
)
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "String": ((str,), "a text"),
    "Integer": ((int,), "a whole number"),
    "Float": ((int, float), "a finite number"),
    "Boolean": ((bool,), "true or false"),
}
_PROPERTIES = {  # what a step of a type answers of itself
    "Processing": "DescribeProcessingJobResponse",
    "Training": "DescribeTrainingJobResponse",
}
_BY_NAME = {  # the lists in these answers whose items are asked by name, and where the names stand
    "Outputs": (("ProcessingOutputConfig", "Outputs"), "OutputName", "output"),
    "ProcessingInputs": (("ProcessingInputs",), "InputName", "input"),
}


@dataclass(frozen=True)
class PipelineDefinition:
    """A pipeline of our steps, which may stand in any order."""

    name: str
    steps: tuple[Step, ...]
    parameters: tuple[Parameter, ...] = ()
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        """The definition, as the SageMaker SDK compiles it."""
        return {
            "Version": VERSION,
            "Metadata": {},
            "Parameters": [parameter.declaration() for parameter in self.parameters],
            "PipelineExperimentConfig": copy.deepcopy(_EXPERIMENT),
            "Steps": [step.request() for step in self.steps],
        }

    def text(self) -> str:
        """The definition's text, the same for the same pipeline."""
        return json.dumps(self.to_json(), allow_nan=False)

    def check(self) -> None:
        """Raise what would be refused, or would not do what was meant.

        Raises:
            InputError: with every problem.

        """
        if found := [*self.text_problems(), *problems(self.to_json())]:
            raise InputError(*found)

    def text_problems(self) -> list[str]:
        """What is wrong with the pipeline's own texts, which the definition does not hold."""
        texts = {
            "name": ("PipelineName", self.name),
            "description": ("PipelineDescription", self.description),
        }
        return [
            f"pipeline {printable(str(self.name))}: {field} {must}"
            for field, (shape, value) in texts.items()
            for must in value_problems(service().shape_for(shape), value)
        ]

    def in_order(self) -> list[Step]:
        """The steps, each after what it needs, else as they stand.

        Raises:
            InputError: steps wait for each other.

        """
        by_name = {step.name: step for step in self.steps}
        return [by_name[name] for name in order(self.to_json())]

    def edges(self) -> list[Edge]:
        """What goes before what, and why."""
        return edges(self.to_json())

    @property
    def files(self) -> tuple[File, ...]:
        """What has to lie in S3 before the pipeline starts."""
        return tuple(dict.fromkeys(file for step in self.steps for file in step.files))


def read(source: str | Path) -> dict[str, Any]:
    """Read a definition: JSON text, or the path of a file of it.

    Raises:
        InputError: it can't be read, or is not a JSON object.

    """
    at, text = "definition", str(source)
    if isinstance(source, Path) or not text.lstrip().startswith("{"):
        at = f"definition {printable(text)}"
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise InputError(f"{at}: can't be read: {error}") from error
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{at}: is not JSON: {error}") from error
    if not isinstance(parsed, dict):
        raise InputError(f"{at}: must be a JSON object")
    return parsed


def problems(definition: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with a definition, each with the step's or parameter's name."""
    found = list(_of_form(definition))
    found += _of_parameters(definition)
    entries = steps(definition)
    for entry in entries:
        found += entry_problems(entry)
    found += (
        f"step {name}: more than one step has this name"
        for name in repeated(entry["Name"] for entry in entries)
    )
    found += _of_references(definition, {entry["Name"]: entry for entry in entries})
    found += (f"steps wait for each other: {cycle}" for cycle in cycles(definition))
    if not found:
        shape = service().shape_for("PipelineDefinition")
        text = json.dumps(definition)
        found += [f"definition: its text {must}" for must in value_problems(shape, text)]
    return [printable(problem) for problem in found]


def _of_form(definition: Mapping[str, Any]) -> Iterator[str]:
    if definition.get("Version", VERSION) != VERSION:
        yield f"definition: Version must be {VERSION}"
    for key, needed in {"Parameters": ("Name",), "Steps": ("Name", "Type")}.items():
        value = definition.get(key, [])
        if not isinstance(value, list) or (key == "Steps" and not value):
            yield f"definition: {key} must be a list{' of steps' if key == 'Steps' else ''}"
            continue
        for number, entry in enumerate(value):
            if not has_texts(entry, *needed):
                yield (
                    f"definition: {key}[{number}] must be an object with "
                    f"{' and '.join(needed)}, in texts"
                )


def _of_parameters(definition: Mapping[str, Any]) -> Iterator[str]:
    entries = parameters(definition)
    around = {key: value for key, value in definition.items() if key != "Steps"}
    found = (found for part in (*steps(definition), around) for found in references(part))
    used = {reference.name for reference in found if reference.kind == "Parameters"}
    for entry in entries:
        name, kind = entry["Name"], entry.get("Type", "String")
        at = f"parameter {name}"
        shape = service().shape_for("PipelineParameterName")
        yield from (f"{at}: its name {must}" for must in value_problems(shape, name))
        if not isinstance(kind, str) or kind not in _TYPES:
            yield f"{at}: Type must be one of {', '.join(_TYPES)}"
        elif "DefaultValue" in entry and not _is_of(kind, entry["DefaultValue"]):
            yield f"{at}: DefaultValue must be {_TYPES[kind][1]}, as Type is {kind}"
        if name not in used:
            yield f"{at}: no step uses it, so setting it would change nothing"
    for name in repeated(entry["Name"] for entry in entries):
        yield f"parameter {name}: more than one parameter has this name"


def _is_of(kind: str, value: Any) -> bool:
    types, _ = _TYPES[kind]
    if isinstance(value, float) and not math.isfinite(value):
        return False
    return isinstance(value, types) and isinstance(value, bool) == (kind == "Boolean")


def _of_references(
    definition: Mapping[str, Any], by_name: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    declared = {entry["Name"] for entry in parameters(definition)}
    for name, entry in by_name.items():
        for reference in references(entry):
            if wrong := _reference_problem(reference, by_name, declared):
                yield f"step {name}: {reference.where} refers to {wrong}"
        for earlier in depends_on(entry):
            if earlier not in by_name:
                yield (f"step {name}: DependsOn names step {earlier}, which is not in the pipeline")


def _reference_problem(
    reference: Reference, by_name: Mapping[str, Mapping[str, Any]], declared: set[str]
) -> str | None:
    kind, name = reference.kind, reference.name
    if not kind:
        return (
            f"{reference.text}, which is not of the form Parameters.name, "
            "Execution.name or Steps.name.property"
        )
    if kind == "Parameters":
        return None if name in declared else f"parameter {name}, which is not declared"
    if kind == "Execution":
        return None if name in _EXECUTION else f"{name}; executions have {', '.join(_EXECUTION)}"
    if name not in by_name:
        return f"step {name}, which is not in the pipeline"
    return _property_problem(by_name[name], reference)


def _property_problem(target: Mapping[str, Any], reference: Reference) -> str | None:
    """What is wrong with a reference to a step, as far as its type's answer is known."""
    if target["Type"] not in _PROPERTIES or reference.keys[0] == "PropertyFiles":
        return None
    shape: Shape | None = service().shape_for(_PROPERTIES[target["Type"]])
    before: str | int = ""
    for key in reference.keys:
        if isinstance(shape, ListShape) and isinstance(key, str) and before in _BY_NAME:
            where, name, word = _BY_NAME[str(before)]
            known = named(dig(target, "Arguments", *where), name)
            if key not in known:
                return f"{word} {key} of step {reference.name}, which has {listed(known) or 'none'}"
            shape = shape.member
        else:
            shape = _below(shape, key)
        before = key
    if shape is None:
        return f"{reference.text}, which such a step doesn't have"
    if isinstance(shape, StructureShape | ListShape | MapShape):
        return f"{reference.text}, which is not one value: say which in it"
    return None


def _below(shape: Shape | None, key: str | int) -> Shape | None:
    if isinstance(shape, StructureShape):
        return shape.members.get(str(key))
    if isinstance(shape, ListShape):  # by number or by name: FinalMetricDataList['val:acc']
        by_name = isinstance(shape.member, StructureShape)
        return shape.member if by_name or isinstance(key, int) else None
    if isinstance(shape, MapShape) and isinstance(key, str):
        return shape.value
    return None
