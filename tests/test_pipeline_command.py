"""The command line of pipelines, against the local AWS: what it prints, and how it exits."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from faults import Faults, denied, throttled
from mims.errors import EXIT_DONE, EXIT_INPUT, EXIT_SERVICE, EXIT_USAGE
from mims.pipeline.command import main
from pipeline_executions import (
    ARN,
    DEFINITION,
    NAME,
    REGION,
    ROLE,
    create,
    ended,
    executing,
    play,
    starting,
    step,
)
from stored_artifacts import no_waits

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from faults import Exchange

SCRIPT = Path(__file__).parents[1] / "scripts" / "mims_pipeline.py"
BEGAN = 1_700_000_000  # 2023-11-14 22:13:20 UTC
MODEL = "ModelUri=s3://a/model.tar.gz"
QUICK = ("--poll", "0.01")


@pytest.fixture(autouse=True)
def no_stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of whoever runs the tests stands for an option."""
    for name in [name for name in os.environ if name.startswith("MIMS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The pipeline's definition in a file."""
    path = tmp_path / f"{NAME}.json"
    path.write_text(json.dumps(DEFINITION))
    return str(path)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    """Give what a command with these arguments says on stdout, and check its exit code."""

    def run(*arguments: str, code: int = EXIT_DONE) -> str:
        assert main(arguments) == code, capsys.readouterr()
        return capsys.readouterr().out

    return run


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Any:
    """Give what a command with these arguments says on stderr, and check its exit code."""

    def run(*arguments: str, code: int = EXIT_INPUT) -> str:
        assert main(arguments) == code, capsys.readouterr()
        return capsys.readouterr().err

    return run


# Without AWS


def test_help_is_quick_and_tells_exit_codes() -> None:
    """None of the heavy packages is imported for it."""
    code = (
        "import sys; from mims.pipeline.command import main; code = main(['--help']);"
        "heavy = {'boto3', 'botocore', 'pydantic', 'rich', 'sagemaker'} & set(sys.modules);"
        "print(sorted(heavy), code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("[] 0\n")
    commands = ("definition", "graph", "upsert", "start", "run", "follow", "stop")
    for part in (*commands, "128+n   stopped by signal n", "the execution failed or was stopped"):
        assert part in done.stdout


def test_a_definition_is_checked_and_printed(
    file: str, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert json.loads(said("definition", file)) == DEFINITION
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(DEFINITION)))
    assert json.loads(said("definition", "-")) == DEFINITION


WRONG_FILES = [
    ("{", "is not JSON"),
    (b"\xff", "is not JSON"),
    ("[]", "must hold an object"),
    ("[" * 100_000, "is not JSON"),  # too deep
    ('{"Version": "2020-12-01"}', "Steps must be a list"),
    ('{"Steps": []}', "Steps must be a list"),
    # a definition with more than one problem: all are told
    (json.dumps({**DEFINITION, "Steps": [{"Name": "a b", "Type": "Processing"}]}), "- step a b"),
    # a chain's config
    ('{"name": "x"}', "registration: must be given"),
]


@pytest.mark.parametrize(("content", "problem"), WRONG_FILES)
def test_a_wrong_file_is_refused(
    tmp_path: Path, complaint: Any, content: str | bytes, problem: str
) -> None:
    path = tmp_path / "wrong.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert problem in complaint("definition", str(path))
    assert problem in complaint("upsert", str(path), "--role", ROLE, "--region", REGION)


def test_a_file_that_is_not_there_and_a_config_on_stdin(
    tmp_path: Path, complaint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot read" in complaint("definition", str(tmp_path / "no.json"))
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"name": "x"}'))
    assert "a chain's config must be in a file" in complaint("definition", "-")


def test_the_graph_is_mermaid_or_svg(file: str, said: Any) -> None:
    mermaid = said("graph", file)
    assert "Train" in mermaid
    assert "-->" in mermaid
    assert re.search(r"<svg\b.*Package", said("graph", file, "--svg"), re.DOTALL)


WRONG_LINES = [
    ("fly",),
    ("upsert", "x.json"),  # no role, nor MIMS_ROLE_ARN
    ("follow",),
    ("start", "x", "-p", "Trees"),
    ("start", "x", "-p", "=3"),
    ("start", "x", "-p", "Trees=1", "-p", "Trees=2"),
    ("follow", "x", "--timeout", "0"),
    ("follow", "x", "--timeout", "soon"),
]


@pytest.mark.parametrize("arguments", WRONG_LINES, ids=" ".join)
def test_a_wrong_command_line(arguments: tuple[str, ...], complaint: Any) -> None:
    assert "mims-pipeline" in complaint(*arguments, code=EXIT_USAGE)


def test_a_region_is_needed(aws: LocalAws, monkeypatch: pytest.MonkeyPatch, complaint: Any) -> None:
    del aws
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "give --region, or set AWS_REGION" in complaint("start", NAME)


def test_a_missing_package_names_the_extra(
    file: str, complaint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    text = complaint("upsert", file, "--role", ROLE)
    assert "Python lacks boto3.session: pip install '.[pipelines-boto3]'" in text


# Upsert and start


def test_a_file_becomes_a_pipeline_of_its_name(
    sagemaker: SageMakerClient, file: str, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    upsert = ("upsert", file, "--role", ROLE, "--tag", "team=penguins", "--parallelism", "2")
    assert said(*upsert, "--dry-run") == f"{NAME}: would be created\n"
    assert sagemaker.list_pipelines()["PipelineSummaries"] == []
    assert said(*upsert) == f"{ARN}: created\n"
    assert said(*upsert) == f"{ARN}: unchanged\n"
    assert said(*upsert, "--dry-run") == f"{ARN}: unchanged\n"
    changed = (*upsert, "--description", "by weight", "--json")
    assert json.loads(said(*changed)) == {"pipeline": ARN, "done": "updated", "dry_run": False}
    assert said(*upsert, "--name", "gentoos").endswith("pipeline/gentoos: created\n")
    assert sagemaker.list_tags(ResourceArn=ARN)["Tags"] == [{"Key": "team", "Value": "penguins"}]
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(DEFINITION)))
    assert main(["upsert", "-", "--role", ROLE]) == EXIT_INPUT


def test_stdin_has_no_name(aws: LocalAws, monkeypatch: pytest.MonkeyPatch, complaint: Any) -> None:
    del aws
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(DEFINITION)))
    assert "give the pipeline's with --name" in complaint("upsert", "-", "--role", ROLE)


def started(sagemaker: SageMakerClient) -> list[str]:
    """The pipeline's executions, the newest first."""
    listed = sagemaker.list_pipeline_executions(PipelineName=NAME)["PipelineExecutionSummaries"]
    return [summary["PipelineExecutionArn"] for summary in listed]


def test_a_start_checks_parameters_first(
    sagemaker: SageMakerClient, said: Any, complaint: Any
) -> None:
    create(sagemaker)
    wrong = complaint("start", NAME, "-p", "Trees=many", "-p", "Modell=x")
    for part in ("3 problems", "did you mean ModelUri?", "has no default", "not of type Integer"):
        assert part in wrong
    assert "would start" in said("start", NAME, "-p", MODEL, "--dry-run")
    assert started(sagemaker) == []
    token = ("--token", "workflow 7", "--display-name", "seventh")
    arn = said("start", NAME, "-p", MODEL, *token).strip()
    assert json.loads(said("start", NAME, "-p", MODEL, *token, "--json")) == {"execution": arn}
    assert started(sagemaker) == [arn]
    assert said("start", ARN, "-p", MODEL).strip() == started(sagemaker)[0] != arn
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionDisplayName"] == "seventh"
    kept = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
    assert kept["PipelineParameters"] == [{"Name": "ModelUri", "Value": "s3://a/model.tar.gz"}]


def test_a_pipeline_that_is_not_there(aws: LocalAws, complaint: Any) -> None:
    del aws
    assert "does not exist" in complaint("start", NAME, code=EXIT_SERVICE)
    assert "does not exist" in complaint("follow", f"{ARN}/execution/abc", code=EXIT_SERVICE)


# Run and follow


def test_a_run_goes_from_the_file_to_the_end(
    aws: LocalAws, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = {"SourcePipelineExecutionArn": f"{ARN}/execution/abc"}
    training = step("Train", "Executing", StartTime=BEGAN)
    trained = step("Train", "Succeeded", StartTime=BEGAN, EndTime=BEGAN + 3725, AttemptCount=2)
    cached = step("Package", "Succeeded", CacheHitResult=source)
    play(
        aws,
        executing(training),
        executing({**training, "AttemptCount": 2}),
        executing(trained, step("Register", "Starting")),
        ended("Succeeded", trained, cached),
    )
    assert main(["run", file, "--role", ROLE, "-p", MODEL, *QUICK]) == EXIT_DONE
    out, err = capsys.readouterr()
    created, arn, end = out.splitlines()
    assert created == f"{ARN}: created"
    assert arn.startswith(f"{ARN}/execution/")
    assert end == f"{arn}: Succeeded"
    lines = err.splitlines()
    assert re.fullmatch(r"execution: Executing, since 20\d\d-.* UTC", lines.pop(1))
    assert re.fullmatch(r"execution: Succeeded, after \d+ s", lines.pop())
    assert lines == [
        "Train: Executing, since 2023-11-14 22:13:20 UTC",
        "Train: Executing, since 2023-11-14 22:13:20 UTC, attempt 2",
        "Train: Succeeded, after 1 h 02 min, attempt 2",
        "Register: Starting",
        "Package: Succeeded, from the cache",
    ]


def test_a_dry_run_starts_nothing(sagemaker: SageMakerClient, file: str, said: Any) -> None:
    text = said("run", file, "--role", ROLE, "-p", MODEL, "--dry-run")
    assert text.splitlines()[0] == f"{NAME}: would be created"
    assert "would start with" in text
    assert sagemaker.list_pipelines()["PipelineSummaries"] == []


def test_a_run_with_wrong_parameters_changes_nothing(
    sagemaker: SageMakerClient, file: str, complaint: Any
) -> None:
    assert "ModelUri has no default" in complaint("run", file, "--role", ROLE)
    assert sagemaker.list_pipelines()["PipelineSummaries"] == []


def test_a_busy_service_is_told_and_got_over(
    aws: LocalAws,
    sagemaker: SageMakerClient,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    no_waits(monkeypatch)
    create(sagemaker)
    arn = starting(sagemaker)
    with Faults(aws.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.on("ListPipelineExecutionSteps", throttled(), times=5)
        assert main(["follow", arn, *QUICK]) == EXIT_DONE
        assert "Rate exceeded" in capsys.readouterr().err
        proxy.on("DescribePipelineExecution", denied("sagemaker:Describe"))
        assert main(["follow", arn, *QUICK]) == EXIT_SERVICE
        assert "allow the operation" in capsys.readouterr().err


def test_a_timeout_leaves_the_execution_going(
    aws: LocalAws, sagemaker: SageMakerClient, complaint: Any
) -> None:
    create(sagemaker)
    play(aws, executing(step("Train", "Executing")))
    arn = starting(sagemaker)
    text = complaint("follow", arn, *QUICK, "--timeout", "0.05", code=EXIT_SERVICE)
    assert "still Executing after 0.05 s: it goes on" in text
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionStatus"] == "Executing"


def test_an_execution_is_stopped_by_a_command_of_its_own(
    aws: LocalAws, sagemaker: SageMakerClient, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(sagemaker)
    play(aws, executing(step("Train", "Executing")))
    arn = starting(sagemaker)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")  # the ARN knows better
    assert said("stop", arn, "--dry-run") == f"{arn}: stopping\n"
    assert json.loads(said("stop", arn, "--json")) == {"execution": arn, "stopping": True}
    assert said("follow", arn, *QUICK, code=EXIT_INPUT) == f"{arn}: Stopped\n"
    assert said("stop", arn) == f"{arn}: has ended: Stopped\n"


# As a program


@pytest.fixture
def never_ending(aws: LocalAws, sagemaker: SageMakerClient) -> str:
    create(sagemaker)
    play(aws, executing(step("Train", "Executing")))
    return starting(sagemaker)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_execution_going_and_says_how_to_go_on(
    never_ending: str, sagemaker: SageMakerClient, number: signal.Signals
) -> None:
    line = [sys.executable, str(SCRIPT), "follow", never_ending, *QUICK]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr
        assert run.stderr.readline() == "Train: Executing\n"
        run.send_signal(number)
        try:
            out, err = run.communicate(timeout=60)
        finally:
            run.kill()
    assert (run.returncode, out) == (128 + number, "")
    assert f"mims-pipeline follow {never_ending}" in err
    assert f"mims-pipeline stop {never_ending}" in err
    assert "Traceback" not in err
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=never_ending)
    assert described["PipelineExecutionStatus"] == "Executing"


def test_a_signal_amid_a_start_tells_the_token(
    aws: LocalAws, sagemaker: SageMakerClient, said: Any
) -> None:
    create(sagemaker)
    line = [sys.executable, str(SCRIPT), "start", NAME, "-p", MODEL]
    with Faults(aws.url) as proxy:

        def interrupted(exchange: Exchange) -> None:
            exchange.carry_out()
            run.send_signal(signal.SIGINT)
            run.wait(60)

        proxy.on("StartPipelineExecution", interrupted)
        environ = {**os.environ, "AWS_ENDPOINT_URL": proxy.url}
        with subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environ) as run:
            try:
                _, err = run.communicate(timeout=120)
            finally:
                run.kill()
    assert run.returncode == 128 + signal.SIGINT
    token = err.partition("--token ")[2].split()[0]
    assert [said("start", NAME, "-p", MODEL, "--token", token).strip()] == started(sagemaker)


def test_a_chain_runs_from_its_config_and_its_files_lie_in_s3_before(
    bucket: str, s3: S3Client, tmp_path: Path, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMS_ROLE_ARN", ROLE)  # of the jobs, and of the pipeline
    registration = {
        "framework": "xgboost",
        "model_owner": "penguins",
        "model_registration_objective": "Penguins",
        "source_model_inference_content_types": ["text/csv"],
        "source_model_inference_output_variable_list": {"score": "NUMERIC"},
    }
    config = {
        "name": "chain",
        "script": "s3://code/inference/",
        "model": "s3://models/model.tar.gz",
        "registration": registration,
        "job": {"image_uri": "mims:1", "bucket": bucket},
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    assert "Package" in said("graph", str(path))
    said("run", str(path), "--dry-run")
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    created, arn, end = said("run", str(path), *QUICK).splitlines()
    assert created == f"{ARN.replace(NAME, 'chain')}: created"
    assert end == f"{arn}: Succeeded"
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert any(key.endswith(".json") for key in keys)
    definition = said("definition", str(path))
    assert all(f"s3://{bucket}/{key}" in definition for key in keys)
    again = said("run", str(path), "--json", *QUICK).splitlines()
    assert json.loads(again[0])["done"] == "unchanged"
