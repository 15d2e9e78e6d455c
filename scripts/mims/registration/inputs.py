"""Finds and reads what a channel holds: the one file that is meant, a JSON object.

Goes in: a channel's path, which is the file or, as SageMaker mounts it, a folder around it. Comes
out: the file's path, or a dict. Never guesses between two files, never passes on a JSON that two
readers could read differently.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from mims.errors import InputError
from mims.text import listed, printable, size

if TYPE_CHECKING:
    from pathlib import Path

JSON_LIMIT = 16_000_000  # bytes

_Model = TypeVar("_Model", bound=BaseModel)


def find_file(path: Path, name: str, suffix: str, channel: str) -> Path | None:
    """Give the channel's file: `name`, else the only one that ends in `suffix`; None if empty.

    Raises:
        InputError: the folder holds other files only, or several that could be meant.

    """
    if not path.is_dir():
        return path
    try:
        files = sorted(f for f in path.iterdir() if f.is_file() and not f.name.startswith("."))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if path / name in files:
        return path / name
    meant = [file for file in files if file.name.endswith(suffix)]
    if len(meant) == 1:
        return meant[0]
    if files:
        holds = listed(file.name for file in files)
        several = f"several could be meant: keep one, or call it {name}"
        raise InputError(
            f"input {channel}: {several if meant else f'no {name}'} in {path} (it holds {holds})"
        )
    return None


def read_json_object(path: Path, what: str) -> dict[str, Any]:
    """Read a file that holds one JSON object; `what` is what errors call it.

    Raises:
        InputError: it can't be read, is not an object, or is not plain UTF-8 JSON.

    """
    try:
        with path.open("rb") as file:
            return json_object(file.read(JSON_LIMIT + 1), f"{what} ({path})")
    except OSError as error:
        raise InputError(f"cannot read {what} {path}: {error.strerror or error}") from error


def json_object(content: bytes, what: str) -> dict[str, Any]:
    """Parse the same from bytes."""
    repeated: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        repeated.extend(name for name in dict.fromkeys(names) if names.count(name) > 1)
        return dict(pairs)

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
    if repeated:
        names = ", ".join(f"'{printable(name)}'" for name in repeated)
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
