"""Import modules and print what they do that no import should do.

    python watched_import.py MODULE...

Watched are files opened for writing, folders made, sockets, processes, environment variables read
(each where a module of ours does it, not what it imports), signal handlers, threads and handlers
of the log. A program, because what a module does at import it does once.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

SCRIPTS = str(Path(__file__).resolve().parents[1] / "scripts")
STANDARD = str(Path(os.__file__).parent)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
EVENTS = ("os.mkdir", "os.remove", "os.rename", "os.chmod", "os.putenv", "os.system")
PREFIXES = ("socket.", "subprocess.", "shutil.", "tempfile.", "urllib.", "os.exec", "os.fork")

done: list[str] = []


def note(deed: str, frame: FrameType | None) -> None:
    """Note a deed of ours: one whose nearest frame outside the standard library is ours."""
    while frame and frame.f_code.co_filename.startswith((__file__, STANDARD, "<frozen")):
        if "site-packages" in frame.f_code.co_filename:
            return
        frame = frame.f_back
    if frame and frame.f_code.co_filename.startswith(SCRIPTS):
        done.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {deed}")


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
    if writes or event in EVENTS or event.startswith(PREFIXES):
        note(f"{event} {arguments[:1]}", inspect.currentframe())


class Watched(type(os.environ)):  # type: ignore[misc]
    """The environment, noting who reads it."""

    def __getitem__(self, key: str) -> str:
        note(f"reads {key} from the environment", inspect.currentframe())
        value = super().__getitem__(key)
        assert isinstance(value, str)
        return value


def main() -> None:
    sys.dont_write_bytecode = True
    sys.path.insert(0, SCRIPTS)
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    os.environ.__class__ = Watched
    sys.addaudithook(watch)
    for module in sys.argv[1:]:
        importlib.import_module(module)
    if handlers != [signal.getsignal(number) for number in signal.valid_signals()]:
        done.append("a signal handler was set")
    if threading.active_count() > 1:
        done.append("a thread was started")
    if logging.getLogger("mims").handlers:
        done.append("a handler of the log was set")
    sys.stdout.write("".join(f"{line}\n" for line in done))


main()
