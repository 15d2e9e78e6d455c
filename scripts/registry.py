#!/usr/bin/env python3
"""Look after versions once they are registered; installed as `mims-registry`.

Reads   SageMaker Model Registry, and the artifacts, reports and audit trail in S3
Writes  results to stdout, progress and errors to stderr; to AWS only by commands that say so

Needs Python 3.11 and `pip install '.[governance]'`. `--help` tells more, and the exit codes.
"""

from __future__ import annotations

import sys

from mims.commands import registry

if __name__ == "__main__":
    sys.exit(registry())
