"""Loose files that must be refused, and faults of files: a row of THREATS that no archive can hold.

`LOOSE` has what to put into a folder that is an input, by the harm it would do, and what has to
stand in the message. `CHANGES` are what can happen to a file while it is read: `once_opened` lets
it happen at just that moment. `as_nobody` runs something as a user who may not touch a place.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

_NOBODY = 65534


class Loose(NamedTuple):
    """What to put into a folder, and what the message says, with {folder} for where it lies."""

    lay: Callable[[Path], object]
    says: str


def _outside(folder: Path) -> Path:
    """A file beside the folder, under a name that starts like the folder's."""
    outside = folder.with_name(folder.name + "-2")
    outside.write_bytes(b"secret")
    return outside


def _socket(folder: Path) -> None:
    before = Path.cwd()
    os.chdir(str(folder))  # a socket's path has 108 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("sock")
    finally:
        os.chdir(str(before))


def _link_to_a_folder(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "real/f").write_bytes(b"")
    (folder / "link").symlink_to("real")


def _link_to_a_pipe(folder: Path) -> None:
    os.mkfifo(str(folder / "pipe"))
    (folder / "link").symlink_to("pipe")


def _deep(folder: Path) -> None:
    (folder / ("d/" * 101)).mkdir(parents=True)
    (folder / ("d/" * 101) / "f").write_bytes(b"")


def _named(name: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / os.fsdecode(name)).write_bytes(b"")


LOOSE = {
    "reads-the-host": Loose(
        lambda folder: (folder / "l").symlink_to("/etc/passwd"),
        "{folder}/l: it is a link that leaves {folder}",
    ),
    "reads-what-lies-beside": Loose(
        lambda folder: (folder / "l").symlink_to(f"../{_outside(folder).name}"),
        "{folder}/l: it is a link that leaves {folder}",
    ),
    "reads-a-folder-of-the-host": Loose(
        lambda folder: (folder / "l").symlink_to("/usr"),
        "{folder}/l: it is a link that leaves {folder}",
    ),
    "leads-to-a-folder": Loose(_link_to_a_folder, "{folder}/link: it is a link to a folder"),
    "leads-to-nothing": Loose(
        lambda folder: (folder / "l").symlink_to("gone"), "{folder}/l: it is a link to nothing"
    ),
    "leads-in-a-circle": Loose(
        lambda folder: (folder / "l").symlink_to("l"), "{folder}/l: it is a link to nothing"
    ),
    "blocks-for-ever": Loose(
        lambda folder: os.mkfifo(str(folder / "pipe")), "{folder}/pipe: it is a named pipe"
    ),
    "leads-to-what-blocks": Loose(_link_to_a_pipe, "{folder}/link: it is a named pipe"),
    "is-a-socket": Loose(_socket, "{folder}/sock: it is a socket"),
    "forges-a-line-of-the-log": Loose(
        _named(b"a\nERROR"), "'a\\nERROR': its name holds a control character"
    ),
    "drives-the-terminal-hidden": Loose(
        _named(b".\x1b[2Jx"), "'.\\x1b[2Jx': its name holds a control character"
    ),
    "reads-backwards": Loose(
        _named("a\u202eexe".encode()), "'a\\u202eexe': its name holds a character that reorders"
    ),
    "is-no-text": Loose(_named(b"caf\xe9"), "its name is not UTF-8"),
    "climbs-out-on-windows": Loose(_named(b"..\\evil"), "its name holds a backslash"),
    "nests-without-end": Loose(_deep, "over 100 folders deep"),
}


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _shrink(path: Path) -> None:
    os.truncate(str(path), 1)


def _replace(path: Path) -> None:
    """Put another file in its place, just as large and just as old."""
    status = path.stat()
    other = path.with_name(path.name + ".new")
    other.write_bytes(bytes(status.st_size))
    os.utime(str(other), ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(str(other), str(path))


CHANGES: dict[str, Callable[[Path], object]] = {
    "grows": _grow,
    "shrinks": _shrink,
    "is-written-again": lambda path: os.utime(str(path), (1, 1)),
    "is-replaced": _replace,
    "vanishes": lambda path: path.unlink(),
}


@contextmanager
def once_opened(
    monkeypatch: pytest.MonkeyPatch, path: Path, change: Callable[[Path], object]
) -> Iterator[None]:
    """Let something happen to a file as soon as it is opened and looked at."""
    inode, real, happened = path.stat().st_ino, os.fstat, False

    def fstat(descriptor: int) -> os.stat_result:
        nonlocal happened
        status = real(descriptor)
        if status.st_ino == inode and not happened:
            happened = True
            change(path)
        return status

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fstat)
        yield
    assert happened, f"nobody opened {path}"


def as_nobody(run: Callable[[], Any], root: Path, closed: Path) -> Any:
    """What `run` gives, if JSON can hold it, where a user who is kept from `closed` calls it.

    Root may do everything, so root becomes somebody else first, in a child process: the Python
    that runs the tests may lie where only root can start it.
    """
    for path in (root, *root.rglob("*")):
        path.chmod(0o777)
    closed.chmod(0)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
            answer = run()
        except BaseException:  # noqa: BLE001 - told to the parent, whose test it fails
            answer = [sys.maxsize, traceback.format_exc()]
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        answer = json.load(told)
    os.waitpid(child, 0)
    closed.chmod(0o777)
    return answer
