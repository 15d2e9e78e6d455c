"""Calls in a script: of its own functions, which are followed, and of those that are known here."""

from __future__ import annotations

from typing import Any, Callable

from mims.implementation.expressions import Expressions
from mims.implementation.values import (
    ADD,
    CALLS,
    ENVIRON,
    HOLE,
    METHODS,
    NOTHING,
    PASSED_ON,
    UNKNOWN,
    VARIABLE,
    Bound,
    Class,
    Declared,
    External,
    Function,
    Instance,
    Row,
    Table,
    Unset,
    Values,
    each,
    is_empty,
    known,
    parameters,
    row,
    texts,
)

_SAID = {  # methods and functions whose texts are messages
    *("debug", "info", "warning", "warn", "error", "exception", "critical", "log", "print"),
    *("exit", "startswith", "endswith", "split", "add_parser", "ArgumentParser"),
}
_SAID_ABOUT = {"help", "description", "epilog", "usage", "metavar", "msg"}
_RUNNERS = {"read_command_line", "CommandLine", "Job"}  # of mims: they take a contract over
_SHELLS = {"system", "popen", "run", "call", "check_call", "check_output", "getoutput", "Popen"}
_LISTING = {"iterdir", "glob", "rglob", "listdir", "walk", "scandir", "iglob", "copytree"}


class Calls(Expressions):
    """Evaluates calls."""

    def _call(self, node: Any, _quiet: bool) -> Values:
        """Evaluate a call: what is called, its arguments, what it gives."""
        name, base = getattr(node.func, "attr", ""), None
        if name:
            base = self.value(node.func.value, quiet=name in METHODS or name in ("join", "format"))
            called = self.attribute(base, name, node)
        else:
            called = self.value(node.func)
        folds = {v.name for v in called if isinstance(v, External)} & {*CALLS}
        silent = bool(folds) or name in METHODS or name in ("join", "format")
        said = silent or (name or getattr(node.func, "id", "")) in _SAID or _raises(node.func)
        arguments = self._arguments(node, said)
        named = {
            k.arg or "": self.value(k.value, quiet=silent or k.arg in _SAID_ABOUT)
            for k in node.keywords
        }
        if base is not None and any(isinstance(v, str) for v in base) and silent:
            kept = frozenset(v for v in base if isinstance(v, Unset))
            return self._text_method(base, name, arguments, named) | kept
        self._note(name or getattr(node.func, "id", ""), base, arguments, named, node)
        found: Values = frozenset()
        if base is not None:
            method = _TABLE_METHODS.get(name)
            found |= method(self, base, arguments, node) if method else frozenset()
        if _takes_over(called) and not self.module.is_of_mims:
            for given in (v for values in (*arguments, *named.values()) for v in values):
                if isinstance(given, Declared):
                    self.facts.handed.append((given.name, given.contract, self.place(node)))
        for value in called:
            found |= self._give(value, arguments, named, node)
        return found or UNKNOWN

    def _arguments(self, node: Any, quiet: bool) -> list[Values]:
        made: list[Values] = []
        for argument in node.args:
            values = self.value(argument, quiet)
            rows = [value for value in values if isinstance(value, Row)]
            if type(argument).__name__ != "Starred":
                made.append(values)
            else:
                made += rows[0].items if len(rows) == 1 else [UNKNOWN]
        return made

    def _text_method(
        self, base: Values, name: str, arguments: list[Values], named: dict[str, Values]
    ) -> Values:
        if name == "format":
            return self.format_text(base, arguments, named)
        if name != "join":
            return each(METHODS[name], base, *arguments)
        made: Values = frozenset()
        for value in arguments[0] if arguments else ():
            parts = value.items if isinstance(value, Row) else [UNKNOWN]
            whole = parts[0] if parts else texts("")
            for part in parts[1:]:
                whole = each(ADD, each(ADD, whole, base), part)
            made |= whole
        return made or UNKNOWN

    def _note(
        self,
        name: str,
        base: Values | None,
        arguments: list[Values],
        named: dict[str, Values],
        node: Any,
    ) -> None:
        """Note what a call tells, whatever it calls."""
        if name in _LISTING:
            for values in [base or frozenset(), *arguments[:1]]:
                self.facts.loose.update(known(values))
        if name in _SHELLS and arguments:  # of what a command names, whatever else it says
            for word in (word for text in known(arguments[0]) for word in text.split()):
                self.facts.note_path(word.strip("'\""), self.place(node))
        self._note_arguments(name, arguments, named)
        if base and name in ("insert", "append", "extend") and External("sys.path") in base:
            self.facts.adds_to_path = True
            self.reader.add_to_path(known(arguments[-1]) if arguments else [])

    def _note_arguments(self, name: str, arguments: list[Values], named: dict[str, Values]) -> None:
        """Note the arguments of the command line and their defaults."""
        if name == "add_argument":
            given = {name.lstrip("-").replace("-", "_") for v in arguments for name in known(v)}
            for dest in known(named.get("dest", frozenset())) or given:
                self.reader.add_argument(dest, named.get("default", frozenset()))
        if name == "set_defaults":
            for dest, values in named.items():
                self.reader.add_argument(dest, values)

    # ---- what a call gives -----------------------------------------------------------------------

    def _give(
        self, value: Any, arguments: list[Values], named: dict[str, Values], node: Any
    ) -> Values:
        if isinstance(value, (Function, Bound)):
            function, owner = (value, None) if isinstance(value, Function) else value
            return self.reader.run(function, self.bind(function, owner, arguments, named), owner)
        if isinstance(value, Class):
            return self._make(value, arguments, named)
        if isinstance(value, External):
            return self._of_others(value.name, arguments, named, node)
        return frozenset()

    def bind(
        self,
        function: Function,
        owner: Any,
        arguments: list[Values],
        named: dict[str, Values],
    ) -> dict[str, Values]:
        """Give each parameter what a call passes it."""
        names = parameters(function.node)
        passed = [*([] if owner is None else [frozenset([owner])]), *arguments]
        bound = dict(zip(names, passed))
        by_place = len(names) - len(function.node.args.kwonlyargs)
        if function.node.args.vararg and len(passed) > by_place:
            bound = dict(zip(names[:by_place], passed))
            bound[function.node.args.vararg.arg] = row(*passed[by_place:])
        bound.update({name: values for name, values in named.items() if name})
        if "" in named:  # **something
            for table in named[""]:
                bound.update(table.entries if isinstance(table, Table) else {})
        return bound

    def _make(self, made_of: Class, arguments: list[Values], named: dict[str, Values]) -> Values:
        instance = Instance(made_of)
        for value in made_of.get("__init__") or ():
            if isinstance(value, Function):
                bound = self.bind(value, instance, arguments, named)
                self.reader.run(value, bound, instance)
                return frozenset([instance])
        instance.attributes.update(zip(made_of.fields, arguments))
        instance.attributes.update({name: v for name, v in named.items() if name})
        return frozenset([instance])

    def _of_others(
        self, name: str, arguments: list[Values], named: dict[str, Values], node: Any
    ) -> Values:
        first = arguments[0] if arguments else frozenset()
        if name in CALLS and arguments:
            return each(CALLS[name], *arguments)
        if name in ("os.getenv", "os.getenvb", "os.environ.get"):
            return _get(self, frozenset([ENVIRON]), [*arguments, *named.values()], node)
        if name in ("importlib.import_module", "__import__"):
            for module in known(first):
                self.reader.import_module(module, (), self, node)
        if name == "importlib.util.find_spec":
            self.facts.asked_for.update(known(first))
        return self._of_makers(name, arguments, named, node)

    def _of_makers(
        self, name: str, arguments: list[Values], named: dict[str, Values], node: Any
    ) -> Values:
        """Give what holds other values by name."""
        if name == "dict" and (named or not arguments):
            table = Table({key: values for key, values in named.items() if key}, "" not in named)
            return frozenset([table]).union(*arguments[:1])
        if name in ("types.SimpleNamespace", "argparse.Namespace"):
            return self._make(Class(name, self.module, {}, ()), [], named)
        if name == "dataclasses.field":
            made = named.get("default", frozenset())
            for factory in named.get("default_factory", frozenset()):
                made |= self._give(factory, [], {}, node)
            return made
        if name == "collections.namedtuple" and len(arguments) > 1:
            return self._named_tuple(arguments[1])
        return self._of_rounds(name, arguments, node)

    def _named_tuple(self, fields: Values) -> Values:
        """`namedtuple("Paths", "model output")`."""
        made = Class("", self.module, {}, ())
        items = [item for v in fields if isinstance(v, Row) for item in v.items]
        said = [name for text in known(fields) for name in text.replace(",", " ").split()]
        made.fields = said or [name for item in items for name in known(item)[:1]]
        return frozenset([made])

    def _of_rounds(self, name: str, arguments: list[Values], node: Any) -> Values:
        """Give what goes over other values: enumerate, zip, sorted and the like."""
        first = arguments[0] if arguments else frozenset()
        if name == "enumerate":
            return row(*(row(UNKNOWN, item) for item in self.items(first, node)))
        if name == "zip":
            return row(*(row(*items) for items in zip(*(self.items(a, node) for a in arguments))))
        return (first or row()) if name in PASSED_ON else frozenset()


def _takes_over(called: Values) -> bool:
    """Whether what is called runs a contract: of the mims that is there, or of one that is not."""
    for value in called:
        name = value.name if isinstance(value, External) else ""
        if isinstance(value, Function) and value.module.is_of_mims:
            name = "mims." + getattr(value.node, "name", "lambda")
        if isinstance(value, Class) and value.module.is_of_mims:
            name = f"mims.{value.name}"
        if name.partition(".")[0] == "mims" and name.rpartition(".")[2] in _RUNNERS:
            return True
    return False


def _raises(called: Any) -> bool:
    name = str(getattr(called, "attr", getattr(called, "id", "")))
    return name.endswith(("Error", "Exception", "Warning", "Exit"))


def _get(self: Calls, base: Values, arguments: list[Values], node: Any) -> Values:
    if not arguments:
        return UNKNOWN
    default = arguments[1] if len(arguments) > 1 else frozenset()
    if self.testing and id(node) not in self.fatal:
        self.test(base, arguments[0], node)
    fallback = [*node.args[1:], *(keyword.value for keyword in node.keywords)]
    may_lack = all(is_empty(part) for part in fallback) or bool(default & NOTHING)
    if ENVIRON in base and may_lack:
        default |= {Unset(key, node.lineno) for key in known(arguments[0])}
    return self.lookup(base, arguments[0], node, needed=False) | default


def _take(self: Calls, base: Values, arguments: list[Values], node: Any) -> Values:
    if not arguments:
        return UNKNOWN
    return self.lookup(base, arguments[0], node, needed=len(arguments) < 2)


def _set_default(self: Calls, base: Values, arguments: list[Values], _node: Any) -> Values:
    self.store(
        base, arguments[0] if arguments else UNKNOWN, arguments[-1] if arguments else UNKNOWN
    )
    return arguments[-1] if arguments else UNKNOWN


def _update(self: Calls, base: Values, arguments: list[Values], _node: Any) -> Values:
    for values in arguments:
        for value in values:
            if isinstance(value, Table):
                for key, held in value.entries.items():
                    self.store(base, texts(key), held)
            if not isinstance(value, Table) or not value.closed:
                self.store(base, UNKNOWN, UNKNOWN)
    return UNKNOWN


def _items(self: Calls, base: Values, _arguments: list[Values], node: Any) -> Values:
    return row(*self.pairs(base, node))


def _keys(self: Calls, base: Values, _arguments: list[Values], node: Any) -> Values:
    return row(*self.items(base, node))


def _values(self: Calls, base: Values, _arguments: list[Values], node: Any) -> Values:
    self.items(base, node)
    tables = [v for v in base if isinstance(v, Table)]
    return row(*(values for table in tables for values in table.entries.values()), UNKNOWN)


def _copy(_self: Calls, base: Values, _arguments: list[Values], _node: Any) -> Values:
    return base


def _append(_self: Calls, base: Values, arguments: list[Values], _node: Any) -> Values:
    for value in base:
        if isinstance(value, Row) and arguments:
            value.add(arguments[-1:])
    return UNKNOWN


def _starts(self: Calls, base: Values, arguments: list[Values], node: Any) -> Values:
    """`name.startswith("SPECIAL_FIELD_")` of a variable's name reads them all."""
    if VARIABLE in base and arguments:
        rows = [item for v in arguments[0] if isinstance(v, Row) for item in v.items]
        for prefix in (p for values in (arguments[0], *rows) for p in known(values)):
            self.lookup(frozenset([ENVIRON]), texts(prefix + HOLE), node, needed=False)
    return UNKNOWN


_TABLE_METHODS: dict[str, Callable[[Calls, Values, list[Values], Any], Values]] = {
    "get": _get,
    "pop": _take,
    "__getitem__": _take,
    "setdefault": _set_default,
    "update": _update,
    "items": _items,
    "keys": _keys,
    "values": _values,
    "copy": _copy,
    "append": _append,
    "add": _append,
    "startswith": _starts,
}
