"""The manifest of a package: every member with size, mode and SHA-256, and where it came from.

The same package makes the same manifest: it holds no time of day and no path of a machine.
"""

from __future__ import annotations

import json
from typing import Any, Iterable, Mapping, NamedTuple

MANIFEST = "manifest.json"


class Entry(NamedTuple):
    """One member of a package."""

    name: str
    type: str
    size: int
    mode: int
    sha256: str
    source: str
    copy_of: str = ""

    def row(self) -> dict[str, Any]:
        """The entry as the manifest shows it."""
        row: dict[str, Any] = {"name": self.name, "type": self.type, "mode": f"{self.mode:04o}"}
        if self.sha256:
            row.update(size=self.size, sha256=self.sha256)
        row["source"] = self.source
        if self.copy_of:
            row["copy_of"] = self.copy_of
        return row


def manifest_json(head: Mapping[str, Any], entries: Iterable[Entry]) -> str:
    """The manifest's text: the head, then a line a member."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    rows = ",\n".join("    " + json.dumps(entry.row(), ensure_ascii=False) for entry in entries)
    return "\n".join(["{", *lines, '  "members": [', rows, "  ]", "}", ""])
