"""AWS's clients and what is made of their failures; in storage's tests, S3's failures in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.loaders import JSONFileLoader

from faults import denied, expired, internal_error, refused, reset, throttled, truncated
from mims.errors import EXIT_SERVICE, InputError, ServiceError
from mims.registration.aws import ATTEMPTS, AwsError, Retries, asking, client, required
from stored_artifacts import REGION, no_waits

if TYPE_CHECKING:
    from conftest import LocalAws
    from faults import Fault, Faults

UNREACHABLE = "check the network, the region's name and AWS_ENDPOINT_URL"


def describe() -> None:
    """Ask SageMaker for a group."""
    with asking("DescribeModelPackageGroup", REGION, "group penguins"):
        client("sagemaker", REGION).describe_model_package_group(ModelPackageGroupName="penguins")


@pytest.mark.parametrize(
    ("fault", "requests", "reason", "cure"),
    [
        # Asked again, up to a number.
        (throttled(), ATTEMPTS, "ThrottlingException: Rate exceeded", "run again later"),
        (internal_error(), ATTEMPTS, "InternalFailure: .* \\(asked 5 times\\)", "run again later"),
        (reset(), ATTEMPTS, "Connection was closed", UNREACHABLE),
        # Refused for good.
        (expired(), 1, "ExpiredTokenException", "give the job a role"),
        (
            denied("sagemaker:Describe"),
            1,
            "AccessDeniedException.*:Describe",
            "allow the operation",
        ),
        (denied("kms:Decrypt"), 1, "AccessDeniedException.*kms:Decrypt", "the KMS key is there"),
        (refused("ResourceLimitExceeded", "too many"), 1, "ResourceLimitExceeded", "higher quota"),
        # Nothing that we know a cure for.
        (refused("Teapot", "short and stout"), 1, "Teapot: short and stout$", ""),
        (refused("Teapot", ""), 1, "Teapot: no reason given$", ""),
    ],
)
def test_a_failure_names_operation_region_reason_and_cure(
    fault: Fault, requests: int, reason: str, cure: str, proxy: Faults
) -> None:
    proxy.on("DescribeModelPackageGroup", fault)
    says = rf"^DescribeModelPackageGroup in {REGION} for group penguins: {reason}"
    with pytest.raises(AwsError, match=f"{says}.*; .*{cure}" if cure else says) as failed:
        describe()
    assert failed.value.exit_code == EXIT_SERVICE
    assert proxy.count() == requests


def test_nobody_there(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    del aws
    no_waits(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(ServiceError, match=f"Could not connect to the endpoint.*; {UNREACHABLE}"):
        describe()


def test_no_credentials(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    del aws
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(ServiceError, match=f"in {REGION} for .*Unable to locate.*; give the job a"):
        describe()


def test_an_answer_that_is_no_answer(proxy: Faults) -> None:
    """Such as a page of a proxy that wants a password."""

    def page(exchange: object) -> None:
        body = b"<html>Log in"
        exchange.answer(200, [("Content-Length", str(len(body)))], body)  # type: ignore[attr-defined]

    proxy.on("ListMultipartUploads", page)
    with (
        pytest.raises(AwsError, match="ListMultipartUploads in us-west-2 for bucket b"),
        asking("ListMultipartUploads", REGION, "bucket b"),
    ):
        client("s3", REGION).list_multipart_uploads(Bucket="bucket")
    assert proxy.count() == ATTEMPTS


def test_an_answer_that_was_cut_short_lacks_what_it_must_have(proxy: Faults, bucket: str) -> None:
    del bucket
    s3 = client("s3", REGION)
    proxy.on("ListBuckets", truncated())
    answer = s3.list_buckets()
    assert "Owner" not in answer
    with pytest.raises(AwsError, match="ListBuckets in us-west-2: the answer was cut short"):
        required(answer, "Owner", "ListBuckets", REGION)
    proxy.mend()
    assert required(s3.list_buckets(), "Owner", "ListBuckets", REGION)


def test_retries_are_counted(proxy: Faults, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "mims")
    retries = Retries()
    for region, failures in ((REGION, 2), ("eu-west-1", 3)):
        s3 = client("s3", region)
        retries.watch(s3)
        proxy.on("ListBuckets", internal_error(), times=failures, region=region)
        s3.list_buckets()
    assert retries.count == 2 + 3
    assert f"ListBuckets in eu-west-1: attempt 4 of {ATTEMPTS}" in caplog.messages


def test_services_are_read_about_once(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each region's client would take memory and time of its own for it."""
    del aws
    client("sagemaker", "us-west-2")
    read: list[str] = []
    load = JSONFileLoader.load_file

    def note(loader: JSONFileLoader, path: str) -> Any:
        read.append(path)
        return load(loader, path)

    monkeypatch.setattr(JSONFileLoader, "load_file", note)
    client("sagemaker", "eu-west-1")
    assert read == []


def test_an_endpoint_that_is_no_url_is_the_users_fault(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    del aws
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:5000")
    with pytest.raises(InputError, match=r"AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3: .*localhost"):
        client("s3", REGION)
