"""A temporary folder in a bucket: all that lies in it can go, finished or not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mims.registration.aws import AwsError, asking

if TYPE_CHECKING:
    from mims.registration.storage import Location, Storage

log = logging.getLogger("mims")


def clear(storage: Storage, folder: Location) -> None:
    """Delete every object whose key begins so, and abort what was being uploaded there in parts.

    Raises:
        ServiceError: S3 refused or could not be reached.

    """
    _abort_uploads(storage, folder)
    s3, owned = storage.s3, storage.owned
    with asking("ListObjectsV2", storage.region, folder.uri):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=folder.bucket, Prefix=folder.key, **owned
        )
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    for key in keys:
        at = folder._replace(key=key)
        with asking("DeleteObject", storage.region, at.uri):
            s3.delete_object(Bucket=at.bucket, Key=at.key, **owned)
        log.info("%s: deleted", at.uri)


def _abort_uploads(storage: Storage, folder: Location) -> None:
    s3, owned = storage.s3, storage.owned
    with asking("ListMultipartUploads", storage.region, folder.uri):
        pages = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=folder.bucket, Prefix=folder.key, **owned
        )
        unfinished = [upload for page in pages for upload in page.get("Uploads", [])]
    for upload in unfinished:
        at = folder._replace(key=upload["Key"])
        try:
            with asking("AbortMultipartUpload", storage.region, at.uri):
                s3.abort_multipart_upload(
                    Bucket=at.bucket, Key=at.key, UploadId=upload["UploadId"], **owned
                )
        except AwsError as error:
            if error.code != "NoSuchUpload":  # somebody else was first
                raise
