"""Statements of a script, gone through one after another."""

from __future__ import annotations

import ast
from typing import Any, Callable, ClassVar, Iterable

from mims.implementation.calls import Calls
from mims.implementation.expressions import Scope
from mims.implementation.facts import Place, Read
from mims.implementation.values import (
    ADD,
    JOIN,
    MOST,
    UNKNOWN,
    Class,
    External,
    Function,
    Instance,
    Row,
    Table,
    Values,
    constant,
    each,
    gives_up,
    known,
    last_name,
    unwrapped,
    without,
)

_BROAD = {"Exception", "BaseException"}
_FOR_TYPES = External("typing.TYPE_CHECKING")


class Statements(Calls):
    """Goes through the body of a module, a class or a function."""

    def body(self, statements: Iterable[Any]) -> None:
        """Go through statements in order."""
        for node in statements:
            if not self.reader.may_go_on():
                return
            kind = type(node).__name__
            execute: Callable[..., None] = self._EXECUTE.get(kind, Statements._parts)
            try:
                execute(self, node)
            except RecursionError:
                self.reader.not_followed(self.place(node))

    def _parts(self, node: Any) -> None:
        """Evaluate what a statement holds, whatever it is."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
            elif not isinstance(child, ast.expr_context):
                self.body([child]) if isinstance(child, ast.stmt) else self._parts(child)

    def _expression(self, node: Any) -> None:
        if type(node.value).__name__ not in ("Constant", "Str"):  # a docstring uses nothing
            self.value(node.value)

    # ---- names -----------------------------------------------------------------------------------

    def assign(self, target: Any, values: Values) -> None:
        """Bind a name, an attribute, an entry, or several names at once."""
        if isinstance(target, ast.Name):
            self.bind_name(target.id, values, target)
        elif isinstance(target, (ast.Tuple, ast.List)):
            rows = [v for v in values if isinstance(v, Row) and len(v.items) == len(target.elts)]
            for index, inner in enumerate(target.elts):
                parts = frozenset().union(*(r.items[index] for r in rows)) if rows else UNKNOWN
                self.assign(inner, parts if type(inner).__name__ != "Starred" else UNKNOWN)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, UNKNOWN)
        elif isinstance(target, ast.Attribute):
            for value in self.value(target.value):
                if isinstance(value, Instance):
                    held = value.attributes.get(target.attr, frozenset())
                    value.attributes[target.attr] = held | values
                elif isinstance(value, Class):
                    value.names[target.attr] = values
        elif isinstance(target, ast.Subscript):
            keys = self.value(unwrapped(target.slice))
            self.store(self.value(target.value), keys, values)

    def bind_name(self, name: str, values: Values, node: Any) -> None:
        """Bind a name, and note a table that is made for main."""
        self.reader.give_role(name, values, self.place(node))
        scope = self.scope
        if name in scope.globals:
            while scope.outer:
                scope = scope.outer
            values |= scope.names.get(name, frozenset())
        scope.names[name] = values

    def _assign(self, node: Any) -> None:
        values = self.value(node.value)
        for target in node.targets:
            self.assign(target, values)

    def _annotated(self, node: Any) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value))

    def _augmented(self, node: Any) -> None:
        added = self.value(node.value, quiet=True)
        if isinstance(node.target, ast.Name):
            old = self.scope.get(node.target.id) or UNKNOWN
            for value in old:
                if isinstance(value, Row):
                    value.add([item for v in added if isinstance(v, Row) for item in v.items])
                elif isinstance(value, Table):
                    value.closed = False
            together = JOIN if isinstance(node.op, ast.Div) else ADD
            new = each(together, old, added) if known(old) else old
            for text in known(new):
                self.facts.note_path(text, self.place(node))
            self.assign(node.target, new)

    def _global(self, node: Any) -> None:
        self.scope.globals.update(node.names)

    # ---- branches and loops ----------------------------------------------------------------------

    def _branches(self, *bodies: Callable[[], None]) -> None:
        """Take each of several ways from here; afterwards a name has what any of them gives it."""
        before = dict(self.scope.names)
        after: dict[str, Values] = {}
        for body in bodies:
            self.scope.names.clear()
            self.scope.names.update(before)
            body()
            for name, values in self.scope.names.items():
                held = after.get(name, values)
                after[name] = values if held is values else held | values
        self.scope.names.clear()
        self.scope.names.update(after)

    def _if(self, node: Any) -> None:
        if gives_up(node.body):
            self.fatal.update(id(part) for part in without(node.test))
        test = self.condition(node.test)
        if gives_up(node.body):
            self._note_missed(test)
        if _FOR_TYPES in test:
            self.body(node.orelse)
            return
        if self._is_main_guard(node.test):
            self.facts.has_main_guard = True
        self._branches(lambda: self.body(node.body), lambda: self.body(node.orelse))

    def _note_missed(self, values: Values) -> None:
        """Note variables whose being in a list of those that are missing ends the script."""
        shown = self.module.source.shown
        for unset in (u for v in values if isinstance(v, Row) for u in v.missed):
            self.facts.tested.discard((shown, unset.name))
            self.facts.reads.append(Read(unset.name, True, Place(shown, unset.line)))

    def _is_main_guard(self, test: Any) -> bool:
        names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
        said = {constant(n) for n in ast.walk(test) if _is_text(n)}
        at_top = self.scope is self.module.scope and self.module.source.name == "__main__"
        return at_top and "__name__" in names and "__main__" in said

    def _for(self, node: Any) -> None:
        for item in self.items(self.value(node.iter), node)[:MOST]:
            self.assign(node.target, item)
            self.body(node.body)
        self.body(node.orelse)

    def _assert(self, node: Any) -> None:
        self.fatal.add(id(node.test))
        self.value(node.test)
        self.value(node.msg, quiet=True)

    def _while(self, node: Any) -> None:
        self.condition(node.test)
        self._branches(lambda: self.body(node.body), lambda: None)
        self.body(node.orelse)

    def _with(self, node: Any) -> None:
        suppressed: set[str] = set()
        for item in node.items:
            values = self.value(item.context_expr)
            if last_name(item.context_expr) == "suppress":
                suppressed |= {last_name(argument) for argument in item.context_expr.args}
            if item.optional_vars is not None:
                self.assign(item.optional_vars, values)
        self.caught.append(suppressed)
        self.body(node.body)
        self.caught.pop()

    def _try(self, node: Any) -> None:
        def tried() -> None:
            at_top = self.scope is self.module.scope
            copes = (_copes_with(handler, at_top) for handler in node.handlers)
            self.caught.append(set().union(*copes))
            self.body(node.body)
            self.caught[-1] -= {"KeyError"}  # what the body imported is there
            self.body(node.orelse)
            self.caught.pop()

        def handled(handler: Any) -> Callable[[], None]:
            return lambda: self.body(handler.body)

        self._branches(tried, *(handled(handler) for handler in node.handlers))
        self.body(node.finalbody)

    # ---- definitions -----------------------------------------------------------------------------

    def _define(self, node: Any) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            self.value(part)
        function = Function(node, self.module, self.scope)
        self.scope.names[node.name] = self.reader.define(function)

    def _class(self, node: Any) -> None:
        bases = [self.value(base) for base in node.bases]
        outer, self.scope = self.scope, Scope({}, self.scope)
        made = Class(node.name, self.module, self.scope.names, bases)
        self.body(node.body)
        made.fields = [n.target.id for n in node.body if _is_field(n)]
        for values in made.names.values():
            for value in values:
                if isinstance(value, Function):
                    value.scope, value.made_of = outer, made
        self.scope = outer
        self.scope.names[node.name] = frozenset([made])

    def _return(self, node: Any) -> None:
        self.given |= self.value(node.value)

    # ---- imports ---------------------------------------------------------------------------------

    def _import(self, node: Any) -> None:
        for alias in node.names:
            self.reader.import_module(alias.name, (), self, node)
            bound = alias.asname or alias.name.partition(".")[0]
            self.scope.names[bound] = frozenset([External(alias.name if alias.asname else bound)])

    def _import_from(self, node: Any) -> None:
        name = self.module.source.absolute(node.module, node.level)
        if name is None:
            if not self.guards_imports:
                message = "imports relative to a package that it is not in: import by the full name"
                self.facts.errors.append((self.place(node), message))
            self.scope.names.update({a.asname or a.name: UNKNOWN for a in node.names})
            return
        wanted = tuple(alias.name for alias in node.names)
        self.reader.import_module(name, wanted, self, node)
        for alias in node.names:
            if alias.name == "*":
                self.scope.names.update(self.reader.all_names(name))
            else:
                values = self.reader.from_module(name, alias.name)
                self.scope.names[alias.asname or alias.name] = values

    _EXECUTE: ClassVar[dict[str, Callable[..., None]]] = {
        "Expr": _expression,
        "Assign": _assign,
        "AnnAssign": _annotated,
        "AugAssign": _augmented,
        **dict.fromkeys(("Global", "Nonlocal"), _global),
        "If": _if,
        "Assert": _assert,
        **dict.fromkeys(("For", "AsyncFor"), _for),
        "While": _while,
        **dict.fromkeys(("With", "AsyncWith"), _with),
        **dict.fromkeys(("Try", "TryStar"), _try),
        **dict.fromkeys(("FunctionDef", "AsyncFunctionDef"), _define),
        "ClassDef": _class,
        "Return": _return,
        "Import": _import,
        "ImportFrom": _import_from,
    }


def _is_text(node: Any) -> bool:
    return type(node).__name__ in ("Constant", "Str")


def _is_field(node: Any) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)


def _copes_with(handler: Any, at_top: bool) -> set[str]:
    """Names of the exceptions after which the script goes on.

    One that a function turns into another may be for what that function alone needs.
    """
    caught = handler.type
    names = {last_name(part) for part in getattr(caught, "elts", [caught])}
    if caught is None or names & _BROAD:
        names = {"ImportError", "KeyError"}
        return set() if gives_up(handler.body) else names
    if "LookupError" in names:
        names.add("KeyError")
    if gives_up(handler.body):
        names -= {"KeyError", *(("ImportError", "ModuleNotFoundError") if at_top else ())}
    return names
