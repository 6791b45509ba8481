"""Behind PgBouncer, which lends its connections by the transaction, all works as without it.

The cases of one migration are in tests/boot/running/test_poolers.py.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.cluster import Cluster
from tests.history import BEFORE_HEAD, HEAD
from tests.pgbouncer import running_pgbouncer
from tests.scenarios.adopting import databases, forget
from tests.scenarios.process import (
    Finished,
    project,
    run,
    running,
)

pytestmark = pytest.mark.slow


def test_every_task(
    tmp_path: Path, debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """Started, served, checked, rolled back and adopted; nothing stays locked or made."""
    folder = project(tmp_path)
    with debian_cluster.database() as name:
        settings = {"APP_ENV": "test", "DATABASE_URL": pgbouncer(name), "BACKEND_PORT": "0"}

        def inv(*arguments: str) -> Finished:
            finished = run(folder, *arguments, **settings)
            finished.assert_ok()
            return finished

        with running(folder, "start", **settings) as process:
            process.wait_for("Serving on …")
            assert process.url
            process.interrupt()
            started = process.finish()
        started.assert_ok()
        started.assert_says(f"Schema revision: {HEAD} (head)", "Initial data seeded (66 rows)")
        assert "state     current" in inv("status").stdout
        inv("seed").assert_says("Initial data is complete already")
        inv("check").assert_says("The history is sound: …")
        inv("rollback", "--yes").assert_says(f"Schema revision: {BEFORE_HEAD}")
        inv("migrate").assert_says(f"Schema revision: {HEAD} (head)")
        forget(debian_cluster, name)
        inv("adopt").assert_says(f"Adopted the database as revision {HEAD} …")
        assert databases(debian_cluster, name) == []
        # Its sessions live on, in the pool.
        assert debian_cluster.query("SELECT * FROM pg_locks WHERE locktype = 'advisory'") == []


def test_the_application_leaves_nothing_in_the_pool(
    tmp_path: Path, debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """Its limit for statements holds for its own transactions, not for those of others."""
    folder = project(tmp_path)
    with debian_cluster.database() as name:
        url = pgbouncer(name)
        settings = {"APP_ENV": "test", "DATABASE_URL": url, "BACKEND_PORT": "0"}
        with running(folder, "start", **settings) as process:
            process.wait_for("Serving on …")
            with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
                cursor.execute("SHOW statement_timeout")
                assert cursor.fetchone() == ("0",)
            process.interrupt()
            process.finish().assert_ok()


def test_a_pooler_of_statements(tmp_path: Path, debian_cluster: Cluster) -> None:
    """Where no transaction is possible, nothing is; that is said before anything is tried."""
    folder = project(tmp_path)
    with (
        debian_cluster.database() as name,
        running_pgbouncer(tmp_path / "bouncer", debian_cluster.port, pool_mode="statement") as port,
    ):
        pooled = debian_cluster.url(name, port=port)
        for task in ("wait-db", "migrate", "start"):
            run(folder, task, DATABASE_URL=pooled, BACKEND_PORT="0").assert_failed(
                2,
                "The pooler at … does not keep a transaction on one session. Let it "
                "pool transactions or "
                "sessions (pool_mode), or set MIGRATION_DATABASE_URL to the server itself and let "
                "the application have another pool.",
            )
