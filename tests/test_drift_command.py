"""`mims-registry drift`, against the local AWS: what it asks, prints and leaves, how it exits."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from drift_captures import capture_file, labels, lines, written
from drift_reports import Records, baseline, records
from governance_versions import REGION, register_version
from mims.errors import EXIT_DONE, EXIT_DRIFT, EXIT_INPUT, EXIT_USAGE
from mims.governance.command import main
from mims.governance.drift import baselines
from mims.governance.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws
    from mims.governance.versions import Version

READS = re.compile(r"(Describe|List|Get|Head)\w+")
CAPTURES = "s3://mims-models/captures"
ROLE = "arn:aws:iam::123456789012:role/endpoint"
GOOD, SHIFTED = records(2000, seed=2), records(2000, seed=2, shift=1.0)


class Said:
    """Runs commands; keeps what they said."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: object, code: int = EXIT_DONE) -> str:
        self._capsys.readouterr()
        found = main(["drift", *map(str, arguments)])
        self.out, self.err = self._capsys.readouterr()
        assert found == code, self.out + self.err
        assert "Traceback" not in self.err
        return self.out

    def json(self, *arguments: object, code: int = EXIT_DONE) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self(*arguments, "--json", code=code))
        return report


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Said:
    monkeypatch.chdir(tmp_path)
    return Said(capsys)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A baseline in a file."""
    file = tmp_path / "baseline.json"
    file.write_bytes(baselines.content(baseline(tmp_path / "training")))
    return file


@pytest.fixture
def version(aws: LocalAws, bucket: str, tmp_path: Path) -> Version:
    """A version with a baseline."""
    del bucket
    with aws.package_status(progression="immediate"):
        made = register_version(tmp_path / "1")
        registry = Registry(REGION)
        baselines.store(registry, made, baseline(tmp_path / "training"))
        return registry.version(made.arn)


def upload(s3: S3Client, made: Records, endpoint: str = "live", variant: str = "one") -> None:
    key = f"captures/{endpoint}/{variant}/2026/03/02/14/30-00-000-1.jsonl"
    body = "".join(f"{line}\n" for line in lines(made))
    s3.put_object(Bucket="mims-models", Key=key, Body=body.encode())


def endpoint(
    sagemaker: SageMakerClient, *variants: str, name: str = "live", is_capturing: bool = True
) -> None:
    """An endpoint of variants, with Data Capture to CAPTURES."""
    sagemaker.create_model(
        ModelName=f"model-{name}",
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": "123456789012.dkr.ecr.us-west-2.amazonaws.com/serve:1"},
    )
    capture: Any = {
        "DataCaptureConfig": {
            "EnableCapture": is_capturing,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": CAPTURES,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        }
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName=f"config-{name}",
        ProductionVariants=[
            {
                "VariantName": variant,
                "ModelName": f"model-{name}",
                "InstanceType": "ml.m5.large",
                "InitialInstanceCount": 1,
                "InitialVariantWeight": 1,
            }
            for variant in variants
        ],
        **capture,
    )
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"config-{name}")


def latency(value: float, variant: str = "one") -> None:
    """Have CloudWatch know of the endpoint's latency an hour ago."""
    where: Any = [
        {"Name": "EndpointName", "Value": "live"},
        {"Name": "VariantName", "Value": variant},
    ]
    ago = datetime.now(UTC) - timedelta(hours=1)
    data: Any = {
        "MetricName": "ModelLatency",
        "Dimensions": where,
        "Value": value,
        "Timestamp": ago,
    }
    boto3.client("cloudwatch").put_metric_data(Namespace="AWS/SageMaker", MetricData=[data])


def alarm_data() -> list[float]:
    """What checks have published as Drift."""
    now = datetime.now(UTC)
    found = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="MIMS/Drift",
        MetricName="Drift",
        Dimensions=[{"Name": "EndpointName", "Value": "live"}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=60,
        Statistics=["Maximum"],
    )
    return [point["Maximum"] for point in found["Datapoints"]]


# On this machine alone: files, and no AWS


def test_a_file_of_what_was_seen(said: Said, stored: Path, tmp_path: Path) -> None:
    for made, code, verdict in ((GOOD, EXIT_DONE, "none"), (SHIFTED, EXIT_DRIFT, "drift")):
        file = tmp_path / f"{verdict}.parquet"
        table = made.inputs.append_column("score", made.outputs["score"])
        pa.parquet.write_table(table, file)
        report = said.json("check", "--baseline", stored, "--file", file, code=code)
        assert (report["verdict"], report["records"]) == (verdict, 2000)
    assert [one["name"] for one in report["findings"] if one["drifted"]] == ["age", "country"]
    assert {one["side"] for one in report["findings"]} == {"input", "output"}


def test_text_names_what_drifted(said: Said, stored: Path, tmp_path: Path) -> None:
    capture = written(capture_file(tmp_path / "captures"), lines(SHIFTED))
    out = said("check", "--baseline", stored, "--capture", capture, code=EXIT_DRIFT)
    assert "drift of 2,000 records" in out
    assert re.search(r"input +age +distribution", out)
    assert "baseline.json (SHA-256 " in out


def test_a_page(said: Said, stored: Path, tmp_path: Path) -> None:
    capture = written(capture_file(tmp_path / "captures"), lines(GOOD))
    said("check", "--baseline", stored, "--capture", capture, "--page", "drift.html")
    assert "No drift" in (tmp_path / "drift.html").read_text()


def test_a_page_that_cannot_be_written(said: Said, stored: Path, tmp_path: Path) -> None:
    capture = written(capture_file(tmp_path / "captures"), lines(GOOD))
    (tmp_path / "taken").write_text("")
    page = ("--page", "taken/drift.html")
    said("check", "--baseline", stored, "--capture", capture, *page, code=EXIT_INPUT)
    assert "cannot write" in said.err


def test_too_few_records_are_exit_1(said: Said, stored: Path, tmp_path: Path) -> None:
    capture = written(capture_file(tmp_path / "captures"), lines(records(20)))
    out = said("check", "--baseline", stored, "--capture", capture, code=EXIT_INPUT)
    assert "undecided" in out
    assert "error: undecided: there are 20 records: fewer than 200" in said.err


def test_limits(said: Said, stored: Path, tmp_path: Path) -> None:
    capture = written(capture_file(tmp_path / "captures"), lines(SHIFTED))
    given = ("check", "--baseline", stored, "--capture", capture)
    report = said.json(*given, "--psi", 9, "--share", 0.9, "--alpha", 0.001)
    assert report["limits"]["alpha"] == 0.001
    said(*given, "--alpha", 7, code=EXIT_INPUT)
    assert "alpha is 7" in said.err


def test_a_verdict_on_the_few_that_could_be_read_is_none(
    said: Said, stored: Path, tmp_path: Path
) -> None:
    """Most records have a new column: the others may be as ever, and tell nothing of these."""
    good = [*lines(GOOD)]
    wider = [line.replace('"data": "', '"data": "9,', 1) for line in good]
    capture = written(capture_file(tmp_path / "captures"), [*good[:300], *wider])
    report = said.json("check", "--baseline", stored, "--capture", capture, code=EXIT_INPUT)
    (why,) = report["undecided"]
    assert why.startswith("2,000 of 2,300 captures could not be read, most often: has 4 values")
    # Of a few, such as a line that is cut off, a note is enough.
    capture = written(capture_file(tmp_path / "captures"), [*good, *wider[:20]])
    report = said.json("check", "--baseline", stored, "--capture", capture)
    assert (report["verdict"], len(report["notes"])) == ("none", 1)


def test_a_file_of_predictions_alone(said: Said, stored: Path, tmp_path: Path) -> None:
    pyarrow.parquet.write_table(GOOD.outputs, tmp_path / "scores.parquet")
    report = said.json("check", "--baseline", stored, "--file", "scores.parquet")
    assert {one["side"] for one in report["findings"]} == {"output"}
    assert report["notes"] == ["inputs are not tested: there are 0 records of them"]


def test_a_file_whose_name_tells_no_format(said: Said, stored: Path, tmp_path: Path) -> None:
    pyarrow.parquet.write_table(GOOD.outputs, tmp_path / "part-0000")
    given = ("check", "--baseline", stored, "--file", "part-0000")
    said(*given, code=EXIT_INPUT)
    assert "give --format" in said.err
    assert said.json(*given, "--format", "parquet")["verdict"] == "none"


def test_a_file_of_something_else(said: Said, stored: Path, tmp_path: Path) -> None:
    written(capture_file(tmp_path / "captures"), lines(GOOD))
    said("check", "--baseline", stored, "--file", "captures", code=EXIT_INPUT)
    assert "none of its columns is one of the baseline" in said.err
    assert "captureData" in said.err


def test_labels_are_a_file_or_a_folder_that_is_there(
    said: Said, stored: Path, tmp_path: Path
) -> None:
    capture = written(capture_file(tmp_path / "captures"), lines(GOOD))
    file = written(tmp_path / "day.jsonl", labels(at % 2 for at in range(2000)))
    given = ("check", "--baseline", stored, "--capture", capture, "--task", "binary")
    report = said.json(*given, "--labels", file, code=EXIT_INPUT)
    assert any("auc" in note for note in report["notes"])
    said(*given, "--labels", "trhut", code=EXIT_INPUT)
    assert "cannot read trhut" in said.err


def test_labels(said: Said, stored: Path, tmp_path: Path) -> None:
    capture = written(capture_file(tmp_path / "captures"), lines(GOOD))
    written(tmp_path / "truth" / "day.jsonl", labels(at % 2 for at in range(2000)))
    given = ("check", "--baseline", stored, "--capture", capture, "--labels", "truth")
    # Without a version there is nothing to compare the performance with: no verdict on it.
    report = said.json(*given, "--task", "binary", code=EXIT_INPUT)
    assert any("performance" in reason for reason in report["undecided"])
    assert any("auc" in note for note in report["notes"])


def test_labels_of_answers_with_a_class_and_a_probability(said: Said, tmp_path: Path) -> None:
    """Answers are 1,0.93: of two classes, and no two scores of which the first is the greater."""
    draw = np.random.default_rng(3)
    made = [(int(draw.random() < 0.3), round(0.5 + draw.random() / 2, 2)) for _ in range(1000)]
    rows = [f"{label},{share}" for label, share in made]
    (tmp_path / "train.csv").write_text("\n".join(["age", *map(str, range(1000))]))
    (tmp_path / "scores.csv").write_text("\n".join(["label,probability", *rows]))
    given = ("--data", "train.csv", "--predictions", "scores.csv", "--to", "pairs.json")
    assert main(["baseline", *given]) == EXIT_DONE
    asked = ({"data": str(at), "encoding": "CSV"} for at in range(1000))
    capture = written(
        capture_file(tmp_path / "captures"),
        (
            json.dumps(
                {
                    "captureData": {
                        "endpointInput": one,
                        "endpointOutput": {"data": row, "encoding": "CSV"},
                    },
                    "eventMetadata": {
                        "eventId": f"event-{at}",
                        "inferenceTime": f"2026-03-{2 + at // 100:02}T14:30:00Z",
                    },
                }
            )
            for at, (one, row) in enumerate(zip(asked, rows, strict=True))
        ),
    )
    written(tmp_path / "truth.jsonl", labels(label if at % 10 else 1 - label
                                             for at, (label, _) in enumerate(made)))  # fmt: skip
    check = ("check", "--baseline", "pairs.json", "--capture", capture, "--labels", "truth.jsonl")
    for task in ("binary", "multiclass"):
        report = said.json(*check, "--task", task, "--page", "page.html", code=EXIT_INPUT)
        (accuracy,) = [one for one in report["series"] if one["name"] == "accuracy"]
        assert accuracy["value"] == pytest.approx(0.9)
        assert [point["records"] for point in accuracy["points"]] == [100] * 10
        (note,) = [one for one in report["notes"] if "--score" in one]
        assert note.startswith("performance is that of output label; probability: for auc")
        assert "How good it was over time" in (tmp_path / "page.html").read_text()
    named = said.json(*check, "--task", "binary", "--score", "probability", code=EXIT_INPUT)
    assert "auc" in {one["name"] for one in named["series"]}
    assert not [one for one in named["notes"] if "--score" in one]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "name a VERSION, or a file with --baseline"),
        (("fraud/3",), "say what was seen"),
        (("fraud/3", "--capture", "x", "--format", "csv"), "--format is of --file"),
        (("fraud/3", "--file", "x", "--publish"), "--publish needs an --endpoint"),
        (("fraud/3", "--file", "x", "--variant", "a"), "--variant is of an --endpoint"),
        (("fraud/3", "--capture", "x", "--labels", "y"), "--labels and --task go together"),
        (("fraud/3", "--capture", "x", "--since", "soon"), "must be a time"),
        (("fraud/3", "--capture", "x", "--since", "999999d"), "must be a time"),
        (("fraud/3", "--capture", "x", "--since", "1h", "--until", "2h"), "before --until"),
        (("fraud/3", "--file", "x", "--since", "1h"), "are of captures"),
        (("fraud/3", "--capture", "x", "--score", "y"), "are of a --task"),
        (("fraud/3", "--capture", "x", "--since", "0001-01-01T00:00+10:00"), "must be a time"),
    ],
)
def test_what_goes_not_together(said: Said, arguments: tuple[str, ...], why: str) -> None:
    said("check", *arguments, code=EXIT_USAGE)
    assert why in said.err


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        ("{", "is no JSON"),
        ("[]", "is no JSON object"),
        ("{}", "no baseline"),
    ],
)
def test_a_baseline_that_is_none(said: Said, tmp_path: Path, content: str | None, why: str) -> None:
    if content is not None:
        (tmp_path / "baseline.json").write_text(content)
    said("check", "--baseline", "baseline.json", "--file", "x.csv", code=EXIT_INPUT)
    assert why in said.err


def test_nothing_captured(said: Said, stored: Path, tmp_path: Path) -> None:
    (tmp_path / "captures").mkdir()
    said("check", "--baseline", stored, "--capture", "captures", code=EXIT_INPUT)
    assert "nothing was captured" in said.err


# With an endpoint


def test_an_endpoint_says_where_it_captures(
    said: Said, version: Version, s3: S3Client, sagemaker: SageMakerClient
) -> None:
    endpoint(sagemaker, "one")
    upload(s3, SHIFTED)
    upload(s3, GOOD, endpoint="other")
    report = said.json("check", version.name, "--endpoint", "live", code=EXIT_DRIFT)
    assert report["records"] == 2000
    assert report["subject"] == f"{version.name}, endpoint live"
    assert report["baseline"].startswith("s3://mims-models/mims/")
    assert re.search(r"/sha256/[0-9a-f]{64}/baseline.json$", report["baseline"])


def test_a_check_only_reads(
    said: Said, version: Version, s3: S3Client, sagemaker: SageMakerClient, asked: list[str]
) -> None:
    endpoint(sagemaker, "one")
    upload(s3, GOOD)
    asked.clear()
    said("check", version.name, "--endpoint", "live")
    assert asked
    assert [name for name in asked if not READS.fullmatch(name)] == []


def test_since_and_until_are_hours_of_captures(said: Said, version: Version, s3: S3Client) -> None:
    upload(s3, GOOD)
    given = ("check", version.name, "--capture", CAPTURES)
    said(*given, "--since", "2026-03-02T14:59Z", "--until", "2026-03-02T15:00Z")
    said(*given, "--since", "2026-03-02T15:00Z", code=EXIT_INPUT)
    assert "nothing was captured" in said.err
    assert "since 2026-03-02T15:00Z" in said.err
    said(*given, "--since", "30m", code=EXIT_INPUT)


def test_one_of_two_variants_has_to_be_named(
    said: Said, version: Version, s3: S3Client, sagemaker: SageMakerClient
) -> None:
    endpoint(sagemaker, "one", "two")
    upload(s3, GOOD, variant="one")
    upload(s3, SHIFTED, variant="two")
    given = ("check", version.name, "--endpoint", "live")
    said(*given, code=EXIT_INPUT)
    assert "has the variants one, two: name one with --variant" in said.err
    assert said.json(*given, "--variant", "one")["records"] == 2000
    said(*given, "--variant", "two", code=EXIT_DRIFT)
    said(*given, "--variant", "tow", code=EXIT_INPUT)
    assert "did you mean two?" in said.err


def test_an_endpoint_that_captures_nothing(
    said: Said, version: Version, sagemaker: SageMakerClient
) -> None:
    endpoint(sagemaker, "one", is_capturing=False)
    said("check", version.name, "--endpoint", "live", code=EXIT_INPUT)
    assert "captures nothing" in said.err


def test_no_such_endpoint(said: Said, version: Version) -> None:
    said("check", version.name, "--endpoint", "gone", code=EXIT_INPUT)
    assert "us-west-2 has no endpoint gone" in said.err


@pytest.mark.parametrize(("now", "code"), [(12500, EXIT_DONE), (15000, EXIT_DRIFT)])
def test_metrics_by_percent(  # noqa: PLR0917 - fixtures
    said: Said,
    version: Version,
    s3: S3Client,
    sagemaker: SageMakerClient,
    tmp_path: Path,
    now: float,
    code: int,
) -> None:
    endpoint(sagemaker, "one")
    upload(s3, GOOD)
    latency(now)
    (tmp_path / "healthy.json").write_text('{"ModelLatency": 12000}')
    given = ("check", version.name, "--endpoint", "live", "--metrics", "healthy.json")
    # The captures are older than a day, the metrics are not.
    report = said.json(*given, code=code)
    (found,) = [one for one in report["findings"] if one["side"] == "metric"]
    assert found["effect"] == pytest.approx(abs(now - 12000) / 120)


def test_metrics_of_an_endpoint_that_captures_nothing(
    said: Said, version: Version, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    endpoint(sagemaker, "one", is_capturing=False)
    latency(15000)
    (tmp_path / "healthy.json").write_text('{"ModelLatency": 12000, "OverheadLatency": 5}')
    given = ("check", version.name, "--endpoint", "live", "--metrics", "healthy.json")
    report = said.json(*given, code=EXIT_DRIFT)
    assert [one["name"] for one in report["findings"]] == ["ModelLatency"]
    assert "OverheadLatency" in report["undecided"][0]  # which is not 0: nobody has told
    # Metrics alone need no baseline, and so no version.
    alone = said.json("check", *given[2:], code=EXIT_DRIFT)
    assert alone["findings"] == report["findings"]


def test_what_was_found_is_published(
    said: Said, version: Version, s3: S3Client, sagemaker: SageMakerClient
) -> None:
    endpoint(sagemaker, "one")
    upload(s3, SHIFTED)
    said("check", version.name, "--endpoint", "live", "--publish", code=EXIT_DRIFT)
    assert alarm_data() == [1]


def test_labels_against_the_versions_metrics(
    said: Said, version: Version, s3: S3Client, tmp_path: Path
) -> None:
    """It was registered with an accuracy of 0.91; these scores mean nothing."""
    upload(s3, GOOD)
    written(tmp_path / "truth" / "day.jsonl", labels(at % 2 for at in range(2000)))
    given = ("check", version.name, "--capture", CAPTURES, "--labels", "truth", "--task", "binary")
    report = said.json(*given, code=EXIT_DRIFT)
    drifted = {(one["side"], one["name"]) for one in report["findings"] if one["drifted"]}
    assert drifted == {("performance", "accuracy"), ("performance", "auc")}


def test_a_version_without_a_baseline(
    said: Said, aws: LocalAws, bucket: str, tmp_path: Path
) -> None:
    del bucket
    with aws.package_status(progression="immediate"):
        made = register_version(tmp_path / "1", None)
    said("check", made.name, "--file", "x.csv", code=EXIT_INPUT)
    assert "has no baseline to compare with" in said.err


# The alarm


@pytest.mark.usefixtures("aws")
def test_an_alarm(said: Said) -> None:
    topic = "arn:aws:sns:us-west-2:123456789012:on-call"
    given = ("alarm", "live", "--action", topic)
    assert said(*given, "--dry-run") == "mims drift: live: would be created\n"
    assert boto3.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    report = said.json(*given)
    assert (report["done"], report["actions"]) == ("created", [topic])
    assert said(*given) == "mims drift: live: unchanged\n"
    assert said(*given, "--hours", 6) == "mims drift: live: updated\n"
    said(*given, "--hours", 99, code=EXIT_INPUT)


def test_help_tells_of_drift(said: Said) -> None:
    told = said("check", "--help")
    assert "4       drift was found" in told
    assert "of an answer such as 1,0.93 the class" in " ".join(told.split())
