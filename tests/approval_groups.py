"""A group of versions whose promotion a state machine makes, in the local AWS: one serves."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3

from governance_versions import OTHER, REGION, register_version
from mims.governance.approval import executions as approval
from mims.governance.approval import promotion, trail
from mims.governance.approval.state_machine import definition
from mims.governance.decisions import History
from mims.governance.gates.file import GateFile
from mims.governance.registry import Registry
from patience import looks

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import LocalAws
    from mims.governance.approval.executions import Execution, Pending
    from mims.governance.versions import Version

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
        self.old = self.put(register_version(tmp_path / "1", REPORTS), "Production", "Approved")
        self.new = self.put(register_version(tmp_path / "2", REPORTS), "Staging")
        text = GATES.format(group=self.new.group, role=ROLE, others=others)
        self.gates = GateFile.parse(text)
        self.queue = boto3.client("sqs").create_queue(QueueName="approvals")["QueueUrl"]
        self.machine = approval.machine_name(self.new.group)
        self.serve(self.old)
        self.make()

    def put(self, version: Version, stage: str, status: str | None = None) -> Version:
        life: Any = {"Stage": stage, "StageStatus": "InProgress", "StageDescription": "by hand"}
        self.registry.update(version, ModelLifeCycle=life)
        if status:
            self.registry.update(version, ModelApprovalStatus=status)
        return self.registry.version(version.arn)

    def make(self, **plan: Any) -> None:
        """Deploy the state machine, which looks at once again, forty times at most."""
        quick = {"between": 0, "looks": 40, **plan}
        made = definition(self.gates, replace(promotion.plan(self.gates, self.queue), **quick))
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
        for _ in looks():
            found = approval.waiting(self.registry, self.new.group)
            if found and found[0].number == number:
                return found[0]
            now = approval.status(self.registry, execution)
            assert now.status == "RUNNING", (now.error, now.cause)
        raise AssertionError("nobody was asked")

    def approve(self, execution: str, by: str = OTHER, number: int = 1) -> None:
        pending = self.asked(execution, number)
        trail.answer(self.registry, pending, approved=True, by=by, reason="read the report")

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
        for _ in looks():
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


def post(url: str, content: Any) -> None:
    request = urllib.request.Request(url, json.dumps(content).encode())  # noqa: S310
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
        pass


def play(aws: LocalAws, **script: Any) -> None:
    """Have the endpoint end, or the model answer, otherwise than well."""
    post(f"{aws.url}/local-aws/endpoints", {"region": REGION, "endpoint": "fraud", **script})
