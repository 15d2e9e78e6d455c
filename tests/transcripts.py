"""The README's transcripts: what a user types, and what comes back.

    for command, output in commands(README, "## The registry afterwards"): …

A transcript is a ```console block: a line that starts with `$ ` is typed, what follows is said, to
the next one. `masked` blanks what differs from run to run: times, and what hangs on them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_OTHERWISE = (  # what differs from run to run, and what stands for it
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "time"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"), "time"),
    # Of an audit record, which tells the time.
    (re.compile(r"^sha256 [0-9a-f]{64}$", re.MULTILINE), "sha256"),
    # What CloudWatch has of an A/B: whole periods, so it hangs on the second of the look.
    (re.compile(r"(?<=\d) +[\d,]+ +\d+ +(?:[\d.]+ ms|\u2013)$", re.MULTILINE), " measured"),
    (re.compile(r"\n +latency: .*"), ""),
    (re.compile(r"─+$", re.MULTILINE), "─"),  # as wide as the table
)


class Typed(NamedTuple):
    """A command, and what it says."""

    command: str
    output: str


def commands(readme: Path, chapter: str) -> list[Typed]:
    """Give the commands of a chapter's transcripts, in order."""
    text = readme.read_text(encoding="utf-8").partition(f"{chapter}\n")[2].partition("\n## ")[0]
    found = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            while command.endswith("\\"):
                line, _, output = output.partition("\n")
                command = command[:-1] + line.strip()
            found.append(Typed(command, output.rstrip("\n")))
    return found


def masked(text: str) -> str:
    """The text without what another run says otherwise, and without spaces at the ends."""
    text = "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
    for pattern, instead in _OTHERWISE:
        text = pattern.sub(instead, text)
    return text
