"""File systems of a test's own: small, full or read-only, and gone when the test is.

They are mounted in a namespace that a shell of ours holds open; it ends with its stdin. A path in
there is reached from outside under `/proc/<shell>/root`. Needs root, or a system where everybody
may have a namespace.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

from front_door import Container


class Mounts:
    """A mount namespace."""

    def __init__(self, shell: subprocess.Popen[str]) -> None:
        assert shell.stdin
        assert shell.stdout
        self._pid, self._stdin, self._stdout = shell.pid, shell.stdin, shell.stdout

    def run(self, command: str) -> None:
        """Run a shell's command in it."""
        self._stdin.write(f"{command}; echo $?\n")
        self._stdin.flush()
        told = self._stdout.readline()
        assert told == "0\n", f"{command}: {told}"

    def seen(self, path: Path) -> Path:
        """A path in it, as everybody can reach it."""
        return Path(f"/proc/{self._pid}/root{path}")


@contextmanager
def mounts() -> Iterator[Mounts]:
    """Give a namespace that begins as a copy of ours."""
    rights = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *rights, "--mount", "--propagation", "private", "sh"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    ) as shell:
        yield Mounts(shell)


class SmallDisk:
    """A disk that holds a container's output folder, and perhaps its exit message's."""

    def __init__(self, mounted: Mounts, top: Path, container: Container) -> None:
        self._mounted, self._top = mounted, top
        self._filler = mounted.seen(top / "filler")
        self.container = container

    def leave(self, room: int) -> None:
        """Fill it up, so that so many bytes can still be written, in whole pages."""
        with self._filler.open("wb", buffering=0) as filler:
            status = os.statvfs(str(self._filler.parent))
            os.posix_fallocate(filler.fileno(), 0, status.f_bavail * status.f_frsize - room)

    def make_room(self) -> None:
        """Empty it again."""
        self._filler.unlink()

    def make_read_only(self) -> None:
        """Let nothing be written."""
        self._mounted.run(f"mount -o remount,ro {self._top}")


@contextmanager
def small_disk(
    container: Container, *folders: Path, options: str = "size=16m"
) -> Iterator[SmallDisk]:
    """Put folders of a container onto a disk of their own."""
    top = container.root / "disk"
    top.mkdir()
    with mounts() as mounted:
        mounted.run(f"mount -t tmpfs -o {options} disk {top}")
        for number, folder in enumerate(folders):
            folder.mkdir(parents=True, exist_ok=True)
            mounted.run(f"mkdir {top}/{number} && mount --bind {top}/{number} {folder}")
        yield SmallDisk(mounted, top, Container(mounted.seen(container.root)))
