"""A script's files: the script, and the modules of its own package that it imports.

Goes in: the script's path. Comes out: syntax trees, found as Python would find them with the
script's folder first on `sys.path`. Never runs or imports any of it.
"""

from __future__ import annotations

import ast
import os
import stat
import sys
import warnings
from pathlib import Path
from typing import Iterator, NamedTuple

from mims.errors import InputError
from mims.text import size

_MOST_BYTES = 4_000_000  # of one file; the longest module of the standard library has 0.3 MB
_HERE = Path(__file__).resolve().parents[2]  # where a script finds the mims that is running


class UnreadableError(Exception):
    """A file that Python could not run: its line, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


class Source(NamedTuple):
    """A file, read: its module's name, its name in messages, and its tree."""

    name: str
    shown: str
    is_package: bool
    tree: ast.Module

    def absolute(self, module: str | None, level: int) -> str | None:
        """Give the full name of what `from <level dots><module>` names; None past the top."""
        if not level:
            return module
        parts = self.name.split(".")
        kept = len(parts) - level + self.is_package
        if kept < 1 or self.name == "__main__":
            return None
        return ".".join([*parts[:kept], *([module] if module else [])])


def parse(content: bytes) -> ast.Module:
    """Parse a file in the encoding that it declares.

    Raises:
        UnreadableError: Python could not run it either.

    """
    try:
        with warnings.catch_warnings():  # about odd escapes: Python's business, not the contract's
            warnings.simplefilter("ignore")
            return ast.parse(content)
    except SyntaxError as error:
        raise UnreadableError(error.lineno or 1, error.msg) from error
    except ValueError as error:  # null bytes
        raise UnreadableError(1, str(error)) from error
    except (RecursionError, MemoryError) as error:
        raise UnreadableError(1, "it nests too deep") from error


def read(path: Path) -> bytes:
    """Read a source file whole.

    Raises:
        InputError: it is not there, no file, unreadable or far too long.

    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise InputError(f"{path} is no file: name a Python script")
        if found.st_size > _MOST_BYTES:
            raise InputError(f"{path} has {size(found.st_size)}, too many for a script")
        return path.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read {path}: {reason}; name a Python script") from error


class Finder:
    """Where a script's own modules lie. `folders` grows when the script extends `sys.path`."""

    def __init__(self, script: Path) -> None:
        self.shown_folder = script.parent
        self.folder = Path(os.path.realpath(str(script))).parent
        self.folders = [self.folder]

    def find(self, name: str) -> dict[str, Path]:
        """Give the files that importing `name` runs, packages first; none if it is not ours.

        The last one is missing where `name` is no file of its package.
        """
        if name.partition(".")[0] in sys.builtin_module_names:
            return {}
        for folder in (*self.folders, *([_HERE] if name.partition(".")[0] == "mims" else [])):
            found = dict(_files(folder, name.split(".")))
            if found:
                return found
        return {}

    def is_folder(self, name: str) -> bool:
        """Whether `name` is a folder with modules of ours, without an __init__.py."""
        path = Path(*name.split("."))
        return any(os.path.isdir(str(folder / path)) for folder in self.folders)  # noqa: PTH112

    def shown(self, path: Path) -> str:
        """Give a module's path as a message names it: as the script's own was given."""
        try:
            return str(self.shown_folder / path.relative_to(self.folder))
        except ValueError:
            return str(path)


def _files(folder: Path, parts: list[str]) -> Iterator[tuple[str, Path]]:
    for index, part in enumerate(parts):
        name = ".".join(parts[: index + 1])
        for path in (folder / part / "__init__.py", folder / f"{part}.py"):
            if os.path.isfile(str(path)):  # noqa: PTH113 - Path.is_file fails on a circle in 3.7
                yield name, path
                break
        folder = folder / part
