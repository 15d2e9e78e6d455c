"""A page as a browser would take it, held to what every page is to be.

found = read(html)           asserts that it stands alone, and that nothing in it can run
found.text("verdict")        what is read in a part: a child of <main>, by its id or its tag
found.elements               every element in order, with its attributes
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br"}
_ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer"),
    *("h1", "h2", "h3", "p", "div", "span", "ul", "li", "dl", "dt", "dd", "code", "br", "aside"),
    *("b", "i", "small", "figure", "figcaption"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "g", "defs", "path", "rect", "line", "text", "clippath"),
}


@dataclass
class Read(HTMLParser):
    """Elements in order, and the text of each part."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: dict[str, list[str]] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.part = "head"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(attrs) == len(dict(attrs))
        self.elements.append((tag, dict(attrs)))
        if self.open[-1:] == ["main"]:
            self.part = dict(attrs).get("id") or tag
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open  # else a browser would leave it open
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1:] != ["style"]:
            self.texts.setdefault(self.part, []).append(" ".join(data.split()))

    def text(self, part: str = "") -> str:
        """The text of a part, or of all."""
        parts = [self.texts.get(part, [])] if part else self.texts.values()
        return " ".join(text for texts in parts for text in texts)


def read(html: str) -> Read:
    """Take a page. It fetches nothing, and runs nothing."""
    found = Read()
    found.feed(html)
    found.close()
    assert found.open == []
    assert {tag for tag, _ in found.elements} <= _ELEMENTS  # no script, no image, no link
    ids = [attrs["id"] for _, attrs in found.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in found.elements:
        assert not {"href", "src", "xlink:href", "srcset", "action"} & attrs.keys(), tag
        assert not [name for name in attrs if name.startswith("on")], tag
        for value in filter(None, attrs.values()):
            assert all(one.startswith("url(#") for one in re.findall(r"url\([^)]*", value))
    style = "".join(re.findall(r"<style>.*?</style>", html, re.DOTALL))
    assert not re.search(r"url\(|@import", style)
    (policy,) = [
        attrs["content"]
        for _, attrs in found.elements
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    return found
