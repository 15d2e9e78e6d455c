"""SageMaker's models and endpoints, as far as the real service keeps watch over them.

In: requests to SageMaker that keep to its limits, and scripts, which a test posts to SCRIPTS:

    {"region": "us-west-2", "endpoint": "name",
     "ends": ["Failed", …],          how the next creations and updates end, one each
     "invocations": ["reason", …],   why the model fails the next requests, one each
     "servers": {"MODEL": "http://127.0.0.1:PORT"},
     "seed": 7, "timeout": 60}

MODEL is the name of a model or the ARN of the version that it is made of; null takes a server away.
A seed makes what chance decides the same again, a timeout is how long a model may take, in seconds.

Out: moto's answers, except for the operations here. An endpoint is Creating or Updating, and then
InService; a script has it end as Failed, RolledBack (InService with the configuration it had), or
never (Stuck). A failed endpoint can only be deleted, as the service model says. An endpoint in
service sends requests on to the servers of its models (`traffic`); without any it answers what moto
answers. A POST to FLUSH has all that was captured written to S3. Of UpdateEndpoint there is no
DeploymentConfig: it goes all at once.
"""

from __future__ import annotations

import json
import re
from threading import RLock
from typing import TYPE_CHECKING, Any, cast

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.moto_api._internal.managed_state_model import ManagedState
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import sagemaker_backends
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse
from werkzeug.wrappers import Response

from local_aws import deployment, pipelines
from local_aws.deployment import Deployed
from local_aws.traffic import RefusedError, Traffic, asked_for

if TYPE_CHECKING:
    from moto.core.common_types import TYPE_RESPONSE
    from moto.sagemaker.models import FakeEndpoint, SageMakerModelBackend
    from werkzeug.wrappers import Request

SCRIPTS = "/local-aws/endpoints"
FLUSH = f"{SCRIPTS}/flush"
# The name by which moto's state manager sets the pace at which endpoints change their status.
STATUS = "sagemaker::endpoint"

_ENDS = ("InService", "Failed", "RolledBack", "Stuck")
_MOVING = ("Creating", "Updating", "Deleting")
_SERVING = ("InService", "Updating")
_INVOCATIONS = re.compile(r"/endpoints/([^/]+)/invocations")
_REGION = re.compile(r"Credential=[^/]+/\d+/([^/]+)/sagemaker/")
_TAGGED = re.compile(r":endpoint(-config)?/([^/]+)$")
_REASON = "The primary container did not pass the ping health check."


class Move(ManagedState):
    """An endpoint's way to what is to be deployed next, or out of the world."""

    def __init__(self, status: str, end: str, deployed: Deployed | None) -> None:
        super().__init__(STATUS, [(status, status if end == "Stuck" else end)])
        self.deployed = deployed


class Kept:
    """What an account has in a region beyond what moto keeps of endpoints."""

    def __init__(self, backend: SageMakerModelBackend) -> None:
        self.ends: dict[str, list[str]] = {}
        self.invocations: dict[str, list[str]] = {}
        self.moves: dict[str, Move] = {}
        self.deployed: dict[str, Deployed] = {}
        self.traffic = Traffic(
            backend.account_id,
            backend.region_name,
            lambda: backend.__dict__.get("kept_of_endpoints") is self,
        )
        self.lock = RLock()


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
        """Refuse a name that is taken, models that are not there, and what makes no traffic."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointConfigName")
        if name in backend.endpoint_configs:
            arn = backend.endpoint_configs[name].endpoint_config_arn
            raise ValidationError(f'Cannot create already existing endpoint configuration "{arn}".')
        request = self._get_params()
        shadows = request.get("ShadowProductionVariants", [])
        for variant in [*request["ProductionVariants"], *shadows]:
            backend.describe_model(variant["ModelName"])
        deployment.check_variants(request["ProductionVariants"], shadows)
        deployment.check_capture(request.get("DataCaptureConfig", {}))
        made = super().create_endpoint_config()
        # moto makes its answers of the attributes that it finds.
        vars(backend.endpoint_configs[name])["shadow_production_variants"] = shadows
        return made

    def describe_endpoint_config(self) -> ActionResult:
        """Answer, without the empty members that moto has."""
        found = self.sagemaker_backend.describe_endpoint_config(
            self._get_param("EndpointConfigName")
        )
        return ActionResult({key: value for key, value in found.items() if value})

    def add_tags(self) -> ActionResult:
        """Add tags, or overwrite those that are there."""
        tagged = self._tagged_endpoint()
        if tagged is None:
            return super().add_tags()
        added: list[dict[str, str]] = self._get_param("Tags")
        tagged.tags = list({tag["Key"]: tag for tag in [*tagged.tags, *added]}.values())
        return ActionResult({"Tags": tagged.tags})

    def delete_tags(self) -> ActionResult:
        """Refuse those of what is not there."""
        self._tagged_endpoint()
        return super().delete_tags()

    def list_tags(self) -> ActionResult:
        """Refuse those of what is not there."""
        self._tagged_endpoint()
        return super().list_tags()

    def _tagged_endpoint(self) -> Any:
        """Return the endpoint or configuration that a request about tags names, if it does."""
        found = _TAGGED.search(self._get_param("ResourceArn"))
        if found is None:
            return None
        backend = self.sagemaker_backend
        if found[1]:
            backend.describe_endpoint_config(found[2])
            return backend.endpoint_configs[found[2]]
        backend.describe_endpoint(found[2])
        return backend.endpoints[found[2]]

    def create_endpoint(self) -> ActionResult:
        """Begin to create an endpoint."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        if name in backend.endpoints:
            arn = backend.endpoints[name].arn
            raise ValidationError(f'Cannot create already existing endpoint "{arn}".')
        made = super().create_endpoint()
        deployed = deployment.deployed_by(backend, self._get_param("EndpointConfigName"))
        deployment.show(backend.endpoints[name], deployed)
        _begin(backend, name, "Creating", deployed)
        return made

    def update_endpoint(self) -> ActionResult:
        """Begin to give an endpoint another configuration, which moto can't."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        backend.describe_endpoint(name)
        deployed = deployment.deployed_by(backend, self._get_param("EndpointConfigName"))
        endpoint = _ready(backend.endpoints[name])
        if self._get_param("RetainAllVariantProperties"):
            excluded = self._get_param("ExcludeRetainedVariantProperties") or []
            but = {one["VariantPropertyType"] for one in excluded}
            deployed = deployment.retained(deployed, _kept(backend).deployed.get(name), but)
        _begin(backend, name, "Updating", deployed)
        return ActionResult({"EndpointArn": endpoint.arn})

    def update_endpoint_weights_and_capacities(self) -> ActionResult:
        """Begin to give variants of an endpoint other weights and numbers of instances."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        backend.describe_endpoint(name)
        endpoint = _ready(backend.endpoints[name])
        now = _kept(backend).deployed[name]
        wanted = self._get_param("DesiredWeightsAndCapacities")
        names = [one["VariantName"] for one in wanted]
        deployment.check_names(names)
        shown = {one["VariantName"]: one for one in [*now.variants, *now.shadows]}
        unknown = [one for one in names if one not in shown]
        if unknown:
            raise ValidationError(
                f'The variant name(s) "{", ".join(unknown)}" is/are not present within endpoint '
                f'configuration "{now.config}".'
            )
        changed = dict(shown)
        for one in wanted:
            changed[one["VariantName"]] = deployment.changed(shown[one["VariantName"]], one)
        variants = [changed[one["VariantName"]] for one in now.variants]
        deployment.check_weights([one["CurrentWeight"] for one in variants])
        shadows = [changed[one["VariantName"]] for one in now.shadows]
        deployed = Deployed(now.config, variants, shadows, now.capture, now.models)
        _begin(backend, name, "Updating", deployed)
        return ActionResult({"EndpointArn": endpoint.arn})

    def delete_endpoint(self) -> ActionResult:
        """Begin to delete an endpoint."""
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        backend.describe_endpoint(name)
        endpoint = backend.endpoints[name]
        if endpoint.endpoint_status in _MOVING:
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        endpoint.endpoint_status = "Deleting"
        _kept(backend).moves[name] = Move("Deleting", "Deleted", None)
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
        if endpoint is None or endpoint.endpoint_status not in _SERVING:
            return _error(400, "ValidationError", f"Endpoint {name} not found.")
        failures = _kept(backend).invocations.get(name)
        if failures:
            said = f'Received server error (500) from primary with message "{failures.pop(0)}".'
            return _error(424, "ModelError", said)
        return super().invoke_endpoint()


def keep_script(body: bytes) -> list[str]:
    """Keep a script for an endpoint; return what is wrong with it, if anything is."""
    script = json.loads(body)
    ends, servers = script.get("ends", []), script.get("servers", {})
    problems = [f"{end}: must be one of {', '.join(_ENDS)}" for end in ends if end not in _ENDS]
    problems += [
        f"{model}: {url} must begin with http://"
        for model, url in servers.items()
        if url is not None and not str(url).startswith("http://")
    ]
    if problems:
        return problems
    kept = _kept(sagemaker_backends[DEFAULT_ACCOUNT_ID][script["region"]])
    if "endpoint" in script:
        kept.ends[script["endpoint"]] = ends
        kept.invocations[script["endpoint"]] = script.get("invocations", [])
    told = {**kept.traffic.servers, **servers}
    kept.traffic.servers = {model: url.rstrip("/") for model, url in told.items() if url}
    kept.traffic.timeout = script.get("timeout", kept.traffic.timeout)
    if "seed" in script:
        kept.traffic.seed(script["seed"])
    return []


def flush(body: bytes) -> list[str]:
    """Write all that was captured in {"region"}; return why something could not be written."""
    backend = sagemaker_backends[DEFAULT_ACCOUNT_ID][json.loads(body)["region"]]
    return _kept(backend).traffic.flush()


def invoked(request: Request) -> Response | None:
    """Answer a request to an endpoint that has model servers; of any other, moto's is to answer."""
    path = _INVOCATIONS.fullmatch(request.path)
    region = _REGION.search(request.headers.get("Authorization", ""))
    if path is None or region is None:
        return None
    backend, name = sagemaker_backends[DEFAULT_ACCOUNT_ID][region[1]], path[1]
    kept = _kept(backend)
    _settle(backend, name)
    endpoint, deployed = backend.endpoints.get(name), kept.deployed.get(name)
    serving = endpoint is not None and endpoint.endpoint_status in _SERVING
    if not serving or deployed is None or kept.invocations.get(name):
        return None
    if not kept.traffic.serves(deployed):
        return None
    try:
        asked = asked_for(name, request.headers, request.get_data())
        status, headers, body = kept.traffic.answer(deployed, asked)
    except RefusedError as refused:
        status, headers, text = _error(400, "ValidationError", str(refused))
        body = str(text).encode()
    return Response(body, status, headers)


def _ready(endpoint: FakeEndpoint) -> FakeEndpoint:
    """Give an endpoint that can be updated."""
    if endpoint.endpoint_status in _MOVING:
        raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
    if endpoint.endpoint_status == "Failed":
        raise ValidationError(f'Cannot update failed endpoint "{endpoint.arn}".')
    return endpoint


def _begin(backend: SageMakerModelBackend, name: str, status: str, deployed: Deployed) -> None:
    kept = _kept(backend)
    with kept.lock:
        end = kept.ends[name].pop(0) if kept.ends.get(name) else "InService"
        endpoint = backend.endpoints[name]
        endpoint.endpoint_status, endpoint.failure_reason = status, None
        kept.moves[name] = Move(status, end, deployed)


def _settle(backend: SageMakerModelBackend, name: str) -> None:
    """Put an endpoint where its move has brought it."""
    kept = _kept(backend)
    if name not in kept.moves:
        return
    with kept.lock:
        move = kept.moves.get(name)
        if move is None or move.status in _MOVING:
            return
        endpoint = backend.endpoints[name]
        del kept.moves[name]
        if move.deployed is None:
            del backend.endpoints[name]
            kept.deployed.pop(name, None)
            return
        endpoint.last_modified_time = utcnow()
        if move.status == "InService":
            kept.deployed[name] = move.deployed
            deployment.show(endpoint, move.deployed)
        else:
            endpoint.failure_reason = _REASON  # type: ignore[assignment]
        endpoint.endpoint_status = "Failed" if move.status == "Failed" else "InService"


def _error(status: int, code: str, text: str) -> tuple[int, dict[str, Any], str]:
    # moto answers with the status that it finds here.
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": code, "status": str(status)}
    return status, headers, json.dumps({"Message": text})


def _kept(backend: SageMakerModelBackend) -> Kept:
    """Return what is kept beside moto's own: a reset forgets it with all of the backend."""
    kept = backend.__dict__.get("kept_of_endpoints")
    if kept is None:
        kept = backend.__dict__.setdefault("kept_of_endpoints", Kept(backend))
    return cast("Kept", kept)
