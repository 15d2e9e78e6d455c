"""The command line of a job: --root, --verbose, and --help and --version, which it answers itself.

Goes in: a contract and the arguments. Comes out: what they ask for, or what is wrong with them.
Imports little, so that --help is quick; a flow and its boundary are imported when it comes to that.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Sequence

from mims import __version__
from mims.errors import UsageError

if TYPE_CHECKING:
    from mims.contracts import Contract
    from mims.settings import Setting

EXIT_CODES = (
    "0 done",
    "1 the inputs or settings are at fault: the message says what to mend",
    "2 wrong command line",
    "3 a service refused, could not be reached or took too long",
    "70 a bug",
    "128+n stopped by signal n",
)
_HELP_WIDTH = 95  # columns


class CommandLine(NamedTuple):
    """What a command line asks for."""

    contract: Contract
    root: str
    verbose: bool = False
    problem: str = ""
    of_process: bool = False  # the process's own, which ends with the job

    def require_right(self) -> None:
        """Refuse a wrong one.

        Raises:
            UsageError: it says what is wrong.

        """
        if self.problem:
            raise UsageError(self.problem)


def read_command_line(contract: Contract, argv: Sequence[str] | None = None) -> CommandLine:
    """Read the arguments (`sys.argv`'s by default); --help and --version end the program.

    A wrong line is not refused here but kept, with the root that its exit message goes to.
    """
    of_process = argv is None
    argv = sys.argv[1:] if argv is None else argv
    root = "/"
    try:
        root = _root_option().parse_known_args(argv)[0].root
        options = _parser(contract).parse_args(argv)
    except UsageError as error:
        return CommandLine(contract, root, problem=str(error), of_process=of_process)
    return CommandLine(contract, options.root, options.verbose, of_process=of_process)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_HELP_WIDTH)  # without one it loads shutil for the terminal's


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; {self.prog} --help tells what it takes")


def _root_option() -> _Parser:
    parser = _Parser(add_help=False, formatter_class=_HelpFormatter)
    parser.add_argument(
        "--root",
        metavar="DIR",
        default="/",
        help="folder that stands for / before every container path (default: /)",
    )
    return parser


def _parser(contract: Contract) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=contract.entry_point,
        description=contract.description,
        epilog=describe(contract),
        formatter_class=_HelpFormatter,
        parents=[_root_option()],
    )
    parser.add_argument(
        "--version", action="version", version=f"{contract.entry_point} {__version__}"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log file by file")
    return parser


def describe(contract: Contract) -> str:
    """Paths, environment and exit codes of a script, for `--help`."""
    sections = []
    for title, channels in (("inputs", contract.inputs), ("outputs", contract.outputs)):
        rows = [
            (f"{c.name}  {c.path}", c.description + ("" if c.required else " (optional)"))
            for c in channels
        ]
        sections.append((title, rows))
    sections.append(("environment", [_described(setting) for setting in contract.settings]))
    codes = (*EXIT_CODES[:4], *contract.own_exit_codes, *EXIT_CODES[4:])
    sections.append(("exit codes", [("", meaning) for meaning in codes]))
    return "\n\n".join(
        f"{title}:\n" + "\n".join(_row(*row) for row in rows) for title, rows in sections if rows
    )


def _described(setting: Setting) -> tuple[str, str]:
    default = " (required)" if setting.required else f"={setting.default or ''}"
    return setting.name + default, f"{setting.description}; {setting.kind.allowed}"


def _row(name: str, meaning: str) -> str:
    indents = {"initial_indent": "      ", "subsequent_indent": "      "}
    return (f"  {name}\n" if name else "") + textwrap.fill(meaning, _HELP_WIDTH, **indents)  # type: ignore[arg-type]
