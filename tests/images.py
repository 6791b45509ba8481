"""The base images of tests in containers: pulled, or made here."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker import DockerClient

from alembic_boot.errors import ConfigurationError, EngineError
from backend.ci.image import RECIPES, read_with_bases
from backend.stack.standins import make_standins
from tests.scenarios.process import ROOT


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
