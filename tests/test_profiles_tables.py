"""Files of records as tables: what is read, and what is told of files that are wrong."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drift_data import birds, written
from governance_versions import REGION
from mims.errors import InputError, ServiceError
from mims.governance.profiles import tables
from mims.governance.profiles.columns import labels, numbers
from mims.governance.profiles.json_lines import irregular, regular
from mims.governance.profiles.tables import opened
from mims.governance.registry import Registry

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from faults import Faults

SCRIPTS = Path(__file__).parents[1] / "scripts"


def read(where: Any, registry: Registry | None = None, **options: Any) -> list[dict[str, Any]]:
    with opened(str(where), registry, **options) as found:
        return [row for table in found for row in table.to_pylist()]


def wrong(where: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(where, **options)
    return str(caught.value)


@pytest.fixture
def registry(bucket: str) -> Registry:
    """The registry of the region that the bucket is in."""
    del bucket
    return Registry(REGION)


# What is read


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_the_penguins(tmp_path: Path, form: str) -> None:
    data = birds()
    rows = read(written(tmp_path, pa.Table.from_pandas(data), form))
    assert rows == data.to_dict("records")


def test_csv_is_texts(tmp_path: Path) -> None:
    path = tmp_path / "a.CSV"
    path.write_bytes('\ufeffa,"b, c"\r\n01,"x ""y""\nz"\r\n,\r\n'.encode())
    assert read(path) == [{"a": "01", "b, c": 'x "y"\nz'}, {"a": "", "b, c": ""}]


def test_csv_without_names(tmp_path: Path) -> None:
    path = tmp_path / "train"
    path.write_text("1,2\n3,4\n")
    assert read(path, form="csv", names=("a", "b")) == [
        {"a": "1", "b": "2"},
        {"a": "3", "b": "4"},
    ]


def test_json_lines_of_all_sorts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1, "t": "2024-01-01"}\n{"a": 2.5}\n\n{"a": "x", "b": {"c": [1]}}\n{}\n')
    first, second, third, fourth = read(path)
    assert first == {"a": "1", "t": "2024-01-01", "b": None}
    assert (second["a"], third["a"], fourth) == ("2.5", "x", {"a": None, "t": None, "b": None})
    assert third["b"] == ['{"c": [1]}']


def test_objects_without_members_are_records_too(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("{}\n{}\n")
    with opened(str(path)) as found:
        assert sum(map(len, found)) == 2


def test_a_folder_and_packed_files(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "day=1").mkdir(parents=True)
    (folder / "day=1" / "b.csv.gz").write_bytes(gzip.compress(b"x,y\n3,c\n"))
    (folder / "a.csv").write_text("x,y\n1,a\n")
    (folder / "c.json").write_text('{"y": "d", "x": 4}\n')
    (folder / "_temporary").mkdir()
    for marker in ("_SUCCESS", ".part.crc", "_temporary/d.csv"):
        (folder / marker).touch()
    assert [row["y"] for row in read(folder)] == ["a", "d", "c"]
    with opened(str(folder)) as found:
        about = found.about()
    assert (about["files"], about["names"]) == (3, ["a.csv", "c.json", "day=1/b.csv.gz"])


def test_the_index_of_pandas_is_no_column(tmp_path: Path) -> None:
    birds()[["sex"]].iloc[[5, 3, 9]].to_parquet(tmp_path / "a.parquet")
    assert "__index_level_0__" in pyarrow.parquet.read_schema(tmp_path / "a.parquet").names
    assert [*read(tmp_path / "a.parquet")[0]] == ["sex"]


def test_wide_parquet_comes_in_fewer_records_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_CELLS", 100)
    made = pa.table({f"x{at}": [*range(25)] for at in range(10)})
    pyarrow.parquet.write_table(made, tmp_path / "a.parquet")
    with opened(str(tmp_path / "a.parquet")) as found:
        portions = [*found]
    assert max(map(len, portions)) == 10
    assert pa.concat_tables(portions) == made


def test_a_single_file_is_told_by_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x\na\n")
    with opened(str(path)) as found:
        about = found.about()
    printed = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True)
    assert about == {"files": 1, "names": ["a.csv"], "sha256": printed.stdout.split()[0]}


# What is wrong


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"", "a.csv: is empty"),
        ("a.csv", b"\n\n", "a.csv: is empty"),
        ("a.jsonl", b"", "a.jsonl: is empty"),
        ("a.parquet", b"", "a.parquet: is empty"),
        ("a.parquet", b"PAR1 and so on", "a.parquet: is no parquet: "),
        (
            "a.dat",
            b"x\n1\n",
            "a.dat: its name tells no format: end it in .csv, .jsonl or .parquet, or",
        ),
        ("a.csv", b"x,y,x\n1,2,3\n", "a.csv: has two columns named x"),
        (
            "a.csv",
            b"x;y\n1;2\n",
            "its one column is named x;y: between values there must be a comma",
        ),
        ("a.csv", b",x\n0,1\n", "its column 1 has no name (pandas writes its index so"),
        ("a.csv", b"1,2.5\n3,4\n", "its first line is numbers, no names: give --names a,b,c"),
        ("a.csv", b"x,y\n1,2\n3\n", "a.csv: is no csv: CSV parse error: Expected 2 columns, got 1"),
        ("a.csv", b"x,y\n1,\xff\n", "a.csv: is no csv: "),
        ("a.csv.gz", b"x,y\n1,2\n", "a.csv.gz: is no csv: "),
        (
            "a.csv.gz",
            gzip.compress(b"x\n" + b"abc\n" * 999, mtime=0)[:-20],
            "a.csv.gz: is no csv: ",
        ),
        ("a.jsonl", b'{"x": 1}\n{"x": 2\n[3]\n', "a.jsonl line 2: is no JSON: "),
        ("a.jsonl", b'{"x": 1}\n{"x": 2\n[3]\n', "a.jsonl line 3: must be an object, not [3]"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl line 1: is no JSON: "),
        ("a.jsonl", b"x\n" * 9, "a.jsonl: 4 more like these"),
        ("a.jsonl", b'{"x": "\xff"}\n', "a.jsonl line 1: is no JSON: "),
    ],
)
def test_files_that_are_not_as_they_should_be(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert problem in wrong(tmp_path / name)


def test_no_such_file(tmp_path: Path) -> None:
    assert wrong(tmp_path / "a.csv") == f"cannot read {tmp_path}/a.csv: No such file or directory"
    assert wrong(tmp_path) == f"{tmp_path}: is an empty folder"


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("a", "b", "c"), "has 2 columns, and 3 names are given"),
        (("x", "y"), "its first line has these names: leave out --names"),
    ],
)
def test_names_that_do_not_fit(tmp_path: Path, names: tuple[str, ...], problem: str) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    assert problem in wrong(tmp_path / "a.csv", names=names)


def test_every_file_that_is_wrong_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("z,y\n1,2\n")
    (tmp_path / "c.csv").write_text("x,x\n1,2\n")
    (tmp_path / "d.csv").touch()
    said = wrong(tmp_path)
    assert "b.csv: its columns are not those of a.csv: x, z" in said
    assert "c.csv: has two columns named x" in said
    assert "d.csv: is empty" in said


# JSON, quickly and with care

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["2024-01-01", "2024-01-01 10:00:00", "1.0", "", "NA"]),
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from("abc"), SCALARS | st.lists(SCALARS, max_size=2)), max_size=8
)


@given(ROWS, st.booleans())
@example([{"a": 1.0}, {"a": 2}], True)
@example([{"a": "\ud800"}], True)
def test_both_ways_to_read_json_mean_the_same(rows: list[dict[str, Any]], ended: bool) -> None:
    block = ("\n".join(map(json.dumps, rows)) + "\n" * ended).encode()
    slow = irregular(block, "x")
    fast = regular(block, set()) if rows else None
    if fast is None:
        return
    assert len(fast) == len(slow) == len(rows)
    for name in slow.column_names:
        quick, careful = fast.column(name), slow.column(name)
        assert str(numbers(quick)) == str(numbers(careful))
        assert labels(quick) == labels(careful)


@given(st.binary(max_size=60), st.sampled_from(["csv", "jsonl", "parquet"]))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, form: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(content)
    with suppress(InputError):
        read(path, form=form)


# In S3


def test_objects_in_s3(registry: Registry, s3: S3Client) -> None:
    for key, text in {
        "in/train/a.csv": "x\n1a\n",
        "in/train/b.csv": "x\n2a\n",
        "in/train/_SUCCESS": "",
        "in/train/_temporary/c.csv": "x\n9\n",
        "in/train/": "",
        "in/trainer.csv": "x\n3a\n",
    }.items():
        s3.put_object(Bucket="mims-models", Key=key, Body=text)
    for folder in ("s3://mims-models/in/train/", "s3://mims-models/in/train"):
        assert [row["x"] for row in read(folder, registry)] == ["1a", "2a"]
    assert read("s3://mims-models/in/trainer.csv", registry) == [{"x": "3a"}]
    with opened("s3://mims-models/in/train/a.csv", registry) as found:
        assert found.about()["names"] == ["s3://mims-models/in/train/a.csv"]
        left = found.sources[0].path.parent
        assert left.exists()
    assert not left.exists()


def test_what_is_not_in_s3(registry: Registry, proxy: Faults) -> None:
    del proxy
    assert wrong("s3://mims-models/none/", registry=registry).endswith("none/: nothing is there")
    assert "must be an object's S3 path" in wrong("s3://!/x", registry=registry)
    assert "no region is known: --region" in wrong("s3://mims-models/x")
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        read("s3://another-bucket/x.csv", registry)


# Memory

MEASURE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from mims.governance.profiles.profiling import profiled
from mims.governance.profiles.tables import opened
with opened(sys.argv[2]) as tables:
    records = profiled(tables).records
status = Path("/proc/self/status").read_text()  # rusage would tell of this test's process, too
print(records, int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_larger_file_takes_no_more_memory(tmp_path: Path, form: str) -> None:
    """Fifty times as many records: 1.5 million, 60 MB of CSV."""
    block = pa.table(
        {
            "x": [number * 0.37 for number in range(30_000)],
            "c": [f"c{number % 7}" for number in range(30_000)],
            "t": [f"text {number}" for number in range(30_000)],
        }
    )
    small = written(tmp_path, block, form, "small")
    large = tmp_path / f"large.{form}"
    if form == "parquet":
        with pyarrow.parquet.ParquetWriter(large, block.schema) as writer:
            for _ in range(50):
                writer.write_table(block)
    else:
        head, lines = small.read_bytes().split(b"\n", 1) if form == "csv" else (b"", b"")
        body = lines or small.read_bytes()
        with large.open("wb") as file:
            file.write(head + b"\n" * bool(head))
            for _ in range(50):
                file.write(body)
    peaks = []
    for path in (small, large):
        command = [sys.executable, "-c", MEASURE, str(SCRIPTS), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[1]))
    assert done.stdout.split()[0] == "1500000"
    assert peaks[1] < peaks[0] + 130, peaks  # MB: buffers that Arrow fills ahead, and the sample
