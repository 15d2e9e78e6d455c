"""What others do to an A/B's endpoint, versions and instances: one wins, the other is told.

Every act is a machine of its own, in the local AWS.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ab_groups import (
    ENDPOINT,
    GATES,
    QUICK,
    ROLE,
    Group,
    a_group,
    config,
    delete,
    served,
    stands,
    weights,
    wish,
)
from faults import lost_answer, reset
from governance_versions import REGION, register_version
from mims.errors import EXIT_DONE, EXIT_INPUT, InputError, ServiceError
from mims.governance import deploy, endpoints, stages
from mims.governance.ab import experiment, watching
from mims.governance.ab.endpoint import look
from mims.governance.command import main
from mims.governance.decisions import History
from mims.governance.deploy import Variant
from mims.governance.registry import Registry
from traffic import settled, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import LocalAws
    from faults import Faults
    from mims.governance.ab.experiment import Ended, Started

    Said = Callable[..., str]

# test_ab_command.py goes the straight ways.
pytestmark = [pytest.mark.usefixtures("bucket"), pytest.mark.slow]

STAGING, TRIED = ("Staging", "PendingManualApproval"), ("Staging", "Approved")
ROLL_BACK = ("stop", ENDPOINT, "--roll-back", "--reason", "gone", "--poll", "0.05")
WATCH = ("watch", ENDPOINT, "--reason", "schedule", "--poll", "0.05", "--every", "0.05")


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    monkeypatch.chdir(tmp_path)
    made = a_group(tmp_path)
    (tmp_path / "gates.yaml").write_text(GATES.format(group=made.champion.group, auc=0.9))
    return made


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Give what a command says, on stdout or else on stderr, and check its exit code."""

    def run(*arguments: str, code: int = EXIT_DONE) -> str:
        capsys.readouterr()
        ended = main(["ab", *arguments])
        out, err = capsys.readouterr()
        assert ended == code, (out, err)
        return str(out or err)

    return run


def start(group: Group, **changes: Any) -> Started:
    return experiment.start(
        *(Registry(REGION), ENDPOINT, group.challenger.arn, group.gates, wish(**changes)),
        reason="cheaper",
        patience=QUICK,
    )


def stop(group: Group, *, promote: bool = False) -> Ended:
    by = group.gates if promote else None
    return experiment.stop(Registry(REGION), ENDPOINT, promote=by, reason="decided", patience=QUICK)


def newest(group: Group) -> tuple[str, str, str]:
    """What was decided last: action, phase, reason."""
    last = History.read(Registry(REGION).trail(group.champion)).decisions[-1]
    return last.action, last.phase, last.reason


def delete_endpoint() -> None:
    sagemaker = boto3.client("sagemaker")
    sagemaker.delete_endpoint(EndpointName=ENDPOINT)
    endpoints.settled(sagemaker, ENDPOINT, QUICK)


def scale(count: int) -> None:
    """Give the champion so many instances, as an operator or Application Auto Scaling does."""
    sagemaker = boto3.client("sagemaker")
    name = config()["ProductionVariants"][0]["VariantName"]
    wanted: Any = {"VariantName": name, "DesiredInstanceCount": count}
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName=ENDPOINT, DesiredWeightsAndCapacities=[wanted]
    )
    settled(sagemaker, ENDPOINT)


def counts() -> list[int]:
    """Instances of each variant, as they are by now."""
    found = boto3.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)
    return [one["CurrentInstanceCount"] for one in found["ProductionVariants"]]


def give(version: Any, **how: Any) -> None:
    """Give the endpoint a configuration, as somebody does who knows of no A/B."""
    client = Registry(REGION).sagemaker
    variants = [Variant(version, "ml.m5.large")]
    deploy.deploy(client, ENDPOINT, variants, role=ROLE, patience=QUICK, **how)


# The endpoint


def test_an_endpoint_that_was_deleted_is_told_of_and_its_ab_can_be_ended(
    group: Group, said: Said
) -> None:
    start(group)
    delete_endpoint()
    names = f"{group.challenger.name} against {group.champion.name}"
    found = f"endpoint fraud was deleted during its A/B of {names}, which began at"

    for command in (("status", ENDPOINT), (*WATCH, "--once")):
        told = said(*command, code=EXIT_INPUT)
        assert told.startswith(f"error: {found}")
        assert "end it, mims-registry ab stop fraud --roll-back" in told
    promoting = ("stop", ENDPOINT, "--promote", "--gates", "gates.yaml", "--reason", "better")
    assert found in said(*promoting, code=EXIT_INPUT)
    with pytest.raises(InputError, match="nothing that could be given to the challenger"):
        stop(group, promote=True)
    assert said(*ROLL_BACK, "--dry-run").startswith(f"would be: ended: {found}")
    assert stands(group.challenger) == TRIED

    report = json.loads(said(*ROLL_BACK, "--json"))

    assert (report["done"], report["dry_run"]) == ("ended", False)
    assert report["said"].startswith(found)
    assert report["moves"] == [
        {"version": group.challenger.name, "from": "Approved", "to": "PendingManualApproval"}
    ]
    assert stands(group.challenger) == STAGING
    action, phase, reason = newest(group)
    assert (action, phase) == ("withdraw", "done")
    assert reason.startswith(found)
    assert reason.endswith("; gone")
    assert said(*ROLL_BACK, code=EXIT_INPUT) == "error: us-west-2 has no endpoint fraud\n"
    assert said("status", ENDPOINT, code=EXIT_INPUT).endswith("has no endpoint fraud\n")


def test_after_an_endpoint_was_deleted_there_may_be_another_ab(group: Group) -> None:
    start(group)
    delete_endpoint()
    assert stop(group).done == "ended"

    give(group.champion)

    assert start(group).done == "started"
    assert stop(group).done == "rolled back"


def test_a_watch_says_that_the_endpoint_was_deleted(group: Group) -> None:
    start(group)
    looks = watching.watch(
        *(Registry(REGION), ENDPOINT), reason="", sleep=lambda _: delete_endpoint()
    )
    assert next(looks)[1] is None

    with pytest.raises(InputError, match="endpoint fraud was deleted during its A/B"):
        next(looks)


def test_an_endpoint_that_was_deleted_with_the_challenger(group: Group, tmp_path: Path) -> None:
    """No version stands for the admission any more, which must not bar the next A/B."""
    start(group)
    delete_endpoint()
    delete(group.challenger)

    ended = stop(group)

    assert (ended.done, newest(group)[:2]) == ("ended", ("withdraw", "done"))
    give(group.champion)
    assert start(_another(group, tmp_path)).done == "started"


def test_after_a_challenger_was_deleted_there_may_be_another_ab(
    group: Group, tmp_path: Path
) -> None:
    start(group)
    delete(group.challenger)
    assert stop(group).done == "rolled back"

    assert newest(group) == ("withdraw", "done", "decided")
    assert start(_another(group, tmp_path)).done == "started"


def test_a_champion_that_was_deleted_is_rolled_back_to(group: Group, said: Said) -> None:
    """Its model stays behind the endpoint."""
    start(group)
    delete(group.champion)
    assert "was deleted: roll the A/B back" in said("status", ENDPOINT, code=EXIT_INPUT)

    assert stop(group).done == "rolled back"

    assert served() == group.config
    assert stands(group.challenger) == STAGING


def _another(group: Group, root: Path) -> Group:
    third, registry = register_version(root / "3"), Registry(REGION)
    life: Any = {"Stage": "Staging", "StageStatus": "InProgress"}
    registry.update(third, ModelLifeCycle=life)
    return group._replace(challenger=registry.version(third.arn))


def test_an_endpoint_that_somebody_gave_something_else_is_left_so(group: Group, said: Said) -> None:
    start(group)
    give(group.champion)
    theirs = served()
    found = f"somebody gave endpoint fraud configuration {theirs} during its A/B of"

    assert found in said("status", ENDPOINT, code=EXIT_INPUT)
    assert found in said(*WATCH, code=EXIT_INPUT)
    assert said(*ROLL_BACK).startswith(f"ended: {found}")

    assert served() == theirs
    assert stands(group.challenger) == STAGING
    assert said("status", ENDPOINT, code=EXIT_INPUT) == (
        "error: no A/B runs behind endpoint fraud\n"
    )


def test_who_rolls_back_leaves_what_somebody_else_has_just_given_it(
    proxy: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the update."""
    group = a_group(tmp_path)
    start(group)
    withdraw = stages.withdraw

    def meanwhile(*given: Any, **how: Any) -> Any:
        give(group.champion)
        return withdraw(*given, **how)

    monkeypatch.setattr(stages, "withdraw", meanwhile)

    told = stop(group).said

    assert told == f"endpoint fraud has configuration {served()}, which somebody else gave it"
    assert served() != group.config
    assert proxy.count("DeleteEndpoint") == 0


def test_who_deploys_hears_of_an_ab_that_began_meanwhile(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at the endpoint and its update."""
    create = deploy._create  # noqa: SLF001

    def meanwhile(client: Any, operation: str, request: Any) -> None:
        create(client, operation, request)
        if operation == "CreateEndpointConfig":
            monkeypatch.setattr(deploy, "_create", create)
            start(group)

    monkeypatch.setattr(deploy, "_create", meanwhile)

    with pytest.raises(InputError, match=rf"not {group.config}: somebody else was quicker"):
        give(group.champion, instead_of=group.config)

    assert set(weights()) == {"1", "2"}


# The versions


def test_a_challenger_that_was_promoted_by_hand_gets_the_endpoint(group: Group, said: Said) -> None:
    start(group)
    stages.promote(Registry(REGION), group.challenger.arn, group.gates, reason="by hand")

    report = json.loads(said("status", ENDPOINT, "--json"))
    assert report["ended"] is True
    assert report["reasons"][0] == f"{group.challenger.name} is in Production already"
    assert report["advice"].endswith("mims-registry ab stop fraud --promote")
    told = said(*ROLL_BACK, code=EXIT_INPUT)
    assert f"{group.challenger.name} is in Production already" in told
    assert json.loads(said(*WATCH, "--json"))["end"] is None  # it may not
    assert set(weights()) == {"1", "2"}

    report = json.loads(said(*WATCH, "--json", "--promote", "--gates", "gates.yaml"))

    assert report["end"]["done"] == "promoted"
    assert weights() == {"2": 1.0}
    assert stands(group.champion)[0] == "Archived"


# What is decided of the versions while it runs, and what the audit trail and the watch say.
DECISIONS: dict[str, tuple[Callable[[Group], object], str]] = {
    "rejected": (
        lambda group: stages.reject(Registry(REGION), group.challenger.arn, reason="biased"),
        "{challenger} is Rejected, in Staging, by now, and can't be promoted: roll back",
    ),
    "archived": (
        lambda group: stages.archive(Registry(REGION), group.challenger.arn, reason="old"),
        "{challenger} is Approved, in Archived, by now, and can't be promoted: roll back",
    ),
}


@pytest.mark.parametrize(("decide", "told"), DECISIONS.values(), ids=DECISIONS)
def test_a_watch_rolls_back_what_can_not_be_promoted_any_more(
    group: Group, said: Said, decide: Callable[[Group], object], told: str
) -> None:
    start(group)
    decide(group)
    told = told.format(challenger=group.challenger.name)
    before = stands(group.challenger)

    dry = json.loads(said(*WATCH, "--json", "--dry-run"))
    assert (dry["ended"], dry["reasons"][0], dry["end"]["done"]) == (True, told, "rolled back")
    assert set(weights()) == {"1", "2"}
    assert told in said(*WATCH)

    assert served() == group.config
    assert stands(group.challenger) == before


def test_a_watch_rolls_back_where_another_went_to_production(
    group: Group, said: Said, tmp_path: Path
) -> None:
    start(group)
    third, registry = register_version(tmp_path / "3"), Registry(REGION)
    for _ in range(2):
        stages.promote(registry, third.arn, group.gates)

    assert f"{group.champion.name} is in Archived by now: roll back" in said(*WATCH)

    assert served() == group.config
    assert stands(group.challenger) == STAGING
    action, _, reason = newest(group)
    assert action == "withdraw"
    assert reason.startswith(f"A/B, running: {group.champion.name} is in Archived by now")


def test_who_promotes_by_hand_while_another_rolls_back(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The promotion comes first by a hair: whoever rolls back must not take its endpoint."""
    start(group)
    both, withdraw = served(), stages.withdraw

    def meanwhile(*given: Any, **how: Any) -> Any:
        stages.promote(Registry(REGION), group.challenger.arn, group.gates, reason="by hand")
        return withdraw(*given, **how)

    monkeypatch.setattr(stages, "withdraw", meanwhile)

    with pytest.raises(InputError, match="is in Production already: end the A/B by promoting"):
        stop(group)

    assert served() == both


# The instances: the configuration says 2


def test_an_endpoint_that_is_rolled_back_keeps_its_instances(group: Group) -> None:
    start(group)
    scale(9)

    assert stop(group).done == "rolled back"

    assert served() == group.config
    assert counts() == [9]


def test_an_endpoint_that_was_scaled_before_the_ab_keeps_its_instances(group: Group) -> None:
    scale(7)
    start(group, instances=1)
    assert counts() == [7, 1]

    stop(group)

    assert (served(), counts()) == (group.config, [7])


def test_a_challenger_that_is_promoted_gets_the_champions_instances(group: Group) -> None:
    start(group, instances=1)
    scale(6)

    stop(group, promote=True)

    assert (weights(), counts()) == ({"2": 1.0}, [6])


@pytest.mark.parametrize("end", ["RolledBack", "Failed"])
def test_a_start_that_fails_leaves_the_instances(aws: LocalAws, group: Group, end: str) -> None:
    scale(7)
    tell(aws, endpoint=ENDPOINT, ends=[end])

    with pytest.raises(ServiceError, match="is no longer admitted to the A/B: run again"):
        start(group)

    assert (served(), counts()) == (group.config, [7])


@pytest.mark.parametrize("fault", [lost_answer, reset])
def test_scaling_back_that_is_cut_off_is_told_or_done(
    aws: LocalAws, proxy: Faults, tmp_path: Path, fault: Callable[[], Any]
) -> None:
    """An answer that is lost changes nothing; what can't be asked at all has to be done by hand."""
    group = a_group(tmp_path)
    scale(7)
    tell(aws, endpoint=ENDPOINT, ends=["Failed"])
    times = 1 if fault is lost_answer else 1000
    proxy.on("UpdateEndpointWeightsAndCapacities", fault(), times=times)

    with pytest.raises(ServiceError) as caught:
        start(group)

    by_hand = 'has to be scaled by hand: [{"VariantName": '
    assert (by_hand in str(caught.value)) == (fault is reset)
    assert counts() == [2 if fault is reset else 7]
    assert served() == group.config


def test_a_design_that_stands_is_read_whatever_was_scaled(group: Group) -> None:
    start(group)
    scale(4)

    assert start(group).done == "unchanged"

    standing = look(Registry(REGION), ENDPOINT)
    assert standing.design
    assert standing.share == pytest.approx(standing.design.share)
