"""Commands that watch: the baseline of a version, and drift from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mims import console
from mims.errors import EXIT_DONE, EXIT_DRIFT, EXIT_INPUT, InputError
from mims.governance.commands.shared import (
    DRIFT_EXIT_CODES,
    as_change,
    as_read,
    registry_of,
    taught,
    tell,
    write,
)
from mims.governance.commands.values import columns, moment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mims.governance.drift.check import Report
    from mims.governance.drift.watch import Baseline, Seen
    from mims.governance.profiles.profile import Profile
    from mims.governance.profiles.tables import Tables
    from mims.governance.registry import Registry
    from mims.governance.versions import Version


@click.command(
    epilog=taught(
        [
            "baseline fraud/3 --data s3://my-data/fraud/train.csv --target label",
            "baseline fraud/3 --data train.parquet --predictions scores.csv",
            "baseline --data train.csv --names age,amount,country --to baseline.json",
        ],
        "  version, uri, sha256, done (stored, unchanged or written), replaced (the SHA-256\n"
        "  of the baseline before), records, inputs and outputs (by name: kind, missing and\n"
        "  invalid as shares, of numbers low, high and mean, of categories how many), file,\n"
        "  dry_run",
    )
)
@click.argument("name", metavar="[VERSION]", required=False)
@click.option("--data", required=True, metavar="FILE|S3", help="training data, or a folder of it")
@click.option("--predictions", metavar="FILE|S3", help="what the model gave for such data")
@click.option(
    "--target",
    "leave_out",
    multiple=True,
    metavar="COLUMN",
    help="not an input: the label, an id; may be repeated",
)
@click.option(
    "--names",
    callback=columns,
    metavar="a,b,c",
    help="columns of --data, where a CSV's first line does not name them",
)
@click.option(
    "--prediction-names", callback=columns, metavar="a,b,c", help="the same of --predictions"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="else by the files' names",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="write it there: a registration takes it as drift_check_baselines.model_data_quality of "
    "its performance metadata",
)
@as_change
def baseline(name: str | None, to: Path | None, **options: Any) -> None:
    """Make the baseline of VERSION: what its inputs and outputs look like when all is well.

    The same data make the same baseline. CSV, JSON Lines and Parquet, packed or not.
    """
    from mims.governance.drift import baselines
    from mims.outputs import Output

    if not name and not to:
        raise click.UsageError("name a VERSION, or a file with --to, or both")
    registry = _registry(name, options)
    version = registry.version(name) if name and registry else None
    profile = _profiled(registry, options)
    made = baselines.artifact(profile)
    report: dict[str, Any] = {"sha256": made.sha256, "done": "written"}
    if to and not options["dry_run"]:
        with Output(to) as output:
            output.file.write(baselines.content(profile))
            output.publish()
    if registry and version:
        setting = baselines.store(registry, version, profile, dry_run=options["dry_run"])
        report |= {"version": version.name, "uri": setting.file.uri, "done": setting.done}
        report["replaced"] = setting.replaced
    report |= {"file": str(to) if to else None, "dry_run": options["dry_run"]}
    report |= baselines.summary(profile)
    tell(options, [report], lambda: baselines.text(report))


def _registry(name: str | None, options: Mapping[str, Any]) -> Registry | None:
    """The registry, if anything lies there."""
    sources = (options["data"], options["predictions"] or "")
    if name or any(source.startswith("s3://") for source in sources):
        return registry_of(options, name or "")
    return None


def _profiled(registry: Registry | None, options: Mapping[str, Any]) -> Profile:
    from contextlib import ExitStack

    from mims.errors import Problems
    from mims.governance.profiles.profiling import profiled
    from mims.governance.profiles.tables import opened

    problems = Problems()
    found: dict[str, Tables] = {}
    with ExitStack() as stack:
        for where, names in (("data", "names"), ("predictions", "prediction_names")):
            if options[where]:
                with problems.gather():
                    tables = opened(
                        options[where], registry, form=options["form"], names=options[names]
                    )
                    found[where] = stack.enter_context(tables)
        problems.raise_any()
        return profiled(found["data"], found.get("predictions"), options["leave_out"])


@click.group()
def drift() -> None:
    """Check a version for drift from its baseline, and set an alarm on it."""


_file = click.Path(path_type=Path, dir_okay=False)
_of_limits = console.options(
    click.option(
        "--alpha",
        type=float,
        default=0.01,
        help="how often a check may find drift where there is none (0.01)",
    ),
    click.option(
        "--psi",
        type=float,
        default=0.2,
        help="population stability index from which on a field drifts (0.2)",
    ),
    click.option(
        "--share",
        type=float,
        default=0.05,
        help="share of records, missing, invalid or new, from which on it does (0.05)",
    ),
    click.option(
        "--change", type=float, default=10.0, help="change of a metric that is drift, in % (10)"
    ),
    click.option(
        "--minimum", type=int, default=200, help="records below which nothing is decided (200)"
    ),
)
_labelled = console.options(
    click.option("--labels", metavar="PATH|S3", help="ground truth that came later; with --task"),
    click.option(
        "--task",
        type=click.Choice(["binary", "multiclass", "regression"]),
        help="what the model predicts",
    ),
    click.option(
        "--prediction",
        metavar="OUTPUT",
        help="the output that has the prediction; else the only one, or of an answer such as "
        "1,0.93 the class, beside which are probabilities",
    ),
    click.option(
        "--score",
        "scores",
        multiple=True,
        metavar="OUTPUT",
        help="the output that has the probability of --positive, for auc and log_loss; of several "
        "classes one for each, called as the class",
    ),
    click.option("--positive", default="1", help="label of the positive class (1)"),
)


@drift.command(
    epilog=taught(
        [
            "drift check fraud/3 --endpoint fraud-live --since 24h --page drift.html",
            "drift check fraud/3 --capture s3://captures --labels s3://truth --task binary",
            "drift check fraud/3 --endpoint fraud-live --metrics healthy.json --publish",
            "drift check --baseline baseline.json --file today.parquet",
        ],
        "  verdict (drift, none or undecided), subject, baseline, records, limits, findings\n"
        "  (side, name, test, effect, limit, p, drifted, said), undecided, notes, series (of\n"
        "  labels, each metric over time: name, baseline, value, error, seconds, points)",
        DRIFT_EXIT_CODES,
    )
)
@click.argument("name", metavar="[VERSION]", required=False)
@click.option("--capture", metavar="PATH|S3", help="Data Capture; else the endpoint's")
@click.option("--endpoint", metavar="NAME", help="whose captures, or metrics, are looked at")
@click.option("--variant", metavar="NAME", help="of the endpoint, where it has several")
@click.option("--file", metavar="FILE|S3", help="what was seen, as CSV, JSON Lines or Parquet")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "parquet"]),
    help="of --file; else by its name",
)
@_labelled
@click.option(
    "--since",
    callback=moment,
    metavar="TIME",
    help="hours of captures, and metrics: 24h, 7d, 2026-03-01",
)
@click.option("--until", callback=moment, metavar="TIME", help="until when; else now")
@click.option(
    "--metrics",
    type=_file,
    metavar="FILE",
    help='CloudWatch\'s when all was well, JSON: {"ModelLatency": 12000, "ModelLatency:p95": …}; '
    "of Invocations and other sums how many an hour",
)
@click.option("--baseline", type=_file, metavar="FILE", help="in place of the version's own")
@_of_limits
@click.option("--page", type=_file, metavar="FILE", help="write an HTML page with plots")
@click.option("--publish", is_flag=True, help="put what was found as metrics of MIMS/Drift")
@as_read
def check(name: str | None, page: Path | None, **options: Any) -> int:
    """Check whether what VERSION sees and answers is still what its baseline says.

    Reads only, but for --page and --publish. Where too little was seen for a verdict, it ends with
    exit code 1. With --labels the page shows each metric over time, too.
    """
    from mims.governance.drift import watch
    from mims.governance.drift.check import Limits
    from mims.governance.drift.text import text

    _require_sense(name, options)
    limits = Limits(**{key: options[key] for key in ("alpha", "psi", "share", "change", "minimum")})
    registry = _reaching(name, options)
    version = registry.version(name) if name and registry else None
    seen = _seen(registry, version, options)
    # metrics need none
    baseline = _baseline_of(registry, version, options) if seen.capture or seen.file else None
    report = watch.watch(baseline, seen, limits, registry)
    if page:
        from mims.governance.drift.page import page as written

        write(page, written(report))
    tell(options, [report.to_json()], lambda: text(report))
    if options["publish"] and registry:
        from mims.governance.drift import cloudwatch

        variant = options["variant"] or ""
        cloudwatch.publish(registry.cloudwatch, report, seen.endpoint, variant=variant)
    return _code(report)


def _require_sense(name: str | None, options: Mapping[str, Any]) -> None:
    """Refuse options that don't go together.

    Raises:
        UsageError: it says which.

    """
    wrong = (
        (
            not (name or options["baseline"] or options["metrics"]),
            "name a VERSION, or a file with --baseline",
        ),
        (
            not any(options[one] for one in ("capture", "endpoint", "file")),
            "say what was seen: --endpoint, --capture or --file",
        ),
        (options["form"] and not options["file"], "--format is of --file"),
        (options["metrics"] and not options["endpoint"], "--metrics are of an --endpoint"),
        (options["publish"] and not options["endpoint"], "--publish needs an --endpoint"),
        (options["variant"] and not options["endpoint"], "--variant is of an --endpoint"),
        (bool(options["labels"]) != bool(options["task"]), "--labels and --task go together"),
        (
            (options["prediction"] or options["scores"]) and not options["task"],
            "--prediction and --score are of a --task",
        ),
        (
            (options["since"] or options["until"])
            and not (options["capture"] or options["endpoint"]),
            "--since and --until are of captures, or of an --endpoint",
        ),
        (
            options["since"] and options["until"] and options["since"] >= options["until"],
            "--since must be before --until",
        ),
    )
    for is_wrong, said in wrong:
        if is_wrong:
            raise click.UsageError(said)


def _reaching(name: str | None, options: Mapping[str, Any]) -> Registry | None:
    """The registry, if anything lies there."""
    places = [options[one] or "" for one in ("capture", "file", "labels")]
    if name or options["endpoint"] or any(place.startswith("s3://") for place in places):
        return registry_of(options, name or "")
    return None


def _baseline_of(
    registry: Registry | None, version: Version | None, options: Mapping[str, Any]
) -> Baseline:
    """The baseline of a file, else the version's; and how good the version was."""
    from mims.governance.drift import baselines
    from mims.governance.drift.watch import Baseline, read_baseline
    from mims.governance.report_shapes import metrics

    quality: dict[str, Any] = {}
    if registry and version and options["labels"]:
        report = version.reports.get("ModelQuality.Statistics")
        quality = metrics(registry.read_json(report)) if report else {}
    if options["baseline"]:
        return read_baseline(options["baseline"], quality)
    if registry is None or version is None:
        raise InputError("what was captured needs a baseline: name a VERSION, or give --baseline")
    file, profile = baselines.find(registry, version)
    digest = f" (SHA-256 {file.sha256})" if file.sha256 and file.sha256 not in file.uri else ""
    return Baseline(profile, f"{file.uri}{digest}", quality)


def _seen(registry: Registry | None, version: Version | None, options: Mapping[str, Any]) -> Seen:
    """Where to look; an endpoint says itself where it captures."""
    from mims.governance.drift.endpoints import captures
    from mims.governance.drift.watch import Seen, json_object

    capture, variant, endpoint = (options[one] or "" for one in ("capture", "variant", "endpoint"))
    metrics = {}
    if options["metrics"]:
        metrics = json_object(_read(options["metrics"]), str(options["metrics"]))
    if endpoint and registry and (metrics or not (capture or options["file"])):
        found = captures(registry.sagemaker, endpoint, variant)
        variant = found.variant
        if not (capture or options["file"] or found.where or metrics):
            raise InputError(
                f"endpoint {endpoint} captures nothing: give it a DataCaptureConfig, or name what "
                "was seen with --capture or --file"
            )
        capture = capture or ("" if options["file"] else found.where or "")
    named = {key: options[key] for key in ("prediction", "scores", "positive") if options[key]}
    parts = (version.name if version else "", endpoint and f"endpoint {endpoint}")
    subject = ", ".join(filter(None, parts)) or str(capture or options["file"])
    return Seen(
        subject=subject,
        capture=capture,
        file=options["file"] or "",
        form=options["form"] or "",
        labels=options["labels"] or "",
        task=options["task"] or "",
        named=named,
        endpoint=endpoint,
        variant=variant,
        metrics=metrics,
        since=options["since"],
        until=options["until"],
    )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error


def _code(report: Report) -> int:
    """The exit code; where there is no verdict, say why."""
    from mims.governance.drift.check import DRIFT, UNDECIDED

    if report.verdict == DRIFT:
        return EXIT_DRIFT
    if report.verdict == UNDECIDED:
        why = "; ".join(report.undecided) or "nothing could be tested"
        console.say(f"error: undecided: {why}")
        return EXIT_INPUT
    return EXIT_DONE


@drift.command(
    epilog=taught(
        ["drift alarm fraud-live --action arn:aws:sns:us-west-2:123456789012:on-call"],
        "  alarm, endpoint, done (created, updated or unchanged), actions, dry_run",
    )
)
@click.argument("endpoint")
@click.option("--variant", default="", metavar="NAME", help="of which variant alone")
@click.option(
    "--action", "actions", multiple=True, metavar="ARN", help="who is told, such as an SNS topic"
)
@click.option("--hours", type=int, default=24, help="in which a check is to run, 1 to 24 (24)")
@as_change
def alarm(endpoint: str, variant: str, actions: tuple[str, ...], **options: Any) -> None:
    """Set a CloudWatch alarm that goes off when drift check --publish finds drift of ENDPOINT.

    It also tells when no check came to a verdict for so many hours. The same again changes nothing.
    """
    from mims.governance.drift import cloudwatch

    made = cloudwatch.alarm(
        registry_of(options).cloudwatch,
        endpoint,
        variant=variant,
        actions=actions,
        hours=options["hours"],
        dry_run=options["dry_run"],
    )
    report = {
        "alarm": made.name,
        "endpoint": endpoint,
        "done": made.done,
        "actions": [*actions],
        "dry_run": options["dry_run"],
    }
    would = "would be " if options["dry_run"] and made.done != "unchanged" else ""
    tell(options, [report], lambda: f"{made.name}: {would}{made.done}")
