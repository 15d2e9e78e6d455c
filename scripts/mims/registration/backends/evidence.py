"""What the performance metadata says, and where SageMaker is to find it.

Goes in: the metadata, a JSON object in any of these shapes:

- a report of a model's quality, such as Model Monitor's, or any object of metrics: the file as it
  is becomes the model's quality statistics;
- sections, each an S3 path or the report itself: `model_quality`, `model_data_quality`, `bias`,
  `explainability`, `drift_check_baselines`, in snake case or AWS's own spelling, with AWS's members
  within them (`statistics`, `constraints`, `report`, …) or without: then it is the main one;
- `statistics_uri`, `bias_uri`, `explainability_uri`: S3 paths, as mlops_model_registry.md has them.

Comes out: `Section`s, each with its place in CreateModelPackage's request, and that part of the
request. Pure: nothing is stored or asked here. What a report says is not judged.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.registration.artifacts import Artifact
from mims.registration.storage import content_address
from mims.text import listed, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mims.registration.backends.base import Submission

Place = tuple[str, str, str]
QUALITY = ("ModelMetrics", "ModelQuality", "Statistics")
_JSON = "application/json"
_SOURCE = ("S3Uri", "ContentType", "ContentDigest")  # AWS's MetricsSource
_S3_URI = re.compile(r"s3://[^/\s]+/\S{1,900}")

# Sections, what AWS calls their members, the main one first, by place in the request.
_METRICS = {
    "ModelQuality": ("Statistics", "Constraints"),
    "ModelDataQuality": ("Statistics", "Constraints"),
    "Bias": ("Report", "PreTrainingReport", "PostTrainingReport"),
    "Explainability": ("Report",),
}
_BASELINES = {
    "ModelQuality": ("Statistics", "Constraints"),
    "ModelDataQuality": ("Statistics", "Constraints"),
    "Bias": ("PostTrainingConstraints", "PreTrainingConstraints", "ConfigFile"),
    "Explainability": ("Constraints", "ConfigFile"),
}
_DRIFT = "DriftCheckBaselines"
_URI_KEYS = {
    "statistics_uri": "ModelQuality",
    "bias_uri": "Bias",
    "explainability_uri": "Explainability",
}


@dataclass(frozen=True)
class Section:
    """A report and its place in the request, such as ModelMetrics, Bias, Report."""

    place: Place
    report: Artifact | dict[str, str]  # something to store, or where it is: a MetricsSource


def sections(metadata: Mapping[str, Any]) -> list[Section]:
    """Give the metadata's sections; none where all of it is the model's quality.

    Raises:
        InputError: with every section that is neither an S3 path nor a report, or given twice.

    """
    problems: list[str] = []
    found: dict[Place, Section] = {}
    for path, place, given in _given(metadata):
        report = _source(given) or _artifact(place, given)
        if report is None:
            problems.append(
                f"performance metadata {printable(path)}: must be an S3 path such as "
                "s3://bucket/report.json, or an object: the report itself, or S3 paths by AWS's "
                f"names for its members: {listed(_members_of(place))}"
            )
        elif place in found:
            problems.append(
                f"performance metadata {printable(path)}: {'.'.join(place)} is given twice"
            )
        else:
            found[place] = Section(place, report)
    if problems:
        raise InputError(*problems)
    return list(found.values())


def sources(submission: Submission) -> dict[str, Any]:
    """The request's ModelMetrics and DriftCheckBaselines; none without metadata.

    Reports of the metadata's own lie where `content_address` says: whoever submits stores them.
    """
    if submission.metadata is None or submission.evidence is None:
        return {}
    made: dict[str, Any] = {}

    def put(place: Place, source: dict[str, str]) -> None:
        made.setdefault(place[0], {}).setdefault(place[1], {})[place[2]] = source

    if remainder(submission.evidence):
        put(QUALITY, _stored(submission.metadata.artifact, submission.metadata.uri))
    bucket = submission.config.bucket[submission.region]
    for section in sections(submission.evidence):
        source = section.report
        if isinstance(source, Artifact):
            at = content_address(bucket, submission.config.group, source)
            source = _stored(source, at.uri)
        put(section.place, source)
    return made


def metrics_of(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metrics themselves: the report of the model's quality, or else what is in no section."""
    quality = [given for _, place, given in _given(metadata) if place == QUALITY]
    if quality and isinstance(quality[0], dict) and not _source(quality[0]):
        return quality[0]
    return remainder(metadata)


def remainder(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in no section."""
    return {key: value for key, value in metadata.items() if not _is_section(key, value)}


def _is_section(key: str, value: Any) -> bool:
    """A number or a list under a section's name is a metric of that name."""
    known = key in _URI_KEYS or _named(key, (*_METRICS, _DRIFT)) is not None
    return known and isinstance(value, str | dict)


def _given(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Place, Any]]:
    """Yield what is given for each place, with its path in the metadata."""
    for key, value in metadata.items():
        if not _is_section(key, value):
            continue
        name = _URI_KEYS.get(key) or _named(key, (*_METRICS, _DRIFT)) or ""
        if name != _DRIFT:
            yield from _members(key, ("ModelMetrics", name), value, _METRICS[name])
        elif isinstance(value, dict) and all(_named(kind, _BASELINES) for kind in value):
            for kind, baseline in value.items():
                of = _named(kind, _BASELINES) or ""
                yield from _members(f"{key}.{kind}", (_DRIFT, of), baseline, _BASELINES[of])
        else:
            yield key, (_DRIFT, "ModelQuality", "Statistics"), value


def _members(
    path: str, at: tuple[str, str], value: Any, members: tuple[str, ...]
) -> Iterator[tuple[str, Place, Any]]:
    """Yield a section's members; a section without is its main one."""
    if isinstance(value, dict) and value and all(_named(key, members) for key in value):
        for key, report in value.items():
            yield f"{path}.{key}", (*at, _named(key, members) or ""), report
    else:
        yield path, (*at, members[0]), value


def _members_of(place: Place) -> tuple[str, ...]:
    return (_BASELINES if place[0] == _DRIFT else _METRICS)[place[1]]


def _named(key: str, names: Mapping[str, Any] | tuple[str, ...]) -> str | None:
    """AWS's name for a key, whether it is written model_quality or ModelQuality."""
    plain = key.replace("_", "").lower()
    return next((name for name in names if name.lower() == plain), None)


def _source(given: Any) -> dict[str, str] | None:
    """Read an S3 path, or AWS's object around one."""
    source = {"S3Uri": given} if isinstance(given, str) else given
    if not isinstance(source, dict) or not source.keys() <= {*_SOURCE}:
        return None
    if not all(isinstance(value, str) for value in source.values()):
        return None
    if not _S3_URI.fullmatch(source.get("S3Uri", "")):
        return None
    return {"ContentType": _JSON, **source}


def _stored(artifact: Artifact, uri: str) -> dict[str, str]:
    values = (uri, _JSON, f"sha256:{artifact.sha256}")
    return dict(zip(_SOURCE, values, strict=True))


def _artifact(place: Place, given: Any) -> Artifact | None:
    """An inline report, as a file of its own. One of S3 paths alone has a member misspelt."""
    if not isinstance(given, dict) or all(str(v).startswith("s3:") for v in given.values()):
        return None
    if "S3Uri" in given:
        return None
    try:
        content = json.dumps(given, ensure_ascii=False).encode() + b"\n"
    except RecursionError as error:
        raise InputError("the performance metadata is nested too deep") from error
    words = re.findall("[A-Z][a-z]+", "".join(place).removeprefix("ModelMetrics"))
    return Artifact.of_bytes(f"{'_'.join(words).lower()}.json", content)
