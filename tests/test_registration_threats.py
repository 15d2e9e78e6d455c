"""THREATS: what registration does with broken and hostile inputs; and that no row lacks a test.

Every archive of the package script's tests is read as a package and as sample requests. A few of
each row go through the whole script, to see that nothing is stored and nothing registered.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from archive_cases import HOSTILE
from archives import file, gz, symlink, tar
from file_cases import CHANGES, as_nobody, once_opened
from mims.archive.links import read_resolved
from mims.archive.reader import DEFAULT_LIMITS, FILE, FOLDER, Limits
from mims.contracts import MIMS_REGISTRATION_CONTRACT
from mims.errors import InputError
from mims.job import Job
from mims.registration.config import load_config, parse_config
from mims.registration.inputs import read_unpackable
from mims.registration.verify import verify
from mutants import GOOD, any_damage, any_headers, thorough
from odd_archives import ODD, SET_ID
from registration_inputs import CONFIG, Inputs, archive, run_registration

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

TESTS = Path(__file__).parent
ENVIRON = {"AWS_REGION": "us-west-2"}
NEEDED = {"MODS_WORKFLOW_EXECUTION_ID": "wf-1"}
REFUSED = [f"modes/{case}" for case in SET_ID]


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    """Inputs that can be registered; no manifest says what the package has to be."""
    made = Inputs(tmp_path / "root").write()
    (made.model / "manifest.json").unlink()
    return made


def problems(inputs: Inputs, **environ: str) -> tuple[str, ...]:
    """What registration finds wrong before it asks any service."""
    job = Job(MIMS_REGISTRATION_CONTRACT, inputs.root, {**NEEDED, **environ})
    try:
        config = load_config(inputs.config, ENVIRON)
        verify(job, config, Limits.of(job.settings()))
    except InputError as error:
        return error.problems
    return ()


# ---- archives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", list(HOSTILE))
def test_registration_refuses(inputs: Inputs, case: str) -> None:
    path = inputs.model / "model.tar.gz"
    path.write_bytes(HOSTILE[case].build())

    (problem,) = problems(inputs, **dict(HOSTILE[case].settings))

    assert problem.startswith(f"{path}: ")
    for part in HOSTILE[case].says:
        assert part in problem


@pytest.mark.parametrize("case", list(HOSTILE))
def test_registration_refuses_samples(inputs: Inputs, case: str) -> None:
    path = inputs.payload / "payload.tar.gz"
    path.write_bytes(HOSTILE[case].build())

    (problem,) = problems(inputs, **dict(HOSTILE[case].settings))

    assert problem.startswith(f"{path}: ")
    for part in HOSTILE[case].says:
        assert part in problem


# It says only that there is no inference code: it has read all of the archive.
@pytest.mark.parametrize("case", sorted(set(ODD) - set(REFUSED)))
def test_registration_takes(inputs: Inputs, case: str) -> None:
    (inputs.model / "model.tar.gz").write_bytes(ODD[case].build())

    found = [problem for problem in problems(inputs) if "not compressed with gzip" not in problem]

    (problem,) = found
    assert "no code/inference.py" in problem


@pytest.mark.parametrize("case", REFUSED)
def test_registration_refuses_programs(inputs: Inputs, case: str) -> None:
    """It can't strip bits from an archive that goes on as it is."""
    path = inputs.model / "model.tar.gz"
    path.write_bytes(ODD[case].build())

    (problem,) = problems(inputs)

    member = "l" if case.endswith("by-a-link") else "m"
    assert problem.startswith(f"{path}: member '{member}' is set-user-ID or set-group-ID (mode ")
    assert "package it with mims_package.py" in problem


@pytest.mark.parametrize(
    ("case", "warning"),
    [
        ("modes/writable-by-anybody", "writable by anybody: m (0666); mims_package.py makes"),
        ("modes/sticky", "sticky or writable by anybody: m (1755)"),
        ("modes/folder-of-a-group", "set-id folders, sticky or writable by anybody: d (2775)"),
        ("alike/differ-in-case", "'model.bin' and 'Model.bin' are one name to some file systems"),
    ],
)
def test_registration_warns(
    inputs: Inputs, caplog: pytest.LogCaptureFixture, case: str, warning: str
) -> None:
    (inputs.model / "model.tar.gz").write_bytes(ODD[case].build())

    problems(inputs)

    assert warning in caplog.text


def test_registration_takes_inference_code_by_a_link(inputs: Inputs) -> None:
    code = file("code/serve.py", b"..."), symlink("code/inference.py", "serve.py")
    (inputs.model / "model.tar.gz").write_bytes(gz(tar(*code)))

    assert problems(inputs) == ()


# ---- archives that nobody thought of -------------------------------------------------------------


def refused_or_as_packaged(data: bytes) -> str:
    """Registration takes only what the package script takes, and sees the same in it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tar.gz"
        path.write_bytes(data)
        try:
            members = {
                member.name: (member.kind, b"".join(content))
                for member, content in read_unpackable(path, DEFAULT_LIMITS, lambda _: None)
            }
        except InputError:
            return "refused"
        packaged = {
            member.name: (member.kind, b"".join(content))
            for member, content in read_resolved(path, Limits(), lambda _: None)
        }
    assert members.keys() == packaged.keys()
    for name, (kind, content) in members.items():
        assert kind not in (FILE, FOLDER) or packaged[name] == (kind, content)
    return "taken"


@given(any_headers)
@thorough(150)
def test_any_headers(data: bytes) -> None:
    refused_or_as_packaged(data)


@given(any_damage)
@thorough(150)
def test_any_damage(data: bytes) -> None:
    refused_or_as_packaged(data)


@pytest.mark.slow
@given(any_headers)
@thorough(10_000)
def test_any_headers_for_long(data: bytes) -> None:
    refused_or_as_packaged(data)


@pytest.mark.slow
@given(any_damage)
@thorough(10_000)
def test_any_damage_for_long(data: bytes) -> None:
    refused_or_as_packaged(data)


def test_the_undamaged_is_taken() -> None:
    assert refused_or_as_packaged(gz(GOOD)) == "taken"


# ---- files ---------------------------------------------------------------------------------------

CHANNELS = {
    "PackagedModel": ("model", "model.tar.gz"),
    "GeneratedPayloadSamples": ("payload", "payload.tar.gz"),
    "config": ("config", "config"),
    "metadata": ("metadata", "metadata.json"),
}


@pytest.fixture
def channel_file(inputs: Inputs, request: pytest.FixtureRequest) -> Path:
    """The file of a channel, in a folder as SageMaker mounts it."""
    attribute, name = CHANNELS[request.param]
    folder: Path = getattr(inputs, attribute)
    if folder.is_file():
        content = folder.read_bytes()
        folder.unlink()
        folder.mkdir()
        (folder / name).write_bytes(content)
    elif not folder.exists():
        folder.mkdir(parents=True)
        (folder / name).write_text("{}")
    assert problems(inputs) == ()
    return folder / name


each_channel = pytest.mark.parametrize("channel_file", list(CHANNELS), indirect=True)


def _leads_out(path: Path) -> None:
    path.rename(path.parent.with_name("outside"))
    path.symlink_to(path.parent.with_name("outside"))


def _replaced(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        path.unlink()
        make(path)

    return harm


HARMS = {
    "leads-out": (_leads_out, "it is a link that leaves "),
    "leads-to-nothing": (_replaced(lambda p: p.symlink_to("gone")), "it is a link to nothing"),
    "leads-in-a-circle": (_replaced(lambda p: p.symlink_to(p.name)), "it is a link to nothing"),
    "blocks-for-ever": (_replaced(os.mkfifo), "it is a named pipe"),
    "is-a-folder": (_replaced(Path.mkdir), "it is a folder"),
}


@each_channel
@pytest.mark.parametrize("case", [f"files/{harm}" for harm in HARMS])
def test_registration_refuses_a_file_that(inputs: Inputs, channel_file: Path, case: str) -> None:
    harm, says = HARMS[case.partition("/")[2]]
    harm(channel_file)

    (problem,) = problems(inputs)

    assert problem.startswith(f"{channel_file}: {says}")


@each_channel
@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(lambda p: p.symlink_to("gone"), "a link to nothing", id="files/is-nowhere"),
        pytest.param(os.mkfifo, "it is a named pipe", id="files/blocks-for-ever"),
        pytest.param(
            lambda p: p.symlink_to("/dev/zero"), "it is a character device", id="files/is-endless"
        ),
    ],
)
def test_registration_refuses_a_channel_that(
    inputs: Inputs, channel_file: Path, harm: Callable[[Path], object], says: str
) -> None:
    channel = channel_file.parent
    for found in channel.iterdir():
        found.unlink()
    channel.rmdir()
    harm(channel)

    (problem,) = problems(inputs)

    assert problem.startswith(f"{channel}: ")
    assert says in problem


@each_channel
@pytest.mark.parametrize("case", [f"files/{change}" for change in CHANGES])
def test_registration_refuses_a_file_that_meanwhile(
    inputs: Inputs, channel_file: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    with once_opened(monkeypatch, channel_file, CHANGES[case.partition("/")[2]]):
        found = problems(inputs)

    assert str(channel_file) in found[0]


@each_channel
def test_registration_takes_a_link_within_the_channel(inputs: Inputs, channel_file: Path) -> None:
    """Kubernetes mounts a file like this."""
    data = channel_file.parent / "..data"
    data.mkdir()
    channel_file.rename(data / "it")
    channel_file.symlink_to("..data/it")

    assert problems(inputs) == ()


def test_registration_refuses_a_manifest_that_is_out_of_reach(inputs: Inputs) -> None:
    (inputs.model / "manifest.json").symlink_to("../manifest.json")

    (problem,) = problems(inputs)

    assert problem == f"{inputs.model}/manifest.json: it is a link to nothing"


@each_channel
@pytest.mark.parametrize(
    "closed", ["model.tar.gz", "."], ids=["files/closed", "files/closed-folder"]
)
def test_registration_of_another_users_files(channel_file: Path, closed: str) -> None:
    folder = channel_file.parent
    inputs = Inputs(next(path for path in folder.parents if path.name == "root"))
    path = folder if closed == "." else channel_file
    for above in inputs.root.parents:
        if above.stat().st_uid == os.getuid() and len(above.parts) > 2:
            above.chmod(0o755)

    (problem,) = as_nobody(lambda: problems(inputs), inputs.root, path)

    assert problem == f"cannot read {path}: Permission denied"


# ---- config --------------------------------------------------------------------------------------

BAD_CONFIG = {
    "framework": "caffe",
    "inference_instance_type": 5,
    "initial_instance_count": "many",
    "source_model_inference_output_variable_list": {"score": "NUMBER"},
    "colour": "red",
    "tags": {"team": 7},
}


def test_registration_tells_all_of_a_config_at_once() -> None:
    with pytest.raises(InputError) as error:
        parse_config({**CONFIG, **BAD_CONFIG}, ENVIRON)

    told = "\n".join(error.value.problems)
    for path in (
        "framework",
        "inference_instance_type",
        "initial_instance_count",
        "source_model_inference_output_variable_list.score",
        "colour",
        "tags.team",
    ):
        assert f"config {path}: " in told


# ---- through the whole script --------------------------------------------------------------------


def hostile_package(inputs: Inputs) -> str:
    (inputs.model / "model.tar.gz").write_bytes(HOSTILE["names/climbs-out"].build())
    return "member '../evil': its name holds '..'"


def package_that_reads_the_host(inputs: Inputs) -> str:
    (inputs.model / "model.tar.gz").write_bytes(HOSTILE["links-out/reads-the-host"].build())
    return "link 'l' -> '/etc/passwd' leads out of the archive"


def package_with_a_set_id_program(inputs: Inputs) -> str:
    (inputs.model / "model.tar.gz").write_bytes(ODD["modes/runs-as-its-owner"].build())
    return "member 'm' is set-user-ID"


def hostile_samples(inputs: Inputs) -> str:
    (inputs.payload / "payload.tar.gz").write_bytes(HOSTILE["links-out/dangles"].build())
    return "link 'l' -> 'gone' leads to nothing"


def package_of_another_digest(inputs: Inputs) -> str:
    content = {"code/inference.py": b"backdoor()"}
    (inputs.model / "manifest.json").write_text('{"archive": {"sha256": "00", "size": 1}}')
    archive(inputs.model / "model.tar.gz", content)
    return "model.tar.gz is not what manifest.json says: sha256 "


def samples_of_another_digest(inputs: Inputs) -> str:
    sample = {"name": "s.csv", "content_type": "text/csv", "size": 3, "sha256": "00"}
    metadata = json.dumps({"content_types": ["text/csv"], "files": [sample]}).encode()
    archive(inputs.payload / "payload.tar.gz", {"s.csv": b"1,2", "metadata.json": metadata})
    return "metadata.json lists s.csv, but not with this size and sha256"


def samples_that_are_missing(inputs: Inputs) -> str:
    sample = {"name": "s.csv", "content_type": "text/csv", "size": 3, "sha256": "00"}
    metadata = json.dumps({"content_types": ["text/csv"], "files": [sample]}).encode()
    archive(inputs.payload / "payload.tar.gz", {"metadata.json": metadata})
    return "metadata.json lists s.csv, which is not there"


def package_out_of_reach(inputs: Inputs) -> str:
    _leads_out(inputs.model / "model.tar.gz")
    return "it is a link that leaves "


def bad_config(inputs: Inputs) -> str:
    inputs.config.write_text(json.dumps({**CONFIG, **BAD_CONFIG}))
    return "config framework: "


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(hostile_package, id="names/package"),
        pytest.param(package_that_reads_the_host, id="links-out/package"),
        pytest.param(hostile_samples, id="links-out/samples"),
        pytest.param(package_with_a_set_id_program, id="modes/package"),
        pytest.param(package_out_of_reach, id="files/package"),
        pytest.param(bad_config, id="config/many-problems"),
        pytest.param(package_of_another_digest, id="digests/package"),
        pytest.param(samples_of_another_digest, id="digests/samples"),
        pytest.param(samples_that_are_missing, id="digests/samples-missing"),
    ],
)
def test_registration_stores_nothing(
    inputs: Inputs,
    harm: Callable[[Inputs], str],
    stored: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", "wf-1")
    says = harm(inputs)

    ending = run_registration(inputs)

    assert ending.code == 1
    assert says in ending.error
    assert stored() == []


@pytest.fixture
def stored(bucket: str, s3: S3Client, sagemaker: SageMakerClient) -> Callable[[], list[str]]:
    """What there is at AWS: keys of objects, names of model package groups."""

    def look() -> list[str]:
        objects = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        groups = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
        return [entry["Key"] for entry in objects] + [g["ModelPackageGroupName"] for g in groups]

    return look


# ---- the table -----------------------------------------------------------------------------------

# The rows of THREATS, and which readers each can apply to.
ROWS = {
    "names": "package payload registration",
    "links-inside": "package payload registration",
    "links-out": "package payload registration",
    "hard-links": "package payload registration",
    "types": "package payload registration",
    "modes": "package payload registration",
    "duplicates": "package payload registration",
    "alike": "package payload registration",
    "characters": "package payload registration",
    "extensions": "package payload registration",
    "sparse": "package payload registration",
    "numbers": "package payload registration",
    "bombs": "package payload registration",
    "endings": "package payload registration",
    "damaged": "package payload registration",
    "root": "package payload registration",
    "files": "package payload registration",
    "hyperparameters": "payload",  # the others read none
    "config": "registration",
    "digests": "registration",
}
# The last row, a full disk and outputs that can't be written, is in test_unwritable_outputs.py.


@pytest.fixture(scope="module")
def collected() -> list[str]:
    """The name and parameters of every test of THREATS, as pytest -v shows them."""
    command = [sys.executable, "-m", "pytest", "--collect-only"]
    files = [*sorted(TESTS.glob("portable/test_threats*.py")), Path(__file__)]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=True)
    return re.findall(r"::(test_\w+\[.*\])$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("row", list(ROWS))
def test_no_row_lacks_a_test(collected: list[str], row: str) -> None:
    for reader in ROWS[row].split():
        assert any(test.startswith(f"test_{reader}_") and f"[{row}/" in test for test in collected)


def test_no_test_is_of_no_row(collected: list[str]) -> None:
    rows = {found[1] for found in (re.search(r"\[([a-z-]+)/", test) for test in collected) if found}
    assert rows == {*ROWS, "real"}
