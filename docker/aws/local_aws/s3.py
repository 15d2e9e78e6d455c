"""S3 on top of moto's: what the real one refuses, moto does not, and our clients rely on.

In: S3 requests, which moto takes apart. Out: moto's answers, but for
- requests that the real one does not admit (`s3_admission`);
- objects: their checksums, and conditions on copies (`s3_objects`);
- uploads in parts: what is no upload, no part or no whole (`s3_uploads`);
- one writer at a time, so that "if nobody has written" holds.
What it keeps, it keeps in moto's own objects.
"""

from __future__ import annotations

from contextlib import nullcontext
from threading import RLock
from typing import TYPE_CHECKING, Any

from moto.s3 import models, responses

from local_aws import checksums
from local_aws.s3_answers import Refused
from local_aws.s3_uploads import Multipart, Uploads

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from moto.core.common_types import TYPE_RESPONSE

_READS = ("GET", "HEAD", "OPTIONS")
one_at_a_time = RLock()


def replace_moto() -> None:
    """Put ours in moto's place; moto looks up its handlers when the first request comes."""
    vars(responses).update(S3Response=S3, compute_checksum=checksums.for_moto)
    vars(models).update(FakeMultipart=Multipart, compute_checksum=checksums.for_moto)


class S3(Uploads):
    """moto's S3, in the real one's manners."""

    def _bucket_response(self, request: Any, full_url: str) -> str | TYPE_RESPONSE:
        try:
            self._admit()
            with one_at_a_time:  # a list too, which must not grow while it is read
                return super()._bucket_response(request, full_url)
        except Refused as refused:
            return refused.answer(self.method)

    def _key_response(self, request: Any, full_url: str) -> TYPE_RESPONSE:
        try:
            self._admit()
            with self._turn():
                return super()._key_response(request, full_url)
        except Refused as refused:
            return refused.answer(self.method)

    def _turn(self) -> AbstractContextManager[object]:
        return nullcontext() if self.method in _READS else one_at_a_time
