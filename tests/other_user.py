"""Runs a job as a user who may not touch a certain place, whoever runs the tests."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Callable

from front_door import Container, Outcome

if TYPE_CHECKING:
    from pathlib import Path

_NOBODY = 65534


def package_without(container: Container, closed: Path, mode: int) -> Outcome:
    """Package as a user who is kept from a place by its mode."""
    importlib.import_module("mims.packaging.build")
    return _without(container, closed, mode, container.package_here)


def payload_without(container: Container, closed: Path, mode: int) -> Outcome:
    """Make payloads as such a user."""
    importlib.import_module("mims.payload.build")
    return _without(container, closed, mode, container.payload_here)


def _without(container: Container, closed: Path, mode: int, job: Callable[[], Outcome]) -> Outcome:
    """Root may do everything, so root becomes somebody else first.

    In a child process: the Python that runs the tests may lie where only root can start it.
    """
    for path in (container.root, *container.root.rglob("*")):
        path.chmod(0o777)
    closed.chmod(mode)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(_as_nobody(job)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        code, message, log = json.load(answer)
    os.waitpid(child, 0)
    closed.chmod(0o777)
    return Outcome(code, message, log)


def _as_nobody(job: Callable[[], Outcome]) -> tuple[object, ...]:
    try:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        return job()
    except BaseException:  # noqa: BLE001 - told to the parent, whose test it fails
        return (sys.maxsize, {"error": traceback.format_exc()}, "")
