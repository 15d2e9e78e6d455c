"""Does the challenger fail more often, or take longer: CloudWatch's metrics of both variants.

Goes in: a client of CloudWatch, a design, the time. Comes out: `Guardrails`: what both variants did
since the A/B began, what is breached, and what nobody can tell because metrics are missing. They
need no labels and no minimum of records, so they speak first. Changes nothing.

Failures are held against the split, as scores are (`sequential`), period by period. Let variants
have n0 and n1 requests in a period, of which e failed. If failing has nothing to do with the
variant, the k that the challenger has of them are hypergeometric, whatever the rate is in that
period; a bet that the odds of a challenger's request to fail are t times the champion's pays

    t^k C(n0 + n1, e) / sum over j of C(n1, j) C(n0, e - j) t^j,

1 on average: the ratio of Fisher's noncentral hypergeometric distribution to the central one (The
logic of inductive inference, Journal of the Royal Statistical Society 98, 1935). Capital that began
at 1 reaches 1/alpha with probability alpha at most, however often one looks; so does an average
over several t, each the odds at a rise d above the rate c of both variants so far,

    t = ((c + d) / (1 - c - d)) / (c / (1 - c)).

A period counts once it is over. Of a shadow, a request that fails in both variants makes k more
even than that, so the test errs on the safe side.

What SageMaker reports, for each request 1 or 0:
https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import special

from mims.errors import ServiceError
from mims.governance.ab.sequential import BETS, least, told
from mims.registration.aws import asking
from mims.text import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_cloudwatch import CloudWatchClient
    from numpy.typing import NDArray

    from mims.governance.ab.design import Design

ALPHA = 0.01  # one-sided: how often a challenger that fails no more often is taken for one
RUNNING = 3  # periods in succession that are too slow
# Of each variant in a period, for its 95th percentile to say something. Of 50, those of two equal
# variants, whose times are log-normal with a sigma of 0.8, differ by half in three minutes running
# on most days.
REQUESTS = 200
_NAMESPACE = "AWS/SageMaker"
_INVOCATIONS, _LATENCY = "Invocations", "ModelLatency"
_ERRORS = ("Invocation4XXErrors", "Invocation5XXErrors")
_STATISTICS = {**dict.fromkeys((_INVOCATIONS, *_ERRORS), "Sum"), _LATENCY: "p95"}
# For how many days CloudWatch keeps data of periods of so many seconds.
_KEPT = ((15, 60), (63, 300), (math.inf, 3600))
_MARGIN = timedelta(hours=1)
_MOST_LIKELY = 0.999  # of a rate that is bet on


class Periods(NamedTuple):
    """What CloudWatch knows, of shape (periods, 2): champion, challenger. NaN where nothing."""

    starts: tuple[datetime, ...]
    requests: NDArray[np.float64]
    failed: NDArray[np.float64]
    """4xx and 5xx together: a challenger that refuses what the champion takes is worse, too"""
    latency: NDArray[np.float64]
    """the 95th percentile of what the model took, in milliseconds"""


@dataclass(frozen=True)
class Guardrails:
    """How both variants behave: champion, challenger."""

    requests: tuple[int, int]
    """in periods in which both had some, and it is known which failed"""
    failed: tuple[int, int]
    p: float
    """of "the challenger fails no more often", one-sided: the smallest so far"""
    latency: tuple[float, float] | None
    """medians of the periods' 95th percentiles, in milliseconds"""
    slow: int
    """the most periods in succession in which the challenger was too slow"""
    breaches: tuple[str, ...]
    notes: tuple[str, ...]
    """what could not be watched, and why"""

    @property
    def rise(self) -> float:
        """How far the challenger's part of failed requests is above the champion's; or NaN."""
        if not all(self.requests):
            return math.nan
        champion, challenger = (f / n for f, n in zip(self.failed, self.requests, strict=True))
        return challenger - champion


def look(
    client: CloudWatchClient,
    design: Design,
    *,
    now: datetime | None = None,
    period: int | None = None,
) -> Guardrails:
    """Ask CloudWatch, and say what is breached by what it knows.

    `period` is in seconds; else it is a minute, or the shortest that CloudWatch has kept, and for
    latency a longer one where most have too few requests.

    Raises:
        ServiceError: CloudWatch refused, could not be reached or could not tell.

    """
    now = now or datetime.now(UTC)
    periods = read(client, design, now=now, period=period)
    return judged(design, periods, None if period else _longer(client, design, now, periods))


def _longer(client: CloudWatchClient, design: Design, now: datetime, periods: Periods) -> Periods:
    """Periods in most of which both variants have enough requests, as far as there are any."""
    shortest = _period(now - design.started)
    for seconds in (one for _, one in _KEPT if one > shortest):
        served = periods.requests[_both(periods.requests > 0)]
        if not len(served) or np.median(served.min(axis=1)) >= REQUESTS:
            break
        longer = read(client, design, now=now, period=seconds)
        if not _both(longer.requests > 0).any():
            break  # none is over yet
        periods = longer
    return periods


def read(
    client: CloudWatchClient, design: Design, *, now: datetime, period: int | None = None
) -> Periods:
    """Read both variants' metrics, of all periods from the A/B's start that are over.

    Raises:
        ServiceError: CloudWatch refused, could not be reached or could not tell.

    """
    period = period or _period(now - design.started)
    start, end = _floor(design.started, period), _floor(now, period)
    none = np.empty((0, 2))
    if start >= end:
        return Periods((), none, none, none)
    count = int((end - start).total_seconds()) // period
    starts = tuple(start + timedelta(seconds=period * at) for at in range(count))
    found = {name: np.full((count, 2), np.nan) for name in _STATISTICS}
    for answer in _asked(client, design, period, start, end):
        name, _, variant = answer["Id"].rpartition("_")
        metric = next(one for one in _STATISTICS if one.lower() == name)
        for time, value in zip(answer["Timestamps"], answer["Values"], strict=True):
            at = int((time - start).total_seconds()) // period
            if 0 <= at < count:
                found[metric][at, int(variant)] = value
    failed = found[_ERRORS[0]] + found[_ERRORS[1]]
    return Periods(starts, found[_INVOCATIONS], failed, found[_LATENCY] / 1000)


def _period(age: timedelta) -> int:
    """The shortest period, in seconds, of which CloudWatch still has everything."""
    days = (age + _MARGIN) / timedelta(days=1)
    return next(seconds for kept, seconds in _KEPT if days <= kept)


def _floor(time: datetime, period: int) -> datetime:
    return datetime.fromtimestamp(time.timestamp() // period * period, UTC)


def _asked(
    client: CloudWatchClient, design: Design, period: int, start: datetime, end: datetime
) -> Iterator[Any]:
    queries: list[Any] = [
        {"Id": f"{name.lower()}_{at}", "MetricStat": _metric(design, variant, name, period)}
        for at, variant in enumerate((design.champion_variant, design.challenger_variant))
        for name in _STATISTICS
    ]
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=start, EndTime=end
    )
    about, region = f"endpoint {design.endpoint}", client.meta.region_name
    with asking("GetMetricData", region, about):
        for page in pages:
            for answer in page["MetricDataResults"]:
                status = answer.get("StatusCode", "Complete")
                if status in ("InternalError", "Forbidden"):
                    raise ServiceError(
                        f"GetMetricData in {region} for {about}: {answer['Id']}: {status}; "
                        "run again, with cloudwatch:GetMetricData allowed"
                    )
                yield answer


def _metric(design: Design, variant: str, name: str, period: int) -> dict[str, Any]:
    where = {"EndpointName": design.endpoint, "VariantName": variant}
    dimensions = [{"Name": key, "Value": value} for key, value in where.items()]
    metric = {"Namespace": _NAMESPACE, "MetricName": name, "Dimensions": dimensions}
    return {"Metric": metric, "Period": period, "Stat": _STATISTICS[name]}


def judged(design: Design, periods: Periods, longer: Periods | None = None) -> Guardrails:
    """Say what is breached: failures by the bets, latency by periods in succession.

    `longer`: the periods for latency, if others.
    """
    paced = longer or periods
    served = _both(periods.requests > 0)
    counted = served & _both(~np.isnan(periods.failed))
    requests = periods.requests[counted].astype(np.int64)
    # More failures than requests: CloudWatch has counted some in the period beside.
    failed = np.minimum(periods.failed[counted].astype(np.int64), requests)
    timed = _both(~np.isnan(paced.latency))
    watched = timed & _both(paced.requests >= REQUESTS)
    times = paced.latency[watched]
    found = Guardrails(
        requests=_pair(requests),
        failed=_pair(failed),
        p=failing_more(requests, failed, design.error_rise),
        latency=_medians(paced.latency[timed]),
        slow=_longest(times[:, 1] > design.latency_ratio * times[:, 0]),
        breaches=(),
        notes=tuple(_missing(design, periods, served, counted, watched)),
    )
    return Guardrails(**{**vars(found), "breaches": tuple(_breaches(design, found))})


def failing_more(requests: NDArray[np.int64], failed: NDArray[np.int64], rise: float) -> float:
    """A p-value of "the challenger fails no more often", right at every look; one-sided.

    `requests` and `failed` have the shape (periods, 2): champion, challenger. `rise` is what it is
    best at finding.
    """
    kept, best = np.zeros(len(BETS)), 0.0
    total, bad = 0, 0
    for (n0, n1), (e0, e1) in zip(requests.tolist(), failed.tolist(), strict=True):
        total, bad = total + n0 + n1, bad + e0 + e1
        if not 0 < e0 + e1 < n0 + n1:
            continue  # all the same: nothing to bet on
        rate = (bad + 0.5) / (total + 1)  # of both: it tells nothing of who failed
        likely = np.minimum(rate + BETS * rise, _MOST_LIKELY)
        kept += _paid(special.logit(likely) - special.logit(rate), n0, n1, e0 + e1, e1)
        best = max(best, float(special.logsumexp(kept)) - math.log(len(BETS)))
    return least(-best)


def _paid(log_odds: NDArray[np.float64], n0: int, n1: int, errors: int, k: int) -> Any:
    """The logarithm of what bets on such odds pay where k of the errors are the challenger's."""
    j = np.arange(max(0, errors - n0), min(n1, errors) + 1)
    ways = _log_choose(n1, j) + _log_choose(n0, errors - j)
    ways -= special.logsumexp(ways)
    return log_odds * k - special.logsumexp(ways + log_odds[:, None] * j, axis=1)


def _log_choose(n: int, k: NDArray[np.int64]) -> Any:
    return -special.betaln(1 + n - k, 1 + k) - math.log1p(n)


def _pair(counts: NDArray[np.int64]) -> tuple[int, int]:
    champion, challenger = counts.sum(axis=0).tolist()
    return champion, challenger


def _medians(times: NDArray[np.float64]) -> tuple[float, float] | None:
    if not len(times):
        return None
    champion, challenger = np.median(times, axis=0).tolist()
    return champion, challenger


def _both(of_each: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return of_each[:, 0] & of_each[:, 1]


def _longest(slow: NDArray[np.bool_]) -> int:
    """The longest run; periods with too few requests are left out, and so neither end nor add."""
    longest = run = 0
    for one in slow.tolist():
        run = run + 1 if one else 0
        longest = max(longest, run)
    return longest


def _breaches(design: Design, found: Guardrails) -> Iterator[str]:
    if found.p <= ALPHA and found.rise >= design.error_rise:
        counts = [f"{f} of {n}" for f, n in zip(found.failed, found.requests, strict=True)]
        yield (
            f"errors: {counts[1]} requests to the challenger failed, {counts[0]} to the champion: "
            f"{found.rise:+.2%}, where {design.error_rise:.2%} is allowed ({told(found.p)})"
        )
    if found.slow >= RUNNING:
        yield (
            f"latency: in {found.slow} periods running the challenger's 95th percentile was more "
            f"than {design.latency_ratio:g} times the champion's"
        )


def _missing(
    design: Design,
    periods: Periods,
    served: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    watched: NDArray[np.bool_],
) -> Iterator[str]:
    if not periods.starts:
        yield "guardrails: no period has passed yet since the start"
        return
    variants = (design.champion_variant, design.challenger_variant)
    silent = [v for at, v in enumerate(variants) if np.isnan(periods.requests[:, at]).all()]
    if silent:
        yield f"guardrails: no {_INVOCATIONS} of {listed(silent)} in CloudWatch: nothing is watched"
        return
    if not served.any():
        yield "guardrails: in no period had both variants requests: nothing is watched"
        return
    lost = int((served & ~counted).sum())
    if lost:
        yield (
            f"errors: CloudWatch has no {listed(_ERRORS)} of {lost} of {served.sum()} periods with "
            "requests: failures in them are not known"
        )
    if not watched.any():
        yield (
            f"latency: in no period had both variants {REQUESTS} requests and a {_LATENCY}: it is "
            "not watched"
        )
