"""Revisions that commit as they did before Alembic had autocommit blocks."""

from collections.abc import Callable
from contextlib import closing

import psycopg2
import pytest

from tests.boot.in_process import MakeScene
from tests.cluster import Cluster
from tests.scenarios.envs import (
    DRIVERS,
)
from tests.scenarios.process import (
    FOREIGN_ENV,
)
from tests.scenarios.scene import MAKE_TABLE, step

pytestmark = pytest.mark.slow


COMMITTING = f"""
op.execute("CREATE TABLE IF NOT EXISTS t_b2 (id int PRIMARY KEY)")
op.execute("COMMIT")
op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS by_name ON steps (name)")
{step("b2")}
"""
"""As histories did before Alembic had autocommit blocks."""


@pytest.mark.parametrize("env", DRIVERS.values(), ids=DRIVERS.keys())
def test_a_revision_that_commits(cluster: Cluster, make_scene: MakeScene, env: str) -> None:
    """It is applied, with a warning of what that means, and journalled as any other."""
    scene = make_scene(cluster, COMMITTING.replace("CONCURRENTLY ", ""), env)
    finished = scene.start().finish()
    finished.assert_ok()
    scene.assert_complete()
    assert scene.statuses() == ["a1 applied", "b2 applied", "c3 applied"]
    if env is FOREIGN_ENV:  # what psycopg 3 and asyncpg do next is begin another one
        finished.assert_says("A revision ended its transaction itself: …")


def test_what_a_revision_does_after_its_commit(cluster: Cluster, make_scene: MakeScene) -> None:
    """Statements that must be outside of a transaction are, and so the old way still works."""
    scene = make_scene(cluster, COMMITTING)
    scene.start().finish().assert_ok()
    scene.assert_complete()


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ"])
def test_another_isolation_through_pgbouncer(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str], make_scene: MakeScene, level: str
) -> None:
    """A pooler lends every transaction another session: no row is changed behind its back."""
    env = FOREIGN_ENV.replace(
        "with connectable.connect() as connection:",
        f'with connectable.connect().execution_options(isolation_level="{level}") as connection:',
    )
    scene = make_scene(debian_cluster, f"{MAKE_TABLE}\n{step('b2')}", env)
    with closing(psycopg2.connect(pgbouncer(scene.database))) as other:
        other.cursor().execute("SELECT 1")  # keeps the session that the pool has
        scene.start(url=pgbouncer(scene.database)).finish().assert_ok()
    scene.assert_complete()
