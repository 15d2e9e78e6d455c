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
    of_kind,
)
from mims.pipeline.checks import step_problems
from mims.pipeline.configs import (
    MIMSPackageConfig,
    MIMSPayloadConfig,
    ModelRegistrationConfig,
    RegistrationSettings,
)
from mims.pipeline.definition import PipelineDefinition
from mims.pipeline.jobs import JobSettings
from mims.pipeline.references import Parameter, Property, is_variable
from mims.pipeline.requests import uri_problems
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
    of_kind(ModelRegistrationConfig, registration=registration)
    of_kind(JobSettings, job=job)
    of_kind(Step, train=train)
    problems, own = Problems(), _Parameters(parameters)
    job = _job(job or JobSettings(), own, problems)
    if model is None and train and train.kind == "Training":
        model = train.properties.ModelArtifacts.S3ModelArtifacts
    elif model is None:
        problems.found.append("model: must be given, or a training job that leaves one")
    if script is None:
        problems.found.append("script: must be given: where the inference code lies")
    model, script = own.of("ModelUri", model), own.of("ScriptUri", script)
    uris = {"model": model, "script": script, "metadata": metadata}
    uris |= {"calibration": calibration, "custom_payload": custom_payload}
    uris = {key: _usable(key, uri, problems) for key, uri in uris.items()}
    # What registration will look for is looked for as early as can be.
    package = package or MIMSPackageConfig(inference_entry_point=registration.inference_entry_point)
    steps = [_trained(train, job)] if train else []
    with problems.gather():
        steps.append(
            MIMSPackageStepBuilder(package, job).create_plain_step(
                uris["model"], uris["script"], uris["calibration"], name="Package"
            )
        )
    with problems.gather():
        steps.append(
            MIMSPayloadStepBuilder(payload, job).create_plain_step(
                uris["model"], uris["custom_payload"], name="Payload"
            )
        )
    with problems.gather():
        registering = ModelRegistrationStepBuilder(registration, job, settings).create_plain_step(
            _output("Package", "package_output"),
            _output("Payload", "payload_sample"),
            uris["metadata"],
            regions=regions,
            one_step=one_step,
            config_uri=config_uri,
            name="Register",
        )
        steps += registering if isinstance(registering, list) else [registering]
    definition = PipelineDefinition(name=name, parameters=tuple(own.all), steps=tuple(steps))
    if problems.found:  # the whole can't be checked without its steps
        problems.found += definition.text_problems()
        problems.found += step_problems(steps[0]) if train else ()
    problems.raise_any()
    definition.check()
    return definition


def _job(job: JobSettings, own: _Parameters, problems: Problems) -> JobSettings:
    """The jobs' settings, with the pipeline's parameters for what an execution may change."""
    if job.entry_point:
        problems.found.append(
            "job: entry_point: would run one command in all three steps: leave it out"
        )
    variables = {
        "image_uri": own.of("ImageUri", job.image_uri),
        "instance_type": own.of("InstanceType", job.instance_type),
    }
    job = job.model_copy(update=variables)
    with problems.gather("job: "):  # an author's parameter has a default of its own
        JobSettings(environ={}, **dict(job))
    return job


def _trained(train: Step, job: JobSettings) -> Step:
    """The training step, with the other jobs' role, cache and retries where it has none."""
    return replace(
        train,
        arguments={"RoleArn": job.role, **train.arguments},
        cache=train.cache or job.cache,
        retries=train.retries or job.retries,
    )


def _usable(name: str, uri: Any, problems: Problems) -> Any:
    """A URI, or what stands in for one that is at fault, to check the rest."""
    if uri is None and name in ("model", "script"):
        return Parameter(name)
    found = [] if uri is None else uri_problems(name, uri)
    problems.found += found
    return Parameter(name) if found else uri


def _output(step: str, name: str) -> Any:
    return Property(step).ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


class _Parameters:
    """The pipeline's parameters: the author's, and those made of plain texts."""

    def __init__(self, given: Sequence[Parameter]) -> None:
        self.all = list(given)

    def of(self, name: str, value: Any) -> Any:
        """The author's parameter of that name, else one with this default; a variable stays."""
        if is_variable(value) or not isinstance(value, str):
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
