"""Ends a job at a moment that is counted in calls, not in seconds.

    python -S tests/moments.py FILES MOMENT SIGNAL SCRIPT ARGUMENTS...

runs a script and sends it the signal at an exact place of its flow. MOMENT is a number of events:
functions of ours begin, and C's that they call begin and end. Or it is the name of a C function
and which call of it, `replace.1`, which has returned then. Or it is `all`, which sends nothing and
prints how many events there are. A SIGNAL below 0 is for forks as well, at their own such moment.
FILES is `unnamed`, or `hidden` for a file system that knows no files without a name.
"""

from __future__ import annotations

import errno
import os
import runpy
import signal
import sys
import threading
from pathlib import Path
from typing import Any

_FLOWS = ("build_package", "build_payload")
_open = os.open


class Moment:
    """Watches the main thread, as a profiler does."""

    def __init__(self, moment: str, signum: int) -> None:
        self._name, _, number = moment.rpartition(".")
        self._left = 0 if number == "all" else int(number)
        self._signum = signum
        self._in_flow = False
        self._process = os.getpid()

    def watch(self, frame: Any, event: str, called: Any) -> None:
        """Count an event; send the signal when its turn has come."""
        if os.getpid() != self._process and self._signum > 0:  # a fork is not meant
            sys.setprofile(None)
        elif frame.f_code.co_name in _FLOWS and event == "call":
            self._in_flow = True
        elif frame.f_code.co_name in _FLOWS and event == "return":
            sys.setprofile(None)
            if self._left < 0:
                os.write(2, b"%d\n" % -self._left)
        elif (
            self._in_flow and event != "return" and frame.f_globals["__name__"].startswith("mims.")
        ):
            self._count(called.__name__ if event == "c_return" else "")

    def _count(self, returned: str) -> None:
        if self._name and returned != self._name:
            return
        self._left -= 1
        if self._left == 0:
            sys.setprofile(None)
            signal.pthread_kill(threading.main_thread().ident or 0, abs(self._signum))


def _open_named_only(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    return _open(path, flags, *arguments, **options)


if __name__ == "__main__":
    files, moment, number, script, *arguments = sys.argv[1:]
    if files == "hidden":
        os.open = _open_named_only
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    sys.setprofile(Moment(moment, int(number)).watch)
    runpy.run_path(script, run_name="__main__")
