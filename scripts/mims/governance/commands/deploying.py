"""The command that puts a version behind an endpoint."""

from __future__ import annotations

from typing import Any

import click

from mims.governance.commands.shared import as_change, registry_of, taught, tell, waits


@click.command(
    epilog=taught(
        [
            "deploy fraud-live fraud/Production --role arn:aws:iam::123456789012:role/serve",
            "deploy fraud-live fraud/3 --role … --instances 2 --capture s3://my-captures",
        ],
        "  endpoint, version, done (created, updated or unchanged), config (its name), former\n"
        "  (the one that the endpoint had), dry_run",
    )
)
@click.argument("endpoint")
@click.argument("name", metavar="VERSION")
@click.option("--role", metavar="ARN", required=True, help="that the model runs with")
@click.option("--instance-type", metavar="TYPE", help="else the first that the version supports")
@click.option(
    "--instances",
    type=click.IntRange(1),
    metavar="N",
    help="how many; else as many as the endpoint has by now, or 1",
)
@click.option(
    "--capture",
    metavar="S3",
    help="where SageMaker writes what is asked and answered; else nowhere",
)
@waits
@as_change
def deploy(endpoint: str, name: str, **options: Any) -> None:
    """Have ENDPOINT serve VERSION, which must be Approved, and nothing else.

    The endpoint is made if there is none. If it does not come into service it is as it was. An
    A/B behind it has to be stopped first. It changes no stage: promote does.
    """
    from mims.errors import InputError
    from mims.governance.ab.endpoint import free
    from mims.governance.deploy import Variant, count_now
    from mims.governance.deploy import deploy as deployed
    from mims.governance.endpoints import Patience

    registry = registry_of(options, name)
    version = registry.version(name)
    kind = options["instance_type"] or next(iter(version.instance_types), None)
    if not kind:
        raise InputError(f"{version.name} names no instance type: give --instance-type")
    patience = Patience(timeout=options["timeout"], between=options["poll"])
    former = free(registry, endpoint, patience)
    role, capture, count = options["role"], options["capture"], options["instances"]
    variant = Variant(version, kind)
    count = count or count_now(registry.sagemaker, endpoint, variant, role, capture)
    made = deployed(
        *(registry.sagemaker, endpoint, [Variant(version, kind, count)]),
        role=role,
        capture=capture,
        instead_of=former,
        patience=patience,
        dry_run=options["dry_run"],
    )
    report = {
        "endpoint": endpoint,
        "version": version.name,
        "done": made.done,
        "config": made.config,
        "former": made.former,
        "dry_run": options["dry_run"],
    }
    is_, serves = ("would be ", "would serve") if options["dry_run"] else ("", "serves")
    said = f"endpoint {endpoint}: {is_}{made.done}; it {serves} {version.name} on {kind}"
    tell(options, [report], lambda: said)
