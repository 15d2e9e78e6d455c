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
@click.option("--instances", type=click.IntRange(1), default=1, metavar="N", help="how many (1)")
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
    from mims.governance.deploy import Patience, Variant
    from mims.governance.deploy import deploy as deployed

    registry = registry_of(options, name)
    version = registry.version(name)
    kind = options["instance_type"] or next(iter(version.instance_types), None)
    if not kind:
        raise InputError(f"{version.name} names no instance type: give --instance-type")
    patience = Patience(timeout=options["timeout"], between=options["poll"])
    made = deployed(
        registry.sagemaker,
        endpoint,
        [Variant(version, kind, options["instances"])],
        role=options["role"],
        capture=options["capture"],
        instead_of=free(registry, endpoint, patience),
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
