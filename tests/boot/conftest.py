"""Fixtures: scenes whose migrations run in this process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.boot.in_process import MakeScene, Run, databases_at_first, migrating
from tests.cluster import Cluster
from tests.scenarios.process import FOREIGN_ENV
from tests.scenarios.scene import Scene, scene_of


@pytest.fixture(scope="session")
def at_first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Cluster], str]]:
    """Give what makes databases at a scene's first revision."""
    with databases_at_first(tmp_path_factory.mktemp("at_first")) as template:
        yield template


@pytest.fixture
def make_scene(tmp_path: Path, at_first: Callable[[Cluster], str]) -> Iterator[MakeScene]:
    """Give what makes a scene on a server, from the body of the second revision.

    With `begun`, the first revision has been applied.
    """
    with ExitStack() as stack:

        def make(
            cluster: Cluster, body: str, env: str = FOREIGN_ENV, *, begun: bool = False
        ) -> Scene[Run]:
            template = at_first(cluster) if begun else "template1"
            database = stack.enter_context(cluster.database(template))
            run = partial(Run, migrating)
            return scene_of(cluster, database, tmp_path / "foreign", body, run, env)

        yield make
