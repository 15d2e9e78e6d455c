"""The chain as plain processes: on the sample model, on somebody's own, and on bad input."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import own_model
from chain import TOP, Chain, Run
from own_model import OwnModel
from sample_model import LAYOUTS, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What a caller's shell may hold; none of it may lead a step away from the local AWS.
ELSEWHERE = {
    "AWS_PROFILE": "nobody",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",
}


class Twice(NamedTuple):
    """Two runs on the sample model in one folder, in one package layout."""

    layout: str
    chain: Chain
    first: Run
    second: Run


@pytest.fixture(scope="module", params=["mims", pytest.param("sagemaker", marks=pytest.mark.slow)])
def twice(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Twice]:
    run = tmp_path_factory.mktemp("chain") / "a run"
    with Chain(run, ("--processes",)) as chain:
        first = chain(PACKAGE_LAYOUT=request.param, **ELSEWHERE)
        yield Twice(request.param, chain, first, chain(PACKAGE_LAYOUT=request.param))


@pytest.fixture(scope="module")
def own_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Give a chain to run one's own model on; its local AWS goes on from run to run."""
    with Chain(tmp_path_factory.mktemp("own-chain") / "run", ("--processes",)) as chain:
        yield chain


@pytest.fixture
def mine(tmp_path: Path) -> OwnModel:
    return own_model.train(tmp_path)


def test_the_chain_ends_with_predictions(twice: Twice) -> None:
    for run in (twice.first, twice.second):
        assert run.code == 0, run.stderr
        assert [(p["content_type"], json.loads(p["response"]).keys()) for p in run.predictions] == [
            ("application/json", {"predictions"}),
            ("text/csv", {"predictions"}),
        ]
        assert run.predictions[0]["response"] == run.predictions[1]["response"]


def test_it_sums_itself_up(twice: Twice) -> None:
    table, messages = twice.first.stdout, twice.first.messages
    wanted = [
        f"{twice.chain.output('package', 'model.tar.gz').stat().st_size:,} bytes",
        f"{twice.chain.output('payload', 'payload.tar.gz').stat().st_size:,} bytes",
        messages["package"]["sha256"],
        messages["payload"]["sha256"],
        twice.first.version["arn"],
        "1, new",
        twice.first.predictions[0]["response"],
    ]
    assert [text for text in wanted if text not in table] == []
    assert "1, registered before" in twice.second.stdout
    assert f"outputs are in {twice.chain.run}" in twice.first.stderr


def test_the_package_has_the_layout_that_was_asked_for(twice: Twice) -> None:
    with tarfile.open(twice.chain.output("package", "model.tar.gz")) as tar:
        names = tar.getnames()
    assert f"{LAYOUTS[twice.layout]}xgboost_model.bst" in names
    assert "code/inference.py" in names


def test_a_second_run_registers_nothing_twice(twice: Twice) -> None:
    first, second = twice.first, twice.second
    assert (first.version["version"], first.version["new"]) == (1, True)
    assert second.version == {**first.version, "new": False}
    assert first.messages["register"]["bytes_uploaded"] > 0
    assert second.messages["register"]["bytes_uploaded"] == 0
    versions = twice.chain.sagemaker().list_model_packages(
        ModelPackageGroupName=first.messages["register"]["group"]
    )["ModelPackageSummaryList"]
    assert [version["ModelPackageArn"] for version in versions] == [first.version["arn"]]


def test_the_outputs_are_the_callers(twice: Twice) -> None:
    owners = {path.lstat().st_uid for path in [twice.chain.run, *twice.chain.run.rglob("*")]}
    assert owners == {os.getuid()}


def test_the_aws_cli_reads_the_version_back(twice: Twice) -> None:
    arn = twice.first.version["arn"]
    aws = [str(Path(sys.executable).with_name("aws")), "--endpoint-url", twice.chain.endpoint]
    where = ["--region", "us-west-2", "--output", "json"]
    done = subprocess.run(
        [*aws, *where, "sagemaker", "describe-model-package", "--model-package-name", arn],
        env={
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    version = json.loads(done.stdout)
    (container,) = version["InferenceSpecification"]["Containers"]
    message = twice.first.messages["register"]
    assert version["ModelPackageArn"] == arn
    assert version["ModelPackageVersion"] == 1
    assert version["ModelPackageStatus"] == "Completed"
    assert version["ModelApprovalStatus"] == "PendingManualApproval"
    assert "/sagemaker-xgboost:" in container["Image"]
    assert container["ModelDataUrl"].endswith(f"{message['model_sha256']}/model.tar.gz")
    assert version["SamplePayloadUrl"].endswith(f"{message['payload_sha256']}/payload.tar.gz")
    assert version["InferenceSpecification"]["SupportedContentTypes"] == ["application/json"]
    assert version["CustomerMetadataProperties"]["model_sha256"] == message["model_sha256"]
    assert "local-chain" in version["CustomerMetadataProperties"].values()  # the workflow's id


@pytest.mark.slow
def test_a_model_that_someone_else_trained(own_chain: Chain, mine: OwnModel) -> None:
    """It goes through as it is, with settings for its sample, as a file and in its folder."""
    settings = {"DEFAULT_NUMERIC_VALUE": "200", "SPECIAL_FIELD_Sex": "MALE"}
    run = own_chain(*mine.options, **settings)
    assert run.code == 0, run.stderr
    assert run.messages["register"]["group"] == own_model.CONFIG["model_name"]
    for prediction in run.predictions:
        assert json.loads(prediction["response"]) == pytest.approx(
            [mine.predict(200, 200, male=True)]
        )

    folder = own_chain(*mine.options, "--model", str(mine.archive.parent), **settings)
    assert folder.code == 0, folder.stderr
    assert folder.version == {**run.version, "new": False}


def no_hyperparameters(mine: OwnModel) -> None:
    write_archive(mine.archive, {"line.pkl": b""})


def no_archive(mine: OwnModel) -> None:
    mine.archive.write_bytes(b"not an archive")


def no_code(mine: OwnModel) -> None:
    (mine.script / "inference.py").unlink()


def three_mistakes(mine: OwnModel) -> None:
    config = {
        "model_name": "culmen length",
        "frame": "xgboost",
        "bucket": 5,
        "regions": "west",
    }
    mine.config.write_text(json.dumps(config))


def a_model_that_does_not_predict(mine: OwnModel) -> None:
    code = mine.script / "inference.py"
    code.write_text(code.read_text().replace("return [model", "return [modell"))


@pytest.mark.parametrize(
    ("spoil", "step", "told"),
    [
        # The step's own words, then which step it was.
        (no_archive, "package", ["model"]),
        (no_code, "package", ["script_input", "is empty"]),
        (no_hyperparameters, "payload", ["hyperparameters.json"]),
        (three_mistakes, "register", ["'culmen length'", "frame", "bucket", "regions"]),
        # Registered, but the chain is green only when predictions come back.
        (a_model_that_does_not_predict, "verify", ["predict_fn", "'modell'"]),
    ],
)
def test_a_step_that_fails_ends_the_chain(
    spoil: Callable[[OwnModel], None],
    step: str,
    told: list[str],
    own_chain: Chain,
    mine: OwnModel,
) -> None:
    spoil(mine)
    run = own_chain(*mine.options)
    assert run.code == 1
    assert run.stderr.splitlines()[-1] == f"chain: {step} failed with exit code 1"
    assert [text for text in told if text not in run.stderr] == []
    assert ("Traceback" in run.stderr) == (step == "verify")  # of the model's code, none of ours
    assert run.predictions == []


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--modle", "model.tar.gz"], 2, "--modle is no option"),
        (["--model"], 2, "--model takes a path"),
        (["--run"], 2, "--run takes a folder"),
        (["--model", "README.md"], 2, "--model, --script and --config go together"),
        # Metrics of one model with another would be registered otherwise.
        (["--metadata", "README.md"], 2, "--model, --script and --config go together"),
        (["--model", "no/such/model.tar.gz"], 1, "no/such/model.tar.gz: there is no such file"),
    ],
)
def test_a_wrong_command_line(options: list[str], code: int, told: str) -> None:
    done = subprocess.run(
        ["bash", "docker/chain.sh", *options], cwd=TOP, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_model_in_the_folder_of_a_run_is_never_emptied(tmp_path: Path) -> None:
    """Whoever takes what an earlier run left is told, before anything is removed."""
    left = tmp_path / "package/opt/ml/processing/output/model.tar.gz"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"a model")
    given = ["--model", str(left), "--script", "docker/train/inference", "--config", "README.md"]
    done = subprocess.run(
        ["bash", "docker/chain.sh", "--processes", "--run", str(tmp_path), *given],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"{left} lies where this run writes: name another --run" in done.stderr
    assert left.read_bytes() == b"a model"


def test_help_names_every_option() -> None:
    command = ["bash", "docker/chain.sh", "--help"]
    text = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout
    options = ("model", "script", "config", "metadata", "run", "processes", "stop")
    assert [option for option in options if f"--{option}" not in text] == []
    assert "set -euo" not in text


def test_where_no_engine_answers_it_runs_plain_processes(tmp_path: Path, mine: OwnModel) -> None:
    no_hyperparameters(mine)  # ends early
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/no-engine"}
    with Chain(tmp_path / "run", mine.options, settings=nowhere) as chain:
        run = chain()
        assert "no Docker engine answers: running plain processes" in run.stderr
        assert run.messages["package"]["package"] == str(chain.output("package", "model.tar.gz"))


def test_stop_leaves_no_process(tmp_path: Path, mine: OwnModel) -> None:
    no_archive(mine)  # ends early; the local AWS goes on
    with Chain(tmp_path / "run", ("--processes", *mine.options)) as chain:
        assert chain().code == 1
        assert chain.answers()
        assert local_aws_processes(chain.port)
        assert chain.stop().returncode == 0
        assert not chain.answers()
        assert local_aws_processes(chain.port) == []
        assert chain.stop().returncode == 0  # once more is no fault


def test_stop_ends_nothing_but_the_local_aws(tmp_path: Path) -> None:
    """After a restart of the machine, the number in the pid file may be anybody's."""
    chain = Chain(tmp_path / "run", ("--processes",))
    pid_file = TOP / "run" / f"aws-{chain.port}.pid"
    pid_file.parent.mkdir(exist_ok=True)
    with subprocess.Popen(["sleep", "600"]) as other:
        pid_file.write_text(str(other.pid))
        try:
            assert chain.stop().returncode == 0
            assert other.poll() is None
            assert not pid_file.exists()
        finally:
            other.kill()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with Chain(tmp_path / "run", ("--processes",), port=taken.getsockname()[1]) as chain:
            run = chain()
    assert run.code == 1
    assert "the local AWS did not start" in run.stderr
    assert "MIMS_AWS_PORT" in run.stderr


def local_aws_processes(port: int) -> list[bytes]:
    """The command lines of processes that were started for a port."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if b"docker/aws/server.py" in words and str(port).encode() in words:
            lines.append(b" ".join(words))
    return lines
