"""AWS's clients with our limits, and their failures in our words.

Goes in: a service and a region. Comes out: a boto3 client that finds credentials and endpoint by
boto3's own rules (AWS_ENDPOINT_URL, never an `endpoint_url=`), waits no longer than said here, and
retries by itself: nothing else retries a call. `asking` turns what a call raises into a
`ServiceError` that says what was asked where, what came back, and what to do.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from mims.errors import InputError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

ATTEMPTS = 5  # of each call, the first included
_CONFIG = Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)

_CREDENTIALS = "give the job a role with permissions, or set AWS_ACCESS_KEY_ID and the like anew"
_UNREACHABLE = (
    "check the network, the region's name and AWS_ENDPOINT_URL; with network isolation a job "
    "reaches no service"
)
_CURES = {
    "AccessDenied": "allow the operation in the policies of the job's role and of the bucket",
    "AccessDeniedException": "allow the operation in the policy of the job's role",
    "403": "allow the operation in the policies of the job's role and of the bucket",
    "NoSuchBucket": "create the bucket, or name another in the config or in MIMS_BUCKET",
    "404": "create the bucket, or name another in the config or in MIMS_BUCKET",
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "NoCredentialsError": _CREDENTIALS,
    "PartialCredentialsError": _CREDENTIALS,
    "CredentialRetrievalError": _CREDENTIALS,
    "ConnectTimeoutError": _UNREACHABLE,
    "ConnectionClosedError": _UNREACHABLE,
    "EndpointConnectionError": _UNREACHABLE,
    "ReadTimeoutError": _UNREACHABLE,
    "ResourceLimitExceeded": "ask for a higher quota, or delete what is no longer used",
}


@overload
def client(service: Literal["s3"], region: str) -> S3Client: ...
@overload
def client(service: Literal["sagemaker"], region: str) -> SageMakerClient: ...
def client(service: Literal["s3", "sagemaker"], region: str) -> S3Client | SageMakerClient:
    """Make a client for a region.

    Raises:
        InputError: AWS_ENDPOINT_URL is no URL.
        ServiceError: the AWS profile that the environment names is not there.

    """
    try:
        with asking("connecting", region, service):
            return boto3.session.Session(region_name=region).client(service, config=_CONFIG)
    except ValueError as error:  # what botocore makes of a bad URL
        raise InputError(
            f"AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_{service.upper()}: {error}"
        ) from error


@contextmanager
def asking(operation: str, region: str, about: str) -> Iterator[None]:
    """Report what boto3 raises inside as the service's answer.

    Raises:
        ServiceError: names operation, region, what it was about, reason and cure.

    """
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code = said.get("Code", "")
        reason = f"{code}: {said.get('Message') or 'no reason given'}"
        raise ServiceError(_text(error.operation_name, region, about, reason, code)) from error
    except BotoCoreError as error:
        raise ServiceError(
            _text(operation, region, about, str(error), type(error).__name__)
        ) from error


def required(answer: Mapping[str, Any], member: str, operation: str, region: str) -> Any:
    """Give a member that every whole answer has: to botocore, one that was cut short is empty.

    Raises:
        ServiceError: the answer lacks it.

    """
    if member not in answer:
        raise ServiceError(f"{operation} in {region}: the answer was cut short; run again")
    return answer[member]


def _text(operation: str, region: str, about: str, reason: str, code: str) -> str:
    cure = _CURES.get(code, "")
    return f"{operation} in {region} for {about}: {reason}{cure and f'; {cure}'}"
