"""The whole registration when a service, the way to it or what is to be registered is faulty.

What S3 can do to one artifact stands in test_registration_storage_faults.py; here it is the flow:
each fault is got over, or ends the run with a message and leaves nothing that the next run minds.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import boto3
import pytest

from faults import (
    Faults,
    denied,
    expired,
    internal_error,
    lost_answer,
    refused,
    reset,
    slow,
    throttled,
    truncated,
)
from mims.command_line import CommandLine
from mims.contracts import MIMS_REGISTRATION_CONTRACT
from mims.job import run_job
from mims.registration.aws import ATTEMPTS
from mims.registration.register import register
from registration_inputs import (
    CONFIG,
    GROUP,
    PACKAGE,
    SAMPLES,
    archive,
    payload_metadata,
    run_registration,
)
from registration_runs import (
    ONE,
    audit_records,
    between,
    check_attempts,
    check_nothing_written,
    check_whole,
    enlarge,
    keys_in,
    make_buckets,
    run_again,
    short_waits,
    versions_in,
    write_inputs,
    writes,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from conftest import LocalAws
    from faults import Exchange, Fault, Request
    from registration_inputs import Inputs

REGION = "us-west-2"
SLOW = pytest.mark.slow

# How often a first run asks for each, and how often when an outcome is unknown.
CALLS = {
    "HeadBucket": 1,
    "HeadObject": 2 * 6,  # of each artifact, before and after
    "PutObject": 6 + 1,  # and the audit record
    "ListMultipartUploads": 1,
    "DescribeModelPackageGroup": 1,
    "CreateModelPackageGroup": 1,
    "ListModelPackages": 1 + 1,
    "CreateModelPackage": 1 + 1,
    "UpdateModelPackage": 1,
    "DescribeModelPackage": 1 + 1,
    "ListObjectsV2": 1,
    "GetObject": 0 + 1,
    # A model that goes in parts
    "CreateMultipartUpload": 1,
    "UploadPart": 2,
    "CompleteMultipartUpload": 1,
    "AbortMultipartUpload": 1,
}
RECORD = "PutObject of the record"
CREATING = ("ListModelPackages", "CreateModelPackage", "PutObject", RECORD)
OPERATIONS = [*(o for o in list(CALLS)[:11]), RECORD]


@pytest.fixture(autouse=True)
def surroundings(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty bucket, a workflow, no waits, and a registry that decides at once."""
    short_waits(monkeypatch)
    monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", "wf-1")
    make_buckets(ONE)
    with aws.package_status(progression="immediate"):
        yield


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return write_inputs(tmp_path, ONE)


def check_requests(requests: Iterable[Request]) -> None:
    """No call more often than is said, no request of it either."""
    asked = list(requests)
    check_attempts(asked)
    calls = {(r.operation, r.headers["amz-sdk-invocation-id"]) for r in asked}
    counts = Counter(operation for operation, _ in calls)
    assert {o: n for o, n in counts.items() if n > CALLS[o]} == {}


def breaks(proxy: Faults, operation: str, fault: Fault, times: int | None = None) -> None:
    """Break an operation; of PutObject, that of artifacts or that of the audit record."""
    name, _, record = operation.partition(" ")

    def meant(request: Request) -> bool:
        return ("/audit/" in unquote(request.path)) == bool(record)

    when = meant if name == "PutObject" else lambda _: True
    proxy.on(name, fault, times=times, when=when)


# What passes

PASSING: dict[str, tuple[Fault, int]] = {
    "throttled": (throttled(), ATTEMPTS - 1),
    "a failure of its own": (internal_error(), ATTEMPTS - 1),
    "reset": (reset(), ATTEMPTS - 1),
    "slow": (slow(0.1), 1),
    # Carried out, and we don't know.
    "the answer lost": (lost_answer(), 1),
}


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=SLOW)])
@pytest.mark.parametrize("fault", PASSING)
def test_what_happens_everywhere_once_is_got_over(
    *,
    fault: str,
    large: bool,
    inputs: Inputs,
    aws: LocalAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if large:
        enlarge(inputs)
    with between(aws, monkeypatch) as proxy:
        for operation in {*CALLS} - {"PutObject"} | {"PutObject", RECORD}:
            breaks(proxy, operation, PASSING[fault][0], times=1)
        ending = run_registration(inputs)
    assert ending.code == 0, ending.message
    assert (ending.message["retries"] == 0) == (fault == "slow")
    check_requests(proxy.requests)
    check_whole(inputs, ONE)


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_got_over(
    *, fault: str, operation: str, inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with between(aws, monkeypatch) as proxy:
        breaks(proxy, operation, *PASSING[fault])
        ending = run_registration(inputs)
    assert ending.code == 0, ending.message
    check_requests(proxy.requests)
    check_whole(inputs, ONE)


@pytest.mark.parametrize("keep", [0, pytest.param(40, marks=SLOW)])
@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(operation, marks=[] if operation in CREATING else [SLOW])
        for operation in OPERATIONS
    ],
)
def test_an_answer_cut_short_is_got_over_or_told(
    *, operation: str, keep: int, inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    if operation == "DescribeModelPackageGroup":  # else its answer is no 200
        boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
    with between(aws, monkeypatch) as proxy:
        breaks(proxy, operation, truncated(keep), times=1)
        ending = run_registration(inputs)
    if ending.code:
        assert ending.code == 3
        assert ending.error.startswith(f"{operation.partition(' ')[0]} in {REGION}")
        assert "run again" in ending.error
    check_requests(proxy.requests)
    run_again(inputs, aws, monkeypatch)
    check_whole(inputs, ONE)


# What stays

STAYING = {
    "throttled": (throttled(), "(SlowDown|Throttling)"),
    "a failure of its own": (internal_error(), "Internal"),
    "reset": (reset(), "Connection was closed"),
}


def marks_of(operation: str, fault: str) -> list[pytest.MarkDecorator]:
    """CI alone tries each with each. The everyday tests: half of the operations, each fault."""
    everyday = (OPERATIONS.index(operation) + 4 * list(STAYING).index(fault)) % 6 == 1
    return [] if everyday else [SLOW]


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        pytest.param(operation, fault, marks=marks_of(operation, fault))
        for operation in OPERATIONS
        for fault in STAYING
    ],
)
def test_what_fails_for_ever_ends_the_run(
    *, operation: str, fault: str, inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    with between(aws, monkeypatch) as proxy:
        breaks(proxy, operation, STAYING[fault][0])
        ending = run_registration(inputs)
    name = operation.partition(" ")[0]
    assert ending.code == 3
    assert ending.error.startswith(f"{name} in {REGION} for ")
    check_requests(proxy.requests)
    assert proxy.count(name) >= ATTEMPTS
    run_again(inputs, aws, monkeypatch)
    check_whole(inputs, ONE)


def test_a_part_that_fails_for_ever(
    inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    enlarge(inputs)
    with between(aws, monkeypatch) as proxy:
        part = proxy.on("UploadPart", reset(), when=lambda r: r.query["partNumber"] == "2")
        ending = run_registration(inputs)
    assert ending.code == 3
    assert ending.error.startswith(f"UploadPart in {REGION} for s3://mims-models/")
    assert part.used == ATTEMPTS
    assert proxy.count("AbortMultipartUpload") == 1
    check_requests(proxy.requests)
    run_again(inputs, aws, monkeypatch)
    check_whole(inputs, ONE)


# Refusals

ROLE, POLICY, KEY = (
    "give the job a role",
    "allow the operation in the polic",
    "see that the KMS key",
)


class Refusal(NamedTuple):
    operation: str
    fault: Fault
    reason: str
    cure: str


REFUSALS = {
    "credentials that S3 finds expired": Refusal("PutObject", expired(), "ExpiredToken", ROLE),
    "credentials that expire meanwhile": Refusal(
        "CreateModelPackage", expired(), "ExpiredTokenException", ROLE
    ),
    "no permission to store": Refusal("PutObject", denied("s3:PutObject"), "AccessDenied", POLICY),
    "no permission to register": Refusal(
        "CreateModelPackage",
        denied("sagemaker:CreateModelPackage"),
        "AccessDeniedException",
        POLICY,
    ),
    "no permission to look for versions": Refusal(
        "ListModelPackages", denied("sagemaker:ListModelPackages"), "AccessDeniedException", POLICY
    ),
    "no permission to follow a version": Refusal(
        "DescribeModelPackage",
        denied("sagemaker:DescribeModelPackage"),
        "AccessDeniedException",
        POLICY,
    ),
    "no permission to name a source": Refusal(
        "UpdateModelPackage",
        denied("sagemaker:UpdateModelPackage"),
        "AccessDeniedException",
        POLICY,
    ),
    "no permission to sweep": Refusal(
        "ListMultipartUploads", denied("s3:ListBucketMultipartUploads"), "AccessDenied", POLICY
    ),
    "no permission to write the record": Refusal(
        RECORD, denied("s3:PutObject"), "AccessDenied", POLICY
    ),
    "no permission to use the key": Refusal(
        "PutObject", denied("kms:GenerateDataKey"), "AccessDenied", KEY
    ),
    "a key that is disabled": Refusal(
        "PutObject", refused("KMS.DisabledException", "it is disabled"), "KMS.Disabled", KEY
    ),
    "a bucket that vanishes": Refusal(
        "PutObject", refused("NoSuchBucket", "gone", status=404), "NoSuchBucket", "create the buck"
    ),
    "a quota": Refusal(
        "CreateModelPackageGroup",
        refused("ResourceLimitExceeded", "too many groups"),
        "ResourceLimitExceeded",
        "ask for a higher quota",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_ends_the_run_at_once(
    case: str, inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation, fault, reason, cure = REFUSALS[case]
    with between(aws, monkeypatch) as proxy:
        breaks(proxy, operation, fault)
        ending = run_registration(inputs)
    name = operation.partition(" ")[0]
    assert ending.code == 3
    assert ending.error.startswith(f"{name} in {REGION} for ")
    assert f": {reason}" in ending.error
    assert cure in ending.error
    # Nobody asks again for what is refused.
    assert proxy.count(name) <= CALLS[name]
    check_requests(proxy.requests)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        # Another's: S3 says no more than 403 to HEAD.
        ({"bucket_owner": "999999999999"}, r"mims-models (owner 999999999999): 403"),
        ({"bucket": "mims-nowhere"}, "mims-nowhere: 404"),
        ({"bucket": "mims-eu"}, "mims-eu"),
    ],
)
def test_a_bucket_that_will_not_do(
    config: dict[str, str],
    reason: str,
    inputs: Inputs,
    aws: LocalAws,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_buckets({"eu-west-1": "mims-eu"})
    inputs.config.write_text(json.dumps({**CONFIG, "regions": [REGION], **config}))
    with between(aws, monkeypatch) as proxy:
        ending = run_registration(inputs)
    assert ending.code == 3
    assert reason in ending.error
    assert REGION in ending.error
    assert writes(proxy.requests) == []
    assert versions_in(REGION) == []


def test_a_key_that_is_not_there(
    inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {**json.loads(inputs.config.read_text()), "kms_key": "alias/nobodys"}
    inputs.config.write_text(json.dumps(config))
    with between(aws, monkeypatch) as proxy:
        ending = run_registration(inputs)
    assert ending.code == 3
    assert ending.error.startswith(f"PutObject in {REGION} for s3://mims-models/")
    assert "KMS.NotFoundException" in ending.error
    assert KEY in ending.error
    check_requests(proxy.requests)
    check_nothing_written(ONE)


# Tampering


def flip(path: Path, at: int = -20) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def other_payload(inputs: Inputs) -> None:
    """A sample that is not what the metadata beside it says."""
    samples = {**SAMPLES, "text_csv/sample_payload.csv": b"age,country\n2,FR\n"}
    files = {**samples, "metadata.json": payload_metadata(SAMPLES)}
    archive(inputs.payload / "payload.tar.gz", files)


TAMPERED: dict[str, Callable[[Inputs], Any]] = {
    "a bit of the package": lambda inputs: flip(inputs.model / "model.tar.gz"),
    "the package cut short": lambda inputs: os.truncate(inputs.model / "model.tar.gz", 100),
    "another package": lambda inputs: archive(
        inputs.model / "model.tar.gz", {**PACKAGE, "code/evil.py": b""}
    ),
    "the manifest's digest": lambda inputs: (inputs.model / "manifest.json").write_text(
        json.dumps({"archive": {"sha256": "0" * 64, "size": 1}, "members": []})
    ),
    "the manifest cut short": lambda inputs: os.truncate(inputs.model / "manifest.json", 10),
    "a bit of the payload": lambda inputs: flip(inputs.payload / "payload.tar.gz"),
    "the payload cut short": lambda inputs: os.truncate(inputs.payload / "payload.tar.gz", 99),
    "a sample": other_payload,
    "the metadata cut short": lambda inputs: os.truncate(inputs.metadata / "metadata.json", 9),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_what_was_tampered_with_is_refused_and_nobody_is_asked(
    case: str, inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    TAMPERED[case](inputs)
    with between(aws, monkeypatch) as proxy:
        ending = run_registration(inputs)
    assert ending.code == 1
    assert proxy.requests == []
    check_nothing_written(ONE)


@pytest.mark.parametrize("large", [False, pytest.param(True, marks=SLOW)])
def test_a_package_that_changes_after_it_was_checked(
    *, large: bool, inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        enlarge(inputs)

    def tamper(exchange: Exchange) -> None:
        flip(inputs.model / "model.tar.gz", 50)
        exchange.pass_through()

    with between(aws, monkeypatch) as proxy:
        proxy.on("HeadBucket", tamper)
        ending = run_registration(inputs)
    assert ending.code == 3
    assert "BadDigest" in ending.error
    assert "changed after it was checked" in ending.error
    assert versions_in(REGION) == []
    assert [key for key in keys_in(REGION, "mims-models") if "model.tar.gz" in key] == []


# Secrets

CANARIES = {
    "AWS_ACCESS_KEY_ID": "AKIACANARYCANARYCANA",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-access-key",
    "AWS_SESSION_TOKEN": "canary-session-token",
}
TOKEN, SIGNATURE = "canary-api-token", "canary5ea1"
SIGNED = f"https://mims-models.s3.amazonaws.com/report.json?X-Amz-Signature={SIGNATURE}"
QUOTING = refused(
    "ValidationException",
    f"1 validation error detected: Value '{{API_TOKEN={TOKEN}, URL={SIGNED}}}' at "
    "'inferenceSpecification.containers.1.member.environment' failed to satisfy constraint",
)


def nothing(_: Faults) -> None:
    pass


@pytest.mark.parametrize(
    ("code", "metadata", "environment", "break_it"),
    [
        (0, {"note": SIGNED}, {}, nothing),
        (0, {"model_quality": {"report": SIGNED}}, {}, nothing),
        # Bad input, and answers that quote what was sent.
        (1, {"bias": SIGNED}, {}, nothing),
        (1, {}, {"API_TOKEN": TOKEN * 100}, nothing),
        (3, {}, {}, lambda proxy: proxy.on("CreateModelPackage", QUOTING)),
        (3, {}, {}, lambda proxy: proxy.on("PutObject", QUOTING, times=1)),
        (3, {}, {}, lambda proxy: proxy.on("HeadBucket", expired())),
    ],
)
def test_no_secret_shows(  # noqa: PLR0917 - a table's columns
    code: int,
    metadata: dict[str, Any],
    environment: dict[str, str],
    break_it: Callable[[Faults], Any],
    tmp_path: Path,
    aws: LocalAws,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    inputs = write_inputs(tmp_path, ONE, environment={"API_TOKEN": TOKEN, **environment})
    (inputs.metadata / "metadata.json").write_text(json.dumps(metadata))
    with between(aws, monkeypatch) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv("METRICS_NAMESPACE", "MIMS/Tests")
        for name, value in CANARIES.items():
            patch.setenv(name, value)
        break_it(proxy)
        command_line = CommandLine(MIMS_REGISTRATION_CONTRACT, str(inputs.root), verbose=True)
        assert run_job(command_line, register) == code
    shown = capfd.readouterr()
    message = (inputs.root / "opt/ml/output/message").read_text()
    records = json.dumps(audit_records(REGION, "mims-models"))
    assert len(shown.out.splitlines()) == (1 if code == 1 else 2)
    for canary in (*CANARIES.values(), TOKEN, SIGNATURE):
        for text in (shown.out, shown.err, message, records):
            assert canary not in text
    if code == 0:  # it did go where it is to go
        (version,) = versions_in(REGION)
        (container,) = version["InferenceSpecification"]["Containers"]
        assert container["Environment"]["API_TOKEN"] == TOKEN


def test_other_settings_are_told_without_their_values(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for token in (TOKEN, "canary-other-token"):
        ending = run_registration(write_inputs(tmp_path, ONE, environment={"API_TOKEN": token}))
    assert ending.code == 1
    assert "with other settings" in ending.error
    shown = capfd.readouterr()
    records = json.dumps(audit_records(REGION, "mims-models"))
    for text in (shown.out, shown.err, str(ending.message), records):
        assert "canary" not in text
