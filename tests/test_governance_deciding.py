"""The commands that decide and account, as an operator types them; each in the local AWS."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from ab_groups import QUICK, a_group, wish
from governance_versions import JOB, OTHER, REGION, REPORTS, register_version
from mims.errors import EXIT_DONE, EXIT_INPUT, EXIT_USAGE
from mims.governance.ab import experiment
from mims.governance.command import main
from mims.governance.registry import Registry
from patience import looks

if TYPE_CHECKING:
    from conftest import LocalAws
    from mims.governance.versions import Version

READS = re.compile("(Describe|List|Get|Head|Query|BatchDescribe).*")
GATES = """
group: {group}
staging: {{}}
production:
  metrics:
    auc: {{at_least: 0.9}}
  approval: {{by_others: 1}}
card:
  intended_uses: Hold doubtful payments for an analyst
"""


@pytest.fixture
def version(aws: LocalAws, bucket: str, tmp_path: Path) -> Version:
    assert bucket
    with aws.package_status(progression="immediate"):
        return register_version(tmp_path / "1", REPORTS, job_arn=JOB)


@pytest.fixture
def gates(version: Version, tmp_path: Path) -> str:
    file = tmp_path / "gates.yaml"
    file.write_text(GATES.format(group=version.group))
    return str(file)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Give what a command says, on stdout or else on stderr, and check its exit code."""

    def run(*arguments: str, code: int = EXIT_DONE) -> str:
        capsys.readouterr()
        ended = main(arguments)
        out, err = capsys.readouterr()
        assert ended == code, (out, err)
        return str(out or err)

    return run


def test_what_only_looks_never_writes(
    version: Version, gates: str, said: Any, asked: list[str], tmp_path: Path
) -> None:
    name = version.name
    page = str(tmp_path / "card.html")
    for arguments in (
        ("audit", "verify", version.group),
        ("card", "export", name, "--gates", gates, "--out", page),
        ("card", "save", name, "--gates", gates, "--dry-run"),
        ("lineage", "show", name),
        ("lineage", "show", name, "--svg"),
        ("lineage", "show", name, "--json"),
        ("lineage", "record", name, "--data", "s3://data/2026/", "--dry-run"),
        ("promote", name, "--gates", gates, "--dry-run"),
        ("approve", name, "--reason", "good", "--dry-run"),
        ("reject", name, "--reason", "bad", "--dry-run"),
    ):
        asked.clear()
        assert said(*arguments)
        assert asked, arguments
        assert [one for one in asked if not READS.fullmatch(one)] == [], arguments


def test_a_refusal_and_its_gates_as_json(version: Version, gates: str, said: Any) -> None:
    said("promote", version.name, "--gates", gates)
    text = said("promote", version.name, "--gates", gates, "--json", code=EXIT_INPUT)
    told = json.loads(text)
    assert (told["action"], told["phase"], told["version"]) == ("promote", "refused", version.name)
    assert told["moves"] == [{"version": version.name, "from": "Staging", "to": "Production"}]
    assert {v["gate"]: v["passed"] for v in told["verdicts"]} == {
        "metrics.auc": True,
        "approval": False,
    }


def test_a_gate_file_with_mistakes_names_them_all(
    version: Version, tmp_path: Path, said: Any
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        f"group: {version.group}\nstaging:\n  metrics:\n    auc: {{at_leest: 0.9}}\n  schemas: x\n"
    )
    text = said("promote", version.name, "--gates", str(file), code=EXIT_INPUT)
    assert f"{file}:4:11: staging.metrics.auc.at_leest: unknown key; did you mean at_least?" in text
    assert f"{file}:5:3: staging.schemas: unknown key; did you mean schema?" in text


def test_without_a_gate_file_it_says_where_one_is_looked_for(
    version: Version, said: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = said("promote", version.name, code=EXIT_INPUT)
    assert told == f"error: no gate file: give --gates FILE, or write {version.group}.yaml here\n"


@pytest.mark.parametrize("reason", ["", " ", "\udcff"])
@pytest.mark.parametrize("action", ["approve", "reject", "archive", "rollback"])
def test_a_reason_says_something(action: str, reason: str, said: Any) -> None:
    told = said(action, "fraud", "--reason", reason, code=EXIT_USAGE)
    assert "'--reason': is empty: say why" in told or "'--reason': must be UTF-8" in told


def test_a_rollback_is_a_groups(said: Any) -> None:
    told = said("rollback", "fraud/1", "--reason", "worse", code=EXIT_USAGE)
    assert "fraud/1 is no group" in told


def test_a_broken_link_of_the_trail_is_named(version: Version, said: Any) -> None:
    assert said("audit", "verify", version.group).startswith("1 record; the newest is mims/")
    said("approve", version.name, "--reason", "good")
    assert "2 records, each linked to the one before;" in said("audit", "verify", version.group)
    registry = Registry(REGION)
    key = f"mims/{version.group}/audit/00000001.json"
    content = registry.s3.get_object(Bucket=version.bucket, Key=key)["Body"].read()
    changed = content.replace(b'"outcome":"registered"', b'"outcome":"tampered"')
    assert changed != content
    registry.s3.put_object(Bucket=version.bucket, Key=key, Body=changed)
    text = said("audit", "verify", version.group, code=EXIT_INPUT)
    assert "00000002.json: its previous_sha256 is" in text


def test_a_card_is_saved_shown_and_exported(
    version: Version, gates: str, said: Any, tmp_path: Path
) -> None:
    assert "has no model card" in said("card", "show", version.name, code=EXIT_INPUT)
    save = ("card", "save", version.name, "--gates", gates)
    assert said(*save, "--dry-run").endswith(", Draft: would be created\n")
    assert said(*save).endswith(", Draft: created\n")
    content = json.loads(said("card", "show", version.name, "--json"))["content"]
    assert "Hold doubtful payments" in json.dumps(content)
    page = tmp_path / "card.html"
    said("card", "export", version.name, "--gates", gates, "--out", str(page))
    assert "Hold doubtful payments for an analyst" in page.read_text(encoding="utf-8")


def test_an_ab_that_goes_on_is_told_of(
    bucket: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint goes on with it, whatever becomes of its champion or challenger."""
    assert bucket
    group = a_group(tmp_path)
    name = group.champion.group
    third = register_version(tmp_path / "3", REPORTS)
    registry = Registry(REGION)
    registry.update(third, ModelLifeCycle={"Stage": "Staging", "StageStatus": "InProgress"})
    gates = tmp_path / "gates.yaml"
    gates.write_text(f"group: {name}\nstaging: {{}}\nproduction: {{}}\n")
    by = ("--gates", str(gates))

    def told(*arguments: str) -> str:
        capsys.readouterr()
        assert main([*arguments, "--dry-run"]) == EXIT_DONE
        return capsys.readouterr().err

    assert told("promote", third.name, *by) == ""
    start = (registry, "fraud", group.challenger.arn, group.gates, wish())
    experiment.start(*start, reason="cheaper", patience=QUICK)

    note = f"note: an A/B of {group.challenger.name} goes on behind endpoint fraud, begun by arn:"
    moves = (
        ("promote", third.name, *by),
        ("promote", group.challenger.name, *by),
        ("archive", group.challenger.name, "--reason", "old"),
        ("reject", group.challenger.name, "--reason", "bad"),
    )
    for move in moves:
        assert told(*move).startswith(note), move
    assert "look at it, mims-registry ab status fraud, and end it with ab stop" in told(*moves[0])
    assert told("archive", third.name, "--reason", "old") == ""  # of which the A/B knows nothing
    queue = boto3.client("sqs").create_queue(QueueName="approvals")["QueueUrl"]
    role = "arn:aws:iam::123456789012:role/promote"
    assert main(["pipeline", "deploy", *by, "--queue", queue, "--role", role]) == EXIT_DONE
    assert told("pipeline", "start", third.name, *by).startswith(note)
    assert main(["promote", third.name, *by]) == EXIT_DONE
    assert told("rollback", name, "--reason", "worse").startswith(note)


def test_lineage_is_recorded_and_shown(version: Version, said: Any, tmp_path: Path) -> None:
    said("lineage", "record", version.name, "--data", "s3://data/2026/", "--commit", "8d3fd7a")
    text = said("lineage", "show", version.name)
    assert "Code git@8d3fd7a" in text
    assert "DataSet 2026" in text
    picture = tmp_path / "lineage.svg"
    said("lineage", "show", version.name, "--svg", "--out", str(picture))
    assert picture.read_text(encoding="utf-8").startswith("<svg")
    told = json.loads(
        said("lineage", "show", version.name, "--svg", "--out", str(picture), "--json")
    )
    assert {"DataSet", "Code"} < {node["kind"] for node in told["nodes"]}
    assert (told["file"], told["bytes"]) == (str(picture), picture.stat().st_size)
    told = json.loads(said("lineage", "show", version.name, "--svg", "--json"))
    assert told["svg"].startswith("<svg")
    again = ("lineage", "record", version.name, "--commit", "8d3fd7a", "--json")
    assert not any(part["new"] for part in json.loads(said(*again))["nodes"])


def test_the_approval_pipeline_from_the_command_line(
    version: Version, gates: str, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said("promote", version.name, "--gates", gates)
    queue = boto3.client("sqs").create_queue(QueueName="approvals")["QueueUrl"]
    role = "arn:aws:iam::123456789012:role/promote"
    deploy = ("pipeline", "deploy", "--gates", gates, "--queue", queue, "--role", role)
    assert '"StartAt"' in said(*deploy, "--definition")
    start = ("pipeline", "start", version.name, "--gates")
    strict = Path(gates).with_name("strict.yaml")
    strict.write_text(Path(gates).read_text().replace("at_least: 0.9", "at_least: 0.99"))
    assert "deploy it first" in said(*start, gates, "--dry-run", code=EXIT_INPUT)
    others = (*deploy[:3], str(strict), *deploy[4:])
    assert "would be created" in said(*others, "--dry-run")
    assert "created" in said(*others)
    told = said(*start, str(strict), "--dry-run", code=EXIT_INPUT)
    assert "would be started: refused: metrics.auc: 0.93 is less than 0.99" in told
    for how in ((), ("--dry-run",)):
        told = said(*start, gates, *how, code=EXIT_INPUT)
        assert "was made from another gate file, or by another version of mims: deploy" in told
    assert "updated" in said(*deploy)
    assert "unchanged" in said(*deploy)
    execution = said(*start, gates).strip()
    waiting = ""
    for _ in looks():
        waiting = said("pipeline", "waiting", version.group)
        if version.name in waiting:
            break
    assert version.name in waiting
    monkeypatch.setattr(Registry, "actor", OTHER)
    answer = ("pipeline", "answer", version.group, "--approve", "--reason", "reviewed")
    other = ("pipeline", "answer", f"{version.group}/9", *answer[3:])
    assert f"; {version.name} does" in said(*other, code=EXIT_INPUT)
    neither = ("pipeline", "answer", version.group, "--reason", "reviewed")
    assert "--approve or --refuse" in said(*neither, code=EXIT_USAGE)
    assert f"{version.name}: would be refused" in said(*neither, "--refuse", "--dry-run")
    assert "would be approved" in said(*answer, "--dry-run")
    assert "approved" in said(*answer)
    assert "SUCCEEDED" in said("pipeline", "follow", execution, "--poll", "0.1")
    assert Registry(REGION).version(version.name).stage == "Production"
    history = said("history", version.name)
    assert "promote: done" in history
