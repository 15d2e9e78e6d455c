"""A job as its user meets it: channels on disk, a command, an exit code, a message, outputs.

Every run, whichever test makes it, is held to what every script honours: one line of JSON on
stdout, the same in the exit message file and within 1,024 bytes, no traceback but for a bug,
nothing in the output folder but finished files.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib
import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Mapping, NamedTuple, Optional, Union

import pytest

from archives import Seen, listing

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
_PATIENCE = 60  # seconds after which a run hangs
FINISHED = {"model.tar.gz", "manifest.json", "payload.tar.gz", "metadata.json"}

Files = Mapping[str, Optional[Union[str, bytes]]]


class Outcome(NamedTuple):
    """How a run ended: its exit code, its message, its log."""

    code: int
    message: dict[str, Any]
    log: str

    @property
    def error(self) -> str:
        """What the message says is wrong."""
        text = self.message["error"]
        assert isinstance(text, str)
        return text


class Container:
    """The places of a container under a folder of the test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        processing = root / "opt/ml/processing"
        self.model = processing / "input/model"
        self.script = processing / "input/script"
        self.calibration = processing / "input/calibration"
        self.custom_payload = processing / "input/custom_payload"
        self.output = processing / "output"
        self.message = root / "opt/ml/output/message"

    def package(self, *arguments: str, **environ: str) -> Outcome:
        """Run mims_package.py by itself, without site-packages."""
        return self.run("mims_package.py", *arguments, **environ)

    def payload(self, *arguments: str, **environ: str) -> Outcome:
        """Run mims_payload.py by itself, without site-packages."""
        return self.run("mims_payload.py", *arguments, **environ)

    def run(self, script: str, *arguments: str, **environ: str) -> Outcome:
        """Run a script to its end."""
        return self.end(self.start(script, *arguments, **environ))

    def start(self, script: str, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start a script; `end` gives its outcome."""
        return subprocess.Popen(
            self.command(script, *arguments),
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def command(self, script: str, *arguments: str) -> list[str]:
        """The command line of a script: -S is Python without site-packages."""
        python = [sys.executable, "-S", "-W", "error"]
        return [*python, str(SCRIPTS / script), "--root", str(self.root), *arguments]

    def end(self, process: subprocess.Popen[bytes]) -> Outcome:
        """Wait for a script's end and look at what it left."""
        with process:
            try:
                stdout, stderr = process.communicate(timeout=_PATIENCE)
            finally:
                process.kill()
        return self.checked(process.returncode, stdout.decode(), stderr.decode())

    def package_here(self, **environ: str) -> Outcome:
        """Run mims_package.py in this process: quicker, and with isal where it is installed."""
        return self._run_here("mims_package", environ)

    def payload_here(self, **environ: str) -> Outcome:
        """Run mims_payload.py in this process."""
        return self._run_here("mims_payload", environ)

    def _run_here(self, script: str, environ: Mapping[str, str]) -> Outcome:
        main = importlib.import_module(script).main
        stdout, stderr = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            with redirect_stdout(stdout), redirect_stderr(stderr):
                code = main(["--root", str(self.root)])
        stdout.seek(0)
        return self.checked(code, stdout.read(), stderr.getvalue())

    def checked(self, code: int, stdout: str, log: str) -> Outcome:
        """Hold a run to what every script honours."""
        raw = self.message.read_bytes()
        assert len(raw) <= 1024
        assert stdout == raw.decode() + "\n"
        message = json.loads(raw)
        assert message["exit_code"] == code, log
        assert ("Traceback" in log) == (code == 70), log
        assert "Exception ignored" not in log, log
        assert set(self.outputs()) <= FINISHED
        return Outcome(code, message, log)

    def outputs(self) -> list[str]:
        """Names in the output folder; a link leads to none of ours."""
        real = self.output.is_dir() and not self.output.is_symlink()
        return sorted(path.name for path in self.output.iterdir()) if real else []

    def packaged(self) -> dict[str, Seen]:
        """The members of the package, read independently; its manifest has to agree."""
        path = self.output / "model.tar.gz"
        with gzip.open(str(path)) as stream:  # to its end: that is where the checksum is
            while stream.read(1 << 20):
                pass
        members = listing(path)
        manifest = json.loads((self.output / "manifest.json").read_text("utf-8"))
        raw = path.read_bytes()
        assert manifest["archive"] == {
            "name": "model.tar.gz",
            "sha256": hashlib.sha256(raw).hexdigest(),
            "size": len(raw),
        }
        assert [
            (row["name"], row["type"], row["mode"], row.get("size"), row.get("sha256"))
            for row in manifest["members"]
        ] == [_row(name, member) for name, member in members.items()]
        return members

    def contents(self, place: str = "") -> dict[str, bytes | None]:
        """Content of the package's files under a place, by name; None for a folder."""
        return {
            name[len(place) :]: None if member.kind == "directory" else member.content
            for name, member in self.packaged().items()
            if name.startswith(place)
        }

    def manifest(self) -> dict[str, Any]:
        """The manifest."""
        manifest = json.loads((self.output / "manifest.json").read_text("utf-8"))
        assert isinstance(manifest, dict)
        return manifest

    def metadata(self) -> dict[str, Any]:
        """The metadata.json beside the payload archive."""
        metadata = json.loads((self.output / "metadata.json").read_text("utf-8"))
        assert isinstance(metadata, dict)
        return metadata

    def samples(self) -> dict[str, str]:
        """The payload archive's files."""
        members = listing(self.output / "payload.tar.gz")
        return {name: member.content.decode() for name, member in members.items()}


def _row(name: str, member: Seen) -> tuple[str, str, str, int | None, str | None]:
    mode = f"{member.mode:04o}"
    if member.kind == "directory":
        return (name, member.kind, mode, None, None)
    return (
        name,
        member.kind,
        mode,
        len(member.content),
        hashlib.sha256(member.content).hexdigest(),
    )


def lay(folder: Path, files: Files) -> None:
    """Write files under a folder; None makes a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        (path if content is None else path.parent).mkdir(parents=True, exist_ok=True)
        if content is not None:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
