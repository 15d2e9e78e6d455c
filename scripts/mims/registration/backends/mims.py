"""MIMS, by the private library: the model goes to a temporary place, MIMS takes it from there.

Goes in: a `Submission`. Comes out: a `Registration`, the same for the same submission however often
it is made: `claims` knows it. What the library uploads lies in a folder of this run's own,
`mims/<group>/temporary/<identity>/<run>/` of the bucket that the config names, until MIMS is done
with it. `close` takes it away, also after a failure or a signal, but for one case: while MIMS may
still be reading, its source stays, or the registration would be lost. The next run asks how it
ended, and then clears the folders of all runs. Artifacts, which MIMS is told of beside it, stay.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from tenacity import RetryError, Retrying, retry_if_result, stop_after_attempt, wait_fixed

from mims.errors import InputError, ServiceError
from mims.registration.aws import asking
from mims.registration.backends import temporary
from mims.registration.backends.base import Registration, State, Status
from mims.registration.backends.claims import Claims, Entry
from mims.registration.backends.library import Calls, LibraryError, Outcome, session_type
from mims.registration.backends.mims_request import mims_config, request_sha256
from mims.registration.backends.package import identity
from mims.registration.storage import Location

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mims.registration.artifacts import Artifact
    from mims.registration.backends.base import Submission
    from mims.registration.backends.library import MimsResource, Session
    from mims.registration.storage import Storage

log = logging.getLogger("mims")

_STATES = {"COMPLETED": State.DONE, "FAILED": State.FAILED}
_LOOKS, _BETWEEN = 12, 5  # how often, and after how many seconds, at another run's claim


class Mims:
    """MIMS, for a region and a submission."""

    def __init__(self, storage: Storage, sleep: Callable[[float], None] = time.sleep) -> None:
        """Find the library; ask nothing of it yet.

        Raises:
            InputError: it is not installed.

        """
        self.region = storage.region
        self._storage, self._sleep = storage, sleep
        self._new_session = session_type()
        self._call = Calls(storage.region, sleep)
        self._session: Session | None = None
        self._resource: MimsResource | None = None
        self._of_all_runs: Location | None = None  # the submission's temporary folder
        self._of_this_run: Location | None = None
        self._handed_over = False  # MIMS may know of this run's folder
        self._ended = False  # MIMS reads no run's folder any more

    @property
    def retries(self) -> int:
        """How many calls of the library were made again."""
        return self._call.retries

    def register(self, submission: Submission) -> Registration:
        """Register a model, or find that it is.

        Raises:
            InputError: this workflow execution has registered this model with other settings.
            ServiceError: MIMS or S3 refused or could not be reached, or it can't be known whether
                MIMS registered it.

        """
        claims = self._prepare(submission)
        number = 1
        while True:
            entry = self._noted(claims, number)
            if entry is None:
                if mine := self._claim(claims, number, submission):
                    return self._submit(claims, mine, submission)
                continue
            registration = Registration(self.region, entry.registration_id, number, new=False)
            if self.status(registration).state is State.FAILED:
                number += 1
                continue
            _require_same(entry, submission)
            log.info("%s: registered already", entry.registration_id)
            return registration

    def status(self, registration: Registration) -> Status:
        """Ask how a registration fares.

        Raises:
            ServiceError: MIMS refused or could not be reached.

        """
        ask = self._mims().get_registration_status
        word = str(self._call("get_registration_status", ask, registration.arn))
        state = _STATES.get(word, State.PENDING)
        self._ended = state is not State.PENDING
        reasons = ("MIMS gives no reason here; run again to register anew",)
        return Status(state, word, reasons if state is State.FAILED else ())

    def close(self) -> None:
        """Take away what was uploaded to the temporary place, unless MIMS may be reading it.

        Raises:
            ServiceError: S3 refused or could not be reached.

        """
        if self._of_all_runs is None or self._of_this_run is None:
            return
        if self._ended:
            temporary.clear(self._storage, self._of_all_runs)
        elif not self._handed_over:
            temporary.clear(self._storage, self._of_this_run)
        else:
            where = self._of_this_run.uri
            log.warning("%s stays, for MIMS may still read it: the next run clears it", where)

    def _prepare(self, submission: Submission) -> Claims:
        """Name the places of a submission."""
        config, known_by = submission.config, identity(submission)
        bucket, ours = config.bucket[self.region], f"mims/{config.group}"
        claims = Claims(self._storage, bucket, f"{ours}/registrations/{known_by}/")
        self._of_all_runs = Location(bucket, f"{ours}/temporary/{known_by}/")
        self._of_this_run = Location(bucket, f"{ours}/temporary/{known_by}/{claims.run}/")
        return claims

    def _noted(self, claims: Claims, number: int) -> Entry | None:
        """Give the entry of a number, once its id is noted there; another run may be about to.

        Raises:
            ServiceError: it has not been noted for a while.

        """
        looking = Retrying(
            retry=retry_if_result(lambda entry: entry is not None and not entry.registration_id),
            stop=stop_after_attempt(_LOOKS),
            wait=wait_fixed(_BETWEEN),
            sleep=self._sleep,
        )
        try:
            return looking(claims.read, number)
        except RetryError as error:
            raise ServiceError(
                f"register_model in {self.region}: another run called it, or was stopped as it "
                f"did, and noted no answer; {_not_known(claims.at(number))}"
            ) from error

    def _claim(self, claims: Claims, number: int, submission: Submission) -> Entry | None:
        """Upload, and claim the number; None when another run has it by now."""
        self._ended = False
        self._mims()  # first, so that between claim and call nothing else can fail
        try:
            for artifact in filter(None, (submission.payload, submission.model)):
                self._upload(artifact.artifact)
        except ServiceError:
            if claims.read(number):  # a run that was quicker has come to its end, and cleared
                return None
            raise
        entry = claims.claim(number, submission.workflow_id, request_sha256(submission))
        return entry if entry.run == claims.run else None

    def _upload(self, artifact: Artifact) -> None:
        at = self._place(artifact)
        path = cast("Path", artifact.source)  # what was verified is a file
        self._call("upload_file", self._open().upload_file, str(path), at.uri)
        with asking("HeadObject", self.region, at.uri):
            found = self._storage.s3.head_object(
                Bucket=at.bucket, Key=at.key, **self._storage.owned
            )
        if found["ContentLength"] != artifact.size:
            raise ServiceError(
                f"upload_file in {self.region}: {at.uri} has {found['ContentLength']} bytes, not "
                f"{artifact.size}; run again"
            )
        log.info("%s: uploaded for MIMS", at.uri)

    def _submit(self, claims: Claims, mine: Entry, submission: Submission) -> Registration:
        """Call MIMS, once, and note what it answers."""
        at, payload, mims = claims.at(mine.number), submission.payload, self._mims()
        self._handed_over = True
        try:
            answer = self._call(
                "register_model",
                mims.register_model,
                once=True,
                model_uri=self._place(submission.model.artifact).uri,
                config=mims_config(submission, self._place(payload.artifact) if payload else None),
                workflow_id=submission.workflow_id,
            )
        except LibraryError as error:
            if error.outcome is Outcome.UNKNOWN:
                raise ServiceError(f"{error}; {_not_known(at)}") from error
            self._handed_over = False
            claims.release(mine.number)
            raise
        known_as = _id_of(answer)
        if not known_as:
            raise ServiceError(
                f"register_model in {self.region}: no registration id in its answer, a "
                f"{type(answer).__name__}; {_not_known(at)}"
            )
        log.info("%s: registered in MIMS", known_as)
        try:
            claims.note(replace(mine, registration_id=known_as))
        except ServiceError as error:
            raise ServiceError(
                f"{error}; MIMS has the model as {known_as}: write that into {at.uri} as "
                "registration_id, then run again"
            ) from error
        return Registration(self.region, known_as, mine.number, new=True)

    def _place(self, artifact: Artifact) -> Location:
        folder = cast("Location", self._of_this_run)
        return folder._replace(key=folder.key + artifact.name)

    def _open(self) -> Session:
        if self._session is None:
            self._session = cast("Session", self._call("SandboxSession", self._new_session))
        return self._session

    def _mims(self) -> MimsResource:
        if self._resource is None:
            ask = self._open().get_mims_resource
            self._resource = cast("MimsResource", self._call("get_mims_resource", ask))
        return self._resource


def _require_same(entry: Entry, submission: Submission) -> None:
    if entry.request_sha256 != request_sha256(submission):
        raise InputError(
            "this workflow execution has registered this model in MIMS before, as "
            f"{entry.registration_id}, with other settings: give MODS_WORKFLOW_EXECUTION_ID a "
            "value of its own, or take the config of that time"
        )


def _not_known(at: Location) -> str:
    return (
        "whether MIMS has the model can't be known here: look there for the workflow execution; "
        f"if it has, write its id into {at.uri} as registration_id, else delete that object; then "
        "run again"
    )


def _id_of(answer: Any) -> str:
    """The registration's id: what `register_model` answers, or a member of it."""
    if isinstance(answer, dict):
        answer = answer.get("registration_id")
    answer = getattr(answer, "registration_id", answer)
    return answer if isinstance(answer, str) else ""
