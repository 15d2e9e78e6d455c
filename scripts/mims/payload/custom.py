"""A custom payload: records that a user gives, to be sent in place of made-up values.

Goes in: the channel custom_payload_input, a file or a folder that holds one. Comes out: its
records, each with every field of the model and each value of its field's type; or one `InputError`
with what is wrong where. Never guesses which of two files is meant, and never shows a value.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Sequence

from mims.archive.files import reading
from mims.archive.folder import read_folder
from mims.archive.reader import FILE
from mims.contracts import LARGEST_REQUEST
from mims.errors import InputError
from mims.payload.decoding import kind_of
from mims.payload.fields import NUMERIC, Field
from mims.payload.tables import READERS, Line, TableError, Wanted
from mims.text import is_utf8, listed, printable

if TYPE_CHECKING:
    from mims.archive.reader import Members
    from mims.payload.formats import Row
    from mims.payload.values import Value

log = logging.getLogger("mims")

LARGEST_FILE = 16_000_000  # bytes
_MOST_PROBLEMS = 20
_WHOLE = re.compile(r"-?[0-9]{1,300}")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")


class CustomFile(NamedTuple):
    """The file that a user gives."""

    path: Path
    content: bytes

    @property
    def suffix(self) -> str:
        """The ending that tells its format."""
        return self.path.suffix.lower()

    def described(self) -> dict[str, Any]:
        """What metadata.json says of it."""
        digest = hashlib.sha256(self.content).hexdigest()
        return {"name": self.path.name, "size": len(self.content), "sha256": digest}


class Custom(NamedTuple):
    """What a custom payload says: rows in the order of the fields; columns of no field."""

    rows: list[Row]
    left_out: list[str]


def read_custom_file(channel: Path) -> CustomFile | None:
    """Read the channel's file; None where there is none.

    Raises:
        InputError: there are several, or the one can't be read, is too large or of no known kind.

    """
    with reading(channel):
        if not channel.exists():
            return None
    names, size, content = [], 0, b""
    folder, members = _members(channel)
    with closing(members):
        for member, pieces in members:
            if member.kind == FILE:
                names.append(member.name)
                size = member.size
                if len(names) == 1 and size <= LARGEST_FILE:
                    content = b"".join(pieces)
    if not names:
        log.info("%s holds no custom payload: values are made up", channel)
        return None
    if len(names) > 1:
        raise InputError(f"{channel} holds {listed(names)}: leave the custom payload that is meant")
    file = CustomFile(folder / names[0], content)
    if file.suffix not in READERS:
        raise InputError(
            f"{file.path} has to end in one of {listed(READERS)}, which tells its format"
        )
    if size > LARGEST_FILE:
        raise InputError(
            f"{file.path} has {size} bytes; a custom payload has {LARGEST_FILE} at most, and a "
            f"request {LARGEST_REQUEST}: give fewer records"
        )
    return file


def _members(channel: Path) -> tuple[Path, Members]:
    """The files under a channel but hidden ones; or the channel itself, by its own name."""
    if channel.is_dir():
        return channel, read_folder(channel, lambda name: name.rpartition("/")[2][:1] != ".")
    real = Path(os.path.realpath(str(channel)))
    return real.parent, read_folder(real.parent, lambda name: name == real.name)


def read_records(
    file: CustomFile, fields: Sequence[Field], given: Mapping[str, Value], csv_header: bool
) -> Custom:
    """Read the records, which may lack the fields whose values are given otherwise.

    Raises:
        InputError: with what is wrong, where; the first twenty of it.

    """
    reader = READERS[file.suffix]
    names = [field.name for field in fields]
    wanted = Wanted(names, frozenset(names) - given.keys(), csv_header)
    known = set(names)
    custom = Custom([], [])
    problems: list[str] = []
    try:
        for line in reader.read(file.content, wanted):
            faults: list[str] = []
            custom.rows.append(_typed_row(line, fields, given, reader.only_text, faults))
            problems += [f"{file.path.name}, {line.place}: {fault}" for fault in faults]
            if len(problems) > _MOST_PROBLEMS:
                problems[_MOST_PROBLEMS:] = [f"{file.path.name}: and more of the kind"]
                break
            new = line.cells.keys() - known
            known |= new
            custom.left_out.extend(printable(name) for name in line.cells if name in new)
    except TableError as error:
        raise InputError(f"{file.path}: {error}") from error
    if problems:
        raise InputError(*problems)
    if not custom.rows:
        raise InputError(f"{file.path} holds no record")
    return custom


def _typed_row(
    line: Line,
    fields: Sequence[Field],
    given: Mapping[str, Value],
    only_text: bool,
    faults: list[str],
) -> Row:
    """One record's values; what is wrong with it goes to `faults`."""
    if line.fault:
        faults.append(line.fault)
        return ()
    missing = [f.name for f in fields if f.name not in line.cells and f.name not in given]
    if missing:
        has = f"it has {listed(line.cells)}" if line.cells else "it is empty"
        faults.append(f"lacks {listed(missing)} ({has})")
    values = []
    for field in fields:
        if field.name in given:
            values.append(given[field.name])
        elif field.name in line.cells:
            try:
                values.append(_typed(field, line.cells[field.name], only_text))
            except ValueError as error:
                faults.append(
                    f"'{printable(field.name)}' is {field.type}, and what stands there is {error}"
                )
    return tuple(values)


def _typed(field: Field, cell: Any, only_text: bool) -> Value:
    """A cell as a value of its field; text becomes a number only where all cells are text.

    Raises:
        ValueError: it is none; the text says why, and not what it is.

    """
    if field.type == NUMERIC and only_text:
        cell = _number(cell)
    right = _is_number(cell) if field.type == NUMERIC else isinstance(cell, str)
    if not right:
        raise ValueError(_kind(cell))
    if isinstance(cell, str) and not is_utf8(cell):
        raise ValueError("half a character")
    if not isinstance(cell, str) and not _is_finite(cell):
        raise ValueError("not finite")
    value: Value = cell
    return value


def _number(text: str) -> Value:
    """A number as it was written, 5 stays an integer; or the text, if it is none."""
    text = text.strip()
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer past every float
        return False


def _kind(value: Any) -> str:
    if value == "":
        return "empty"
    return "a number" if _is_number(value) else kind_of(value)
