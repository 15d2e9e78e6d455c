"""The commands of A/B, from start to decision, against the local AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ab_groups import (
    CAPTURE,
    GATES,
    LABELS,
    QUICK,
    Group,
    a_group,
    answered,
    delete,
    served,
    stands,
    weights,
)
from governance_versions import REGION
from mims.errors import EXIT_DONE, EXIT_INPUT, EXIT_USAGE
from mims.governance import stages
from mims.governance.ab import guardrails, watching
from mims.governance.ab.endpoint import look
from mims.governance.command import main
from mims.governance.decisions import History
from mims.governance.registry import Registry
from mims.registration.aws import client
from traffic import settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mims.governance.ab.design import Design

    Said = Callable[..., str]

pytestmark = pytest.mark.usefixtures("bucket")

QUICKLY = ("--poll", "0.05", "--timeout", "60")
WHY = ("--reason", "cheaper")
READS = ("Describe", "List", "Get", "Head")


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    monkeypatch.chdir(tmp_path)
    made = a_group(tmp_path)
    for name, auc in (("gates.yaml", 0.9), ("strict.yaml", 0.99)):
        (tmp_path / name).write_text(GATES.format(group=made.champion.group, auc=auc))
    return made


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Give what a command prints, and check its exit code."""

    def run(*arguments: str, code: int = EXIT_DONE) -> str:
        capsys.readouterr()
        assert main(["ab", *arguments]) == code, capsys.readouterr()
        return capsys.readouterr().out

    return run


def start(said: Said, group: Group, *more: str, code: int = EXIT_DONE) -> str:
    given = ("--gates", "gates.yaml", "--smallest", "0.05", "--traffic", "0.5")
    places = ("--capture", CAPTURE, "--labels", LABELS)
    challenger = group.challenger.name
    return said(*("start", "fraud", challenger, *given, *places, *WHY, *QUICKLY, *more), code=code)


def design() -> Design:
    found = look(Registry(REGION), "fraud").design
    assert found
    return found


def watch(said: Said, *more: str, code: int = EXIT_DONE) -> str:
    return said("watch", "fraud", "--reason", "schedule", *QUICKLY, *more, code=code)


def test_from_start_to_promotion(said: Said, group: Group, tmp_path: Path) -> None:
    told = start(said, group, "--minimum", "300")
    assert f"{group.challenger.name} gets 0.5 of the traffic" in told
    assert "a difference of 0.05 is found 8 times in 10 within" in told
    assert "nothing is decided before each variant has 300" in said("status", "fraud")

    answered(design(), right=(0.7, 0.95), records=1500)

    page = tmp_path / "ab.html"
    told = said("status", "fraud", "--page", str(page))
    assert told.startswith("fraud: challenger better: promote the challenger")
    assert "<svg" in page.read_text()
    told = watch(said, "--promote", "--gates", "gates.yaml")
    assert f"promoted: endpoint fraud serves {group.challenger.name} alone" in told
    assert f"{group.challenger.name}: Staging → Production" in told
    assert weights() == {"2": 1.0}
    assert stands(group.challenger) == ("Production", "Approved")
    reasons = [d.reason for d in History.read(Registry(REGION).trail(group.champion)).decisions]
    assert reasons[-1].startswith("A/B, challenger better: p = ")
    assert reasons[-1].endswith("schedule")


def test_a_better_challenger_waits_for_whoever_may_promote_it(said: Said, group: Group) -> None:
    start(said, group, "--minimum", "300")
    answered(design(), right=(0.7, 0.95), records=1500)

    report = json.loads(watch(said, "--once", "--json"))

    assert (report["state"], report["winner"], report["end"]) == (
        *("challenger better", "challenger"),
        None,
    )
    assert set(weights()) == {"1", "2"}
    watch(said, "--promote", "--gates", "strict.yaml", code=EXIT_INPUT)
    assert set(weights()) == {"1", "2"}
    assert stands(group.champion) == ("Production", "Approved")


def test_what_speaks_for_the_champion_rolls_back(said: Said, group: Group) -> None:
    start(said, group, "--minimum", "300")
    answered(design(), right=(0.95, 0.7), records=1500)

    dry = json.loads(watch(said, "--dry-run", "--json"))
    assert (dry["state"], dry["end"]["done"]) == ("champion better", "rolled back")
    assert set(weights()) == {"1", "2"}

    report = json.loads(watch(said, "--json"))

    assert report["end"]["moves"] == [
        {"version": group.challenger.name, "from": "Approved", "to": "PendingManualApproval"}
    ]
    assert served() == group.config


def test_a_guardrail_rolls_back_before_there_are_labels(
    said: Said, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(said, group)
    found = guardrails.look(client("cloudwatch", REGION), design())
    breached = guardrails.Guardrails(**{**vars(found), "breaches": ("latency: too slow",)})
    monkeypatch.setattr(guardrails, "look", lambda *_, **__: breached)

    told = watch(said)

    assert told.startswith("fraud: guardrail: roll back at once")
    assert "latency: too slow" in told
    assert served() == group.config
    assert stands(group.challenger) == ("Staging", "PendingManualApproval")


def test_it_is_looked_at_until_it_is_decided(group: Group, said: Said) -> None:
    start(said, group, "--minimum", "300")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            answered(design(), right=(0.95, 0.7), records=1500)

    looks = [
        (seen.verdict.state, ended and ended.done)
        for seen, ended in watching.watch(
            *(Registry(REGION), "fraud"), reason="", every=7, patience=QUICK, sleep=sleep
        )
    ]

    assert looks == [("running", None)] * 2 + [("champion better", "rolled back")]
    assert waited == [7, 7]


def test_stop_by_hand(said: Said, group: Group) -> None:
    start(said, group)

    told = said("stop", "fraud", "--roll-back", *WHY, *QUICKLY)

    assert told.startswith("rolled back: endpoint fraud has its former configuration")
    start(said, group)
    said("stop", "fraud", "--promote", *WHY, *QUICKLY, code=EXIT_USAGE)
    said("stop", "fraud", *WHY, code=EXIT_USAGE)
    both = ("--roll-back", "--promote", "--gates", "gates.yaml")
    said("stop", "fraud", *both, *WHY, code=EXIT_USAGE)
    report = json.loads(
        said("stop", "fraud", "--promote", "--gates", "gates.yaml", "--json", *WHY, *QUICKLY)
    )
    assert (report["done"], report["version"]) == ("promoted", group.challenger.name)
    said("status", "fraud", code=EXIT_INPUT)


@pytest.mark.slow
def test_weights_that_somebody_has_changed_end_it(said: Said, group: Group) -> None:
    """The test stands on the split: with another one it would find what is not there."""
    start(said, group, "--minimum", "300")
    answered(design(), right=(0.7, 0.95), records=1500)
    change: Any = {"VariantName": design().challenger_variant, "DesiredWeight": 0.25}
    sagemaker = boto3.client("sagemaker")
    sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="fraud", DesiredWeightsAndCapacities=[change]
    )
    settled(sagemaker, "fraud")

    report = json.loads(said("status", "fraud", "--json"))

    assert (report["state"], report["winner"]) == ("split broken", None)
    assert report["reasons"][0].startswith(
        "the endpoint gives the challenger 0.3333 of the traffic by now, not the 0.5"
    )
    watch(said, "--promote", "--gates", "gates.yaml", "--once")
    assert served() == group.config


@pytest.mark.slow
def test_what_became_of_the_versions_meanwhile_is_told(said: Said, group: Group) -> None:
    start(said, group)
    name, registry = group.challenger.name, Registry(REGION)
    stages.reject(registry, name, reason="biased")
    wanted = f"{name} is Rejected, in Staging, by now, and can't be promoted: roll back"
    assert wanted in said("status", "fraud")

    registry.update(group.champion, ModelLifeCycle={"Stage": "Archived", "StageStatus": "Retired"})
    assert f"{group.champion.name} is in Archived by now: roll back" in said("status", "fraud")

    delete(group.challenger)
    said("status", "fraud", code=EXIT_INPUT)
    assert main(["ab", "watch", "fraud", "--once", *WHY]) == EXIT_INPUT
    said("stop", "fraud", "--roll-back", *WHY, *QUICKLY)
    assert served() == group.config


def test_looking_only_looks(said: Said, group: Group, asked: list[str]) -> None:
    start(said, group)
    answered(design(), right=(0.9, 0.9), records=50)
    asked.clear()

    report = json.loads(said("status", "fraud", "--json"))

    assert all(operation.startswith(READS) for operation in asked), asked
    assert (report["champion"]["share"], report["challenger"]["share"]) == (0.5, 0.5)
    assert report["champion"]["scored"] + report["challenger"]["scored"] == 50
    assert (report["state"], report["ended"]) == ("running", False)
    assert report["design"]["former"] == group.config


def test_a_dry_run_and_a_refusal_change_nothing(said: Said, group: Group) -> None:
    assert "would be: endpoint fraud serves" in start(said, group, "--dry-run")
    told = start(said, group, "--gates", "strict.yaml", code=EXIT_INPUT)
    assert f"{group.challenger.name} is refused: 1 of its gates failed" in told
    report: dict[str, Any] = json.loads(start(said, group, "--json", "--dry-run"))
    assert (report["done"], report["dry_run"]) == ("started", True)
    assert report["needed"] * 2 == report["design"]["most"]
    assert served() == group.config


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300"])
@pytest.mark.parametrize("option", ["--every", "--poll", "--timeout"])
def test_no_wait_is_without_an_end(
    capsys: pytest.CaptureFixture[str], option: str, seconds: str
) -> None:
    given = ("ab", "watch", "fraud", "--reason", "schedule", "--region", REGION)
    assert main([*given, option, seconds]) == EXIT_INPUT
    assert f"{option[2:]} {float(seconds):g}: must be from 0 to" in capsys.readouterr().err


def test_help_teaches(said: Said) -> None:
    for command in ("start", "status", "stop", "watch"):
        told = said(command, "--help")
        assert "For example:" in told
        assert "Exit codes:" in told
