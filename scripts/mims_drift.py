#!/usr/bin/env python3
"""Check whether what a model sees and answers has drifted from its baseline.

Reads   /opt/ml/processing/input/baseline       the baseline: JSON, a file or in a folder
        /opt/ml/processing/input/capture        Data Capture (.jsonl), or a CSV or Parquet file
        /opt/ml/processing/input/labels         ground truth that came later (optional)
Writes  /opt/ml/processing/output/report/       report.json, and report.html with plots
        /opt/ml/output/message                  the exit message; of drift it names the fields
Heeds   ALPHA, PSI, SHARE, CHANGE, MINIMUM; TASK, PREDICTION, SCORE, POSITIVE, QUALITY (with
        labels); SUBJECT

Needs Python 3.11 and what docker/monitor adds to the mims image. `--help` tells more. Exit codes:
0 no drift, 1 the inputs or settings are at fault, or too little was seen for a verdict, 2 wrong
command line, 4 drift, 70 a bug, 128+n stopped by signal n.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from mims.command_line import read_command_line
from mims.errors import InputError, packages_of
from mims.governance.drift.job import MIMS_DRIFT_CONTRACT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mims.job import Job


def check(job: Job) -> Mapping[str, Any]:
    """Run the flow, which imports what it needs only now, so that --help needs Python alone."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever container it finds itself in
        raise InputError(f"Python {sys.version.split()[0]} is too old: a drift check needs 3.11")
    from mims.governance.drift.job import drift

    with packages_of("governance", "mims-monitor"):
        return drift(job)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; give its exit code."""
    command_line = read_command_line(MIMS_DRIFT_CONTRACT, argv)

    from mims.job import run_job

    return run_job(command_line, check)


if __name__ == "__main__":
    sys.exit(main())
