"""Links of an archive, resolved to the files that they lead to, and copied from there.

Goes in: an archive. Comes out: each link as a file with its target's content, or as it is; or an
`ArchiveError` for one that leaves the archive, leads nowhere, to a folder, through another link,
or in a circle. The archive is read again for the contents, so nothing is kept on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from mims.archive.files import reading, unchanged
from mims.archive.names import ArchiveError, checked_name
from mims.archive.reader import FILE, FOLDER, HARDLINK, Limits, Member, Members, read_archive
from mims.text import printable

if TYPE_CHECKING:
    from pathlib import Path


_SMALL = 8 * 1024 * 1024  # bytes of a file that are held in memory to be copied several times
_ROUNDS = 16  # how often an archive is read again for copies of larger files


def read_linked(path: Path, limits: Limits, watch: Callable[[bytes], None]) -> Members:
    """Yield an archive's members as they are, links too; a complete iteration proves each link.

    Raises:
        ArchiveError: as `read_archive`, and for a link that can't be resolved or whose copies
            would exceed the limits.

    """
    yield from _checked(_Links(), path, limits, watch)


def read_resolved(path: Path, limits: Limits, watch: Callable[[bytes], None]) -> Members:
    """Yield an archive's files and folders, then a copy for each link.

    A copy's `target` is the name of the member that it copies.

    Raises:
        ArchiveError: as `read_linked`.

    """
    links = _Links()
    with unchanged(path):
        for member, content in _checked(links, path, limits, watch):
            if member.kind in (FILE, FOLDER):
                yield member, content
        yield from _copies(links.resolved, lambda: read_archive(path, limits))


def _checked(links: _Links, path: Path, limits: Limits, watch: Callable[[bytes], None]) -> Members:
    for member, content in read_archive(path, limits, watch):
        with reading(path):
            links.note(member)
        yield member, content
    with reading(path):
        links.resolve(limits.unpacked_bytes)


class _Links:
    """The links of one archive."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}  # sizes
        self._folders: set[str] = set()  # those that are only parents too
        self._targets: dict[str, str] = {}
        self.resolved: dict[str, list[str]] = {}  # names of the links to each file

    def note(self, member: Member) -> None:
        """Note a member, in the archive's order.

        Raises:
            ArchiveError: a hard link leads to no earlier member, a symlink to an absolute path.

        """
        if member.kind == FILE:
            self._files[member.name] = member.size
        elif member.kind == FOLDER:
            self._folders.add(member.name)
        elif member.kind == HARDLINK:
            self._targets[member.name] = self._hard(member)
        elif member.target.startswith("/"):
            raise _refused(member.name, member.target, "leads out of the archive")
        else:
            self._targets[member.name] = member.target
        parent = member.name.rpartition("/")[0]
        while parent and parent not in self._folders:
            self._folders.add(parent)
            parent = parent.rpartition("/")[0]

    def _hard(self, link: Member) -> str:
        """Where a hard link leads: a path from the archive's root, or a symlink's own target.

        For a hard link to a symlink is that symlink once more, read from its new place.
        """
        target = _from_root(link)
        names_a_folder = link.target.rpartition("/")[2] in ("", ".")
        if names_a_folder or not (target in self._files or target in self._targets):
            raise _refused(link.name, link.target, "leads to no earlier member")
        return self._targets.get(target, f"/{target}")

    def resolve(self, room: int) -> None:
        """Find the file that each link leads to.

        `room` is the bytes that files and copies together may take.

        Raises:
            ArchiveError: names the link and where it leads.

        """
        found: dict[str, str] = {}
        for name in sorted(self._targets):
            way = []
            place = name
            while place in self._targets and place not in found:
                if place in way:
                    raise _refused(name, self._targets[name], "leads in a circle")
                way.append(place)
                place = self._step(place)
            place = found.get(place, place)
            if place not in self._files:
                is_folder = not place or place in self._folders
                what = "a folder" if is_folder else "nothing in the archive"
                raise _refused(name, self._targets[name], f"leads to {what}")
            found.update((passed, place) for passed in way)
            self.resolved.setdefault(place, []).append(name)
        copied = sum(self._files[place] * len(names) for place, names in self.resolved.items())
        if sum(self._files.values()) + copied > room:
            raise ArchiveError(
                f"with its links it unpacks to over {room} bytes (MAX_UNPACKED_BYTES)"
            )

    def _step(self, link: str) -> str:
        """Where one link leads, over folders that are there.

        A link on the way could lead anywhere, so none may be.
        """
        target = self._targets[link]
        place = [] if target.startswith("/") else link.split("/")[:-1]
        for part in target.split("/"):
            here = "/".join(place)
            if here in self._targets:
                raise _refused(link, target, "passes through another link")
            if here and here not in self._folders:
                raise _refused(link, target, f"leads to nothing: '{printable(here)}' is no folder")
            if part == "..":
                if not place:
                    raise _refused(link, target, "leads out of the archive")
                place.pop()
            elif part not in ("", "."):
                place.append(part)
        return "/".join(place)


def _from_root(link: Member) -> str:
    try:
        return checked_name(link.target)
    except ArchiveError as error:
        raise _refused(link.name, link.target, "leads out of the archive") from error


def _copies(links: dict[str, list[str]], read: Callable[[], Members]) -> Members:
    waiting = {target: list(names) for target, names in links.items()}
    for _ in range(_ROUNDS):
        if not waiting:
            return
        for member, content in read():
            names = waiting.get(member.name)
            if not names:
                continue
            copy = member._replace(target=member.name)
            if member.size <= _SMALL:
                whole = memoryview(b"".join(content))
                for name in waiting.pop(member.name):
                    yield copy._replace(name=name), iter([whole])
            else:
                yield copy._replace(name=names.pop(0)), content
                if not names:
                    del waiting[member.name]
    if waiting:
        target = next(iter(waiting))
        raise ArchiveError(f"member '{target}' has over {_ROUNDS} links")


def _refused(name: str, target: str, reason: str) -> ArchiveError:
    return ArchiveError(f"link '{printable(name)}' -> '{printable(target)[:300]}' {reason}")
