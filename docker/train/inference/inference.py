"""Serve the sample model, which tells whether a penguin weighs more than 4 kg.

SageMaker's four functions. Requests come as application/json (`{"instances": [{field: value}]}`),
application/jsonlines (an object a line) or text/csv (with a header, or in the order of
feature_columns.txt); answers go as application/json or text/csv. An unknown or missing category is
an average one and a missing number the training mean, so every well-formed request has an answer.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xgboost as xgb

from processing import formats
from processing.encoder import Encoder
from processing.errors import NOT_ACCEPTABLE, UNSUPPORTED_MEDIA_TYPE, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from processing.encoder import Rows

READERS: dict[str, Callable[[str], Rows]] = {
    "application/json": formats.from_json,
    "application/jsonlines": formats.from_json_lines,
    "text/csv": formats.from_csv,
}
WRITERS = {"application/json": formats.to_json, "text/csv": formats.to_csv}


@dataclass(frozen=True)
class HeavyPenguinModel:
    """The booster and what stands around it."""

    booster: xgb.Booster
    encoder: Encoder
    threshold: float


def model_fn(model_dir: str) -> HeavyPenguinModel:
    """Load the model from the folder that holds its files."""
    folder = Path(model_dir)
    booster = xgb.Booster()
    # From memory, as the library goes by a file's ending and does not know .bst.
    booster.load_model(bytearray((folder / "xgboost_model.bst").read_bytes()))
    lines = (folder / "feature_columns.txt").read_text(encoding="utf-8").splitlines()
    encoder = Encoder(
        columns=tuple(line.partition(",")[2] for line in lines if not line.startswith("#")),
        impute=_unpickle(folder / "impute_dict.pkl"),
        risk_tables=_unpickle(folder / "risk_table_map.pkl"),
    )
    hyperparameters = json.loads((folder / "hyperparameters.json").read_text(encoding="utf-8"))
    return HeavyPenguinModel(booster, encoder, hyperparameters["decision_threshold"])


def input_fn(request_body: str | bytes, content_type: str) -> Rows:
    """Read a request.

    Raises:
        RequestError: its form or its content type is wrong.

    """
    if content_type not in READERS:
        raise RequestError(
            f"cannot read {content_type}; send {', '.join(READERS)}", UNSUPPORTED_MEDIA_TYPE
        )
    text = request_body if isinstance(request_body, str) else request_body.decode("utf-8")
    return READERS[content_type](text)


def predict_fn(rows: Rows, model: HeavyPenguinModel) -> list[dict[str, Any]]:
    """Predict each row of a request."""
    features = model.encoder.matrix(rows)
    matrix = xgb.DMatrix(features, feature_names=list(model.encoder.columns))
    probabilities = model.booster.predict(matrix).tolist()
    return [
        {
            "weight_class": "heavy" if probability > model.threshold else "light",
            "heavy_probability": round(probability, 6),
        }
        for probability in probabilities
    ]


def output_fn(predictions: list[dict[str, Any]], accept: str) -> str:
    """Write the answer.

    Raises:
        RequestError: the caller accepts neither JSON nor CSV.

    """
    if accept not in WRITERS:
        raise RequestError(
            f"cannot answer in {accept}; accept {', '.join(WRITERS)}", NOT_ACCEPTABLE
        )
    return WRITERS[accept](predictions)


def _unpickle(path: Path) -> Any:
    # A pickle is code, and so is this file: both come in the same package.
    return pickle.loads(path.read_bytes())  # noqa: S301
