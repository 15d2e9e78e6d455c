"""The README's registry chapter, run as it stands there: from two trained models to a rollback."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from chain import TOP, Chain
from mims.governance.command import main
from mims.governance.registry import Registry
from transcripts import commands, masked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHAPTER = "## The registry afterwards"
GROUP = "PalmerPenguins-HeavyPenguin"
_ASSUME = re.compile(r"export \$\(aws sts assume-role .*--role-session-name (\w+)")


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Two models, trained and registered by the chain, in its local AWS."""
    with Chain(tmp_path / "run", options=("--processes",)) as chain:
        for rounds in ("60", "4"):
            run = chain(ROUNDS=rounds)
            assert run.code == 0, run.stderr
        for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_ENDPOINT_URL", chain.endpoint)
        monkeypatch.setenv("AWS_REGION", "us-west-2")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        monkeypatch.chdir(TOP)
        yield Registry("us-west-2")


def assume(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Become somebody else, as the README's line does."""
    sts = boto3.session.Session(region_name="us-west-2").client("sts")
    role = "arn:aws:iam::123456789012:role/Reviewers"
    got = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", got["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", got["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", got["SessionToken"])


def test_the_chapter_is_true(
    registry: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    typed = commands(TOP / "README.md", CHAPTER)
    assert len(typed) > 10
    wrong: list[Any] = []
    for command, said in typed:
        somebody = _ASSUME.match(command)
        if somebody:
            assume(monkeypatch, somebody[1])
            continue
        name, *arguments = shlex.split(command)
        assert name == "mims-registry"
        arguments = [str(tmp_path / a) if a.endswith(".html") else a for a in arguments]
        capsys.readouterr()
        code = main(arguments)
        out = capsys.readouterr().out.replace(f"{tmp_path}/", "")
        assert code == (1 if "is refused" in out else 0), command
        if masked(out) != masked(said):
            wrong.append((command, out))
    assert not wrong, "\n".join(f"$ {command}\n{out}" for command, out in wrong)
    stages = {version.number: version.stage for version in registry.versions(GROUP)}
    assert stages == {1: "Production", 2: "Archived"}
