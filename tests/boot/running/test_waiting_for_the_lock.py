"""Another session holds the lock of the schema: who waits, for how long, and what is said."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from alembic_boot.postgres import advisory
from alembic_boot.postgres.advisory import AdvisoryKey
from tests.boot.in_process import migrating, run_in
from tests.cluster import Cluster
from tests.scenarios.process import (
    project,
    relations,
    revisions,
)

pytestmark = pytest.mark.slow


THE_LOCK = AdvisoryKey.named("schema", "public", "alembic_version")


UP_TO_DATE = "Database migrations completed successfully (already up to date)"


@contextmanager
def holding_the_lock(connection: Connection) -> Iterator[None]:
    """Hold the schema's lock, as another starter would."""
    connection.autocommit = True
    advisory.begin(connection)
    assert advisory.try_lock(connection, THE_LOCK)
    yield
    advisory.end(connection)


def test_nothing_to_do_waits_for_nobody(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """On a current schema no lock is taken: who holds it is no matter."""
    folder, url = project(tmp_path), cluster.url(database)
    run_in(folder, migrating, DATABASE_URL=url).assert_ok()
    with closing(cluster.connect(database)) as holder, holding_the_lock(holder):
        finished = run_in(folder, migrating, DATABASE_URL=url)
    finished.assert_ok()
    finished.assert_says(UP_TO_DATE)
    finished.assert_never_says("Waiting for another starter…")


@pytest.mark.parametrize("at", [None, "004"])
@pytest.mark.parametrize("is_known", [True, False])
def test_the_wait_for_the_lock_has_an_end(
    tmp_path: Path,
    cluster: Cluster,
    database: str,
    at: str | None,
    is_known: bool,
) -> None:
    """Who waits for too long names whom it waited for, and has changed nothing.

    A role sees of another one's sessions, as of a superuser's, what they are called and no more.
    """
    folder, url = project(tmp_path), cluster.url(database)
    if at is not None:
        run_in(folder, migrating, MIGRATION_TARGET=at, DATABASE_URL=url).assert_ok()
    before = relations(cluster, database)
    name = "boot: host web-7, process 1"
    holder = psycopg2.connect(
        url if is_known else cluster.url(database, user="postgres"), application_name=name
    )
    with closing(holder), holding_the_lock(holder):
        finished = run_in(folder, migrating, DATABASE_URL=url, MIGRATE_LOCK_TIMEOUT="1")
    who = "host web-7, process 1" + (", since …" if is_known else "")
    finished.assert_says(f"Waiting for another starter ({who})")
    finished.assert_failed(
        6,
        f"Another starter ({who}) has kept the schema locked for more than 1 s. "
        "See what it is doing, or set MIGRATE_LOCK_TIMEOUT higher. Nothing was changed.",
    )
    assert relations(cluster, database) == before
    assert revisions(cluster, database) == ([at] if at else [])
