"""Our code as SageMaker's Python SDK brings it into a container, laid out below a folder.

- `code=FILE` (ScriptProcessor): FILE in /opt/ml/processing/input/code; COMMAND runs it there.
- `source_dir=DIR` (FrameworkProcessor): DIR as sourcedir.tar.gz in that folder; bash runs
  /opt/ml/processing/input/entrypoint/runproc.sh, which unpacks it and has COMMAND run the script.
  It installs a requirements.txt before; ours refuses one, for our jobs need nothing.

As `sagemaker` 2.257 (processing.py) and 3.27 (core/processing.py) do it. Standard library only,
Python 3.7+.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from front_door import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

JOBS = ("mims_package", "mims_payload")
_CODE = "opt/ml/processing/input/code"
_ENTRY_POINT = "opt/ml/processing/input/entrypoint"
CODE_FOLDERS = (_CODE, _ENTRY_POINT)
_RUNPROC = """\
cd {base}/{folder}
tar -xzf sourcedir.tar.gz
set -e
test ! -e requirements.txt
{command} {script} "$@"
"""


def build(folder: Path, umask: int = 0o022) -> None:
    """Make both zipapps by the README's command."""
    before = os.umask(umask)
    try:
        command = [sys.executable, "-S", str(SCRIPTS / "build_pyz.py"), "--output", str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    finally:
        os.umask(before)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds both zipapps."""
    folder = tmp_path_factory.mktemp("built")
    build(folder)
    return folder


def upload_code(root: Path, file: Path, command: Sequence[str], base: str = "") -> list[str]:
    """Lay out `code=file` below `root`, which the job knows as `base`; give its entry point."""
    folder = root / _CODE
    folder.mkdir(parents=True)
    (folder / file.name).write_bytes(file.read_bytes())
    (folder / file.name).chmod(0o644)  # S3 keeps no mode
    return [*command, f"{base}/{_CODE}/{file.name}"]


def upload_source_dir(root: Path, script: str, command: Sequence[str], base: str = "") -> list[str]:
    """Lay out `source_dir="scripts"` likewise."""
    for folder in CODE_FOLDERS:
        (root / folder).mkdir(parents=True)
    (root / _CODE).chmod(0o777)  # it is unpacked there, by whoever the container runs as
    with tarfile.open(str(root / _CODE / "sourcedir.tar.gz"), "w:gz") as archive:
        for path in sorted(SCRIPTS.iterdir()):
            archive.add(str(path), arcname=path.name, filter=_sources)
    runproc = _RUNPROC.format(base=base, folder=_CODE, command=" ".join(command), script=script)
    (root / _ENTRY_POINT / "runproc.sh").write_text(runproc)
    return ["/bin/bash", f"{base}/{_ENTRY_POINT}/runproc.sh"]


def _sources(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out byte code: other tests' Pythons are writing theirs."""
    return None if member.name.endswith("__pycache__") else member
