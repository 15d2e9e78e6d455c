"""What speaks for a version: its metrics, bias and explainability, its bytes, its history.

Goes in: a version, the ones to compare it with, and the group's history. Comes out: `Evidence`,
which reads a report when it is asked about, once, and only if its digest holds. What is not there
or can't be judged is an `InputError` that says why; a service that refuses is a `ServiceError`.

Shapes of reports: mims.governance.report_shapes. A report that names a model package other than the
version, or another model's SHA-256, is of another version: none of it counts.

Writes nothing. Reads package and payload from end to end, where their integrity is asked for.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.governance.decisions import KIND, approvals
from mims.governance.download import CHUNK, check, location, opened, reaching
from mims.governance.report_shapes import bias, importance, metrics, named, number, own_times
from mims.registration.artifacts import Digest
from mims.registration.parameters import shown
from mims.text import listed, meant, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.governance.decisions import History
    from mims.governance.registry import Registry
    from mims.governance.versions import File, Version

QUALITY, EXPLAINED = "ModelQuality.Statistics", "Explainability.Report"
BIAS = ("Bias.Report", "Bias.PreTrainingReport", "Bias.PostTrainingReport")
_BASELINES = "DriftCheckBaselines."


class Variables(NamedTuple):
    """A version's variable schema: type by name, in order."""

    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Evidence:
    """What is known of a version."""

    registry: Registry
    version: Version
    production: Version | None
    baselines: Mapping[int, Version]
    records: tuple[Mapping[str, Any], ...]
    """the group's audit trail, whose chain holds"""
    approvals: tuple[str, ...]
    """ARNs of who has approved"""
    registered_by: str | None
    """an ARN, of a person, role or job; or a name"""
    now: datetime
    _read: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def metric(self, name: str, version: Version | None = None) -> float:
        """A metric of this version, or of a baseline: the report's, else of its MLflow run.

        Raises:
            InputError: there is none, there are several of that name, or it is no finite number.

        """
        version = version or self.version
        found: Mapping[str, Any] = {}
        linked = self._linked(version)
        if QUALITY in version.reports or not linked:
            found = metrics(self.report(version, QUALITY))
        if not any(path == name or path.endswith(f".{name}") for path in found):
            found = {**linked, **found}
        alike = [path for path in found if path == name or path.endswith(f".{name}")]
        if name in found:
            alike = [name]
        if len(alike) > 1:
            raise InputError(f"{version.name} has several {name}: name one of {listed(alike)}")
        if not alike:
            raise InputError(f"{version.name} has no metric {shown(name)}: {_near(name, found)}")
        return _finite(found[alike[0]], f"{version.name}'s {alike[0]}")

    def _linked(self, version: Version) -> Mapping[str, Any]:
        """The metrics of the MLflow run that a version is linked to; none where it is to none."""
        if "mlflow_run_id" not in version.properties:
            return {}
        from mims.governance.tracking.linking import evidence_of

        key = f"mlflow of {version.arn}"
        if key not in self._read:
            self._read[key] = evidence_of(self.registry, version)
        found: Mapping[str, Any] = self._read[key]
        return found

    def bias(self, attribute: str, metric: str) -> dict[str, float]:
        """A bias metric of a protected attribute, by group of people.

        Raises:
            InputError: there is none, or a group has no finite number.

        """
        places = [place for place in BIAS if place in self.version.reports] or [BIAS[0]]
        known = [one for place in places for one in bias(self.report(self.version, place))]
        of_it = [one for one in known if one.attribute == attribute]
        if not of_it:
            has = listed(dict.fromkeys(one.attribute for one in known)) or "none"
            raise InputError(f"the bias report has no attribute {shown(attribute)}: it has {has}")
        found = [one for one in of_it if one.metric == metric]
        if not found:
            has = listed(dict.fromkeys(one.metric for one in of_it))
            raise InputError(
                f"the bias report has no {shown(metric)} of {printable(attribute)}: it has {has}"
            )
        values: dict[str, float] = {}
        for one in found:  # the worse of two that a report has of a group
            value = _finite(one.value, f"{metric} of {attribute} {one.group}".strip())
            values[one.group] = max(value, values.get(one.group, value), key=abs)
        return values

    def importance(self) -> dict[str, float]:
        """How much each feature weighs.

        Raises:
            InputError: there is no such report, or no number in it.

        """
        found = importance(self.report(self.version, EXPLAINED))
        if not found:
            raise InputError(
                "the explainability report names no feature: it needs Clarify's "
                'global_shap_values, or {"feature_importance": {"age": 0.3}}'
            )
        return {name: _finite(v, f"the importance of {name}") for name, v in found.items()}

    def variables(self, version: Version) -> Variables:
        """The variable schema that a version was registered with.

        Raises:
            InputError: there is none, or it is none.

        """
        if version.schema is None:
            raise InputError(f"{version.name} was registered without a variable schema")
        document = self._json(version.schema)
        sides = []
        for side in ("input", "output"):
            try:
                listing = document[side]["variables"]
                sides.append({str(one["name"]): str(one["type"]) for one in listing})
            except (TypeError, KeyError, IndexError) as error:
                raise InputError(f"{version.schema.uri}: is no variable schema") from error
        return Variables(*sides)

    def digest(self, file: File) -> str:
        """The SHA-256 of what S3 holds, read from end to end.

        Raises:
            InputError: it is gone, or is not what was registered.

        """
        location(file.uri)
        if file.sha256 is None:
            raise InputError(f"{file.uri}: no SHA-256 was registered to hold it to")
        digest = Digest()
        with (
            reaching(self.registry, "GetObject", file),
            closing(opened(self.registry, file)) as body,
        ):
            for chunk in body.iter_chunks(CHUNK):
                digest.update(chunk)
        check(file, digest)
        return digest.sha256

    def registration(self) -> Mapping[str, Any]:
        """The audit record of the version's registration.

        Raises:
            InputError: there is none, or it tells of another package or payload.

        """
        record = _registration(self.records, self.version.arn)
        if record is None:
            raise InputError(f"the audit trail does not tell of {self.version.name}'s registration")
        told = {one.get("uri"): one.get("sha256") for one in record.get("artifacts") or ()}
        for file in (self.version.model, self.version.payload):
            if file and told.get(file.uri, file.sha256) != file.sha256:
                raise InputError(
                    f"audit record {record.get('number')} has SHA-256 {told[file.uri]} for "
                    f"{file.uri}, but the version says {file.sha256}: the version was changed since"
                )
        if told and self.version.model.uri not in told:
            raise InputError(
                f"audit record {record.get('number')} does not tell of {self.version.model.uri}: "
                "the version was changed since"
            )
        return record

    def ages(self) -> dict[str, float]:
        """How old each report is, in days: by its own word or S3's, whichever makes it older.

        Raises:
            InputError: there is none, or one is gone or can't be read.

        """
        found = {}
        for place, file in self.version.reports.items():
            if place.startswith(_BASELINES):
                continue
            at = location(file.uri)
            with reaching(self.registry, "HeadObject", file):
                stored = self.registry.s3.head_object(Bucket=at.bucket, Key=at.key)["LastModified"]
            times = [stored, *own_times(self.report(self.version, place))]
            found[place] = (self.now - min(times)).total_seconds() / 86400
        if not found:
            raise InputError(f"{self.version.name} was registered without a report")
        return found

    def report(self, version: Version, place: str) -> Mapping[str, Any]:
        """A report by its place: ModelQuality.Statistics, Bias.Report, Explainability.Report.

        Raises:
            InputError: it is missing, was changed, can't be read, or is of another version.

        """
        file = version.reports.get(place)
        if file is None:
            raise InputError(f"{version.name} was registered without a report {place}")
        report = self._json(file)
        if not isinstance(report, dict):
            raise InputError(f"{file.uri}: must be an object, not {shown(report)}")
        packages, models = named(report)
        if packages and version.arn.lower() not in packages:
            raise InputError(f"{file.uri}: is of another version: {listed(sorted(packages))}")
        if models and version.model.sha256 not in models:
            raise InputError(f"{file.uri}: is of another model: SHA-256 {listed(sorted(models))}")
        return report

    def _json(self, file: File) -> Any:
        if file.uri not in self._read:
            location(file.uri)
            with reaching(self.registry, "GetObject", file):
                self._read[file.uri] = self.registry.read_json(file)
        return self._read[file.uri]


def gather(
    registry: Registry,
    version: Version,
    *,
    production: Version | None,
    baselines: Mapping[int, Version],
    history: History,
    now: datetime | None = None,
) -> Evidence:
    """Put together what speaks for a version; reports are read when a gate asks for them.

    `baselines` are versions of the group by number; `now` is aware of its time zone.
    """
    records = (*history.records, *history.elsewhere)
    registration = _registration(records, version.arn) or {}
    by = (
        version.created_by
        or registration.get("actor")
        or registration.get("role_arn")
        or registration.get("job_arn")
    )
    return Evidence(
        registry=registry,
        version=version,
        production=production,
        baselines=baselines,
        records=records,
        approvals=tuple(actor for actor, _ in approvals(history.decisions, version.arn)),
        registered_by=by,
        now=now or datetime.now(UTC),
    )


def _finite(value: Any, what: str) -> float:
    made = number(value)
    if made is None:
        raise InputError(f"{printable(what)} is {shown(value)}: no finite number")
    return made


def _near(name: str, known: Mapping[str, Any]) -> str:
    if not known:
        return "the report has none"
    last_parts = [path.rpartition(".")[2] for path in known]
    return meant(name, [*last_parts, *known], f"it has {listed(known, 8)}")


def _registration(records: tuple[Mapping[str, Any], ...], arn: str) -> Mapping[str, Any] | None:
    """The record of the registration itself; a run that found it done comes later."""
    for record in records:
        if record.get("kind") != KIND and record.get("model_package_arn") == arn:
            return record
    return None
