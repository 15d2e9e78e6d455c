"""The artifacts that tell what a model takes: hyperparameters.json, and what lies beside it.

Goes in: the channel model_input, a folder or an archive. Comes out: the hyperparameters, decoded;
the column order where the trainer left feature_columns.txt; known categories where it left a file
of them. Nothing is unpacked or unpickled. An archive is read only as far as needed, and a little
further for categories: these are no reason to read gigabytes.
"""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, Iterator, Mapping, NamedTuple, Sequence

from mims.archive.folder import read_folder
from mims.archive.links import read_resolved
from mims.archive.model import find_archive
from mims.archive.reader import FILE
from mims.errors import InputError, Problems
from mims.payload.categories import FILES
from mims.payload.decoding import decoded, unquoted
from mims.text import listed

if TYPE_CHECKING:
    from pathlib import Path

    from mims.archive.reader import Limits, Members

HYPERPARAMETERS = "hyperparameters.json"
FEATURE_COLUMNS = "feature_columns.txt"
_PLACES = ("", "model_artifacts/")  # of a trainer's archive, of a MIMS package
_LARGEST = 64 * 1024 * 1024  # bytes
_NEARBY = 1024 * 1024  # bytes of an archive that are read on for what would be good to have
_BLOCK = 512  # bytes of a member's header

Categories = Mapping[str, Any]


class Artifacts(NamedTuple):
    """What a model's artifacts say of its fields."""

    source: str
    hyperparameters: dict[str, Any]
    columns: list[str]  # in the order of a CSV request; empty where nothing says it
    categories: Categories  # what files of categories tell, by field


def read_artifacts(model: Path, columns_matter: bool, limits: Limits) -> Artifacts:
    """Read a model's hyperparameters, and its column order where `columns_matter`.

    Raises:
        InputError: there is no hyperparameters.json, there are several, or it is not usable.

    """
    archive = find_archive(model)
    wanted = [HYPERPARAMETERS, FEATURE_COLUMNS] if columns_matter else [HYPERPARAMETERS]
    for source, members in _sources(model, archive, limits):
        found = _collect(members, wanted, FILES)
        places = found[HYPERPARAMETERS]
        if places:
            place = _best(source, sorted(places))
            shown = f"{source}: {place}{HYPERPARAMETERS}"
            columns = found.get(FEATURE_COLUMNS, {}).get(place, b"")
            return Artifacts(
                shown,
                _hyperparameters(shown, places[place]),
                _columns(source, columns),
                _categories(source, found, place),
            )
    raise InputError(
        f"no {HYPERPARAMETERS} in {archive or model}: the trainer has to write it into the model, "
        "with the names and types of its fields"
    )


def _sources(model: Path, archive: Path | None, limits: Limits) -> Iterator[tuple[Path, Members]]:
    """Loose files first: whoever laid them beside an archive meant them."""
    if model.is_dir():
        yield model, read_folder(model, lambda name: archive is None or name != archive.name)
    if archive is not None and archive.is_dir():
        yield archive, read_folder(archive)
    elif archive is not None:
        yield archive, read_resolved(archive, limits, lambda _: None)


def _collect(
    members: Members, wanted: Sequence[str], welcome: Sequence[str]
) -> dict[str, dict[str, bytes]]:
    """Content by name and place; stops soon after the usual place has given all that is wanted."""
    found: dict[str, dict[str, bytes]] = {name: {} for name in (*wanted, *welcome)}
    nearby = _NEARBY
    with closing(members):
        for member, content in members:
            if all(any(usual in found[name] for usual in _PLACES) for name in wanted):
                nearby -= member.size + _BLOCK
                if nearby < 0:
                    break
            name = member.name.rpartition("/")[2]
            place = member.name[: -len(name)]
            if member.kind != FILE or name not in found or place.startswith("code/"):
                continue
            if member.size > _LARGEST:
                raise InputError(f"{member.name} has {member.size} bytes; {_LARGEST} is the most")
            found[name][place] = b"".join(content)
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


def _hyperparameters(shown: str, raw: bytes) -> dict[str, Any]:
    values = decoded(shown, raw)
    if not isinstance(values, dict):
        raise InputError(f"{shown} is no JSON object")
    return {key: unquoted(value) for key, value in values.items()}


def _categories(source: Path, found: Mapping[str, Mapping[str, bytes]], place: str) -> Categories:
    """What the files of categories tell by field; the first of them goes first."""
    told: dict[str, Any] = {}
    for name in reversed(FILES):
        if place in found[name]:
            values = decoded(f"{source}: {place}{name}", found[name][place])
            told.update(values if isinstance(values, dict) else {})
    return told


def _columns(source: Path, raw: bytes) -> list[str]:
    """Names of feature_columns.txt: lines of `index,name`, with `#` comments."""
    try:
        lines = re.split(r"\r\n|\n|\r", raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError(f"{source}: {FEATURE_COLUMNS} is not UTF-8") from None
    names: dict[int, str] = {}
    problems = Problems()
    for number, line in enumerate(lines, 1):
        index, _, name = line.partition(",")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not re.fullmatch(r"\s*[0-9]{1,9}\s*", index) or not name.strip():
            problems.found.append(
                f"{source}: {FEATURE_COLUMNS} line {number}: has to be a number, a comma and a name"
            )
        elif int(index) in names:
            problems.found.append(f"{source}: {FEATURE_COLUMNS} has the index {int(index)} twice")
        else:
            names[int(index)] = name
    problems.raise_any()
    return [name for _, name in sorted(names.items())]
