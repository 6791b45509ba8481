"""Fixtures: one prepared process from which the simple runs of all scenarios are forked."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.scenarios import process
from tests.scenarios.process import FOREIGN_ENV, Finished, ForeignProject, project
from tests.scenarios.scene import STEPS, MakeScene, Scene
from tests.scenarios.starters import Zygote, starters


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Give what forks starters."""
    with starters() as zygote:
        yield zygote


@pytest.fixture(scope="session", autouse=True)
def forked_runs(zygote: Zygote) -> Iterator[None]:
    """Save each run the most of a second that its imports take."""

    def run(folder: Path, *arguments: str, **variables: str) -> Finished:
        return zygote.spawn(folder, *arguments, barrier=False, **variables).finish()

    process.forked_run = run
    yield
    process.forked_run = None


@pytest.fixture
def make_scene(tmp_path: Path, zygote: Zygote) -> Iterator[MakeScene]:
    """Give what makes a scene on a server, from the body of the second revision."""
    with ExitStack() as stack:

        def make(cluster: Cluster, body: str, env: str = FOREIGN_ENV) -> Scene:
            database = stack.enter_context(cluster.database())
            foreign = ForeignProject(tmp_path / "foreign", env=env)
            foreign.revision("a1", None, STEPS)
            foreign.revision("b2", "a1", body)
            foreign.revision("c3", "b2")
            return Scene(cluster, database, zygote, project(tmp_path), foreign)

        yield make
