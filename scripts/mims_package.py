#!/usr/bin/env python3
"""Package a trained model and its inference code into one model.tar.gz.

Reads   /opt/ml/processing/input/model        model.tar.gz, or the model's files
        /opt/ml/processing/input/script       the inference code
        /opt/ml/processing/input/calibration  calibration files (optional)
Writes  /opt/ml/processing/output             model.tar.gz and manifest.json
        /opt/ml/output/message                the exit message
Heeds   PACKAGE_LAYOUT, INFERENCE_ENTRY_POINT, COMPRESSION_LEVEL, MAX_MEMBERS,
        MAX_UNPACKED_BYTES, MAX_COMPRESSION_RATIO

Standard library only, on any Python from 3.7. `--help` tells more. Exit codes: 0 done, 1 the
inputs or settings are at fault, 2 wrong command line, 70 a bug, 128+n stopped by signal n.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mims.command_line import read_command_line
from mims.contracts import MIMS_PACKAGE_CONTRACT

if TYPE_CHECKING:
    from typing import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; give its exit code. Imports come late, so that --help is quick."""
    command_line = read_command_line(MIMS_PACKAGE_CONTRACT, argv)

    from mims.job import run_job
    from mims.packaging.build import build_package

    return run_job(command_line, build_package)


if __name__ == "__main__":
    sys.exit(main())
