"""A version in the model registry, as an operator sees it.

Goes in: what DescribeModelPackage answers. Comes out: a `Version`: its stage, what it is made of,
the reports that speak for it. Versions that other tools have registered are versions too: what they
lack is None. Asks and changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

DEVELOPMENT, STAGING, PRODUCTION, ARCHIVED = STAGES = (
    *("Development", "Staging", "Production", "Archived"),
)
_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:(?P<region>[a-z0-9-]+):\d{12}:model-package/"
    r"(?P<group>[a-zA-Z0-9-]+)/(?P<number>\d+)"
)
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


class File(NamedTuple):
    """An object in S3, and its SHA-256 as far as the registry knows it."""

    uri: str
    sha256: str | None = None


@dataclass(frozen=True)
class Version:
    """A version of a model package group."""

    arn: str
    group: str
    number: int
    region: str
    status: str
    """Completed, Failed, … : whether the registry has it whole"""
    approval: str
    """PendingManualApproval, Approved or Rejected"""
    stage: str
    """Development where nobody has set one"""
    created: datetime | None
    created_by: str | None
    """the ARN or name of whoever registered it, as SageMaker tells it"""
    model: File
    payload: File | None
    schema: File | None
    """the variable schema, of mims_registration_step.md"""
    reports: Mapping[str, File]
    """by place: ModelQuality.Statistics, DriftCheckBaselines.Bias.ConfigFile, …"""
    properties: Mapping[str, str]
    """CustomerMetadataProperties"""
    described: Mapping[str, Any] = field(repr=False, compare=False)
    """the whole answer"""

    @property
    def name(self) -> str:
        """How people write it: group/number."""
        return f"{self.group}/{self.number}"

    @property
    def bucket(self) -> str:
        """The bucket that holds its files, and its group's audit trail."""
        return self.model.uri.removeprefix("s3://").partition("/")[0]

    @property
    def instance_types(self) -> Sequence[str]:
        """Those that it may be served on, as it was registered; none where nothing was said."""
        found: Sequence[str] = self.described.get("InferenceSpecification", {}).get(
            "SupportedRealtimeInferenceInstanceTypes", ()
        )
        return found

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Version:
        """Read what DescribeModelPackage answers."""
        arn = described["ModelPackageArn"]
        found = _ARN.fullmatch(arn)
        properties = described.get("CustomerMetadataProperties", {})
        containers = described.get("InferenceSpecification", {}).get("Containers", [{}])
        model = File(containers[0].get("ModelDataUrl", ""), properties.get("model_sha256"))
        payload, schema = described.get("SamplePayloadUrl"), properties.get("variable_schema_uri")
        by = described.get("CreatedBy", {})
        return cls(
            arn=arn,
            group=described.get("ModelPackageGroupName") or (found["group"] if found else ""),
            number=described.get("ModelPackageVersion") or (int(found["number"]) if found else 0),
            region=arn.split(":")[3],
            status=described.get("ModelPackageStatus", ""),
            approval=described.get("ModelApprovalStatus", "PendingManualApproval"),
            stage=described.get("ModelLifeCycle", {}).get("Stage", DEVELOPMENT),
            created=described.get("CreationTime"),
            created_by=by.get("IamIdentity", {}).get("Arn") or by.get("UserProfileName"),
            model=model,
            payload=File(payload, properties.get("payload_sha256")) if payload else None,
            schema=File(schema, properties.get("variable_schema_sha256")) if schema else None,
            reports=_reports(described),
            properties=properties,
            described=described,
        )


def _reports(described: Mapping[str, Any]) -> dict[str, File]:
    found = {}
    for section, kinds in (
        ("", described.get("ModelMetrics", {})),
        ("DriftCheckBaselines.", described.get("DriftCheckBaselines", {})),
    ):
        for kind, members in kinds.items():
            for member, source in members.items():
                digest = _DIGEST.fullmatch(source.get("ContentDigest", ""))
                file = File(source["S3Uri"], digest[1] if digest else None)
                found[f"{section}{kind}.{member}"] = file
    return found
