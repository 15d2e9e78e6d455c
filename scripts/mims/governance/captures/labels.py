"""Labels that arrive later, and the captures that they belong to.

Goes in: SageMaker's ground truth, JSON Lines:

    {"groundTruthData": {"data": "1", "encoding": "CSV"},
     "eventMetadata": {"eventId": "…"}, "eventVersion": "0"}

and captures. Comes out: labels side by side with answers. `eventId` is the capture's inferenceId,
or its eventId where it has none:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-merge.html

Labels are held in memory, about 300 bytes each, as any capture may be that of any label; captures
pass by. The label of a request with several records has a line for each.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mims.errors import InputError
from mims.governance.captures.files import files, lines
from mims.governance.captures.lines import Refused, unpacked
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from mims.governance.captures.reading import Captured
    from mims.governance.captures.unread import Unread
    from mims.governance.registry import Registry


@dataclass
class Labels:
    """Labels by what their captures are called."""

    values: list[str] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    """of an event's labels among the values: the first, and how many"""
    again: int = 0
    """labels of an event that had one before, which counts"""

    def add(self, event: str, texts: Sequence[str]) -> None:
        """Take an event's labels."""
        if event in self.places:
            self.again += 1
            return
        self.places[event] = (len(self.values), len(texts))
        self.values += texts


def read_labels(where: str, registry: Registry | None, unread: Unread) -> Labels:
    """Read every label below a path; `unread` is told of lines that are none.

    The first label of an event counts, in the order of the files' names.

    Raises:
        InputError: it is no s3:// path, and is not here.
        ServiceError: S3 refused or could not be reached.

    """
    if not where.startswith("s3://") and not Path(where).exists():
        raise InputError(f"cannot read {printable(where)}: no labels are there")
    labels = Labels()
    for file in sorted(files(where, registry), key=lambda one: one.uri):
        unread.files += 1
        for number, line, cut in lines(file, unread):
            try:
                labels.add(*label(line, cut=cut))
                unread.records += 1
            except Refused as why:
                unread.refuse(f"label: {why}", f"{file.uri} line {number}")
    return labels


def label(line: bytes, *, cut: bool = False) -> tuple[str, list[str]]:
    """Read an event's id and its labels; `cut`: the line is a file's last and has no end.

    Raises:
        Refused: it is none.

    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refused("cut off" if cut else "is no JSON") from error
    truth, event = (_member(found, name) for name in ("groundTruthData", "eventMetadata"))
    name, data, encoding = event.get("eventId"), truth.get("data"), truth.get("encoding")
    if not isinstance(name, str) or not name:
        raise Refused("has no eventMetadata.eventId")
    if not isinstance(data, str):
        raise Refused("has no groundTruthData.data, a text")
    text = unpacked(data, encoding if isinstance(encoding, str) else None, "text/csv")[0]
    texts = [one.strip().strip('"') for one in text.split("\n") if one.strip()]
    if not texts:
        raise Refused("has an empty label")
    return name, texts


def _member(found: Any, name: str) -> Mapping[str, Any]:
    inside = found.get(name) if isinstance(found, dict) else None
    if not isinstance(inside, dict):
        raise Refused(f"has no object {name}")
    return inside


class Joined(NamedTuple):
    """Labels and answers, side by side."""

    labels: list[str]
    answers: dict[str, list[Any]]
    """by output: texts or numbers, None where there is none"""
    times: NDArray[np.float64]
    """of the answers, in seconds since 1970; NaN where they can't be read"""
    captured: int
    """records that were captured, with a label or without"""
    unlabelled: int
    again: int
    """records of an event that was captured before, which counts"""
    uneven: int
    """records of a request with another number of records than of labels"""
    waiting: int
    """labels without a capture"""


def join(captures: Iterable[Captured], labels: Labels, outputs: Sequence[str]) -> Joined:
    """Find the labels of captures. Keeps these outputs of labelled records alone."""
    truths: list[str] = []
    answers: dict[str, list[Any]] = {name: [] for name in outputs}
    counts = dict.fromkeys(("captured", "unlabelled", "again", "uneven"), 0)
    times: list[NDArray[np.float64]] = [np.empty(0)]
    taken: set[int] = set()
    for block in captures:
        rows: list[int] = []
        for start, end, name, event in _requests(block.ids, block.events):
            counts["captured"] += end - start
            place, number = labels.places.get(name) or labels.places.get(event) or (-1, 0)
            wrong = _wrong(place, number == end - start, taken)
            if wrong:
                counts[wrong] += end - start
                continue
            taken.add(place)
            rows += range(start, end)
            truths += labels.values[place : place + number]
        if rows:
            times.append(_seconds(block.times.take(rows)))
        for name in outputs if rows else ():
            answers[name] += block.outputs[name].take(rows).to_pylist()
    waiting = len(labels.places) - len(taken)
    return Joined(truths, answers, np.concatenate(times), **counts, waiting=waiting)


def _seconds(times: pa.TimestampArray) -> NDArray[np.float64]:
    microseconds = times.cast("int64").to_numpy(zero_copy_only=False)
    return np.asarray(microseconds, np.float64) / 1e6


def _wrong(place: int, is_even: bool, taken: Collection[int]) -> str:
    """Why a request's records get no labels, as `Joined` counts it."""
    if place < 0:
        return "unlabelled"
    if place in taken:
        return "again"
    return "" if is_even else "uneven"


def _requests(ids: pa.Array, events: pa.Array) -> Iterator[tuple[int, int, str, str]]:
    """Yield where a request's records begin and end in a block, and what it is called."""
    called = [*zip(ids.to_pylist(), events.to_pylist(), strict=True)]
    start = 0
    for at, one in enumerate(called):
        if at + 1 == len(called) or called[at + 1] != one:
            yield start, at + 1, *one
            start = at + 1
