"""THREATS, as far as an archive can hold it: what must be refused is, what is only odd is taken.

The table is tests/archive_cases.py.
"""

from __future__ import annotations

import posixpath
import tarfile
from typing import TYPE_CHECKING

import pytest

from archive_cases import HOSTILE, ODD, TAKEN
from archives import base256, file, folder, gz, listing, symlink, tar, unpacked
from front_door import lay
from mims.archive.links import read_resolved
from mims.archive.names import ArchiveError
from mims.archive.reader import FILE, FOLDER, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from front_door import Container


@pytest.mark.parametrize("case", list(HOSTILE))
def test_package_refuses(container: Container, case: str) -> None:
    hostile = HOSTILE[case]
    lay(container.model, {"model.tar.gz": hostile.build()})

    outcome = container.package_here(**dict(hostile.settings))

    assert outcome.code == 1
    assert str(container.model / "model.tar.gz") in outcome.error
    for part in hostile.says:
        assert part in outcome.error
    assert container.outputs() == []


# A bomb's limits are settings of the package script; the payload script has the usual ones.
@pytest.mark.parametrize("case", [case for case in HOSTILE if not HOSTILE[case].settings])
def test_payload_refuses(container: Container, case: str) -> None:
    lay(container.model, {"model.tar.gz": HOSTILE[case].build()})

    outcome = container.payload_here()

    assert outcome.code == 1
    for part in HOSTILE[case].says:
        assert part in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize("case", list(ODD))
def test_package_takes(container: Container, tmp_path: Path, case: str) -> None:
    holds = ODD[case].holds
    lay(container.model, {"model.tar.gz": ODD[case].build()})

    outcome = container.package_here()

    assert outcome.code == 0
    assert container.contents("model_artifacts/") == holds
    found = unpacked(container.output / "model.tar.gz", tmp_path / "unpacked")
    place = "model_artifacts/"
    model = {name[len(place) :]: found[name] for name in found if name.startswith(place)}
    parents = [name for name in model if model[name] is None and name not in holds]
    assert {name: model[name] for name in model if name not in parents} == holds


# Unlike GNU tar, tarfile heeds a prefix where GNU's headers have other fields.
@pytest.mark.parametrize("case", sorted(set(TAKEN) - {"gnu-times-in-place-of-a-prefix"}))
def test_another_reader_sees_the_same(tmp_path: Path, case: str) -> None:
    """The table itself is right."""
    (tmp_path / "model").write_bytes(TAKEN[case].build())

    members = listing(tmp_path / "model")

    found = {posixpath.normpath(name): members[name] for name in members}
    found.pop(".", None)
    contents = {n: None if found[n].kind == "directory" else found[n].content for n in found}
    assert contents == TAKEN[case].holds


@pytest.mark.parametrize(
    ("case", "copies"),
    [
        ("symlink", {"l": "model.bin"}),
        ("symlink-from-below", {"a/b/l": "model.bin"}),
        # a row of links is followed to its end
        ("symlinks-in-a-row", dict.fromkeys("123", "model.bin")),
        ("hard-link-to-a-hard-link", {"k": "model.bin", "l": "model.bin"}),
    ],
)
def test_manifest_notes_copies(container: Container, case: str, copies: dict[str, str]) -> None:
    lay(container.model, {"model.tar.gz": ODD[case].build()})

    container.package_here()

    rows = container.manifest()["members"]
    noted = {row["name"]: row["copy_of"] for row in rows if "copy_of" in row}
    assert noted == {f"model_artifacts/{k}": f"model_artifacts/{v}" for k, v in copies.items()}


@pytest.mark.parametrize(
    ("case", "names"),
    [
        ("differ-in-case", "'model_artifacts/model.bin' and 'model_artifacts/Model.bin'"),
        ("differ-in-normalisation", "'model_artifacts/caf\u00e9' and 'model_artifacts/cafe\u0301'"),
    ],
)
def test_names_alike_are_warned_of(container: Container, case: str, names: str) -> None:
    lay(container.model, {"model.tar.gz": ODD[case].build()})

    outcome = container.package_here()

    assert f"WARNING {names} are one name to some file systems" in outcome.log


@pytest.mark.parametrize(
    ("mode", "packaged"),
    [
        (0o644, 0o644),
        (0o600, 0o644),
        (0o755, 0o755),
        (0o100, 0o755),  # whoever may execute it
        (0o4755, 0o755),  # setuid
        (0o2755, 0o755),  # setgid
        (0o1755, 0o755),  # sticky
        (0o666, 0o644),  # world-writable
        (0o777, 0o755),
        (0, 0o644),
    ],
)
def test_dangerous_modes_are_stripped(container: Container, mode: int, packaged: int) -> None:
    lay(container.model, {"model.tar.gz": gz(tar(file("m", b"m", mode=mode)))})

    container.package_here()

    assert container.packaged()["model_artifacts/m"].mode == packaged


def test_no_foreign_record_passes_on(container: Container) -> None:
    lay(container.model, {"model.tar.gz": TAKEN["pax-of-no-interest"].build()})

    container.package_here()

    with tarfile.open(str(container.output / "model.tar.gz")) as package:
        for member in package:
            assert not member.pax_headers
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")


def test_times_that_no_system_can_set_are_clamped(container: Container) -> None:
    old = file("old", mtime=base256(-62135596800))  # year 1: Go's zero time
    late = file("late", mtime=base256(2**80))
    lay(container.model, {"model.tar.gz": gz(tar(old, late))})

    container.package_here()

    members = container.packaged()
    assert members["model_artifacts/old"].mtime == 0
    assert members["model_artifacts/late"].mtime == 8**11 - 1


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    whole = gz(tar(folder("d/"), file("d/a", b"abc" * 100), symlink("l", "d/a")))
    for length in range(len(whole)):
        assert refused_or_same(whole[:length], tmp_path) == "refused", length


def test_flipped_bits_are_noticed_or_harmless(tmp_path: Path) -> None:
    whole = gz(tar(folder("d/"), file("d/a", b"abc" * 100), symlink("l", "d/a")))
    outcomes = set()
    for place in range(0, 8 * len(whole), 3):  # every third, so every bit of a byte in its turn
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        outcomes.add(refused_or_same(bytes(changed), tmp_path))
    # Harmless: the time and the system in gzip's own header.
    assert outcomes == {"refused", "same"}


def refused_or_same(data: bytes, folder: Path) -> str:
    """Read an archive; what is not refused must be what was written."""
    path = folder / "model.tar.gz"
    path.write_bytes(data)
    try:
        found = [
            (member.name, member.kind, b"".join(content))
            for member, content in read_resolved(path, Limits(), lambda _: None)
        ]
    except ArchiveError:
        return "refused"
    text = b"abc" * 100
    assert found == [("d", FOLDER, b""), ("d/a", FILE, text), ("l", FILE, text)]
    return "same"
