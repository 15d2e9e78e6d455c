"""Reading what an endpoint captured: every encoding and shape, whatever is broken; and from S3."""

from __future__ import annotations

import base64
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import captures
from faults import truncated
from mims.errors import InputError, ServiceError
from mims.governance.captures import blocks as by_block
from mims.governance.captures import lines as by_line
from mims.governance.captures import reading
from mims.governance.captures.payloads import Fields
from mims.registration.aws import client

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from faults import Faults

INPUTS = ("bill", "depth", "island")
NOW = captures.AT.timestamp() + 60


def read(
    *where: Path | str,
    inputs: Sequence[str] = INPUTS,
    outputs: Sequence[str] = ("score",),
    **options: Any,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], reading.Unread]:
    """Read files as rows of inputs, rows of outputs with ids and times, and what was refused."""
    unread = reading.Unread()
    found = [source for one in where for source in reading.sources(one)]
    asked, answered = [], []
    options = {"clock": lambda: NOW, **options}
    for block in reading.read(found, inputs, outputs, unread, **options):
        asked += block.inputs.to_pylist()
        described = zip(
            block.outputs.to_pylist(),
            block.ids.to_pylist(),
            block.events.to_pylist(),
            block.times.to_pylist(),
            strict=True,
        )
        answered += [
            {**row, "id": identity, "event": event, "at": at}
            for row, identity, event, at in described
        ]
    return asked, answered, unread


def reasons(unread: reading.Unread) -> dict[str, int]:
    return {reason: cases.count for reason, cases in unread.reasons.items()}


def notes(unread: reading.Unread) -> dict[str, int]:
    return {what: cases.count for what, cases in unread.notes.items()}


def test_a_capture_as_endpoints_write_it(tmp_path: Path) -> None:
    # word for word what AWS's documentation shows, but for fewer values
    line = (
        '{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT",'
        '"data":"69,153.7,Dream\\n","encoding":"CSV"},"endpointOutput":{"observedContentType":'
        '"text/csv; charset=utf-8","mode":"OUTPUT","data":"0.0254181120544672","encoding":"CSV"}},'
        '"eventMetadata":{"eventId":"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",'
        '"inferenceTime":"2022-02-14T17:25:49Z"},"eventVersion":"0"}'
    )
    captures.write(tmp_path, [line])
    asked, answered, unread = read(tmp_path)
    assert asked == [{"bill": "69", "depth": "153.7", "island": "Dream"}]
    at = datetime(2022, 2, 14, 17, 25, 49, tzinfo=UTC)
    event = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
    assert answered == [{"score": "0.0254181120544672", "id": event, "event": event, "at": at}]
    assert (unread.files, unread.records, unread.said()) == (1, 1, ())
    assert unread.oldest == unread.newest == at


ROW = {"bill": "39.1", "depth": "18.7", "island": "Biscoe"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("39.1,18.7,Biscoe", {}),
        ("39.1,18.7,Biscoe\r\n", {}),
        ('39.1,18.7,"Biscoe"', {}),
        ("bill,depth,island\n39.1,18.7,Biscoe\n", {}),  # a client's header
        ("island,bill,depth\nBiscoe,39.1,18.7\n", {}),  # in the client's own order
        ("bill, depth, island\n39.1,18.7,Biscoe\n", {}),
        ('"depth","island","bill"\r\n18.7,"Biscoe",39.1\r\n', {}),
        ("\ufeff39.1,18.7,Biscoe", {}),
        ("39.1,18.7,Biscoe", {"encoding": "BASE64"}),
        ("39.1,18.7,Biscoe", {"encoding": "BASE64", "content_type": "text/csv; charset=utf-8"}),
        ("39.1,18.7,Biscoe", {"encoding": "BASE64", "content_type": ""}),
        ('[39.1, 18.7, "Biscoe"]', {"encoding": "JSON"}),
        ('{"island": "Biscoe", "depth": 18.7, "bill": 39.1}', {"encoding": "JSON"}),
        ('{"instances": [[39.1, 18.7, "Biscoe"]]}', {"encoding": "JSON"}),
        ('{"instances": [{"features": [39.1, "18.7", "Biscoe"]}]}', {"encoding": "JSON"}),
        ('{"features": [39.1, 18.7, "Biscoe"]}\n', {"encoding": "JSON"}),
        (
            '{"inputs": [{"bill": 39.1, "depth": 18.7, "island": "Biscoe"}]}',
            {"encoding": "BASE64", "content_type": "Application/JSON; charset=utf-8"},
        ),
        ("[39.1, 18.7, null]", {"encoding": "BASE64", "content_type": "application/jsonlines"}),
    ],
)
def test_one_row_in_whatever_form(data: str, said: dict[str, Any], tmp_path: Path) -> None:
    captures.write(tmp_path, [captures.line(data, "0.5", output_encoding="CSV", **said)])
    asked, answered, unread = read(tmp_path)
    assert asked == [ROW | ({"island": None} if "null" in data else {})]
    assert [row["score"] for row in answered] == ["0.5"]
    assert unread.said() == ()


@pytest.mark.parametrize(
    ("data", "names", "expected"),
    [
        ("[0.2, 0.8]", ("a", "b"), [("0.2", "0.8")]),
        ("[0.2, 0.8]", ("score",), [("0.2",), ("0.8",)]),  # two predictions
        ("0.2", ("score",), [("0.2",)]),
        ('{"predictions": [0.2, 0.8]}', ("score",), [("0.2",), ("0.8",)]),
        ('{"predictions": [[0.2, 0.8], [0.6, 0.4]]}', ("a", "b"), [("0.2", "0.8"), ("0.6", "0.4")]),
        (
            '{"predictions": [{"score": 1e-3, "label": true}]}',
            ("label", "score"),
            [("true", "1e-3")],
        ),
        ('{"score": 1}\n{"score": 2}', ("score",), [("1",), ("2",)]),
        ("[null]", ("score",), [(None,)]),
        ('["a,b", "c \\"d\\"\\n"]', ("a", "b"), [("a,b", 'c "d"\n')]),
        ("[NaN, -Infinity]", ("a", "b"), [("NaN", "-Infinity")]),
        ('{"score": [1, {"x": "é"}]}', ("score",), [('["1",{"x":"é"}]',)]),
        ("9" * 5000, ("score",), [("9" * 5000,)]),
    ],
)
def test_answers_in_json(
    data: str, names: Sequence[str], expected: list[tuple[str, ...]], tmp_path: Path
) -> None:
    captures.write(tmp_path, [captures.line("1,2,x", data, output_encoding="JSON")])
    _, answered, unread = read(tmp_path, outputs=names)
    assert [tuple(row[name] for name in names) for row in answered] == expected
    assert unread.said() == ()


GOOD = captures.line("39.1,18.7,Biscoe")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (captures.line("39.1,18.7"), "has 2 values, the baseline 3"),
        (captures.line("39.1,18.7,Biscoe\n1,2,3,4\n"), "has 4 values, the baseline 3"),
        (captures.line(""), "has no data"),
        (captures.line("\n\n"), "has no data"),
        (captures.line("[]", encoding="JSON", output_encoding="CSV"), "has no data"),
        (captures.line("[1, 2", encoding="JSON"), "said to be JSON is not"),
        (captures.line("[" * 100_000, encoding="JSON"), "said to be JSON is not"),
        (
            captures.line('{"error": "no such model"}', encoding="JSON"),
            "has none of the baseline's fields, but error",
        ),
        (
            captures.line(b"\x93NUMPY", encoding="BASE64", content_type="application/x-npy"),
            "of type application/x-npy is no UTF-8",
        ),
        (
            captures.line("a", encoding="BASE64", content_type="image/svg"),
            "has content type image/svg: CSV or JSON can be read",
        ),
        (
            captures.line("1,2,x", encoding="XML"),
            "has encoding XML: CSV, JSON or BASE64 can be read",
        ),
        (GOOD.replace('"encoding":"CSV"', '"encoding":"BASE64"'), "said to be BASE64 is not"),
        (captures.line("1,2,x", '{"score": "\\ud800"}', output_encoding="JSON"), "is no UTF-8"),
        (captures.line(None, None), "has neither input nor output"),
        ("{}", "has neither input nor output"),
        ("null", "the line is no JSON object"),
        ("[1]", "the line is no JSON object"),
        ('{"captureData": "x"}', "captureData is no JSON object"),
        (GOOD.replace('"data":"39.1,18.7,Biscoe"', '"data":[1,2,3]'), "data is no text"),
        (GOOD.replace("Biscoe", "\\udc00"), "is no UTF-8"),
        (GOOD.encode().replace(b"Biscoe", b"\xff"), "is no UTF-8"),
        ("not json", "is no JSON"),
        (GOOD + GOOD, "is no JSON"),
        (GOOD[:-1], "is no JSON"),
    ],
)
def test_a_bad_line_is_told_and_costs_no_other(
    line: str | bytes, reason: str, tmp_path: Path
) -> None:
    path = captures.write(tmp_path, [GOOD, line, GOOD])
    asked, answered, unread = read(tmp_path)
    assert asked == [ROW, ROW]
    assert len(answered) == 2
    assert reasons(unread) == {reason: 1}
    assert unread.said() == (f"not read: {path} line 2: {reason}",)
    assert unread.records == 2


def test_a_file_that_ends_within_a_line(tmp_path: Path) -> None:
    path = captures.write(tmp_path, [GOOD, GOOD])
    whole = path.read_bytes()
    for missing in range(2, 300, 7):
        path.write_bytes(whole[:-missing])
        asked, _, unread = read(tmp_path)
        assert asked == [ROW]
        assert unread.said() == (f"not read: {path} line 2: cut off",)
    path.write_bytes(whole[:-1])  # only the last line's end
    assert read(tmp_path)[0] == [ROW, ROW]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", ": is empty"),
        (b"{", " line 1: cut off"),
        (b"\xff", " line 1: cut off"),
        (b"\n", None),
        (b"\xef\xbb\xbf", None),
    ],
)
def test_a_file_of_next_to_nothing(content: bytes, said: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    asked, answered, unread = read(path)
    assert (asked, answered, unread.files) == ([], [], 1)
    assert unread.said() == ((f"not read: {path}{said}",) if said else ())


def test_one_side_alone(tmp_path: Path) -> None:
    lines = [captures.line("1,2,x", None), captures.line(None, "0.5"), GOOD]
    captures.write(tmp_path, lines)
    asked, answered, unread = read(tmp_path)
    assert len(asked) == len(answered) == 2
    assert notes(unread) == {"has no input": 1, "has no output": 1}
    assert unread.records == 3
    asked, answered, unread = read(tmp_path, inputs=())  # labels need no inputs
    assert (len(asked), len(answered), notes(unread)) == (0, 2, {"has no output": 1})


def test_rows_that_come_together_share_their_id(tmp_path: Path) -> None:
    lines = [
        captures.line("1,2,x\n3,4,y", "0.1\n0.2\n", event_id="a"),
        captures.line("5,6,z", "0.3", event_id="b", inference_id="mine"),
    ]
    captures.write(tmp_path, lines)
    asked, answered, _ = read(tmp_path)
    assert [row["bill"] for row in asked] == ["1", "3", "5"]
    assert [(row["score"], row["id"], row["event"]) for row in answered] == [
        ("0.1", "a", "a"),
        ("0.2", "a", "a"),
        ("0.3", "mine", "b"),
    ]


def test_numbers_are_numbers_where_all_are(tmp_path: Path) -> None:
    captures.write(tmp_path, [captures.line(" 1.5,,x"), captures.line("inf,nan,")])
    asked, answered, _ = read(tmp_path, input_numbers=("bill", "depth"), output_numbers=("score",))
    assert [row["bill"] for row in asked] == [1.5, float("inf")]
    assert asked[0]["depth"] is None
    assert asked[1]["depth"] != asked[1]["depth"]
    assert [row["island"] for row in asked] == ["x", None]
    assert answered[0]["score"] == 0.5
    captures.write(tmp_path, [captures.line("1,2,x"), captures.line("n/a,3,x")])
    asked, _, _ = read(tmp_path, input_numbers=("bill", "depth"))
    assert [row["bill"] for row in asked] == ["1", "n/a"]
    assert [row["depth"] for row in asked] == [2.0, 3.0]


def test_new_fields_are_columns_of_their_own(tmp_path: Path) -> None:
    new = '{"bill": 1, "depth": 2, "island": "x", "sex": "f", "age": null}'
    captures.write(tmp_path, [GOOD, captures.line(new, "1", encoding="JSON"), "{", GOOD])
    asked, _, _ = read(tmp_path)
    assert [row["sex"] for row in asked] == [None, "f", None]
    assert list(asked[0]) == [*INPUTS, "sex", "age"]


def test_a_header_tells_of_fields_that_are_new_or_vanished(tmp_path: Path) -> None:
    found = ["id,island,depth,bill\n7,x,2,1", "island,bill\nx,1\ny,2", "depth,bill\n2,1,9"]
    captures.write(tmp_path, [captures.line(data, "1\n2"[: data.count("\n")]) for data in found])
    asked, _, unread = read(tmp_path)
    assert asked == [
        {"bill": "1", "depth": "2", "island": "x", "id": "7"},
        {"bill": "1", "depth": None, "island": "x", "id": None},
        {"bill": "2", "depth": None, "island": "y", "id": None},
    ]
    assert list(unread.reasons) == ["has 3 values, its header 2"]


def test_names_that_never_end_take_little_memory(tmp_path: Path) -> None:
    """A client that puts an id in the name of a field: each would be a column."""
    row = '{{"bill": 1, "depth": 2, "island": "x", "{}": 1}}'
    every = (captures.line(row.format(at), "1", encoding="JSON") for at in range(300))
    captures.write(tmp_path, every)
    asked, _, unread = read(tmp_path)
    assert len(asked) == 300
    assert list(asked[0]) == [*INPUTS, *map(str, range(100))]
    assert unread.said() == ()


def test_a_field_that_vanished_is_missing(tmp_path: Path) -> None:
    captures.write(tmp_path, [captures.line('{"bill": 1, "depth": 2}', "1", encoding="JSON")])
    asked, _, unread = read(tmp_path)
    assert asked == [{"bill": "1", "depth": "2", "island": None}]
    assert unread.said() == ()


def test_clocks_that_go_wrong_are_noted_and_cost_nothing(tmp_path: Path) -> None:
    at = captures.AT
    times = [at, at - timedelta(hours=3), at + timedelta(days=9), at - timedelta(minutes=5)]
    lines = [captures.line("1,2,x", at=one) for one in times]
    lines += [
        lines[0].replace("2026-03-02T14:30:00Z", odd) for odd in ("yesterday", "", "0001-01-01")
    ]
    captures.write(tmp_path, lines)
    asked, answered, unread = read(tmp_path)
    assert len(asked) == len(lines)
    assert notes(unread) == {
        "has an inferenceTime in the future": 1,
        "has an inferenceTime more than an hour before that of a line above": 3,
        "has no inferenceTime that can be read": 2,
    }
    assert answered[0]["at"] == at
    assert answered[4]["at"] is None


def test_a_giant_line_is_left_out_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1 << 12)
    monkeypatch.setattr(reading, "LONGEST", 1 << 16)
    lines = [GOOD, captures.line("9" * (1 << 18)), GOOD, captures.line(f"1,2,{'x' * 50_000}"), GOOD]
    path = captures.write(tmp_path, lines)
    most = max(len(piece.data) for piece in reading.pieces("x", _chunks(path, 1 << 12)))
    assert most < 1 << 17
    asked, _, unread = read(tmp_path)
    assert [len(row["island"]) for row in asked] == [6, 6, 50_000, 6]
    assert unread.said() == (f"not read: {path} line 2: longer than 0 MiB",)


def _chunks(path: Path, size: int) -> Iterable[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk


def test_blocks_end_where_lines_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [captures.line(f"{n},{n * n},é{n}", f"{n}") for n in range(40)]
    lines[7] = lines[7][:-9]
    for n in range(3):
        captures.write(tmp_path, lines, name=f"{n}.jsonl")
    expected = read(tmp_path)
    assert len(expected[0]) == 39 * 3
    for size in (1, 7, 100, 399, 1000, 5000):
        monkeypatch.setattr(reading, "BLOCK", size)
        assert read(tmp_path) == expected


def test_a_caller_may_stop_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1000)
    captures.write(tmp_path, [GOOD] * 100)
    blocks = reading.read(reading.sources(tmp_path), INPUTS, (), reading.Unread())
    assert next(iter(blocks)).inputs.num_rows


# Fast and slow give the same.

NUMBERS = st.one_of(
    st.floats().map(repr), st.integers().map(str), st.sampled_from(["", " 1", "+1", "n/a", "NaN"])
)
WORDS = st.one_of(
    st.text(max_size=4),
    st.sampled_from(
        ["Dream", 'say "no"', "a,b", "é", "a\nb", "\r", "\u2028", "\ufeff", "\0", " x"]
    ),
)


def _as_csv(row: Sequence[str], *, quoted: bool) -> str:
    if quoted:
        return ",".join('"' + value.replace('"', '""') + '"' for value in row)
    return ",".join(row)


@st.composite
def payloads(draw: st.DrawFn, width: int) -> dict[str, str]:
    """A payload that may well be wrong."""
    size = draw(st.sampled_from([width] * 8 + [width + 1, 1]))
    row = st.tuples(*[NUMBERS] * (size - 1), WORDS)
    found = draw(st.lists(row, min_size=draw(st.sampled_from([1, 1, 1, 0])), max_size=2))
    kind = draw(st.sampled_from(["CSV", "CSV", "CSV", "JSON", "list"]))
    if kind == "CSV":
        quoted = draw(st.booleans())
        end = draw(st.sampled_from(["", "\n", "\r\n", "\n\n"]))
        text = "\n".join(_as_csv(one, quoted=quoted) for one in found) + end
        if draw(st.integers(0, 5)) == 0:
            names = draw(st.permutations([*INPUTS, "new"])) if width > 1 else ["score"]
            text = ",".join(names[:size]) + "\n" + text
    elif kind == "list":
        text = json.dumps({"instances": found}, ensure_ascii=draw(st.booleans()))
    else:
        names = [*INPUTS, "new"][: size or 1]
        text = "\n".join(json.dumps(dict(zip(names, one, strict=False))) for one in found)
    encoding = "CSV" if kind == "CSV" else "JSON"
    types = {"CSV": "text/csv; charset=utf-8", "JSON": "application/json"}
    if draw(st.integers(0, 3)) == 0 and text.isprintable():
        data, told = base64.b64encode(text.encode()).decode(), "BASE64"
    else:
        data, told = text, encoding
    return {"data": data, "encoding": told, "observedContentType": types[encoding], "mode": "?"}


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line that may well be wrong."""
    sides: dict[str, Any] = {
        "endpointInput": draw(payloads(3)),
        "endpointOutput": draw(payloads(1)),
    }
    if draw(st.integers(0, 9)) == 0:
        sides[draw(st.sampled_from(sorted(sides)))] = None
    times = ["2026-03-02T14:30:00Z", "2026-03-02T14:30:00.25+01:00", "soon", None]
    metadata = {
        "eventId": draw(st.sampled_from(["a", "b"])),
        "inferenceTime": draw(st.sampled_from(times[:1] * 5 + times)),
    }
    if draw(st.booleans()):
        metadata["inferenceId"] = draw(st.text(max_size=2))
    found = {"captureData": sides, "eventMetadata": metadata, "eventVersion": "0"}
    text = json.dumps(found, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
    fault = draw(st.integers(0, 30))
    odd = {0: b"", 1: b"  ", 2: text[: len(text) // 2], 3: text + text, 4: b" " + text, 5: b"null"}
    odd |= {6: text.replace(b'"data"', b'"data": "1,2,3", "data"', 1), 7: text[:20] + b"\xff"}
    return odd.get(fault, text)


@settings(max_examples=120, deadline=None)
@given(st.lists(lines(), max_size=12), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_the_fast_way_and_the_slow_way_agree(found: list[bytes], end: bytes, ended: bool) -> None:
    data = end.join(found) + (end if ended else b"")
    together = _read_block([by_block.Piece("f", 1, data, is_end=True)])
    apart = [
        _read_block([by_block.Piece("f", number, line + b"\n")])
        for number, line in enumerate(data.split(b"\n")[:-1], 1)
    ]
    last = data.split(b"\n")[-1]
    if last:
        piece = by_block.Piece("f", data.count(b"\n") + 1, last, is_end=True)
        apart.append(_read_block([piece]))
    assert _without_nulls(together[0]) == _without_nulls([row for one in apart for row in one[0]])
    assert _without_nulls(together[1]) == _without_nulls([row for one in apart for row in one[1]])
    counted: Counter[str] = Counter()
    for one in apart:
        counted.update(one[2])
    assert together[2] == counted


def _without_nulls(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A new field's column is there in a block where a record has it."""
    return [{name: value for name, value in row.items() if value is not None} for row in found]


def _read_block(
    found: list[by_block.Piece],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], Counter[str]]:
    inputs, outputs = Fields.of(INPUTS), Fields.of(("score",))
    captured, unread = by_block.read_block(found, inputs, outputs, NOW)
    said = Counter({reason: cases.count for reason, cases in unread.reasons.items()})
    said.update({what: cases.count for what, cases in unread.notes.items() if "before" not in what})
    said["records"] = unread.records
    if captured is None:
        return [], [], said
    answered = captured.outputs
    for name in ("ids", "events", "times"):
        answered = answered.append_column(name, pa.chunked_array([getattr(captured, name)]))
    return captured.inputs.to_pylist(), answered.to_pylist(), said


def test_a_bad_line_does_not_make_the_others_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [GOOD] * 5000
    lines[3210] = "{"
    captures.write(tmp_path, lines)
    one_by_one: list[bytes] = []
    slow = by_line.record

    def counted(line: bytes, *, cut: bool) -> dict[str, Any]:
        one_by_one.append(line)
        return slow(line, cut=cut)

    monkeypatch.setattr(by_block, "record", counted)
    asked, _, unread = read(tmp_path)
    assert (len(asked), reasons(unread)) == (4999, {"is no JSON": 1})
    assert len(one_by_one) < 200


# Which files.

HOURS = [captures.AT + timedelta(hours=n) for n in range(4)]


def test_a_folder_s_files_by_endpoint_variant_and_hour(tmp_path: Path) -> None:
    for n, at in enumerate(HOURS):
        for variant in ("champion", "challenger"):
            captures.write(tmp_path, [GOOD] * (n + 1), variant=variant, at=at)
    captures.write(tmp_path, [GOOD] * 100, endpoint="other")
    (tmp_path / "notes.txt").write_text("no capture", encoding="utf-8")

    def count(**options: Any) -> int:
        return len(reading.sources(tmp_path, **options))

    assert count() == 9
    assert count(endpoint="penguins") == 8
    assert count(variant="champion") == 4
    assert count(endpoint="penguins", since=HOURS[1] + timedelta(minutes=29)) == 6
    assert count(endpoint="penguins", variant="champion", since=HOURS[1], until=HOURS[2]) == 2
    on_the_hour = HOURS[2].replace(minute=0)
    assert count(variant="champion", since=HOURS[1], until=on_the_hour) == 1
    assert count(variant="champion", since=on_the_hour, until=HOURS[2]) == 1
    assert count(endpoint="nobody") == 0
    inside = tmp_path / "penguins" / "champion"
    assert len(reading.sources(inside, variant="champion", until=HOURS[0])) == 1
    with pytest.raises(InputError, match="nowhere: No such file"):
        reading.sources(tmp_path / "nowhere")


@pytest.fixture
def stored(s3: S3Client, bucket: str) -> list[str]:
    """Captures in S3: small files, and one that takes several blocks."""
    keys = []
    for n, at in enumerate(HOURS):
        for variant in ("champion", "challenger"):
            keys.append(f"captures/{captures.key(variant=variant, at=at)}")
            lines = [GOOD] * (n + 1) if n else [captures.line("1,2,y")] * 8000
            s3.put_object(Bucket=bucket, Key=keys[-1], Body=captures.content(lines))
    for key in ("captures-of-others/a.jsonl", "captures/penguins/manifest.json"):
        s3.put_object(Bucket=bucket, Key=key, Body=captures.content([GOOD]))
    return keys


def test_s3_s_files_by_endpoint_variant_and_hour(
    stored: list[str], s3: S3Client, bucket: str
) -> None:
    where = f"s3://{bucket}/captures"

    def keys(at: str = where, **options: Any) -> list[str]:
        found = reading.sources(at, s3=s3, **options)
        return [one.uri.removeprefix(f"s3://{bucket}/") for one in found]

    assert sorted(keys()) == sorted(stored)
    assert sorted(keys(endpoint="penguins")) == sorted(stored)
    assert keys(endpoint="penguins", variant="champion") == stored[::2]
    one: dict[str, Any] = {"variant": "champion", "since": HOURS[1], "until": HOURS[2]}
    assert keys(endpoint="penguins", **one) == stored[2:6:2]
    assert keys(f"{where}/penguins/", **one) == stored[2:6:2]
    assert keys(f"{where}/penguins", endpoint="penguins", **one) == stored[2:6:2]
    assert keys(f"s3://{bucket}/{stored[3]}") == [stored[3]]
    assert keys(endpoint="nobody") == []
    with pytest.raises(InputError, match="a region is needed"):
        reading.sources(where)
    with pytest.raises(ServiceError, match="create the bucket"):
        reading.sources("s3://mims-nowhere/captures", s3=s3)


def test_reading_s3(stored: list[str], s3: S3Client, bucket: str) -> None:
    found = reading.sources(f"s3://{bucket}/captures", s3=s3)
    gone = reading.Source(f"s3://{bucket}/captures/gone.jsonl", 10, s3)
    unread = reading.Unread()
    blocks = list(reading.read([*found, gone], INPUTS, ("score",), unread))
    assert sum(block.inputs.num_rows for block in blocks) == 2 * (8000 + 2 + 3 + 4)
    assert unread.files == len(stored) + 1
    assert unread.said() == (f"not read: {gone.uri}: was deleted after it was listed",)


def test_an_answer_that_breaks_off_is_asked_for_the_rest(
    stored: list[str], bucket: str, proxy: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK", 1 << 18)
    s3 = client("s3", "us-west-2")
    found = reading.sources(f"s3://{bucket}/{stored[0]}", s3=s3)
    assert found[0].size > 8 * reading.BLOCK
    proxy.on("GetObject", truncated(keep=2 * reading.BLOCK + 1000), times=2)
    unread = reading.Unread()
    blocks = reading.read(found, INPUTS, ("score",), unread)
    assert sum(block.inputs.num_rows for block in blocks) == unread.records == 8000
    assert unread.said() == ()
    assert proxy.count("GetObject") == 3
    proxy.on("GetObject", truncated(keep=1000))
    with pytest.raises(ServiceError, match="GetObject in us-west-2 for s3://"):
        list(reading.read(found, INPUTS, ("score",), reading.Unread()))
