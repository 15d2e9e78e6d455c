"""A whole A/B of two real models in two containers of docker/serve, to either end.

The local AWS stands before them as the endpoint: it shares requests out by weight, captures them
and measures. All that decides is what an operator types.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest

import sample_model
from ab_groups import CAPTURE, ENDPOINT, GATES, LABELS, Group, a_group, served, stands, weights
from containers import LOCKED_UP
from mims.errors import EXIT_DONE
from mims.governance.command import main
from sample_model import archive_files, package_sample, raw_penguins
from traffic import flush, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import docker
    from docker.models.images import Image

    from conftest import LocalAws
    from mims.governance.versions import Version

pytestmark = [pytest.mark.image, pytest.mark.usefixtures("bucket")]

sample = sample_model.sample

COLUMNS = (
    *("Culmen Length (mm)", "Culmen Depth (mm)", "Flipper Length (mm)", "Delta 15 N (o/oo)"),
    *("Delta 13 C (o/oo)", "Species", "Island", "Sex", "Clutch Completion"),
)
HEAVY = 4000  # grams
_PATIENCE = 300.0  # seconds until a model is loaded
_WHY = ("--reason", "retrained", "--poll", "0.05", "--timeout", "60")


class Hosts(NamedTuple):
    """Where the models run, behind the local AWS."""

    aws: LocalAws
    engine: docker.DockerClient
    folder: Path

    @contextmanager
    def serving(self, group: Group) -> Iterator[None]:
        """Serve both versions of a group, each in a container."""
        with (
            container(self.engine, group.champion, self.folder / "champion") as champion,
            container(self.engine, group.challenger, self.folder / "challenger") as challenger,
        ):
            servers = {group.champion.arn: champion, group.challenger.arn: challenger}
            tell(self.aws, servers=servers, seed=7)
            yield


@pytest.fixture
def hosts(
    aws: LocalAws,
    engine: docker.DockerClient,
    image: Image,  # noqa: ARG001 - that of docker/serve is built with it
    tmp_path: Path,
) -> Hosts:
    return Hosts(aws, engine, tmp_path)


class Models(NamedTuple):
    """Files of two packages."""

    good: dict[str, bytes]
    """the sample model: nine of ten penguins it tells right"""
    bad: dict[str, bytes]
    """the same, with a threshold that takes nearly every penguin for a light one"""


@pytest.fixture
def models(sample: Path, tmp_path: Path) -> Models:
    good = archive_files(package_sample(sample, "mims", tmp_path / "good.tar.gz"))
    name = "model_artifacts/hyperparameters.json"
    changed = {**json.loads(good[name]), "decision_threshold": 0.995}
    return Models(good, {**good, name: json.dumps(changed).encode()})


@contextmanager
def container(engine: docker.DockerClient, version: Version, folder: Path) -> Iterator[str]:
    """Serve what is registered of a version; give the address once the model is loaded."""
    folder.mkdir()
    package = folder / "model.tar.gz"
    bucket, _, key = version.model.uri.removeprefix("s3://").partition("/")
    boto3.client("s3").download_file(bucket, key, str(package))
    made = engine.containers.create(
        "mims-serve",
        ["serve.py", "--package", "/package/model.tar.gz", "--host", "0.0.0.0"],  # noqa: S104
        **{**LOCKED_UP, "network_mode": "bridge"},
        tmpfs={"/tmp": "mode=1777"},  # noqa: S108
        volumes=[f"{package}:/package/model.tar.gz:ro"],
        ports={"8080/tcp": ("127.0.0.1", 0)},
    )
    try:
        made.start()
        made.reload()
        published = made.ports["8080/tcp"]
        assert published
        url = f"http://127.0.0.1:{published[0]['HostPort']}"
        deadline = time.monotonic() + _PATIENCE
        while not answers(url):
            assert time.monotonic() < deadline, made.logs().decode()
            time.sleep(0.1)
        yield url
    finally:
        made.remove(force=True, v=True)


def answers(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/ping"):
            return True
    except (urllib.error.URLError, OSError):
        return False


def penguins_come(aws: LocalAws, count: int, seed: int) -> Counter[str]:
    """Ask about so many birds, weigh them, and leave the labels in S3; count who answered."""
    birds = [bird for bird in raw_penguins() if bird["Body Mass (g)"] not in ("", "NA")]
    drawn = Random(seed).choices(birds, k=count)  # noqa: S311 - a draw
    runtime = boto3.client("sagemaker-runtime")

    def ask(number: int) -> str:
        fields = [drawn[number][column] for column in COLUMNS]
        answer = runtime.invoke_endpoint(
            EndpointName=ENDPOINT,
            ContentType="text/csv",
            Body=",".join(f'"{field}"' for field in fields) + "\n",
            InferenceId=f"{seed}-{number}",
        )
        answer["Body"].read()
        return answer["InvokedProductionVariant"].rpartition("-")[2]

    with ThreadPoolExecutor(4) as pool:
        who = Counter(pool.map(ask, range(count)))
    flush(aws)
    labels = [
        {
            "groundTruthData": {
                "data": "heavy" if float(bird["Body Mass (g)"]) > HEAVY else "light",
                "encoding": "CSV",
            },
            "eventMetadata": {"eventId": f"{seed}-{number}"},
            "eventVersion": "0",
        }
        for number, bird in enumerate(drawn)
    ]
    body = "".join(json.dumps(label) + "\n" for label in labels).encode()
    boto3.client("s3").put_object(Bucket="mims-models", Key=f"labels/{seed}.jsonl", Body=body)
    return who


class Operator(NamedTuple):
    """Types `mims-registry ab` and reads what it tells programs."""

    capsys: pytest.CaptureFixture[str]
    gates: Path

    def __call__(self, command: str, *arguments: str) -> Any:
        self.capsys.readouterr()
        code = main(["ab", command, ENDPOINT, *arguments, "--json"])
        out, err = self.capsys.readouterr()
        assert code == EXIT_DONE, (out, err)
        return json.loads(out)

    def start(self, group: Group) -> Any:
        self.gates.write_text(GATES.format(group=group.champion.group, auc=0.9))
        return self(
            *("start", group.challenger.name, "--gates", str(self.gates)),
            *("--traffic", "0.5", "--smallest", "0.1", "--minimum", "100"),
            *("--capture", CAPTURE, "--labels", LABELS, *_WHY),
        )


@pytest.fixture
def ab(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(capsys, tmp_path / "gates.yaml")


def test_a_better_challenger_is_promoted(
    hosts: Hosts, ab: Operator, models: Models, tmp_path: Path
) -> None:
    group = a_group(tmp_path / "runs", champions=models.bad, challengers=models.good)
    with hosts.serving(group):
        assert set(penguins_come(hosts.aws, 20, seed=1)) == {"1"}
        assert ab.start(group)["done"] == "started"
        who = penguins_come(hosts.aws, 60, seed=2)
        assert set(who) == {"1", "2"}
        report = ab("watch", "--once", *_WHY)
        assert (report["state"], report["end"]) == ("running", None)
        assert report["champion"]["scored"] + report["challenger"]["scored"] == 60

        who += penguins_come(hosts.aws, 440, seed=3)
        report = ab("status")
        assert report["state"] == "challenger better", report["reasons"]
        assert [report[one]["scored"] for one in ("champion", "challenger")] == [who["1"], who["2"]]
        assert 0.1 < report["low"] < report["difference"] < report["high"]
        end = ab("watch", "--once", "--promote", "--gates", str(ab.gates), *_WHY)["end"]

        assert end["done"] == "promoted"
        assert stands(group.challenger) == ("Production", "Approved")
        assert stands(group.champion)[0] == "Archived"
        assert weights() == {"2": 1.0}
        assert penguins_come(hosts.aws, 20, seed=4) == {"2": 20}


@pytest.mark.slow
def test_a_worse_challenger_is_rolled_back(
    hosts: Hosts, ab: Operator, models: Models, tmp_path: Path
) -> None:
    group = a_group(tmp_path / "runs", champions=models.good, challengers=models.bad)
    with hosts.serving(group):
        ab.start(group)
        penguins_come(hosts.aws, 500, seed=5)

        report = ab("watch", "--every", "1", *_WHY)

        assert (report["state"], report["end"]["done"]) == ("champion better", "rolled back")
        assert report["high"] < 0
        assert served() == group.config
        assert stands(group.challenger) == ("Staging", "PendingManualApproval")
        assert stands(group.champion) == ("Production", "Approved")
        assert penguins_come(hosts.aws, 20, seed=6) == {"1": 20}
