"""The command line of pipelines: print, draw, create or update, start, follow, stop.

Goes in: a definition (JSON, as create_pipeline takes it) or a chain's config, and for an execution
its ARN; credentials and endpoint by boto3's own rules. Comes out: results on stdout, as JSON lines
with --json; progress, warnings and errors on stderr; an exit code. Ctrl-C never stops an execution.
What is heavy is imported when it is used, so that --help is quick.
"""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mims import __version__, console
from mims.errors import EXIT_DONE, EXIT_INPUT, InputError, Stopped
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_sagemaker import SageMakerClient

    from mims.pipeline.steps import File

_EXIT_CODES = """\b
Exit codes:
  0       done
  1       the input is at fault, or the execution failed or was stopped: the
          service did as it was told, and what to mend is in the pipeline (its
          steps' messages are shown; with --json, a line with "execution" and
          "failures" tells it from a wrong input, which has none)
  2       wrong command line
  3       a service refused, could not be reached or took too long
  70      a bug
  128+n   stopped by signal n; an execution goes on all the same
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit code."""
    return console.run(cli, argv, "mims-pipeline", extra="pipelines-boto3")


# What the commands take

_file = click.argument("file", metavar="FILE")
_arn = click.argument("arn", metavar="ARN")
_upserting = console.options(
    click.option(
        "--role",
        metavar="ARN",
        required=True,
        envvar="MIMS_ROLE_ARN",
        help="IAM role that runs the pipeline; else MIMS_ROLE_ARN",
    ),
    click.option("--name", help="the pipeline's name; else the config's or the file's"),
    click.option("--description", default="", help="what the pipeline is for"),
    click.option(
        "--tag",
        "tags",
        metavar="Key=Value",
        multiple=True,
        callback=console.pairs,
        help="tag of a new pipeline; may be repeated",
    ),
    click.option(
        "--parallelism", type=click.IntRange(0), default=0, help="steps at a time; 0: no limit"
    ),
)
_starting = console.options(
    click.option(
        "-p",
        "--parameter",
        "parameters",
        metavar="Key=Value",
        multiple=True,
        callback=console.pairs,
        help="parameter of the execution; may be repeated",
    ),
    click.option("--display-name", default="", help="name of the execution, for people"),
    click.option(
        "--token",
        default="",
        help="any text; the same one with the same parameters starts no second execution",
    ),
)
_following = console.options(
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=86_400.0,
        show_default=True,
        help="seconds to follow; the execution goes on after that",
    ),
    click.option(
        "--poll",
        type=click.FloatRange(0, min_open=True),
        default=10.0,
        show_default=True,
        help="seconds between looks",
    ),
)


# The commands


@click.group(epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mims-pipeline")
def cli() -> None:
    """Pipelines of SageMaker: print, draw, create or update, start, follow, stop.

    FILE is a pipeline's definition as JSON (- is standard input), or a chain's config.
    """


@cli.command(epilog=_EXIT_CODES)
@_file
def definition(file: str) -> None:
    """Print the checked definition of FILE as JSON."""
    click.echo(json.dumps(read_definition(file).definition, indent=2, ensure_ascii=False))


@cli.command(epilog=_EXIT_CODES)
@_file
@click.option("--svg", "as_svg", is_flag=True, help="SVG instead of Mermaid")
def graph(file: str, as_svg: bool) -> None:
    """Draw the steps of FILE.

    As Mermaid, which GitHub shows in Markdown, or as SVG.
    """
    from mims.pipeline.graph import mermaid, svg

    draw = svg if as_svg else mermaid
    click.echo(draw(read_definition(file).definition))


@cli.command(epilog=_EXIT_CODES)
@console.options(_file, _upserting, console.region, console.as_json, console.dry_run)
def upsert(file: str, **options: Any) -> None:
    """Create the pipeline of FILE, or update it where it differs."""
    source = read_definition(file)
    _upsert(_client(options["region"]), source, options)


@cli.command(epilog=_EXIT_CODES)
@click.argument("name", metavar="NAME")
@console.options(_starting, console.region, console.as_json, console.dry_run)
def start(name: str, **options: Any) -> None:
    """Start an execution of a pipeline.

    NAME is the pipeline's name or ARN. Prints the execution's ARN.
    """
    from mims.pipeline.start import checked_parameters
    from mims.pipeline.upsert import definition_of

    client = _client(options["region"], name)
    checked_parameters(definition_of(client, name), options["parameters"])
    _start(client, name, options)


@cli.command(epilog=_EXIT_CODES)
@console.options(_file, _upserting, _starting, _following)
@console.options(console.region, console.as_json, console.dry_run)
def run(file: str, **options: Any) -> int:
    """Upsert, start and follow the pipeline of FILE."""
    from mims.pipeline.start import checked_parameters

    source = read_definition(file)
    checked_parameters(source.definition, options["parameters"])
    client = _client(options["region"])
    name = _upsert(client, source, options)
    arn = _start(client, name, options)
    return _follow(client, arn, options) if arn else EXIT_DONE


@cli.command(epilog=_EXIT_CODES)
@console.options(_arn, _following, console.region, console.as_json)
def follow(arn: str, **options: Any) -> int:
    """Follow an execution to its end.

    Shows its steps, and if it failed why, with what each failed job said.
    """
    return _follow(_client(options["region"], arn), arn, options)


@cli.command(epilog=_EXIT_CODES)
@console.options(_arn, console.region, console.as_json, console.dry_run)
def stop(arn: str, **options: Any) -> None:
    """Stop an execution and its jobs."""
    from mims.pipeline import execution

    client = _client(options["region"], arn)
    status = execution.describe(client, arn)["PipelineExecutionStatus"]
    stopping = status not in execution.ENDS
    if stopping and not options["dry_run"]:
        execution.stop(client, arn)
    doing = "stopping" if stopping else f"has ended: {status}"
    report = {"execution": arn, "stopping": stopping}
    console.answer(options["as_json"], report, f"{arn}: {doing}")


# What they do


def _upsert(client: SageMakerClient, source: Source, options: Mapping[str, Any]) -> str:
    """Create or update the pipeline, once its files are in S3, and give its name."""
    from mims.pipeline import files
    from mims.pipeline.upsert import upsert
    from mims.registration import aws

    name = options["name"] or source.name
    if not name:
        raise InputError("standard input has no name: give the pipeline's with --name")
    if source.files and not options["dry_run"]:
        files.upload(source.files, aws.client("s3", client.meta.region_name))
    arn, done = upsert(
        client,
        json.dumps(source.definition, ensure_ascii=False, separators=(",", ":")),
        name=name,
        role=options["role"],
        tags=options["tags"],
        description=options["description"] or source.description,
        parallelism=options["parallelism"],
        dry_run=options["dry_run"],
    )
    would = "would be " if options["dry_run"] and done != "unchanged" else ""
    report = {"pipeline": arn or name, "done": done, "dry_run": options["dry_run"]}
    console.answer(options["as_json"], report, f"{arn or name}: {would}{done}")
    return name


def _start(client: SageMakerClient, name: str, options: Mapping[str, Any]) -> str:
    """Start an execution and give its ARN; of a dry run nothing."""
    from mims.pipeline.start import start

    parameters = options["parameters"]
    if options["dry_run"]:
        report = {"pipeline": name, "parameters": parameters, "dry_run": True}
        text = f"{name}: would start with {json.dumps(parameters)}"
        console.answer(options["as_json"], report, text)
        return ""
    token = options["token"] or str(uuid.uuid4())
    try:
        arn = start(client, name, parameters, options["display_name"], token)
    except Stopped:
        again = f"with --token {token} run again and no second one starts"
        console.say(f"{name} may have started: {again}")
        raise
    console.answer(options["as_json"], {"execution": arn}, arn)
    return arn


def _follow(client: SageMakerClient, arn: str, options: Mapping[str, Any]) -> int:
    """Show an execution until its end, and what failed; give the exit code."""
    from mims.pipeline import execution, show
    from mims.pipeline.failures import failures

    changes = execution.follow(
        client, arn, seconds_between_polls=options["poll"], timeout=options["timeout"]
    )
    try:
        last = show.shown(changes, options["as_json"])
    except Stopped:
        console.say(f"{arn} goes on.\nFollow it: mims-pipeline follow {arn}")
        console.say(f"Stop it:   mims-pipeline stop {arn}")
        raise
    done = last.status == "Succeeded"
    failed = [] if done else failures(client, arn)
    report = {
        "execution": arn,
        "status": last.status,
        "failures": [failure._asdict() for failure in failed],
    }
    text = "\n".join([f"{arn}: {last.status}", *map(show.explained, failed)])
    console.answer(options["as_json"], report, text)
    return EXIT_DONE if done else EXIT_INPUT


def _client(region: str | None, arn: str = "") -> SageMakerClient:
    from mims.registration import aws

    return aws.client("sagemaker", console.region_of(region, arn))


# What they read


class Source(NamedTuple):
    """A pipeline as a file describes it, and what has to lie in S3 before it starts."""

    name: str
    definition: dict[str, Any]
    description: str = ""
    files: tuple[File, ...] = ()


def read_definition(path: str) -> Source:
    """Read a definition, or build it from a chain's config; `-` is standard input.

    What has "Steps" is a definition; it has no name of its own, so the file's is taken.

    Raises:
        InputError: with every problem.

    """
    on_stdin = path == "-"
    content = _object(path, on_stdin)
    if content.keys() & {"Steps", "Version"}:  # with no more than Version, it lacks its steps
        from mims.pipeline.definition import problems

        if found := problems(content):
            raise InputError(*found)
        return Source("" if on_stdin else Path(path).stem, content)
    if on_stdin:
        raise InputError("standard input: a chain's config must be in a file")
    from mims.pipeline import chain

    built = chain.load(Path(path))
    return Source(built.name, built.to_json(), built.description, built.files)


def _object(path: str, on_stdin: bool) -> dict[str, Any]:
    at = "standard input" if on_stdin else printable(path)
    try:
        text = sys.stdin.read() if on_stdin else Path(path).read_text("utf-8")
        content = json.loads(text)
    except OSError as error:
        raise InputError(f"cannot read {at}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, too
        raise InputError(f"{at} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{at} must hold an object: a definition, or a chain's config")
    return content
