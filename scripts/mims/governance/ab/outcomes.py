"""How good the answers of both variants were: captures joined with the labels that came later.

Goes in: a design; what SageMaker captured, below its `capture` ENDPOINT/VARIANT/yyyy/mm/dd/hh; and
below its `labels` files of ground truth, JSON Lines as SageMaker has them:

    {"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "…"}}

with the inferenceId that the client sent as eventId, or else the capture's own. Comes out: a score
of each labelled request, in the order in which it became known: once the file with its label and
the one with its capture were both there; and counts of what was captured, labelled, lost and odd.
What the champion answered before the challenger's first answer is of no split: an endpoint takes
minutes to begin one, and clocks differ. Only reads. It holds what it knows of each label, and
captures pass by one at a time.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from mims.governance.ab.design import LABEL
from mims.governance.ab.scoring import score
from mims.governance.ab.sequential import mismatch
from mims.governance.captures.files import Found, files, lines
from mims.governance.captures.labels import label
from mims.governance.captures.lines import Refused, record, unpacked
from mims.governance.captures.unread import Unread
from mims.governance.everyday import instant
from mims.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from mims.governance.ab.design import Design
    from mims.governance.registry import Registry

_SKEW = timedelta(minutes=5)  # that clocks may differ
_LATE = 60  # minutes: by then an endpoint has written what it captured
_UNLIKELY = 0.001  # that so few labelled requests were copied
_NOBODY, _CHAMPION, _CHALLENGER, _BOTH = range(4)  # of a label, whose captures are there


@dataclass(frozen=True)
class Outcomes:
    """What is known of both variants; pairs are of champion and challenger."""

    scores: NDArray[np.float64]
    """of each labelled request, in the order in which they became known; of a shadow, the
    challenger's score less the champion's"""
    challenger: NDArray[np.bool_]
    """whether it was the challenger that answered; of a shadow, which answers too, always"""
    captured: tuple[int, int]
    """requests since the A/B began"""
    scored: tuple[int, int]
    """of these, with a label and a score; of a shadow, pairs"""
    captured_by_then: tuple[int, int]
    """captured up to a time at which both variants' captures were written"""
    scored_by_then: tuple[int, int]
    unused: int
    """labels without a capture, so far"""
    notes: tuple[str, ...]
    """what was not read, came twice or is lacking, in sentences"""


@dataclass
class _Labels:
    """Labels in the order in which they came, and what is known of the requests they are of."""

    places: dict[str, int] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    known: array[float] = field(default_factory=lambda: array("d"))
    owners: bytearray = field(default_factory=bytearray)
    minutes: array[int] = field(default_factory=lambda: array("q"))
    scores: tuple[array[float], array[float]] = field(
        default_factory=lambda: (array("d"), array("d"))
    )

    def add(self, event: str, text: str, at: float) -> bool:
        """Take a label; False if the event has one."""
        if event in self.places:
            return False
        self.places[event] = len(self.texts)
        self.texts.append(text)
        self.known.append(at)
        self.owners.append(_NOBODY)
        self.minutes.append(0)
        for scores in self.scores:
            scores.append(math.nan)
        return True


@dataclass
class _Arm:
    """What is captured of a variant."""

    number: int
    variant: str
    captured: int = 0
    first: datetime | None = None
    minutes: Counter[int] = field(default_factory=Counter)
    """captures of each minute"""


def outcomes(design: Design, registry: Registry | None = None) -> Outcomes:
    """Join what was captured since the A/B began with the labels that are there.

    `registry` reaches S3; without it `capture` and `labels` are folders here.

    Raises:
        InputError: a path is none, or a file vanished meanwhile.
        ServiceError: S3 refused or could not be reached.

    """
    unread = Unread()
    labels = _labels(design, registry, unread)
    since = design.started.replace(microsecond=0)
    arms = (_Arm(0, design.champion_variant), _Arm(1, design.challenger_variant))
    for arm in reversed(arms):  # the challenger's say when the split began
        where = f"{design.capture.rstrip('/')}/{design.endpoint}/{arm.variant}/"
        for file in files(where, registry):
            if file.modified >= design.started - _SKEW:
                _join(design, file, arm, labels, unread, since=since)
        since = arm.first or since
    return _joined(design, arms, labels, unread)


def _labels(design: Design, registry: Registry | None, unread: Unread) -> _Labels:
    """Read every label file that may be of this A/B, in the order in which they came."""
    labels = _Labels()
    for file in sorted(files(design.labels, registry), key=lambda one: (one.modified, one.uri)):
        if file.modified < design.started - _SKEW:
            continue  # of what was captured before
        for number, line, cut in lines(file, unread):
            where = f"{file.uri} line {number}"
            try:
                event, text = _label(line, cut=cut)
            except Refused as why:
                unread.refuse(f"label: {why}", where)
                continue
            if not labels.add(event, text, file.modified.timestamp()):
                unread.note(
                    "came again as a label of an event that has one: the first counts", where
                )
    return labels


def _label(line: bytes, *, cut: bool) -> tuple[str, str]:
    """Read an event's id and its label."""
    event, texts = label(line, cut=cut)
    if len(texts) > 1:
        raise Refused(f"has {len(texts)} labels: an A/B's requests have one record each")
    return event, texts[0]


def _join(
    design: Design, file: Found, arm: _Arm, labels: _Labels, unread: Unread, *, since: datetime
) -> None:
    """Count a file's captures, and score those that have a label."""
    for number, line, cut in lines(file, unread):
        where = f"{file.uri} line {number}"
        try:
            found = record(line, cut=cut)
            at = _time(found["eventMetadata"]["inferenceTime"])
            if at < since:
                continue
            arm.captured += 1
            arm.first = min(arm.first or at, at)
            minute = int(at.timestamp()) // 60
            arm.minutes[minute] += 1
            place = _place(found["eventMetadata"], labels)
            if place is not None and not (odd := _odd(design, arm, place, labels)):
                labels.scores[arm.number][place] = _scored(design, found, labels.texts[place])
                labels.owners[place] |= _CHAMPION << arm.number
                labels.known[place] = max(labels.known[place], file.modified.timestamp())
                labels.minutes[place] = minute
            elif place is not None:
                unread.note(odd, where)
        except Refused as why:
            unread.refuse(f"capture: {why}", where)


def _time(text: str | None) -> datetime:
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError as error:
        raise Refused("has no inferenceTime that can be read") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _place(metadata: Mapping[str, str | None], labels: _Labels) -> int | None:
    names = (metadata["inferenceId"], metadata["eventId"])
    return next((labels.places[name] for name in names if name in labels.places), None)


def _odd(design: Design, arm: _Arm, place: int, labels: _Labels) -> str:
    """Say why an event's capture doesn't count: each variant has one, and both of a shadow only."""
    owner = labels.owners[place]
    if owner & (_CHAMPION << arm.number):
        return "captured again of an event: the first counts"
    if owner and not design.shadow:
        labels.owners[place] = _BOTH
        return "captured of an event that the other variant answered too: neither counts"
    return ""


def _scored(design: Design, found: Mapping[str, Any], label: str) -> float:
    output = found["captureData"]["endpointOutput"]
    if output is None or output["data"] is None:
        raise Refused("has no output: capture outputs too")
    text, kind = unpacked(output["data"], output["encoding"], output["observedContentType"])
    return score(design.score, text, kind, label)


def _joined(design: Design, arms: tuple[_Arm, _Arm], labels: _Labels, unread: Unread) -> Outcomes:
    owners = np.frombuffer(bytes(labels.owners), np.uint8)
    known, minutes = np.array(labels.known), np.array(labels.minutes)
    first, second = (np.array(scores) for scores in labels.scores)
    wanted = owners == _BOTH if design.shadow else (owners == _CHAMPION) | (owners == _CHALLENGER)
    places = np.flatnonzero(wanted)
    places = places[np.argsort(known[places], kind="stable")]
    challenger = owners[places] != _CHAMPION
    scores = np.where(challenger, second[places], first[places])
    count = len(places)
    then = _then(arms)
    early = challenger[minutes[places] < then]
    return Outcomes(
        scores=scores - first[places] if design.shadow else scores,
        challenger=challenger,
        captured=(arms[0].captured, arms[1].captured),
        scored=(count, count) if design.shadow else _of_each(challenger),
        captured_by_then=(_before(arms[0], then), _before(arms[1], then)),
        scored_by_then=_of_each(early),
        unused=int((owners == _NOBODY).sum()),
        notes=(*_lacking(design, arms, labels, owners), *unread.said()),
    )


def _too_many(alone: int, pairs: int, uncopied: float) -> bool:
    """Whether more labels are of one variant alone than of requests that were not copied."""
    if alone <= uncopied * (alone + pairs):
        return False
    return not pairs or mismatch((alone, pairs), (uncopied, 1 - uncopied)) < _UNLIKELY


def _of_each(challenger: NDArray[np.bool_]) -> tuple[int, int]:
    own = int(challenger.sum())
    return len(challenger) - own, own


def _then(arms: tuple[_Arm, _Arm]) -> int:
    """The minute before which both variants' captures are written, as far as one can tell."""
    last = [max(arm.minutes, default=-1) for arm in arms]
    return max(min(last), max(last) - _LATE)


def _before(arm: _Arm, minute: int) -> int:
    return sum(count for at, count in arm.minutes.items() if at < minute)


def _lacking(
    design: Design, arms: tuple[_Arm, _Arm], labels: _Labels, owners: NDArray[np.uint8]
) -> Iterator[str]:
    """Tell what keeps a comparison from going on."""
    for arm in arms:
        if not arm.captured:
            yield f"nothing is captured of {arm.variant} since {instant(design.started)}"
    if not labels.texts:
        yield f"no labels came to {design.labels} since {instant(design.started)}"
    if design.shadow and design.score == LABEL:
        yield "score label: a shadow's answers reach nobody, so no label can be its reward"
    unused = int((owners == _NOBODY).sum())
    if unused:
        yield (
            f"{unused:,} of {len(owners):,} labels without a captured request since the "
            "challenger's first answer, so far: a label names the InferenceId that the client "
            "sent, or the capture's eventId"
        )
    alone = int(((owners == _CHAMPION) | (owners == _CHALLENGER)).sum())
    pairs = int((owners == _BOTH).sum())
    if design.shadow and _too_many(alone, pairs, 1 - design.share):
        yield (
            f"{counted(alone, 'label')} of one variant alone: a shadow's copy has another eventId, "
            "so clients must send an InferenceId, and the label must name it"
        )
