"""What all pages share: their frame, their templates, and plots that take a page's colours."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pytest
from jinja2 import UndefinedError

from mims.governance import plots
from mims.governance.pages.template import template

if TYPE_CHECKING:
    from markupsafe import Markup


def drawn(**labels: str) -> Markup:
    with plots.house():
        made, axes = plots.figure(3, 2)
        axes.plot([0, 1, 2], [1, 3, 2], color=plots.BAR)
        axes.bar([0, 1], [1, 2], color=plots.BASE)
        axes.set(**labels)
    return plots.svg(made)


def test_plots_are_in_the_colours_of_the_page() -> None:
    """Which pages/base.html.j2 has for light and for dark: here are the light ones."""
    style = resources.files("mims.governance").joinpath("pages/base.html.j2").read_text("utf-8")
    light, dark = (dict(_variables(part)) for part in style.split(":root {")[1:])
    assert {own: colour for colour, own in plots.OWN.items()}.items() <= light.items()
    assert dark.keys() == light.keys()
    made = drawn()
    assert "var(--bar)" in made
    assert not re.search(r"#[0-9a-f]{6}\b(?![\"'])", made)  # none of matplotlib's own


def _variables(style: str) -> list[tuple[str, str]]:
    found = re.findall(r"(--[\w-]+): (#[0-9a-f]+);", style.partition("}")[0])
    return [(f"var({name})", colour) for name, colour in found]


def test_names_in_plots_are_text() -> None:
    with plots.house():
        made, axes = plots.figure(3, 2)
        axes.set_xlabel('<b onclick="x()">$a$ & "b" : #566273;')
    html = plots.svg(made, 'says "<i>"')
    assert "<b" not in html
    assert "<i>" not in html
    assert "$a$ &amp;" in html
    assert "<style" not in html
    assert "font-family" not in html


@pytest.mark.parametrize(
    "own",
    [
        {"svg.fonttype": "path"},  # text would be shapes
        {"axes.facecolor": "black", "lines.linewidth": 9, "font.size": 30},
        {"text.usetex": True},  # nobody has it
    ],
)
def test_whatever_style_the_user_has(own: Any) -> None:
    usual = drawn(title="x")
    with mpl.rc_context(own):
        assert drawn(title="x") == usual
        assert {name: mpl.rcParams[name] for name in own} == own


def test_two_plots_of_a_page_have_no_id_in_common() -> None:
    with plots.house():
        made, axes = plots.figure(3, 2)
        axes.plot([0, 1], [0, 1])
    one, other = (set(re.findall(r'id="([^"]+)"', plots.svg(made, salt=salt))) for salt in "ab")
    assert one
    assert not one & other


def test_a_template_that_lacks_something_is_a_mistake() -> None:
    with pytest.raises(UndefinedError, match="'d' is undefined"):
        template("ab/ab.html.j2").render()
