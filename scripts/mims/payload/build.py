"""The flow of payloads: artifacts, fields, values, samples, archive, read back.

Goes in: the channel model_input and the settings of MIMS_PAYLOAD_CONTRACT. Comes out:
payload.tar.gz with one sample request a content type, and metadata.json that describes them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple, Sequence

from mims import __version__
from mims.archive.gz import GzipWriter
from mims.archive.manifest import Entry
from mims.archive.readback import ReadBack
from mims.archive.reader import FILE
from mims.archive.writer import TarWriter
from mims.contracts import CSV
from mims.errors import InputError, MimsError, Problems
from mims.outputs import Output, writing
from mims.payload.artifacts import read_artifacts
from mims.payload.fields import Field, model_fields
from mims.payload.formats import LARGEST_REQUEST, formats, same_record
from mims.payload.values import Chosen, choose_values
from mims.text import listed, size

if TYPE_CHECKING:
    from mims.job import Job

log = logging.getLogger("mims")

PAYLOAD = "payload.tar.gz"
METADATA = "metadata.json"


def build_payload(job: Job, clock: Callable[[], float] = time.time) -> Mapping[str, Any]:
    """Make the sample payloads; give what the exit message reports."""
    problems = Problems()
    with problems.gather():
        settings = job.settings()
    with problems.gather():
        job.require_inputs()
    problems.raise_any()
    content_types = settings["CONTENT_TYPES"]
    artifacts = read_artifacts(job.path("model_input"), columns_matter=CSV in content_types)
    fields = model_fields(artifacts.hyperparameters, artifacts.columns)
    log.info("%s: %d fields: %s", artifacts.source, len(fields), listed(f.name for f in fields))
    timestamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(clock()))
    values = choose_values(fields, settings, timestamp)
    samples = make_samples(values, content_types, settings["CSV_HEADER"])
    metadata = describe(fields, values, samples, settings["CSV_HEADER"])
    with Output(job.path("payload_sample") / PAYLOAD) as archive:
        with writing(archive.path), ReadBack(archive.file) as back:
            entries = write_archive(back, [*samples, metadata])
        digest, archive_size = back.compare(entries)
        archive.publish()
    log.info("%s: %s, %s", archive.path, listed(content_types), size(archive_size))
    return {
        "payload": str(archive.path),
        "sha256": digest,
        "size": archive_size,
        "fields": len(fields),
        "content_types": content_types,
    }


class Sample(NamedTuple):
    """A file of the payload archive."""

    name: str
    content_type: str
    body: bytes


def make_samples(
    values: Mapping[str, Chosen], content_types: Sequence[str], csv_header: bool
) -> list[Sample]:
    """Write the record in each content type, and read it back.

    Raises:
        InputError: a sample is larger than an endpoint takes.
        MimsError: a sample reads back differently.

    """
    record = {name: chosen.value for name, chosen in values.items()}
    known = formats(csv_header)
    samples = []
    for content_type in content_types:
        form = known[content_type]
        body = form.write(record).encode()
        if len(body) > LARGEST_REQUEST:
            raise InputError(
                f"the {content_type} sample has {len(body)} bytes; InvokeEndpoint takes "
                f"{LARGEST_REQUEST}: shorten the values"
            )
        if not same_record(record, form.read(body.decode(), list(record))):
            raise MimsError(f"the {content_type} sample reads back differently")
        samples.append(Sample(form.file, content_type, body))
    return samples


def describe(
    fields: Sequence[Field],
    values: Mapping[str, Chosen],
    samples: Sequence[Sample],
    csv_header: bool,
) -> Sample:
    """Make metadata.json: what the samples are, and the variable list that registration takes."""
    metadata = {
        "tool": f"mims {__version__}",
        "content_types": [sample.content_type for sample in samples],
        "csv_header": csv_header,
        "fields": [
            {"name": field.name, "type": field.type, "value_from": values[field.name].source}
            for field in fields
        ],
        "files": [
            {
                "name": sample.name,
                "content_type": sample.content_type,
                "size": len(sample.body),
                "sha256": hashlib.sha256(sample.body).hexdigest(),
            }
            for sample in samples
        ],
        "source_model_inference_input_variable_list": {f.name: f.type for f in fields},
    }
    text = json.dumps(metadata, ensure_ascii=False, indent=2) + "\n"
    return Sample(METADATA, "application/json", text.encode())


def write_archive(file: ReadBack, samples: Sequence[Sample]) -> list[Entry]:
    """Write the payload archive; its members carry no time, so that a rerun gives the same."""
    entries = []
    with GzipWriter(file) as sink:
        tar = TarWriter(sink)
        for sample in samples:
            length = len(sample.body)
            digest = tar.add_file(sample.name, length, 0o644, 0, [sample.body])
            entries.append(Entry(sample.name, FILE, length, 0o644, digest, "payload"))
        tar.close()
    return entries
