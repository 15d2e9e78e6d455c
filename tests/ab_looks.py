"""Looks at A/Bs whose truth is known: scores drawn by seed, without an endpoint."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from mims.governance.ab import judging
from mims.governance.ab.design import Design
from mims.governance.ab.endpoint import Standing
from mims.governance.ab.guardrails import Guardrails
from mims.governance.ab.outcomes import Outcomes
from mims.governance.ab.watching import Look
from mims.governance.versions import Version

ARN = "arn:aws:sagemaker:us-west-2:123456789012:model-package/fraud/"
DESIGN: dict[str, Any] = {
    "endpoint": "fraud",
    "champion": f"{ARN}1",
    "challenger": f"{ARN}2",
    "champion_variant": "fraud-1",
    "challenger_variant": "fraud-2",
    "share": 0.3,
    "smallest": 0.02,
    "score": "correct",
    "capture": "s3://captures",
    "labels": "s3://labels/fraud",
    "most": 40_000,
    "started": datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
    "former": "fraud-1-0123456789ab",
}


def a_look(
    *,
    records: int = 20_000,
    champion: float = 0.9,
    challenger: float = 0.93,
    breaches: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    seed: int = 7,
    group: str = "fraud",
    **design: Any,
) -> Look:
    """Give a look at so many labelled records, whose predictions are right so often."""
    made = Design(**{**DESIGN, **design})
    random = np.random.default_rng(seed)
    arm = random.random(records) < made.share
    scores = (random.random(records) < np.where(arm, challenger, champion)).astype(float)
    own = int(arm.sum())
    counts = (records - own, own)
    known = Outcomes(
        scores=scores,
        challenger=arm,
        captured=(counts[0] + 70, counts[1] + 30),
        scored=counts,
        captured_by_then=counts,
        scored_by_then=counts,
        unused=0,
        notes=notes,
    )
    watched = Guardrails(
        requests=counts,
        failed=(counts[0] // 500, counts[1] // 400),
        p=0.4,
        latency=(41.25, 47.5) if records else None,
        slow=1,
        breaches=breaches,
        notes=(),
    )
    standing = Standing("fraud", "InService", {"EndpointConfigName": "fraud-1-2"}, {}, {}, made, {})
    return Look(
        design=made,
        standing=standing,
        champion=_version(group, 1, "Production"),
        challenger=_version(group, 2, "Staging"),
        outcomes=known,
        guardrails=watched,
        verdict=judging.verdict(made, known, watched),
        at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
    )


def _version(group: str, number: int, stage: str) -> Version:
    described = {
        "ModelPackageArn": f"{ARN}{number}",
        "ModelPackageGroupName": group,
        "ModelPackageVersion": number,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "Approved",
        "ModelLifeCycle": {"Stage": stage},
    }
    return Version.of(described)
