"""Pictures for the README: SVG files that stand alone, small, and the same from the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pyarrow as pa
import pytest

from ab_looks import a_look
from drift_reports import Records, baseline, compared, records
from pictures import ab_svg, drift_svg

if TYPE_CHECKING:
    from pathlib import Path

    from mims.governance.profiles.profile import Profile

_MOST = 40_000  # bytes
_SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str]:
    """What a reader sees, of a picture that is what every picture is to be."""
    assert len(picture.encode()) <= _MOST
    root = ET.fromstring(picture)  # noqa: S314 - our own
    assert (root.tag, root.get("width")) == (f"{_SVG}svg", "800")
    tags = {one.tag.removeprefix(_SVG) for one in root.iter()}
    assert tags <= {"svg", "title", "g", "defs", "clipPath", "path", "rect", "text"}
    assert all(one.startswith("#") for one in re.findall(r"url\(([^)]*)", picture))
    assert "var(" not in picture  # a page's
    (paper, *_) = root.iter(f"{_SVG}rect")
    assert paper.get("fill") == "#fff"
    return [(one.text or "").strip() for one in root.iter(f"{_SVG}text")]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return baseline(tmp_path_factory.mktemp("baseline"))


def test_drift(before: Profile) -> None:
    report = compared(before, records(3000, seed=2, shift=1.0))
    picture = drift_svg(report)
    seen = texts(picture)
    for text in ("age", "PSI 0.90", "country", "PSI 0.93", "US", "FR", "baseline", "seen now"):
        assert text in seen
    assert "amount" not in seen  # which did not drift
    assert seen.index("country") < seen.index("age")
    assert picture == drift_svg(report)


def test_nothing_drifted(before: Profile) -> None:
    seen = texts(drift_svg(compared(before, records(3000, seed=2))))
    assert seen == ["baseline", "seen now"]


@pytest.mark.parametrize(
    "name", ["<script>", "a & b", "a\u202eb", "a\0b", "x" * 150, "$\\frac{1}{0}$"]
)
def test_hostile_names(tmp_path: Path, name: str) -> None:
    def renamed(made: Records) -> Records:
        table = made.inputs.rename_columns([name, "amount", "country"])
        places = pa.array([name if one == "FR" else one for one in table["country"].to_pylist()])
        return Records(table.set_column(2, "country", places), made.outputs)

    profile = baseline(tmp_path, renamed(records(4000)))
    seen = texts(drift_svg(compared(profile, renamed(records(3000, seed=2, shift=1.0)))))
    shown = {"a\u202eb": "a\\u202eb", "a\0b": "a\\x00b", "x" * 150: "x" * 33 + "…"}.get(name, name)
    assert seen.count(shown) == 2


def test_ab() -> None:
    look = a_look()
    picture = ab_svg(look)
    seen = texts(picture)
    for text in (
        "Mean score of fraud/2 less that of fraud/1",
        "+3.5 points",
        "difference",
        "too small to be worth finding: ±0.02",
        "labelled records of both variants",
        "20,000",
    ):
        assert text in seen
    assert picture == ab_svg(look)


def test_ab_of_errors() -> None:
    assert "+0.0345" in texts(ab_svg(a_look(score="error", smallest=0.05)))
