"""An object in S3 that is put together from parts, several at a time.

Goes in: a place, a size, and how a part gets there: from a file, or from another object. Comes out:
the object, whole, after S3 has held it to the CRC-32 that was known beforehand; or an error, and
no unfinished upload. A part is never in memory: it is read as it is sent, and again if it has to be
sent again. It is hand-made rather than s3transfer's since that aborts without the bucket's owner,
drops the answers, and has no full-object checksum for copies.
"""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import ServiceError
from mims.registration.aws import AwsError, asking, required

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_s3 import S3Client

    from mims.registration.artifacts import Artifact
    from mims.registration.storage import Location

    # Brings one part of an upload to S3 and gives what S3 answered.
    Send = Callable[[str, "Part"], Mapping[str, Any]]

log = logging.getLogger("mims")

MIB = 1 << 20
SMALLEST = 16 * MIB  # of a part that is sent; what is no larger goes whole
SMALLEST_COPY = 128 * MIB  # of a part that S3 copies itself
MOST = 10_000  # parts of an object, S3's limit
AT_A_TIME = 10  # requests for one object
NO_SUCH_UPLOAD = "NoSuchUpload"
_TAG = ("ETag", "ChecksumCRC32")  # of a part, for whoever completes the upload


class Part(NamedTuple):
    """A range of the object. Numbers count from 1."""

    number: int
    start: int  # bytes
    size: int  # bytes


def split(size: int, smallest: int) -> list[Part]:
    """Cut `size` bytes into parts of at least `smallest` bytes, but for the last; at most MOST."""
    step = max(smallest, -(-size // MOST))
    starts = range(0, size, step)
    return [Part(n, start, min(step, size - start)) for n, start in enumerate(starts, 1)]


class Stop:
    """Says when to give up: of one's own accord, or because a wider one was told to."""

    def __init__(self, wider: Stop | None = None) -> None:
        self._wider = wider
        self._event = threading.Event()

    def set(self) -> None:
        """Give up."""
        self._event.set()

    def check(self) -> None:
        """Raise CancelledError if it is time to: the one thing in a body that is not retried."""
        if self._event.is_set():
            raise CancelledError("stopped")
        if self._wider:
            self._wider.check()


class Window:
    """A part of an open file, as a body that can be rewound. Several read one descriptor."""

    def __init__(self, descriptor: int, part: Part, stop: Stop) -> None:
        self._descriptor, self._part, self._stop = descriptor, part, stop
        self._at = 0

    def read(self, count: int | None = None) -> bytes:
        """Give up to `count` bytes, all that is left without it."""
        self._stop.check()
        left = self._part.size - self._at
        wanted = left if count is None or count < 0 else min(count, left)
        data = os.pread(self._descriptor, wanted, self._part.start + self._at)
        if wanted and not data:
            raise CancelledError("the file became shorter while it was sent")
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the part."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._part.size}
        self._at = bases[whence] + offset
        return self._at

    def tell(self) -> int:
        """Where it is in the part."""
        return self._at


class Assembly:
    """One object in the making.

    `about` is what errors call it. `owned` goes with every request, `written` with the first. A
    failure sets `stop`, so that parts under way end too.
    """

    def __init__(
        self,
        s3: S3Client,
        at: Location,
        artifact: Artifact,
        *,
        about: str,
        written: Mapping[str, Any],
        owned: Mapping[str, Any],
        stop: Stop,
    ) -> None:
        self._s3, self._artifact, self._about = s3, artifact, about
        self._region = s3.meta.region_name
        self._written = written
        self._place = {"Bucket": at.bucket, "Key": at.key, **owned}
        self._stop = stop

    def send(self, descriptor: int, advance: Callable[[int], None]) -> None:
        """Make it of an open file.

        Raises:
            ServiceError: S3 refused a part or the whole, or it was stopped.

        """

        def upload(upload_id: str, part: Part) -> Mapping[str, Any]:
            with self._asking("UploadPart"):
                return self._s3.upload_part(
                    **self._place,
                    UploadId=upload_id,
                    PartNumber=part.number,
                    Body=Window(descriptor, part, self._stop),  # type: ignore[arg-type]
                    ChecksumAlgorithm="CRC32",
                )

        self._assemble(split(self._artifact.size, SMALLEST), upload, advance)

    def copy(self, origin: Location, etag: str, advance: Callable[[int], None]) -> None:
        """Make it of another object, as long as that is what it was when it had this ETag.

        Raises:
            ServiceError: S3 refused a part or the whole, or it was stopped.

        """

        def copy(upload_id: str, part: Part) -> Mapping[str, Any]:
            self._stop.check()
            with self._asking("UploadPartCopy"):
                answer = self._s3.upload_part_copy(
                    **self._place,
                    UploadId=upload_id,
                    PartNumber=part.number,
                    CopySource={"Bucket": origin.bucket, "Key": origin.key},
                    CopySourceIfMatch=etag,
                    CopySourceRange=f"bytes={part.start}-{part.start + part.size - 1}",
                )
            found: Mapping[str, Any] = required(
                answer, "CopyPartResult", "UploadPartCopy", self._region
            )
            return found

        self._assemble(split(self._artifact.size, SMALLEST_COPY), copy, advance)

    def _assemble(self, parts: list[Part], send: Send, advance: Callable[[int], None]) -> None:
        with self._asking("CreateMultipartUpload"):
            answer = self._s3.create_multipart_upload(
                **self._place,
                **self._written,
                ChecksumAlgorithm="CRC32",
                ChecksumType="FULL_OBJECT",
            )
        upload_id = required(answer, "UploadId", "CreateMultipartUpload", self._region)
        try:
            tags = self._bring(upload_id, parts, send, advance)
            with self._asking("CompleteMultipartUpload"):
                self._s3.complete_multipart_upload(
                    **self._place,
                    UploadId=upload_id,
                    MultipartUpload={"Parts": tags},  # type: ignore[typeddict-item]
                    ChecksumCRC32=self._artifact.crc32,
                    ChecksumType="FULL_OBJECT",
                    MpuObjectSize=self._artifact.size,
                )
        except CancelledError as error:
            self._abort(upload_id)
            raise ServiceError(f"{self._about}: not stored: {error}") from error
        except BaseException:
            self._abort(upload_id)
            raise

    def _bring(
        self, upload_id: str, parts: list[Part], send: Send, advance: Callable[[int], None]
    ) -> list[dict[str, Any]]:
        """Bring all parts to S3. A failure ends those that are under way before it is raised."""
        tags: list[dict[str, Any]] = []
        with ThreadPoolExecutor(AT_A_TIME, "part") as pool:
            try:
                sending = {pool.submit(send, upload_id, part): part for part in parts}
                for done in as_completed(sending):
                    part, answer = sending[done], done.result()
                    required(answer, "ETag", "UploadPart", self._region)
                    tag = {name: answer[name] for name in _TAG if name in answer}
                    tags.append({"PartNumber": part.number, **tag})
                    advance(part.size)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return sorted(tags, key=lambda tag: tag["PartNumber"])

    def _abort(self, upload_id: str) -> None:
        """Leave nothing unfinished; if even that is refused, what went wrong before counts."""
        try:
            with self._asking("AbortMultipartUpload"):
                self._s3.abort_multipart_upload(**self._place, UploadId=upload_id)
        except AwsError as error:
            if error.code != NO_SUCH_UPLOAD:
                log.warning("%s; the unfinished upload stays until a later run sweeps it", error)

    def _asking(self, operation: str) -> Any:
        return asking(operation, self._region, self._about)
