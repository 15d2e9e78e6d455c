"""Commands that make groups and versions, and tag them: create-group, register, tag."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from mims import console
from mims.governance.commands.shared import as_change, registry_of, taught, tell


@click.command(
    "create-group",
    epilog=taught(
        ["create-group fraud --tag team=risk"],
        "  group, done (created, tagged or unchanged), tags, dry_run",
    ),
)
@click.argument("name", required=False)
@click.option("--group", help="the same as NAME")
@click.option("--description", default="", help="what the group is for")
@click.option(
    "--tag",
    "tags",
    metavar="Key=Value",
    multiple=True,
    callback=console.pairs,
    help="tag of the group; may be repeated",
)
@as_change
def create_group(
    name: str | None, group: str | None, description: str, tags: dict[str, str], **options: Any
) -> None:
    """Create the model package group NAME, unless it is there.

    Tags that it lacks are added; SageMaker changes no description.
    """
    from mims.governance import texts
    from mims.governance.tags import create_group as created

    if name and group and name != group:
        raise click.UsageError(f"two names: {name} and --group {group}")
    if not (name or group):
        raise click.UsageError("give the group's name")
    report = created(
        registry_of(options),
        name or group or "",
        description=description,
        tags=tags,
        dry_run=options["dry_run"],
    )
    tell(options, [report], lambda: texts.created(report))


def _digest(_: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no SHA-256 before anything is downloaded to be held to it."""
    if value and not re.fullmatch("[0-9a-fA-F]{64}", value):
        raise click.BadParameter(f"{value!r} is no SHA-256: 64 digits of 0-9a-f", param=option)
    return value and value.lower()


@click.command(
    epilog=taught(
        ["register --artifact s3://models/latest/model.tar.gz --group fraud"],
        "  the exit message of the registration job: group, arn, new and known (version by\n"
        "  region), bytes_uploaded, bytes_copied, retries, model_sha256, payload_sha256;\n"
        "  and dry_run, with which it is group, places, model_sha256, payload_sha256",
    )
)
@click.option("--artifact", required=True, metavar="S3", help="the package: s3://…/model.tar.gz")
@click.option("--group", help="the group; else the config's, or the only one there is")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="the registration config, JSON, as the job takes it",
)
@click.option("--payload", metavar="S3|FILE", help="sample requests: payload.tar.gz")
@click.option("--metrics", metavar="S3|FILE", help="performance metadata, with or without reports")
@click.option(
    "--sha256",
    metavar="HEX",
    callback=_digest,
    help="refuse the artifact if its SHA-256 is another",
)
@click.option(
    "--workflow",
    metavar="ID",
    help="workflow execution; else MODS_WORKFLOW_EXECUTION_ID, else mims-registry",
)
@as_change
def register(artifact: str, payload: str | None, metrics: str | None, **options: Any) -> None:
    """Register an artifact that is in S3 as a version of a group.

    It is downloaded to a temporary folder, checked, and registered as the registration job does it:
    the same artifact of the same workflow execution is one version, however often it is registered.
    The bucket is the config's, else MIMS_BUCKET, else the artifact's.
    """
    from mims.governance import enter, texts

    report = enter.register(
        registry_of(options),
        enter.Sources(artifact, payload, metrics),
        group=options["group"],
        config=options["config"],
        workflow=options["workflow"],
        sha256=options["sha256"],
        dry_run=options["dry_run"],
    )
    tell(options, [report], lambda: texts.registered(report))


@click.command(
    epilog=taught(
        ["tag fraud team=risk", "tag fraud/3 reviewed=2026-11 --remove draft"],
        "  name, set (key and value), removed (keys), tags (all of them then), dry_run",
    )
)
@click.argument("name", metavar="GROUP|VERSION")
@click.argument("pairs", metavar="[Key=Value]...", nargs=-1, callback=console.pairs)
@click.option("--remove", metavar="Key", multiple=True, help="remove this; may be repeated")
@as_change
def tag(name: str, pairs: dict[str, str], remove: tuple[str, ...], **options: Any) -> None:
    """Set or remove tags of a group, or properties of a version.

    SageMaker gives versions no tags, but metadata properties. Those that the registration has
    written are evidence, and stay.
    """
    from mims.governance import tags, texts

    if not (pairs or remove):
        raise click.UsageError("give Key=Value, or --remove Key")
    registry = registry_of(options, name)
    report = tags.tag(registry, name, pairs, remove, dry_run=options["dry_run"])
    tell(options, [report], lambda: texts.tagged(report))
