"""How an MLflow server is reached: its URI, who asks, and how often.

Goes in: a tracking URI, `http(s)://[user:password@]host[:port][/path]` or the ARN of a server that
SageMaker runs; requests that may be repeated without harm. Comes out: a status and a body. A
request that gets no answer, or that of a busy server, is sent ATTEMPTS times in all. Follows no
redirect, so that a password goes to the server that was named; and shows no password.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
from http.client import HTTPException
from time import sleep
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import boto3.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from mims.errors import InputError, ServiceError
from mims.registration.aws import asking
from mims.text import printable, without_secrets

if TYPE_CHECKING:
    from urllib.parse import SplitResult

log = logging.getLogger("mims")

_WAITS = (0.5, 1, 2, 4)  # seconds before each further attempt
ATTEMPTS = 1 + len(_WAITS)
_TIMEOUT = 30  # seconds, of each attempt
_TRANSIENT = {408, 429, 500, 502, 503, 504}
_FORM = "must be http(s)://host[:port][/path], or the ARN of an MLflow server of SageMaker's"
_ARN = re.compile(
    r"arn:aws(?:-us-gov)?:sagemaker:(?P<region>[a-z0-9-]+):\d{12}:"
    r"(?P<kind>mlflow-tracking-server|mlflow-app)/[A-Za-z0-9-]+"
)


class _Managed(NamedTuple):
    """Where SageMaker's servers are, and how they are asked."""

    url: str
    header: str
    service: str


# As SageMaker's plugin for MLflow has it: https://pypi.org/project/sagemaker-mlflow/
_MANAGED = {
    "mlflow-tracking-server": _Managed(
        "https://{region}.experiments.sagemaker.aws",
        "x-mlflow-sm-tracking-server-arn",
        "sagemaker-mlflow",
    ),
    "mlflow-app": _Managed(
        "https://mlflow.sagemaker.{region}.app.aws", "x-sm-mlflow-app-arn", "sagemaker"
    ),
}
_SETTING = "MLFLOW_TRACKING_URI"
_ENDPOINT = "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT"  # the plugin's, for an endpoint in a VPC


class Server:
    """A server, from nothing but its URI. `name` is the URI as it may be shown."""

    def __init__(self, uri: str) -> None:
        """Take a tracking URI.

        Raises:
            InputError: it names no server that can be asked.

        """
        self._opener = build_opener(_NoRedirect)
        self._signed_for: tuple[str, str] | None = None  # service and region
        managed = _ARN.fullmatch(uri)
        if managed:
            how, region = _MANAGED[managed["kind"]], managed["region"]
            self.name = uri
            given = os.environ.get(_ENDPOINT) or how.url.format(region=region)
            self._url = _parsed(given, _ENDPOINT).geturl()
            self._own = {how.header: uri}
            self._signed_for = how.service, region
        else:
            at = _parsed(uri, _SETTING)
            host = at.netloc.rpartition("@")[2]
            self.name = self._url = f"{at.scheme}://{host}{at.path}".rstrip("/")
            self._own = _authorization(at)

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request, of JSON if it has a body; give status and body of the answer.

        Raises:
            ServiceError: there was none.

        """
        url, reason = f"{self._url.rstrip('/')}/{path}", ""
        for wait in (0, *_WAITS):
            if wait:
                log.info("MLflow at %s: %s; asking again in %s s", self.name, reason, wait)
                sleep(wait)
            headers = self._headers(method, url, body)
            request = Request(url, body or None, headers, method=method)  # noqa: S310 - http(s)
            try:
                status, content = self._send(request)
            except URLError as error:
                reason = printable(without_secrets(str(error.reason)))
            except (OSError, HTTPException) as error:
                reason = printable(f"{type(error).__name__}: {error}")
            else:
                if status not in _TRANSIENT:
                    return status, content
                reason = f"status {status}"
        raise ServiceError(
            f"MLflow at {self.name} gave no answer: {reason} (asked {ATTEMPTS} times): see that it "
            f"runs and can be reached from here, and that {_SETTING} names it"
        )

    def _send(self, request: Request) -> tuple[int, bytes]:
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                return response.status, response.read()
        except HTTPError as error:
            with error:
                return error.code, error.read()

    def _headers(self, method: str, url: str, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", **self._own}
        if self._signed_for is None:
            return headers
        service, region = self._signed_for
        headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
        with asking("GetCredentials", region, self.name):
            credentials = boto3.session.Session().get_credentials()
            if credentials is None:
                raise ServiceError(
                    f"MLflow at {self.name}: no AWS credentials to sign with: set "
                    "AWS_ACCESS_KEY_ID and the like, or AWS_PROFILE"
                )
            request = AWSRequest(method, url, headers, body)
            SigV4Auth(credentials, service, region).add_auth(request)
        return dict(request.headers.items())


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None, and the redirect is the answer."""


def _parsed(uri: str, setting: str) -> SplitResult:
    if not uri:
        raise InputError(f"no MLflow server: set {setting}; it {_FORM}")
    try:
        at = urlsplit(uri)
        known = at.scheme in ("http", "https") and at.hostname and at.port != 0
    except ValueError:
        known = None
    # Behind an unescaped / or # a password would be taken for path or fragment, and shown.
    if known and "@" not in at.path and not (at.query or at.fragment) and printable(uri) == uri:
        return at
    found = re.match(r"[a-z][a-z0-9+.-]*:", uri)
    begins = f"begins with {found[0]} and " if found else ""
    raise InputError(
        f"{setting} {begins}names no server that can be asked: it {_FORM} (in a password /, ?, # "
        "and @ are written %2F, %3F, %23 and %40; over files or a database run `mlflow server "
        "--backend-store-uri`)"
    )


def _authorization(at: SplitResult) -> dict[str, str]:
    """As MLflow's own client: the URI's user, else MLFLOW_TRACKING_USERNAME, else a token."""
    user, password = unquote(at.username or ""), unquote(at.password or "")
    if not user:
        user = os.environ.get("MLFLOW_TRACKING_USERNAME", "")
        password = os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
    if user:
        basic = base64.b64encode(f"{user}:{password}".encode()).decode()
        return {"Authorization": f"Basic {basic}"}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}
