"""A group whose first version serves behind an endpoint, and whose second could be better.

    group = a_group(tmp_path)            # …/1 in Production behind `fraud`, …/2 in Staging
    experiment.start(Registry(REGION), "fraud", group.challenger.arn, group.gates, wish(), …)

In the local AWS; the bucket is the `bucket` fixture's.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import numpy as np

import captures
from governance_versions import REGION, register_version
from mims.governance.ab.planning import Wish
from mims.governance.deploy import Variant, deploy
from mims.governance.endpoints import Patience, describe
from mims.governance.gates.file import GateFile
from mims.governance.registry import Registry
from patience import looks
from registration_inputs import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mims.governance.ab.design import Design
    from mims.governance.versions import Version

ENDPOINT = "fraud"
ROLE = "arn:aws:iam::123456789012:role/model"
QUICK = Patience(timeout=60, between=0.05)
GATES = """
group: {group}
staging:
  metrics: {{accuracy: {{at_least: 0.85}}}}
production:
  metrics: {{auc: {{at_least: {auc}}}}}
"""
CAPTURE, LABELS = "s3://mims-models/captures", "s3://mims-models/labels"


class Group(NamedTuple):
    champion: Version
    challenger: Version
    gates: GateFile
    config: str
    """the endpoint's configuration before any A/B"""


def gates(group: str, auc: float = 0.9) -> GateFile:
    return GateFile.parse(GATES.format(group=group, auc=auc))


def a_group(
    root: Path,
    champions: Mapping[str, bytes] = PACKAGE,
    challengers: Mapping[str, bytes] = PACKAGE,
) -> Group:
    """Make it; of packages with these files."""
    champion = register_version(root / "1", package=champions)
    challenger = register_version(root / "2", package=challengers)
    registry, by = Registry(REGION), gates(champion.group)
    approved = {"ModelApprovalStatus": "Approved"}
    registry.update(champion, ModelLifeCycle=_life("Production", "Deployed"), **approved)
    registry.update(challenger, ModelLifeCycle=_life("Staging", "InProgress"))
    champion, challenger = (registry.version(one.arn) for one in (champion, challenger))
    variants = [Variant(champion, "ml.m5.large", count=2)]
    made = deploy(registry.sagemaker, ENDPOINT, variants, role=ROLE, patience=QUICK)
    return Group(champion, challenger, by, made.config)


def _life(stage: str, status: str) -> dict[str, str]:
    """Stages as the tests need them: promotions are tested elsewhere, and take longer."""
    return {"Stage": stage, "StageStatus": status}


def wish(**changes: Any) -> Wish:
    given: dict[str, Any] = {"smallest": 0.02, "capture": CAPTURE, "labels": LABELS}
    return Wish(**{**given, **changes})


def served() -> str:
    """The name of the configuration that the endpoint serves."""
    found = describe(boto3.client("sagemaker"), ENDPOINT)
    assert found["EndpointStatus"] == "InService"
    return str(found["EndpointConfigName"])


def config() -> dict[str, Any]:
    return dict(boto3.client("sagemaker").describe_endpoint_config(EndpointConfigName=served()))


def weights() -> dict[str, float]:
    """Each version's share of the traffic, by its number."""
    found = config()["ProductionVariants"]
    return {one["VariantName"].rpartition("-")[2]: one["InitialVariantWeight"] for one in found}


def stands(version: Version) -> tuple[str, str]:
    now = Registry(REGION).version(version.arn)
    return now.stage, now.approval


def answered(design: Design, *, right: tuple[float, float], records: int, seed: int = 7) -> None:
    """Have so many requests come in, split as designed, and their labels, all of them 1.

    `right`: how often champion and challenger answer 1. Put where the endpoint would.
    """
    random = np.random.default_rng(seed)
    arms = random.random(records) < design.share
    answers = random.random(records) < np.where(arms, right[1], right[0])
    at = design.started + timedelta(minutes=1)
    s3 = boto3.client("s3")
    variants = (design.champion_variant, design.challenger_variant)
    for number, variant in enumerate(variants):
        lines = [
            captures.line("1,2", str(int(answers[i])), event_id=f"event-{i}", at=at)
            for i in np.flatnonzero(arms == number)
        ]
        path = captures.key(endpoint=ENDPOINT, variant=variant, at=at)
        s3.put_object(Bucket="mims-models", Key=f"captures/{path}", Body=captures.content(lines))
    truths = [
        json.dumps(
            {
                "groundTruthData": {"data": "1", "encoding": "CSV"},
                "eventMetadata": {"eventId": f"event-{i}"},
                "eventVersion": "0",
            }
        )
        for i in range(records)
    ]
    s3.put_object(Bucket="mims-models", Key="labels/1.jsonl", Body=captures.content(truths))


def delete(version: Version) -> None:
    """Delete a version, and wait until it is gone: it is Deleting first."""
    sagemaker = boto3.client("sagemaker")
    sagemaker.delete_model_package(ModelPackageName=version.arn)
    try:
        for _ in looks():
            sagemaker.describe_model_package(ModelPackageName=version.arn)
    except sagemaker.exceptions.ClientError:
        return
    raise AssertionError(f"{version.name} is still there")
