"""A registration in two regions that is killed at any moment: the next run makes it good."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from registration_runs import (
    TWO,
    begun,
    between,
    check_whole,
    enlarge,
    make_buckets,
    run_again,
    runner,
    short_waits,
    write_inputs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import LocalAws
    from faults import Exchange, Fault
    from registration_inputs import Inputs
    from registration_runs import Runner

REQUESTS = 50  # a first run makes a few more; a later one has fewer


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """Inputs whose model goes in parts."""
    return enlarge(write_inputs(tmp_path_factory.mktemp("inputs"), TWO))


@pytest.fixture
def inputs(made: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """The same, and empty buckets for them."""
    del aws
    short_waits(monkeypatch)
    monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", "wf-1")
    make_buckets(TWO)
    return made


@pytest.fixture(scope="module")
def first(local_aws: LocalAws) -> Iterator[Runner]:
    del local_aws
    with runner() as one:
        yield one


def before(kill: Callable[[], None]) -> Fault:
    """Kill when a request is on its way: nobody carries it out."""

    def fault(exchange: Exchange) -> None:
        kill()
        exchange.hang_up()

    return fault


def after(kill: Callable[[], None]) -> Fault:
    """Kill when a request has been carried out, and its answer is on its way."""

    def fault(exchange: Exchange) -> None:
        exchange.carry_out()
        kill()
        exchange.hang_up()

    return fault


def thorough(number: int) -> bool:
    """Whether a kill is for CI alone: every day has a few of them, spread over a run."""
    return number not in (2, 9, 15, 20, 26, 33, 40, 47)


KILLS = [
    pytest.param(
        number,
        (before, after)[number % 2],
        id=f"{number}",
        marks=[pytest.mark.slow] if thorough(number) else [],
    )
    for number in range(1, REQUESTS + 1)
]


@pytest.mark.parametrize(("number", "moment"), KILLS)
def test_a_killed_run_is_made_good_by_the_next(
    *,
    number: int,
    moment: Callable[[Callable[[], None]], Fault],
    inputs: Inputs,
    aws: LocalAws,
    first: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with between(aws, monkeypatch) as proxy:
        kill = moment(lambda: first.signal(signal.SIGKILL))
        proxy.on(None, kill, when=lambda _: len(proxy.requests) == number)
        first.start(inputs)
        assert first.wait() == -signal.SIGKILL
    # All that was on its way has come or is lost.
    run_again(inputs, aws, monkeypatch)
    check_whole(inputs, TWO)


def test_kills_one_after_another(
    inputs: Inputs, aws: LocalAws, first: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run comes as far as the answer that it was killed for."""
    for operation in ("CreateMultipartUpload", "UploadPart", "CreateModelPackage"):
        with between(aws, monkeypatch) as proxy:
            proxy.on(operation, after(lambda: first.signal(signal.SIGKILL)))
            first.start(inputs)
            assert first.wait() == -signal.SIGKILL
        if operation != "CreateModelPackage":  # whose run has come by the sweep
            assert begun(TWO) > 0
    run_again(inputs, aws, monkeypatch)
    check_whole(inputs, TWO)
