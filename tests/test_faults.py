"""The fault proxy: each fault as boto3 meets it, and what the proxy notes."""

from __future__ import annotations

import hashlib
import http.client
import subprocess
import sys
import threading
import tracemalloc
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from faults import (
    Faults,
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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from faults import Exchange, Fault

REGION = "us-west-2"
HERE: Any = {"LocationConstraint": REGION}
GROUP = "penguins"


@pytest.fixture
def proxy(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """A proxy to which the environment leads; `aws` still leads behind it."""
    with Faults(aws.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.fixture
def behind(aws: LocalAws) -> S3Client:
    """S3, past the proxy, with a bucket."""
    s3 = boto3.client("s3", endpoint_url=aws.url)
    s3.create_bucket(Bucket="models", CreateBucketConfiguration=HERE)
    return s3


def attempts(number: int, **more: Any) -> Config:
    return Config(retries={"mode": "standard", "total_max_attempts": number}, **more)


def s3_client(number: int = 1, region: str = REGION, **more: Any) -> S3Client:
    return boto3.client("s3", region, config=attempts(number, **more))


def sagemaker_client(number: int = 1, region: str = REGION) -> SageMakerClient:
    return boto3.client("sagemaker", region, config=attempts(number))


# Errors that the service answers


@pytest.mark.parametrize(
    ("fault", "s3_says", "sagemaker_says"),
    [
        (throttled(), (503, "SlowDown"), (400, "ThrottlingException")),
        (internal_error(), (500, "InternalError"), (500, "InternalFailure")),
        (expired(), (400, "ExpiredToken"), (400, "ExpiredTokenException")),
        (denied("a:B"), (403, "AccessDenied"), (400, "AccessDeniedException")),
        (refused("Odd", "a & b", status=418), (418, "Odd"), (418, "Odd")),
    ],
)
def test_an_error_comes_in_the_form_of_the_service_and_nothing_is_carried_out(
    proxy: Faults,
    behind: S3Client,
    fault: Fault,
    s3_says: tuple[int, str],
    sagemaker_says: tuple[int, str],
) -> None:
    proxy.on(None, fault)
    with pytest.raises(ClientError) as error:
        s3_client().put_object(Bucket="models", Key="key", Body=b"data")
    assert said(error.value) == s3_says
    with pytest.raises(ClientError) as error:
        sagemaker_client().create_model_package_group(ModelPackageGroupName=GROUP)
    assert said(error.value) == sagemaker_says
    proxy.mend()
    assert "Contents" not in behind.list_objects_v2(Bucket="models")
    assert sagemaker_client().list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    assert [request.status for request in proxy.requests] == [s3_says[0], sagemaker_says[0], 200]


def said(error: ClientError) -> tuple[int, str]:
    return (
        error.response["ResponseMetadata"]["HTTPStatusCode"],
        error.response["Error"]["Code"],
    )


def test_what_a_policy_refuses_is_named(proxy: Faults, behind: S3Client) -> None:
    del behind  # its bucket is there
    proxy.on("PutObject", denied("kms:GenerateDataKey", "arn:aws:kms:us-west-2:1:key/k"))
    with pytest.raises(ClientError, match="kms:GenerateDataKey on resource: arn:aws:kms:us-west"):
        s3_client().put_object(Bucket="models", Key="key", Body=b"data")


# throttled and internal_error are retried, expired and denied are not
@pytest.mark.parametrize(
    ("fault", "requests"), [(throttled(), 3), (internal_error(), 3), (expired(), 1)]
)
def test_botocore_retries_what_may_pass(proxy: Faults, fault: Fault, requests: int) -> None:
    proxy.on("DescribeModelPackageGroup", fault)
    with pytest.raises(ClientError):
        sagemaker_client(3).describe_model_package_group(ModelPackageGroupName=GROUP)
    assert proxy.count("DescribeModelPackageGroup") == proxy.count() == requests


def test_an_error_may_come_late_in_a_copy(proxy: Faults, behind: S3Client) -> None:
    behind.put_object(Bucket="models", Key="from", Body=b"data")
    rule = proxy.on("CopyObject", late_error(), times=1)
    s3_client(2).copy_object(
        Bucket="models", Key="to", CopySource={"Bucket": "models", "Key": "from"}
    )
    assert rule.used == 1
    assert proxy.count("CopyObject") == 2
    assert behind.get_object(Bucket="models", Key="to")["Body"].read() == b"data"


def test_a_bucket_of_another_region_sends_there(proxy: Faults) -> None:
    proxy.on("HeadBucket", elsewhere("eu-west-1"), region=REGION)
    with pytest.raises(ClientError, match="404"):  # from behind the proxy
        s3_client().head_bucket(Bucket="no-such-bucket")
    # boto3 signs anew for the region that it is told.
    assert [request.region for request in proxy.requests] == [REGION, "eu-west-1"]
    assert [request.status for request in proxy.requests] == [301, 404]


# Connections that break


def test_a_reset_carries_nothing_out(proxy: Faults, behind: S3Client) -> None:
    proxy.on("PutObject", reset())
    with pytest.raises(ConnectionClosedError, match="Connection was closed"):
        s3_client().put_object(Bucket="models", Key="key", Body=b"data")
    assert "Contents" not in behind.list_objects_v2(Bucket="models")
    assert proxy.requests[0].status is None


def test_an_answer_is_lost_after_all_was_carried_out(proxy: Faults, behind: S3Client) -> None:
    proxy.on("PutObject", lost_answer())
    with pytest.raises(ConnectionClosedError):
        s3_client().put_object(Bucket="models", Key="key", Body=b"data")
    assert behind.get_object(Bucket="models", Key="key")["Body"].read() == b"data"


def test_after_a_lost_answer_botocore_asks_again(proxy: Faults) -> None:
    proxy.on("CreateModelPackageGroup", lost_answer(), times=1)
    with pytest.raises(ClientError, match="already exists"):
        sagemaker_client(2).create_model_package_group(ModelPackageGroupName=GROUP)
    assert proxy.count("CreateModelPackageGroup") == 2


def test_an_answer_of_sagemaker_that_was_cut_short_is_an_empty_one(proxy: Faults) -> None:
    proxy.on("CreateModelPackageGroup", truncated())
    proxy.on("ListModelPackageGroups", truncated(keep=20), times=1)
    answer = sagemaker_client().create_model_package_group(ModelPackageGroupName=GROUP)
    assert "ModelPackageGroupArn" not in answer
    assert "ModelPackageGroupSummaryList" not in sagemaker_client().list_model_package_groups()
    assert sagemaker_client().list_model_package_groups()["ModelPackageGroupSummaryList"]


def test_an_answer_of_s3_that_was_cut_short_is_empty_or_an_error(
    proxy: Faults, behind: S3Client
) -> None:
    behind.put_object(Bucket="models", Key="key", Body=b"data")
    proxy.on("CreateMultipartUpload", truncated())
    proxy.on("ListObjectsV2", truncated(keep=60))
    proxy.on("GetObject", truncated(keep=2))
    s3 = s3_client()
    assert "UploadId" not in s3.create_multipart_upload(Bucket="models", Key="other")
    with pytest.raises(ClientError, match="500"):  # botocore makes one of what is no XML
        s3.list_objects_v2(Bucket="models")
    with pytest.raises(ResponseStreamingError):
        s3.get_object(Bucket="models", Key="key")["Body"].read()


def test_a_slow_answer_is_an_answer_unless_the_client_gives_up(
    proxy: Faults, behind: S3Client
) -> None:
    del behind  # its bucket is there
    proxy.on("HeadBucket", slow(0.1), times=1)
    s3_client().head_bucket(Bucket="models")
    proxy.on("HeadBucket", slow(60))  # which the proxy's end cuts short
    with pytest.raises(ReadTimeoutError):
        s3_client(read_timeout=0.1).head_bucket(Bucket="models")


def test_a_part_fails_for_ever_and_the_others_do_not(
    proxy: Faults, behind: S3Client, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(bytes(20 << 20))
    proxy.on("UploadPart", internal_error(), when=lambda part: part.query["partNumber"] == "2")
    with pytest.raises(S3UploadFailedError, match=r"InternalError.* UploadPart"):
        s3_client(2).upload_file(str(tmp_path / "file"), "models", "key")
    parts = [one.query["partNumber"] for one in proxy.requests if one.operation == "UploadPart"]
    assert parts.count("2") == 2
    assert proxy.count("AbortMultipartUpload") == 1
    assert "Uploads" not in behind.list_multipart_uploads(Bucket="models")


# Regions


def test_one_region_is_down_and_the_others_are_not(proxy: Faults) -> None:
    proxy.on(None, internal_error())
    proxy.down("eu-west-1")
    with pytest.raises(ClientError, match="InternalFailure"):
        sagemaker_client(region=REGION).list_model_package_groups()
    with pytest.raises(ConnectionClosedError):
        sagemaker_client(region="eu-west-1").list_model_package_groups()
    proxy.mend()
    sagemaker_client(region="eu-west-1").list_model_package_groups()
    assert (proxy.count(region=REGION), proxy.count(region="eu-west-1")) == (1, 2)


def test_a_region_is_far_away(proxy: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(proxy, "wait", waited.append)
    proxy.delay(0.2, "eu-west-1")
    for region in (REGION, "eu-west-1", "ap-south-1"):
        sagemaker_client(region=region).list_model_package_groups()
    proxy.delay(0.1)
    sagemaker_client(region="ap-south-1").list_model_package_groups()
    assert waited == [0.2, 0.1]


# What passes, and what is noted


def call_everything(s3: S3Client) -> list[str]:
    """Call each operation of S3 that we know; give their names in order."""
    called: list[str] = []
    s3.meta.events.register("before-call", lambda model, **_: called.append(model.name))
    at: Any = {"Bucket": "new", "Key": "a folder/key+1"}
    s3.create_bucket(Bucket="new", CreateBucketConfiguration=HERE)
    s3.list_buckets()
    s3.head_bucket(Bucket="new")
    s3.get_bucket_location(Bucket="new")
    s3.put_object(**at, Body=b"data")
    s3.head_object(**at)
    s3.get_object(**at)["Body"].read()
    s3.get_object_attributes(**at, ObjectAttributes=["ETag"])
    s3.put_object_tagging(**at, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.get_object_tagging(**at)
    s3.copy_object(Bucket="new", Key="copy", CopySource=at)
    s3.list_objects(Bucket="new")
    s3.list_objects_v2(Bucket="new")
    s3.list_object_versions(Bucket="new")
    one = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
    s3.list_multipart_uploads(Bucket="new")
    part = s3.upload_part(**one, PartNumber=1, Body=b"data")
    s3.list_parts(**one)
    parts: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**one, MultipartUpload=parts)
    two = {**at, "UploadId": s3.create_multipart_upload(**at)["UploadId"]}
    s3.upload_part_copy(**two, PartNumber=1, CopySource={"Bucket": "new", "Key": "copy"})
    s3.abort_multipart_upload(**two)
    s3.delete_objects(Bucket="new", Delete={"Objects": [{"Key": "copy"}]})
    s3.delete_object(**at)
    s3.delete_bucket(Bucket="new")
    return called


def test_operations_are_known_by_their_names(proxy: Faults) -> None:
    called = call_everything(s3_client())
    sagemaker_client(region="eu-west-1").list_model_packages()
    assert [request.operation for request in proxy.requests] == [*called, "ListModelPackages"]
    assert {request.status for request in proxy.requests} <= {200, 204}
    assert {(request.service, request.region) for request in proxy.requests} == {
        ("s3", REGION),
        ("sagemaker", "eu-west-1"),
    }


def test_a_presigned_url_is_known_too(proxy: Faults, behind: S3Client) -> None:
    behind.put_object(Bucket="models", Key="key", Body=b"data")
    url = s3_client(signature_version="s3v4").generate_presigned_url(
        "get_object", Params={"Bucket": "models", "Key": "key"}
    )
    host, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host)
    connection.request("GET", f"/{path}")
    assert connection.getresponse().read() == b"data"
    connection.close()
    (request,) = proxy.requests
    assert (request.operation, request.region) == ("GetObject", REGION)


def test_bytes_that_passed_are_counted(proxy: Faults, behind: S3Client, tmp_path: Path) -> None:
    content = hashlib.shake_128(b"model").digest(20_000_000)
    (tmp_path / "file").write_bytes(content)
    s3_client().upload_file(str(tmp_path / "file"), "models", "key")
    parts = [request for request in proxy.requests if request.operation == "UploadPart"]
    assert [part.length for part in parts] == [part.passed for part in parts]
    assert sum(part.passed for part in parts) == len(content)
    assert {part.headers["x-amz-checksum-crc32"] for part in parts}
    assert behind.get_object(Bucket="models", Key="key")["Body"].read() == content
    assert s3_client().get_object(Bucket="models", Key="key")["Body"].read() == content


class Sink(BaseHTTPRequestHandler):
    """A server that forgets what it is sent."""

    received = 0

    def do_PUT(self) -> None:
        while piece := self.rfile.read1(1 << 20):
            Sink.received += len(piece)
            if Sink.received == int(self.headers["Content-Length"]):
                break
        self.send_response_only(200)
        self.end_headers()


def test_a_large_body_is_not_kept() -> None:
    size = 64 << 20
    with HTTPServer(("127.0.0.1", 0), Sink) as server:
        sink = threading.Thread(target=server.handle_request)
        sink.start()
        with Faults(f"http://127.0.0.1:{server.server_port}") as proxy:
            connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"))
            headers = {"Content-Length": str(size)}
            tracemalloc.start()
            connection.request("PUT", "/b/k", (bytes(1 << 20) for _ in range(64)), headers)
            assert connection.getresponse().status == 200
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            connection.close()
            (request,) = proxy.requests
        sink.join()
    assert Sink.received == request.passed == size
    assert peak < 16 << 20


def test_a_refused_upload_is_not_sent(proxy: Faults, behind: S3Client) -> None:
    """PutObject waits for "100 Continue" before it sends its body."""
    del behind  # its bucket is there
    s3 = s3_client()
    proxy.on("PutObject", throttled(), times=1)
    with pytest.raises(ClientError, match="SlowDown"):
        s3.put_object(Bucket="models", Key="key", Body=b"data")
    s3.put_object(Bucket="models", Key="key", Body=b"data")
    assert [request.passed for request in proxy.requests] == [0, 4]


def test_a_fault_of_the_tests_own_acts_just_then(proxy: Faults, behind: S3Client) -> None:
    """As when a process is to be killed between two requests."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:

        def kill(exchange: Exchange) -> None:
            exchange.carry_out()
            process.kill()
            exchange.reset()

        proxy.on("PutObject", kill, times=1)
        s3_client(2).put_object(Bucket="models", Key="key", Body=b"data")
    assert process.returncode == -9
    assert behind.head_object(Bucket="models", Key="key")["ContentLength"] == 4


def test_many_at_once_each_get_their_own_answer(proxy: Faults, behind: S3Client) -> None:
    sizes = range(1, 33)
    for size in sizes:
        behind.put_object(Bucket="models", Key=str(size), Body=bytes(size))
    s3 = s3_client(max_pool_connections=32)
    found: dict[int, int] = {}

    def read(size: int) -> None:
        found[size] = len(s3.get_object(Bucket="models", Key=str(size))["Body"].read())

    threads = [threading.Thread(target=read, args=[size]) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {size: size for size in sizes}
    assert proxy.count("GetObject", REGION) == len(sizes)


def test_what_fails_in_a_fault_is_told_at_the_end(aws: LocalAws) -> None:
    def wrong(_: Exchange) -> None:
        raise ZeroDivisionError

    def use() -> None:
        with Faults(aws.url) as proxy:
            proxy.on(None, wrong)
            s3 = boto3.client("s3", endpoint_url=proxy.url, config=attempts(1))
            with pytest.raises(ConnectionClosedError):
                s3.list_buckets()

    with pytest.raises(ExceptionGroup) as error:
        use()
    assert error.group_contains(ZeroDivisionError)
