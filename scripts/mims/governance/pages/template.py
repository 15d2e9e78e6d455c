"""Templates of pages: HTML files that stand alone, in one look.

Goes in: the name of a file below governance/, such as drift/drift.html.j2, which extends
pages/base.html.j2. Comes out: a template whose every value is text: markup in it stays visible, and
so does what could hide or reorder text. base.html.j2 forbids browsers to fetch anything.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from mims.text import printable_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Template, Undefined


def template(
    name: str, /, *, undefined: type[Undefined] = StrictUndefined, **filters: Callable[..., Any]
) -> Template:
    """Read a template; `filters` are its own, by name."""
    made = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=undefined,
        finalize=_shown,
        loader=FunctionLoader(_source),
    )
    made.filters |= filters
    return made.get_template(name)


def _source(name: str) -> str:
    return resources.files("mims.governance").joinpath(name).read_text(encoding="utf-8")


def _shown(value: Any) -> Any:
    """Make what could hide or reorder text visible; the rest is autoescape's."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable_lines(value)
    return "" if value is None else value
