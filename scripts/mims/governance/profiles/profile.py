"""What the fields of a data set look like: a model's baseline, or what an endpoint saw, alike.

Goes in: counts (counting.py makes them), or JSON. Comes out: a `Profile`, and its JSON, which is
the statistics.json of SageMaker Model Monitor, so that AWS's tools read it, with all that is exact
beside it under `mims`. A statistics.json that Model Monitor has made itself is read, too. The same
profile is the same JSON: there is no time in it. Asks nobody for anything.

Of each field, missing + invalid + what was counted = records:

    missing   null, absent, an empty text, NaN, NA, N/A, null and None, however they are written
    invalid   in a number field: a text that is no number, and the infinite, counted again as such
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mims.errors import InputError
from mims.governance.report_shapes import number
from mims.registration.parameters import shown
from mims.text import repeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NUMBER, CATEGORY, TEXT = KINDS = ("number", "category", "text")
MOST_EDGES = 500
MOST_CATEGORIES = 1000
FORMAT = 1
_BUCKETS = 10  # as Model Monitor makes
_INFERRED = {NUMBER: "Fractional", CATEGORY: "String", TEXT: "String"}


@dataclass(frozen=True)
class Field:
    """A field of a data set, as far as drift is concerned."""

    name: str
    kind: str
    """NUMBER; CATEGORY, a text of few values; TEXT, of which only `missing` is watched"""
    records: int
    missing: int
    invalid: int = 0
    infinite: int = 0
    edges: tuple[float, ...] = ()
    """of numbers: at most 500, ascending; the first just below the baseline's lowest number"""
    counts: tuple[int, ...] = ()
    """one more than edges: x <= edges[0], edges[i-1] < x <= edges[i], x > edges[-1]"""
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    deviation: float | None = None
    """standard deviation of what was seen: divided by the count; None too where it overflows"""
    categories: Mapping[str, int] = field(default_factory=dict)
    others: int = 0
    """records of a category that the baseline has not"""
    examples: tuple[str, ...] = ()
    """a few values that are invalid, or are the others: the first in order, cut short"""

    @property
    def present(self) -> int:
        """Records that have a value, be it invalid."""
        return self.records - self.missing

    @property
    def numbers(self) -> int:
        """Records with a finite number."""
        return sum(self.counts)

    @property
    def singles(self) -> int:
        """How many categories were seen once: of the unseen, they tell the share (Good-Turing)."""
        return sum(count == 1 for count in self.categories.values())


@dataclass(frozen=True)
class Profile:
    """The fields of a model's inputs and outputs, in order."""

    records: int
    inputs: Mapping[str, Field]
    outputs: Mapping[str, Field] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    """of a baseline: the files it was made of, and their SHA-256"""

    def to_json(self) -> dict[str, Any]:
        """The profile as Model Monitor's statistics.json, and `mims` with all of it."""
        return {
            "version": 0.0,
            "dataset": {"item_count": self.records},
            "features": [_feature(one) for one in self.inputs.values()],
            "mims": {
                "format": FORMAT,
                "source": dict(self.source),
                "records": self.records,
                "inputs": [_exact(one) for one in self.inputs.values()],
                "outputs": [_exact(one) for one in self.outputs.values()],
            },
        }

    @classmethod
    def from_json(cls, report: Any, name: str = "the baseline") -> Profile:
        """Read what `to_json` or Model Monitor has written; `name` is what errors call it.

        Raises:
            InputError: it is neither.

        """
        try:
            if "mims" in report:
                return _whole(report["mims"])
            records = _count(report["dataset"]["item_count"])
            return cls(records, _by_name(_featured(one, records) for one in report["features"]))
        except KeyError as error:
            raise InputError(f"{name}: is no baseline: {error} is missing") from error
        except (TypeError, AttributeError, ValueError, OverflowError) as error:
            raise InputError(f"{name}: is no baseline: {error}") from error


def _feature(one: Field) -> dict[str, Any]:
    """A field as Model Monitor has it."""
    common = {"num_present": one.present - one.invalid, "num_missing": one.missing + one.invalid}
    made: dict[str, Any] = {"name": one.name, "inferred_type": _INFERRED[one.kind]}
    if one.kind == NUMBER:
        moments = {"mean": one.mean, "std_dev": one.deviation, "min": one.low, "max": one.high}
        buckets = {"kll": {"buckets": _buckets(one)}}
        known = {key: value for key, value in moments.items() if value is not None}
        made["numerical_statistics"] = {"common": common, **known, "distribution": buckets}
        total = (one.mean or 0.0) * one.numbers
        if math.isfinite(total):
            made["numerical_statistics"]["sum"] = total
    else:
        made["string_statistics"] = {"common": common}
        if one.kind == CATEGORY:
            values = [{"value": value, "count": n} for value, n in one.categories.items()]
            distribution = {"categorical": {"buckets": values}}
            made["string_statistics"] |= {
                "distinct_count": len(values),
                "distribution": distribution,
            }
    return made


def _buckets(one: Field) -> list[dict[str, float]]:
    """Ten buckets of about as many records each, or fewer: the finer ones put together."""
    made: list[dict[str, float]] = []
    if not one.edges or one.low is None:
        return made
    lower, count, rest, total = one.low, 0, 0, one.numbers
    for upper, inside in zip(one.edges[1:], one.counts[1:-1], strict=True):
        count += inside
        if count and (rest + count) * _BUCKETS >= total * (len(made) + 1):
            made.append({"lower_bound": lower, "upper_bound": upper, "count": count})
            lower, count, rest = upper, 0, rest + count
    return made


def _exact(one: Field) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": one.name,
        "kind": one.kind,
        "records": one.records,
        "missing": one.missing,
    }
    if one.kind == NUMBER:
        made |= {
            "invalid": one.invalid,
            "infinite": one.infinite,
            "edges": list(one.edges),
            "counts": list(one.counts),
            "low": one.low,
            "high": one.high,
            "mean": one.mean,
            "deviation": one.deviation,
        }
    elif one.kind == CATEGORY:
        made |= {"categories": dict(one.categories), "others": one.others}
    return {**made, "examples": list(one.examples)} if one.examples else made


def _whole(report: Mapping[str, Any]) -> Profile:
    """Read our own part."""
    if report["format"] != FORMAT:
        raise ValueError(
            f"its format is {shown(report['format'])}, and this version reads {FORMAT}"
        )
    return Profile(
        _count(report["records"]),
        _by_name(map(_field, report["inputs"])),
        _by_name(map(_field, report["outputs"])),
        dict(report["source"]),
    )


def _field(report: Mapping[str, Any]) -> Field:
    name = _text(report["name"])
    moments = {key: report.get(key) for key in ("low", "high", "mean", "deviation")}
    made = Field(
        name=name,
        kind=_text(report["kind"]),
        records=_count(report["records"]),
        missing=_count(report["missing"]),
        invalid=_count(report.get("invalid", 0)),
        infinite=_count(report.get("infinite", 0)),
        edges=tuple(map(_finite, report.get("edges", ()))),
        counts=tuple(map(_count, report.get("counts", ()))),
        **{key: None if value is None else _finite(value) for key, value in moments.items()},
        categories={_text(key): _count(n) for key, n in report.get("categories", {}).items()},
        others=_count(report.get("others", 0)),
        examples=tuple(map(_text, report.get("examples", ()))),
    )
    return _sound(made)


def _sound(one: Field) -> Field:
    """Give a field on, if what it says goes together."""
    if one.kind not in KINDS:
        raise ValueError(f"{shown(one.name)} is of kind {shown(one.kind)}")
    if any(a >= b for a, b in pairwise(one.edges)):
        raise ValueError(f"{shown(one.name)}: its edges don't ascend")
    if len(one.counts) != (len(one.edges) + 1 if one.kind == NUMBER else 0):
        raise ValueError(
            f"{shown(one.name)} has {len(one.edges)} edges and {len(one.counts)} counts"
        )
    counted = {
        NUMBER: one.missing + one.invalid + one.numbers,
        CATEGORY: one.missing + sum(one.categories.values()) + one.others,
        TEXT: min(one.missing, one.records) + one.present,
    }[one.kind]
    if counted != one.records or one.infinite > one.invalid:
        raise ValueError(f"{shown(one.name)}: {counted} counted, of {one.records} records")
    return one


def _featured(feature: Mapping[str, Any], records: int) -> Field:
    """Read a field as Model Monitor has it."""
    name = _text(feature["name"])
    if "numerical_statistics" in feature:
        return _measured(name, feature["numerical_statistics"], records)
    told = feature.get("string_statistics", {})
    missing = _count(told.get("common", {}).get("num_missing", 0))
    buckets = told.get("distribution", {}).get("categorical", {}).get("buckets", [])
    categories = {_text(one["value"]): _count(one["count"]) for one in buckets}
    others = records - missing - sum(categories.values())
    few = 0 < len(categories) <= MOST_CATEGORIES and others >= 0
    if not few or told.get("distinct_count", len(categories)) > MOST_CATEGORIES:
        return Field(name, TEXT, records, min(missing, records))
    return Field(name, CATEGORY, records, missing, categories=categories, others=others)


def _measured(name: str, told: Mapping[str, Any], records: int) -> Field:
    """Read a number field: what lies in a bucket's bounds becomes what lies between two edges.

    Model Monitor's buckets hold lower <= x < upper, the last its upper bound, too:
    https://github.com/awslabs/deequ/blob/master/src/main/scala/com/amazon/deequ/analyzers/KLLSketch.scala
    """
    missing = _count(told["common"]["num_missing"])
    buckets = told.get("distribution", {}).get("kll", {}).get("buckets", [])
    edges: list[float] = []
    counts = [0]
    for place, one in enumerate(buckets, 1):
        lower, upper = _finite(one["lower_bound"]), _finite(one["upper_bound"])
        if place < len(buckets):
            upper = below(upper)
        if not edges:
            edges.append(below(lower))
        if upper > edges[-1]:
            edges.append(upper)
            counts.append(0)
        counts[-1] += _count(one["count"])
    counted = sum(counts)
    return Field(
        name=name,
        kind=NUMBER,
        records=missing + counted if counted else records,  # its counts are of a sketch
        missing=missing if counted else records,
        edges=tuple(edges),
        counts=(*counts, 0) if edges else (0,),
        low=number(told.get("min")),
        high=number(told.get("max")),
        mean=number(told.get("mean")),
        deviation=number(told.get("std_dev")),
    )


def below(value: float) -> float:
    """The next number below, which tells what is less than a value from the value itself."""
    return max(math.nextafter(value, -math.inf), -1.7976931348623157e308)


def _by_name(fields: Iterable[Field]) -> dict[str, Field]:
    found: Sequence[Field] = [*fields]
    if twice := repeated(one.name for one in found):
        raise ValueError(f"{shown(twice[0])} is there twice")
    return {one.name: one for one in found}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shown(value)} must be a text")
    return value


def _finite(value: Any) -> float:
    found = number(value)
    if found is None:
        raise ValueError(f"{shown(value)} must be a finite number")
    return found


def _count(value: Any) -> int:
    """A count of records, which Model Monitor writes as 12.0."""
    found = number(value)
    if found is None or found < 0 or found != int(found):
        raise ValueError(f"{shown(value)} must be a count")
    return int(value)
