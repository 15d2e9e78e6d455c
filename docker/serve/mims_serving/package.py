"""A package becomes a folder that can be served, without trusting it further than needed.

Goes in: a model.tar.gz and an empty folder. Comes out: its files in that folder, and what its
`code/requirements.txt` asks for beside it. Writes nowhere else: only plain files and folders with
plain relative names are taken, and each is created here and never through a link.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import shutil
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path, PurePosixPath

log = logging.getLogger("serve")

MAX_MEMBERS = 100_000
MAX_BYTES = 64 * 1024**3


class PackageError(Exception):
    """The package cannot be served; the message says why."""


def unpack(package: Path, folder: Path) -> None:
    """Extract a package into an empty folder.

    Raises:
        PackageError: no such file, no whole archive, or a member that no package should hold.

    """
    left = MAX_BYTES
    try:
        with tarfile.open(package, "r:gz") as tar:
            for position, member in enumerate(tar, 1):
                left -= member.size
                if position > MAX_MEMBERS or left < 0:
                    raise PackageError(
                        f"{package} holds more than {MAX_MEMBERS:,} members or {MAX_BYTES:,} bytes"
                    )
                _extract(tar, member, folder)
    except FileNotFoundError as error:
        raise PackageError(f"there is no package at {package}") from error
    except (EOFError, gzip.BadGzipFile, tarfile.TarError, zlib.error) as error:
        raise PackageError(f"{package} is no whole .tar.gz: {error}") from error


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise PackageError(f"member {member.name!r} is refused: it would leave the package")
    if not member.name.isprintable():
        raise PackageError(f"member {member.name!r} is refused: its name hides characters")
    path = folder / name
    try:
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            return
        source = tar.extractfile(member) if member.isreg() and not member.issparse() else None
        if source is None:
            raise PackageError(f"member {member.name!r} is refused: neither a file nor a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as target:
            shutil.copyfileobj(source, target, 1024 * 1024)
    except (FileExistsError, NotADirectoryError) as error:
        raise PackageError(f"member {member.name!r} is refused: the name is taken") from error
    path.chmod(0o755 if member.mode & 0o100 else 0o644)


def install_requirements(code: Path, site: Path) -> None:
    """Install what `code/requirements.txt` asks for into `site`, unless it is all there already.

    Raises:
        PackageError: pip could not; it carries pip's own words.

    """
    requirements = code / "requirements.txt"
    if not requirements.is_file() or _satisfied(requirements):
        return
    log.info("installing %s", requirements.name)
    done = _pip(requirements, dict(os.environ), "--target", str(site))
    if done.returncode:
        raise PackageError(
            "cannot install the package's code/requirements.txt; give this container its "
            f"requirements or a package index:\n{done.stderr.strip()[-2000:]}"
        )


def _satisfied(requirements: Path) -> bool:
    """Ask pip what it would install, shut off from every index."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environ["PIP_CONFIG_FILE"] = os.devnull
    done = _pip(requirements, environ, "--dry-run", "--no-index", "--quiet", "--report", "-")
    return done.returncode == 0 and not json.loads(done.stdout)["install"]


def _pip(
    requirements: Path, environ: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    return subprocess.run(  # noqa: S603 - our own command
        [*command, *options, "-r", requirements.name],
        cwd=requirements.parent,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
