"""mims_payload.py on a custom payload: records that a user gives in place of made-up values."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from front_door import lay
from payloads import ALL, CSV_SAMPLE, JSON_SAMPLE, LINES_SAMPLE

if TYPE_CHECKING:
    from front_door import Container, Files, Outcome

MODEL = '{"field_info": {"age": "numeric", "city": "text"}}'
ROWS = [{"age": 5, "city": "Bern"}, {"age": 1.5, "city": "x, y"}]


def run(container: Container, files: Files, **environ: str) -> Outcome:
    """Run on these files in the channel; where it fails, nothing is left."""
    lay(container.model, {"hyperparameters.json": MODEL})
    lay(container.custom_payload, files)
    outcome = container.payload_here(**environ)
    assert container.outputs() == (["metadata.json", "payload.tar.gz"] if not outcome.code else [])
    return outcome


def instances(container: Container) -> list[dict[str, Any]]:
    """The records of the JSON sample."""
    found = json.loads(container.samples()[JSON_SAMPLE])["instances"]
    assert isinstance(found, list)
    return found


def typed(records: list[dict[str, Any]]) -> list[list[tuple[str, type, Any]]]:
    """Records with the types of their values: 5 is not 5.0."""
    return [[(name, type(value), value) for name, value in r.items()] for r in records]


# ---- what is taken -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "records"),
    [
        # JSON: as a request has it, a list, one record; in any order of names
        ({"rows.json": json.dumps({"instances": ROWS})}, ROWS),
        ({"rows.json": json.dumps(ROWS)}, ROWS),
        ({"rows.json": '{"city": "Bern", "age": 5}'}, ROWS[:1]),
        ({"rows.json": '[{"age": 5.0, "city": "5"}]'}, [{"age": 5.0, "city": "5"}]),
        ({"rows.json": '[{"age": 1e2, "city": ""}]'}, [{"age": 100.0, "city": ""}]),
        ({"rows.json": '\ufeff[{"age": -0.5, "city": "é 名"}]'}, [{"age": -0.5, "city": "é 名"}]),
        # JSON Lines: empty lines mean nothing
        ({"rows.jsonl": "\n".join(map(json.dumps, ROWS))}, ROWS),
        ({"rows.jsonl": "\ufeff" + "\r\n\r\n".join(map(json.dumps, ROWS)) + "\r\n"}, ROWS),
        (
            {"rows.jsonl": '{"age": 5, "city": "a\u2028b"}\n'},  # no line's end in JSON Lines
            [{"age": 5, "city": "a\u2028b"}],
        ),
        # CSV: with a header, in any order of columns; text that is a number becomes one
        ({"rows.csv": 'age,city\n5,Bern\n1.5,"x, y"\n'}, ROWS),
        ({"rows.csv": 'city,age\r\nBern,5\r\n"x, y",1.50\r\n'}, ROWS),
        ({"rows.csv": '\ufeffcity,age\nBern, 5 \n\n"x, y",1.5'}, ROWS),
        ({"rows.csv": 'age,city\n007,"a\nb ""c"""\n'}, [{"age": 7, "city": 'a\nb "c"'}]),
        (
            {"rows.csv": "age,city\n-1e-3,\n+5,5\n"},
            [{"age": -0.001, "city": ""}, {"age": 5.0, "city": "5"}],
        ),
        # a name in any case of letters, a folder, files that are hidden
        ({"ROWS.JSON": json.dumps(ROWS), ".DS_Store": "x"}, ROWS),
        ({"part/rows.json": json.dumps(ROWS), ".cache/rows.json": "x"}, ROWS),
    ],
)
def test_records(container: Container, files: Files, records: list[dict[str, Any]]) -> None:
    outcome = run(container, files, CONTENT_TYPES=ALL)

    assert outcome.code == 0, outcome.error
    assert outcome.message["records"] == len(records)
    samples = container.samples()
    assert typed(instances(container)) == typed(records)
    lines = samples[LINES_SAMPLE].split("\n")
    assert typed([json.loads(line) for line in lines[:-1]]) == typed(records)
    assert lines[-1] == ""
    header, *rows = csv.reader(io.StringIO(samples[CSV_SAMPLE], newline=""), strict=True)
    assert header == ["age", "city"]
    assert rows == [[str(record["age"]), record["city"]] for record in records]


@pytest.mark.parametrize("files", [None, {}, {".hidden.csv": "x"}])
def test_without_one_values_are_made_up(container: Container, files: Files | None) -> None:
    """An empty folder is how Compose mounts an input that is not there."""
    if files is not None:
        lay(container.custom_payload, files)
    lay(container.model, {"hyperparameters.json": MODEL})

    outcome = container.payload_here(DEFAULT_TEXT_VALUE="x")

    assert outcome.code == 0
    assert instances(container) == [{"age": 0.0, "city": "x"}]
    assert ("holds no custom payload: values are made up" in outcome.log) == (files is not None)


def test_the_channel_may_be_the_file(container: Container) -> None:
    """Not under a name of its own, but a link has that of the file that it leads to."""
    lay(container.model, {"hyperparameters.json": MODEL})
    lay(container.root, {"rows.csv": "age,city\n5,Bern\n", "other.csv": "x"})
    container.custom_payload.symlink_to(container.root / "rows.csv")

    assert container.payload_here().code == 0
    assert instances(container) == [{"age": 5, "city": "Bern"}]


def test_columns_that_the_model_does_not_take_are_left_out(container: Container) -> None:
    table = "id,city,age,label\n1,Bern,5,yes\n2,Thun,6,no\n"

    outcome = run(container, {"rows.csv": table})

    assert outcome.code == 0
    assert instances(container) == [{"age": 5, "city": "Bern"}, {"age": 6, "city": "Thun"}]
    assert "rows.csv: left out, as the model has no such field: id, label" in outcome.log
    assert container.metadata()["custom_payload"] == {
        "name": "rows.csv",
        "size": len(table),
        "sha256": hashlib.sha256(table.encode()).hexdigest(),
        "left_out": ["id", "label"],
    }


def test_names_that_are_left_out_are_escaped(container: Container) -> None:
    outcome = run(container, {"r.json": '{"age": 5, "city": "", "a\\u202eb\\ud800": 1}'})

    assert outcome.code == 0, outcome.error
    assert container.metadata()["custom_payload"]["left_out"] == ["a\\u202eb\\ud800"]


@pytest.mark.parametrize(
    ("table", "header", "records"),
    [
        # without a header, in the order of the model's columns
        ("Bern,5\nThun,6\n", "false", [{"city": "Bern", "age": 5}, {"city": "Thun", "age": 6}]),
        # with one although none is needed
        ("age,city\n5,Bern\n", "false", [{"city": "Bern", "age": 5}]),
        ("age,city\n5,Bern\n", "true", [{"city": "Bern", "age": 5}]),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/csv"])
def test_csv_without_a_header(
    container: Container,
    table: str,
    header: str,
    records: list[dict[str, Any]],
    content_type: str,
) -> None:
    lay(container.model, {"feature_columns.txt": "0,city\n1,age\n"})

    outcome = run(container, {"r.csv": table}, CSV_HEADER=header, CONTENT_TYPES=content_type)

    assert outcome.code == 0, outcome.error
    if content_type == "application/json":
        assert [list(r.items()) for r in instances(container)] == [list(r.items()) for r in records]
    else:
        top = "city,age\n" if header == "true" else ""
        rows = "".join(f"{r['city']},{r['age']}\n" for r in records)
        assert container.samples()[CSV_SAMPLE] == top + rows


# ---- settings beside it --------------------------------------------------------------------------


def test_special_fields_go_before_the_records(container: Container) -> None:
    """They name a field, so they are meant; and what they set, the records may lack."""
    table = "age\n5\n6\n"

    outcome = run(container, {"rows.csv": table}, SPECIAL_FIELD_city="Bern", SPECIAL_FIELD_x="1")

    assert outcome.code == 0, outcome.error
    assert instances(container) == [{"age": 5, "city": "Bern"}, {"age": 6, "city": "Bern"}]
    assert [(f["name"], f["value_from"]) for f in container.metadata()["fields"]] == [
        ("age", "custom_payload_input"),
        ("city", "SPECIAL_FIELD_city"),
    ]
    assert "rows.csv: in every record: SPECIAL_FIELD_city" in outcome.log


def test_time_in_every_record(container: Container) -> None:
    run(container, {"rows.json": json.dumps(ROWS)}, SPECIAL_FIELD_city="at {timestamp}")

    first, second = instances(container)
    assert first["city"] == second["city"]
    assert first["city"].startswith("at 2")
    assert (first["age"], second["age"]) == (5, 1.5)


def test_defaults_are_not_used_and_that_is_said(container: Container) -> None:
    outcome = run(
        container,
        {"rows.json": json.dumps(ROWS)},
        DEFAULT_NUMERIC_VALUE="7",
        FIELD_DEFAULTS='{"city": "Genf"}',
    )

    assert instances(container) == ROWS
    assert (
        "WARNING not used, as the custom payload gives the values: "
        "DEFAULT_NUMERIC_VALUE, FIELD_DEFAULTS"
    ) in outcome.log


def test_defaults_do_not_make_a_record_complete(container: Container) -> None:
    outcome = run(container, {"r.csv": "age\n5\n"}, FIELD_DEFAULTS='{"city": "x"}')

    assert outcome.code == 1
    assert "its first line lacks city; it names age" in outcome.error


# ---- what is refused -----------------------------------------------------------------------------

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("files", "says"),
    [
        # which file?
        ({"a.csv": "x", "b.json": "y"}, "holds a.csv, b.json: leave the custom payload"),
        ({"a.csv": "x", "part/a.csv": "y"}, "holds a.csv, part/a.csv: leave the custom payload"),
        ({"rows.txt": "x"}, "rows.txt has to end in one of .json, .jsonl, .csv, .parquet"),
        ({"rows": "x"}, "rows has to end in one of .json, .jsonl, .csv, .parquet"),
        ({"rows.csv.gz": "x"}, "rows.csv.gz has to end in one of .json, .jsonl, .csv, .parquet"),
        # nothing in it
        ({"r.json": ""}, "r.json: it is not usable JSON"),
        ({"r.json": "[]"}, "r.json holds no record"),
        ({"r.json": '{"instances": []}'}, "r.json holds no record"),
        ({"r.jsonl": "\n\n"}, "r.jsonl holds no record"),
        ({"r.csv": ""}, "r.csv holds no record"),
        ({"r.csv": "age,city\n\n"}, "r.csv holds no record"),
        # no text
        ({"r.csv": "age,city\n5,Z\xfcrich".encode("latin-1")}, "it is not UTF-8 (byte 12): save"),
        ({"r.json": json.dumps(ROWS).encode("utf-16")}, "it is not UTF-8 (byte 0): save it as"),
        ({"r.json": json.dumps(ROWS).encode("utf-16-le")}, "it holds NUL characters; if it is UTF"),
        ({"r.csv": "age,city\n5,a\0b\n"}, "it holds NUL characters; if it is UTF-16, save it as"),
        # JSON that is none, or that readers read differently
        ({"r.json": "{"}, "r.json: it is not usable JSON"),
        ({"r.json": '[{"age": 5, "city": "x"}] more'}, "r.json: it is not usable JSON"),
        ({"r.json": DEEP}, "r.json: it is nested too deep"),
        ({"r.jsonl": DEEP}, "r.jsonl, line 1: is nested too deep"),
        ({"r.json": '[{"age": 5, "city": "x", "age": 6}]'}, "not usable JSON: age is there twice"),
        ({"r.jsonl": '\n{"a": 5, "a": 6}'}, "line 2: is not usable JSON: a is there twice"),
        ({"r.json": '{"instances": [], "b": 1}'}, "beside 'instances' it holds b: leave that out"),
        # records that are none
        ({"r.json": "5"}, "r.json, record 1: is no JSON object"),
        ({"r.json": "[[5, 6]]"}, "r.json, record 1: is no JSON object"),
        ({"r.json": '{"instances": {"age": 5}}'}, "record 1: lacks age, city (it has instances)"),
        ({"r.json": "[{}]"}, "r.json, record 1: lacks age, city (it is empty)"),
        ({"r.json": '[{"age": 5, "City": ""}]'}, "record 1: lacks city (it has age, City)"),
        # values of another type
        (
            {"r.json": '[{"age": "5", "city": ""}]'},
            "'age' is NUMERIC, and what stands there is text",
        ),
        (
            {"r.json": '[{"age": true, "city": ""}]'},
            "NUMERIC, and what stands there is true or false",
        ),
        (
            {"r.json": '[{"age": null, "city": ""}]'},
            "'age' is NUMERIC, and what stands there is null",
        ),
        ({"r.json": '[{"age": [5], "city": ""}]'}, "NUMERIC, and what stands there is a list"),
        (
            {"r.json": '[{"age": "", "city": ""}]'},
            "'age' is NUMERIC, and what stands there is empty",
        ),
        ({"r.json": '[{"age": NaN, "city": ""}]'}, "NUMERIC, and what stands there is not finite"),
        ({"r.json": '[{"age": -Infinity, "city": ""}]'}, "and what stands there is not finite"),
        ({"r.json": '[{"age": 1e999, "city": ""}]'}, "and what stands there is not finite"),
        ({"r.json": f'[{{"age": {"9" * 400}, "city": ""}}]'}, "what stands there is not finite"),
        (
            {"r.json": f'[{{"age": {"9" * 100_000}, "city": ""}}]'},
            "what stands there is not finite",
        ),
        (
            {"r.json": '[{"age": 5, "city": 5}]'},
            "'city' is TEXT, and what stands there is a number",
        ),
        ({"r.json": '[{"age": 5, "city": null}]'}, "'city' is TEXT, and what stands there is null"),
        ({"r.json": '[{"age": 5, "city": {}}]'}, "TEXT, and what stands there is an object"),
        ({"r.json": '[{"age": 5, "city": "\\ud800"}]'}, "what stands there is half a character"),
        (
            {"r.csv": "age,city\nmany,x\n"},
            "line 2: 'age' is NUMERIC, and what stands there is text",
        ),
        ({"r.csv": "age,city\n,x\n"}, "line 2: 'age' is NUMERIC, and what stands there is empty"),
        ({"r.csv": "age,city\nnan,x\n"}, "line 2: 'age' is NUMERIC, and what stands there is text"),
        ({"r.csv": "age,city\n1_000,x\n"}, "'age' is NUMERIC, and what stands there is text"),
        ({"r.csv": "age,city\n٣,x\n"}, "'age' is NUMERIC, and what stands there is text"),
        ({"r.csv": "age,city\n0x10,x\n"}, "'age' is NUMERIC, and what stands there is text"),
        ({"r.csv": "age,city\n1e999,x\n"}, "NUMERIC, and what stands there is not finite"),
        ({"r.csv": f"age,city\n{'9' * 100_000},x\n"}, "and what stands there is not finite"),
        # CSV of another shape
        ({"r.csv": "age,city\n5,x\n5\n"}, "r.csv, line 3: has 1 cells where 2 are to be"),
        ({"r.csv": 'age,city\n5,"x\ny"\n5,x,\n'}, "r.csv, line 4: has 3 cells where 2 are to be"),
        ({"r.csv": "age,city,age\n5,x,6\n"}, "r.csv: its first line names age twice"),
        ({"r.csv": "age,town\n5,x\n"}, "r.csv: its first line lacks city; it names age, town"),
        ({"r.csv": "5,Bern\n"}, "names no field of the model, which takes age, city; a CSV file"),
        ({"r.csv": "age;city\n5;x\n"}, "names no field of the model, which takes age, city"),
        ({"r.csv": 'age,city\n5,"x\n'}, "r.csv: its CSV is broken in the row at line 2"),
        ({"r.csv": 'age,city\n5,"x"y\n'}, "r.csv: its CSV is broken in the row at line 2"),
    ],
)
def test_refusals(container: Container, files: Files, says: str) -> None:
    outcome = run(container, files)

    assert outcome.code == 1
    assert says in outcome.error


@pytest.mark.parametrize("cells", ["5", "5,Bern,x"])
def test_csv_without_a_header_that_does_not_fit(container: Container, cells: str) -> None:
    outcome = run(container, {"rows.csv": f"{cells}\n"}, CSV_HEADER="false")

    assert outcome.code == 1
    count = len(cells.split(","))
    assert f"rows.csv, line 1: has {count} cells where 2 are to be" in outcome.error


def test_all_that_is_wrong_is_told_with_its_place(container: Container) -> None:
    outcome = run(container, {"r.jsonl": '{"age": "a"}\n{"age": 1, "city": "x"}\n{"city": 2}\nx'})

    assert outcome.error.startswith("5 problems:")
    for problem in (
        "r.jsonl, line 1: lacks city (it has age)",
        "r.jsonl, line 1: 'age' is NUMERIC",
        "r.jsonl, line 3: lacks age (it has city)",
        "r.jsonl, line 3: 'city' is TEXT",
        "r.jsonl, line 4: is not usable JSON",
    ):
        assert problem in outcome.error


def test_no_more_is_told_than_can_be_read(container: Container) -> None:
    outcome = run(container, {"r.csv": "age,city\n" + "x,y\n" * 100_000})

    assert outcome.log.count("'age' is NUMERIC") == 20
    assert "r.csv: and more of the kind" in outcome.log


@pytest.mark.parametrize(
    "files",
    [
        {"r.json": '[{"age": "secret", "city": "secret"}, {"age": 1, "city": ["secret"]}]'},
        {"r.json": '[{"age": secret}]'},
        {"r.jsonl": '{"age": "secret", "city": "secret"}\nsecret'},
        {"r.csv": "age,city\nsecret,secret\n"},
        {"r.csv": "secret,secret\nsecret,secret\n"},
        {"r.csv": 'age,city\n5,"secret"secret\n'},
        {"r.csv": "age,city\n5,secret,secret\n"},
        {"r.csv": "age,city\n5,secret\n"},
    ],
)
def test_no_value_is_ever_shown(container: Container, files: Files) -> None:
    """What records hold may be somebody's personal data."""
    lay(container.model, {"hyperparameters.json": MODEL})
    lay(container.custom_payload, files)

    outcome = container.payload("--verbose")

    assert "secret" not in outcome.log
    assert "secret" not in json.dumps(outcome.message)


def test_other_problems_are_told_at_the_same_time(container: Container) -> None:
    lay(container.custom_payload, {"a.csv": "", "b.csv": ""})

    outcome = container.payload_here(CSV_HEADER="maybe")

    assert outcome.error.startswith("3 problems:")
    for part in ("CSV_HEADER", "model_input is missing", "holds a.csv, b.csv"):
        assert part in outcome.error


def test_links_out_of_the_channel(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": MODEL})
    lay(container.root, {"elsewhere.csv": "age,city\n5,Bern\n"})
    lay(container.custom_payload, {})
    (container.custom_payload / "rows.csv").symlink_to(container.root / "elsewhere.csv")

    outcome = container.payload_here()

    assert outcome.code == 1
    assert "rows.csv: it is a link that leaves" in outcome.error


def test_a_pipe_is_not_waited_for(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": MODEL})
    lay(container.custom_payload, {})
    os.mkfifo(str(container.custom_payload / "rows.csv"))

    outcome = container.payload_here()

    assert outcome.code == 1
    assert "rows.csv: it is a named pipe" in outcome.error


def test_a_file_that_is_too_large_is_not_read(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": MODEL})
    lay(container.custom_payload, {"rows.csv": "age,city\n"})
    os.truncate(str(container.custom_payload / "rows.csv"), 1 << 40)

    outcome = container.payload()

    assert outcome.code == 1
    assert "has 1099511627776 bytes; a custom payload has 16000000 at most" in outcome.error
    assert "a request 6291456" in outcome.error


@pytest.mark.parametrize("content_type", ALL.split(","))
def test_records_that_no_request_can_hold_together(container: Container, content_type: str) -> None:
    row = f"5,{'x' * 1000}\n"
    table = "age,city\n" + row * 6300

    outcome = run(container, {"rows.csv": table}, CONTENT_TYPES=content_type)

    assert outcome.code == 1
    assert "over 6291456 bytes, the most that InvokeEndpoint takes: give fewer records" in (
        outcome.error
    )
    assert content_type.replace("/", "_") in outcome.error


def test_a_request_of_just_the_limit_is_taken(container: Container) -> None:
    table = "age,city\n5," + "x" * (6_291_456 - len("age,city\n5,\n")) + "\n"

    assert run(container, {"rows.csv": table}, CONTENT_TYPES="text/csv").code == 0
    assert len(container.samples()[CSV_SAMPLE]) == 6_291_456


# ---- Parquet -------------------------------------------------------------------------------------


def test_parquet_needs_pyarrow(container: Container) -> None:
    """The script runs here without site-packages; with it: tests/test_payload_parquet.py."""
    lay(container.model, {"hyperparameters.json": MODEL})
    lay(container.custom_payload, {"rows.parquet": b"PAR1"})

    outcome = container.payload()

    assert outcome.code == 1
    assert "rows.parquet: it is Parquet, which needs the Python package pyarrow" in outcome.error
    assert "or save the records as CSV, JSON or JSON Lines" in outcome.error


# ---- any values ----------------------------------------------------------------------------------

texts = st.text(st.characters(min_codepoint=1, blacklist_categories=["Cs"]), max_size=9)
nasty = st.text(st.sampled_from("\",\r\n \t;\\'a\ufeff\u2028\x85\x1c"), max_size=6)
numbers = st.one_of(
    st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False)
)
records = st.lists(
    st.fixed_dictionaries({"age": numbers, "city": st.one_of(texts, nasty)}), min_size=1, max_size=4
)


def thorough(examples: int) -> settings:
    """The same examples in every run, all in one container."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


def come_out_as_they_went_in(container: Container, rows: list[dict[str, Any]]) -> None:
    """By readers that are not ours, from every format."""
    outcome = run(container, {"rows.json": json.dumps(rows)}, CONTENT_TYPES=ALL)

    assert outcome.code == 0, outcome.error
    expected = [{"age": row["age"], "city": row["city"]} for row in rows]
    samples = container.samples()
    assert typed(instances(container)) == typed(expected)
    lines = samples[LINES_SAMPLE].split("\n")[:-1]
    assert typed([json.loads(line) for line in lines]) == typed(expected)
    header, *found = csv.reader(io.StringIO(samples[CSV_SAMPLE], newline=""), strict=True)
    assert header == ["age", "city"]
    assert [row[1] for row in found] == [record["city"] for record in expected]
    assert [float(row[0]) for row in found] == [float(record["age"]) for record in expected]


@given(records)
@thorough(60)
def test_any_values(container: Container, rows: list[dict[str, Any]]) -> None:
    come_out_as_they_went_in(container, rows)


@pytest.mark.slow
@given(records)
@thorough(3000)
def test_any_values_for_long(container: Container, rows: list[dict[str, Any]]) -> None:
    come_out_as_they_went_in(container, rows)
