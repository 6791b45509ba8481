"""Behind PgBouncer: what works through it, and what says that it needs a direct connection."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import psycopg2
import pytest

from tests.cluster import Cluster
from tests.pgbouncer import running_pgbouncer
from tests.scenarios.live_traffic import blocking
from tests.scenarios.process import project, run, running
from tests.scenarios.scene import SOON, MakeScene
from tests.scenarios.test_concurrent_indexes import (
    BODY,
    ENVS,
    ITS_INDEX,
    SNAPSHOT,
    VALID,
)

pytestmark = pytest.mark.slow

Pooled = Callable[[str], str]


SCRATCHES = "SELECT datname FROM pg_database WHERE datname LIKE '%scratch%'"


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_concurrent_index(
    debian_cluster: Cluster, pgbouncer: Pooled, make_scene: MakeScene, driver: str
) -> None:
    """It is built, waits for who is there, and leaves no setting behind for others."""
    scene = make_scene(debian_cluster, BODY, ENVS[driver])
    url = pgbouncer(scene.database)
    scene.start(url=url, MIGRATION_TARGET="a1").finish().assert_ok()
    with blocking(debian_cluster, scene.database, SNAPSHOT):
        starter = scene.start(url=url)
        scene.wait_until(
            "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index"
            f" WHERE datname = '{scene.database}' AND phase = 'waiting for old snapshots')"
        )
    starter.finish(SOON).assert_ok()
    scene.assert_complete()
    assert scene.query(ITS_INDEX) == VALID
    with closing(psycopg2.connect(url)) as other:
        cursor = other.cursor()
        cursor.execute(
            "SELECT name FROM pg_settings WHERE name LIKE '%_timeout' AND source = 'session'"
        )
        assert cursor.fetchall() == []


def test_all_of_the_tasks(tmp_path: Path, debian_cluster: Cluster, pgbouncer: Pooled) -> None:
    """A pooler that knows every database is no different from the server itself."""
    folder = project(tmp_path)
    with debian_cluster.database() as name:
        url = pgbouncer(name)
        with running(folder, "start", DATABASE_URL=url, BACKEND_PORT="0") as inv:
            inv.wait_for("Backend started")
            assert httpx.get(f"{inv.url}/health/ready").status_code == 200
            assert httpx.get(f"{inv.url}/api/v1/books").status_code == 200
        for task in ("wait-db", "migrate", "seed", "status", "check"):
            run(folder, task, DATABASE_URL=url).assert_ok()
        run(folder, "rollback", "--yes", DATABASE_URL=url).assert_ok()
        debian_cluster.execute("DROP TABLE alembic_version, schema_journal", name)
        adopted = run(folder, "migrate", DATABASE_URL=url)
        adopted.assert_ok()
        adopted.assert_says("Adopted the database as revision 007 …", "Applied 008 …")
        [[left]] = debian_cluster.query(
            "SELECT count(*) FROM pg_database WHERE datname LIKE '%scratch%'"
        )
        assert left == 0


NOT_REACHED = (
    "A scratch database could be made and not be reached: … Where a pooler is in between that does "
    "not know it, set MIGRATION_DATABASE_URL to the server itself; or name an empty database in "
    "SCRATCH_DATABASE_URL.…"
)


@pytest.mark.parametrize(("task", "status"), [("check", 2), ("adopt", 8)])
def test_a_pooler_that_knows_one_database(
    tmp_path: Path, debian_cluster: Cluster, task: str, status: int
) -> None:
    """A scratch database is none that it knows: that takes a direct connection."""
    folder = project(tmp_path)
    with (
        debian_cluster.database() as name,
        running_pgbouncer(tmp_path / "bouncer", debian_cluster.port, only=name) as port,
    ):
        direct = debian_cluster.url(name)
        run(folder, "migrate", DATABASE_URL=direct).assert_ok()
        if task == "adopt":
            debian_cluster.execute("DROP TABLE alembic_version, schema_journal", name)
        pooled = debian_cluster.url(name, port=port)
        refused = run(folder, task, DATABASE_URL=pooled)
        refused.assert_failed(status, "…" + NOT_REACHED)
        assert debian_cluster.query(SCRATCHES) == []
        run(folder, task, DATABASE_URL=pooled, MIGRATION_DATABASE_URL=direct).assert_ok()
        assert debian_cluster.query(SCRATCHES) == []


def test_a_pooler_of_statements(tmp_path: Path, debian_cluster: Cluster) -> None:
    """Where no transaction is possible, nothing is; that is said before anything is tried."""
    folder = project(tmp_path)
    with (
        debian_cluster.database() as name,
        running_pgbouncer(tmp_path / "bouncer", debian_cluster.port, pool_mode="statement") as port,
    ):
        pooled = debian_cluster.url(name, port=port)
        for task in ("wait-db", "migrate", "start"):
            run(folder, task, DATABASE_URL=pooled).assert_failed(
                2,
                "The pooler at … keeps no transaction together. Let it pool transactions or "
                "sessions (pool_mode), or set MIGRATION_DATABASE_URL to the server itself and let "
                "the application have another pool.",
            )


def test_prepared_statements(
    debian_cluster: Cluster, pgbouncer: Pooled, make_scene: MakeScene
) -> None:
    """A driver that prepares them finds those of others, or none: that needs the server itself."""
    scene = make_scene(debian_cluster, BODY, ENVS["asyncpg"])
    pooled = pgbouncer(scene.database)
    with closing(psycopg2.connect(pooled)) as other:
        other.cursor().execute("PREPARE __asyncpg_stmt_1__ AS SELECT 1")
        other.commit()
        failed = scene.start(url=pooled).finish()
    failed.assert_failed(
        5, "…A pooler is in between: set MIGRATION_DATABASE_URL to the server itself.…"
    )
    direct = debian_cluster.url(scene.database)
    scene.start(url=pooled, MIGRATION_DATABASE_URL=direct).finish().assert_ok()
    scene.assert_complete()
