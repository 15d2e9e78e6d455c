"""A lineage as text for a terminal, as a picture, and as data for programs.

Goes in: a version's graph, or what was recorded of it. Comes out: two trees, what it comes from and
what came of it; an SVG image from left to right; what is new in a line each; or nodes and edges.
Names are text, whatever is in them. Circles end: what was shown once is not unfolded again. Asks
nothing.
"""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mims.governance.lineage.parts import Edge, Node
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mims.governance.lineage.lineage import Lineage
    from mims.governance.lineage.parts import Graph

_DIGITS = 12  # of a digest that are shown
_HIGH, _ROW, _GAP, _LETTER, _PAD = 46, 66, 130, 8.2, 24  # pixels: a box, a row, between columns, …
_STYLE = """
  text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #1f2328 }
  .name { font-weight: 600 } .kind { font-size: 11px; fill: #59636e }
  .flow { font-size: 10px; fill: #59636e; text-anchor: start; stroke: #fff; stroke-width: 3px;
    paint-order: stroke }
  rect { fill: #eef4ff; stroke: #4271c6 } .Action { fill: #fff4e5; stroke: #b8741a }
  .Context { fill: #f6effd; stroke: #8250df } .root { stroke-width: 3 }
  path { fill: none; stroke: #8c959f; stroke-width: 1.5 } marker path { fill: #8c959f }
  .ground { fill: #fff; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .kind, .flow { fill: #9da7b3 } .flow { stroke: #0d1117 }
    rect { fill: #14233d; stroke: #5b8ee6 } .Action { fill: #33230d; stroke: #d29922 }
    .Context { fill: #271c3b; stroke: #a371f7 } .ground { fill: #0d1117 }
  }
"""


def as_text(graph: Graph) -> str:
    """Two trees under the version, each line a node and how it hangs on the one above."""
    above: dict[Node, list[tuple[Node, str]]] = {}
    for source, destination, kind in graph.up:
        above.setdefault(destination, []).append((source, kind))
    below: dict[Node, list[tuple[Node, str]]] = {}
    for source, destination, kind in graph.down:
        below.setdefault(source, []).append((destination, kind))
    lines = [f"{_name(graph.root)}, by {graph.origin}"]
    for title, beside in (("comes from", above), ("led to", below)):
        tree = list(_tree(graph.root, beside, {graph.root})) or ["└─ nothing that is known"]
        lines += ["", title, *tree]
    return "\n".join([*lines, *_left_out(graph)]) + "\n"


def made_text(lineage: Lineage, *, dry_run: bool = False) -> str:
    """What is new in a version's lineage, a line each, and how much was there."""
    made = [*lineage.entities, *lineage.associations]
    lines = [f"+ {_told(one.what)}" for one in made if one.new]
    new, there = len(lines), len(made) - len(lines)
    would = "would be new" if dry_run else "new"
    return "\n".join([*lines, f"{lineage.version}: {new} {would}, {there} known"]) + "\n"


def as_svg(graph: Graph) -> str:
    """The graph as an SVG image from left to right, for light and dark grounds."""
    columns, chains = _columns(graph)
    rows = max(map(len, columns))
    at: dict[object, tuple[float, float, float]] = {}  # left, middle and width of what stands there
    left = float(_PAD)
    for column in columns:
        wide = max((_width(item) for item in column if isinstance(item, Node)), default=0.0)
        for number, item in enumerate(column):
            at[item] = (left, _PAD + _ROW * (number + (rows - len(column) + 1) / 2), wide)
        left += wide + _GAP
    right, bottom = left - _GAP + _PAD, _ROW * rows + 2 * _PAD
    nodes = [item for column in columns for item in column if isinstance(item, Node)]
    drawn = [_curve([at[stop] for stop in stops]) for stops in chains.values()]
    drawn += [_box(node, *at[node], root=node == graph.root) for node in nodes]
    drawn += _labels(chains, at)
    notes = " ".join([f"By {graph.origin}.", *_left_out(graph)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right:.0f} {bottom:.0f}" '
        f'width="{right:.0f}" height="{bottom:.0f}" role="img">\n'
        f"<title>Lineage of {_safe(graph.root.label)}</title>\n<desc>{_safe(notes)}</desc>\n"
        f"<style>{_STYLE}</style>\n"
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M1 1 7 4 1 7Z"/></marker>\n'
        '<rect class="ground" width="100%" height="100%"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


# Data


def as_data(graph: Graph) -> dict[str, Any]:
    """The graph for programs: `nodes`, the version first, and `edges` between their `id`s."""
    edges = list(dict.fromkeys((*graph.up, *graph.down)))
    ids = _ids([graph.root, *(node for edge in edges for node in edge[:2])])
    return {
        "version": graph.root.label,
        "origin": graph.origin,
        "nodes": [_node(node, number) for node, number in ids.items()],
        "edges": [_edge(edge, ids) for edge in edges],
        "left_out": graph.left_out,
        "more": graph.more,
    }


def made_data(lineage: Lineage) -> dict[str, Any]:
    """What a version's lineage holds, for programs; of each part, whether it is new."""
    ids = _ids(made.what for made in lineage.entities if isinstance(made.what, Node))
    return {
        "version": lineage.version,
        "nodes": [
            {**_node(made.what, ids[made.what]), "new": made.new}
            for made in lineage.entities
            if isinstance(made.what, Node)
        ],
        "edges": [
            {**_edge(made.what, ids), "new": made.new}
            for made in lineage.associations
            if isinstance(made.what, Edge)
        ],
    }


def _ids(nodes: Iterable[Node]) -> dict[Node, int]:
    return {node: number for number, node in enumerate(dict.fromkeys(nodes))}


def _node(node: Node, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "entity": node.entity,
        "kind": node.type,
        "name": node.label,
        "arn": node.arn or None,
        "uri": node.uri,
        "sha256": node.sha256,
        "properties": dict(node.facts),
    }


def _edge(edge: Edge, ids: Mapping[Node, int]) -> dict[str, Any]:
    ends = {"source": ids[edge.source], "destination": ids[edge.destination]}
    return {**ends, "kind": edge.type or None}


# Text


def _tree(
    node: Node, beside: Mapping[Node, Sequence[tuple[Node, str]]], seen: set[Node]
) -> Iterator[str]:
    """Yield the lines under a node; one that was seen is named, and not unfolded again."""
    children = sorted(beside.get(node, []), key=lambda one: (one[0].type, one[0].label, one[0].uri))
    for number, (child, kind) in enumerate(children, 1):
        last = number == len(children)
        again = " …" if child in seen and beside.get(child) else ""
        hangs = f" ({printable(kind)})" if kind else ""
        yield f"{'└' if last else '├'}─ {_name(child)}{hangs}{again}"
        if child not in seen:
            seen.add(child)
            for line in _tree(child, beside, seen):
                yield f"{' ' if last else '│'}  {line}"


def _name(node: Node) -> str:
    digest = f" {node.sha256[:_DIGITS]}" if node.sha256 else ""
    return f"{printable(node.type)} {printable(node.label)}{digest}"


def _told(made: Node | Edge) -> str:
    if isinstance(made, Node):
        return _name(made)
    return f"{_name(made.source)} -> {_name(made.destination)} ({made.type})"


def _left_out(graph: Graph) -> list[str]:
    if not graph.left_out:
        return []
    least = "at least " if graph.more else ""
    return ["", f"{least}{graph.left_out} that are farther away are left out"]


# Picture

_Stop = Node | tuple[Edge, int]
_Chains = dict[Edge, list[_Stop]]


def _columns(graph: Graph) -> tuple[list[list[_Stop]], _Chains]:
    """Put nodes into columns, each before all that came of it, and edges through those between.

    An edge over several columns goes through a place of its own in each, so that it meets no box.
    """
    place = _levels(graph.root, [(edge.source, edge.destination) for edge in graph.down])
    above = _levels(graph.root, [(edge.destination, edge.source) for edge in graph.up])
    place |= {node: -level for node, level in above.items()}
    first = min(place.values())
    columns: list[list[_Stop]] = [[] for _ in range(max(place.values()) - first + 1)]
    for node, level in place.items():
        columns[level - first].append(node)
    chains: _Chains = {}
    for edge in dict.fromkeys((*graph.up, *graph.down)):
        begin, end = place[edge.source] - first, place[edge.destination] - first
        between: list[_Stop] = [(edge, level) for level in range(begin + 1, end)]
        for level, stop in zip(range(begin + 1, end), between, strict=True):
            columns[level].append(stop)
        chains[edge] = [edge.source, *between, edge.destination]
    _untangle(columns, -first, list(chains.values()))
    return columns, chains


def _levels(root: Node, steps: Sequence[tuple[Node, Node]]) -> dict[Node, int]:
    """How far each node is from the root, by the longest way that is no circle.

    A step leads from a node to one that is farther.
    """
    beyond: dict[Node, list[Node]] = {}
    for near, far in steps:
        beyond.setdefault(near, []).append(far)
    level: dict[Node, int] = {}

    def place(node: Node, depth: int, way: frozenset[Node]) -> None:
        if node in way or level.get(node, -1) >= depth:
            return
        level[node] = depth
        for other in beyond.get(node, []):
            place(other, depth + 1, way | {node})

    place(root, 0, frozenset())
    return level


def _untangle(columns: list[list[_Stop]], middle: int, chains: Sequence[Sequence[_Stop]]) -> None:
    """Order each column by where its neighbours towards the root stand, so that few edges cross."""
    beside: dict[_Stop, list[_Stop]] = {}
    for chain in chains:
        for before, after in pairwise(chain):
            beside.setdefault(before, []).append(after)
            beside.setdefault(after, []).append(before)
    outwards = [*range(middle - 1, -1, -1), *range(middle + 1, len(columns))]
    for level in outwards:
        towards = columns[level + 1 if level < middle else level - 1]
        heights = {item: number for number, item in enumerate(towards)}

        def height(item: _Stop, heights: dict[_Stop, int] = heights) -> float:
            near = [heights[other] for other in beside.get(item, []) if other in heights]
            return sum(near) / len(near) if near else len(heights)

        columns[level].sort(key=height)


def _box(node: Node, left: float, middle: float, wide: float, *, root: bool) -> str:
    center = left + wide / 2
    digest = f"\nsha256 {node.sha256}" if node.sha256 else ""
    return (
        f"<g><title>{_safe(node.uri)}{escape(digest)}</title>"
        f'<rect class="{_safe(node.entity)}{" root" * root}" x="{left:.0f}" '
        f'y="{middle - _HIGH / 2:.0f}" width="{wide:.0f}" height="{_HIGH}" rx="8"/>'
        f'<text class="name" x="{center:.0f}" y="{middle - 3:.0f}">{_safe(node.label)}</text>'
        f'<text class="kind" x="{center:.0f}" y="{middle + 14:.0f}">{_safe(_kind(node))}</text></g>'
    )


def _curve(stops: Sequence[tuple[float, float, float]]) -> str:
    left, y, wide = stops[0]
    path = f"M{left + wide:.0f} {y:.0f}"
    for number, stop in enumerate(stops[1:], 1):
        x, before = left + wide, y
        left, y, wide = stop
        half = (x + left) / 2
        path += f"C{half:.0f} {before:.0f} {half:.0f} {y:.0f} {left:.0f} {y:.0f}"
        if number < len(stops) - 1:
            path += f"H{left + wide:.0f}"
    return f'<path d="{path}" marker-end="url(#tip)"/>'


def _labels(chains: _Chains, at: Mapping[object, tuple[float, float, float]]) -> Iterator[str]:
    """Write beside each box how what goes out of it hangs on the next."""
    kinds: dict[Node, list[str]] = {}
    for edge in chains:
        kinds.setdefault(edge.source, []).append(edge.type)
    for node, found in kinds.items():
        left, y, wide = at[node]
        text = _safe(", ".join(dict.fromkeys(filter(None, found))))
        yield f'<text class="flow" x="{left + wide + 6:.0f}" y="{y - 5:.0f}">{text}</text>'


def _width(node: Node) -> float:
    return max(110.0, 28 + _LETTER * max(len(printable(node.label)), len(_kind(node))))


def _kind(node: Node) -> str:
    return f"{node.type} {node.sha256[:_DIGITS]}" if node.sha256 else node.type


def _safe(text: str) -> str:
    return escape(printable(text))
