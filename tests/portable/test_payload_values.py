"""What the samples say in each field: which setting, artifact or name gives the value."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from front_door import lay
from payloads import (
    ALL,
    CSV_SAMPLE,
    FIELDS,
    HYPERPARAMETERS,
    JSON_SAMPLE,
    LINES_SAMPLE,
    asked,
    refused,
)

if TYPE_CHECKING:
    from front_door import Container


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"DEFAULT_NUMERIC_VALUE": "zero"}, "DEFAULT_NUMERIC_VALUE is 'zero': must be a finite"),
        ({"DEFAULT_NUMERIC_VALUE": ""}, "DEFAULT_NUMERIC_VALUE is ''"),
        ({"DEFAULT_NUMERIC_VALUE": "nan"}, "must be a finite number"),
        ({"DEFAULT_NUMERIC_VALUE": "1e999"}, "must be a finite number"),
        ({"SPECIAL_FIELD_a": "many"}, "SPECIAL_FIELD_a is 'many': the field is NUMERIC"),
        ({"SPECIAL_FIELD_a": "inf"}, "SPECIAL_FIELD_a is 'inf': the field is NUMERIC"),
        ({"SPECIAL_FIELD_a": ""}, "SPECIAL_FIELD_a is '': the field is NUMERIC"),
        ({"SPECIAL_FIELD_a": "9" * 400}, "the field is NUMERIC"),  # no float is that large
        ({"SPECIAL_FIELD_a": "true"}, "SPECIAL_FIELD_a is 'true': the field is NUMERIC"),
        ({"DEFAULT_TEXT_VALUE": "caf\udce9"}, "DEFAULT_TEXT_VALUE is"),  # undecodable bytes
        ({"SPECIAL_FIELD_b": "caf\udce9"}, "SPECIAL_FIELD_b is"),
        ({"FIELD_DEFAULTS": ""}, "FIELD_DEFAULTS is no JSON: "),
        ({"FIELD_DEFAULTS": "{'a': 1}"}, "FIELD_DEFAULTS is no JSON: Expecting property name"),
        ({"FIELD_DEFAULTS": "[1]"}, "FIELD_DEFAULTS is no JSON object: must be a JSON object of"),
        ({"FIELD_DEFAULTS": '{"a": 1, "a": 2}'}, "FIELD_DEFAULTS has 'a' twice"),
        ({"FIELD_DEFAULTS": '{"a": "many"}'}, "FIELD_DEFAULTS.a is 'many': the field is NUMERIC"),
        ({"FIELD_DEFAULTS": '{"A": "inf"}'}, "FIELD_DEFAULTS.A is 'inf': the field is NUMERIC"),
        ({"FIELD_DEFAULTS": '{"a": 1e999}'}, "FIELD_DEFAULTS.a is '1e999': the field is NUMERIC"),
        ({"FIELD_DEFAULTS": '{"a": true}'}, "FIELD_DEFAULTS gives 'a' true or false: must be a"),
        ({"FIELD_DEFAULTS": '{"b": null}'}, "FIELD_DEFAULTS gives 'b' null: must be a text or a"),
        ({"FIELD_DEFAULTS": '{"b": "\\u0000"}'}, "the text '\\x00', which no request can hold"),
        ({"FIELD_DEFAULTS": '{"A": 1, "\\u0041": 2}'}, "FIELD_DEFAULTS has 'A' twice"),
    ],
)
def test_bad_settings(container: Container, setting: dict[str, str], says: str) -> None:
    assert says in refused(container, FIELDS, **setting)


def test_every_setting_that_does_not_fit_is_told(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": '{"field_info": {"age": "int", "n": "int"}}'})

    outcome = container.payload_here(
        SPECIAL_FIELD_AGE="1", SPECIAL_FIELD_Age="2", FIELD_DEFAULTS='{"n": "x"}'
    )

    assert outcome.code == 1
    assert (
        "SPECIAL_FIELD_AGE, SPECIAL_FIELD_Age are all for field 'age': leave one" in outcome.error
    )
    assert "FIELD_DEFAULTS.n is 'x': the field is NUMERIC" in outcome.error


MODEL = '{"field_info": {"Amount": "float", "place": "text"}}'
T = "DEFAULT_TEXT"


@pytest.mark.parametrize(
    ("environ", "record"),
    [
        ({"DEFAULT_NUMERIC_VALUE": "1.5"}, {"Amount": 1.5, "place": T}),
        ({"DEFAULT_NUMERIC_VALUE": "-3"}, {"Amount": -3.0, "place": T}),
        ({"DEFAULT_TEXT_VALUE": "x y"}, {"Amount": 0.0, "place": "x y"}),
        ({"DEFAULT_TEXT_VALUE": ""}, {"Amount": 0.0, "place": ""}),
        # typed by the field, and written as it was given
        ({"SPECIAL_FIELD_Amount": "100.50"}, {"Amount": 100.5, "place": T}),
        ({"SPECIAL_FIELD_Amount": "5"}, {"Amount": 5, "place": T}),
        ({"SPECIAL_FIELD_Amount": " 5 "}, {"Amount": 5, "place": T}),
        ({"SPECIAL_FIELD_Amount": "-1e-3"}, {"Amount": -0.001, "place": T}),
        ({"SPECIAL_FIELD_place": "5"}, {"Amount": 0.0, "place": "5"}),
        ({"SPECIAL_FIELD_place": "Zürich 🙂"}, {"Amount": 0.0, "place": "Zürich 🙂"}),
        ({"FIELD_DEFAULTS": '{"Amount": 5}'}, {"Amount": 5, "place": T}),
        ({"FIELD_DEFAULTS": '{"Amount": "5.0"}'}, {"Amount": 5.0, "place": T}),
        ({"FIELD_DEFAULTS": '{"Amount": -1e3}'}, {"Amount": -1000.0, "place": T}),
        ({"FIELD_DEFAULTS": '{"place": 1.50}'}, {"Amount": 0.0, "place": "1.50"}),
        ({"FIELD_DEFAULTS": '{"place": "\\u00fc"}'}, {"Amount": 0.0, "place": "ü"}),
        ({"FIELD_DEFAULTS": '{"place": "7", "Amount": 7}'}, {"Amount": 7, "place": "7"}),
        ({"FIELD_DEFAULTS": "{}"}, {"Amount": 0.0, "place": T}),
        # in any case; the exact name goes first
        ({"SPECIAL_FIELD_AMOUNT": "7"}, {"Amount": 7, "place": T}),
        ({"SPECIAL_FIELD_AMOUNT": "7", "SPECIAL_FIELD_Amount": "8"}, {"Amount": 8, "place": T}),
        ({"FIELD_DEFAULTS": '{"AMOUNT": 7}'}, {"Amount": 7, "place": T}),
        ({"FIELD_DEFAULTS": '{"AMOUNT": 7, "Amount": 8}'}, {"Amount": 8, "place": T}),
        # a special field in any case goes before an exact default
        (
            {"SPECIAL_FIELD_amount": "7", "FIELD_DEFAULTS": '{"Amount": 8, "place": "y"}'},
            {"Amount": 7, "place": "y"},
        ),
        # a field's own value goes before a type's
        (
            {"SPECIAL_FIELD_place": "Bern", "DEFAULT_TEXT_VALUE": "x"},
            {"Amount": 0.0, "place": "Bern"},
        ),
        (
            {"FIELD_DEFAULTS": '{"place": "Bern", "Amount": 1}', "DEFAULT_NUMERIC_VALUE": "2"},
            {"Amount": 1, "place": "Bern"},
        ),
    ],
)
def test_values(container: Container, environ: dict[str, str], record: dict[str, Any]) -> None:
    lay(container.model, {"hyperparameters.json": MODEL})

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


@pytest.mark.parametrize(
    ("environ", "record"),
    [
        # exact names are not taken by others
        ({"SPECIAL_FIELD_b": "small", "SPECIAL_FIELD_B": "large"}, {"b": "small", "B": "large"}),
        ({"SPECIAL_FIELD_b": "small"}, {"b": "small", "B": T}),
        ({"FIELD_DEFAULTS": '{"B": "large"}'}, {"b": T, "B": "large"}),
    ],
)
def test_fields_that_differ_in_case(
    container: Container, environ: dict[str, str], record: dict[str, str]
) -> None:
    assert asked(container, {"field_info": {"b": "text", "B": "text"}}, **environ) == record


def test_where_each_value_comes_from(container: Container) -> None:
    asked(
        container,
        {
            "tab_field_list": ["n", "m"],
            "cat_field_list": ["special", "by_default", "colour", "country", "b"],
            "categories": {"special": ["x"], "by_default": ["x"], "colour": ["red", "blue"]},
        },
        SPECIAL_FIELD_SPECIAL="s",
        FIELD_DEFAULTS='{"By_Default": "d", "m": 1}',
    )

    fields = json.loads(container.samples()["metadata.json"])["fields"]
    assert {field["name"]: field["value_from"] for field in fields} == {
        "n": "DEFAULT_NUMERIC_VALUE",
        "m": "FIELD_DEFAULTS",
        "special": "SPECIAL_FIELD_SPECIAL",
        "by_default": "FIELD_DEFAULTS",
        "colour": "known categories",
        "country": "name of the field",
        "b": "DEFAULT_TEXT_VALUE",
    }


@pytest.mark.parametrize(
    "environ",
    [
        {"SPECIAL_FIELD_seen": "at {timestamp}, {not this}"},
        {"FIELD_DEFAULTS": '{"SEEN": "at {timestamp}, {not this}"}'},
    ],
)
def test_time_in_a_text(container: Container, environ: dict[str, str]) -> None:
    found = asked(container, {"text_name": "seen"}, **environ)

    assert re.fullmatch(r"at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, \{not this\}", found["seen"])


def test_settings_for_no_field_are_warned_of(container: Container) -> None:
    """One line a source, with the names that would have been right."""
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})

    outcome = container.payload_here(
        SPECIAL_FIELD_amout="1",
        SPECIAL_FIELD_a="1",
        SPECIAL_FIELD_x="1",
        FIELD_DEFAULTS='{"y": 1, "B": "z", "Z": "z"}',
    )

    assert outcome.code == 0
    assert [
        line.partition("WARNING ")[2] for line in outcome.log.splitlines() if "WARN" in line
    ] == [
        "SPECIAL_FIELD_amout, SPECIAL_FIELD_x: no such field; the model's are a, b",
        "FIELD_DEFAULTS.Z, FIELD_DEFAULTS.y: no such field; the model's are a, b",
    ]


# ---- text by a field's name ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("customer_id", "A1B2C3D4E5"),
        ("orderId", "A1B2C3D4E5"),
        ("ASIN", "A1B2C3D4E5"),
        ("email", "jane.doe@example.com"),
        ("buyerEmailAddress", "jane.doe@example.com"),
        ("name", "Jane Doe"),
        ("Customer Name", "Jane Doe"),
        ("first_name", "Jane"),
        ("country", "US"),
        ("country_code", "US"),
        ("ship-to country name", "US"),
        ("currency", "USD"),
        ("review_language", "en"),
        ("order_date", "2026-01-15"),
        ("message_date", "2026-01-15"),
        ("event_timestamp", "2026-01-15T09:30:00Z"),
        ("product_url", "https://www.example.com/items/1"),
        ("ip_address", "192.0.2.1"),
        ("item_title", "Wireless headphones with charging case"),
        ("email_subject", "Wireless headphones with charging case"),
    ],
)
def test_text_by_name(container: Container, name: str, text: str) -> None:
    assert asked(container, {"cat_field_list": [name]}, CONTENT_TYPES=ALL) == {name: text}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("dialogue", "Customer: Hello, my order"),
        ("chat_2", "Agent: I am sorry"),
        ("itemdescription", "noise cancelling"),
        ("shiptrack_event_history", "Out for delivery"),
        ("review_text", "arrived on time"),
        ("text", "The parcel arrived"),
        ("question", "Where is my order"),
    ],
)
def test_longer_text_by_name(container: Container, name: str, part: str) -> None:
    """Enough words for a tokenizer, in one line for readers of CSV that know no better."""
    text = asked(container, {"text_name": name}, CONTENT_TYPES=ALL)[name]

    assert part in text
    assert "\n" not in text
    assert len(text.split()) >= 8


@pytest.mark.parametrize(
    "name",
    # words inside of others, what says something about a text, and what says nothing
    ["paid", "update_flag", "valid", "message_type", "time_zone", "species", "b", "名前", "_", "1"],
)
def test_names_that_suggest_no_text(container: Container, name: str) -> None:
    assert asked(container, {"cat_field_list": [name]}) == {name: T}


@pytest.mark.parametrize("text", ["mine", "", T])
def test_a_default_text_that_is_set_goes_before_names(container: Container, text: str) -> None:
    """Also where it is set to what it is anyway."""
    found = asked(container, {"cat_field_list": ["email"]}, DEFAULT_TEXT_VALUE=text)
    assert found == {"email": text}


def test_a_known_category_goes_before_names_and_default_texts(container: Container) -> None:
    model = {"cat_field_list": ["country"], "categories": {"country": ["DE", "FR"]}}
    assert asked(container, model) == {"country": "DE"}
    assert asked(container, model, DEFAULT_TEXT_VALUE="x") == {"country": "DE"}


def test_a_numeric_field_gets_no_text(container: Container) -> None:
    assert asked(container, {"tab_field_list": ["order_id"]}) == {"order_id": 0.0}
