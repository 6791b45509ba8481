"""Fixtures: the wheel, bare environments, and copies of projects."""

import os
from functools import partial
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.engine import engine
from tests.images import bases
from tests.strangers.environments import MakeEnvironment, build, environment, once
from tests.strangers.layouts import Layout, MakeStranger, Stranger, copied

__all__ = ["bases", "engine"]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all workers of this run share."""
    folder = tmp_path_factory.getbasetemp()
    return (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "strangers"


@pytest.fixture(scope="session")
def wheel(shared: Path) -> Path:
    """Give the wheel as a stranger gets it."""
    [path] = once(shared / "wheel", build).glob("*.whl")
    return path


@pytest.fixture(scope="session")
def environment_of(shared: Path) -> MakeEnvironment:
    """Give what makes an environment with these packages, once."""
    return partial(environment, shared)


@pytest.fixture
def stranger(
    tmp_path: Path, wheel: Path, environment_of: MakeEnvironment, cluster: Cluster, database: str
) -> MakeStranger:
    """Give what copies a layout, with an empty database and the environment of its class."""

    def make(layout: Layout) -> Stranger:
        return Stranger(
            copied(layout, tmp_path / "project"),
            environment_of(f"alembic-boot[binary] @ {wheel.as_uri()}", *layout.packages),
            {**layout.variables(cluster, database), **layout.surroundings},
            layout.options,
        )

    return make
