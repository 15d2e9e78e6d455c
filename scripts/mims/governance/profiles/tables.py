"""Files of records as tables: CSV, JSON Lines and Parquet, here or in S3, however large.

Goes in: a file, a folder of files, or an s3:// path of either; names of columns where a CSV has
none. Comes out: Arrow tables, one after the other, as often as they are asked for, in no more
memory for a larger file. What lies in S3 is downloaded to a temporary folder first, since a
baseline reads it twice. CSV comes as texts: what they mean is for columns.py to say, so that all
formats mean the same. Of a JSON object the members at its top are columns.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from mims.errors import InputError, Problems
from mims.governance.download import fetch, location
from mims.governance.profiles.json_lines import json_tables
from mims.governance.versions import File
from mims.job import Progress
from mims.registration.aws import asking
from mims.registration.storage import Location
from mims.text import listed, printable, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mims.governance.registry import Registry

_ENDINGS = {
    **dict.fromkeys((".csv",), "csv"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json", ".jsonlines"), "jsonl"),
    **dict.fromkeys((".parquet", ".pq"), "parquet"),
}
_PACKED = (".gz", ".bz2", ".zst")  # which Arrow unpacks as it reads
_BLOCK = 4 << 20  # bytes of text that are read at a time
_ROWS = 1 << 16  # records of Parquet; fewer where they are wide:
_CELLS = 1 << 22
_HEAD = 1 << 20  # bytes in which a CSV's first line must end
_INDEX = "__index_level_"  # pandas' own column
_FEW = 10  # files that are named


class Source(NamedTuple):
    """A file of records, as it lies here."""

    name: str
    """as users know it: its S3 path, or its file name"""
    path: Path
    format: str


@dataclass(frozen=True)
class Tables:
    """Files of records that belong together: they have the same columns."""

    where: str
    sources: tuple[Source, ...]
    names: tuple[str, ...] = ()
    """of the columns of CSV files without a first line of names"""

    def __iter__(self) -> Iterator[pa.Table]:
        """Yield the records, file by file.

        Raises:
            InputError: a file is not of its format; it says where, as far as that is known.

        """
        for source in self.sources:
            try:
                if source.format == "csv":
                    yield from _csv_tables(source, self.names)
                elif source.format == "jsonl":
                    yield from json_tables(source.name, source.path)
                else:
                    yield from _parquet_tables(source)
            except (pa.ArrowException, OSError, UnicodeError) as error:
                said = printable(str(error).partition("\n")[0])
                raise InputError(f"{source.name}: is no {source.format}: {said}") from error

    def about(self) -> dict[str, Any]:
        """Which files they are: their number, the first names, and one SHA-256 for them all.

        A single file's is its own; of several it is that of what sha256sum would print of them.
        """
        digests = [(one.name.rpartition("/")[2], _sha256(one.path)) for one in self.sources]
        lines = "".join(f"{digest}  {name}\n" for name, digest in digests)
        several = len(digests) > 1
        return {
            "files": len(digests),
            "names": [one.name for one in self.sources[:_FEW]],
            "sha256": hashlib.sha256(lines.encode()).hexdigest() if several else digests[0][1],
        }


@contextmanager
def opened(
    where: str,
    registry: Registry | None = None,
    *,
    form: str | None = None,
    names: Sequence[str] = (),
) -> Iterator[Tables]:
    """Find files of records, and look at their columns; they can be read inside the block.

    `registry` reaches S3; `form` is csv, jsonl or parquet, else the name of a file tells.

    Raises:
        InputError: with everything that is wrong: no such file, an unknown format, an empty file,
            columns without a name or with the same one, files with other columns than the first.
        ServiceError: S3 refused or could not be reached.

    """
    with tempfile.TemporaryDirectory(prefix="mims-tables-") as folder:
        if where.startswith("s3://"):
            if registry is None:
                raise InputError(f"{printable(where)}: is in S3, and no region is known: --region")
            files = _downloaded(registry, where, Path(folder))
        else:
            files = _local(Path(where))
        problems = Problems()
        sources = []
        for name, path in files:
            with problems.gather():
                sources.append(Source(name, path, form or _format_of(name)))
        problems.raise_any()
        tables = Tables(where, tuple(sources), tuple(names))
        _check(tables)
        yield tables


def _local(path: Path) -> list[tuple[str, Path]]:
    try:
        if not path.is_dir():
            with path.open("rb"):
                return [(path.name, path)]
        below = ((one.relative_to(path).as_posix(), one) for one in sorted(path.rglob("*")))
        found = [(name, one) for name, one in below if _is_data(name) and one.is_file()]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if not found:
        raise InputError(f"{path}: is an empty folder")
    return found


def _is_data(name: str) -> bool:
    """Whether a path below a folder is not that of a marker, or of something unfinished.

    Spark writes _SUCCESS and _temporary/…, others .part.crc and .ipynb_checkpoints/…
    """
    return all(part and not part.startswith(("_", ".")) for part in name.split("/"))


def _downloaded(registry: Registry, where: str, folder: Path) -> list[tuple[str, Path]]:
    """Bring an object, or all below a folder, here."""
    at = Location.read(where)
    if at is None:
        location(where)  # says what is wrong
        return []
    found = _objects(registry, at)
    if not found:
        raise InputError(f"{printable(where)}: nothing is there")
    files = []
    with Progress("downloading", sum(found.values())) as progress:
        for number, key in enumerate(found):
            uri = at._replace(key=key).uri
            path = folder / f"{number}-{key.rpartition('/')[2][-100:]}"
            fetch(registry, File(uri), path, lambda chunk: progress.advance(len(chunk)))
            files.append((uri, path))
    return files


def _objects(registry: Registry, at: Location) -> dict[str, int]:
    """Sizes of the objects that a path means: the one of that key, or those below it."""
    prefix = at.key if at.key.endswith("/") or not at.key else f"{at.key}/"
    below: dict[str, int] = {}
    with asking("ListObjectsV2", registry.region, at.uri):
        pages = registry.s3.get_paginator("list_objects_v2").paginate(
            Bucket=at.bucket, Prefix=at.key
        )
        for page in pages:
            for one in page.get("Contents", []):
                key = one["Key"]
                if key == at.key and not key.endswith("/"):
                    return {key: one["Size"]}
                if key.startswith(prefix) and _is_data(key.removeprefix(prefix)):
                    below[key] = one["Size"]
    return below


def _format_of(name: str) -> str:
    plain = name.lower()
    for packed in _PACKED:
        plain = plain.removesuffix(packed)
    ending = Path(plain).suffix
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    raise InputError(
        f"{printable(name)}: its name tells no format: end it in .csv, .jsonl or .parquet, or give "
        "--format"
    )


def _check(tables: Tables) -> None:
    """Look at the columns of every file that has them named at its top."""
    problems = Problems()
    first: tuple[str, list[str]] | None = None
    for source in tables.sources:
        with problems.gather():
            if not source.path.stat().st_size:
                raise InputError(f"{source.name}: is empty")
            if source.format == "jsonl":
                continue
            columns = _columns(source, tables.names)
            if twice := repeated(columns):
                raise InputError(f"{source.name}: has two columns named {listed(twice)}")
            first = first or (source.name, columns)
            if lacking := sorted({*first[1]} ^ {*columns}):
                raise InputError(
                    f"{source.name}: its columns are not those of {first[0]}: {listed(lacking)}"
                )
    problems.raise_any()


def _columns(source: Source, names: Sequence[str]) -> list[str]:
    if source.format == "csv":
        return _csv_columns(source, names)
    try:
        with pyarrow.parquet.ParquetFile(source.path) as file:
            return [str(name) for name in file.schema_arrow.names]
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{source.name}: is no parquet: {printable(str(error))}") from error


def _csv_columns(source: Source, names: Sequence[str]) -> list[str]:
    """The names that a CSV's first line gives, or those given, if there are as many."""
    first = _first_row(source)
    if names:
        if len(names) != len(first):
            raise InputError(
                f"{source.name}: has {len(first)} columns, and {len(names)} names are given"
            )
        if first == [*names]:
            raise InputError(f"{source.name}: its first line has these names: leave out --names")
        return [*names]
    if all(_is_number(cell) for cell in first):
        raise InputError(f"{source.name}: its first line is numbers, no names: give --names a,b,c")
    if len(first) == 1 and (mark := next((one for one in ";\t|" if one in first[0]), "")):
        raise InputError(
            f"{source.name}: its one column is named {printable(first[0])}: between values there "
            f"must be a comma, not {mark!r}"
        )
    if "" in first:
        raise InputError(
            f"{source.name}: its column {first.index('') + 1} has no name (pandas writes its index "
            "so: to_csv(index=False))"
        )
    return first


def _first_row(source: Source) -> list[str]:
    try:
        with pa.input_stream(str(source.path), compression="detect") as file:
            head = codecs.getincrementaldecoder("utf-8-sig")().decode(file.read(_HEAD))
        row = next((row for row in csv.reader(io.StringIO(head)) if row), None)
    except (pa.ArrowException, OSError, UnicodeError, csv.Error) as error:
        raise InputError(f"{source.name}: is no csv: {printable(str(error))}") from error
    if row is None:
        raise InputError(f"{source.name}: is empty")
    return row


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _csv_tables(source: Source, names: Sequence[str]) -> Iterator[pa.Table]:
    columns = _csv_columns(source, names)
    texts: Mapping[str, Any] = dict.fromkeys(columns, pa.string())
    with pa.input_stream(str(source.path), compression="detect") as file:
        reader = pyarrow.csv.open_csv(
            file,
            pyarrow.csv.ReadOptions(column_names=list(names) or None, block_size=_BLOCK),
            pyarrow.csv.ParseOptions(newlines_in_values=True),
            pyarrow.csv.ConvertOptions(column_types=texts),
        )
        with reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])


def _parquet_tables(source: Source) -> Iterator[pa.Table]:
    with pyarrow.parquet.ParquetFile(source.path) as file:
        columns = [name for name in file.schema_arrow.names if not name.startswith(_INDEX)]
        rows = max(1, min(_ROWS, _CELLS // max(1, len(columns))))
        for batch in file.iter_batches(rows, columns=columns):
            yield pa.Table.from_batches([batch])


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
