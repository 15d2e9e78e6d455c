"""Contracts read scripts: the paths and the variables that they use.

A row is lines that a right script gets more, with a comment that says what it is about.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from implementation_scripts import (
    GUARD,
    HEEDS,
    IMPORTS,
    READS,
    RICHER,
    RIGHT,
    WRITES,
    finds,
    held,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_right_script(tmp_path: Path) -> None:
    assert held(tmp_path, RIGHT).is_valid
    assert held(tmp_path, RIGHT) == ([], [])


# ---- paths ---------------------------------------------------------------------------------------

WAYS_TO_NAME_A_PATH = [
    # written out
    'MODEL = "/opt/ml/processing/input/LAST"',
    # a file in it
    'FILE = "/opt/ml/processing/input/LAST/model.tar.gz"',
    # a Path
    'MODEL = Path("/opt/ml/processing/input/LAST/")',
    # joined with /
    'MODEL = Path("/opt/ml/processing") / "input" / "LAST"',
    # joined with / by another name of the module, from a constant
    'BASE = pl.PurePosixPath("/opt/ml/processing")\nMODEL = BASE / "input" / "LAST"',
    # several arguments
    'MODEL = Path("/opt/ml", "processing", "input", "LAST")',
    # os.path.join
    'BASE = "/opt/ml/processing/input"\nMODEL = os.path.join(BASE, "LAST")',
    # join by its own name, of a list
    'PARTS = ["input", "LAST"]\nMODEL = join("/opt/ml/processing", *PARTS)',
    # joinpath
    'MODEL = Path("/opt/ml").joinpath("processing", "input").joinpath("LAST")',
    # an f-string of constants
    'BASE, NAME = "/opt/ml/processing", "LAST"\nMODEL = f"{BASE}/input/{NAME}"',
    # an f-string whose end a run alone knows
    'def read(name): return f"/opt/ml/processing/input/LAST/{name}"',
    # added
    'BASE = "/opt/ml/processing"\nMODEL = BASE + "/input" + "/LAST"',
    # added piece by piece to one name
    'path = "/opt/ml/processing"\npath += "/input"\npath = path + "/LAST"',
    # written beside one another
    'MODEL = ("/opt/ml/processing"\n    "/input/LAST")',
    # formatted
    'MODEL = "{}/input/{name}".format("/opt/ml/processing", name="LAST")',
    # formatted, the old way
    'MODEL = "%s/input/%s" % ("/opt/ml/processing", "LAST")',
    # joined by a slash
    'MODEL = "/".join(["/opt/ml/processing", "input", "LAST"])',
    # in a dictionary
    'P = {"model": "/opt/ml/processing/input/LAST"}\nprint(P["model"])',
    # from a dictionary of names
    'P = {"m": "LAST"}\nMODEL = "/opt/ml/processing/input/" + P["m"]',
    # in a class
    'class Paths:\n    base = "/opt/ml/processing"\nMODEL = Paths.base + "/input/LAST"',
    # in an object
    (
        "class Job:\n    def __init__(self, base): self.base = Path(base)\n"
        '    def model(self): return self.base / "input" / "LAST"\n'
        'Job("/opt/ml/processing").model()'
    ),
    # in an Enum
    'class P(str, Enum):\n    BASE = "/opt/ml/processing/input"\nM = P.BASE.value + "/LAST"',
    # the default of an argument of the command line
    'p = argparse.ArgumentParser()\np.add_argument("--m", default="/opt/ml/processing/input/LAST")',
    # the default of one that more is joined to
    (
        "p = argparse.ArgumentParser()\n"
        'p.add_argument("--in-dir", default="/opt/ml/processing/input")\n'
        'args = p.parse_args()\nMODEL = os.path.join(args.in_dir, "LAST")'
    ),
    # a default that is set for the parser
    (
        'p = argparse.ArgumentParser()\np.set_defaults(base="/opt/ml/processing/input")\n'
        'MODEL = Path(p.parse_args().base, "LAST")'
    ),
    # passed with others, by name
    (
        "def at(base, name): return base + name\n"
        'at(**{"base": "/opt/ml/processing/input", "name": "/LAST"})'
    ),
    # put together from two lists
    'for base, name in zip(["/opt/ml/processing/input"], ["LAST"]): join(base, name)',
    # the default of a parameter
    'def run(base="/opt/ml/processing/input"): return Path(base) / "LAST"',
    # the default of a variable
    'M = os.environ.get("MODE") or "/opt/ml/processing/input/LAST"',
    # from a function
    'def base(): return "/opt/ml/processing/input"\nMODEL = base() + "/LAST"',
    # through a function that puts other paths together too
    (
        "def at(base, name): return os.path.join(base, name)\n"
        'at("/opt/ml/processing/input", "LAST")\nat("/opt/ml/processing", "output")'
    ),
    # in a loop over pairs
    (
        'PAIRS = [("/opt/ml/processing/input", "LAST"), ("/opt/ml/processing", "output")]\n'
        "for base, name in PAIRS: os.listdir(os.path.join(base, name))"
    ),
    # one of two, by a condition
    'NAME = "LAST" if mode else "model"\nMODEL = "/opt/ml/processing/input/LAST"',
    # under a folder that stands for /, as tests have it
    'def run(root="/"): return Path(root) / "opt/ml/processing/input/LAST"',
    # with dots
    'MODEL = "/opt/ml/processing/output/../input/LAST"',
    # in a folder around another
    'MODEL = Path("/opt/ml/processing/output").parents[0] / "input" / "LAST"',
    # in a record of some kind
    (
        "from types import SimpleNamespace\n"
        'P = SimpleNamespace(base="/opt/ml/processing/input")\nMODEL = P.base + "/LAST"'
    ),
    (
        "from collections import namedtuple\nPaths = namedtuple('Paths', 'base, name')\n"
        'P = Paths("/opt/ml/processing/input", "LAST")\nMODEL = f"{P.base}/{P.name}"'
    ),
    (
        "from collections import namedtuple\nPaths = namedtuple('Paths', ['base', 'name'])\n"
        'P = Paths(name="LAST", base="/opt/ml/processing/input")\nMODEL = join(*P)\n'
        'FILE = f"{P.base}/{P.name}"'
    ),
    (
        "from dataclasses import dataclass, field\n@dataclass\nclass P:\n"
        '    base: Path = field(default_factory=lambda: Path("/opt/ml/processing/input"))\n'
        '    name: str = field(default="LAST")\n'
        "    def model(self): return self.base / self.name\nP().model()"
    ),
    # given to a function that takes any arguments
    (
        'def opt(*parts): return join("/opt/ml/processing", *parts)\n'
        'opt("input", "LAST", "model.tar.gz")'
    ),
    (
        'def at(**names): return Path(names["base"]) / names["name"]\n'
        'at(base="/opt/ml/processing/input", name="LAST")'
    ),
    # in a command
    'os.system("tar xf /opt/ml/processing/input/LAST/model.tar.gz -C /tmp")',
    (
        "import subprocess\n"
        "subprocess.run(\"cp -r '/opt/ml/processing/input/LAST/a.txt' /tmp\", shell=True)"
    ),
    # under a pattern
    'import glob\nglob.glob("/opt/ml/processing/input/LAST/*.tar.gz")',
]


@pytest.mark.parametrize("way", WAYS_TO_NAME_A_PATH)
def test_a_path_is_known_however_it_is_named(tmp_path: Path, way: str) -> None:
    script = IMPORTS + HEEDS + WRITES + "from enum import Enum\n" + way.replace("LAST", "model")
    assert held(tmp_path, f"{script}\n{GUARD}") == ([], [])


@pytest.mark.parametrize("way", WAYS_TO_NAME_A_PATH)
def test_a_wrong_path_is_found_however_it_is_named(tmp_path: Path, way: str) -> None:
    script = IMPORTS + HEEDS + WRITES + "from enum import Enum\n" + way.replace("LAST", "modle")
    found = held(tmp_path, f"{script}\n{GUARD}")
    unknown = "does not know the required input model_input, /opt/ml/processing/input/model"
    assert finds(found.errors, "uses /opt/ml/processing/input/modle", unknown)
    assert "does not declare: use /opt/ml/processing/input/model" in "".join(found.errors)
    assert found.warnings == []


@pytest.mark.parametrize(
    "lines",
    [
        # said, not used
        'print("/opt/ml/processing/input/other is not there")',
        'raise ValueError("/opt/ml/processing/input/other")',
        'argparse.ArgumentParser(description="/opt/ml/processing/input/other")',
        # a docstring
        'def f():\n    """/opt/ml/processing/input/other"""',
        # a comment
        "# /opt/ml/processing/input/other",
        # a sentence that begins with a declared path
        'message = f"{MODEL}: not there"\nother = f"{MODEL} is empty"',
        # above what is declared
        'os.makedirs("/opt/ml/processing", exist_ok=True)',
        # not a processing job's folder
        'WORK = "/tmp/work"\nCONFIG = "/opt/ml/config/processingjobconfig.json"',
        # no more than a similar beginning
        'OTHER = "/opt/ml/processing_other/x"',
        # for a type checker alone
        'from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    X = "/opt/ml/processing/x"',
    ],
)
def test_what_is_no_use_of_a_path(tmp_path: Path, lines: str) -> None:
    assert held(tmp_path, f"{RIGHT}{lines}\n") == ([], [])


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        # read, where the line is
        (
            "x = 1\nopen('/opt/ml/processing/input/other/a.csv')",
            ":14: uses /opt/ml/processing/input/o",
        ),
        # printed, but read first
        ("print(open('/opt/ml/processing/x').read())", "uses /opt/ml/processing/x,"),
        # written beside the output
        ("Path('/opt/ml/processing/output2').mkdir()", "uses /opt/ml/processing/output2"),
        # in a function that nothing calls
        ("def f():\n    return Path('/opt/ml/processing') / 'x'", "uses /opt/ml/processing/x,"),
        # a folder whose name a run alone knows, under one that is not declared
        ("def f(n): return f'/opt/ml/processing/x/{n}'", "uses /opt/ml/processing/x/…"),
    ],
)
def test_undeclared_paths(tmp_path: Path, lines: str, error: str) -> None:
    found = held(tmp_path, f"{RIGHT}{lines}\n")
    assert finds(found.errors, error)
    assert found.warnings == []


@pytest.mark.parametrize(
    ("lines", "errors", "warnings"),
    [
        # nothing is known of the input
        (WRITES, ["know the required input model_input"], []),
        # nothing is known of the output
        (READS, ["know the required output result"], []),
        # the path comes from the command line alone
        (
            WRITES + 'p = argparse.ArgumentParser()\np.add_argument("--model", required=True)\n',
            ["know the required input model_input"],
            [],
        ),
        # it may be among those that are listed
        (
            WRITES + 'for f in os.listdir("/opt/ml/processing/input"): print(f)\n',
            [],
            ["may use the required input model_input"],
        ),
        # its name comes from elsewhere
        (
            WRITES + 'def f(n): return Path("/opt/ml/processing/input") / n\n',
            [],
            ["may use the required input model_input"],
        ),
    ],
)
def test_required_paths(tmp_path: Path, lines: str, errors: list[str], warnings: list[str]) -> None:
    found = held(tmp_path, IMPORTS + HEEDS + lines + GUARD)
    assert finds(found.errors, *errors)
    assert finds(found.warnings, *warnings)


def test_main_that_takes_what_it_is_given(tmp_path: Path) -> None:
    """No name shows, so nothing is sure."""
    takes = "def run(input_paths, output_paths):\n    for p in input_paths.values(): open(p)\n"
    takes += '    open(output_paths["result"]), output_paths.get("report")\n'
    found = held(tmp_path, IMPORTS + HEEDS + takes + GUARD)
    assert finds(
        found.warnings, "may use the required input model_input", "looks for report in output_paths"
    )
    assert found.is_valid


def test_a_required_variable_among_others(tmp_path: Path) -> None:
    lines = "def read(name): return os.environ[name]\n"
    found = held(tmp_path, IMPORTS + WRITES + READS + lines + GUARD, RICHER)
    assert finds(found.warnings, "may read RUN_ID", "the optional input extra")
    assert found.is_valid


def test_optional_and_required(tmp_path: Path) -> None:
    found = held(tmp_path, IMPORTS + WRITES + READS + GUARD, RICHER)
    assert finds(found.errors, "never reads the required RUN_ID")
    assert finds(found.warnings, "the optional input extra, /opt/ml/processing/input/extra")
    found = held(tmp_path, IMPORTS + WRITES + READS + GUARD)
    assert finds(found.warnings, "does not heed the optional MODE, FIELD_<name>")


# ---- variables -----------------------------------------------------------------------------------

REQUIRE = """\
def require(name, default=None):
    value = os.environ.get(name, default)
    if value is None:
        raise RuntimeError(name)
    return value
"""
MISSING = 'NEEDED = ["NAME"]\n'
REFUSE = "if missing:\n    raise ValueError(missing)"
WAYS_TO_READ = [
    # (lines, whether the job fails without the variable)
    ('os.environ["NAME"]', True),
    ('environ["NAME"]', True),
    ('os.environ.pop("NAME")', True),
    # by another name
    ('env = os.environ\nenv["NAME"]', True),
    # the name is a constant
    ('KEY = "NAME"\nos.environ[KEY]', True),
    # passed to a function
    ('def read(e, key): return e[key]\nread(os.environ, "NAME")', True),
    # in a loop over names
    ('for key in ["MODE", "NAME"]: print(os.environ[key])', True),
    # a copy
    ('dict(os.environ)["NAME"]', True),
    # main's own, filled from nowhere
    ('def run(environ_vars): return environ_vars["NAME"]', True),
    # with a default
    ('os.environ.get("NAME")', False),
    ('os.environ.get("NAME", "x")', False),
    ('os.getenv("NAME")', False),
    ('getenv("NAME", "x")', False),
    ('environ.get("NAME") or "x"', False),
    ('def run(environ_vars): return environ_vars.get("NAME", "x")', False),
    # asked for first
    ('if "NAME" in os.environ: print(os.environ["NAME"])', False),
    ('x = os.environ["NAME"] if os.environ.get("NAME") else ""', False),
    # missed without harm
    ('try:\n    os.environ["NAME"]\nexcept KeyError:\n    pass', False),
    # given up
    ('del os.environ["NAME"]', True),
    ('assert "NAME" in os.environ', True),
    ('assert os.environ.get("NAME"), "no NAME"', True),
    # found missing, and said so: the job fails
    ('if "NAME" not in os.environ:\n    sys.exit(1)', True),
    ('name = os.getenv("NAME")\nif not name:\n    raise ValueError("no NAME")', True),
    ('name = os.environ.get("NAME", "").strip()\nif name == "":\n    raise ValueError', True),
    ('name = os.environ.get("NAME", "x")\nif not name:\n    raise ValueError', False),
    ('if os.getenv("NAME") is None:\n    raise ValueError("no NAME")', True),
    ('os.getenv("NAME") or sys.exit("no NAME")', True),
    # by a function that most scripts have
    (f'{REQUIRE}require("NAME")', True),
    (f'{REQUIRE}require("NAME", "x")', False),
    # several at once
    (f"{MISSING}missing = [n for n in NEEDED if n not in os.environ]\n{REFUSE}", True),
    (f"{MISSING}missing = [n for n in NEEDED if not os.environ.get(n)]\n{REFUSE}", True),
    (f"{MISSING}missing = [n for n in NEEDED if n not in os.environ]\nprint(missing)", False),
    # what reads it, by another name
    ('read = os.environ.get\nread("NAME", "x")', False),
    # missed, and said so: the job fails
    ('try:\n    os.environ["NAME"]\nexcept KeyError:\n    raise ValueError("NAME")', True),
]


if sys.version_info >= (3, 8):
    found_missing = 'if (name := os.getenv("NAME")) is None:\n    raise ValueError'
    WAYS_TO_READ.append((found_missing, True))


@pytest.mark.parametrize(("lines", "fails"), WAYS_TO_READ)
def test_reads_of_variables(tmp_path: Path, lines: str, fails: bool) -> None:
    assert held(tmp_path, f"{RIGHT}{lines}\n".replace("NAME", "MODE")) == ([], [])
    found = held(tmp_path, f"{RIGHT}{lines}\n".replace("NAME", "MOOD"))
    assert finds(found.errors, *(["needs MOOD, which the contract does not"] if fails else []))
    assert finds(found.warnings, *([] if fails else ["reads MOOD, which the contract does not"]))


@pytest.mark.parametrize(
    "lines",
    [
        # every container has them
        'os.environ["HOME"], os.environ["AWS_REGION"], os.environ["SM_HOSTS"], getenv("TZ")',
        # set by the script itself
        'os.environ["OMP_NUM_THREADS"] = "1"\nos.environ["OMP_NUM_THREADS"]',
        'os.environ.setdefault("MKL_NUM_THREADS", "1")\nos.environ.update({"A": "b"})',
        # the family that is declared
        'def field(name): return os.environ.get(f"FIELD_{name}")',
        'def field(name): return os.environ["FIELD_" + name]',
        "for key in os.environ:\n    if key.startswith('FIELD_'): print(os.environ[key])",
        # a name that a run alone knows
        "def read(name): return os.environ[name]",
        # not the environment
        'config = {"MOOD": 1}\nconfig["MOOD"]\njson.loads("{}")["MOOD"]',
        # filled by the script, for main
        'def run(environ_vars): return environ_vars["WORK"]\nrun({"WORK": "/tmp/work"})',
    ],
)
def test_variables_that_are_all_right(tmp_path: Path, lines: str) -> None:
    assert held(tmp_path, f"{RIGHT}{lines}\n") == ([], [])


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        # another family
        ('{k: v for k, v in os.environ.items() if k.startswith("COLUMN_")}', "reads COLUMN_…"),
        ("for k in os.environ:\n    if k.startswith('COLUMN_'): print(k)", "reads COLUMN_…"),
    ],
)
def test_undeclared_families(tmp_path: Path, lines: str, warning: str) -> None:
    found = held(tmp_path, f"{RIGHT}{lines}\n")
    assert finds(found.warnings, warning)
    assert found.is_valid
