"""No secret and no content of a model in a log at any level, in an exit message, in a manifest.

Names are shown: of files, of fields, of settings and the values of settings that are not allowed.
What lies in a file is not, nor what the environment holds, also when a run fails.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Mapping

import pytest

from archives import file, gz, tar
from front_door import lay
from mims.command_line import CommandLine
from mims.contracts import MIMS_PACKAGE_CONTRACT
from mims.job import run_job

if TYPE_CHECKING:
    from pathlib import Path

    from front_door import Container, Files, Outcome
    from mims.job import Job

CANARY = "canary-4f1b"
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": CANARY,
    "AWS_SESSION_TOKEN": CANARY,
    "HF_TOKEN": CANARY,
    "DATABASE_URL": f"postgres://user:{CANARY}@host/db",
    "PATH": f"/{CANARY}",
}
FIELDS = {
    "tab_field_list": ["age"],
    "text_name": "note",
    "api_key": CANARY,
    "more": {"k": [CANARY]},
}
HYPERPARAMETERS = json.dumps(FIELDS)
CODE = {
    "inference.py": f"KEY = '{CANARY}'\n",
    "requirements.txt": f"--index-url https://{CANARY}/\n",
}
COLUMNS = f"# {CANARY}\n0,age\n1,note\n"
WHOLE: Files = {
    "hyperparameters.json": HYPERPARAMETERS,
    "feature_columns.txt": COLUMNS,
    "model.bin": CANARY * 1000,
}
both = pytest.mark.parametrize("script", ["mims_package.py", "mims_payload.py"])


def run(container: Container, script: str, model: Files, **environ: str) -> Outcome:
    """Run a script at its most talkative; nothing that it tells may hold the canary."""
    lay(container.script, CODE)
    lay(container.model, model)

    outcome = container.run(script, "--verbose", **{**SECRETS, **environ})

    manifest = container.output / "manifest.json"
    told = [outcome.log, json.dumps(outcome.message, ensure_ascii=False)]
    told += [manifest.read_text("utf-8")] if manifest.exists() else []
    assert [CANARY in text for text in told] == [False] * len(told), told
    return outcome


@both
@pytest.mark.parametrize("archived", [False, True])
def test_a_good_run(container: Container, script: str, archived: bool) -> None:
    members = [file(name, str(content).encode()) for name, content in WHOLE.items()]
    model = {"model.tar.gz": gz(tar(*members))} if archived else WHOLE

    outcome = run(
        container,
        script,
        model,
        CONTENT_TYPES="application/json,text/csv",
        SPECIAL_FIELD_note=CANARY,
        SPECIAL_FIELD_other=CANARY,
        DEFAULT_TEXT_VALUE=CANARY,
    )

    assert outcome.code == 0
    if script == "mims_package.py":
        assert "DEBUG" in outcome.log  # it was at its most talkative


@pytest.mark.parametrize(
    ("script", "model", "says"),
    [
        # damage, met after the content
        (
            "mims_package.py",
            {"model.tar.gz": gz(tar(file("m", CANARY.encode())))[:-9]},
            "too early",
        ),
        (
            "mims_package.py",
            {"model.tar": tar(file("m", CANARY.encode()), CANARY.encode())},
            "header",
        ),
        ("mims_package.py", {"model.tar.gz": CANARY * 100}, "model.tar.gz"),
        # JSON that breaks beside it, and JSON of another kind
        ("mims_payload.py", {"hyperparameters.json": HYPERPARAMETERS[:-1]}, "not usable JSON"),
        ("mims_payload.py", {"hyperparameters.json": f'{{"api_key": "{CANARY}'}, "not usable JSON"),
        ("mims_payload.py", {"hyperparameters.json": f'{{"k": {CANARY}}}'}, "not usable JSON"),
        ("mims_payload.py", {"hyperparameters.json": f'{{"k": "{CANARY}\\x"}}'}, "not usable JSON"),
        ("mims_payload.py", {"hyperparameters.json": f"{{}} {CANARY}"}, "not usable JSON"),
        ("mims_payload.py", {"hyperparameters.json": f'"{CANARY}"'}, "is no JSON object"),
        ("mims_payload.py", {"hyperparameters.json": f'["{CANARY}"]'}, "is no JSON object"),
        ("mims_payload.py", {"hyperparameters.json": CANARY.encode() + b"\xff"}, "not usable JSON"),
        (
            "mims_payload.py",
            {"hyperparameters.json": f'{{"api_key": 1, "api_key": "{CANARY}"}}'},
            "api_key is there twice",
        ),
        # a value of the wrong type is named by its key
        ("mims_payload.py", {"hyperparameters.json": f'{{"api_key": "{CANARY}"}}'}, "no field"),
    ],
)
def test_a_bad_model(container: Container, script: str, model: Files, says: str) -> None:
    outcome = run(container, script, model)

    assert outcome.code == 1
    assert says in outcome.error


@both
def test_an_output_that_cannot_be_written(container: Container, script: str) -> None:
    container.output.parent.mkdir(parents=True, exist_ok=True)
    container.output.write_text("")

    assert run(container, script, WHOLE).code == 1


def test_a_bug(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its traceback shows places, never the values there."""

    def flow(job: Job) -> Mapping[str, Any]:
        secret = job.environ["SECRET"]
        return {"answer": len(secret) // (len(secret) - len(CANARY))}

    command_line = CommandLine(MIMS_PACKAGE_CONTRACT, str(tmp_path), verbose=True)
    assert run_job(command_line, flow, {"SECRET": CANARY}) == 70

    shown = capfd.readouterr()
    assert "ZeroDivisionError" in shown.err
    assert CANARY not in shown.out + shown.err
    assert CANARY not in (tmp_path / "opt/ml/output/message").read_text()
