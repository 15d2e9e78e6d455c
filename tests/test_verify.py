"""What is registered really serves: downloaded from the local AWS, served, asked over HTTP."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import boto3
import pytest

import sample_model
from mims_verification.answers import Answer
from mims_verification.errors import VerificationError
from mims_verification.samples import read_samples
from patience import looks
from sample_model import DOCKER, package_sample, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from conftest import LocalAws

pytestmark = pytest.mark.usefixtures("aws")
sample = sample_model.sample

BUCKET, GROUP, REGION = "mims-local", "penguins", "us-west-2"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1"
JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
ROW = {"flipper_length_mm": 0.0, "species": "DEFAULT_TEXT"}
PAYLOAD = {
    "application_json/sample_payload.json": json.dumps({"instances": [ROW]}),
    "application_jsonlines/sample_payload.jsonl": json.dumps(ROW) + "\n",
    "metadata.json": json.dumps({"model": "penguins"}),
    "text_csv/sample_payload.csv": "flipper_length_mm,species\n0.0,DEFAULT_TEXT\n",
}
# Code that answers with what it was sent, whatever the content type.
ECHO = (
    "import os\n"
    "def model_fn(d): return None\n"
    "def input_fn(body, content_type): return str(body), content_type\n"
    "def predict_fn(data, model): return data\n"
)


def run_verify(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(DOCKER / "serve" / "verify.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def upload(content: bytes, region: str) -> str:
    """Store an object under its digest; gives its URL."""
    s3 = boto3.client("s3", region_name=region)
    bucket = BUCKET if region == REGION else f"{BUCKET}-{region}"
    if bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]:
        where: Any = {"LocationConstraint": region}
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    key = hashlib.sha256(content).hexdigest() + ".tar.gz"
    s3.put_object(Bucket=bucket, Key=key, Body=content)
    return f"s3://{bucket}/{key}"


def register(
    package: Path,
    payload: Path | None,
    *,
    response_types: tuple[str, ...] = (JSON,),
    environment: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
    region: str = REGION,
) -> str:
    """Register a version as a registration does; gives its ARN once the registry is done."""
    sagemaker = boto3.client("sagemaker", region_name=region)
    groups = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    if not groups:
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    digests = {"model_sha256": hashlib.sha256(package.read_bytes()).hexdigest()}
    optional: dict[str, Any] = {}
    if payload:
        digests["payload_sha256"] = hashlib.sha256(payload.read_bytes()).hexdigest()
        optional = {
            "SamplePayloadUrl": upload(payload.read_bytes(), region),
            "Domain": "MACHINE_LEARNING",
            "Task": "CLASSIFICATION",
        }
    arn = sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={**digests, **(metadata or {})},
        InferenceSpecification={
            "Containers": [
                {
                    "Image": IMAGE,
                    "ModelDataUrl": upload(package.read_bytes(), region),
                    "Environment": dict(environment or {}),
                }
            ],
            "SupportedContentTypes": [JSON],
            "SupportedResponseMIMETypes": list(response_types),
        },
        **optional,
    )["ModelPackageArn"]
    for _ in looks():
        found = sagemaker.describe_model_package(ModelPackageName=arn)
        if found["ModelPackageStatus"] == "Completed":
            return arn
    raise TimeoutError(arn)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    yield
    assert list(scratch.iterdir()) == []


@pytest.fixture
def echo(tmp_path: Path) -> Callable[[str], Path]:
    """Package code of a few lines."""

    def make(code: str = "", **files: str) -> Path:
        files["code/inference.py"] = ECHO + code
        return write_archive(tmp_path / "model.tar.gz", files)

    return make


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "payload.tar.gz", PAYLOAD)


def failed(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Give the message of a verification that did not pass."""
    assert done.returncode == code, done.stderr
    assert 'verify.py", line' not in done.stderr  # a traceback of ours
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize("layout", ["mims", "sagemaker"])
def test_a_registered_model_answers_its_own_samples(
    sample: Path, tmp_path: Path, payload: Path, layout: str
) -> None:
    package = package_sample(sample, layout, tmp_path / "model.tar.gz")
    arn = register(package, payload, response_types=(JSON, CSV))
    done = run_verify("--arn", arn)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["arn"] == arn
    assert report["model_sha256"] == hashlib.sha256(package.read_bytes()).hexdigest()
    sent = [(p["file"], p["content_type"], p["accept"]) for p in report["predictions"]]
    assert sent == [
        ("application_json/sample_payload.json", JSON, JSON),
        ("application_json/sample_payload.json", JSON, CSV),
        ("application_jsonlines/sample_payload.jsonl", LINES, JSON),
        ("application_jsonlines/sample_payload.jsonl", LINES, CSV),
        ("text_csv/sample_payload.csv", CSV, JSON),
        ("text_csv/sample_payload.csv", CSV, CSV),
    ]
    answers = {p["response"] for p in report["predictions"] if p["accept"] == JSON}
    assert len(answers) == 1  # the samples say the same, each in its content type
    assert json.loads(answers.pop())["predictions"][0]["weight_class"] in {"light", "heavy"}


def test_without_a_payload_only_ping_is_asked(echo: Callable[..., Path]) -> None:
    done = run_verify("--arn", register(echo(), None))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"] == []
    assert "no payload is registered: only /ping is asked" in done.stderr
    assert "GET /ping: 200" in done.stderr


def test_a_group_means_its_newest_version(echo: Callable[..., Path], payload: Path) -> None:
    register(echo(), None)
    newest = register(echo(), payload)
    done = run_verify("--group", GROUP)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["arn"] == newest


def test_a_registrations_message_means_the_version_of_each_region(
    echo: Callable[..., Path], payload: Path, tmp_path: Path
) -> None:
    package, regions = echo(), (REGION, "eu-west-1")
    arns = {region: register(package, payload, region=region) for region in regions}
    message = tmp_path / "message"
    arn = arns[REGION].replace(REGION, "<region>").replace("/1", "/<version>")
    told = {"arn": arn, "new": {REGION: 1}, "known": {"eu-west-1": 1}}
    message.write_text(json.dumps({"job": "register", "status": "done", **told}))
    done = run_verify("--message", str(message))
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["arn"] for line in done.stdout.splitlines()] == [*arns.values()]


def test_the_containers_environment_is_the_codes_but_no_credentials_are(
    tmp_path: Path, payload: Path
) -> None:
    seen = "' '.join(n for n in os.environ if n.startswith(('AWS_', 'THRESHOLD')))"
    code = f"{ECHO}def output_fn(p, accept): return {seen}\n"
    package = write_archive(tmp_path / "model.tar.gz", {"code/serve_me.py": code})
    environment = {"SAGEMAKER_PROGRAM": "serve_me.py", "THRESHOLD": "0.5"}
    arn = register(package, payload, response_types=("text/plain",), environment=environment)
    done = run_verify("--arn", arn)
    assert done.returncode == 0, done.stderr
    assert {p["response"] for p in json.loads(done.stdout)["predictions"]} == {"THRESHOLD"}


def test_metadata_may_name_the_content_type_of_a_file(
    echo: Callable[..., Path], tmp_path: Path
) -> None:
    files = {"files": [{"name": "samples/one", "content_type": "application/x-npy"}]}
    payload = write_archive(
        tmp_path / "payload.tar.gz", {"metadata.json": json.dumps(files), "samples/one": "x"}
    )
    package = echo("def predict_fn(data, model): return data[1]\n")
    done = run_verify("--arn", register(package, payload))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["predictions"][0]["response"] == '"application/x-npy"'


def test_files_of_a_flat_payload_are_of_the_type_that_their_names_tell(tmp_path: Path) -> None:
    names = ["sample_payload_0001.csv", "sample_payload_0002.json", "sample_payload_0003.jsonl"]
    payload = write_archive(tmp_path / "payload.tar.gz", dict.fromkeys(names, "1"))
    assert [(s.name, s.content_type) for s in read_samples(payload)] == [
        *zip(names, (CSV, JSON, LINES), strict=True)
    ]


@pytest.mark.parametrize("digest", ["model_sha256", "payload_sha256"])
def test_an_object_that_is_not_what_was_registered_is_refused(
    echo: Callable[..., Path], payload: Path, digest: str
) -> None:
    done = run_verify("--arn", register(echo(), payload, metadata={digest: "0" * 64}))
    assert f"but {'0' * 64} was registered" in failed(done, 1)
    assert done.stdout == ""
    assert "serving" not in done.stderr


def test_what_a_version_lacks_is_said_at_once(aws: LocalAws, payload: Path) -> None:
    with aws.package_status(progression="time", seconds=3600):
        sagemaker = boto3.client("sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        arn = sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            SamplePayloadUrl=upload(payload.read_bytes(), REGION),
            Domain="MACHINE_LEARNING",
            Task="CLASSIFICATION",
        )["ModelPackageArn"]
        message = failed(run_verify("--arn", arn), 1)
    for lacking in (
        "its status is Pending",
        "no ModelDataUrl",
        "no SupportedResponseMIMETypes",
        "no model_sha256",
        "no payload_sha256",
    ):
        assert lacking in message


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ("answered 500", "def predict_fn(data, model): return 1 / 0\n"),
        ("holds no predictions", "def output_fn(p, accept): return '{\"predictions\": []}'\n"),
        ("no answer", "def predict_fn(data, model): os._exit(1)\n"),
    ],
)
def test_a_wrong_answer_fails_the_verification(
    echo: Callable[..., Path], payload: Path, says: str, code: str
) -> None:
    assert says in failed(run_verify("--arn", register(echo(code), payload)), 1)


@pytest.mark.parametrize(
    ("accept", "body", "says"),
    [
        (JSON, '{"predictions": [0.5]}', None),
        (JSON, "[0.5]", None),
        (JSON, "0", None),
        (JSON, " ", "the answer is empty"),
        (JSON, "{}", "holds no predictions"),
        (JSON, "null", "holds no predictions"),
        (JSON, "yes", "is no application/json"),
        # no JSON outside Python
        (JSON, "[NaN]", "NaN is no JSON"),
        (LINES, "[1]\n[2]\n", None),
        (LINES, "[1]\n[]\n", "holds no predictions"),
        (LINES, "[1]\nyes", "is no application/jsonlines"),
        (CSV, "heavy,0.9\n", None),
        (CSV, "\n,\n", "holds no predictions"),
        (CSV, '"1', "is no text/csv"),
        (CSV, b"\xff", "is no text/csv"),
        # whatever the code writes in a type of its own
        ("image/png", b"\x89PNG", None),
    ],
)
def test_an_answer_must_be_of_its_type_and_hold_something(
    accept: str, body: str | bytes, says: str | None
) -> None:
    content = body.encode() if isinstance(body, str) else body
    problem = Answer(200, accept, content).problem(accept)
    assert problem is None if says is None else says in str(problem)


def test_an_answer_in_another_type_is_none() -> None:
    assert Answer(200, "text/html", b"1").problem(JSON) == "answered in text/html"
    assert Answer(200, "application/json; charset=utf-8", b"1").problem(JSON) is None


def test_all_wrong_answers_are_named_together(echo: Callable[..., Path], payload: Path) -> None:
    package = echo("def output_fn(p, accept): return ''\n")
    message = failed(run_verify("--arn", register(package, payload)), 1)
    assert message.count("the answer is empty") == 3


def test_a_package_that_does_not_serve_fails_the_verification(
    tmp_path: Path, payload: Path
) -> None:
    package = write_archive(tmp_path / "model.tar.gz", {"weights": "w"})
    done = run_verify("--arn", register(package, payload))
    assert "cannot be served: the log above says why" in failed(done, 1)
    assert "no code/inference.py" in done.stderr


@pytest.mark.parametrize(
    ("says", "files"),
    [
        ("no sample request", {"metadata.json": "{}"}),
        ("must be JSON with", {"metadata.json": "[", "text_csv/a": "1"}),
        ("must be JSON with", {"metadata.json": '{"files": [1]}', "text_csv/a": "1"}),
        (
            "names files that are not there: b",
            {"metadata.json": '{"files": [{"name": "b", "content_type": "text/csv"}]}'},
        ),
        ("sample.bin has no content type", {"sample.bin": "1"}),
        ("samples/a has no content type", {"samples/a": "1"}),
        ("more than InvokeEndpoint's 6,291,456", {"text_csv/a": "1" * 6_291_457}),
        # 80 files of an allowed size each
        ("inflates to over", {f"text_csv/{n}": "1" * 1_000_000 for n in range(80)}),
    ],
)
def test_a_payload_that_cannot_be_sent_is_refused(
    tmp_path: Path, says: str, files: dict[str, str]
) -> None:
    with pytest.raises(VerificationError, match=re.escape(says)):
        read_samples(write_archive(tmp_path / "payload.tar.gz", files))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        # would read a file of this machine
        (tarfile.SYMTYPE, "text_csv/link"),
        # would never end
        (tarfile.FIFOTYPE, "text_csv/pipe"),
        # which of the two is sent?
        (tarfile.REGTYPE, "./text_csv/sample.csv"),
    ],
)
def test_a_hostile_payload_is_refused(tmp_path: Path, kind: bytes, name: str) -> None:
    payload = tmp_path / "payload.tar.gz"
    with tarfile.open(payload, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("text_csv/sample.csv"))
        hostile = tarfile.TarInfo(name)
        hostile.type, hostile.linkname = kind, "/etc/hostname"
        tar.addfile(hostile)
    with pytest.raises(VerificationError, match=re.escape(f"{name!r} is refused")):
        read_samples(payload)


def test_a_payload_cut_short_is_refused(echo: Callable[..., Path], payload: Path) -> None:
    payload.write_bytes(payload.read_bytes()[:-20])
    message = failed(run_verify("--arn", register(echo(), payload)), 1)
    assert "payload archive is no whole .tar.gz" in message


def test_a_version_that_is_not_there_is_the_services_word() -> None:
    arn = f"arn:aws:sagemaker:{REGION}:123456789012:model-package/{GROUP}/7"
    assert "AWS: " in failed(run_verify("--arn", arn), 3)


def test_an_unreachable_aws_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    arn = f"arn:aws:sagemaker:{REGION}:123456789012:model-package/{GROUP}/1"
    assert "Could not connect" in failed(run_verify("--arn", arn), 3)


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        # a registration that failed names no region
        '{"job": "register", "status": "failed", "error": "because"}',
        '{"arn": "arn", "new": ["us-west-2"], "known": {}}',
        '{"arn": "arn", "new": {}, "known": {}}',
    ],
)
def test_a_message_that_names_no_version_is_refused(tmp_path: Path, content: str) -> None:
    message = tmp_path / "message"
    message.write_text(content)
    assert str(message) in failed(run_verify("--message", str(message)), 1)


def test_a_wrong_command_line_is_told_from_a_wrong_version() -> None:
    assert "no version's ARN" in failed(run_verify("--arn", "penguins/1"), 1)
    assert run_verify().returncode == 2
    assert run_verify("--arn", "a", "--group", "b").returncode == 2
