"""Who registers a submission in a registry that can't be asked what it holds, and as what.

Goes in: a submission's identity. Comes out: its entries, `<folder>/<number>.json` beside the
artifacts, one for each time that it was registered: first a claim, which S3 lets one run alone
write, then with the registration's id. So two runs at once register once, and a later run knows.

What can't be known: a run that ends between the call and the note leaves a claim without an id,
and whether the registry carried out the call nobody here can tell. Then nothing is registered
again until somebody has looked.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mims.errors import ServiceError
from mims.registration.aws import AwsError, asking
from mims.registration.storage import Location

if TYPE_CHECKING:
    from mims.registration.storage import Storage

_TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}
_MISSING = {"NoSuchKey", "404"}


@dataclass(frozen=True)
class Entry:
    """One registration of a submission, or the claim to it. `run` is whose; no id: not noted."""

    number: int
    run: str
    workflow_id: str
    request_sha256: str
    registration_id: str = ""


class Claims:
    """The entries of a submission."""

    def __init__(self, storage: Storage, bucket: str, folder: str) -> None:
        self._storage, self._bucket, self._folder = storage, bucket, folder
        self.run = str(uuid4())

    def at(self, number: int) -> Location:
        """Where an entry lies."""
        return Location(self._bucket, f"{self._folder}{number}.json")

    def read(self, number: int) -> Entry | None:
        """Give an entry, or None where there is none.

        Raises:
            ServiceError: S3 refused, or what lies there is none of ours.

        """
        at, s3 = self.at(number), self._storage
        try:
            with asking("GetObject", s3.region, at.uri):
                answer = s3.s3.get_object(Bucket=at.bucket, Key=at.key, **s3.owned)
                content = answer["Body"].read()
        except AwsError as error:
            if error.code in _MISSING:
                return None
            raise
        try:
            return Entry(**json.loads(content))
        except (ValueError, TypeError) as error:
            raise ServiceError(
                f"{at.uri} is cut short, or not what this job wrote there ({error}): run again, or "
                "look into it"
            ) from error

    def claim(self, number: int, workflow_id: str, request_sha256: str) -> Entry:
        """Claim a number, or find whose it is: give the entry that stands there.

        Raises:
            ServiceError: S3 refused or could not be reached.

        """
        mine = Entry(number, self.run, workflow_id, request_sha256)
        try:
            self._write(mine, IfNoneMatch="*")
        except AwsError as error:
            if error.code not in _TAKEN:
                raise
            return self.read(number) or mine  # ours too, when the answer to it was lost
        return mine

    def note(self, entry: Entry) -> None:
        """Complete a claim with the registration's id.

        Raises:
            ServiceError: S3 refused or could not be reached.

        """
        self._write(entry)

    def release(self, number: int) -> None:
        """Take a claim back: nothing was registered by it.

        Raises:
            ServiceError: S3 refused or could not be reached.

        """
        at, s3 = self.at(number), self._storage
        with asking("DeleteObject", s3.region, at.uri):
            s3.s3.delete_object(Bucket=at.bucket, Key=at.key, **s3.owned)

    def _write(self, entry: Entry, **condition: Any) -> None:
        at, s3 = self.at(entry.number), self._storage
        with asking("PutObject", s3.region, at.uri):
            s3.s3.put_object(
                Bucket=at.bucket,
                Key=at.key,
                Body=json.dumps(asdict(entry), indent=2).encode() + b"\n",
                ContentType="application/json",
                **condition,
                **s3.encrypted,
                **s3.owned,
            )
