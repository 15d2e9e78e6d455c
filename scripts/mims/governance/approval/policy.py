"""What the role of a group's state machine has to allow, and whom it has to trust.

Goes in: the plan and the definition made of it. Comes out: the IAM policy of policy.json without
what this definition never asks for, and with the names that are known. Of the names that are not,
such as `<BUCKET>`, the places stay open, and a statement that begins with `If` is for who uses what
it is for. A test holds the policy to the calls that the definition makes. Asks nobody.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.governance.approval.endpoint import Plan

_FILE = Path(__file__).with_name("policy.json")
_QUEUE = re.compile(
    r"https?://(?:sqs\.(?P<region>[a-z0-9-]+)\.amazonaws\.[a-z.]+|[^/\s]+)"
    r"/(?P<account>\d{12})/(?P<name>[\w-]{1,80}(?:\.fifo)?)"
)
# Of the 63 characters of a model's or configuration's name, those that the group surely has: behind
# it come the version's number, a digest and a number of instances.
_START = 36


class Queue(NamedTuple):
    """An SQS queue, and where it is."""

    region: str
    account: str
    name: str

    @classmethod
    def of(cls, url: str, region: str) -> Queue:
        """Read a queue's URL; it has to be one that a state machine of the region can write to.

        Raises:
            InputError: it is none.

        """
        found = _QUEUE.fullmatch(url)
        if found is None:
            raise InputError(
                f"--queue is {printable(url)}: must be an SQS queue's URL, such as "
                f"https://sqs.{region}.amazonaws.com/123456789012/approvals"
            )
        if found["name"].endswith(".fifo"):
            raise InputError(f"--queue is {url}: must be a standard queue, not a FIFO one")
        if found["region"] not in (None, region):
            raise InputError(f"--queue is {url}: must be in the state machine's region, {region}")
        return cls(region, found["account"], found["name"])


def policy(made: Mapping[str, Any], group: str, plan: Plan, queue: Queue) -> dict[str, Any]:
    """Give the policy for a definition."""
    names = f"{group}-*" if len(group) <= _START else group[:_START].rstrip("-") + "*"
    known = {
        "REGION": queue.region,
        "ACCOUNT": queue.account,
        "QUEUE": queue.name,
        "GROUP": group,
        "group": group.lower(),
        "NAMES": names,
        "names": names.lower(),
        "ENDPOINT": plan.endpoint,
        "endpoint": plan.endpoint and plan.endpoint.lower(),
        "ROLE": plan.role,
    }
    text = _FILE.read_text(encoding="utf-8")
    for name, value in known.items():
        if value:
            text = text.replace(f"<{name}>", value)
    document: dict[str, Any] = json.loads(text)
    called = _actions(made)
    kept = []
    for statement in document["Statement"]:
        statement["Resource"] = _once(statement["Resource"])
        actions = statement["Action"]
        if called & {*([actions] if isinstance(actions, str) else actions)}:
            kept.append(statement)
    return document | {"Statement": kept}


def open_places(document: Mapping[str, Any]) -> list[str]:
    """The names that are still to be put in."""
    return sorted({*re.findall("<[A-Za-z]+>", json.dumps(document))})


def trust(machine: str, queue: Queue) -> dict[str, Any]:
    """Whom the role has to trust: Step Functions, for the state machine of this name."""
    arn = f"arn:aws:states:{queue.region}:{queue.account}:stateMachine:{machine}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "states.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "ArnLike": {"aws:SourceArn": arn},
                    "StringEquals": {"aws:SourceAccount": queue.account},
                },
            }
        ],
    }


def _actions(made: Mapping[str, Any]) -> set[str]:
    """What IAM is asked for on behalf of a definition's tasks."""
    found = set()
    for state in made["States"].values():
        if state["Type"] == "Task":
            # arn:aws:states:::aws-sdk:<service>:<operation>, or …:::sqs:sendMessage.waitFor…
            service, operation = state["Resource"].split(":")[-2:]
            operation = operation.partition(".")[0]
            service = "sagemaker" if service == "sagemakerruntime" else service
            found.add(f"{service}:{operation[0].upper()}{operation[1:]}")
    if "sagemaker:CreateModel" in found:
        found.add("iam:PassRole")
    return found | {"kms:Decrypt"}  # for whoever has keys of their own


def _once(resources: Any) -> Any:
    """The same name in small letters and as it is may be one."""
    if isinstance(resources, str):
        return resources
    found = [*dict.fromkeys(resources)]
    return found if len(found) > 1 else found[0]
