"""Expressions of a script: what each can be, and what it reads on the way.

An expression gives `Values`; paths, variables and contract objects that it uses go into `Facts`.
Texts are noted whole: of `Path("/opt/ml/processing") / "input" / name` only the outermost counts.
"""

from __future__ import annotations

import ast
import string
from typing import TYPE_CHECKING, Any, Callable, ClassVar

from mims.implementation.facts import Facts, Place, Read
from mims.implementation.values import (
    ADD,
    ATTRIBUTES,
    CONSTANTS,
    ENVIRON,
    HOLE,
    JOIN,
    MOST,
    NOTHING,
    PERCENT,
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
    ancestors,
    constant,
    each,
    gives_up,
    is_nothing,
    known,
    lifted,
    row,
    texts,
    unwrapped,
    without,
)

if TYPE_CHECKING:
    from mims.implementation.reader import Module, Reader

_TEXT_OPERATORS = {ast.Add: ADD, ast.Div: JOIN, ast.Mod: PERCENT}
_ROLES = {External("input_paths"): "input_paths", External("output_paths"): "output_paths"}


class Scope:
    """Names of a module, a class body or a function's run."""

    def __init__(self, names: dict[str, Values] | None = None, outer: Scope | None = None) -> None:
        self.names = {} if names is None else names
        self.outer = outer
        self.globals: set[str] = set()

    def get(self, name: str) -> Values | None:
        """Look a name up, from the inside out."""
        scope: Scope | None = self
        while scope:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None


class Expressions:
    """Evaluates the expressions of one run of a module's or a function's body."""

    def __init__(self, reader: Reader, module: Module, scope: Scope) -> None:
        self.reader = reader
        self.module = module
        self.scope = scope
        self.caught: list[set[str]] = []  # exceptions that a try around this line copes with
        self.given: Values = frozenset()  # what the body returns
        self.testing = False  # inside the condition of an if
        self.fatal: set[int] = set()  # expressions without whose value the script gives up, by id

    @property
    def facts(self) -> Facts:
        """What is noted."""
        return self.reader.facts

    @property
    def guards_imports(self) -> bool:
        """Whether this line copes with a module that is not there."""
        return any(c & {"ImportError", "ModuleNotFoundError"} for c in self.caught)

    def place(self, node: Any) -> Place:
        """Where an expression stands."""
        return Place(self.module.source.shown, getattr(node, "lineno", 1))

    def value(self, node: ast.expr | None, quiet: bool = False) -> Values:
        """Evaluate. A `quiet` one's texts are not noted: they are part of a longer one, or said."""
        if node is None or not self.reader.may_go_on():
            return UNKNOWN
        kind = type(node).__name__
        evaluate: Callable[..., Values] = self._EVALUATE.get(kind, Expressions._other)
        values = self._call(node, quiet) if kind == "Call" else evaluate(self, node, quiet)
        if id(node) in self.fatal:
            for unset in (v for v in values if isinstance(v, Unset)):
                place = Place(self.module.source.shown, unset.line)
                self.facts.reads.append(Read(unset.name, True, place))
        if not quiet and kind in _WHOLE:
            for text in known(values):
                self.facts.note_path(text, self.place(node))
        return values

    def _other(self, node: Any, _quiet: bool) -> Values:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
        return UNKNOWN

    # ---- texts -----------------------------------------------------------------------------------

    def _constant(self, node: Any, _quiet: bool) -> Values:
        text = constant(node)
        if isinstance(text, str):
            return texts(text)
        return NOTHING if is_nothing(node) else UNKNOWN

    def _formatted(self, node: Any, _quiet: bool) -> Values:
        made = texts("")
        for part in node.values:
            inner = (
                self.value(getattr(part, "value", None), True) if _is(part, "Formatted") else None
            )
            made = each(ADD, made, self.value(part, True) if inner is None else inner)
        return made

    def _binary(self, node: Any, _quiet: bool) -> Values:
        left = self.value(node.left, quiet=True)
        if isinstance(node.op, ast.Mod):
            right = self.value(node.right, quiet=True)
            rows = [value for value in right if isinstance(value, Row)]
            for operand in rows[0].items if rows else [right]:
                left = each(PERCENT, left, operand)
            return left
        right = self.value(node.right, quiet=True)
        if isinstance(node.op, ast.Add) and all(isinstance(v, Row) for v in left | right):
            return row(*(item for side in (left, right) for v in side for item in v.items))
        return each(_TEXT_OPERATORS.get(type(node.op), _lost), left, right)

    def format_text(
        self, base: Values, arguments: list[Values], named: dict[str, Values]
    ) -> Values:
        """`text.format(...)`."""
        made: Values = frozenset()
        for text in known(base):
            whole, numbered = texts(""), iter(arguments)
            try:
                fields = list(string.Formatter().parse(text))
            except ValueError:
                return UNKNOWN
            for before, field, _, _ in fields:
                whole = each(ADD, whole, texts(before))
                if field == "":
                    whole = each(ADD, whole, next(numbered, UNKNOWN))
                elif field is not None:
                    at = int(field) if field.isdigit() else len(arguments)
                    by_place = arguments[at] if at < len(arguments) else UNKNOWN
                    whole = each(ADD, whole, named.get(field, by_place))
            made |= whole
        return made or UNKNOWN

    # ---- names -----------------------------------------------------------------------------------

    def _name(self, node: Any, _quiet: bool) -> Values:
        found = self.scope.get(node.id)
        return frozenset([External(node.id)]) if found is None else found

    def _attribute(self, node: Any, quiet: bool) -> Values:
        return self.attribute(self.value(node.value, quiet), node.attr, node)

    def attribute(self, values: Values, name: str, node: Any) -> Values:
        """What `.name` of these values can be."""
        found: Values = frozenset()
        for value in values:
            found |= self._attribute_of(value, name, node)
        return found

    def _attribute_of(self, value: Any, name: str, node: Any) -> Values:
        if isinstance(value, External):
            dotted = f"{value.name}.{name}"
            own = self.reader.attribute(value.name, name)
            return CONSTANTS.get(dotted, frozenset([External(dotted)])) if own is None else own
        if isinstance(value, Declared):
            return self._declared(value, name, node)
        if isinstance(value, str) and value != HOLE and name in (*ATTRIBUTES, "parents"):
            above = name == "parents"
            return (
                row(*map(texts, ancestors(value)))
                if above
                else each(ATTRIBUTES[name], texts(value))
            )
        if isinstance(value, Instance):
            found = value.attributes.get(name)
            return self._of_class(value.made_of, name, value) if found is None else found
        if isinstance(value, Class):
            return self._of_class(value, name, value)
        return self.reader.arguments.get(name, frozenset()) | UNKNOWN

    def _of_class(self, made_of: Class, name: str, owner: Any) -> Values:
        found: Values = frozenset()
        for value in made_of.get(name) or UNKNOWN:
            if not isinstance(value, Function) or value.has("staticmethod"):
                found |= {value}
            elif value.has("property", "cached_property"):
                found |= self.reader.run(value, {}, owner)
            else:
                found |= {Bound(value, made_of if value.has("classmethod") else owner)}
        return found or UNKNOWN

    def _declared(self, value: Declared, name: str, node: Any) -> Values:
        if name not in _LIFTED:
            return UNKNOWN
        found = lifted(getattr(value.contract, name))
        for table in found:
            if isinstance(table, Table) and name.endswith("_paths"):
                for path in (p for paths in table.entries.values() for p in known(paths)):
                    self.facts.note_path(path, self.place(node))
        return found

    # ---- tables, rows and what main is given -----------------------------------------------------

    def _table(self, node: Any, _quiet: bool) -> Values:
        table = Table()
        rest: Values = frozenset()
        for key, item in zip(node.keys, node.values):
            values = self.value(item)
            if key is not None:
                table.put(self.value(key), values)
                continue
            for value in values:
                if isinstance(value, Table):
                    table.entries.update(value.entries)
                    table.closed &= value.closed
                else:
                    table.closed = False
                    rest |= {value} if value in (ENVIRON, *_ROLES) else frozenset()
        return frozenset([table]) | rest

    def _row(self, node: Any, _quiet: bool) -> Values:
        return row(*(self.value(item) for item in node.elts))

    def _subscript(self, node: Any, _quiet: bool) -> Values:
        base = self.value(node.value)
        if type(node.slice).__name__ == "Slice":
            return UNKNOWN
        index = constant(unwrapped(node.slice))
        found: Values = frozenset()
        for value in base:
            if isinstance(value, Row) and isinstance(index, int):
                at = slice(index, index + 1 or None)
                found = found.union(*value.items[at])
            elif isinstance(value, Row):
                found = found.union(*value.items)
        keys = self.value(unwrapped(node.slice), quiet=True)
        found |= self.lookup(base, keys, node, needed=True)
        if HOLE in base:  # as vars(parser.parse_args())["name"]
            found = found.union(*(self.reader.arguments.get(key, ()) for key in known(keys)))
        return found or UNKNOWN

    def lookup(self, base: Values, keys: Values, node: Any, needed: bool) -> Values:
        """Read entries of tables, of the environment, of main's input_paths and output_paths."""
        found: Values = frozenset()
        place = self.place(node)
        needed = needed and not any("KeyError" in caught for caught in self.caught)
        tables = [value for value in base if isinstance(value, Table)]
        for key in known(keys) or [HOLE] * (VARIABLE not in keys):
            held = [table.entries[key] for table in tables if key in table.entries]
            found = found.union(*held)
            if key == HOLE:
                found = found.union(*(v for table in tables for v in table.entries.values()))
            lack = {table.role for table in tables if table.closed and table.role and not held}
            if not held and (ENVIRON in base or ("environ_vars" in lack and not needed)):
                self.facts.reads.append(Read(key, needed, place))
            for role in lack | {_ROLES[value] for value in base if value in _ROLES and not held}:
                if needed or role != "environ_vars":
                    self.facts.keys[role].append(Read(key, needed, place))
                path = self.reader.declared.get(role, {}).get(key)
                found |= UNKNOWN if path is None else texts(path)
        return found

    def items(self, values: Values, node: Any) -> list[Values]:
        """What a loop over values goes through, round by round."""
        rounds: list[Values] = []
        for value in values:
            if isinstance(value, Row):
                rounds += value.items
            elif isinstance(value, Table):
                rounds += [texts(key) for key in value.entries]
                rounds += [] if value.closed else [UNKNOWN]
            else:
                self._takes_all(value, node)
                rounds.append(frozenset([VARIABLE]) if value == ENVIRON else UNKNOWN)
        return rounds[:MOST] if rounds else []

    def pairs(self, values: Values, node: Any) -> list[Values]:
        """What a loop over `.items()` goes through."""
        rounds: list[Values] = []
        for value in values:
            if isinstance(value, Table):
                rounds += value.pairs()
            else:
                self._takes_all(value, node)
                rounds.append(row(frozenset([VARIABLE]) if value == ENVIRON else UNKNOWN, UNKNOWN))
        return rounds

    def _takes_all(self, value: Any, node: Any) -> None:
        if value in _ROLES:
            self.facts.keys[_ROLES[value]].append(Read(HOLE, False, self.place(node)))

    def _compared(self, node: Any, _quiet: bool) -> Values:
        left = self.value(node.left)
        for operator, right in zip(node.ops, node.comparators):
            values = self.value(right)
            if id(node) in self.fatal:
                self.lookup(values, left, node, needed=True)
            elif isinstance(operator, (ast.In, ast.NotIn)):
                self.test(values, left, node)
        return UNKNOWN

    def test(self, base: Values, keys: Values, node: Any) -> None:
        """Note `key in base`: the script copes without the key."""
        for key in known(keys):
            self.facts.tested.add((self.module.source.shown, key))
        self.lookup(base, keys, node, needed=False)

    # ---- the rest --------------------------------------------------------------------------------

    def condition(self, node: Any) -> Values:
        """Evaluate the condition of an if: a variable that it gets is tested."""
        self.testing = True
        values = self.value(node)
        self.testing = False
        return values

    def _choice(self, node: Any, quiet: bool) -> Values:
        self.condition(node.test)
        return self.value(node.body, quiet) | self.value(node.orelse, quiet)

    def _either(self, node: Any, quiet: bool) -> Values:
        *before, last = node.values
        if isinstance(node.op, ast.Or) and gives_up([last]):  # `x or sys.exit()`
            self.fatal.update(map(id, before))
        return frozenset().union(*(self.value(item, quiet) for item in node.values))

    def _passed(self, node: Any, quiet: bool) -> Values:
        return self.value(node.value, quiet)

    def _named(self, node: Any, quiet: bool) -> Values:
        values = self.value(node.value, quiet)
        self.assign(node.target, values)
        return values

    def assign(self, target: Any, values: Values) -> None:
        """Bind a target; statements do."""
        raise NotImplementedError

    def store(self, base: Values, keys: Values, values: Values) -> None:
        """Put an entry into tables; a variable into the environment."""
        for value in base:
            if isinstance(value, Table):
                value.put(keys, values)
            elif value == ENVIRON:
                self.facts.provided.update(known(keys))

    def _comprehension(self, node: Any, _quiet: bool) -> Values:
        outer, self.scope = self.scope, Scope({}, self.scope)
        table, made = Table(), Row([])

        def deeper(generators: list[Any]) -> None:
            if generators:
                first, *rest = generators
                for item in self.items(self.value(first.iter), node):
                    self.assign(first.target, item)
                    for condition in first.ifs:
                        made.missed |= self._missed(condition)
                    deeper(rest)
            elif isinstance(node, ast.DictComp):
                table.put(self.value(node.key), self.value(node.value))
            else:
                made.add([self.value(node.elt)])

        deeper(node.generators)
        self.scope = outer
        return frozenset([table if isinstance(node, ast.DictComp) else made])

    def _missed(self, condition: Any) -> set[Unset]:
        """Evaluate a condition; give the variables that it holds for if they are not set."""
        self.value(condition)
        missed: set[Unset] = set()
        for part in without(condition):
            if not isinstance(part, ast.Compare):
                missed |= {v for v in self.value(part, True) if isinstance(v, Unset)}
            elif ENVIRON in self.value(part.comparators[0], True):
                names = known(self.value(part.left, True))
                missed |= {Unset(name, part.lineno) for name in names}
        return missed

    def _lambda(self, node: Any, _quiet: bool) -> Values:
        return self.reader.define(Function(node, self.module, self.scope))

    def _call(self, node: Any, _quiet: bool) -> Values:
        raise NotImplementedError  # `Calls` does

    _EVALUATE: ClassVar[dict[str, Callable[..., Values]]] = {
        **dict.fromkeys(("Constant", "NameConstant", "Str"), _constant),
        "JoinedStr": _formatted,
        "BinOp": _binary,
        "Name": _name,
        "Attribute": _attribute,
        "Dict": _table,
        **dict.fromkeys(("List", "Tuple", "Set"), _row),
        "Subscript": _subscript,
        "Compare": _compared,
        "IfExp": _choice,
        "BoolOp": _either,
        **dict.fromkeys(("Starred", "Await"), _passed),
        "NamedExpr": _named,
        **dict.fromkeys(("ListComp", "SetComp", "GeneratorExp", "DictComp"), _comprehension),
        "Lambda": _lambda,
    }


def _is(node: Any, kind: str) -> bool:
    return type(node).__name__.startswith(kind)


def _lost(_left: str, _right: str) -> str:
    return HOLE


_LIFTED = {
    *("entry_point", "expected_input_paths", "expected_output_paths"),
    *("required_env_vars", "optional_env_vars", "description", "framework_requirements"),
}
_WHOLE = {"Constant", "Str", "JoinedStr", "BinOp", "Call"}
