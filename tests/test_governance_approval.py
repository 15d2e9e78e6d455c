"""Promotions by a state machine that really executes in the local AWS: every way it can end."""

from __future__ import annotations

import json
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from governance_versions import OPERATOR, OTHER, REGION, register_version
from mims.errors import InputError
from mims.governance.approval import executions as approval
from mims.governance.approval import promotion
from mims.governance.approval.state_machine import definition
from mims.governance.decisions import History
from mims.governance.gates.file import GateFile
from mims.governance.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import LocalAws
    from mims.governance.approval.executions import Execution, Pending
    from mims.governance.versions import Version

pytestmark = pytest.mark.usefixtures("bucket")

ROLE = "arn:aws:iam::123456789012:role/model"
MACHINE_ROLE = "arn:aws:iam::123456789012:role/promote"
REPORTS = {"model_quality": {"auc": 0.93}, "bias": {"sex": {"DPL": 0.02}}}
GATES = """
group: {group}
staging: {{}}
production:
  metrics:
    auc: {{at_least: 0.9, baseline: Production, at_most_worse: 0.01}}
  fairness:
    sex: {{DPL: {{at_most: 0.1}}}}
  integrity: required
  approval: {{by_others: {others}}}
deployment:
  endpoint: fraud
  role: {role}
  verification: {{body: "1,2"}}
"""


class Group:
    """A group with a version in Production, behind an endpoint, and one in Staging."""

    def __init__(self, tmp_path: Path, others: int = 1) -> None:
        self.registry = Registry(REGION)
        self.sagemaker = self.registry.sagemaker
        self.old = self._put(register_version(tmp_path / "1", REPORTS), "Production", "Approved")
        self.new = self._put(register_version(tmp_path / "2", REPORTS), "Staging")
        text = GATES.format(group=self.new.group, role=ROLE, others=others)
        self.gates = GateFile.parse(text)
        self.queue = boto3.client("sqs").create_queue(QueueName="approvals")["QueueUrl"]
        self.machine = approval.machine_name(self.new.group)
        self.serve(self.old)
        self.make()

    def _put(self, version: Version, stage: str, status: str | None = None) -> Version:
        life: Any = {"Stage": stage, "StageStatus": "InProgress", "StageDescription": "by hand"}
        self.registry.update(version, ModelLifeCycle=life)
        if status:
            self.registry.update(version, ModelApprovalStatus=status)
        return self.registry.version(version.arn)

    def make(self, **plan: Any) -> None:
        """Deploy the state machine, which looks at once again, forty times at most."""
        deployment = promotion.Deployment.of(self.gates)
        quick = {"between": 0, "looks": 40, **plan}
        made = definition(self.gates, replace(deployment.plan(self.queue), **quick))
        approval.deploy(self.registry, made, self.machine, MACHINE_ROLE)

    def serve(self, version: Version) -> None:
        container: Any = {"ModelPackageName": version.arn}
        self.sagemaker.create_model(ModelName="old", PrimaryContainer=container)
        variant: Any = {"VariantName": "old", "ModelName": "old", "InstanceType": "ml.m5.large"}
        variant["InitialInstanceCount"] = 1
        self.sagemaker.create_endpoint_config(
            EndpointConfigName="old", ProductionVariants=[variant]
        )
        self.sagemaker.create_endpoint(EndpointName="fraud", EndpointConfigName="old")

    def start(self, **changes: Any) -> str:
        given = promotion.prepare(self.registry, self.new.name, self.gates, reason="better")
        return approval.start(self.registry, self.machine, {**given, **changes})

    def asked(self, execution: str, number: int = 1) -> Pending:
        """Wait until it asks for its next approval."""
        for _ in range(100):
            found = approval.waiting(self.registry, self.new.group)
            if found and found[0].number == number:
                return found[0]
            now = approval.status(self.registry, execution)
            assert now.status == "RUNNING", (now.error, now.cause)
        raise AssertionError("nobody was asked")

    def approve(self, execution: str, by: str = OTHER, number: int = 1) -> None:
        pending = self.asked(execution, number)
        approval.answer(self.registry, pending, approved=True, by=by, reason="read the report")

    def end(self, execution: str) -> Execution:
        return approval.follow(self.registry, execution, timeout=60, between=0.05)

    def promoted(self, **changes: Any) -> Execution:
        """Promote, with an approval."""
        execution = self.start(**changes)
        self.approve(execution)
        return self.end(execution)

    def stages(self) -> tuple[str, str]:
        """Stage and approval of the old version and the new one."""
        found = [self.registry.version(one.arn) for one in (self.old, self.new)]
        return tuple(f"{one.stage} {one.approval}" for one in found)  # type: ignore[return-value]

    def config(self) -> str:
        """What the endpoint serves, once it is at rest."""
        for _ in range(100):
            found = self.sagemaker.describe_endpoint(EndpointName="fraud")
            if found["EndpointStatus"] == "InService":
                return found["EndpointConfigName"]
        raise AssertionError(found)

    def tells(self) -> list[str]:
        """The decisions that the audit trail has on the new version, oldest first."""
        history = History.read(self.registry.trail(self.new))
        return [f"{one.action} {one.phase}" for one in history.decisions]


BEFORE = ("Production Approved", "Staging PendingManualApproval")
AFTER = ("Archived Approved", "Production Approved")


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path)


@pytest.fixture
def script(aws: LocalAws) -> Callable[..., None]:
    """Have the endpoint end, or the model answer, otherwise than well."""

    def keep(**script: Any) -> None:
        post(f"{aws.url}/local-aws/endpoints", {"region": REGION, "endpoint": "fraud", **script})

    return keep


def post(url: str, content: Any) -> None:
    request = urllib.request.Request(url, json.dumps(content).encode())  # noqa: S310
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
        pass


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
    decision = approval.record(group.registry, execution)
    assert decision
    assert decision.steps[1].arn == group.old.arn
    assert approval.record(group.registry, execution) == decision
    assert group.tells() == ["approve done", "promote done"]


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
    decision = approval.record(group.registry, execution)
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


@pytest.mark.parametrize(("reports", "cause"), REPORTS_REFUSED.values(), ids=REPORTS_REFUSED)
def test_a_report_that_refuses(
    group: Group, tmp_path: Path, reports: dict[str, Any], cause: str
) -> None:
    group.new = group._put(register_version(tmp_path / "3", reports), "Staging")  # noqa: SLF001

    read = {"g1": True, "g2": True}
    limits: dict[str, Any] = {"limits": {"g1": 0.8}, "baselines": {"g1": 0.93}}
    execution = group.end(group.start(passed=True, read=read, **limits))

    check_as_before(group, execution, "GateRefused", cause)


def test_a_report_that_only_the_command_can_read(group: Group, tmp_path: Path) -> None:
    """A group's number within the attribute: the command judges it, and says so."""
    reports = {**REPORTS, "bias": {"sex": {"female": {"DPL": 0.02}, "male": {"DPL": -0.02}}}}
    group.new = group._put(register_version(tmp_path / "3", reports), "Staging")  # noqa: SLF001

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

    check_as_before(group, execution, "NotReady", "another gate file: deploy it")


def test_an_approval_that_was_refused(group: Group) -> None:
    execution = group.start()
    pending = group.asked(execution)
    assert (pending.version, pending.reason) == (group.new.name, "better")
    assert pending.message["verdicts"][0]["found"] == "0.93"
    approval.answer(group.registry, pending, approved=False, by=OTHER, reason="not on a Friday")

    check_as_before(group, group.end(execution), "ApprovalRefused", "not on a Friday", OTHER)
    assert group.tells() == []


def test_an_approval_that_nobody_gave(group: Group) -> None:
    group.make(approval_seconds=1)

    execution = group.end(group.start())

    check_as_before(group, execution, "ApprovalTimedOut", "within 1 seconds")


def test_an_approval_that_came_too_late(group: Group) -> None:
    execution = group.start()
    pending = group.asked(execution)
    approval.answer(group.registry, pending, approved=False, by=OTHER, reason="no")
    group.end(execution)

    with pytest.raises(InputError, match=r"nobody waits for an approval of .*/2 any more"):
        approval.answer(group.registry, pending, approved=True, by=OPERATOR, reason="yes")


def test_an_answer_that_is_given_again(group: Group) -> None:
    """As after a lost response: it has been heard."""
    execution = group.start()
    pending = group.asked(execution)
    for _ in range(2):
        approval.answer(group.registry, pending, approved=False, by=OTHER, reason="no")

    assert group.end(execution).error == "ApprovalRefused"


def test_nobody_approves_what_they_registered(group: Group) -> None:
    execution = group.start(registered_by="ben")
    pending = group.asked(execution)
    with pytest.raises(InputError, match=r"another has to approve"):
        approval.answer(group.registry, pending, approved=True, by=OTHER, reason="mine")

    # Neither does the machine take it, if someone answers past the command.
    said = json.dumps({"approved": True, "by": OTHER, "person": "ben"})
    boto3.client("stepfunctions").send_task_success(taskToken=pending.token, output=said)
    check_as_before(group, group.end(execution), "ApprovalRefused", "ben")


@pytest.mark.parametrize(("second", "error"), [(OPERATOR, ""), (OTHER, "ApprovalRefused")])
def test_two_approvals_are_of_two_people(tmp_path: Path, second: str, error: str) -> None:
    group = Group(tmp_path, others=2)
    execution = group.start()
    group.approve(execution)
    group.approve(execution, second, 2)

    assert group.end(execution).error == error


# What changed while the machine waited for an approval.
CHANGES: dict[str, Callable[[Group], object]] = {
    # someone rejected the version
    "approval": lambda group: group.registry.update(group.new, ModelApprovalStatus="Rejected"),
    # someone moved it
    "stage": lambda group: group._put(group.new, "Development"),  # noqa: SLF001
    # it says it is made of another model
    "digest": lambda group: group.registry.update(
        group.new, CustomerMetadataProperties={"model_sha256": "0" * 64}
    ),
    # nothing is in Production any more
    "production": lambda group: group._put(group.old, "Archived"),  # noqa: SLF001
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_version_that_changed_meanwhile(group: Group, change: Callable[[Group], object]) -> None:
    execution = group.start()
    pending = group.asked(execution)
    change(group)
    left = group.stages()
    approval.answer(group.registry, pending, approved=True, by=OTHER, reason="fine")

    ended = group.end(execution)

    assert (ended.error, ended.status) == ("VersionChanged", "FAILED")
    assert group.stages() == left
    assert group.config() == "old"


def test_an_update_that_was_refused(group: Group) -> None:
    """SageMaker takes no description of so many characters."""
    execution = group.promoted(said="x" * 2000)

    check_as_before(group, execution, "UpdateRefused", "less than or equal to 1024")
    assert approval.record(group.registry, execution)
    assert group.tells() == ["approve done", "promote refused"]


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
    assert approval.record(group.registry, ended)
    assert group.tells() == ["approve done", "promote undone"]
    life = group.registry.version(group.new.arn).described["ModelLifeCycle"]
    assert life["StageDescription"] == "by hand"


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


def test_a_verification_that_failed(group: Group, script: Callable[..., None]) -> None:
    execution = group.start()
    script(invocations=["No module named inference"])
    group.approve(execution)

    ended = group.end(execution)

    check_as_before(group, ended, "RolledBack", "No module named inference")


def test_a_version_that_vanishes_before_it_is_archived(group: Group, aws: LocalAws) -> None:
    """What can be taken back is; what can't is named."""
    group.make(looks=4000)
    group.config()
    pace = {"progression": "time", "seconds": 2}
    with transition(aws, pace):
        execution = group.start()
        group.approve(execution)
        for _ in range(200):
            if group.stages() == ("Production Approved", "Production Approved"):
                break
        group.sagemaker.delete_model_package(ModelPackageName=group.old.arn)
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
    plan = promotion.Deployment.of(group.gates).plan(group.queue)
    made = definition(group.gates, plan)

    def deployed(**how: Any) -> str:
        return approval.deploy(group.registry, made, "other", MACHINE_ROLE, **how).done

    assert [deployed(dry_run=True), deployed(), deployed()] == ["created", "created", "unchanged"]
    made["Comment"] = "changed"
    assert [deployed(dry_run=True), deployed(), deployed()] == ["updated", "updated", "unchanged"]
