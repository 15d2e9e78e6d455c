"""CloudWatch and drift: metrics of an endpoint, what a check found, an alarm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults import refused
from local_aws import limits
from mims.errors import InputError, ServiceError
from mims.governance.drift.check import Finding, Report
from mims.governance.drift.cloudwatch import (
    NAMESPACE,
    alarm,
    metrics,
    publish,
)
from mims.registration import aws as registration_aws

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

    from conftest import LocalAws
    from faults import Faults

TOPIC = "arn:aws:sns:us-west-2:123456789012:on-call"
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
MINUTE = timedelta(minutes=1)
HERE = [
    {"Name": "EndpointName", "Value": "fraud"},
    {"Name": "VariantName", "Value": "AllTraffic"},
]


@pytest.fixture
def client(aws: LocalAws) -> CloudWatchClient:
    return registration_aws.client("cloudwatch", aws.environ["AWS_DEFAULT_REGION"])


def put(
    client: CloudWatchClient,
    name: str,
    *values: float,
    at: datetime = NOON,
    where: Any = HERE,
    namespace: str = "AWS/SageMaker",
) -> None:
    """Have an endpoint report values, a minute apart."""
    data: list[Any] = [
        {
            "MetricName": name,
            "Dimensions": where,
            "Value": v,
            "Timestamp": at + timedelta(minutes=m),
        }
        for m, v in enumerate(values)
    ]
    client.put_metric_data(Namespace=namespace, MetricData=data)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


def report(*findings: Finding, records: int = 5000, undecided: tuple[str, ...] = ()) -> Report:
    return Report("fraud/3", "baseline.json", records, findings, undecided=undecided)


def moved(name: str, effect: float, *, drifted: bool = True, side: str = "input") -> Finding:
    return Finding(side, name, "distribution", effect, 0.2, 1e-9, drifted, "PSI")


# Reading


def test_a_metric_is_the_average_of_all_requests(client: CloudWatchClient) -> None:
    put(client, "ModelLatency", 100, 200, 300, 1000)
    put(client, "ModelLatency", 9, where=[HERE[0], {"Name": "VariantName", "Value": "other"}])
    found = metrics(client, "fraud", ["ModelLatency"], since=NOON, until=NOON + hours(6))
    assert found == {"ModelLatency": 400}


def test_over_days_each_request_counts_the_same(client: CloudWatchClient) -> None:
    """A quiet day weighs no more than its requests do."""
    put(client, "ModelLatency", *[100] * 9)
    put(client, "ModelLatency", 1000, at=NOON + hours(30))
    found = metrics(client, "fraud", ["ModelLatency"], since=NOON, until=NOON + hours(60))
    assert found == {"ModelLatency": pytest.approx(190)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ModelLatency:Minimum", 100),
        ("ModelLatency:Maximum", 1000),
        ("ModelLatency:Sum", 1600 / 4),  # an hour
        ("AWS/SageMaker/ModelLatency:Average", 400),
        ("Invocations", 3 / 4),  # an hour
        ("Invocation5XXErrors", 1 / 3),  # of the requests
        ("/aws/sagemaker/Endpoints/CPUUtilization", 50),
    ],
)
def test_statistics(client: CloudWatchClient, name: str, value: float) -> None:
    put(client, "ModelLatency", 100, 200, 300, 1000)
    put(client, "Invocations", 1, 1, 1)
    put(client, "Invocation5XXErrors", 0, 0, 1)
    put(client, "CPUUtilization", 40, 60, namespace="/aws/sagemaker/Endpoints")
    found = metrics(client, "fraud", [name], since=NOON, until=NOON + hours(4))
    assert found == {name: pytest.approx(value)}


def test_an_hour_that_is_not_over_counts_as_far_as_it_is(client: CloudWatchClient) -> None:
    """Asked at 13:15 for what was since 12:45: there are 75 minutes, not two hours."""
    put(client, "Invocations", *[1] * 75)
    span: Any = {"since": NOON + hours(0.75), "until": NOON + hours(1.25)}
    found = metrics(client, "fraud", ["Invocations"], **span, now=span["until"])
    assert found == {"Invocations": pytest.approx(60)}
    assert metrics(client, "fraud", ["Invocations"], **span) == {"Invocations": pytest.approx(37.5)}


def test_what_has_no_data_is_not_zero(client: CloudWatchClient) -> None:
    put(client, "ModelLatency", 100)
    found = metrics(
        client, "fraud", ["ModelLatency", "OverheadLatency"], since=NOON, until=NOON + hours(1)
    )
    assert found == {"ModelLatency": 100}


def test_the_span_is_widened_to_whole_hours(client: CloudWatchClient) -> None:
    put(client, "ModelLatency", 100)
    half = timedelta(minutes=30)
    found = metrics(client, "fraud", ["ModelLatency"], since=NOON + half / 2, until=NOON + half)
    assert found == {"ModelLatency": 100}


@pytest.mark.usefixtures("aws")
def test_many_metrics_are_several_requests(asked: list[str]) -> None:
    names = [f"ModelLatency:p{rank / 10}" for rank in range(600)]
    metrics(
        registration_aws.client("cloudwatch", "us-west-2"),
        "fraud",
        names,
        since=NOON,
        until=NOON + hours(1),
    )
    assert asked == ["GetMetricData"] * 3


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "ModelLatency:p101",
        "ModelLatency:avg",
        "AWS/SageMaker/",
        "Latency:Sum:Sum",
        "Laténcy",
    ],
)
def test_a_name_that_is_none(client: CloudWatchClient, name: str) -> None:
    with pytest.raises(InputError, match="must be NAME"):
        metrics(client, "fraud", [name], since=NOON, until=NOON + hours(1))


def test_no_time_at_all(client: CloudWatchClient) -> None:
    with pytest.raises(InputError, match="is not before"):
        metrics(client, "fraud", ["ModelLatency"], since=NOON, until=NOON)


def test_a_service_that_refuses(proxy: Faults) -> None:
    proxy.on(None, refused("AccessDenied", "not authorized", status=403))
    with pytest.raises(ServiceError, match=r"GetMetricData in us-west-2 for endpoint fraud"):
        metrics(
            registration_aws.client("cloudwatch", "us-west-2"),
            "fraud",
            ["ModelLatency"],
            since=NOON,
            until=NOON + hours(1),
        )


# Publishing


def published(client: CloudWatchClient, name: str, where: Any) -> list[float]:
    now = datetime.now(UTC)
    found = client.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=name,
        Dimensions=where,
        StartTime=now - hours(1),
        EndTime=now + hours(1),
        Period=86400,
        Statistics=["Maximum"],
    )
    return [point["Maximum"] for point in found["Datapoints"]]


def test_what_a_check_found_is_published(client: CloudWatchClient) -> None:
    quiet = moved("score", 0.01, drifted=False, side="output")
    publish(client, report(moved("age", 0.4), quiet), "fraud")
    assert published(client, "Drift", HERE[:1]) == [1]
    assert published(client, "DriftedFields", HERE[:1]) == [1]
    assert published(client, "Records", HERE[:1]) == [5000]
    field = [{"Name": "Side", "Value": "input"}, {"Name": "Field", "Value": "age"}]
    assert published(client, "PSI", [HERE[0], *field]) == [0.4]


def test_no_drift_is_zero(client: CloudWatchClient) -> None:
    publish(client, report(moved("age", 0.01, drifted=False)), "fraud", variant="AllTraffic")
    assert published(client, "Drift", HERE) == [0]


def test_no_verdict_is_neither(client: CloudWatchClient) -> None:
    """Nobody may take "too few records" for "no drift"."""
    publish(client, report(records=3, undecided=("there are 3 records",)), "fraud")
    assert published(client, "Drift", HERE[:1]) == []
    assert published(client, "Records", HERE[:1]) == [3]


def test_of_many_fields_those_that_moved_farthest(client: CloudWatchClient) -> None:
    data = publish(client, report(*(moved(f"f{at}", at / 10) for at in range(500))), "fraud")
    indices = [one["Value"] for one in data if one["MetricName"] == "PSI"]
    assert len(indices) == 20
    assert min(indices) == 48.0


@given(st.lists(st.text(), unique=True, max_size=30), st.floats(min_value=0))
def test_any_field_can_be_published(names: list[str], effect: float) -> None:
    """Names come from data; CloudWatch takes ASCII, and no infinite value."""

    class Kept:
        class meta:  # noqa: N801 - as botocore has it
            region_name = "us-west-2"

        def put_metric_data(self, **request: Any) -> None:
            self.request = request

    client = Kept()
    publish(client, report(*(moved(name, effect) for name in names)), "fraud")  # type: ignore[arg-type]
    shape = _shape("PutMetricData")
    assert list(limits.violations(shape, client.request)) == []
    for datum in client.request["MetricData"]:
        assert abs(datum["Value"]) <= 2**360
        for dimension in datum["Dimensions"]:
            value = dimension["Value"]
            assert value.strip()
            assert value.isascii()
            assert value.isprintable()
            assert not value.startswith(":")


def _shape(operation: str) -> Any:
    import botocore.session  # noqa: PLC0415

    return (
        botocore.session.get_session()
        .get_service_model("cloudwatch")
        .operation_model(operation)
        .input_shape
    )


# The alarm


def test_an_alarm_on_drift(client: CloudWatchClient) -> None:
    made = alarm(client, "fraud", actions=[TOPIC])
    assert (made.name, made.done) == ("mims drift: fraud", "created")
    (known,) = client.describe_alarms()["MetricAlarms"]
    assert known["AlarmActions"] == known["InsufficientDataActions"] == [TOPIC]
    assert (known["Namespace"], known["MetricName"]) == (NAMESPACE, "Drift")
    assert known["Dimensions"] == HERE[:1]
    assert (known["Threshold"], known["Period"]) == (1, 86400)


def test_the_same_alarm_again(client: CloudWatchClient) -> None:
    alarm(client, "fraud", actions=[TOPIC], hours=6)
    assert alarm(client, "fraud", actions=[TOPIC], hours=6).done == "unchanged"
    assert alarm(client, "fraud", actions=[], hours=6).done == "updated"
    assert alarm(client, "fraud", actions=[], hours=6).done == "unchanged"


def test_an_alarm_that_is_only_looked_at(client: CloudWatchClient) -> None:
    assert alarm(client, "fraud", dry_run=True).done == "created"
    assert client.describe_alarms()["MetricAlarms"] == []


def test_an_alarm_that_no_check_could_serve(client: CloudWatchClient) -> None:
    with pytest.raises(InputError, match="from 1 to 24"):
        alarm(client, "fraud", hours=25)
