"""Does the challenger fail more often, or take longer: what CloudWatch says, and what it breaks."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import numpy as np
import pytest
from scipy import stats

from ab_cases import STARTED, design
from faults import denied
from mims.errors import ServiceError
from mims.governance.ab import guardrails
from mims.governance.ab.guardrails import Guardrails, Periods, failing_more, judged, look

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_cloudwatch import CloudWatchClient

    from conftest import LocalAws
    from faults import Faults

NAN = math.nan
ERRORS = (
    "errors: CloudWatch has no Invocation4XXErrors, Invocation5XXErrors of 1 of 3 periods with "
    "requests: failures in them are not known"
)
LATENCY = (
    "latency: in no period had both variants 200 requests and a ModelLatency: it is not watched"
)


@pytest.fixture
def cloudwatch(aws: LocalAws) -> CloudWatchClient:
    """A client of the local CloudWatch."""
    del aws
    return boto3.client("cloudwatch")


def periods(
    requests: Sequence[Any], failed: Sequence[Any], latency: Sequence[Any] | None = None
) -> Periods:
    starts = tuple(STARTED + timedelta(minutes=at) for at in range(len(requests)))
    times = latency or [(10.0, 10.0)] * len(requests)
    return Periods(starts, *(np.array(one, float) for one in (requests, failed, times)))


def test_the_bets_are_fishers_noncentral_hypergeometric_over_the_central() -> None:
    requests, failed = np.array([(90, 12), (80, 9), (100, 8)]), np.array([(1, 2), (0, 0), (2, 1)])
    capitals, total, bad = [1.0] * 5, 0, 0
    best = 1.0
    for (n0, n1), (e0, e1) in zip(requests.tolist(), failed.tolist(), strict=True):
        total, bad = total + n0 + n1, bad + e0 + e1
        rate = (bad + 0.5) / (total + 1)
        for at, bet in enumerate((0.25, 0.5, 1.0, 2.0, 4.0)):
            likely = rate + bet * 0.02
            odds = likely / (1 - likely) / (rate / (1 - rate))
            bold = stats.nchypergeom_fisher.pmf(e1, n0 + n1, e0 + e1, n1, odds)
            capitals[at] *= bold / stats.hypergeom.pmf(e1, n0 + n1, e0 + e1, n1)
        best = max(best, sum(capitals) / 5)
    assert failing_more(requests, failed, 0.02) == pytest.approx(1 / best)


@pytest.mark.parametrize(
    ("requests", "failed", "said"),
    [
        # as bad as one another, in a bad hour as well
        ([(90, 10)] * 30, [(9, 1)] * 15 + [(45, 5)] * 15, ""),
        # every tenth request more
        ([(90, 10)] * 40, [(1, 1)] * 40, "errors: 40 of 400 requests to the challenger failed"),
        # all of them
        ([(90, 10)] * 2, [(0, 10)] * 2, "errors: 20 of 20 requests to the challenger failed"),
        # certain, but less than is allowed
        ([(90_000, 10_000)] * 40, [(90, 60)] * 40, ""),
        # the champion fails
        ([(90, 10)] * 40, [(30, 0)] * 40, ""),
        # too few to tell
        ([(9, 1)], [(0, 1)], ""),
        # only the champion was there, before
        ([(90, 0)] * 40 + [(90, 10)] * 5, [(0, 0)] * 40 + [(45, 5)] * 5, ""),
        # everything fails, of both
        ([(90, 10)] * 5, [(90, 10)] * 5, ""),
        # more failures than requests: they were counted a period late
        ([(90, 10)] * 5, [(95, 12)] * 5, ""),
    ],
)
def test_errors(requests: Sequence[Any], failed: Sequence[Any], said: str) -> None:
    found = judged(design(error_rise=0.02), periods(requests, failed))

    assert [breach[: len(said)] for breach in found.breaches] == ([said] if said else [])
    assert not [note for note in found.notes if not note.startswith("latency")]


def test_a_breach_that_is_all_but_certain_has_a_bound_and_no_p_of_zero() -> None:
    found = judged(design(), periods([(9000, 1000)] * 40, [(1, 900)] * 40))

    assert 0 < found.p <= 1e-300
    assert found.breaches[0].endswith("is allowed (p < 1e-299)")


def test_a_breach_tells_how_far() -> None:
    found = judged(design(), periods([(90, 10)] * 40, [(1, 1)] * 40))

    assert found.requests == (3600, 400)
    assert found.failed == (40, 40)
    assert found.rise == pytest.approx(40 / 400 - 40 / 3600)
    (breach,) = found.breaches
    assert "40 of 3600 to the champion: +8.89%, where 1.00% is allowed (p = " in breach


@pytest.mark.parametrize(
    ("requests", "latency", "slow"),
    [
        ([(900, 300)] * 5, [(10, 16)] * 5, 5),
        ([(900, 300)] * 5, [(10, 14)] * 5, 0),  # within the ratio
        ([(900, 300)] * 5, [(10, 16), (10, 16), (10, 10), (10, 16), (10, 16)], 2),
        ([(900, 300)] * 5, [(0, 0)] * 5, 0),
        # of so few requests a percentile says nothing, neither way
        ([(900, 199)] * 5, [(10, 99)] * 5, 0),
        ([(900, 300), (90, 5), (900, 300), (900, 300)], [(10, 16), (10, 1), (10, 16), (10, 16)], 3),
        ([(900, 300)] * 4, [(10, 16), (10, NAN), (10, 16), (10, 16)], 3),
    ],
)
def test_latency(requests: Sequence[Any], latency: Sequence[Any], slow: int) -> None:
    found = judged(design(), periods(requests, [(0, 0)] * len(requests), latency))

    assert found.slow == slow
    assert len(found.breaches) == (slow >= 3)
    if found.breaches:
        assert found.breaches[0].startswith(f"latency: in {slow} periods running the challenger's")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (periods([], []), ["guardrails: no period has passed yet since the start"]),
        (
            periods([(9, NAN)] * 2, [(0, NAN)] * 2),
            ["guardrails: no Invocations of penguins-2 in CloudWatch: nothing is watched"],
        ),
        (
            periods([(9, NAN), (NAN, 9)], [(0, NAN), (NAN, 0)]),
            ["guardrails: in no period had both variants requests: nothing is watched"],
        ),
        (
            periods([(900, 900)] * 3, [(0, 0), (0, NAN), (0, 0)]),
            [ERRORS],
        ),
        (
            periods([(90, 90)], [(0, 0)], [(NAN, NAN)]),
            [LATENCY],
        ),
    ],
)
def test_what_is_missing_is_told_and_not_taken_for_good(given: Periods, said: list[str]) -> None:
    found = judged(
        design(),
        given._replace(
            requests=given.requests.reshape(-1, 2),
            failed=given.failed.reshape(-1, 2),
            latency=given.latency.reshape(-1, 2),
        ),
    )

    assert found.breaches == ()
    assert [*found.notes] == said


def put(
    client: CloudWatchClient,
    variant: str,
    at: datetime,
    *,
    requests: int,
    failed: int,
    milliseconds: Sequence[float],
) -> None:
    """Metrics as SageMaker reports them: 1 or 0 of each request."""
    values: dict[str, Sequence[float]] = {
        "Invocations": [1.0] * requests,
        "Invocation4XXErrors": [0.0] * requests,
        "Invocation5XXErrors": [1.0] * failed + [0.0] * (requests - failed),
        "ModelLatency": [one * 1000 for one in milliseconds],
    }
    where = {"EndpointName": "penguins", "VariantName": variant}
    client.put_metric_data(
        Namespace="AWS/SageMaker",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": key, "Value": value} for key, value in where.items()],
                "Timestamp": at,
                "Value": value,
            }
            for name, some in values.items()
            for value in some
        ],
    )


def traffic(client: CloudWatchClient, start: datetime, minutes: int, **challenger: Any) -> None:
    quick = [10.0] * 19 + [50.0]
    usual: dict[str, Any] = {"requests": 300, "failed": 0, "milliseconds": quick}
    for minute in range(minutes):
        at = start + timedelta(minutes=minute, seconds=30)
        put(client, "penguins-1", at, requests=600, failed=0, milliseconds=quick)
        put(client, "penguins-2", at, **(usual | challenger))


def looked(client: CloudWatchClient, start: datetime, minutes: float, **options: Any) -> Guardrails:
    now = start + timedelta(minutes=minutes)
    return look(client, design(started=start), now=now, **options)


def test_cloudwatch_is_asked_for_each_variant(cloudwatch: CloudWatchClient) -> None:
    traffic(cloudwatch, STARTED - timedelta(minutes=2), 2, failed=30)  # none of its business
    traffic(cloudwatch, STARTED, 3)

    found = looked(cloudwatch, STARTED, 3.9)

    assert found.requests == (1800, 900)
    assert found.failed == (0, 0)
    assert found.latency == pytest.approx((10.0, 10.0), rel=5)
    assert (found.breaches, found.notes) == ((), ())


def test_a_challenger_that_fails_is_found_in_cloudwatch(cloudwatch: CloudWatchClient) -> None:
    traffic(cloudwatch, STARTED, 3, failed=100)

    found = looked(cloudwatch, STARTED, 3)

    assert found.failed == (0, 300)
    assert len(found.breaches) == 1


def test_a_challenger_that_is_slow_is_found_in_cloudwatch(cloudwatch: CloudWatchClient) -> None:
    traffic(cloudwatch, STARTED, 3, milliseconds=[10.0] * 15 + [400.0] * 5)

    assert looked(cloudwatch, STARTED, 2.9).breaches == ()  # the third is not over
    found = looked(cloudwatch, STARTED, 3)
    (breach,) = found.breaches
    assert breach.startswith("latency: in 3 periods running the challenger's 95th percentile was")
    assert breach.endswith("more than 1.5 times the champion's")


def test_where_few_requests_come_latency_is_watched_by_longer_periods(
    cloudwatch: CloudWatchClient,
) -> None:
    """50 a minute: of so few a percentile is chance; five minutes have 250."""
    slow = [10.0] * 15 + [400.0] * 5
    traffic(cloudwatch, STARTED, 15, requests=50, milliseconds=slow)

    assert looked(cloudwatch, STARTED, 14.9).breaches == ()
    (breach,) = looked(cloudwatch, STARTED, 15).breaches
    assert breach.startswith("latency: in 3 periods running")
    assert looked(cloudwatch, STARTED, 15, period=60).breaches == ()


@pytest.mark.parametrize("requests", [(200, 200), (1800, 200)])
def test_equal_variants_are_not_taken_for_slow_ones(requests: tuple[int, int]) -> None:
    """Thirty days of times with a long tail: one in a hundred takes six times the median."""
    random, minutes = np.random.default_rng(5), 30 * 1440
    times = [
        # the smallest of the largest 5 %: an order statistic of that many uniform ones
        np.exp(
            0.8 * stats.norm.ppf(random.beta(np.ceil(0.95 * n), n - np.ceil(0.95 * n) + 1, minutes))
        )
        for n in requests
    ]
    given = Periods(
        (STARTED,) * minutes,
        np.tile(np.array(requests, float), (minutes, 1)),
        np.zeros((minutes, 2)),
        np.column_stack(times),
    )

    assert judged(design(), given).breaches == ()


@pytest.mark.parametrize(
    ("days", "seconds"), [(0.1, 60), (14.9, 60), (15, 300), (62, 300), (63, 3600), (400, 3600)]
)
def test_periods_are_as_short_as_cloudwatch_keeps_them(days: float, seconds: int) -> None:
    assert guardrails._period(timedelta(days=days)) == seconds  # noqa: SLF001


def test_no_time_has_passed(cloudwatch: CloudWatchClient, asked: list[str]) -> None:
    assert looked(cloudwatch, STARTED, 0.5).notes[0].startswith("guardrails: no period")
    assert asked == []


def test_a_service_that_refuses_is_said(proxy: Faults) -> None:
    proxy.on("GetMetricData", denied("cloudwatch:GetMetricData"))
    with pytest.raises(ServiceError, match="GetMetricData in us-west-2 for endpoint penguins"):
        looked(boto3.client("cloudwatch"), STARTED, 5)
