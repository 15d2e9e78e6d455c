"""Whole registrations, for the tests that break them: where they run, and what they leave.

`Runner` runs one in a process of its own, to be killed or stopped: a fork of a process that has
imported everything. `check_whole` asks the local AWS itself, and is the invariant that all these
tests share.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote

import boto3
import botocore.session
from botocore.loaders import create_loader

from faults import Faults
from mims.registration.audit import Trail, verify_chain
from mims.registration.aws import ATTEMPTS
from mims.registration.parts import SMALLEST
from mims.registration.storage import Storage
from registration_inputs import CONFIG, GROUP, PACKAGE, Inputs, digests, run_registration
from stored_artifacts import no_waits, unfinished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pytest

    from conftest import LocalAws
    from faults import Request

T = TypeVar("T")

ONE = {"us-west-2": "mims-models"}
TWO = {**ONE, "eu-west-1": "mims-eu"}
THREE = {**TWO, "ap-south-1": "mims-ap"}
METADATA = {"model_quality": {"auc": 0.93}, "bias": {"DPL": 0.01}}  # of two reports
_READS = re.compile(r"(Head|Get|List|Describe)\w+")
_URI = re.compile(r"s3://([^/\"\s]+)/([^\"\\\s]+)")


def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore ask again at once, and read each service model once only."""
    no_waits(monkeypatch)
    monkeypatch.setattr(botocore.session, "create_loader", functools.lru_cache(create_loader))


def write_inputs(root: Path, regions: Mapping[str, str], **config: Any) -> Inputs:
    """Inputs for these regions and buckets, small ones, with reports."""
    where = {"regions": list(regions), "bucket": dict(regions)}
    inputs = Inputs(root).write({**CONFIG, **where, **config})
    inputs.metadata.mkdir(parents=True, exist_ok=True)
    (inputs.metadata / "metadata.json").write_text(json.dumps(METADATA))
    return inputs


def enlarge(inputs: Inputs) -> Inputs:
    """Give them a model that goes in two parts."""
    weights = random.Random(1).randbytes(SMALLEST + (1 << 20))  # noqa: S311 - no secret
    config = json.loads(inputs.config.read_text())
    return inputs.write(config, {**PACKAGE, "model_artifacts/weights.bin": weights})


def make_buckets(regions: Mapping[str, str]) -> None:
    """Make an empty bucket in each region."""
    for region, name in regions.items():
        where: Any = {"LocationConstraint": region}
        boto3.client("s3", region).create_bucket(Bucket=name, CreateBucketConfiguration=where)


@contextmanager
def between(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """Put a fault proxy before the local AWS; at the end all is settled that came by it."""
    with Faults(aws.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)


def run_again(inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """A run that nothing befalls; give what it asked."""
    with between(aws, monkeypatch) as proxy:
        ending = run_registration(inputs)
    assert ending.code == 0, ending.message
    return proxy.requests


def at_once(work: Callable[..., T], *over: Sequence[Any]) -> list[T]:
    """Do it for each side by side, as `map` would one by one, each in a thread of its own."""
    with ThreadPoolExecutor(len(over[0])) as pool:
        return list(pool.map(work, *over))


# What is there


def versions_in(region: str) -> list[dict[str, Any]]:
    """All versions of the group, oldest first, as described."""
    sagemaker = boto3.client("sagemaker", region)
    if not sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]:
        return []
    listing = sagemaker.list_model_packages(ModelPackageGroupName=GROUP, SortOrder="Ascending")
    arns = [version["ModelPackageArn"] for version in listing["ModelPackageSummaryList"]]
    return [dict(sagemaker.describe_model_package(ModelPackageName=arn)) for arn in arns]


def audit_records(region: str, bucket: str) -> list[dict[str, Any]]:
    """The group's audit records, whose chain has been verified."""
    records = list(Trail(Storage(region), bucket, GROUP).records())
    verify_chain(records)
    return [json.loads(content) for _, content in records]


def keys_in(region: str, bucket: str) -> set[str]:
    listing = boto3.client("s3", region).list_objects_v2(Bucket=bucket)
    return {entry["Key"] for entry in listing.get("Contents", [])}


def begun(regions: Mapping[str, str]) -> int:
    """How many uploads are unfinished."""
    return sum(
        len(unfinished(boto3.client("s3", region), bucket)) for region, bucket in regions.items()
    )


def check_nothing_written(regions: Mapping[str, str]) -> None:
    for region, bucket in regions.items():
        assert keys_in(region, bucket) == set()
        assert versions_in(region) == []
    assert begun(regions) == 0


def check_whole(inputs: Inputs, regions: Mapping[str, str]) -> None:
    """One version in each region, all that it refers to and nothing else, and a whole trail."""
    model = digests(inputs.model / "model.tar.gz")["sha256"]
    for region, bucket in regions.items():
        (version,) = versions_in(region)
        assert version["ModelPackageStatus"] == "Completed"
        properties = version["CustomerMetadataProperties"]
        assert properties["model_sha256"] == model
        assert properties["workflow_execution_id"] == os.environ["MODS_WORKFLOW_EXECUTION_ID"]
        assert audit_records(region, bucket)[-1]["model_package_arn"] == version["ModelPackageArn"]
        found = {key for key in keys_in(region, bucket) if "/audit/" not in key}
        referred = set(_URI.findall(json.dumps(version, default=str)))
        assert {(bucket, key) for key in found} == referred
        s3 = boto3.client("s3", region)
        for key in found:
            content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            assert hashlib.sha256(content).hexdigest() in key
    assert begun(regions) == 0


# What was asked


def writes(requests: Iterable[Request]) -> list[Request]:
    """Those that were to change something, but for audit records."""
    return [
        request
        for request in requests
        if not _READS.fullmatch(request.operation) and "/audit/" not in unquote(request.path)
    ]


def check_attempts(requests: Iterable[Request]) -> None:
    """No call was sent more often than is said."""
    counts = Counter(request.headers["amz-sdk-invocation-id"] for request in requests)
    assert max(counts.values(), default=0) <= ATTEMPTS


# Processes

_SERVE = "from registration_runs import serve; serve()"


def serve() -> None:
    """Fork a registration for each line that comes: a root and an environment. Say how it ends."""
    vars(botocore.session)["create_loader"] = functools.lru_cache(create_loader)
    for service in ("s3", "sagemaker"):
        botocore.session.get_session().create_client(service, "us-west-2")
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        root, environ = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ.clear()
            os.environ.update(environ)
            for stream in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
            os._exit(run_registration(Inputs(Path(root))).code)
        print(child, flush=True)  # noqa: T201
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201


class Runner:
    """Runs registrations, one at a time, each in a process of its own."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        assert server.stdin
        assert server.stdout
        self._asked, self._said = server.stdin, server.stdout
        self._run = 0
        assert self._said.readline() == "ready\n"

    def start(self, inputs: Inputs) -> None:
        """Start a run in the environment of now."""
        print(json.dumps([str(inputs.root), dict(os.environ)]), file=self._asked, flush=True)
        self._run = int(self._said.readline())

    def signal(self, number: int) -> None:
        """Send the run a signal. One that has ended hears nothing."""
        with suppress(ProcessLookupError):
            os.kill(self._run, number)

    def wait(self) -> int:
        """Wait for the run; give its exit code, below 0 for a signal that ended it."""
        return int(self._said.readline())


@contextmanager
def runner() -> Iterator[Runner]:
    """A `Runner`, ready."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", _SERVE]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environ, text=True, **pipes) as server:
        yield Runner(server)
