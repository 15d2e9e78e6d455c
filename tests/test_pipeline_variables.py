"""The input variables that artifacts tell are those that the payload job finds in them."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

import sample_model
from front_door import Container, lay
from mims.errors import InputError
from mims.pipeline.variables import VariableType, input_variables, variable_schema
from mims.registration import parameters
from sample_model import LAYOUTS, package_sample, write_archive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VARIABLES = "source_model_inference_input_variable_list"
sample = sample_model.sample
N, T = VariableType.NUMERIC, VariableType.TEXT


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path / "root")


def job_finds(container: Container, content_type: str) -> dict[str, str]:
    """What the payload job's metadata.json says, in its order."""
    outcome = container.payload_here(CONTENT_TYPES=content_type)
    assert outcome.code == 0, outcome.error
    metadata = json.loads((container.output / "metadata.json").read_text())
    variables: dict[str, str] = metadata[VARIABLES]
    return variables


def same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Equal, and in the same order."""
    return list(found.items()) == list(wanted.items())


SHAPES: dict[str, dict[str, Any]] = {
    "lists": {"tab_field_list": ["b", "a"], "cat_field_list": ["c"]},
    "full list, with what is no input": {
        "full_field_list": ["id", "c", "a", "y"],
        "tab_field_list": ["a"],
        "cat_field_list": ["c"],
        "label_name": "y",
        "id_name": "id",
    },
    "one text": {"text_name": "dialogue", "id_name": "i", "label_name": "y"},
    "two texts": {
        "model_class": "trimodal_bert",
        "primary_text_name": "chat",
        "secondary_text_name": "shiptrack",
        "id_name": "order_id",
        "tab_field_list": ["price"],
    },
    "typed map": {"field_info": {"b": "float", "a": "categorical", "c": "string"}},
    "another typed map": {"field_types": {"a": "numeric", "b": "text"}},
    "the variables": {VARIABLES: {"b": "NUMERIC", "a": "TEXT"}},
    "the variables as pairs": {VARIABLES: [["b", "TEXT"], ["a", "NUMERIC"]]},
    "as SageMaker writes it": {"tab_field_list": '["a", "b"]', "label_name": '"a"'},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_shape_as_the_payload_job_reads_it(
    shape: dict[str, Any], container: Container
) -> None:
    lay(container.model, {"hyperparameters.json": json.dumps(shape)})
    wanted = job_finds(container, "application/json")
    assert wanted
    for source in (shape, container.model, container.model / "hyperparameters.json"):
        assert same(input_variables(source), wanted)
    for source in (container.output, container.output / "metadata.json"):
        assert same(input_variables(source), wanted)
    metadata = json.loads((container.output / "metadata.json").read_text())
    assert same(input_variables(metadata), wanted)


@pytest.mark.parametrize("content_type", ["text/csv", "application/json"])
def test_the_columns_of_a_csv_request_give_its_order(
    content_type: str, container: Container
) -> None:
    files = {
        "hyperparameters.json": json.dumps({"tab_field_list": ["a", "b"], "cat_field_list": ["c"]}),
        "feature_columns.txt": "# index,name\n0,c\n1,b\n2,a\n",
    }
    lay(container.model, files)
    wanted = job_finds(container, content_type)
    csv = content_type == "text/csv"
    assert list(wanted) == (["c", "b", "a"] if csv else ["a", "b", "c"])
    archive = write_archive(container.root / "any.tar.gz", files)
    for source in (container.model, container.model / "hyperparameters.json", archive):
        assert same(input_variables(source, csv=csv), wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_sample_model_by_each_of_its_artifacts(
    layout: str, sample: Path, container: Container
) -> None:
    container.model.mkdir(parents=True)
    package = package_sample(sample, layout, container.model / "model.tar.gz")
    wanted = job_finds(container, "text/csv")
    renamed = shutil.copy(package, container.root / "penguins.tgz")
    for model in (sample / "model", sample / "model" / "model.tar.gz", package, renamed):
        assert same(input_variables(str(model)), wanted)
    for payload in (container.output, container.output / "payload.tar.gz"):
        assert same(input_variables(payload), wanted)
    assert set(wanted.values()) == {"NUMERIC", "TEXT"}


@pytest.mark.parametrize(
    ("files", "source", "words"),
    [
        ({}, "none.json", "cannot read"),
        ({}, "none.tar.gz", "cannot read"),
        ({"a.txt": ""}, "", "no hyperparameters.json in"),
        ({"a.json": "{"}, "a.json", "a.json is not usable JSON"),
        ({"a.json": "[]"}, "a.json", "a.json is no JSON object"),
        ({"a.json": "{}"}, "a.json", "names no field"),
        ({"a.json": " " * 16_000_001}, "a.json", "a.json is over 16.0 MB"),
        ({"a.json": '{"field_info": {"a": "matrix"}}'}, "a.json", "field 'a' is of type 'matrix'"),
        # a payload that somebody else made
        ({"payload.tar.gz": {"a.json": "{}"}}, "payload.tar.gz", "holds no metadata.json"),
        ({"payload.tar.gz": {"a.json": "{}"}}, "", "holds no metadata.json"),
    ],
)
def test_what_tells_no_variables_is_refused(
    files: dict[str, Any], source: str, words: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        if isinstance(content, dict):
            write_archive(tmp_path / name, content)
        else:
            (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as error:
        input_variables(tmp_path / source)
    assert words in str(error.value)


def test_the_schema() -> None:
    schema = variable_schema({"age": N, "city": "TEXT"}, {"score": "NUMERIC"})
    assert schema == {
        "input": {
            "variables": [{"name": "age", "type": "NUMERIC"}, {"name": "city", "type": "TEXT"}]
        },
        "output": {"variables": [{"name": "score", "type": "NUMERIC"}]},
    }


def test_a_wrong_schema_is_told_whole() -> None:
    with pytest.raises(InputError) as error:
        variable_schema({"age": "INTEGER", "city": T}, {})
    assert len(error.value.problems) == 2
    assert "input_variable_list.age: must be 'NUMERIC' or 'TEXT'" in str(error.value)


def test_the_type_is_registration_s() -> None:
    assert VariableType is parameters.VariableType
