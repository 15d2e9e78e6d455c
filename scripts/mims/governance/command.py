"""The command line of the registry: what happens to a version after it was registered.

Goes in: names of groups and versions; credentials and endpoint by boto3's own rules. Comes out:
results on stdout, as tables, or as JSON lines with --json; progress, warnings and errors on stderr;
an exit code. What is heavy is imported when it is used, so that --help is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mims import __version__, console
from mims.governance.commands import (
    accounting,
    approving,
    comparing,
    deciding,
    deploying,
    looking,
    registering,
    watching,
)
from mims.governance.commands.shared import EXIT_CODES, NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHOLE = 200  # characters: a first sentence is not cut short
_EPILOG = f"""\b
A version is written as
  fraud/3             the third of group fraud
  fraud/Production    the one in that stage
  fraud               the newest
  arn:aws:sagemaker:… its ARN, which names its region too

\b
Results are for people; with --json they are for programs: an object a line,
whose keys the help of each command tells. Keys may be added, none goes.

\b
Completion of commands and options, in ~/.bashrc (or zsh_source, fish_source):
  eval "$(_MIMS_REGISTRY_COMPLETE=bash_source {NAME})"

{EXIT_CODES}"""
# The commands and groups of commands, as --help shows them.
_SECTIONS: dict[str, Sequence[click.Command]] = {
    "Look": (looking.list_, looking.show, looking.compare, looking.history, looking.download),
    "Register": (registering.create_group, registering.register, registering.tag),
    "Decide": (
        *(deciding.promote, deciding.rollback, deciding.archive, deciding.approve),
        *(deciding.reject, approving.pipeline),
    ),
    "Watch": (deploying.deploy, watching.baseline, watching.drift, comparing.ab),
    "Account": (accounting.card, accounting.lineage, accounting.track, deciding.audit),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code."""
    return console.run(cli, argv, NAME, extra="governance")


class _Sections(click.Group):
    """A group that shows its commands in sections."""

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(str(c.name), c.get_short_help_str(_WHOLE)) for c in commands])


@click.group(
    cls=_Sections,
    commands=[command for section in _SECTIONS.values() for command in section],
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name=NAME)
def cli() -> None:
    """Look after the versions of SageMaker Model Registry.

    Find and compare them, move them through Development, Staging, Production and Archived, and
    account for what was done. Commands that only look change nothing; all others take --dry-run.
    """
