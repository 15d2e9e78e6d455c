#!/usr/bin/env python3
"""Create a model package group: `mims-registry create-group`, under the name of the quick start.

From the specification's mlops_model_registry.md: create_registry.py --group fraud-detection-models
"""

from __future__ import annotations

import sys

from mims.commands import registry

if __name__ == "__main__":
    sys.exit(registry(["create-group", *sys.argv[1:]]))
