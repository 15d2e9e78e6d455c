"""What a script was seen to use, and where: plain records, judged in `checks`."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from mims.implementation.values import GIVEN, HOLE, Table

if TYPE_CHECKING:
    from mims.contracts import Contract

ROOT = "/opt/ml/processing"
_END = re.compile(r"[\s:;,'\"()]")  # what ends a path in a sentence
_WILD = re.compile(r"[*?\[].*", re.DOTALL)


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Read(NamedTuple):
    """A variable that is read, or an entry of main's input_paths or output_paths.

    `name` may have holes; without a value, a `needed` one fails the job.
    """

    name: str
    needed: bool
    place: Place


class Import(NamedTuple):
    """An import of what is not the script's own: every module that it may run."""

    modules: tuple[str, ...]
    guarded: bool
    by: str
    place: Place


class Facts:
    """All of them, in the order that they were met."""

    def __init__(self) -> None:
        self.paths: dict[str, Place] = {}
        self.loose: set[str] = set()  # folders whose entries are taken as they come
        self.reads: list[Read] = []
        self.tested: set[tuple[str, str]] = set()  # file and name: the script copes without
        self.provided: set[str] = set()  # variables that the script sets itself
        self.keys: dict[str, list[Read]] = {role: [] for role in GIVEN}
        self.tables: dict[str, list[tuple[Table, Place]]] = {role: [] for role in GIVEN}
        self.imports: list[Import] = []
        self.asked_for: set[str] = set()  # modules that the script looks for before it imports them
        self.own: list[tuple[str, str, bool]] = []  # who imports whom of the script's own, guarded
        self.handed: list[tuple[str, Contract, Place]] = []
        self.errors: list[tuple[Place, str]] = []
        self.warnings: list[tuple[Place, str]] = []
        self.adds_to_path = False
        self.readable = False  # the script: else all the rest says nothing
        self.has_main_guard = False

    def note_path(self, text: str, place: Place) -> None:
        """Note a text that is a path in a container's processing folder; a hole may stand first."""
        path = _END.split("/" + text.lstrip(HOLE + "/"), 1)[0]
        if path.startswith(ROOT):
            path = posixpath.normpath(_WILD.sub(HOLE, path))
            if (path + "/").startswith((f"{ROOT}/", ROOT + HOLE)):
                self.paths.setdefault(path, place)

    def unguarded(self, script: str) -> set[str]:
        """Modules of the script's own whose import nothing guards on the way."""
        reached, left = {script}, [script]
        while left:
            by = left.pop()
            new = {to for who, to, guarded in self.own if who == by and not guarded} - reached
            reached |= new
            left += new
        return reached

    def copes_without(self, read: Read) -> bool:
        """Whether a file asks for a name before it takes it, or sets it itself."""
        return (read.place.file, read.name) in self.tested or read.name in self.provided

    @property
    def reads_any_variable(self) -> bool:
        """Whether some variable's name is known to a run alone."""
        return any(read.name == HOLE for read in self.reads)
