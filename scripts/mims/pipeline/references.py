"""Values that are known only when a pipeline runs, as its definition writes them.

Goes in: names of parameters, steps and outputs. Comes out: variables that stand in a step's request
wherever a value can, and the JSON for them (`expression`), as in SageMaker's Pipeline Definition
JSON Schema, version 2020-12-01. The SDK's own variables are taken as well, by their `expr`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mims.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@runtime_checkable
class Expressible(Protocol):
    """A variable: one of ours, or a `PipelineVariable` of the SageMaker SDK."""

    @property
    def expr(self) -> Any:
        """The variable as JSON."""


class Variable(ABC):
    """A value that is known only when the pipeline runs."""

    @property
    @abstractmethod
    def expr(self) -> dict[str, Any]:
        """The variable as JSON."""


@dataclass(frozen=True)
class Parameter(Variable):
    """What an execution may be given; of the type of its default, else a text."""

    name: str
    default: str | int | float | bool | None = None

    def __post_init__(self) -> None:
        """Refuse a default that is no parameter's."""
        if type(self.default) not in _TYPES:
            raise InputError(
                f"parameter {self.name}: its default must be a text, a number, true or false, not "
                f"{self.default!r}"
            )

    @property
    def type(self) -> str:
        """String, Integer, Float or Boolean."""
        return _TYPES[type(self.default)]

    @property
    def expr(self) -> dict[str, Any]:  # noqa: D102 - as in Variable
        return {"Get": f"Parameters.{self.name}"}

    def declaration(self) -> dict[str, Any]:
        """The parameter's entry in the definition."""
        entry: dict[str, Any] = {"Name": self.name, "Type": self.type}
        return entry if self.default is None else {**entry, "DefaultValue": self.default}


_TYPES = {str: "String", type(None): "String", int: "Integer", float: "Float", bool: "Boolean"}


@dataclass(frozen=True)
class ExecutionVariable(Variable):
    """What SageMaker knows of an execution, such as PipelineExecutionId or StartDateTime."""

    name: str

    @property
    def expr(self) -> dict[str, Any]:  # noqa: D102 - as in Variable
        return {"Get": f"Execution.{self.name}"}


class Property(Variable):
    """What a step's Describe call will answer: `step.properties.ModelArtifacts.S3ModelArtifacts`.

    Lists whose items have names are asked by them: `…Outputs["package_output"].S3Output.S3Uri`.
    """

    def __init__(self, step: str, path: tuple[tuple[str, str | int], ...] = ()) -> None:
        self.step, self.path = step, path

    def __getattr__(self, name: str) -> Property:
        if not name[0].isupper():  # the service's names are capitalized, ours are not
            raise AttributeError(f"{name}: no service's answer has such a member")
        return Property(self.step, (*self.path, (".", name)))

    def __getitem__(self, key: str | int) -> Property:
        return Property(self.step, (*self.path, ("[]", key)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Property) and (self.step, self.path) == (other.step, other.path)

    def __hash__(self) -> int:
        return hash((self.step, self.path))

    @property
    def expr(self) -> dict[str, Any]:  # noqa: D102 - as in Variable
        deeper = (f".{key}" if kind == "." else f"[{key!r}]" for kind, key in self.path)
        return {"Get": f"Steps.{self.step}{''.join(deeper)}"}

    def within(self, properties: Any) -> Any:
        """The same path from another root: an SDK step's own properties."""
        for kind, key in self.path:
            properties = getattr(properties, str(key)) if kind == "." else properties[key]
        return properties


class Join(Variable):
    """Texts and variables, one after another with `on` between them."""

    def __init__(self, on: str, values: Sequence[Any]) -> None:
        self.on, self.values = on, tuple(values)

    @property
    def expr(self) -> dict[str, Any]:  # noqa: D102 - as in Variable
        return {"Std:Join": {"On": self.on, "Values": expression(list(self.values))}}


PIPELINE_NAME = ExecutionVariable("PipelineName")
PIPELINE_EXECUTION_ID = ExecutionVariable("PipelineExecutionId")


def joined(*parts: Any) -> Any:
    """A path of parts, as a text where all are texts."""
    if all(isinstance(part, str) for part in parts):
        return "/".join(parts)
    return Join("/", parts)


def is_variable(value: Any) -> bool:
    """Whether a value stands for one that is known only when the pipeline runs."""
    if isinstance(value, dict):  # as written in a definition
        key = str(next(iter(value), ""))
        return len(value) == 1 and (key == "Get" or key.startswith("Std:"))
    return isinstance(value, Expressible)


def default_of(value: Any) -> Any:
    """A parameter's default, ours or the SDK's, if it has one; else the value as it is."""
    name = "default" if isinstance(value, Parameter) else "default_value"
    default = getattr(value, name, None) if is_variable(value) else None
    return value if default is None else default


def expression(value: Any) -> Any:
    """A request's value as JSON, with every variable in it as the definition writes it."""
    return mapped(value, lambda variable: variable.expr)


def mapped(value: Any, change: Callable[[Expressible], Any]) -> Any:
    """A copy of a request's value, with every variable in it changed."""
    if isinstance(value, Expressible):
        return change(value)
    if isinstance(value, Mapping):
        return {key: mapped(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mapped(item, change) for item in value]
    return value
