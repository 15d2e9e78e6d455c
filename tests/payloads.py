"""Models for mims_payload.py by their hyperparameters, and what it makes of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from front_door import lay

if TYPE_CHECKING:
    from front_door import Container

JSON_SAMPLE = "application_json/sample_payload.json"
CSV_SAMPLE = "text_csv/sample_payload.csv"
LINES_SAMPLE = "application_jsonlines/sample_payload.jsonl"
ALL = "application/json,text/csv,application/jsonlines"

FIELDS = {"field_info": {"a": "numeric", "b": "text"}}
HYPERPARAMETERS = json.dumps(FIELDS)


def asked(container: Container, hyperparameters: Any, **environ: str) -> dict[str, Any]:
    """The one record of the JSON sample for a model with these hyperparameters."""
    lay(container.model, {"hyperparameters.json": json.dumps(hyperparameters)})
    outcome = container.payload_here(**environ)
    assert outcome.code == 0, outcome.error
    (record,) = json.loads(container.samples()[JSON_SAMPLE])["instances"]
    assert isinstance(record, dict)
    return record


def refused(container: Container, hyperparameters: Any, **environ: str) -> str:
    """What is said of hyperparameters that are no use."""
    lay(container.model, {"hyperparameters.json": json.dumps(hyperparameters)})
    outcome = container.payload_here(**environ)
    assert outcome.code == 1, outcome.log
    assert container.outputs() == []
    return outcome.error
