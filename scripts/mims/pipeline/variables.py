"""A model's variables: what its artifacts say that it takes, and the schema of both sides.

Goes in: hyperparameters.json, the payload's metadata.json, or what holds one of them. Comes out:
the input variables as the payload job finds them, by the same functions, in the order of a request;
and the variable schema of mims_registration_step.md. Nothing is unpacked, and nothing guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mims.archive.reader import DEFAULT_LIMITS
from mims.errors import InputError
from mims.payload.artifacts import FEATURE_COLUMNS, HYPERPARAMETERS, read_artifacts
from mims.payload.decoding import decoded, unquoted
from mims.payload.fields import model_fields
from mims.pipeline.configs import ModelRegistrationConfig
from mims.registration.inputs import JSON_LIMIT, read_small
from mims.registration.parameters import VariableType
from mims.registration.samples import verify_payload
from mims.text import size

if TYPE_CHECKING:
    import os

__all__ = ["VariableType", "input_variables", "variable_schema"]
_PAYLOAD = "payload.tar.gz"


def variable_schema(
    inputs: Mapping[str, VariableType | str], outputs: Mapping[str, VariableType | str]
) -> dict[str, Any]:
    """Give the schema of a model's variables, in the shape that the step's document gives.

    Raises:
        InputError: with every type that is unknown, or if there is no output.

    """
    config = ModelRegistrationConfig(
        model_registration_objective="a schema",
        source_model_inference_input_variable_list=dict(inputs),  # type: ignore[arg-type]
        source_model_inference_output_variable_list=dict(outputs),  # type: ignore[arg-type]
    )
    return config.variable_schema()


def input_variables(
    source: str | os.PathLike[str] | Mapping[str, Any], *, csv: bool = True
) -> dict[str, VariableType]:
    """Give a model's input variables, in the order of a request, for a registration config.

    `source` is hyperparameters.json or the payload's metadata.json, as a path or already loaded; a
    model, a package or a payload that holds it, as a folder or an archive. Where the model is asked
    in `csv`, the order is that of the feature_columns.txt beside hyperparameters.json.

    Raises:
        InputError: it holds neither, or tells no variables, or wrong ones.

    """
    if isinstance(source, Mapping):
        return _variables(source)
    path = Path(source)
    if path.name == _PAYLOAD or (path / _PAYLOAD).is_file():
        return _payload_variables(path)
    if path.suffix == ".json" and not path.is_dir():
        if not (csv and path.name == HYPERPARAMETERS and (path.parent / FEATURE_COLUMNS).is_file()):
            return _variables(_json_object(path))
        path = path.parent
    artifacts = read_artifacts(path, csv, DEFAULT_LIMITS)
    return _variables(artifacts.hyperparameters, artifacts.columns, artifacts.categories)


def _variables(values: Mapping[str, Any], *more: Any) -> dict[str, VariableType]:
    plain = {key: unquoted(value) for key, value in values.items()}
    return {field.name: VariableType(field.type) for field in model_fields(plain, *more)}


def _payload_variables(path: Path) -> dict[str, VariableType]:
    payload = verify_payload(path, lambda _: None)
    if payload is None or not payload.variables:
        raise InputError(
            f"{path} holds no metadata.json that names variables: give the one that was made "
            "beside it, or the model"
        )
    return dict(payload.variables)


def _json_object(path: Path) -> Mapping[str, Any]:
    content = read_small(path)
    if len(content) > JSON_LIMIT:
        raise InputError(f"{path} is over {size(JSON_LIMIT)}: is it the right file?")
    values = decoded(str(path), content)
    if not isinstance(values, dict):
        raise InputError(f"{path} is no JSON object")
    return values
