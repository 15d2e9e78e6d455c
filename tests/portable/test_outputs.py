"""Outputs: there when they are complete, and not before."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from mims import outputs
from mims.errors import InputError
from mims.outputs import Output, publish_together, writing


@pytest.fixture(params=["unnamed", "hidden"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A final path, with and without the kernel's files without a name."""
    if request.param == "hidden":
        monkeypatch.setattr(outputs, "_UNNAMED", 0)
    return tmp_path / "new" / "folder" / "model.tar.gz"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_published_when_complete(path: Path) -> None:
    with Output(path) as output:
        output.file.write(b"whole")
        assert not path.exists()
        output.publish()
    assert path.read_bytes() == b"whole"
    assert names_in(path.parent) == ["model.tar.gz"]


def test_nothing_is_left_of_what_was_not_published(path: Path) -> None:
    with Output(path) as output:
        output.file.write(b"half")
    assert names_in(path.parent) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_after_an_error(path: Path, error: type[BaseException]) -> None:
    output = Output(path).__enter__()
    output.file.write(b"half")
    output.__exit__(error, error(), None)
    assert names_in(path.parent) == []


def test_an_earlier_file_stays_until_its_successor_is_complete(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old")
    with Output(path) as output:
        output.file.write(b"new")
        assert path.read_bytes() == b"old"
        output.publish()
    assert path.read_bytes() == b"new"


def test_what_a_killed_run_left_is_swept(path: Path) -> None:
    path.parent.mkdir(parents=True)
    (path.parent / ".model.tar.gz.0123abcd.partial").write_bytes(b"half")
    (path.parent / ".other.tar.gz.0123abcd.partial").write_bytes(b"another's")
    with Output(path) as output:
        output.publish()
    names = names_in(path.parent)
    assert names == [".other.tar.gz.0123abcd.partial", "model.tar.gz"]


class InterruptError(Exception):
    """What the signal of these tests raises."""


class Stopping(Output):
    """An output while whose name is given a stop arrives."""

    def publish(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        super().publish()


def interrupt(_signum: int, _frame: object) -> None:
    raise InterruptError


@pytest.mark.parametrize("others", [0, 1])
def test_a_stop_comes_before_or_after_all_names(path: Path, others: int) -> None:
    """With threads too: a signal goes to any that does not block it."""
    done = threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(others)]
    for thread in threads:
        thread.start()
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        one, other = Stopping(path), Output(path.with_name("other"))
        with pytest.raises(InterruptError), one, other:
            publish_together(one, other)
    finally:
        signal.signal(signal.SIGTERM, before)
        done.set()
    assert names_in(path.parent) == ["model.tar.gz", "other"]


def test_where_one_has_no_room_none_gets_its_name(path: Path) -> None:
    with Output(path) as one, Output(path.with_name("other")) as other:
        other.file.close()
        other.file = Path("/dev/full").open("r+b")  # noqa: SIM115 - the output closes it
        other.file.write(b"more than there is room for")
        with pytest.raises(InputError, match="other: No space left on device"):
            publish_together(one, other)
    assert names_in(path.parent) == []


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o000, 0o666)])
def test_the_umask_is_heeded(path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with Output(path) as output:
            output.publish()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == mode


def test_what_was_written_can_be_read_back(path: Path) -> None:
    with Output(path) as output:
        output.file.write(b"whole")
        output.file.seek(0)
        assert output.file.read() == b"whole"


def test_faults_name_the_place(path: Path) -> None:
    says = "cannot write /some/where: No space left on device"
    with pytest.raises(InputError, match=says), writing(Path("/some/where")):
        raise OSError(28, "No space left on device")
    path.parent.parent.write_bytes(b"")
    with pytest.raises(InputError, match=f"cannot write {path}: Not a directory"):
        Output(path).__enter__()
