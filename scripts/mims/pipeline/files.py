"""Puts what steps read into S3 before a pipeline starts.

Goes in: files, each under a key that holds its digest. Comes out: the objects, there. Putting one
again changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import boto3.session

from mims.registration import aws

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_s3 import S3Client

    from mims.pipeline.steps import File


def upload(files: Iterable[File], client: Any = None) -> None:
    """Put each file where it belongs, by an S3 client or one of the environment's credentials.

    Raises:
        AwsError: S3 refused.
        InputError: AWS_ENDPOINT_URL is no URL.

    """
    for file in files:
        client = client or _client()
        bucket, _, key = file.uri.removeprefix("s3://").partition("/")
        encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": file.kms_key} if file.kms_key else {}
        )
        digest = base64.b64encode(hashlib.sha256(file.content).digest()).decode()
        with aws.asking("PutObject", client.meta.region_name, file.uri):
            client.put_object(
                Bucket=bucket, Key=key, Body=file.content, ChecksumSHA256=digest, **encryption
            )


def _client() -> S3Client:
    """A client in the environment's region; in any other, S3 says itself where a bucket is."""
    with aws.asking("connecting", "the environment's region", "s3"):
        region = boto3.session.Session().region_name or "us-east-1"
    return aws.client("s3", region)
