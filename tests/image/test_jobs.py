"""Jobs in containers that are locked up: good ones, and ones with bad input."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import sample_model
from containers import LOCKED_UP, mounts
from mims.contracts import (
    MIMS_PACKAGE_CONTRACT,
    MIMS_PAYLOAD_CONTRACT,
    MIMS_REGISTRATION_CONTRACT,
    Contract,
)
from registration_inputs import Inputs

if TYPE_CHECKING:
    from pathlib import Path

    from containers import Containers, Ended

pytestmark = pytest.mark.image
sample = sample_model.sample

# An endpoint that nothing listens on: the container has no network.
UNREACHABLE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-west-2",
    "MODS_WORKFLOW_EXECUTION_ID": "workflow-1",
}


class Done(NamedTuple):
    """A job that has ended, and the root that its channels lie in."""

    ended: Ended
    root: Path

    @property
    def output(self) -> Path:
        return self.root / "opt/ml/processing/output"

    @property
    def message_file(self) -> Path:
        return self.root / "opt/ml/output/message"


def run(containers: Containers, contract: Contract, root: Path, **options: Any) -> Done:
    """Run a script on the channels below `root`."""
    volumes = mounts(contract, root)
    ended = containers.run(contract.entry_point, volumes=volumes, **LOCKED_UP, **options)
    return Done(ended, root)


class Good(NamedTuple):
    """A job that did its work: what it left under which name, and a member of that."""

    done: Done
    name: str
    member: str


@pytest.fixture(
    scope="module",
    params=[
        (MIMS_PACKAGE_CONTRACT, "model.tar.gz", "code/inference.py"),
        (MIMS_PAYLOAD_CONTRACT, "payload.tar.gz", "metadata.json"),
    ],
    ids=["package", "payload"],
)
def good(
    request: pytest.FixtureRequest,
    containers: Containers,
    sample: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Good:
    contract, name, member = request.param
    root = tmp_path_factory.mktemp("good")
    channels = root / "opt/ml/processing/input"
    channels.mkdir(parents=True)
    for channel in ("model", "script"):
        (channels / channel).symlink_to(sample / channel)
    return Good(run(containers, contract, root), name, member)


def test_a_locked_up_job_does_its_work(good: Good) -> None:
    message, output = good.done.ended.message, good.done.output / good.name
    assert (message["status"], message["exit_code"]) == ("done", 0)
    assert message[message["job"]] == f"/opt/ml/processing/output/{good.name}"
    assert message["size"] == output.stat().st_size
    assert output.stat().st_uid == 1000
    with tarfile.open(output) as tar:
        assert good.member in tar.getnames()


def test_the_exit_message_is_the_last_line_on_stdout(good: Good) -> None:
    content = good.done.message_file.read_bytes()
    assert content.decode() == good.done.ended.stdout.splitlines()[-1]
    assert len(content) <= 1024


def test_no_model(containers: Containers, tmp_path: Path) -> None:
    done = run(containers, MIMS_PACKAGE_CONTRACT, tmp_path, code=1)
    assert "input model_input is missing" in done.ended.message["error"]
    assert "input script_input is missing" in done.ended.message["error"]
    assert json.loads(done.message_file.read_bytes()) == done.ended.message
    assert list(done.output.iterdir()) == []


def test_everything_that_is_wrong_with_a_registration(
    containers: Containers, tmp_path: Path
) -> None:
    """Three mistakes in the config and a setting that is not there, all told at once."""
    config = {"model_registration_objective": 7, "framework": "spark", "bukket": "models"}
    Inputs(tmp_path).write(config)
    without_workflow = {k: v for k, v in UNREACHABLE.items() if not k.startswith("MODS_")}
    done = run(
        containers, MIMS_REGISTRATION_CONTRACT, tmp_path, code=1, environment=without_workflow
    )
    wanted = [
        "MODS_WORKFLOW_EXECUTION_ID",
        "model_registration_objective",
        "framework: must be",
        "bukket: unknown key; did you mean bucket?",
    ]
    assert [text for text in wanted if text not in done.ended.message["error"]] == []
    assert [text for text in wanted if text not in done.ended.stderr] == []
    assert json.loads(done.message_file.read_bytes()) == done.ended.message


def test_aws_that_cannot_be_reached(containers: Containers, tmp_path: Path) -> None:
    Inputs(tmp_path).write()
    done = run(containers, MIMS_REGISTRATION_CONTRACT, tmp_path, code=3, environment=UNREACHABLE)
    assert "AWS_ENDPOINT_URL" in done.ended.message["error"]
    assert len(done.message_file.read_bytes()) <= 1024
    assert json.loads(done.message_file.read_bytes()) == done.ended.message
