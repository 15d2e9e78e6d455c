"""How many processors packaging takes: those of the machine, or what the container is granted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from containers import Containers

pytestmark = pytest.mark.image

TELL = "from mims.archive.gz import cpus; print(cpus())"
CPU = 1_000_000_000  # in Docker's billionths
MACHINE = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("grant", "taken"),
    [
        ({}, MACHINE),
        ({"nano_cpus": CPU // 2}, 1),
        ({"nano_cpus": CPU}, 1),
        ({"nano_cpus": min(MACHINE, 2) * CPU}, min(MACHINE, 2)),
        ({"nano_cpus": int((MACHINE - 0.5) * CPU)}, MACHINE),  # a part of one is one more thread
        ({"cpuset_cpus": "0"}, 1),
    ],
)
def test_processors(containers: Containers, grant: dict[str, Any], taken: int) -> None:
    ended = containers.run(
        "python", "-c", TELL, environment={"PYTHONPATH": "/opt/program"}, **grant
    )

    assert ended.stdout == f"{taken}\n"
