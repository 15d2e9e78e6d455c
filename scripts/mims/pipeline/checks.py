"""Holds a step's request to what SageMaker states of it, before a pipeline is made.

Goes in: a step, or its entry in a definition, with variables in it. Comes out: everything that
CreatePipeline or the job's own Create call would refuse, in words. The source is botocore's service
model, and its documentation where that says more (local paths). Sends nothing.

A variable may stand for a text, a number or true and false, and what it will be is not checked. For
a list or an object none may stand: CreatePipeline answers "Expecting start of Json Array".
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, StructureShape

from mims.pipeline.flow import dig, named, variable_of
from mims.registration.backends.limits import off_limits, violations
from mims.text import listed, printable, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import Shape

    from mims.pipeline.steps import Step

_REQUESTS = {  # a step's type: its request, and the name in it that a pipeline makes
    "Processing": ("CreateProcessingJobRequest", "ProcessingJobName"),
    "Training": ("CreateTrainingJobRequest", "TrainingJobName"),
}
_TEXTS = {"Name": "StepName", "DisplayName": "StepDisplayName", "Description": "StepDescription"}
_NAMED = (  # lists whose items have names, each its own
    ("ProcessingInputs", "InputName"),
    ("ProcessingOutputConfig.Outputs", "OutputName"),
    ("InputDataConfig", "ChannelName"),
)
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "string": ((str,), "a text"),
    "integer": ((int,), "a whole number"),
    "long": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "boolean": ((bool,), "true or false"),
    "list": ((list,), "a list"),
    "map": ((dict,), "an object"),
    "structure": ((dict,), "an object"),
}
_LOCAL = "/opt/ml/processing"


def step_problems(step: Step) -> list[str]:
    """Everything in a step that SageMaker would refuse, each with the step's name and the place."""
    return entry_problems(step.request())


def entry_problems(entry: Mapping[str, Any]) -> list[str]:
    """Everything that SageMaker would refuse in a step's entry in a definition.

    Arguments are checked where they are a processing or a training job's request.
    """
    found = [
        f"{key} {must}"
        for key, name in _TEXTS.items()
        if key in entry
        for must in value_problems(service().shape_for(name), entry[key])
    ]
    if entry.get("Name") == "":
        found.append("Name must be given")
    kind = entry.get("Type")
    if kind in _REQUESTS:
        request, given_later = _REQUESTS[kind]
        arguments = entry.get("Arguments", {})
        later = f"{given_later} must be given"
        found += [
            problem
            for problem in _problems(service().shape_for(request), arguments, "")
            if problem != later
        ]
        found += _of_names(arguments)
        found += _of_local_paths(arguments) if kind == "Processing" else ()
    return [printable(f"step {entry.get('Name')}: {problem}") for problem in found]


@cache
def service() -> ServiceModel:
    """SageMaker's service model, as of the botocore that is installed."""
    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


def value_problems(shape: Shape, value: Any) -> list[str]:
    """What a plain value must be and is not."""
    if wrong := _wrong_type(shape, value):
        return [wrong]
    return [must for _, _, must in violations(shape, value)]


def _problems(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """Yield what is wrong at or below a path of a request."""
    if wrong := _wrong_type(shape, value):
        yield f"{path or 'Arguments'} {wrong}"
        return
    if variable_of(value):
        return
    for must in off_limits(shape, value):
        yield f"{path} {must}"
    if isinstance(shape, StructureShape):
        yield from _of_members(shape, value, f"{path}." if path else "")
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value):
            yield from _problems(shape.member, item, f"{path}[{number}]")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            at = f"{path}.{key}"
            yield from (f"{at}: the name {must}" for must in value_problems(shape.key, key))
            yield from _problems(shape.value, item, at)


def _of_members(shape: StructureShape, value: Mapping[str, Any], at: str) -> Iterator[str]:
    for name, item in value.items():
        if name in shape.members:
            yield from _problems(shape.members[name], item, f"{at}{name}")
        else:
            yield f"{at}{name} is unknown; known are {', '.join(shape.members)}"
    yield from (f"{at}{name} must be given" for name in shape.required_members if name not in value)


def _wrong_type(shape: Shape, value: Any) -> str | None:
    types, words = _TYPES.get(shape.type_name, ((object,), ""))
    function = variable_of(value)
    if function:
        if dict in types or list in types:
            return f"must be {words}, for which no variable can stand: {function}"
        if function == "Std:Join" and str not in types:
            return f"must be {words}, not {function}, which makes a text"
        return None
    if isinstance(value, types) and (bool in types or not isinstance(value, bool)):
        return None
    return f"must be {words}, not {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, list | Mapping):
        return "a list" if isinstance(value, list) else "an object"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _of_names(arguments: Any) -> Iterator[str]:
    for where, key in _NAMED:
        if twice := repeated(named(dig(arguments, *where.split(".")), key)):
            yield f"{where} has more than one {key} {listed(twice)}"


def _of_local_paths(arguments: Any) -> Iterator[str]:
    """Yield what is wrong with the places where a processing job finds and leaves its files."""
    lists = {
        "ProcessingInputs": ("S3Input", "DatasetDefinition"),
        "ProcessingOutputConfig.Outputs": ("S3Output",),
    }
    seen: dict[str, str] = {}
    for where, sources in lists.items():
        items = dig(arguments, *where.split("."))
        for number, item in enumerate(items if isinstance(items, list) else ()):
            for source in sources:
                if dig(item, source) is None:
                    continue
                at, path = f"{where}[{number}].{source}.LocalPath", dig(item, source, "LocalPath")
                if path is None and dig(item, "AppManaged") in (None, False):
                    yield f"{at} must be given"
                if not isinstance(path, str):
                    continue
                plain = posixpath.normpath(path)
                if not plain.startswith(f"{_LOCAL}/"):
                    yield f"{at} must be below {_LOCAL}/, not {path}"
                elif plain in seen:
                    yield f"{at} is {path}, as is {seen[plain]}"
                seen.setdefault(plain, at)
