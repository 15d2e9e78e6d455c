"""The registry's command line, against the local AWS: what it prints and asks, how it exits."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from faults import denied, throttled
from governance_versions import REGION, register_version
from mims.errors import EXIT_DONE, EXIT_INPUT, EXIT_SERVICE, EXIT_USAGE
from mims.governance import texts
from mims.governance.command import cli, main
from registration_inputs import GROUP, PACKAGE, VARIABLES, archive
from test_governance_everyday import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from faults import Faults

SCRIPTS = Path(__file__).parents[1] / "scripts"
LATEST = "s3://mims-models/latest/model.tar.gz"
READS = re.compile(r"(Describe|List|Get|Head)\w+")


@pytest.fixture(autouse=True)
def a_place_of_its_own(
    aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Nothing of whoever runs the tests stands for an option, and SageMaker decides at once."""
    for name in [name for name in os.environ if name.startswith(("MIMS_", "MODS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with aws.package_status(progression="immediate"):
        yield


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Give what a command with these arguments says on stdout, and check its exit code."""

    def run(*arguments: str, code: int = EXIT_DONE) -> str:
        capsys.readouterr()  # what was before
        assert main(arguments) == code, capsys.readouterr()
        return capsys.readouterr().out

    return run


@pytest.fixture
def told(said: Any) -> Any:
    """Give what a command says to programs."""

    def run(*arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in said(*arguments, "--json").splitlines()]

    return run


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Any:
    """Give what a command with these arguments says on stderr, and check its exit code."""

    def run(*arguments: str, code: int = EXIT_INPUT) -> str:
        capsys.readouterr()
        assert main(arguments) == code, capsys.readouterr()
        return capsys.readouterr().err

    return run


@pytest.fixture
def registered(s3: S3Client, bucket: str, tmp_path: Path) -> str:
    """Two versions, and an artifact that is none yet; give the artifact's S3 path."""
    for name in ("1", "2"):
        register_version(tmp_path / "runs" / name)
    s3.upload_file(str(archive(tmp_path / "model.tar.gz", PACKAGE)), bucket, "latest/model.tar.gz")
    return f"s3://{bucket}/latest/model.tar.gz"


# Without AWS


def run_python(*arguments: str, **environ: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_help_is_quick_and_teaches() -> None:
    """None of the heavy packages is imported for it."""
    code = (
        "import sys; from mims.governance.command import main; code = main(['--help']);"
        "heavy = {'boto3', 'botocore', 'pydantic', 'rich', 'yaml', 'matplotlib', 'mlflow'};"
        "print(sorted(heavy & set(sys.modules)), code)"
    )
    said = run_python("-c", code)
    assert said.endswith("[] 0\n")
    for part in ("Look:", "compare", "fraud/Production", "128+n   stopped by signal n"):
        assert part in said


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        else:
            yield (*path, name), command


@pytest.mark.parametrize("path", [" ".join(path) for path, _ in commands(cli)])
def test_every_command_teaches(path: str, said: Any) -> None:
    text = said(*path.split(), "--help")
    for part in (
        f"mims-registry {path}",
        "For example:",
        "With --json:",
        "Exit codes:",
        "--region",
    ):
        assert part in text


def test_every_command_that_is_there_is_in_a_section(said: Any) -> None:
    listed = re.findall(r"^  ([a-z-]+) ", said("--help"), re.MULTILINE)
    assert set(cli.commands) <= set(listed)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete(shell: str) -> None:
    script = str(SCRIPTS / "registry.py")
    made = run_python(script, _MIMS_REGISTRY_COMPLETE=f"{shell}_source")
    assert "_MIMS_REGISTRY_COMPLETE" in made
    typed = {"COMP_WORDS": "mims-registry comp", "COMP_CWORD": "1"}
    assert run_python(script, _MIMS_REGISTRY_COMPLETE="bash_complete", **typed) == "plain,compare\n"


WRONG_LINES = [
    ("fly",),
    ("show",),
    ("list", "fraud", "--limit", "0"),
    ("create-group",),
    ("create-group", "a", "--group", "b"),
    ("create-group", "a", "--tag", "b"),
    ("tag", "fraud"),
    ("tag", "fraud", "a=1", "a=2"),
    ("register",),
]


@pytest.mark.parametrize("arguments", WRONG_LINES, ids=" ".join)
def test_a_wrong_command_line(arguments: tuple[str, ...], complaint: Any) -> None:
    assert "mims-registry" in complaint(*arguments, code=EXIT_USAGE)


def test_a_region_is_needed(monkeypatch: pytest.MonkeyPatch, complaint: Any) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "give --region, or set AWS_REGION" in complaint("list")


def test_a_missing_package_names_the_extra(complaint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    assert "Python lacks boto3.session: pip install '.[governance]'" in complaint("list")


# What is asked of AWS

LOOKS = [
    ("list",),
    ("list", GROUP),
    ("show", GROUP),
    ("compare", f"{GROUP}/1", f"{GROUP}/2"),
    ("history", GROUP),
    ("history", f"{GROUP}/1"),
    ("download", GROUP, "--all"),
    # what changes something, did it not only look
    ("create-group", "fraud", "--tag", "team=risk", "--dry-run"),
    ("create-group", GROUP, "--tag", "team=risk", "--dry-run"),
    ("tag", GROUP, "team=risk", "--dry-run"),
    ("tag", f"{GROUP}/1", "team=risk", "--remove", "x", "--dry-run"),
    ("register", "--artifact", LATEST, "--dry-run"),
]


@pytest.mark.usefixtures("registered")
def test_what_only_looks_never_writes(said: Any, asked: list[str]) -> None:
    for arguments in LOOKS:
        asked.clear()
        assert said(*arguments)
        assert asked, arguments
        assert [one for one in asked if not READS.fullmatch(one)] == [], arguments


CHANGES = [
    (("create-group", "fraud"), "CreateModelPackageGroup"),
    (("tag", GROUP, "team=risk"), "AddTags"),
    (("tag", f"{GROUP}/1", "team=risk"), "UpdateModelPackage"),
    (("register", "--artifact", LATEST, "--group", GROUP), "CreateModelPackage"),
]


@pytest.mark.usefixtures("registered")
def test_what_changes_something_is_seen_to(said: Any, asked: list[str]) -> None:
    """The test above can fail."""
    for arguments, operation in CHANGES:
        asked.clear()
        assert said(*arguments)
        assert operation in asked


def test_throttling_is_waited_out_and_refusals_are_told(
    proxy: Faults, said: Any, complaint: Any
) -> None:
    said("create-group", "fraud")
    proxy.on("ListModelPackageGroups", throttled(), times=4)
    assert "fraud" in said("list")
    proxy.on("ListModelPackageGroups", denied("sagemaker:ListModelPackageGroups"))
    text = complaint("list", code=EXIT_SERVICE)
    assert "not authorized to perform: sagemaker:ListModelPackageGroups" in text
    assert "Traceback" not in text


def test_a_group_that_is_no_name_is_told(complaint: Any, aws: LocalAws) -> None:
    """As an unset variable leaves it."""
    for arguments in (
        ("list", ""),
        ("show", ""),
        ("show", "/3"),
        ("history", ""),
        ("tag", "", "a=b"),
    ):
        assert "no group is named" in complaint(*arguments)
    del aws


def test_a_first_sentence_is_not_cut_short(said: Any) -> None:
    assert "..." not in said("--help").partition("Look:")[2]


def test_what_is_no_digest_is_told_before_anything_is_asked(
    complaint: Any, asked: list[str]
) -> None:
    line = ("register", "--artifact", LATEST, "--sha256", "sha256:0")
    assert "is no SHA-256: 64 digits" in complaint(*line, code=EXIT_USAGE)
    assert asked == []


def test_an_aws_profile_that_is_not_there_is_told(
    complaint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    for line in (("list",), ("list", "--region", REGION)):
        assert "The config profile (nobody) could not be found" in complaint(
            *line, code=EXIT_SERVICE
        )


def test_what_is_not_there_is_told(said: Any, complaint: Any, registered: str) -> None:
    assert f"did you mean {GROUP}?" in complaint("list", GROUP + "s")
    assert "has no version number 7" in complaint("show", f"{GROUP}/7")
    assert "has no version in Production" in complaint("compare", f"{GROUP}/Production", GROUP)
    assert "must be group, group/number or group/stage" in complaint("show", f"{GROUP}/Prod")
    arn = "arn:aws:sagemaker:us-west-2:123456789012:model-package/fraud/9"
    assert f"us-west-2 has no version {arn}" in complaint("show", arn)
    assert "no model package group nobody" in complaint("history", "nobody")
    del said, registered


def test_an_arn_tells_the_region(
    said: Any, sagemaker: SageMakerClient, registered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = sagemaker.list_model_packages(ModelPackageGroupName=GROUP)
    arn = listing["ModelPackageSummaryList"][0]["ModelPackageArn"]
    group = sagemaker.describe_model_package_group(ModelPackageGroupName=GROUP)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert GROUP in said("show", arn)
    assert f"{GROUP}/2" in said("list", group["ModelPackageGroupArn"])
    assert GROUP not in said("list")
    assert GROUP in said("list", "--region", REGION)
    del registered


# What is printed

ANSWERS = [
    ("list",),
    ("list", GROUP),
    ("show", GROUP),
    ("compare", GROUP, f"{GROUP}/1"),
    ("history", GROUP),
    ("download", GROUP, "--all"),
    ("tag", GROUP, "a=b"),
    ("register", "--artifact", LATEST),
    ("register", "--artifact", LATEST, "--dry-run"),
    ("create-group", "fraud"),
]


@pytest.mark.usefixtures("registered")
def test_help_tells_every_key(said: Any, told: Any) -> None:
    for arguments in ANSWERS:
        rows = told(*arguments)
        assert rows
        taught = said(arguments[0], "--help").partition("With --json:")[2]
        if arguments[0] == "show":
            taught += said("list", "--help").partition("With --json:")[2]
        for row in rows:
            assert set(row) <= set(re.findall(r"\w+", taught)), arguments


@pytest.mark.usefixtures("registered")
def test_people_get_tables(said: Any) -> None:
    listing = said("list", GROUP)
    assert re.search(rf"{GROUP}/2 +Development +PendingManualApproval +Completed", listing)
    assert "accuracy 0.91, auc 0.93" in listing
    assert "\x1b" not in listing
    shown = said("show", GROUP)
    for part in (
        "model owner",
        "team id",
        "files, and their SHA-256",
        "auc",
        "workflow_execution_id",
    ):
        assert part in shown
    compared = said("compare", f"{GROUP}/1", f"{GROUP}/2")
    for part in (
        "input variables: the same",
        "changed: model_artifacts/weights.txt",
        "2 files the",
    ):
        assert part in compared
    assert "workflow execution wf-2" in said("history", GROUP)
    assert said("download", GROUP).startswith(f"{GROUP}-2/model.tar.gz: downloaded, ")
    assert said("download", GROUP).startswith(f"{GROUP}-2/model.tar.gz: there already, ")
    would = said("tag", GROUP, "a=b", "--remove", "c", "--dry-run")
    assert would == f"{GROUP}: would be a=b\n"
    assert said("create-group", GROUP, "--dry-run") == f"{GROUP}: unchanged\n"


def test_what_is_not_known_is_told(said: Any, sagemaker: SageMakerClient, registered: str) -> None:
    foreign(sagemaker)
    compared = said("compare", "theirs", "theirs", "--no-code")
    for part in ("no metrics in reports", "schema: not known of both", "model.tar.gz   differs"):
        assert part in compared
    register_version(
        Path("runs/3"),
        None,
        source_model_inference_input_variable_list=dict(reversed(VARIABLES.items())),
        source_model_inference_output_variable_list={"legacy-score": "TEXT"},
        source_model_inference_content_types=["application/json"],
    )
    compared = said("compare", f"{GROUP}/2", GROUP, "--no-code")
    for part in (
        "input variables: in another order",
        "output variables: legacy-score was NUMERIC, is TEXT",
        "not read: not asked for",
    ):
        assert part in compared
    del registered


def test_nothing_yet_is_told(said: Any) -> None:
    assert said("list") == "no groups yet: mims-registry create-group NAME makes one\n"
    assert said("create-group", "fraud", "--dry-run") == "fraud: would be created\n"
    assert said("create-group", "fraud") == "fraud: created\n"
    assert said("list", "fraud") == "no versions yet: mims-registry register makes one\n"
    assert said("history", "fraud") == "nothing yet: the audit trail is empty\n"


def test_a_terminal_gets_colours_and_nothing_cut_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    digest = "0123456789abcdef" * 4
    table = texts.table(("stage", "digest"), [("Production", digest)])
    assert "\x1b[32mProduction" in table
    plain = click.unstyle(table)
    assert max(map(len, plain.splitlines())) <= 40
    assert "".join(re.findall("[0-9a-f]{9,}", plain)) == digest
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in texts.table(("stage",), [("Production",)])


def test_what_others_wrote_hides_nothing() -> None:
    table = texts.table((), [("reason", "fine\x1b[2K\r[bold]\u202egood")])
    assert "\\x1b[2K\\r[bold]\\u202egood" in table


# The specification's quick start


def test_the_quick_start_works_under_its_own_names(
    s3: S3Client, bucket: str, tmp_path: Path
) -> None:
    """mlops_model_registry.md, Quick Start, but for the bucket's name."""
    s3.upload_file(str(archive(tmp_path / "m", PACKAGE)), bucket, "latest/model.tar.gz")
    create, register = (str(SCRIPTS / name) for name in ("create_registry.py", "register_model.py"))
    said = run_python(create, "--group", "fraud-detection-models")
    assert said == "fraud-detection-models: created\n"
    said = run_python(register, "--artifact", f"s3://{bucket}/latest/model.tar.gz")
    assert said == "fraud-detection-models/1: registered in us-west-2\n"
    said = run_python(register, "--artifact", f"s3://{bucket}/latest/model.tar.gz")
    assert said == "fraud-detection-models/1: registered before in us-west-2\n"
    assert "fraud-detection-models/1" in run_python(
        str(SCRIPTS / "registry.py"), "list", "fraud-detection-models"
    )
