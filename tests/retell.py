"""Types the README's story, and writes down what comes back, and its pictures.

    PYTHONPATH=scripts:tests .venv/bin/python tests/retell.py

tests/test_story.py holds the README to it. Takes two minutes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from chain import TOP
from test_story import CHAPTERS, PICTURES, begun
from transcripts import retold


def main() -> None:
    """Tell it anew."""
    readme = TOP / "README.md"
    text = readme.read_text(encoding="utf-8")
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        begun(Path(folder), patch) as story,
    ):
        for chapter in CHAPTERS:
            text = retold(text, chapter, lambda command, _: story.type(command))
        for name, picture in story.pictures().items():
            (PICTURES / name).write_text(picture, encoding="utf-8")
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
