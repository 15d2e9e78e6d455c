"""What pip installs for operators: the commands `mims-pipeline` and `mims-registry`.

Goes in: arguments, the process's own by default. Comes out: an exit code. After a bare `pip
install .` there is no click, without which their command lines can't even be imported: that is told
here, in a line. So this module stands on the standard library, for any Python that pip knows.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Iterator

from mims.errors import InputError, packages_of

if TYPE_CHECKING:
    from typing import Sequence


def pipeline(argv: Sequence[str] | None = None) -> int:
    """Run `mims-pipeline` and give its exit code."""
    try:
        with _importing("pipelines-boto3"):
            from mims.pipeline.command import main
    except InputError as error:
        return _refused(error)
    return main(argv)


def registry(argv: Sequence[str] | None = None) -> int:
    """Run `mims-registry` and give its exit code."""
    try:
        with _importing("governance"):
            from mims.governance.command import main
    except InputError as error:
        return _refused(error)
    return main(argv)


@contextmanager
def _importing(extra: str) -> Iterator[None]:
    if sys.version_info < (3, 11):
        raise InputError(f"Python {sys.version.split()[0]} is too old: 3.11 is needed")
    with packages_of(extra):
        yield


def _refused(error: InputError) -> int:
    print(f"error: {error}", file=sys.stderr)  # noqa: T201 - click, which prints else, may lack
    return error.exit_code
