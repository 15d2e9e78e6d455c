"""Run the local AWS: S3, SageMaker and whatever else moto has, held to AWS's own limits.

In: a host and a port, and buckets to begin with. Out: the endpoint's URL on stdout, and in
--ready-file, once requests are answered; a line a request on stderr. State lives in memory and is
gone at the end. SIGTERM and SIGINT end it, with exit code 0. Any credentials will do.

GET /moto-api/ answers when the server is healthy, POST /moto-api/reset forgets everything, and
POST /moto-api/state-manager/set-transition sets the pace at which "sagemaker::model-package"
changes its status: https://docs.getmoto.org/en/latest/docs/configuration/state_transition/
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.s3.models import s3_backends
from moto.utilities.utils import get_partition
from werkzeug.serving import make_server

from local_aws.app import LocalAws

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("local_aws")


class RequestHandler(MotoRequestHandler):
    """moto's handler, with a log of what was asked and how it ended."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        """Write method, target and status; no query, which may hold a signature."""
        # What could not be read as a request has neither path nor headers.
        target = getattr(self, "path", self.requestline).partition("?")[0]
        if target.startswith("/moto-api/"):
            return
        target = getattr(self, "headers", {}).get("X-Amz-Target", target)
        log.info("%s %s %d", self.command, target, int(code))


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal comes."""
    options = _options(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    server = make_server(
        options.host,
        options.port,
        LocalAws(options.status_seconds),
        threaded=True,
        request_handler=RequestHandler,
    )
    # moto's Step Functions call back here.
    os.environ["MOTO_PORT"] = str(server.server_port)
    for name, region in options.bucket:
        s3_backends[DEFAULT_ACCOUNT_ID][get_partition(region)].create_bucket(name, region)
    _say_ready(f"http://{options.host}:{server.server_port}", options.ready_file)
    with server:
        server.serve_forever()
    return 0


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (%(default)s)")
    parser.add_argument("--port", type=int, default=5000, help="0 for any free one (%(default)s)")
    parser.add_argument(
        "--bucket",
        action="append",
        default=[],
        type=_bucket,
        metavar="NAME@REGION",
        help="create a bucket at the start; may be repeated",
    )
    parser.add_argument(
        "--status-seconds",
        type=float,
        default=1.0,
        help="how long packages and endpoints stay in each status on their way (%(default)s)",
    )
    parser.add_argument("--ready-file", type=Path, help="file to write the endpoint's URL to")
    return parser.parse_args(argv)


def _bucket(text: str) -> tuple[str, str]:
    found = re.fullmatch(r"([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])@([a-z]{2}(?:-[a-z]+)+-\d)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name@region")
    return found[1], found[2]


def _say_ready(url: str, ready_file: Path | None) -> None:
    if ready_file:
        unfinished = ready_file.with_name(f"{ready_file.name}.unfinished")
        unfinished.write_text(f"{url}\n", encoding="utf-8")
        unfinished.replace(ready_file)
    print(url, flush=True)  # noqa: T201 - a program's answer


def _stop(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
