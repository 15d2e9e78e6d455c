"""Contracts read scripts: what they import, of others and of their own, and files that are odd.

A row is lines, or a script and its modules, with a comment that says what it is about.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from implementation_scripts import (
    GUARD,
    RIGHT,
    SMALL,
    finds,
    held,
)
from mims.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


# ---- imports -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        "import numpy",
        "import numpy.linalg as la",
        "from numpy import array",
        # late, and not surely
        "def f():\n    import numpy",
        "if mode:\n    import numpy",
        'importlib.import_module("numpy")',
        # a guard that gives up, or is for something else
        "try:\n    import numpy\nexcept Exception:\n    raise",
        "try:\n    import numpy\nexcept Exception:\n    sys.exit(1)",
        "try:\n    import numpy\nexcept ValueError:\n    pass",
        # at the top, where nothing works without it
        "try:\n    import numpy\nexcept ImportError:\n    raise SystemExit('no numpy')",
        "try:\n    import numpy\nexcept ModuleNotFoundError:\n    sys.exit(1)",
        # in the way out of another
        "try:\n    import json\nexcept ImportError:\n    import numpy",
        # a guard around the call alone: the job fails
        "def f():\n    import numpy\ntry:\n    f()\nexcept Exception:\n    pass",
        # twice is told once
        "import numpy\nimport numpy",
    ],
)
def test_third_parties(tmp_path: Path, lines: str) -> None:
    found = held(tmp_path, f"{RIGHT}{lines}\n")
    assert finds(found.errors, "imports numpy, and the contract is for the standard library")
    assert found.warnings == []


@pytest.mark.parametrize(
    "lines",
    [
        "import xml.etree.ElementTree, concurrent.futures, _thread, sysconfig, zlib",
        "from __future__ import annotations",
        # guarded
        "try:\n    import isal\nexcept ImportError:\n    isal = None",
        "try:\n    from isal import x\nexcept (ModuleNotFoundError, OSError):\n    x = None",
        "try:\n    import isal\nexcept Exception:\n    isal = None",
        # what is given up is one function, or what there is in its place
        "def f():\n    try: import isal\n    except ImportError as e: raise OSError from e",
        "try:\n    import isal\nexcept ImportError:\n    def isal(): raise OSError('no isal')",
        "try:\n    import isal\nexcept ImportError:\n    pass\nelse:\n    import isal.zlib",
        "from contextlib import suppress\nwith suppress(ImportError):\n    import isal",
        # for a type checker alone
        "import typing\nif typing.TYPE_CHECKING:\n    import numpy",
        "from typing import TYPE_CHECKING as T\nif T:\n    import numpy",
        # asked for first
        "import importlib.util\nif importlib.util.find_spec('isal'):\n    import isal",
        # our own package
        "import mims.text\nfrom mims.errors import InputError",
    ],
)
def test_imports_that_are_all_right(tmp_path: Path, lines: str) -> None:
    script = f"{lines}\n{RIGHT}" if "__future__" in lines else f"{RIGHT}{lines}\n"
    assert held(tmp_path, script) == ([], [])


@pytest.mark.parametrize(
    "lines",
    [
        "import sagemaker_training.environment",
        "from sagemaker_training import environment",
        "from sagemaker_training.trainer import train",
        # guarded, it does its harm just the same
        "try:\n    from sagemaker_training import files\nexcept ImportError:\n    pass",
        # also where it is required
        "def f():\n    from sagemaker_training import errors, process",
    ],
)
def test_harmful_imports(tmp_path: Path, lines: str) -> None:
    contract = SMALL._replace(
        framework_requirements={"python": ">=3.7", "sagemaker-training": "==5.1.4"}
    )
    found = held(tmp_path, f"{RIGHT}{lines}\n", contract)
    assert finds(found.errors, "which creates /opt/ml/code")
    harmless = f"{RIGHT}from sagemaker_training import errors, mapping\n"
    assert held(tmp_path, harmless, contract) == ([], [])


def test_imports_that_a_contract_requires(tmp_path: Path) -> None:
    contract = SMALL._replace(framework_requirements={"python": ">=3.7", "boto3": ">=1.40"})
    lines = "import boto3\nfrom botocore.exceptions import ClientError\n"
    lines += "from secure_ai_sandbox_python_lib.session import Session\n"
    assert held(tmp_path, RIGHT + lines, contract) == ([], [])
    found = held(tmp_path, f"{RIGHT}import numpy", contract)
    assert finds(found.errors, "imports numpy, which the contract does not require")


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        # no longer
        ("import distutils.util", "imports distutils, which newer Pythons lack"),
        # not yet
        ("import tomllib", "imports tomllib, which not every Python has"),
        # from a folder that a run alone knows
        ("sys.path.append(mode)\nimport numpy", "numpy, which may lie where it extends sys.path"),
    ],
)
def test_imports_that_may_fail(tmp_path: Path, lines: str, warning: str) -> None:
    found = held(tmp_path, f"{RIGHT}{lines}\n")
    assert finds(found.warnings, warning)
    assert found.is_valid


def test_a_main_guard(tmp_path: Path) -> None:
    found = held(tmp_path, RIGHT.replace(GUARD, "main = print\nmain()\n"))
    assert finds(found.warnings, "small.py:1: has no main guard")
    assert found.is_valid
    assert held(tmp_path, RIGHT.replace('__name__ == "__main__"', '"__main__" == __name__')) == (
        [],
        [],
    )


# ---- its own package -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "others"),
    [
        # beside the script
        ("import paths\nMODEL = paths.BASE / 'modle'", {"paths.py": "BASE"}),
        ("from paths import BASE as B\nMODEL = B / 'modle'", {"paths.py": "BASE"}),
        ("from paths import *\nMODEL = BASE / 'modle'", {"paths.py": "BASE"}),
        # in a package, by its full name, late
        (
            "def f():\n    from lib.paths import BASE\n    return BASE / 'modle'",
            {"lib/paths.py": "BASE"},
        ),
        (
            "import lib.paths as p\nMODEL = p.BASE / 'modle'",
            {"lib/__init__.py": "", "lib/paths.py": "BASE"},
        ),
        ("import lib.paths\nMODEL = lib.paths.BASE / 'modle'", {"lib/paths.py": "BASE"}),
        ("from lib import paths\nMODEL = paths.BASE / 'modle'", {"lib/paths.py": "BASE"}),
        # what a package's __init__ imports, relative to it
        (
            "from lib import BASE\nMODEL = BASE / 'modle'",
            {"lib/__init__.py": "from .paths import BASE", "lib/paths.py": "BASE"},
        ),
        # two steps away, up and down
        (
            "import lib.a.deep",
            {
                "lib/__init__.py": "",
                "lib/a/__init__.py": "",
                "lib/a/deep.py": "from ..paths import BASE\nMODEL = BASE / 'modle'",
                "lib/paths.py": "BASE",
            },
        ),
        # by name
        ("importlib.import_module('lib.x')", {"lib/x.py": "M = '/opt/ml/processing/input/modle'"}),
        # in a circle
        (
            "import one",
            {"one.py": "import two", "two.py": "import one\nM = '/opt/ml/processing/input/modle'"},
        ),
        # in a function of another module
        (
            "import lib\nlib.at('modle')",
            {"lib.py": "BASE\ndef at(name): return BASE / name"},
        ),
        # in a folder that the script adds
        (
            "sys.path.insert(0, str(Path(__file__).parent / 'more'))\nimport x",
            {"more/x.py": "M = '/opt/ml/processing/input/modle'"},
        ),
    ],
)
def test_follows_imports(tmp_path: Path, script: str, others: dict[str, str]) -> None:
    base = "from pathlib import Path\nBASE = Path('/opt/ml/processing') / 'input'\n"
    files = {
        name: text.replace("BASE", base, 1) if text.startswith("BASE") else text
        for name, text in others.items()
    }
    found = held(tmp_path, f"{RIGHT}{script}\n", others=files)
    assert finds(found.errors, "uses /opt/ml/processing/input/modle,")
    assert found.warnings == []


@pytest.mark.parametrize(
    ("script", "others", "error"),
    [
        # what a module of its own imports
        ("import lib", {"lib.py": "import numpy"}, "lib.py:1: imports numpy, and the contract"),
        # what a module reads
        ("import lib", {"lib.py": "import os\nos.environ['MOOD']"}, "lib.py:2: needs MOOD"),
        # no Python
        ("import lib", {"lib.py": "x = 1\ndef"}, "lib.py:2: is no Python"),
        # not there
        ("import lib.other", {"lib/__init__.py": ""}, "imports lib.other, and there is no such"),
        # a script is in no package
        ("from . import lib", {"lib.py": ""}, "imports relative to a package that it is not in"),
        ("import lib.x", {"lib/x.py": "from ... import y"}, "lib/x.py:1: imports relative to"),
    ],
)
def test_faults_of_its_own_modules(
    tmp_path: Path, script: str, others: dict[str, str], error: str
) -> None:
    found = held(tmp_path, f"{RIGHT}{script}\n", others=others)
    assert finds(found.errors, error)
    assert found.warnings == []


@pytest.mark.parametrize(
    ("script", "others"),
    [
        # a module whose import is guarded may import what it likes
        ("try:\n    import lib\nexcept ImportError:\n    lib = None", {"lib.py": "import numpy"}),
        # a shape that works as a script and as a module
        ("try:\n    from . import lib\nexcept ImportError:\n    import lib", {"lib.py": "x = 1"}),
        # for a type checker alone
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lib",
            {"lib.py": "import numpy"},
        ),
        # not imported at all
        ("", {"lib.py": "import numpy"}),
        # a file that only looks like Python's own
        ("import sys", {"sys.py": "import numpy"}),
    ],
)
def test_modules_that_do_no_harm(tmp_path: Path, script: str, others: dict[str, str]) -> None:
    assert held(tmp_path, f"{RIGHT}{script}\n", others=others) == ([], [])


def test_a_module_that_no_script_is(tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_bytes(b"#" * 5_000_000)
    found = held(tmp_path, f"{RIGHT}import lib\n")
    assert finds(found.errors, "lib.py has 5.0 MB, too many for a script")


def test_names_files_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held(tmp_path, f"{RIGHT}import lib\n", others={"lib.py": "import numpy\n"})
    monkeypatch.chdir(tmp_path)
    assert finds(SMALL.validate_implementation("small.py").errors, "lib.py:1: imports numpy")
    assert SMALL.validate_implementation("small.py").errors[0].startswith("lib.py:1: ")


def test_a_link_is_followed_to_its_package(tmp_path: Path) -> None:
    held(tmp_path / "real", f"{RIGHT}import lib\n", others={"lib.py": "import numpy\n"})
    (tmp_path / "link.py").symlink_to(tmp_path / "real" / "small.py")
    assert finds(SMALL.validate_implementation(tmp_path / "link.py").errors, "lib.py:1: imports")


# ---- files that are odd --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        # another encoding, declared
        ("# coding: latin-1\n" + RIGHT + "NAME = 'é'\n").encode("latin-1"),
        # a byte order mark, and Windows' line ends
        b"\xef\xbb\xbf" + RIGHT.replace("\n", "\r\n").encode(),
        # what Python warns about
        (RIGHT + "x = '\\d'\n").encode(),
    ],
)
def test_files_that_python_reads(tmp_path: Path, script: bytes) -> None:
    assert held(tmp_path, script) == ([], [])


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (b"x = 1\ny = (\nz = 2 2\n", "small.py:"),
        (b"x = 1\ndef\n", "small.py:2: is no Python"),
        (b"x = 1\0\n", "small.py:1: is no Python"),
        (b"# coding: martian\n", "small.py:1: is no Python"),
        (b"x = '\xff'\n", "small.py:1: is no Python"),
        (b"x = " + b"(" * 5000 + b")" * 5000, "small.py:1: is no Python"),
    ],
)
def test_files_that_python_does_not_read(tmp_path: Path, script: bytes, error: str) -> None:
    found = held(tmp_path, script)
    assert finds(found.errors, error)
    assert found.warnings == []


@pytest.mark.parametrize(
    "lines",
    [
        # a long sum
        "x = " + " + ".join(["'a'"] * 700),
        # a long chain of calls
        "x = ''" + ".strip()" * 400,
        # many branches
        "if mode == 0: pass\n" + "".join(f"elif mode == {n}: pass\n" for n in range(400)),
        # functions that call one another for ever
        "def f(x): return g(x + 'a')\ndef g(x): return f(x + 'b')\nf('')",
        # a loop that would grow for ever
        "x = ['a']\nfor y in x: x.append(y + 'a')",
        # a list that doubles
        "x = ['a']\n" + "x = x + x\n" * 60,
        # loops in loops
        "x = [1" + "".join(f" for a{n} in {[*range(64)]}" for n in range(5)) + "]",
        # a product of many choices
        "x = ''\n" + "x = x + ('a' if mode else 'b')\n" * 60,
        # a class of its own kind
        "class A: pass\nclass A(A): pass\nA().b",
        # an object that holds itself
        "x = []\nx.append(x)\nfor y in x:\n    for z in y: print(z)",
    ],
)
def test_scripts_without_an_end(tmp_path: Path, lines: str) -> None:
    """They end, and what is wrong elsewhere is still found."""
    found = held(tmp_path, f"open('/opt/ml/processing/x')\n{RIGHT}{lines}\n")
    assert finds(found.errors, "uses /opt/ml/processing/x,")
    assert all("split it" in warning for warning in found.warnings)


def test_what_is_no_script(tmp_path: Path) -> None:
    (tmp_path / "circle.py").symlink_to(tmp_path / "circle.py")
    os.mkfifo(str(tmp_path / "pipe.py"))
    with (tmp_path / "huge.py").open("wb") as huge:
        huge.truncate(10**9)
    for name in ("missing.py", ".", "circle.py", "pipe.py", "huge.py", "nul\0.py", "a" * 300):
        with pytest.raises(InputError) as caught:
            SMALL.validate_implementation(str(tmp_path / name))
        assert str(tmp_path) in str(caught.value)


def test_nothing_is_run(tmp_path: Path) -> None:
    deed = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    modules = set(sys.modules)
    held(tmp_path, f"{RIGHT}{deed}import lib\n", others={"lib.py": deed})
    assert not (tmp_path / "ran").exists()
    assert "lib" not in set(sys.modules) - modules
