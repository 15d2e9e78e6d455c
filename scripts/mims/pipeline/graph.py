"""A definition as a picture: Mermaid for Markdown, SVG for anything else.

Goes in: a definition's JSON, of the SDK, of ours or by hand. Comes out: its steps with their types,
what flows from one to the next and as what, and the parameters that are some step's input. Names
are text, whatever is in them. Reads and writes no file.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from mims.pipeline.flow import edges, order, parameters, place, references, steps
from mims.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HIGH, _ROW, _LETTER, _PAD = 48, 104, 7.4, 24  # pixels: a box, a row of boxes, a letter, space
_STYLE = """
  text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #1f2328 }
  .name { font-weight: 600 } .kind { font-size: 11px; fill: #59636e }
  .flow { font-size: 11px; fill: #59636e; stroke: #fff; stroke-width: 4px; paint-order: stroke }
  rect { fill: #eef4ff; stroke: #4271c6 } .Training { fill: #fff4e5; stroke: #b8741a }
  .Condition { fill: #f6effd; stroke: #8250df } .Parameter { fill: #f6f8fa; stroke: #8c959f }
  path { fill: none; stroke: #8c959f; stroke-width: 1.5 } marker path { fill: #8c959f }
  .Parameter, .given { stroke-dasharray: 4 3 } .ground { fill: #fff; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .kind, .flow { fill: #9da7b3 } .flow { stroke: #0d1117 }
    rect { fill: #14233d; stroke: #5b8ee6 } .Training { fill: #33230d; stroke: #d29922 }
    .Condition { fill: #271c3b; stroke: #a371f7 } .Parameter { fill: #1c2128; stroke: #768390 }
    .ground { fill: #0d1117 }
  }
"""


class _Node(NamedTuple):
    """A step, or a parameter that some step reads as an input."""

    name: str
    kind: str
    given: bool = False


def mermaid(definition: Mapping[str, Any]) -> str:
    """The definition as a Mermaid flowchart."""
    nodes, flows = _graph(definition)
    ids = {node: f"n{number}" for number, node in enumerate(nodes)}
    lines = ["flowchart LR"]
    for node, key in ids.items():
        left, right = ('(["', '"])') if node.given else ('["', '"]')
        lines.append(f"    {key}{left}{_quoted(node.name)}<br/>{_quoted(node.kind)}{right}")
    for (before, after), reasons in flows.items():
        arrow = "-.->" if before.given else "-->"
        label = "<br/>".join(map(_quoted, reasons))
        lines.append(f'    {ids[before]} {arrow}|"{label}"| {ids[after]}')
    return "\n".join(lines) + "\n"


def svg(definition: Mapping[str, Any]) -> str:
    """The definition as an SVG image, from left to right, for light and dark grounds.

    Raises:
        InputError: steps wait for each other, so that nothing comes first.

    """
    nodes, flows = _graph(definition)
    layers, chains = _layered(definition, nodes, flows)
    rows = max(map(len, layers), default=1)
    labels = {pair: _lines(reasons) for pair, reasons in flows.items()}
    row = max(_ROW, _HIGH + 14 * max(map(len, labels.values()), default=0))
    at: dict[Any, tuple[float, float, float]] = {}  # left, middle and width of what stands there
    left = float(_PAD)
    for depth, layer in enumerate(layers):
        wide = max((_width(item) for item in layer if isinstance(item, _Node)), default=0.0)
        for number, item in enumerate(layer):
            at[item] = (left, _PAD + row * (number + (rows - len(layer) + 1) / 2), wide)
        here = (line for pair in chains if chains[pair][0] == depth for line in labels[pair])
        left += wide + max((len(line) * _LETTER * 0.9 for line in here), default=0) + 3 * _PAD
    written, lowest = _labels(chains, labels, at)
    right, bottom = left - 2 * _PAD, max(row * rows, lowest) + 2 * _PAD
    drawn = [_curve(stops, at) for _, stops in chains.values()] + written
    drawn += [_box(node, *at[node]) for node in nodes]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right:.0f} {bottom:.0f}" '
        f'width="{right:.0f}" height="{bottom:.0f}" role="img">\n'
        f"<style>{_STYLE}</style>\n"
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M1 1 7 4 1 7Z"/></marker>\n'
        '<rect class="ground" width="100%" height="100%"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _graph(
    definition: Mapping[str, Any],
) -> tuple[list[_Node], dict[tuple[_Node, _Node], list[str]]]:
    """What is drawn, and between which two what flows; "depends on" where that is all."""
    entries = {entry["Name"]: entry for entry in steps(definition)}
    by_name = {name: _Node(name, entry["Type"]) for name, entry in entries.items()}
    declared = {
        entry["Name"]: _Node(entry["Name"], "Parameter", given=True)
        for entry in parameters(definition)
    }
    flows: dict[tuple[_Node, _Node], list[str]] = {}
    for name, entry in entries.items():
        for found in references(entry):
            is_input = found.where.startswith(("ProcessingInputs", "InputDataConfig"))
            if found.kind == "Parameters" and found.name in declared and is_input:
                pair = declared[found.name], by_name[name]
                flows.setdefault(pair, []).append(place(entry, found.where))
    for edge in edges(definition):
        flows.setdefault((by_name[edge.before], by_name[edge.after]), []).append(edge.why)
    for pair, reasons in flows.items():
        flows[pair] = [why for why in reasons if why != "depends on"] or ["depends on"]
    given = dict.fromkeys(before for before, _ in flows if before.given)
    return [*given, *by_name.values()], flows


def _layered(
    definition: Mapping[str, Any],
    nodes: Sequence[_Node],
    flows: Mapping[tuple[_Node, _Node], Any],
) -> tuple[list[list[Any]], dict[tuple[_Node, _Node], tuple[int, list[Any]]]]:
    """Put nodes into layers, each past those that it needs, and edges through the layers between.

    An edge over several layers goes through a place of its own in each, so that it meets no box.
    """
    depth: dict[_Node, int] = {}
    by_name = {node.name: node for node in nodes if not node.given}
    for node in [by_name[name] for name in order(definition)]:
        before = [early for early, late in flows if late == node]
        depth[node] = max((depth.get(early, 0) + 1 for early in before), default=0)
    for node in nodes:
        after = [depth[late] for early, late in flows if early == node]
        depth.setdefault(node, min(after, default=1) - 1)
    layers: list[list[Any]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in nodes:
        layers[depth[node]].append(node)
    chains = {}
    for pair in flows:
        between = [(pair, level) for level in range(depth[pair[0]] + 1, depth[pair[1]])]
        for place_, level in zip(between, range(depth[pair[0]] + 1, depth[pair[1]]), strict=True):
            layers[level].append(place_)
        chains[pair] = (depth[pair[0]], [pair[0], *between, pair[1]])
    _untangle(layers, [stops for _, stops in chains.values()])
    return layers, chains


def _untangle(layers: list[list[Any]], chains: Sequence[Sequence[Any]]) -> None:
    """Order each layer by where its neighbours stand, there and back, so that few edges cross."""
    for step in (-1, 1, -1):
        for level in range(len(layers))[::-step]:
            if not 0 <= level + step < len(layers):
                continue
            heights = {item: number for number, item in enumerate(layers[level + step])}
            middle: dict[Any, float] = {}
            for number, item in enumerate(layers[level]):
                near = [
                    heights[other]
                    for chain in chains
                    if item in chain
                    for other in chain
                    if other in heights
                ]
                middle[item] = sum(near) / len(near) if near else number
            layers[level].sort(key=middle.__getitem__)


def _box(node: _Node, left: float, middle: float, wide: float) -> str:
    top, center = middle - _HIGH / 2, left + wide / 2
    return (
        f'<rect class="{_safe(node.kind)}" x="{left:.0f}" y="{top:.0f}" width="{wide:.0f}" '
        f'height="{_HIGH}" rx="{24 if node.given else 8}"/>'
        f'<text class="name" x="{center:.0f}" y="{middle - 3:.0f}">{_safe(node.name)}</text>'
        f'<text class="kind" x="{center:.0f}" y="{middle + 14:.0f}">{_safe(node.kind)}</text>'
    )


def _curve(stops: Sequence[Any], at: Mapping[Any, tuple[float, float, float]]) -> str:
    left, y, wide = at[stops[0]]
    path = [f"M{left + wide:.0f} {y:.0f}"]
    for stop in stops[1:]:
        x, before = left + wide, y
        left, y, wide = at[stop]
        half = (x + left) / 2
        path.append(f"C{half:.0f} {before:.0f} {half:.0f} {y:.0f} {left:.0f} {y:.0f}")
        if stop is not stops[-1]:
            path.append(f"H{left + wide:.0f}")
    kind = ' class="given"' if stops[0].given else ""
    return f'<path{kind} d="{"".join(path)}" marker-end="url(#tip)"/>'


def _labels(
    chains: Mapping[Any, tuple[int, Sequence[Any]]],
    labels: Mapping[Any, Sequence[str]],
    at: Mapping[Any, tuple[float, float, float]],
) -> tuple[list[str], float]:
    """Write near the middle of each edge's first stretch, below what is written there already."""
    places = []
    for pair, (depth, stops) in chains.items():
        (left, y, wide), (following, height, _) = at[stops[0]], at[stops[1]]
        x = left + wide + (following - left - wide) * 0.45
        first = y + (height - y) * 0.42 + 4 - 7 * (len(labels[pair]) - 1)
        places.append((depth, first, x, labels[pair]))
    written, last = [], dict.fromkeys((depth for depth, *_ in places), 0.0)
    for depth, wanted, x, lines in sorted(places):
        line_y = max(wanted, last[depth] + 16)
        for line in lines:
            written.append(f'<text class="flow" x="{x:.0f}" y="{line_y:.0f}">{_safe(line)}</text>')
            last[depth], line_y = line_y, line_y + 14
    return written, max(last.values(), default=0.0)


def _lines(reasons: Sequence[str]) -> list[str]:
    """What flows in a line and as what in the next."""
    return [line for why in reasons for line in why.replace(" as ", "\nas ", 1).split("\n")]


def _width(node: _Node) -> float:
    return max(110.0, 28 + _LETTER * max(len(printable(node.name)), len(printable(node.kind))))


def _safe(text: str) -> str:
    return escape(printable(text))


def _quoted(text: str) -> str:
    """Text for Mermaid: whatever might mean something there is written as its number."""
    return "".join(c if c.isalnum() or c in " _-." else f"#{ord(c)};" for c in printable(text))
