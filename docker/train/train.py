#!/usr/bin/env python3
"""Train the sample model of the local chain: does a penguin weigh more than 4 kg.

Goes in: nothing but the palmerpenguins package, so no network. Comes out, below
/opt/ml/processing/output: `model/model.tar.gz` (the trained model), `script/` (its inference code),
`metadata/evaluation.json` (how it did on a season held out: quality, bias, explanation),
`data/training.csv` (what it was trained on) and `config/config.json` (how to register it). The same
bytes on every run. It stands in for a user's training job and is none of the three MIMS scripts.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import logging
import os
import pickle
import shutil
import signal
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xgboost as xgb

INFERENCE_CODE = Path(__file__).resolve().parent / "inference"
sys.path.insert(0, str(INFERENCE_CODE))  # training encodes and evaluates with the code that serves

import fairness  # noqa: E402
import inference  # noqa: E402
import penguins  # noqa: E402
import quality  # noqa: E402
from processing.encoder import Encoder  # noqa: E402
from processing.imputation import mean  # noqa: E402
from processing.risk_table import risk_table  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger("train")

OUTPUT = "opt/ml/processing/output"
DECISION_THRESHOLD = 0.5
RISK_SMOOTHING = 10.0  # rows
NUM_ROUND = 60
PROTECTED = "sex"  # the attribute whose groups are compared
XGBOOST_PARAMETERS = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.1,
    "seed": 0,
    "nthread": 1,  # sums in one order, so the same bytes on every run
}
REGISTRATION_CONFIG = {
    "framework": "xgboost",
    "inference_instance_type": "ml.m5.large",
    "inference_entry_point": "inference.py",
    "model_owner": "penguin-science",
    "model_registration_domain": "PalmerPenguins",
    "model_registration_objective": "HeavyPenguin",
    "source_model_inference_content_types": ["application/json"],
    "source_model_inference_response_types": ["application/json"],
    "source_model_inference_input_variable_list": {
        **dict.fromkeys(penguins.NUMERIC, "NUMERIC"),
        **dict.fromkeys(penguins.CATEGORICAL, "TEXT"),
    },
    "source_model_inference_output_variable_list": {
        "weight_class": "TEXT",
        "heavy_probability": "NUMERIC",
    },
    "sagemaker_task": "CLASSIFICATION",
    "bucket": "mims-local",
    "regions": ["us-west-2"],
}


def train(output: Path, rounds: int = NUM_ROUND) -> dict[str, Any]:
    """Train on all seasons but the last, evaluate on that one, write everything below `output`."""
    training, held_out = penguins.split_by_season(penguins.read_birds())
    log.info("%d birds to train on, %d held out", len(training), len(held_out))
    encoder = fit_encoder(training)
    artifacts = {
        "feature_columns.txt": feature_columns(encoder.columns),
        "hyperparameters.json": as_json(hyperparameters(encoder, rounds)),
        "impute_dict.pkl": pickle.dumps(encoder.impute, protocol=4),
        "risk_table_map.pkl": pickle.dumps(encoder.risk_tables, protocol=4),
        "xgboost_model.bst": bytes(boost(encoder, training, rounds).save_raw("ubj")),
    }
    evaluation = evaluate(artifacts, held_out)
    metrics = evaluation["model_quality"]["binary_classification_metrics"]
    archive = canonical_tar_gz(artifacts)
    write_outputs(
        output,
        {
            "model/model.tar.gz": archive,
            "metadata/evaluation.json": as_json(evaluation),
            "config/config.json": as_json(REGISTRATION_CONFIG),
            "data/training.csv": as_csv(training),
            **{f"script/{name}": content for name, content in inference_code().items()},
        },
    )
    return {
        "job": "train",
        "model_sha256": hashlib.sha256(archive).hexdigest(),
        "model_bytes": len(archive),
        "accuracy": metrics["accuracy"]["value"],
        "held_out": len(held_out),
    }


def fit_encoder(birds: Sequence[penguins.Bird]) -> Encoder:
    """Learn means and risk tables, from the training birds alone."""
    labels = [bird.heavy for bird in birds]
    return Encoder(
        columns=penguins.COLUMNS,
        impute={
            field: mean(field, [bird.fields[field] for bird in birds]) for field in penguins.NUMERIC
        },
        risk_tables={
            field: risk_table([bird.fields[field] for bird in birds], labels, RISK_SMOOTHING)
            for field in penguins.CATEGORICAL
        },
    )


def boost(encoder: Encoder, birds: Sequence[penguins.Bird], rounds: int) -> xgb.Booster:
    """Train the booster."""
    matrix = xgb.DMatrix(
        encoder.matrix([bird.fields for bird in birds]),
        label=[bird.heavy for bird in birds],
        feature_names=list(encoder.columns),
    )
    return xgb.train(XGBOOST_PARAMETERS, matrix, rounds)


def evaluate(artifacts: Mapping[str, bytes], birds: Sequence[penguins.Bird]) -> dict[str, Any]:
    """Judge the model as it will be served: from its files, through its inference code."""
    with tempfile.TemporaryDirectory() as model_dir:
        for name, content in artifacts.items():
            Path(model_dir, name).write_bytes(content)
        model = inference.model_fn(model_dir)
    rows = [bird.fields for bird in birds]
    truth = [bird.heavy for bird in birds]
    chances = [guess["heavy_probability"] for guess in inference.predict_fn(rows, model)]
    guesses = [int(chance > DECISION_THRESHOLD) for chance in chances]
    groups = {PROTECTED: [row[PROTECTED] for row in rows]}
    return {
        "model_quality": quality.model_quality(truth, chances, DECISION_THRESHOLD),
        "bias": fairness.bias_report(penguins.LABEL, groups, truth, guesses),
        "explainability": explanation(model, rows),
    }


def explanation(
    model: inference.HeavyPenguinModel, rows: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Say how much each field counts: mean |SHAP value|, in Clarify's form; log odds."""
    columns = list(model.encoder.columns)
    matrix = xgb.DMatrix(model.encoder.matrix(rows), feature_names=columns)
    values = model.booster.predict(matrix, pred_contribs=True)  # a column a field, and the bias
    counts = abs(values[:, :-1]).mean(axis=0)
    shap = {column: round(float(v), 6) for column, v in zip(columns, counts, strict=True)}
    expected = round(float(values[0, -1]), 6)
    label = {"global_shap_values": shap, "expected_value": expected}
    return {"version": "1.0", "explanations": {"kernel_shap": {penguins.LABEL: label}}}


def hyperparameters(encoder: Encoder, rounds: int) -> dict[str, Any]:
    """Give the fields and parameters, in the shape that XGBoost trainers on SageMaker write."""
    return {
        "model_class": "xgboost",
        "id_name": penguins.ID,
        "label_name": penguins.LABEL,
        "full_field_list": [penguins.ID, *penguins.COLUMNS, penguins.LABEL],
        "tab_field_list": list(penguins.NUMERIC),
        "cat_field_list": list(penguins.CATEGORICAL),
        "categories": {field: [*table["bins"]] for field, table in encoder.risk_tables.items()},
        "is_binary": True,
        "decision_threshold": DECISION_THRESHOLD,
        "risk_smoothing": RISK_SMOOTHING,
        "num_round": rounds,
        **XGBOOST_PARAMETERS,
    }


def feature_columns(columns: Sequence[str]) -> bytes:
    """List the columns in the order of a CSV request without a header."""
    lines = ["# The order of the columns in the model and in a CSV request", "# index,name"]
    lines += [f"{index},{name}" for index, name in enumerate(columns)]
    return ("\n".join(lines) + "\n").encode()


def as_json(document: Mapping[str, Any]) -> bytes:
    """Write JSON for people too."""
    return (json.dumps(document, indent=2) + "\n").encode()


def as_csv(birds: Sequence[penguins.Bird]) -> bytes:
    """Write birds as a table, the label last."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow((*penguins.COLUMNS, penguins.LABEL))
    rows.writerows((*bird.fields.values(), bird.heavy) for bird in birds)
    return text.getvalue().encode()


def canonical_tar_gz(files: Mapping[str, bytes]) -> bytes:
    """Archive files so that the same ones give the same bytes: sorted, no owner, no time."""
    archive = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=archive, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name]))
    return archive.getvalue()


def inference_code() -> dict[str, bytes]:
    """Read the code that goes into the package."""
    return {
        str(path.relative_to(INFERENCE_CODE)): path.read_bytes()
        for path in sorted(INFERENCE_CODE.rglob("*"))
        if path.is_file() and path.parent.name != "__pycache__"
    }


def write_outputs(output: Path, files: Mapping[str, bytes]) -> None:
    """Write all files, without a time of their own, and only then put each folder in its place."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".train-", dir=output) as partial:
        for name, content in files.items():
            path = Path(partial, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for path in sorted(Path(partial).rglob("*"), reverse=True):
            os.utime(path, (0, 0))
        for folder in sorted(Path(partial).iterdir()):
            final = output / folder.name
            if final.exists():
                shutil.rmtree(final)
            os.replace(folder, final)


def main(argv: Sequence[str] | None = None) -> int:
    """Train and say what came out: logs on stderr, one line of JSON on stdout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--root",
        metavar="DIR",
        type=Path,
        default=Path("/"),
        help="folder that stands for / before every container path (default: /)",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=NUM_ROUND,
        help=f"boosting rounds: another model with each number (default: {NUM_ROUND})",
    )
    options = parser.parse_args(argv)
    output = options.root / OUTPUT
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, lambda received, _frame: sys.exit(128 + received))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    try:
        report = train(output, options.rounds)
    except OSError as error:
        log.error("cannot write below %s: %s", output, error)  # noqa: TRY400 - no bug, no traceback
        return 1
    log.info("wrote %s", output)
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
