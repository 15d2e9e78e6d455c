"""The local AWS's endpoints answer: HTTP to model servers, shadows, captures, metrics."""

from __future__ import annotations

import base64
import json
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

import sample_model
from local_aws import limits
from sample_model import package_sample
from traffic import (
    Reply,
    captured,
    deploy,
    flush,
    model_functions,
    model_servers,
    send,
    settled,
    tell,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

    from conftest import LocalAws
    from traffic import Model

sample = sample_model.sample

CSV = "text/csv"
BIRD = "50.0,15.7,222,8.2,-26.1,Gentoo penguin (Pygoscelis papua),Biscoe,MALE,Yes\n"


def says(text: str, **reply: Any) -> Model:
    """Make a model that always says the same."""
    return lambda _: Reply(text, **reply)


def broken(_: bytes) -> Reply:
    return Reply("no such column", status=500)


@pytest.fixture
def runtime(aws: LocalAws) -> SageMakerRuntimeClient:
    del aws  # the environment leads there
    return boto3.client("sagemaker-runtime", config=Config(retries={"max_attempts": 0}))


class Cloud(NamedTuple):
    """The local AWS, its clients, and a place for captures."""

    aws: LocalAws
    s3: S3Client
    sagemaker: SageMakerClient
    runtime: SageMakerRuntimeClient
    where: str

    def captured(self) -> dict[str, list[dict[str, Any]]]:
        flush(self.aws)
        return captured(self.s3, self.where)


@pytest.fixture
def cloud(
    aws: LocalAws,
    bucket: str,
    s3: S3Client,
    sagemaker: SageMakerClient,
    runtime: SageMakerRuntimeClient,
) -> Cloud:
    return Cloud(aws, s3, sagemaker, runtime, f"s3://{bucket}/captured")


def ask(runtime: SageMakerRuntimeClient, body: str | bytes = "1,2", **request: Any) -> Any:
    """Ask endpoint e in CSV; the body is read."""
    asked = {"ContentType": CSV, "Accept": CSV, **request}
    answer: Any = runtime.invoke_endpoint(EndpointName="e", Body=body, **asked)
    return {**answer, "Body": answer["Body"].read()}


# Routes


def test_a_packaged_model_answers_behind_an_endpoint_and_its_traffic_is_captured(
    cloud: Cloud,
    sample: Path,
    tmp_path: Path,
) -> None:
    """The chain's model, served by docker/serve twice, in two layouts."""
    packages = {
        name: package_sample(sample, name, tmp_path / f"{name}.tar.gz")
        for name in ("mims", "sagemaker")
    }
    with model_servers(cloud.aws, packages, seed=1):
        deploy(cloud.sagemaker, "e", {"mims": 3, "sagemaker": 1}, capture=cloud.where)
        answers = [ask(cloud.runtime, BIRD, InferenceId=f"bird {n}") for n in range(20)]

    assert {answer["Body"] for answer in answers} == {answers[0]["Body"]}
    assert answers[0]["Body"].startswith(b"heavy,0.9")
    assert answers[0]["ContentType"] == CSV
    by_variant = Counter(answer["InvokedProductionVariant"] for answer in answers)
    assert set(by_variant) == {"mims", "sagemaker"}
    found = cloud.captured()
    assert Counter(key.split("/")[2] for key, records in found.items() for _ in records) == (
        by_variant
    )
    records = [record for records in found.values() for record in records]
    assert {record["eventMetadata"]["inferenceId"] for record in records} == {
        f"bird {n}" for n in range(20)
    }
    output = records[0]["captureData"]["endpointOutput"]
    assert output == {
        "observedContentType": CSV,
        "mode": "OUTPUT",
        "data": answers[0]["Body"].decode(),
        "encoding": "CSV",
    }


def test_variants_share_traffic_by_weight_as_a_seed_has_it(
    aws: LocalAws, sagemaker: SageMakerClient
) -> None:
    with model_functions(aws, {"a": says("a"), "b": says("b")}):
        deploy(sagemaker, "e", {"a": 0.9, "b": 0.1})
        runs = []
        for _ in range(2):
            tell(aws, seed=7)
            runs.append([sent.variant for sent in send(aws, "e", ["1"] * 200, threads=1)])

    assert runs[0] == runs[1]
    assert 8 <= runs[0].count("b") <= 35  # of 200; 20 is what the weights say


def test_many_at_once_are_all_answered_captured_and_counted(
    aws: LocalAws, bucket: str, s3: S3Client, sagemaker: SageMakerClient
) -> None:
    """More than a file holds: each record is in exactly one."""
    where, ids = f"s3://{bucket}/c", [f"id {n}" for n in range(1500)]
    with model_functions(aws, {"a": Reply}):
        deploy(sagemaker, "e", {"a": 1}, capture=where)
        answers = send(aws, "e", ids, inference_ids=ids, threads=8)
        flush(aws)

    assert [answer.body for answer in answers] == ids
    found = captured(s3, where)
    assert max(map(len, found.values())) <= 1000
    got = [
        (record["eventMetadata"]["inferenceId"], record["captureData"]["endpointOutput"]["data"])
        for records in found.values()
        for record in records
    ]
    assert sorted(got) == sorted(zip(ids, ids, strict=True))
    assert total("Invocations", "a") == 1500


def test_a_variant_that_is_named_answers_whatever_its_weight(
    aws: LocalAws, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient
) -> None:
    with model_functions(aws, {"a": says("a"), "b": says("b")}):
        deploy(sagemaker, "e", {"a": 1, "b": 0})
        assert {ask(runtime)["Body"] for _ in range(20)} == {b"a"}
        assert ask(runtime, TargetVariant="b")["InvokedProductionVariant"] == "b"
        with pytest.raises(ClientError, match="Variant c not found") as caught:
            ask(runtime, TargetVariant="c")
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_a_server_is_found_by_the_version_that_a_model_is_made_of(
    aws: LocalAws, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient
) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="group")
    version = sagemaker.create_model_package(
        ModelPackageGroupName="group", ModelApprovalStatus="Approved"
    )["ModelPackageArn"]
    with model_functions(aws, {version: says("one")}):
        deploy(sagemaker, "e", {version: 1})
        answer = ask(runtime)
    assert (answer["Body"], answer["InvokedProductionVariant"]) == (b"one", "v1")


def test_an_endpoint_without_servers_answers_as_before(
    aws: LocalAws, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient
) -> None:
    with model_functions(aws, {"a": says("a")}):
        deploy(sagemaker, "e", {"a": 1})
        assert ask(runtime)["Body"] == b"a"
    assert ask(runtime)["Body"] not in (b"a", b"")


def test_headers_go_through_to_the_model_and_back(
    aws: LocalAws, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient
) -> None:
    with model_functions(aws, {"a": says('{"a": 1}', content_type="application/json")}):
        deploy(sagemaker, "e", {"a": 1})
        answer = ask(runtime, b"\xff\x00", ContentType="application/x-npy")
    assert (answer["Body"], answer["ContentType"]) == (b'{"a": 1}', "application/json")


# Failures


def late(_: bytes) -> Reply:
    time.sleep(10)
    return Reply("too late")


# What a model does: what the service says, the status that it gives, and which errors count.
FAILURES = {
    "fails": (broken, 'server error (500) from primary with message "no such column"', 500, "5XX"),
    "refuses": (
        says("send 9 columns", status=415),
        'client error (415) from primary with message "send 9 columns"',
        415,
        "4XX",
    ),
    "hangs": (late, 'server error (0) from primary with message "Your invocation timed', 0, "5XX"),
}


@pytest.mark.parametrize(("model", "said", "status", "kind"), FAILURES.values(), ids=FAILURES)
def test_a_model_that_does_not_answer_well_is_a_model_error(
    cloud: Cloud,
    model: Model,
    said: str,
    status: int,
    kind: str,
) -> None:
    with model_functions(cloud.aws, {"a": model}, timeout=0.3 if model is late else 60):
        deploy(cloud.sagemaker, "e", {"a": 1}, capture=cloud.where)
        with pytest.raises(cloud.runtime.exceptions.ModelError, match=re.escape(said)) as caught:
            ask(cloud.runtime)

    answer: Any = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == status
    assert "/aws/sagemaker/Endpoints/e" in answer["LogStreamArn"]
    assert cloud.captured() == {}
    errors = {name: total(f"Invocation{name}Errors", "a") for name in ("4XX", "5XX")}
    assert errors == {"4XX": 0, "5XX": 0, kind: 1}
    assert total("Invocations", "a") == 1


def test_a_server_that_is_gone_is_a_model_error(
    aws: LocalAws, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient
) -> None:
    with model_functions(aws, {"a": says("a")}) as urls:
        deploy(sagemaker, "e", {"a": 1, "b": 1})
    tell(aws, servers=urls)
    for variant, said in (("a", "refused"), ("b", "told of no server for b")):
        with pytest.raises(runtime.exceptions.ModelError, match=said):
            ask(runtime, TargetVariant=variant)


def test_an_address_that_is_none_is_refused(aws: LocalAws) -> None:
    with pytest.raises(OSError, match="400"):
        tell(aws, servers={"a": "ftp://a"})


# Updates


def test_an_update_moves_the_traffic_when_it_is_done(
    aws: LocalAws, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient
) -> None:
    with model_functions(aws, {"a": says("a"), "b": says("b")}):
        first = deploy(sagemaker, "e", {"a": 1})
        tell(aws, endpoint="e", ends=["RolledBack", "InService"])
        deploy(sagemaker, "e", {"b": 1})
        assert ask(runtime)["Body"] == b"a"
        deploy(sagemaker, "e", {"b": 1})
        # what serves does not need the configuration
        sagemaker.delete_endpoint_config(EndpointConfigName=first)
        assert ask(runtime)["Body"] == b"b"


def test_weights_change_without_another_configuration(
    aws: LocalAws, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient
) -> None:
    with model_functions(aws, {"a": says("a"), "b": says("b")}):
        config = deploy(sagemaker, "e", {"a": 1, "b": 0})
        weights: Any = [
            {"VariantName": "a", "DesiredWeight": 0.0},
            {"VariantName": "b", "DesiredWeight": 2.0, "DesiredInstanceCount": 3},
        ]
        with aws.endpoint_status(progression="time", seconds=3600):
            sagemaker.update_endpoint_weights_and_capacities(
                EndpointName="e", DesiredWeightsAndCapacities=weights
            )
            assert sagemaker.describe_endpoint(EndpointName="e")["EndpointStatus"] == "Updating"
        found = settled(sagemaker, "e")
        assert {ask(runtime)["Body"] for _ in range(10)} == {b"b"}
    assert found["EndpointConfigName"] == config
    assert [one["CurrentWeight"] for one in found["ProductionVariants"]] == [0.0, 2.0]
    assert [one["CurrentInstanceCount"] for one in found["ProductionVariants"]] == [1, 3]


# Shadows


def test_a_shadow_gets_copies_and_its_answers_are_captured_not_given(
    cloud: Cloud,
) -> None:
    with model_functions(cloud.aws, {"a": says("a"), "b": says("b")}):
        deploy(cloud.sagemaker, "e", {"a": 1}, shadow={"b": 1}, capture=cloud.where)
        answers = [ask(cloud.runtime, InferenceId=f"i{n}") for n in range(10)]
        flush(cloud.aws)

    assert {(one["Body"], one["InvokedProductionVariant"]) for one in answers} == {(b"a", "a")}
    by_variant: dict[str, set[tuple[str, str]]] = {}
    for key, records in cloud.captured().items():
        by_variant.setdefault(key.split("/")[2], set()).update(
            (one["eventMetadata"]["inferenceId"], one["captureData"]["endpointOutput"]["data"])
            for one in records
        )
    assert by_variant == {name: {(f"i{n}", name) for n in range(10)} for name in "ab"}
    assert total("Invocations", "b") == 10


def test_a_shadow_that_fails_or_hangs_is_nobodys_trouble(
    aws: LocalAws, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient
) -> None:
    with model_functions(aws, {"a": says("a"), "b": late}, timeout=2):
        deploy(sagemaker, "e", {"a": 1}, shadow={"b": 1})
        began = time.monotonic()
        assert {ask(runtime)["Body"] for _ in range(5)} == {b"a"}
        assert time.monotonic() - began < 10  # what waiting for the shadow would take
        flush(aws)
    assert total("Invocation5XXErrors", "b") == 5
    assert total("Invocation5XXErrors", "a") == 0


def test_a_shadow_gets_the_share_of_its_weight(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    with model_functions(aws, {"a": says("a"), "b": says("b")}, seed=3):
        deploy(sagemaker, "e", {"a": 1}, shadow={"b": 0.25})
        send(aws, "e", ["1"] * 200)
        flush(aws)
    assert 30 <= total("Invocations", "b") <= 70


# Data Capture


def test_captures_are_where_and_how_the_service_writes_them(
    cloud: Cloud,
) -> None:
    with model_functions(cloud.aws, {"a": says("0.5")}):
        deploy(cloud.sagemaker, "e", {"a": 1}, capture=f"{cloud.where}/deep/")
        now = datetime.now(UTC)
        ask(cloud.runtime, "1,ä")
        found: dict[str, Any] = {}
        while not found:  # of itself, after a second
            found = captured(cloud.s3, cloud.where)
    ((key, (record,)),) = found.items()
    name = r"captured/deep/e/a/(\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d)-\d{3}-[0-9a-f-]{36}\.jsonl"
    stamp = re.fullmatch(name, key)
    assert stamp
    when = datetime.strptime(stamp[1], "%Y/%m/%d/%H/%M-%S").replace(tzinfo=UTC)
    assert abs(when - now) < timedelta(seconds=60)
    event = record["eventMetadata"]
    assert re.fullmatch("[0-9a-f-]{36}", event.pop("eventId"))
    assert abs(datetime.fromisoformat(event.pop("inferenceTime")) - now) < timedelta(seconds=60)
    assert record == {
        "captureData": {
            "endpointInput": {
                "observedContentType": CSV,
                "mode": "INPUT",
                "data": "1,ä",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": CSV,
                "mode": "OUTPUT",
                "data": "0.5",
                "encoding": "CSV",
            },
        },
        "eventMetadata": {},
        "eventVersion": "0",
    }


JSON_TYPES = {"JsonContentTypes": ["application/json"]}
# Content type of a request, its body, what the configuration says; how it is captured.
ENCODINGS: dict[str, tuple[str, bytes, dict[str, Any], str | None]] = {
    "csv": (CSV, b"1,2", {}, "CSV"),
    "parameter": ("text/csv; charset=utf-8", b"1,2", {}, "CSV"),
    "json": ("application/json", b'{"a": 1}', {}, "JSON"),
    "other": ("application/x-npy", b"\x93NUMPY", {}, "BASE64"),
    "not named": (CSV, b"1,2", {"CaptureContentTypeHeader": JSON_TYPES}, "BASE64"),
    "no text": (CSV, b"\xff", {}, "BASE64"),
    "output": (CSV, b"1", {"CaptureOptions": [{"CaptureMode": "Output"}]}, None),
    "both": (CSV, b"1", {"CaptureOptions": [{"CaptureMode": "InputAndOutput"}]}, "CSV"),
}


@pytest.mark.parametrize(
    ("content_type", "body", "config", "encoding"), ENCODINGS.values(), ids=ENCODINGS
)
def test_a_body_is_captured_as_its_content_type_says(
    cloud: Cloud,
    content_type: str,
    body: bytes,
    config: dict[str, Any],
    encoding: str | None,
) -> None:
    with model_functions(cloud.aws, {"a": says("0.5")}):
        deploy(cloud.sagemaker, "e", {"a": 1}, capture=cloud.where, capture_config=config)
        ask(cloud.runtime, body, ContentType=content_type)
    (((record,)),) = cloud.captured().values()
    data = record["captureData"]
    assert "endpointOutput" in data
    kept = data.get("endpointInput")
    assert (kept and kept["encoding"]) == encoding
    if kept:
        read = base64.b64decode(kept["data"]) if encoding == "BASE64" else kept["data"].encode()
        assert read == body


@pytest.mark.parametrize(
    ("config", "least", "most"),
    [
        ({"InitialSamplingPercentage": 30}, 30, 90),
        ({"InitialSamplingPercentage": 0}, 0, 0),
        ({"EnableCapture": False}, 0, 0),
    ],
)
def test_no_more_is_captured_than_the_configuration_says(
    cloud: Cloud,
    config: dict[str, Any],
    least: int,
    most: int,
) -> None:
    with model_functions(cloud.aws, {"a": says("a")}, seed=5):
        deploy(cloud.sagemaker, "e", {"a": 1}, capture=cloud.where, capture_config=config)
        send(cloud.aws, "e", ["1"] * 200)
    assert least <= sum(map(len, cloud.captured().values())) <= most


@pytest.mark.parametrize("seconds", [0, 1.3])  # it is written of itself after a second
def test_captures_for_a_bucket_that_is_not_there_are_told_of(
    aws: LocalAws, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient, seconds: float
) -> None:
    with model_functions(aws, {"a": says("a")}):
        deploy(sagemaker, "e", {"a": 1}, capture="s3://nowhere/c")
        ask(runtime)
        time.sleep(seconds)
        with pytest.raises(OSError, match="400"):
            flush(aws)


# CloudWatch


def dimensions(variant: str) -> Any:
    return [{"Name": "EndpointName", "Value": "e"}, {"Name": "VariantName", "Value": variant}]


def statistics(name: str, variant: str, **wanted: Any) -> list[Any]:
    """Give a metric's datapoints of the last minutes."""
    now = datetime.now(UTC)
    return boto3.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=name,
        Dimensions=dimensions(variant),
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=1),
        Period=60,
        **wanted,
    )["Datapoints"]


def total(name: str, variant: str) -> float:
    return sum(float(point["Sum"]) for point in statistics(name, variant, Statistics=["Sum"]))


def sometimes_slow(body: bytes) -> Reply:
    time.sleep(1 if body == b"slow" else 0.001)
    return Reply("a")


def test_latency_has_percentiles_by_variant(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    with model_functions(aws, {"a": sometimes_slow, "b": says("b")}):
        deploy(sagemaker, "e", {"a": 1, "b": 0})
        send(aws, "e", ["quick"] * 90 + ["slow"] * 10)
    now = datetime.now(UTC)
    stats = ("p50", "p95", "Maximum", "SampleCount")
    queries: Any = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SageMaker",
                    "MetricName": "ModelLatency",
                    "Dimensions": dimensions("a"),
                },
                "Period": 3600,
                "Stat": stat,
            },
        }
        for number, stat in enumerate(stats)
    ]
    answer: Any = boto3.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries,
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
    )
    del answer["ResponseMetadata"]
    model = botocore.session.get_session().get_service_model("cloudwatch")
    assert [*limits.violations(model.operation_model("GetMetricData").output_shape, answer)] == []  # type: ignore[arg-type]
    found = [result["Values"] for result in answer["MetricDataResults"]]
    assert [*map(len, found)] in ([1] * 4, [2] * 4)  # an hour may have just begun
    if len(found[0]) == 1:
        ((median,), (high,), (highest,), (count,)) = found
        assert median < 900_000  # microseconds
        assert 990_000 < high <= highest < 60_000_000
        assert count == 100
    points = statistics("ModelLatency", "a", ExtendedStatistics=["p95"])
    assert max(point["ExtendedStatistics"]["p95"] for point in points) > 990_000
    assert points[0]["Unit"] == "Microseconds"
    assert statistics("ModelLatency", "b", ExtendedStatistics=["p95"]) == []
    assert total("OverheadLatency", "a") > 0


def test_many_requests_are_few_datapoints(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    with model_functions(aws, {"a": says("a")}):
        deploy(sagemaker, "e", {"a": 1})
        send(aws, "e", ["1"] * 300)
    listed = boto3.client("cloudwatch").list_metrics(Namespace="AWS/SageMaker")["Metrics"]
    assert sorted(metric["MetricName"] for metric in listed) == [
        "Invocation4XXErrors",
        "Invocation5XXErrors",
        "Invocations",
        "ModelLatency",
        "OverheadLatency",
    ]
    (counts,) = (statistics("Invocations", "a", Statistics=["SampleCount"]),)
    assert sum(point["SampleCount"] for point in counts) == 300


# Requests for numbers that CloudWatch refuses: what it says.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "both": (
        {"Statistics": ["Sum"], "ExtendedStatistics": ["p95"]},
        "Must specify either Statistics or ExtendedStatistics",
    ),
    "period": ({"Statistics": ["Sum"], "Period": 61}, "Period must be"),
    "many": ({"Statistics": ["Sum"], "Period": 1}, "exceeds the limit of 1,440"),
    "times": (
        {"Statistics": ["Sum"], "StartTime": datetime(2999, 1, 1, tzinfo=UTC)},
        "must be less than",
    ),
    "percentile": ({"ExtendedStatistics": ["q95"]}, "q95"),
}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(("wanted", "said"), REFUSED.values(), ids=REFUSED)
def test_cloudwatch_refuses_what_has_no_answer(wanted: dict[str, Any], said: str) -> None:
    client = boto3.client("cloudwatch")
    now = datetime.now(UTC)
    client.put_metric_data(
        Namespace="Team", MetricData=[{"MetricName": "Metric", "Value": 1, "Timestamp": now}]
    )
    request: Any = {
        "Namespace": "Team",
        "MetricName": "Metric",
        "StartTime": now - timedelta(hours=1),
        "EndTime": now + timedelta(minutes=1),
        "Period": 60,
        **wanted,
    }
    with pytest.raises(ClientError, match=re.escape(said)):
        client.get_metric_statistics(**request)


@pytest.mark.usefixtures("aws")
def test_percentiles_of_what_was_put() -> None:
    """Values one by one and counted have percentiles; sums put in their place have none."""
    client = boto3.client("cloudwatch")
    now = datetime.now(UTC)
    values: list[Any] = [
        {"MetricName": "valued", "Values": [1.0, 9.0], "Counts": [96, 4]},
        {
            "MetricName": "summed",
            "StatisticValues": {"SampleCount": 9, "Sum": 10, "Minimum": 1, "Maximum": 2},
        },
    ]
    client.put_metric_data(Namespace="Team", MetricData=values)

    def percentiles(name: str) -> dict[str, float]:
        (point,) = client.get_metric_statistics(
            Namespace="Team",
            MetricName=name,
            StartTime=now - timedelta(minutes=1),
            EndTime=now + timedelta(minutes=1),
            Period=3600,
            ExtendedStatistics=["p95", "p99"],
        )["Datapoints"]
        return point["ExtendedStatistics"]

    assert percentiles("valued") == {"p95": 1.0, "p99": 9.0}
    assert percentiles("summed") == {}


# Resets


def test_a_reset_forgets_what_is_not_written_yet(
    aws: LocalAws, s3: S3Client, sagemaker: SageMakerClient, runtime: SageMakerRuntimeClient
) -> None:
    def bucket() -> None:
        where: Any = {"LocationConstraint": "us-west-2"}
        s3.create_bucket(Bucket="captures", CreateBucketConfiguration=where)

    bucket()
    with model_functions(aws, {"a": says("a")}):
        deploy(sagemaker, "e", {"a": 1}, capture="s3://captures/c")
        ask(runtime)
        aws.reset()
    bucket()
    time.sleep(1.3)
    assert captured(s3, "s3://captures") == {}
    assert json.dumps(statistics("Invocations", "a", Statistics=["Sum"])) == "[]"
