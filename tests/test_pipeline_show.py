"""What `follow` shows: to people on a terminal and off it, and to programs."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mims.errors import EXIT_DONE, EXIT_INPUT
from mims.pipeline.command import main
from pipeline_executions import create, ended, executing, job_arn, play, starting, step

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws

SCRIPT = Path(__file__).parents[1] / "scripts" / "mims_pipeline.py"
BEGAN = 1_700_000_000  # 2023-11-14 22:13:20 UTC
QUICK = ("--poll", "0.01")


def failing(aws: LocalAws, sagemaker: SageMakerClient) -> str:
    """An execution that fails, of which a job tells two problems."""
    create(sagemaker)
    job = job_arn("processing", "package")
    error = "2 problems:\n  - model.tar.gz is cut short\n  - [bold]inference.py[/bold] is missing"
    message = json.dumps({"job": "package", "exit_code": 1, "error": error})
    reason = "ClientError: exit code 1"
    metadata = {"ProcessingJob": {"Arn": job}}
    failed = step("Package", "Failed", FailureReason=reason, Metadata=metadata)
    described = {
        "ProcessingJobName": "package",
        "ProcessingJobArn": job,
        "ProcessingJobStatus": "Failed",
        "ExitMessage": message,
    }
    play(aws, ended("Failed", failed, reason="Step failure"), jobs=[described])
    return starting(sagemaker)


def test_a_failure_is_shown_with_what_the_job_said(
    aws: LocalAws, sagemaker: SageMakerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = failing(aws, sagemaker)
    assert main(["follow", arn, *QUICK]) == EXIT_INPUT
    assert capsys.readouterr().out.splitlines() == [
        f"{arn}: Failed",
        "Package failed: ClientError: exit code 1",
        "  package failed (exit code 1): 2 problems:",
        "    - model.tar.gz is cut short",
        "    - [bold]inference.py[/bold] is missing",
        f"  ({job_arn('processing', 'package')})",
    ]


def test_programs_get_json(
    aws: LocalAws, sagemaker: SageMakerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    arn = failing(aws, sagemaker)
    assert main(["follow", arn, *QUICK, "--json"]) == EXIT_INPUT
    lines = capsys.readouterr().out.splitlines()
    package, execution, end = [json.loads(line) for line in lines]
    assert package == {
        "step": "Package",
        "status": "Failed",
        "since": None,
        "seconds": None,
        "cached": False,
        "attempt": 1,
        "reason": "ClientError: exit code 1",
    }
    assert (execution["step"], execution["reason"]) == ("", "Step failure")
    assert datetime.fromisoformat(execution["since"]).tzinfo
    assert (end["execution"], end["status"]) == (arn, "Failed")
    assert end["failures"][0]["step"] == "Package"
    assert "cut short" in end["failures"][0]["message"]


def on_a_terminal(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the program with a terminal for stderr; yield what is there so far, then all of it."""
    primary, secondary = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    line = [sys.executable, str(SCRIPT), *arguments]
    with subprocess.Popen(line, stderr=secondary, stdout=subprocess.PIPE, env=environ) as run:
        os.close(secondary)
        seen = b""
        while True:
            try:
                seen += os.read(primary, 1 << 16)
            except OSError:  # nobody writes any more
                break
            yield run, seen.decode(errors="replace")
    os.close(primary)
    yield run, seen.decode(errors="replace")


def test_a_terminal_gets_a_table(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    trained = step("Train", "Succeeded", StartTime=BEGAN, EndTime=BEGAN + 65, AttemptCount=3)
    play(
        aws,
        executing(step("Train", "Executing", StartTime=BEGAN)),
        ended("Succeeded", trained),
    )
    *_, (run, text) = on_a_terminal("follow", starting(sagemaker), *QUICK)
    assert run.returncode == EXIT_DONE
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert re.search(r"Train +Succeeded +1 min 05 s +attempt 3", plain)
    assert re.search(r"execution +Succeeded", plain)
    assert "\x1b[?25h" in text  # the cursor is back


def test_a_terminal_is_left_whole_after_ctrl_c(aws: LocalAws, sagemaker: SageMakerClient) -> None:
    create(sagemaker)
    play(aws, executing(step("Train", "Executing")))
    interrupted = False
    for run, text in on_a_terminal("follow", starting(sagemaker), *QUICK):
        if "Train" in text and not interrupted:
            run.send_signal(signal.SIGINT)
            interrupted = True
    assert run.returncode == 128 + signal.SIGINT
    assert "\x1b[?25h" in text  # the cursor is back
    assert "mims-pipeline stop" in text.rpartition("\x1b[?25h")[2]
