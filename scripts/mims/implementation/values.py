"""What an expression can be, without running it: texts with holes, tables, rows, names.

A text stands for a path, a variable's name, any string; a HOLE in it for what a run alone can tell.
"""

from __future__ import annotations

import ast
import itertools
import posixpath
from typing import TYPE_CHECKING, Any, Callable, FrozenSet, Iterable, Iterator, NamedTuple

if TYPE_CHECKING:
    from mims.contracts import Contract

HOLE = "\0"
Values = FrozenSet[Any]
UNKNOWN: Values = frozenset([HOLE])
MOST = 64  # values of one expression, and rounds of one loop
_WIDEST = 1000  # items of a row
_LONGEST = 4096  # characters of a text, as Linux limits a path


class External(NamedTuple):
    """Something of another package or built in, by its dotted name."""

    name: str


NOTHING: Values = frozenset([External("None")])
ENVIRON = External("os.environ")
VARIABLE = External("name of a variable in os.environ")
GIVEN = {  # what main(input_paths, output_paths, environ_vars) is given from outside
    "input_paths": External("input_paths"),
    "output_paths": External("output_paths"),
    "environ_vars": ENVIRON,
}


class Unset(NamedTuple):
    """What a variable gives that is not set: empty or None. `line` is where it is read."""

    name: str
    line: int


class Declared:
    """One of the contract objects of mims.contracts, by its name there."""

    def __init__(self, name: str, contract: Contract) -> None:
        self.name = name
        self.contract = contract


class Table:
    """A dictionary; `role` is the parameter of main that it is for. One not `closed` holds more."""

    def __init__(self, entries: dict[str, Values] | None = None, closed: bool = True) -> None:
        self.entries = entries or {}
        self.closed = closed
        self.role = ""

    def put(self, keys: Values, values: Values) -> None:
        """Store values under each key; under an unknown one they only open the table."""
        for key in keys:
            if isinstance(key, str) and HOLE not in key:
                self.entries[key] = self.entries.get(key, frozenset()) | values
            else:
                self.closed = False

    def pairs(self) -> list[Values]:
        """Its items, each as a row."""
        known = [row(texts(key), values) for key, values in self.entries.items()]
        return known if self.closed else [*known, row(UNKNOWN, UNKNOWN)]


class Row:
    """A list, tuple or set."""

    def __init__(self, items: Iterable[Values]) -> None:
        self.items: list[Values] = []
        self.missed: set[Unset] = set()  # variables that are in it if they are not set
        self.add(items)

    def add(self, items: Iterable[Values]) -> None:
        """Add items at the end, up to a limit."""
        self.items += itertools.islice(items, _WIDEST - len(self.items))


class Function:
    """A function of the script's own, and the scope that it was defined in."""

    def __init__(self, node: Any, module: Any, scope: Any) -> None:
        self.node = node
        self.module = module
        self.scope = scope
        self.made_of: Class | None = None

    def has(self, *decorators: str) -> bool:
        """Whether one of these decorates it."""
        return any(last_name(d) in decorators for d in getattr(self.node, "decorator_list", ()))


class Bound(NamedTuple):
    """A method, and what it is of."""

    function: Function
    owner: Any


class Class:
    """A class of the script's own."""

    def __init__(
        self, name: str, module: Any, names: dict[str, Values], bases: Iterable[Values]
    ) -> None:
        self.name = name
        self.module = module
        self.names = names
        self.fields: list[str] = []
        self.bases = [base for values in bases for base in values if isinstance(base, Class)]

    def get(self, name: str) -> Values | None:
        """Look an attribute up here and in the bases."""
        if name in self.names:
            return self.names[name]
        return next((v for v in (b.get(name) for b in self.bases if b is not self) if v), None)


class Instance:
    """What one call of a class makes."""

    def __init__(self, made_of: Class) -> None:
        self.made_of = made_of
        self.attributes: dict[str, Values] = {}


def texts(*choices: str) -> Values:
    """Values that are texts."""
    return frozenset(choices)


def row(*items: Values) -> Values:
    """One row."""
    return frozenset([Row(items)])


def each(function: Callable[..., str], *operands: Values) -> Values:
    """Apply a function of texts to every combination of the operands'."""
    choices = [sorted({v if isinstance(v, str) else HOLE for v in o}) or [HOLE] for o in operands]
    combinations = list(itertools.islice(itertools.product(*choices), MOST + 1))
    if len(combinations) > MOST:
        return UNKNOWN
    made = {function(*combination) for combination in combinations}
    return frozenset(text if len(text) <= _LONGEST else HOLE for text in made)


def known(values: Values) -> list[str]:
    """The texts among values, but for the one that says nothing."""
    return sorted(v for v in values if isinstance(v, str) and v != HOLE)


def ancestors(path: str) -> Iterator[str]:
    """The folders that a path is in, from the innermost outwards."""
    while posixpath.dirname(path) not in ("", path):
        path = posixpath.dirname(path)
        yield path


def last_name(node: Any) -> str:
    """`b` of `b`, `a.b`, `a.b(...)`; empty for anything else."""
    node = getattr(node, "func", node)
    return str(getattr(node, "attr", getattr(node, "id", "")))


def unwrapped(node: Any) -> Any:
    """A subscript's key: up to Python 3.8 it comes inside an ast.Index."""
    return node.value if type(node).__name__ == "Index" else node


def parameters(node: Any) -> list[str]:
    """Names of a function's parameters, those that can be given by place first."""
    positional = [*getattr(node.args, "posonlyargs", ()), *node.args.args]
    return [argument.arg for argument in (*positional, *node.args.kwonlyargs)]


def is_empty(node: Any) -> bool:
    """Whether an expression is None or an empty text."""
    kind = type(node).__name__
    return kind in ("Constant", "NameConstant", "Str") and constant(node) in (None, "")


def is_nothing(node: Any) -> bool:
    """Whether an expression is None written down."""
    return type(node).__name__ in ("Constant", "NameConstant") and node.value is None


def constant(node: Any) -> Any:
    """A literal's value; None for any other expression."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def gives_up(nodes: Iterable[Any]) -> bool:
    """Whether one of these ends the script; what is only defined there does not."""
    return any(
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.Call) and last_name(node) in ("exit", "_exit"))
        or (not isinstance(node, _DEFINED) and gives_up(ast.iter_child_nodes(node)))
        for node in nodes
    )


def without(test: Any) -> Iterator[Any]:
    """Parts of a condition that has it that they are empty or not there."""
    for part in _lacking(test):
        yield part
        if type(part).__name__ == "NamedExpr":  # from Python 3.8 on
            yield part.value


def _lacking(test: Any) -> Iterator[Any]:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield test.operand
    elif isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        for part in test.values:
            yield from _lacking(part)
    elif isinstance(test, ast.Compare):
        if isinstance(test.ops[0], ast.NotIn):
            yield test
        elif isinstance(test.ops[0], (ast.Is, ast.Eq)) and is_empty(test.comparators[0]):
            yield test.left


def _join(first: str, *more: str) -> str:
    return posixpath.join(first, *more)


def _first(text: str, *_: str) -> str:
    return text


def _percent(text: str, value: str) -> str:
    before, found, after = text.partition("%s")
    return before + value + after if found else HOLE


JOIN, ADD, PERCENT = _join, str.__add__, _percent
CALLS: dict[str, Callable[..., str]] = {  # functions of texts that give texts
    **dict.fromkeys(("os.path.join", "posixpath.join"), _join),
    **dict.fromkeys(("pathlib.Path", "pathlib.PurePath"), _join),
    **dict.fromkeys(("pathlib.PosixPath", "pathlib.PurePosixPath"), _join),
    **dict.fromkeys(("str", "os.fspath", "os.path.abspath", "os.path.normpath"), _first),
    **dict.fromkeys(("os.path.realpath", "os.path.expanduser", "os.path.expandvars"), _first),
    "os.path.dirname": posixpath.dirname,
    "os.path.basename": posixpath.basename,
}
METHODS: dict[str, Callable[..., str]] = {
    "joinpath": _join,
    "with_name": lambda text, name: posixpath.join(posixpath.dirname(text), name),
    **dict.fromkeys(("resolve", "absolute", "as_posix", "expanduser", "__str__"), _first),
    **dict.fromkeys(("strip", "rstrip", "lstrip"), _first),
}
ATTRIBUTES: dict[str, Callable[..., str]] = {
    "parent": posixpath.dirname,
    "name": posixpath.basename,
    "value": _first,  # of an Enum's member
}
CONSTANTS = {"os.sep": texts("/"), "os.path.sep": texts("/")}
PASSED_ON = {"list", "tuple", "set", "frozenset", "sorted", "reversed", "iter", "dict", "copy.copy"}


def lifted(value: Any) -> Values:
    """A value of a contract object, as values."""
    if isinstance(value, str):
        return texts(value)
    if isinstance(value, dict):
        return frozenset([Table({key: lifted(v) for key, v in value.items()})])
    if isinstance(value, list):
        return row(*(lifted(item) for item in value))
    return UNKNOWN
