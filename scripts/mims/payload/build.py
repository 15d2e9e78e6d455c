"""The flow of payloads: artifacts, fields, content, samples, archive, read back, metadata.

Goes in: the channels and settings of MIMS_PAYLOAD_CONTRACT. Comes out: payload.tar.gz with the
sample requests, and metadata.json that describes it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

from mims.archive.gz import GzipWriter
from mims.archive.manifest import Entry
from mims.archive.readback import Proven, ReadBack
from mims.archive.reader import FILE, Limits
from mims.archive.writer import TarWriter
from mims.contracts import CSV
from mims.errors import Problems
from mims.outputs import Output, publish_together, writing
from mims.payload.artifacts import read_artifacts
from mims.payload.content import CUSTOM, from_custom, made_up
from mims.payload.custom import CustomFile, read_custom_file
from mims.payload.fields import model_fields
from mims.payload.metadata import METADATA, describe, metadata_json
from mims.payload.samples import RECOMMENDER, Sample, check_layout, make_samples
from mims.payload.values import choose_values
from mims.text import listed, size

if TYPE_CHECKING:
    from pathlib import Path

    from mims.job import Job

log = logging.getLogger("mims")

PAYLOAD = "payload.tar.gz"
_MADE_UP = ("DEFAULT_NUMERIC_VALUE", "DEFAULT_TEXT_VALUE", "FIELD_DEFAULTS")


def build_payload(job: Job, clock: Callable[[], float] = time.time) -> Mapping[str, Any]:
    """Make the sample payloads; give what the exit message reports."""
    settings, custom = read_order(job)
    content_types = settings["CONTENT_TYPES"]
    by_position = CSV in content_types or (custom is not None and custom.suffix == ".csv")
    artifacts = read_artifacts(job.path("model_input"), by_position, Limits.of(settings))
    fields = model_fields(artifacts.hyperparameters, artifacts.columns, artifacts.categories)
    log.info("%s: %d fields: %s", artifacts.source, len(fields), listed(f.name for f in fields))
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock()))
    by_name = "DEFAULT_TEXT_VALUE" not in job.environ
    values = choose_values(fields, settings, timestamp, by_name=by_name)
    if custom is None:
        content = made_up(values)
    else:
        content = from_custom(custom, fields, values, settings["CSV_HEADER"])
    samples = make_samples(content.records, settings)
    description = describe(fields, content, samples, settings)
    proven = write_payload(job.path("payload_sample"), samples, description)
    return {
        "payload": str(job.path("payload_sample") / PAYLOAD),
        "sha256": proven.sha256,
        "size": proven.size,
        "fields": len(fields),
        "records": len(content.records.rows),
        "content_types": content_types,
    }


def read_order(job: Job) -> tuple[dict[str, Any], CustomFile | None]:
    """Read the settings and the custom payload's file, and see that the inputs are there.

    Raises:
        InputError: with every problem that was found.

    """
    problems = Problems()
    with problems.gather():
        settings = job.settings()
        check_layout(settings)
    with problems.gather():
        job.require_inputs()
    with problems.gather():
        custom = read_custom_file(job.path(CUSTOM))
    problems.raise_any()
    if custom is not None:
        unused = [name for name in _MADE_UP if name in job.environ]
        if unused:
            log.warning("not used, as the custom payload gives the values: %s", listed(unused))
    return settings, custom


def write_payload(
    folder: Path, samples: Sequence[Sample], description: Mapping[str, Any]
) -> Proven:
    """Write the archive, and metadata.json beside it; give what the disk holds."""
    files = {sample.name: sample.body for sample in samples}
    if description["layout"] != RECOMMENDER:
        files[METADATA] = metadata_json(description)
    with Output(folder / PAYLOAD) as archive, Output(folder / METADATA) as metadata:
        with writing(archive.path), ReadBack(archive.file) as back:
            entries = write_archive(back, files)
        proven = back.compare(entries)
        with writing(metadata.path):
            itself = {"name": PAYLOAD, "sha256": proven.sha256, "size": proven.size}
            metadata.file.write(metadata_json({**description, "archive": itself}))
        publish_together(metadata, archive)
    log.info("%s: %d samples, %s", archive.path, len(samples), size(proven.size))
    return proven


def write_archive(file: ReadBack, files: Mapping[str, bytes]) -> list[Entry]:
    """Write the payload archive; its members carry no time, so that a rerun gives the same."""
    entries = []
    with GzipWriter(file) as sink:
        tar = TarWriter(sink)
        for name, body in files.items():
            crc = tar.add_file(name, len(body), 0o644, 0, [body])
            entries.append(Entry(name, FILE, len(body), 0o644, crc, "payload"))
        tar.close()
    return entries
