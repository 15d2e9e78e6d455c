"""SageMaker's models and endpoints, as far as the real service keeps watch over them.

In: requests to SageMaker that keep to its limits, and scripts, which a test posts to SCRIPTS:

    {"region": "us-west-2", "endpoint": "name",
     "ends": ["Failed", …],          how the next creations and updates end, one each
     "invocations": ["reason", …]}   why the model fails the next requests, one each

Out: moto's answers, except for the operations here. An endpoint is Creating or Updating, and then
InService; a script has it end as Failed, RolledBack (InService with the configuration it had), or
never (Stuck). A failed endpoint can only be deleted, as the service model says. No model is loaded
and nothing is predicted: an endpoint in service answers what moto answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.moto_api._internal.managed_state_model import ManagedState
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import FakeEndpoint, sagemaker_backends
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from local_aws import pipelines

if TYPE_CHECKING:
    from moto.core.common_types import TYPE_RESPONSE
    from moto.sagemaker.models import SageMakerModelBackend

SCRIPTS = "/local-aws/endpoints"
# The name by which moto's state manager sets the pace at which endpoints change their status.
STATUS = "sagemaker::endpoint"

_ENDS = ("InService", "Failed", "RolledBack", "Stuck")
_MOVING = ("Creating", "Updating", "Deleting")
_REASON = "The primary container did not pass the ping health check."


class Move(ManagedState):
    """An endpoint's way to its next configuration, or out of the world."""

    def __init__(self, status: str, end: str, config: str) -> None:
        super().__init__(STATUS, [(status, status if end == "Stuck" else end)])
        self.config = config


@dataclass
class Kept:
    """What an account has in a region beyond what moto keeps of endpoints."""

    ends: dict[str, list[str]] = field(default_factory=dict)
    invocations: dict[str, list[str]] = field(default_factory=dict)
    moves: dict[str, Move] = field(default_factory=dict)


class SageMaker(pipelines.SageMaker):
    """moto's SageMaker with endpoints that take their time."""

    def call_action(self) -> TYPE_RESPONSE:
        """Let every endpoint be where its move has brought it."""
        backend = self.sagemaker_backend
        for name in list(_kept(backend).moves):
            _settle(backend, name)
        return super().call_action()

    def create_model(self) -> ActionResult:
        """Refuse a name that is taken, and a version that is not approved."""
        backend, name = self.sagemaker_backend, self._get_param("ModelName")
        if name in backend._models:  # noqa: SLF001
            arn = backend._models[name].arn  # noqa: SLF001
            raise ValidationError(f'Cannot create already existing model "{arn}".')
        primary = (
            [self._get_param("PrimaryContainer")] if self._get_param("PrimaryContainer") else []
        )
        for container in [*primary, *(self._get_param("Containers") or [])]:
            version = container.get("ModelPackageName")
            approved = version and self._package(version).model_approval_status == "Approved"
            if version and not approved:
                raise ValidationError(f"Model Package {version} is not approved.")
        return super().create_model()

    def create_endpoint_config(self) -> ActionResult:
        """Refuse a name that is taken, and models that are not there."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointConfigName")
        if name in backend.endpoint_configs:
            arn = backend.endpoint_configs[name].endpoint_config_arn
            raise ValidationError(f'Cannot create already existing endpoint configuration "{arn}".')
        for variant in self._get_param("ProductionVariants"):
            backend.describe_model(variant["ModelName"])
        return super().create_endpoint_config()

    def create_endpoint(self) -> ActionResult:
        """Begin to create an endpoint."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        if name in backend.endpoints:
            arn = backend.endpoints[name].arn
            raise ValidationError(f'Cannot create already existing endpoint "{arn}".')
        made = super().create_endpoint()
        _begin(backend, name, "Creating", self._get_param("EndpointConfigName"))
        return made

    def update_endpoint(self) -> ActionResult:
        """Begin to give an endpoint another configuration, which moto can't."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        config = self._get_param("EndpointConfigName")
        backend.describe_endpoint(name)
        backend.describe_endpoint_config(config)
        endpoint = backend.endpoints[name]
        if endpoint.endpoint_status in _MOVING:
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if endpoint.endpoint_status == "Failed":
            raise ValidationError(f'Cannot update failed endpoint "{endpoint.arn}".')
        _begin(backend, name, "Updating", config)
        return ActionResult({"EndpointArn": endpoint.arn})

    def delete_endpoint(self) -> ActionResult:
        """Begin to delete an endpoint."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        backend.describe_endpoint(name)
        endpoint = backend.endpoints[name]
        if endpoint.endpoint_status in _MOVING:
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        endpoint.endpoint_status = "Deleting"
        _kept(backend).moves[name] = Move("Deleting", "Deleted", endpoint.endpoint_config_name)
        return EmptyResult()

    def describe_endpoint(self) -> ActionResult:
        """Answer, without the empty members that moto has, and count a look."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        found = {key: value for key, value in backend.describe_endpoint(name).items() if value}
        move = _kept(backend).moves.get(name)
        if move:
            move.advance()
        return ActionResult(found)


class Runtime(SageMakerRuntimeResponse):
    """moto's SageMaker runtime, with endpoints that must be in service."""

    def invoke_endpoint(self) -> TYPE_RESPONSE:
        """Refuse what no endpoint can answer; let the model fail where a script says so."""
        backend = sagemaker_backends[self.current_account][self.region]
        name = self.path.split("/")[2]
        _settle(backend, name)
        endpoint = backend.endpoints.get(name)
        if endpoint is None or endpoint.endpoint_status not in ("InService", "Updating"):
            return _error(400, "ValidationError", f"Endpoint {name} not found.")
        failures = _kept(backend).invocations.get(name)
        if failures:
            said = f'Received server error (500) from primary with message "{failures.pop(0)}".'
            return _error(424, "ModelError", said)
        return super().invoke_endpoint()


def keep_script(body: bytes) -> list[str]:
    """Keep a script for an endpoint; return what is wrong with it, if anything is."""
    script = json.loads(body)
    ends = script.get("ends", [])
    problems = [f"{end}: must be one of {', '.join(_ENDS)}" for end in ends if end not in _ENDS]
    if not problems:
        kept = _kept(sagemaker_backends[DEFAULT_ACCOUNT_ID][script["region"]])
        kept.ends[script["endpoint"]] = ends
        kept.invocations[script["endpoint"]] = script.get("invocations", [])
    return problems


def _begin(backend: SageMakerModelBackend, name: str, status: str, config: str) -> None:
    kept = _kept(backend)
    end = kept.ends[name].pop(0) if kept.ends.get(name) else "InService"
    endpoint = backend.endpoints[name]
    endpoint.endpoint_status, endpoint.failure_reason = status, None
    kept.moves[name] = Move(status, end, config)


def _settle(backend: SageMakerModelBackend, name: str) -> None:
    """Put an endpoint where its move has brought it."""
    move = _kept(backend).moves.get(name)
    if move is None or move.status in _MOVING:
        return
    endpoint = backend.endpoints[name]
    del _kept(backend).moves[name]
    if move.status == "Deleted":
        del backend.endpoints[name]
        return
    endpoint.last_modified_time = utcnow()
    endpoint.endpoint_status = "Failed" if move.status == "Failed" else "InService"
    if move.status != "InService":
        endpoint.failure_reason = _REASON  # type: ignore[assignment]
        return
    variants = backend.describe_endpoint_config(move.config)["ProductionVariants"]
    shown = FakeEndpoint._process_production_variants(endpoint, variants)  # noqa: SLF001
    endpoint.endpoint_config_name, endpoint.production_variants = move.config, shown


def _error(status: int, code: str, text: str) -> TYPE_RESPONSE:
    # moto answers with the status that it finds here.
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code, "status": str(status)}
    return status, headers, json.dumps({"Message": text})


def _kept(backend: SageMakerModelBackend) -> Kept:
    """Return what is kept beside moto's own: a reset forgets it with all of the backend."""
    return cast("Kept", backend.__dict__.setdefault("kept_of_endpoints", Kept()))
