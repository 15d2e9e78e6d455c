"""Stages of versions in the local AWS: gates, one in Production, decisions, faults on the way."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from faults import denied, lost_answer, reset
from governance_versions import REGION, register_version
from mims.errors import InputError, ServiceError
from mims.governance import stages
from mims.governance.command import main
from mims.governance.decisions import Decision, History, OvertakenError
from mims.governance.gates.file import GateFile
from mims.governance.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from faults import Faults
    from mims.governance.versions import Version

pytestmark = pytest.mark.usefixtures("bucket")

GATES = """
group: {group}
staging:
  metrics:
    accuracy: {{at_least: {accuracy}}}
production:
  metrics:
    auc: {{baseline: Production, at_most_worse: 0.01}}
  explainability: required
  approval: {{by_others: 1}}
"""


def gates(version: Version, accuracy: float = 0.85) -> GateFile:
    return GateFile.parse(GATES.format(group=version.group, accuracy=accuracy))


def act_as(monkeypatch: pytest.MonkeyPatch, name: str) -> Registry:
    """Give the registry as an operator of this name sees it."""
    role = "arn:aws:iam::123456789012:role/Operators"
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        sts = boto3.session.Session(region_name=REGION).client("sts")
        got = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", got["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", got["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", got["SessionToken"])
    registry = Registry(REGION)
    assert registry.actor.endswith(f"/Operators/{name}")
    return registry


@pytest.fixture
def operator(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Registry]:
    return lambda name: act_as(monkeypatch, name)


@pytest.fixture
def first(tmp_path: Path) -> Version:
    return register_version(tmp_path / "1")


@pytest.fixture
def second(first: Version, tmp_path: Path) -> Version:
    assert first.number == 1
    return register_version(tmp_path / "2")


def to_production(operator: Callable[[str], Registry], version: Version) -> None:
    ann = operator("ann")
    stages.promote(ann, version.name, gates(version))
    stages.approve(operator("ben"), version.name, reason="reviewed")
    stages.promote(operator("ann"), version.name, gates(version))


def stages_of(group: str) -> dict[int, str]:
    return {version.number: version.stage for version in Registry(REGION).versions(group)}


def decisions(version: Version) -> list[Decision]:
    return History.read(Registry(REGION).trail(version)).decisions


def history_of(version: Version) -> tuple[Any, ...]:
    return History.read(Registry(REGION).trail(version)).records


def test_a_version_goes_from_stage_to_stage(
    operator: Callable[[str], Registry], first: Version, second: Version
) -> None:
    to_production(operator, first)
    to_production(operator, second)
    assert stages_of(first.group) == {1: "Archived", 2: "Production"}
    now = Registry(REGION).version(f"{first.group}/Production")
    assert (now.number, now.approval) == (2, "Approved")
    last = decisions(first)[-1]
    assert (last.action, last.phase, last.arn) == ("promote", "done", second.arn)
    assert last.actor.endswith("/Operators/ann")
    assert {verdict["gate"] for verdict in last.verdicts} == {
        *("metrics.auc", "explainability", "approval"),
    }


def test_a_refusal_tells_each_gate_and_is_recorded(
    operator: Callable[[str], Registry], first: Version
) -> None:
    outcome = stages.promote(operator("ann"), first.name, gates(first, accuracy=0.95))
    assert outcome.decision.phase == "refused"
    (verdict,) = outcome.verdicts
    assert (verdict.gate, verdict.passed, verdict.found) == ("metrics.accuracy", False, "0.91")
    assert stages_of(first.group) == {1: "Development"}
    assert decisions(first)[-1].phase == "refused"


def test_nobody_approves_alone(operator: Callable[[str], Registry], tmp_path: Path) -> None:
    ann = operator("ann")
    mine = register_version(tmp_path / "1")
    assert mine.created_by == ann.actor
    stages.promote(ann, mine.name, gates(mine))
    stages.approve(ann, mine.name, reason="I like it")
    outcome = stages.promote(ann, mine.name, gates(mine))
    assert [verdict.gate for verdict in outcome.verdicts if not verdict.passed] == ["approval"]


def test_roll_back_puts_the_former_version_back(
    operator: Callable[[str], Registry], first: Version, second: Version
) -> None:
    to_production(operator, first)
    to_production(operator, second)
    outcome = stages.rollback(operator("ben"), first.group, reason="complaints")
    assert outcome.decision.arn == first.arn
    assert stages_of(first.group) == {1: "Production", 2: "Archived"}


def test_a_rejected_version_has_to_be_approved_again(
    operator: Callable[[str], Registry], first: Version
) -> None:
    ann = operator("ann")
    stages.reject(ann, first.name, reason="trained on the wrong month")
    assert Registry(REGION).version(first.name).approval == "Rejected"
    with pytest.raises(InputError, match="was rejected: it has to be approved first"):
        stages.promote(ann, first.name, gates(first))
    stages.approve(operator("ben"), first.name, reason="it was the right one")
    assert Registry(REGION).version(first.name).approval == "PendingManualApproval"
    assert stages.promote(ann, first.name, gates(first)).decision.phase == "begun"
    assert stages_of(first.group) == {1: "Staging"}


@pytest.mark.parametrize(
    ("act", "message"),
    [
        # a stage is not skipped
        (lambda r, v: stages.promote(r, v.name, gates(v), to="Production"), "it can go to Staging"),
        # nothing is retired while nothing else serves
        (lambda r, v: stages.archive(r, v.name, reason=""), "no other version of the group is in"),
        # nothing to go back from
        (lambda r, v: stages.rollback(r, v.group, reason=""), "has no version in Production"),
        # gates of another group
        (
            lambda r, v: stages.promote(r, v.name, GateFile.parse("group: other\nstaging: {}")),
            "the gate file is of group other",
        ),
        # a stage that the gate file forgets is closed
        (
            lambda r, v: stages.promote(r, v.name, GateFile.parse(f"group: {v.group}")),
            "declares no gates for Staging",
        ),
    ],
)
def test_no_way(
    operator: Callable[[str], Registry],
    first: Version,
    act: Callable[[Registry, Version], Any],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        act(operator("ann"), first)
    assert stages_of(first.group) == {1: "Development"}
    assert decisions(first) == []


def test_archive_needs_another_in_production(
    operator: Callable[[str], Registry], first: Version, second: Version
) -> None:
    to_production(operator, first)
    stages.archive(operator("ann"), second.name, reason="superseded")
    assert stages_of(first.group) == {1: "Production", 2: "Archived"}
    with pytest.raises(InputError, match="archived already"):
        stages.archive(operator("ann"), second.name, reason="again")


def test_a_dry_run_changes_nothing(operator: Callable[[str], Registry], first: Version) -> None:
    outcome = stages.promote(operator("ann"), first.name, gates(first), dry_run=True)
    assert outcome.dry_run
    assert [verdict.passed for verdict in outcome.verdicts] == [True]
    assert stages_of(first.group) == {1: "Development"}
    assert decisions(first) == []


def test_of_two_operators_one_wins(
    operator: Callable[[str], Registry], first: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have judged before either decides."""
    ben = operator("ben")
    ann = operator("ann")
    seen = History.read(ben.trail(first))
    stages.approve(ann, first.name, reason="good")
    assert ben.actor.endswith("/ben")
    monkeypatch.setattr(History, "read", _once(seen))
    with pytest.raises(OvertakenError, match=r"Operators/ann was quicker: approve of version 1"):
        stages.reject(ben, first.name, reason="bad")
    assert Registry(REGION).version(first.name).approval == "PendingManualApproval"


def _once(seen: History) -> Callable[[Any], History]:
    """What an operator has seen a while ago; then what is there."""
    read, left = History.read, [seen]
    return lambda trail: left.pop() if left else read(trail)


def test_side_by_side_one_promotion_is_made(
    operator: Callable[[str], Registry], first: Version
) -> None:
    ann = operator("ann")

    def work(_: int) -> str:
        try:
            return stages.promote(ann, first.name, gates(first)).decision.phase
        except (OvertakenError, InputError):
            return "told"

    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(work, range(4)))
    assert stages_of(first.group)[1] == "Staging"
    assert sorted(ended).count("begun") == 1


def from_the_second_update_on(proxy: Faults) -> Callable[[Any], bool]:
    before = proxy.count("UpdateModelPackage")
    return lambda _: proxy.count("UpdateModelPackage") > before + 1


@contextmanager
def cut_off(proxy: Faults) -> Iterator[None]:
    """Let a move's first update through and nothing after it; the move has to end by that."""
    rule = proxy.on("UpdateModelPackage", reset(), when=from_the_second_update_on(proxy))
    with pytest.raises(ServiceError, match="UpdateModelPackage"):
        yield
    rule.times = rule.used


def almost_in_production(operator: Callable[[str], Registry], version: Version) -> None:
    stages.promote(operator("ann"), version.name, gates(version))
    stages.approve(operator("ben"), version.name, reason="reviewed")


def test_a_move_that_was_cut_off_is_completed_by_the_next_run(
    proxy: Faults,
    operator: Callable[[str], Registry],
    first: Version,
    second: Version,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old version's update never arrives: two in Production, until somebody comes."""
    to_production(operator, first)
    almost_in_production(operator, second)
    with cut_off(proxy):
        stages.promote(operator("ann"), second.name, gates(second))
    assert stages_of(first.group) == {1: "Production", 2: "Production"}
    with pytest.raises(InputError, match="run without --dry-run to complete it"):
        stages.rollback(operator("ben"), first.group, reason="", dry_run=True)
    with pytest.raises(OvertakenError, match=r"ann began to promote .*/2 at .* may be under way"):
        stages.approve(operator("ben"), second.name, reason="still good")
    monkeypatch.setattr(stages, "LEASE", timedelta(0))  # five minutes later
    outcome = stages.approve(operator("ben"), second.name, reason="still good")
    assert [settled.arn for settled in outcome.settled] == [second.arn]
    assert stages_of(first.group) == {1: "Archived", 2: "Production"}


@pytest.mark.slow
def test_a_move_that_is_refused_half_way_is_taken_back(
    proxy: Faults, operator: Callable[[str], Registry], first: Version, second: Version
) -> None:
    to_production(operator, first)
    almost_in_production(operator, second)
    second_one = from_the_second_update_on(proxy)
    fault = denied("sagemaker:UpdateModelPackage")
    proxy.on("UpdateModelPackage", fault, times=1, when=second_one)
    with pytest.raises(ServiceError, match="AccessDenied"):
        stages.promote(operator("ann"), second.name, gates(second))
    assert stages_of(first.group) == {1: "Production", 2: "Staging"}
    assert Registry(REGION).version(second.name).approval == "PendingManualApproval"
    assert [d.phase for d in decisions(first)][-2:] == ["begun", "undone"]


def test_an_answer_that_is_lost_changes_nothing_twice(
    proxy: Faults, operator: Callable[[str], Registry], first: Version
) -> None:
    proxy.on("UpdateModelPackage", lost_answer(), times=1)
    proxy.on("PutObject", lost_answer(), times=1)
    stages.promote(operator("ann"), first.name, gates(first))
    assert stages_of(first.group) == {1: "Staging"}
    assert [d.phase for d in decisions(first)] == ["begun", "done"]


def test_a_rerun_completes_a_promotion_and_goes_no_further(
    proxy: Faults, operator: Callable[[str], Registry], first: Version
) -> None:
    """The next stage asks for nothing: whoever runs again wants the stage that was cut off."""
    open_gates = GateFile.parse(f"group: {first.group}\nstaging: {{}}\nproduction: {{}}")
    rule = proxy.on("UpdateModelPackage", reset())
    with pytest.raises(ServiceError, match="UpdateModelPackage"):
        stages.promote(operator("ann"), first.name, open_gates)
    rule.times = rule.used
    outcome = stages.promote(operator("ann"), first.name, open_gates)
    assert [step.stage_to for step in outcome.decision.steps] == ["Staging"]
    assert stages_of(first.group) == {1: "Staging"}
    assert [d.phase for d in decisions(first)] == ["begun", "done"]
    assert stages.promote(operator("ann"), first.name, open_gates).decision.phase == "begun"
    assert stages_of(first.group) == {1: "Production"}


@pytest.mark.slow
def test_a_rerun_completes_a_rollback_and_does_not_roll_it_back(
    proxy: Faults, operator: Callable[[str], Registry], first: Version, second: Version
) -> None:
    to_production(operator, first)
    to_production(operator, second)
    with cut_off(proxy):
        stages.rollback(operator("ben"), first.group, reason="complaints")
    stages.rollback(operator("ben"), first.group, reason="complaints")
    assert stages_of(first.group) == {1: "Production", 2: "Archived"}


@pytest.mark.slow
def test_who_may_not_complete_a_move_leaves_it_to_others(
    proxy: Faults,
    operator: Callable[[str], Registry],
    first: Version,
    second: Version,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of it is made: it is not undone by saying so."""
    monkeypatch.setattr(stages, "LEASE", timedelta(0))
    to_production(operator, first)
    almost_in_production(operator, second)
    with cut_off(proxy):
        stages.promote(operator("ann"), second.name, gates(second))
    refused = proxy.on("UpdateModelPackage", denied("sagemaker:UpdateModelPackage"))
    with pytest.raises(ServiceError, match="AccessDenied"):
        stages.approve(operator("eve"), second.name, reason="good")
    refused.times = refused.used
    assert decisions(first)[-1].phase == "begun"
    stages.approve(operator("ben"), second.name, reason="good")
    assert stages_of(first.group) == {1: "Archived", 2: "Production"}


@pytest.mark.slow
def test_a_version_that_is_deleted_in_the_middle_of_a_move(
    proxy: Faults, operator: Callable[[str], Registry], first: Version, second: Version
) -> None:
    to_production(operator, first)
    almost_in_production(operator, second)
    with cut_off(proxy):
        stages.promote(operator("ann"), second.name, gates(second))
    Registry(REGION).sagemaker.delete_model_package(ModelPackageName=first.arn)
    with pytest.raises(ServiceError, match=r"/1 was deleted meanwhile; .* taken back"):
        stages.promote(operator("ann"), second.name, gates(second))
    assert stages_of(first.group) == {2: "Staging"}
    stages.promote(operator("ann"), second.name, gates(second))
    assert stages_of(first.group) == {2: "Production"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "wins",
    [
        # ben comes before the stages are read: they are judged as they are then
        "ann",
        # after that: what was judged is no longer so
        "ben",
    ],
)
def test_what_another_does_while_one_looks_is_seen(
    operator: Callable[[str], Registry],
    first: Version,
    second: Version,
    wins: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ben's whole promotion falls between two of Ann's looks at the group."""
    almost_in_production(operator, first)
    almost_in_production(operator, second)
    ben, ann = operator("ben"), operator("ann")
    assert ben.actor != ann.actor
    versions, left = ann.versions, ["trail", "stages"][: 1 if wins == "ann" else 2]

    def look(group: str) -> list[Version]:
        found = [*versions(group)]
        if left and not left[1:]:
            stages.promote(ben, first.name, gates(first))
        del left[:1]
        return found

    monkeypatch.setattr(ann, "versions", look)
    told = pytest.raises(OvertakenError, match="Operators/ben was quicker")
    with told if wins == "ben" else nullcontext():
        stages.promote(ann, second.name, gates(second))
    ended = {"ann": {1: "Archived", 2: "Production"}, "ben": {1: "Production", 2: "Staging"}}
    assert stages_of(first.group) == ended[wins]


@pytest.mark.slow
def test_a_rejected_version_is_not_rolled_back_to(
    operator: Callable[[str], Registry], first: Version, second: Version
) -> None:
    to_production(operator, first)
    to_production(operator, second)
    stages.reject(operator("ben"), first.name, reason="it leaks")
    with pytest.raises(InputError, match=r"/1, which .*/2 replaced, is Rejected: promote another"):
        stages.rollback(operator("ann"), first.group, reason="complaints")
    assert stages_of(first.group) == {1: "Archived", 2: "Production"}


def test_a_stage_of_somebody_else_s(operator: Callable[[str], Registry], first: Version) -> None:
    """SageMaker takes any text as a stage: such a version can be rejected."""
    life = {"Stage": "QA", "StageStatus": "InProgress"}
    Registry(REGION).update(first, ModelLifeCycle=life)
    stages.reject(operator("ann"), first.name, reason="of no use")
    assert stages_of(first.group) == {1: "QA"}
    assert [d.phase for d in decisions(first)] == ["begun", "done"]


@pytest.mark.slow
def test_a_group_in_two_buckets_has_one_trail_of_decisions(
    operator: Callable[[str], Registry],
    first: Version,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Approvals, and what was replaced, are known though a newer version lies elsewhere."""
    almost_in_production(operator, first)
    where: Any = {"LocationConstraint": REGION}
    Registry(REGION).s3.create_bucket(Bucket="mims-new", CreateBucketConfiguration=where)
    second = register_version(tmp_path / "2", bucket="mims-new")
    assert (first.bucket, second.bucket) == ("mims-models", "mims-new")
    stages.promote(operator("ann"), first.name, gates(first))
    whole = f"group: {second.group}\nstaging: {{integrity: required}}\nproduction: {{}}"
    for _ in range(2):
        stages.promote(operator("ann"), second.name, GateFile.parse(whole))
    stages.rollback(operator("ben"), first.group, reason="complaints")
    assert stages_of(first.group) == {1: "Production", 2: "Archived"}
    assert decisions(second) == []
    capsys.readouterr()
    assert main(["audit", "verify", first.group, "--json", "--region", REGION]) == 0
    rows = map(json.loads, capsys.readouterr().out.splitlines())
    records = {row["bucket"]: row["records"] for row in rows}
    assert records == {"mims-models": len(history_of(first)), "mims-new": 1}


OPEN = "group: {group}\nstaging: {{}}\nproduction: {{}}"


def in_staging(operator: Callable[[str], Registry], version: Version) -> GateFile:
    by = GateFile.parse(OPEN.format(group=version.group))
    stages.promote(operator("ann"), version.name, by)
    return by


def stands(version: Version) -> tuple[str, str]:
    now = Registry(REGION).version(version.arn)
    return now.stage, now.approval


def test_a_version_is_admitted_to_an_ab_and_withdrawn(
    operator: Callable[[str], Registry], first: Version
) -> None:
    by = in_staging(operator, first)

    stages.admit(operator("ann"), first.name, by, reason="cheaper")

    assert stands(first) == ("Staging", "Approved")
    outcome = stages.withdraw(operator("ben"), first.group, reason="worse")
    assert outcome
    assert (outcome.decision.action, outcome.decision.reason) == ("withdraw", "worse")
    assert stands(first) == ("Staging", "PendingManualApproval")
    assert stages.withdraw(operator("ben"), first.group, reason="worse") is None


def test_who_may_not_be_admitted(
    operator: Callable[[str], Registry], first: Version, second: Version
) -> None:
    by = GateFile.parse(OPEN.format(group=first.group))
    with pytest.raises(InputError, match="is in Development: only a version in Staging"):
        stages.admit(operator("ann"), first.name, by, reason="")
    in_staging(operator, first)
    in_staging(operator, second)
    stages.admit(operator("ann"), first.name, by, reason="")
    with pytest.raises(InputError, match=r"/1 is in an A/B, admitted by .*Operators/ann at"):
        stages.admit(operator("ann"), second.name, by, reason="")
    outcome = stages.admit(operator("ann"), first.name, gates(first), reason="")
    assert [one.gate for one in outcome.verdicts if not one.passed] == ["approval"]
    assert decisions(first)[-1].phase == "refused"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("act", "ends"),
    [
        # it takes its place
        (lambda r, v, by: stages.promote(r, v.name, by, tried=True), ("Production", "Approved")),
        # whoever rejects it means it
        (lambda r, v, _: stages.reject(r, v.name, reason="no"), ("Staging", "Rejected")),
    ],
)
def test_what_ends_an_admission(
    operator: Callable[[str], Registry],
    first: Version,
    act: Callable[[Registry, Version, GateFile], Any],
    ends: tuple[str, str],
) -> None:
    by = in_staging(operator, first)
    with pytest.raises(InputError, match="was withdrawn from the A/B"):
        stages.promote(operator("ann"), first.name, by, tried=True)
    stages.admit(operator("ann"), first.name, by, reason="")

    act(operator("ben"), first, by)

    assert stands(first) == ends
    assert stages.withdraw(operator("ben"), first.group, reason="") is None
    assert stands(first) == ends


def test_of_two_operators_one_admits(operator: Callable[[str], Registry], first: Version) -> None:
    by = in_staging(operator, first)
    stages.admit(operator("ann"), first.name, by, reason="")
    with pytest.raises(OvertakenError, match=r"was admitted to an A/B by .*Operators/ann"):
        stages.admit(operator("ben"), first.name, by, reason="")


def test_an_admission_that_was_cut_off_is_completed(
    proxy: Faults, operator: Callable[[str], Registry], first: Version
) -> None:
    by = in_staging(operator, first)
    rule = proxy.on("UpdateModelPackage", reset())
    with pytest.raises(ServiceError, match="UpdateModelPackage"):
        stages.admit(operator("ann"), first.name, by, reason="")
    rule.times = rule.used

    assert stages.admit(operator("ann"), first.name, by, reason="").settled

    assert stands(first) == ("Staging", "Approved")
    assert [d.phase for d in decisions(first) if d.action == "admit"] == ["begun", "done"]
