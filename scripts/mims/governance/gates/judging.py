"""The gates of a stage, each judged by the evidence.

Goes in: a stage's gates and a version's evidence. Comes out: a `Verdict` for each gate, whatever
comes of the others: what can't be judged has failed, with the reason. Only a service that refuses
ends it: then no verdict is possible. Changes nothing.

What the rules are, where there is a choice:
- Numbers are compared as they are written: 0.93 - 0.92 is 0.01, and ends are included.
- Without a version in Production, comparison with it passes: the first one must get there.
- Of a bias metric, `at_most` bounds how far it is from 0, either way; every group has to keep it.
- Schema: callers of the version in Production must be served as before. Inputs may become fewer,
  outputs more; no type changes and no content type goes. Where requests are CSV, columns go by
  their place: the inputs must be the same in the same order; so must the answer's first columns.
- Approval: an assumed role's session name is the person, and nobody counts twice. A version of
  which nobody knows who registered it can't be approved by another.
- Age: that of the oldest report, but for drift baselines, which are old by nature.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mims.contracts import CSV
from mims.errors import InputError
from mims.text import counted, listed, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mims.governance.gates.evidence import Evidence
    from mims.governance.gates.models import Limit, MetricGate, StageGates
    from mims.governance.versions import File, Version

_NO_PRODUCTION = "no version in Production yet"


class Verdict(NamedTuple):
    """What came of a gate."""

    gate: str
    """where it stands in the gate file: metrics.auc, fairness.sex.DPL; integrity has several"""
    passed: bool
    found: str
    """what the evidence shows; empty where there is none"""
    wanted: str
    reason: str
    """why it has not passed, or what else there is to say"""


class _Finding(NamedTuple):
    """What a gate's judge has to say; without problems it has passed."""

    found: str
    problems: Iterable[str] = ()
    remark: str = ""
    wanted: str = ""


class _Bounds(NamedTuple):
    """Within what a number must lie, and how people say it."""

    low: Decimal | None
    high: Decimal | None
    words: str


_Check = tuple[str, str, "Callable[[], _Finding]"]


def evaluate(gates: StageGates, evidence: Evidence) -> list[Verdict]:
    """Judge every gate.

    Raises:
        ServiceError: a service refused or can't be reached.

    """
    return [_verdict(*check) for check in _checks(gates, evidence)]


def _checks(gates: StageGates, evidence: Evidence) -> Iterator[_Check]:
    """Yield each gate's name, what it wants, and how to judge it."""
    for name, gate in gates.metrics.items():
        yield f"metrics.{name}", _metric_words(gate), partial(_metric, name, gate, evidence)
    for attribute, limits in gates.fairness.items():
        for name, limit in limits.items():
            bounds = _bounds(limit, fair=True)
            judge = partial(_bias, attribute, name, bounds, evidence)
            yield f"fairness.{attribute}.{name}", bounds.words, judge
    if gates.explainability:
        wanted = "a report with SHAP values or feature importance"
        yield "explainability", wanted, partial(_explained, evidence)
    if gates.compatibility:
        wanted = "serves the callers of the version in Production"
        yield "schema", wanted, partial(_compatible, evidence)
    if gates.evidence:
        most = gates.evidence.at_most_days_old
        days = "1 day" if most == 1 else f"{numeral(most)} days"
        yield "evidence", f"at most {days} old", partial(_fresh, most, evidence)
    if gates.integrity:
        yield from _integrity(evidence)
    if gates.approval:
        count = gates.approval.by_others
        wanted = f"approved by {count} other than who registered it"
        yield "approval", wanted, partial(_approved, count, evidence)


def _verdict(gate: str, wanted: str, judge: Callable[[], _Finding]) -> Verdict:
    gate = printable(gate)
    try:
        found = judge()
    except InputError as error:
        return Verdict(gate, False, "", wanted, str(error))
    problem = "; ".join(found.problems)
    return Verdict(gate, not problem, found.found, found.wanted or wanted, problem or found.remark)


# Numbers


def numeral(number: float | Decimal) -> str:
    """A number as people write it, no digit lost: 0.91, 3, 1e-09."""
    return repr(float(number)).removesuffix(".0")


def _exact(number: float) -> Decimal:
    """The number that was written, not the binary one next to it."""
    return Decimal(repr(float(number)))


def _bounds(limit: Limit, *, fair: bool = False) -> _Bounds:
    low, high = limit.between or (limit.at_least, limit.at_most)
    parts = []
    if limit.at_least is not None:
        parts.append(f"at least {numeral(limit.at_least)}")
    if limit.at_most is not None:
        parts.append(f"at most {numeral(limit.at_most)}{' from 0' if fair else ''}")
    if limit.between:
        parts.append(f"between {numeral(limit.between[0])} and {numeral(limit.between[1])}")
    if fair and limit.at_most is not None:
        low = max(-limit.at_most, -limit.at_most if low is None else low)
    exact = [None if end is None else _exact(end) for end in (low, high)]
    return _Bounds(exact[0], exact[1], " and ".join(parts))


def _outside(value: float, bounds: _Bounds) -> Iterator[str]:
    """Yield how a value fails its bounds."""
    if bounds.low is not None and _exact(value) < bounds.low:
        yield f"{numeral(value)} is less than {numeral(bounds.low)}"
    if bounds.high is not None and _exact(value) > bounds.high:
        yield f"{numeral(value)} is more than {numeral(bounds.high)}"


# Metrics


def _metric_words(gate: MetricGate) -> str:
    """What a metric must be, before the baseline is known."""
    own = _bounds(gate).words
    if gate.baseline is None:
        return own
    named = f"version {gate.baseline}" if isinstance(gate.baseline, int) else gate.baseline
    margin = f" by more than {numeral(gate.at_most_worse)}" if gate.at_most_worse else ""
    return f"{own}{own and ' and '}not worse than {named}{margin}"


def _metric(name: str, gate: MetricGate, evidence: Evidence) -> _Finding:
    value = evidence.metric(name)
    bounds = [_bounds(gate)]
    remark = ""
    if gate.baseline is not None:
        baseline = _baseline(gate.baseline, evidence)
        if baseline:
            bounds.append(_no_worse(name, gate, baseline, evidence))
        else:
            remark = _NO_PRODUCTION
    problems = [problem for one in bounds for problem in _outside(value, one)]
    wanted = "" if remark else " and ".join(one.words for one in bounds if one.words)
    return _Finding(numeral(value), problems, remark, wanted)


def _baseline(named: str | int, evidence: Evidence) -> Version | None:
    if isinstance(named, str):
        return evidence.production
    if named not in evidence.baselines:
        raise InputError(f"group {evidence.version.group} has no version {named} to compare with")
    return evidence.baselines[named]


def _no_worse(name: str, gate: MetricGate, baseline: Version, evidence: Evidence) -> _Bounds:
    """What a metric must be, seen from the baseline's."""
    its, margin = _exact(evidence.metric(name, baseline)), _exact(gate.at_most_worse or 0)
    called = f"{baseline.name}'s {numeral(its)}"
    direction = gate.direction(name)
    if direction == "higher":
        less = f" less {numeral(margin)}" if margin else ""
        return _Bounds(its - margin, None, f"at least {numeral(its - margin)} ({called}{less})")
    if direction == "lower":
        plus = f" plus {numeral(margin)}" if margin else ""
        return _Bounds(None, its + margin, f"at most {numeral(its + margin)} ({called}{plus})")
    raise InputError(f"the gate file does not say which way {printable(name)} is better")


# Fairness and explainability


def _bias(attribute: str, metric: str, bounds: _Bounds, evidence: Evidence) -> _Finding:
    values = evidence.bias(attribute, metric)
    found = [f"{printable(group)} {numeral(value)}".strip() for group, value in values.items()]
    problems = [
        f"{printable(group)}{group and ': '}{problem}"
        for group, value in values.items()
        for problem in _outside(value, bounds)
    ]
    return _Finding(listed(found), problems)


def _explained(evidence: Evidence) -> _Finding:
    weights = evidence.importance()
    most = sorted(weights, key=lambda name: -abs(weights[name]))[:3]
    return _Finding(
        f"{counted(len(weights), 'feature')}, first "
        + ", ".join(f"{printable(name)} {numeral(weights[name])}" for name in most)
    )


# Schema


def _compatible(evidence: Evidence) -> _Finding:
    own = evidence.variables(evidence.version)
    counts = f"{counted(len(own.inputs), 'input')}, {counted(len(own.outputs), 'output')}"
    if evidence.production is None:
        return _Finding(counts, remark=_NO_PRODUCTION)
    old = evidence.variables(evidence.production)
    content, answers = (
        (_types(evidence.production, kind), _types(evidence.version, kind))
        for kind in ("SupportedContentTypes", "SupportedResponseMIMETypes")
    )
    problems = [
        *(f"input {printable(name)} is new" for name in own.inputs if name not in old.inputs),
        *_retyped("input", old.inputs, own.inputs),
        *(f"output {printable(name)} is gone" for name in old.outputs if name not in own.outputs),
        *_retyped("output", old.outputs, own.outputs),
    ]
    for kind, (before, now) in (("requests", content), ("answers", answers)):
        if gone := [one for one in before if one not in now]:
            problems.append(f"{kind} of {listed(gone)} are gone")
    if not problems and CSV in content[0] and [*own.inputs] != [*old.inputs]:
        problems.append(f"requests are CSV, whose columns are {listed(old.inputs)}, in this order")
    if not problems and CSV in answers[0] and [*own.outputs][: len(old.outputs)] != [*old.outputs]:
        problems.append(f"answers are CSV, which begin with {listed(old.outputs)}, in this order")
    return _Finding(counts, problems, wanted=f"serves the callers of {evidence.production.name}")


def _types(version: Version, kind: str) -> list[str]:
    return list(version.described.get("InferenceSpecification", {}).get(kind, []))


def _retyped(side: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for name, kind in old.items():
        if new.get(name, kind) != kind:
            yield f"{side} {printable(name)} was {printable(kind)} and is {printable(new[name])}"


# Age, integrity, approval


def _fresh(most: float, evidence: Evidence) -> _Finding:
    ages = evidence.ages()
    oldest = max(ages, key=lambda place: ages[place])
    problems = [f"{place} is {days:.1f} days old" for place, days in ages.items() if days > most]
    return _Finding(f"{oldest} is the oldest, {ages[oldest]:.1f} days", problems)


def _integrity(evidence: Evidence) -> Iterator[_Check]:
    version = evidence.version
    yield "integrity.package", "as registered", partial(_intact, version.model, evidence)
    if version.payload:
        yield "integrity.payload", "as registered", partial(_intact, version.payload, evidence)
    yield "integrity.audit", "a whole chain with its registration", partial(_told, evidence)


def _intact(file: File, evidence: Evidence) -> _Finding:
    return _Finding(f"sha256 {evidence.digest(file)}")


def _told(evidence: Evidence) -> _Finding:
    record = evidence.registration()
    return _Finding(f"record {record.get('number')} of {len(evidence.records)}")


def _approved(count: int, evidence: Evidence) -> _Finding:
    by = evidence.registered_by
    others = {
        person(one).casefold(): person(one) for one in evidence.approvals if not _same(one, by)
    }
    found = listed(others.values()) or "nobody"
    if by is None:
        return _Finding(found, ["nobody knows who registered it, so nobody is surely another"])
    whose = f"{found} else" if evidence.approvals and not others else found
    problem = [f"{whose} approved, and {printable(person(by))} registered it"]
    return _Finding(found, problem if len(others) < count else ())


def person(arn: str) -> str:
    """Who an ARN tells of: an assumed role's session, a user, a role; else its last part."""
    return arn.rpartition(":")[2].rpartition("/")[2] if arn.startswith("arn:") else arn


def _same(approver: str, registrar: str | None) -> bool:
    """Whether one may be the other: the same person, or someone in the role that registered."""
    if registrar is None:
        return False
    names = {person(approver).casefold()}
    if ":assumed-role/" in approver and ":role/" in registrar:
        names.add(approver.split("/")[-2].casefold())
    return person(registrar).casefold() in names
