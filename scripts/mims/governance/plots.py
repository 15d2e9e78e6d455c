"""Plots for people: matplotlib's figures in the house's style, as SVG in the colours of a page.

Goes in: a figure, drawn in the colours below. Comes out: an `<svg>` element that stands in the page
itself: as wide as there is room, text stays text in the page's type, and its colours are the page's
own, so that it suits light, dark and paper. The same figure makes the same bytes: no clock is read,
its ids are counted by a salt. Nothing is drawn through pyplot, which would keep state.

    with plots.house():
        made, axes = plots.figure(7, 2.6)
        axes.plot(x, y, color=plots.BAR)
    html = plots.svg(made)
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

# The colours of pages/base.html.j2 on white, told apart by the colour-blind, too.
INK, LINE, BAR, BASE, MARK = "#566273", "#dde2e9", "#3b6fb5", "#c3cddb", "#c2571a"
OWN = {
    INK: "var(--soft)",
    LINE: "var(--line)",
    BAR: "var(--bar)",
    BASE: "var(--base)",
    MARK: "var(--mark)",
}
_COLOUR = re.compile(r'(?<=: )#[0-9a-f]{6}(?=[;"])')
_PARTS = (  # what matplotlib writes, and what stands there instead
    (re.compile(r"<(metadata|style)\b.*?</\1>", re.DOTALL), ""),  # styles of the whole page
    (re.compile(r'<g id="[^"]*"'), "<g"),  # once in a page, but nothing refers to it
    (re.compile(r"font-family: [^;\"]*; "), ""),
    (re.compile(r' transform="rotate\(-0 [^"]*"'), ""),
    # Without a width it is as wide as its place; the height follows from the viewBox.
    (
        re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>'),
        r'<svg viewBox="\1" stroke-linejoin="round">',
    ),
)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.5,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.pad": 5,
    "xtick.major.size": 0,  # ticks would be drawn by reference to an id
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}


@contextmanager
def house(salt: str = "mims") -> Iterator[None]:
    """Give figures that are made and written inside the house's style, whatever the user's is."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**_STYLE, "svg.hashsalt": salt})
        yield


def figure(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, Any]:
    """Make a figure of one pair of axes, or of an array of them, in inches, on no background."""
    made = Figure(figsize=(width, height), layout="constrained")
    made.patch.set_visible(False)
    axes = made.subplots(rows, columns)
    for one in made.axes:
        one.patch.set_visible(False)
    return made, axes


def drawn(made: Figure, salt: str = "mims") -> str:
    """Write a figure in its own colours, without a size, a type or names of its own.

    What refers to a part of it goes by an id; `salt` keeps those of two figures apart.
    """
    page = io.StringIO()
    canvas: Any = FigureCanvasSVG(made)
    with house(salt):
        canvas.print_svg(page, metadata={"Date": None})  # savefig would lay it out twice
    text = page.getvalue()
    text = text[text.index("<svg") :]
    for part, instead in _PARTS:
        text = part.sub(instead, text)
    return text.strip()


def svg(made: Figure, says: str = "", salt: str = "mims") -> Markup:
    """Write a figure for a page. `says` is what it shows, for who can't see it."""
    text = drawn(made, salt)
    text = _COLOUR.sub(lambda found: OWN.get(found[0], found[0]), text)
    told = f'role="img" aria-label="{escape(says)}"' if says else 'aria-hidden="true"'
    return Markup(text.replace(">", f" {told}>", 1))  # noqa: S704 - matplotlib escapes text
