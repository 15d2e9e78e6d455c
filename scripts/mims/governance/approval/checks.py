"""The gates that a state machine can judge by itself: numbers in reports, and their limits.

Goes in: the gates of a stage. Comes out: `Check`s, and the states that hold each number to its
limits. Where a number may stand in a report is known beforehand, for a definition can't search:
as it is named, or in Model Monitor's sections. What stands elsewhere the command has to judge, and
an execution's input says so (`read`).

JSONPath can compare numbers, not subtract them: a limit that hangs on a baseline comes with the
input, and the machine sees that the baseline is the number that the limit was made from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mims.governance.approval.ends import GATE_REFUSED, unread
from mims.governance.approval.states_language import (
    NEXT,
    State,
    Step,
    call,
    choice,
    fail,
    rule,
    state_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mims.governance.gates.models import Limit, StageGates

QUALITY, BIAS = "ModelQuality.Statistics", "Bias.Report"  # places of reports, as in Version.reports
# Sections of a report that a metric may stand in; of Model Monitor's, the number is its `value`.
_SECTIONS = (
    *("metrics", "binary_classification_metrics", "multiclass_classification_metrics"),
    "regression_metrics",
)
_PLAIN = re.compile(r"[\w -]+", re.ASCII).fullmatch  # what needs no escape in a path


@dataclass(frozen=True)
class Check:
    """A gate that the state machine can judge: a number in a report, and its limits."""

    gate: str
    report: str
    paths: tuple[tuple[str, ...], ...]
    """where the number may stand in the report; the first that is there counts"""
    low: float | None = None
    high: float | None = None
    baseline: str | int | None = None
    """the version whose number the limit in the execution's input was made from"""
    higher: bool = True
    """whether more is better than the baseline"""


def checks(gates: StageGates) -> list[Check]:
    """Give the gates that the state machine judges by itself."""
    found = []
    for name, gate in gates.metrics.items():
        low, high = gate.between or (gate.at_least, gate.at_most)
        higher = gate.direction(name) != "lower"
        paths = _metric_paths(name)
        found.append(
            Check(f"metrics.{name}", QUALITY, paths, low, high, gate.baseline, higher=higher)
        )
    for attribute, metrics in gates.fairness.items():
        for name, limit in metrics.items():
            low, high = _bias_limits(limit)
            plain = _PLAIN(attribute) and _PLAIN(name)
            paths = ((attribute, name), (attribute, name, "value")) if plain else ()
            found.append(Check(f"fairness.{attribute}.{name}", BIAS, paths, low, high))
    return found


def report_keys(found: Sequence[Check]) -> dict[str, tuple[str | int | None, str]]:
    """The reports that a state machine reads, by key: of which version (None: its own), where."""
    keys: dict[str, tuple[str | int | None, str]] = {}
    for check in found:
        for key, of in zip(_keys(check), (None, check.baseline), strict=False):
            keys[key] = (of, check.report)
    return keys


def own_reports(found: Sequence[Check]) -> dict[str, str]:
    """The places of the reports of the version itself that a state machine reads, by key."""
    return {key: place for key, (of, place) in report_keys(found).items() if of is None}


def baseline_key(baseline: str | int) -> str:
    """How an execution's input calls a baseline version."""
    return baseline if isinstance(baseline, str) else f"Version{baseline}"


def read_reports(found: Sequence[Check]) -> list[Step]:
    """Read what the checks need, each report once."""
    return [step for key in report_keys(found) for step in _read(key)]


def _read(key: str) -> list[Step]:
    """Read a report into $.found.<key>, if the version has one."""
    at = f"$.reports.{key}"
    get = {
        "Bucket.$": f"{at}.bucket",
        "Key.$": f"{at}.key",
        "IfMatch.$": f"{at}.etag",  # it is still what was held to its digest
    }
    failed = f"Unreadable {key}"
    task = call("s3:getObject", get, failed)
    task |= {
        "ResultSelector": {"report.$": "States.StringToJson($.Body)"},
        "ResultPath": f"$.found.{key}",
        "Next": NEXT,
    }
    there = f"Is there {key}?"
    reading = f"Read {key}"
    rules = [{"Variable": at, "IsNull": False, "Next": reading}]
    more = {reading: task, **unread(failed, ["pre-condition", "does not exist"])}
    return [(there, {"Type": "Choice", "Choices": rules, "Default": NEXT}, more)]


def judged(found: Sequence[Check]) -> list[Step]:
    """Hold each number to its limits, then forget the reports."""
    steps: list[Step] = []
    for number, check in enumerate(found, 1):
        refused = state_name(f"Refused by {number} {check.gate}")
        # What only the command can find in a report, it has judged.
        rules = [rule(f"$.read.g{number}", BooleanEquals=False)]
        for path in check.paths:
            rules += _rules(check, number, path, refused)
        text = f"gate {check.gate}: {_wanted(check)}; in the report it isn't, or it is no number"
        steps.append(
            (
                state_name(f"Judge {number} {check.gate}"),
                choice(rules, default=refused),
                {refused: fail(GATE_REFUSED, text)},
            )
        )
    forget = {"Type": "Pass", "Result": {}, "ResultPath": "$.found", "Next": NEXT}
    return [*steps, ("Forget the reports", forget, {})] if steps else []


def _rules(check: Check, number: int, path: tuple[str, ...], refused: str) -> list[State]:
    """What a number at a path must be; where there is none, the next path's rules decide."""
    own, *baselines = (_variable(key, path) for key in _keys(check))
    # Only what is surely within passes: NaN is neither less nor more.
    tests: list[State] = [
        {"Variable": own, "IsPresent": True},
        {"Variable": own, "IsNumeric": True},
    ]
    if check.low is not None:
        tests.append({"Variable": own, "NumericGreaterThanEquals": check.low})
    if check.high is not None:
        tests.append({"Variable": own, "NumericLessThanEquals": check.high})
    for baseline in baselines:
        operator = "GreaterThan" if check.higher else "LessThan"
        tests += [
            {"Variable": own, f"Numeric{operator}EqualsPath": f"$.limits.g{number}"},
            {"Variable": baseline, "IsPresent": True},
            {"Variable": baseline, "IsNumeric": True},
            {"Variable": baseline, "NumericEqualsPath": f"$.baselines.g{number}"},
        ]
    return [
        {"And": tests, "Next": NEXT},
        {"Variable": own, "IsPresent": True, "Next": refused},
    ]


def _keys(check: Check) -> list[str]:
    """The keys under which an execution has the reports that a check reads: own, baseline's."""
    place = check.report.replace(".", "")
    return [place] if check.baseline is None else [place, f"{baseline_key(check.baseline)}{place}"]


def _variable(key: str, path: tuple[str, ...]) -> str:
    steps = "".join(f"['{step}']" for step in path)
    return f"$.found.{key}.report{steps}"


def _metric_paths(name: str) -> tuple[tuple[str, ...], ...]:
    """Where a metric may stand: as named, in a section, in either as an object with a value."""
    path = tuple(name.split("."))
    if not all(map(_PLAIN, path)):
        return ()
    places = [path, *((section, *path) for section in _SECTIONS)]
    return tuple(way for place in places for way in (place, (*place, "value")))


def _bias_limits(limit: Limit) -> tuple[float | None, float | None]:
    """A bias metric's limits: at most is its distance from 0, either way."""
    if limit.between:
        return limit.between
    if limit.at_most is None:
        return limit.at_least, None
    low = -limit.at_most if limit.at_least is None else limit.at_least
    return max(low, -limit.at_most), limit.at_most


def _wanted(check: Check) -> str:
    limits = [
        f"at least {check.low:g}" if check.low is not None else "",
        f"at most {check.high:g}" if check.high is not None else "",
        f"against {baseline_key(check.baseline)}'s" if check.baseline is not None else "",
    ]
    return f"must be {' and '.join(one for one in limits if one)}"
