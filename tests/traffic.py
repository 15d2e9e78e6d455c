"""Model servers behind the local AWS's endpoints, and the endpoints before them.

    with model_servers(aws, {"champion": package, "challenger": other}, seed=7):
        deploy(sagemaker, "e", {"champion": 0.9, "challenger": 0.1}, capture="s3://bucket/captured")
        boto3.client("sagemaker-runtime").invoke_endpoint(EndpointName="e", …)
        flush(aws)

`model_servers` runs a docker/serve/serve.py for each package, by the name of its model or the ARN
of its version, and tells the local AWS where they are; `model_functions` serves functions of the
test's own in their place. `deploy` makes a variant of each model, with the model's name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from patience import looks
from sample_model import DOCKER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from conftest import LocalAws

REGION = "us-west-2"
TYPES = {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}


class Reply(NamedTuple):
    """What a model function answers."""

    body: str | bytes
    status: int = 200
    content_type: str = "text/csv"


class Sent(NamedTuple):
    """What an endpoint answered; no variant where none did."""

    status: int
    variant: str | None
    body: str


if TYPE_CHECKING:
    Model = Callable[[bytes], Reply]


def tell(aws: LocalAws, path: str = "", **script: Any) -> None:
    """Post a script to the local AWS's endpoints; docker/aws/local_aws/endpoints.py says which."""
    url = f"{aws.url}/local-aws/endpoints{path}"
    data = json.dumps({"region": REGION, **script}).encode()
    request = urllib.request.Request(url, data)  # noqa: S310
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
        pass


def send(
    aws: LocalAws,
    endpoint: str,
    bodies: Sequence[str],
    *,
    inference_ids: Sequence[str] | None = None,
    content_type: str = "text/csv",
    threads: int = 4,
) -> list[Sent]:
    """Send many requests, faster than boto3 can; answers come in the order of the bodies.

    With one thread a seed (`model_servers`) settles which variant answers which request.
    """
    region = f"Credential=testing/20260101/{REGION}/sagemaker/aws4_request"
    host, path = aws.url.removeprefix("http://"), f"/endpoints/{endpoint}/invocations"

    def one(number: int) -> Sent:
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 {region}",
            "Content-Type": content_type,
            "Accept": content_type,
        }
        if inference_ids:
            headers["X-Amzn-SageMaker-Inference-Id"] = inference_ids[number]
        connection = HTTPConnection(host, timeout=60)
        try:
            connection.request("POST", path, bodies[number].encode(), headers)
            answer = connection.getresponse()
            variant = answer.headers["x-Amzn-Invoked-Production-Variant"]
            return Sent(answer.status, variant, answer.read().decode())
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return [*pool.map(one, range(len(bodies)))]


def flush(aws: LocalAws) -> None:
    """Have all that was captured until now written to S3, answers of shadow variants too."""
    tell(aws, "/flush")


@contextmanager
def model_servers(
    aws: LocalAws, packages: Mapping[str, Path], **script: Any
) -> Iterator[dict[str, str]]:
    """Serve packages, each in a process of its own; give their servers' addresses."""
    with ExitStack() as stack:
        started = {
            model: stack.enter_context(_process(package)) for model, package in packages.items()
        }
        urls = {model: _address(process) for model, process in started.items()}
        with _told(aws, urls, script):
            yield urls


@contextmanager
def model_functions(
    aws: LocalAws, models: Mapping[str, Model], **script: Any
) -> Iterator[dict[str, str]]:
    """Serve functions as models; their connections stay open. Give their servers' addresses."""
    with ExitStack() as stack:
        urls = {name: stack.enter_context(function_server(model)) for name, model in models.items()}
        with _told(aws, urls, script):
            yield urls


def deploy(
    sagemaker: SageMakerClient,
    endpoint: str,
    weights: Mapping[str, float],
    *,
    shadow: Mapping[str, float] | None = None,
    capture: str | None = None,
    capture_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Create an endpoint, or update it, and wait until it serves; give its configuration's name.

    Models that are not there are made, of the version where the name is an ARN; a variant's name
    then is the version's number with a v before it.
    """
    variants, shadows = ([*_variants(sagemaker, them)] for them in (weights, shadow or {}))
    more: dict[str, Any] = {"ShadowProductionVariants": shadows} if shadows else {}
    if capture:
        more["DataCaptureConfig"] = {
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": capture,
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": TYPES,
            **(capture_config or {}),
        }
    if tags:
        more["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    config = f"{endpoint}-{uuid4().hex[:8]}"
    sagemaker.create_endpoint_config(EndpointConfigName=config, ProductionVariants=variants, **more)
    there = sagemaker.list_endpoints(NameContains=endpoint)["Endpoints"]
    if any(one["EndpointName"] == endpoint for one in there):
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    else:
        sagemaker.create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    settled(sagemaker, endpoint)
    return config


def settled(sagemaker: SageMakerClient, endpoint: str) -> Any:
    """Wait until an endpoint is where it goes; give its description."""
    for _ in looks():
        found = sagemaker.describe_endpoint(EndpointName=endpoint)
        if not found["EndpointStatus"].endswith("ing"):
            return found
    raise AssertionError(found)


def captured(s3: S3Client, where: str) -> dict[str, list[dict[str, Any]]]:
    """Read what is captured below an S3 URI: of each key, the records."""
    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    found = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            found[entry["Key"]] = [json.loads(line) for line in body.splitlines()]
    return found


def _variants(sagemaker: SageMakerClient, weights: Mapping[str, float]) -> Iterator[Any]:
    made = {model["ModelName"] for model in sagemaker.list_models()["Models"]}
    for model, weight in weights.items():
        of_version = model.startswith("arn:")
        name = f"v{model.rpartition('/')[2]}" if of_version else model
        container: Any = {"ModelPackageName": model} if of_version else {"Image": "image"}
        if name not in made:
            sagemaker.create_model(ModelName=name, PrimaryContainer=container)
        yield {
            "VariantName": name,
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
            "InitialVariantWeight": weight,
        }


@contextmanager
def _told(aws: LocalAws, urls: Mapping[str, str], script: Mapping[str, Any]) -> Iterator[None]:
    tell(aws, servers=urls, **script)
    try:
        yield
    finally:
        tell(aws, servers=dict.fromkeys(urls))


@contextmanager
def _process(package: Path) -> Iterator[subprocess.Popen[str]]:
    command: Sequence[str] = [
        *(sys.executable, str(DOCKER / "serve" / "serve.py")),
        *("--package", str(package), "--port", "0"),
    ]
    # A thread each: a request has one row, and there may be more servers than cores.
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(package.parent)}
    with (
        package.with_name(f"{package.name}.log").open("w") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=environ
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    url = process.stdout.readline().strip()
    assert url, f"{process.args!r} did not start: its log is beside the package"
    return url


@contextmanager
def function_server(model: Model) -> Iterator[str]:
    """Serve a function as a model under SageMaker's contract; give the server's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            reply = model(self.rfile.read(int(self.headers["Content-Length"])))
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", reply.content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except ConnectionError:
                self.close_connection = True  # nobody waited for it

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
