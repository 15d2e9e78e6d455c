"""The local AWS as a WSGI application: limits and checksums first, then moto.

In: HTTP requests as AWS's clients send them. Out: moto's answers, or AWS's refusal of a SageMaker
request off its limits (`limits`) and of an S3 upload that does not fit its digest. Nothing is kept
here, and no request leaves this process.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING
from uuid import uuid4
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import OperationNotFoundError
from moto.moto_api import state_manager
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.utils import compute_checksum
from moto.sagemaker import urls as sagemaker_urls
from werkzeug.wrappers import Request, Response

from local_aws import limits, model_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

# How the digests of an upload are made, by header. moto makes no true CRC32C or CRC64NVME.
_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "Content-MD5": lambda data: b64encode(hashlib.md5(data, usedforsecurity=False).digest()),
    "x-amz-checksum-crc32": lambda data: compute_checksum(data, "CRC32"),
    "x-amz-checksum-sha1": lambda data: compute_checksum(data, "SHA1"),
    "x-amz-checksum-sha256": lambda data: compute_checksum(data, "SHA256"),
}


class LocalAws:
    """The application. A model package stays `status_seconds` in each status on its way."""

    def __init__(self, status_seconds: float) -> None:
        pace = {"progression": "time", "seconds": status_seconds}
        state_manager.register_default_transition(model_packages.STATUS, pace)
        # moto looks its handlers up here when the first request for the service comes.
        sagemaker_urls.url_paths["{0}/$"] = model_packages.SageMaker.dispatch
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._sagemaker = botocore.session.get_session().get_service_model("sagemaker")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        refusal = None
        if request.headers.get("X-Amz-Target", "").startswith("SageMaker."):
            refusal = self._off_limits(request)
        elif request.method == "PUT":
            refusal = _bad_digest(request)
        return (refusal or self._moto)(environ, start_response)

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


def _bad_digest(request: Request) -> Response | None:
    given = {header: request.headers[header] for header in _DIGESTS if header in request.headers}
    # A body in signed chunks carries its digest behind the data, and moto takes it apart.
    if not given or "aws-chunked" in request.headers.get("Content-Encoding", ""):
        return None
    body = _body(request)
    for header, value in given.items():
        if _DIGESTS[header](body).decode() != value:
            return _xml_error("BadDigest", f"The {header} you specified did not match the data.")
    return None


def _body(request: Request) -> bytes:
    """Read the body and put it back for moto."""
    body = request.get_data()
    request.environ["wsgi.input"] = BytesIO(body)
    return body


def _json_error(code: str, text: str) -> Response:
    body = json.dumps({"__type": code, "message": text})
    headers = {"x-amzn-RequestId": str(uuid4())}
    return Response(body, 400, headers, content_type="application/x-amz-json-1.1")


def _xml_error(code: str, text: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
    )
    headers = {"x-amz-request-id": str(uuid4())}
    return Response(body, 400, headers, content_type="application/xml")
