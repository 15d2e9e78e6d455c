"""Files that appear under their final name only when they are complete.

Goes in: the final path. Comes out: a file without a name (Linux's O_TMPFILE), which the kernel
forgets when the process dies, however it dies; `publish` names it. Where the file system has no
such files, a hidden `.<name>.<random>.partial` stands in; the next run sweeps what a killed one
left. Never touches a finished file until its successor is complete.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Iterator

from mims.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_UNNAMED = getattr(os, "O_TMPFILE", 0)
_NO_UNNAMED_FILES = {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Report an OSError inside as the fault of the place that is written to.

    Raises:
        InputError: names the path and the reason (disk full, read-only, not permitted, …).

    """
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


class Output:
    """A file being written. `file` is open for writing and reading back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial: Path | None = None
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            for stale in path.parent.glob(f".{path.name}.*.partial"):
                stale.unlink()
            self.file: IO[bytes] = os.fdopen(self._open(), "w+b")

    def _open(self) -> int:
        if _UNNAMED:
            try:
                return os.open(str(self.path.parent), os.O_RDWR | _UNNAMED, 0o666)
            except OSError as error:
                if error.errno not in _NO_UNNAMED_FILES:
                    raise
        self._partial = self._hidden_name()
        return os.open(str(self._partial), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)

    def _hidden_name(self) -> Path:
        return self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}.partial")

    def publish(self) -> None:
        """Give the complete file its final name, in place of an earlier one."""
        with writing(self.path):
            self.file.flush()
            if self._partial is None:
                self._partial = self._hidden_name()
                # AT_SYMLINK_FOLLOW, which names an unnamed file, is only passed with a dir_fd.
                unnamed = f"/proc/self/fd/{self.file.fileno()}"
                os.link(unnamed, str(self._partial), src_dir_fd=self.file.fileno())
            os.replace(str(self._partial), str(self.path))
            self._partial = None

    def __enter__(self) -> Output:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # a full disk was reported when it was met
            self.file.close()
        if self._partial is not None:
            with suppress(FileNotFoundError):
                self._partial.unlink()
