"""Step Functions: moto's state machines really execute, and call services as the real ones do.

In: nothing; `replace_moto` is called once. Out: state machines whose tasks get an object's body as
text and times as ISO 8601, reach services whose names boto3 spells otherwise, fail by the names
that AWS gives to errors, and whose paths lead to a value or to a list as they say. moto stumbles
over each of these, and makes a client for each task, where one a service and region will do.
"""

from __future__ import annotations

import functools
import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jsonpath_ng.ext.parser import parse
from moto.core.config import default_user_config
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk as aws_sdk,
)
from moto.stepfunctions.parser.asl.parse import asl_parser
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError, extract_json

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from moto.stepfunctions.parser.asl.eval.environment import Environment

_PARSER = asl_parser.__name__.partition(".asl")[0]
_MANY = re.compile(r"\[\?\(|\*|\.\.|\[[^'\]]*[:,]")  # filters, wildcards, descent, slices, unions
# As Step Functions writes services, and as boto3 does; what Step Functions calls their errors.
_SERVICES = {"sagemakerruntime": "sagemaker-runtime"}
_ERRORS = {
    "s3": "S3",
    "sagemaker": "SageMaker",
    "sagemakerruntime": "SageMakerRuntime",
    "cloudwatch": "CloudWatch",
}


def replace_moto() -> None:
    """Put ours in moto's place; moto makes a task's service when a definition is read."""
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    aws_sdk._SERVICE_ERROR_NAMES.update(_ERRORS)  # noqa: SLF001
    theirs = aws_sdk.StateTaskServiceAwsSdk
    theirs._get_boto_service_name = _boto_service_name  # type: ignore[method-assign] # noqa: SLF001
    original = theirs._eval_service_task  # noqa: SLF001

    def evaluate(self: Any, env: Environment, **arguments: Any) -> None:
        original(self, env, **arguments)
        env.stack.append(_plain(env.stack.pop()))

    for name, module in list(sys.modules.items()):
        if name.startswith(_PARSER) and vars(module).get("extract_json") is extract_json:
            vars(module)["extract_json"] = _extracted
        if name.startswith(_PARSER) and "boto_client_for" in vars(module):
            vars(module)["boto_client_for"] = _client
    theirs._eval_service_task = evaluate  # type: ignore[method-assign, assignment] # noqa: SLF001


@functools.cache
def _client_of(region: str, service: str) -> BaseClient:
    return boto_client_for(region=region, service=service)


def _client(region: str, service: str, state_credentials: Any = None) -> BaseClient:
    """A client; whose credentials it has, this AWS does not ask."""
    del state_credentials
    return _client_of(region, service)


def _extracted(path: str, data: Any) -> Any:
    """What a path leads to: a value, or a list where it may lead to many, even to none."""
    if not _MANY.search(path):
        found = parse(path).find(data)
        if len(found) == 1:
            return found[0].value
    try:
        return extract_json(path, data)
    except NoSuchJsonPathError:
        if "[?(" in path:
            return []
        raise


def _boto_service_name(self: Any, boto_service_name: str | None = None) -> str:
    name = boto_service_name or self.resource.api_name
    return _SERVICES.get(name, str(name))


def _plain(value: Any) -> Any:
    """What a client answered, as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "read"):
        return value.read().decode()
    return value
