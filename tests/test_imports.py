"""The rules of DESIGN about imports: who may know whom, what stands alone, and that no import acts.

`ALLOWED` is the picture. A new module or room has to be entered there before anything imports it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).resolve().parent
SCRIPTS = TESTS.parent / "scripts"

# Room (a module or package of mims, or an entry point): the rooms that it may import.
ALLOWED = {
    "errors": set(),
    "text": set(),
    "settings": {"errors", "text"},
    "outputs": {"errors"},
    "contracts": {"implementation", "settings"},  # which is read when a script is held to one
    "implementation": {"contracts", "errors", "text"},
    "command_line": {"contracts", "errors", "settings"},
    "job": {"command_line", "contracts", "errors", "settings", "text"},
    "console": {"errors"},  # what operators' command lines share
    "commands": {"errors", "governance", "pipeline"},  # what pip installs: the ways into these
    "archive": {"errors", "text"},
    # flows: they know the rooms below, and not one another
    "packaging": {"archive", "errors", "job", "outputs", "text"},
    "payload": {"archive", "contracts", "errors", "job", "outputs", "settings", "text"},
    "registration": {"archive", "contracts", "errors", "job", "text"},
    "pipeline": {
        *("archive", "console", "contracts", "errors", "payload", "registration", "settings"),
        "text",
    },
    "governance": {
        *("archive", "console", "contracts", "errors", "job", "outputs", "registration", "text"),
        "settings",
    },
    # entry points: their contract and their flow
    "mims_package.py": {"command_line", "contracts", "job", "packaging"},
    "mims_payload.py": {"command_line", "contracts", "job", "payload"},
    "script.py": {"command_line", "contracts", "errors", "job", "registration"},
    "mims_pipeline.py": {"commands"},
    "mims_drift.py": {"command_line", "errors", "governance", "job"},
    "registry.py": {"commands"},
    "create_registry.py": {"commands"},
    "register_model.py": {"commands"},
    "build_pyz.py": {"errors", "outputs"},
}
# What runs in other people's containers: the standard library alone, on any Python from 3.7.
ALONE = {
    *("errors", "text", "settings", "outputs", "contracts", "command_line", "commands", "job"),
    *("archive", "implementation", "packaging", "payload"),
    *("mims_package.py", "mims_payload.py", "build_pyz.py"),
}
OPTIONAL = {"isal", "pyarrow"}  # used where they are there


def room(path: Path) -> str:
    """The room that a file belongs to."""
    parts = path.relative_to(SCRIPTS).parts
    return parts[0] if len(parts) == 1 else parts[1].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or later, at run time or for types."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide who knows whom"
            assert node.module
            yield node.module
            if node.module == "mims":
                yield from (f"mims.{alias.name}" for alias in node.names)


FILES = sorted(SCRIPTS.rglob("*.py"))
MODULES = {
    path: ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__")
    for path in FILES
}


@pytest.mark.parametrize("path", FILES, ids=MODULES.values())
def test_rooms_import_only_what_they_may(path: Path) -> None:
    if room(path) == "__init__":
        assert list(imports(path)) == []
        return
    known = {name.split(".")[1] for name in imports(path) if name.startswith("mims.")}
    known.discard("__version__")
    assert known - {room(path)} <= ALLOWED[room(path)]
    # entry points import nothing of one another
    assert not {f"{name}.py" for name in imports(path)} & set(ALLOWED)


@pytest.mark.parametrize("path", [p for p in FILES if room(p) in ALONE], ids=str)
def test_standard_library_only(path: Path) -> None:
    tops = {name.split(".")[0] for name in imports(path)}
    assert tops - sys.stdlib_module_names - {"mims"} <= OPTIONAL


def test_the_standard_library_is_enough() -> None:
    """Python without site-packages imports them all, and nothing from elsewhere came in."""
    modules = [MODULES[path] for path in FILES if room(path) in ALONE]
    code = (
        "import importlib, sys, sysconfig\n"
        "for module in sys.argv[2:]: importlib.import_module(module)\n"
        "ours = (sys.argv[1], sysconfig.get_path('stdlib'), sysconfig.get_path('platstdlib'))\n"
        "files = [getattr(m, '__file__', None) or '' for m in sys.modules.values()]\n"
        "print([f for f in files if f and not f.startswith(ours) or 'site-packages' in f])\n"
    )
    start = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-W", "error", "-c", start + code, str(SCRIPTS), *modules],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_an_import_does_nothing() -> None:
    done = subprocess.run(
        [sys.executable, str(TESTS / "watched_import.py"), *MODULES.values()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_the_watcher_sees(tmp_path: Path) -> None:
    """The test above can fail."""
    text = (TESTS / "watched_import.py").read_text("utf-8").replace("parents[1]", "parents[0]")
    (tmp_path / "watched_import.py").write_text(text)
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "acts.py").write_text(
        "import logging, os, signal, socket, threading\n"
        "os.environ.get('HOME')\n"
        "open('written', 'w').close()\n"
        "socket.socket().close()\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "logging.getLogger('mims').addHandler(logging.NullHandler())\n"
    )
    command = [sys.executable, "watched_import.py", "acts"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    for deed in ("reads HOME", "open ('written',)", "socket.", "signal", "thread", "log"):
        assert deed in done.stdout
