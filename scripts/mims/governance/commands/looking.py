"""Commands that look: list, show, compare, history, download. Of AWS they only read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mims.governance.commands.shared import as_change, as_read, registry_of, taught, tell
from mims.governance.commands.shared import version as version_


@click.command(
    "list",
    epilog=taught(
        ["list", "list fraud --limit 5"],
        "  groups     group, arn, status, created, description\n"
        "  versions   version, arn, stage, approval, status, created, model_owner,\n"
        "             metrics (an object of numbers, those of the model card),\n"
        "             problem (what is wrong with the card, else null)",
    ),
)
@click.argument("group", required=False)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="the newest N versions only")
@as_read
def list_(group: str | None, limit: int | None, **options: Any) -> None:
    """List groups; or the versions of GROUP, newest first."""
    from mims.governance import everyday, texts

    registry = registry_of(options, group or "")
    if group is None:
        rows = everyday.groups(registry)
        tell(options, rows, lambda: texts.groups(rows))
    else:
        rows = [*everyday.versions(registry, group, limit)]
        tell(options, rows, lambda: texts.versions(rows))


@click.command(
    epilog=taught(
        ["show fraud/Production"],
        "  as list, and description, created_by, failures, approval_description, image,\n"
        "  card (its status), files (uri and sha256, by name), properties",
    )
)
@version_
@as_read
def show(name: str, **options: Any) -> None:
    """Show all that is known of VERSION."""
    from mims.governance import everyday, texts

    report = everyday.show(registry_of(options, name).version(name))
    tell(options, [report], lambda: texts.version(report))


@click.command(
    epilog=taught(
        ["compare fraud/Production fraud"],
        "  first, second   the versions' names\n"
        "  facts           [first, second] of what differs, by name\n"
        "  metrics         a list of metric, first, second, difference (second - first)\n"
        "  schema          known; input and output: added, removed, changed, reordered\n"
        "  digests         [first, second], by file\n"
        "  code            read; added, removed, changed, same; or why it was not read\n"
        "  properties      [first, second] of what differs, by name",
    )
)
@click.argument("first")
@click.argument("second")
@click.option(
    "--code/--no-code",
    default=None,
    help="read the packages, to tell which files differ; else if they are under 1 GB together",
)
@as_read
def compare(first: str, second: str, code: bool | None, **options: Any) -> None:
    """Compare two versions: metrics, schema, digests, code, properties.

    Reports and packages are read from S3 and held to their digests.
    """
    from mims.governance import texts
    from mims.governance.compare import compare as compared

    registry = registry_of(options, first)
    report = compared(registry, registry.version(first), registry.version(second), code=code)
    tell(options, [report], lambda: texts.compared(report))


@click.command(
    epilog=taught(
        ["history fraud", "history fraud/3"],
        "  number, time, version, event, by, detail, and record (the audit record whole);\n"
        "  the newest first",
    )
)
@click.argument("name", metavar="GROUP|VERSION")
@as_read
def history(name: str, **options: Any) -> None:
    """Tell what happened in a group, or to a version: the newest first.

    From the group's audit trail, whose chain of digests is checked.
    """
    from mims.governance import everyday, texts

    rows = everyday.history(registry_of(options, name), name)
    tell(options, rows, lambda: texts.history(rows))


@click.command(
    epilog=taught(
        ["download fraud/Production --to model"],
        "  a line a file: file, uri, size, sha256, verified (by its digest), done",
    )
)
@version_
@click.option(
    "--to",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="folder, else GROUP-NUMBER here",
)
@click.option("--all", "everything", is_flag=True, help="payload, variable schema and reports too")
@as_change
def download(name: str, to: Path | None, everything: bool, **options: Any) -> None:
    """Download the package of VERSION, verified against its digest.

    A file appears when all of it is there and is what was registered, and never in place of
    another one.
    """
    from mims.governance import texts
    from mims.governance.download import download as downloaded

    registry = registry_of(options, name)
    version = registry.version(name)
    folder = to or Path(f"{version.group}-{version.number}")
    rows = downloaded(registry, version, folder, everything=everything, dry_run=options["dry_run"])
    tell(options, rows, lambda: texts.downloaded(rows))
