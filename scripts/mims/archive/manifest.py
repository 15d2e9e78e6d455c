"""The manifest of a package: every member with size, mode and SHA-256, and where it came from.

The same package makes the same manifest: it holds no time of day and no path of a machine.
"""

from __future__ import annotations

import json
from typing import Any, Iterable, Iterator, Mapping, NamedTuple

MANIFEST = "manifest.json"


class Entry(NamedTuple):
    """One member of a package. Its SHA-256 is known when it has been read back."""

    name: str
    type: str
    size: int
    mode: int
    crc32: int
    source: str
    copy_of: str = ""
    sha256: str = ""

    def row(self) -> dict[str, Any]:
        """The entry as the manifest shows it."""
        row: dict[str, Any] = {"name": self.name, "type": self.type, "mode": f"{self.mode:04o}"}
        if self.sha256:
            row.update(size=self.size, sha256=self.sha256)
        row["source"] = self.source
        if self.copy_of:
            row["copy_of"] = self.copy_of
        return row


def manifest_lines(head: Mapping[str, Any], entries: Iterable[Entry]) -> Iterator[str]:
    """The manifest's text, line by line: the head, then a line a member."""
    yield "{\n"
    for key, value in head.items():
        yield f"  {json.dumps(key)}: {json.dumps(value)},\n"
    encode = json.JSONEncoder(ensure_ascii=False).encode
    before = '  "members": [\n    '
    for entry in entries:
        yield before + encode(entry.row())
        before = ",\n    "
    yield "\n  ]\n}\n"
