"""script.py from end to end against the local AWS, over real HTTP."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from faults import refused
from messages import versions_of
from mims.command_line import CommandLine
from mims.contracts import MIMS_REGISTRATION_CONTRACT
from mims.job import run_job
from mims.registration.register import register
from registration_inputs import (
    CONFIG,
    GROUP,
    PACKAGE,
    VARIABLES,
    Inputs,
    archive,
    digests,
    run_registration,
)
from registration_runs import ONE, make_buckets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import DescribeModelPackageOutputTypeDef

    from conftest import LocalAws
    from faults import Exchange, Fault, Faults
    from registration_inputs import Ending

SCRIPT = Path(__file__).parents[1] / "scripts" / "script.py"
ARN = "arn:aws:sagemaker:us-west-2:123456789012:model-package/" + GROUP.lower()


@pytest.fixture
def inputs(tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """Inputs that can be registered, and a bucket to do it in."""
    assert bucket == CONFIG["bucket"]
    monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", "wf-1")
    return Inputs(tmp_path).write()


def versions(sagemaker: SageMakerClient, group: str = GROUP) -> list[str]:
    """Return the statuses of a group's versions, oldest first."""
    listing = sagemaker.list_model_packages(ModelPackageGroupName=group, SortOrder="Ascending")
    return [version["ModelPackageStatus"] for version in listing["ModelPackageSummaryList"]]


def registered(ending: Ending, region: str = "us-west-2") -> DescribeModelPackageOutputTypeDef:
    assert ending.code == 0, ending.message
    arn = versions_of(ending.message)[region]["arn"]
    return boto3.client("sagemaker", region).describe_model_package(ModelPackageName=arn)


def keys(s3: S3Client) -> set[str]:
    found = s3.list_objects_v2(Bucket=CONFIG["bucket"]).get("Contents", [])
    return {entry["Key"].rpartition("/")[2] for entry in found}


# What is registered


def test_the_exit_message(inputs: Inputs, capfd: pytest.CaptureFixture[str]) -> None:
    model, payload = inputs.model / "model.tar.gz", inputs.payload / "payload.tar.gz"
    ending = run_registration(inputs)
    message = dict(ending.message)
    assert message.pop("seconds") >= 0
    moved = message.pop("bytes_uploaded")
    assert moved > model.stat().st_size + payload.stat().st_size  # and the schema
    assert message == {
        "job": "register",
        "status": "done",
        "exit_code": 0,
        "group": GROUP,
        "arn": f"{ARN}/1",
        "new": {"us-west-2": 1},
        "known": {},
        "bytes_copied": 0,
        "retries": 0,
        "model_sha256": digests(model)["sha256"],
        "payload_sha256": digests(payload)["sha256"],
    }
    assert ending.code == 0
    assert json.loads(capfd.readouterr().out) == ending.message


def test_the_version_in_the_registry(inputs: Inputs, s3: S3Client) -> None:
    found = registered(run_registration(inputs))
    model = digests(inputs.model / "model.tar.gz")["sha256"]
    payload = digests(inputs.payload / "payload.tar.gz")["sha256"]
    place = f"s3://mims-models/mims/{GROUP}/sha256"
    properties = dict(found["CustomerMetadataProperties"])
    schema_uri = properties["variable_schema_uri"]
    assert found["ModelApprovalStatus"] == "PendingManualApproval"
    assert found["ModelPackageStatus"] == "Completed"
    assert (found["Domain"], found["Task"]) == ("MACHINE_LEARNING", "OTHER")
    assert found["SamplePayloadUrl"] == f"{place}/{payload}/payload.tar.gz"
    assert found["InferenceSpecification"] == {
        "Containers": [
            {
                "Image": "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:3.0-5",
                "ModelDataUrl": f"{place}/{model}/model.tar.gz",
                "Framework": "XGBOOST",
                "FrameworkVersion": "3.0-5",
                "Environment": {
                    "SAGEMAKER_PROGRAM": "inference.py",
                    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                    "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
                    "SAGEMAKER_REGION": "us-west-2",
                },
            }
        ],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["application/json"],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
        "SupportedTransformInstanceTypes": ["ml.m5.large"],
    }
    assert len(properties.pop("settings_sha256")) == 64
    assert properties.pop("registered_by").startswith("mims ")
    assert properties.pop("variable_schema_sha256") in schema_uri
    assert properties == {
        "workflow_execution_id": "wf-1",
        "model_owner": "team id",
        "model_registration_domain": "BuyerSellerMessaging",
        "model_registration_objective": "FraudDetection",
        "model_sha256": model,
        "payload_sha256": payload,
        "variable_schema_uri": schema_uri,
        "initial_instance_count": "1",
    }
    key = schema_uri.removeprefix("s3://mims-models/")
    schema = s3.get_object(Bucket="mims-models", Key=key)["Body"].read()
    assert hashlib.sha256(schema).hexdigest() in key
    assert json.loads(schema) == {
        "input": {"variables": [{"name": n, "type": t} for n, t in VARIABLES.items()]},
        "output": {"variables": [{"name": "legacy-score", "type": "NUMERIC"}]},
    }


def test_without_payload_and_with_an_image_of_the_users_own(inputs: Inputs) -> None:
    (inputs.payload / "payload.tar.gz").unlink()
    inputs.config.write_text(json.dumps({**CONFIG, "image_uri": "registry/own:1"}))
    ending = run_registration(inputs)
    found = registered(ending)
    container = found["InferenceSpecification"]["Containers"][0]
    assert container["Image"] == "registry/own:1"
    assert "FrameworkVersion" not in container
    assert "SamplePayloadUrl" not in found
    assert "payload_sha256" not in found["CustomerMetadataProperties"]
    assert ending.message["payload_sha256"] is None


def test_both_forms_of_the_config_make_the_same_request(inputs: Inputs, aws: LocalAws) -> None:
    contract_form = {
        "model_name": "fraud",
        "model_version": "1.0.0",
        "framework": "xgboost",
        "inference_config": {"instance_type": "ml.t2.medium", "initial_instance_count": 2},
        "tags": {"team": "ml-team"},
    }
    step_form = {
        "model_name": "fraud",
        "model_version": "1.0.0",
        "framework": "xgboost",
        "model_registration_objective": "fraud",
        "inference_instance_type": "ml.t2.medium",
        "initial_instance_count": 2,
        "tags": {"team": "ml-team"},
    }
    made = []
    for form in (contract_form, step_form):
        inputs.config.write_text(json.dumps({**form, "bucket": CONFIG["bucket"]}))
        made.append(registered(run_registration(inputs)))
        aws.reset()
        make_buckets(ONE)
    of_contract, of_step = (
        {k: v for k, v in found.items() if not k.endswith("Time") and k != "ResponseMetadata"}
        for found in made
    )
    assert of_contract == of_step
    assert made[0]["CustomerMetadataProperties"]["model_version"] == "1.0.0"
    assert made[0]["CustomerMetadataProperties"]["initial_instance_count"] == "2"
    specification = made[0]["InferenceSpecification"]
    assert specification["SupportedRealtimeInferenceInstanceTypes"] == ["ml.t2.medium"]
    # SageMaker offers no transform jobs on it, and would refuse the request.
    assert "SupportedTransformInstanceTypes" not in specification


def test_tags_go_to_the_group_and_are_completed_later(
    inputs: Inputs, sagemaker: SageMakerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = f"arn:aws:sagemaker:us-west-2:123456789012:model-package-group/{GROUP}"
    for workflow, tags in (("wf-1", {"team": "ml"}), ("wf-2", {"team": "ml", "stage": "prod"})):
        monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", workflow)
        inputs.config.write_text(json.dumps({**CONFIG, "tags": tags}))
        assert run_registration(inputs).code == 0
        found = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
        assert found == tags


@pytest.mark.parametrize(
    ("setting", "uri"),
    [
        ("s3://mims-models/metrics/", "s3://mims-models/metrics/metadata.json"),
        # Unset: beside the artifacts.
        (None, f"s3://mims-models/mims/{GROUP}/sha256/{{sha256}}/metadata.json"),
    ],
)
def test_performance_metadata(
    setting: str | None, uri: str, inputs: Inputs, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = b'{"accuracy": 0.93}\n'
    inputs.metadata.mkdir(parents=True)
    (inputs.metadata / "model_quality.json").write_bytes(metadata)
    if setting:
        monkeypatch.setenv("PERFORMANCE_METADATA_PATH", setting)
    properties = registered(run_registration(inputs))["CustomerMetadataProperties"]
    stored_at = uri.format(sha256=hashlib.sha256(metadata).hexdigest())
    assert properties["performance_metadata_uri"] == stored_at
    key = stored_at.removeprefix("s3://mims-models/")
    assert s3.get_object(Bucket="mims-models", Key=key)["Body"].read() == metadata


# Once, and only once


def test_a_second_run_moves_nothing_and_registers_nothing(
    inputs: Inputs, sagemaker: SageMakerClient
) -> None:
    first, second = run_registration(inputs), run_registration(inputs)
    assert second.code == 0
    assert second.message["bytes_uploaded"] == 0
    row = versions_of(first.message)["us-west-2"]
    assert versions_of(second.message)["us-west-2"] == {**row, "new": False}
    assert versions(sagemaker) == ["Completed"]


def test_two_runs_at_once_make_one_version(inputs: Inputs, sagemaker: SageMakerClient) -> None:
    command = [sys.executable, str(SCRIPT), "--root", str(inputs.root)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    endings = [json.loads(process.communicate()[0]) for process in running]
    assert [ending["status"] for ending in endings] == ["done", "done"]
    assert {ending["arn"] for ending in endings} == {f"{ARN}/1"}
    assert versions(sagemaker) == ["Completed"]


@pytest.mark.parametrize("changed", ["workflow", "package", "payload"])
def test_what_makes_another_version(
    changed: str, inputs: Inputs, sagemaker: SageMakerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_registration(inputs)
    if changed == "workflow":
        monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", "wf-2")
    elif changed == "package":
        inputs.write(package={**PACKAGE, "code/more.py": b""})
    else:
        inputs.write(samples={"text_csv/sample_payload.csv": b"2,FR\n"})
    row = versions_of(run_registration(inputs).message)["us-west-2"]
    assert row == {"arn": f"{ARN}/2", "version": 2, "new": True}
    assert versions(sagemaker) == ["Completed", "Completed"]


def test_other_settings_under_the_same_workflow_are_refused(
    inputs: Inputs, sagemaker: SageMakerClient
) -> None:
    run_registration(inputs)
    inputs.config.write_text(json.dumps({**CONFIG, "inference_instance_type": "ml.c5.large"}))
    ending = run_registration(inputs)
    assert ending.code == 1
    assert f"has registered this model before, as {ARN}/1, with other settings" in ending.error
    assert versions(sagemaker) == ["Completed"]


def test_a_failed_version_is_reported_and_the_next_run_makes_another(
    inputs: Inputs, s3: S3Client, sagemaker: SageMakerClient, proxy: Faults
) -> None:
    def lose_the_model(exchange: Exchange) -> None:
        sha256 = digests(inputs.model / "model.tar.gz")["sha256"]
        key = f"mims/{GROUP}/sha256/{sha256}/model.tar.gz"
        s3.delete_object(Bucket="mims-models", Key=key)
        exchange.pass_through()

    proxy.on("CreateModelPackage", lose_the_model, times=1)
    failed = run_registration(inputs)
    assert failed.code == 3
    assert failed.error.startswith(f"{ARN}/1 is Failed: Could not find model data at s3://mims-mod")
    row = versions_of(run_registration(inputs).message)["us-west-2"]
    assert (row["version"], row["new"]) == (2, True)
    assert versions(sagemaker) == ["Failed", "Completed"]
    again = versions_of(run_registration(inputs).message)["us-west-2"]
    assert (again["version"], again["new"]) == (2, False)


def test_the_wait_ends_at_its_deadline(
    inputs: Inputs, aws: LocalAws, monkeypatch: pytest.MonkeyPatch, sagemaker: SageMakerClient
) -> None:
    now = [0.0]
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    monkeypatch.setenv("REGISTRATION_TIMEOUT_SECONDS", "90")
    flow = functools.partial(register, clock=lambda: now[0], sleep=sleep)
    with aws.package_status(progression="time", seconds=3600):
        code = run_job(CommandLine(MIMS_REGISTRATION_CONTRACT, str(inputs.root)), flow)
        assert versions(sagemaker) == ["Pending"]
    message = json.loads((inputs.root / "opt/ml/output/message").read_text())
    assert code == 3
    assert f"{ARN}/1 is still Pending after 90 s: run again to go on" in message["error"]
    assert "REGISTRATION_TIMEOUT_SECONDS" in message["error"]
    assert sum(waits) == pytest.approx(90)
    assert max(waits) <= 30
    assert len(waits) < 90


# When the service or the way to it is faulty


def test_another_run_that_creates_the_group_first(
    inputs: Inputs, sagemaker: SageMakerClient, proxy: Faults
) -> None:
    def be_late(exchange: Exchange) -> None:
        sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        exchange.pass_through()

    proxy.on("CreateModelPackageGroup", be_late, times=1)
    assert run_registration(inputs).code == 0
    assert versions(sagemaker) == ["Completed"]


@pytest.mark.parametrize(
    ("operation", "fault", "reason", "cure"),
    [
        (
            "CreateModelPackage",
            refused("ExpiredTokenException", "it has expired"),
            f"CreateModelPackage in us-west-2 for {GROUP}: ExpiredTokenException: it has expired",
            "give the job a role with permissions",
        ),
        (
            "ListModelPackages",
            refused("AccessDeniedException", "no permission"),
            f"ListModelPackages in us-west-2 for {GROUP}: AccessDeniedException: no permission",
            "allow the operation in the policy of the job's role",
        ),
        (
            "DescribeModelPackageGroup",
            refused("AccessDeniedException", "no permission"),
            f"DescribeModelPackageGroup in us-west-2 for {GROUP}: AccessDeniedException: no permi",
            "",
        ),
        (
            "CreateModelPackageGroup",
            refused("ResourceLimitExceeded", "too many groups"),
            f"CreateModelPackageGroup in us-west-2 for {GROUP}: ResourceLimitExceeded: too many",
            "ask for a higher quota",
        ),
        # A HEAD request's answer has no text.
        (
            "HeadBucket",
            refused("", "", status=403),
            "HeadBucket in us-west-2 for bucket mims-models: 403: Forbidden",
            "allow the operation in the policies of the job's role and of the bucket",
        ),
    ],
)
def test_a_refusal_names_operation_region_reason_and_cure(
    *, operation: str, fault: Fault, reason: str, cure: str, inputs: Inputs, proxy: Faults
) -> None:
    proxy.on(operation, fault, times=1)
    ending = run_registration(inputs)
    assert ending.code == 3
    assert ending.error.startswith(reason)
    assert cure in ending.error


def test_a_missing_bucket(inputs: Inputs) -> None:
    inputs.config.write_text(json.dumps({**CONFIG, "bucket": "mims-nowhere"}))
    ending = run_registration(inputs)
    assert ending.code == 3
    assert "create the bucket, or name another" in ending.error


def test_an_endpoint_that_nobody_listens_at(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        ending = run_registration(inputs)
    assert ending.code == 3
    assert "Could not connect to the endpoint URL" in ending.error
    assert "check the network, the region's name and AWS_ENDPOINT_URL" in ending.error


def test_an_endpoint_that_is_no_url(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost")
    ending = run_registration(inputs)
    assert ending.code == 1
    assert ending.error.startswith("AWS_ENDPOINT_URL")


def test_no_credentials(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ending = run_registration(inputs)
    assert ending.code == 3
    assert "Unable to locate credentials; give the job a role" in ending.error


def test_one_region_fails_and_the_next_run_does_the_rest(inputs: Inputs) -> None:
    regions = {"eu-west-1": "mims-eu", "us-west-2": "mims-models"}
    config = {**CONFIG, "regions": list(regions), "bucket": regions}
    inputs.config.write_text(json.dumps(config))
    failed = run_registration(inputs)
    assert failed.code == 3
    assert "HeadBucket in eu-west-1 for bucket mims-eu" in failed.error
    assert failed.error.startswith("failed in eu-west-1; registered in us-west-2: version 1: ")
    make_buckets({"eu-west-1": "mims-eu"})
    ending = run_registration(inputs)
    rows = versions_of(ending.message)
    assert {region: row["new"] for region, row in rows.items()} == {
        "eu-west-1": True,
        "us-west-2": False,
    }
    container = registered(ending, "eu-west-1")["InferenceSpecification"]["Containers"][0]
    assert container["ModelDataUrl"].startswith("s3://mims-eu/")
    assert ".ecr.eu-west-1." in container["Image"]


def test_a_stop_aborts_the_upload(inputs: Inputs, s3: S3Client, proxy: Faults) -> None:
    inputs.write(package={**PACKAGE, "model.bst": hashlib.shake_128(b"").digest(30_000_000)})

    def stop(exchange: Exchange) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        exchange.pass_through()

    proxy.on("UploadPart", stop, times=1)
    ending = run_registration(inputs)
    assert ending.code == 128 + signal.SIGTERM
    assert ending.error == "stopped by SIGTERM; run it again"
    assert s3.list_multipart_uploads(Bucket="mims-models").get("Uploads", []) == []
    assert run_registration(inputs).code == 0


# Bad input


def test_everything_that_is_wrong_is_said_at_once_and_nothing_moves(
    inputs: Inputs, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MODS_WORKFLOW_EXECUTION_ID")
    monkeypatch.setenv("REGISTRATION_TIMEOUT_SECONDS", "soon")
    monkeypatch.setenv("PERFORMANCE_METADATA_PATH", "/metrics")
    config = {"framework": "mxnet", "inference_instance_type": "m5.large", "owner": "me"}
    inputs.config.write_text(json.dumps(config))
    ending = run_registration(inputs)
    assert ending.code == 1
    for problem in (
        "MODS_WORKFLOW_EXECUTION_ID is not set",
        "REGISTRATION_TIMEOUT_SECONDS is 'soon': must be a whole number",
        "PERFORMANCE_METADATA_PATH is '/metrics': must be an S3 path",
        "config framework: must be 'xgboost'",
        "config inference_instance_type: must be",
        "config owner: unknown key",
        "config model_registration_objective: must be given",
        "config bucket: must name",
    ):
        assert problem in ending.error
    assert keys(s3) == set()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("MODS_WORKFLOW_EXECUTION_ID", "wf#1"),
        ("MODS_WORKFLOW_EXECUTION_ID", "x" * 257),
        ("PERFORMANCE_METADATA_PATH", "s3://mims-models/" + "x" * 240),
    ],
)
def test_a_setting_that_the_registry_would_refuse(
    setting: str, value: str, inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setting, value)
    ending = run_registration(inputs)
    assert ending.code == 1
    assert ending.error == (
        f"{setting} is '{value}': must be at most 256 letters, digits, spaces and _.:/=+-@"
    )


def test_missing_inputs(tmp_path: Path, aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    del aws
    monkeypatch.setenv("MODS_WORKFLOW_EXECUTION_ID", "wf-1")
    ending = run_registration(Inputs(tmp_path))
    assert ending.code == 1
    assert "input PackagedModel is missing: nothing at" in ending.error
    assert "input config is missing: nothing at" in ending.error
    assert "bucket" not in ending.error  # of a config that is not there


def test_a_broken_package_moves_nothing(inputs: Inputs, s3: S3Client) -> None:
    archive(inputs.model / "model.tar.gz", {"code/serve.py": b""})
    ending = run_registration(inputs)
    assert ending.code == 1
    assert "no code/inference.py" in ending.error
    assert keys(s3) == set()


# What must not show


def test_no_secret_in_logs_and_message(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    canaries = {
        "AWS_ACCESS_KEY_ID": "AKIACANARYCANARYCANA",
        "AWS_SECRET_ACCESS_KEY": "canary-secret-access-key",
        "AWS_SESSION_TOKEN": "canary-session-token",
    }
    for name, value in canaries.items():
        monkeypatch.setenv(name, value)
    for config in (CONFIG, {**CONFIG, "bucket": "mims-nowhere"}):
        inputs.config.write_text(json.dumps(config))
        run_job(CommandLine(MIMS_REGISTRATION_CONTRACT, str(inputs.root), verbose=True), register)
        shown = capfd.readouterr()
        message = (inputs.root / "opt/ml/output/message").read_text()
        for canary in canaries.values():
            assert canary not in shown.out + shown.err + message
        assert "X-Amz-" not in shown.err


# The entry point, in a Python that has nothing installed


def bare_python(*arguments: str, environ: Mapping[str, str] | None = None) -> Any:
    return subprocess.run(
        [sys.executable, "-S", str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=dict(environ or {}),
    )


def test_help_and_version_need_nothing_but_python() -> None:
    told = bare_python("--help")
    assert told.returncode == 0
    for channel in MIMS_REGISTRATION_CONTRACT.inputs:
        assert channel.path in told.stdout
    for setting in MIMS_REGISTRATION_CONTRACT.settings:
        assert setting.name in told.stdout
    assert bare_python("--version").stdout.startswith("script.py ")


def test_missing_packages_are_named(inputs: Inputs) -> None:
    done = bare_python("--root", str(inputs.root))
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error.startswith("the Python package ")
    assert "run in the mims image" in error
    assert "Traceback" not in done.stderr


def test_the_script_can_be_started_by_its_name(inputs: Inputs) -> None:
    assert os.access(SCRIPT, os.X_OK)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--root", str(inputs.root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["new"] == {"us-west-2": 1}
