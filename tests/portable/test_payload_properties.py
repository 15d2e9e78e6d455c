"""Models and settings that nobody thought of: each is refused, or makes samples that read back.

Property-based: hypothesis makes up hyperparameters.json, what lies beside it, and the settings.
`slow` is the same, longer.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any, Callable, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from front_door import Container, lay
from payloads import ALL, CSV_SAMPLE, JSON_SAMPLE, LINES_SAMPLE

Test = TypeVar("Test", bound=Callable[..., None])


def thorough(examples: int) -> Callable[[Test], Test]:
    """Settings of a property: the same examples in every run of the same test."""
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


# ---- anything ------------------------------------------------------------------------------------

names = st.one_of(
    st.sampled_from(["a", "b", "A", "id", "text", "a,b", 'q"', "n\n", "r\r", " s ", "", "é", "#"]),
    st.text(max_size=4),
)
numbers = st.one_of(st.integers(), st.floats(), st.sampled_from([10**400, 1e308, -0.0]))
scalars = st.one_of(st.none(), st.booleans(), numbers, names)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
types = st.one_of(
    st.sampled_from(["numeric", "TEXT", "int", "categorical", "string", "Double", "image"]),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["categorical", "text", "float"])},
        optional={"categories": st.lists(scalars, max_size=3), "values": anything},
    ),
)
typed = st.one_of(
    st.dictionaries(names, types, max_size=4),
    st.lists(st.tuples(names, types).map(list), max_size=4),
)
lists = st.lists(names, max_size=4)
maps = st.dictionaries(
    names,
    st.one_of(lists, st.dictionaries(names, st.integers(0, 9), max_size=3), anything),
    max_size=3,
)
KINDS = {
    **dict.fromkeys(("full_field_list", "tab_field_list", "cat_field_list"), lists),
    **dict.fromkeys(("label_name", "id_name", "text_name", "primary_text_name"), names),
    **dict.fromkeys(("field_info", "source_model_inference_input_variable_list"), typed),
    **dict.fromkeys(("categories", "categorical_mappings"), maps),
    "model_class": st.sampled_from(["xgboost", "bimodal_bert"]),
}


def quoted(hyperparameters: dict[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in hyperparameters.items()}


def having(*keys: str) -> st.SearchStrategy[dict[str, Any]]:
    """Hyperparameters with these keys, and perhaps others."""
    others = {name: kind for name, kind in KINDS.items() if name not in keys}
    return st.fixed_dictionaries({key: KINDS[key] for key in keys}, optional=others)


likely = st.one_of(having("tab_field_list"), having("cat_field_list"), having("field_info"))
documents = st.one_of(
    likely.map(json.dumps),
    likely.map(quoted).map(json.dumps),
    st.fixed_dictionaries({}, optional=dict.fromkeys(KINDS, anything)).map(json.dumps),
    anything.map(json.dumps),
    st.text(max_size=9).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)),
)
beside = st.fixed_dictionaries(
    {},
    optional={
        "feature_columns.txt": lists.map(
            lambda columns: "".join(f"{place},{name}\n" for place, name in enumerate(columns))
        ).map(lambda text: text.encode("utf-8", "surrogatepass")),
        "categorical_mappings.json": maps.map(json.dumps),
    },
)
# What an environment can hold: no NUL, nothing but UTF-8 and what stands for other bytes.
texts = (
    st.text(max_size=6)
    .map(lambda text: text.replace("\0", ""))
    .map(lambda text: text.encode("utf-8", "ignore").decode())
)
environments = st.fixed_dictionaries(
    {},
    optional={
        "FIELD_DEFAULTS": st.one_of(
            st.dictionaries(names, scalars, max_size=3).map(json.dumps), anything.map(json.dumps)
        ),
        "SPECIAL_FIELD_a": st.one_of(texts, numbers.map(str)),
        "SPECIAL_FIELD_A": texts,
        "SPECIAL_FIELD_n\n": texts,
        "DEFAULT_TEXT_VALUE": texts,
        "DEFAULT_NUMERIC_VALUE": numbers.map(str),
        "CSV_HEADER": st.sampled_from(["true", "false"]),
    },
)


# ---- the property --------------------------------------------------------------------------------


def refused_or_read_back(
    document: str, files: dict[str, str | bytes], environ: dict[str, str]
) -> str:
    """Check the property for one model and its settings."""
    with tempfile.TemporaryDirectory() as place:
        container = Container(Path(place))
        lay(container.model, {"hyperparameters.json": document, **files})
        outcome = container.payload_here(CONTENT_TYPES=ALL, **environ)
        if outcome.code == 1:
            assert outcome.error
            assert container.outputs() == []
            return "refused"
        assert outcome.code == 0
        samples = container.samples()
    metadata = json.loads(samples["metadata.json"])
    (record,) = json.loads(samples[JSON_SAMPLE])["instances"]
    assert list(record) == [field["name"] for field in metadata["fields"]]
    assert record
    for field in metadata["fields"]:
        value = record[field["name"]]
        assert isinstance(value, str) == (field["type"] == "TEXT")
        assert not isinstance(value, bool)
        if field["value_from"] == "known categories":
            assert value == field["categories"][0]
    assert list(json.loads(samples[LINES_SAMPLE]).items()) == list(record.items())
    rows = list(csv.reader(io.StringIO(samples[CSV_SAMPLE], newline=""), strict=True))
    row = [str(value) for value in record.values()]
    assert rows == ([list(record), row] if environ.get("CSV_HEADER") != "false" else [row])
    return "made"


@given(documents, beside, environments)
@thorough(60)
def test_any_model(document: str, files: dict[str, str | bytes], environ: dict[str, str]) -> None:
    refused_or_read_back(document, files, environ)


@pytest.mark.slow
@given(documents, beside, environments)
@thorough(3000)
def test_any_model_for_long(
    document: str, files: dict[str, str | bytes], environ: dict[str, str]
) -> None:
    refused_or_read_back(document, files, environ)


@given(st.lists(names, min_size=1, max_size=4, unique=True), beside, environments)
@example(["a"], {}, {})
@thorough(40)
def test_any_names(
    fields: list[str], files: dict[str, str | bytes], environ: dict[str, str]
) -> None:
    document = json.dumps({"tab_field_list": fields[::2], "cat_field_list": fields[1::2]})
    refused_or_read_back(document, files, environ)


def test_the_ordinary_is_made() -> None:
    assert refused_or_read_back('{"tab_field_list": ["a"]}', {}, {}) == "made"
    assert refused_or_read_back('{"tab_field_list": "a"}', {}, {}) == "refused"
