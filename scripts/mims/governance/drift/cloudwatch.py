"""Drift and CloudWatch: metrics of an endpoint read, what a check found published, an alarm set.

Goes in: a client of CloudWatch, an endpoint, the names of metrics, a report. Comes out: a number a
metric over a span of time; metrics in the namespace MIMS/Drift; an alarm on them.

A metric is named as CloudWatch does, a statistic and a namespace may be added:

    ModelLatency                                  the average, in AWS/SageMaker
    ModelLatency:p95                              any statistic of CloudWatch's
    /aws/sagemaker/Endpoints/CPUUtilization       of the instances
    Invocations                                   the sum, an hour: spans of any length compare

The average of Invocation4XXErrors and its like is their share of all requests. What SageMaker
reports: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.governance.drift.check import DRIFT, UNDECIDED
from mims.registration.aws import asking
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_cloudwatch import CloudWatchClient

    from mims.governance.drift.check import Report

NAMESPACE = "MIMS/Drift"
ENDPOINTS = "AWS/SageMaker"
FIELDS = 20  # how many fields' indices are published: each is a metric that is paid for
_COUNTED = {"Invocations", "InvocationsPerInstance", "InvocationModelErrors"}
_STATISTIC = re.compile(
    r"Average|Sum|Minimum|Maximum|SampleCount|p(?:100|\d{1,2}(?:\.\d{1,10})?)|IQM"
    r"|(?:tm|wm|tc|ts|pr)\S{1,40}",
    re.ASCII,
)
_NAME = re.compile(r"[\x21-\x7e]{1,255}")
_HOUR = 3600  # seconds
_DAY = 24 * _HOUR  # the longest period
_QUERIES = 500  # of one GetMetricData
_LARGEST = 2.0**360  # CloudWatch takes no value beyond


class Metric(NamedTuple):
    """A metric, as a baseline names it."""

    label: str
    """the name as it was given"""
    namespace: str
    name: str
    statistic: str

    @classmethod
    def read(cls, label: str) -> Metric:
        """Read a name.

        Raises:
            InputError: it is none.

        """
        path, _, statistic = label.partition(":")
        namespace, _, name = path.rpartition("/")
        default = "Sum" if name in _COUNTED else "Average"
        if not _NAME.fullmatch(name) or not _STATISTIC.fullmatch(statistic or default):
            raise InputError(
                f"metric {printable(label)!r}: must be NAME, NAME:STATISTIC or "
                "NAMESPACE/NAME:STATISTIC with a statistic of CloudWatch's, such as "
                "ModelLatency:p95"
            )
        return cls(label, namespace or ENDPOINTS, name, statistic or default)


class Alarm(NamedTuple):
    """An alarm as it is, or would be."""

    name: str
    done: str
    """created, updated or unchanged"""
    request: Mapping[str, Any]


def metrics(
    client: CloudWatchClient,
    endpoint: str,
    names: Iterable[str],
    *,
    since: datetime,
    until: datetime,
    variant: str = "AllTraffic",
    now: datetime | None = None,
) -> dict[str, float]:
    """Give each metric's value over a span of time, widened to whole hours, by its name.

    A metric without data in that time is left out. What is an hour's is of the hours that are over
    by `now`, and of the part of this one. Over more than a day, averages and percentiles
    are means of the days', weighted by their requests: exact for averages.

    Raises:
        InputError: a name is none, or there is no time between `since` and `until`.
        ServiceError: CloudWatch refused or could not be reached.

    """
    if since >= until:
        raise InputError(f"--since {since.isoformat()} is not before --until {until.isoformat()}")
    wanted = [Metric.read(name) for name in dict.fromkeys(names)]
    start, end = _whole_hours(since, until)
    seconds = (end - start).total_seconds()
    passed = (min(end, max(now or datetime.now(UTC), until)) - start).total_seconds()
    period = int(min(seconds, _DAY))
    where = _dimensions(endpoint, variant)
    queries = [
        {"Id": f"{kind}{at}", "MetricStat": _statistic(metric, statistic, where, period)}
        for at, metric in enumerate(wanted)
        for kind, statistic in (("value", metric.statistic), ("count", "SampleCount"))
    ]
    found: dict[str, dict[datetime, float]] = {}
    for first in range(0, len(queries), _QUERIES):
        for answer in _asked(client, endpoint, queries[first : first + _QUERIES], start, end):
            values = zip(answer["Timestamps"], answer["Values"], strict=True)
            found.setdefault(answer["Id"], {}).update(values)
    return {
        metric.label: value
        for at, metric in enumerate(wanted)
        if (value := _whole(metric, found, at, passed / _HOUR)) is not None
    }


def _whole_hours(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """Widen to whole hours: whatever its age, CloudWatch keeps data of every hour."""
    start = since.replace(minute=0, second=0, microsecond=0)
    end = until.replace(minute=0, second=0, microsecond=0)
    return start, end if end == until else end + timedelta(hours=1)


def _statistic(
    metric: Metric, statistic: str, where: Sequence[Mapping[str, str]], period: int
) -> dict[str, Any]:
    named = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": where}
    return {"Metric": named, "Period": period, "Stat": statistic}


def _asked(
    client: CloudWatchClient,
    endpoint: str,
    queries: Sequence[Any],
    start: datetime,
    end: datetime,
) -> Iterator[Any]:
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end
    )
    with asking("GetMetricData", client.meta.region_name, f"endpoint {endpoint}"):
        for page in pages:
            yield from page["MetricDataResults"]


def _whole(
    metric: Metric, found: Mapping[str, Mapping[datetime, float]], at: int, hours: float
) -> float | None:
    """A metric's value over all periods; None without data."""
    values, counts = found.get(f"value{at}", {}), found.get(f"count{at}", {})
    if not values:
        return None
    if metric.statistic in ("Sum", "SampleCount"):
        return math.fsum(values.values()) / hours
    if metric.statistic == "Minimum":
        return min(values.values())
    if metric.statistic == "Maximum":
        return max(values.values())
    weights = [counts.get(time, 1.0) for time in values]
    weighted = (value * weight for value, weight in zip(values.values(), weights, strict=True))
    return math.fsum(weighted) / math.fsum(weights)


def publish(
    client: CloudWatchClient, report: Report, endpoint: str, *, variant: str = ""
) -> list[dict[str, Any]]:
    """Put what a check found as metrics in MIMS/Drift, and give them.

    Records, and where a verdict was reached Drift (1 or 0), DriftedFields, and the population
    stability index (PSI) of the FIELDS fields that moved farthest. A check that came to no verdict
    says neither 0 nor 1: the alarm shows that data is lacking.

    Raises:
        ServiceError: CloudWatch refused or could not be reached.

    """
    where = _dimensions(endpoint, variant)
    data = [_datum("Records", report.records, where)]
    if report.verdict != UNDECIDED:
        drifted = {(one.side, one.name) for one in report.findings if one.drifted}
        data.append(_datum("Drift", float(report.verdict == DRIFT), where))
        data.append(_datum("DriftedFields", len(drifted), where))
        data += _indices(report, where)
    with asking("PutMetricData", client.meta.region_name, f"endpoint {endpoint}"):
        client.put_metric_data(Namespace=NAMESPACE, MetricData=data)  # type: ignore[arg-type]
    return data


def _indices(report: Report, where: Sequence[dict[str, str]]) -> Iterator[dict[str, Any]]:
    moved = [
        finding
        for finding in report.findings
        if finding.test == "distribution" and 0 <= finding.effect <= _LARGEST
    ]
    for finding in sorted(moved, key=lambda one: -one.effect)[:FIELDS]:
        field = [
            {"Name": "Side", "Value": finding.side},
            {"Name": "Field", "Value": _dimension(finding.name)},
        ]
        yield _datum("PSI", finding.effect, [*where, *field])


def _datum(name: str, value: float, where: Sequence[dict[str, str]]) -> dict[str, Any]:
    unit = "Count" if name in ("Records", "DriftedFields") else "None"
    return {"MetricName": name, "Dimensions": [*where], "Value": float(value), "Unit": unit}


def _dimensions(endpoint: str, variant: str) -> list[dict[str, str]]:
    named = {"EndpointName": endpoint, "VariantName": variant}
    return [{"Name": name, "Value": value} for name, value in named.items() if value]


def _dimension(name: str) -> str:
    """A field's name as a dimension's value: ASCII, no controls, no colon in front, not empty."""
    text = printable(name).encode("ascii", "backslashreplace").decode()[:255].strip()
    return f"_{text}" if not text or text.startswith(":") else text


def alarm(
    client: CloudWatchClient,
    endpoint: str,
    *,
    variant: str = "",
    actions: Sequence[str] = (),
    hours: int = 24,
    dry_run: bool = False,
) -> Alarm:
    """Have an alarm on drift of an endpoint, whose checks run every `hours` at least.

    It goes off when a check of the last `hours` found drift, and lacks data when none ran or none
    saw enough; `actions` (ARNs, such as an SNS topic's) are told of both. The same call again
    changes nothing.

    Raises:
        InputError: CloudWatch takes no such alarm.
        ServiceError: CloudWatch refused or could not be reached.

    """
    if not 1 <= hours <= 24:
        raise InputError(f"--hours {hours}: must be from 1 to 24, so that a check falls in each")
    request = _alarm_request(endpoint, variant, actions, hours)
    name, region = request["AlarmName"], client.meta.region_name
    with asking("DescribeAlarms", region, name):
        known = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    same = bool(known) and _is(known[0], request)
    done = "unchanged" if same else "updated" if known else "created"
    if not same and not dry_run:
        with asking("PutMetricAlarm", region, name):
            client.put_metric_alarm(**request)
    return Alarm(name, done, request)


def _alarm_request(
    endpoint: str, variant: str, actions: Sequence[str], hours: int
) -> dict[str, Any]:
    subject = f"{endpoint} {variant}".strip()
    return {
        "AlarmName": f"mims drift: {subject}",
        "AlarmDescription": f"What endpoint {subject} sees or answers is no longer what its model's"
        " baseline holds: mims-registry drift check tells what moved.",
        "Namespace": NAMESPACE,
        "MetricName": "Drift",
        "Dimensions": _dimensions(endpoint, variant),
        "Statistic": "Maximum",
        "Period": hours * _HOUR,
        "EvaluationPeriods": 1,
        "Threshold": 1.0,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "missing",
        "AlarmActions": [*actions],
        "InsufficientDataActions": [*actions],
    }


def _is(known: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether an alarm is what it would be made."""

    def plain(value: Any) -> Any:
        ordered = isinstance(value, list)
        return sorted(value, key=str) if ordered else value

    return all(plain(known.get(member)) == plain(value) for member, value in request.items())
