"""What the registry's commands share: how their help ends, which registry, how results are told.

Imports nothing that is heavy, so that --help is quick.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mims import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mims.governance.registry import Registry

NAME = "mims-registry"
EXIT_CODES = """\b
Exit codes:
  0       done
  1       the input is at fault, or the registry's state forbids it: the message
          says what to mend
  2       wrong command line
  3       a service refused, could not be reached or took too long
  70      a bug
  128+n   stopped by signal n
"""
DRIFT_EXIT_CODES = EXIT_CODES.replace("  70 ", "  4       drift was found\n  70 ")
as_read = console.options(console.region, console.as_json)
as_change = console.options(console.region, console.as_json, console.dry_run)
version = click.argument("name", metavar="VERSION")
waits = console.options(
    click.option(
        "--timeout",
        type=click.FloatRange(0),
        default=3600.0,
        show_default=True,
        help="seconds in which the endpoint has to be in service",
    ),
    click.option(
        "--poll",
        type=click.FloatRange(0, min_open=True),
        default=15.0,
        show_default=True,
        help="seconds between two looks at an endpoint that is being updated",
    ),
)


def _said(_: click.Context, option: click.Parameter, value: str) -> str:
    """Refuse a reason that says nothing, or that no record can hold."""
    from mims.text import is_utf8

    if not is_utf8(value):
        raise click.BadParameter("must be UTF-8", param=option)
    if option.required and not value.strip():
        raise click.BadParameter("is empty: say why", param=option)
    return value


def reason(*, required: bool) -> Callable[[Any], Any]:
    """The option that says why something is decided."""
    return click.option(
        "--reason",
        required=required,
        default=None if required else "",
        callback=_said,
        help="why, for whoever reads the audit trail",
    )


def gate_file(text: str, *, required: bool = False) -> Callable[[Any], Any]:
    """The option that names the group's gate file."""
    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option("--gates", metavar="FILE", type=kind, required=required, help=text)


def taught(examples: Iterable[str], keys: str, exit_codes: str = EXIT_CODES) -> str:
    """The end of a command's help: examples, the keys of what --json prints, exit codes."""
    lines = "\n".join(f"  {NAME} {example}" for example in examples)
    return f"\b\nFor example:\n{lines}\n\n\b\nWith --json:\n{keys}\n\n{exit_codes}"


def registry_of(options: Mapping[str, Any], name: str = "") -> Registry:
    """The registry of the region that --region says, else an ARN, else the environment."""
    from mims.governance.registry import Registry

    return Registry(console.region_of(options["region"], name))


def tell(
    options: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], text: Callable[[], str]
) -> None:
    """Print a line of JSON a row; or all of them as text, made only then."""
    if not options["as_json"]:
        console.answer(False, {}, text())
        return
    for row in rows:
        console.answer(True, row, "")


def write(file: Path, text: str) -> None:
    """Write a page, whole or not at all; through a link or into a device, such as /dev/stdout.

    Raises:
        InputError: it can't be written.

    """
    from mims.outputs import Output, writing

    content = text.encode("utf-8", "backslashreplace")
    if file.is_symlink() or (file.exists() and not file.is_file()):
        with writing(file):
            file.write_bytes(content)
        return
    with Output(file) as output:
        with writing(file):
            output.file.write(content)
        output.publish()
