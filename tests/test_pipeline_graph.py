"""A definition as a picture, whatever its names are."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mims.errors import InputError
from mims.pipeline.graph import mermaid, svg
from pipeline_definitions import CHAIN, changed

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = st.one_of(
    st.text(),
    st.sampled_from(['"]; click n0 "x"', "end", "</text><script>", "a\nb --> c", "]]>", "\ufffe"]),
)


def texts(image: str) -> list[str]:
    return [str(text.text) for text in ET.fromstring(image).iter(f"{SVG}text")]  # noqa: S314


def boxes(image: str) -> dict[str, tuple[float, float, float, float]]:
    """By name the left, top, right and bottom of each box."""
    found = [
        child
        for child in ET.fromstring(image)  # noqa: S314
        if child.get("class") != "ground"
    ]
    return {
        str(name.text): edges_of(box)
        for box, name in itertools.pairwise(found)
        if box.tag == f"{SVG}rect"
    }


def edges_of(box: Element) -> tuple[float, float, float, float]:
    x, y, width, height = (float(str(box.get(key))) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def test_mermaid() -> None:
    assert mermaid(CHAIN.to_json()) == (
        "flowchart LR\n"
        '    n0(["TrainingData<br/>Parameter"])\n'
        '    n1["Train<br/>Training"]\n'
        '    n2["Package<br/>Processing"]\n'
        '    n3["Register<br/>Processing"]\n'
        '    n0 -.->|"train"| n1\n'
        '    n1 -->|"S3ModelArtifacts as model_input"| n2\n'
        '    n2 -->|"package_output as PackagedModel"| n3\n'
        '    n1 -->|"depends on"| n3\n'
    )


def test_svg_shows_every_step_after_what_it_needs() -> None:
    image = svg(CHAIN.to_json())
    shown = boxes(image)
    assert [*shown] == ["TrainingData", "Train", "Package", "Register"]
    lefts = [left for left, *_ in shown.values()]
    rights = [right for _, _, right, _ in shown.values()]
    assert all(right < left for right, left in zip(rights, lefts[1:], strict=False))
    assert {"package_output", "as PackagedModel", "depends on", "train"} <= {*texts(image)}


def wide(count: int) -> dict[str, Any]:
    """Steps that all feed all of the next."""
    steps: list[dict[str, Any]] = [{"Name": f"a{n}", "Type": "Processing"} for n in range(count)]
    names = [step["Name"] for step in steps]
    steps += [{"Name": f"b{n}", "Type": "Lambda", "DependsOn": names} for n in range(count)]
    return {"Steps": [*steps, {"Name": "c", "Type": "Fail", "DependsOn": ["a0", "b0"]}]}


@pytest.mark.parametrize("definition", [CHAIN.to_json(), wide(2), wide(7), {"Steps": []}])
def test_nothing_is_written_over_something_else(definition: dict[str, Any]) -> None:
    image = svg(definition)
    root = ET.fromstring(image)  # noqa: S314
    width, height = (float(size) for size in str(root.get("viewBox")).split()[2:])
    places = [*boxes(image).values()]
    for number, (left, top, right, bottom) in enumerate(places):
        assert left >= 0
        assert top >= 0
        assert right <= width
        assert bottom <= height
        for x, y, x_end, y_end in places[:number]:
            assert right <= x or x_end <= left or bottom <= y or y_end <= top
    labels = [text for text in root.iter(f"{SVG}text") if text.get("class") == "flow"]
    spots = [(str(label.get("x")), float(str(label.get("y")))) for label in labels]
    assert all(y <= height for _, y in spots)
    for number, (column, line) in enumerate(spots):
        assert all(column != x or abs(line - y) >= 13 for x, y in spots[:number])


@example(name="TrainingData", kind="Parameter", channel="", parameter="TrainingData")
@given(name=HOSTILE, kind=HOSTILE, channel=HOSTILE, parameter=HOSTILE)
def test_hostile_names_stay_text(name: str, kind: str, channel: str, parameter: str) -> None:
    definition = changed(CHAIN.to_json(), ("Steps", 2, "Name"), name)
    definition = changed(definition, ("Steps", 2, "Type"), kind)
    inputs = ("Steps", 2, "Arguments", "ProcessingInputs", 0)
    definition = changed(definition, (*inputs, "InputName"), channel)
    definition = changed(definition, ("Parameters", 1, "Name"), parameter)
    if name in ("Train", "Package"):  # would wait for itself
        return
    tags = {child.tag for child in ET.fromstring(svg(definition)).iter()}  # noqa: S314
    assert tags == {f"{SVG}{tag}" for tag in ("svg", "style", "marker", "path", "rect", "text")}
    node = r'    n\d+(\(\["[^"]*"\]\)|\["[^"]*"\])'
    edge = r'    n\d+ (-->|-\.->)\|"[^"]*"\| n\d+'
    first, *lines, last = mermaid(definition).split("\n")
    assert (first, last) == ("flowchart LR", "")
    for line in lines:
        assert re.fullmatch(f"{node}|{edge}", line)
        assert not set(re.sub("<br/>|-->|-.->", "", line)) & set("<>\\`")
        assert len(line.splitlines()) == 1


def test_steps_that_wait_for_each_other_have_no_picture_but_a_chart() -> None:
    circle = changed(CHAIN.to_json(), ("Steps", 0, "DependsOn"), ["Register"])
    with pytest.raises(InputError, match="steps wait for each other"):
        svg(circle)
    assert '    n3 -->|"depends on"| n1\n' in mermaid(circle)
