"""Files that appear under their final name only when they are complete.

Goes in: the final path. Comes out: a file without a name (Linux's O_TMPFILE), which the kernel
forgets when the process dies, however it dies; publishing names it. Where the file system has no
such files, a hidden `.<name>.<random>.partial` stands in; the next run sweeps what a killed one
left. Never touches a finished file until its successor is complete.
"""

from __future__ import annotations

import errno
import os
import secrets
import signal
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Iterator

from mims.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)  # the last tries a stop again: job.py
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
    """A file to be written. In its `with` block `file` is open for writing and reading back."""

    file: IO[bytes]

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial: Path | None = None

    def __enter__(self) -> Output:
        try:
            with writing(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                for stale in self.path.parent.glob(f".{self.path.name}.*.partial"):
                    stale.unlink()
                self.file = os.fdopen(self._open(), "w+b")
            return self  # noqa: TRY300 - a stop may come until here
        except BaseException:
            self._forget()
            raise

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
                with suppress(FileExistsError):  # a link replaces nothing
                    self._link(self.path)
                    return
                self._partial = self._hidden_name()
                self._link(self._partial)
            os.replace(str(self._partial), str(self.path))
            self._partial = None

    def _link(self, path: Path) -> None:
        # AT_SYMLINK_FOLLOW, which names an unnamed file, is only passed with a dir_fd.
        descriptor = self.file.fileno()
        os.link(f"/proc/self/fd/{descriptor}", str(path), src_dir_fd=descriptor)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with suppress(OSError):  # a full disk was reported when it was met
                self.file.close()
        finally:
            self._forget()

    def _forget(self) -> None:
        if self._partial is not None:
            with suppress(FileNotFoundError):
                self._partial.unlink()


def publish_together(*outputs: Output) -> None:
    """Give several complete files their final names, in this order; a stop comes before or after.

    Nothing holds a SIGKILL back, so the file that readers look for goes last.

    Raises:
        InputError: there is no room for one of them; then none has got its name.

    """
    for output in outputs:
        with writing(output.path):
            output.file.flush()
    with _stops_held_back():
        for output in outputs:
            output.publish()


@contextmanager
def _stops_held_back() -> Iterator[None]:
    """Let stop signals, and the timer that repeats one, come after this.

    A signal mask would not do: it is a thread's own, and another thread takes the signal for all.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # handlers run in the main thread alone
        return
    held: list[int] = []
    before = {number: signal.getsignal(number) for number in _STOPS}
    try:
        for number in before:
            signal.signal(number, lambda number, _: held.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for held_back in held:
            os.kill(os.getpid(), held_back)
