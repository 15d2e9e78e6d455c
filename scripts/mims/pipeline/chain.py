"""The whole chain as a pipeline: train → package → payload → register.

Goes in: the request of a training job (or where a trained model lies), the inference code, what to
register it as, how the jobs run; from Python, or as a JSON file. Comes out: a `PipelineDefinition`.
What an execution may want to change is a parameter of the pipeline: ImageUri, InstanceType,
ScriptUri, ModelUri where nothing is trained, and those that the author adds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from mims.errors import InputError, Problems
from mims.pipeline.builders import (
    MIMSPackageStepBuilder,
    MIMSPayloadStepBuilder,
    ModelRegistrationStepBuilder,
)
from mims.pipeline.configs import (
    MIMSPackageConfig,
    MIMSPayloadConfig,
    ModelRegistrationConfig,
    RegistrationSettings,
)
from mims.pipeline.definition import PipelineDefinition
from mims.pipeline.jobs import JobSettings
from mims.pipeline.references import Parameter, is_variable
from mims.pipeline.steps import Kind, Step
from mims.registration.inputs import read_json_object
from mims.text import listed, meant, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def chain(
    name: str,
    registration: ModelRegistrationConfig,
    *,
    script: Any,
    train: Step | None = None,
    model: Any = None,
    metadata: Any = None,
    calibration: Any = None,
    custom_payload: Any = None,
    package: MIMSPackageConfig | None = None,
    payload: MIMSPayloadConfig | None = None,
    settings: RegistrationSettings | None = None,
    job: JobSettings | None = None,
    regions: Sequence[str] | None = None,
    one_step: bool = False,
    config_uri: Any = None,
    parameters: Sequence[Parameter] = (),
) -> PipelineDefinition:
    """Build the pipeline. `script`, `model`, `metadata` and the like are S3 URIs or variables.

    A training job's model is taken where it leaves it; after another kind of step say where. Its
    role, cache and retries are the other jobs', unless it has its own.

    Raises:
        InputError: with every problem.

    """
    if model is None:
        if train is None or train.kind != "Training":
            raise InputError("model: must be given, or a training job that leaves one")
        model = train.properties.ModelArtifacts.S3ModelArtifacts
    own = _Parameters(parameters)
    job = job or JobSettings()
    if job.entry_point:
        raise InputError("job: entry_point: would run one command in all three steps: leave it out")
    job = job.model_copy(
        update={
            "image_uri": own.of("ImageUri", job.image_uri),
            "instance_type": own.of("InstanceType", job.instance_type),
        }
    )
    model, script = own.of("ModelUri", model), own.of("ScriptUri", script)
    steps = []
    if train:
        steps.append(
            replace(
                train,
                arguments={"RoleArn": job.role, **train.arguments},
                cache=train.cache or job.cache,
                retries=train.retries or job.retries,
            )
        )
    # What registration will look for is looked for as early as can be.
    package = package or MIMSPackageConfig(inference_entry_point=registration.inference_entry_point)
    problems = Problems()
    with problems.gather():
        packaging = MIMSPackageStepBuilder(package, job).create_plain_step(
            model, script, calibration, name="Package"
        )
        steps.append(packaging)
    with problems.gather():
        sampling = MIMSPayloadStepBuilder(payload, job).create_plain_step(
            model, custom_payload, name="Payload"
        )
        steps.append(sampling)
    problems.raise_any()
    registering = ModelRegistrationStepBuilder(registration, job, settings).create_plain_step(
        _output(packaging, "package_output"),
        _output(sampling, "payload_sample"),
        metadata,
        regions=regions,
        one_step=one_step,
        config_uri=config_uri,
        name="Register",
    )
    steps += registering if isinstance(registering, list) else [registering]
    definition = PipelineDefinition(name=name, parameters=tuple(own.all), steps=tuple(steps))
    definition.check()
    return definition


def _output(step: Step, name: str) -> Any:
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


class _Parameters:
    """The pipeline's parameters: the author's, and those made of plain texts."""

    def __init__(self, given: Sequence[Parameter]) -> None:
        self.all = list(given)

    def of(self, name: str, value: Any) -> Any:
        """The author's parameter of that name, else one with this default; a variable stays."""
        if is_variable(value):
            return value
        known = next((parameter for parameter in self.all if parameter.name == name), None)
        if known is None:
            known = Parameter(name, value)
            self.all.append(known)
        return known


def load(path: Path) -> PipelineDefinition:
    """Build the pipeline that a JSON file describes: the arguments of `chain` by name.

    `train` is {"Training": {…}} or {"Processing": {…}}, the service's own request, of the step
    Train; `parameters` are defaults by name, null for none. Variables are written as a definition
    writes them: {"Get": "Parameters.ScriptUri"}, {"Get": "Steps.Train.ModelArtifacts.…"}.

    Raises:
        InputError: with every problem, each under its key.

    """
    raw = read_json_object(path, "the pipeline")
    problems = Problems()
    known = {*_SECTIONS, *_PLAIN, "train", "parameters"}
    if unknown := raw.keys() - known:
        problems.found += (
            f"{printable(key)}: unknown; {meant(key, known, f'known are {listed(sorted(known))}')}"
            for key in sorted(unknown)
        )
    for key in ("name", "registration", "script"):
        if key not in raw:
            problems.found.append(f"{key}: must be given")
    if type(raw.get("one_step", False)) is not bool:
        problems.found.append(f"one_step: must be true or false, not {raw['one_step']!r}")
    arguments = {key: raw[key] for key in _PLAIN & raw.keys()}
    for key, section in _SECTIONS.items():
        if key in raw or key == "job":
            with problems.gather(f"{key}: "):
                arguments[key] = section(**_object(raw.get(key, {})))
    with problems.gather("train: "):
        arguments["train"] = _train(raw.get("train"))
    with problems.gather("parameters: "):
        arguments["parameters"] = [
            Parameter(name, default) for name, default in _object(raw.get("parameters", {})).items()
        ]
    problems.raise_any()
    return chain(**arguments)


_SECTIONS: Mapping[str, Any] = {
    "registration": ModelRegistrationConfig,
    "package": MIMSPackageConfig,
    "payload": MIMSPayloadConfig,
    "settings": RegistrationSettings,
    "job": JobSettings,
}
_PLAIN = {
    *("name", "script", "model", "metadata", "calibration", "custom_payload"),
    *("regions", "one_step", "config_uri"),
}


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InputError("must be an object")
    return value


def _train(value: Any) -> Step | None:
    if value is None:
        return None
    if not (isinstance(value, dict) and len(value) == 1 and {*value} <= {*get_args(Kind)}):
        raise InputError(f"must be an object of one request, under {' or '.join(get_args(Kind))}")
    ((kind, request),) = value.items()
    return Step(name="Train", kind=kind, arguments=_object(request))
