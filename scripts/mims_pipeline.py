#!/usr/bin/env python3
"""Print, draw, create, start and follow pipelines of SageMaker; installed as `mims-pipeline`.

Reads   a pipeline's definition or a chain's config: JSON, a file or standard input
Writes  results to stdout, progress and errors to stderr

Needs Python 3.11 and `pip install '.[pipelines-boto3]'`. `--help` tells more, and the exit codes.
"""

from __future__ import annotations

import sys

from mims.commands import pipeline

if __name__ == "__main__":
    sys.exit(pipeline())
