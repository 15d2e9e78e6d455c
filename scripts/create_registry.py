#!/usr/bin/env python3
"""Create a model package group: `mims-registry create-group`, under the name of the quick start.

From the specification's mlops_model_registry.md: create_registry.py --group fraud-detection-models
"""

from __future__ import annotations

import sys

from mims.governance.command import main

if __name__ == "__main__":
    sys.exit(main(["create-group", *sys.argv[1:]]))
