"""The IAM policy of a state machine's role: it allows all that its tasks ask for, and nothing else.

The tasks are those of a definition that asks for everything; what they name comes from an
execution's input as `pipeline start` gives it. Which action and resource stand for a call is as in
AWS's Service Authorization Reference.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from approval_groups import GATES, ROLE, Group
from governance_versions import REGION
from iam import ACCOUNT, Need, allowing, listed
from mims.errors import InputError
from mims.governance.approval import promotion
from mims.governance.approval.policy import Queue, open_places, policy
from mims.governance.approval.state_machine import definition
from mims.governance.command import main
from mims.governance.deploy import clipped
from mims.governance.gates.file import GateFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("bucket")

ELSEWHERE = "arn:aws:s3:::elsewhere/report.json"
QUEUE = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/approvals"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"
OF_KEYS = {
    "sqs": ("sqs", ["kms:GenerateDataKey", "kms:Decrypt"]),
    "s3": ("s3", ["kms:Decrypt"]),
    "sagemaker": ("sagemaker", ["kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"]),
}


class Machine:
    """A group's state machine: its definition, its policy, and what its tasks need."""

    def __init__(self, group: Group, text: str) -> None:
        gates = GateFile.parse(text)
        self.given = promotion.prepare(group.registry, group.new.name, gates)
        self.given |= {"former": {"config": "old"}, "page": {"NextToken": "more"}}
        plan = promotion.plan(gates, QUEUE)
        self.definition = definition(gates, plan)
        document = policy(self.definition, gates.group, plan, Queue.of(QUEUE, REGION))
        self.text = json.dumps(document)
        for place, own in {
            "BUCKET": group.new.bucket,
            "KEY": "1234",
            "REPORTS": "elsewhere",
        }.items():
            self.text = self.text.replace(f"<{place}>", own)
        assert "<" not in self.text
        self.statements: list[dict[str, Any]] = json.loads(self.text)["Statement"]

    def needs(self) -> Iterator[Need]:
        for name, state in self.definition["States"].items():
            if state["Type"] == "Task":
                service, operation = state["Resource"].split(":")[-2:]
                assert state["Parameters"], name
                yield from of_call(service, operation.partition(".")[0], self._asked(state))

    def _asked(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A task's parameters, as an execution puts them in."""
        return {
            key.removesuffix(".$"): self._value(value) if key.endswith(".$") else self._inner(value)
            for key, value in state["Parameters"].items()
        }

    def _inner(self, value: Any) -> Any:
        return self._asked({"Parameters": value}) if isinstance(value, dict) else value

    def _value(self, path: str) -> Any:
        found: Any = {**self.given, "$": {}}
        for step in path.removeprefix("$.").split("."):
            found = found.get(step, path) if isinstance(found, dict) else found
        return found


def of_call(service: str, operation: str, asked: Mapping[str, Any]) -> Iterator[Need]:
    """What a task needs; KeyError: an operation that this test doesn't know."""
    arns = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
    endpoint = f"{arns}endpoint/{asked.get('EndpointName', '').lower()}"
    config = f"{arns}endpoint-config/{asked.get('EndpointConfigName', '').lower()}"
    version = asked.get("ModelPackageArn") or asked.get("ModelPackageName", "")
    resources = {
        "listModelPackages": [f"{arns}model-package/*"],
        "describeModelPackage": [version],
        "updateModelPackage": [version],
        "createModel": [f"{arns}model/{asked.get('ModelName', '').lower()}"],
        "createEndpointConfig": [config],
        "createEndpoint": [endpoint, config],
        "updateEndpoint": [endpoint, config],
        "updateEndpointWeightsAndCapacities": [endpoint],
        "describeEndpoint": [endpoint],
        "deleteEndpoint": [endpoint],
        "invokeEndpoint": [endpoint],
        "getObject": [f"arn:aws:s3:::{asked.get('Bucket')}/{asked.get('Key')}", ELSEWHERE],
        "sendMessage": [f"arn:aws:sqs:{REGION}:{ACCOUNT}:{asked.get('QueueUrl', '')[-9:]}"],
    }[operation]
    context = {
        "sagemaker:ModelApprovalStatus": asked.get("ModelApprovalStatus"),
        "sagemaker:ModelLifeCycle:Stage": asked.get("ModelLifeCycle", {}).get("Stage"),
    }
    service = "sagemaker" if service == "sagemakerruntime" else service
    action = f"{service}:{operation[0].upper()}{operation[1:]}"
    given = {key: value for key, value in context.items() if value}
    yield from (Need(REGION, action, resource, given) for resource in resources)
    if operation == "createModel":
        role = asked["ExecutionRoleArn"]
        yield Need(REGION, "iam:PassRole", role, {"iam:PassedToService": "sagemaker.amazonaws.com"})
    if service != "sagemaker" or version:
        via, actions = OF_KEYS[service]
        for key_action in actions:
            context = {"kms:ViaService": f"{via}.{REGION}.amazonaws.com"}
            yield Need(REGION, key_action, KEY, {k: v for k, v in context.items() if v})


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path)


def whole(group: Group) -> str:
    return GATES.format(group=group.new.group, role=ROLE, others=1)


def bare(group: Group) -> str:
    """No numbers, no endpoint."""
    return f"group: {group.new.group}\nstaging: {{}}\nproduction:\n  integrity: required\n"


def unasked(group: Group) -> str:
    """An endpoint that nobody sends a request."""
    return whole(group).partition("  verification")[0]


@pytest.mark.parametrize("text", [whole, bare, unasked])
def test_it_allows_what_the_machine_asks_for_and_nothing_else(group: Group, text: Any) -> None:
    machine = Machine(group, text(group))
    needs = list(machine.needs())

    assert [need for need in needs if not allowing(machine.statements, need)] == []
    needed = {(sid, n.action) for n in needs for sid in allowing(machine.statements, n)}
    allowed = {(one["Sid"], a) for one in machine.statements for a in listed(one["Action"])}
    of_reports = {("IfKmsKeyForReports", "kms:Decrypt")}  # where no number is read from one
    assert allowed - needed <= (of_reports if text is bare else set())


def test_what_it_does_not_allow(group: Group) -> None:
    statements = Machine(group, whole(group)).statements
    version, arns = group.new.arn, f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
    stage, status = "sagemaker:ModelLifeCycle:Stage", "sagemaker:ModelApprovalStatus"
    ours = f"arn:aws:s3:::{group.new.bucket}/mims/{group.new.group}"
    told: dict[str, str] = {stage: "Production", status: "Approved"}
    passed = {"iam:PassedToService": "sagemaker.amazonaws.com"}
    cases: list[tuple[str, str, dict[str, str]]] = [
        # An approval, or anything else, without a stage; a stage where nothing of ours goes.
        ("sagemaker:UpdateModelPackage", version, {status: "Approved"}),
        ("sagemaker:UpdateModelPackage", version, {**told, stage: "Development"}),
        ("sagemaker:UpdateModelPackage", version, {**told, status: "Rejected"}),
        # Another group, and one whose name begins alike.
        ("sagemaker:UpdateModelPackage", version.replace("/2", "2/2"), told),
        ("sagemaker:CreateModel", f"{arns}model/{group.new.group.lower()}2-1-0123456789ab", {}),
        ("sagemaker:DeleteModelPackage", version, {}),
        # Another endpoint, another queue, another role, or this one for another service.
        ("sagemaker:DeleteEndpoint", f"{arns}endpoint/fraud2", {}),
        ("sagemaker:UpdateEndpoint", f"{arns}endpoint/fraud2", {}),
        ("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:approvals2", {}),
        ("iam:PassRole", ROLE + "2", passed),
        ("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}),
        # The audit trail.
        ("s3:GetObject", f"{ours}/audit/00000001.json", {}),
        ("s3:PutObject", f"{ours}/audit/00000009.json", {}),
        # A key, but for what S3, SageMaker or SQS does with it.
        ("kms:Decrypt", KEY, {}),
    ]
    for action, resource, context in cases:
        assert allowing(statements, Need(REGION, action, resource, context)) == [], resource


def test_iam_takes_it(group: Group) -> None:
    """A managed policy has 6144 characters, spaces apart; names have letters and digits."""
    machine = Machine(group, whole(group))
    assert len("".join(machine.text.split())) <= 6144
    names = [statement["Sid"] for statement in machine.statements]
    assert len({*names}) == len(names)
    assert all(name.isalnum() and name.isascii() for name in names)


@pytest.mark.parametrize("length", [5, 36, 37, 43, 44, 63])
def test_models_of_any_group_have_names_that_it_allows(length: int) -> None:
    group = ("fraud-" + "Buyers-" * 9)[: length - 1] + "x"
    gates = GateFile.parse(GATES.format(group=group, role=ROLE, others=1))
    plan = promotion.plan(gates, QUEUE)
    made = policy(definition(gates, plan), group, plan, Queue.of(QUEUE, REGION))
    name = clipped(group, "123456", "0123456789ab").lower()
    arns = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:"
    model = f"{arns}model/{name}"
    assert allowing(made["Statement"], Need(REGION, "sagemaker:CreateModel", model)) == [
        "MakeModels"
    ]
    # As it is called if the endpoint was scaled while approvals were waited for.
    config = clipped(group, "123456", "0123456789ab", "1" * 6).lower()
    need = Need(REGION, "sagemaker:CreateEndpointConfig", f"{arns}endpoint-config/{config}")
    assert allowing(made["Statement"], need) == ["MakeConfigurations"]


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("approvals", "must be an SQS queue's URL"),
        (f"arn:aws:sqs:{REGION}:{ACCOUNT}:approvals", "must be an SQS queue's URL"),
        # the message would need a group
        (f"{QUEUE}.fifo", "must be a standard queue, not a FIFO one"),
        (QUEUE.replace(REGION, "eu-west-1"), f"must be in the state machine's region, {REGION}"),
    ],
)
def test_a_queue_that_no_machine_can_write_to(url: str, problem: str) -> None:
    with pytest.raises(InputError, match=re.escape(problem)):
        Queue.of(url, REGION)


def test_the_command_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gates = tmp_path / "gates.yaml"
    gates.write_text(GATES.format(group="Fraud", role=ROLE, others=1))
    ask = ["pipeline", "policy", "--gates", str(gates), "--queue", QUEUE]

    assert main(ask) == 0
    out, err = capsys.readouterr()
    assert open_places(json.loads(out)) == ["<BUCKET>", "<KEY>", "<REPORTS>"]
    assert "put in your own for <BUCKET>, <KEY>" in err

    assert main([*ask, "--trust", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    (statement,) = json.loads(out)["Statement"]
    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
    assert f":{ACCOUNT}:stateMachine:mims-promote-Fraud" in json.dumps(statement)

    deploy = ["pipeline", "deploy", *ask[2:4], "--role", ROLE, "--queue", "approvals"]
    assert main(deploy) == 1
    assert "--queue is approvals: must be an SQS queue's URL" in capsys.readouterr().err
