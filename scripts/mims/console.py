"""What the command lines of operators share: how they end, what they print, options they all have.

Goes in: a click command, its arguments, the name it is called by. Comes out: an exit code; results
on stdout, as JSON lines with --json; progress, warnings and errors on stderr. Here alone errors
become text and exit codes. No job imports this, nor is anything heavy imported before it is used,
so that --help is quick.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from mims import __version__
from mims.errors import (
    EXIT_BUG,
    EXIT_DONE,
    EXIT_USAGE,
    InputError,
    MimsError,
    ServiceError,
    Stopped,
    packages_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


def run(cli: click.Command, argv: Sequence[str] | None, prog_name: str, extra: str) -> int:
    """Run a command line and give its exit code; a command may return one.

    `argv` None is the process's own; `extra` is what pip installs all that the command needs by.
    SIGINT and SIGTERM end a command by `Stopped`: it says itself what to do next.
    """
    log = logging.getLogger("mims")
    handler = _Stderr(logging.WARNING)
    log.addHandler(handler)
    try:
        with _stops(), packages_of(extra):
            arguments = None if argv is None else [*argv]
            code = cli.main(arguments, prog_name=prog_name, standalone_mode=False)
    except Stopped as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return EXIT_USAGE
    except MimsError as error:
        say(f"error: {error}")
        return error.exit_code
    except Exception:  # noqa: BLE001 - the boundary
        traceback.print_exc()
        say(f"a bug in mims {__version__}: please report it with this traceback")
        return EXIT_BUG
    finally:
        log.removeHandler(handler)
    return code if isinstance(code, int) else EXIT_DONE


@contextmanager
def _stops() -> Iterator[None]:
    def stop(number: int, _: object) -> None:
        raise Stopped(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stderr(logging.Handler):
    """The log on what is stderr at the moment: a live table stays whole."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


def say(text: str) -> None:
    """Tell people something that is no result: on stderr."""
    click.echo(text, err=True)


def answer(as_json: bool, report: Mapping[str, Any], text: str) -> None:
    """Print a result: for programs the report, as one line of JSON; for people the text.

    Raises:
        InputError: stdout takes no more: the disk behind it is full.

    """
    try:
        click.echo(json.dumps(report) if as_json else text)
    except BrokenPipeError:  # who reads has enough: click ends quietly
        raise
    except OSError as error:
        raise InputError(f"cannot write results to stdout: {error.strerror or error}") from error


# Options

as_json = click.option("--json", "as_json", is_flag=True, help="results as JSON, one object a line")
dry_run = click.option("--dry-run", is_flag=True, help="check and look, but change nothing")
region = click.option("--region", help="AWS region; else the ARN's or the environment's")


def options(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make one decorator of several; --help lists them in this order."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def pairs(_: click.Context, option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Read an option that is given as Key=Value, once a key: click's `callback`."""
    read: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{value!r} is not of the form Key=Value", param=option)
        if name in read:
            raise click.BadParameter(f"{name} is given twice", param=option)
        read[name] = rest
    return read


def region_of(given: str | None, arn: str = "") -> str:
    """Give the region that --region says, else the ARN (other text is none), else the environment.

    Raises:
        InputError: none of them does.
        ServiceError: the AWS profile that the environment names is not there.

    """
    import boto3.session
    from botocore.exceptions import BotoCoreError

    parts = arn.split(":")
    in_arn = parts[3] if arn.startswith("arn:") and len(parts) > 3 else None
    found = given or in_arn or os.environ.get("AWS_REGION")
    try:
        found = found or boto3.session.Session().region_name
    except BotoCoreError as error:
        raise ServiceError(f"AWS's configuration: {error}") from error
    if not found:
        raise InputError("no region: give --region, or set AWS_REGION")
    return found
