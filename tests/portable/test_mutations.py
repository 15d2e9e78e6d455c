"""Archives that nobody thought of: each is refused, or read as GNU tar reads it.

Property-based; the strategies are in tests/mutants.py. `slow` is the same, longer, and through the
package script to its end. tests/test_registration_threats.py has registration's reading.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest
from hypothesis import given

from archives import file, gz, tar, unpacked
from front_door import Container, lay
from mims.archive.links import read_resolved
from mims.archive.reader import FOLDER, Limits
from mims.errors import InputError
from mutants import GOOD, any_damage, any_headers, damaged, thorough

if TYPE_CHECKING:
    from typing import Dict, Optional

    Contents = Dict[str, Optional[bytes]]  # None is a folder


def read(archive: Path, _: Path) -> Contents | None:
    """What both scripts read an archive with sees; None if it refuses."""
    try:
        return {
            member.name: None if member.kind == FOLDER else b"".join(content)
            for member, content in read_resolved(archive, Limits(ratio=10_000), lambda _: None)
        }
    except InputError:
        return None


def packaged(archive: Path, place: Path) -> Contents | None:
    """What GNU tar unpacks from the package that the script makes; None if it refuses."""
    container = Container(place / "root")
    lay(container.script, {"inference.py": ""})
    lay(container.model, {"model.tar.gz": archive.read_bytes()})
    outcome = container.package_here(MAX_COMPRESSION_RATIO="10000")
    if outcome.code == 1:
        assert container.outputs() == []
        return None
    assert outcome.code == 0
    found = unpacked(container.output / "model.tar.gz", place / "package")
    prefix = "model_artifacts/"
    return {name[len(prefix) :]: found[name] for name in found if name.startswith(prefix)}


def refused_or_as_gnu_tar_reads(
    data: bytes, reader: Callable[[Path, Path], Contents | None] = read
) -> str:
    """Check the property for one archive."""
    with tempfile.TemporaryDirectory() as folder:
        place, archive = Path(folder), Path(folder) / "archive"
        archive.write_bytes(data)
        found = reader(archive, place)
        if found is None:
            return "refused"
        seen = as_gnu_tar_unpacks(archive, place / "unpacked")
    parents = {name for name in seen if seen[name] is None} - set(found)
    assert found == {name: seen[name] for name in seen if name not in parents}
    return "taken"


def as_gnu_tar_unpacks(archive: Path, folder: Path) -> Contents:
    """Files by name, whatever tar says of them."""
    folder.mkdir()
    command = ["tar", "-x", "--warning=none", "-f", str(archive), "-C", str(folder)]
    subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
    subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=True)
    return {
        entry.relative_to(folder).as_posix(): None if entry.is_dir() else entry.read_bytes()
        for entry in folder.rglob("*")
    }


@given(any_headers)
@thorough(200)
def test_any_headers(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data)


@given(any_damage)
@thorough(150)
def test_any_damage(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data)


@pytest.mark.slow
@given(any_headers)
@thorough(10_000)
def test_any_headers_for_long(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data)


@pytest.mark.slow
@given(any_damage)
@thorough(10_000)
def test_any_damage_for_long(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data)


@pytest.mark.slow
@given(any_headers)
@thorough(500)
def test_any_headers_packaged(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data, packaged)


@pytest.mark.slow
@given(any_damage)
@thorough(500)
def test_any_damage_packaged(data: bytes) -> None:
    refused_or_as_gnu_tar_reads(data, packaged)


@pytest.mark.parametrize("reader", [read, packaged])
def test_the_undamaged_is_taken(reader: Callable[[Path, Path], Contents | None]) -> None:
    assert refused_or_as_gnu_tar_reads(gz(GOOD), reader) == "taken"


# ---- the payload script: what it makes of hyperparameters.json ----------------------------------

HYPERPARAMETERS = b'{"field_info": {"alpha": "numeric", "beta": "text", "gamma": "numeric"}}'
TRAINED = tar(
    file("a", b"first"), file("hyperparameters.json", HYPERPARAMETERS), file("z", bytes(600))
)


def refused_or_the_fields_that_gnu_tar_sees(data: bytes) -> str:
    """Check the property for one archive."""
    with tempfile.TemporaryDirectory() as folder:
        container = Container(Path(folder))
        lay(container.model, {"model.tar.gz": data})
        outcome = container.payload_here()
        if outcome.code == 1:
            assert container.outputs() == []
            return "refused"
        assert outcome.code == 0
        metadata = json.loads(container.samples()["metadata.json"])
        # The script stops reading where it has found them; so does tar.
        command = ["tar", "-x", "-O", "--occurrence=1", "-f", str(container.model / "model.tar.gz")]
        seen = subprocess.run(
            [*command, "hyperparameters.json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
        ).stdout
    assert [field["name"] for field in metadata["fields"]] == list(json.loads(seen)["field_info"])
    return "taken"


@given(damaged(TRAINED))
@thorough(60)
def test_any_damage_to_hyperparameters(data: bytes) -> None:
    refused_or_the_fields_that_gnu_tar_sees(data)


@pytest.mark.slow
@given(damaged(TRAINED))
@thorough(3_000)
def test_any_damage_to_hyperparameters_for_long(data: bytes) -> None:
    refused_or_the_fields_that_gnu_tar_sees(data)


def test_undamaged_hyperparameters_are_taken() -> None:
    assert refused_or_the_fields_that_gnu_tar_sees(gz(TRAINED)) == "taken"
