"""The local AWS as a WSGI application: limits first, then moto, with a SageMaker and an S3 of ours.

In: HTTP requests as AWS's clients send them, and tests' scripts of pipeline executions and
endpoints. Out: moto's answers, mended by `model_packages`, `pipelines`, `endpoints`, `s3`,
`metrics` and `state_machines`, or AWS's refusal of a SageMaker request off its limits (`limits`).
Nothing is kept here, and no request leaves this process but to the model servers that a test named.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING
from uuid import uuid4

import botocore.session
from botocore.model import OperationNotFoundError
from moto.cloudwatch import urls as cloudwatch_urls
from moto.moto_api import state_manager
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sagemaker import urls as sagemaker_urls
from moto.sagemakerruntime import urls as runtime_urls
from werkzeug.wrappers import Request, Response

from local_aws import (
    endpoints,
    limits,
    lineage,
    metrics,
    model_packages,
    pipelines,
    s3,
    state_machines,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_SCRIPTS = {
    pipelines.SCRIPTS: pipelines.keep_script,
    endpoints.SCRIPTS: endpoints.keep_script,
    endpoints.FLUSH: endpoints.flush,
}


class LocalAws:
    """The application. Packages and endpoints stay `status_seconds` in each status on their way."""

    def __init__(self, status_seconds: float) -> None:
        pace = {"progression": "time", "seconds": status_seconds}
        for model in (model_packages.STATUS, endpoints.STATUS):
            state_manager.register_default_transition(model, pace)
        # moto looks its handlers up here when the first request for the service comes.
        sagemaker_urls.url_paths["{0}/$"] = lineage.SageMaker.dispatch
        for path in runtime_urls.url_paths:
            runtime_urls.url_paths[path] = endpoints.Runtime.dispatch
        cloudwatch_urls.url_paths["{0}/$"] = metrics.CloudWatch.dispatch
        s3.replace_moto()
        state_machines.replace_moto()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._sagemaker = botocore.session.get_session().get_service_model("sagemaker")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        refusal = None
        if request.path in _SCRIPTS:
            return _kept(request)(environ, start_response)
        if request.headers.get("X-Amz-Target", "").startswith("SageMaker."):
            refusal = self._off_limits(request)
        answer = refusal or endpoints.invoked(request) or self._moto
        return answer(environ, start_response)

    def _off_limits(self, request: Request) -> Response | None:
        name = request.headers["X-Amz-Target"].removeprefix("SageMaker.")
        try:
            operation = self._sagemaker.operation_model(name)
        except OperationNotFoundError:
            return _json_error("UnknownOperationException", f"Unknown operation: {name}")
        try:
            parameters = json.loads(_body(request) or b"{}")
        except ValueError:
            return _json_error("SerializationException", "The request is not JSON.")
        shape = operation.input_shape
        found = list(limits.violations(shape, parameters)) if shape else []
        return _json_error("ValidationException", limits.message(found)) if found else None


def _kept(request: Request) -> Response:
    """Keep a test's script, or say what is wrong with it."""
    problems = _SCRIPTS[request.path](request.get_data())
    return Response("\n".join(problems), 400 if problems else 200)


def _body(request: Request) -> bytes:
    """Read the body and put it back for moto."""
    body = request.get_data()
    request.environ["wsgi.input"] = BytesIO(body)
    return body


def _json_error(code: str, text: str) -> Response:
    body = json.dumps({"__type": code, "message": text})
    headers = {"x-amzn-RequestId": str(uuid4())}
    return Response(body, 400, headers, content_type="application/x-amz-json-1.1")
