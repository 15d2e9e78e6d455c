"""What can go wrong, in few classes: whose fault it is decides the exit code.

`InputError` carries every problem that was found, so that a user hears of all of them at once.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterable, Iterator

EXIT_DONE = 0
EXIT_INPUT = 1
EXIT_USAGE = 2
EXIT_SERVICE = 3
EXIT_DRIFT = 4  # a check ran, and found drift
EXIT_BUG = 70
EXIT_SIGNAL = 128  # plus the signal's number


class MimsError(Exception):
    """What a job ends with, knowingly. The message says what is wrong and what to do."""

    exit_code = EXIT_BUG


class InputError(MimsError):
    """The inputs or settings are at fault: the user can mend it."""

    exit_code = EXIT_INPUT

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        listed = "".join(f"\n  - {problem}" for problem in self.problems)
        return f"{len(self.problems)} problems:{listed}"


class UsageError(MimsError):
    """A wrong command line."""

    exit_code = EXIT_USAGE


class ServiceError(MimsError):
    """A service refused, could not be reached, or took too long."""

    exit_code = EXIT_SERVICE


class Stopped(BaseException):
    """A signal asked the job to stop. Not an Exception: nothing on the way may swallow it."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.signum = signum

    @property
    def exit_code(self) -> int:
        """128 + n, as a shell reports a process ended by signal n."""
        return EXIT_SIGNAL + self.signum


@contextmanager
def packages_of(extra: str, image: str = "") -> Iterator[None]:
    """Report a package that is missing inside as what pip installs it by; one of ours is a bug.

    `image` is the one that has it, for a job.

    Raises:
        InputError: a package is missing.

    """
    try:
        yield
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] == "mims":
            raise
        install = f"pip install '.[{extra}]'"
        raise InputError(
            f"the Python package {error.name} is missing: run in the {image} image, or install "
            f"the extra: {install}"
            if image
            else f"Python lacks {error.name}: {install}"
        ) from error


class Problems:
    """Gathers what is wrong from several checks, to raise it as one `InputError`.

    with problems.gather():
        settings = Settings.from_environ(environ)
    with problems.gather():
        model = find_model(path)
    problems.raise_any()
    """

    def __init__(self, found: Iterable[str] = ()) -> None:
        self.found: list[str] = list(found)

    @contextmanager
    def gather(self, under: str = "") -> Iterator[None]:
        """Note the problems of an `InputError` raised inside and carry on after the block.

        `under` is put before each: where the values came from that were looked at.
        """
        try:
            yield
        except InputError as error:
            self.found += [f"{under}{problem}" for problem in error.problems]

    def raise_any(self) -> None:
        """Raise what was found, if anything was."""
        if self.found:
            raise InputError(*self.found)
