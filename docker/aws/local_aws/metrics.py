"""CloudWatch's numbers: what services put, and what the two operations that read them answer.

In: numbers of a moment (`Recorder`), which are kept together by the second, so that a day of
requests is no more than a day of seconds; and CloudWatch requests. Out: moto's answers, but for
ListMetrics, which names each metric once, and GetMetricStatistics and GetMetricData: percentiles,
the very dimensions that were asked for and no others, periods that begin where AWS's do, and
refusals in AWS's manner. CloudWatch keeps SageMaker's metrics by the minute; here a period of a
second has them too, so that a test need not wait. Metric math is left to moto; alarms are kept and
never go off, but by SetAlarmState.
"""

from __future__ import annotations

import math
import re
from array import array
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from moto.cloudwatch.exceptions import (
    InvalidParameterCombination,
    InvalidParameterValue,
    ValidationError,
)
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult

from local_aws import limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from moto.cloudwatch.models import MetricDatumBase

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_SUB_MINUTE = (1, 5, 10, 20, 30)
_MOST_DATAPOINTS = 1440  # of GetMetricStatistics
_PAGE = 500  # of ListMetrics
_MODEL = botocore.session.get_session().get_service_model("cloudwatch")


class Second(MetricAggregatedDatum):
    """What came of a metric within a second, each value of it."""

    def __init__(
        self, namespace: str, name: str, dimensions: list[dict[str, str]], when: datetime, unit: str
    ) -> None:
        super().__init__(namespace, name, math.inf, -math.inf, 0, 0, dimensions, when, unit)
        self.values = array("d")

    def add(self, value: float) -> None:
        """Count a value."""
        self.values.append(value)
        self.min, self.max = min(self.min, value), max(self.max, value)
        self.sample_count += 1
        self.sum += value


class Recorder:
    """Puts numbers into CloudWatch as they come."""

    def __init__(self, account: str, region: str, namespace: str) -> None:
        self._where = account, region
        self._namespace = namespace
        self._open: dict[tuple[str, ...], Second] = {}
        self._lock = Lock()

    def add(self, dimensions: Mapping[str, str], values: Mapping[str, tuple[float, str]]) -> None:
        """Count a value, with its unit, of each metric."""
        account, region = self._where
        # moto's clock has no zone.
        now = datetime.now(UTC).replace(microsecond=0, tzinfo=None)
        with self._lock:
            for name, (value, unit) in values.items():
                key = (name, *dimensions.values())
                second = self._open.get(key)
                if second is None or second.timestamp != now:
                    named = [{"Name": one, "Value": its} for one, its in dimensions.items()]
                    second = self._open[key] = Second(self._namespace, name, named, now, unit)
                    cloudwatch_backends[account][region].metric_data.append(second)
                second.add(value)


class CloudWatch(CloudWatchResponse):
    """moto's CloudWatch, with answers of our own where it is asked for numbers."""

    def put_metric_data(self) -> ActionResult:
        """Keep what is within limits."""
        self._checked("PutMetricData")
        return super().put_metric_data()

    def put_metric_alarm(self) -> ActionResult:
        """Keep what is within limits."""
        self._checked("PutMetricAlarm")
        return super().put_metric_alarm()

    def get_metric_statistics(self) -> ActionResult:
        """Answer a datapoint a period that has data; periods begin with the request's start."""
        request = self._checked("GetMetricStatistics")
        wanted, extended = request.get("Statistics", []), request.get("ExtendedStatistics", [])
        if bool(wanted) == bool(extended):
            say = "Must specify either Statistics or ExtendedStatistics"
            raise InvalidParameterCombination(say)
        period = _period(request["Period"])
        start, end = _between(request)
        first = _floor(start, min(period, 60))
        if (end - first) / period > _MOST_DATAPOINTS:
            raise InvalidParameterCombination(
                f"You have requested up to {math.ceil((end - first) / period)} datapoints, which "
                f"exceeds the limit of {_MOST_DATAPOINTS:,}. You may reduce the datapoints "
                "requested by increasing Period, or decreasing the time range."
            )
        found = self._data(request, request.get("Unit"))
        answer = []
        for begin, data in _periods(found, first, end, period, first):
            point = {"Timestamp": _moment(begin), "Unit": data[0].unit or "None"}
            point |= {stat: _statistic(stat, data) for stat in wanted}
            shares = {stat: _statistic(stat, data) for stat in extended}
            kept = {stat: value for stat, value in shares.items() if value is not None}
            answer.append({**point, **({"ExtendedStatistics": kept} if extended else {})})
        return ActionResult({"Label": request["MetricName"], "Datapoints": answer})

    def get_metric_data(self) -> ActionResult:
        """Answer each query for a metric; periods begin at multiples of their length."""
        request = self._checked("GetMetricData")
        queries = request["MetricDataQueries"]
        if any("Expression" in query for query in queries):
            return super().get_metric_data()
        for number, query in enumerate(queries, 1):
            if "MetricStat" not in query:
                at = f"MetricDataQueries.member.{number}.MetricStat"
                raise ValidationError(f"The parameter {at} is required.\n")
        newest_first = request.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        return ActionResult(
            {
                "MetricDataResults": [
                    self._queried(query, *_between(request), newest_first=newest_first)
                    for query in queries
                    if query.get("ReturnData", True)
                ],
                "Messages": [],
            }
        )

    def list_metrics(self) -> ActionResult:
        """List each metric once, which moto does for those of one dimension."""
        request = self._checked("ListMetrics")
        wanted = request.get("Namespace"), request.get("MetricName"), request.get("Dimensions", [])
        found = {}
        for datum in self.cloudwatch_backend.get_all_metrics():
            if datum.filter(*wanted):
                names = frozenset((one.name, one.value) for one in datum.dimensions)
                found[datum.namespace, datum.name, names] = datum
        start = int(request.get("NextToken", 0))
        more = {"NextToken": str(start + _PAGE)} if len(found) > start + _PAGE else {}
        return ActionResult({"Metrics": [*found.values()][start : start + _PAGE], **more})

    def _checked(self, operation: str) -> dict[str, Any]:
        """Give the request, unless it is off the limits of the service model."""
        request = self._get_params()
        shape = _MODEL.operation_model(operation).input_shape
        found = list(limits.violations(shape, request)) if shape else []
        if found:
            raise ValidationError(limits.message(found))
        return request

    def _queried(
        self, query: dict[str, Any], start: float, end: float, *, newest_first: bool
    ) -> dict[str, Any]:
        asked = query["MetricStat"]
        period, stat = _period(asked["Period"]), asked["Stat"]
        found = self._data(asked["Metric"], asked.get("Unit"))
        periods = _periods(found, _floor(start, period), end, period, 0)
        points = [(_moment(begin), _statistic(stat, data)) for begin, data in periods]
        kept = [point for point in points if point[1] is not None]
        if newest_first:
            kept.reverse()
        return {
            "Id": query["Id"],
            "Label": query.get("Label", asked["Metric"]["MetricName"]),
            "Timestamps": [when for when, _ in kept],
            "Values": [value for _, value in kept],
            "StatusCode": "Complete",
        }

    def _data(self, metric: dict[str, Any], unit: str | None) -> list[MetricDatumBase]:
        """All of one metric: dimensions are part of its name."""
        namespace, name = metric["Namespace"], metric["MetricName"]
        wanted = {(one["Name"], one["Value"]) for one in metric.get("Dimensions", [])}
        return [
            datum
            for datum in self.cloudwatch_backend.get_all_metrics()
            if datum.name == name
            and datum.namespace == namespace
            and {(one.name, one.value) for one in datum.dimensions} == wanted
            and unit in (None, datum.unit)
        ]


def _period(seconds: int) -> int:
    if seconds not in _SUB_MINUTE and (seconds < 60 or seconds % 60):
        raise InvalidParameterValue(
            "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60."
        )
    return seconds


def _between(request: dict[str, Any]) -> tuple[float, float]:
    start, end = _seconds(request["StartTime"]), _seconds(request["EndTime"])
    if start >= end:
        raise InvalidParameterValue(
            "The parameter StartTime must be less than the parameter EndTime."
        )
    return start, end


def _seconds(when: datetime) -> float:
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _floor(seconds: float, period: int) -> float:
    return seconds // period * period


def _periods(
    found: Iterable[MetricDatumBase], start: float, end: float, period: int, origin: float
) -> Iterator[tuple[float, list[MetricDatumBase]]]:
    """Yield the beginning of each period that has data, and the data; the oldest first."""
    periods: dict[float, list[MetricDatumBase]] = {}
    for datum in found:
        when = _seconds(datum.timestamp)
        if start <= when < end:
            begin = origin + _floor(when - origin, period)
            periods.setdefault(begin, []).append(datum)
    yield from sorted(periods.items(), key=lambda pair: pair[0])


def _statistic(name: str, data: list[MetricDatumBase]) -> float | None:
    """One statistic of a period; no percentile where sums were put in place of values."""
    percentile = _PERCENTILE.fullmatch(name)
    if percentile:
        return _percentile(float(percentile[1]), data)
    sets = [
        (1, one.value, one.value, one.value)
        if isinstance(one, MetricDatum)
        else (one.sample_count, one.sum, one.min, one.max)
        for one in cast("list[MetricDatum | MetricAggregatedDatum]", data)
    ]
    counts, sums, lows, highs = zip(*sets, strict=True)
    known: dict[str, float] = {
        "SampleCount": float(sum(counts)),
        "Sum": sum(sums),
        "Average": sum(sums) / sum(counts) if sum(counts) else 0.0,
        "Minimum": min(lows),
        "Maximum": max(highs),
    }
    if name not in known:
        raise InvalidParameterValue(f"The value {name} for parameter Stat is not supported.")
    return known[name]


def _percentile(percent: float, data: list[MetricDatumBase]) -> float | None:
    """The smallest value that so many percent of all values do not exceed."""
    values: list[float] = []
    for one in data:
        if isinstance(one, Second):
            values += one.values
        elif isinstance(one, MetricDatum):
            values.append(one.value)
        elif isinstance(one, MetricAggregatedDatum) and one.min == one.max:
            values += [one.min] * int(one.sample_count)
        else:
            return None
    values.sort()
    return values[max(0, math.ceil(percent / 100 * len(values)) - 1)]
