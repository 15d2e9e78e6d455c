"""mims_package.py on what users give it: forms of input, layouts, one run after another."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from typing import TYPE_CHECKING

import pytest

from archives import COMPRESSIONS, file, folder, gz, hardlink, symlink, tar, unpacked
from front_door import Files, lay

if TYPE_CHECKING:
    from pathlib import Path

    from front_door import Container

MODEL = {"xgboost_model.bst": b"\x00\xffbooster", "hyperparameters.json": b"{}"}
CODE = {"code/inference.py": b"def model_fn(path): ...\n"}
ARCHIVE = gz(tar(*(file(name, content) for name, content in MODEL.items())))


def under(place: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files at another place."""
    return {place + name: files[name] for name in files}


# ---- what comes in -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "place"),
    [
        ({}, "model_artifacts/"),  # the default is the contract's
        ({"PACKAGE_LAYOUT": "mims"}, "model_artifacts/"),
        ({"PACKAGE_LAYOUT": "sagemaker"}, ""),  # as framework containers read it
    ],
)
def test_layouts(container: Container, layout: dict[str, str], place: str) -> None:
    lay(container.model, {"model.tar.gz": ARCHIVE})
    lay(container.script, {"processing/nested/a.py": "", "requirements.txt": "numpy\n"})
    lay(container.calibration, {"standard.csv": "1,2\n"})

    outcome = container.package(**layout)

    assert outcome.code == 0
    assert container.contents() == {
        **CODE,
        "code/processing": None,
        "code/processing/nested": None,
        "code/processing/nested/a.py": b"",
        "code/requirements.txt": b"numpy\n",
        "calibration/standard.csv": b"1,2\n",
        **under(place, MODEL),
    }
    assert container.manifest()["layout"] == layout.get("PACKAGE_LAYOUT", "mims")


@pytest.mark.parametrize("name", list(COMPRESSIONS))
def test_archives_of_every_format(container: Container, name: str) -> None:
    whole = tar(*(file(member, content) for member, content in MODEL.items()))
    lay(container.model, {name: COMPRESSIONS[name](whole)})

    container.package()

    assert container.contents("model_artifacts/") == MODEL


@pytest.mark.parametrize("form", list(COMPRESSIONS))
def test_what_a_file_holds_counts_not_its_name(container: Container, form: str) -> None:
    whole = tar(*(file(member, content) for member, content in MODEL.items()))
    lay(container.model, {"model.tar.gz": COMPRESSIONS[form](whole)})

    container.package()

    assert container.contents("model_artifacts/") == MODEL


@pytest.mark.parametrize(
    ("given", "packaged"),
    [
        (MODEL, MODEL),  # loose files
        ({"model.tar.gz/a/b.bin": b"b"}, {"a": None, "a/b.bin": b"b"}),  # a folder called so
        ({".hidden": b"h", ".d/e": b""}, {".d": None, ".d/e": b"", ".hidden": b"h"}),
        ({"f": b"", "empty/folder": None}, {"empty": None, "empty/folder": None, "f": b""}),
        # loose files beside an archive: nothing may be lost
        ({"model.tar.gz": ARCHIVE, "vocab.txt": b"v"}, {**MODEL, "vocab.txt": b"v"}),
        ({"model.tar.gz/a": b"", "vocab.txt": b"v"}, {"a": b"", "vocab.txt": b"v"}),
        # only the model's own archive is looked into
        ({"tokenizer.tar.gz": ARCHIVE}, {"tokenizer.tar.gz": ARCHIVE}),
        ({"a/model.tar.gz": ARCHIVE}, {"a": None, "a/model.tar.gz": ARCHIVE}),
        # nothing of a model is a leftover
        ({"a.pyc": b"", "._a": b"", "b~": b""}, {"a.pyc": b"", "._a": b"", "b~": b""}),
        ({"重み 🙂": b"1", "-rf": b"2"}, {"重み 🙂": b"1", "-rf": b"2"}),
    ],
)
def test_folders(container: Container, given: Files, packaged: Files) -> None:
    lay(container.model, given)

    container.package_here()

    assert container.contents("model_artifacts/") == packaged


def test_model_input_may_be_the_archive_itself(container: Container) -> None:
    container.model.write_bytes(ARCHIVE)

    container.package()

    assert container.contents("model_artifacts/") == MODEL


def test_links_times_and_execute_bits_of_a_folder(container: Container) -> None:
    lay(container.model, {"model.bin": "weights", "run.sh": "", "d/e": ""})
    (container.model / "run.sh").chmod(0o4711)
    (container.model / "model.bin").chmod(0o600)
    (container.model / "latest").symlink_to("model.bin")
    (container.model / "d/up").symlink_to("../latest")
    os.utime(str(container.model / "model.bin"), (1_400_000_000, 1_400_000_000))
    os.utime(str(container.model / "d"), (1_300_000_000, 1_300_000_000))

    container.package()

    members = container.packaged()
    modes = {name: stat.S_IMODE(member.mode) for name, member in members.items()}
    assert modes["model_artifacts/run.sh"] == 0o755
    assert modes["model_artifacts/model.bin"] == 0o644
    assert members["model_artifacts/model.bin"].mtime == 1_400_000_000
    assert members["model_artifacts/d"].mtime == 1_300_000_000
    assert members["model_artifacts/latest"].content == b"weights"
    assert members["model_artifacts/d/up"].content == b"weights"
    rows = {row["name"]: row for row in container.manifest()["members"]}
    assert rows["model_artifacts/d/up"]["copy_of"] == "model_artifacts/model.bin"


def test_times_and_execute_bits_of_an_archive(container: Container) -> None:
    members = (folder("d/", mtime=1_300_000_000), file("d/run", mode=0o700, mtime=1_400_000_000))
    lay(container.model, {"model.tar.gz": gz(tar(*members))})

    container.package()

    packaged = container.packaged()
    assert packaged["model_artifacts/d"].mtime == 1_300_000_000
    assert packaged["model_artifacts/d/run"].mtime == 1_400_000_000
    assert packaged["model_artifacts/d/run"].mode == 0o755


def test_gnu_tar_unpacks_the_package(container: Container, tmp_path: Path) -> None:
    links = (symlink("s", "d/f"), hardlink("h", "d/f"))
    lay(container.model, {"model.tar": tar(folder("d/"), file("d/f", b"f" * 3_000_000), *links)})

    container.package()

    assert unpacked(container.output / "model.tar.gz", tmp_path / "unpacked") == {
        "code": None,
        **CODE,
        "model_artifacts": None,
        "model_artifacts/d": None,
        **dict.fromkeys(
            ("model_artifacts/d/f", "model_artifacts/s", "model_artifacts/h"), b"f" * 3_000_000
        ),
    }


def test_leftovers_of_editing_are_left_out_and_listed(container: Container) -> None:
    lay(container.model, MODEL)
    lay(
        container.script,
        {
            "__pycache__/inference.cpython-311.pyc": b"",
            "stale.pyc": b"",
            ".git/HEAD": b"",
            ".ipynb_checkpoints/a.ipynb": b"",
            ".DS_Store": b"",
            "._inference.py": b"",
            "inference.py~": b"",
            ".inference.py.swp": b"",
            "package/__pycache__/a.pyc": b"",
            "package/data.swp.csv": b"kept",
            ".env.example": b"kept",
        },
    )

    container.package()

    assert container.contents("code/") == {
        "inference.py": CODE["code/inference.py"],
        "package": None,
        "package/data.swp.csv": b"kept",
        ".env.example": b"kept",
    }
    assert sorted(container.manifest()["excluded"]) == [
        "code/.DS_Store",
        "code/._inference.py",
        "code/.git",
        "code/.inference.py.swp",
        "code/.ipynb_checkpoints",
        "code/__pycache__",
        "code/inference.py~",
        "code/package/__pycache__",
        "code/stale.pyc",
    ]


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        (
            {"tokenizer.tar.gz": b""},
            "kept as they are, not unpacked: model_artifacts/tokenizer.tar.gz",
        ),
        ({"data.zip": b""}, "kept as they are, not unpacked: model_artifacts/data.zip"),
        ({"A": b"", "a": b""}, "'model_artifacts/A' and 'model_artifacts/a' are one name to some"),
    ],
)
def test_warnings(container: Container, given: Files, warning: str) -> None:
    lay(container.model, given)

    outcome = container.package_here()

    assert outcome.code == 0
    assert warning in outcome.log


def test_missing_inference_py_is_a_warning(container: Container) -> None:
    lay(container.model, MODEL)
    (container.script / "inference.py").rename(container.script / "predict.py")

    outcome = container.package()

    assert outcome.code == 0
    assert "WARNING script_input holds no inference.py: it holds predict.py" in outcome.log


def test_entry_point_of_another_name(container: Container) -> None:
    lay(container.model, MODEL)
    lay(container.script, {"src/predict.py": ""})

    outcome = container.package(INFERENCE_ENTRY_POINT="src/predict.py")

    assert outcome.code == 0
    assert "WARNING" not in outcome.log


# ---- a name that two sources claim ---------------------------------------------------------------


@pytest.mark.parametrize("form", ["loose", "model.tar.gz"])
def test_scripts_win_in_the_sagemaker_layout(container: Container, form: str) -> None:
    own = {"model.bin": b"m", "code/inference.py": b"the model's", "code/extra.py": b"kept"}
    archive = gz(tar(*(file(name, content) for name, content in own.items())))
    lay(container.model, own if form == "loose" else {form: archive})

    outcome = container.package(PACKAGE_LAYOUT="sagemaker")

    files = {n: content for n, content in container.contents().items() if content is not None}
    assert files == {**CODE, "code/extra.py": b"kept", "model.bin": b"m"}
    assert "WARNING other inputs replace these of the model: code/inference.py" in outcome.log
    assert container.manifest()["replaced"] == ["code/inference.py"]


def test_the_mims_layout_keeps_both(container: Container) -> None:
    lay(container.model, {"code/inference.py": b"the model's"})

    container.package()

    assert container.contents()["model_artifacts/code/inference.py"] == b"the model's"
    assert container.contents()["code/inference.py"] == CODE["code/inference.py"]


def test_loose_files_win_over_an_archive(container: Container) -> None:
    lay(container.model, {"model.tar.gz": ARCHIVE, "hyperparameters.json": b"mended"})

    outcome = container.package()

    assert container.contents("model_artifacts/") == {**MODEL, "hyperparameters.json": b"mended"}
    assert "WARNING other inputs replace these of the model" in outcome.log
    assert container.manifest()["replaced"] == ["model_artifacts/hyperparameters.json"]


@pytest.mark.parametrize(
    ("given", "layout"),
    [
        ({"model.tar.gz": ARCHIVE, "hyperparameters.json/x": b""}, "mims"),
        ({"code": b"a file"}, "sagemaker"),
        ({"model.tar.gz": gz(tar(file("code", b"a file")))}, "sagemaker"),
    ],
)
def test_a_file_where_a_folder_goes(container: Container, given: Files, layout: str) -> None:
    lay(container.model, given)

    outcome = container.package(PACKAGE_LAYOUT=layout)

    assert outcome.code == 1
    assert "is both a file and a folder" in outcome.error
    assert container.outputs() == []


# ---- same input, same bytes ----------------------------------------------------------------------


def test_same_input_same_bytes(container: Container, tmp_path: Path) -> None:
    lay(container.model, {"weights.bin": bytes(range(256)) * 20_000, "a/b": b""})
    first = container.package()
    package = (container.output / "model.tar.gz").read_bytes()
    manifest = (container.output / "manifest.json").read_bytes()
    (container.output / "model.tar.gz").unlink()

    old_umask, processors = os.umask(0o077), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    container.root.rename(tmp_path / "elsewhere")
    elsewhere = type(container)(tmp_path / "elsewhere")
    try:
        second = elsewhere.package(TZ="Asia/Tokyo", LC_ALL="C")
    finally:
        os.umask(old_umask)
        os.sched_setaffinity(0, processors)

    assert (elsewhere.output / "model.tar.gz").read_bytes() == package
    assert (elsewhere.output / "manifest.json").read_bytes() == manifest
    assert second.message["sha256"] == first.message["sha256"]


def test_order_on_disk_does_not_matter(container: Container, tmp_path: Path) -> None:
    names = [f"{number * 7919 % 100:02}" for number in range(100)]
    digests = set()
    for number, order in enumerate((names, names[::-1])):
        one = type(container)(tmp_path / str(number))
        lay(one.model, dict.fromkeys(order, b""))
        lay(one.script, {"inference.py": ""})
        for path in one.root.rglob("*"):
            os.utime(str(path), (1_500_000_000, 1_500_000_000))
        digests.add(one.package_here().message["sha256"])
    assert len(digests) == 1


def test_manifest_says_where_it_came_from(container: Container) -> None:
    lay(container.model, {"model.tar.gz": ARCHIVE, "vocab.txt": "v"})

    outcome = container.package()

    manifest = container.manifest()
    assert [source["name"] for source in manifest["sources"]] == [
        "script_input",
        "model_input",
        "model_input/model.tar.gz",
    ]
    assert manifest["sources"][2]["sha256"] == hashlib.sha256(ARCHIVE).hexdigest()
    assert manifest["sources"][2]["size"] == len(ARCHIVE)
    sources = {row["name"]: row["source"] for row in manifest["members"]}
    assert sources["model_artifacts/hyperparameters.json"] == "model_input/model.tar.gz"
    assert sources["model_artifacts/vocab.txt"] == "model_input"
    assert sources["code/inference.py"] == "script_input"
    assert str(container.root) not in json.dumps(manifest)
    assert outcome.message["package"] == str(container.output / "model.tar.gz")
    assert outcome.message["members"] == len(manifest["members"])
    assert outcome.message["unpacked_size"] == manifest["unpacked_size"]
    assert outcome.message["sha256"] == manifest["archive"]["sha256"]


# ---- one run after another -----------------------------------------------------------------------


def test_a_failed_run_leaves_the_last_package(container: Container) -> None:
    lay(container.model, MODEL)
    container.package()
    before = container.packaged()
    lay(container.model, {"model.tar.gz": gz(tar(file("x", bytes(10**6))))[:-100]})

    outcome = container.package()

    assert outcome.code == 1
    assert container.packaged() == before


def test_a_new_run_replaces_the_last_package(container: Container) -> None:
    lay(container.model, {"old": b""})
    container.package()
    (container.model / "old").rename(container.model / "new")

    container.package()

    assert container.contents("model_artifacts/") == {"new": b""}
    assert container.outputs() == ["manifest.json", "model.tar.gz"]
