#!/usr/bin/env python3
"""Register an artifact that is in S3: `mims-registry register`, under the name of the quick start.

From the specification's mlops_model_registry.md: register_model.py --artifact s3://…/model.tar.gz
"""

from __future__ import annotations

import sys

from mims.commands import registry

if __name__ == "__main__":
    sys.exit(registry(["register", *sys.argv[1:]]))
