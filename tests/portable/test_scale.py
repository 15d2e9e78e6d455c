"""Models large and many: memory stays what it was, and no disk is used but the output's.

Their archives are put together of pieces, so that a member of gigabytes takes megabytes of disk.
"""

from __future__ import annotations

import hashlib
import os
import random
import resource
import stat
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, NamedTuple

import pytest

from archives import END, file, gz, header, pax
from front_door import SCRIPTS, lay

if TYPE_CHECKING:
    from front_door import Container, Outcome

MIB = 1024 * 1024
MOST = 96  # MiB, at any size
A_MEMBER = 1  # KiB more for each: its name, digests and place
ALIKE = 8  # MiB by which two runs on one machine may differ
_PATIENCE = 300  # seconds after which a run hangs
HYPERPARAMETERS = b'{"tab_field_list": ["age"]}'
# Linux counts from what a process's parent had, so it takes a small parent to measure.
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss // 1024, file=sys.stderr)
sys.exit(status >> 8)
"""
WORDS = [
    "model",
    "modèle",
    "модель",
    "μοντέλο",
    "模型",
    "モデル",
    "모델",
    "نموذج",
    "מודל",
    "मॉडल",
    "แบบจำลอง",
    "mo\u0302 hi\u0300nh",  # decomposed
    "🧠 1",
]


class Measured(NamedTuple):
    """How a run ended, and the peak of its largest process in MiB."""

    outcome: Outcome
    peak: int


def measure(container: Container, script: str, **environ: str) -> Measured:
    """Run a script with what the machine has, isal too, and measure it."""
    command = [sys.executable, str(SCRIPTS / script), "--root", str(container.root)]
    done = subprocess.run(
        [sys.executable, "-S", "-c", MEASURE, *command],
        env=environ,
        capture_output=True,
        timeout=_PATIENCE,
        check=False,
    )
    log, _, peak = done.stderr.decode().rstrip("\n").rpartition("\n")
    return Measured(container.checked(done.returncode, done.stdout.decode(), log), int(peak))


# ---- large ---------------------------------------------------------------------------------------

CHUNK = 16 * MIB
NOISE = random.Random(5).getrandbits(8 * 256 * 1024).to_bytes(256 * 1024, "big")  # noqa: S311
LARGE = 513  # chunks: over 8 GiB


def write_archive(path: Path, chunks: int) -> None:
    """An archive of one large member and a small one: a piece of gzip after the other."""
    big = gz(NOISE + bytes(CHUNK - len(NOISE)), level=1)
    size = b"%d" % (chunks * CHUNK)
    with path.open("wb") as archive:
        archive.write(gz(pax((b"size", size)) + header("weights.bin")))
        for _ in range(chunks):
            archive.write(big)
        archive.write(gz(file("hyperparameters.json", HYPERPARAMETERS) + END))


@pytest.fixture
def archived(container: Container) -> Container:
    """A container with an empty model folder, for an archive."""
    lay(container.model, {})
    return container


def test_memory_stays_below_a_limit(archived: Container) -> None:
    write_archive(archived.model / "model.tar.gz", 12)

    process = archived.start("mims_package.py")
    resource.prlimit(process.pid, resource.RLIMIT_DATA, (MOST * MIB,) * 2)
    outcome = archived.end(process)

    assert outcome.code == 0
    assert outcome.message["unpacked_size"] > 12 * CHUNK


@pytest.mark.slow
@pytest.mark.parametrize("script", ["mims_package.py", "mims_payload.py"])
def test_a_member_over_eight_gigabytes_of_an_archive(archived: Container, script: str) -> None:
    peaks = []
    for chunks in (6, LARGE):  # 100 MB, and over 8 GiB
        write_archive(archived.model / "model.tar.gz", chunks)
        outcome, peak = measure(archived, script)
        assert outcome.code == 0
        peaks.append(peak)

    assert max(peaks) <= MOST
    assert peaks[1] <= peaks[0] + ALIKE
    if script == "mims_package.py":
        check_package(archived)


@pytest.mark.slow
def test_a_loose_file_over_eight_gigabytes(container: Container) -> None:
    lay(container.model, {"weights.bin": NOISE})
    os.truncate(str(container.model / "weights.bin"), LARGE * CHUNK)  # takes no disk

    outcome, peak = measure(container, "mims_package.py")

    assert outcome.code == 0
    assert peak <= MOST
    check_package(container)


def check_package(container: Container) -> None:
    """Hold the package to what is seen without unpacking gigabytes; the job has read it back."""
    path = container.output / "model.tar.gz"
    with tarfile.open(str(path)) as package:
        large = next(member for member in package if member.name.endswith("/weights.bin"))
    assert large.size == LARGE * CHUNK
    rows = container.manifest()["members"]
    contents = sum(row.get("size", 0) for row in rows)
    with path.open("rb") as archive:
        archive.seek(-4, os.SEEK_END)
        unpacked = int.from_bytes(archive.read(), "little")  # modulo 2**32: RFC 1952, ISIZE
    assert 512 * len(rows) < (unpacked - contents) % 2**32 < 2048 * len(rows) + 10240


def test_no_disk_is_used_but_the_output_s(container: Container, tmp_path: Path) -> None:
    """In its middle, whatever a job holds open for writing lies where its outputs go."""
    lay(container.model, {"weights.bin": os.urandom(16_000_000)})
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = container.start("mims_package.py", TMPDIR=str(temporary), COMPRESSION_LEVEL="9")
    written: dict[str, int] = {}
    while not any(size > CHUNK // 4 for size in written.values()):
        assert process.poll() is None, "it ended before it was looked at"
        written = open_for_writing(process.pid)
        time.sleep(0.005)

    assert {Path(path).parent for path in written} == {container.output}
    assert container.end(process).code == 0
    assert list(temporary.iterdir()) == []


def open_for_writing(process: int) -> dict[str, int]:
    """Sizes of the regular files that a process and its child can write to, by path."""
    found = {}
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    for one in (str(process), *children):
        for descriptor in Path(f"/proc/{one}/fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                path, status = os.readlink(str(descriptor)), descriptor.stat()
                flags = Path(f"/proc/{one}/fdinfo/{descriptor.name}").read_text().split()[3]
                if stat.S_ISREG(status.st_mode) and int(flags, 8) & os.O_ACCMODE != os.O_RDONLY:
                    found[path] = status.st_size
    return found


# ---- many ----------------------------------------------------------------------------------------

MANY = 100_000


def names(count: int) -> Iterator[str]:
    """Names in many languages, a thousand to a folder."""
    for number in range(count):
        word = WORDS[number % len(WORDS)]
        yield f"{WORDS[number // 1000 % len(WORDS)]} {number // 1000}/{word} {number}.json"


def many_files(model: Path) -> None:
    for name in names(MANY):
        path = model / name
        if name.endswith("000.json") or not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (model / "hyperparameters.json").write_bytes(HYPERPARAMETERS)


def many_members(model: Path) -> None:
    with (model / "model.tar.gz").open("wb") as archive:
        members = [pax((b"path", name.encode())) + file("-", name.encode()) for name in names(MANY)]
        for start in range(0, MANY, 1000):
            archive.write(gz(b"".join(members[start : start + 1000]), level=1))
        archive.write(gz(file("hyperparameters.json", HYPERPARAMETERS) + END))


@pytest.mark.slow
@pytest.mark.parametrize("lay_model", [many_files, many_members])
def test_a_hundred_thousand_files(archived: Container, lay_model: object) -> None:
    assert callable(lay_model)
    lay_model(archived.model)

    outcome, peak = measure(archived, "mims_package.py")

    assert outcome.code == 0
    files = [row for row in archived.manifest()["members"] if row["type"] == "file"]
    found = {row["name"]: row["sha256"] for row in files}
    assert len(found) == MANY + 2
    for name in names(MANY):
        digest = hashlib.sha256(name.encode()).hexdigest()
        assert found[f"model_artifacts/{name}"] == digest
    with tarfile.open(str(archived.output / "model.tar.gz")) as package:
        assert {member.name for member in package if member.isreg()} == set(found)
    assert measure(archived, "mims_payload.py").peak <= MOST
    assert peak <= 32 + MANY * A_MEMBER / 1024
