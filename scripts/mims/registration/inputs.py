"""Finds and reads what a channel holds: the one file that is meant, an archive, a JSON object.

Goes in: a channel's path, which is the file or, as SageMaker mounts it, a folder around it. Comes
out: the file's path, an archive's members, or a dict. Never guesses between two files, never
follows a link out of the channel, never passes on an archive that would harm who unpacks it or a
JSON that two readers could read differently.
"""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from mims.archive.files import check_link, open_regular, reading, unchanged
from mims.archive.links import read_linked
from mims.archive.names import ArchiveError, Namespace
from mims.archive.reader import FOLDER, SYMLINK, Limits
from mims.errors import InputError
from mims.text import listed, printable, repeated, size

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mims.archive.reader import Member, Members
    from mims.registration.artifacts import Digest

log = logging.getLogger("mims")

JSON_LIMIT = 16_000_000  # bytes
_SET_ID = 0o6000
_ODD_MODE = 0o7002  # set-id, sticky, writable by anybody

_Model = TypeVar("_Model", bound=BaseModel)


def find_file(path: Path, name: str, suffix: str, channel: str) -> Path | None:
    """Give the channel's file: `name`, else the only one that ends in `suffix`; None if empty.

    Raises:
        InputError: the folder holds other files only, or several that could be meant; or the file
            is a link that leaves the folder.

    """
    with reading(path):
        if not path.is_dir():
            if path.is_symlink() and not path.exists():
                raise ArchiveError("it is a link to nothing")
            return path if os.path.lexists(path) else None
        entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
        files = [entry for entry in entries if entry.name == name or not entry.is_dir()]
    meant = [file for file in files if file.name == name]
    meant = meant or [file for file in files if file.name.endswith(suffix)]
    if len(meant) == 1:
        return own_file(meant[0], path)
    if files:
        holds = listed(file.name for file in files)
        several = f"several could be meant: keep one, or call it {name}"
        raise InputError(
            f"input {channel}: {several if meant else f'no {name}'} in {path} (it holds {holds})"
        )
    return None


def own_file(file: Path, channel: Path) -> Path:
    """Give a channel's file as it is.

    Raises:
        ArchiveError: it is a link that leaves the channel or leads to nothing.

    """
    with reading(file):
        check_link(file, os.path.realpath(channel))
    return file


def read_unpackable(file: Path, limits: Limits, watch: Callable[[bytes], None]) -> Members:
    """Yield the members of an archive that others will unpack as it is; a link stays a link.

    Whatever mims_package.py mends in an archive is refused here where it could do harm (a program
    that is set-user-ID or set-group-ID), and warned of where it is untidy.

    Raises:
        ArchiveError: names the archive, the member and the reason.
        InputError: the file can't be read, or changed meanwhile.

    """
    names = Namespace()  # for lookalikes: whatever else it knows, the reader has refused already
    odd_modes = []
    for member, content in read_linked(file, limits, watch):
        with reading(file):
            _refuse_set_id(member)
        if member.kind != SYMLINK and member.mode & _ODD_MODE:
            odd_modes.append(f"{member.name} ({member.mode & 0o7777:04o})")
        (names.add_folder if member.kind == FOLDER else names.add_file)(member.name)
        yield member, content
    for name, alike in names.lookalikes:
        log.warning("%s: '%s' and '%s' are one name to some file systems", file.name, name, alike)
    if odd_modes:
        log.warning(
            "%s: set-id folders, sticky or writable by anybody: %s; mims_package.py makes them "
            "0755 or 0644",
            file.name,
            listed(odd_modes, limit=5),
        )


def _refuse_set_id(member: Member) -> None:
    """Refuse a program that runs as its owner: a serving container often unpacks as root."""
    if member.kind not in (FOLDER, SYMLINK) and member.mode & _SET_ID:
        raise ArchiveError(
            f"member '{member.name}' is set-user-ID or set-group-ID (mode "
            f"{member.mode & 0o7777:04o}): package it with mims_package.py, which takes that away"
        )


def read_json_object(path: Path, what: str) -> dict[str, Any]:
    """Read a file that holds one JSON object; `what` is what errors call it.

    Raises:
        InputError: it can't be read, is not an object, or is not plain UTF-8 JSON.

    """
    return json_object(read_small(path), f"{what} ({path})")


def read_small(path: Path) -> bytes:
    """Read a regular file, or just over JSON_LIMIT bytes of a larger one.

    Raises:
        InputError: it is something else, can't be read, or changes meanwhile.

    """
    with unchanged(path), reading(path), open_regular(path) as file:
        content = b""
        while len(content) <= JSON_LIMIT and (more := file.read(JSON_LIMIT + 1 - len(content))):
            content += more
    return content


def json_object(content: bytes, what: str) -> dict[str, Any]:
    """Parse the same from bytes."""
    twice: dict[str, None] = {}

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            twice.update(dict.fromkeys(repeated(name for name, _ in pairs)))
        return values

    text = _text(content, what)
    try:
        found = json.loads(text, object_pairs_hook=once, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{what} holds half a character (\\ud800 to \\udfff)") from error
    except ValueError as error:
        raise InputError(f"{what} is not JSON: {error}") from error
    except RecursionError as error:
        raise InputError(f"{what} is nested too deep") from error
    if twice:
        names = listed(f"'{name}'" for name in twice)
        raise InputError(f"{what} says {names} twice: which one counts?")
    if not isinstance(found, dict):
        raise InputError(f"{what} is not a JSON object but {type(found).__name__}")
    return found


def _text(content: bytes, what: str) -> str:
    if len(content) > JSON_LIMIT:
        raise InputError(f"{what} is over {size(JSON_LIMIT)}: is it the right file?")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4]:
        raise InputError(f"{what} is not UTF-8 but UTF-16 or UTF-32: save it as UTF-8")
    if content.startswith(b"\xef\xbb\xbf"):
        raise InputError(f"{what} starts with a byte order mark: save it as UTF-8 without one")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not UTF-8 (byte {error.start}): save it as UTF-8") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def parsed(model: type[_Model], raw: dict[str, Any], what: str) -> _Model:
    """Hold an object that another program wrote to the shape that it should have.

    Raises:
        InputError: with the path of everything that is missing or of another type.

    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        paths = [(printable(".".join(map(str, e["loc"]))), e["msg"]) for e in error.errors()]
        raise InputError(*(f"{what}: {path}: {problem}" for path, problem in paths)) from error


class StatedArchive(BaseModel):
    """What a file beside an archive says of it: SHA-256 in hex, size in bytes."""

    sha256: str
    size: int

    def check(self, file: Path, found: Digest, *, by: str, cure: str) -> None:
        """Check that an archive is this one. `by` is what says so, `cure` what to do else.

        Raises:
            InputError: it is another.

        """
        if (self.sha256, self.size) != (found.sha256, found.size):
            raise InputError(
                f"{file} is not what {by} says: sha256 {found.sha256} and {found.size} bytes, "
                f"not {printable(self.sha256)} and {self.size}; one of them was changed {cure}"
            )
