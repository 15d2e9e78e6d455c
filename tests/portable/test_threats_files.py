"""THREATS: loose files, links, pipes and files that change, in each channel of both scripts."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Callable

import pytest

from archives import file, gz, symlink, tar
from file_cases import CHANGES, LOOSE, as_nobody, once_opened
from front_door import lay

if TYPE_CHECKING:
    from pathlib import Path

    from front_door import Container, Files

HYPERPARAMETERS = '{"field_info": {"a": "numeric"}}'
MODEL: Files = {"hyperparameters.json": HYPERPARAMETERS, "model.bin": b"weights"}
ARCHIVE = gz(tar(file("model.bin", b"weights"), symlink("l", "model.bin")))

LAID = [f"files/{case}" for case in LOOSE]


def case_of(case: str) -> str:
    return case.partition("/")[2]


# ---- what lies in a folder -----------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["model", "script", "calibration"])
@pytest.mark.parametrize("case", LAID)
def test_package_refuses(container: Container, case: str, channel: str) -> None:
    lay(container.model, MODEL)
    folder: Path = getattr(container, channel)
    lay(folder, {})
    loose = LOOSE[case_of(case)]
    loose.lay(folder)

    outcome = container.package_here()

    assert outcome.code == 1
    assert loose.says.format(folder=folder) in outcome.error
    assert container.outputs() == []


# Without hyperparameters all of the folder is read.
@pytest.mark.parametrize("case", LAID)
def test_payload_refuses(container: Container, case: str) -> None:
    lay(container.model, {"model.bin": b"weights"})
    loose = LOOSE[case_of(case)]
    loose.lay(container.model)

    outcome = container.payload_here()

    assert outcome.code == 1
    assert loose.says.format(folder=container.model) in outcome.error
    assert container.outputs() == []


# ---- what a channel is ---------------------------------------------------------------------------


def is_a_pipe(channel: Path) -> None:
    os.mkfifo(str(channel))


def is_a_device(channel: Path) -> None:
    channel.symlink_to("/dev/zero")


def leads_to_nothing(channel: Path) -> None:
    channel.symlink_to("gone")


@pytest.mark.parametrize(
    ("harm", "channel", "says"),
    [
        pytest.param(is_a_pipe, "model", "{path}: it is a named pipe", id="files/model-blocks"),
        pytest.param(is_a_device, "model", "it is a character device", id="files/model-is-endless"),
        pytest.param(leads_to_nothing, "model", "nothing at {path}", id="files/model-is-nowhere"),
        pytest.param(is_a_pipe, "script", "{path} is no folder", id="files/script-blocks"),
        pytest.param(is_a_device, "script", "{path} is no folder", id="files/script-is-endless"),
        pytest.param(leads_to_nothing, "script", "nothing at {path}", id="files/script-is-nowhere"),
        pytest.param(is_a_pipe, "calibration", "{path}: Not a dir", id="files/calibration-blocks"),
        pytest.param(
            is_a_device, "calibration", "{path}: Not a dir", id="files/calibration-is-endless"
        ),
        pytest.param(
            leads_to_nothing, "calibration", "{path}: No such", id="files/calibration-is-nowhere"
        ),
    ],
)
def test_package_refuses_a_channel_that(
    container: Container, harm: Callable[[Path], None], channel: str, says: str
) -> None:
    for name in {"model", "script", "calibration"} - {channel}:
        lay(getattr(container, name), MODEL)
    path: Path = getattr(container, channel)
    for found in path.glob("*"):
        found.unlink()
    if path.is_dir():
        path.rmdir()
    harm(path)

    outcome = container.package_here()

    assert outcome.code == 1
    assert says.format(path=path) in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(is_a_pipe, "{path}: it is a named pipe", id="files/model-blocks"),
        pytest.param(is_a_device, "{path}: it is a character device", id="files/model-is-endless"),
        pytest.param(leads_to_nothing, "nothing at {path}", id="files/model-is-nowhere"),
    ],
)
def test_payload_refuses_a_channel_that(
    container: Container, harm: Callable[[Path], None], says: str
) -> None:
    lay(container.model.parent, {})
    harm(container.model)

    outcome = container.payload_here()

    assert outcome.code == 1
    assert says.format(path=container.model) in outcome.error


# ---- what model.tar.gz is ------------------------------------------------------------------------

ODD_ARCHIVES: dict[str, tuple[Callable[[Path], object], str]] = {
    "files/archive-is-out-of-reach": (
        lambda archive: archive.symlink_to("../elsewhere.tar.gz"),
        "{archive}: it is a link that leaves {model}",
    ),
    "files/archive-is-nowhere": (
        lambda archive: archive.symlink_to("gone.tar.gz"),
        "{archive}: it is a link to nothing",
    ),
    "files/archive-leads-to-itself": (
        lambda archive: archive.symlink_to(archive.name),
        "{archive}: it is a link to nothing",
    ),
    "files/archive-blocks": (
        lambda archive: os.mkfifo(str(archive)),
        "{archive}: it is a named pipe",
    ),
}


@pytest.mark.parametrize("script", ["package", "payload"])
@pytest.mark.parametrize("case", list(ODD_ARCHIVES))
def test_archive_that_is_none(container: Container, case: str, script: str) -> None:
    harm, says = ODD_ARCHIVES[case]
    lay(container.model, {})
    lay(container.model.parent, {"elsewhere.tar.gz": ARCHIVE})
    archive = container.model / "model.tar.gz"
    harm(archive)

    outcome = getattr(container, f"{script}_here")()

    assert outcome.code == 1
    assert says.format(archive=archive, model=container.model) in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize(
    ("links", "beside"),
    [
        pytest.param({"model.tar.gz": "v1.tar.gz"}, {}, id="to-one-beside-it"),
        pytest.param({"model.tar.gz": "./v1.tar.gz"}, {"notes": b""}, id="with-a-file-beside-it"),
        pytest.param(
            {"model.tar.gz": "latest.tar.gz", "latest.tar.gz": "v1.tar.gz"}, {}, id="in-two-steps"
        ),
        pytest.param({"model.tar.gz": "model.tar"}, {}, id="to-another-usual-name"),
        pytest.param(
            {"model.tar.gz": "old/v1.tar.gz"}, {"old/notes": b""}, id="to-one-in-a-folder"
        ),
        pytest.param({"model.tar.gz": "old/v1.tar.gz"}, {}, id="to-one-alone-in-a-folder"),
        pytest.param({"model.tar.gz": "unpacked"}, {}, id="to-a-folder"),
    ],
)
def test_an_archive_by_a_link_is_packaged_once(
    container: Container, links: dict[str, str], beside: Files
) -> None:
    """The weights would be in the package twice."""
    lay(container.model, beside)
    for name, target in links.items():
        (container.model / name).symlink_to(target)
    real = (container.model / "model.tar.gz").resolve()
    if real.name == "unpacked":
        lay(real, {"model.bin": b"weights", "l": b"weights"})
    else:
        lay(real.parent, {real.name: ARCHIVE})

    outcome = container.package_here()

    assert outcome.code == 0, outcome.error
    files = {name: c for name, c in container.contents("model_artifacts/").items() if c is not None}
    assert files == {"model.bin": b"weights", "l": b"weights", **beside}


def test_other_archives_beside_a_linked_one_are_kept(container: Container) -> None:
    lay(container.model, {"v1.tar.gz": ARCHIVE, "v0.tar.gz": b"older"})
    (container.model / "model.tar.gz").symlink_to("v1.tar.gz")

    assert container.package_here().code == 0

    assert sorted(container.contents("model_artifacts/")) == ["l", "model.bin", "v0.tar.gz"]


# ---- files that change ---------------------------------------------------------------------------

CHANGED = [f"files/{case}" for case in CHANGES]


@pytest.mark.parametrize("channel", ["model", "script", "calibration"])
@pytest.mark.parametrize("case", CHANGED)
def test_package_refuses_a_file_that(
    container: Container, monkeypatch: pytest.MonkeyPatch, case: str, channel: str
) -> None:
    lay(container.model, MODEL)
    path = getattr(container, channel) / "changing"
    lay(path.parent, {"changing": b"content"})

    with once_opened(monkeypatch, path, CHANGES[case_of(case)]):
        outcome = container.package_here()

    assert outcome.code == 1
    assert f"{path} changed while it was read; run again when it is complete" in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize("case", CHANGED)
def test_package_refuses_an_archive_that(
    container: Container, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    path = container.model / "model.tar.gz"
    lay(container.model, {"model.tar.gz": ARCHIVE})

    with once_opened(monkeypatch, path, CHANGES[case_of(case)]):
        outcome = container.package_here()

    assert outcome.code == 1
    assert str(path) in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize("name", ["hyperparameters.json", "model.tar.gz"])
@pytest.mark.parametrize("case", CHANGED)
def test_payload_refuses_a_file_that(
    container: Container, monkeypatch: pytest.MonkeyPatch, case: str, name: str
) -> None:
    lay(container.model, {name: {**MODEL, "model.tar.gz": ARCHIVE}[name]})
    path = container.model / name

    with once_opened(monkeypatch, path, CHANGES[case_of(case)]):
        outcome = container.payload_here()

    assert outcome.code == 1
    assert str(path) in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda file: file.with_name("new").write_bytes(b""), id="files/gets-a-file"),
        pytest.param(lambda file: file.with_name("z").unlink(), id="files/loses-a-file"),
        pytest.param(lambda file: file.with_name("new").mkdir(), id="files/gets-a-folder"),
    ],
)
def test_package_refuses_a_folder_that(
    container: Container, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    """A package would lack what came after the folder was listed."""
    lay(container.model, {"d/a": b"1", "d/b": b"2", "d/z": b"3"})

    with once_opened(monkeypatch, container.model / "d/b", change):
        outcome = container.package_here()

    assert outcome.code == 1
    assert str(container.model / "d") in outcome.error
    assert container.outputs() == []


def test_a_file_that_is_only_read_by_others_meanwhile(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(container.model, MODEL)
    path = container.model / "model.bin"

    with once_opened(monkeypatch, path, lambda file: file.chmod(0o600)):
        outcome = container.package_here()

    assert outcome.code == 0


# ---- files out of reach --------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["package", "payload"])
@pytest.mark.parametrize(
    ("given", "closed"),
    [
        pytest.param(MODEL, "", id="files/closed-channel"),
        pytest.param(MODEL, "hyperparameters.json", id="files/closed-file"),
        pytest.param({"d/a": b""}, "d", id="files/closed-folder"),
        pytest.param({"model.tar.gz": ARCHIVE}, "model.tar.gz", id="files/closed-archive"),
    ],
)
def test_model_out_of_reach(
    public_container: Container, given: Files, closed: str, script: str
) -> None:
    importlib.import_module(
        f"mims.{script}.build" if script == "payload" else "mims.packaging.build"
    )
    lay(public_container.model, given)
    path = public_container.model / closed
    run = getattr(public_container, f"{script}_here")

    code, message, _ = as_nobody(run, public_container.root, path)

    assert code == 1
    assert f"cannot read {path}: Permission denied" in message["error"]
    assert public_container.outputs() == []
