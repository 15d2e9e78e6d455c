"""Versions as a team's runs leave them in the local AWS: registered by the job, with reports.

    registry = Registry("us-west-2")
    first = register_version(tmp_path / "1")                    # with all of REPORTS
    second = register_version(tmp_path / "2", {**REPORTS, "model_quality": {"auc": 0.8}})

The bucket is the `bucket` fixture's. Each call is a run of its own, so a version of its own.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from messages import versions_of
from mims.governance.registry import Registry
from registration_inputs import CONFIG, PACKAGE, Inputs, run_registration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mims.governance.versions import Version

REGION = "us-west-2"
JOB = "arn:aws:sagemaker:us-west-2:123456789012:processing-job/register"
REGISTRAR = "arn:aws:sts::123456789012:user/moto"  # whom the local AWS takes the tests for
OPERATOR = "arn:aws:sts::123456789012:assumed-role/Operators/ann"
OTHER = "arn:aws:sts::123456789012:assumed-role/Operators/ben"

# As Model Monitor and Clarify write them.
QUALITY: dict[str, Any] = {
    "binary_classification_metrics": {
        "accuracy": {"value": 0.91, "standard_deviation": 0.01},
        "auc": {"value": 0.93, "standard_deviation": "NaN"},
        "confusion_matrix": {"0": {"0": 90, "1": 10}, "1": {"0": 8, "1": 92}},
    }
}
BIAS: dict[str, Any] = {
    "version": "1.0",
    "pre_training_bias_metrics": {
        "label": "fraud",
        "facets": {
            "sex": [
                {
                    "value_or_threshold": "female",
                    "metrics": [{"name": "DPL", "description": "…", "value": 0.02}],
                },
                {
                    "value_or_threshold": "male",
                    "metrics": [{"name": "DPL", "description": "…", "value": -0.02}],
                },
            ]
        },
    },
    "post_training_bias_metrics": {
        "label": "fraud",
        "facets": {
            "sex": [
                {
                    "value_or_threshold": "female",
                    "metrics": [
                        {"name": "DI", "description": "…", "value": 0.95},
                        {"name": "DPPL", "description": "…", "value": 0.03},
                    ],
                }
            ]
        },
    },
}
EXPLAINED: dict[str, Any] = {
    "version": "1.0",
    "explanations": {
        "kernel_shap": {
            "fraud": {
                "global_shap_values": {"age": 0.31, "country": 0.12},
                "expected_value": 0.2,
            }
        }
    },
}
REPORTS: dict[str, Any] = {"model_quality": QUALITY, "bias": BIAS, "explainability": EXPLAINED}


def register_version(
    root: Path,
    reports: Mapping[str, Any] | None = REPORTS,
    *,
    job_arn: str | None = JOB,
    region: str = REGION,
    package: Mapping[str, bytes] = PACKAGE,
    **config: Any,
) -> Version:
    """Run the registration job in a root of its own, whose name tells the run; give its version.

    `config` changes what the config file says, such as `model_name` (the group) or the variables.
    """
    inputs = Inputs(root)
    weights = {"model_artifacts/weights.txt": root.name.encode()}  # no two versions are the same
    inputs.write({**CONFIG, "regions": [region], **config}, {**package, **weights})
    if reports is not None:
        inputs.metadata.mkdir(parents=True, exist_ok=True)
        (inputs.metadata / "metadata.json").write_text(json.dumps(reports))
    if job_arn:
        told = root / "opt/ml/config/processingjobconfig.json"
        told.parent.mkdir(parents=True, exist_ok=True)
        told.write_text(json.dumps({"ProcessingJobArn": job_arn}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODS_WORKFLOW_EXECUTION_ID", f"wf-{root.name}")
        ending = run_registration(inputs)
    assert ending.code == 0, ending.message
    return Registry(region).version(versions_of(ending.message)[region]["arn"])
