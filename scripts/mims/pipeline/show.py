"""Shows an execution as it goes, and why it failed.

Goes in: its changes as they come, its failures. Comes out: a table that counts, where stderr is a
terminal, else lines on stderr; or JSON lines on stdout, for programs. Asks nobody for anything.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from mims.console import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from mims.pipeline.execution import Change
    from mims.pipeline.failures import Failure

_STYLES = {
    "Succeeded": "green",
    "Failed": "bold red",
    "Stopped": "yellow",
    "Executing": "cyan",
}


def shown(changes: Iterator[Change], as_json: bool) -> Change:
    """Show changes as they come, and give the last; there is at least one."""
    if as_json:
        return _as_json(changes)
    return _as_table(changes) if sys.stderr.isatty() else _as_lines(changes)


def explained(failure: Failure) -> str:
    """A failure for people: whose, why, what the job said, which job."""
    lines = [f"{failure.step or 'the execution'} failed: {failure.reason}"]
    lines += [f"  {line}" for line in failure.message.splitlines()]
    if failure.job:
        lines.append(f"  ({failure.job})")
    return "\n".join(lines)


def _as_json(changes: Iterator[Change]) -> Change:
    for change in changes:
        since = change.since.isoformat() if change.since else None
        click.echo(json.dumps({**vars(change), "since": since}))
    return change


def _as_lines(changes: Iterator[Change]) -> Change:
    for change in changes:
        facts = [change.status]
        if change.ended and change.seconds is not None:
            facts.append(f"after {_duration(change.seconds)}")
        elif change.since:
            facts.append(f"since {change.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
        say(f"{change.step or 'execution'}: {', '.join([*facts, *_notes(change)])}")
    return change


def _as_table(changes: Iterator[Change]) -> Change:
    from rich.console import Console
    from rich.live import Live

    table = _Steps()
    with Live(table, console=Console(stderr=True), refresh_per_second=2):
        for change in changes:
            table.rows[change.step] = change
    return change


class _Steps:
    """The steps in a table that counts the time of those that run."""

    def __init__(self) -> None:
        self.rows: dict[str, Change] = {}

    def __rich__(self) -> Table:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table("step", "status", "time", "", box=box.SIMPLE)
        for step, change in sorted(self.rows.items(), key=lambda row: not row[0]):
            seconds = change.seconds
            if change.since and not change.ended:
                seconds = max((datetime.now(UTC) - change.since).total_seconds(), 0)
            table.add_row(
                Text(step or "execution", "" if step else "bold"),
                Text(change.status, _STYLES.get(change.status, "")),
                "" if seconds is None else _duration(seconds),
                Text(", ".join(_notes(change)), "dim"),
            )
        return table


def _notes(change: Change) -> list[str]:
    notes = ["from the cache"] if change.cached else []
    return notes + ([f"attempt {change.attempt}"] if change.attempt > 1 else [])


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
