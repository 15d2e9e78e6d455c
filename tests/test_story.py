"""Two chapters of the README, typed as they stand there: from trained models to a decided A/B."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from chain import TOP, Chain
from mims.governance.ab import watching
from mims.governance.command import main
from mims.governance.drift import watch as drift_watch
from mims.governance.registry import Registry
from pictures import ab_svg, drift_svg
from transcripts import commands, masked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

pytestmark = pytest.mark.slow  # every command of two chapters

CHAPTERS = ("## The registry afterwards", "## Watching models")
PICTURES = TOP / "tests" / "story"
GROUP = "PalmerPenguins-HeavyPenguin"
_ASSUME = re.compile(r"export \$\(aws sts assume-role .*--role-session-name (\w+)")
_TRAIN = re.compile(r"ROUNDS=(\d+) bash docker/chain.sh")
# By what a command says, it ends with this.
_CODES = {" is refused: ": 1, ": drift of ": 4}


@dataclass
class Story:
    """A user at the keyboard: the chain's local AWS, and where pages are written."""

    chain: Chain
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    seen: dict[str, Any] = field(default_factory=dict)
    """what the last check and the last look at the A/B found"""

    def type(self, command: str) -> str | None:
        """Type a command; give what it says, or None where nobody reads it."""
        if somebody := _ASSUME.match(command):
            self._assume(somebody[1])
            return None
        if rounds := _TRAIN.fullmatch(command):
            self._train(rounds[1])
            return None
        command, _, last = command.partition(" | tail -")
        said = self._run(command)
        return "\n".join(said.rstrip("\n").split("\n")[-int(last) :]) if last else said

    def _run(self, command: str) -> str:
        name, *arguments = shlex.split(command)
        arguments = [self._place(argument) for argument in arguments]
        if name == "mims-registry":
            out = StringIO()
            with redirect_stdout(out):
                code = main(arguments)
            said = out.getvalue().replace(f"{self.folder}/", "")
            assert code == next((c for text, c in _CODES.items() if text in f"\n{said}"), 0), said
            return said
        assert name == "python"
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _place(self, argument: str) -> str:
        if argument.endswith(".html"):
            return str(self.folder / argument)
        return re.sub(r"^run/", f"{self.chain.run}/", argument)

    def _train(self, rounds: str) -> None:
        run = self.chain(ROUNDS=rounds)
        assert run.code == 0, run.stderr

    def _assume(self, name: str) -> None:
        """Become somebody else."""
        sts = boto3.session.Session(region_name="us-west-2").client("sts")
        role = "arn:aws:iam::123456789012:role/Reviewers"
        got = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
        self.monkeypatch.setenv("AWS_ACCESS_KEY_ID", got["AccessKeyId"])
        self.monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", got["SecretAccessKey"])
        self.monkeypatch.setenv("AWS_SESSION_TOKEN", got["SessionToken"])

    def pictures(self) -> dict[str, str]:
        """What the README shows beside the text, by file."""
        return {"drift.svg": drift_svg(self.seen["watch"]), "ab.svg": ab_svg(self.seen["status"])}

    def remember(self, module: ModuleType, name: str) -> None:
        """Keep what a function finds."""
        whole = getattr(module, name)

        def kept(*given: Any, **named: Any) -> Any:
            self.seen[name] = whole(*given, **named)
            return self.seen[name]

        self.monkeypatch.setattr(module, name, kept)


@contextmanager
def begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Story]:
    """Two models, trained and registered by the chain."""
    with Chain(folder / "run", options=("--processes",)) as chain:
        story = Story(chain, folder, monkeypatch)
        for rounds in ("4", "60"):
            story.type(f"ROUNDS={rounds} bash docker/chain.sh")
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_ENDPOINT_URL", chain.endpoint)
        monkeypatch.setenv("AWS_REGION", "us-west-2")
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.chdir(TOP)
        story.remember(drift_watch, "watch")
        story.remember(watching, "status")
        yield story


def test_the_chapters_are_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = [pair for chapter in CHAPTERS for pair in commands(TOP / "README.md", chapter)]
    assert len(typed) > 20
    wrong: list[Any] = []
    with begun(tmp_path, monkeypatch) as story:
        for command, said in typed:
            out = story.type(command)
            if out is not None and masked(out) != masked(said):
                wrong.append((command, out))
        pictures = story.pictures()
        registry = Registry("us-west-2")
        stages = {version.number: version.stage for version in registry.versions(GROUP)}
    assert not wrong, "\n".join(f"$ {command}\n{out}" for command, out in wrong)
    for name, picture in pictures.items():
        assert picture == (PICTURES / name).read_text(encoding="utf-8"), f"draw {name} anew"
    assert stages == {1: "Archived", 2: "Archived", 3: "Production"}
