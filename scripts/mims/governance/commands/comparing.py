"""Commands of A/B: a challenger beside what serves, until it is known which is better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mims import console
from mims.errors import EXIT_DONE, EXIT_INPUT, InputError
from mims.governance.commands.shared import (
    as_change,
    as_read,
    gate_file,
    reason,
    registry_of,
    taught,
    tell,
    waits,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from mims.governance.ab.experiment import Ended
    from mims.governance.endpoints import Patience
    from mims.governance.gates.file import GateFile
    from mims.governance.registry import Registry

_endpoint = click.argument("endpoint")
_why = reason(required=True)
_START = (
    "ab start fraud fraud/4 --gates fraud.yaml --smallest 0.02 --capture s3://seen "
    "--labels s3://truth --reason 'more data'"
)
_period = click.option(
    "--period",
    type=click.IntRange(1),
    metavar="SECONDS",
    help="of CloudWatch's metrics; else 60, as SageMaker writes them, or more after 15 days",
)
_LOOK_KEYS = (
    "  endpoint, status (the endpoint's), state (running, challenger better, champion\n"
    "  better, no difference worth having, undecided at the end, guardrail, split broken),\n"
    "  ended (there is something to do), winner, reasons, advice, champion and challenger\n"
    "  (version, stage, variant, share, captured, scored, requests, failed, latency_ms),\n"
    "  p, difference, low, high, split_p, errors_p (of p-values 1e-300 stands for all that\n"
    "  is less), breaches, design, at"
)


@click.group()
def ab() -> None:
    """Compare a challenger with what serves, on live traffic.

    An endpoint gets two variants. What they are asked and answer is captured and joined with
    labels that come later. The test behind it may be looked at any time: looking more often finds
    no more differences where there are none. Everything is kept in AWS: start on one machine, look
    and stop on any other.
    """


@ab.command(
    epilog=taught(
        [
            _START,
        ],
        "  endpoint, champion, challenger, done (started, unchanged or refused), needed\n"
        "  (records of both that find the smallest difference 8 times in 10, null if nobody\n"
        "  can know), verdicts (gate, passed, found, wanted, reason), design, dry_run",
    )
)
@_endpoint
@click.argument("challenger", metavar="CHALLENGER")
@gate_file("the group's gate file: every gate of Production has to let it pass", required=True)
@click.option(
    "--smallest",
    type=float,
    required=True,
    metavar="D",
    help="the difference of the mean scores that is worth finding: 0.02 of accuracy",
)
@click.option(
    "--capture", required=True, metavar="S3", help="where SageMaker puts what it captures"
)
@click.option("--labels", required=True, metavar="S3", help="where labels (ground truth) arrive")
@click.option(
    "--score",
    type=click.Choice(["correct", "label", "error"]),
    default="correct",
    show_default=True,
    help="correct: 1 where the prediction is the label, else 0 (of 1,0.93 the whole number is the "
    "class); label: the label is the reward; error: how far the prediction is from it",
)
@click.option(
    "--traffic",
    type=float,
    default=0.1,
    show_default=True,
    metavar="SHARE",
    help="the challenger's part of it, between 0 and 1",
)
@click.option("--shadow", is_flag=True, help="it gets copies, and its answers go to nobody")
@click.option("--champion", metavar="VERSION", help="refuse if the endpoint serves another one")
@click.option("--alpha", type=float, default=0.05, show_default=True, help="false findings allowed")
@click.option(
    "--minimum", type=int, default=500, show_default=True, help="records of each before a decision"
)
@click.option(
    "--most", type=int, metavar="N", help="records of both, at which it ends; else twice needed"
)
@click.option(
    "--error-rise",
    type=float,
    default=0.01,
    show_default=True,
    help="roll back where the challenger's part of failed requests is higher by this",
)
@click.option(
    "--latency-ratio",
    type=float,
    default=1.5,
    show_default=True,
    help="roll back where it takes so many times as long",
)
@click.option("--instance-type", metavar="TYPE", help="of the challenger; else as the champion's")
@click.option("--instances", type=click.IntRange(1), metavar="N", help="how many; else as many")
@click.option("--role", metavar="ARN", help="the challenger's; else the champion's")
@_why
@waits
@as_change
def start(endpoint: str, challenger: str, gates: Path, reason: str, **options: Any) -> int:
    """Put CHALLENGER, a version in Staging, beside what ENDPOINT serves.

    It has to pass the gates of Production, and is Approved meanwhile, as an endpoint takes no other
    version: who acts on approvals should know that it stays in Staging. If the endpoint fails with
    both, it is as it was. Started again, it is left alone; one that was cut off is completed.
    """
    import dataclasses

    from mims.governance.ab import experiment, text
    from mims.governance.ab.planning import Wish

    registry = registry_of(options, challenger)
    wish = Wish(**{one.name: options[one.name] for one in dataclasses.fields(Wish)})
    started = experiment.start(
        *(registry, endpoint, challenger, _gates(registry, gates, challenger), wish),
        reason=reason,
        patience=_patience(options),
        dry_run=options["dry_run"],
    )
    report = text.started(registry, started)
    tell(options, [report], lambda: text.start(report))
    return EXIT_INPUT if started.done == "refused" else EXIT_DONE


@ab.command(
    epilog=taught(["ab status fraud", "ab status fraud --page ab.html"], _LOOK_KEYS),
)
@_endpoint
@click.option(
    "--page",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="write a page with plots: one HTML file that stands alone",
)
@_period
@as_read
def status(endpoint: str, page: Path | None, period: int | None, **options: Any) -> None:
    """Tell how the A/B behind ENDPOINT stands, and what to do. It changes nothing."""
    from mims.governance.ab import text, watching

    seen = watching.status(registry_of(options), endpoint, period)
    report = watching.report(seen)
    if page:
        from mims.governance.ab.page import page as written

        write(page, written(seen))
        console.say(f"{page}: written")
    tell(options, [report], lambda: text.look(report))


@ab.command(
    epilog=taught(
        [
            "ab stop fraud --promote --gates fraud.yaml --reason 'better by 0.03'",
            "ab stop fraud --roll-back --reason 'complaints'",
        ],
        "  endpoint, done (promoted, rolled back, refused, or ended: the endpoint was gone or\n"
        "  had been given something else), said, version, moves (version, from, to), verdicts\n"
        "  (gate, passed, found, wanted, reason), dry_run",
    )
)
@_endpoint
@click.option("--promote", is_flag=True, help="the challenger gets everything")
@click.option("--roll-back", is_flag=True, help="the champion gets it back")
@gate_file("the group's gate file, for --promote")
@_why
@waits
@as_change
def stop(endpoint: str, promote: bool, gates: Path | None, reason: str, **options: Any) -> int:
    """End the A/B behind ENDPOINT, whatever it has found.

    --promote judges the challenger by the gates again, puts it into Production and gives it all of
    the endpoint; if the endpoint fails, the champion is back in Production. --roll-back gives the
    endpoint its former configuration, with as many instances as it has by now, and the challenger
    its former approval. An endpoint that was deleted, or that somebody has given something else, is
    left so, and only the A/B is ended. What was cut off is completed by the same command.
    """
    from mims.governance.ab import experiment, text

    if promote == options["roll_back"]:
        raise click.UsageError("say how it ends: --promote or --roll-back")
    registry = registry_of(options)
    ended = experiment.stop(
        registry,
        endpoint,
        promote=_wanted(registry, endpoint, gates) if promote else None,
        reason=reason,
        patience=_patience(options),
        dry_run=options["dry_run"],
    )
    report = text.ended(ended)
    tell(options, [report], lambda: text.end(report))
    return _code(ended)


@ab.command(
    epilog=taught(
        [
            "ab watch fraud --promote --gates fraud.yaml --reason 'runbook 7'",
            "ab watch fraud --once --reason 'hourly schedule'",
        ],
        f"  a line a look:\n{_LOOK_KEYS}, and end: null, or as of stop",
    )
)
@_endpoint
@click.option("--promote", "better", is_flag=True, help="promote a challenger that is better")
@gate_file("the group's gate file, for --promote")
@click.option(
    "--every",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    help="seconds between two looks",
)
@click.option("--once", is_flag=True, help="look once: for a schedule")
@_period
@_why
@waits
@as_change
def watch(endpoint: str, better: bool, gates: Path | None, reason: str, **options: Any) -> int:
    """Look at the A/B behind ENDPOINT until it is decided, and act.

    A guardrail that is breached, records that get lost, a better champion, no difference or the
    most records: it is rolled back; so it is where the challenger was rejected or archived, or
    another version went to Production. A better challenger is promoted through the gates with
    --promote; without, it is told of, and the A/B goes on.
    """
    from mims.governance.ab import text, watching

    registry = registry_of(options)
    promote = _wanted(registry, endpoint, gates) if better else None
    code = EXIT_DONE
    for seen, ended in watching.watch(
        registry,
        endpoint,
        promote=promote,
        reason=reason,
        every=None if options["once"] else options["every"],
        period=options["period"],
        patience=_patience(options),
        dry_run=options["dry_run"],
    ):
        report: dict[str, Any] = {**watching.report(seen), "end": ended and text.ended(ended)}
        tell(options, [report], _watched(report))
        code = _code(ended) if ended else EXIT_DONE
    return code


def _watched(report: dict[str, Any]) -> Callable[[], str]:
    from mims.governance.ab import text

    def told() -> str:
        look = text.look(report)
        return f"{look}\n{text.end(report['end'])}" if report["end"] else look

    return told


def _gates(registry: Registry, gates: Path, name: str) -> GateFile:
    from mims.governance.gates.file import GateFile

    return GateFile.load(gates, registry.version(name).group)


def _wanted(registry: Registry, endpoint: str, gates: Path | None) -> GateFile:
    """The gates of the group whose challenger stands behind the endpoint.

    Raises:
        InputError: no A/B runs there.

    """
    from mims.governance.ab.lost import running

    if gates is None:
        raise click.UsageError("--promote needs --gates: the challenger is judged by them again")
    design = running(registry, endpoint).design
    if design is None:
        raise InputError(f"no A/B runs behind endpoint {endpoint}")
    return _gates(registry, gates, design.challenger)


def _patience(options: dict[str, Any]) -> Patience:
    from mims.governance.endpoints import Patience

    return Patience(timeout=options["timeout"], between=options["poll"])


def _code(ended: Ended) -> int:
    return EXIT_INPUT if ended.done == "refused" else EXIT_DONE
