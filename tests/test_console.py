"""What operators' command lines share, by a small one: how it ends, what it says, what it takes."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

from mims import console
from mims.errors import (
    EXIT_BUG,
    EXIT_DONE,
    EXIT_INPUT,
    EXIT_SERVICE,
    EXIT_USAGE,
    InputError,
    ServiceError,
    Stopped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import LocalAws

SCRIPTS = Path(__file__).parents[1] / "scripts"
REPORT = "a bug in mims"


def ended(does: Callable[[], Any], *arguments: str) -> int:
    """Run a command that takes the common options and does this; give its exit code."""

    @click.command
    @click.option("--tag", "tags", multiple=True, callback=console.pairs)
    @console.options(console.region, console.as_json, console.dry_run)
    def cli(**options: Any) -> Any:
        told = {name: value for name, value in options.items() if name != "as_json"}
        console.answer(options["as_json"], told, f"tags: {options['tags']}")
        return does()

    return console.run(cli, arguments, "mims-test", extra="test")


def raising(error: BaseException) -> Callable[[], Any]:
    def does() -> None:
        raise error

    return does


def absent(name: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {name}", name=name)


ENDS: list[tuple[Callable[[], Any], int, str]] = [
    # what a command returns is its exit code, if it is one
    (lambda: None, EXIT_DONE, ""),
    (lambda: "done", EXIT_DONE, ""),
    (lambda: EXIT_INPUT, EXIT_INPUT, ""),
    # ours: the message and no traceback
    (raising(InputError("a", "b")), EXIT_INPUT, "error: 2 problems:\n  - a\n  - b\n"),
    (raising(ServiceError("busy")), EXIT_SERVICE, "error: busy\n"),
    # someone else's package: what installs it; one of our own modules is a bug
    (raising(absent("rich")), EXIT_INPUT, "error: Python lacks rich: pip install '.[test]'\n"),
    (raising(absent("mims.nowhere")), EXIT_BUG, REPORT),
    (lambda: 1 / 0, EXIT_BUG, REPORT),
    # signals: the command has said what is to be said
    (lambda: os.kill(os.getpid(), signal.SIGINT), 128 + signal.SIGINT, ""),
    (lambda: os.kill(os.getpid(), signal.SIGTERM), 128 + signal.SIGTERM, ""),
    (raising(Stopped(signal.SIGHUP)), 128 + signal.SIGHUP, ""),
]


@pytest.mark.parametrize(("does", "code", "told"), ENDS)
def test_how_it_ends(
    does: Callable[[], Any], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(does) == code
    out, err = capsys.readouterr()
    assert out == "tags: {}\n"
    if told == REPORT:
        assert err.startswith("Traceback")
        assert REPORT in err.splitlines()[-1]
    else:
        assert err == told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk here")
def test_results_that_find_no_room_are_told() -> None:
    """And whoever has read enough of them is no bug either."""
    code = (
        "import click, sys; from mims import console;"
        "cli = click.Command('many', callback=lambda: [console.answer(False, {}, 'x' * 99)"
        " for _ in range(9999)]);"
        "sys.exit(console.run(cli, [], 'many', extra='test'))"
    )
    command = [sys.executable, "-c", code]
    environ = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, env=environ, text=True, check=False
        )
    told = "error: cannot write results to stdout: No space left on device\n"
    assert (done.returncode, done.stderr) == (EXIT_INPUT, told)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
    ) as ended:
        assert ended.stdout
        ended.stdout.close()
        assert ended.stderr
        assert ended.stderr.read() == b""


def test_it_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    """Who calls it from a program keeps their signals and their log."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    log = logging.getLogger("mims")
    handlers = [*log.handlers]
    assert ended(lambda: log.warning("%s", "busy; asking again")) == EXIT_DONE
    assert capsys.readouterr().err == "busy; asking again\n"
    assert ended(lambda: log.info("seldom wanted")) == EXIT_DONE
    assert capsys.readouterr().err == ""
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert log.handlers == handlers


def test_a_result_is_a_line_of_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    line = ("--json", "--dry-run", "--region", "eu-west-1", "--tag", "a=b=c", "--tag", "d=")
    assert ended(lambda: None, *line) == EXIT_DONE
    out = capsys.readouterr().out
    assert json.loads(out) == {
        "dry_run": True,
        "region": "eu-west-1",
        "tags": {"a": "b=c", "d": ""},
    }
    assert out.count("\n") == 1


WRONG_LINES = [
    (("--tag", "a"), "'a' is not of the form Key=Value"),
    (("--tag", "=b"), "'=b' is not of the form Key=Value"),
    (("--tag", "a=1", "--tag", "a=2"), "a is given twice"),
    (("--jsn",), "No such option"),
]


@pytest.mark.parametrize(("line", "problem"), WRONG_LINES)
def test_a_wrong_command_line(
    line: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(lambda: None, *line) == EXIT_USAGE
    out, err = capsys.readouterr()
    assert (out, "Usage: mims-test" in err) == ("", True)
    assert problem in err


def test_arguments_are_the_process_s_own_unless_given(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["mims-test", "here"])
    cli = click.Command("echo", params=[click.Argument(["word"])])
    cli.callback = lambda word: click.echo(f"{word} and nowhere else")
    assert console.run(cli, None, "mims-test", extra="test") == EXIT_DONE
    assert capsys.readouterr().out == "here and nowhere else\n"


ARN = "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/penguins"
REGIONS = [
    # --region, what it is about, AWS_REGION: the region; the environment's default is us-west-2
    (("us-east-1", ARN), "eu-north-1", "us-east-1"),
    ((None, ARN), "eu-north-1", "eu-west-1"),
    ((None, "penguins"), "eu-north-1", "eu-north-1"),
    ((None, "arn:aws:iam::123456789012:role/x"), None, "us-west-2"),  # has none
    ((None, "arn:"), None, "us-west-2"),
    ((None, ""), None, "us-west-2"),
]


@pytest.mark.parametrize(("asked", "environment", "region"), REGIONS)
def test_the_region(
    aws: LocalAws,
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[str | None, str],
    environment: str | None,
    region: str,
) -> None:
    del aws  # its environment counts
    if environment:
        monkeypatch.setenv("AWS_REGION", environment)
    assert console.region_of(*asked) == region


def test_a_region_is_needed(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    del aws  # its environment counts
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(InputError, match="no region: give --region, or set AWS_REGION"):
        console.region_of(None, "penguins")
