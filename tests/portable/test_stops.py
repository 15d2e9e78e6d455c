"""A job that is stopped or killed, anywhere: nothing half-done, and the next run succeeds.

Moments are counted, in calls (moments.py) or in bytes written: no test waits for a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from archives import file, gz, symlink, tar
from front_door import SCRIPTS, lay

if TYPE_CHECKING:
    from front_door import Container

KILL, TERM, INT = signal.SIGKILL, signal.SIGTERM, signal.SIGINT
SLOW = {"COMPRESSION_LEVEL": "9"}
SIZE = 16_000_000  # takes a while at that level
_PATIENCE = 60  # seconds after which a stopped job hangs
MOMENTS = str(Path(__file__).resolve().parents[1] / "moments.py")
ARCHIVES = {"mims_package.py": "model.tar.gz", "mims_payload.py": "payload.tar.gz"}
HYPERPARAMETERS = b'{"tab_field_list": ["age"], "text_name": "note"}'


class Ending(NamedTuple):
    """How a run ended, and the digests of what it left where outputs go."""

    code: int
    stdout: str
    log: str
    left: dict[str, str]


@pytest.fixture
def small(container: Container) -> Container:
    """A container with a model that has a bit of everything."""
    noise = random.Random(3).getrandbits(8 * 1_200_000).to_bytes(1_200_000, "big")  # noqa: S311
    members = (file("hyperparameters.json", HYPERPARAMETERS), file("w.bin", noise))
    lay(container.model, {"model.tar.gz": gz(tar(*members, symlink("latest", "w.bin")), level=1)})
    return container


@pytest.fixture
def large(container: Container) -> Container:
    """A container with a model that takes a while: random bytes, which nothing compresses."""
    lay(container.model, {"model.bin": os.urandom(SIZE)})
    return container


def start(container: Container, *command: str, **environ: str) -> subprocess.Popen[bytes]:
    """Start a script as the first process of a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-S", *command, "--root", str(container.root)],
        env=environ,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def end(container: Container, process: subprocess.Popen[bytes]) -> Ending:
    """Wait for the end of a script and of every process that it started."""
    with process:
        try:
            stdout, stderr = process.communicate(timeout=_PATIENCE)
        finally:
            process.kill()
    deadline = time.monotonic() + _PATIENCE
    while processes_of(process.pid):
        assert time.monotonic() < deadline, f"it left a process: {processes_of(process.pid)}"
        time.sleep(0.005)
    return Ending(process.returncode, stdout.decode(), stderr.decode(), digests(container))


def digests(container: Container) -> dict[str, str]:
    """What the output folder holds: digests by name, hidden files too."""
    return {
        name: hashlib.sha256((container.output / name).read_bytes()).hexdigest()
        for name in container.outputs()
    }


def processes_of(session: int) -> list[str]:
    """What runs in a session, as /proc tells it; what is dead and not buried does not run."""
    found = []
    for process in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            text = process.read_text()
            state, _, _, its_session = text.rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append(text)
    return found


def finish(container: Container, script: str, moment: str, stop: int, files: str) -> Ending:
    """Run a script and stop it at a moment."""
    path = str(SCRIPTS / script)
    return end(container, start(container, MOMENTS, files, moment, str(int(stop)), path))


def check_stopped(container: Container, ending: Ending, stop: int) -> None:
    """Hold the end of a run to what every script honours when it is stopped."""
    if stop == KILL:
        assert ending.code == -KILL
        return
    assert ending.code == 128 + stop, ending.log
    message = json.loads(container.message.read_bytes())
    assert ending.stdout == json.dumps(message, separators=(",", ":")) + "\n"
    assert (message["status"], message["exit_code"]) == ("stopped", 128 + stop)
    assert message["error"] == f"stopped by {signal.Signals(stop).name}; run it again"


def check_nothing_half_done(container: Container, ending: Ending) -> None:
    """No package, or a whole one: it may have got its name by the time that a stop is heard."""
    if ending.left:
        assert sorted(ending.left) == ["manifest.json", "model.tar.gz"]
        container.packaged()  # the two agree


# ---- anywhere ------------------------------------------------------------------------------------


def stop_anywhere(
    container: Container, script: str, stop: int, files: str, shares: list[float]
) -> None:
    """Stop a script after each share of its calls, with and without an earlier output beside."""
    counted = finish(container, script, "all", stop, files)
    total = next(int(line) for line in counted.log.splitlines() if line.isdigit())
    whole = counted.left
    assert ARCHIVES[script] in whole
    allowed = [{}, whole]
    if stop == KILL:  # nothing holds it back between two names, and the archive gets the last one
        allowed.append({name: whole[name] for name in whole if name != ARCHIVES[script]})
    for number, share in enumerate(shares):
        earlier = number % 2 == 0
        if not earlier:
            for name in whole:
                (container.output / name).unlink()
        ending = finish(container, script, str(1 + int(share * total)), stop, files)
        check_stopped(container, ending, stop)
        left = finished(ending) if (files, stop) == ("hidden", KILL) else ending.left
        assert left == whole if earlier else left in allowed, (share, list(left))
        again = end(container, start(container, str(SCRIPTS / script)))
        assert (again.code, again.left) == (0, whole)


def finished(ending: Ending) -> dict[str, str]:
    """What is left but for hidden files, which the next run sweeps."""
    return {name: ending.left[name] for name in ending.left if not name.startswith(".")}


anywhere = pytest.mark.parametrize("script", list(ARCHIVES))
by_any = pytest.mark.parametrize("stop", [KILL, TERM, INT])
on_any = pytest.mark.parametrize("files", ["unnamed", "hidden"])


@anywhere
@by_any
@on_any
def test_stopped_anywhere(small: Container, script: str, stop: int, files: str) -> None:
    stop_anywhere(small, script, stop, files, [0.3, 0.8])


@pytest.mark.slow
@anywhere
@by_any
@on_any
def test_stopped_in_many_places(small: Container, script: str, stop: int, files: str) -> None:
    chosen = random.Random(f"{script} {stop} {files}")  # noqa: S311 - the same in every run
    stop_anywhere(small, script, stop, files, [0.98 * chosen.random() for _ in range(40)])


@pytest.mark.parametrize("stop", [KILL, TERM])
@pytest.mark.parametrize("moment", ["link.1", "link.2"])
def test_a_package_never_stands_without_its_manifest(
    small: Container, moment: str, stop: int
) -> None:
    ending = finish(small, "mims_package.py", moment, stop, "unnamed")

    check_stopped(small, ending, stop)
    if "model.tar.gz" in ending.left or stop != KILL:
        small.packaged()  # the two agree
    assert small.package().code == 0


@pytest.mark.parametrize("files", ["unnamed", "hidden"])
@pytest.mark.parametrize("stop", [KILL, TERM])
@pytest.mark.parametrize("moment", ["replace.1", "replace.2"])
def test_killed_while_names_change(small: Container, moment: str, stop: int, files: str) -> None:
    small.package()
    before = digests(small)
    (small.model / "new.bin").write_bytes(b"new")

    ending = finish(small, "mims_package.py", moment, stop, files)

    check_stopped(small, ending, stop)
    assert sorted(finished(ending)) == sorted(before)
    killed_between = (stop, moment) == (KILL, "replace.1")
    # The new manifest names another archive than the earlier one: registration refuses the pair.
    assert ending.left["manifest.json"] != before["manifest.json"]
    assert (ending.left["model.tar.gz"] == before["model.tar.gz"]) == killed_between
    assert small.package().code == 0
    assert small.contents("model_artifacts/")["new.bin"] == b"new"


# ---- the process that reads back -----------------------------------------------------------------


def child_of(process: int) -> int:
    """The process that another one has started."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    (child,) = text.split()
    return int(child)


def wait_until_written(process: subprocess.Popen[bytes], folder: Path, size: int) -> None:
    """Wait until the process has written so much of an output, named or not yet."""
    while process.poll() is None:
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                opened = os.readlink(str(descriptor))
                if opened.startswith(f"{folder}/") and descriptor.stat().st_size > size:
                    return
        time.sleep(0.005)
    pytest.fail("it ended before it could be stopped")


def package_until(container: Container, size: int) -> subprocess.Popen[bytes]:
    """Start packaging and return when so much has been written."""
    process = start(container, str(SCRIPTS / "mims_package.py"), **SLOW)
    wait_until_written(process, container.output, size)
    return process


@pytest.mark.parametrize("written", [0, SIZE // 4])
@pytest.mark.parametrize("stop", [KILL, TERM, INT])
def test_stopped_while_it_writes(large: Container, stop: int, written: int) -> None:
    process = package_until(large, written)
    process.send_signal(stop)

    ending = end(large, process)

    check_stopped(large, ending, stop)
    check_nothing_half_done(large, ending)
    assert large.package().code == 0
    assert large.contents("model_artifacts/")["model.bin"]


@pytest.mark.slow
@pytest.mark.parametrize("stop", [KILL, TERM, INT])
def test_stopped_at_any_byte(large: Container, stop: int) -> None:
    chosen = random.Random(stop)  # noqa: S311 - the same in every run
    in_time = 0
    for _ in range(10):
        process = package_until(large, chosen.randrange(SIZE // 2))
        process.send_signal(stop)
        ending = end(large, process)
        check_stopped(large, ending, stop)
        check_nothing_half_done(large, ending)
        in_time += not ending.left
        for name in ending.left:
            (large.output / name).unlink()
    assert in_time > 5  # no stop waits for the end


@pytest.mark.parametrize("stop", [TERM, INT])
def test_a_stop_of_both_processes(large: Container, stop: int) -> None:
    """Ctrl-C in a terminal reaches the process that reads back as well."""
    process = package_until(large, SIZE // 4)
    os.killpg(process.pid, stop)

    ending = end(large, process)

    check_stopped(large, ending, stop)
    check_nothing_half_done(large, ending)


@pytest.mark.parametrize("files", ["unnamed", "hidden"])
@pytest.mark.parametrize("stop", [TERM, INT])
def test_a_stop_of_both_processes_at_once(small: Container, stop: int, files: str) -> None:
    ending = finish(small, "mims_package.py", "fork.1", -stop, files)

    check_stopped(small, ending, stop)
    assert list(ending.left) == []
    assert ending.log.count("stopped by") == 1  # only one process has something to tell


def test_the_reader_is_killed(large: Container) -> None:
    """As when memory is short: nothing that was not read back may be taken for good."""
    process = package_until(large, SIZE // 4)
    os.kill(child_of(process.pid), KILL)

    ending = end(large, process)

    assert ending.code == 70
    assert "its reader ended early" in ending.log
    assert list(ending.left) == []


def test_later_stops_change_nothing(large: Container) -> None:
    process = package_until(large, 0)
    for stop in (TERM, INT, TERM):
        process.send_signal(stop)

    ending = end(large, process)

    assert ending.code in (128 + TERM, 128 + INT)
    check_nothing_half_done(large, ending)


def test_stopped_beside_an_earlier_package(large: Container) -> None:
    large.package()
    before = digests(large)
    process = package_until(large, 0)
    process.send_signal(TERM)

    assert end(large, process).left == before
