"""Fixtures: the engine and the tiny image of the stack's tests, and projects for the pipeline."""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from docker import DockerClient

from tests.ci.project import PipelineProject
from tests.engine import engine
from tests.stack.tiny_image import tiny_image

__all__ = ["engine", "tiny_image"]


@pytest.fixture
def make_project(
    engine: DockerClient, tiny_image: str, tmp_path: Path
) -> Iterator[Callable[..., PipelineProject]]:
    """Give what makes a project from the bodies of its Dockerfile and of its `make test`."""
    made: list[PipelineProject] = []

    def make(dockerfile: str = "", test: str = "") -> PipelineProject:
        folder = tmp_path / f"p{uuid4().hex[:8]}"
        made.append(PipelineProject(engine, folder, tiny_image, dockerfile, test))
        return made[-1]

    yield make
    for it in made:
        it.remove_everything()
