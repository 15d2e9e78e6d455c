"""AWS's clients with our limits, and their failures in our words.

Goes in: a service and a region. Comes out: a boto3 client that finds credentials and endpoint by
boto3's own rules (AWS_ENDPOINT_URL, never an `endpoint_url=`), waits no longer than said here, and
asks ATTEMPTS times by itself: nothing else retries a call. `asking` turns what a call raises into a
`AwsError` that says what was asked where, what came back, and what to do; `Retries` counts.
"""

from __future__ import annotations

import functools
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3.session
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader
from botocore.parsers import ResponseParserError

from mims.errors import InputError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.awsrequest import AWSRequest
    from botocore.client import BaseClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient

log = logging.getLogger("mims")

ATTEMPTS = 5  # of each call, the first included
CONNECTIONS = 16  # of a client at a time: a model in ten parts, and small artifacts beside it
_CONFIG = Config(
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=CONNECTIONS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)

# What to do, and the codes (or botocore's exceptions) that ask for it. An answer to HEAD has no
# body, so its code is the bare status.
_CURES = {
    "give the job a role with permissions, or set AWS_ACCESS_KEY_ID and the like anew": (
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
        *("InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken", "SignatureDoesNotMatch"),
        *("UnrecognizedClientException", "MissingAuthenticationTokenException"),
        *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "400"),
    ),
    "allow the operation in the policies of the job's role and of the bucket, and see that the "
    "bucket is that owner's whom the config names, if it names one": (
        *("AccessDenied", "AllAccessDisabled"),
    ),
    "allow the operation in the policies of the job's role and of the bucket, s3:ListBucket too "
    "(without it S3 says 403 of what is not there), and see that the bucket is that owner's whom "
    "the config names, if it names one": ("403",),
    "allow the operation in the policy of the job's role": ("AccessDeniedException",),
    "create the bucket, or name another in the config or in MIMS_BUCKET": ("NoSuchBucket", "404"),
    "the bucket is in another region: name one in this region, in the config or in MIMS_BUCKET": (
        *("PermanentRedirect", "301", "307", "AuthorizationHeaderMalformed"),
        "IllegalLocationConstraintException",
    ),
    "the service is busy or ill: run again later, what is stored will not move again": (
        *("SlowDown", "Throttling", "ThrottlingException", "ThrottledException"),
        *("RequestLimitExceeded", "TooManyRequestsException", "RequestThrottled"),
        *("ServiceUnavailable", "InternalError", "InternalFailure", "InternalServerError"),
        *("RequestTimeout", "500", "502", "503", "504"),
        *("ResponseParserError", "IncompleteReadError"),
    ),
    "check the network, the region's name and AWS_ENDPOINT_URL; with network isolation a job "
    "reaches no service": (
        *("ConnectTimeoutError", "ReadTimeoutError", "EndpointConnectionError"),
        *("ConnectionClosedError", "HTTPClientError", "ProxyConnectionError", "SSLError"),
    ),
    "the file changed after it was checked, or on its way: run again": (
        *("BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest", "IncompleteBody"),
    ),
    "ask for a higher quota, or delete what is no longer used": ("ResourceLimitExceeded",),
}
_CURE_BY_CODE = {code: cure for cure, codes in _CURES.items() for code in codes}
# S3 says AccessDenied, or KMS.<what KMS says>, where it may not use a key.
_KEY_CURE = (
    "see that the KMS key is there and enabled in this region, and let the job's role use it "
    "(kms:GenerateDataKey, kms:Decrypt) in its own policy and the key's"
)


class AwsError(ServiceError):
    """A call that failed. `code` is the service's, or the name of botocore's exception."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


@overload
def client(service: Literal["s3"], region: str) -> S3Client: ...
@overload
def client(service: Literal["sagemaker"], region: str) -> SageMakerClient: ...
@overload
def client(service: Literal["cloudwatch"], region: str) -> CloudWatchClient: ...
@overload
def client(service: Literal["stepfunctions"], region: str) -> SFNClient: ...
@overload
def client(service: Literal["sts"], region: str) -> STSClient: ...
def client(service: Any, region: str) -> Any:
    """Make a client for a region. It may be used from several threads at a time.

    Raises:
        InputError: AWS_ENDPOINT_URL is no URL.
        ServiceError: the AWS profile that the environment names is not there.

    """
    try:
        with asking("connecting", region, service):
            known = botocore.session.get_session()
            known.register_component("data_loader", _loader())
            session = boto3.session.Session(region_name=region, botocore_session=known)
            return session.client(service, config=_CONFIG)
    except ValueError as error:  # what botocore makes of a bad URL
        raise InputError(
            f"AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_{service.upper()}: {error}"
        ) from error


@functools.cache
def _loader() -> Loader:
    """What botocore knows of the services, read once: 20 MiB, and 0.1 s, a client otherwise."""
    return create_loader()


class Retries:
    """Counts the requests that a client sends again, from when it is told of the client on."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def watch(self, asker: BaseClient) -> None:
        """Count this client's too."""
        asker.meta.events.register("request-created", self._note)

    def _note(self, request: AWSRequest, operation_name: str, **_: object) -> None:
        attempt = request.context.get("retries", {}).get("attempt", 1)
        if attempt > 1:
            with self._lock:
                self.count += 1
            region = request.context.get("client_region", "")
            log.info("%s in %s: attempt %d of %d", operation_name, region, attempt, ATTEMPTS)


@contextmanager
def asking(operation: str, region: str, about: str) -> Iterator[None]:
    """Report what boto3 raises inside as the service's answer.

    Raises:
        AwsError: names operation, region, what it was about, reason and cure.

    """
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code, text = said.get("Code", ""), said.get("Message") or "no reason given"
        retries = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0)
        reason = f"{code}: {text}{f' (asked {retries + 1} times)' if retries else ''}"
        what = _text(error.operation_name, region, about, reason, _cure(code, text))
        raise AwsError(what, code) from error
    except (BotoCoreError, ResponseParserError) as error:
        code = type(error).__name__
        raise AwsError(
            _text(operation, region, about, str(error), _cure(code, "")), code
        ) from error


def required(answer: Mapping[str, Any], member: str, operation: str, region: str) -> Any:
    """Give a member that every whole answer has: to botocore, one that was cut short is empty.

    Raises:
        AwsError: the answer lacks it.

    """
    if member not in answer:
        raise AwsError(f"{operation} in {region}: the answer was cut short; run again", "")
    return answer[member]


def _cure(code: str, text: str) -> str:
    if code.startswith("KMS.") or (code.startswith("AccessDenied") and "kms:" in text):
        return _KEY_CURE
    return _CURE_BY_CODE.get(code, "")


def _text(operation: str, region: str, about: str, reason: str, cure: str) -> str:
    return f"{operation} in {region} for {about}: {reason}{cure and f'; {cure}'}"
