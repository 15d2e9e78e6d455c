"""mims_payload.py: content types, quoting, the archive.

What a model takes and what the samples say: test_payload_artifacts, _fields and _values.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from front_door import lay
from mims import __version__
from mims.errors import MimsError
from mims.payload.formats import Records, formats, reads_back
from mims.payload.samples import make_samples
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

# ---- content types -------------------------------------------------------------------------------


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
        ({"CONTENT_TYPES": "text/CSV"}, "CONTENT_TYPES is 'text/CSV': must be a comma"),
        (
            {"CONTENT_TYPES": "application/json; charset=utf-8"},
            "a comma-separated list, each once, of application/json, text/csv, application/jsonl",
        ),
        ({"PAYLOAD_LAYOUT": "flat"}, "PAYLOAD_LAYOUT is 'flat': must be mims or recommender"),
        (
            {"PAYLOAD_LAYOUT": "recommender", "CONTENT_TYPES": "text/csv,application/json"},
            "PAYLOAD_LAYOUT is 'recommender', which is of one content type, and CONTENT_TYPES is",
        ),
        ({"CSV_HEADER": "yes"}, "CSV_HEADER is 'yes': must be true or false"),
    ],
)
def test_bad_settings(container: Container, setting: dict[str, str], says: str) -> None:
    assert says in refused(container, FIELDS, **setting)


def test_all_bad_settings_are_told_at_once(container: Container) -> None:
    outcome = container.payload(CONTENT_TYPES="a/b", DEFAULT_NUMERIC_VALUE="x", CSV_HEADER="maybe")

    assert outcome.code == 1
    assert outcome.error.startswith("4 problems:")
    for part in ("CONTENT_TYPES", "DEFAULT_NUMERIC_VALUE", "CSV_HEADER", "model_input is missing"):
        assert part in outcome.error


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

    assert (
        "application_json/sample_payload.json would have over 6291456 bytes, the most that "
        "InvokeEndpoint takes: shorten the values"
    ) in error


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
    raw = (container.output / "payload.tar.gz").read_bytes()
    archive = {"sha256": hashlib.sha256(raw).hexdigest(), "size": len(raw)}
    expected = {
        "tool": f"mims {__version__}",
        "layout": "mims",
        "content_types": ["application/json", "text/csv"],
        "csv_header": True,
        "records": 1,
        "custom_payload": None,
        "fields": [
            {"name": "a", "type": "NUMERIC", "value_from": "DEFAULT_NUMERIC_VALUE"},
            {"name": "b", "type": "TEXT", "value_from": "SPECIAL_FIELD_b"},
        ],
        "files": [
            described(samples, JSON_SAMPLE, "application/json"),
            described(samples, CSV_SAMPLE, "text/csv"),
        ],
        # what the registration config takes as it is
        "source_model_inference_input_variable_list": {"a": "NUMERIC", "b": "TEXT"},
    }
    assert json.loads(samples["metadata.json"]) == expected
    # the one beside the archive knows the archive too
    assert container.metadata() == {**expected, "archive": {"name": "payload.tar.gz", **archive}}
    assert {name: outcome.message[name] for name in archive} == archive
    assert outcome.message["fields"] == 2
    assert outcome.message["records"] == 1


def described(samples: dict[str, str], name: str, content_type: str) -> dict[str, Any]:
    """What metadata says of a sample of one record."""
    body = samples[name].encode()
    digest = hashlib.sha256(body).hexdigest()
    return {
        "name": name,
        "content_type": content_type,
        "records": 1,
        "size": len(body),
        "sha256": digest,
    }


@pytest.mark.parametrize(
    "setting",
    [
        {"CONTENT_TYPES": ALL},
        {"CONTENT_TYPES": "text/csv", "PAYLOAD_LAYOUT": "recommender"},
    ],
)
def test_same_input_same_bytes(container: Container, setting: dict[str, str]) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})
    lay(container.custom_payload, {"rows.json": '[{"a": 1, "b": "", "z": 1}, {"a": 2, "b": ""}]'})
    left = set()
    for zone in ("UTC", "Japan"):
        container.payload(TZ=zone, **setting)
        left.add(tuple((container.output / n).read_bytes() for n in container.outputs()))
    assert len(left) == 1


@pytest.mark.parametrize(
    ("setting", "suffix", "bodies"),
    [
        (
            {},
            ".json",
            [
                '{"instances": [\n{"a": 1, "b": "x"}\n]}\n',
                '{"instances": [\n{"a": 2.5, "b": ""}\n]}\n',
            ],
        ),
        ({"CONTENT_TYPES": "text/csv"}, ".csv", ["a,b\n1,x\n", 'a,b\n2.5,""\n']),
        (
            {"CONTENT_TYPES": "text/csv", "CSV_HEADER": "false"},
            ".csv",
            ["1,x\n", '2.5,""\n'],
        ),
        (
            {"CONTENT_TYPES": "application/jsonlines"},
            ".jsonl",
            ['{"a": 1, "b": "x"}\n', '{"a": 2.5, "b": ""}\n'],
        ),
    ],
)
def test_a_load_test_gets_requests_and_nothing_else(
    container: Container, setting: dict[str, str], suffix: str, bodies: list[str]
) -> None:
    """It sends every file of the archive: so a record each, and no metadata.json among them."""
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})
    lay(container.custom_payload, {"rows.csv": 'a,b\n1,x\n2.5,""\n'})

    outcome = container.payload_here(PAYLOAD_LAYOUT="recommender", **setting)

    assert outcome.code == 0, outcome.error
    names = [f"sample_payload_{number:04}{suffix}" for number in (1, 2)]
    samples = container.samples()
    assert list(samples.items()) == list(zip(names, bodies))
    metadata = container.metadata()
    assert metadata["layout"] == "recommender"
    assert metadata["records"] == 2
    content_type = setting.get("CONTENT_TYPES", "application/json")
    assert metadata["files"] == [described(samples, name, content_type) for name in names]


def test_one_record_for_a_load_test(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})

    container.payload_here(PAYLOAD_LAYOUT="recommender", CONTENT_TYPES="text/csv")

    assert container.samples() == {"sample_payload_0001.csv": "a,b\n0.0,DEFAULT_TEXT\n"}


def test_more_files_than_a_load_test_needs(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})
    lay(container.custom_payload, {"rows.csv": "a,b\n" + "1,x\n" * 10_001})

    outcome = container.payload_here(PAYLOAD_LAYOUT="recommender")

    assert outcome.code == 1
    assert "10000 at most, and there are 10001 records: give fewer" in outcome.error


def test_the_other_layout_takes_the_place_of_the_first(container: Container) -> None:
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})
    container.payload_here()

    container.payload_here(PAYLOAD_LAYOUT="recommender")

    assert list(container.samples()) == ["sample_payload_0001.json"]
    assert container.metadata()["layout"] == "recommender"


def test_a_sample_that_reads_back_differently_is_no_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = formats(csv_header=True)
    wrong = broken["text/csv"]._replace(write=lambda _: iter(["a\n", "0\n"]))
    monkeypatch.setattr("mims.payload.samples.formats", lambda _: {**broken, "text/csv": wrong})
    settings = {"CONTENT_TYPES": ["text/csv"], "PAYLOAD_LAYOUT": "mims", "CSV_HEADER": True}

    with pytest.raises(MimsError, match="reads back differently"):
        make_samples(Records(["a"], [(0.0,)]), settings)


def test_csv_carries_no_nul(container: Container) -> None:
    """Readers end the text there, or refuse it; JSON escapes it."""
    lay(container.model, {"hyperparameters.json": HYPERPARAMETERS})
    lay(container.custom_payload, {"rows.json": '{"a": 1, "b": "x\\u0000y"}'})

    assert container.payload_here().code == 0
    (record,) = json.loads(container.samples()[JSON_SAMPLE])["instances"]
    assert record["b"] == "x\0y"
    outcome = container.payload_here(CONTENT_TYPES="text/csv")
    assert outcome.code == 1
    assert "text/csv cannot carry a NUL character" in outcome.error


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (5, "5"),
        ("5", 5),
        (5, 5.0),
        (5.0, 5),
        (1, True),
        ("true", True),
        ("", None),
        ("a", "A"),
        ("a", ["a"]),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/jsonlines"])
def test_a_sample_of_other_types_does_not_read_back(
    sent: Any, received: Any, content_type: str
) -> None:
    form = formats(csv_header=True)[content_type]
    body = "".join(form.write(Records(["a", "b"], [(0, received)])))

    assert not reads_back(form, Records(["a", "b"], [(0, sent)]), body)
    assert reads_back(form, Records(["a", "b"], [(0, received)]), body)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", '{"instances": [{"a": 1, "b": "x"}]}'),
        ("application/json", '{"instances": [{"a": 1, "b": "x"}, {"a": 2}]}'),
        ("application/json", '{"instances": [{"b": "x", "a": 1}, {"a": 2, "b": "y"}]}'),
        ("application/json", '{"instances": [{"a": 2, "b": "y"}, {"a": 1, "b": "x"}]}'),
        ("application/jsonlines", '{"a": 1, "b": "x"}\n'),
        ("text/csv", "a,b\n1,x\n"),
        ("text/csv", "a,b\n1,x\n2\n"),
        ("text/csv", "b,a\n1,x\n2,y\n"),
        ("text/csv", "a,b\n1,x\n2.0,y\n"),
        ("text/csv", "a,b\n1,x\n2,y \n"),
        ("text/csv", "a,b\n1,x\n2,y\n3,z\n"),
    ],
)
def test_other_records_do_not_read_back(content_type: str, body: str) -> None:
    records = Records(["a", "b"], [(1, "x"), (2, "y")])
    form = formats(csv_header=True)[content_type]

    assert not reads_back(form, records, body)
    assert reads_back(form, records, "".join(form.write(records)))


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
