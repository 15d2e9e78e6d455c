"""Fixtures of the tests that need a Docker engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import docker
import pytest

from containers import Containers, build_images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.images import Image


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient) -> Image:
    """Give the mims image, built now; the images beside it are there then, too."""
    build_images()
    return engine.images.get("mims")


@pytest.fixture(scope="session")
def containers(engine: docker.DockerClient, image: Image) -> Containers:
    return Containers(engine, image)
