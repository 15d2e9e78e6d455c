"""Is the model in production still what it was? The flow of a drift check, from start to end.

Goes in: a baseline, and where to look: Data Capture of an endpoint, a file, labels that came later,
CloudWatch. Comes out: a report with its verdict. Reads only: whoever asked publishes, writes and
decides. What is read streams: memory does not grow with how much was captured.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.governance.captures import reading
from mims.governance.captures.labels import read_labels
from mims.governance.captures.unread import Unread
from mims.governance.drift.check import Part, compare
from mims.governance.drift.check import report as judged
from mims.governance.drift.performance import changes, performance
from mims.governance.drift.task import Task
from mims.governance.profiles import tables
from mims.governance.profiles.counting import Counter
from mims.governance.profiles.profile import NUMBER, Profile
from mims.text import listed, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mims.governance.captures.reading import Captured
    from mims.governance.drift.check import Limits, Report
    from mims.governance.drift.series import Series
    from mims.governance.profiles.profile import Field
    from mims.governance.registry import Registry

_SPAN = timedelta(days=1)  # of CloudWatch's metrics, where nobody says since when


class Baseline(NamedTuple):
    """What is compared with."""

    profile: Profile
    source: str
    """where it is from, and its SHA-256"""
    quality: Mapping[str, Any] = {}
    """the performance that the model had, by metric"""


@dataclass(frozen=True)
class Seen:
    """Where to look for what was seen: a capture or a file at least, or metrics."""

    subject: str
    capture: str = ""
    """a file, a folder, or an S3 path of them"""
    file: str = ""
    """CSV, JSON Lines or Parquet, with inputs and outputs as columns"""
    form: str = ""
    """csv, jsonl or parquet; else the file's name tells"""
    labels: str = ""
    """a folder or an S3 path of SageMaker's ground truth files"""
    task: str = ""
    """what the model predicts, for `labels`: binary, multiclass or regression"""
    named: Mapping[str, Any] = field(default_factory=dict)
    """of the task: prediction, scores, positive"""
    endpoint: str = ""
    variant: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """CloudWatch's of the endpoint when all was well, by name: cloudwatch.py"""
    since: datetime | None = None
    until: datetime | None = None


def read_baseline(file: Path, quality: Mapping[str, Any] | None = None) -> Baseline:
    """Read a baseline from a file.

    Raises:
        InputError: it can't be read, or is none.

    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error
    profile = Profile.from_json(json_object(content, str(file)), str(file))
    source = f"{file.name} (SHA-256 {hashlib.sha256(content).hexdigest()})"
    return Baseline(profile, source, quality or {})


def json_object(text: str | bytes, name: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        InputError: it is none; `name` is what it is called.

    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{printable(name)}: is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{printable(name)}: is no JSON object")
    return found


def watch(
    baseline: Baseline | None, seen: Seen, limits: Limits, registry: Registry | None = None
) -> Report:
    """Compare what was seen to the baseline, all of it as one check.

    `baseline` may be None where only metrics are asked for; `registry` reaches S3 and CloudWatch.

    Raises:
        InputError: there is nothing to look at, or it can't be read.
        ServiceError: a service refused or could not be reached.

    """
    if seen.labels and not seen.capture:
        raise InputError("labels belong to captures, by their eventId: name captures, too")
    unread, unlabelled, parts = Unread(), Unread(), []
    if seen.metrics:
        parts.append(changes(seen.metrics, _metrics(seen, registry), limits))
    if baseline is None or not (seen.capture or seen.file):
        if not parts:
            raise InputError(
                "nothing to look at: name a capture, a file, or metrics of an endpoint"
            )
        return judged(parts, limits, subject=seen.subject, source="the metrics that were given")
    counter = Counter(baseline.profile)
    over_time: tuple[Series, ...] = ()
    notes: list[str] = []
    if seen.file:
        _count_file(counter, baseline.profile, seen, registry)
    if seen.capture:
        passing = _counted(counter, _captured(baseline.profile, seen, unread, registry))
        if seen.labels:
            labels = read_labels(seen.labels, registry, unlabelled)
            task = Task.of(seen.task, baseline.profile, **seen.named)
            found = performance(passing, labels, task, baseline.quality, limits)
            parts.append(found.part)
            over_time = found.series
            notes += filter(None, [task.passed_over(baseline.profile)])
        for _ in passing:  # what nobody has asked for goes by
            pass
    parts += [_lost(unread, "captures", limits), _lost(unlabelled, "labels", limits)]
    return compare(
        baseline.profile,
        counter.profile(),
        limits,
        subject=seen.subject,
        source=baseline.source,
        extra=counter.extra,
        parts=parts,
        notes=(*unread.said(), *unlabelled.said(), *notes),
        series=over_time,
    )


def _lost(unread: Unread, what: str, limits: Limits) -> Part:
    """What can't be read may be what drifted, such as records with a new column."""
    lines = unread.records + unread.count
    if not unread.count or unread.count < limits.share * lines:
        return Part()
    most = max(unread.reasons, key=lambda reason: unread.reasons[reason].count)
    lost = f"{unread.count:,} of {lines:,} {what} could not be read, most often: {most}"
    return Part(undecided=(lost,))


def _metrics(seen: Seen, registry: Registry | None) -> dict[str, float]:
    from mims.governance.drift import cloudwatch

    if registry is None or not seen.endpoint:
        raise InputError("metrics are an endpoint's: name it")
    until = seen.until or datetime.now(UTC)
    return cloudwatch.metrics(
        registry.cloudwatch,
        seen.endpoint,
        seen.metrics,
        since=seen.since or until - _SPAN,
        until=until,
        variant=seen.variant,
    )


def _count_file(counter: Counter, profile: Profile, seen: Seen, registry: Registry | None) -> None:
    """Count a file's records: each column on the side, or sides, that know its name.

    Raises:
        InputError: it knows none.

    """
    known: set[str] = set()
    names: dict[str, None] = {}
    with tables.opened(seen.file, registry, form=seen.form or None) as found:
        for table in found:
            answers = [name for name in table.column_names if name in profile.outputs]
            asked = [
                name
                for name in table.column_names
                if name in profile.inputs or name not in profile.outputs
            ]
            known |= {*table.column_names} & {*profile.inputs, *profile.outputs}
            names.update(dict.fromkeys(table.column_names))
            if asked:
                counter.add_inputs(table.select(asked))
            if answers:
                counter.add_outputs(table.select(answers))
    if names and not known:
        had = listed([*profile.inputs, *profile.outputs])
        raise InputError(
            f"{printable(seen.file)}: none of its columns is one of the baseline, which has {had}: "
            f"{listed(names)}"
        )


def _captured(
    profile: Profile, seen: Seen, unread: Unread, registry: Registry | None
) -> Iterator[Captured]:
    """Read what was captured.

    Raises:
        InputError: nothing was.

    """
    found = reading.sources(
        seen.capture if seen.capture.startswith("s3://") else Path(seen.capture),
        endpoint=seen.endpoint or None,
        variant=seen.variant or None,
        since=seen.since,
        until=seen.until,
        s3=registry.s3 if registry else None,
    )
    if not found:
        raise InputError(f"nothing was captured: {_place(seen)}")
    return reading.read(
        found,
        [*profile.inputs],
        [*profile.outputs],
        unread,
        input_numbers=_numbers(profile.inputs),
        output_numbers=_numbers(profile.outputs),
    )


def _place(seen: Seen) -> str:
    """Where nothing is."""
    asked = {
        "endpoint": seen.endpoint,
        "variant": seen.variant,
        "since": seen.since and f"{seen.since:%Y-%m-%dT%H:%MZ}",
        "until": seen.until and f"{seen.until:%Y-%m-%dT%H:%MZ}",
    }
    told = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
    of = f" of {printable(told)}" if told else ""
    return f"there is no .jsonl file{of} below {printable(seen.capture)}"


def _numbers(fields: Mapping[str, Field]) -> Sequence[str]:
    return [one.name for one in fields.values() if one.kind == NUMBER]


def _counted(counter: Counter, captures: Iterator[Captured]) -> Iterator[Captured]:
    """Count captures as they pass."""
    for one in captures:
        counter.add_inputs(one.inputs)
        counter.add_outputs(one.outputs)
        yield one
