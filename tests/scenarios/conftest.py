"""Fixtures: one prepared process from which the simple runs of all scenarios are forked."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.boot.in_process import databases_at_first, migrating, run_in, seeding
from tests.cluster import Cluster
from tests.scenarios import process
from tests.scenarios.process import FOREIGN_ENV, project
from tests.scenarios.scene import MakeScene, Scene, scene_of
from tests.scenarios.starters import Starter, Zygote, starters


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Give what forks starters."""
    with starters() as zygote:
        yield zygote


@pytest.fixture(scope="module", autouse=True)
def _forked_runs(zygote: Zygote) -> Iterator[None]:
    """Save each run the most of a second that its imports take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "forked_start", zygote.spawn_piped)
        yield


@pytest.fixture(scope="session")
def seeded(cluster: Cluster) -> Iterator[str]:
    """Give the name of a database that a start has nothing left to do on: to be cloned."""
    with cluster.database() as name:
        for task in (migrating, seeding):
            run_in(process.ROOT, task, DATABASE_URL=cluster.url(name)).assert_ok()
        yield name


@pytest.fixture
def seeded_url(cluster: Cluster, seeded: str) -> Iterator[str]:
    """Give the owner's URL of a database of the test's own that is seeded already."""
    with cluster.database(seeded) as name:
        yield cluster.url(name)


@pytest.fixture(scope="session")
def at_first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Cluster], str]]:
    """Give what makes databases at a scene's first revision."""
    with databases_at_first(tmp_path_factory.mktemp("at_first")) as template:
        yield template


@pytest.fixture
def make_scene(
    tmp_path: Path, zygote: Zygote, at_first: Callable[[Cluster], str]
) -> Iterator[MakeScene]:
    """Give what makes a scene on a server, from the body of the second revision.

    With `begun`, the first revision has been applied.
    """
    folder = project(tmp_path)
    migrate = partial(zygote.spawn, folder, "migrate")
    with ExitStack() as stack:

        def make(
            cluster: Cluster, body: str, env: str = FOREIGN_ENV, *, begun: bool = False
        ) -> Scene[Starter]:
            template = at_first(cluster) if begun else "template1"
            database = stack.enter_context(cluster.database(template))
            return scene_of(cluster, database, tmp_path / "foreign", body, migrate, env)

        yield make
