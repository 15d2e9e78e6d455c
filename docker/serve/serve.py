#!/usr/bin/env python3
"""Serve a packaged model under SageMaker's contract: GET /ping and POST /invocations.

Goes in: a model.tar.gz of either layout. Comes out: a server, and its address as the one line on
stdout once the model is loaded. The package is unpacked into a temporary folder, its
code/requirements.txt is installed there if this environment lacks any of it, and all of it is gone
at the end. Runs the package's code: serve only what you trust, or in a container.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import IO, TYPE_CHECKING

from mims_serving.model import Model
from mims_serving.package import PackageError, install_requirements, unpack
from mims_serving.server import make_server

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("serve")


def serve(package: Path, program: str, host: str, port: int, address: IO[str]) -> None:
    """Load the package and answer requests until the process is told to stop."""
    with tempfile.TemporaryDirectory(prefix="serve-") as scratch:
        folder, site = Path(scratch, "package"), Path(scratch, "site")
        unpack(package, folder)
        install_requirements(folder / "code", site)
        model = Model(folder, program, site)
        with make_server(model, host, port) as server:
            log.info("serving %s at %s", package, server.url)
            address.write(server.url + "\n")
            address.flush()
            server.serve_forever()


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, which are this program's good end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", metavar="PATH", type=Path, required=True, help="model.tar.gz")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8080, help="port to listen on, 0 for a free one (%(default)s)"
    )
    parser.add_argument(
        "--program",
        metavar="NAME",
        default=os.environ.get("SAGEMAKER_PROGRAM", "inference.py"),
        help="file in code/ that defines model_fn (SAGEMAKER_PROGRAM, else inference.py)",
    )
    options = parser.parse_args(argv)
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda *_: sys.exit(0))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    address = sys.stdout
    try:
        with redirect_stdout(sys.stderr):  # what the package's code prints is log
            serve(options.package, options.program, options.host, options.port, address)
    except (PackageError, OSError) as error:
        log.error("cannot serve %s: %s", options.package, error)  # noqa: TRY400 - no bug
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
