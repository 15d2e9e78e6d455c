"""What the everyday commands tell people: tables on a terminal, the same without colours in a pipe.

Goes in: the plain data that programs get as JSON. Comes out: text. What others have written, such
as names and reasons, can hide or colour nothing. Asks nobody for anything.
"""

from __future__ import annotations

import io
import shutil
import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mims.text import counted, listed, printable, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_STYLES = {
    **dict.fromkeys(("Production", "Approved", "Completed"), "green"),
    **dict.fromkeys(("Staging", "PendingManualApproval", "Pending", "InProgress"), "yellow"),
    **dict.fromkeys(("Rejected", "Failed", "Deleting", "failed"), "bold red"),
    "Archived": "dim",
}
_WIDE = 10_000  # columns: a pipe has no edge
_FEW = 3  # metrics in a list
_DIGITS = 12  # of a digest, where two stand side by side


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table; without column names it has no head."""
    terminal = sys.stdout.isatty()
    made = Table(*columns, box=box.SIMPLE if columns else None, show_header=bool(columns))
    for number in range(0 if columns else 2):
        made.add_column(style="" if number else "dim")
    for column in made.columns:
        column.overflow = "fold"  # a digest that is cut short is none
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    page = io.StringIO()
    width = shutil.get_terminal_size().columns if terminal else _WIDE
    Console(file=page, force_terminal=terminal, width=width).print(made)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines() if line.strip())


def _cell(value: Any) -> Text:
    text = "" if value is None else _number(value) if isinstance(value, float) else str(value)
    return Text(printable(text), _STYLES.get(text, ""))


def _number(value: float) -> str:
    return f"{value:.6g}"


def _minute(instant: str | None) -> str:
    return (instant or "").replace("T", " ")[:16]


def _few(metrics: Mapping[str, float]) -> str:
    few = [f"{name} {_number(value)}" for name, value in [*metrics.items()][:_FEW]]
    return ", ".join([*few, "…"] if len(metrics) > _FEW else few)


def groups(rows: Sequence[Mapping[str, Any]]) -> str:
    """Every group."""
    if not rows:
        return "no groups yet: mims-registry create-group NAME makes one"
    names = ("group", "status", "created", "description")
    return table(names, ([row[name] for name in names] for row in rows))


def versions(rows: Sequence[Mapping[str, Any]]) -> str:
    """A group's versions."""
    if not rows:
        return "no versions yet: mims-registry register makes one"
    names = ("version", "stage", "approval", "status", "model_owner")
    heads = [name.replace("_", " ") for name in names]
    return table(
        (*heads, "created", "metrics"),
        (
            [*map(r.get, names), _minute(r["created"]), r["problem"] or _few(r["metrics"])]
            for r in rows
        ),
    )


def version(report: Mapping[str, Any]) -> str:
    """All about a version."""
    blocks = [
        [(k.replace("_", " "), v) for k, v in report.items() if v and isinstance(v, str)],
        [("failed", reason) for reason in report["failures"]],
        [*report["metrics"].items()],
        [
            row
            for name, file in report["files"].items()
            for row in ((name, file["uri"]), ("", file["sha256"] or "no SHA-256 was registered"))
        ],
        [*report["properties"].items()],
    ]
    titles = ("", "", "metrics", "files, and their SHA-256", "properties")
    parts = [
        f"{title}\n{table((), rows)}" if title else table((), rows)
        for title, rows in zip(titles, blocks, strict=True)
        if rows
    ]
    return "\n\n".join(parts)


def history(rows: Sequence[Mapping[str, Any]]) -> str:
    """What happened, the newest first."""
    names = ("time", "version", "event", "by", "detail")
    if not rows:
        return "nothing yet: the audit trail is empty"
    return table(names, ([row[name] for name in names] for row in rows))


def compared(report: Mapping[str, Any]) -> str:
    """Two versions side by side."""
    pair = (report["first"], report["second"])
    schema, code = report["schema"], report["code"]
    facts = [(name.replace("_", " "), *sides) for name, sides in report["facts"].items()]
    digests = [
        (name, "same" if a and a == b else "differs", *((side or "")[:_DIGITS] for side in (a, b)))
        for name, (a, b) in report["digests"].items()
    ]
    properties = [
        (name, *sides)
        for name, sides in report["properties"].items()
        if not name.endswith(("_sha256", "_uri"))  # as the digests tell
    ]
    parts = [
        table(("", *pair), facts) if facts else "",
        _metrics(pair, report["metrics"]),
        "\n".join(_schema(schema)),
        table(("SHA-256", "", *pair), digests),
        "\n".join(_code(code)),
        table(("property", *pair), properties) if properties else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _metrics(pair: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "no metrics in reports"
    told, before = [], ""
    for row in rows:
        report, _, metric = row["metric"].partition(": ")
        difference = row["difference"]
        told.append(
            (
                "" if report == before else report,
                metric,
                *(row["first"], row["second"]),
                "" if difference is None else f"{difference:+.6g}" if difference else "0",
            )
        )
        before = report
    return table(("report", "metric", *pair, "difference"), told)


def _schema(schema: Mapping[str, Any]) -> Iterable[str]:
    if not schema["known"]:
        yield "schema: not known of both"
        return
    for side in ("input", "output"):
        found = schema[side]
        said = [f"{word} {listed(found[word])}" for word in ("added", "removed") if found[word]]
        said += [f"{name} was {a}, is {b}" for name, (a, b) in found["changed"].items()]
        said += ["in another order"] if found["reordered"] else []
        yield printable(f"{side} variables: {'; '.join(said) or 'the same'}")


def _code(code: Mapping[str, Any]) -> Iterable[str]:
    if not code["read"]:
        yield f"package: not read: {code['why']}"
        return
    yield f"package: {counted(code['same'], 'file')} the same"
    for word in ("added", "removed", "changed"):
        if code[word]:
            yield f"  {word}: {listed(code[word])}"


def downloaded(rows: Sequence[Mapping[str, Any]]) -> str:
    """Files, and whether they are what was registered."""
    return "\n".join(
        f"{printable(row['file'])}: {row['done']}, {size(row['size'])}, "
        + (f"sha256 {row['sha256']}" if row["sha256"] else "no SHA-256 was registered")
        + ("" if row["verified"] or not row["sha256"] else ", unverified")
        for row in rows
    )


def created(report: Mapping[str, Any]) -> str:
    """What became of a group."""
    would = "would be " if report["dry_run"] and report["done"] != "unchanged" else ""
    return f"{report['group']}: {would}{report['done']}"


def tagged(report: Mapping[str, Any]) -> str:
    """What changed of a group's tags, or a version's properties."""
    said = [f"{key}={value}" for key, value in report["set"].items()]
    said += [f"{key} removed" for key in report["removed"]]
    would = "would be " if report["dry_run"] and said else ""
    return printable(f"{report['name']}: {would}{', '.join(said) or 'unchanged'}")


def registered(report: Mapping[str, Any]) -> str:
    """What became of an artifact."""
    group = report["group"]
    if report["dry_run"]:
        regions = listed(report["places"])
        return f"{group}: would be registered in {regions}, sha256 {report['model_sha256']}"
    lines = [
        f"{group}/{number}: {word} in {region}"
        for key, word in (("new", "registered"), ("known", "registered before"))
        for region, number in report.get(key, {}).items()
    ]
    return "\n".join(lines)
