"""The chain in containers: by docker/chain.sh, and by a plain `up --build` of each Compose."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import own_model
from chain import TOP, Chain, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker
    from docker.models.containers import Container
    from docker.models.images import Image

pytestmark = pytest.mark.image

SOCKET = Path("/var/run/docker.sock")
# Another user than the one that these tests run as, where that is root.
SOMEBODY = 54321 if os.getuid() == 0 else None
COMPOSES = [["docker", "compose"]]
if shutil.which("docker-compose"):
    COMPOSES.append(["docker-compose"])
_PATIENCE = 300.0  # seconds until a chain has ended


class Twice(NamedTuple):
    """Two runs on the sample model in one folder, by one user, in one package layout."""

    layout: str
    chain: Chain
    first: Run
    second: Run


@contextmanager
def somebodys_checkout() -> Iterator[Path]:
    """Give a fresh checkout that belongs to another user."""
    with tempfile.TemporaryDirectory(prefix="mims-checkout-") as folder:
        top = Path(folder) / "mims"
        left_out = shutil.ignore_patterns(".git", ".venv*", ".*_cache", "__pycache__", "run")
        shutil.copytree(TOP, top, ignore=left_out)
        Path(folder).chmod(0o755)
        give_away(top)
        yield top


def give_away(top: Path) -> None:
    """Make a tree another user's."""
    if SOMEBODY is not None:
        for path in (top, *top.rglob("*")):
            os.chown(path, SOMEBODY, SOMEBODY)


@pytest.fixture(scope="module")
def chains(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Chain]]:  # noqa: ARG001 - its layers are used
    """Give a chain a layout: one as the user of these tests, one as another by the old Compose."""
    with somebodys_checkout() as top:
        ours = Chain(tmp_path_factory.mktemp("compose") / "a run")
        theirs = Chain(
            top / "run",
            top=top,
            user=SOMEBODY,
            groups=(SOCKET.stat().st_gid,),  # those who may talk to the engine
            settings={"HOME": str(top), "PATH": path_without_compose_v2(top / "bin")},
        )
        with ours, theirs:
            yield {"mims": ours, "sagemaker": theirs}


def path_without_compose_v2(folder: Path) -> str:
    """Give a PATH with a `docker` that knows no `compose`, where docker-compose can stand in."""
    path, docker_command = os.environ["PATH"], shutil.which("docker")
    if not shutil.which("docker-compose"):
        return path
    folder.mkdir()
    wrapper = folder / "docker"
    wrapper.write_text(f'#!/bin/sh\n[ "$1" != compose ] && exec {docker_command} "$@"\n')
    wrapper.chmod(0o755)
    return f"{folder}:{path}"


@pytest.fixture(scope="module", params=["mims", pytest.param("sagemaker", marks=pytest.mark.slow)])
def twice(request: pytest.FixtureRequest, chains: dict[str, Chain]) -> Twice:
    layout = request.param
    first, second = (chains[layout](PACKAGE_LAYOUT=layout) for _ in range(2))
    return Twice(layout, chains[layout], first, second)


def test_the_chain_ends_with_predictions(twice: Twice) -> None:
    for run in (twice.first, twice.second):
        assert run.code == 0, run.stderr
        assert [p["content_type"] for p in run.predictions] == ["application/json", "text/csv"]
        assert run.version["arn"] in run.stdout


def test_a_second_run_registers_nothing_twice(twice: Twice) -> None:
    assert (twice.first.version["version"], twice.first.version["new"]) == (1, True)
    assert twice.second.version == {**twice.first.version, "new": False}
    assert twice.second.messages["register"]["bytes_uploaded"] == 0


def test_the_outputs_are_the_callers(twice: Twice) -> None:
    owner = os.getuid() if twice.chain.user is None else twice.chain.user
    owners = {path.lstat().st_uid for path in [twice.chain.run, *twice.chain.run.rglob("*")]}
    assert owners == {owner}


@pytest.mark.slow
def test_with_containers_or_without_the_package_is_the_same(twice: Twice, tmp_path: Path) -> None:
    with Chain(tmp_path, ("--processes",)) as chain:
        processes = chain(PACKAGE_LAYOUT=twice.layout)
    for step in ("package", "payload"):
        assert processes.messages[step]["sha256"] == twice.first.messages[step]["sha256"]


@pytest.mark.slow
def test_a_model_that_someone_else_trained(chains: dict[str, Chain], tmp_path: Path) -> None:
    mine = own_model.train(tmp_path)
    run = chains["mims"](
        *mine.options, DEFAULT_NUMERIC_VALUE="200", SPECIAL_FIELD_Sex="MALE", CSV_HEADER="true"
    )
    assert run.code == 0, run.stderr
    answers = [json.loads(prediction["response"]) for prediction in run.predictions]
    assert answers == [pytest.approx([mine.predict(200, 200, male=True)])] * 2


def test_a_step_that_fails_ends_the_chain(chains: dict[str, Chain], tmp_path: Path) -> None:
    mine = own_model.train(tmp_path)
    mine.config.write_text(json.dumps({"model_name": "culmen length"}))
    run = chains["mims"](*mine.options)
    assert run.code == 1
    assert "'culmen length'" in run.messages["register"]["error"]
    assert run.stderr.splitlines()[-1] == "chain: register failed with exit code 1"


@pytest.fixture(scope="module")
def checkout(image: Image) -> Iterator[Path]:  # noqa: ARG001 - its layers are used
    """Give a checkout in which a user has run a chain that came no further than packaging."""
    with somebodys_checkout() as top:
        (top / "run/package/opt/ml/processing/output").mkdir(parents=True)
        give_away(top / "run")
        yield top


@pytest.mark.slow
@pytest.mark.parametrize("compose", COMPOSES, ids=" ".join)
def test_a_plain_up(
    compose: list[str], checkout: Path, engine: docker.DockerClient, tmp_path: Path
) -> None:
    """`up --build` stays in the foreground, for the local AWS goes on; `verify` has exit code 0."""
    chain = Chain(checkout)  # for its name and port
    log = tmp_path / "log"
    where: dict[str, Any] = {"cwd": checkout, "env": chain.environ}
    with (
        log.open("w") as file,
        subprocess.Popen([*compose, "up", "--build"], stdout=file, stderr=file, **where) as up,
    ):
        try:
            verify = await_service(engine, chain.project, "verify", up, log)
            assert verify.wait(timeout=_PATIENCE)["StatusCode"] == 0, log.read_text()
        finally:
            up.send_signal(signal.SIGINT)
            up.wait(_PATIENCE)
            subprocess.run([*compose, "down"], check=True, capture_output=True, **where)


def await_service(
    engine: docker.DockerClient, project: str, service: str, up: subprocess.Popen[bytes], log: Path
) -> Container:
    """Give a service's container once it has started, which is after all before it have ended."""
    deadline = time.monotonic() + _PATIENCE
    label = [f"com.docker.compose.project={project}", f"com.docker.compose.service={service}"]
    while True:
        for container in engine.containers.list(
            all=True, filters={"label": label}, ignore_removed=True
        ):
            if container.status != "created":
                return container
        assert up.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
