"""YAML with the place of every value, so that a mistake can be shown where it was made.

Goes in: text that people write. Comes out: a `Document`: plain values, the line and column of each,
and every mistake that does not keep the rest from being read. Scalars are YAML 1.2's: `no` is text
and `1e-3` a number; keys are always text. Never makes an object of a tag, never grows beyond
`_NODES` values whatever aliases stand in it, never picks one of two equal keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from mims.text import printable

if TYPE_CHECKING:
    from yaml.error import Mark

_NODES, _DEPTH = 10_000, 30
_LONGEST = 300  # digits of a number
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ODD_FLOAT = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
_TAG = "tag:yaml.org,2002:"

Path = tuple[str | int, ...]


class Place(NamedTuple):
    """Where something stands, from 1 on, as editors count."""

    line: int
    column: int


class Mistake(NamedTuple):
    """What is wrong where; `path` is of the value that it is about."""

    place: Place
    path: Path
    text: str


@dataclass
class Document:
    """What was read."""

    value: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    """of what stands under a key, where the key is"""
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, path: Path) -> Place:
        """Where a value's key stands, or it itself; for a missing one, where it would belong."""
        while path and path not in self.values:
            path = path[:-1]
        return self.keys.get(path) or self.values.get(path, Place(1, 1))


def read(text: str) -> Document:
    """Read YAML; text that is none has one mistake and no value."""
    document = Document()
    try:
        node = yaml.compose(text, yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ", ".join(part for part in (error.context, error.problem) if part)
        document.mistakes.append(Mistake(_place(mark), (), f"is no YAML: {printable(said)}"))
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        at = Place(before.count("\n") + 1, error.position - before.rfind("\n"))
        code = error.character if isinstance(error.character, int) else ord(error.character)
        document.mistakes.append(Mistake(at, (), f"is no YAML: character U+{code:04X}"))
    except RecursionError:
        document.mistakes.append(Mistake(Place(1, 1), (), "is nested too deep"))
    else:
        if node is not None:
            try:
                document.value = _Builder(document).build(node, ())
            except _TooMuchError as error:
                document.value = None
                document.mistakes.append(error.mistake)
    return document


class _TooMuchError(Exception):
    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake)
        self.mistake = mistake


class _Builder:
    """Makes values of nodes, each as often as an alias leads to it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        """Make the value of a node."""
        place = _place(node.start_mark)
        self.count += 1
        if self.count > _NODES or len(path) > _DEPTH:
            much = f"{_NODES} values" if self.count > _NODES else f"{_DEPTH} levels"
            raise _TooMuchError(Mistake(place, (), f"holds more than {much}, aliases followed"))
        self.document.values[path] = place
        if node.tag not in (f"{_TAG}{kind}" for kind in ("str", "seq", "map")):
            self.note(place, path, f"the tag {node.tag.removeprefix(_TAG)!r} is not taken")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, number)) for number, item in enumerate(node.value)]
        quoted = isinstance(node, yaml.ScalarNode) and node.style
        return node.value if quoted else _scalar(node.value)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        """Make an object, and note each key that is no text or not the first of its name."""
        made: dict[str, Any] = {}
        for key, item in node.value:
            place = _place(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self.note(place, path, "a key must be text")
                continue
            name: str = key.value
            whole = (*path, name)
            if name in made:
                first = self.document.keys[whole].line
                self.note(place, whole, f"is given twice, the first time in line {first}")
            elif name == "<<":
                self.note(place, path, "<< is not taken: write the keys out")
            else:
                self.document.keys[whole] = place
                made[name] = self.build(item, whole)
        return made

    def note(self, place: Place, path: Path, text: str) -> None:
        """Note a mistake, and go on."""
        self.document.mistakes.append(Mistake(place, path, text))


def _scalar(text: str) -> Any:
    """What YAML 1.2's core schema makes of a plain scalar."""
    if text.lower() in _WORDS and text in (text.lower(), text.capitalize(), text.upper()):
        return _WORDS[text.lower()]
    if len(text) <= _LONGEST:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _ODD_FLOAT.fullmatch(text):
            return float(text.replace(".", "", 1))
    return text


def _place(mark: Mark | None) -> Place:
    return Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
