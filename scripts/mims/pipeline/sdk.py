"""Steps and pipelines of the SageMaker SDK, version 3 or 2, whichever is installed.

Goes in: our steps. Comes out: the SDK's own `ProcessingStep` and `TrainingStep`, made to say what
ours say: the request is ours, with the SDK's variables in place of ours, so that the SDK sees who
depends on whom and its local mode can run them. Nothing is sent anywhere.
"""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.pipeline.references import ExecutionVariable, Join, Parameter, Property, mapped
from mims.pipeline.steps import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.pipeline.references import Expressible

_ROOMS = {  # where each version has what, and who it thinks has made a processing step's request
    "3": ("sagemaker.core.workflow", "sagemaker.mlops.workflow", "run"),
    "2": ("sagemaker.workflow", "sagemaker.workflow", "process"),
}


class _Sdk(NamedTuple):
    """The parts of the SDK that we use."""

    steps: Any
    pipeline: Any
    context: Any
    parameters: Any
    execution_variables: Any
    functions: Any
    callers: Mapping[str, str]


def installed() -> str | None:
    """The major version of the SageMaker SDK that is installed, if it is one that we know."""
    try:
        major = version("sagemaker").partition(".")[0]
    except PackageNotFoundError:
        return None
    return major if major in _ROOMS else None


@cache
def _sdk() -> _Sdk:
    major = installed()
    if major is None:
        raise InputError(
            "the SageMaker SDK is not installed: pip install '.[pipelines]', or use the plain "
            "definition (create_plain_step, PipelineDefinition), which needs boto3 alone"
        )
    values, steps, processing = _ROOMS[major]
    return _Sdk(
        steps=importlib.import_module(f"{steps}.steps"),
        pipeline=importlib.import_module(f"{steps}.pipeline"),
        context=importlib.import_module(f"{values}.pipeline_context"),
        parameters=importlib.import_module(f"{values}.parameters"),
        execution_variables=importlib.import_module(f"{values}.execution_variables"),
        functions=importlib.import_module(f"{values}.functions"),
        callers={"Processing": processing, "Training": "train"},
    )


def as_sdk_step(step: Step, others: Mapping[str, Any] | None = None) -> Any:
    """Make the SDK's step of ours. `others`: the SDK's steps by name, that ours may refer to.

    Raises:
        InputError: no SDK is installed, or the step refers to one that is not among the others.

    """
    sdk, others = _sdk(), others or {}
    return _class(step.kind)(
        step.name,
        step_args=sdk.context._JobStepArguments(sdk.callers[step.kind], {}),  # noqa: SLF001
        request=mapped(step.arguments, lambda variable: _native(variable, step, others)),
        display_name=step.display_name,
        description=step.description,
        cache_config=step.cache,
        depends_on=[_earlier(other, others) for other in step.depends_on] or None,
        retry_policies=list(step.retries) or None,
    )


@cache
def _class(kind: str) -> Any:
    """The SDK's class of such steps, with the request given rather than asked of a processor."""
    base = getattr(_sdk().steps, f"{kind}Step")

    class RequestStep(base):  # type: ignore[misc, valid-type]
        def __init__(self, name: str, *, request: dict[str, Any], **options: Any) -> None:
            super().__init__(name, **options)
            self.step_args = None  # nobody's code to upload or to take a digest of
            self._request = request

        @property
        def arguments(self) -> dict[str, Any]:
            return self._request

    RequestStep.__name__ = RequestStep.__qualname__ = base.__name__
    return RequestStep


def _native(variable: Expressible, step: Step, others: Mapping[str, Any]) -> Any:
    """The SDK's variable for one of ours; its own stay as they are."""
    sdk = _sdk()
    if isinstance(variable, Property):
        if variable.step not in others:
            raise InputError(
                f"step {step.name} refers to step {variable.step}, which is not among the SDK's "
                "steps here: make both by create_step, or both by create_plain_step"
            )
        return variable.within(others[variable.step].properties)
    if isinstance(variable, Join):
        values = mapped(list(variable.values), lambda inner: _native(inner, step, others))
        return sdk.functions.Join(on=variable.on, values=values)
    if isinstance(variable, Parameter):
        return parameter(variable)
    if isinstance(variable, ExecutionVariable):
        return sdk.execution_variables.ExecutionVariable(variable.name)
    return variable


def parameter(ours: Parameter) -> Any:
    """The SDK's parameter for one of ours."""
    make = getattr(_sdk().parameters, f"Parameter{ours.type}")
    return make(name=ours.name, default_value=ours.default)


def _earlier(step: Any, others: Mapping[str, Any]) -> Any:
    return others.get(step.name, step.name) if isinstance(step, Step) else step


def as_sdk_pipeline(name: str, parameters: list[Parameter], steps: list[Step], session: Any) -> Any:
    """Make the SDK's pipeline of our steps, which stand in an order that they can run in.

    It has `add_step` besides, as mims_registration_step.md has it.
    """
    made: dict[str, Any] = {}
    for step in steps:
        made[step.name] = as_sdk_step(step, made)
    return _pipeline_class()(
        name=name,
        parameters=[parameter(ours) for ours in parameters],
        steps=list(made.values()),
        sagemaker_session=session,
    )


@cache
def _pipeline_class() -> Any:
    base = _sdk().pipeline.Pipeline

    class Pipeline(base):  # type: ignore[misc, valid-type]
        def add_step(self, step: Any) -> None:
            """Add a step of the SDK."""
            self.steps.append(step)

    return Pipeline
