"""Whole processes, measured side by side in one run.

Goes in: contenders, each a shell command. Comes out: medians over several rounds. In a round every
contender has its turn, so a machine that slows down does so for all, and ratios hold.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Contender(NamedTuple):
    """Something that does the work: a command for bash, run in an empty folder of its own."""

    name: str
    command: str


class Cost(NamedTuple):
    """What a run cost. Peak memory is that of the largest process."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


def cost(command: str, scratch_in: Path) -> Cost:
    """Run a command once, to success."""
    with tempfile.TemporaryDirectory(dir=scratch_in) as scratch:
        started = time.monotonic()
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=scratch,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {command}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def read_all(folder: Path) -> None:
    """Bring a folder's files into the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 20):
                    pass


def compare(
    title: str, contenders: Sequence[Contender], inputs: Path, scratch_in: Path, rounds: int
) -> None:
    """Print a table: each contender's median cost, and its time against the first one's.

    Each finds its inputs in the page cache, which some machines empty within seconds.
    """
    costs: dict[str, list[Cost]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            read_all(inputs)
            costs[contender.name].append(cost(contender.command, scratch_in))
    print(f"\n### {title}\n")
    print("| | seconds | times ours | CPU seconds | peak MiB |\n|---|---|---|---|---|")
    ours = statistics.median(one.seconds for one in costs[contenders[0].name])
    for contender in contenders:
        seconds, cpu, peak = (
            statistics.median(f) for f in zip(*costs[contender.name], strict=True)
        )
        print(
            f"| {contender.name} | {seconds:.2f} | {seconds / ours:.2f} | {cpu:.2f} | {peak:.0f} |"
        )
