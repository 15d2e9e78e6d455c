"""What pip installs for operators, in a Python that has not all that it needs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mims import commands
from mims.errors import EXIT_DONE, EXIT_INPUT

TOP = Path(__file__).parents[1]
SCRIPTS = TOP / "scripts"
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]
INSTALLED = sorted(PROJECT["scripts"].items())
EXTRAS = {"mims-pipeline": "pipelines-boto3", "mims-registry": "governance"}
ENTRIES = {
    "registry.py": "governance",
    "create_registry.py": "governance",
    "register_model.py": "governance",
    "mims_pipeline.py": "pipelines-boto3",
}


def run_python(*arguments: str) -> tuple[int, str, str]:
    """Run this Python; what of its packages it sees, the arguments say."""
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("line", ["", "--help", "list"])
@pytest.mark.parametrize(("name", "extra"), ENTRIES.items())
def test_a_script_without_packages_says_what_installs_them(
    name: str, extra: str, line: str
) -> None:
    told = f"error: Python lacks click: pip install '.[{extra}]'\n"
    assert run_python("-S", "-E", str(SCRIPTS / name), *line.split()) == (EXIT_INPUT, "", told)


def started(function: str, before: str = "pass") -> str:
    """What pip's wrapper runs, and something before."""
    module, name = function.split(":")
    path = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); {before}"
    return f"{path}; from {module} import {name} as main; sys.exit(main())"


@pytest.mark.parametrize(("name", "function"), INSTALLED)
def test_so_does_what_pip_installs(name: str, function: str) -> None:
    told = f"error: Python lacks click: pip install '.[{EXTRAS[name]}]'\n"
    assert run_python("-S", "-I", "-c", started(function)) == (EXIT_INPUT, "", told)


LACKING = [
    # a package that a command needs when it comes to that, and the command
    ("mims-registry", "boto3.session", ("list",)),
    ("mims-registry", "pydantic", ("list",)),
    ("mims-registry", "rich", ("list",)),
    ("mims-registry", "yaml", ("promote", "fraud/1")),
    ("mims-pipeline", "boto3.session", ("start", "penguins")),
]


@pytest.mark.parametrize(("name", "package", "line"), LACKING)
def test_what_is_missing_later_is_told_in_the_same_words(
    name: str, package: str, line: tuple[str, ...]
) -> None:
    """Some of an extra's packages may be there for another's sake."""
    code = started(dict(INSTALLED)[name], f"sys.modules[{package!r}] = None")
    exit_code, out, error = run_python("-c", code, *line)
    assert (exit_code, out) == (EXIT_INPUT, "")
    assert error == f"error: Python lacks {package}: pip install '.[{EXTRAS[name]}]'\n"


def test_each_extra_brings_what_its_command_needs() -> None:
    for extra in EXTRAS.values():
        assert any(line.startswith("click") for line in PROJECT["optional-dependencies"][extra])


def test_a_module_of_ours_that_is_missing_is_a_bug() -> None:
    code = started(dict(INSTALLED)["mims-registry"], "sys.modules['mims.console'] = None")
    exit_code, _, error = run_python("-c", code)
    assert exit_code == 1
    assert "ModuleNotFoundError" in error


def test_an_old_python_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.registry(["--version"]) == commands.pipeline(["--version"]) == EXIT_DONE
    capsys.readouterr()
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    assert commands.registry(["--version"]) == commands.pipeline(["--version"]) == EXIT_INPUT
    assert capsys.readouterr().err.count("is too old: 3.11 is needed\n") == 2
