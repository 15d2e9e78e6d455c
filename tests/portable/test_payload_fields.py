"""What a model takes, in each shape that trainers write, and in those that nobody should."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from front_door import lay
from payloads import ALL, JSON_SAMPLE, asked, refused

if TYPE_CHECKING:
    from front_door import Container

N, T = 0.0, "some text"

LISTS = {"tab_field_list": ["a", "b"], "cat_field_list": ["c"]}
FULL = {
    "full_field_list": ["id", "c", "a", "y"],
    "tab_field_list": ["a"],
    "cat_field_list": ["c"],
    "label_name": "y",
    "id_name": "id",
}
TWO_TEXTS = {
    "model_class": "trimodal_bert",
    "primary_text_name": "chat",
    "secondary_text_name": "shiptrack",
    "id_name": "order_id",
    "tab_field_list": ["price"],
    "cat_field_list": ["city"],
    "label_name": "y",
}
VARIABLES = "source_model_inference_input_variable_list"


def quoted(hyperparameters: dict[str, Any]) -> dict[str, str]:
    """Each value as SageMaker writes it: JSON in a string."""
    return {name: json.dumps(value) for name, value in hyperparameters.items()}


SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # lists of a tabular model
    "lists": (LISTS, {"a": N, "b": N, "c": T}),
    "lists, one of them alone": ({"cat_field_list": ["c"]}, {"c": T}),
    "lists, one of them empty": ({"tab_field_list": ["a"], "cat_field_list": []}, {"a": N}),
    "lists, one of them null": ({"tab_field_list": ["a"], "cat_field_list": None}, {"a": N}),
    "full list: its order, no label, no id": (FULL, {"c": T, "a": N}),
    "full list: what has no type is text": (
        {"full_field_list": ["a", "x"], "tab_field_list": ["a"]},
        {"a": N, "x": T},
    ),
    "full list that lacks what others name": (
        {"full_field_list": ["a"], "tab_field_list": ["a", "b"], "cat_field_list": ["c"]},
        {"a": N, "b": N, "c": T},
    ),
    "label in the list": ({"tab_field_list": ["a", "y"], "label_name": "y"}, {"a": N}),
    "id in the list": ({"tab_field_list": ["a", "i"], "id_name": "i"}, {"a": N}),
    # text models: the id goes along
    "one text": ({"text_name": "dialogue"}, {"dialogue": T}),
    "one text with id and label": (
        {"text_name": "dialogue", "id_name": "i", "label_name": "y"},
        {"i": T, "dialogue": T},
    ),
    "two texts with id and lists": (
        TWO_TEXTS,
        {"order_id": T, "chat": T, "shiptrack": T, "price": N, "city": T},
    ),
    "text in the full list": (
        {
            "full_field_list": ["a", "text", "y", "i"],
            "text_name": "text",
            "label_name": "y",
            "id_name": "i",
            "tab_field_list": ["a"],
        },
        {"a": N, "text": T, "i": T},
    ),
    "text and id among the categorical": (
        {"cat_field_list": ["i", "c", "text"], "text_name": "text", "id_name": "i"},
        {"i": T, "c": T, "text": T},
    ),
    "numeric id of a text model": (
        {"tab_field_list": ["i"], "text_name": "text", "id_name": "i"},
        {"text": T, "i": N},
    ),
    "model_class of a text model: the id goes along": (
        {"model_class": "Multimodal_BERT", "full_field_list": ["i", "text"], "id_name": "i"},
        {"i": T, "text": T},
    ),
    "model_class of trees: it does not": (
        {"model_class": "xgboost", "full_field_list": ["i", "x"], "id_name": "i"},
        {"x": T},
    ),
    # typed maps, with every word for a type, in any case
    "field_info": (
        {"field_info": {"a": "numeric", "b": "text", "c": "categorical"}},
        {"a": N, "b": T, "c": T},
    ),
    "field_types": (
        {"field_types": {"a": "int", "b": "float", "c": "string", "d": "Double", "e": "LONG"}},
        {"a": N, "b": N, "c": T, "d": N, "e": N},
    ),
    "field_types of pandas": (
        {"field_types": {"a": "int64", "b": "float32", "c": "object", "d": "category"}},
        {"a": N, "b": N, "c": T, "d": T},
    ),
    "field_info of objects": (
        {"field_info": {"a": {"type": "numeric"}, "c": {"type": "categorical"}}},
        {"a": N, "c": T},
    ),
    "field_info, a list of objects": (
        {"field_info": [{"name": "b", "type": "TEXT"}, {"name": "a", "type": "NUMERIC"}]},
        {"b": T, "a": N},
    ),
    "field_info with label and id": (
        {
            "field_info": {"i": "text", "a": "float", "y": "int"},
            "label_name": "y",
            "id_name": "i",
        },
        {"a": N},
    ),
    "field_info of a text model's tabular part": (
        {"field_info": {"a": "float"}, "text_name": "text", "id_name": "i"},
        {"i": T, "text": T, "a": N},
    ),
    "the variable list as a map": ({VARIABLES: {"a": "NUMERIC", "b": "TEXT"}}, {"a": N, "b": T}),
    "the variable list as pairs": (
        {VARIABLES: [["b", "TEXT"], ["a", "NUMERIC"]]},
        {"b": T, "a": N},
    ),
    "the variable list says it all": (
        {VARIABLES: {"i": "TEXT", "y": "TEXT"}, "label_name": "y", "id_name": "i", **LISTS},
        {"i": T, "y": T},
    ),
    "a typed map tells more than lists": ({"field_info": {"a": "text"}, **LISTS}, {"a": T}),
    "an empty typed map tells nothing": ({"field_info": {}, "tab_field_list": ["a"]}, {"a": N}),
    # every hyperparameter a string
    "lists in strings": (quoted(FULL), {"c": T, "a": N}),
    "texts in strings": (
        quoted(TWO_TEXTS),
        {"order_id": T, "chat": T, "shiptrack": T, "price": N, "city": T},
    ),
    "a typed map in a string": (quoted({"field_info": {"a": "numeric"}, "max_depth": 6}), {"a": N}),
    "strings in strings": (quoted(quoted(FULL)), {"c": T, "a": N}),
    "a typed map of strings": (
        quoted({"field_info": quoted({"a": {"type": "int"}, "b": "text"})}),
        {"a": N, "b": T},
    ),
    "null in a string": ({**quoted(LISTS), "label_name": "null"}, {"a": N, "b": N, "c": T}),
    "a number in a string is a name": (
        {"tab_field_list": ["0", "1"], "label_name": "1"},
        {"0": N},
    ),
    # what else there is, is of no interest
    "other hyperparameters": (
        {"tab_field_list": ["a"], "eta": 0.3, "note": "[not JSON", "deep": {"a": [1]}},
        {"a": N},
    ),
    "names that need quoting": (
        {"tab_field_list": ["a,b", 'q"q', " s ", "é 名", "n\nn", "'", "#", "[x]"]},
        {"a,b": N, 'q"q': N, " s ": N, "é 名": N, "n\nn": N, "'": N, "#": N, "[x]": N},
    ),
    "names that differ in case": ({"tab_field_list": ["a", "A"]}, {"a": N, "A": N}),
}


@pytest.mark.parametrize(("hyperparameters", "record"), SHAPES.values(), ids=SHAPES)
def test_shapes(
    container: Container, hyperparameters: dict[str, Any], record: dict[str, Any]
) -> None:
    found = asked(container, hyperparameters, CONTENT_TYPES=ALL, DEFAULT_TEXT_VALUE=T)

    assert list(found.items()) == list(record.items())


@pytest.mark.parametrize(
    ("hyperparameters", "says"),
    [
        ({"model_class": "bimodal_bert", **LISTS}, "model_class is bimodal_bert, and none of text"),
        (
            {"full_field_list": ["a"], "tab_field_list": ["a", "b"]},
            "full_field_list lacks b: taken from the other lists",
        ),
    ],
)
def test_fields_to_be_warned_of(
    container: Container, hyperparameters: dict[str, Any], says: str
) -> None:
    lay(container.model, {"hyperparameters.json": json.dumps(hyperparameters)})

    assert f"WARNING {says}" in container.payload_here().log


@pytest.mark.parametrize(
    "hyperparameters",
    [
        {VARIABLES: {"t": "TEXT"}, "model_class": "bimodal_bert"},
        {"field_info": {"t": "text", "a": "int"}, "model_class": "bimodal_bert"},
        {"text_name": "t", "model_class": "bimodal_bert"},
        {"full_field_list": ["t", "a"], "tab_field_list": ["a"], "model_class": "bimodal_bert"},
    ],
)
def test_no_warning_without_a_reason(container: Container, hyperparameters: dict[str, Any]) -> None:
    lay(container.model, {"hyperparameters.json": json.dumps(hyperparameters)})

    assert "WARNING" not in container.payload_here().log


@pytest.mark.parametrize(
    ("hyperparameters", "says"),
    [
        ({}, "names no field; it may by"),
        ({"eta": 0.3}, "names no field; it may by"),
        ({"label_name": "y", "id_name": "id"}, "names no field; it may by"),
        ({"tab_field_list": ["y"], "label_name": "y"}, "names no field; it may by"),
        ([1, 2], "is no JSON object"),
        ("text", "is no JSON object"),
        (None, "is no JSON object"),
        # typed maps
        ({"field_info": {"a": "image", "b": "tensor"}}, "field 'b' is of type 'tensor'"),
        ({"field_info": {"a": None}}, "field 'a' is of type null"),
        ({"field_info": {"a": {"kind": "int"}}}, "field 'a' is of type null"),
        ({"field_info": {"a": ["int"]}}, "field 'a' is of type a list"),
        ({"field_info": ["a", "b"]}, "field_info has to map names to types"),
        ({"field_info": "numeric"}, "field_info has to map names to types"),
        ({"field_info": 1}, "field_info has to map names to types"),
        ({"field_info": [["a", "TEXT", 1]]}, "field_info has to map names to types"),
        ({"field_info": '{"a": "text", "a": "int"}'}, "field_info has to map names to types"),
        # lists and names
        ({"tab_field_list": "a"}, "tab_field_list has to be a list of names: it is text"),
        ({"tab_field_list": [1]}, "tab_field_list has to be a list of names"),
        ({"tab_field_list": {"a": 1}}, "tab_field_list has to be a list of names"),
        ({"text_name": ["a"]}, "text_name has to be a name"),
        ({"tab_field_list": ["a"], "label_name": 1}, "label_name has to be a name"),
        ({"tab_field_list": ["a", "b"], "cat_field_list": ["b"]}, "b is in tab_field_list, for"),
        ({"tab_field_list": ["t"], "text_name": "t"}, "t is in tab_field_list, for numeric"),
        # names of fields
        ({"tab_field_list": ["a", "a"]}, "field 'a' is there twice"),
        ({"field_info": [["a", "TEXT"], ["a", "NUMERIC"]]}, "field 'a' is there twice"),
        ({"tab_field_list": ["a", ""]}, "'' is no name of a field"),
        ({"tab_field_list": [" "]}, "' ' is no name of a field"),
        ({"field_info": [[1, "TEXT"]]}, "a number is no field's name"),
        ({"field_info": [[["a"], "TEXT"]]}, "a list is no field's name"),
        ({"field_info": [{"name": None, "type": "TEXT"}]}, "null is no field's name"),
        ({"tab_field_list": ["a\0b"]}, "'a\\x00b' is no name of a field"),
        ({"tab_field_list": ["\ud800"]}, "is no name of a field"),
        ({"text_name": "\udfff"}, "is no name of a field"),
        # categories
        (
            {"field_info": {"c": {"type": "text", "categories": ["\ud800"]}}},
            "field 'c' has 1 categories that no",
        ),
        ({"cat_field_list": ["c"], "categories": {"c": ["a\0"]}}, "that no request can hold"),
    ],
)
def test_fields_that_are_none(container: Container, hyperparameters: Any, says: str) -> None:
    assert says in refused(container, hyperparameters, CONTENT_TYPES=ALL)


def test_every_problem_of_the_fields_is_told(container: Container) -> None:
    types = {"field_info": {"a": "image", "b": "numeric", "c": "tensor"}}
    error = refused(container, types)
    assert "'a' is of type 'image'" in error
    assert "'c' is of type 'tensor'" in error
    assert "'b'" not in error

    error = refused(container, {"tab_field_list": "a", "cat_field_list": 1})
    assert "tab_field_list" in error
    assert "cat_field_list" in error

    error = refused(container, {"text_name": 1, "label_name": [1]})
    assert "text_name" in error
    assert "label_name" in error


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "is not usable JSON"),
        (b"{", "is not usable JSON"),
        (b"{'a': 1}", "is not usable JSON"),
        (b'{"tab_field_list": ["a"]} trailing', "is not usable JSON"),
        (b'{"tab_field_list": ["caf\xe9"]}', "is not usable JSON"),
        (b"[" * 100_000, "is not usable JSON"),
        (b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, "is not usable JSON"),
        (b'{"tab_field_list": ["a"], "tab_field_list": ["b"]}', "tab_field_list is there twice"),
        (b'{"field_info": {"a": "text", "a": "numeric"}}', "a is there twice"),
        # so many that a count of each takes a minute
        (
            b"{" + b",".join(b'"%d": 1' % (number // 2) for number in range(100_000)) + b"}",
            "and 49980 more is there twice",
        ),
        (b'{"tab_field_list": [NaN]}', "tab_field_list has to be a list of names"),
        (b'{"n": ' + b"9" * 5000 + b', "tab_field_list": ["a"]}', "is not usable JSON"),
        (b"\xff\xfe{\x00", "is not usable JSON"),  # UTF-16, cut off
    ],
)
def test_hyperparameters_that_are_no_json(container: Container, raw: bytes, says: str) -> None:
    lay(container.model, {"hyperparameters.json": raw})

    outcome = container.payload_here()

    assert outcome.code == 1
    assert says in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_encodings_of_json(container: Container, encoding: str) -> None:
    text = '{"tab_field_list": ["é"]}'
    lay(container.model, {"hyperparameters.json": text.encode(encoding)})

    assert container.payload_here().code == 0
    assert json.loads(container.samples()[JSON_SAMPLE]) == {"instances": [{"é": 0.0}]}


def test_nan_among_other_hyperparameters(container: Container) -> None:
    """XGBoost's `missing` is NaN, and Python writes it so."""
    assert asked(container, {"tab_field_list": ["a"], "missing": float("nan")}) == {"a": 0.0}


def test_huge_hyperparameters(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": ""})
    with (container.model / "hyperparameters.json").open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)

    outcome = container.payload_here()

    assert outcome.code == 1
    assert "hyperparameters.json has 67108865 bytes; 67108864 is the most" in outcome.error


def test_deeply_nested_strings(container: Container) -> None:
    error = refused(container, {"tab_field_list": "[" * 50_000 + "]" * 50_000})

    assert "tab_field_list has to be a list of names" in error


def test_many_fields(container: Container) -> None:
    """So many that a comparison of each with each takes a minute."""
    numeric = [f"n{number}" for number in range(45_000)]
    categorical = [f"c{number}" for number in range(5000)]
    record = asked(
        container,
        {
            "full_field_list": [*categorical, *numeric],
            "tab_field_list": numeric,
            "cat_field_list": categorical,
        },
        CONTENT_TYPES=ALL,
    )

    assert list(record) == [*categorical, *numeric]


# ---- known categories ----------------------------------------------------------------------------

CATEGORIES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "in field_info": (
        {"field_info": {"c": {"type": "categorical", "categories": ["red", "blue"]}}},
        ["red", "blue"],
    ),
    "in field_info as values": (
        {"field_types": [{"name": "c", "type": "string", "values": ["red", "blue"]}]},
        ["red", "blue"],
    ),
    "a map of lists": ({"categories": {"c": ["red", "blue"]}}, ["red", "blue"]),
    "a map in a string": ({"categories": '{"c": ["red", "blue"]}'}, ["red", "blue"]),
    "a map of maps to codes": (
        {"categorical_processor_mappings": {"c": {"red": 1, "blue": 0}}},
        ["red", "blue"],
    ),
    "a map of maps from codes": (
        {"categorical_mappings": {"c": {"0": "red", "1": "blue"}}},
        ["red", "blue"],
    ),
    "label encoders": ({"label_encoders": {"c": {"classes": ["red", "blue"]}}}, ["red", "blue"]),
    "other names of such maps": (
        {"cat_field_values": {"d": ["x"]}, "categorical_values": {"c": ["red", "blue"]}},
        ["red", "blue"],
    ),
    "a risk table with its most usual category": (
        {"categorical_mappings": {"c": {"mode": "blue", "bins": {"red": 0.1, "blue": 0.2}}}},
        ["blue", "red"],
    ),
    "a risk table without a risk": (
        {"categorical_mappings": {"c": {"red": 0.1, "blue": float("nan")}}},
        ["red", "blue"],
    ),
    "numbers": ({"categories": {"c": [98101, 2.5, 10**400]}}, ["98101", "2.5", str(10**400)]),
    "what stands for a missing value comes last": (
        {"categories": {"c": ["", "Missing", "NaN", "red", "red"]}},
        ["red", "", "Missing", "NaN"],
    ),
    # other things of that name
    "numbers of categories": ({"categories": {"c": 7}}, []),
    "the label's classes": ({"categories": ["spam", "ham"]}, []),
    "categories of another field": ({"categories": {"d": ["x"]}}, []),
    "no categories": ({"categories": {"c": []}}, []),
    "things that are no category": ({"categories": {"c": [None, True, {}, [], float("nan")]}}, []),
    "texts by text": ({"categories": {"c": {"red": "#f00"}}}, []),
}


@pytest.mark.parametrize(("hyperparameters", "known"), CATEGORIES.values(), ids=CATEGORIES)
def test_categories(
    container: Container, hyperparameters: dict[str, Any], known: list[str]
) -> None:
    if not {"field_info", "field_types"} & set(hyperparameters):
        hyperparameters = {"cat_field_list": ["c"], **hyperparameters}

    record = asked(container, hyperparameters, CONTENT_TYPES=ALL)

    (field,) = json.loads(container.samples()["metadata.json"])["fields"]
    if known:
        assert record == {"c": known[0]}
        assert field["value_from"] == "known categories"
        assert field["categories"] == known
    else:
        assert record == {"c": "DEFAULT_TEXT"}
        assert field["value_from"] == "DEFAULT_TEXT_VALUE"
        assert "categories" not in field


def test_a_numeric_field_has_no_categories(container: Container) -> None:
    assert asked(container, {"tab_field_list": ["a"], "categories": {"a": ["x"]}}) == {"a": 0.0}
