"""The IAM policy of the job's role: it allows every call that registration makes, and no other.

A job runs here with all that makes it call something: tags, keys, metadata, a large package, an
input that S3 can copy, what a killed run has left, two regions, both backends. What it asks of S3
is read from the requests as they pass, and what S3 then asks of KMS is added; what it asks of
SageMaker is read from what boto3 is told to send. Which action and resource stand for a request
is as in AWS's Service Authorization Reference.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import boto3
import botocore.handlers
import pytest

import mims.registration
import secure_ai_sandbox_python_lib as library
from faults import Faults, denied
from iam import ACCOUNT, Need, allowing, listed
from mims.registration.origins import CONFIG_PATH
from registration_inputs import GROUP, PACKAGE, Inputs, digests, run_registration
from service_model import checked_requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import OperationModel

    from conftest import LocalAws
    from faults import Exchange, Request

FILE = Path(mims.registration.__file__).with_name("policy.json")
BUCKETS = {"us-west-2": "mims-models", "eu-west-1": "mims-models-eu"}
INPUTS, METADATA = "mims-inputs", "mims-metadata"
HERE = "us-west-2"
LARGE = 17 << 20  # bytes: too large for one request


class Call(NamedTuple):
    """What boto3 is told to send to SageMaker."""

    region: str
    operation: str
    params: Mapping[str, Any]


# The policy


def policy(region: str, keys: Mapping[str, str]) -> list[dict[str, Any]]:
    """The statements, with a region's own in the places that are left open."""
    text = FILE.read_text(encoding="utf-8")
    own = {
        "BUCKET": BUCKETS[region],
        "GROUP": GROUP,
        "group": GROUP.lower(),
        "REGION": region,
        "ACCOUNT": ACCOUNT,
        "KEY": keys[region].rpartition("/")[2],
        "INPUTS": INPUTS,
        "METADATA": METADATA,
    }
    for name, value in own.items():
        assert f"<{name}>" in text
        text = text.replace(f"<{name}>", value)
    assert "<" not in text
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    return statements


# What requests need

OF_BUCKETS = {
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
}
OF_OBJECTS = {
    "HeadObject": "s3:GetObject",
    "GetObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObject": "s3:DeleteObject",
}
# What S3 asks KMS for an object that has a key. HeadObject: for its checksum.
OF_KEYS = {
    "HeadObject": ["kms:Decrypt"],
    "GetObject": ["kms:Decrypt"],
    "PutObject": ["kms:GenerateDataKey"],
    "CreateMultipartUpload": ["kms:GenerateDataKey"],
    "UploadPart": ["kms:GenerateDataKey", "kms:Decrypt"],
    "UploadPartCopy": ["kms:GenerateDataKey", "kms:Decrypt"],
    "CompleteMultipartUpload": ["kms:Decrypt"],
}
OF_VERSION_KEYS = ["kms:CreateGrant", "kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt"]


def of_s3(request: Request, keys: Mapping[str, str]) -> Iterator[Need]:
    """What a request to S3 needs; KeyError: an operation that this test doesn't know."""
    region, operation = request.region, request.operation
    bucket, _, key = unquote(request.path).lstrip("/").partition("/")
    at = f"arn:aws:s3:::{bucket}"
    if operation in OF_BUCKETS:
        yield Need(region, OF_BUCKETS[operation], at)
        return
    context = {f"s3:{n}": v for n, v in request.headers.items() if n == "if-none-match"}
    yield Need(region, OF_OBJECTS[operation], f"{at}/{key}", context)
    if request.status == 404 and operation in ("HeadObject", "GetObject"):
        yield Need(region, "s3:ListBucket", at)  # without it S3 answers 403
    if source := unquote(request.headers.get("x-amz-copy-source", "")):
        yield Need(region, "s3:GetObject", f"arn:aws:s3:::{source}")
    if bucket == BUCKETS[region]:
        via = {"kms:ViaService": f"s3.{region}.amazonaws.com"}
        for action in OF_KEYS.get(operation, []):
            yield Need(region, action, keys[region], via)


def of_sagemaker(call: Call) -> Iterator[Need]:
    """What a call of SageMaker needs."""
    region, operation, params = call
    arns = f"arn:aws:sagemaker:{region}:{ACCOUNT}:"
    group = f"{arns}model-package-group/{params.get('ModelPackageGroupName')}"
    version = params.get("ModelPackageArn") or params.get("ModelPackageName", "")
    resources = {
        "DescribeModelPackageGroup": [group],
        "CreateModelPackageGroup": [group],
        "ListModelPackages": [f"{arns}model-package/*"],
        "CreateModelPackage": [group, f"{arns}model-package/{GROUP.lower()}/1"],
        "UpdateModelPackage": [version],
        "DescribeModelPackage": [version],
        "ListTags": [params.get("ResourceArn", "")],
        "AddTags": [params.get("ResourceArn", "")],
    }[operation]
    context = {
        "sagemaker:ModelApprovalStatus": params.get("ModelApprovalStatus"),
        "sagemaker:ModelLifeCycle:Stage": params.get("ModelLifeCycle", {}).get("Stage"),
    }
    given = {key: value for key, value in context.items() if value}
    for resource in resources:
        yield Need(region, f"sagemaker:{operation}", resource, given)
    if operation == "CreateModelPackageGroup" and params["Tags"]:
        yield Need(region, "sagemaker:AddTags", group)
    if "SecurityConfig" in params:
        via = {"kms:ViaService": f"sagemaker.{region}.amazonaws.com"}
        for action in OF_VERSION_KEYS:
            yield Need(region, action, params["SecurityConfig"]["KmsKeyId"], via)


# The job


@contextmanager
def calls_of_sagemaker(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Call]]:
    """Note what clients made from now on are told to send."""
    calls: list[Call] = []

    def note(
        params: Mapping[str, Any], model: OperationModel, context: Mapping[str, Any], **_: object
    ) -> None:
        calls.append(Call(context["client_region"], model.name, params))

    handler = ("before-parameter-build.sagemaker", note)
    builtin = [*botocore.handlers.BUILTIN_HANDLERS, handler]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", builtin)
    with checked_requests(monkeypatch):
        yield calls


class Job:
    """A registration job, and the rest of AWS as others see it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.inputs = Inputs(root)
        self.set = monkeypatch.setenv
        session = boto3.session.Session()
        self.s3 = {region: session.client("s3", region) for region in BUCKETS}
        kms = {region: session.client("kms", region) for region in BUCKETS}
        self.keys = {r: kms[r].create_key()["KeyMetadata"]["Arn"] for r in BUCKETS}
        made = [*BUCKETS.items(), (HERE, INPUTS), (HERE, METADATA), (HERE, library.INVENTORY)]
        for region, bucket in made:
            where: Any = {"LocationConstraint": region}
            self.s3[region].create_bucket(Bucket=bucket, CreateBucketConfiguration=where)

    def package(self) -> None:
        """Write a package of its own."""
        self.inputs.write(package={**PACKAGE, "model.bin": secrets.token_bytes(LARGE)})

    def __call__(self, workflow_id: str, **config: Any) -> int:
        self.set("MODS_WORKFLOW_EXECUTION_ID", workflow_id)
        whole = {
            "model_registration_objective": "FraudDetection",
            "regions": [HERE],
            "bucket": BUCKETS,
            "kms_key": self.keys,
        }
        self.inputs.config.write_text(json.dumps({**whole, **config}))
        return run_registration(self.inputs).code

    def leave_unfinished(self, region: str) -> None:
        """Leave what a killed run would have."""
        digest = digests(self.inputs.model / "model.tar.gz")["sha256"]
        key = f"mims/{GROUP}/sha256/{digest}/model.tar.gz"
        self.s3[region].create_multipart_upload(Bucket=BUCKETS[region], Key=key)

    def come_from_s3(self) -> None:
        """Let the package be an input that SageMaker has downloaded."""
        model = self.inputs.model / "model.tar.gz"
        self.s3[HERE].upload_file(str(model), INPUTS, "package/model.tar.gz")
        place = {
            "LocalPath": "/opt/ml/processing/input/model",
            "S3Uri": f"s3://{INPUTS}/package/",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
        }
        path = self.inputs.root / CONFIG_PATH
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"ProcessingInputs": [{"S3Input": place}]}))


def of_temporary(request: Request) -> bool:
    return "/temporary/" in request.path


def of_mims(request: Request) -> bool:
    """Whether it is the library's own business."""
    return request.path.startswith(f"/{library.INVENTORY}/")


def run_all(job: Job, proxy: Faults) -> None:
    """Run the job in every way that makes it call something else."""
    both = {"regions": list(BUCKETS), "tags": {"team": "ml"}}
    job.package()
    job.inputs.metadata.mkdir(parents=True)
    metadata = {"accuracy": 0.9, "model_quality": {"statistics": {"auc": 0.9}}}
    (job.inputs.metadata / "metadata.json").write_text(json.dumps(metadata))
    job.leave_unfinished(HERE)
    assert job("first", **both) == 0
    assert job("first", **both) == 0
    assert job("second", **{**both, "tags": {"team": "ml", "stage": "test"}}) == 0
    job.package()
    job.come_from_s3()
    job.set("PERFORMANCE_METADATA_PATH", f"s3://{METADATA}/fraud/")
    assert job("third") == 0

    def leave_parts(exchange: Exchange) -> None:
        key = unquote(exchange.request.path).partition(f"/{BUCKETS[HERE]}/")[2]
        job.s3[HERE].create_multipart_upload(Bucket=BUCKETS[HERE], Key=key)
        exchange.pass_through()

    proxy.on("PutObject", denied("mims:RegisterModel"), times=1, when=of_mims)
    assert job("third", backends=["mims"]) == 3
    proxy.on("CreateMultipartUpload", leave_parts, times=1, when=of_temporary)
    assert job("third", backends=["sagemaker", "mims"]) == 0


@pytest.fixture(scope="module")
def keys_and_needs(
    local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[dict[str, str], list[Need]]]:
    """Run the job; give the keys by region, and what its requests needed."""
    local_aws.reset()
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in local_aws.environ.items():
            monkeypatch.setenv(name, value)
        job = Job(tmp_path_factory.mktemp("policy"), monkeypatch)
        with Faults(local_aws.url) as proxy, calls_of_sagemaker(monkeypatch) as calls:
            monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
            run_all(job, proxy)
    requests = [request for request in proxy.requests if not of_mims(request)]
    seen = Counter((r.region, r.operation) for r in requests if r.service == "sagemaker")
    assert seen == Counter((call.region, call.operation) for call in calls)
    assert {request.service for request in requests} == {"s3", "sagemaker"}
    of_all = [
        need for request in requests if request.service == "s3" for need in of_s3(request, job.keys)
    ]
    of_all += [need for call in calls for need in of_sagemaker(call)]
    yield job.keys, of_all
    local_aws.reset()


@pytest.mark.slow
def test_every_call_is_allowed(keys_and_needs: tuple[dict[str, str], list[Need]]) -> None:
    keys, needs = keys_and_needs
    policies = {region: policy(region, keys) for region in BUCKETS}
    assert [need for need in needs if not allowing(policies[need.region], need)] == []


@pytest.mark.slow
def test_every_action_of_every_statement_is_needed(
    keys_and_needs: tuple[dict[str, str], list[Need]],
) -> None:
    keys, needs = keys_and_needs
    policies = {region: policy(region, keys) for region in BUCKETS}
    needed = {(s, need.action) for need in needs for s in allowing(policies[need.region], need)}
    allowed = {(one["Sid"], a) for one in policies[HERE] for a in listed(one["Action"])}
    assert allowed - needed == set()


VERSION = f"arn:aws:sagemaker:{HERE}:{ACCOUNT}:model-package/{GROUP.lower()}/1"
OURS = f"arn:aws:s3:::{BUCKETS[HERE]}/mims/{GROUP}"
KEYS = dict.fromkeys(BUCKETS, "key/1234")


@pytest.mark.parametrize(
    ("action", "resource", "context"),
    [
        # A version approves itself, from the start or later, or moves on to production.
        (
            "sagemaker:CreateModelPackage",
            VERSION,
            {"sagemaker:ModelApprovalStatus": "Approved"},
        ),
        ("sagemaker:UpdateModelPackage", VERSION, {"sagemaker:ModelApprovalStatus": "Approved"}),
        (
            "sagemaker:UpdateModelPackage",
            VERSION,
            {"sagemaker:ModelLifeCycle:Stage": "Production"},
        ),
        # What is registered goes, or loses its artifacts.
        ("sagemaker:DeleteModelPackage", VERSION, {}),
        ("s3:DeleteObject", f"{OURS}/sha256/0123/model.tar.gz", {}),
        # The audit trail is rewritten.
        ("s3:PutObject", f"{OURS}/audit/00000001.json", {}),
        ("s3:DeleteObject", f"{OURS}/audit/00000001.json", {}),
        # Another group.
        ("sagemaker:UpdateModelPackage", VERSION.replace("/1", "2/1"), {}),
        ("s3:PutObject", f"{OURS}2/sha256/0123/model.tar.gz", {}),
        # A key, but for what S3 or SageMaker does with it.
        ("kms:Decrypt", f"arn:aws:kms:{HERE}:{ACCOUNT}:key/1234", {}),
    ],
)
def test_what_it_does_not_allow(action: str, resource: str, context: dict[str, str]) -> None:
    assert allowing(policy(HERE, KEYS), Need(HERE, action, resource, context)) == []


def test_iam_takes_it() -> None:
    """A managed policy has 6144 characters, spaces apart; names have letters and digits."""
    text = FILE.read_text(encoding="utf-8")
    assert len("".join(text.split())) <= 6144
    document = json.loads(text)
    assert document["Version"] == "2012-10-17"
    names = [statement["Sid"] for statement in document["Statement"]]
    assert len({*names}) == len(names)
    assert all(name.isalnum() and name.isascii() for name in names)
