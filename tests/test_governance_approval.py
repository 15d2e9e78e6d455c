"""Promotions by a state machine that really executes in the local AWS: every way it can end."""

from __future__ import annotations

import functools
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ab_groups import delete
from approval_groups import AFTER, BEFORE, GATES, MACHINE_ROLE, REPORTS, ROLE, Group, play, post
from governance_versions import OPERATOR, OTHER, register_version
from mims.errors import InputError
from mims.governance.approval import executions as approval
from mims.governance.approval import promotion, trail, unchanged
from mims.governance.approval.state_machine import definition
from mims.governance.gates.file import GateFile
from patience import looks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import LocalAws
    from mims.governance.approval.executions import Execution

pytestmark = pytest.mark.usefixtures("bucket")


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path)


@pytest.fixture
def script(aws: LocalAws) -> Callable[..., None]:
    """Have the endpoint end, or the model answer, otherwise than well."""

    return functools.partial(play, aws)


def check_as_before(group: Group, execution: Execution, error: str, *causes: str) -> None:
    """It failed with this error, and nothing is other than it was."""
    assert (execution.status, execution.error) == ("FAILED", error), execution.cause
    for cause in causes:
        assert cause in execution.cause
    assert group.stages() == BEFORE
    assert group.config() == "old"


def test_a_promotion_that_was_approved(group: Group) -> None:
    execution = group.promoted()

    assert (execution.status, execution.error, execution.cause) == ("SUCCEEDED", "", "")
    assert group.stages() == AFTER
    assert group.config() == execution.input["deployment"]["config"]
    life = group.registry.version(group.new.arn).described["ModelLifeCycle"]
    assert life["StageDescription"].endswith(": better")
    decision = trail.record(group.registry, execution)
    assert decision
    assert decision.steps[1].arn == group.old.arn
    assert trail.record(group.registry, execution) == decision
    assert group.tells() == ["approve done", "promote begun", "promote done"]


@pytest.mark.slow
def test_the_first_version_of_a_group_needs_no_endpoint_that_is_there(tmp_path: Path) -> None:
    group = Group(tmp_path)
    group.registry.update(group.old, ModelLifeCycle={"Stage": "Archived", "StageStatus": "Retired"})
    group.sagemaker.delete_endpoint(EndpointName="fraud")

    execution = group.promoted()

    assert execution.status == "SUCCEEDED", execution.cause
    assert group.stages() == AFTER
    assert group.config() == execution.input["deployment"]["config"]


def test_a_group_without_an_endpoint_changes_stages_alone(tmp_path: Path) -> None:
    group = Group(tmp_path)
    text = GATES.format(group=group.new.group, role=ROLE, others=1).partition("deployment:")[0]
    group.gates = GateFile.parse(text)
    group.make()

    assert group.promoted().status == "SUCCEEDED"
    assert group.stages() == AFTER
    assert group.config() == "old"


# What the command has judged otherwise than the machine does, and why the machine refuses.
GATES_REFUSED = {
    # the command itself refused
    "command": ({"passed": False, "refusals": "integrity: it was changed"}, "it was changed"),
    # the limit that the baseline gives is above the metric
    "limit": ({"limits": {"g1": 0.95}}, "gate metrics.auc: must be at least 0.9 and against"),
    # the limit was made from another number than the baseline's
    "baseline": ({"baselines": {"g1": 0.5}}, "gate metrics.auc"),
}


@pytest.mark.parametrize(("changes", "cause"), GATES_REFUSED.values(), ids=GATES_REFUSED)
def test_a_gate_that_refuses(group: Group, changes: dict[str, Any], cause: str) -> None:
    execution = group.end(group.start(**changes))

    check_as_before(group, execution, "GateRefused", cause)
    decision = trail.record(group.registry, execution)
    assert decision
    assert cause in decision.reason
    assert group.tells() == ["promote refused"]


# Reports that break a gate of the machine's own, whatever the command says.
REPORTS_REFUSED = {
    # below the number of the gate file
    "low": ({**REPORTS, "model_quality": {"auc": 0.85}}, "metrics.auc"),
    # no such metric
    "missing": ({**REPORTS, "model_quality": {"acc": 0.85}}, "metrics.auc"),
    # a word for a number
    "word": ({**REPORTS, "model_quality": {"auc": "0.95"}}, "metrics.auc"),
    # biased the other way
    "bias": ({**REPORTS, "bias": {"sex": {"DPL": -0.2}}}, "fairness.sex.DPL"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("reports", "cause"), REPORTS_REFUSED.values(), ids=REPORTS_REFUSED)
def test_a_report_that_refuses(
    group: Group, tmp_path: Path, reports: dict[str, Any], cause: str
) -> None:
    group.new = group.put(register_version(tmp_path / "3", reports), "Staging")

    read = {"g1": True, "g2": True}
    limits: dict[str, Any] = {"limits": {"g1": 0.8}, "baselines": {"g1": 0.93}}
    execution = group.end(group.start(passed=True, read=read, **limits))

    check_as_before(group, execution, "GateRefused", cause)


@pytest.mark.slow
def test_a_report_that_only_the_command_can_read(group: Group, tmp_path: Path) -> None:
    """A group's number within the attribute: the command judges it, and says so."""
    reports = {**REPORTS, "bias": {"sex": {"female": {"DPL": 0.02}, "male": {"DPL": -0.02}}}}
    group.new = group.put(register_version(tmp_path / "3", reports), "Staging")

    execution = group.promoted()

    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.input["read"] == {"g1": True, "g2": False}


def test_an_endpoint_in_an_ab_is_left_alone(group: Group) -> None:
    config = group.sagemaker.describe_endpoint_config(EndpointConfigName="old")
    tag: Any = {"Key": "mims:ab:format", "Value": "1"}
    group.sagemaker.add_tags(ResourceArn=config["EndpointConfigArn"], Tags=[tag])

    with pytest.raises(InputError, match="an A/B runs behind endpoint fraud: stop it first"):
        group.start()


def test_a_report_that_was_changed_since(group: Group) -> None:
    given = promotion.prepare(group.registry, group.new.name, group.gates)
    report = given["reports"]["ModelQualityStatistics"]
    group.registry.s3.put_object(Bucket=report["bucket"], Key=report["key"], Body=b'{"auc": 0.99}')

    execution = group.end(approval.start(group.registry, group.machine, given))

    check_as_before(group, execution, "VersionChanged", "pre-conditions")


def test_another_gate_file(group: Group) -> None:
    execution = group.end(group.start(gates_sha256="0" * 64))

    check_as_before(group, execution, "NotReady", "another gate file, or by another version")


def test_an_approval_that_was_refused(group: Group) -> None:
    execution = group.start()
    pending = group.asked(execution)
    assert (pending.version, pending.reason) == (group.new.name, "better")
    assert pending.message["verdicts"][0]["found"] == "0.93"
    trail.answer(group.registry, pending, approved=False, by=OTHER, reason="not on a Friday")

    check_as_before(group, group.end(execution), "ApprovalRefused", "not on a Friday", OTHER)
    assert group.tells() == []


def test_an_approval_that_nobody_gave(group: Group) -> None:
    group.make(approval_seconds=1)

    execution = group.end(group.start())

    check_as_before(group, execution, "ApprovalTimedOut", "within 1 second")


@pytest.mark.slow
def test_an_approval_that_came_too_late(group: Group) -> None:
    execution = group.start()
    pending = group.asked(execution)
    trail.answer(group.registry, pending, approved=False, by=OTHER, reason="no")
    group.end(execution)

    with pytest.raises(InputError, match=r"nobody waits for an approval of .*/2 any more"):
        trail.answer(group.registry, pending, approved=True, by=OPERATOR, reason="yes")
    assert group.tells() == []


def test_an_answer_that_is_given_again(group: Group) -> None:
    """As after a lost response: it has been heard."""
    execution = group.start()
    pending = group.asked(execution)
    for _ in range(2):
        trail.answer(group.registry, pending, approved=False, by=OTHER, reason="no")

    assert group.end(execution).error == "ApprovalRefused"


def test_nobody_approves_what_they_registered(group: Group) -> None:
    execution = group.start(registered_by="ben")
    pending = group.asked(execution)
    for dry_run in (True, False):
        with pytest.raises(InputError, match=r"another has to approve"):
            trail.answer(
                *(group.registry, pending),
                approved=True,
                by=OTHER,
                reason="mine",
                dry_run=dry_run,
            )

    # Neither does the machine take it, if someone answers past the command.
    said = json.dumps({"approved": True, "by": OTHER, "person": "ben"})
    boto3.client("stepfunctions").send_task_success(taskToken=pending.token, output=said)
    check_as_before(group, group.end(execution), "ApprovalRefused", "ben")


def test_two_approvals_are_of_two_people(tmp_path: Path) -> None:
    group = Group(tmp_path, others=2)
    execution = group.start()
    group.approve(execution)
    with pytest.raises(InputError, match=r"has approved .*/2 already: this is approval 2 of 2"):
        group.approve(execution, OTHER, 2)
    assert group.tells() == ["approve done"]

    group.approve(execution, OPERATOR, 2)

    assert group.end(execution).status == "SUCCEEDED"


def test_the_machine_takes_no_second_approval_of_the_same_person(tmp_path: Path) -> None:
    """If someone answers past the command."""
    group = Group(tmp_path, others=2)
    execution = group.start()
    group.approve(execution)
    pending = group.asked(execution, 2)
    said = json.dumps({"approved": True, "by": OTHER, "person": "ben"})
    boto3.client("stepfunctions").send_task_success(taskToken=pending.token, output=said)

    check_as_before(group, group.end(execution), "ApprovalRefused", "ben")


# What changed while the machine waited for an approval.
CHANGES: dict[str, Callable[[Group], object]] = {
    # someone rejected the version
    "approval": lambda group: group.registry.update(group.new, ModelApprovalStatus="Rejected"),
    # someone moved it
    "stage": lambda group: group.put(group.new, "Development"),
    # it says it is made of another model
    "digest": lambda group: group.registry.update(
        group.new, CustomerMetadataProperties={"model_sha256": "0" * 64}
    ),
    # it was deleted
    "version": lambda group: group.sagemaker.delete_model_package(ModelPackageName=group.new.arn),
    # nothing is in Production any more
    "production": lambda group: group.put(group.old, "Archived"),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_version_that_changed_meanwhile(group: Group, change: Callable[[Group], object]) -> None:
    execution = group.start()
    pending = group.asked(execution)
    change(group)
    left = group.registry.version(group.old.arn).stage
    trail.answer(group.registry, pending, approved=True, by=OTHER, reason="fine")

    ended = group.end(execution)

    assert (ended.error, ended.status) == ("VersionChanged", "FAILED"), ended.cause
    assert group.registry.version(group.old.arn).stage == left
    assert group.config() == "old"
    assert trail.record(group.registry, ended).phase == "refused"


@pytest.fixture
def one_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a group with very many versions."""
    monkeypatch.setattr(unchanged, "PAGE", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("one_a_page")
def test_the_version_in_production_may_be_older_than_very_many(
    group: Group, tmp_path: Path
) -> None:
    register_version(tmp_path / "3", REPORTS)
    group.make()

    execution = group.promoted()

    assert execution.status == "SUCCEEDED", execution.cause
    assert group.stages() == AFTER


@pytest.mark.slow
@pytest.mark.usefixtures("one_a_page")
def test_another_version_in_production_is_seen_whatever_its_age_and_approval(
    group: Group, tmp_path: Path
) -> None:
    group.make()
    group.put(group.old, "Archived")
    group.old = group.put(register_version(tmp_path / "3", REPORTS), "Production", "Approved")
    execution = group.start()
    pending = group.asked(execution)
    oldest = next(v for v in group.registry.versions(group.new.group) if v.number == 1)
    group.put(oldest, "Production", "PendingManualApproval")
    trail.answer(group.registry, pending, approved=True, by=OTHER, reason="fine")

    check_as_before(group, group.end(execution), "VersionChanged", "start anew")


def test_two_versions_in_production_are_too_many(group: Group, tmp_path: Path) -> None:
    group.put(register_version(tmp_path / "3", REPORTS), "Production")

    with pytest.raises(InputError, match=r"/3, .*/1 are in Production at a time"):
        group.start()


@pytest.mark.slow
def test_a_look_that_fails_is_not_a_change(group: Group) -> None:
    given = promotion.prepare(group.registry, group.new.name, group.gates)
    given["version"]["arn"] += "!"  # which SageMaker takes for no name at all

    execution = group.end(approval.start(group.registry, group.machine, given))

    check_as_before(group, execution, "NotReady")


@pytest.mark.slow
def test_an_update_that_was_refused(group: Group) -> None:
    """SageMaker takes no description of so many characters."""
    execution = group.promoted(said="x" * 2000)

    check_as_before(group, execution, "UpdateRefused", "less than or equal to 1024")
    assert trail.record(group.registry, execution)
    assert group.tells() == ["approve done", "promote begun", "promote refused"]


# How the new configuration fares at the endpoint, and what the reason tells.
DEPLOYMENTS = {
    # SageMaker itself goes back
    "rolled back": (["RolledBack"], "InService with configuration old"),
    # only deleting helps: the endpoint is made anew with what it had
    "failed": (["Failed"], "endpoint fraud is Failed with configuration old"),
}


@pytest.mark.parametrize(("ends", "cause"), DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_a_deployment_that_failed(
    group: Group, script: Callable[..., None], ends: list[str], cause: str
) -> None:
    group.sagemaker.describe_endpoint(EndpointName="fraud")
    execution = group.start()
    group.config()
    script(ends=ends)
    group.approve(execution)

    ended = group.end(execution)

    check_as_before(group, ended, "RolledBack", cause)
    assert trail.record(group.registry, ended)
    assert group.tells() == ["approve done", "promote begun", "promote undone"]
    life = group.registry.version(group.new.arn).described["ModelLifeCycle"]
    assert life["StageDescription"] == "by hand"


@pytest.mark.slow
def test_a_deployment_that_does_not_end(group: Group, script: Callable[..., None]) -> None:
    """An endpoint that is being updated can't be given back what it had: someone has to look."""
    execution = group.start()
    group.config()
    script(ends=["Stuck"])
    group.approve(execution)

    ended = group.end(execution)

    assert ended.error == "RollbackIncomplete"
    assert "took more than 40 looks; and it was not all taken back: endpoint fraud" in ended.cause
    assert group.stages() == BEFORE
    assert trail.record(group.registry, ended).phase == "incomplete"
    assert group.tells() == ["approve done", "promote begun", "promote incomplete"]


@pytest.mark.slow
def test_a_first_deployment_that_failed(group: Group, script: Callable[..., None]) -> None:
    """An endpoint that was not there before is gone again."""
    group.config()
    group.sagemaker.delete_endpoint(EndpointName="fraud")
    execution = group.start()
    script(ends=["Failed"])
    group.approve(execution)

    ended = group.end(execution)

    assert (ended.error, group.stages()) == ("RolledBack", BEFORE)
    assert group.sagemaker.list_endpoints()["Endpoints"] == []


@pytest.mark.slow
def test_a_verification_that_failed(group: Group, script: Callable[..., None]) -> None:
    execution = group.start()
    script(invocations=["No module named inference"])
    group.approve(execution)

    ended = group.end(execution)

    check_as_before(group, ended, "RolledBack", "No module named inference")


@pytest.mark.slow
def test_a_version_that_vanishes_before_it_is_archived(group: Group, aws: LocalAws) -> None:
    """What can be taken back is; what can't is named."""
    group.make(between=1, looks=1000)
    group.config()
    with transition(aws, {"progression": "time", "seconds": 3600}):  # until it is gone
        execution = group.start()
        group.approve(execution)
        for _ in looks():
            if group.stages() == ("Production Approved", "Production Approved"):
                break
        delete(group.old)
    ended = group.end(execution)

    assert ended.error == "RollbackIncomplete"
    assert "/1 does not exist" in ended.cause
    assert "and it was not all taken back: ModelPackage" in ended.cause
    new = group.registry.version(group.new.arn)
    assert (new.stage, new.approval) == ("Staging", "PendingManualApproval")
    assert group.config() == "old"


@contextmanager
def transition(aws: LocalAws, pace: dict[str, Any]) -> Iterator[None]:
    """Set the pace of endpoints."""
    named = {"model_name": "sagemaker::endpoint"}
    post(f"{aws.url}/moto-api/state-manager/set-transition", {**named, "transition": pace})
    try:
        yield
    finally:
        post(f"{aws.url}/moto-api/state-manager/unset-transition", named)


def test_one_promotion_at_a_time(group: Group) -> None:
    execution = group.start()
    group.asked(execution)

    with pytest.raises(InputError, match=r"a promotion of .* is under way"):
        group.start()


def test_the_state_machine_is_made_once(group: Group) -> None:
    plan = promotion.plan(group.gates, group.queue)
    made = definition(group.gates, plan)

    def deployed(**how: Any) -> str:
        return approval.deploy(group.registry, made, "other", MACHINE_ROLE, **how).done

    assert [deployed(dry_run=True), deployed(), deployed()] == ["created", "created", "unchanged"]
    made["Comment"] = "changed"
    assert [deployed(dry_run=True), deployed(), deployed()] == ["updated", "updated", "unchanged"]
