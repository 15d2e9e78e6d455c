"""The command line, the log and the exit message of both scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from archives import file, gz, tar
from front_door import SCRIPTS, lay
from mims import __version__
from mims.contracts import MIMS_PACKAGE_CONTRACT, MIMS_PAYLOAD_CONTRACT

if TYPE_CHECKING:
    from front_door import Container
    from mims.contracts import Contract

both = pytest.mark.parametrize("contract", [MIMS_PACKAGE_CONTRACT, MIMS_PAYLOAD_CONTRACT])
HYPERPARAMETERS = '{"field_info": {"age": "numeric", "city": "text"}}'


def ask(contract: Contract, *arguments: str) -> str:
    """What a script prints, when that is all that it does."""
    command = [sys.executable, "-S", "-W", "error", str(SCRIPTS / contract.entry_point)]
    done = subprocess.run([*command, *arguments], stdout=subprocess.PIPE, env={}, check=True)
    return done.stdout.decode()


@both
def test_version(contract: Contract) -> None:
    assert ask(contract, "--version") == f"{contract.entry_point} {__version__}\n"


@both
def test_help_tells_the_contract(contract: Contract) -> None:
    text = ask(contract, "--help")
    for channel in (*contract.inputs, *contract.outputs):
        assert channel.path in text
    for setting in contract.settings:
        assert setting.name in text
    assert "stopped by signal n" in text
    assert max(map(len, text.splitlines())) <= 100


@both
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["model.tar.gz"], "unrecognized arguments: model.tar.gz"),
        (["--verbose=yes"], "--verbose"),
    ],
)
def test_wrong_command_line(
    container: Container, contract: Contract, arguments: list[str], says: str
) -> None:
    outcome = container.run(contract.entry_point, *arguments)

    assert outcome.code == 2
    assert says in outcome.error
    assert f"{contract.entry_point} --help tells what it takes" in outcome.error
    assert container.outputs() == []


def test_root_may_be_relative_and_new(container: Container) -> None:
    command = [sys.executable, "-S", str(SCRIPTS / "mims_package.py"), "--root", "new"]

    done = subprocess.run(command, cwd=str(container.root), capture_output=True, check=False)

    assert done.returncode == 1
    message = json.loads(done.stdout)
    assert "nothing at new/opt/ml/processing/input/model" in message["error"]


@pytest.mark.parametrize("place", ["output", "message"])
def test_unwritable_exit_message_does_not_fail_the_job(container: Container, place: str) -> None:
    lay(container.model, {"model.bin": b"m"})
    if place == "output":  # a file where the folder should be
        container.message.parent.write_text("")
    else:
        lay(container.message, {})

    process = container.start("mims_package.py")
    stdout, _ = process.communicate()

    assert process.returncode == 0
    assert json.loads(stdout)["status"] == "done"
    assert container.contents("model_artifacts/") == {"model.bin": b"m"}


def test_bad_input_is_told_without_an_exit_message_too(container: Container) -> None:
    container.message.parent.parent.mkdir(parents=True, exist_ok=True)
    container.message.parent.write_text("")

    process = container.start("mims_package.py")
    stdout, stderr = process.communicate()

    assert process.returncode == 1
    assert b"model_input is missing" in stderr
    assert "model_input is missing" in json.loads(stdout)["error"]


@pytest.mark.parametrize("closed", ["stdout", "stderr", "both", "pipe", "full", "full-stderr"])
def test_nobody_listens(container: Container, closed: str) -> None:
    """`mims_package.py >&-`, `| true`, `> /dev/full`: the job is done all the same."""
    lay(container.model, {"model.bin": b"m"})
    redirect = {
        "stdout": ">&-",
        "stderr": "2>&-",
        "both": ">&- 2>&-",
        "pipe": "| true",
        "full": "> /dev/full",
        "full-stderr": "2> /dev/full",
    }[closed]
    command = " ".join(f"'{part}'" for part in container.command("mims_package.py"))

    script = f"set -o pipefail; {{ sleep 0.01; {command}; }} {redirect}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    assert json.loads(container.message.read_text())["status"] == "done"
    assert container.contents("model_artifacts/") == {"model.bin": b"m"}


def test_undecodable_root(container: Container) -> None:
    """A folder whose name is no text: the message has to be UTF-8, for it fails the job if not."""
    moved = type(container)(container.root / os.fsdecode(b"caf\xe9"))
    lay(moved.model, {"model.bin": b"m"})
    lay(moved.script, {"inference.py": b""})

    outcome = moved.package()

    assert outcome.code == 0
    assert "caf" in outcome.message["package"]


def test_long_error_is_shortened(container: Container) -> None:
    lay(container.model, {"é" * 100: b"", **{f"{'名' * 50}{n}": b"" for n in range(30)}})
    lay(container.script, {f"{'名' * 50}{n}.py": b"" for n in range(30)})
    (container.script / "inference.py").unlink()

    outcome = container.package(INFERENCE_ENTRY_POINT="gone.py")

    assert outcome.code == 1
    assert outcome.error.endswith("…")
    assert 1000 < container.message.stat().st_size <= 1024


def test_log_names_files_only_when_asked(container: Container) -> None:
    lay(container.model, {"model.tar.gz": gz(tar(file("weights.bin", b"w")))})
    quiet = container.package()
    verbose = container.package("--verbose")

    assert "weights.bin" not in quiet.log
    assert "weights.bin, 1 bytes" in verbose.log


@both
def test_nothing_of_a_model_or_a_secret_is_logged(container: Container, contract: Contract) -> None:
    secret, content = "wJalrXUtnFEMIEXAMPLEKEY", "the model's own words"
    hyperparameters = json.dumps({"field_info": {"age": "numeric"}, "note": content})
    lay(container.model, {"hyperparameters.json": hyperparameters, "model.bin": content})

    outcome = container.run(
        contract.entry_point, "--verbose", AWS_SECRET_ACCESS_KEY=secret, PATH="/some/where"
    )

    assert outcome.code == 0
    for told in (outcome.log, json.dumps(outcome.message)):
        assert secret not in told
        assert content not in told
        assert "/some/where" not in told


@both
def test_runs_from_anywhere_and_leaves_nothing_else(
    container: Container, contract: Contract
) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})
    before = set(container.root.rglob("*"))

    assert container.run(contract.entry_point).code == 0

    new = set(container.root.rglob("*")) - before
    outputs = {container.output / name for name in container.outputs()}
    assert outputs
    message = {container.message, container.message.parent}
    assert new == {*outputs, container.output, *message}
