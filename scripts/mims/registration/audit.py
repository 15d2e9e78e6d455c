"""The audit trail: a record a run and region, each holding the SHA-256 of the one before it.

Goes in: what a run did. Comes out: `s3://<bucket>/mims/<group>/audit/<number>.json`, written once
and never again: S3 takes a number from the first writer alone, so that runs side by side make one
chain. A record is canonical JSON (sorted keys, no spaces, UTF-8, one line), and its digest is that
of these very bytes. Whoever changes, removes or puts in a record breaks the chain at the next one;
to see that the newest are gone, compare with the digest in the log of the last run.

Order is by number alone; times are UTC by this machine's clock, for people. Never holds settings'
values, credentials or signed URLs. Asks nobody who we are: the job's ARN and role tell.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from mims import __version__
from mims.errors import InputError, ServiceError
from mims.registration.aws import asking, required
from mims.text import printable, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from mims.registration.report import Outcome
    from mims.registration.storage import Storage

log = logging.getLogger("mims")

FORMAT = 1
_NAME = re.compile(r"\d{8}\.json")
_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}
_ATTEMPTS = 20  # at a number that nobody has taken; as many runs may end at once


@dataclass(frozen=True)
class Link:
    """A record's place in its chain."""

    key: str
    number: int
    sha256: str


def describe(
    outcome: Outcome,
    *,
    group: str,
    workflow_id: str,
    at: datetime,
    job_arn: str | None = None,
    role_arn: str | None = None,
) -> dict[str, Any]:
    """What a record says about an outcome. `at` is aware of its time zone."""
    registration = outcome.registration
    return {
        "format": FORMAT,
        "run": str(uuid4()),  # no two runs make the same bytes
        "time": at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "tool": f"mims {__version__}",
        "job_arn": job_arn,
        "role_arn": role_arn,
        "workflow_execution_id": workflow_id,
        "group": group,
        "region": outcome.region,
        "backend": outcome.backend,
        "outcome": outcome.deed,
        "model_package_arn": registration.arn if registration else None,
        "status": outcome.status or None,
        "error": without_secrets(printable(outcome.error)) or None,
        "artifacts": [
            {
                "name": stored.artifact.name,
                "uri": stored.uri,
                "sha256": stored.artifact.sha256,
                "size": stored.artifact.size,
                "moved": stored.moved,
                "copied": stored.copied,
            }
            for stored in outcome.stored
        ],
        "retries": outcome.retries,
        "milliseconds": round(outcome.seconds * 1000),
    }


def canonical(record: Mapping[str, Any]) -> bytes:
    """A record's bytes: the same for the same record, always. It holds no fractions."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


class Trail:
    """The audit trail of a group in a region's bucket."""

    def __init__(self, storage: Storage, bucket: str, group: str) -> None:
        self.bucket = bucket
        self.folder = f"mims/{group}/audit/"
        self._storage = storage

    def append(self, record: Mapping[str, Any]) -> Link:
        """Add a record behind the newest.

        Raises:
            ServiceError: S3 refused or could not be reached, or others were quicker each time.

        """
        for _ in range(_ATTEMPTS):
            link = self.append_behind(record, self.newest())
            if link:
                return link
        raise ServiceError(
            f"PutObject in {self._storage.region} for s3://{self.bucket}/{self.folder}: another "
            f"run was quicker to write its audit record, {_ATTEMPTS} times; run again"
        )

    def append_behind(self, record: Mapping[str, Any], last: Link | None) -> Link | None:
        """Add a record behind `last`; None where another was quicker: a compare-and-swap.

        Raises:
            ServiceError: S3 refused or could not be reached.

        """
        number = last.number + 1 if last else 1
        whole = {**record, "number": number, "previous_sha256": last.sha256 if last else None}
        link = Link(self._key(number), number, hashlib.sha256(canonical(whole)).hexdigest())
        if not self._put(link.key, canonical(whole)):
            return None
        log.info("audit record s3://%s/%s: sha256 %s", self.bucket, link.key, link.sha256)
        return link

    def records(self) -> Iterator[tuple[str, bytes]]:
        """Yield key and bytes of each record, oldest first: what `verify_chain` takes."""
        for key in self._keys():
            with self._asking("GetObject", key):
                content = self._read(key)
            yield key, content

    def newest(self) -> Link | None:
        """The newest record's place; None before the first."""
        key = max(self._keys(), default="")
        if not key:
            return None
        with self._asking("GetObject", key):
            return Link(key, _number(key), hashlib.sha256(self._read(key)).hexdigest())

    def _keys(self) -> Iterator[str]:
        """Yield the records' keys as S3 lists them: by name, so by number."""
        pages = self._storage.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.folder, **self._storage.owned
        )
        with self._asking("ListObjectsV2", self.folder):
            for page in pages:
                required(page, "Name", "ListObjectsV2", self._storage.region)
                for entry in page.get("Contents", []):
                    if _NAME.fullmatch(entry["Key"].removeprefix(self.folder)):
                        yield entry["Key"]

    def _read(self, key: str) -> bytes:
        storage = self._storage
        answer = storage.s3.get_object(Bucket=self.bucket, Key=key, **storage.owned)
        return answer["Body"].read()

    def _put(self, key: str, content: bytes) -> bool:
        """Write a record that nobody has written. What is there may be ours, its answer lost."""
        with self._asking("PutObject", key):
            try:
                self._storage.s3.put_object(
                    Bucket=self.bucket,
                    Key=key,
                    Body=content,
                    IfNoneMatch="*",
                    ChecksumAlgorithm="SHA256",
                    ContentType="application/json",
                    **self._storage.encrypted,
                    **self._storage.owned,
                )
            except ClientError as error:
                if error.response["Error"]["Code"] not in _TAKEN:
                    raise
            else:
                return True
            try:
                return self._read(key) == content
            except ClientError as error:
                if error.response["Error"]["Code"] != "NoSuchKey":  # whose writer is not done yet
                    raise
        return False

    def _asking(self, operation: str, key: str) -> AbstractContextManager[None]:
        return asking(operation, self._storage.region, f"s3://{self.bucket}/{key}")

    def _key(self, number: int) -> str:
        return f"{self.folder}{number:08}.json"


def verify_chain(records: Iterable[tuple[str, bytes]]) -> Link | None:
    """Check a chain from its first record on; give the newest, None where there is no record.

    Raises:
        InputError: it names the first broken link and what is wrong with it.

    """
    newest: Link | None = None
    for key, content in records:
        link = Link(key, newest.number + 1 if newest else 1, hashlib.sha256(content).hexdigest())
        if _number(key) != link.number:
            raise InputError(f"audit record {key}: number {link.number} is missing before it")
        previous = newest.sha256 if newest else None
        record = _parsed(key, content)
        for name, wanted in (("number", link.number), ("previous_sha256", previous)):
            found = record.get(name, "missing")
            if found != wanted:
                raise InputError(
                    f"audit record {key}: its {name} is {found!r}, but must be {wanted!r}: it, or "
                    "the one before it, was changed"
                )
        newest = link
    return newest


def _parsed(key: str, content: bytes) -> dict[str, Any]:
    try:
        record = json.loads(content)
        if isinstance(record, dict) and canonical(record) == content:
            return record
    except (ValueError, RecursionError):
        pass
    raise InputError(f"audit record {key}: not as it was written: it was changed")


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].partition(".")[0])
