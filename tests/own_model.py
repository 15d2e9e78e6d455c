"""A model of somebody's own, as unlike the sample model as it can be.

Least squares in one pickle, hyperparameters as SageMaker writes them (every value a string), field
names with spaces and brackets, inference code that leaves predictions' format to the server, and a
config in the contract's form (mims_registration_contract.md).
"""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sample_model import raw_penguins, write_archive

if TYPE_CHECKING:
    from pathlib import Path

NUMERIC = ["Flipper Length (mm)", "Body Mass (g)"]
CATEGORICAL = "Sex"
LABEL = "Culmen Length (mm)"
HYPERPARAMETERS = {
    "tab_field_list": json.dumps(NUMERIC),
    "cat_field_list": json.dumps([CATEGORICAL]),
    "label_name": LABEL,
    "ridge": "0.0",
}
CONFIG = {
    "model_name": "culmen-length",
    "model_version": "1.0.0",
    "framework": "sklearn",
    "inference_config": {"instance_type": "ml.t2.medium", "initial_instance_count": 1},
    "tags": {"environment": "production", "team": "ornithology"},
}
INFERENCE = f"""\
import csv
import json
import os
import pickle

NUMERIC, CATEGORICAL = {NUMERIC!r}, {CATEGORICAL!r}


def model_fn(model_dir):
    with open(os.path.join(model_dir, "line.pkl"), "rb") as file:
        return pickle.load(file)


def input_fn(body, content_type):
    if content_type == "text/csv":
        return list(csv.DictReader(body.splitlines()))
    return json.loads(body)["instances"]


def predict_fn(rows, model):
    numbers = [[float(row[name]) for name in NUMERIC] for row in rows]
    males = [row[CATEGORICAL] == "MALE" for row in rows]
    return [model["line"] @ [1.0, *values, male] for values, male in zip(numbers, males)]
"""


@dataclass(frozen=True)
class OwnModel:
    """A trained model, its inference code and its config, as a user has them on disk."""

    archive: Path
    script: Path
    config: Path
    line: tuple[float, ...]

    @property
    def options(self) -> tuple[str, ...]:
        """The chain's options for it."""
        return (
            "--model",
            str(self.archive),
            "--script",
            str(self.script),
            "--config",
            str(self.config),
        )

    def predict(self, flipper: float, mass: float, male: bool) -> float:
        """What the model should say."""
        return float(np.dot(self.line, [1.0, flipper, mass, male]))


def train(folder: Path, inference: str = INFERENCE) -> OwnModel:
    """Fit culmen length by flipper length, body mass and sex."""
    birds = [bird for bird in raw_penguins() if bird[CATEGORICAL] in ("MALE", "FEMALE")]
    rows = [
        [1.0, *(float(bird[name]) for name in NUMERIC), bird[CATEGORICAL] == "MALE"]
        for bird in birds
    ]
    line = np.linalg.lstsq(np.array(rows), [float(bird[LABEL]) for bird in birds])[0]
    script = folder / "script"
    script.mkdir(parents=True)
    (script / "inference.py").write_text(inference)
    config = folder / "register.json"
    config.write_text(json.dumps(CONFIG))
    model = folder / "trained"
    model.mkdir()
    archive = write_archive(
        model / "model.tar.gz",
        {
            "line.pkl": pickle.dumps({"line": line}),
            "hyperparameters.json": json.dumps(HYPERPARAMETERS),
        },
    )
    return OwnModel(archive, script, config, tuple(line.tolist()))
