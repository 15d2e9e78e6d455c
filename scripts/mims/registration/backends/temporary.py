"""A temporary folder in a bucket: all that lies in it can go, finished or not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mims.registration.aws import asking, required

if TYPE_CHECKING:
    from mims.registration.storage import Location, Storage

log = logging.getLogger("mims")


def clear(storage: Storage, folder: Location) -> None:
    """Delete every object whose key begins so, and abort what was being uploaded there in parts.

    Raises:
        ServiceError: S3 refused or could not be reached.

    """
    for upload in storage.unfinished(folder):
        storage.abort(folder._replace(key=upload["Key"]), upload["UploadId"])
    s3, owned = storage.s3, storage.owned
    with asking("ListObjectsV2", storage.region, folder.uri):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=folder.bucket, Prefix=folder.key, **owned
        )
        keys = []
        for page in pages:
            required(page, "Name", "ListObjectsV2", storage.region)
            keys += [found["Key"] for found in page.get("Contents", [])]
    for key in keys:
        at = folder._replace(key=key)
        with asking("DeleteObject", storage.region, at.uri):
            s3.delete_object(Bucket=at.bucket, Key=at.key, **owned)
        log.info("%s: deleted", at.uri)
