"""A version's model card as a page for people: one HTML file with its plots, and nothing to fetch.

Goes in: a card's content, the version, its reports, those of a baseline, decisions. Comes out: HTML
that stands alone: no script, no font, no image from elsewhere; for screens and paper, light and
dark. Whatever is shown is text: markup in it stays visible. What nobody has said is said to be
missing. The same input makes the same bytes: no clock is read. Judges nothing: gates do.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import ChainableUndefined

from mims.governance.cards.content import NOT_FOR, thinned
from mims.governance.cards.reports import (
    better,
    curves,
    disparities,
    importances,
    matrices,
    measures,
)
from mims.governance.pages.template import template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from jinja2 import Template

    from mims.governance.cards.card import Card
    from mims.governance.cards.reports import Disparity, Measure
    from mims.governance.decisions import Decision
    from mims.governance.versions import Version

_MINUS = "\N{MINUS SIGN}"
_SIDE = 220  # of a curve's square, in its own units
_POINTS = 200  # of a curve
_FEATURES = 20
_MAIN = ("auc", "weighted_f1", "f1", "accuracy", "r2", "rmse", "mae")  # the first there is
_ROUND = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_ASKED = {  # what a reader asks, and where the answer stands
    "what it is": ("model_overview", "model_description"),
    "who answers for it": ("model_overview", "model_owner"),
    "what it is for": ("intended_uses", "intended_uses"),
    "how risky it is": ("intended_uses", "risk_rating"),
    "what data it learned from": ("training_details", "training_job_details", "training_datasets"),
    "ethical considerations": ("additional_information", "ethical_considerations"),
}


class Baseline(NamedTuple):
    """What a version is compared with."""

    name: str
    """such as fraud/2"""
    reports: Mapping[str, Any]


class Tile(NamedTuple):
    """A thing to know at first sight."""

    title: str
    value: str
    note: str
    tone: str = ""


class MetricRow(NamedTuple):
    """A metric, and how it compares. Places are per cent of the bar's width."""

    name: str
    value: str
    deviation: str
    width: float
    baseline: str
    mark: float | None
    constant: str
    floor: float | None
    difference: str
    verdict: str


class GroupRow(NamedTuple):
    """A bias metric of one group, as a bar that begins at parity."""

    group: str
    value: str
    start: float
    width: float
    error: str


class BiasTable(NamedTuple):
    """The bias metrics of an attribute: rows by metric."""

    title: str
    scale: str
    metrics: list[tuple[str, str, list[GroupRow]]]


class Plot(NamedTuple):
    """A curve, and the baseline's, as paths in a square."""

    name: str
    x: str
    y: str
    path: str
    base: str
    text: str


def page(
    version: Version,
    content: Mapping[str, Any],
    reports: Mapping[str, Any],
    *,
    baseline: Baseline | None = None,
    decisions: Sequence[Decision] = (),
    card: Card | None = None,
) -> str:
    """Write the page.

    `reports`: as `read_reports` gives them. `decisions`: of the version's group, oldest first.
    `card`: the card in SageMaker, if it is there, for its number and status.
    """
    rows = _metric_rows(reports, baseline)
    bias = list(_bias_tables(disparities(reports)))
    return _template().render(
        version=version,
        card=card,
        c=content,
        baseline=_short(baseline.name, version) if baseline else None,
        missing=_missing(version, content, reports),
        tiles=list(_tiles(version, content, reports, baseline)),
        uses=_uses(content),
        rows=rows,
        has_constant=any(row.constant for row in rows),
        plots=_plots(reports, baseline),
        matrices=[_matrix(one) for one in matrices(reports)],
        bias=bias,
        importances=list(_importances(reports)),
        files=_files(version),
        decisions=[one for one in decisions if _concerns(one, version)],
        side=_SIDE,
    )


@functools.cache
def _template() -> Template:
    # content may lack any member
    return template("cards/card.html.j2", undefined=ChainableUndefined, points=_points)


def _missing(version: Version, content: Mapping[str, Any], reports: Mapping[str, Any]) -> list[str]:
    """What a reader would ask and nobody has said."""
    found = [name for name, path in _ASKED.items() if not _at(content, path)]
    if NOT_FOR not in str(_at(content, ("intended_uses", "intended_uses")) or ""):
        found.append("what it must not be used for")
    for name, given in (
        ("metrics of its quality", measures(reports)),
        ("bias metrics", disparities(reports)),
        ("the features' importance", importances(reports)),
        ("its model's digest", version.model.sha256),
    ):
        if not given:
            found.append(name)
    return found


def _at(content: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = content
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _uses(content: Mapping[str, Any]) -> tuple[str, str]:
    """What it is for, and what it is not."""
    text = str(_at(content, ("intended_uses", "intended_uses")) or "")
    good, _, bad = f"\n{text}".partition(f"\n{NOT_FOR}")
    return good.strip(), bad.strip()


def _points(text: str) -> list[str]:
    """The points of a text that is a list of them; a text of another kind has none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    listed = lines and all(line.startswith("- ") for line in lines)
    return [line[2:] for line in lines] if listed else []


def _short(name: str, version: Version) -> str:
    """A version's name among those of its group."""
    group, _, number = name.rpartition("/")
    return f"version {number}" if group == version.group and number.isdigit() else name


def _tiles(
    version: Version,
    content: Mapping[str, Any],
    reports: Mapping[str, Any],
    baseline: Baseline | None,
) -> Iterator[Tile]:
    found = {one.name: one for one in measures(reports)}
    main = next((found[name] for name in _MAIN if name in found), None)
    if main:
        yield _main_tile(version, main, baseline)
    worst = max(disparities(reports), key=lambda one: one.distance, default=None)
    if worst and worst.value is not None:
        where = f"{worst.attribute} = {worst.group}" if worst.attribute else "overall"
        note = f"{worst.metric}, {where}; parity is {worst.parity:g}"
        yield Tile("Farthest from parity", _number(worst.value), note)
    top = next(iter(importances(reports)), None)
    if top:
        yield Tile("Weighs most", top.feature, f"mean |SHAP| {_number(abs(top.value))}")
    risk = _at(content, ("intended_uses", "risk_rating"))
    if risk:
        tone = {"High": "bad", "Medium": "warn", "Low": "good"}.get(risk, "")
        yield Tile("Risk", risk, "as its owners rate it", tone)


def _main_tile(version: Version, main: Measure, baseline: Baseline | None) -> Tile:
    before = {one.name: one for one in measures(baseline.reports)} if baseline else {}
    title = _title(main.name)
    if baseline is None or main.name not in before:
        return Tile(title, _number(main.value), "nothing to compare it with")
    difference = main.value - before[main.name].value
    verdict = better(main.name, difference)
    tone = {True: "good", False: "bad", None: ""}[verdict]
    note = f"{_signed(difference)} on {_short(baseline.name, version)}"
    return Tile(title, _number(main.value), note, tone)


def _metric_rows(reports: Mapping[str, Any], baseline: Baseline | None) -> list[MetricRow]:
    before = {one.name: one.value for one in measures(baseline.reports)} if baseline else {}
    return [_metric_row(one, before.get(one.name)) for one in measures(reports)]


def _metric_row(one: Measure, before: float | None) -> MetricRow:
    """Bars are drawn from 0; a metric beyond 1 has a scale of its own."""
    values = [abs(value) for value in (one.value, before, one.constant) if value is not None]
    full = max(1.0, *values) if max(values) <= 1 else max(values)

    def place(value: float | None) -> float | None:
        return None if value is None else round(100 * abs(value) / full, 2)

    difference = one.value - before if before is not None else None
    verdict = better(one.name, difference) if difference else None
    words = {True: "better", False: "worse", None: "same" if difference == 0 else ""}
    return MetricRow(
        _title(one.name),
        _number(one.value),
        _number(one.deviation),
        place(one.value) or 0.0,
        _number(before),
        place(before),
        _number(one.constant),
        place(one.constant),
        _signed(difference),
        words[verdict],
    )


def _plots(reports: Mapping[str, Any], baseline: Baseline | None) -> list[Plot]:
    before = {one.name: one.points for one in curves(baseline.reports)} if baseline else {}
    made = []
    for one in curves(reports):
        x, y = (_words(axis).removesuffix("s") for axis in (one.x, one.y))
        told = 0.9 if x == "recall" else 0.1
        at = min(one.points, key=lambda point: abs(point[0] - told))
        text = f"at a {x} of {at[0]:.2f}, the {y} is {at[1]:.2f}"
        base = _path(before[one.name]) if one.name in before else ""
        made.append(Plot(_title(one.name), x, y, _path(one.points), base, text))
    return made


def _path(points: Sequence[tuple[float, float]]) -> str:
    """An SVG path through points of the unit square, whose origin is below."""
    inside = [(min(max(x, 0), 1), min(max(y, 0), 1)) for x, y in thinned(points, _POINTS)]
    return "M" + "L".join(f"{_SIDE * x:.1f} {_SIDE * (1 - y):.1f}" for x, y in inside)


def _matrix(one: Any) -> dict[str, Any]:
    """Rows of cells, each with its share of the row, which is its shade."""
    rows = []
    for label, row in zip(one.labels, one.rows, strict=True):
        total = sum(row)
        shares = [cell / total if total > 0 and cell >= 0 else 0.0 for cell in row]
        cells = [
            (f"{cell:,g}" if cell % 1 else f"{int(cell):,}", f"{share:.0%}", round(share, 2))
            for cell, share in zip(row, shares, strict=True)
        ]
        rows.append((label, cells))
    return {"name": _title(one.name), "labels": one.labels, "rows": rows}


def _bias_tables(found: Sequence[Disparity]) -> Iterator[BiasTable]:
    """Yield a table an attribute and stage, in the reports' order."""
    keys = dict.fromkeys((one.attribute, one.stage) for one in found)
    for attribute, stage in keys:
        mine = [one for one in found if (one.attribute, one.stage) == (attribute, stage)]
        largest = max(one.distance for one in mine)
        scale = next((step for step in _ROUND if step > largest - 1e-9), largest)
        metrics = [
            (metric, same[0].description, [_group_row(one, scale) for one in same])
            for metric, group in itertools.groupby(
                sorted(mine, key=lambda one: one.metric), lambda one: one.metric
            )
            if (same := list(group))
        ]
        title = ": ".join(filter(None, (attribute, stage))) or "Overall"
        yield BiasTable(title, f"{scale:g}", metrics)


def _group_row(one: Disparity, scale: float) -> GroupRow:
    half = round(50 * min(one.distance / scale, 1.0), 2)
    below = one.value is not None and one.value < one.parity
    start = 50 - half if below else 50.0
    return GroupRow(one.group, _number(one.value), start, half, one.error)


def _importances(reports: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for label, group in itertools.groupby(importances(reports), lambda one: one.label):
        ordered = list(group)
        largest = abs(ordered[0].value) or 1.0
        yield {
            "label": label,
            "rows": [
                (one.feature, _number(one.value), round(100 * abs(one.value) / largest, 2))
                for one in ordered[:_FEATURES]
            ],
            "left": len(ordered[_FEATURES:]),
        }


def _files(version: Version) -> list[tuple[str, str, str | None]]:
    named = (
        ("Model", version.model),
        ("Sample payload", version.payload),
        ("Variable schema", version.schema),
        *version.reports.items(),
    )
    return [(name, file.uri, file.sha256) for name, file in named if file]


def _concerns(decision: Decision, version: Version) -> bool:
    return version.arn in (decision.arn, *(step.arn for step in decision.steps))


def _number(value: float | None) -> str:
    """Four significant digits."""
    return "" if value is None else f"{value:.4g}".replace("-", _MINUS)


def _signed(value: float | None) -> str:
    if value is None:
        return ""
    return "±0" if f"{value:.4g}" in ("0", "-0") else f"{value:+.3g}".replace("-", _MINUS)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _title(name: str) -> str:
    """A name as a heading: abbreviations in capitals."""
    words = _words(name.rpartition(".")[2])
    return words.upper() if len(words) <= 4 and words.isalnum() else words[:1].upper() + words[1:]
