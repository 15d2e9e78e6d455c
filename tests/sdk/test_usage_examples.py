"""The specification's usage examples run: as they are written, but for the import paths."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chain import TOP
from mims.pipeline.builders import StepBuilderBase
from mims.pipeline.sdk import as_sdk_pipeline

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from sdk_names import Sdk

ROLE = "arn:aws:iam::123456789012:role/mims"
IMAGE = "mims:1"
CONTRACTS = {  # document: where its example expects the script, and what it prints of the contract
    "mims_package_contract.md": (
        "dockers/xgboost_atoz/pipeline_scripts/mims_package.py",
        ["Entry Point: mims_package.py", "Input Paths: {'model_input': '/opt/ml/processing/input/"],
    ),
    "mims_payload_contract.md": (
        "mims_payload.py",
        ["Entry Point: mims_payload.py", "Optional Env Vars: {'CONTENT_TYPES': 'application/json'"],
    ),
    "mims_registration_contract.md": (
        "script.py",
        ["Entry Point: script.py", "Required Env Vars: ['MODS_WORKFLOW_EXECUTION_ID']"],
    ),
}


def example(document: str) -> str:
    """The code of a document's examples, one after another."""
    text = Path(__file__).with_name("usage_examples.md").read_text()
    section = text.partition(f"## {document}\n")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"```python\n(.*?)```", section, re.DOTALL))


def run(document: str, **given: Any) -> dict[str, Any]:
    """Run a document's examples; give their names."""
    exec(compile(example(document), document, "exec"), given)  # noqa: S102 - what is tested
    return given


@pytest.fixture(autouse=True)
def _our_jobs(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says how our jobs run."""
    for name, value in {"IMAGE_URI": IMAGE, "ROLE_ARN": ROLE, "BUCKET": bucket}.items():
        monkeypatch.setenv(f"MIMS_{name}", value)


def test_the_registration_step(sdk: Sdk, s3: S3Client, bucket: str) -> None:
    where = ("s3://models/packaged", "/opt/ml/processing/output")
    packaging = sdk.step("Packaging", outputs=[sdk.output("packaged_model_output", *where)])
    pipeline = as_sdk_pipeline("fraud", [], [], sdk.session)
    pipeline.add_step(packaging)

    made = run("mims_registration_step.md", packaging_step=packaging, pipeline=pipeline)

    for step in made["registration_steps"]:
        pipeline.add_step(step)
    entries = json.loads(pipeline.definition())["Steps"]
    assert [entry["Name"] for entry in entries] == [
        *("Packaging", "MIMSRegistration"),
        *("MIMSRegistration-us-east-1", "MIMSRegistration-eu-west-1"),
    ]
    for entry, regions in zip(entries[1:], [None, ["us-east-1"], ["eu-west-1"]], strict=True):
        assert entry["DependsOn"] == ["Packaging"]
        packaged, config = entry["Arguments"]["ProcessingInputs"]
        assert packaged["S3Input"]["S3Uri"] == {
            "Get": "Steps.Packaging.ProcessingOutputConfig"
            ".Outputs['packaged_model_output'].S3Output.S3Uri"
        }
        key = config["S3Input"]["S3Uri"].removeprefix(f"s3://{bucket}/")
        stored = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        assert stored.get("regions") == regions
        assert stored["model_owner"] == "my-team-id"
        assert stored["source_model_inference_output_variable_list"] == {
            "fraud_score": "NUMERIC",
            "risk_category": "TEXT",
        }


@pytest.mark.parametrize("document", CONTRACTS)
def test_a_contract(document: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(document, StepBuilderBase=StepBuilderBase)
    told = capsys.readouterr().out.splitlines()
    for line, wanted in zip(told, CONTRACTS[document][1], strict=True):
        assert line.startswith(wanted)


@pytest.mark.parametrize("document", CONTRACTS)
@pytest.mark.parametrize("sound", [True, False])
def test_a_builder_that_checks_its_script(
    document: str,
    sound: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = tmp_path / CONTRACTS[document][0]
    shutil.copytree(TOP / "scripts", script.parent, dirs_exist_ok=True)
    if not sound:
        script.write_text("import yaml\n")
    monkeypatch.chdir(tmp_path)
    names = run(document, StepBuilderBase=StepBuilderBase)
    theirs = next(made for name, made in names.items() if name.endswith("StepBuilder"))

    class Complete(theirs):  # type: ignore[misc, valid-type]
        def create_plain_step(self) -> Any:
            """Not in the example."""

    Complete().validate_configuration()

    assert ("Script validation warnings" in caplog.text) is not sound
