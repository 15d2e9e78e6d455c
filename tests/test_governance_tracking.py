"""A version and its MLflow run: a real server, and runs that MLflow's own client has logged."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from faults import Faults, denied, lost_answer, refused, reset, throttled, truncated
from mims.errors import InputError, ServiceError
from mims.governance.registry import Registry
from mims.governance.tracking import mlflow_http
from mims.governance.tracking.linking import evidence_of, link, text_of
from mims.governance.tracking.mlflow_http import ATTEMPTS, Server
from mims.governance.versions import File
from mims.registration.backends.sagemaker import SageMaker
from mlflow_server import COMMIT, mlflow_server
from submissions import BUCKET, REGION, store, submission

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from conftest import LocalAws
    from faults import Exchange, Fault
    from mims.governance.tracking.linking import Link
    from mims.governance.versions import Version
    from mlflow_server import MlflowServer

TAGS = ["mims.group", "mims.model_package_arn", "mims.version"]


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """One server for all; every test logs runs of its own."""
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


@pytest.fixture(scope="module")
def finished(mlflow: MlflowServer) -> str:
    """A run that tests may link, having untagged it: `run`."""
    return mlflow.train(commit=COMMIT, odd=["nan", "inf", "-inf"])


@pytest.fixture
def run(mlflow: MlflowServer, finished: str) -> str:
    for tag in set(TAGS) & set(mlflow.tags(finished)):
        mlflow.post("runs/delete-tag", run_id=finished, key=tag)
    return finished


@pytest.fixture
def registry(aws: LocalAws, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Registry:
    del aws, bucket
    for name in ("URI", "USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setattr(mlflow_http, "sleep", lambda _: None)
    return Registry(REGION)


@pytest.fixture
def version(registry: Registry) -> Version:
    return registered(registry)


def registered(registry: Registry, workflow_id: str = "wf-1", **config: Any) -> Version:
    made = store(submission({"model_quality": {"auc": 0.9}}, workflow_id=workflow_id, **config))
    return registry.version(SageMaker(REGION).register(made).arn)


@dataclass
class Desk:
    """A version and a run that are not linked yet, and where both are."""

    registry: Registry
    version: Version
    mlflow: MlflowServer
    run: str

    def link(self, uri: str | None = None, **options: bool) -> Link:
        """Link them as they are now."""
        return link(self.registry, self.now, self.run, uri or self.mlflow.url, **options)

    @property
    def now(self) -> Version:
        return self.registry.version(self.version.arn)

    @property
    def tags(self) -> dict[str, str]:
        return self.mlflow.tags(self.run)


@pytest.fixture
def desk(registry: Registry, version: Version, mlflow: MlflowServer, run: str) -> Desk:
    return Desk(registry, version, mlflow, run)


@pytest.fixture
def between(mlflow: MlflowServer) -> Iterator[Faults]:
    """A fault proxy before the MLflow server."""
    with Faults(mlflow.url) as proxy:
        yield proxy


def named(path: str) -> Any:
    """What picks requests of MLflow's REST API."""
    return lambda request: request.path.endswith(path)


# A run that finished


@pytest.mark.slow
def test_a_version_and_its_run_know_each_other(desk: Desk, s3: S3Client) -> None:
    made = desk.link()
    found = desk.now
    assert found.properties["mlflow_run_id"] == desk.run
    assert found.properties["mlflow_experiment"] == "fraud"
    assert {**desk.version.properties, **found.properties} == found.properties  # the others stay
    tags = desk.tags
    assert {name: tags[name] for name in TAGS} == {
        "mims.model_package_arn": desk.version.arn,
        "mims.group": desk.version.group,
        "mims.version": "1",
    }
    uri, sha256 = (found.properties[f"mlflow_metrics_{name}"] for name in ("uri", "sha256"))
    assert uri == f"s3://{BUCKET}/mims/{desk.version.group}/sha256/{sha256}/mlflow_run.json"
    assert made.report == (uri, sha256)
    body = s3.get_object(Bucket=BUCKET, Key=uri.split("/", 3)[3])["Body"].read()
    report = json.loads(body)
    assert report["metrics"].keys() == {"accuracy"}
    assert 0.8 < report["metrics"]["accuracy"] < 1  # of the last epoch: it began with 0.7
    assert report["params"] == {"learning_rate": "0.5", "epochs": "20"}
    assert report["mlflow"]["commit"] == made.commit == COMMIT
    (data,) = report["datasets"]
    assert (data["name"], data["context"]) == ("payments", "training")
    assert json.loads(data["source"]) == {"uri": "s3://lake/payments.csv"}


@pytest.mark.slow
def test_what_is_no_number_is_named(desk: Desk) -> None:
    made = desk.link()
    odd = {
        "nan": "NaN at step 20",
        "inf": "infinity at step 20",  # which MLflow's database turns into 1.8e308
        "-inf": "-infinity at step 20",
    }
    assert made.problems == odd
    assert evidence_of(desk.registry, desk.now) == {**made.metrics, **odd}
    lines = text_of(made).splitlines()
    assert "  problem   metric nan is NaN at step 20" in lines
    assert f"  metrics   accuracy {made.metrics['accuracy']:g}" in lines
    assert f"  commit    {COMMIT}" in lines


@pytest.mark.slow
def test_linked_again_nothing_is_written(
    desk: Desk, aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = desk.link()
    assert len(first.changes) == 7
    with Faults(aws.url) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        again = link(Registry(REGION), desk.now, desk.run, desk.mlflow.url)
        writes = ("PutObject", "UpdateModelPackage")
        assert [proxy.count(operation) for operation in writes] == [0, 0]
    assert again.changes == ()
    assert again.report == first.report


@pytest.mark.slow
def test_a_dry_run_changes_nothing(desk: Desk, s3: S3Client, between: Faults) -> None:
    before = s3.list_objects_v2(Bucket=BUCKET)["KeyCount"]
    made = desk.link(between.url, dry_run=True)
    assert len(made.changes) == 7
    assert desk.now.properties == desk.version.properties
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == before
    assert not set(TAGS) & set(desk.tags)
    assert {request.method for request in between.requests} == {"GET"}


@pytest.mark.slow
def test_an_experiment_by_any_name(
    registry: Registry, mlflow: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SageMaker takes neither quotes nor more than 256 characters; and the version's key is used
    run = mlflow.train(experiment=f"/Users/jo/“fraud” ünï\n{'x' * 300}")
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    version = registered(registry, kms_key=key)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow.url)
    made = link(registry, version, run)
    name = registry.version(version.arn).properties["mlflow_experiment"]
    assert name.startswith("/Users/jo/_fraud_ ünï_xxx")
    assert len(name) == 256
    assert "\n" in json.loads(registry.read(made.report))["mlflow"]["experiment"]
    head = registry.s3.head_object(Bucket=BUCKET, Key=made.report.uri.split("/", 3)[3])
    assert head["SSEKMSKeyId"] == key


@pytest.mark.slow
def test_two_versions_and_a_run(desk: Desk) -> None:
    other = registered(desk.registry, "wf-2")
    desk.link()
    with pytest.raises(
        InputError, match=f"MLflow run {desk.run} is linked to {desk.version.arn} already"
    ):
        link(desk.registry, other, desk.run, desk.mlflow.url)
    assert desk.registry.version(other.arn).properties == other.properties
    link(desk.registry, other, desk.run, desk.mlflow.url, force=True)
    assert desk.tags["mims.version"] == "2"
    second = desk.mlflow.train(seed=2)
    other = desk.registry.version(other.arn)
    with pytest.raises(
        InputError, match=f"{other.name} is linked to MLflow run {desk.run} already"
    ):
        link(desk.registry, other, second, desk.mlflow.url)
    link(desk.registry, other, second, desk.mlflow.url, force=True)
    assert desk.registry.version(other.arn).properties["mlflow_run_id"] == second


# Runs that are no evidence


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("RUNNING", "is still running: wait"),
        ("SCHEDULED", "has not begun: wait"),
        ("FAILED", "has failed, so its metrics are no evidence"),
        ("KILLED", "was killed, so its metrics are no evidence"),
    ],
)
def test_a_run_that_has_not_finished(desk: Desk, status: str, says: str) -> None:
    try:
        desk.mlflow.post("runs/update", run_id=desk.run, status=status)
        with pytest.raises(InputError, match=f"^MLflow run {desk.run} {says}"):
            desk.link()
    finally:
        desk.mlflow.post("runs/update", run_id=desk.run, status="FINISHED")
    assert desk.now.properties == desk.version.properties


@pytest.mark.slow
def test_all_that_is_wrong_is_said_at_once(
    registry: Registry, version: Version, mlflow: MlflowServer
) -> None:
    run = mlflow.train(status="FAILED")
    full = {f"p{number}": "x" for number in range(50 - len(version.properties))}
    registry.update(version, CustomerMetadataProperties=full)
    mlflow.post("runs/set-tag", run_id=run, key="mims.model_package_arn", value="arn:other")
    mlflow.post("runs/delete", run_id=run)
    with pytest.raises(InputError) as caught:
        link(
            registry,
            replace(registry.version(version.arn), model=File("")),  # as other tools register
            run,
            mlflow.url,
        )
    deleted, failed, taken, many, homeless = caught.value.problems
    assert "was deleted: restore it" in deleted
    assert "has failed" in failed
    assert "is linked to arn:other already" in taken
    assert "would have 54 metadata properties, and SageMaker takes 50" in many
    assert "has no model in S3" in homeless


@pytest.mark.slow
def test_a_run_that_is_not_there(
    registry: Registry, version: Version, mlflow: MlflowServer
) -> None:
    with pytest.raises(InputError, match=r"for run no-such run&x: Run with id=no-such run&x not f"):
        link(registry, version, "no-such run&x", mlflow.url)


# Faults


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        lost_answer(),  # carried out, and nobody is told
        reset(),
        truncated(1),
        refused("BUSY", "", status=503),
        refused("BUSY", "", status=429),
    ],
)
@pytest.mark.parametrize("path", ["runs/get", "experiments/get", "runs/set-tag"])
def test_a_fault_between_is_overcome(desk: Desk, path: str, fault: Fault, between: Faults) -> None:
    rule = between.on(None, fault, times=ATTEMPTS - 1, when=named(path))
    desk.link(between.url)
    assert rule.used == ATTEMPTS - 1
    assert desk.tags["mims.model_package_arn"] == desk.version.arn


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("PutObject", denied("s3:PutObject")),  # before the version changes
        ("UpdateModelPackage", lost_answer()),  # every answer
        ("UpdateModelPackage", throttled()),
    ],
)
def test_a_link_broken_off_at_aws_is_completed(
    desk: Desk, operation: str, fault: Fault, proxy: Faults
) -> None:
    proxy.on(operation, fault)
    with pytest.raises(ServiceError, match=operation):
        link(Registry(REGION), desk.version, desk.run, desk.mlflow.url)
    assert not set(TAGS) & set(desk.tags)
    proxy.mend()
    again = Registry(REGION)
    made = link(again, again.version(desk.version.arn), desk.run, desk.mlflow.url)
    assert desk.tags["mims.model_package_arn"] == desk.version.arn
    assert evidence_of(again, again.version(desk.version.arn)).keys() >= made.metrics.keys()


@pytest.mark.slow
def test_a_link_broken_off_at_mlflow_is_completed(desk: Desk, between: Faults) -> None:
    between.on(None, reset(), when=lambda request: request.method == "POST")
    with pytest.raises(ServiceError, match="gave no answer"):
        desk.link(between.url)
    between.mend()
    made = desk.link(between.url)
    assert [change.split(":")[0] for change in made.changes] == [f"run {desk.run}"] * 3
    assert set(TAGS) <= set(desk.tags)


@pytest.mark.slow
def test_a_tag_that_does_not_arrive(desk: Desk, between: Faults) -> None:
    def accepted(exchange: Exchange) -> None:
        exchange.drop_body()
        exchange.answer(200, [("Content-Length", "2")], b"{}")

    between.on(None, accepted, when=lambda request: request.method == "POST")
    with pytest.raises(
        ServiceError, match=f"run {desk.run}: mims.model_package_arn, mims.group, mims."
    ):
        desk.link(between.url)


@pytest.mark.slow
def test_properties_that_do_not_arrive(desk: Desk, proxy: Faults) -> None:
    def accepted(exchange: Exchange) -> None:
        body = json.dumps({"ModelPackageArn": desk.version.arn}).encode()
        exchange.drop_body()
        exchange.answer(200, [("Content-Length", str(len(body)))], body)

    proxy.on("UpdateModelPackage", accepted)
    lost = f"^{desk.version.name}: mlflow_run_id, .* did not keep what was written"
    with pytest.raises(ServiceError, match=lost):
        link(Registry(REGION), desk.version, desk.run, desk.mlflow.url)


# Who asks whom


@pytest.mark.slow
def test_credentials_go_along_and_are_never_shown(
    desk: Desk, between: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = between.url.replace("//", "//jo:p%40ss@")
    made = desk.link(secret)
    assert made.server == between.url
    assert "p%40ss" not in desk.registry.read(made.report).decode() + text_of(made)
    asked = {request.headers["authorization"] for request in between.requests}
    assert asked == {"Basic am86cEBzcw=="}  # jo:p@ss
    between.requests.clear()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a-token")
    desk.link(between.url)
    assert between.requests[0].headers["authorization"] == "Bearer a-token"
    between.requests.clear()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    desk.link(between.url)
    assert between.requests[0].headers["authorization"] == "Basic YWRhOnNlY3JldA=="  # ada:secret


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("mlflow-tracking-server", ("x-mlflow-sm-tracking-server-arn", "sagemaker-mlflow")),
        ("mlflow-app", ("x-sm-mlflow-app-arn", "sagemaker")),
    ],
)
def test_a_server_of_sagemakers_is_asked_with_a_signature(
    desk: Desk,
    kind: str,
    sent: tuple[str, str],
    between: Faults,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arn = f"arn:aws:sagemaker:eu-west-1:123456789012:{kind}/team"
    header, service = sent
    monkeypatch.setenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", between.url)
    assert desk.link(arn).server == arn
    assert between.count() == 7  # run and experiment, twice, and three tags
    for request in between.requests:
        assert request.headers[header] == arn
        signed = request.headers["authorization"]
        assert f"/eu-west-1/{service}/aws4_request, SignedHeaders=" in signed
        assert header in signed


@pytest.mark.parametrize(
    "uri",
    [
        "",  # none at all
        "sqlite:///mlflow.db",
        "databricks",
        "file:/mlruns",
        "http://",
        "http://jo:secret@host:port",
        "http://jo:secret/12@host",  # a password that would be taken for a path
        "http://jo:secret#1@host",
        "http://host/?token=secret",
        "http://host/\u202esecret",
        "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/secret",
    ],
)
def test_what_names_no_server(uri: str, registry: Registry, version: Version) -> None:
    with pytest.raises(InputError, match="MLFLOW_TRACKING_URI") as caught:
        link(registry, version, "run", uri)
    assert "secret" not in str(caught.value)


def test_an_endpoint_that_is_no_server(
    registry: Registry, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", "file:///etc/")
    arn = "arn:aws:sagemaker:eu-west-1:123456789012:mlflow-app/team"
    with pytest.raises(InputError, match=r"^SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT begins with file:"):
        link(registry, version, "run", arn)


def test_a_server_out_of_reach(
    registry: Registry, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(mlflow_http, "sleep", slept.append)
    with pytest.raises(ServiceError) as caught:
        link(registry, version, "run", "http://jo:secret@127.0.0.1:1/mlflow/")
    assert str(caught.value).startswith(
        "MLflow at http://127.0.0.1:1/mlflow gave no answer: [Errno 111] Connection refused (asked "
        f"{ATTEMPTS} times)"
    )
    assert slept == [0.5, 1, 2, 4]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        # A proxy's page, which wants a login
        (
            200,
            b"<html>log in</html>",
            "not in MLflow's words: does MLFLOW_TRACKING_URI name someth",
        ),
        (302, b"", "status 302, not in MLflow's words"),
        (200, b'{"run": {"info": {}}}', "not in MLflow's words"),
        # MLflow with basic auth
        (
            401,
            b"You are not authenticated.",
            "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PAS",
        ),
        (
            403,
            b'{"error_code": "PERMISSION_DENIED", "message": "Permission \\u202edenied"}',
            r"Permission \\u202edenied \(PERMISSION_DENIED, status 403\): ask for leave",
        ),
    ],
)
def test_what_refuses_or_is_no_mlflow(
    status: int, body: bytes, says: str, registry: Registry, version: Version
) -> None:
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", "http://elsewhere.invalid/")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, args=[0.02]).start()
        uri = f"http://127.0.0.1:{server.server_port}"
        try:
            with pytest.raises(ServiceError, match=says) as caught:
                link(registry, version, "some-run", uri)
        finally:
            server.shutdown()
    assert f"MLflow at {uri} for run some-run" in str(caught.value)


def test_no_credentials_to_sign_with(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    del aws
    for name in ("ID", "KEY"):
        monkeypatch.delenv(f"AWS_{'ACCESS_KEY_ID' if name == 'ID' else 'SECRET_ACCESS_KEY'}")
    server = Server("arn:aws:sagemaker:eu-west-1:123456789012:mlflow-tracking-server/team")
    with pytest.raises(ServiceError, match="no AWS credentials to sign with"):
        server.ask("GET", "api/2.0/mlflow/runs/get")


# The evidence afterwards


def test_a_version_without_a_run_has_no_evidence(registry: Registry, version: Version) -> None:
    assert evidence_of(registry, version) == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("properties", "content", "says"),
    [
        # of a run that somebody wrote in by hand
        ({"mlflow_run_id": "another"}, None, "is of MLflow run .*, but .* is linked to another"),
        # rewritten since
        ({}, b"{}", "it was changed since"),
        # without the digest that it would be held to
        ({"mlflow_metrics_sha256": None}, None, "lacks mlflow_metrics_sha256: link its run again"),
    ],
)
def test_evidence_that_does_not_hold(
    desk: Desk, properties: dict[str, str | None], content: bytes | None, says: str
) -> None:
    made = desk.link()
    changed = {name: value for name, value in properties.items() if value}
    removed = [name for name, value in properties.items() if not value]
    if changed:
        desk.registry.update(desk.version, CustomerMetadataProperties=changed)
    if removed:
        desk.registry.update(desk.version, CustomerMetadataPropertiesToRemove=removed)
    if content:
        key = made.report.uri.split("/", 3)[3]
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=content)
    with pytest.raises(InputError, match=says):
        evidence_of(desk.registry, desk.now)
