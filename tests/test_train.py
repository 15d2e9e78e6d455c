"""The sample model of the chain: really trained, honestly judged, the same every time."""

from __future__ import annotations

import hashlib
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

import penguins
import sample_model
from sample_model import OUTPUT, archive_files, raw_penguins, train

if TYPE_CHECKING:
    from pathlib import Path

sample = sample_model.sample

NUMERIC = [
    "culmen_length_mm",
    "culmen_depth_mm",
    "flipper_length_mm",
    "delta_15_n",
    "delta_13_c",
]
CATEGORICAL = ["species", "island", "sex", "clutch_completion"]


@pytest.fixture
def model(sample: Path) -> dict[str, bytes]:
    return archive_files(sample / "model" / "model.tar.gz")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def files_below(folder: Path) -> dict[str, tuple[bytes, float]]:
    """Content and time of every file, as both go into a package."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_outputs_are_the_inputs_of_the_chain(sample: Path) -> None:
    assert sorted(files_below(sample)) == [
        "config/config.json",
        "data/training.csv",
        "metadata/evaluation.json",
        "model/model.tar.gz",
        "script/inference.py",
        "script/processing/__init__.py",
        "script/processing/encoder.py",
        "script/processing/errors.py",
        "script/processing/formats.py",
        "script/processing/imputation.py",
        "script/processing/risk_table.py",
        "script/requirements.txt",
    ]
    assert sorted(path.name for path in sample.iterdir()) == [
        "config",
        "data",
        "metadata",
        "model",
        "script",
    ]


def test_the_training_data_are_kept(sample: Path) -> None:
    header, *birds = (sample / "data" / "training.csv").read_text(encoding="utf-8").splitlines()
    assert header.split(",") == [*penguins.COLUMNS, penguins.LABEL]
    training, _ = penguins.split_by_season(penguins.read_birds())
    assert len(birds) == len(training)
    assert sum(bird.endswith(",1") for bird in birds) == sum(bird.heavy for bird in training)


def test_the_model_archive_holds_what_real_trainers_write(model: dict[str, bytes]) -> None:
    assert list(model) == [
        "feature_columns.txt",
        "hyperparameters.json",
        "impute_dict.pkl",
        "risk_table_map.pkl",
        "xgboost_model.bst",
    ]


def test_a_second_run_gives_the_same_bytes_and_sweeps_old_files(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = tmp_path / OUTPUT / "script" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.touch()
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr
    assert files_below(tmp_path / OUTPUT) == files_below(sample)
    archive = (sample / "model" / "model.tar.gz").read_bytes()
    assert json.loads(done.stdout)["model_sha256"] == hashlib.sha256(archive).hexdigest()


def test_quality_is_that_of_a_season_held_out(sample: Path) -> None:
    report = read_json(sample / "metadata" / "evaluation.json")["model_quality"]
    metrics = report["binary_classification_metrics"]
    last_season = [
        row
        for row in raw_penguins()
        if row["studyName"] == "PAL0910" and row["Body Mass (g)"] != "NA"
    ]
    confusion = metrics["confusion_matrix"]
    counts = [confusion[truth][guess] for truth in "01" for guess in "01"]
    assert report["dataset"]["item_count"] == sum(counts) == len(last_season)
    heavy = sum(float(row["Body Mass (g)"]) > 4000 for row in last_season)
    assert sum(confusion["1"].values()) == heavy
    right = confusion["0"]["0"] + confusion["1"]["1"]
    assert metrics["accuracy"]["value"] == pytest.approx(right / len(last_season), abs=1e-6)


def test_it_predicts_far_better_than_a_constant(sample: Path) -> None:
    report = read_json(sample / "metadata" / "evaluation.json")["model_quality"]
    metrics = report["binary_classification_metrics"]
    assert metrics["accuracy"]["value"] > 0.8
    assert metrics["accuracy_best_constant_classifier"]["value"] < 0.6
    assert 0.9 < metrics["auc"]["value"] < 1


def test_groups_are_compared(sample: Path) -> None:
    bias = read_json(sample / "metadata" / "evaluation.json")["bias"]
    facets = bias["post_training_bias_metrics"]["facets"]["sex"]
    found = {
        facet["value_or_threshold"]: {m["name"]: m["value"] for m in facet["metrics"]}
        for facet in facets
    }
    assert list(found) == ["FEMALE", "MALE", "NA"]
    assert found["MALE"]["DPPL"] < 0 < found["FEMALE"]["DPPL"]  # males are heavier
    assert found["MALE"]["DI"] > 1 > found["FEMALE"]["DI"]
    assert all(abs(metrics["AD"]) < 0.25 for metrics in found.values())


def test_the_fields_that_count_are_told(sample: Path) -> None:
    report = read_json(sample / "metadata" / "evaluation.json")["explainability"]
    shap = report["explanations"]["kernel_shap"]["heavy"]["global_shap_values"]
    assert set(shap) == {*NUMERIC, *CATEGORICAL}
    assert max(shap, key=lambda name: shap[name]) in ("sex", "species", "flipper_length_mm")


def test_other_rounds_make_another_model(sample: Path, tmp_path: Path) -> None:
    done = train(tmp_path, "--rounds", "4")
    assert done.returncode == 0, done.stderr
    archive = (sample / "model" / "model.tar.gz").read_bytes()
    assert json.loads(done.stdout)["model_sha256"] != hashlib.sha256(archive).hexdigest()


def test_hyperparameters_say_which_fields_are_of_which_type(model: dict[str, bytes]) -> None:
    parameters = json.loads(model["hyperparameters.json"])
    assert parameters["tab_field_list"] == NUMERIC
    assert parameters["cat_field_list"] == CATEGORICAL
    assert parameters["categories"]["island"] == ["Biscoe", "Dream", "Torgersen"]
    assert list(parameters["categories"]) == CATEGORICAL
    assert parameters["full_field_list"] == ["individual_id", *NUMERIC, *CATEGORICAL, "heavy"]
    assert (parameters["id_name"], parameters["label_name"]) == ("individual_id", "heavy")
    assert parameters["model_class"] == "xgboost"
    assert parameters["objective"] == "binary:logistic"


def test_feature_columns_number_the_fields_in_order(model: dict[str, bytes]) -> None:
    lines = model["feature_columns.txt"].decode().splitlines()
    assert lines[0].startswith("#")
    columns = [line for line in lines if not line.startswith("#")]
    fields = [*NUMERIC, *CATEGORICAL]
    assert columns == [f"{index},{name}" for index, name in enumerate(fields)]


def test_encoders_are_plain_and_learnt_from_the_training_seasons(model: dict[str, bytes]) -> None:
    means = pickle.loads(model["impute_dict.pkl"])  # noqa: S301 - our own
    tables = pickle.loads(model["risk_table_map.pkl"])  # noqa: S301
    seen = [
        float(row["Flipper Length (mm)"])
        for row in raw_penguins()
        if row["studyName"] != "PAL0910" and row["Body Mass (g)"] != "NA"
    ]
    assert list(means) == NUMERIC
    assert means["flipper_length_mm"] == pytest.approx(sum(seen) / len(seen))
    assert list(tables) == CATEGORICAL
    assert sorted(tables["sex"]["bins"]) == ["FEMALE", "MALE"]
    assert tables["sex"]["bins"]["FEMALE"] < tables["sex"]["default_bin"]
    assert tables["sex"]["bins"]["MALE"] > tables["sex"]["default_bin"]


def test_the_registration_config_keeps_the_rules_of_the_step(sample: Path) -> None:
    config = read_json(sample / "config" / "config.json")
    assert config["framework"] in {"xgboost", "sklearn", "pytorch", "tensorflow"}
    assert config["inference_instance_type"].startswith("ml.")
    assert (sample / "script" / config["inference_entry_point"]).is_file()
    assert config["model_registration_objective"]
    for types in ("content", "response"):
        assert config[f"source_model_inference_{types}_types"] in (
            ["text/csv"],
            ["application/json"],
        )
    assert config["source_model_inference_input_variable_list"] == {
        **dict.fromkeys(NUMERIC, "NUMERIC"),
        **dict.fromkeys(CATEGORICAL, "TEXT"),
    }
    assert config["source_model_inference_output_variable_list"] == {
        "weight_class": "TEXT",
        "heavy_probability": "NUMERIC",
    }


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    output = tmp_path / OUTPUT
    output.parent.mkdir(parents=True)
    output.write_text("a file where the folder should be")
    done = train(tmp_path)
    assert done.returncode == 1
    assert str(output) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
