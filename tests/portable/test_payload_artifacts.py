"""Where what a model takes is read: hyperparameters.json, feature_columns.txt, category files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from archives import COMPRESSIONS, file, folder, gz, symlink, tar
from front_door import Files, lay
from payloads import CSV_SAMPLE, HYPERPARAMETERS, JSON_SAMPLE

if TYPE_CHECKING:
    from front_door import Container, Outcome

# ---- where hyperparameters.json lies -------------------------------------------------------------

OTHER = '{"field_info": {"other": "numeric"}}'


def archive(**files: str) -> bytes:
    """A model.tar.gz of files; `__` in a name is a slash, `_json` its suffix."""
    names = {name: name.replace("__", "/").replace("_json", ".json") for name in files}
    return gz(tar(*(file(names[name], content.encode()) for name, content in files.items())))


@pytest.mark.parametrize(
    "given",
    [
        {"hyperparameters.json": HYPERPARAMETERS},
        {"model.tar.gz": archive(hyperparameters_json=HYPERPARAMETERS, weights="w")},
        # a package of our own
        {"model.tar.gz": archive(model_artifacts__hyperparameters_json=HYPERPARAMETERS)},
        # the only one, wherever it is
        {"model.tar.gz": archive(deep__er__hyperparameters_json=HYPERPARAMETERS)},
        {"deep/er/hyperparameters.json": HYPERPARAMETERS},
        {"model.tar.gz/hyperparameters.json": HYPERPARAMETERS},
        # the one at the root, of several
        {
            "model.tar.gz": archive(
                a__hyperparameters_json=OTHER, hyperparameters_json=HYPERPARAMETERS
            )
        },
        # not the one among the code
        {
            "model.tar.gz": archive(
                code__hyperparameters_json=OTHER, x__hyperparameters_json=HYPERPARAMETERS
            )
        },
        # a loose one goes before the archive's
        {
            "model.tar.gz": archive(hyperparameters_json=OTHER),
            "hyperparameters.json": HYPERPARAMETERS,
        },
        {"model.tar.gz": archive(hyperparameters_json=HYPERPARAMETERS), "vocab.txt": "v"},
        # a link to one
        {
            "model.tar.gz": gz(
                tar(
                    file("h-1.json", HYPERPARAMETERS.encode()),
                    symlink("hyperparameters.json", "h-1.json"),
                )
            )
        },
    ],
)
def test_places(container: Container, given: Files) -> None:
    lay(container.model, given)

    outcome = container.payload_here()

    assert outcome.code == 0
    assert json.loads(container.samples()[JSON_SAMPLE]) == {
        "instances": [{"a": 0.0, "b": "DEFAULT_TEXT"}]
    }


@pytest.mark.parametrize("name", list(COMPRESSIONS))
def test_archives_of_every_format(container: Container, name: str) -> None:
    whole = tar(folder("./"), file("./hyperparameters.json", HYPERPARAMETERS.encode()))
    lay(container.model, {name: COMPRESSIONS[name](whole)})

    assert container.payload().code == 0
    assert container.samples()[JSON_SAMPLE]


def test_the_package_of_the_package_script(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS, "weights": b"w" * 3_000_000})
    container.package()
    lay(container.model, {"model.tar.gz": (container.output / "model.tar.gz").read_bytes()})
    (container.model / "hyperparameters.json").unlink()
    (container.model / "weights").unlink()

    assert container.payload().code == 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "input model_input is missing: nothing at {model}"),
        ({}, "{model} is empty; put model.tar.gz or the model's files there"),
        ({"weights": "w"}, "no hyperparameters.json in {model}: the trainer has to write it"),
        ({"model.tar.gz": archive(weights="w")}, "no hyperparameters.json in {model}/model.tar.gz"),
        ({"model.tar.gz/w": "w"}, "no hyperparameters.json in {model}/model.tar.gz"),
        ({"hyperparameters.json/x": "w"}, "no hyperparameters.json in {model}"),
        (
            {"a/hyperparameters.json": "{}", "b/hyperparameters.json": "{}"},
            "holds several hyperparameters.json: in a/, b/; leave the one meant",
        ),
        ({"model.tar.gz": archive(code__hyperparameters_json=OTHER)}, "no hyperparameters.json in"),
        ({"model.tar.gz": b"", "model.tar": b""}, "leave the one that is meant"),
    ],
)
def test_no_hyperparameters(container: Container, given: Files | None, says: str) -> None:
    if given is not None:
        lay(container.model, given)

    outcome = container.payload_here()

    assert outcome.code == 1
    assert says.format(model=container.model) in outcome.error
    assert container.outputs() == []


def test_an_archive_is_read_no_further_than_needed(container: Container) -> None:
    """What follows is the package script's business, which reads it all."""
    whole = tar(file("hyperparameters.json", HYPERPARAMETERS.encode()), file("w", bytes(5_000_000)))
    lay(container.model, {"model.tar": whole[:4_000_000]})

    assert container.payload().code == 0


# ---- feature_columns.txt -------------------------------------------------------------------------

LISTS = {"tab_field_list": ["a", "b"], "cat_field_list": ["c"]}


def with_columns(
    container: Container, hyperparameters: dict[str, Any], columns: str | bytes
) -> Outcome:
    """Ask for a CSV sample of a model with feature_columns.txt."""
    text = json.dumps(hyperparameters)
    lay(container.model, {"hyperparameters.json": text, "feature_columns.txt": columns})
    return container.payload_here(CONTENT_TYPES="text/csv,application/json")


@pytest.mark.parametrize(
    ("columns", "order", "warned"),
    [
        ("0,b\n1,c\n2,a\n", "b,c,a", None),
        ("0,b\n1,c\n2,a", "b,c,a", None),
        ("0,b\r\n1,c\r\n2,a\r\n", "b,c,a", None),
        ("\ufeff0,b\n1,c\n2,a\n", "b,c,a", None),
        (" 0 , b\n1, c \n2,a\n", "b,c,a", None),
        # by index, not by line; comments
        ("# index,name\n2,a\n0,b\n\n  # more\n1,c\n", "b,c,a", None),
        ("1,b\n2,c\n30,a\n", "b,c,a", None),
        # what the model was not trained on is no part of a request
        ("0,c\n1,a\n", "c,a", "left out, as feature_columns.txt lacks them: b"),
        # what the model adds itself is none either
        ("0,b\n1,c\n2,a\n3,ratio\n", "b,c,a", "columns that are no field of hyper"),
        # columns of an encoded matrix are not those of a request
        ("0,b\n1,a\n2,c_red\n3,c_blue\n", "a,b,c", "feature_columns.txt lacks c: fields keep"),
        ("0,f0\n1,f1\n2,f2\n", "a,b,c", "feature_columns.txt lacks a, b, c: fields keep"),
        ("", "a,b,c", None),
        ("# nothing\n", "a,b,c", None),
    ],
)
def test_feature_columns_order_a_csv_request(
    container: Container, columns: str, order: str, warned: str | None
) -> None:
    outcome = with_columns(container, LISTS, columns)

    assert outcome.code == 0
    assert container.samples()[CSV_SAMPLE].splitlines()[0] == order
    (record,) = json.loads(container.samples()[JSON_SAMPLE])["instances"]
    assert list(record) == order.split(",")
    if warned:
        assert warned in outcome.log
    else:
        assert "WARNING" not in outcome.log


def test_feature_columns_of_odd_names(container: Container) -> None:
    names = [" s ", "a,b", "x\u2028y", "é"]
    columns = "".join(f"{index},{name}\n" for index, name in enumerate(names))

    with_columns(container, {"tab_field_list": sorted(names)}, columns)

    (record,) = json.loads(container.samples()[JSON_SAMPLE])["instances"]
    assert list(record) == names


@pytest.mark.parametrize(
    "hyperparameters",
    [
        # the text is no column of a tabular part
        {"text_name": "t", "tab_field_list": ["a"]},
        # a list of just the inputs
        {"source_model_inference_input_variable_list": {"t": "TEXT", "a": "NUMERIC"}},
    ],
)
def test_feature_columns_of_a_part(container: Container, hyperparameters: dict[str, Any]) -> None:
    outcome = with_columns(container, hyperparameters, "0,a\n")

    assert container.samples()[CSV_SAMPLE].splitlines()[0] == "t,a"
    assert "feature_columns.txt lacks t" in outcome.log


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ("b,0\n", "line 1: has to be a number, a comma and a name"),
        ("index,name\n0,b\n", "line 1: has to be"),
        ("# a comment\n0\n", "line 2: has to be"),
        ("0,\n", "line 1: has to be"),
        ("zero,b\n", "line 1: has to be"),
        ("-1,b\n", "line 1: has to be"),
        ("²,b\n", "line 1: has to be"),
        (f"{'9' * 5000},b\n", "line 1: has to be"),
        ("0,b\n0,a\n", "has the index 0 twice"),
        ("0,b\n1,b\n", "has b twice"),
        ("0,b\n1, b\n", "has b twice"),
        ("x\ny\n", "2 problems"),
        (b"0,caf\xe9\n", "is not UTF-8"),
    ],
)
def test_feature_columns_that_are_none(
    container: Container, columns: str | bytes, says: str
) -> None:
    outcome = with_columns(container, {"tab_field_list": ["b"]}, columns)

    assert outcome.code == 1
    assert "feature_columns.txt" in outcome.error
    assert says in outcome.error
    assert container.outputs() == []


# ---- files of categories -------------------------------------------------------------------------

CATEGORICAL = '{"cat_field_list": ["c"]}'
KNOWN = '{"c": {"red": 0, "blue": 1}}'


def categories(container: Container) -> list[str] | None:
    """The categories that are known of the one field."""
    outcome = container.payload_here()
    assert outcome.code == 0, outcome.error
    (field,) = json.loads(container.samples()["metadata.json"])["fields"]
    known = field.get("categories")
    assert known is None or isinstance(known, list)
    return known


@pytest.mark.parametrize("name", ["categorical_mappings.json", "label_encoders.json"])
def test_files_of_categories(container: Container, name: str) -> None:
    lay(container.model, {"hyperparameters.json": CATEGORICAL, name: KNOWN})

    assert categories(container) == ["red", "blue"]


@pytest.mark.parametrize("place", ["", "model_artifacts/"])
@pytest.mark.parametrize("order", [1, -1])
def test_files_of_categories_in_an_archive(container: Container, place: str, order: int) -> None:
    """Before hyperparameters.json or after it."""
    files = [
        file(f"{place}categorical_mappings.json", KNOWN.encode()),
        file(f"{place}hyperparameters.json", CATEGORICAL.encode()),
    ]
    lay(container.model, {"model.tar.gz": gz(tar(*files[::order]))})

    assert categories(container) == ["red", "blue"]


def test_hyperparameters_know_their_categories_better(container: Container) -> None:
    own = {"cat_field_list": ["c"], "categories": {"c": ["green"]}}
    given = {"hyperparameters.json": json.dumps(own), "label_encoders.json": KNOWN}
    lay(container.model, given)

    assert categories(container) == ["green"]


def test_the_label_encoder_of_one_label(container: Container) -> None:
    """A list of classes, as some trainers write it, tells of no field."""
    lay(container.model, {"hyperparameters.json": CATEGORICAL, "label_encoders.json": '["x"]'})

    assert categories(container) is None


def test_a_broken_file_of_categories(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": CATEGORICAL, "label_encoders.json": "{"})

    outcome = container.payload_here()

    assert outcome.code == 1
    assert "label_encoders.json is not usable JSON" in outcome.error


def test_pickles_are_never_loaded(container: Container) -> None:
    """A risk table in a pickle may be code."""
    mark = container.root / "mark"
    trap = f"cbuiltins\nopen\n(S'{mark}'\nS'w'\ntR.".encode()
    lay(container.model, {"hyperparameters.json": CATEGORICAL, "risk_table_map.pkl": trap})

    outcome = container.payload_here()

    assert outcome.code == 0
    assert not mark.exists()


def test_no_archive_is_read_to_its_end_for_categories(container: Container) -> None:
    """They are good to have, and no reason to read gigabytes: here the rest is not even there."""
    whole = tar(
        file("hyperparameters.json", CATEGORICAL.encode()),
        file("w", bytes(5_000_000)),
        file("categorical_mappings.json", KNOWN.encode()),
    )
    lay(container.model, {"model.tar": whole[:4_000_000]})

    assert categories(container) is None
