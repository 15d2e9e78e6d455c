"""Commands of the approval pipeline: a promotion to Production that Step Functions carries out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from mims import console
from mims.errors import EXIT_DONE, EXIT_INPUT, InputError
from mims.governance.commands.deciding import going_on
from mims.governance.commands.shared import as_change, as_read, gate_file, registry_of, taught, tell
from mims.governance.commands.shared import version as version_
from mims.text import listed

if TYPE_CHECKING:
    from pathlib import Path

    from mims.governance.approval.executions import Execution, Pending
    from mims.governance.registry import Registry

_gates = gate_file(
    "the group's gate file, with a section `deployment:` if the promotion deploys", required=True
)

_queue = click.option(
    "--queue", required=True, metavar="URL", help="SQS queue that approvers are told by"
)


@click.group()
def pipeline() -> None:
    """Promote through Step Functions: evaluate, wait for approval, update, deploy, verify."""


@pipeline.command(
    epilog=taught(
        ["pipeline deploy --gates fraud.yaml --queue https://sqs… --role arn:aws:iam::…"],
        "  machine (its ARN), done (created, updated or unchanged), dry_run; with --definition\n"
        "  the definition itself, in Amazon States Language",
    )
)
@_gates
@_queue
@click.option(
    "--role",
    required=True,
    metavar="ARN",
    help="role of the state machine: what it has to allow, `pipeline policy` prints",
)
@click.option("--definition", "print_only", is_flag=True, help="print it and deploy nothing")
@as_change
def deploy(gates: Path, queue: str, role: str, print_only: bool, **options: Any) -> None:
    """Make the group's state machine of its gate file, or change it where it differs.

    Deploy again after each change of the gate file: executions hold to the one that they know.

    \b
    What is deployed, the gate file says; without an endpoint, nothing:
      deployment:
        endpoint: fraud-live
        role: arn:aws:iam::123456789012:role/model
        instance_type: ml.m5.large
        initial_instance_count: 2
        verification: {body: "1,2,3", content_type: text/csv}
        approval_hours: 72
    """  # noqa: D301 - click wants the character
    from mims.governance.approval import executions
    from mims.governance.approval.policy import Queue
    from mims.governance.approval.promotion import plan
    from mims.governance.approval.state_machine import definition
    from mims.governance.gates.file import GateFile

    gates_of = GateFile.load(gates)
    Queue.of(queue, console.region_of(options["region"]))
    made = definition(gates_of, plan(gates_of, queue))
    if print_only:
        click.echo(json.dumps(made, indent=2))
        return
    name = executions.machine_name(gates_of.group)
    machine = executions.deploy(registry_of(options), made, name, role, dry_run=options["dry_run"])
    report = {"machine": machine.arn, "done": machine.done, "dry_run": options["dry_run"]}
    would = "would be " if options["dry_run"] and machine.done != "unchanged" else ""
    tell(options, [report], lambda: f"{machine.arn or name}: {would}{machine.done}")


@pipeline.command(
    epilog=taught(
        [
            "pipeline policy --gates fraud.yaml --queue https://sqs… > policy.json",
            "pipeline policy --gates fraud.yaml --queue https://sqs… --trust > trust.json",
        ],
        "  the document, on one line",
    )
)
@_gates
@_queue
@click.option("--trust", "trusted", is_flag=True, help="print whom the role has to trust instead")
@as_read
def policy(gates: Path, queue: str, trusted: bool, **options: Any) -> None:
    """Print the IAM policy for the state machine's role: what it does, and nothing else.

    Put in your own names where places are open, such as <BUCKET> (that of the group's models), and
    leave out statements that begin with If where you don't use what they are for. <KEY> is a KMS
    key's id, <REPORTS> the bucket of reports that were registered by their S3 path.
    """
    from mims.governance.approval import policy as policies
    from mims.governance.approval.executions import machine_name
    from mims.governance.approval.promotion import plan as planned
    from mims.governance.approval.state_machine import definition
    from mims.governance.gates.file import GateFile

    gates_of = GateFile.load(gates)
    plan = planned(gates_of, queue)
    place = policies.Queue.of(queue, console.region_of(options["region"]))
    if trusted:
        document = policies.trust(machine_name(gates_of.group), place)
    else:
        document = policies.policy(definition(gates_of, plan), gates_of.group, plan, place)
    tell(options, [document], lambda: json.dumps(document, indent=2))
    if left := policies.open_places(document):
        console.say(f"put in your own for {listed(left)}, or leave out the statement")


@pipeline.command(
    epilog=taught(
        ["pipeline start fraud/3 --gates fraud.yaml"],
        "  execution, passed (whether the gates let it pass), refusals (why not), dry_run",
    )
)
@version_
@_gates
@click.option("--reason", default="", help="why, for whoever approves")
@as_change
def start(name: str, gates: Path, reason: str, **options: Any) -> int:
    """Judge VERSION, and start its promotion to Production; then others approve it.

    What a gate refuses is started, too: the execution ends at once, and follow puts that down.
    What an earlier command has left half done is completed first.
    """
    from mims.governance import stages
    from mims.governance.approval import executions
    from mims.governance.approval.promotion import prepare
    from mims.governance.gates.file import GateFile

    registry = registry_of(options, name)
    version = registry.version(name)
    gates_of = GateFile.load(gates, version.group)
    machine = executions.machine_name(gates_of.group)
    executions.check_made_of(registry, machine, gates_of.sha256)
    desk = stages.settle(registry, version.group, dry_run=options["dry_run"])
    given = prepare(registry, name, gates_of, reason=reason)
    execution = ""
    if not options["dry_run"]:
        execution = executions.start(registry, machine, given)
    if admitted := desk.history.admitted():
        console.say(going_on(desk.group, admitted[-1]))
    report = {
        "execution": execution,
        "passed": given["passed"],
        "refusals": given["refusals"],
        "dry_run": options["dry_run"],
    }
    judged = "its gates let it pass" if given["passed"] else f"refused: {given['refusals']}"
    if execution and not given["passed"]:
        console.say(f"{given['version']['name']}: {judged}")
    tell(options, [report], lambda: execution or f"{name} would be started: {judged}")
    return EXIT_DONE if given["passed"] else EXIT_INPUT


@pipeline.command(
    epilog=taught(
        ["pipeline waiting fraud"], "  version, asked_by, registered_by, reason, execution"
    )
)
@click.argument("group")
@as_read
def waiting(group: str, **options: Any) -> None:
    """Show which promotions of GROUP wait for approval."""
    from mims.governance.approval import executions
    from mims.governance.texts import table

    keys = ("version", "asked_by", "registered_by", "reason", "execution")
    found = executions.waiting(registry_of(options), group)
    rows = [{key: getattr(one, key) for key in keys} for one in found]
    tell(
        options,
        rows,
        lambda: table(keys, [list(row.values()) for row in rows]) if rows else "nothing waits",
    )


@pipeline.command(
    epilog=taught(
        ["pipeline answer fraud/3 --approve --reason 'board of 2026-11-20'"],
        "  version, approved, execution, dry_run",
    )
)
@click.argument("name", metavar="GROUP|VERSION")
@click.option("--approve", "word", flag_value="approved", help="let it go on")
@click.option("--refuse", "word", flag_value="refused", help="end it")
@click.option("--reason", required=True, help="why")
@as_change
def answer(name: str, word: str | None, reason: str, **options: Any) -> None:
    """Approve or refuse the promotion of GROUP that waits; of VERSION (fraud/3) and no other."""
    from mims.governance.approval import trail

    # An on/off flag can't be required: click takes "not given" for "off".
    if word is None:
        raise click.UsageError("say what the answer is: --approve or --refuse")
    approved = word == "approved"
    registry = registry_of(options)
    pending = _the_one(registry, name)
    dry_run = options["dry_run"]
    trail.answer(registry, pending, approved=approved, reason=reason, dry_run=dry_run)
    report = {
        "version": pending.version,
        "approved": approved,
        "execution": pending.execution,
        "dry_run": dry_run,
    }
    would = "would be " if dry_run else ""
    tell(options, [report], lambda: f"{pending.version}: {would}{word}")


def _the_one(registry: Registry, name: str) -> Pending:
    from mims.governance.approval import executions

    group, _, number = name.partition("/")
    waits = executions.waiting(registry, group)
    found = [one for one in waits if not number or one.version == name]
    if len(found) > 1:
        raise InputError(f"several wait, {listed(one.version for one in found)}: name one of them")
    if not found:
        others = listed(one.version for one in waits)
        raise InputError(
            f"no promotion of {name} waits for approval{others and f'; {others} does'}"
        )
    return found[0]


@pipeline.command(
    epilog=taught(
        ["pipeline follow arn:aws:states:…"],
        "  execution, status, error, cause, phase (as the audit trail has it: done, undone,\n"
        "  refused or incomplete)",
    )
)
@click.argument("execution", metavar="ARN")
@click.option(
    "--timeout", type=click.FloatRange(0), default=3600.0, show_default=True, help="in seconds"
)
@click.option(
    "--poll",
    type=click.FloatRange(0, min_open=True),
    default=10.0,
    show_default=True,
    help="seconds between looks",
)
@as_change
def follow(execution: str, timeout: float, poll: float, **options: Any) -> int:
    """Follow a promotion to its end, and put that down in the audit trail."""
    from mims.governance.approval import executions, trail

    registry = registry_of(options, execution)
    ended = executions.follow(registry, execution, timeout=timeout, between=poll)
    decision = trail.told(registry, ended)
    if not options["dry_run"]:
        decision = trail.record(registry, ended)
    report = {
        "execution": execution,
        "status": ended.status,
        "error": ended.error,
        "cause": ended.cause,
        "phase": decision.phase,
    }
    tell(options, [report], lambda: _ended(ended, decision.phase))
    return EXIT_DONE if ended.status == "SUCCEEDED" else EXIT_INPUT


_MEANS = {
    "done": "promoted",
    "refused": "refused: nothing was changed",
    "undone": "failed: all that was changed was changed back",
    "incomplete": "INCOMPLETE: what was changed was not all changed back: look at the versions "
    "(mims-registry list) and the endpoint, and put them right",
}


def _ended(execution: Execution, phase: str) -> str:
    parts = [execution.arn, execution.status, execution.error, execution.cause]
    return f"{': '.join(part for part in parts if part)}\n{_MEANS[phase]}"
