"""Databases that were made without Alembic: recognised by what they are, or left alone."""

import signal
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine

from alembic_boot.postgres.urls import parse_database_url
from backend.models import Base
from tests.cluster import OWNER, Cluster
from tests.history import HEAD, OURS
from tests.scenarios.adopting import databases, forget, journal, wait_until
from tests.scenarios.process import (
    FOREIGN_ENV,
    Finished,
    ForeignProject,
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


def make_by_models(url: str) -> None:
    """Make the tables as the service did before it had migrations."""
    engine = create_engine(parse_database_url(url).sqlalchemy_url)
    Base.metadata.create_all(engine)
    engine.dispose()


def assert_refused(finished: Finished, cluster: Cluster, database: str, sentence: str) -> None:
    """Fail unless it was refused for being unmanaged, and nothing has changed."""
    finished.assert_failed(8, sentence)
    assert not {"alembic_version"} & set(relations(cluster, database))
    assert databases(cluster, database) == []


@pytest.mark.parametrize("revision", ["001", "004", HEAD])
def test_one_of_our_revisions(folder: Path, any_cluster: Cluster, revision: str) -> None:
    """A database without a revision is taken for the one that it is, and brought up to date."""
    with any_cluster.database() as database:
        url = any_cluster.url(database)
        make_at(folder, url, revision)
        forget(any_cluster, database)
        finished = run(folder, "migrate", DATABASE_URL=url)
        finished.assert_ok()
        finished.assert_says(f"Adopted the database as revision {revision} …")
        assert revisions(any_cluster, database) == [HEAD]
        later = [f"upgrade {it} applied" for it in OURS if it > revision]
        assert journal(any_cluster, database) == [f"stamp {revision} applied", *later]
        assert databases(any_cluster, database) == []
        run(folder, "migrate", DATABASE_URL=url).assert_says("…(already up to date)")


def test_made_by_the_models(folder: Path, any_cluster: Cluster) -> None:
    """What create_all makes is the newest revision; `start` adopts it by itself."""
    with any_cluster.database() as database:
        url = any_cluster.url(database)
        make_by_models(url)
        finished = run(folder, "migrate", DATABASE_URL=url, APP_ENV="prod")
        finished.assert_ok()
        finished.assert_says(f"Adopted the database as revision {HEAD} …")
        assert journal(any_cluster, database) == [f"stamp {HEAD} applied"]


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


def test_nothing_to_adopt(folder: Path, database_url: str) -> None:
    """A database that has a revision, or no tables, is left alone."""
    finished = run(folder, "adopt", DATABASE_URL=database_url)
    finished.assert_ok()
    finished.assert_says("There is nothing to adopt: the database is empty, at base")
    make_at(folder, database_url, "003")
    again = run(folder, "adopt", DATABASE_URL=database_url)
    again.assert_says("There is nothing to adopt: the database is behind, at 003")


@pytest.mark.parametrize("task", ["migrate", "adopt"])
def test_one_difference(
    folder: Path, cluster: Cluster, database: str, database_url: str, task: str
) -> None:
    """What is like no revision is refused, with what is in the way."""
    make_at(folder, database_url, "007")
    forget(cluster, database)
    cluster.execute("ALTER TABLE books ALTER title TYPE varchar(7)", database)
    cluster.execute("CREATE TABLE notes (id int)", database)
    finished = run(folder, task, DATABASE_URL=database_url, APP_ENV="prod")
    finished.assert_says("…books.title: type is character varying(7), expected …")
    finished.assert_says("…table notes is unexpected")
    assert_refused(
        finished,
        cluster,
        database,
        "The schema is that of no revision; 007 Shared default books is nearest, with … "
        "differences. Change the schema by hand …",
    )


def test_without_the_right_to_make_a_scratch(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """The setting that helps is named, and it helps."""
    make_at(folder, database_url, "002")
    forget(cluster, database)
    cluster.execute(f"ALTER ROLE {OWNER} NOCREATEDB")
    try:
        refused = run(folder, "migrate", DATABASE_URL=database_url, APP_ENV="prod")
    finally:
        cluster.execute(f"ALTER ROLE {OWNER} CREATEDB")
    assert_refused(refused, cluster, database, "… cannot be determined: …SCRATCH_DATABASE_URL…")
    with cluster.scratch_database() as scratch:
        given = {"DATABASE_URL": database_url, "SCRATCH_DATABASE_URL": cluster.url(scratch)}
        run(folder, "migrate", **given).assert_ok()
        assert relations(cluster, scratch) == []
    assert journal(cluster, database)[0] == "stamp 002 applied"


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


def test_like_several(folder: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """A revision that moves data only makes what the one before makes: people say which it is."""
    foreign = ForeignProject(folder / "foreign")
    foreign.revision("a1")
    foreign.revision("b2", "a1", 'op.execute("SELECT 1")', "pass")
    variables = {"DATABASE_URL": database_url, "ALEMBIC_CONFIG": str(foreign.config)}
    cluster.execute(f"SET ROLE {OWNER}; CREATE TABLE t_a1 (id serial PRIMARY KEY)", database)
    refused = run(folder, "migrate", APP_ENV="prod", **variables)
    sentence = "The schema is that of several revisions: a1 Foreign a1, b2 Foreign b2. Say which …"
    assert_refused(refused, cluster, database, sentence)
    unknown = run(folder, "adopt", "--revision", "c3", **variables)
    unknown.assert_failed(2, "The target 'c3' is not a revision of this history. …")
    run(folder, "adopt", "--revision", "a1", **variables).assert_ok()
    assert journal(cluster, database) == ["stamp a1 applied"]


def test_env_py_that_goes_elsewhere(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """A replay that would work on the real database is refused before it begins."""
    env = FOREIGN_ENV.replace(
        "config = context.config\n",
        "config = context.config\n"
        f"config.set_main_option('sqlalchemy.url', {database_url!r}.replace('%', '%%'))\n",
    )
    foreign = ForeignProject(folder / "foreign", env=env)
    foreign.revision("a1")
    cluster.execute(f"SET ROLE {OWNER}; CREATE TABLE t_a1 (id serial PRIMARY KEY)", database)
    refused = run(
        folder,
        "migrate",
        APP_ENV="prod",
        DATABASE_URL=database_url,
        ALEMBIC_CONFIG=str(foreign.config),
    )
    assert_refused(refused, cluster, database, "… cannot be determined: … another database …")
    assert relations(cluster, database) == ["t_a1"]


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


def test_through_a_pooler(
    folder: Path, debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """What lends its connections by the transaction keeps neither the replay nor its lock."""
    with debian_cluster.database() as database, debian_cluster.scratch_database() as scratch:
        make_at(folder, debian_cluster.url(database), "006")
        forget(debian_cluster, database)
        run(folder, "migrate", DATABASE_URL=pgbouncer(database)).assert_ok()
        assert journal(debian_cluster, database)[0] == "stamp 006 applied"
        assert databases(debian_cluster, database) == []
        forget(debian_cluster, database)
        given = {"DATABASE_URL": pgbouncer(database), "SCRATCH_DATABASE_URL": pgbouncer(scratch)}
        for _ in range(2):  # no lock is stranded
            run(folder, "adopt", "--dry-run", **given).assert_ok()
        assert relations(debian_cluster, scratch) == []


@pytest.mark.parametrize("is_stopped", [False, True])
def test_a_table_that_somebody_has(
    folder: Path, cluster: Cluster, database: str, database_url: str, is_stopped: bool
) -> None:
    """Reading the schema waits for it within the budget, says for whom, and can be stopped."""
    make_at(folder, database_url, "007")
    forget(cluster, database)
    timeout = "60" if is_stopped else "1.5"
    variables = {"DATABASE_URL": database_url, "MIGRATE_TRAFFIC_TIMEOUT": timeout}
    with closing(cluster.connect(database)) as somebody:
        cursor = somebody.cursor()
        cursor.execute("BEGIN; LOCK TABLE books")
        pid = somebody.info.backend_pid
        with running(folder, "migrate", **variables) as inv:
            inv.wait_for("Reading the schema; locked tables may delay this")
            if is_stopped:
                inv.signal(signal.SIGTERM)
            finished = inv.finish()
    if is_stopped:
        finished.assert_failed(143, "Stopped by SIGTERM.")
    else:
        finished.assert_failed(
            6,
            "The schema cannot be read: a table was locked for more than 1.5 s, by a session, "
            f"backend {pid}. Let that end, and start again. …",
        )
    assert databases(cluster, database) == []
    assert "alembic_version" not in relations(cluster, database)
