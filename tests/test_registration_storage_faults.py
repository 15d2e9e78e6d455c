"""Storage when S3, the network or the run itself fails: it recovers, or says so and cleans up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from faults import (
    denied,
    elsewhere,
    expired,
    internal_error,
    late_error,
    lost_answer,
    refused,
    reset,
    slow,
    throttled,
    truncated,
)
from mims.errors import EXIT_SERVICE, ServiceError
from mims.registration import aws as aws_module
from mims.registration.artifacts import Artifact
from mims.registration.aws import ATTEMPTS
from mims.registration.parts import SMALLEST
from mims.registration.storage import Location, Storage, content_address
from stored_artifacts import LARGE, REGION, SMALL, ignore, of_file, unfinished

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from faults import Exchange, Fault, Faults

IN_PARTS = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload")
WHOLE = ("HeadObject", "PutObject")
OWNER = "123456789012"


@pytest.fixture
def rival(bucket: str) -> Storage:
    """Another run, which has no trouble with S3."""
    del bucket  # is there
    return Storage(REGION)


@pytest.fixture
def storage(s3: S3Client, rival: Storage, proxy: Faults) -> Storage:
    """By way of the proxy, which sees nothing of `s3` and `rival`. Ask for it before the proxy."""
    del rival
    assert s3.meta.endpoint_url != proxy.url
    return Storage(REGION)


@pytest.fixture
def large(tmp_path: Path) -> Artifact:
    return of_file(tmp_path / "model.tar.gz", LARGE)


def artifact_for(operation: str, large: Artifact) -> Artifact:
    return large if operation in IN_PARTS else Artifact.of_bytes("metadata.json", SMALL)


def content(artifact: Artifact) -> bytes:
    return artifact.source if isinstance(artifact.source, bytes) else artifact.source.read_bytes()


def swept(exchange: Exchange) -> None:
    """As S3 answers to whoever sends to an upload that is no more."""
    refused("NoSuchUpload", "The specified upload does not exist.", status=404)(exchange)


# Recovering

RECOVERS = {
    "throttled": (throttled(), ATTEMPTS - 1),
    "a failure of S3": (internal_error(), ATTEMPTS - 1),
    "reset": (reset(), ATTEMPTS - 1),
    # Carried out, and we don't know.
    "the answer lost": (lost_answer(), 1),
    "a 200 cut short": (truncated(40), 1),
    "slow": (slow(0.3), 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("operation", [*WHOLE, *IN_PARTS])
@pytest.mark.parametrize("fault", RECOVERS)
def test_what_passes_is_got_over(
    *, fault: str, operation: str, storage: Storage, large: Artifact, s3: S3Client, proxy: Faults
) -> None:
    artifact = artifact_for(operation, large)
    at = content_address("mims-models", "fraud", artifact)
    breaks, times = RECOVERS[fault]
    proxy.on(operation, breaks, times=times)
    counted: list[int] = []
    stored = storage.store(artifact, at, counted.append)
    # What had to be sent twice counts once.
    assert (stored.moved, stored.copied) == (artifact.size, 0)
    assert sum(counted) == artifact.size
    assert s3.get_object(Bucket=at.bucket, Key=at.key)["Body"].read() == content(artifact)
    # An upload may have been begun twice.
    storage.sweep(at)
    assert unfinished(s3, at.bucket) == []
    repeats = len(proxy.requests) - len({_identity(request) for request in proxy.requests})
    assert storage.retries.count >= repeats  # some found a closed connection and never came


def _identity(request: Any) -> str:
    """The same for all attempts of a call."""
    return str(request.headers["amz-sdk-invocation-id"])


def test_an_error_behind_status_200_is_got_over(
    storage: Storage, large: Artifact, s3: S3Client, proxy: Faults
) -> None:
    at = content_address("mims-models", "fraud", large)
    proxy.on("CompleteMultipartUpload", late_error(), times=1)
    assert storage.store(large, at, ignore).moved == large.size
    assert s3.get_object(Bucket=at.bucket, Key=at.key)["Body"].read() == LARGE


@pytest.mark.slow
def test_an_answer_slower_than_we_wait_is_asked_for_again(
    large: Artifact, storage: Storage, proxy: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    del storage  # it waits a minute
    patient = aws_module._CONFIG  # noqa: SLF001
    monkeypatch.setattr(aws_module, "_CONFIG", patient.merge(Config(read_timeout=1)))
    proxy.on("HeadObject", slow(60))
    with pytest.raises(ServiceError, match=r"HeadObject in us-west-2 for s3://.*Read timeout"):
        Storage(REGION).store(large, content_address("mims-models", "fraud", large), ignore)
    assert proxy.count("HeadObject") == ATTEMPTS


# Giving up


@pytest.mark.slow
@pytest.mark.parametrize("operation", [*WHOLE, *IN_PARTS])
@pytest.mark.parametrize("fault", [throttled(), internal_error(), reset()])
def test_what_fails_for_ever_ends(
    *, fault: Fault, operation: str, storage: Storage, large: Artifact, s3: S3Client, proxy: Faults
) -> None:
    artifact = artifact_for(operation, large)
    at = content_address("mims-models", "fraud", artifact)
    proxy.on(operation, fault, when=lambda request: request.query.get("partNumber") in (None, "2"))
    with pytest.raises(ServiceError, match=f"^{operation} in {REGION} for {at.uri}: .*; ") as ended:
        storage.store(artifact, at, ignore)
    assert ended.value.exit_code == EXIT_SERVICE
    asked = [r for r in proxy.requests if r.operation == operation]
    assert sum(r.query.get("partNumber") in (None, "2") for r in asked) == ATTEMPTS
    assert unfinished(s3, at.bucket) == []
    assert "Contents" not in s3.list_objects_v2(Bucket=at.bucket)
    # And once the service is well, the same again does it.
    proxy.mend()
    assert storage.store(artifact, at, ignore).moved == artifact.size


REFUSALS: list[tuple[Fault, str, str]] = [
    (expired(), "ExpiredToken", "give the job a role with permissions"),
    (denied("s3:PutObject"), "AccessDenied.*s3:PutObject", "policies of the job's role and"),
    (denied("kms:GenerateDataKey"), "AccessDenied.*kms:Gen", "see that the KMS key is there"),
    (refused("KMS.DisabledException", "it is disabled"), "KMS.Disabled", "see that the KMS key"),
    (refused("KMS.NotFoundException", "no such key"), "KMS.NotFound", "see that the KMS key"),
    (refused("NoSuchBucket", "gone", status=404), "NoSuchBucket", "create the bucket"),
    # What S3 says where the bucket is not ExpectedBucketOwner's.
    (refused("AccessDenied", "Access Denied", status=403), "AccessDenied", "is that owner's"),
    (elsewhere("eu-west-1"), "PermanentRedirect", "is in another region"),
]


@pytest.mark.parametrize(("fault", "reason", "cure"), REFUSALS)
@pytest.mark.parametrize("operation", ["PutObject", "UploadPart"])
def test_a_refusal_is_not_asked_for_twice(
    *,
    operation: str,
    fault: Fault,
    reason: str,
    cure: str,
    large: Artifact,
    s3: S3Client,
    storage: Storage,
    proxy: Faults,
) -> None:
    del storage  # this one knows an owner
    artifact = artifact_for(operation, large)
    at = content_address("mims-models", "fraud", artifact)
    proxy.on(operation, fault)
    said = rf"^{operation} in {REGION} for {at.uri} \(owner {OWNER}\): {reason}.*; .*{cure}"
    with pytest.raises(ServiceError, match=re.compile(said, re.DOTALL)):
        Storage(REGION, owner=OWNER).store(artifact, at, ignore)
    parts = [r.query.get("partNumber") for r in proxy.requests if r.operation == operation]
    # boto3 asks a bucket that is elsewhere where, once, and once more there.
    assert max(parts.count(part) for part in parts) <= (2 if "Redirect" in reason else 1)
    assert unfinished(s3, at.bucket) == []


@pytest.mark.parametrize(
    ("status", "cure"),
    # HEAD's answers have no body, so no reason either.
    [
        (400, "give the job a role"),
        (403, "allow the operation in the policies .* s3:ListBucket too"),
        (404, "create the bucket"),
    ],
)
def test_a_bucket_that_is_not_ours_is_refused(
    status: int, cure: str, storage: Storage, proxy: Faults
) -> None:
    proxy.on("HeadBucket", refused("", "", status=status))
    with pytest.raises(
        ServiceError, match=f"HeadBucket in {REGION} for bucket mims-models: .*{cure}"
    ):
        storage.require("mims-models")
    assert proxy.count("HeadBucket") <= 2


def test_an_upload_that_cannot_even_be_aborted_says_why_it_failed(
    storage: Storage, large: Artifact, s3: S3Client, proxy: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    at = content_address("mims-models", "fraud", large)
    proxy.on("UploadPart", denied("s3:PutObject"))
    proxy.on("AbortMultipartUpload", denied("s3:AbortMultipartUpload"))
    with pytest.raises(ServiceError, match="UploadPart in us-west-2"):
        storage.store(large, at, ignore)
    assert "the unfinished upload stays until a later run sweeps it" in caplog.text
    # To be told that it can't be swept either.
    with pytest.raises(ServiceError, match="AbortMultipartUpload in us-west-2 for s3://"):
        storage.sweep(at)
    proxy.mend()
    assert storage.sweep(at) == 1
    assert unfinished(s3, at.bucket) == []


def test_a_file_that_shrinks_while_it_is_sent_is_refused(
    storage: Storage, large: Artifact, s3: S3Client, proxy: Faults
) -> None:
    def shrink(exchange: Exchange) -> None:
        os.truncate(str(large.source), SMALLEST)
        exchange.pass_through()

    proxy.on("CreateMultipartUpload", shrink)
    at = content_address("mims-models", "fraud", large)
    with pytest.raises(ServiceError, match="not stored: the file became shorter while it was sent"):
        storage.store(large, at, ignore)
    assert unfinished(s3, at.bucket) == []


# Others


def test_two_runs_at_a_time_store_it_once(
    storage: Storage, rival: Storage, large: Artifact, s3: S3Client, proxy: Faults
) -> None:
    """The one that comes later finds its upload swept, looks, and is done."""
    at = content_address("mims-models", "fraud", large)
    one_by_one = threading.Lock()
    moved: list[int] = []

    def overtake(exchange: Exchange) -> None:
        with one_by_one:
            if not moved:
                moved.append(rival.store(large, at, ignore).moved)
                assert rival.sweep(at) == 1
        exchange.pass_through()

    proxy.on("UploadPart", overtake)
    stored = storage.store(large, at, ignore)
    assert (moved, stored.moved, stored.copied) == ([large.size], 0, 0)
    assert proxy.count("UploadPart") <= 3  # NoSuchUpload is not retried
    assert s3.get_object(Bucket=at.bucket, Key=at.key)["Body"].read() == LARGE
    assert unfinished(s3, at.bucket) == []


def test_a_copy_that_comes_second_is_not_made_good_by_sending(
    storage: Storage, rival: Storage, large: Artifact, s3: S3Client, proxy: Faults
) -> None:
    s3.put_object(Bucket="mims-models", Key="output/model.tar.gz", Body=LARGE)
    large = replace(large, origin=Location("mims-models", "output/model.tar.gz"))
    at = content_address("mims-models", "fraud", large)

    def overtake(exchange: Exchange) -> None:
        assert rival.store(large, at, ignore).copied == large.size
        assert rival.sweep(at) == 1
        exchange.pass_through()

    proxy.on("CompleteMultipartUpload", overtake, times=1)
    storage.store(large, at, ignore)
    assert proxy.count("UploadPart") == 0
    assert unfinished(s3, at.bucket) == []


def test_an_upload_that_vanishes_is_an_error(
    storage: Storage, large: Artifact, proxy: Faults
) -> None:
    at = content_address("mims-models", "fraud", large)
    proxy.on("CompleteMultipartUpload", swept)
    with pytest.raises(ServiceError, match=r"CompleteMultipartUpload in us-west-2.*NoSuchUpload"):
        storage.store(large, at, ignore)


def test_what_somebody_else_writes_there_meanwhile_is_noticed(
    storage: Storage, s3: S3Client, proxy: Faults
) -> None:
    artifact = Artifact.of_bytes("metadata.json", SMALL)
    at = content_address("mims-models", "fraud", artifact)

    def overwrite(exchange: Exchange) -> None:
        exchange.pass_through()
        s3.put_object(Bucket=at.bucket, Key=at.key, Body=b"something else")

    proxy.on("PutObject", overwrite)
    with pytest.raises(ServiceError, match="what lies there is something else"):
        storage.store(artifact, at, ignore)


# Stops

UPLOAD = """
import sys
from pathlib import Path
from mims.registration.storage import Location, Storage, content_address
from stored_artifacts import REGION, ignore, of_file
artifact = of_file(Path(sys.argv[1]), Path(sys.argv[1]).read_bytes())
storage = Storage(REGION)
at = content_address("mims-models", "fraud", artifact)
print(storage.store(artifact, at, ignore).moved)
print(storage.sweep(at))
"""


@pytest.mark.slow
@pytest.mark.parametrize("operation", IN_PARTS)
def test_a_run_that_was_killed_is_made_good_by_the_next(
    operation: str, storage: Storage, large: Artifact, s3: S3Client, proxy: Faults
) -> None:
    started: list[subprocess.Popen[str]] = []

    def kill(exchange: Exchange) -> None:
        exchange.carry_out()
        started[0].send_signal(signal.SIGKILL)
        exchange.hang_up()

    del storage  # of this process
    proxy.on(operation, kill, times=1)
    path = os.pathsep.join(sys.path)
    command = [sys.executable, "-c", UPLOAD, str(large.source)]
    environ = {**os.environ, "PYTHONPATH": path}

    def run() -> str:
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
        started[:] = [process]
        return process.communicate()[0]

    assert run() == ""
    assert started[0].returncode == -signal.SIGKILL
    complete = operation == "CompleteMultipartUpload"
    assert len(unfinished(s3, "mims-models")) == (0 if complete else 1)
    assert run() == ("0\n0\n" if complete else f"{len(LARGE)}\n1\n")
    assert unfinished(s3, "mims-models") == []
    (stored,) = s3.list_objects_v2(Bucket="mims-models")["Contents"]
    assert stored["Size"] == len(LARGE)


def test_a_stop_ends_what_is_under_way(
    storage: Storage, large: Artifact, s3: S3Client, proxy: Faults
) -> None:
    def stop(exchange: Exchange) -> None:
        storage.stop()
        exchange.pass_through()

    proxy.on("CreateMultipartUpload", stop)
    at = content_address("mims-models", "fraud", large)
    with pytest.raises(ServiceError, match="not stored: stopped"):
        storage.store(large, at, ignore)
    assert proxy.count("UploadPart") == proxy.count("CompleteMultipartUpload") == 0
    assert unfinished(s3, at.bucket) == []


def test_an_interrupt_aborts_the_upload(
    storage: Storage, large: Artifact, s3: S3Client, proxy: Faults
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    at = content_address("mims-models", "fraud", large)
    with pytest.raises(KeyboardInterrupt):
        storage.store(large, at, interrupted)
    assert proxy.count("CompleteMultipartUpload") == 0
    assert unfinished(s3, at.bucket) == []
