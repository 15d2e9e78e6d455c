"""What mims_package.py refuses: inputs and settings that are at fault, each by its name."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Callable

import pytest

from archives import file, folder, gz, pax, tar
from front_door import Files, lay
from other_user import package_without

if TYPE_CHECKING:
    from front_door import Container

MODEL = {"xgboost_model.bst": b"\x00\xffbooster", "hyperparameters.json": b"{}"}
ARCHIVE = gz(tar(*(file(name, content) for name, content in MODEL.items())))


# ---- inputs --------------------------------------------------------------------------------------


def no_model(container: Container) -> None:
    """Nothing where the model should be."""


def empty_model(container: Container) -> None:
    lay(container.model, {})


def only_folders(container: Container) -> None:
    lay(container.model, {"a/b": None})


def archive_without_a_file(container: Container) -> None:
    lay(container.model, {"model.tar.gz": gz(tar(folder("d/")))})


def no_scripts(container: Container) -> None:
    lay(container.model, MODEL)
    (container.script / "inference.py").unlink()
    container.script.rmdir()


def empty_scripts(container: Container) -> None:
    lay(container.model, MODEL)
    (container.script / "inference.py").unlink()


def scripts_of_leftovers_only(container: Container) -> None:
    empty_scripts(container)
    lay(container.script, {"__pycache__/inference.pyc": b""})


def script_is_a_file(container: Container) -> None:
    empty_scripts(container)
    container.script.rmdir()
    container.script.write_text("")


def two_archives(container: Container) -> None:
    lay(container.model, {"model.tar.gz": ARCHIVE, "model.tar": b""})


def link_out(container: Container) -> None:
    lay(container.model, MODEL)
    (container.model / "secret").symlink_to("/etc/passwd")


def link_above(container: Container) -> None:
    lay(container.model, MODEL)
    (container.model / "secret").symlink_to("../script/inference.py")


def link_to_a_name_alike(container: Container) -> None:
    lay(container.model, MODEL)
    lay(container.model.with_name("model2"), {"secret": ""})
    (container.model / "secret").symlink_to("../model2/secret")


def archive_is_a_link_out(container: Container) -> None:
    lay(container.root, {"model.tar.gz": ARCHIVE})
    lay(container.model, {})
    (container.model / "model.tar.gz").symlink_to(container.root / "model.tar.gz")


def dangling_link(container: Container) -> None:
    lay(container.model, MODEL)
    (container.model / "l").symlink_to("gone")


def link_in_a_circle(container: Container) -> None:
    lay(container.model, MODEL)
    (container.model / "l").symlink_to("l")


def link_to_a_folder(container: Container) -> None:
    lay(container.model, {"d/e": ""})
    (container.model / "l").symlink_to("d")


def named_pipe(container: Container) -> None:
    lay(container.model, MODEL)
    os.mkfifo(str(container.model / "pipe"))


def archive_is_a_pipe(container: Container) -> None:
    lay(container.model, {})
    os.mkfifo(str(container.model / "model.tar.gz"))


def model_is_a_pipe(container: Container) -> None:
    os.mkfifo(str(container.model))


def model_is_a_device(container: Container) -> None:
    container.model.symlink_to("/dev/zero")


def unix_socket(container: Container) -> None:
    lay(container.model, MODEL)
    before = Path.cwd()
    os.chdir(str(container.model))  # a socket's path has 108 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("sock")
    finally:
        os.chdir(str(before))


def name_is_no_text(container: Container) -> None:
    lay(container.model, MODEL)
    (container.model / os.fsdecode(b"caf\xe9")).write_bytes(b"")


def name_forges_the_log(container: Container) -> None:
    lay(container.model, {"a\nERROR": b""})


def code_climbs_on_windows(container: Container) -> None:
    lay(container.model, MODEL)
    lay(container.script, {"..\\evil.py": b""})


def folders_without_end(container: Container) -> None:
    lay(container.model, {"d/" * 101 + "f": b""})


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (no_model, "input model_input is missing: nothing at {model}"),
        (empty_model, "{model} is empty; put model.tar.gz or the model's files there"),
        (only_folders, "{model} holds no file"),
        (archive_without_a_file, "{model}/model.tar.gz holds no file"),
        (no_scripts, "input script_input is missing: nothing at {script}"),
        (empty_scripts, "{script} is empty; put the inference code there"),
        (scripts_of_leftovers_only, "{script} holds no file"),
        (script_is_a_file, "{script} is no folder"),
        (two_archives, "{model} holds model.tar.gz, model.tar; leave the one that is meant"),
        (link_out, "{model}/secret: it is a link that leaves {model}"),
        (link_above, "{model}/secret: it is a link that leaves {model}"),
        (link_to_a_name_alike, "{model}/secret: it is a link that leaves {model}"),
        (archive_is_a_link_out, "{model}/model.tar.gz: it is a link that leaves {model}"),
        (dangling_link, "{model}/l: it is a link to nothing"),
        (link_in_a_circle, "{model}/l: it is a link to nothing"),
        (link_to_a_folder, "{model}/l: it is a link to a folder"),
        (named_pipe, "{model}/pipe: it is a named pipe"),
        (archive_is_a_pipe, "{model}/model.tar.gz: it is a named pipe"),
        (model_is_a_pipe, "{model}: it is a named pipe"),
        (model_is_a_device, "{model}: it is a character device"),
        (unix_socket, "{model}/sock: it is a socket"),
        (name_is_no_text, "its name is not UTF-8"),
        (name_forges_the_log, "member 'a\\nERROR': its name holds a control character"),
        (code_climbs_on_windows, "its name holds a backslash"),
        (folders_without_end, "over 100 folders deep"),
    ],
)
def test_bad_input(container: Container, prepare: Callable[[Container], None], says: str) -> None:
    lay(container.model.parent, {})
    prepare(container)

    outcome = container.package()

    assert outcome.code == 1
    assert says.format(model=container.model, script=container.script) in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize(
    ("given", "closed"),
    [
        (MODEL, "model"),
        (MODEL, "model/hyperparameters.json"),
        ({"model.tar.gz": ARCHIVE}, "model/model.tar.gz"),
        ({"model.tar.gz/a": b""}, "model/model.tar.gz"),
        ({"d/a": b""}, "model/d"),
        (MODEL, "script"),
        (MODEL, "script/inference.py"),
    ],
)
def test_input_of_another_user(public_container: Container, given: Files, closed: str) -> None:
    lay(public_container.model, given)
    path = public_container.model.parent / closed

    outcome = package_without(public_container, closed=path, mode=0)

    assert (outcome.code, outcome.error) == (1, f"cannot read {path}: Permission denied")
    assert public_container.outputs() == []


def test_inputs_out_of_reach(public_container: Container) -> None:
    lay(public_container.model, MODEL)
    above = public_container.model.parent

    outcome = package_without(public_container, closed=above, mode=0)

    assert outcome.code == 1
    assert f"cannot read {above}/model: Permission denied" in outcome.error
    assert f"cannot read {above}/script: Permission denied" in outcome.error


# ---- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"PACKAGE_LAYOUT": "zip"}, "PACKAGE_LAYOUT is 'zip': must be mims or sagemaker"),
        ({"PACKAGE_LAYOUT": ""}, "PACKAGE_LAYOUT is '': must be mims or sagemaker"),
        ({"COMPRESSION_LEVEL": "0"}, "must be a whole number from 1 to 9"),
        ({"COMPRESSION_LEVEL": "10"}, "must be a whole number from 1 to 9"),
        ({"COMPRESSION_LEVEL": "fast"}, "COMPRESSION_LEVEL is 'fast'"),
        ({"MAX_MEMBERS": "0"}, "must be a whole number of at least 1"),
        ({"MAX_UNPACKED_BYTES": "1GB"}, "MAX_UNPACKED_BYTES is '1GB'"),
        ({"MAX_COMPRESSION_RATIO": "-1"}, "MAX_COMPRESSION_RATIO is '-1'"),
        ({"INFERENCE_ENTRY_POINT": " "}, "must be text that is not empty"),
        ({"INFERENCE_ENTRY_POINT": "gone.py"}, "is 'gone.py': script_input holds inference.py"),
        # a path out of the scripts would name a file that is not in the package
        ({"INFERENCE_ENTRY_POINT": "../script/inference.py"}, "INFERENCE_ENTRY_POINT is"),
    ],
)
def test_bad_settings(container: Container, setting: dict[str, str], says: str) -> None:
    lay(container.model, MODEL)

    outcome = container.package_here(**setting)

    assert outcome.code == 1
    assert says in outcome.error
    assert container.outputs() == []


def test_everything_wrong_is_told_at_once(container: Container) -> None:
    no_scripts(container)
    container.model.rename(container.root / "away")

    outcome = container.package(PACKAGE_LAYOUT="zip", COMPRESSION_LEVEL="11", MAX_MEMBERS="many")

    assert outcome.code == 1
    assert outcome.error.startswith("5 problems:")
    for part in ("PACKAGE_LAYOUT", "COMPRESSION_LEVEL", "MAX_MEMBERS", "model_input", "script_in"):
        assert part in outcome.error


def test_limits_can_be_raised(container: Container) -> None:
    lay(container.model, {"model.tar.gz": gz(tar(file("zeros", bytes(50_000_000))))})

    assert container.package(MAX_COMPRESSION_RATIO="10").code == 1
    assert container.package(MAX_COMPRESSION_RATIO="2000").code == 0


@pytest.mark.parametrize(
    ("model", "code"),
    [
        # 99 folders in one another, model_artifacts among them, are what readers of packages take
        ({"model.tar": tar(pax((b"path", b"d/" * 98 + b"f")), file("x"))}, 0),
        ({"d/" * 98 + "f": b""}, 0),
        ({"model.tar": tar(pax((b"path", b"d/" * 99 + b"f")), file("x"))}, 1),
        ({"d/" * 99 + "f": b""}, 1),
        ({"f": b"", "d/" * 100: None}, 1),
    ],
)
def test_depth(container: Container, model: Files, code: int) -> None:
    lay(container.model, model)

    outcome = container.package_here()

    assert outcome.code == code
    assert code == 0 or "folders deep" in outcome.error
