"""What is to be packaged, and where it goes in the package.

Goes in: the folders of the channels. Comes out: sources, each a folder or an archive with the
channel it came by and the place its members get. Reads no content.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Callable, Mapping

from mims.archive.files import reading
from mims.archive.folder import folder_size, read_folder
from mims.archive.links import read_resolved
from mims.archive.model import find_archive, names_of
from mims.errors import InputError, Problems
from mims.text import listed

if TYPE_CHECKING:
    from pathlib import Path

    from mims.archive.reader import Limits, Members
    from mims.job import Job

log = logging.getLogger("mims")

PACKAGE = "model.tar.gz"
MODEL_PLACE = {"mims": "model_artifacts/", "sagemaker": ""}
CODE_PLACE = "code/"
CALIBRATION_PLACE = "calibration/"
ENTRY_POINT = "inference.py"
LEFTOVERS = (
    "__pycache__",
    "*.py[co]",
    ".git",
    ".ipynb_checkpoints",
    ".DS_Store",
    "._*",
    "*~",
    ".*.sw[op]",
)


@dataclass(frozen=True)
class Source:
    """A folder or an archive that a channel holds, and the place of its members in the package."""

    channel: str
    path: Path
    place: str
    is_archive: bool = False
    leftovers: tuple[str, ...] = ()  # patterns of names to exclude
    elsewhere: frozenset[str] = frozenset()  # names that belong to another source
    may_be_empty: bool = False
    excluded: list[str] = field(default_factory=list)  # known when it has been read

    @property
    def label(self) -> str:
        """The source as the manifest names it."""
        return f"{self.channel}/{self.path.name}" if self.is_archive else self.channel

    def read(self, limits: Limits, watch: Callable[[bytes], None]) -> Members:
        """Its files and folders, links as copies; `watch` sees an archive's own bytes."""
        if self.is_archive:
            return read_resolved(self.path, limits, watch)
        return read_folder(self.path, self._wanted)

    def size(self) -> int:
        """Bytes on disk."""
        if self.is_archive:
            return self.path.stat().st_size
        return folder_size(self.path)

    def _wanted(self, name: str) -> bool:
        leftover = any(fnmatchcase(name.rpartition("/")[2], pattern) for pattern in self.leftovers)
        if leftover:
            self.excluded.append(name)
        return not leftover and name not in self.elsewhere


def find_sources(job: Job, settings: Mapping[str, Any]) -> list[Source]:
    """Find what is to be packaged; the code first, so that readers of the package meet it early.

    Raises:
        InputError: with every input that is empty or ambiguous.

    """
    problems = Problems()
    sources: list[Source] = []
    with problems.gather():
        sources.append(_code(job.path("script_input"), settings["INFERENCE_ENTRY_POINT"]))
    calibration = job.path("calibration_input")
    if os.path.lexists(str(calibration)):
        sources.append(
            Source("calibration_input", calibration, CALIBRATION_PLACE, may_be_empty=True)
        )
    with problems.gather():
        sources += _model(job.path("model_input"), MODEL_PLACE[settings["PACKAGE_LAYOUT"]])
    problems.raise_any()
    return sources


def _code(folder: Path, entry_point: str | None) -> Source:
    if not folder.is_dir():
        raise InputError(f"script_input: {folder} is no folder")
    with reading(folder):
        names = sorted(path.name for path in folder.iterdir())
    if not names:
        raise InputError(f"script_input: {folder} is empty; put the inference code there")
    wanted = entry_point or ENTRY_POINT
    if not _is_among(folder, wanted):
        if entry_point:
            raise InputError(
                f"INFERENCE_ENTRY_POINT is {entry_point!r}: script_input holds {listed(names)}"
            )
        log.warning("script_input holds no %s: it holds %s", ENTRY_POINT, listed(names))
    if (folder / "requirements.txt").is_file():
        log.info("code/requirements.txt is packaged; nothing of it is installed here")
    return Source("script_input", folder, CODE_PLACE, leftovers=LEFTOVERS)


def _is_among(folder: Path, name: str) -> bool:
    """Whether a file is there that will be in the package under its name."""
    climbs = name.startswith("/") or ".." in name.split("/")
    with reading(folder):
        return not climbs and (folder / name).is_file()


def _model(path: Path, place: str) -> list[Source]:
    """Loose files, and the model's archive; both where both are there, for nothing may be lost.

    Loose files first: whoever laid them beside an archive meant them.
    """
    archive = find_archive(path)
    if archive is not None and not path.is_dir():
        return [Source("model_input", archive, place, is_archive=True)]
    names = frozenset() if archive is None else names_of(archive, path)
    loose = sorted({entry.name for entry in path.iterdir()} - names)
    sources = []
    if loose:
        if archive is not None:
            log.info("model_input: %s goes in beside %s", listed(loose), archive.name)
        beside = archive is not None
        sources.append(Source("model_input", path, place, elsewhere=names, may_be_empty=beside))
    if archive is not None:
        is_archive = not archive.is_dir()
        sources.append(Source("model_input", archive, place, is_archive=is_archive))
    return sources
