"""What the audit trail learns of promotions by a state machine, and whom it tells to wait."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from approval_groups import BEFORE, MACHINE_ROLE, REPORTS, Group, play
from governance_versions import OPERATOR, OTHER, register_version
from mims.errors import InputError
from mims.governance import stages
from mims.governance.approval import executions, trail
from mims.governance.command import main
from mims.governance.decisions import BEGUN, PROMOTE, Decision, History, OvertakenError
from mims.governance.moves import step_of
from patience import looks

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import LocalAws

pytestmark = pytest.mark.usefixtures("bucket")
BOTH = ("Production Approved", "Production Approved")


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path)


def deploying(group: Group, aws: LocalAws) -> str:
    """Promote until the endpoint is being updated, which does not end."""
    group.make(between=1, looks=1000)
    group.config()
    execution = group.start()
    play(aws, ends=["Stuck"])
    group.approve(execution)
    for _ in looks():
        if group.stages() == BOTH:
            return execution
    raise AssertionError(executions.status(group.registry, execution))


def stop(group: Group, execution: str) -> None:
    boto3.client("stepfunctions").stop_execution(executionArn=execution)
    assert group.end(execution).status == "ABORTED"


def test_other_moves_wait_while_the_state_machine_makes_one(
    group: Group, aws: LocalAws, tmp_path: Path
) -> None:
    third = group.put(register_version(tmp_path / "3", REPORTS), "Staging")
    execution = deploying(group, aws)

    told = "a state machine is promoting version 2 to Production for .*pipeline follow arn:aws:sta"
    for dry_run in (False, True):
        with pytest.raises(OvertakenError, match=told):
            stages.promote(group.registry, third.name, group.gates, dry_run=dry_run)
    assert group.stages() == BOTH

    stop(group, execution)
    with pytest.raises(InputError, match="version 2 by a state machine has ended, and the audit"):
        stages.approve(group.registry, third.name, reason="", dry_run=True)
    # Stopped half way: neither done nor undone, and the next command says so before its own move.
    stages.approve(group.registry, third.name, reason="read it")
    assert group.tells() == [
        *("approve done", "promote begun", "promote incomplete"),
        "approve done",
    ]
    assert main(["pipeline", "follow", execution]) == 1
    assert len(group.tells()) == 4


def test_follow_tells_what_was_left_half_done(
    group: Group, aws: LocalAws, capsys: pytest.CaptureFixture[str]
) -> None:
    execution = deploying(group, aws)
    stop(group, execution)

    assert main(["pipeline", "follow", execution, "--dry-run"]) == 1
    assert "ABORTED\nINCOMPLETE: what was changed was not all changed" in capsys.readouterr().out
    assert group.tells()[-1] == "promote begun"
    assert main(["pipeline", "follow", execution, "--json"]) == 1
    assert '"phase": "incomplete"' in capsys.readouterr().out
    assert group.tells()[-1] == "promote incomplete"


def test_an_execution_that_was_stopped_before_it_changed_anything(group: Group) -> None:
    """The local AWS stops none that waits for an answer: as if it had."""
    execution = group.start()
    group.asked(execution)
    stopped = replace(executions.status(group.registry, execution), status="ABORTED")

    assert trail.record(group.registry, stopped).reason == "better; ABORTED"
    assert (group.tells(), group.stages()) == (["promote refused"], BEFORE)


def test_an_execution_that_step_functions_has_forgotten(group: Group) -> None:
    """After 90 days, or with its state machine: the group goes on, and people have to look."""
    execution = executions.status(group.registry, group.start())
    decision = trail._decision(execution, BEGUN)  # noqa: SLF001
    gone = Decision(**{**vars(decision), "execution": f"{execution.arn}0"})
    group.registry.trail(group.new).append(gone.record())

    stages.reject(group.registry, group.new.name, reason="too old")

    history = History.read(group.registry.trail(group.new)).decisions
    assert [f"{one.action} {one.phase}" for one in history] == [
        *("promote begun", "promote incomplete", "reject begun", "reject done"),
    ]
    assert "is no longer known: look whether versions and endpoint" in history[1].reason


def test_nobody_approves_while_another_move_is_under_way(group: Group) -> None:
    execution = group.start()
    pending = group.asked(execution)
    steps = (step_of(group.new, "Archived"),)
    begun = Decision(PROMOTE, BEGUN, OPERATOR, group.new.arn, steps=steps)
    group.registry.trail(group.new).append(begun.record())

    with pytest.raises(OvertakenError, match=r"/Operators/\w+ began to promote version 2 at"):
        trail.answer(group.registry, pending, approved=True, by=OTHER, reason="fine")

    assert group.tells() == ["promote begun"]
    assert executions.status(group.registry, execution).status == "RUNNING"


def test_an_answer_that_was_cut_off_is_put_down_once(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = group.start()
    pending = group.asked(execution)

    def cut_off(*_: Any) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(executions, "send", cut_off)
        with pytest.raises(KeyboardInterrupt):
            trail.answer(group.registry, pending, approved=True, by=OTHER, reason="fine")
    assert group.tells() == ["approve done", "promote begun"]

    # It still waits: the same person answers again, or another does.
    trail.answer(group.registry, pending, approved=True, by=OTHER, reason="fine")

    ended = group.end(execution)
    assert ended.status == "SUCCEEDED", ended.cause
    trail.record(group.registry, ended)
    assert group.tells() == ["approve done", "promote begun", "promote done"]


def test_the_next_command_puts_down_a_promotion_that_nobody_followed(group: Group) -> None:
    """So it can be rolled back."""
    assert group.promoted().status == "SUCCEEDED"
    assert group.tells() == ["approve done", "promote begun"]

    outcome = stages.rollback(group.registry, group.new.group, reason="complaints")

    assert outcome.decision.arn == group.old.arn
    assert group.tells()[:3] == ["approve done", "promote begun", "promote done"]


def test_an_execution_of_another_state_machine_is_no_promotion(
    group: Group, capsys: pytest.CaptureFixture[str]
) -> None:
    made: Any = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    machine = executions.deploy(group.registry, made, "other", MACHINE_ROLE)
    sfn = boto3.client("stepfunctions")
    started = sfn.start_execution(stateMachineArn=machine.arn, input="[]")["executionArn"]

    assert main(["pipeline", "follow", started]) == 1
    assert "was not started by `pipeline start`: it is no promotion" in capsys.readouterr().err
