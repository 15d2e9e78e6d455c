"""The boundary of a job: how each ending is told, and progress."""

from __future__ import annotations

import io
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Callable, Mapping

import pytest

from front_door import SCRIPTS
from mims.command_line import CommandLine
from mims.contracts import MIMS_PACKAGE_CONTRACT
from mims.errors import InputError, MimsError, ServiceError
from mims.job import MESSAGE_LIMIT, Job, Progress, exit_message, run_job

if TYPE_CHECKING:
    from pathlib import Path

OUTCOME = {"job": "package", "status": "failed", "exit_code": 1}


# ---- the exit message ----------------------------------------------------------------------------


def test_a_short_message_is_whole() -> None:
    line = exit_message(OUTCOME, "it broke", {})
    assert json.loads(line) == {**OUTCOME, "error": "it broke"}


@pytest.mark.parametrize(
    "character",
    [
        "a",
        "é",  # two bytes
        "名",  # three
        "🙂",  # four
        '"',  # escaped in JSON
        "\\",
        "\x00",  # escaped before
        "\n",
        "\udce9",
    ],
)
@pytest.mark.parametrize("length", [0, 900, 950, 951, 952, 953, 954, 955, 1024, 10_000])
def test_a_long_message_is_shortened_and_stays_json(character: str, length: int) -> None:
    line = exit_message(OUTCOME, "what is wrong: " + character * length, {})

    raw = line.encode()
    assert len(raw) <= MESSAGE_LIMIT
    message = json.loads(raw)
    assert {key: message[key] for key in OUTCOME} == OUTCOME
    assert message["error"].startswith("what is wrong: ")
    if message["error"].endswith("…"):
        assert len(raw) > MESSAGE_LIMIT - 40  # no more is cut than has to be
    assert "\n" not in line


def test_entries_of_a_report_go_from_the_last() -> None:
    report = {"sha256": "0" * 64, "size": 5, "arns": ["arn:aws:" + "x" * 500] * 2, "more": 1}

    message = json.loads(exit_message(OUTCOME, "", report))

    assert message == {**OUTCOME, "sha256": "0" * 64, "size": 5, "shortened": True}


def test_no_secret_in_a_message() -> None:
    line = exit_message(OUTCOME, "refused: https://b/k?X-Amz-Signature=abc123&x", {})
    assert "abc123" not in line


def test_a_path_need_not_be_text() -> None:
    line = exit_message(OUTCOME, "", {"package": "/caf\udce9"})
    assert json.loads(line.encode())["package"] == "/caf\udce9"


# ---- endings -------------------------------------------------------------------------------------


def run(flow: Callable[[Job], Mapping[str, Any]], root: Path) -> tuple[int, dict[str, Any]]:
    """Run a flow; give its exit code and its message."""
    code = run_job(CommandLine(MIMS_PACKAGE_CONTRACT, str(root)), flow, {})
    message = json.loads((root / "opt/ml/output/message").read_text("utf-8"))
    assert isinstance(message, dict)
    return code, message


def fails_by(error: BaseException) -> Callable[[Job], Mapping[str, Any]]:
    """A flow that raises."""

    def flow(_: Job) -> Mapping[str, Any]:
        raise error

    return flow


def stops_by(signum: signal.Signals) -> Callable[[Job], Mapping[str, Any]]:
    """A flow in whose middle a signal arrives."""

    def flow(_: Job) -> Mapping[str, Any]:
        os.kill(os.getpid(), signum)
        threading.Event().wait(10)
        return {}

    return flow


@pytest.mark.parametrize(
    ("flow", "code", "error"),
    [
        (fails_by(InputError("mend it")), 1, "mend it"),
        (fails_by(InputError("a", "b")), 1, "2 problems:\n  - a\n  - b"),
        (fails_by(ServiceError("down")), 3, "down"),
        (fails_by(MimsError("reads back differently")), 70, "reads back differently"),
        (fails_by(ValueError("x")), 70, "a bug in mims 0.1.0: ValueError: x"),
        (stops_by(signal.SIGINT), 130, "stopped by SIGINT; run it again"),
        (stops_by(signal.SIGTERM), 143, "stopped by SIGTERM; run it again"),
    ],
)
def test_bad_endings(
    flow: Callable[[Job], Mapping[str, Any]], code: int, error: str, tmp_path: Path
) -> None:
    found, message = run(flow, tmp_path)

    assert (found, message["exit_code"], message["error"]) == (code, code, error)
    assert message["status"] == ("stopped" if code > 128 else "failed")


def stops_amid_locking(_: Job) -> Mapping[str, Any]:
    """A signal arrives in a function of threading's."""
    reached = False
    try:
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).run()
        reached = True
        threading.Event().wait(10)
    finally:
        assert reached, "it was stopped where a lock could have been left locked"
    return {}


def stops_while_it_waits(_: Job) -> Mapping[str, Any]:
    """A signal arrives while threading waits for a lock."""
    threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()
    assert not threading.Event().wait(10)
    return {}


class Thing:
    """Something that a weak reference can lead to."""


def swallows_it(_: Job) -> Mapping[str, Any]:
    """A signal arrives where no exception gets out of."""
    thing = Thing()
    watched = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    del thing
    assert watched() is None
    return {}


def turns_it_into_another(_: Job) -> Mapping[str, Any]:
    """A signal arrives, and cleaning up after it fails."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(10)
    finally:
        raise RuntimeError("release unlocked lock")


@pytest.mark.parametrize(
    "flow", [stops_amid_locking, stops_while_it_waits, swallows_it, turns_it_into_another]
)
# Python tells of what it swallows: the stop itself.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stop_is_a_stop(flow: Callable[[Job], Mapping[str, Any]], tmp_path: Path) -> None:
    code, message = run(flow, tmp_path)

    assert (code, message["error"]) == (143, "stopped by SIGTERM; run it again")
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)  # nothing comes after


@pytest.mark.parametrize("error", [ValueError("x"), InputError("mend it")])
def test_only_a_bug_has_a_traceback(
    error: Exception, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run(fails_by(error), tmp_path)

    assert ("Traceback" in capfd.readouterr().err) == isinstance(error, ValueError)


def test_a_good_ending(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, message = run(lambda _: {"size": 5}, tmp_path)

    assert code == 0
    assert (message["job"], message["status"], message["size"]) == ("package", "done", 5)
    assert json.loads(capfd.readouterr().out) == message


def test_signal_handlers_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)]
    run(stops_by(signal.SIGTERM), tmp_path)
    assert [signal.getsignal(signum) for signum in (signal.SIGINT, signal.SIGTERM)] == before


BUSY = """
import hashlib, sys, threading
from mims.command_line import read_command_line
from mims.contracts import MIMS_PACKAGE_CONTRACT
from mims.job import run_job

def busy():
    while True:
        hashlib.sha256(bytes(1 << 20))

def flow(job):
    for _ in range(6):
        threading.Thread(target=busy, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()

sys.exit(run_job(read_command_line(MIMS_PACKAGE_CONTRACT), flow))
"""


@pytest.mark.slow
def test_several_stops_while_threads_are_busy(tmp_path: Path) -> None:
    """The kernel may give the timer's signal to a thread other than the one that waits.

    Once in seven times it did, for six stops within some milliseconds on one core.
    """
    chosen = random.Random(7)  # noqa: S311 - the same in every run
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", BUSY, "--root", str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PYTHONPATH": str(SCRIPTS)},
        )
        with process:
            assert process.stdout
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
            assert process.stdout.readline() == b"ready\n"
            for _ in range(6):
                process.send_signal(signal.SIGTERM)
                time.sleep(0.004 * chosen.random())
            try:
                process.communicate(timeout=60)
            finally:
                process.kill()
        assert process.returncode == 143


OVER = """
import os, signal, sys
from mims.command_line import read_command_line
from mims.contracts import MIMS_PACKAGE_CONTRACT
from mims.job import run_job

class AtTheEnd:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

at_the_end = AtTheEnd()
code = run_job(read_command_line(MIMS_PACKAGE_CONTRACT), lambda job: {})
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
    os.kill(os.getpid(), number)
sys.exit(code)
"""


def test_a_stop_after_the_end_does_not_change_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OVER, "--root", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={"PYTHONPATH": str(SCRIPTS)},
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stdout) == (0, False), done.stdout


def test_its_caller_keeps_the_log(tmp_path: Path) -> None:
    log = logging.getLogger("mims")
    before = [*log.handlers], log.propagate, log.level
    run(stops_by(signal.SIGTERM), tmp_path)
    assert ([*log.handlers], log.propagate, log.level) == before


def test_runs_in_a_thread(tmp_path: Path) -> None:
    codes = []
    thread = threading.Thread(target=lambda: codes.append(run(lambda _: {}, tmp_path)[0]))
    thread.start()
    thread.join()
    assert codes == [0]


def test_a_log_line_is_one_line_without_secrets(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def flow(_: Job) -> Mapping[str, Any]:
        logging.getLogger("mims").info("%s", "\x1b[2J https://b/k?X-Amz-Signature=abc123")
        return {}

    run(flow, tmp_path)

    assert "INFO    \\x1b[2J https://b/k?X-Amz-Signature=***\n" in capfd.readouterr().err


# ---- progress ------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("total", "lines"),
    [
        (4000, ["packaging: 50%, 2.0 KB of 4.0 KB", "packaging: 100%, 4.0 KB of 4.0 KB"]),
        (0, ["packaging: 2.0 KB", "packaging: 4.0 KB"]),  # nobody knows how much it will be
        (3000, ["packaging: 67%, 2.0 KB of 3.0 KB", "packaging: 100%, 4.0 KB of 3.0 KB"]),
    ],
)
def test_a_line_every_ten_seconds(
    clock: Clock,
    total: int,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    logged = io.StringIO()
    monkeypatch.setattr(logging.getLogger("mims"), "handlers", [logging.StreamHandler(logged)])
    caplog.set_level(logging.INFO, "mims")
    with Progress("packaging", total, io.StringIO(), clock) as progress:
        for clock.now in (5.0, 10.0, 15.0, 20.0):
            progress.advance(1000)
    assert logged.getvalue().splitlines() == lines


def test_a_bar_on_a_terminal(clock: Clock) -> None:
    terminal = Terminal()
    with Progress("packaging", 4000, terminal, clock) as progress:
        for clock.now in (0.1, 0.15, 0.3):
            progress.advance(1000)
    shown = terminal.getvalue()
    assert shown.count("\r") == 3  # two bars, and none at the end
    assert "[######                  ] 25%, 1.0 KB of 4.0 KB" in shown
    assert "[##################      ] 75%, 3.0 KB of 4.0 KB" in shown
    assert shown.endswith("\r\x1b[K")


def test_threads_advance_together(clock: Clock) -> None:
    terminal = Terminal()
    progress = Progress("packaging", 0, terminal, clock)

    def work() -> None:
        for _ in range(1000):
            progress.advance(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.now = 1.0
    progress.advance(0)
    assert "packaging: 8.0 KB" in terminal.getvalue()
