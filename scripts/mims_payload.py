#!/usr/bin/env python3
"""Make sample requests for a model from its hyperparameters.json.

Reads   /opt/ml/processing/input/model  the model: an archive or a folder
        /opt/ml/processing/input/custom_payload
                                        records to send in place of made-up values (optional)
Writes  /opt/ml/processing/output       payload.tar.gz: the samples; and metadata.json
        /opt/ml/output/message          the exit message
Heeds   CONTENT_TYPES, PAYLOAD_LAYOUT, DEFAULT_NUMERIC_VALUE, DEFAULT_TEXT_VALUE,
        SPECIAL_FIELD_<fieldname>, FIELD_DEFAULTS, CSV_HEADER, MAX_MEMBERS, MAX_UNPACKED_BYTES,
        MAX_COMPRESSION_RATIO

Standard library only, on any Python from 3.7 (a custom payload in Parquet needs pyarrow). `--help`
tells more. Exit codes: 0 done, 1 the inputs or settings are at fault, 2 wrong command line, 70 a
bug, 128+n stopped by signal n.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mims.command_line import read_command_line
from mims.contracts import MIMS_PAYLOAD_CONTRACT

if TYPE_CHECKING:
    from typing import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; give its exit code. Imports come late, so that --help is quick."""
    command_line = read_command_line(MIMS_PAYLOAD_CONTRACT, argv)

    from mims.job import run_job
    from mims.payload.build import build_payload

    return run_job(command_line, build_payload)


if __name__ == "__main__":
    sys.exit(main())
