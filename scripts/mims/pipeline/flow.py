"""What a definition's JSON says: which steps there are, what refers to what, who goes before whom.

Goes in: a definition, whoever wrote it. Comes out: its steps, parameters, references and edges.
Entries that are not of the form of a step or a parameter are passed over: `definition.problems`
tells of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.errors import InputError
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_REFERENCE = re.compile(r"(Parameters|Execution|Steps)\.([A-Za-z0-9_-]+)(.*)", re.DOTALL)
_KEY = re.compile(r"""\.([\w-]+)|\[(\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]""")


class Edge(NamedTuple):
    """Two steps, one before the other, and why: what flows, as what, or "depends on"."""

    before: str
    after: str
    why: str


class Reference(NamedTuple):
    """A `Get` in a step: where it stands, of what kind it is, whom it names, which property."""

    where: str
    kind: str
    name: str
    keys: tuple[str | int, ...]
    text: str


def steps(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries of all steps that are of the form of one, those of conditions' branches too."""
    return [entry for entry, _, _ in _nested(definition.get("Steps"))]


def parameters(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The entries of all parameters that are of the form of one."""
    return [entry for entry in _items(definition.get("Parameters")) if has_texts(entry, "Name")]


def edges(definition: Mapping[str, Any]) -> list[Edge]:
    """What goes before what among the definition's steps, and why; each edge once."""
    found = []
    for entry, condition, branch in _nested(definition.get("Steps")):
        name = entry["Name"]
        if condition:
            found.append(Edge(condition, name, branch))
        found += (
            Edge(reference.name, name, _why(flowing(reference), place(entry, reference.where)))
            for reference in references(entry)
            if reference.kind == "Steps"
        )
        found += (Edge(earlier, name, "depends on") for earlier in depends_on(entry))
    known = {entry["Name"] for entry in steps(definition)}
    return list(dict.fromkeys(edge for edge in found if edge.before in known))


def order(definition: Mapping[str, Any]) -> list[str]:
    """The steps' names, each after those that it needs.

    Raises:
        InputError: steps wait for each other.

    """
    if found := list(cycles(definition)):
        raise InputError(*(f"steps wait for each other: {cycle}" for cycle in found))
    return list(TopologicalSorter(_needs(definition)).static_order())


def cycles(definition: Mapping[str, Any]) -> Iterator[str]:
    """Steps that wait for each other, as a → b → a."""
    needs = _needs(definition)
    while True:
        try:
            TopologicalSorter(needs).prepare()
        except CycleError as error:
            cycle = error.args[1]
            needs[cycle[1]].remove(cycle[0])  # to find the next one, if there is
            yield " → ".join(map(printable, cycle))
        else:
            return


def references(value: Any, where: str = "") -> Iterator[Reference]:
    """Every `Get` in a value, but for those of steps in a condition's branches."""
    if variable_of(value) == "Get" and isinstance(value["Get"], str):
        yield _reference(value["Get"], where)
    elif variable_of(value):
        yield from (found._replace(where=where) for found in references([*value.values()], where))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in ("IfSteps", "ElseSteps"):
                at = f"{where}.{key}" if where and where != "Arguments" else str(key)
                yield from references(item, at)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from references(item, f"{where}[{number}]")


def flowing(reference: Reference) -> str:
    """What a reference fetches, in a word: an output's name, or the property's."""
    names = [key for key in reference.keys if isinstance(key, str)]
    for before, key in pairwise(names):
        if before in ("Outputs", "OutputParameters", "PropertyFiles"):
            return key
    return names[-1] if names else reference.text


def place(entry: Mapping[str, Any], where: str) -> str:
    """What a step calls the place in its request: an input's or a channel's name, if it is one."""
    found = re.match(r"(ProcessingInputs|InputDataConfig)\[(\d+)\]", where)
    if found:
        at = int(found[2])
        for item in _items(dig(entry, "Arguments", found[1]))[at : at + 1]:
            name = dig(item, "InputName") or dig(item, "ChannelName")
            if isinstance(name, str):
                return name
    return where.rpartition(".")[2]


def depends_on(entry: Mapping[str, Any]) -> list[str]:
    """The steps that a step names in DependsOn."""
    return [name for name in _items(entry.get("DependsOn")) if isinstance(name, str)]


def variable_of(value: Any) -> str | None:
    """Which function of a definition a JSON value is, Get or Std:…, if it is one."""
    if isinstance(value, Mapping) and len(value) == 1:
        (key,) = value
        if key == "Get" or str(key).startswith("Std:"):
            return str(key)
    return None


def dig(value: Any, *keys: str) -> Any:
    """What lies below the keys, or None."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def named(items: Any, key: str) -> list[str]:
    """The names of a list's items, as far as they are known."""
    names = [dig(item, key) for item in items] if isinstance(items, list) else []
    return [name for name in names if isinstance(name, str)]


def _why(what: str, place: str) -> str:
    return what if what == place else f"{what} as {place}"


def has_texts(entry: Any, *keys: str) -> bool:
    """Whether it is an object with texts at these keys."""
    return all(isinstance(dig(entry, key), str) for key in keys)


def _reference(text: str, where: str) -> Reference:
    found = _REFERENCE.fullmatch(text)
    if found is None:
        return Reference(where, "", "", (), text)
    kind, name, rest = found.groups()
    keys = [*_KEY.finditer(rest)]
    whole = "".join(key[0] for key in keys) == rest and bool(rest) == (kind == "Steps")
    parts = (int(key[2]) if key[2] else key[1] or key[3] or key[4] or "" for key in keys)
    return Reference(where, kind if whole else "", name, tuple(parts), text)


def _needs(definition: Mapping[str, Any]) -> dict[str, list[str]]:
    """By step, those that go before it."""
    needs: dict[str, list[str]] = {entry["Name"]: [] for entry in steps(definition)}
    for edge in edges(definition):
        if edge.before not in needs[edge.after]:
            needs[edge.after].append(edge.before)
    return needs


def _nested(value: Any, condition: str = "", branch: str = "") -> Iterator[tuple[Any, str, str]]:
    """Yield steps' entries, each with the condition and the branch of it that it stands in."""
    for entry in _items(value):
        if has_texts(entry, "Name", "Type"):
            yield entry, condition, branch
            for key, word in {"IfSteps": "if", "ElseSteps": "else"}.items():
                yield from _nested(dig(entry, "Arguments", key), entry["Name"], word)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
