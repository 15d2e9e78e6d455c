"""SageMaker's Data Capture: what an endpoint was asked and answered, as JSON Lines in S3.

In: a request, its answer, and an endpoint configuration's DataCaptureConfig. Out: objects in the
local S3, PREFIX/ENDPOINT/VARIANT/yyyy/mm/dd/hh/mm-ss-mmm-uuid.jsonl in UTC, of at most LINES
records each, and none later than SECONDS after its first record came. A text is kept as CSV or JSON
where the configuration names its content type, and in base64 where it does not. Only what a model
answered with success is captured; the service's documents do not say what of failures is.
"""

from __future__ import annotations

import json
import logging
from base64 import b64encode
from datetime import UTC, datetime
from threading import Condition, Timer
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from moto.s3.exceptions import MissingBucket
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition

from local_aws import s3

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = 1000
SECONDS = 1.0

log = logging.getLogger("local_aws")


class Content(NamedTuple):
    """A body and what it is."""

    type: str
    body: bytes


class File(NamedTuple):
    """A file to be: when its first record came, and its lines."""

    opened: datetime
    lines: list[str]


class Captures:
    """What was captured in an account and region, and is not written yet."""

    def __init__(self, account: str, region: str, lives: Callable[[], bool]) -> None:
        self._bucket_owner = account, get_partition(region)
        self._lives = lives
        self._open: dict[str, File] = {}
        self._writing = 0
        self._lost: list[str] = []
        self._changed = Condition()

    def add(self, where: str, line: str) -> None:
        """Keep a line for a file below `where`, and see to it that it gets there."""
        now = datetime.now(UTC)
        with self._changed:
            file = self._open.get(where)
            if file is None:
                file = self._open[where] = File(now, [])
                timer = Timer(SECONDS, self._late, (where, file))
                timer.daemon = True
                timer.start()
            file.lines.append(line)
            if len(file.lines) < LINES:
                return
            del self._open[where]
            self._writing += 1
        self._write(where, file)

    def flush(self) -> list[str]:
        """Write all there is; return why something could not be written since the last time.

        What another thread is writing is written then as well.
        """
        with self._changed:
            files, self._open = self._open, {}
            self._writing += len(files)
        for where, file in files.items():
            self._write(where, file)
        with self._changed:
            self._changed.wait_for(lambda: self._writing == 0)
            lost, self._lost = self._lost, []
        return lost

    def _late(self, where: str, file: File) -> None:
        with self._changed:
            if self._open.get(where) is not file:
                return
            del self._open[where]
            self._writing += 1
        self._write(where, file)

    def _write(self, where: str, file: File) -> None:
        lost = None
        try:
            lost = self._written(where, file)
        finally:
            with self._changed:
                self._lost += [lost] if lost else []
                self._writing -= 1
                self._changed.notify_all()

    def _written(self, where: str, file: File) -> str | None:
        """Write a file, unless all of its account was forgotten meanwhile; or say what is lost."""
        bucket, _, prefix = where.removeprefix("s3://").partition("/")
        when = f"{file.opened:%Y/%m/%d/%H/%M-%S}-{file.opened.microsecond // 1000:03d}"
        key = f"{prefix}/{when}-{uuid4()}.jsonl"
        account, partition = self._bucket_owner
        with s3.one_at_a_time:
            if not self._lives():
                return None
            try:
                content = "".join(file.lines).encode()
                s3_backends[account][partition].put_object(bucket, key, content)
            except MissingBucket:
                lost = f"{len(file.lines)} records for {where} are lost: there is no such bucket"
                log.warning("%s", lost)
                return lost
        return None


def record(
    config: dict[str, Any], asked: Content, answered: Content, inference_id: str | None
) -> str:
    """Write what is captured of a request as a line."""
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    both = {"Input": ("endpointInput", asked), "Output": ("endpointOutput", answered)}
    captured = {
        name: {"observedContentType": content.type, "mode": mode.upper(), **_data(config, content)}
        for mode, (name, content) in both.items()
        if modes & {mode, "InputAndOutput"}
    }
    event = {
        "eventId": str(uuid4()),
        **({"inferenceId": inference_id} if inference_id else {}),
        "inferenceTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    line = {"captureData": captured, "eventMetadata": event, "eventVersion": "0"}
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"


def _data(config: dict[str, Any], content: Content) -> dict[str, str]:
    media_type = content.type.partition(";")[0].strip().lower()
    types = config.get("CaptureContentTypeHeader", {})
    for encoding, member in (("CSV", "CsvContentTypes"), ("JSON", "JsonContentTypes")):
        if media_type in map(str.lower, types.get(member, [])):
            try:
                return {"data": content.body.decode(), "encoding": encoding}
            except UnicodeDecodeError:
                break
    return {"data": b64encode(content.body).decode(), "encoding": "BASE64"}
