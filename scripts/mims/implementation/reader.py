"""Goes through a script as Python would, without running it, and into its own modules.

Goes in: the script's path and the contract. Comes out: `Facts`. Both sides of an `if` are taken, a
loop over what is written down goes round by round, a function is followed with what each call gives
it; one that nothing calls, with what `main` is given from outside.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, Mapping

from mims.errors import InputError
from mims.implementation.expressions import Expressions, Scope
from mims.implementation.facts import Facts, Import, Place
from mims.implementation.sources import Finder, Source, UnreadableError, parse, read
from mims.implementation.statements import Statements
from mims.implementation.values import (
    GIVEN,
    UNKNOWN,
    Declared,
    External,
    Function,
    Instance,
    Table,
    Values,
    parameters,
    texts,
)

if TYPE_CHECKING:
    from mims.contracts import Contract

_MOST_CALLS = 40  # of one function, each with arguments of its own
_DEEPEST = 20  # calls within calls
_MOST_STEPS = 500_000  # expressions and statements, all in all: some seconds
_CONTRACTS = "mims.contracts"


class Module:
    """A file of the script's own, and its names."""

    def __init__(self, source: Source, path: Path) -> None:
        self.source = source
        # Python's own name for the file, which no path in a container begins with
        self.scope = Scope({"__file__": texts(f"/..{path}")})
        self.is_of_mims = source.name.partition(".")[0] == "mims"


class Reader:
    """What one validation has seen so far.

    Raises:
        InputError: the script can't be read.

    """

    def __init__(self, script: Path, contract: Contract, contracts: Mapping[str, Contract]) -> None:
        self.facts = Facts()
        self.declared = {
            "input_paths": contract.expected_input_paths,
            "output_paths": contract.expected_output_paths,
        }
        self.contracts = {n: frozenset([Declared(n, c)]) for n, c in contracts.items()}
        self._content = read(script)
        self.finder = Finder(script)
        self.modules: dict[str, Module | None] = {}
        self.arguments: dict[str, Values] = {}  # of the command line, by attribute
        self.functions: list[Function] = []
        self._runs: dict[Any, dict[Any, Values]] = {}  # by function and what it was given
        self._depth = 0
        self._steps = 0
        self._script = script
        self._python = contract.framework_requirements.get("python", "")

    def go(self) -> Facts:
        """Go through the script, then through the functions that nothing calls."""
        self._enter("__main__", self._script, str(self._script), self._content)
        for function in self.functions:  # the list grows on the way
            if not self._runs.get(function.node):
                owner = None
                if function.made_of and not function.has("staticmethod"):
                    owner = Instance(function.made_of)
                self.run(function, {}, owner)
        return self.facts

    # ---- limits ----------------------------------------------------------------------------------

    def may_go_on(self) -> bool:
        """Whether there is time for one more step."""
        self._steps += 1
        if self._steps == _MOST_STEPS:
            self.facts.warnings.append(
                (Place(str(self._script), 1), "is too long to be checked to its end: split it")
            )
        return self._steps < _MOST_STEPS

    def not_followed(self, place: Place) -> None:
        """Note what nests too deep."""
        self.facts.warnings.append((place, "nests too deep to be checked: split it"))

    # ---- functions -------------------------------------------------------------------------------

    def define(self, function: Function) -> Values:
        """Remember a function, to follow it if nothing calls it."""
        if all(function.node is not other.node for other in self.functions[-200:]):
            self.functions.append(function)
        return frozenset([function])

    def run(self, function: Function, bound: dict[str, Values], owner: Any) -> Values:
        """Follow a function with what its parameters are given; give what it returns."""
        names = parameters(function.node)
        if owner is not None and names:
            bound = {names[0]: frozenset([owner]), **bound}
        key = frozenset(bound.items())
        runs = self._runs.setdefault(function.node, {})
        if key in runs:
            return runs[key]
        if self._depth >= _DEEPEST or len(runs) >= _MOST_CALLS:
            return UNKNOWN
        runs[key] = UNKNOWN  # to whoever asks while it runs
        self._depth += 1
        try:
            runs[key] = self._follow(function, bound)
        finally:
            self._depth -= 1
        return runs[key]

    def _follow(self, function: Function, bound: dict[str, Values]) -> Values:
        node = function.node
        scope = Scope({}, function.scope)
        inside = Statements(self, function.module, scope)
        place = inside.place(node)
        defaults = Statements(self, function.module, function.scope)
        positional = [*getattr(node.args, "posonlyargs", ()), *node.args.args]
        pairs = [*zip(reversed(positional), reversed(node.args.defaults))]
        pairs += zip(node.args.kwonlyargs, node.args.kw_defaults)
        default = {a.arg: defaults.value(d, quiet=True) for a, d in pairs if d is not None}
        for name in parameters(node):
            values = bound.get(name) or default.get(name, UNKNOWN)
            if name in GIVEN and not any(self.is_given(value) for value in values):
                values = frozenset([GIVEN[name]])
            elif name not in bound:
                values |= UNKNOWN
            self.give_role(name, values, place)
            scope.names[name] = values
        if node.args.vararg:
            scope.names[node.args.vararg.arg] = bound.get(node.args.vararg.arg, UNKNOWN)
        if node.args.kwarg:
            more = {n: v for n, v in bound.items() if n not in scope.names}
            scope.names[node.args.kwarg.arg] = frozenset([Table(more, closed=False)]) | UNKNOWN
        if isinstance(node.body, list):
            inside.body(node.body)
            return inside.given
        return inside.value(node.body)

    @staticmethod
    def is_given(value: Any) -> bool:
        """Whether a value can stand for what main is given."""
        return isinstance(value, Table) or value in GIVEN.values()

    def give_role(self, name: str, values: Values, place: Place) -> None:
        """Note a table that goes by the name of one of main's parameters."""
        for value in values if name in GIVEN else ():
            if isinstance(value, Table) and not value.role:
                value.role = name
                self.facts.tables[name].append((value, place))

    # ---- the command line and the path -----------------------------------------------------------

    def add_argument(self, dest: str, default: Values) -> None:
        """Note an argument of the command line and its default."""
        held = self.arguments.get(dest, frozenset())
        self.arguments[dest] = held | {v for v in default if isinstance(v, str)}

    def add_to_path(self, folders: Iterable[str]) -> None:
        """Look for modules in more folders, where they are known."""
        for folder in folders:
            if folder.startswith("/../"):
                self.finder.folders.append(Path(posixpath.normpath(folder)))

    # ---- modules ---------------------------------------------------------------------------------

    def import_module(self, name: str, wanted: tuple[str, ...], by: Expressions, node: Any) -> None:
        """Follow an import of the script's own; note any other."""
        importer, guarded = by.module.source.name, by.guards_imports
        found = self.finder.find(name)
        for item in wanted:
            found.update(self.finder.find(f"{name}.{item}"))
        if not found:
            modules = (name, *(f"{name}.{item}" for item in wanted))
            self.facts.imports.append(Import(modules, guarded, importer, by.place(node)))
            return
        for module, path in found.items():
            self.facts.own.append((importer, module, guarded))
            if module not in self.modules and module != _CONTRACTS:
                self._import(module, path, by.place(node))
        if name not in found and not self.finder.is_folder(name):
            message = f"imports {name}, and there is no such module beside it: bring it along"
            problems = self.facts.warnings if guarded else self.facts.errors
            problems.append((by.place(node), message))

    def _import(self, name: str, path: Path, place: Place) -> None:
        try:
            content = read(path)
        except InputError as error:
            self.facts.errors.append((place, str(error)))
            return
        self._enter(name, path, self.finder.shown(path), content)

    def _enter(self, name: str, path: Path, shown: str, content: bytes) -> None:
        self.modules[name] = None
        try:
            tree = parse(content)
        except UnreadableError as error:
            self._unreadable(Place(shown, error.line), error.reason)
            return
        self.facts.readable = True
        full = Path(os.path.realpath(str(path)))
        module = Module(Source(name, shown, path.name == "__init__.py", tree), full)
        self.modules[name] = module
        Statements(self, module, module.scope).body(tree.body)

    def _unreadable(self, place: Place, reason: str) -> None:
        """Note a file that this Python can't parse: its fault, unless it is for a newer Python."""
        digits = re.findall(r"\d+", self._python)[:2]
        if sys.version_info < tuple(map(int, digits)):
            version = ".".join(digits)
            message = f"is for Python {version}, so this one can't check it: use {version} to check"
            self.facts.warnings.append((place, message))
        else:
            self.facts.errors.append((place, f"is no Python that can run: {reason}"))

    def all_names(self, name: str) -> dict[str, Values]:
        """What `from name import *` binds."""
        if name == _CONTRACTS:
            return dict(self.contracts)
        module = self.modules.get(name)
        public = module.scope.names.items() if module else ()
        return {n: values for n, values in public if not n.startswith("_")}

    def from_module(self, name: str, item: str) -> Values:
        """What `from name import item` binds."""
        if name == _CONTRACTS and item in self.contracts:
            return self.contracts[item]
        module = self.modules.get(name)
        if module and item in module.scope.names:
            return module.scope.names[item]
        if f"{name}.{item}" in self.modules or f"{name}.{item}" == _CONTRACTS:
            return frozenset([External(f"{name}.{item}")])
        return UNKNOWN if self.finder.find(name) else frozenset([External(f"{name}.{item}")])

    def attribute(self, name: str, item: str) -> Values | None:
        """What `.item` of a module is; None if the module is not the script's own."""
        if name in self.modules or name == _CONTRACTS or self.finder.is_folder(name):
            return self.from_module(name, item)
        return None
