"""Evidence without a service: versions as they are described, and reports on a shelf.

    evidence = evidence_of({"ModelQuality.Statistics": {"auc": 0.9}}, production=described(1, …))

For what reads no more than reports and schemas; what asks S3 takes real versions
(governance_versions.py).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from governance_versions import OPERATOR, OTHER
from mims.governance.gates.evidence import Evidence
from mims.governance.registry import Registry
from mims.governance.versions import Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.governance.versions import File

ARN = "arn:aws:sagemaker:us-west-2:123456789012:model-package/fraud/"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SHA256 = "ab" * 32
_shelf: dict[str, str] = {}


class Shelf(Registry):
    """A registry whose objects are texts by their URI."""

    def __init__(self, texts: dict[str, str]) -> None:
        super().__init__("us-west-2")
        self.texts = texts

    def read(self, file: File) -> bytes:
        return self.texts[file.uri].encode("utf-8", "surrogatepass")


def uri(number: int, place: str) -> str:
    return f"s3://models/{number}/{place}"


def described(number: int, reports: Mapping[str, Any], **more: Any) -> Version:
    """A version as DescribeModelPackage tells of it; a report is a value, or text as it stands.

    `schema` is its variable schema: (inputs, outputs); `types` its content types.
    """
    schema = more.pop("schema", None)
    types = more.pop("types", (["application/json"], ["application/json"]))
    sections: dict[str, Any] = {}
    for place, report in reports.items():
        *_, kind, member = place.split(".")
        sections.setdefault(kind, {})[member] = {"S3Uri": uri(number, place)}
        _shelf[uri(number, place)] = report if isinstance(report, str) else json.dumps(report)
    properties = {"model_sha256": SHA256}
    if schema is not None:
        properties["variable_schema_uri"] = uri(number, "schema")
        _shelf[uri(number, "schema")] = schema if isinstance(schema, str) else _schema(*schema)
    return Version.of(
        {
            "ModelPackageArn": f"{ARN}{number}",
            "ModelPackageGroupName": "fraud",
            "ModelPackageVersion": number,
            "InferenceSpecification": {
                "Containers": [{"ModelDataUrl": uri(number, "model.tar.gz")}],
                "SupportedContentTypes": types[0],
                "SupportedResponseMIMETypes": types[1],
            },
            "ModelMetrics": sections,
            "CustomerMetadataProperties": properties,
            **more,
        }
    )


def _schema(*sides: Mapping[str, str]) -> str:
    variables = [[{"name": n, "type": t} for n, t in side.items()] for side in sides]
    return json.dumps(
        {side: {"variables": v} for side, v in zip(("input", "output"), variables, strict=True)}
    )


def evidence_of(
    reports: Mapping[str, Any] | Version,
    production: Version | None = None,
    baselines: Mapping[int, Version] | None = None,
    *,
    approvals: tuple[str, ...] = (OTHER,),
    registered_by: str | None = OPERATOR,
) -> Evidence:
    """What speaks for version 9, whose reports these are."""
    return Evidence(
        registry=Shelf(_shelf),
        version=reports if isinstance(reports, Version) else described(9, reports),
        production=production,
        baselines=baselines or {},
        records=(),
        approvals=approvals,
        registered_by=registered_by,
        now=NOW,
    )
