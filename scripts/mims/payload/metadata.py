"""metadata.json: what a payload is, for people and for registration.

Goes in: fields, what the samples say, the samples. Comes out: the description, the same on every
run; it holds no time of day and no path of a machine. A copy in the archive cannot know the
archive's digest; the one beside it has that too.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from mims import __version__

if TYPE_CHECKING:
    from mims.payload.content import Content
    from mims.payload.fields import Field
    from mims.payload.samples import Sample

METADATA = "metadata.json"


def describe(
    fields: Sequence[Field],
    content: Content,
    samples: Sequence[Sample],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe a payload, with the variable list that a registration config takes as it is."""
    return {
        "tool": f"mims {__version__}",
        "layout": settings["PAYLOAD_LAYOUT"],
        "content_types": settings["CONTENT_TYPES"],
        "csv_header": settings["CSV_HEADER"],
        "records": len(content.records.rows),
        "custom_payload": content.custom,
        "fields": [
            {
                "name": field.name,
                "type": field.type,
                "value_from": content.sources[field.name],
                **({"categories": list(field.categories)} if field.categories else {}),
            }
            for field in fields
        ],
        "files": [
            {
                "name": sample.name,
                "content_type": sample.content_type,
                "records": sample.records,
                "size": len(sample.body),
                "sha256": hashlib.sha256(sample.body).hexdigest(),
            }
            for sample in samples
        ],
        "source_model_inference_input_variable_list": {f.name: f.type for f in fields},
    }


def metadata_json(description: Mapping[str, Any]) -> bytes:
    """The file's content."""
    return (json.dumps(description, ensure_ascii=False, indent=2) + "\n").encode()
