"""What a member of an archive may be called.

Goes in: a name as an archive or a file system gives it. Comes out: the same name without `./`,
doubled and trailing slashes; or an `ArchiveError` that names it, escaped, with the reason.
"""

from __future__ import annotations

import re
import unicodedata

from mims.errors import InputError
from mims.text import printable

PART_LIMIT = 255  # bytes: NAME_MAX
PATH_LIMIT = 4096  # bytes: PATH_MAX
DEPTH_LIMIT = 100  # folders in one another
_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BREAKS = {"Cc", "Zl", "Zp"}
# Most names: a few plain parts, which need none of the checks below.
_PLAIN = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]{0,200}/){0,10}[A-Za-z0-9_][A-Za-z0-9_.+-]{0,200}"
).fullmatch


class ArchiveError(InputError):
    """An archive, or a folder to be archived, is broken or holds what must not be passed on."""


def checked_name(raw: str) -> str:
    """Normalise a member's name; `""` is the root itself.

    Raises:
        ArchiveError: the name could leave the place it is unpacked at, hide what it is, or not
            exist on a file system.

    """
    if _PLAIN(raw):
        return raw
    reason = "" if raw.isascii() and raw.isprintable() else _hidden(raw)
    parts = [part for part in raw.split("/") if part not in ("", ".")]
    reason = reason or _misplaced(raw, parts) or _oversized(parts)
    if reason:
        raise ArchiveError(f"member '{printable(raw)[:300]}': {reason}")
    return "/".join(parts)


def _hidden(raw: str) -> str:
    for character in raw:
        if unicodedata.category(character) == "Cs":
            return "its name is not UTF-8"
        if unicodedata.category(character) in _BREAKS:
            return "its name holds a control character"
        if character in _BIDI:
            return "its name holds a character that reorders text"
    return ""


def _misplaced(raw: str, parts: list[str]) -> str:
    if raw.startswith("/"):
        return "its name is absolute"
    if ".." in parts:
        return "its name holds '..'"
    if "\\" in raw:
        return "its name holds a backslash"
    if raw[1:2] == ":" and raw[:1].isalpha():
        return "its name starts with a drive letter"
    return ""


def _oversized(parts: list[str]) -> str:
    sizes = [len(part.encode("utf-8", "surrogatepass")) for part in parts]
    if any(size > PART_LIMIT for size in sizes):
        return f"a part of its name is over {PART_LIMIT} bytes"
    if sum(sizes) + len(sizes) > PATH_LIMIT:
        return f"its name is over {PATH_LIMIT} bytes"
    return ""


class Namespace:
    """The names of one archive: no name twice, no file where a folder stands."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.folders: dict[str, bool] = {}  # whether it is a member itself, or only a parent
        self._folded: dict[str, str] = {}  # of those names alone that folding changes
        self.lookalikes: list[tuple[str, str]] = []

    def add_file(self, name: str) -> None:
        """Take a name for a file.

        Raises:
            ArchiveError: the name is taken, or one of its parents is a file.

        """
        if name in self.files:
            raise ArchiveError(f"member '{name}' is there twice")
        if name in self.folders:
            raise ArchiveError(f"member '{name}' is both a file and a folder")
        self._add_parents(name)
        self.files.add(name)
        self._compare(name)

    def add_folder(self, name: str) -> bool:
        """Take a name for a folder; False when it is a member already.

        Raises:
            ArchiveError: the name or one of its parents is a file.

        """
        if name in self.files:
            raise ArchiveError(f"member '{name}' is both a file and a folder")
        self._add_parents(name)
        if name not in self.folders:
            self._compare(name)
        new = not self.folders.get(name, False)
        self.folders[name] = True
        return new

    def _add_parents(self, name: str) -> None:
        parent = name.rpartition("/")[0]
        while parent and parent not in self.folders:
            if parent in self.files:
                raise ArchiveError(f"member '{name}' lies in '{parent}', which is a file")
            self.folders[parent] = False
            self._compare(parent)
            parent = parent.rpartition("/")[0]

    def _compare(self, name: str) -> None:
        """Note names that some file systems take for one."""
        folded = unicodedata.normalize("NFC", name).casefold()
        alike = self._folded.get(folded)
        if alike is None and folded != name and (folded in self.files or folded in self.folders):
            alike = folded
        if alike is not None:
            self.lookalikes.append((alike, name))
        elif folded != name:
            self._folded[folded] = name
