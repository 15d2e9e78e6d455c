"""THREATS: what the package script and the payload script do with broken and hostile models.

The rows that an archive can hold; the archives are in tests/archive_cases.py and odd_archives.py.
test_threats_files.py has loose files, tests/test_registration_threats.py registration's reading
and the list of all rows.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from archive_cases import HOSTILE
from archives import base256, file, folder, gz, symlink, tar, unpacked
from front_door import lay
from mims.archive.links import read_resolved
from mims.archive.names import ArchiveError
from mims.archive.reader import FILE, FOLDER, Limits
from odd_archives import ODD

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


@pytest.mark.parametrize("case", list(HOSTILE))
def test_payload_refuses(container: Container, case: str) -> None:
    lay(container.model, {"model.tar.gz": HOSTILE[case].build()})

    outcome = container.payload_here(**dict(HOSTILE[case].settings))

    assert outcome.code == 1
    for part in HOSTILE[case].says:
        assert part in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize("case", list(ODD))
def test_package_takes(container: Container, case: str) -> None:
    lay(container.model, {"model.tar.gz": ODD[case].build()})

    outcome = container.package_here()

    assert outcome.code == 0
    assert container.contents("model_artifacts/") == ODD[case].holds


# It says only that there are no hyperparameters: it has read all of the archive.
@pytest.mark.parametrize("case", list(ODD))
def test_payload_takes(container: Container, case: str) -> None:
    lay(container.model, {"model.tar.gz": ODD[case].build()})

    outcome = container.payload_here()

    assert outcome.code == 1
    assert outcome.error.startswith(f"no hyperparameters.json in {container.model}")


@pytest.mark.parametrize("case", list(ODD))
def test_gnu_tar_sees_the_same(tmp_path: Path, case: str) -> None:
    """The table itself is right."""
    (tmp_path / "model").write_bytes(ODD[case].build())
    holds = ODD[case].holds

    seen = as_gnu_tar_unpacks(tmp_path / "model", tmp_path / "unpacked")

    parents = {name for name in seen if seen[name] is None and name not in holds}
    assert {name: seen[name] for name in seen if name not in parents} == holds


def as_gnu_tar_unpacks(archive: Path, folder: Path) -> dict[str, bytes | None]:
    """Files by name, behind links too; None is a folder. Of times past all clocks tar complains."""
    folder.mkdir()
    command = ["tar", "-x", "--warning=none", "-f", str(archive), "-C", str(folder)]
    subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
    return {
        found.relative_to(folder).as_posix(): None if found.is_dir() else found.read_bytes()
        for found in folder.rglob("*")
    }


FORMATS = ["v7", "oldgnu", "gnu", "ustar", "posix"]


@pytest.mark.parametrize("form", FORMATS)
def test_what_gnu_tar_writes(container: Container, tmp_path: Path, form: str) -> None:
    """A folder as a trainer leaves it, in every format that GNU tar knows."""
    lay(
        tmp_path / "made",
        {
            "model.bin": os.urandom(20_000),
            "run.sh": "#!/bin/sh\n",
            "d/" * 20 + "vocabulary.txt": "模型\n",
            "模型 é.json": "{}",
            ".hidden/.file": "",
            "empty/folder": None,
        },
    )
    (tmp_path / "made/run.sh").chmod(0o750)
    (tmp_path / "made/latest").symlink_to("model.bin")
    os.link(str(tmp_path / "made/model.bin"), str(tmp_path / "made/zz-same.bin"))
    lay(container.model, {})
    archive = container.model / "model.tar.gz"
    command = [
        "tar",
        "-c",
        "-z",
        f"--format={form}",
        "-f",
        str(archive),
        "-C",
        str(tmp_path / "made"),
    ]
    subprocess.run([*command, "."], check=True)

    assert container.package_here().code == 0

    seen = as_gnu_tar_unpacks(archive, tmp_path / "seen")
    packaged = unpacked(container.output / "model.tar.gz", tmp_path / "packaged")
    place = "model_artifacts/"
    assert {n[len(place) :]: packaged[n] for n in packaged if n.startswith(place)} == seen
    modes = {name: member.mode for name, member in container.packaged().items()}
    assert (modes[f"{place}run.sh"], modes[f"{place}model.bin"]) == (0o755, 0o644)


@pytest.mark.parametrize(
    ("case", "copies"),
    [
        ("links-inside/symlink", {"l": "model.bin"}),
        ("links-inside/symlink-from-below", {"a/b/l": "model.bin"}),
        # a row of links is followed to its end
        ("links-inside/symlinks-in-a-row", dict.fromkeys("123", "model.bin")),
        ("links-inside/hard-link-to-a-hard-link", {"k": "model.bin", "l": "model.bin"}),
    ],
)
def test_package_notes_copies(container: Container, case: str, copies: dict[str, str]) -> None:
    lay(container.model, {"model.tar.gz": ODD[case].build()})

    container.package_here()

    rows = container.manifest()["members"]
    noted = {row["name"]: row["copy_of"] for row in rows if "copy_of" in row}
    assert noted == {f"model_artifacts/{k}": f"model_artifacts/{v}" for k, v in copies.items()}


@pytest.mark.parametrize(
    ("case", "names"),
    [
        ("alike/differ-in-case", "'model_artifacts/model.bin' and 'model_artifacts/Model.bin'"),
        (
            "alike/differ-in-normalisation",
            "'model_artifacts/caf\u00e9' and 'model_artifacts/cafe\u0301'",
        ),
    ],
)
def test_package_warns(container: Container, case: str, names: str) -> None:
    lay(container.model, {"model.tar.gz": ODD[case].build()})

    outcome = container.package_here()

    assert f"WARNING {names} are one name to some file systems" in outcome.log


@pytest.mark.parametrize(
    ("mode", "packaged"),
    [
        pytest.param(0o644, 0o644, id="modes/usual"),
        pytest.param(0o600, 0o644, id="modes/private"),
        pytest.param(0o755, 0o755, id="modes/program"),
        pytest.param(0o100, 0o755, id="modes/program-of-its-owner"),
        pytest.param(0o610, 0o755, id="modes/program-of-its-group"),
        pytest.param(0o601, 0o755, id="modes/program-of-others"),
        pytest.param(0o4755, 0o755, id="modes/setuid"),
        pytest.param(0o2755, 0o755, id="modes/setgid"),
        pytest.param(0o1755, 0o755, id="modes/sticky"),
        pytest.param(0o666, 0o644, id="modes/world-writable"),
        pytest.param(0o7777, 0o755, id="modes/all"),
        pytest.param(0, 0o644, id="modes/none"),
    ],
)
def test_package_strips(container: Container, mode: int, packaged: int) -> None:
    lay(container.model, {"model.tar.gz": gz(tar(file("m", b"m", mode=mode)))})

    container.package_here()

    assert container.packaged()["model_artifacts/m"].mode == packaged


@pytest.mark.parametrize("case", ["extensions/pax-of-no-interest", "real/macos"])
def test_package_passes_no_foreign_record_on(container: Container, case: str) -> None:
    lay(container.model, {"model.tar.gz": ODD[case].build()})

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


# What hyperparameters.json may be, and its fields as they are sent; None is a clear error.
HYPERPARAMETERS = {
    "is-no-json": (b"{", None),
    "is-empty": (b"", None),
    "is-no-object": (b'["a"]', None),
    "is-huge": (b'{"field_info": {"a": "text"}, "x": "' + b"x" * 70_000_000 + b'"}', None),
    "is-deep": (b'{"a":' * 100_000, None),
    "says-a-key-twice": (b'{"field_info": {"a": "text", "a": "numeric"}}', None),
    "is-not-a-number": (b'{"field_info": NaN}', None),
    "has-a-field-without-a-name": (b'{"field_info": {"": "text"}}', None),
    "has-a-field-twice": (b'{"tab_field_list": ["a", "a"]}', None),
    "has-a-field-that-is-no-text": (b'{"field_info": {"\\ud800": "text"}}', None),
    "has-a-byte-order-mark": (b'\xef\xbb\xbf{"field_info": {"a": "text"}}', ["a"]),
    "is-utf-16": ('{"field_info": {"a": "text"}}'.encode("utf-16"), ["a"]),
    "has-commas": (b'{"field_info": {"a,b": "text"}}', ["a,b"]),
    "has-quotes": (b'{"field_info": {"a\\"b\\"": "text", "\'": "text"}}', ['a"b"', "'"]),
    "has-newlines": (b'{"field_info": {"a\\r\\nb": "text", "c": "text"}}', ["a\r\nb", "c"]),
}


@pytest.mark.parametrize("case", [f"hyperparameters/{case}" for case in HYPERPARAMETERS])
def test_payload_of_odd_hyperparameters(container: Container, case: str) -> None:
    raw, fields = HYPERPARAMETERS[case.partition("/")[2]]
    lay(container.model, {"hyperparameters.json": raw})

    outcome = container.payload_here(CONTENT_TYPES="text/csv,application/json")

    if fields is None:
        assert outcome.code == 1
        assert "hyperparameters.json" in outcome.error or "field" in outcome.error
        assert container.outputs() == []
    else:
        assert outcome.code == 0
        samples = container.samples()
        header, *_ = csv.reader(io.StringIO(samples["text_csv/sample_payload.csv"], newline=""))
        assert header == fields
        (record,) = json.loads(samples["application_json/sample_payload.json"])["instances"]
        assert list(record) == fields


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
