"""The boundary of a job: logs, progress, signals, exit code and exit message.

Goes in: a command line and a flow, a function from `Job` to what it has to report. Comes out: an
exit code, one line of JSON on stdout, and the same JSON in `/opt/ml/output/message`, which
SageMaker shows as ExitMessage. The only place that catches what a flow raises.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Callable, Iterator, Mapping

from mims import __version__
from mims.errors import EXIT_BUG, EXIT_DONE, InputError, MimsError, Problems, Stopped
from mims.settings import read_settings
from mims.text import printable_lines, size, without_secrets

if TYPE_CHECKING:
    from types import FrameType

    from mims.command_line import CommandLine
    from mims.contracts import Channel, Contract

log = logging.getLogger("mims")

MESSAGE_PATH = "opt/ml/output/message"
MESSAGE_LIMIT = 1024  # bytes: what DescribeProcessingJob keeps
_PROGRESS_SECONDS = 10.0
_STOPS = (signal.SIGINT, signal.SIGTERM)  # from StopProcessingJob, and from `docker stop`
_PLUMBING = {"_weakrefset", "concurrent", "logging", "queue", "threading", "weakref"}
_SOON = 0.002  # seconds until a stop that came amid plumbing tries again
_TRIES = 25  # whoever is there every time waits there, and may be interrupted


class Job:
    """One run of a script: where its channels lie and what its settings are."""

    def __init__(self, contract: Contract, root: Path, environ: Mapping[str, str]) -> None:
        self.contract = contract
        self.root = root
        self.environ = environ
        self._paths = {c.name: self.locate(c.path) for c in (*contract.inputs, *contract.outputs)}

    def locate(self, container_path: str) -> Path:
        """Where a container path lies under `--root`."""
        return self.root / container_path.lstrip("/")

    def path(self, channel: str) -> Path:
        """Where a channel of the contract lies under `--root`."""
        return self._paths[channel]

    def settings(self) -> dict[str, Any]:
        """Give all settings by name, parsed.

        Raises:
            InputError: with every setting that is missing or not allowed.

        """
        return read_settings(self.contract.settings, self.environ)

    def require_inputs(self) -> None:
        """Check that every required input is there.

        Raises:
            InputError: with every input that is missing.

        """
        problems = Problems()
        for channel in self.contract.inputs:
            if channel.required:
                with problems.gather():
                    _require(channel, self.path(channel.name))
        problems.raise_any()

    def progress(self, doing: str, total: int = 0) -> Progress:
        """Show how far a long piece of work is; `total` is in bytes, 0 when unknown."""
        return Progress(doing, total)


def _require(channel: Channel, path: Path) -> None:
    try:
        there = path.exists()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not there:
        raise InputError(
            f"input {channel.name} is missing: nothing at {path} ({channel.description})"
        )


class Progress:
    """A bar on a terminal, else a log line every ten seconds. Safe to advance from threads.

    Leave its `with` block to clear the bar.
    """

    def __init__(
        self,
        doing: str,
        total: int,
        stream: IO[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._doing, self._total, self._done = doing, total, 0
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._every = 0.1 if self._terminal else _PROGRESS_SECONDS
        self._clock, self._next = clock, clock() + self._every
        self._lock = threading.Lock()

    def advance(self, count: int) -> None:
        """Count `count` more bytes as done."""
        with self._lock:
            self._done += count
            now = self._clock()
            if now < self._next:
                return
            self._next = now + self._every
            if self._terminal:
                self._stream.write(f"\r{self._line()}\033[K")
                self._stream.flush()
            else:
                log.info("%s", self._line())

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            self._stream.write("\r\033[K")
            self._stream.flush()

    def _line(self) -> str:
        if not self._total:
            return f"{self._doing}: {size(self._done)}"
        share = min(self._done / self._total, 1.0)
        bar = f"[{'#' * int(24 * share):24}] " if self._terminal else ""
        return f"{self._doing}: {bar}{share:.0%}, {size(self._done)} of {size(self._total)}"


Flow = Callable[[Job], Mapping[str, Any]]


def run_job(command_line: CommandLine, flow: Flow, environ: Mapping[str, str] | None = None) -> int:
    """Run a flow and turn how it ends into an exit code and an exit message.

    Who calls it from a program keeps their signals and their log.
    """
    _open_closed_streams()
    with _log_on_stderr(logging.DEBUG if command_line.verbose else logging.INFO):
        return _run(command_line, flow, os.environ if environ is None else environ)


def _run(command_line: CommandLine, flow: Flow, environ: Mapping[str, str]) -> int:
    contract, root = command_line.contract, Path(command_line.root)
    stops = _Stops()
    started = time.monotonic()
    report: Mapping[str, Any] = {}
    problem = ""
    try:
        command_line.require_right()
        with stops:
            report = flow(Job(contract, root, environ))
        status, code = "done", EXIT_DONE
    except Stopped as stop:
        name = signal.Signals(stop.signum).name
        status, code, problem = "stopped", stop.exit_code, f"stopped by {name}; run it again"
    except MimsError as error:
        status, code, problem = "failed", error.exit_code, str(error)
    except Exception as error:
        log.exception("a bug: please report it with this traceback")
        status, code = "failed", EXIT_BUG
        problem = f"a bug in mims {__version__}: {type(error).__name__}: {error}"
    if problem:
        log.error("%s: %s", contract.job, problem)
    seconds = round(time.monotonic() - started, 1)
    log.info("%s: %s in %.1f s", contract.job, status, seconds)
    outcome = {"job": contract.job, "status": status, "exit_code": code, "seconds": seconds}
    _leave(exit_message(outcome, problem, report), root / MESSAGE_PATH)
    stops.forget(last=command_line.of_process)
    return code


def exit_message(outcome: Mapping[str, Any], problem: str, report: Mapping[str, Any]) -> str:
    """One line of JSON, at most 1,024 bytes of UTF-8.

    What does not fit is left out of its values, never cut from the JSON: the problem's text is
    shortened; entries of the report go from the last on, and `shortened` says that some went.
    """
    message = dict(outcome)
    if problem:
        message["error"] = without_secrets(printable_lines(problem))
    entries = list(report.items())
    line = _json({**message, **dict(entries)})
    while len(line.encode()) > MESSAGE_LIMIT and entries:
        entries.pop()
        line = _json({**message, **dict(entries), "shortened": True})
    while len(line.encode()) > MESSAGE_LIMIT:
        excess = len(line.encode()) - MESSAGE_LIMIT
        message["error"] = message["error"][: -(excess // 4 + 2)] + "…"
        line = _json(message)
    return line


def _json(message: Mapping[str, Any]) -> str:
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace").decode()  # a path need not be text


def _leave(message: str, path: Path) -> None:
    """Write the exit message where SageMaker looks for it, and to stdout."""
    # Outside SageMaker the place is often missing or read-only, and the job is over either way.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(message, encoding="utf-8")
    except OSError as error:
        log.debug("no exit message at %s: %s", path, error.strerror)
    with suppress(OSError):  # nobody listens, or the disk behind it is full
        sys.stdout.buffer.write(message.encode() + b"\n")
        sys.stdout.flush()


def _open_closed_streams() -> None:
    """Give the job a stdout and a stderr where its caller has closed them."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            setattr(sys, name, os.fdopen(nowhere, "w", closefd=False))


class _Stops:
    """What stop signals do while a flow runs: the first one raises `Stopped` in it.

    Never amid the standard library's own locking, where it would leave a lock locked, and never in
    a weak reference's callback, which would swallow it: there a timer soon tries again. Later ones
    are ignored, for cleaning up is not to be interrupted.
    """

    def __init__(self) -> None:
        self._first = 0
        self._tries = 0
        self._before = {signum: signal.getsignal(signum) for signum in (*_STOPS, signal.SIGALRM)}

    def __enter__(self) -> None:
        self._handle(self._stop)

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._handle(_ignore)
        signal.setitimer(signal.ITIMER_REAL, 0)
        if self._first and not isinstance(error, Stopped):  # it became something else on its way
            raise Stopped(self._first) from error

    def forget(self, *, last: bool) -> None:
        """Put back what the signals did before; at a process's last, let none change how it ends.

        A second stop would kill it by the signal. Nor does SIG_IGN end with the interpreter.
        """
        for signum, handler in self._before.items():
            self._handle(signal.SIG_IGN if last else handler, signum)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._first = self._first or signum
        self._tries += 1
        module = frame.f_globals.get("__name__", "") if frame else ""
        if module.partition(".")[0] in _PLUMBING and self._tries < _TRIES:
            # Again and again: a signal that another thread gets does not wake one that waits.
            signal.setitimer(signal.ITIMER_REAL, _SOON, _SOON)
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._handle(_ignore)
        raise Stopped(self._first)

    def _handle(self, handler: Any, *signals: int) -> None:
        if threading.current_thread() is threading.main_thread():
            for signum in signals or self._before:
                signal.signal(signum, handler)


def _ignore(_signum: int, _frame: object) -> None:
    """Unlike SIG_IGN, this also takes a signal that came in a moment ago."""


class _Formatter(logging.Formatter):
    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(printable_lines(super().format(record)))


@contextmanager
def _log_on_stderr(level: int) -> Iterator[None]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Formatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    )
    before = log.handlers, log.propagate, log.level
    log.handlers, log.propagate = [handler], False
    log.setLevel(level)
    try:
        yield
    finally:
        log.handlers, log.propagate, level_before = before
        log.setLevel(level_before)
