"""The drift check as a ProcessingJob: its contract, and the flow behind mims_drift.py.

Goes in: the job's folders: a baseline, captures or files of records, labels; limits by environment.
Comes out: report.json and report.html; where something drifted a `DriftError` that names it, so
that the job fails with exit code 4 and a schedule can act on it. The top of this module needs
Python alone, so that --help does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mims.contracts import Channel, Contract
from mims.errors import EXIT_DRIFT, InputError, MimsError
from mims.settings import ANY_TEXT, TEXT, Setting, integer, names, number, one_of
from mims.text import counted, listed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mims.governance.drift.check import Limits, Report
    from mims.governance.drift.watch import Baseline
    from mims.job import Job

MIMS_DRIFT_CONTRACT = Contract(
    job="drift",
    entry_point="mims_drift.py",
    description="Checks whether what a model sees and answers has drifted from its baseline. "
    "Exit code 4: it has.",
    inputs=(
        Channel(
            "baseline",
            "/opt/ml/processing/input/baseline",
            "the baseline: a JSON file of mims-registry baseline or of Model Monitor, or a folder "
            "that holds one",
        ),
        Channel(
            "capture",
            "/opt/ml/processing/input/capture",
            "what was seen: Data Capture, a folder of .jsonl files; or a CSV or Parquet file",
        ),
        Channel(
            "labels",
            "/opt/ml/processing/input/labels",
            "labels that came later: a folder of SageMaker's ground truth files",
            required=False,
        ),
    ),
    outputs=(
        Channel(
            "report",
            "/opt/ml/processing/output/report",
            "report.json, and report.html with plots",
        ),
    ),
    settings=(
        Setting("ALPHA", "how often a check may find drift where there is none", number(), "0.01"),
        Setting("PSI", "population stability index from which on a field drifts", number(), "0.2"),
        Setting(
            "SHARE",
            "share of records, missing, invalid or of a new category, from which on a field drifts",
            number(),
            "0.05",
        ),
        Setting("CHANGE", "change of a metric, in per cent, that is drift", number(), "10"),
        Setting("MINIMUM", "records below which nothing is decided", integer(1), "200"),
        Setting(
            "TASK",
            "what the model predicts, where there are labels",
            one_of("binary", "multiclass", "regression"),
        ),
        Setting("PREDICTION", "output with the prediction, where the baseline does not tell", TEXT),
        Setting(
            "SCORE",
            "output with the probability of POSITIVE, for auc and log_loss; of several classes "
            "one for each, called as the class",
            names(),
        ),
        Setting("POSITIVE", "label of the positive class", TEXT, "1"),
        Setting(
            "QUALITY",
            "performance that the model had: a JSON object of numbers by metric",
            ANY_TEXT,
        ),
        Setting("SUBJECT", "what the report is called", TEXT, "captures of a ProcessingJob"),
    ),
    framework_requirements={"python": ">=3.11", "pyarrow": ">=18", "scipy": ">=1.14"},
    own_exit_codes=(f"{EXIT_DRIFT} drift was found: the message names what drifted",),
)


class DriftError(MimsError):
    """The check ran, and found drift."""

    exit_code = EXIT_DRIFT


def drift(job: Job) -> Mapping[str, Any]:
    """Check, write the report, and tell of drift.

    Raises:
        DriftError: something drifted; it names it.
        InputError: the inputs or settings are at fault, or too little was seen for a verdict.

    """
    from mims.governance.drift.check import DRIFT, UNDECIDED
    from mims.governance.drift.watch import Seen, watch

    settings = job.settings()
    job.require_inputs()
    limits = _limits(settings)
    labels = job.path("labels")
    found = str(job.path("capture"))
    is_file = _is_file(job.path("capture"))
    if labels.exists() and not settings["TASK"]:
        raise InputError("TASK is not set: with labels it tells what the model predicts")
    seen = Seen(
        subject=settings["SUBJECT"],
        capture="" if is_file else found,
        file=found if is_file else "",
        labels=str(labels) if labels.exists() else "",
        task=settings["TASK"] or "",
        named=_named(settings),
    )
    report = watch(_baseline(job.path("baseline"), settings["QUALITY"]), seen, limits)
    _write(job.path("report"), report)
    names = [*dict.fromkeys(one.name for one in report.findings if one.drifted)]
    told = f"of {counted(report.records, 'record')}; report.html has plots"
    if report.verdict == DRIFT:
        raise DriftError(f"drift in {listed(names)}, {told}")
    if report.verdict == UNDECIDED:
        raise InputError(f"undecided: {'; '.join(report.undecided) or 'nothing was tested'}")
    return {"verdict": report.verdict, "records": report.records, "notes": [*report.notes]}


def _limits(settings: Mapping[str, Any]) -> Limits:
    from mims.governance.drift.check import Limits

    names = ("alpha", "psi", "share", "change", "minimum")
    return Limits(**{name: settings[name.upper()] for name in names})


def _named(settings: Mapping[str, Any]) -> dict[str, Any]:
    if not settings["TASK"]:
        return {}
    named = {"positive": settings["POSITIVE"]}
    if settings["PREDICTION"]:
        named["prediction"] = settings["PREDICTION"]
    if settings["SCORE"]:
        named["scores"] = tuple(settings["SCORE"])
    return named


def _is_file(path: Path) -> bool:
    """Whether it is a file of records, or several, and no captures."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return bool(files) and not any(one.suffix == ".jsonl" for one in files)


def _baseline(path: Path, quality: str | None) -> Baseline:
    from mims.governance.drift.watch import json_object, read_baseline

    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if len(files) != 1:
        found = listed(one.name for one in files) or "none"
        raise InputError(f"input baseline: {path} must hold one JSON file, and holds {found}")
    return read_baseline(files[0], json_object(quality, "QUALITY") if quality else {})


def _write(folder: Path, report: Report) -> None:
    from mims.governance.drift.page import page
    from mims.outputs import Output, writing

    contents = {
        "report.json": json.dumps(report.to_json(), ensure_ascii=False, indent=2),
        "report.html": page(report),
    }
    for name, content in contents.items():
        with Output(folder / name) as output:
            with writing(output.path):
                output.file.write(content.encode("utf-8", "backslashreplace"))
            output.publish()
