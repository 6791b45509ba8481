"""Fixtures: the engine, the backend's image, and stacks of it that leave nothing behind."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from docker import DockerClient

from alembic_boot.errors import ConfigurationError, EngineError
from backend.ci.image import RECIPES, read_with_bases
from backend.stack.compose.reading import read_project
from backend.stack.engine.images import run_build
from backend.stack.standins import make_standins
from tests.engine import engine
from tests.scenarios.containers.stack import ServiceStack
from tests.scenarios.process import ROOT

__all__ = ["engine"]

MakeStack = Callable[[], ServiceStack]


@contextmanager
def one_worker(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder that all workers of this run share, to one after the other."""
    folder = factory.getbasetemp().parent
    with (folder / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="session")
def bases(engine: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have the base images: pulled, or made if no image registry can be reached.

    What stand-ins are called stays in the environment of the tests: the `.env` of the folder is
    left alone.
    """
    with one_worker(tmp_path_factory) as folder:
        try:
            read_with_bases(engine, ROOT)
        except EngineError:
            os.environ.update(_standins(engine, folder / "standins.env"))


def _standins(engine: DockerClient, env_file: Path) -> Mapping[str, str]:
    """Return the names of stand-ins by variable; skip if this machine cannot make them."""
    try:
        return make_standins(engine, ROOT / RECIPES, env_file)
    except ConfigurationError as error:
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end(f"no base image can be pulled or made: {error}")


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
