#!/usr/bin/env python3
"""Build mims_package.pyz and mims_payload.pyz: each job as one file that any Python 3.7+ runs.

    python3 scripts/build_pyz.py [--output DIR]

Goes in: the sources beside this script. Comes out: a zipapp a job in DIR (default: dist), with the
modules that the job imports and no others. The same sources make the same bytes on any machine.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
import zipfile
from pathlib import Path
from typing import Iterator

from mims.errors import InputError
from mims.outputs import Output

SCRIPTS = Path(__file__).resolve().parent
ROOMS = {"mims_package": "packaging", "mims_payload": "payload"}  # what a job has of its own
COMMON = ("__init__", "errors", "text", "settings", "contracts", "command_line", "outputs", "job")
_SHEBANG = b"#!/usr/bin/env python3\n"
_DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can hold
_UNIX = 3


def sources(job: str) -> Iterator[tuple[str, Path]]:
    """Yield the name in the zipapp and the path of each file of a job."""
    yield "__main__.py", SCRIPTS / f"{job}.py"
    package = SCRIPTS / "mims"
    modules = [package / f"{name}.py" for name in COMMON]
    for room in ("archive", ROOMS[job]):
        modules += (package / room).glob("*.py")
    for path in sorted(modules):
        yield path.relative_to(SCRIPTS).as_posix(), path


def zipapp(job: str) -> bytes:
    """Make a job's zipapp. Stored, not deflated: zlib's bytes differ from version to version."""
    made = io.BytesIO(_SHEBANG)
    made.seek(0, io.SEEK_END)
    with zipfile.ZipFile(made, "a") as archive:
        for name, path in sources(job):
            info = zipfile.ZipInfo(name, _DATE)
            info.create_system = _UNIX
            info.external_attr = 0o100644 << 16
            archive.writestr(info, path.read_bytes())
    return made.getvalue()


def main() -> int:
    """Build both."""
    parser = argparse.ArgumentParser(description="Build each job as one file.")
    parser.add_argument("--output", metavar="DIR", type=Path, default=Path("dist"))
    folder = parser.parse_args().output
    for job in ROOMS:
        content = zipapp(job)
        try:
            with Output(folder / f"{job}.pyz") as output:
                output.file.write(content)
                os.fchmod(output.file.fileno(), 0o755)
                output.publish()
        except InputError as error:
            sys.exit(f"build_pyz.py: {error}")
        sys.stdout.write(f"{hashlib.sha256(content).hexdigest()}  {output.path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
