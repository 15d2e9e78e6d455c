"""Puts what steps read into S3 before a pipeline starts.

Goes in: files, each under a key that holds its digest. Comes out: the objects, there. Putting one
again changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import boto3

from mims.registration.aws import asking

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mims.pipeline.steps import File


def upload(files: Iterable[File], client: Any = None) -> None:
    """Put each file where it belongs, by an S3 client or one of the environment's credentials.

    Raises:
        AwsError: S3 refused.

    """
    for file in files:
        client = client or boto3.client("s3")
        bucket, _, key = file.uri.removeprefix("s3://").partition("/")
        encryption = (
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": file.kms_key} if file.kms_key else {}
        )
        digest = base64.b64encode(hashlib.sha256(file.content).digest()).decode()
        with asking("PutObject", client.meta.region_name, file.uri):
            client.put_object(
                Bucket=bucket, Key=key, Body=file.content, ChecksumSHA256=digest, **encryption
            )
