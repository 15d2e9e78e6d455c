"""Commands that account for a version: its model card, its lineage, the MLflow run it came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mims import console
from mims.errors import InputError
from mims.governance.commands.shared import (
    as_change,
    as_read,
    gate_file,
    registry_of,
    taught,
    tell,
    write,
)
from mims.governance.commands.shared import version as version_

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mims.governance.decisions import Decision
    from mims.governance.registry import Registry
    from mims.governance.versions import Version
    from mims.registration.audit import Trail

_gates = gate_file(
    "the group's gate file, whose `card:` tells what no report does; else GROUP.yaml here"
)
_out = click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="where to"
)


@click.group()
def card() -> None:
    """Show, save and export a version's model card."""


@card.command(epilog=taught(["card show fraud/3"], "  name, arn, version, status, content"))
@version_
@as_read
def show(name: str, **options: Any) -> None:
    """Show the model card of VERSION as SageMaker has it."""
    from mims.governance.cards import card as cards

    registry = registry_of(options, name)
    version = registry.version(name)
    found = cards.find(registry, version)
    if found is None:
        raise InputError(f"{version.name} has no model card: mims-registry card save makes one")
    report = {
        "name": found.name,
        "arn": found.arn,
        "version": found.number,
        "status": found.status,
        "content": found.content,
    }
    tell(options, [report], lambda: found.whole)


@card.command(epilog=taught(["card save fraud/3 --status PendingReview"], "  name, arn, done"))
@version_
@_gates
@click.option(
    "--status",
    type=click.Choice(["Draft", "PendingReview", "Approved", "Archived"]),
    help="the card's status; a new one is a Draft",
)
@as_change
def save(name: str, gates: Path | None, status: str | None, **options: Any) -> None:
    """Make the model card of VERSION, or renew it.

    Where it says something else than before, the card gets a new version.
    """
    from mims.governance.cards import card as cards
    from mims.governance.cards.reports import read_reports

    registry = registry_of(options, name)
    version = registry.version(name)
    content = _content(registry, version, read_reports(registry, version), gates)
    made = cards.save(registry, version, content, status, dry_run=options["dry_run"])
    report = {"name": made.name, "arn": made.arn, "version": made.number, "done": made.deed}
    would = options["dry_run"] and made.deed != "unchanged"
    said = made._replace(deed=f"would be {made.deed}") if would else made
    tell(options, [report], lambda: said.text)


@card.command(epilog=taught(["card export fraud/3 --out fraud-3.html"], "  file, bytes"))
@version_
@_gates
@_out
@as_read
def export(name: str, gates: Path | None, out: Path | None, **options: Any) -> None:
    """Write the model card of VERSION as a page.

    One HTML file, with plots against the version in Production.
    """
    from mims.governance.cards import card as cards
    from mims.governance.cards.page import Baseline, page
    from mims.governance.cards.reports import read_reports

    registry = registry_of(options, name)
    version = registry.version(name)
    versions = [*registry.versions(version.group)]
    production = next((v for v in versions if v.stage == "Production"), None)
    baseline = None
    if production and production.arn != version.arn:
        baseline = Baseline(production.name, read_reports(registry, production))
    reports = read_reports(registry, version)
    text = page(
        version,
        _content(registry, version, reports, gates),
        reports,
        baseline=baseline,
        decisions=_decisions(registry.trails(versions)),
        card=cards.find(registry, version),
    )
    file = out or Path(f"{version.group}-{version.number}.html")
    write(file, text)
    report = {"file": str(file), "bytes": len(text.encode())}
    tell(options, [report], lambda: f"{file}: {report['bytes']} bytes")


def _decisions(trails: Sequence[Trail]) -> list[Decision]:
    from mims.governance.decisions import History

    return History.read(trails[0]).decisions if trails else []


def _content(
    registry: Registry, version: Version, reports: Mapping[str, Any], gates: Path | None
) -> dict[str, Any]:
    from mims.governance.cards.content import card_content, lineage_of
    from mims.governance.gates.file import GateFile
    from mims.governance.lineage.lineage import graph

    file = gates or Path(f"{version.group}.yaml")
    facts = GateFile.load(file, version.group).card if gates or file.exists() else {}
    lineage = lineage_of(graph(registry, version))
    return card_content(version, reports, facts, lineage)


@click.group()
def lineage() -> None:
    """Show and record what a version came from, and where it went."""


@lineage.command(
    "show",
    epilog=taught(
        ["lineage show fraud/3", "lineage show fraud/3 --svg --out fraud-3.svg"],
        "  version, origin (who says so), left_out (how many nodes are farther away),\n"
        "  more (whether there are more still)\n"
        "  nodes   id, entity (Artifact, Action or Context), kind, name, arn (of the entity,\n"
        "          null from the audit trail), uri (what it stands for), sha256, properties;\n"
        "          the version is the first\n"
        "  edges   source and destination (ids of nodes), kind\n"
        "  svg     the picture, with --svg; with --out instead of it: file, bytes",
    ),
)
@version_
@click.option("--svg", "as_svg", is_flag=True, help="a picture instead of text")
@_out
@as_read
def show_lineage(name: str, as_svg: bool, out: Path | None, **options: Any) -> None:
    """Show the lineage of VERSION in both directions.

    From SageMaker's lineage, or where that can't be asked from the audit trail.
    """
    from mims.governance.lineage.lineage import graph
    from mims.governance.lineage.text import as_data, as_text
    from mims.governance.lineage.text import as_svg as drawn

    registry = registry_of(options, name)
    found = graph(registry, registry.version(name))
    text = drawn(found) if as_svg else as_text(found)
    report = as_data(found)
    if out:
        write(out, text)
        report |= {"file": str(out), "bytes": len(text.encode())}
        tell(options, [report], lambda: f"{out}: {report['bytes']} bytes")
    else:
        report |= {"svg": text} if as_svg else {}
        tell(options, [report], lambda: text.rstrip("\n"))


@lineage.command(
    epilog=taught(
        ["lineage record fraud/3 --data s3://my-data/fraud/2026-10/ --commit 8d3fd7a"],
        "  version, dry_run\n"
        "  nodes   id, entity, kind, name, arn (null), uri, sha256, properties, new (whether\n"
        "          it was made just now, or would be)\n"
        "  edges   source and destination (ids of nodes), kind, new",
    )
)
@version_
@click.option("--data", multiple=True, metavar="URI", help="training data; may be repeated")
@click.option("--commit", help="the commit of the training code")
@click.option("--repository", metavar="URL", help="and its repository")
@click.option(
    "--parameter",
    "parameters",
    metavar="Key=Value",
    multiple=True,
    callback=console.pairs,
    help="a parameter of the training; may be repeated",
)
@click.option("--training-job", metavar="NAME|ARN", help="tells its data, image and parameters")
@click.option("--endpoint", metavar="NAME|ARN", help="where the version serves")
@as_change
def record(name: str, **options: Any) -> None:
    """Record where VERSION comes from, in SageMaker's lineage. What is there already stays."""
    from mims.governance.lineage.lineage import record as recorded
    from mims.governance.lineage.text import made_data, made_text

    registry = registry_of(options, name)
    told = ("data", "commit", "repository", "parameters", "training_job", "endpoint", "dry_run")
    made = recorded(registry, registry.version(name), **{key: options[key] for key in told})
    report = {**made_data(made), "dry_run": options["dry_run"]}
    tell(options, [report], lambda: made_text(made, dry_run=options["dry_run"]).rstrip("\n"))


@click.command(
    epilog=taught(
        ["track fraud/3 --mlflow-run 77ea43501fcc46e789dd01e196745055"],
        "  version, run, changes (what was written), dry_run",
    )
)
@version_
@click.option("--mlflow-run", "run", required=True, metavar="ID", help="the run it came from")
@click.option("--tracking-uri", metavar="URI", help="the MLflow server, else MLFLOW_TRACKING_URI")
@click.option("--force", is_flag=True, help="though either is linked to another already")
@as_change
def track(name: str, run: str, tracking_uri: str | None, force: bool, **options: Any) -> None:
    """Link VERSION to an MLflow run: its metrics become evidence, and the run learns of VERSION."""
    from mims.governance.tracking.linking import link, text_of

    registry = registry_of(options, name)
    version = registry.version(name)
    made = link(registry, version, run, tracking_uri, force=force, dry_run=options["dry_run"])
    report = {
        "version": version.name,
        "run": run,
        "changes": list(made.changes),
        "dry_run": options["dry_run"],
    }
    tell(options, [report], lambda: text_of(made))
