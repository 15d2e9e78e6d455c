"""mims_payload.py: from what trainers write to sample requests that read back."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from archives import COMPRESSIONS, file, folder, gz, symlink, tar
from front_door import Files, lay

if TYPE_CHECKING:
    from front_door import Container

JSON_SAMPLE = "application_json/sample_payload.json"
CSV_SAMPLE = "text_csv/sample_payload.csv"
LINES_SAMPLE = "application_jsonlines/sample_payload.jsonl"
ALL = "application/json,text/csv,application/jsonlines"


def asked(container: Container, hyperparameters: Any, **environ: str) -> dict[str, Any]:
    """The one record of the JSON sample for a model with these hyperparameters."""
    lay(container.model, {"hyperparameters.json": json.dumps(hyperparameters)})
    outcome = container.payload_here(**environ)
    assert outcome.code == 0, outcome.error
    (record,) = json.loads(container.samples()[JSON_SAMPLE])["instances"]
    assert isinstance(record, dict)
    return record


def refused(container: Container, hyperparameters: Any, **environ: str) -> str:
    """What is said of hyperparameters that are no use."""
    lay(container.model, {"hyperparameters.json": json.dumps(hyperparameters)})
    outcome = container.payload_here(**environ)
    assert outcome.code == 1
    assert container.outputs() == []
    return outcome.error


# ---- fields, in the shapes that trainers write ---------------------------------------------------

N, T = 0.0, "DEFAULT_TEXT"


@pytest.mark.parametrize(
    ("hyperparameters", "record"),
    [
        # lists of a tabular model; label and id are no input
        ({"tab_field_list": ["a", "b"], "cat_field_list": ["c"]}, {"a": N, "b": N, "c": T}),
        (
            {
                "full_field_list": ["id", "c", "a", "y"],
                "tab_field_list": ["a"],
                "cat_field_list": ["c"],
                "label_name": "y",
                "id_name": "id",
            },
            {"c": T, "a": N},
        ),
        ({"full_field_list": ["a", "x"], "tab_field_list": ["a"]}, {"a": N, "x": T}),
        ({"cat_field_list": ["c"]}, {"c": T}),
        ({"tab_field_list": ["a"], "cat_field_list": []}, {"a": N}),
        # the label among the numeric fields
        ({"tab_field_list": ["a", "y"], "label_name": "y"}, {"a": N}),
        # text models, of one text and of two; the id goes along
        ({"text_name": "dialogue"}, {"dialogue": T}),
        ({"text_name": "dialogue", "id_name": "id", "label_name": "y"}, {"id": T, "dialogue": T}),
        (
            {
                "model_class": "bimodal_bert",
                "primary_text_name": "chat",
                "secondary_text_name": "shiptrack",
                "id_name": "order_id",
                "tab_field_list": ["price"],
                "cat_field_list": ["city"],
                "label_name": "y",
            },
            {"order_id": T, "chat": T, "shiptrack": T, "price": N, "city": T},
        ),
        (
            {
                "full_field_list": ["a", "text", "y"],
                "text_name": "text",
                "label_name": "y",
                "tab_field_list": ["a"],
            },
            {"a": N, "text": T},
        ),
        # typed maps, with every word for a type, in any case
        (
            {"field_info": {"a": "numeric", "b": "text", "c": "categorical"}},
            {"a": N, "b": T, "c": T},
        ),
        (
            {"field_types": {"a": "int", "b": "float", "c": "string", "d": "Double", "e": "LONG"}},
            {"a": N, "b": N, "c": T, "d": N, "e": N},
        ),
        (
            {"source_model_inference_input_variable_list": {"a": "NUMERIC", "b": "TEXT"}},
            {"a": N, "b": T},
        ),
        (
            {"source_model_inference_input_variable_list": [["b", "TEXT"], ["a", "NUMERIC"]]},
            {"b": T, "a": N},
        ),
        # a typed map tells more than lists
        ({"field_info": {"a": "text"}, "tab_field_list": ["a", "b"]}, {"a": T}),
        # an empty one tells nothing
        ({"field_info": {}, "tab_field_list": ["a"]}, {"a": N}),
        # SageMaker writes every hyperparameter as a string
        ({"tab_field_list": '["a", "b"]', "label_name": '"b"'}, {"a": N}),
        ({"field_info": '{"a": "numeric"}', "max_depth": "6"}, {"a": N}),
        # other hyperparameters are of no interest, whatever they are
        ({"tab_field_list": ["a"], "eta": 0.3, "note": "[not JSON", "deep": {"a": [1]}}, {"a": N}),
        # names that need quoting
        (
            {"tab_field_list": ["a,b", 'q"q', " s ", "é 名", "n\nn"]},
            {"a,b": N, 'q"q': N, " s ": N, "é 名": N, "n\nn": N},
        ),
    ],
)
def test_fields(
    container: Container, hyperparameters: dict[str, Any], record: dict[str, Any]
) -> None:
    found = asked(container, hyperparameters, CONTENT_TYPES=ALL)

    assert list(found.items()) == list(record.items())


@pytest.mark.parametrize(
    ("hyperparameters", "says"),
    [
        ({}, "names no field; it may by"),
        ({"eta": 0.3}, "names no field; it may by"),
        ({"label_name": "y", "id_name": "id"}, "names no field; it may by"),
        ([1, 2], "is no JSON object"),
        ("text", "is no JSON object"),
        (None, "is no JSON object"),
        ({"field_info": {"a": "image", "b": "tensor"}}, "field 'b' is of type 'tensor'"),
        ({"field_info": {"a": None}}, "field 'a' is of type None"),
        ({"field_info": ["a", "b"]}, "field_info has to map names to types"),
        ({"field_info": "numeric"}, "field_info has to map names to types"),
        ({"field_info": [["a", "TEXT", 1]]}, "field_info has to map names to types"),
        ({"tab_field_list": "a"}, "tab_field_list has to be a list of names"),
        ({"tab_field_list": [1]}, "tab_field_list has to be a list of names"),
        ({"tab_field_list": {"a": 1}}, "tab_field_list has to be a list of names"),
        ({"text_name": ["a"]}, "text_name has to be a name"),
        ({"tab_field_list": ["a"], "label_name": 1}, "label_name has to be a name"),
        ({"tab_field_list": ["a", "b"], "cat_field_list": ["b"]}, "b is in tab_field_list and"),
        ({"tab_field_list": ["a", "a"]}, "field 'a' is there twice"),
        ({"field_info": [["a", "TEXT"], ["a", "NUMERIC"]]}, "field 'a' is there twice"),
        ({"tab_field_list": ["a", ""]}, "'' is no name of a field"),
        ({"tab_field_list": [" "]}, "' ' is no name of a field"),
        ({"field_info": [[1, "TEXT"]]}, "1 is no name of a field"),
        ({"field_info": [[["a"], "TEXT"]]}, "['a'] is no name of a field"),
        ({"tab_field_list": ["a\0b"]}, "'a\\x00b' is no name of a field"),
        ({"tab_field_list": ["\ud800"]}, "is no name of a field"),
    ],
)
def test_fields_that_are_none(container: Container, hyperparameters: Any, says: str) -> None:
    assert says in refused(container, hyperparameters, CONTENT_TYPES=ALL)


def test_every_problem_of_the_fields_is_told(container: Container) -> None:
    error = refused(container, {"field_info": {"a": "image", "b": "numeric", "c": "tensor"}})

    assert "'a' is of type 'image'" in error
    assert "'c' is of type 'tensor'" in error
    assert "'b'" not in error


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
        (b'{"tab_field_list": [NaN]}', "tab_field_list has to be a list of names"),
        (b'{"n": ' + b"9" * 5000 + b', "tab_field_list": ["a"]}', "is not usable JSON"),
    ],
)
def test_hyperparameters_that_are_no_json(container: Container, raw: bytes, says: str) -> None:
    lay(container.model, {"hyperparameters.json": raw})

    outcome = container.payload_here()

    assert outcome.code == 1
    assert says in outcome.error
    assert container.outputs() == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_of_json(container: Container, encoding: str) -> None:
    text = '{"tab_field_list": ["é"]}'
    lay(container.model, {"hyperparameters.json": text.encode(encoding)})

    assert container.payload().code == 0
    assert json.loads(container.samples()[JSON_SAMPLE]) == {"instances": [{"é": 0.0}]}


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


# ---- where hyperparameters.json lies -------------------------------------------------------------

HYPERPARAMETERS = '{"field_info": {"a": "numeric", "b": "text"}}'
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


@pytest.mark.parametrize(
    ("columns", "order"),
    [
        ("0,b\n1,c\n2,a\n", ["b", "c", "a"]),
        ("# index,name\n2,a\n0,b\n\n1,c\n", ["b", "c", "a"]),  # by index, not by line
        ("0,b\n1,c\n2,a\n3,derived\n", ["b", "c", "a"]),
        ("0,b\r\n1,c\r\n2,a\r\n", ["b", "c", "a"]),
        ("\ufeff0,b\n1,c\n2,a\n", ["b", "c", "a"]),
        ("0,b\n", ["a", "b", "c"]),  # says nothing of the others: a warning
        ("", ["a", "b", "c"]),
    ],
)
def test_feature_columns_order_a_csv_request(
    container: Container, columns: str, order: list[str]
) -> None:
    hyperparameters = json.dumps({"tab_field_list": ["a", "b", "c"]})
    lay(container.model, {"hyperparameters.json": hyperparameters, "feature_columns.txt": columns})

    outcome = container.payload_here(CONTENT_TYPES="text/csv")

    assert outcome.code == 0
    assert container.samples()[CSV_SAMPLE].splitlines()[0] == ",".join(order)
    assert ("feature_columns.txt lacks" in outcome.log) == (columns == "0,b\n")


@pytest.mark.parametrize("columns", ["b,0\n", "0\n", "0,\n", "zero,b\n", b"0,caf\xe9\n"])
def test_feature_columns_that_are_none(container: Container, columns: str | bytes) -> None:
    lay(
        container.model,
        {"hyperparameters.json": '{"tab_field_list": ["b"]}', "feature_columns.txt": columns},
    )

    outcome = container.payload_here(CONTENT_TYPES="text/csv")

    assert outcome.code == 1
    assert "feature_columns.txt" in outcome.error


# ---- content types and values --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "files"),
    [
        (None, [JSON_SAMPLE]),  # the contract's default
        ("application/json", [JSON_SAMPLE]),
        ("text/csv", [CSV_SAMPLE]),
        ("application/jsonlines", [LINES_SAMPLE]),
        ("application/json,text/csv", [JSON_SAMPLE, CSV_SAMPLE]),
        (" text/csv , application/json ", [CSV_SAMPLE, JSON_SAMPLE]),
        (ALL, [JSON_SAMPLE, CSV_SAMPLE, LINES_SAMPLE]),
    ],
)
def test_content_types(container: Container, types: str | None, files: list[str]) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})

    container.payload_here(**({} if types is None else {"CONTENT_TYPES": types}))

    samples = container.samples()
    assert list(samples) == [*files, "metadata.json"]
    expected = {
        JSON_SAMPLE: {"instances": [{"a": 0.0, "b": "DEFAULT_TEXT"}]},
        LINES_SAMPLE: {"a": 0.0, "b": "DEFAULT_TEXT"},
    }
    for name in files:
        if name == CSV_SAMPLE:
            assert samples[name] == "a,b\n0.0,DEFAULT_TEXT\n"
        else:
            assert json.loads(samples[name]) == expected[name]
    if LINES_SAMPLE in files:
        assert samples[LINES_SAMPLE].count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"CONTENT_TYPES": "text/plain"}, "CONTENT_TYPES is 'text/plain': must be a comma"),
        ({"CONTENT_TYPES": "text/csv,text/csv"}, "each once, of application/json, text/csv"),
        ({"CONTENT_TYPES": ""}, "CONTENT_TYPES is ''"),
        ({"CONTENT_TYPES": "text/csv,"}, "CONTENT_TYPES is 'text/csv,'"),
        ({"DEFAULT_NUMERIC_VALUE": "zero"}, "DEFAULT_NUMERIC_VALUE is 'zero': must be a finite"),
        ({"DEFAULT_NUMERIC_VALUE": ""}, "DEFAULT_NUMERIC_VALUE is ''"),
        ({"DEFAULT_NUMERIC_VALUE": "nan"}, "must be a finite number"),
        ({"DEFAULT_NUMERIC_VALUE": "1e999"}, "must be a finite number"),
        ({"CSV_HEADER": "yes"}, "CSV_HEADER is 'yes': must be true or false"),
        ({"SPECIAL_FIELD_a": "many"}, "SPECIAL_FIELD_a is 'many': the field is NUMERIC"),
        ({"SPECIAL_FIELD_a": "inf"}, "SPECIAL_FIELD_a is 'inf': the field is NUMERIC"),
        ({"SPECIAL_FIELD_a": ""}, "SPECIAL_FIELD_a is '': the field is NUMERIC"),
        ({"DEFAULT_TEXT_VALUE": "caf\udce9"}, "DEFAULT_TEXT_VALUE is"),  # undecodable bytes
        ({"SPECIAL_FIELD_b": "caf\udce9"}, "SPECIAL_FIELD_b is"),
    ],
)
def test_bad_settings(container: Container, setting: dict[str, str], says: str) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})

    outcome = container.payload_here(**setting)

    assert outcome.code == 1
    assert says in outcome.error
    assert container.outputs() == []


def test_all_bad_settings_are_told_at_once(container: Container) -> None:
    outcome = container.payload(CONTENT_TYPES="a/b", DEFAULT_NUMERIC_VALUE="x", CSV_HEADER="maybe")

    assert outcome.code == 1
    assert outcome.error.startswith("4 problems:")
    for part in ("CONTENT_TYPES", "DEFAULT_NUMERIC_VALUE", "CSV_HEADER", "model_input is missing"):
        assert part in outcome.error


@pytest.mark.parametrize(
    ("environ", "record"),
    [
        ({"DEFAULT_NUMERIC_VALUE": "1.5"}, {"Amount": 1.5, "city": "DEFAULT_TEXT"}),
        ({"DEFAULT_NUMERIC_VALUE": "-3"}, {"Amount": -3.0, "city": "DEFAULT_TEXT"}),
        ({"DEFAULT_TEXT_VALUE": "x y"}, {"Amount": 0.0, "city": "x y"}),
        ({"DEFAULT_TEXT_VALUE": ""}, {"Amount": 0.0, "city": ""}),
        # typed by the field, and written as it was given
        ({"SPECIAL_FIELD_Amount": "100.50"}, {"Amount": 100.5, "city": "DEFAULT_TEXT"}),
        ({"SPECIAL_FIELD_Amount": "5"}, {"Amount": 5, "city": "DEFAULT_TEXT"}),
        ({"SPECIAL_FIELD_Amount": "-1e-3"}, {"Amount": -0.001, "city": "DEFAULT_TEXT"}),
        ({"SPECIAL_FIELD_city": "5"}, {"Amount": 0.0, "city": "5"}),
        ({"SPECIAL_FIELD_city": "Zürich 🙂"}, {"Amount": 0.0, "city": "Zürich 🙂"}),
        # in any case; the exact name goes first
        ({"SPECIAL_FIELD_AMOUNT": "7"}, {"Amount": 7, "city": "DEFAULT_TEXT"}),
        (
            {"SPECIAL_FIELD_AMOUNT": "7", "SPECIAL_FIELD_Amount": "8"},
            {"Amount": 8, "city": "DEFAULT_TEXT"},
        ),
        # a field's own value goes before a type's
        (
            {"SPECIAL_FIELD_city": "Bern", "DEFAULT_TEXT_VALUE": "x"},
            {"Amount": 0.0, "city": "Bern"},
        ),
    ],
)
def test_values(container: Container, environ: dict[str, str], record: dict[str, Any]) -> None:
    lay(
        container.model,
        {"hyperparameters.json": '{"field_info": {"Amount": "float", "city": "text"}}'},
    )

    outcome = container.payload_here(CONTENT_TYPES=ALL, **environ)

    assert outcome.code == 0
    samples = container.samples()
    (found,) = json.loads(samples[JSON_SAMPLE])["instances"]
    assert found == record
    assert {name: type(value) for name, value in found.items()} == {
        name: type(value) for name, value in record.items()
    }
    assert json.loads(samples[LINES_SAMPLE]) == record
    header, row = csv.reader(io.StringIO(samples[CSV_SAMPLE], newline=""))
    assert (header, row) == (list(record), [str(value) for value in record.values()])


def test_exact_names_are_not_taken_by_others(container: Container) -> None:
    found = asked(
        container,
        {"field_info": {"id": "text", "ID": "text"}},
        SPECIAL_FIELD_id="small",
        SPECIAL_FIELD_ID="large",
    )

    assert found == {"id": "small", "ID": "large"}


def test_time_in_a_text(container: Container) -> None:
    found = asked(container, {"text_name": "seen"}, SPECIAL_FIELD_seen="at {timestamp}, {not this}")

    assert re.fullmatch(r"at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, \{not this\}", found["seen"])


def test_a_setting_for_no_field_is_warned_of(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})

    outcome = container.payload(SPECIAL_FIELD_amout="1")

    assert outcome.code == 0
    assert "WARNING SPECIAL_FIELD_amout is for no field of this model; its fields are a, b" in (
        outcome.log
    )


NASTY = [
    "plain",
    "comma,comma",
    'quote"quote',
    '"',
    '""',
    "line\nline",
    "line\r\nline",
    "return\rreturn",
    " spaces ",
    "\ttab",
    "",
    "=1+1",
    "'",
    "a;b|c",
    "名前 🙂 \u2028 \u0085 \x0b",
    "{}[]\\",
]


@pytest.mark.parametrize("text", NASTY)
def test_quoting(container: Container, text: str) -> None:
    """What stands in the samples reads back as it was, by readers that are not ours."""
    names = [name for name in NASTY if name.strip()]
    lay(container.model, {"hyperparameters.json": json.dumps({"cat_field_list": names})})

    outcome = container.payload_here(CONTENT_TYPES=ALL, DEFAULT_TEXT_VALUE=text)

    assert outcome.code == 0
    samples = container.samples()
    record = dict.fromkeys(names, text)
    assert json.loads(samples[JSON_SAMPLE]) == {"instances": [record]}
    assert json.loads(samples[LINES_SAMPLE]) == record
    assert len(re.findall("\n", samples[LINES_SAMPLE])) == 1
    header, row = csv.reader(io.StringIO(samples[CSV_SAMPLE], newline=""), strict=True)
    assert dict(zip(header, row)) == record


@pytest.mark.parametrize(
    ("record", "line"),
    [
        # RFC 4180: quoted where it has to be, and nowhere else
        ({"a": "x"}, "x"),
        ({"a": "x y", "b": "z"}, "x y,z"),
        ({"a": "x,y"}, '"x,y"'),
        ({"a": 'say "hi"'}, '"say ""hi"""'),
        ({"a": "x\ny"}, '"x\ny"'),
        ({"a": ""}, '""'),
        ({"a": "", "b": ""}, '"",""'),
    ],
)
@pytest.mark.parametrize("header", ["true", "false", "FALSE"])
def test_csv(container: Container, record: dict[str, str], line: str, header: str) -> None:
    lay(container.model, {"hyperparameters.json": json.dumps({"cat_field_list": list(record)})})

    container.payload_here(
        CONTENT_TYPES="text/csv",
        CSV_HEADER=header,
        **{f"SPECIAL_FIELD_{name}": value for name, value in record.items()},
    )

    top = ",".join(record) + "\n" if header == "true" else ""
    assert container.samples()[CSV_SAMPLE] == f"{top}{line}\n"


def test_a_request_that_no_endpoint_takes(container: Container) -> None:
    names = [f"{number:07}{'n' * 993}" for number in range(6300)]

    error = refused(container, {"tab_field_list": names})

    assert "InvokeEndpoint takes 6291456: shorten the values" in error


def test_long_names_and_values(container: Container) -> None:
    """Python's csv reads cells of up to 131,072 characters, unless it is told otherwise."""
    name = "n" * 200_000
    found = asked(container, {"cat_field_list": [name]}, CONTENT_TYPES=ALL)
    assert found == {name: "DEFAULT_TEXT"}


# ---- the archive ---------------------------------------------------------------------------------


def test_metadata_describes_the_samples(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})

    outcome = container.payload(CONTENT_TYPES="application/json,text/csv", SPECIAL_FIELD_b="x")

    samples = container.samples()
    metadata = json.loads(samples["metadata.json"])
    assert metadata["fields"] == [
        {"name": "a", "type": "NUMERIC", "value_from": "DEFAULT_NUMERIC_VALUE"},
        {"name": "b", "type": "TEXT", "value_from": "SPECIAL_FIELD_b"},
    ]
    # what the registration config takes as it is
    variables = metadata["source_model_inference_input_variable_list"]
    assert variables == {"a": "NUMERIC", "b": "TEXT"}
    assert metadata["content_types"] == ["application/json", "text/csv"]
    assert metadata["files"] == [
        {
            "name": name,
            "content_type": content_type,
            "size": len(samples[name].encode()),
            "sha256": hashlib.sha256(samples[name].encode()).hexdigest(),
        }
        for name, content_type in ((JSON_SAMPLE, "application/json"), (CSV_SAMPLE, "text/csv"))
    ]
    raw = (container.output / "payload.tar.gz").read_bytes()
    assert outcome.message["sha256"] == hashlib.sha256(raw).hexdigest()
    assert outcome.message["size"] == len(raw)
    assert outcome.message["fields"] == 2


def test_same_input_same_bytes(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})
    digests = {
        container.payload(CONTENT_TYPES=ALL, TZ=zone).message["sha256"] for zone in ("UTC", "Japan")
    }
    assert len(digests) == 1


def test_members_belong_to_nobody(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})
    container.payload()
    with tarfile.open(str(container.output / "payload.tar.gz")) as payload:
        for member in payload:
            assert (member.uid, member.gid, member.uname, member.mode) == (0, 0, "", 0o644)


def test_read_only_output(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})
    container.output.symlink_to("/sys/kernel")  # where not even root may create a file

    outcome = container.payload()

    assert outcome.code == 1
    assert f"cannot write {container.output}/payload.tar.gz: " in outcome.error
