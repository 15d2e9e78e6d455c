"""A custom payload in Parquet, written and read by the real pyarrow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from front_door import Container, lay

if TYPE_CHECKING:
    from pathlib import Path

MODEL = '{"field_info": {"age": "numeric", "city": "text"}}'


@pytest.fixture
def container(tmp_path: Path) -> Container:
    """A container with a model of two fields."""
    made = Container(tmp_path / "root")
    lay(made.model, {"hyperparameters.json": MODEL})
    made.custom_payload.mkdir(parents=True)
    return made


def write(container: Container, columns: dict[str, Any]) -> Path:
    """Lay a file of these columns into the channel."""
    path = container.custom_payload / "rows.parquet"
    parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "columns",
    [
        {"id": [1, 2], "city": ["Bern", "x, y"], "age": [5.0, 1.5]},
        {"age": pa.array([5, -3], pa.int8()), "city": pa.array(["a", "b"]).dictionary_encode()},
        {"age": list(range(3000)), "city": ["x"] * 3000},
    ],
    ids=["another column first", "small integers, dictionary", "several batches"],
)
def test_its_records_are_sent(container: Container, columns: dict[str, Any]) -> None:
    write(container, columns)

    outcome = container.payload_here()

    assert outcome.code == 0, outcome.error
    found = json.loads(container.samples()["application_json/sample_payload.json"])["instances"]
    rows = pa.table(columns).select(["age", "city"]).to_pylist()
    assert found == rows
    assert [type(row["age"]) for row in found] == [type(row["age"]) for row in rows]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"age": [5, None], "city": ["x", "y"]}, "record 2: 'age' is NUMERIC, and what"),
        ({"age": [5.0, float("nan")], "city": ["x", "y"]}, "record 2: 'age' is NUMERIC, and what"),
        ({"age": [5], "city": [b"x"]}, "record 1: 'city' is TEXT, and what"),
        ({"age": [[5]], "city": ["x"]}, "age: lists and objects are no values of a field"),
        ({"age": [5]}, "rows.parquet: its schema lacks city; it names age"),
        ({"age": pa.array([], pa.int64()), "city": pa.array([], pa.string())}, "holds no record"),
    ],
)
def test_records_that_do_not_fit(container: Container, columns: Any, says: str) -> None:
    write(container, columns)

    outcome = container.payload_here()

    assert outcome.code == 1
    assert says in outcome.error
    assert container.outputs() == []


def test_a_few_bytes_that_unpack_to_very_many(container: Container) -> None:
    city = pa.DictionaryArray.from_arrays(pa.array([0] * 30, pa.int32()), ["x" * 10_000_000])
    path = write(container, {"age": [5] * 30, "city": city})
    assert path.stat().st_size < 15_000_000

    outcome = container.payload_here()

    assert outcome.code == 1
    assert "rows.parquet: it unpacks to over 268435456 bytes" in outcome.error


@pytest.mark.parametrize("damage", ["cut off", "something else"])
def test_damage(container: Container, damage: str) -> None:
    path = write(container, {"age": [5], "city": ["a secret"]})
    path.write_bytes(path.read_bytes()[:-9] if damage == "cut off" else b"PAR1")

    outcome = container.payload_here()

    assert outcome.code == 1
    assert "rows.parquet: it is no usable Parquet (Arrow" in outcome.error
    assert "a secret" not in outcome.log
