"""Fixtures: the engine, the backend's image, and stacks of it that leave nothing behind."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from docker import DockerClient

from backend.stack.compose.reading import read_project
from backend.stack.engine.images import run_build
from tests.engine import engine
from tests.images import bases, one_worker
from tests.scenarios.containers.stack import ServiceStack
from tests.scenarios.process import ROOT

__all__ = ["bases", "engine"]

MakeStack = Callable[[], ServiceStack]


@pytest.fixture(scope="session")
def image(
    engine: DockerClient, bases: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Give the image that MORIAI_TEST_IMAGE names, or one that is built here."""
    if given := os.environ.get("MORIAI_TEST_IMAGE"):
        yield given
        return
    build = read_project(ROOT).services["backend"].build
    assert build is not None
    name = f"moriai-tests-{uuid4().hex[:12]}"
    path, dockerfile = str(ROOT / build.context), build.dockerfile
    # The stage before the last has a name as well, or nobody would know whose it is.
    stages = {f"{name}:build": "build", f"{name}:backend": None}
    with ExitStack() as undo:
        # The second worker finds all layers in the engine's cache.
        with one_worker(tmp_path_factory):
            for tag, stage in stages.items():
                options = {"path": path, "dockerfile": dockerfile, "target": stage}
                run_build(engine, tag, build.args, title="backend", **options)
                undo.callback(engine.images.remove, tag)
        yield f"{name}:backend"


@contextmanager
def stacks(engine: DockerClient, image: str, folder: Path) -> Iterator[MakeStack]:
    """Give what makes a stack; whatever is left of it at the end is removed."""
    with ExitStack() as undo:

        def make() -> ServiceStack:
            made = ServiceStack(engine, folder / f"s{uuid4().hex[:8]}", image)
            undo.callback(made.remove_everything)
            return made

        yield make


@pytest.fixture
def stack(engine: DockerClient, image: str, tmp_path: Path) -> Iterator[ServiceStack]:
    """Give a stack of which nothing is made yet."""
    with stacks(engine, image, tmp_path) as make:
        yield make()


@pytest.fixture(scope="session")
def served(
    engine: DockerClient, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceStack]:
    """Give a stack that came up on an empty volume; who uses it leaves it serving."""
    with stacks(engine, image, tmp_path_factory.mktemp("served")) as make:
        made = make()
        made.inv("up").assert_ok()
        yield made
