#!/usr/bin/env python3
"""Verify a registered model: download it, serve it, send it its own sample requests.

Goes in: the ARN of a version in SageMaker Model Registry, or a group, or a registration's exit
message. Comes out: a report on stderr and, per version, one line of JSON on stdout. Takes nothing
from this machine but what the registry names: package and payload are downloaded, held to the
digests that were registered with them, and served in a process of their own, which sees no AWS
credentials.

Exit codes: 0 verified, 1 the version is at fault, 2 wrong command line, 3 AWS refused or could not
be reached, 128+n stopped by signal n.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from mims_verification.answers import Answer
from mims_verification.errors import VerificationError
from mims_verification.registered import describe, newest_arn, registered_arns
from mims_verification.samples import Sample, read_samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

log = logging.getLogger("verify")

EXIT_DONE, EXIT_INPUT, EXIT_SERVICE, EXIT_SIGNAL = 0, 1, 3, 128
SERVER = Path(__file__).resolve().parent / "serve.py"
START_SECONDS = 600.0  # installing a package's requirements is part of it
ANSWER_SECONDS = 60.0  # InvokeEndpoint's limit
STOP_SECONDS = 30.0


def verify(arn: str) -> dict[str, Any]:
    """Verify one version; gives its report.

    Raises:
        VerificationError: a digest differs, the package does not serve, an answer is wrong.

    """
    log.info("%s", arn)
    version = describe(arn)
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        package, payload = Path(scratch, "model.tar.gz"), Path(scratch, "payload.tar.gz")
        version.model.download(package)
        samples: list[Sample] = []
        if version.payload:
            version.payload.download(payload)
            samples = read_samples(payload)
        else:
            log.info("no payload is registered: only /ping is asked")
        with served(package, version.environment) as url:
            ping(url)
            predictions = predict(url, samples, version.response_types)
    return {"arn": arn, "model_sha256": version.model.sha256, "predictions": predictions}


@contextmanager
def served(
    package: Path, environment: Mapping[str, str], log_to: IO[str] | None = None
) -> Iterator[str]:
    """Serve a package in a process of its own; gives its URL once the model is loaded.

    Its log goes to a file, else to our stderr.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own["TMPDIR"] = str(package.parent)  # what it leaves when it crashes goes with our own
    command = [sys.executable, str(SERVER), "--package", str(package), "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=log_to, text=True, env={**own, **environment}
    ) as process:
        too_long = threading.Timer(START_SECONDS, process.kill)
        try:
            too_long.start()
            url = process.stdout.readline().strip() if process.stdout else ""
            too_long.cancel()
            if not url:
                raise VerificationError("the package cannot be served: the log above says why")
            yield url
        finally:
            too_long.cancel()
            process.terminate()
            _await_end(process)


def _await_end(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:  # the package's code hangs
        process.kill()


def ping(url: str) -> None:
    """Ask whether the model is healthy."""
    answer = _ask(url, "GET", "/ping")
    if answer.status != HTTPStatus.OK:
        raise VerificationError(f"GET /ping answered {answer.status}")
    log.info("GET /ping: 200")


def predict(url: str, samples: Sequence[Sample], accepts: Sequence[str]) -> list[dict[str, str]]:
    """Send every sample, asking for every response type; all faulty answers are named together."""
    predictions, problems = [], []
    for sample in samples:
        for accept in accepts:
            headers = {"Content-Type": sample.content_type, "Accept": accept}
            answer = _ask(url, "POST", "/invocations", sample.body, headers)
            sent = f"{sample.name} ({sample.content_type} → {accept})"
            log.info("%s: %s %s", sent, answer.status, answer.shown)
            if problem := answer.problem(accept):
                problems.append(f"{sent}: {problem}")
            predictions.append(
                {
                    "file": sample.name,
                    "content_type": sample.content_type,
                    "accept": accept,
                    "response": answer.shown,
                }
            )
    if problems:
        raise VerificationError("; ".join(problems))
    return predictions


def _ask(
    url: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=ANSWER_SECONDS)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers.get("Content-Type", ""), answer.read())
    except (OSError, HTTPException) as error:
        raise VerificationError(f"{method} {path}: no answer: {error!r}") from error
    finally:
        connection.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Verify what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--arn", help="a version's ARN")
    which.add_argument("--group", help="a model package group: its newest version")
    which.add_argument(
        "--message", metavar="FILE", type=Path, help="a registration's exit message: its versions"
    )
    options = parser.parse_args(argv)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda received, _frame: sys.exit(EXIT_SIGNAL + received))
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)-7s %(message)s")
    log.setLevel(logging.INFO)
    try:
        if options.message:
            arns = registered_arns(options.message)
        else:
            arns = [options.arn or newest_arn(options.group)]
        for arn in arns:
            sys.stdout.write(json.dumps(verify(arn), ensure_ascii=False) + "\n")
    except VerificationError as error:
        log.error("%s", error)  # noqa: TRY400 - no bug, no traceback
        return EXIT_INPUT
    except (ClientError, BotoCoreError) as error:
        log.error("AWS: %s", error)  # noqa: TRY400 - no bug, no traceback
        return EXIT_SERVICE
    log.info("verified")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
