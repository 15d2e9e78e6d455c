"""Backend mims over real HTTP: the private library's stand-in, on the local AWS."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

import secure_ai_sandbox_python_lib as library
from faults import (
    Faults,
    denied,
    internal_error,
    lost_answer,
    refused,
    reset,
    throttled,
    truncated,
)
from mims.errors import InputError, ServiceError, Stopped
from mims.registration.artifacts import Artifact, Digest
from mims.registration.backends.base import Registration, State, Status, Submission
from mims.registration.backends.library import ATTEMPTS, LIBRARY, Outcome, outcome_of
from mims.registration.backends.mims import Mims
from mims.registration.storage import Location, Storage, content_address
from registration_configs import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from conftest import LocalAws
    from faults import Exchange, Fault, Request

REGION = "us-west-2"
OWNER = "123456789012"  # of the local AWS
GROUP = "BuyerSellerMessaging-FraudDetection"
CONFIG = {
    "model_registration_objective": "FraudDetection",
    "bucket": "mims-models",
    "source_model_inference_input_variable_list": {"age": "NUMERIC", "country": "TEXT"},
}
MODEL, PAYLOAD = b"a model" * 1000, b"a payload" * 10


@pytest.fixture
def proxy(aws: LocalAws, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """Between all clients made from now on and the local AWS, in which MIMS has its bucket."""
    assert bucket == CONFIG["bucket"]
    where: Any = {"LocationConstraint": REGION}
    boto3.client("s3").create_bucket(Bucket=library.INVENTORY, CreateBucketConfiguration=where)
    monkeypatch.setattr("time.sleep", lambda _: None)  # of botocore's own retries
    with Faults(aws.url) as faults:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faults.url)
        yield faults


@pytest.fixture
def submission(proxy: Faults, tmp_path: Path) -> Submission:
    """What the flow hands over: artifacts where they are to stay."""
    del proxy
    return submit(tmp_path)


def submit(folder: Path, **config: Any) -> Submission:
    storage = Storage(REGION)

    def stored(artifact: Artifact) -> Any:
        at = content_address("mims-models", GROUP, artifact)
        return storage.store(artifact, at, lambda _: None)

    def of_file(name: str, content: bytes) -> Artifact:
        (folder / name).write_bytes(content)
        digest = Digest()
        digest.update(content)
        return digest.artifact(name, folder / name)

    return Submission(
        region=REGION,
        config=parse({**CONFIG, **config}),
        workflow_id="wf-1",
        model=stored(of_file("model.tar.gz", MODEL)),
        schema=stored(Artifact.of_bytes("variable_schema.json", b"{}")),
        payload=stored(of_file("payload.tar.gz", PAYLOAD)),
    )


def mims(**storage: Any) -> Mims:
    short = threading.Event()  # time.sleep itself does nothing here
    return Mims(Storage(REGION, **storage), sleep=lambda seconds: _wait(short, seconds))


def _wait(never: threading.Event, seconds: float) -> None:
    never.wait(min(seconds, 0.05))


def wait(backend: Mims, registration: Registration) -> Status:
    while (status := backend.status(registration)).state is State.PENDING:
        pass
    return status


def run(submission: Submission) -> tuple[Registration, str]:
    """A run from end to end: its registration, and MIMS's last word."""
    backend = mims()
    try:
        registration = backend.register(submission)
        return registration, wait(backend, registration).word
    finally:
        backend.close()


def keys(bucket: str, prefix: str = "") -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for entry in found.get("Contents", [])]


def temporary() -> list[str]:
    """What lies in the temporary place, finished or not."""
    prefix = f"mims/{GROUP}/temporary/"
    uploads = boto3.client("s3").list_multipart_uploads(Bucket="mims-models", Prefix=prefix)
    return keys("mims-models", prefix) + [upload["Key"] for upload in uploads.get("Uploads", [])]


def claims() -> list[str]:
    return keys("mims-models", f"mims/{GROUP}/registrations/")


def records() -> list[dict[str, Any]]:
    """What MIMS has."""
    s3 = boto3.client("s3")
    found = keys(library.INVENTORY, "registrations/")
    return [
        json.loads(s3.get_object(Bucket=library.INVENTORY, Key=key)["Body"].read()) for key in found
    ]


def of_mims(request: Request) -> bool:
    return request.path.startswith(f"/{library.INVENTORY}/registrations/")


def of_claims(request: Request) -> bool:
    return request.path.startswith(f"/mims-models/mims/{GROUP}/registrations/")


def of_temporary(request: Request) -> bool:
    return "/temporary/" in request.path


# A registration


def test_a_model_is_taken_in_and_the_temporary_place_cleared(
    submission: Submission, s3: S3Client
) -> None:
    before = keys("mims-models")
    registration, word = run(submission)
    assert (registration.region, registration.version, registration.new) == (REGION, 1, True)
    assert word == "COMPLETED"
    taken = s3.get_object(Bucket=library.INVENTORY, Key=f"models/{registration.arn}.tar.gz")
    assert taken["Body"].read() == MODEL
    assert temporary() == []
    assert set(before) <= set(keys("mims-models"))  # the artifacts stay


def test_what_mims_is_told(submission: Submission) -> None:
    run(submission)
    (record,) = records()
    config = record["config"]
    assert record["workflow_id"] == "wf-1"
    assert record["model_uri"].startswith(f"s3://mims-models/mims/{GROUP}/temporary/")
    assert config["variable_schema"] == {
        "input": {
            "variables": [
                {"name": "age", "type": "NUMERIC"},
                {"name": "country", "type": "TEXT"},
            ]
        },
        "output": {"variables": [{"name": "legacy-score", "type": "NUMERIC"}]},
    }
    assert config["artifacts"]["model"] == {
        "uri": submission.model.uri,
        "sha256": hashlib.sha256(MODEL).hexdigest(),
    }
    assert "performance_metadata" not in config["artifacts"]
    assert {key: config[key] for key in config.keys() - {"variable_schema", "artifacts"}} == {
        "model_name": GROUP,
        "framework": "xgboost",
        "inference_config": {"instance_type": "ml.m5.large", "initial_instance_count": 1},
        "model_owner": "team id",
        "model_domain": "BuyerSellerMessaging",
        "model_objective": "FraudDetection",
        "model_registration_region": REGION,
        "source_model_region": REGION,
        "source_model_inference_image_arn": submission.config.image(REGION),
        "source_model_inference_content_types": ["text/csv"],
        "source_model_inference_response_types": ["application/json"],
        "source_model_inference_input_variable_list": {"age": "NUMERIC", "country": "TEXT"},
        "source_model_inference_output_variable_list": {"legacy-score": "NUMERIC"},
        "source_model_environment_variable_map": {
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "SAGEMAKER_PROGRAM": "inference.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_REGION": REGION,
        },
    }


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        # The payload of this registration, where MIMS can read it for the time being.
        ({}, ("mims-models", "payload.tar.gz")),
        # The one that the config names.
        (
            {"sample_payload_s3_bucket": "theirs", "sample_payload_s3_key": "a/b.csv"},
            ("theirs", "a/b.csv"),
        ),
    ],
)
def test_the_load_test(
    place: dict[str, str], expected: tuple[str, str], proxy: Faults, tmp_path: Path
) -> None:
    del proxy
    told = {"expected_tps": 2, "max_latency_in_millisecond": 800, **place}
    run(submit(tmp_path, load_testing=told))
    (record,) = records()
    made = record["config"]["load_testing_info_map"]
    assert made["sample_payload_s3_bucket"] == expected[0]
    assert made["sample_payload_s3_key"].endswith(expected[1])
    assert (made["expected_tps"], made["instance_type_list"]) == (2, ["ml.m5.large"])


@pytest.mark.parametrize(
    "answer", [{"registration_id": "r-1"}, SimpleNamespace(registration_id="r-1"), "r-1"]
)
def test_a_registration_id_however_it_comes(
    answer: Any, submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library.MimsResource, "register_model", lambda *_, **__: answer)
    assert mims().register(submission).arn == "r-1"


def test_an_answer_without_an_id(submission: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library.MimsResource, "register_model", lambda *_, **__: None)
    with pytest.raises(ServiceError, match="no registration id in its answer, a NoneType; whether"):
        mims().register(submission)


# Once, and only once


def test_a_second_run_uploads_nothing_and_registers_nothing(
    submission: Submission, proxy: Faults
) -> None:
    first, _ = run(submission)
    proxy.requests.clear()
    second, word = run(submission)
    assert (second.arn, second.new, word) == (first.arn, False, "COMPLETED")
    assert proxy.count("PutObject") == 0
    assert len(records()) == 1


def test_two_runs_at_once_register_once(submission: Submission) -> None:
    with ThreadPoolExecutor() as pool:
        (one, word), (other, _) = pool.map(run, [submission] * 2)
    assert word == "COMPLETED"
    assert one.arn == other.arn
    assert len(records()) == 1
    assert temporary() == []


def test_a_run_that_comes_too_late_takes_the_registration_of_the_other(
    submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one uploads, the other registers, ends, and clears the place of both."""
    upload = library.SandboxSession.upload_file
    others: list[Registration] = []

    def be_late(session: Any, path: str, s3_location: str) -> None:
        upload(session, path, s3_location)
        if not others:
            monkeypatch.setattr(library.SandboxSession, "upload_file", upload)
            others.append(run(submission)[0])

    monkeypatch.setattr(library.SandboxSession, "upload_file", be_late)
    assert run(submission)[0].arn == others[0].arn
    assert len(records()) == 1
    assert temporary() == []


def test_a_run_whose_claim_comes_second(submission: Submission, proxy: Faults) -> None:
    others: list[Registration] = []

    def be_second(exchange: Exchange) -> None:
        backend = mims()
        others.append(backend.register(submission))
        exchange.pass_through()

    proxy.on("PutObject", be_second, times=1, when=of_claims)
    registration, word = run(submission)
    assert (registration.arn, registration.new, word) == (others[0].arn, False, "COMPLETED")
    assert len(records()) == 1
    assert temporary() == []


def test_a_claim_whose_answer_was_lost_is_ours(submission: Submission, proxy: Faults) -> None:
    proxy.on("PutObject", lost_answer(), times=1, when=of_claims)
    registration, word = run(submission)
    assert (registration.new, word) == (True, "COMPLETED")
    assert len(records()) == 1


def test_other_settings_under_the_same_workflow_are_refused(
    submission: Submission, tmp_path: Path
) -> None:
    first, _ = run(submission)
    with pytest.raises(InputError, match=f"in MIMS before, as {first.arn}, with other settings"):
        run(submit(tmp_path, inference_instance_type="ml.c5.large"))
    assert len(records()) == 1
    assert temporary() == []


def test_a_registration_that_failed_is_made_anew(submission: Submission, s3: S3Client) -> None:
    backend = mims()
    registration = backend.register(submission)
    for key in temporary():
        s3.delete_object(Bucket="mims-models", Key=key)
    status = wait(backend, registration)
    backend.close()
    assert (status.state, status.word) == (State.FAILED, "FAILED")
    assert status.reasons
    again, word = run(submission)
    assert (again.version, again.new, word) == (2, True, "COMPLETED")
    assert run(submission)[0] == Registration(REGION, again.arn, 2, new=False)


# What can't be known


def test_a_lost_answer_registers_nothing_twice(
    submission: Submission, proxy: Faults, s3: S3Client
) -> None:
    register = proxy.on("PutObject", lost_answer(), when=of_mims)
    with pytest.raises(ServiceError) as error:
        run(submission)
    (claim,) = claims()
    assert str(error.value).startswith("register_model in us-west-2: ConnectionClosedError: ")
    assert f"write its id into s3://mims-models/{claim} as registration_id, else de" in str(
        error.value
    )
    assert register.used == 1
    proxy.mend()
    with pytest.raises(ServiceError, match="another run called it, or was stopped as it did, and"):
        run(submission)
    assert len(records()) == 1
    assert temporary()  # MIMS may be reading it

    entry = json.loads(s3.get_object(Bucket="mims-models", Key=claim)["Body"].read())
    (known,) = keys(library.INVENTORY, "registrations/")
    entry["registration_id"] = known.partition("/")[2].removesuffix(".json")
    s3.put_object(Bucket="mims-models", Key=claim, Body=json.dumps(entry).encode())
    registration, word = run(submission)
    assert (registration.arn, word) == (entry["registration_id"], "COMPLETED")
    assert temporary() == []


def test_a_note_that_cannot_be_made_tells_the_id(submission: Submission, proxy: Faults) -> None:
    seen: list[str] = []

    def second(request: Request) -> bool:
        if of_claims(request):
            seen.append(request.path)
        return len(seen) > 1

    proxy.on("PutObject", denied("s3:PutObject"), when=second)
    with pytest.raises(ServiceError) as error:
        run(submission)
    (record,) = keys(library.INVENTORY, "registrations/")
    assert f"MIMS has the model as {record[14:-5]}: write that into s3://" in str(error.value)


def test_a_claim_that_is_cut_short(submission: Submission, s3: S3Client) -> None:
    run(submission)
    (claim,) = claims()
    s3.put_object(Bucket="mims-models", Key=claim, Body=b'{"number": 1,')
    with pytest.raises(ServiceError, match="is cut short, or not what this job wrote there"):
        run(submission)
    assert len(records()) == 1


def test_claims_that_cannot_be_read(submission: Submission, proxy: Faults) -> None:
    proxy.on("GetObject", denied("s3:GetObject"))
    with pytest.raises(ServiceError, match="GetObject in us-west-2 for s3://mims-models/mims/"):
        run(submission)
    assert (temporary(), records()) == ([], [])


def test_a_claim_that_cannot_be_written(submission: Submission, proxy: Faults) -> None:
    proxy.on("PutObject", denied("s3:PutObject"), when=of_claims)
    with pytest.raises(ServiceError, match="PutObject in us-west-2 for s3://mims-models/mims/"):
        run(submission)
    assert (temporary(), records()) == ([], [])


# Faults on the way


@pytest.mark.slow
@pytest.mark.parametrize("fault", [throttled(), internal_error(), reset()])
@pytest.mark.parametrize("where", [of_temporary, of_mims], ids=["upload_file", "status"])
def test_what_passes_is_asked_again(
    fault: Fault, where: Callable[[Request], bool], submission: Submission, proxy: Faults
) -> None:
    operation = "PutObject" if where is of_temporary else "GetObject"
    proxy.on(operation, fault, times=ATTEMPTS - 1, when=where)
    backend = mims()
    assert wait(backend, backend.register(submission)).word == "COMPLETED"
    backend.close()
    assert backend.retries == ATTEMPTS - 1
    assert len(records()) == 1
    assert temporary() == []


def test_a_throttled_registration_was_not_made(submission: Submission, proxy: Faults) -> None:
    proxy.on("PutObject", throttled(), times=2, when=of_mims)
    assert run(submission)[1] == "COMPLETED"
    assert len(records()) == 1


def test_an_upload_that_fails_for_ever(submission: Submission, proxy: Faults) -> None:
    model = proxy.on(
        "PutObject", internal_error(), when=lambda r: of_temporary(r) and "model" in r.path
    )
    with pytest.raises(ServiceError, match=r"upload_file in us-west-2: S3UploadFailedError: "):
        run(submission)
    assert model.used == ATTEMPTS
    assert (temporary(), claims(), records()) == ([], [], [])  # the payload's went too


def test_an_upload_that_is_cut_off(submission: Submission, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(session: Any, path: str, s3_location: str) -> None:
        del session, path
        at = Location.read(s3_location)
        assert at
        boto3.client("s3").put_object(Bucket=at.bucket, Key=at.key, Body=PAYLOAD[:9])

    monkeypatch.setattr(library.SandboxSession, "upload_file", half)
    with pytest.raises(ServiceError, match=r"payload.tar.gz has 9 bytes, not 90; run again"):
        run(submission)
    assert (temporary(), claims(), records()) == ([], [], [])


def test_a_registration_that_is_refused(submission: Submission, proxy: Faults) -> None:
    rule = proxy.on("PutObject", denied("mims:RegisterModel"), when=of_mims)
    with pytest.raises(ServiceError, match=r"register_model in us-west-2: AccessDenied: "):
        run(submission)
    assert rule.used == 1  # an answer, which no asking again changes
    assert (temporary(), claims()) == ([], [])
    proxy.mend()
    assert run(submission)[1] == "COMPLETED"


def test_what_an_upload_in_parts_left_unfinished_goes(
    submission: Submission, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = library.SandboxSession.upload_file

    def leave_parts(session: Any, path: str, s3_location: str) -> None:
        at = Location.read(s3_location)
        assert at
        s3.create_multipart_upload(Bucket=at.bucket, Key=at.key)
        upload(session, path, s3_location)

    monkeypatch.setattr(library.SandboxSession, "upload_file", leave_parts)
    assert run(submission)[1] == "COMPLETED"
    assert temporary() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "fault", "expected"),
    [
        ("ListMultipartUploads", denied("s3:ListBucketMultipartUploads"), "ListMultipartUploads"),
        ("ListObjectsV2", denied("s3:ListBucket"), "ListObjectsV2 in us-west-2 for s3://mims-mod"),
        ("DeleteObject", denied("s3:DeleteObject"), "DeleteObject in us-west-2 for s3://mims-mode"),
        # To botocore, an answer that was cut short is empty.
        ("ListMultipartUploads", truncated(), "ListMultipartUploads in us-west-2: the answer was"),
        ("ListObjectsV2", truncated(), "ListObjectsV2 in us-west-2: the answer was cut short"),
        ("AbortMultipartUpload", denied("s3:AbortMultipartUpload"), "AbortMultipartUpload in us-w"),
        # Somebody else was first.
        ("AbortMultipartUpload", refused("NoSuchUpload", "gone", status=404), None),
    ],
)
def test_what_cannot_be_cleared_is_said(
    operation: str, fault: Fault, expected: str | None, submission: Submission, proxy: Faults
) -> None:
    backend = mims()
    wait(backend, backend.register(submission))
    place = f"mims/{GROUP}/temporary/{claims()[0].split('/')[3]}/killed/model.tar.gz"
    boto3.client("s3").create_multipart_upload(Bucket="mims-models", Key=place)
    proxy.on(operation, fault)
    if expected is None:
        backend.close()
        assert keys("mims-models", f"mims/{GROUP}/temporary/") == []
    else:
        with pytest.raises(ServiceError) as error:
            backend.close()
        assert str(error.value).startswith(expected)


# Stops


def test_a_stop_during_the_upload_leaves_nothing(
    submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = library.SandboxSession.upload_file

    def stop(session: Any, path: str, s3_location: str) -> None:
        upload(session, path, s3_location)
        if "model" in path:
            raise Stopped(15)

    monkeypatch.setattr(library.SandboxSession, "upload_file", stop)
    with pytest.raises(Stopped):
        run(submission)
    assert (temporary(), claims(), records()) == ([], [], [])


def test_a_run_that_ends_before_mims_does_leaves_what_mims_reads(submission: Submission) -> None:
    """Else the registration would be lost. The next run sees the end, and clears."""
    backend = mims()
    registration = backend.register(submission)
    assert backend.status(registration).state is State.PENDING
    backend.close()
    assert [key.rpartition("/")[2] for key in temporary()] == ["model.tar.gz", "payload.tar.gz"]
    again, word = run(submission)
    assert (again.arn, again.new, word) == (registration.arn, False, "COMPLETED")
    assert temporary() == []


def test_close_before_anything_happened(proxy: Faults) -> None:
    mims().close()
    assert proxy.requests == []


# The library


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (None, f"backend mims needs the Python package {LIBRARY}, which is missing: add its wheel"),
        # Some other package of the name.
        (ModuleType(LIBRARY), f"backend mims: {LIBRARY} has no SandboxSession that can be impo"),
    ],
)
def test_a_library_that_is_not_there(
    module: Any, expected: str, proxy: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, LIBRARY, module)
    with pytest.raises(InputError) as error:
        mims()
    assert str(error.value).startswith(expected)
    assert proxy.requests == []


def test_something_that_the_library_needs_is_not_there(
    proxy: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del proxy
    (tmp_path / LIBRARY).mkdir()
    (tmp_path / LIBRARY / "__init__.py").write_text("import coral_client\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, LIBRARY)
    with pytest.raises(InputError, match="needs the Python package coral_client, which is missing"):
        mims()


class PrivateError(Exception):
    """Such as only the library knows."""


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    error.__cause__ = cause
    return error


def answered(status: int, code: str) -> ClientError:
    metadata: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(metadata, "RegisterModel")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionRefusedError(), Outcome.NOT_SENT),
        (EndpointConnectionError(endpoint_url="u"), Outcome.NOT_SENT),
        (answered(400, "ThrottlingException"), Outcome.NOT_SENT),
        (answered(503, "SlowDown"), Outcome.NOT_SENT),
        (ConnectionResetError(), Outcome.UNKNOWN),
        (TimeoutError(), Outcome.UNKNOWN),
        (OSError("of some HTTP library"), Outcome.UNKNOWN),
        (ReadTimeoutError(endpoint_url="u"), Outcome.UNKNOWN),
        (answered(500, "InternalFailure"), Outcome.UNKNOWN),
        # What wraps one of these.
        (raised(PrivateError(), ConnectionRefusedError()), Outcome.NOT_SENT),
        (raised(PrivateError(), TimeoutError()), Outcome.UNKNOWN),
        (raised(S3UploadFailedError(), answered(403, "AccessDenied")), Outcome.REFUSED),
        # Of this machine's files, not of the network.
        (FileNotFoundError(2, "No such file", "/m"), Outcome.REFUSED),
        (answered(400, "ValidationException"), Outcome.REFUSED),
        (PrivateError("no"), Outcome.REFUSED),
        (KeyError("id"), Outcome.REFUSED),
    ],
)
def test_what_an_error_tells_of_its_call(error: Exception, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


def test_an_error_of_the_librarys_own_is_named_and_not_asked_again(
    submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def refuse(_: Any, **given: Any) -> str:
        asked.append(given)
        raise PrivateError("the team is not known\nhere")

    monkeypatch.setattr(library.MimsResource, "register_model", refuse)
    with pytest.raises(ServiceError) as error:
        run(submission)
    assert str(error.value) == (
        "register_model in us-west-2: PrivateError: the team is not known\\nhere"
    )
    assert len(asked) == 1
    assert set(asked[0]) == {"model_uri", "config", "workflow_id"}
    assert (temporary(), claims()) == ([], [])


def test_no_secret_of_an_error_shows(
    submission: Submission, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "mims")
    text = "GET https://h/k?X-Amz-Signature=canary&X-Amz-Security-Token=canary failed"

    def fail(_: Any, registration_id: str) -> str:
        raise ConnectionResetError(f"{text} ({registration_id})")

    monkeypatch.setattr(library.MimsResource, "get_registration_status", fail)
    with pytest.raises(ServiceError, match="get_registration_status in us-west-2: ") as error:
        run(submission)
    assert "canary" not in str(error.value) + caplog.text
    assert "attempt 4 of 5 failed" in caplog.text


def test_a_session_that_cannot_be_opened(
    submission: Submission, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> None:
        raise PrivateError("no credentials")

    monkeypatch.setattr(library.SandboxSession, "__init__", fail)
    with pytest.raises(ServiceError, match="SandboxSession in us-west-2: PrivateError: no cred"):
        run(submission)
    assert claims() == []


# The config's key and owner


def test_what_is_written_goes_to_the_owner_alone(submission: Submission) -> None:
    backend = mims(owner=OWNER)
    wait(backend, backend.register(submission))
    backend.close()
    assert temporary() == []
    with pytest.raises(ServiceError, match=r"GetObject in us-west-2 for s3://mims-models/mims/"):
        mims(owner="210987654321").register(submission)


def test_a_claim_is_encrypted_with_the_configs_key(submission: Submission, s3: S3Client) -> None:
    key = boto3.client("kms", region_name=REGION).create_key()["KeyMetadata"]["Arn"]
    mims(kms_key=key).register(submission)
    found = s3.head_object(Bucket="mims-models", Key=claims()[0])
    assert found["SSEKMSKeyId"] == key
