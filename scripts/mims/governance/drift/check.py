"""A drift check: whether what a model sees and answers still is what its baseline says.

Goes in: the baseline's profile, the profile of what was seen, counted on the baseline's grid, and
limits; metrics and performance as parts that are measured elsewhere. Comes out: a report with its
verdict, as data. Asks nobody for anything.

Something drifted where both hold: its p-value, adjusted for the number of tests of the check, is
alpha or less, so that chance raises an alarm in a share alpha of all checks at most; and its effect
reaches its limit, so that ten million records don't make an alarm of a trifle. Records are taken
for independent: where they come in bursts of the same, it is the limit that keeps a check quiet.
What could not be tested is told: it never counts as quiet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.governance.drift import statistics
from mims.governance.profiles.profile import CATEGORY, NUMBER, TEXT
from mims.registration.parameters import shown
from mims.text import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mims.governance.drift.series import Series
    from mims.governance.profiles.profile import Field, Profile

DRIFT, NONE, UNDECIDED = "drift", "none", "undecided"
_MOVED = 3  # categories that a sentence names
_NEW = "new categories"


@dataclass(frozen=True)
class Limits:
    """From where on a change is drift.

    Raises:
        InputError: they can't be meant.

    """

    alpha: float = 0.01
    """how often a check may find drift where there is none"""
    psi: float = 0.2
    """population stability index of a field's distribution"""
    share: float = 0.05
    """of records that are missing, invalid or of a new category, more or less than in the
    baseline"""
    change: float = 10.0
    """of a metric, percent of its baseline"""
    minimum: int = 200
    """records, below which nothing is decided"""

    def __post_init__(self) -> None:
        problems = [
            f"{name} is {shown(value)}: must be a number, 0 or more"
            for name in ("psi", "share", "change")
            if not 0 <= (value := getattr(self, name)) < math.inf
        ]
        if not 0 < self.alpha < 1:
            problems.append(f"alpha is {shown(self.alpha)}: must be between 0 and 1")
        if self.minimum < 1:
            problems.append(f"minimum is {shown(self.minimum)}: must be 1 or more")
        if problems:
            raise InputError(*problems)


class Measured(NamedTuple):
    """A test, before it is known how many there are."""

    side: str
    """input, output, metric or performance"""
    name: str
    test: str
    """distribution, missing, invalid, new categories; of metrics: change"""
    effect: float
    limit: float
    p: float | None
    """None where the effect alone decides"""
    said: str


class Finding(NamedTuple):
    """A test and what came of it: p is adjusted for the number of tests."""

    side: str
    name: str
    test: str
    effect: float
    limit: float
    p: float | None
    drifted: bool
    said: str


class Part(NamedTuple):
    """What one side of a check measured."""

    measured: tuple[Measured, ...] = ()
    notes: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    """what should have been tested and could not be"""


@dataclass(frozen=True)
class Report:
    """What a check found."""

    subject: str
    """what was checked: an endpoint, files"""
    baseline: str
    """where the baseline is from, and its SHA-256"""
    records: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    """why there is no verdict on a part"""
    limits: Limits = field(default_factory=Limits)
    before: Profile | None = None
    """the baseline's; None where only metrics were checked"""
    now: Profile | None = None
    series: tuple[Series, ...] = ()
    """of labels that came: how good the model was over time"""

    @property
    def verdict(self) -> str:
        """DRIFT, UNDECIDED or NONE; what drifted is drift, whatever else is undecided."""
        if any(finding.drifted for finding in self.findings):
            return DRIFT
        return UNDECIDED if self.undecided or not self.findings else NONE

    def to_json(self) -> dict[str, Any]:
        """The report for programs.

        verdict   "drift", "none" or "undecided"
        subject   what was checked
        baseline  where the baseline is from
        records   how many were seen
        limits    alpha, psi, share, change (percent), minimum (records)
        findings  a list, in the order of the baseline's fields: side ("input", "output", "metric",
                  "performance"), name, test, effect and limit in the test's unit, p (adjusted),
                  drifted, said. effect is null where it is infinite: any change of a baseline of 0.
                  p is null where the effect alone decides.
        undecided why there is no verdict on a part, a list of sentences
        notes     what else is to be known, a list of sentences
        series    how good the model was over time, by labels; a list, metrics with a baseline
                  first: name, baseline (or null), value and error (standard error) of all labelled
                  records, seconds (a point's width), points: start (UTC), records, value, error
        """
        return {
            "verdict": self.verdict,
            "subject": self.subject,
            "baseline": self.baseline,
            "records": self.records,
            "limits": dict(vars(self.limits)),
            "findings": [
                {**one._asdict(), "effect": one.effect if math.isfinite(one.effect) else None}
                for one in self.findings
            ],
            "undecided": [*self.undecided],
            "notes": [*self.notes],
            "series": [one.to_json() for one in self.series],
        }


def compare(
    baseline: Profile,
    current: Profile,
    limits: Limits | None = None,
    *,
    subject: str = "",
    source: str = "",
    extra: Mapping[str, int] | None = None,
    parts: Iterable[Part] = (),
    notes: Iterable[str] = (),
    series: Iterable[Series] = (),
) -> Report:
    """Compare what was seen to a baseline; `parts` are judged along, as one check.

    `source` says where the baseline is from; `extra` are records by the names of columns that the
    baseline has not; `series` are told of, and not judged.

    Raises:
        InputError: the profile was not counted on the baseline's grid.

    """
    limits = limits or Limits()
    every = [fields(baseline, current, limits, extra=extra or {}), *parts]
    made = report(every, limits, subject=subject, source=source, records=current.records)
    return replace(
        made, notes=(*notes, *made.notes), before=baseline, now=current, series=tuple(series)
    )


def report(
    parts: Iterable[Part], limits: Limits, *, subject: str, source: str, records: int = 0
) -> Report:
    """Judge what was measured, all of it as one check."""
    every = [*parts]
    return Report(
        subject=subject,
        baseline=source,
        records=records,
        findings=judged([one for part in every for one in part.measured], limits.alpha),
        notes=tuple(note for part in every for note in part.notes),
        undecided=tuple(reason for part in every for reason in part.undecided),
        limits=limits,
    )


def judged(measured: Sequence[Measured], alpha: float) -> tuple[Finding, ...]:
    """Tell drift from chance and from trifles; see the module's head."""
    adjusted = iter(statistics.holm([one.p for one in measured if one.p is not None]))
    found = []
    for one in measured:
        p = None if one.p is None else next(adjusted)
        # Of metrics the specification asks for more than the limit.
        drifted = one.effect > one.limit if p is None else p <= alpha and one.effect >= one.limit
        values = {**one._asdict(), "p": p, "drifted": drifted}
        found.append(Finding(**values))
    return tuple(found)


def fields(
    baseline: Profile, current: Profile, limits: Limits, *, extra: Mapping[str, int]
) -> Part:
    """Test every field of a baseline."""
    _check_grid(baseline, current)
    fewer = [
        f"{what} {counted(count, 'record')}: fewer than {limits.minimum:,}, so no field is judged"
        for what, count in (
            (_there(current.records), current.records),
            ("the baseline has", baseline.records),
        )
        if count < limits.minimum
    ]
    notes = [f"not in the baseline, so not tested: {listed(extra)}"] if extra else []
    if fewer:
        return Part((), tuple(notes), tuple(fewer))
    measured: list[Measured] = []
    for side, before, now in _sides(baseline, current):
        seen = max((one.records for one in now.values()), default=0)
        if before and seen < limits.minimum:
            notes.append(
                f"{side}s are not tested: {_there(seen)} {counted(seen, 'record')} of them"
            )
            continue
        if texts := [name for name, one in before.items() if one.kind == TEXT]:
            notes.append(f"{side}s of which only what is missing is tested: {listed(texts)}")
        for name, field_before in before.items():
            found = [*_tests(side, field_before, now[name], limits)]
            measured += (one for one in found if isinstance(one, Measured))
            notes += (one for one in found if isinstance(one, str))
    return Part(tuple(measured), tuple(notes))


def _sides(
    baseline: Profile, current: Profile
) -> Iterator[tuple[str, Mapping[str, Field], Mapping[str, Field]]]:
    yield "input", baseline.inputs, current.inputs
    yield "output", baseline.outputs, current.outputs


def _check_grid(baseline: Profile, current: Profile) -> None:
    """Refuse counts that don't belong together."""
    problems = [
        f"{side} {shown(name)}: was not counted on the baseline's grid"
        for side, before, now in _sides(baseline, current)
        for name, one in before.items()
        if name not in now or (one.kind, one.edges) != (now[name].kind, now[name].edges)
    ]
    if problems:
        raise InputError(*problems)


def _tests(side: str, before: Field, now: Field, limits: Limits) -> Iterator[Measured | str]:
    """Yield a field's tests, and notes of what can't be tested.

    Where neither has any, missing and invalid records are no test: whatever way they had fallen, it
    could not have found anything, so it need not be counted (Tarone, Biometrics 46, 1990).
    """
    for test, k0, k1, said in (
        ("missing", before.missing, now.missing, _missing(before, now)),
        ("invalid", before.invalid, now.invalid, _invalid(before, now)),
    ):
        if k0 or k1:
            difference, p = statistics.shares(k0, before.records, k1, now.records)
            yield Measured(side, before.name, test, abs(difference), limits.share, p, said)
    if before.kind == TEXT or now.missing == now.records:
        return
    values = [_counted(before), _counted(now)]
    if min(values) < limits.minimum:
        few = f"{counted(values[1], 'value')} now, {values[0]:,} in the baseline"
        yield f"the distribution of {side} {shown(before.name)} is not tested: {few}"
    elif before.kind == NUMBER:
        yield _numbers(side, before, now, limits)
    elif before.kind == CATEGORY:
        yield from _categories(side, before, now, limits)


def _there(count: int) -> str:
    return "there is" if count == 1 else "there are"


def _counted(one: Field) -> int:
    return one.numbers if one.kind == NUMBER else one.present


def _missing(before: Field, now: Field) -> str:
    was = _percent(before.missing, before.records)
    if now.missing == now.records:
        return f"vanished: missing in all of {counted(now.records, 'record')}, was in {was}"
    return f"missing in {_percent(now.missing, now.records)} of the records, was in {was}"


def _invalid(before: Field, now: Field) -> str:
    said = f"no number in {_percent(now.invalid, now.records)} of the records"
    if now.infinite:
        said += f" ({now.infinite:,} infinite)"
    said += f", was in {_percent(before.invalid, before.records)}"
    return f"{said}; such as {_examples(now)}" if now.examples else said


def _examples(one: Field) -> str:
    return ", ".join(shown(example) for example in one.examples[:_MOVED])


def _numbers(side: str, before: Field, now: Field, limits: Limits) -> Measured:
    into = statistics.bins(before.counts)
    index = statistics.psi(*(statistics.pooled(one.counts, into) for one in (before, now)))
    p = statistics.ks(before.counts, now.counts).p
    said = f"PSI {index:.3g}"
    if before.mean is not None and now.mean is not None:
        said += f": mean {now.mean:.4g}, was {before.mean:.4g}"
        if before.deviation is not None and now.deviation is not None:
            said += f"; standard deviation {now.deviation:.4g}, was {before.deviation:.4g}"
    return Measured(side, before.name, "distribution", index, limits.psi, p, said)


def _categories(side: str, before: Field, now: Field, limits: Limits) -> Iterator[Measured | str]:
    names = [*before.categories]
    counts = [[one.categories.get(name, 0) for name in names] for one in (before, now)]
    others = (before.others, now.others)
    cells = statistics.cells(*counts, rare=others)
    if len(names) > 1 and len(cells) < 2:
        yield (
            f"the distribution of {side} {shown(before.name)} is not tested: each of its "
            f"{len(names):,} categories is too rare"
        )
    elif len(cells) > 1 or len(names) == 1:
        index = statistics.psi(
            *statistics.stable_bins(*([*n, k] for n, k in zip(counts, others, strict=True)))
        )
        said = f"PSI {index:.3g}: {_moved(names, counts, (before, now))}"
        p = statistics.chi_squared(cells).p
        yield Measured(side, before.name, "distribution", index, limits.psi, p, said)
    if before.others:
        name = shown(before.name)
        yield f"new categories of {side} {name} are not tested: the baseline does not list its own"
        return
    seen = [n for n in counts[0] if n]
    excess, p = statistics.unseen(seen, now.others, now.present)
    said = "every value is one that the baseline has"
    if now.others:
        expected = max(0.0, now.others / now.present - excess)
        said = f"values that the baseline has not in {_percent(now.others, now.present)}"
        said += f" of the records, {100 * expected:.2g} % was to be expected"
        said += f"; such as {_examples(now)}" if now.examples else ""
    yield Measured(side, before.name, _NEW, max(0.0, excess), limits.share, p, said)


def _moved(names: Sequence[str], counts: Sequence[Sequence[int]], pair: tuple[Field, Field]) -> str:
    """The categories whose shares moved the most."""
    totals = [one.present for one in pair]
    moves = [
        (abs(a / totals[1] - e / totals[0]), name, e, a)
        for name, e, a in zip(names, *counts, strict=True)
    ]
    moves.sort(key=lambda one: (-one[0], one[1]))
    return ", ".join(
        f"{shown(name)} {_percent(a, totals[1])}, was {_percent(e, totals[0])}"
        for _, name, e, a in moves[:_MOVED]
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "none"
