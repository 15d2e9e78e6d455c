"""The artifacts that tell what a model takes: hyperparameters.json and feature_columns.txt.

Goes in: the channel model_input, a folder or an archive. Comes out: the hyperparameters, decoded,
and the column order where the trainer left one. Nothing is unpacked; an archive is read only as
far as needed.
"""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Iterator, NamedTuple

from mims.archive.folder import read_folder
from mims.archive.links import read_resolved
from mims.archive.model import find_archive
from mims.archive.reader import FILE, Limits
from mims.errors import InputError
from mims.text import listed, printable

if TYPE_CHECKING:
    from pathlib import Path

    from mims.archive.reader import Members

HYPERPARAMETERS = "hyperparameters.json"
FEATURE_COLUMNS = "feature_columns.txt"
_PLACES = ("", "model_artifacts/")  # of a trainer's archive, of a MIMS package
_LARGEST = 64 * 1024 * 1024  # bytes


class Artifacts(NamedTuple):
    """What a model's artifacts say of its fields."""

    source: str
    hyperparameters: dict[str, Any]
    columns: list[str]  # in the order of a CSV request; empty where nothing says it


def read_artifacts(model: Path, columns_matter: bool) -> Artifacts:
    """Read a model's hyperparameters, and its column order where `columns_matter`.

    Raises:
        InputError: there is no hyperparameters.json, there are several, or it is not usable.

    """
    archive = find_archive(model)
    wanted = [HYPERPARAMETERS, FEATURE_COLUMNS] if columns_matter else [HYPERPARAMETERS]
    for source, members in _sources(model, archive):
        found = _collect(members, wanted)
        places = found[HYPERPARAMETERS]
        if places:
            place = _best(source, sorted(places))
            shown = f"{source}: {place}{HYPERPARAMETERS}"
            columns = found.get(FEATURE_COLUMNS, {}).get(place, b"")
            return Artifacts(shown, _decoded(shown, places[place]), _columns(source, columns))
    raise InputError(
        f"no {HYPERPARAMETERS} in {archive or model}: the trainer has to write it into the model, "
        "with the names and types of its fields"
    )


def _sources(model: Path, archive: Path | None) -> Iterator[tuple[Path, Members]]:
    """Loose files first: whoever laid them beside an archive meant them."""
    if model.is_dir():
        yield model, read_folder(model, lambda name: archive is None or name != archive.name)
    if archive is not None and archive.is_dir():
        yield archive, read_folder(archive)
    elif archive is not None:
        yield archive, read_resolved(archive, Limits(), lambda _: None)


def _collect(members: Members, wanted: list[str]) -> dict[str, dict[str, bytes]]:
    """Content by name and place; stops as soon as the usual place has given all."""
    found: dict[str, dict[str, bytes]] = {name: {} for name in wanted}
    with closing(members):
        for member, content in members:
            name = member.name.rpartition("/")[2]
            place = member.name[: -len(name)]
            if member.kind != FILE or name not in found or place.startswith("code/"):
                continue
            if member.size > _LARGEST:
                raise InputError(f"{member.name} has {member.size} bytes; {_LARGEST} is the most")
            found[name][place] = b"".join(content)
            if all(any(usual in places for usual in _PLACES) for places in found.values()):
                break
    return found


def _best(source: Path, places: list[str]) -> str:
    for usual in _PLACES:
        if usual in places:
            return usual
    if len(places) > 1:
        raise InputError(
            f"{source} holds several {HYPERPARAMETERS}: in {listed(places)}; leave the one meant"
        )
    return places[0]


def _decoded(shown: str, raw: bytes) -> dict[str, Any]:
    """Decode; SageMaker writes every hyperparameter as JSON in a string, a list too."""
    try:
        values = json.loads(raw, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown} is not usable JSON: {printable(str(error))[:300]}") from error
    if not isinstance(values, dict):
        raise InputError(f"{shown} is no JSON object")
    return {key: _unquoted(value) for key, value in values.items()}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{listed(twice)} is there twice")
    return values


def _unquoted(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("[", "{", '"'):
        with suppress(ValueError, RecursionError):
            return json.loads(value, object_pairs_hook=_object)
    return value


def _columns(source: Path, raw: bytes) -> list[str]:
    """Names of feature_columns.txt: lines of `index,name`, with `#` comments."""
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{source}: {FEATURE_COLUMNS} is not UTF-8") from None
    rows = [line.partition(",") for line in lines if line.strip() and not line.startswith("#")]
    for index, comma, name in rows:
        if not (index.strip().isdigit() and comma and name.strip()):
            raise InputError(
                f"{source}: {FEATURE_COLUMNS} has the line {index + comma + name!r}: "
                "each has to be `index,name`"
            )
    return [name.strip() for _, _, name in sorted(rows, key=lambda row: int(row[0]))]
