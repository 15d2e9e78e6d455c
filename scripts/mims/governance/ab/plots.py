"""Plots in pages for people: a matplotlib figure as SVG that takes the page's colours and font.

Goes in: a figure. Comes out: an `<svg>` element that stands in the page itself: text stays text,
black is the text's own colour, so that it suits light, dark and paper; as wide as there is room.
The same figure makes the same bytes: no clock is read, and its ids are counted by a fixed salt.

    with plots.house():
        figure, axes = plots.figure(7, 2.6)
        axes.plot(x, y, color=plots.BLUE)
        html = plots.svg(figure)
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Colours that are told apart on white and on black, and by the colour-blind (Okabe, Ito 2008).
BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#888888"
_WHOLE = 'fill="currentColor" stroke-linejoin="round" stroke-linecap="butt" role="img"'
_PARTS = (  # what matplotlib writes, and what stands there instead
    (re.compile(r"\s*<(metadata|style)\b.*?</\1>", re.DOTALL), ""),  # styles of the whole page
    (re.compile(r'<g id="[^"]*">'), "<g>"),  # once in a page, but nothing refers to it
    (re.compile(r"font-family: [^;\"]*;? ?"), ""),  # the page's own
    # Without a width it is as wide as its place; the height follows from the viewBox.
    (re.compile(r'(?<=<svg )([^>]*?)\b(?:width|height)="[\d.]+pt" '), r"\1"),
    (re.compile(r'(?<=<svg )([^>]*?)\b(?:width|height)="[\d.]+pt" '), r"\1"),
)
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mims",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "text.color": "black",
    "text.parse_math": False,
}


@contextmanager
def house() -> Iterator[None]:
    """Give figures made and written inside the house's look."""
    with mpl.rc_context(_STYLE):
        yield


def figure(width: float, height: float) -> tuple[Any, Any]:
    """Make a figure of one pair of axes, in inches; no display is needed."""
    made = Figure(figsize=(width, height), layout="constrained")
    return made, made.subplots()


def svg(made: Any, says: str = "", colours: Mapping[str, str] | None = None) -> Markup:
    """Write a figure as an element of HTML.

    `says` is what it shows, for who can't see it; `colours` of the figure, such as "#0072b2",
    become the page's own, such as "var(--bar)".
    """
    page = io.StringIO()
    with house():
        made.savefig(page, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = page.getvalue()
    text = text[text.index("<svg") :]
    for part, instead in _PARTS:
        text = part.sub(instead, text)
    for colour, own in {"#000000": "currentColor", **(colours or {})}.items():
        text = re.sub(rf"(?<=: ){colour}(?=[;\"])", own, text)
    label = f' aria-label="{escape(says)}"' if says else ""
    text = text.replace("<svg ", f"<svg {_WHOLE}{label} ", 1)
    return Markup(text.strip())  # noqa: S704 - matplotlib escapes text
