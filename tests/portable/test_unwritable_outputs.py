"""THREATS: full disk, read-only output, output not writable by this user.

Exit 1 with a message that names the path and the reason, no partial file, an earlier output as it
was; once the place is mended, the same command succeeds. The disks are real ones (disks.py).
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

import pytest

from disks import small_disk
from front_door import SCRIPTS, lay
from other_user import package_without, payload_without

if TYPE_CHECKING:
    from front_door import Container, Outcome

MODEL = {"xgboost_model.bst": b"\x00\xffbooster", "hyperparameters.json": b'{"text_name": "t"}'}
FULL = "No space left on device"
PAGE = os.sysconf("SC_PAGE_SIZE")
MOMENTS = str(Path(__file__).resolve().parents[1] / "moments.py")


class Job(NamedTuple):
    """A script, its archive, and how it is run as another user."""

    script: str
    archive: str
    run_without: Callable[..., Outcome]

    def run(self, container: Container) -> Outcome:
        return container.run(self.script)


PACKAGE = Job("mims_package.py", "model.tar.gz", package_without)
PAYLOAD = Job("mims_payload.py", "payload.tar.gz", payload_without)
both = pytest.mark.parametrize("job", [PACKAGE, PAYLOAD], ids=["package", "payload"])


@pytest.fixture
def large(container: Container) -> Container:
    """A container with a model whose outputs take many pages: noise, and thousands of fields."""
    fields = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(5000)]
    hyperparameters = json.dumps({"tab_field_list": fields})
    lay(container.model, {"m.bin": os.urandom(4_000_000), "hyperparameters.json": hyperparameters})
    return container


def digests(container: Container) -> dict[str, str]:
    """The output folder's files by name."""
    return {
        name: hashlib.sha256((container.output / name).read_bytes()).hexdigest()
        for name in container.outputs()
    }


def pages(file: Path) -> int:
    """What a file takes on a disk of pages."""
    return -(-file.stat().st_size // PAGE)


def cannot_write(container: Container, name: str, reason: str) -> str:
    """What the exit message has to say."""
    return f"cannot write {container.output / name}: {reason}"


# ---- full disk -----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("share", [0, 0.5, 1])  # at the first block, halfway, beside the archive
@pytest.mark.parametrize("earlier", [False, True])
def test_full_disk(large: Container, job: Job, share: float, earlier: bool) -> None:
    with small_disk(large, large.output) as disk:
        inside = disk.container
        assert job.run(inside).code == 0
        whole, size = digests(inside), pages(inside.output / job.archive)
        if not earlier:
            for name in whole:
                (inside.output / name).unlink()
        disk.leave(int(share * size) * PAGE)

        outcome = job.run(inside)

        (beside,) = set(whole) - {job.archive}
        full = job.archive if share < 1 else beside
        assert (outcome.code, outcome.message.get("error")) == (1, cannot_write(inside, full, FULL))
        assert digests(inside) == (whole if earlier else {})
        disk.make_room()
        assert job.run(inside).code == 0
        assert digests(inside) == whole


@both
def test_full_disk_that_knows_no_unnamed_files(large: Container, job: Job) -> None:
    with small_disk(large, large.output) as disk:
        disk.leave(8 * PAGE)
        inside = disk.container
        script = [str(SCRIPTS / job.script), "--root", str(inside.root)]
        command = [sys.executable, "-S", MOMENTS, "hidden", "all", "0", *script]
        done = subprocess.run(command, env={}, capture_output=True, text=True, check=False)

        assert done.returncode == 1
        assert json.loads(done.stdout)["error"] == cannot_write(inside, job.archive, FULL)
        assert inside.outputs() == []


@both
@pytest.mark.parametrize("free", [0, 1])  # for neither output, or for one of the two
def test_no_inode_is_left(container: Container, job: Job, free: int) -> None:
    lay(container.model, MODEL)
    with small_disk(container, container.output, options="nr_inodes=4") as disk:
        # one for the disk's root, one for the output folder
        for number in range(2 - free):
            (disk.container.root / f"disk/taken{number}").touch()

        outcome = job.run(disk.container)

        assert outcome.code == 1
        assert outcome.error.endswith(FULL)
        assert outcome.error.startswith(f"cannot write {disk.container.output}/")
        assert disk.container.outputs() == []


@pytest.mark.parametrize("room", [100_000, 3_000_000])  # at the first block, and later
def test_a_limit_on_the_size_of_files(large: Container, room: int) -> None:
    process = large.start("mims_package.py")
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, room))
    outcome = large.end(process)

    assert outcome.code == 1
    assert outcome.error == cannot_write(large, "model.tar.gz", "File too large")
    assert large.outputs() == []


# ---- read-only output ----------------------------------------------------------------------------


@both
def test_read_only_output(container: Container, job: Job) -> None:
    lay(container.model, MODEL)
    with small_disk(container, container.output) as disk:
        inside = disk.container
        job.run(inside)
        before = digests(inside)
        disk.make_read_only()

        outcome = job.run(inside)

        reason = "Read-only file system"
        assert (outcome.code, outcome.error) == (1, cannot_write(inside, job.archive, reason))
        assert digests(inside) == before


@both
def test_output_where_nobody_may_write(container: Container, job: Job) -> None:
    lay(container.model, MODEL)
    container.output.symlink_to("/sys/kernel")  # not even root

    outcome = job.run(container)

    assert outcome.code == 1
    assert cannot_write(container, job.archive, "") in outcome.error


# ---- output not writable by this user ------------------------------------------------------------


@both
def test_output_not_writable_by_this_user(public_container: Container, job: Job) -> None:
    lay(public_container.model, MODEL)
    lay(public_container.output, {})

    outcome = job.run_without(public_container, closed=public_container.output, mode=0o555)

    reason = "Permission denied"
    assert (outcome.code, outcome.error) == (1, cannot_write(public_container, job.archive, reason))
    assert public_container.outputs() == []
    assert job.run(public_container).code == 0


@both
def test_output_that_this_user_cannot_make(public_container: Container, job: Job) -> None:
    lay(public_container.model, MODEL)
    above = public_container.output.parent

    outcome = job.run_without(public_container, closed=above, mode=0o555)

    reason = "Permission denied"
    assert (outcome.code, outcome.error) == (1, cannot_write(public_container, job.archive, reason))


# ---- output of another kind ----------------------------------------------------------------------


@both
def test_output_is_a_file(container: Container, job: Job) -> None:
    lay(container.model, MODEL)
    container.output.write_text("somebody's")

    outcome = job.run(container)

    assert outcome.code == 1
    assert cannot_write(container, job.archive, "") in outcome.error
    assert container.output.read_text() == "somebody's"


@both
def test_a_folder_where_the_archive_goes(container: Container, job: Job) -> None:
    lay(container.model, MODEL)
    lay(container.output, {job.archive: None})

    outcome = job.run(container)

    assert outcome.code == 1
    assert outcome.error == cannot_write(container, job.archive, "Is a directory")
    assert (container.output / job.archive).is_dir()


# ---- the exit message ----------------------------------------------------------------------------


@both
@pytest.mark.parametrize("how", ["full", "read-only", "a file", "a folder"])
def test_no_place_for_the_exit_message(container: Container, job: Job, how: str) -> None:
    """The job goes on, and stdout tells."""
    lay(container.model, MODEL)
    message = container.message.parent
    with small_disk(container, *([message] if how in ("full", "read-only") else [])) as disk:
        if how == "full":
            disk.leave(0)
        elif how == "read-only":
            disk.make_read_only()
        else:
            lay(message.parent, {"output": ""} if how == "a file" else {"output/message": None})
        inside = disk.container
        done = subprocess.run(
            inside.command(job.script), env={}, capture_output=True, text=True, check=False
        )

        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["status"] == "done"
        assert job.archive in inside.outputs()
        if how == "full":
            assert (inside.message.read_bytes() if inside.message.exists() else b"") == b""
