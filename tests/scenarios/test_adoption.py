"""Databases that were made without Alembic: recognised by what they are, or left alone."""

import signal
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from tests.cluster import Cluster
from tests.history import HEAD, OURS
from tests.scenarios.adopting import databases, forget, journal, wait_until
from tests.scenarios.process import (
    Finished,
    project,
    relations,
    revisions,
    run,
    running,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give our own project."""
    return project(tmp_path)


def make_at(folder: Path, url: str, revision: str) -> None:
    """Bring a database to a revision by the migrations, and forget that."""
    run(folder, "migrate", DATABASE_URL=url, MIGRATION_TARGET=revision).assert_ok()


def assert_refused(finished: Finished, cluster: Cluster, database: str, sentence: str) -> None:
    """Fail unless it was refused for being unmanaged, and nothing has changed."""
    finished.assert_failed(8, sentence)
    assert not {"alembic_version"} & set(relations(cluster, database))
    assert databases(cluster, database) == []


def test_one_of_our_revisions(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A database without a revision is taken for the one that it is, and brought up to date.

    The other revisions, and what create_all makes, are in tests/boot/adoption/test_adopt.py.
    """
    make_at(folder, database_url, "004")
    forget(cluster, database)
    finished = run(folder, "migrate", DATABASE_URL=database_url)
    finished.assert_ok()
    finished.assert_says("Adopted the database as revision 004 …")
    assert revisions(cluster, database) == [HEAD]
    later = [f"upgrade {it} applied" for it in OURS if it > "004"]
    assert journal(cluster, database) == ["stamp 004 applied", *later]
    assert databases(cluster, database) == []
    run(folder, "migrate", DATABASE_URL=database_url).assert_says("…(already up to date)")


def test_dry_run_changes_nothing(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """It says which revision would be recorded."""
    make_at(folder, database_url, "004")
    forget(cluster, database)
    before = relations(cluster, database)
    finished = run(folder, "adopt", "--dry-run", DATABASE_URL=database_url)
    finished.assert_ok()
    finished.assert_says("The database is as revision 004 makes it: that would be recorded")
    assert relations(cluster, database) == before
    assert databases(cluster, database) == []


def test_one_difference(folder: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """What is like no revision is refused, with what is in the way."""
    make_at(folder, database_url, "007")
    forget(cluster, database)
    cluster.execute("ALTER TABLE books ALTER title TYPE varchar(7)", database)
    cluster.execute("CREATE TABLE notes (id int)", database)
    finished = run(folder, "migrate", DATABASE_URL=database_url, APP_ENV="prod")
    finished.assert_says("…books.title: type is character varying(7), expected …")
    finished.assert_says("…table notes is unexpected")
    assert_refused(
        finished,
        cluster,
        database,
        "The schema is that of no revision; 007 Shared default books is nearest, with … "
        "differences. Change the schema by hand …",
    )


def test_killed_in_the_replay(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Nothing is recorded, and the next one adopts and leaves nothing behind."""
    make_at(folder, database_url, "003")
    forget(cluster, database)
    with running(folder, "migrate", DATABASE_URL=database_url) as first:
        first.wait_for("…replaying the history")
        wait_until(lambda: databases(cluster, database) != [])
        first.signal(signal.SIGKILL)
    assert "alembic_version" not in relations(cluster, database)
    assert databases(cluster, database) != []
    run(folder, "migrate", DATABASE_URL=database_url).assert_ok()
    assert revisions(cluster, database) == [HEAD]
    assert databases(cluster, database) == []


def test_several_starters_adopt_once(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """One finds out and records; the others find it recorded."""
    make_at(folder, database_url, "005")
    forget(cluster, database)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(folder, "migrate", DATABASE_URL=database_url))
            for _ in range(4)
        ]
        for process in processes:
            process.finish().assert_ok()
    assert journal(cluster, database) == [
        "stamp 005 applied",
        *(f"upgrade {it} applied" for it in OURS[5:]),
    ]


def test_start_adopts(folder: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """`start` records the revision, upgrades, seeds and serves, ready."""
    make_at(folder, database_url, "007")
    forget(cluster, database)
    variables = {"DATABASE_URL": database_url, "APP_ENV": "test", "BACKEND_PORT": "0"}
    with running(folder, "start", **variables) as inv:
        assert httpx.get(f"{inv.url}/health/ready").status_code == 200
        inv.signal(signal.SIGTERM)
        finished = inv.finish()
    finished.assert_ok()
    finished.assert_says(
        "Adopted the database as revision 007 …",
        f"Applied {HEAD} …",
        "Database migrations completed successfully",
        "Initial data seeded (66 rows)",
    )


def test_a_stop_while_the_schema_is_read(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Reading the schema waits for a table that another session has locked, and can be stopped."""
    make_at(folder, database_url, "007")
    forget(cluster, database)
    with closing(cluster.connect(database)) as somebody:
        somebody.cursor().execute("BEGIN; LOCK TABLE books")
        with running(folder, "migrate", DATABASE_URL=database_url) as inv:
            inv.wait_for("Reading the schema; locked tables may delay this")
            inv.signal(signal.SIGTERM)
            finished = inv.finish()
    finished.assert_failed(143, "Stopped by SIGTERM.")
    assert databases(cluster, database) == []
    assert "alembic_version" not in relations(cluster, database)
