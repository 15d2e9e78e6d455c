"""The README's transcripts: what a user types, and what comes back.

    for command, output in commands(README, "## The registry afterwards"): …

A transcript is a ```console block: a line that starts with `$ ` is typed, what follows is said, to
the next one. `masked` blanks what differs from day to day: times, and digests that hang on them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

_TIMES = (
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"),
    re.compile(r"^sha256 [0-9a-f]{64}$", re.MULTILINE),  # of an audit record, which tells the time
    re.compile(r" +[\d.]+ ms\b"),
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
    for pattern in _TIMES:
        text = pattern.sub(lambda found: "·" * len(found[0]), text)
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
