"""What was captured and could not be read, or was read and is odd: counted, each with an example.

Goes in: why a line was refused, and where it is. Comes out: sentences for a report. So nothing is
lost in silence, and a capture in which every line is bad takes no more memory than a good one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_REASONS = 50  # reasons told apart: a reason may quote what was captured, which can be anything
_LONGEST = 200  # characters of a reason
OTHER = "for other reasons"


@dataclass
class Cases:
    """How often something came, and where first."""

    count: int
    example: str


@dataclass
class Unread:
    """Of captures: what was read, what was refused and why, and what is odd with what was read."""

    files: int = 0
    records: int = 0
    """lines that were read"""
    reasons: dict[str, Cases] = field(default_factory=dict)
    notes: dict[str, Cases] = field(default_factory=dict)
    oldest: datetime | None = None
    newest: datetime | None = None

    @property
    def count(self) -> int:
        """How many lines, or files, were refused."""
        return sum(cases.count for cases in self.reasons.values())

    def refuse(self, reason: str, where: str, count: int = 1) -> None:
        """Note what could not be read, and where the first case is."""
        _add(self.reasons, reason, where, count)

    def note(self, what: str, where: str, count: int = 1) -> None:
        """Note what is odd with what was read."""
        _add(self.notes, what, where, count)

    def span(self, oldest: datetime, newest: datetime) -> None:
        """Note when records that were read are from."""
        self.oldest = oldest if self.oldest is None else min(oldest, self.oldest)
        self.newest = newest if self.newest is None else max(newest, self.newest)

    def add(self, other: Unread) -> None:
        """Add what was found in what comes next."""
        self.files += other.files
        self.records += other.records
        for reason, cases in other.reasons.items():
            self.refuse(reason, cases.example, cases.count)
        for what, cases in other.notes.items():
            self.note(what, cases.example, cases.count)
        if other.oldest is not None and other.newest is not None:
            self.span(other.oldest, other.newest)

    def said(self) -> tuple[str, ...]:
        """Tell of it in sentences, what came most often first."""
        return (
            *(f"not read: {sentence}" for sentence in _said(self.reasons)),
            *(f"read, but odd: {sentence}" for sentence in _said(self.notes)),
        )


def _add(to: dict[str, Cases], what: str, where: str, count: int) -> None:
    what = printable(what[:_LONGEST])
    if what not in to and len(to) >= _REASONS:
        what = OTHER
    if what in to:
        to[what].count += count
    else:
        to[what] = Cases(count, where)


def _said(cases: dict[str, Cases]) -> Iterator[str]:
    for what, one in sorted(cases.items(), key=lambda item: -item[1].count):
        if one.count == 1:
            yield f"{printable(one.example)}: {what}"
        else:
            yield f"{what}: {one.count:,} times, first in {printable(one.example)}"
