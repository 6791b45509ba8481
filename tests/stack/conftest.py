"""Fixtures: the real engine, an image that needs no registry, and stacks that leave nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from docker import DockerClient

from tests.engine import engine
from tests.stack.stack import Stack
from tests.stack.tiny_image import tiny_image

__all__ = ["engine", "tiny_image"]


@pytest.fixture
def stack(
    engine: DockerClient, tiny_image: str, tmp_path: Path
) -> Iterator[Callable[[str], Stack]]:
    """Give what makes a stack of a Compose file's text; `IMAGE` in it is the tiny image."""
    made: list[Stack] = []

    def make(text: str, name: str = "") -> Stack:
        name = name or f"t{uuid4().hex[:8]}"
        made.append(Stack(engine, tmp_path / name, tiny_image, text))
        return made[-1]

    yield make
    for it in made:
        it.remove_everything()
