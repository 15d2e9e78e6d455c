"""The README's transcripts: what a user types, and what comes back.

    for command, output in commands(README, "## The registry afterwards"): …

A transcript is a ```console block: a line that starts with `$ ` is typed, what follows is said, to
the next one. `masked` blanks what differs from run to run: times, and what hangs on them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
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

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_TYPED = re.compile(r"^\$ (?P<command>(?:.*\\\n)*.*)\n(?P<output>(?:(?!\$ ).*\n)*)", re.MULTILINE)


class Typed(NamedTuple):
    """A command, and what it says."""

    command: str
    output: str


def commands(readme: Path, chapter: str) -> list[Typed]:
    """Give the commands of a chapter's transcripts, in order."""
    found: list[Typed] = []

    def note(command: str, output: str) -> None:
        found.append(Typed(command, output))

    retold(readme.read_text(encoding="utf-8"), chapter, note)
    return found


def retold(text: str, chapter: str, say: Callable[[str, str], str | None]) -> str:
    """The text with a chapter's transcripts made anew.

    `say` is asked in order what comes back of a command, and told what stands there; None keeps it.
    """
    before, heading, rest = text.partition(f"{chapter}\n")
    body, following, after = rest.partition("\n## ")

    def block(found: re.Match[str]) -> str:
        return "```console\n" + _TYPED.sub(exchange, found[1]) + "```"

    def exchange(found: re.Match[str]) -> str:
        old = found["output"].rstrip("\n")
        said = say(re.sub(r"\\\n\s*", "", found["command"]), old)
        lines = (old if said is None else said).strip("\n").split("\n")
        told = "".join(f"{line.rstrip()}\n" for line in lines if line or len(lines) > 1)
        return f"$ {found['command']}\n{told}"

    return before + heading + _BLOCK.sub(block, body) + following + after


def masked(text: str) -> str:
    """The text without what another run says otherwise, and without spaces at the ends."""
    text = "\n".join(line.rstrip() for line in text.strip("\n").split("\n"))
    for pattern, instead in _OTHERWISE:
        text = pattern.sub(instead, text)
    return text
