"""Starts an execution of a pipeline, with parameters that its definition declares.

Goes in: a SageMaker client of `mims.registration.aws` (the only layer of retries), the pipeline's
name, parameters as texts. Comes out: the execution's ARN. A call whose answer was lost is asked
again with the same token, so it starts no second execution.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from typing import TYPE_CHECKING, Any

from mims.errors import InputError, ServiceError
from mims.pipeline.execution import PASSING
from mims.registration.aws import AwsError, asking, required
from mims.text import listed, meant, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mypy_boto3_sagemaker import SageMakerClient

_PARAMETERS_LIMIT, _VALUE_LIMIT = 200, 1024
_TOKEN_LENGTHS = range(32, 129)
_NAMESPACE = uuid.UUID("5a9d0a2e-7f5b-4c39-9c1e-0d6c3b8f1f47")  # of our tokens; arbitrary


def checked_parameters(definition: Mapping[str, Any], given: Mapping[str, str]) -> None:
    """Hold what an execution is to be started with to what its definition declares.

    Raises:
        InputError: with every parameter that is unknown, missing, of another type, not among the
            allowed values or too long.

    """
    declared = {entry["Name"]: entry for entry in definition.get("Parameters") or []}
    problems = [_unknown(name, declared) for name in given if name not in declared]
    problems += [
        f"parameter {name} has no default: give it with -p {name}=…"
        for name, entry in declared.items()
        if "DefaultValue" not in entry and name not in given
    ]
    for name, value in given.items():
        problems += _wrong_value(declared.get(name, {}), name, value)
    if len(given) > _PARAMETERS_LIMIT:
        problems.append(f"{len(given)} parameters: the service takes {_PARAMETERS_LIMIT}")
    if problems:
        raise InputError(*problems)


def _unknown(name: str, declared: Iterable[str]) -> str:
    hint = meant(name, declared, f"it has {listed(declared) or 'none'}")
    return f"the pipeline has no parameter {printable(name)}: {hint}"


def _wrong_value(entry: Mapping[str, Any], name: str, value: str) -> Iterator[str]:
    kind, allowed = entry.get("Type", ""), entry.get("EnumValues")
    if kind in _KINDS and not _KINDS[kind](value):
        yield f"parameter {name}: {printable(value)} is not of type {kind}"
    elif allowed and value not in map(str, allowed):
        yield f"parameter {name}: {printable(value)} is none of {listed(map(str, allowed))}"
    if len(value) > _VALUE_LIMIT:
        yield f"parameter {name} has {len(value)} characters: the service takes {_VALUE_LIMIT}"


def _is_float(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


_KINDS: Mapping[str, Callable[[str], bool]] = {
    "Integer": lambda text: re.fullmatch(r"[+-]?[0-9]+", text) is not None,
    "Float": _is_float,
    "Boolean": lambda text: text.lower() in ("true", "false"),
}


def start(
    client: SageMakerClient,
    name: str,
    parameters: Mapping[str, str] | None = None,
    display_name: str = "",
    token: str = "",
) -> str:
    """Start an execution of a pipeline and give its ARN.

    The same `token`, any text, with the same name and parameters starts one execution, however
    often it is given: a workflow's ID, say. Without one each call starts another.

    Raises:
        ServiceError: the service refused, or whether it started is unknown; then the message has
            the token to ask again with.

    """
    region = client.meta.region_name
    token = token or str(uuid.uuid4())
    request: dict[str, Any] = {
        "PipelineName": name,
        "ClientRequestToken": start_token(name, token),
        "PipelineParameters": [{"Name": k, "Value": v} for k, v in (parameters or {}).items()],
    }
    if display_name:
        request["PipelineExecutionDisplayName"] = display_name
    try:
        with asking("StartPipelineExecution", region, f"pipeline {name}"):
            answer = client.start_pipeline_execution(**request)
            if "PipelineExecutionArn" not in answer:  # cut short: the token gets the same once more
                answer = client.start_pipeline_execution(**request)
        arn: str = required(answer, "PipelineExecutionArn", "StartPipelineExecution", region)
    except AwsError as error:
        if error.code not in PASSING:
            raise
        raise ServiceError(
            f"{error}; it may have started all the same: with --token {token} run again and no "
            "second one starts"
        ) from error
    return arn


def start_token(name: str, token: str) -> str:
    """Make of any text what the service takes for a token: 32 to 128 characters."""
    if len(token) in _TOKEN_LENGTHS:
        return token
    return str(uuid.uuid5(_NAMESPACE, json.dumps([name, token])))
