#!/usr/bin/env python3
"""Let penguins come to an endpoint of the local AWS: hosts behind it, requests, and labels.

Goes in: an endpoint of versions that docker/chain.sh has registered. Comes out: a model server a
variant, to which the local AWS sends what it is asked; requests about birds drawn at random from
the real ones; and, where --labels says, what became of each: how heavy the bird was, as SageMaker's
ground truth. Captures and metrics the local AWS writes itself. One line of JSON on stdout. All is
gone at the end but what lies in S3. It stands in for SageMaker's hosts and one's users.

Exit codes: 0 done, 1 the endpoint or a version is at fault, 2 wrong command line, 3 AWS refused.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import logging
import os
import random
import sys
import tempfile
import urllib.request
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

for _part in ("serve", "train", "train/inference"):
    sys.path.insert(0, str(Path(__file__).resolve().parent / _part))

import penguins  # noqa: E402
import verify  # noqa: E402
from mims_verification.errors import VerificationError  # noqa: E402
from mims_verification.registered import describe  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

log = logging.getLogger("traffic")

CLASSES = ("light", "heavy")


def client(service: str) -> Any:
    """A client, in the region that our commands take; boto3 alone does not heed AWS_REGION."""
    return boto3.client(service, region_name=os.environ.get("AWS_REGION"))  # type: ignore[call-overload]


@contextmanager
def hosts(endpoint: str, seed: int) -> Iterator[None]:
    """Serve every version behind an endpoint, and tell the local AWS where.

    Raises:
        VerificationError: a version is not what was registered, or can't be served.

    """
    sagemaker = client("sagemaker")
    config = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
    described = sagemaker.describe_endpoint_config(EndpointConfigName=config)
    variants = [*described["ProductionVariants"], *described.get("ShadowProductionVariants", [])]
    with ExitStack() as stack:
        servers = {}
        for variant in variants:
            model = sagemaker.describe_model(ModelName=variant["ModelName"])
            version = describe(model["PrimaryContainer"]["ModelPackageName"])
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="traffic-"))
            package = Path(folder, "model.tar.gz")
            version.model.download(package)
            said = stack.enter_context(Path(folder, "log").open("w"))
            servers[variant["ModelName"]] = stack.enter_context(
                verify.served(package, version.environment, said)
            )
        region = sagemaker.meta.region_name
        _tell({"region": region, "servers": servers, "seed": seed})
        yield
        _tell({"region": region}, "/local-aws/endpoints/flush")


def send(endpoint: str, birds: Sequence[penguins.Bird], count: int, seed: int) -> list[Any]:
    """Ask about birds drawn at random; give a label a request, as SageMaker's ground truth."""
    runtime, draw = client("sagemaker-runtime"), random.Random(seed)  # noqa: S311 - a draw
    labels, variants = [], Counter[str]()
    for number in range(count):
        bird, name = draw.choice(birds), f"{seed}-{number}"
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType="text/csv", Body=_row(bird), InferenceId=name
        )
        answer["Body"].read()
        variants[answer.get("InvokedProductionVariant", "")] += 1
        truth = {"data": CLASSES[bird.heavy], "encoding": "CSV"}
        event = {"eventId": name}
        labels.append({"groundTruthData": truth, "eventMetadata": event, "eventVersion": "0"})
    log.info("%d requests: %s", count, dict(variants))
    return labels


def keep(labels: Sequence[Any], place: str, seed: int) -> None:
    """Write labels below an s3:// prefix."""
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    lines = "".join(json.dumps(label) + "\n" for label in labels)
    key = f"{prefix.rstrip('/')}/{seed}.jsonl"
    client("s3").put_object(Bucket=bucket, Key=key, Body=lines.encode())


def _row(bird: penguins.Bird) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(bird.fields.values())
    return text.getvalue().encode()


def _tell(content: Any, path: str = "/local-aws/endpoints") -> None:
    """Tell the local AWS something that the real one has no call for."""
    url = os.environ["AWS_ENDPOINT_URL"] + path
    request = urllib.request.Request(url, json.dumps(content).encode())  # noqa: S310
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
        pass


def main(argv: Sequence[str] | None = None) -> int:
    """Send what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("endpoint")
    parser.add_argument("--requests", metavar="N", type=int, default=1000, help="(%(default)s)")
    parser.add_argument("--labels", metavar="S3", help="prefix for what became of the requests")
    parser.add_argument("--island", help="birds of this island only: Biscoe, Dream or Torgersen")
    parser.add_argument("--seed", type=int, default=0, help="another draw each (%(default)s)")
    options = parser.parse_args(argv)
    if "AWS_ENDPOINT_URL" not in os.environ:
        parser.error("set AWS_ENDPOINT_URL to the local AWS: this is for no other")
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s")
    birds = [
        bird for bird in penguins.read_birds() if options.island in (None, bird.fields["island"])
    ]
    if not birds:
        parser.error(f"no bird was weighed on {options.island}")
    try:
        with hosts(options.endpoint, options.seed):
            labels = send(options.endpoint, birds, options.requests, options.seed)
        if options.labels:
            keep(labels, options.labels, options.seed)
    except VerificationError as error:
        log.error("%s", error)  # noqa: TRY400 - no bug, no traceback
        return 1
    except (ClientError, BotoCoreError) as error:
        log.error("AWS: %s", error)  # noqa: TRY400 - no bug, no traceback
        return 3
    sys.stdout.write(json.dumps({"endpoint": options.endpoint, "requests": len(labels)}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
