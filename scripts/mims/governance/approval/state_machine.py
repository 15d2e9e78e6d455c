"""The promotion of a group's versions as a state machine, in Amazon States Language.

Goes in: the gate file, and how to ask and deploy. Comes out: the definition. It looks whether the
version is what was judged, reads the registered reports and holds them to the numbers of the gate
file, waits for approvals by task token, looks again, updates the version, deploys it, verifies the
endpoint, and archives the version that was in Production. What fails after the first change is
taken back, and the execution fails with the reason; what was in Production stays there.

Numbers and names of the gate file are literals of the definition; what is of one version comes with
an execution's input (mims.governance.approval.promotion). Nothing is asked or changed here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mims.governance.approval.checks import checks, judged, own_reports, read_reports
from mims.governance.approval.endpoint import Plan, deployed, endpoint_back, endpoint_known
from mims.governance.approval.ends import (
    APPROVAL_REFUSED,
    APPROVAL_TIMED_OUT,
    GATE_REFUSED,
    NOT_READY,
    ROLLBACK_INCOMPLETE,
    ROLLED_BACK,
    SAME_GATES,
    UPDATE,
    UPDATE_REFUSED,
    same_gates,
)
from mims.governance.approval.states_language import (
    NEXT,
    PATIENT,
    ROLL_BACK,
    States,
    Step,
    both,
    catch,
    choice,
    fail,
    life,
    linked,
    rule,
    state_name,
    update_version,
)
from mims.governance.approval.unchanged import look, unchanged
from mims.governance.versions import ARCHIVED, PRODUCTION
from mims.text import counted

if TYPE_CHECKING:
    from mims.governance.gates.file import GateFile


def definition(gate_file: GateFile, plan: Plan) -> dict[str, Any]:
    """Give the state machine that promotes versions of a group to Production.

    Raises:
        InputError: the gate file has no gates for Production.

    """
    gates = gate_file.gates(PRODUCTION)
    found = checks(gates)
    people = gates.approval.by_others if gates.approval else 1
    blocks = [
        _evaluated(gate_file.sha256),
        unchanged("", own_reports(found)),
        read_reports(found),
        judged(found),
        _approved(plan, people, others=gates.approval is not None),
        unchanged(" again"),
        _updated(plan),
        deployed(plan) if plan.endpoint else [],
        _archived(),
    ]
    states: States = {}
    steps = [step for block in blocks for step in block]
    for (name, state, more), following in zip(
        steps, [*(s[0] for s in steps[1:]), None], strict=True
    ):
        states[name] = linked(state, following)
        states |= {other: linked(one, following) for other, one in more.items()}
    states |= _rollback(plan)
    return {
        "Comment": f"mims: promotes a version of {gate_file.group} to {PRODUCTION}",
        "StartAt": steps[0][0],
        "States": states,
    }


def _evaluated(gates_sha256: str) -> list[Step]:
    """Refuse what was judged by another gate file, and what the command has refused."""
    refused = fail(GATE_REFUSED, path="$.refusals")
    other = "this state machine was made from another gate file, or by another version of mims: "
    return [
        (
            SAME_GATES,
            choice([same_gates(gates_sha256)], default="Other gate file"),
            {"Other gate file": fail(NOT_READY, f"{other}deploy it from the present one")},
        ),
        (
            "All gates passed?",
            choice([rule("$.passed", BooleanEquals=True)], default="Refused by a gate"),
            {"Refused by a gate": refused},
        ),
        (
            "Begin",
            {"Type": "Pass", "Result": {"count": 0}, "ResultPath": "$.looks", "Next": NEXT},
            {},
        ),
    ]


def _approved(plan: Plan, people: int, *, others: bool) -> list[Step]:
    """Ask for one approval after the other, each by someone else."""
    refused, late, lost = "Approval refused", "Approval timed out", "Approval not asked"
    steps: list[Step] = []
    for number in range(1, people + 1):
        answer = f"$.approvals.a{number}"
        ask = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {
                "QueueUrl": plan.queue_url,
                "MessageBody": {
                    "token.$": "$$.Task.Token",
                    "execution.$": "$$.Execution.Id",
                    "group.$": "$.group",
                    "version.$": "$.version",
                    "production.$": "$.production",
                    "verdicts.$": "$.verdicts",
                    "gates_sha256.$": "$.gates_sha256",
                    "asked_by.$": "$.asked_by",
                    "registered_by.$": "$.registered_by",
                    "reason.$": "$.reason",
                    "approval": number,
                    "of": people,
                    "by_others": others,
                    "seconds": plan.approval_seconds,
                },
            },
            "TimeoutSeconds": plan.approval_seconds,
            "ResultPath": answer,
            "Catch": [catch(["States.Timeout"], late), catch(["States.ALL"], lost)],
            "Next": NEXT,
        }
        tests: list[dict[str, Any]] = [
            {"Variable": f"{answer}.approved", "IsPresent": True},
            {"Variable": f"{answer}.approved", "BooleanEquals": True},
            {"Variable": f"{answer}.person", "IsPresent": True},
            {"Variable": f"{answer}.person", "IsString": True},
        ]
        before = [f"$.approvals.a{earlier}.person" for earlier in range(1, number)]
        for someone in [*(["$.registered_by"] if others else []), *before]:
            same = {"Variable": f"{answer}.person", "StringEqualsPath": someone}
            tests.append({"Not": same})
        said = f"States.JsonToString({answer})"
        refusal = state_name(f"{refused} {number}")
        ends: States = {refusal: fail(APPROVAL_REFUSED, path=said)}
        ends[late] = fail(
            APPROVAL_TIMED_OUT,
            f"nobody answered within {counted(plan.approval_seconds, 'second')}",
        )
        ends[lost] = fail(NOT_READY, path="$.error.Cause")
        steps += [
            (f"Ask for approval {number}", ask, ends),
            (f"Approved {number}?", choice([both(tests)], default=refusal), {}),
        ]
    return steps


def _updated(plan: Plan) -> list[Step]:
    """See what the endpoint serves, then approve the version and move it to Production."""
    steps = endpoint_known(plan) if plan.endpoint else []
    seen = "See what was updated"
    update = update_version(
        "$.version.arn",
        {
            "ModelApprovalStatus": "Approved",
            "ApprovalDescription.$": "$.said",
            "ModelLifeCycle": life(PRODUCTION, "Deployed"),
        },
        seen,
    )
    again = {**look("$.version.arn", ROLL_BACK), "Next": "Updated?"}
    again["Catch"] = [catch(["States.ALL"], ROLL_BACK, "$.unknown")]
    same = [
        {"Variable": f"$.now.{name}", "StringEqualsPath": f"$.version.{name}"}
        for name in ("stage", "approval")
    ]
    more: States = {
        seen: again,
        "Updated?": choice([both(same, "Update refused")], default=ROLL_BACK),
        "Update refused": fail(UPDATE_REFUSED, path="$.error.Cause"),
    }
    return [*steps, (UPDATE, {**update, "Next": NEXT}, more)]


def _archived() -> list[Step]:
    """Archive the version that was in Production, if there was one."""
    archive, done = "Archive the former version", "Promoted"
    update = update_version("$.production.arn", {"ModelLifeCycle": life(ARCHIVED, "Retired")})
    more = {archive: {**update, "Next": done}, done: {"Type": "Succeed"}}
    rules = [rule("$.production", IsNull=False, then=archive)]
    return [("Was one in Production?", {"Type": "Choice", "Choices": rules, "Default": done}, more)]


def _rollback(plan: Plan) -> States:
    """Take back what was changed: the endpoint first, then the versions."""
    versions, production, end = "Restore the version", "Restore Production", "All restored?"
    incomplete, note = "Rollback incomplete", "$.incomplete"
    life = {"ModelLifeCycle.$": "$.version.life", "ModelApprovalStatus.$": "$.version.approval"}
    one = update_version("$.version.arn", life, production + "?", note)
    other = update_version("$.production.arn", {"ModelLifeCycle.$": "$.production.life"}, end, note)
    first = "Back: see the endpoint" if plan.endpoint else versions
    states: States = {
        ROLL_BACK: {"Type": "Pass", "Result": {"count": 0}, "ResultPath": "$.back", "Next": first},
        versions: {**one, "Retry": PATIENT, "Next": production + "?"},
        production + "?": choice(
            [rule("$.production", IsNull=False, then=production)], default=end
        ),
        production: {**other, "Retry": PATIENT, "Next": end},
        end: choice(
            [{"Variable": note, "IsPresent": True, "Next": incomplete}], default="Rolled back"
        ),
        incomplete: fail(
            ROLLBACK_INCOMPLETE,
            path="States.Format('{}; and it was not all taken back: {}', $.error.Cause, "
            "$.incomplete.Cause)",
        ),
        "Rolled back": fail(ROLLED_BACK, path="$.error.Cause"),
    }
    return states | (endpoint_back(plan, versions) if plan.endpoint else {})
