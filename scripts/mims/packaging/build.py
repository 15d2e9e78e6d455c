"""The flow of packaging: sources, members, archive, read back, manifest.

Goes in: the channels of MIMS_PACKAGE_CONTRACT. Comes out: model.tar.gz and manifest.json. Never
extracts: members stream from their sources through the checked reader into a canonical tar and
through parallel gzip. Memory does not grow with the model, and no disk is used but the output's.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import closing
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from mims import __version__
from mims.archive.gz import GzipWriter
from mims.archive.manifest import MANIFEST, Entry, manifest_lines
from mims.archive.names import DEPTH_LIMIT, ArchiveError, Namespace
from mims.archive.readback import Proven, ReadBack
from mims.archive.reader import FILE, FOLDER, Limits
from mims.archive.writer import TarWriter, canonical_mode
from mims.errors import InputError, Problems
from mims.outputs import Output, publish_together, writing
from mims.packaging.sources import PACKAGE, Source, find_sources
from mims.text import counted, listed, size

if TYPE_CHECKING:
    from pathlib import Path

    from mims.job import Job, Progress

log = logging.getLogger("mims")

_ARCHIVES = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip", ".7z")


def build_package(job: Job) -> Mapping[str, Any]:
    """Package the model; give what the exit message reports."""
    problems = Problems()
    with problems.gather():
        settings = job.settings()
    with problems.gather():
        job.require_inputs()
    problems.raise_any()
    sources = find_sources(job, settings)
    _keep_freed_memory()
    folder = job.path("package_output")
    with Output(folder / PACKAGE) as archive, Output(folder / MANIFEST) as manifest:
        with writing(archive.path), ReadBack(archive.file) as back:
            contents = write_package(back, sources, settings, job)
        proven = back.compare(contents.entries)
        with writing(manifest.path):
            head = _manifest_head(settings, sources, contents, proven)
            manifest.file.writelines(map(str.encode, manifest_lines(head, proven.entries)))
        publish_together(manifest, archive)
    _log_package(archive.path, contents, proven.size)
    return {
        "package": str(archive.path),
        "sha256": proven.sha256,
        "size": proven.size,
        "unpacked_size": contents.unpacked_size,
        "members": len(contents.entries),
    }


def _keep_freed_memory() -> None:
    """Let glibc keep the blocks that streaming frees, for the next ones.

    Freeing one large block raises its thresholds (mallopt(3), M_MMAP_THRESHOLD); otherwise the
    kernel maps and zeroes each chunk anew.
    """
    bytes(31 << 20)


class Contents:
    """What a package holds: its members, and names that an earlier source had taken."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.replaced: list[str] = []
        self.archives: dict[str, dict[str, Any]] = {}  # digest and size of each archive read
        self.names = Namespace()

    @property
    def nested(self) -> list[str]:
        """Archives among the model's files."""
        return [
            entry.name
            for entry in self.entries
            if entry.name.endswith(_ARCHIVES) and entry.source.startswith("model_input")
        ]

    @property
    def unpacked_size(self) -> int:
        """Bytes in all files."""
        return sum(entry.size for entry in self.entries)


def write_package(
    file: ReadBack, sources: Sequence[Source], settings: Mapping[str, Any], job: Job
) -> Contents:
    """Write all members of all sources to `file` as tar.gz.

    Raises:
        InputError: a source is broken, hostile, empty or can't be read.

    """
    contents = Contents()
    total = sum(source.size() for source in sources)
    with GzipWriter(file, settings["COMPRESSION_LEVEL"]) as sink:
        tar = TarWriter(sink)
        with job.progress("packaging", total) as progress:
            for source in sources:
                _write_source(tar, source, contents, Limits.of(settings), progress)
        tar.close()
    return contents


def _write_source(
    tar: TarWriter, source: Source, contents: Contents, limits: Limits, progress: Progress
) -> None:
    digest, archive_size, files = hashlib.sha256(), 0, 0

    def watch(raw: bytes) -> None:
        nonlocal archive_size
        digest.update(raw)
        archive_size += len(raw)
        progress.advance(len(raw))

    taken = frozenset(contents.names.files)
    with closing(source.read(limits, watch)) as members:
        for member, content in members:
            name, files = source.place + member.name, files + (member.kind == FILE)
            if name.count("/") >= DEPTH_LIMIT:
                raise ArchiveError(f"'{name}' lies over {DEPTH_LIMIT} folders deep in the package")
            if member.kind == FOLDER:
                if contents.names.add_folder(name):
                    tar.add_folder(name, member.mtime)
                    contents.entries.append(Entry(name, FOLDER, 0, 0o755, 0, source.label))
                continue
            if name in taken and source.channel == "model_input":
                contents.replaced.append(name)
                continue
            contents.names.add_file(name)
            mode = canonical_mode(member.mode)
            log.debug("%s: %s, %d bytes", source.label, member.name, member.size)
            crc = tar.add_file(name, member.size, mode, member.mtime, content)
            copy_of = member.target and source.place + member.target
            entry = Entry(name, FILE, member.size, mode, crc, source.label, copy_of)
            contents.entries.append(entry)
            if not source.is_archive:
                progress.advance(member.size)
    if not files and not source.may_be_empty:
        raise InputError(f"{source.path} holds no file")
    if source.is_archive:
        contents.archives[source.label] = {"sha256": digest.hexdigest(), "size": archive_size}
    log.info("%s: %s", source.label, counted(files, "file"))


def _manifest_head(
    settings: Mapping[str, Any],
    sources: Sequence[Source],
    contents: Contents,
    proven: Proven,
) -> dict[str, Any]:
    return {
        "tool": f"mims {__version__}",
        "layout": settings["PACKAGE_LAYOUT"],
        "archive": {"name": PACKAGE, "sha256": proven.sha256, "size": proven.size},
        "unpacked_size": contents.unpacked_size,
        "sources": [
            {"name": source.label, **contents.archives.get(source.label, {})} for source in sources
        ],
        "replaced": contents.replaced,
        "excluded": [f"{source.place}{name}" for source in sources for name in source.excluded],
    }


def _log_package(path: Path, contents: Contents, archive_size: int) -> None:
    unpacked = contents.unpacked_size
    for name, alike in contents.names.lookalikes:
        log.warning("'%s' and '%s' are one name to some file systems", name, alike)
    if contents.replaced:
        log.warning("other inputs replace these of the model: %s", listed(contents.replaced))
    if contents.nested:
        log.warning("kept as they are, not unpacked: %s", listed(contents.nested))
    log.info(
        "%s: %d members, %s from %s (%.0f %%)",
        path,
        len(contents.entries),
        size(archive_size),
        size(unpacked),
        100 * archive_size / max(unpacked, 1),
    )
