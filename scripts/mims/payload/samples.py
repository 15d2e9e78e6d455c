"""The files of a payload: which there are, and what each holds.

Goes in: records, content types, a layout. Comes out: sample requests as bytes, each read back and
within what an endpoint takes. `mims` makes a folder a content type, with all records in one
request; `recommender` makes a flat archive of one content type with a request a record, as a load
test sends every file of it.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, NamedTuple

from mims.contracts import LARGEST_REQUEST
from mims.errors import InputError, MimsError, Problems
from mims.payload.formats import Format, Records, formats, reads_back

RECOMMENDER = "recommender"
MOST_FILES = 10_000


class Sample(NamedTuple):
    """A file of the payload archive."""

    name: str
    content_type: str
    records: int
    body: bytes


def check_layout(settings: Mapping[str, Any]) -> None:
    """Refuse settings that exclude each other.

    Raises:
        InputError: names them.

    """
    content_types = settings["CONTENT_TYPES"]
    if settings["PAYLOAD_LAYOUT"] == RECOMMENDER and len(content_types) > 1:
        raise InputError(
            f"PAYLOAD_LAYOUT is {RECOMMENDER!r}, which is of one content type, and CONTENT_TYPES "
            f"is {','.join(content_types)!r}: name one"
        )


def make_samples(records: Records, settings: Mapping[str, Any]) -> list[Sample]:
    """Write the records as the layout has them, and read them back.

    Raises:
        InputError: a sample is larger than an endpoint takes, or there are too many.
        MimsError: a sample reads back differently.

    """
    known = formats(settings["CSV_HEADER"])
    samples = []
    problems = Problems()
    for name, content_type, part in _planned(records, settings, known):
        with problems.gather():
            body = _written(name, known[content_type], part)
            samples.append(Sample(name, content_type, len(part.rows), body))
    problems.raise_any()
    return samples


def _planned(
    records: Records, settings: Mapping[str, Any], known: Mapping[str, Format]
) -> Iterator[tuple[str, str, Records]]:
    """Name, content type and records of each file."""
    if settings["PAYLOAD_LAYOUT"] == RECOMMENDER:
        (content_type,) = settings["CONTENT_TYPES"]
        if len(records.rows) > MOST_FILES:
            raise InputError(
                f"PAYLOAD_LAYOUT={RECOMMENDER} makes a file of each record, {MOST_FILES} at most, "
                f"and there are {len(records.rows)} records: give fewer"
            )
        for number, row in enumerate(records.rows, 1):
            name = f"sample_payload_{number:04}{known[content_type].suffix}"
            yield name, content_type, Records(records.names, [row])
        return
    for content_type in settings["CONTENT_TYPES"]:
        folder = content_type.replace("/", "_")
        yield f"{folder}/sample_payload{known[content_type].suffix}", content_type, records


def _written(name: str, form: Format, records: Records) -> bytes:
    body = bytearray()
    for piece in form.write(records):
        body += piece.encode()
        if len(body) > LARGEST_REQUEST:
            fewer = "give fewer records, or shorten" if len(records.rows) > 1 else "shorten"
            raise InputError(
                f"{name} would have over {LARGEST_REQUEST} bytes, the most that InvokeEndpoint "
                f"takes: {fewer} the values"
            )
    if not reads_back(form, records, body.decode()):
        raise MimsError(f"{name} reads back differently from what it was made of")
    return bytes(body)
