"""Databases that were made without Alembic: recognised by what they are, or left alone."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from alembic_boot.adoption.adopt import adopt
from alembic_boot.description import BootDescription
from alembic_boot.waiting import wait
from tests.boot.in_process import Task, adopting, migrating, run, run_in
from tests.cluster import OWNER, Cluster
from tests.scenarios.adopting import databases, forget, journal
from tests.scenarios.process import (
    FOREIGN_ENV,
    Finished,
    ForeignProject,
    project,
    relations,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give our own project."""
    return project(tmp_path)


def make_at(folder: Path, url: str, revision: str) -> None:
    """Bring a database to a revision by the migrations, and forget that."""
    run_in(folder, migrating, DATABASE_URL=url, MIGRATION_TARGET=revision).assert_ok()


def dry_adopting(boot: BootDescription) -> None:
    """Do what `inv adopt --dry-run` does."""
    wait(boot)
    adopt(boot, dry_run=True)


def adopting_as(revision: str) -> Task:
    """Return what `inv adopt --revision` does."""

    def adopting(boot: BootDescription) -> None:
        wait(boot)
        adopt(boot, revision)

    return adopting


def assert_refused(finished: Finished, cluster: Cluster, database: str, sentence: str) -> None:
    """Fail unless it was refused for being unmanaged, and nothing has changed."""
    finished.assert_failed(8, sentence)
    assert not {"alembic_version"} & set(relations(cluster, database))
    assert databases(cluster, database) == []


def test_nothing_to_adopt(folder: Path, database_url: str) -> None:
    """A database that has a revision, or no tables, is left alone."""
    finished = run_in(folder, adopting, DATABASE_URL=database_url)
    finished.assert_ok()
    finished.assert_says("There is nothing to adopt: the database is empty, at base")
    make_at(folder, database_url, "003")
    again = run_in(folder, adopting, DATABASE_URL=database_url)
    again.assert_says("There is nothing to adopt: the database is behind, at 003")


def test_without_the_right_to_make_a_scratch(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """The setting that helps is named, and it helps."""
    make_at(folder, database_url, "002")
    forget(cluster, database)
    cluster.execute(f"ALTER ROLE {OWNER} NOCREATEDB")
    try:
        refused = run_in(folder, migrating, DATABASE_URL=database_url, APP_ENV="prod")
    finally:
        cluster.execute(f"ALTER ROLE {OWNER} CREATEDB")
    assert_refused(
        refused,
        cluster,
        database,
        "… cannot be determined: "
        "No scratch database could be made beside …: permission denied to create database. "
        "…SCRATCH_DATABASE_URL…",
    )
    with cluster.scratch_database() as scratch:
        given = {"DATABASE_URL": database_url, "SCRATCH_DATABASE_URL": cluster.url(scratch)}
        run_in(folder, migrating, **given).assert_ok()
        assert relations(cluster, scratch) == []
    assert journal(cluster, database)[0] == "stamp 002 applied"


def test_like_several(folder: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """A revision that moves data only makes what the one before makes: people say which it is."""
    foreign = ForeignProject(folder / "foreign")
    foreign.revision("a1")
    foreign.revision("b2", "a1", 'op.execute("SELECT 1")', "pass")
    variables = {"DATABASE_URL": database_url, "ALEMBIC_CONFIG": str(foreign.config)}
    cluster.execute(f"SET ROLE {OWNER}; CREATE TABLE t_a1 (id serial PRIMARY KEY)", database)
    refused = run(migrating, APP_ENV="prod", **variables)
    sentence = "The schema is that of several revisions: a1 Foreign a1, b2 Foreign b2. Say which …"
    assert_refused(refused, cluster, database, sentence)
    unknown = run(adopting_as("c3"), **variables)
    unknown.assert_failed(2, "The target 'c3' is not a revision of this history. …")
    run(adopting_as("a1"), **variables).assert_ok()
    assert journal(cluster, database) == ["stamp a1 applied"]


def test_env_py_that_goes_elsewhere(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Its replay is led to the scratch database, and the real one is only recorded."""
    env = FOREIGN_ENV.replace(
        "config = context.config\n",
        "config = context.config\n"
        f"config.set_main_option('sqlalchemy.url', {database_url!r}.replace('%', '%%'))\n",
    )
    foreign = ForeignProject(folder / "foreign", env=env)
    foreign.revision("a1")
    cluster.execute(f"SET ROLE {OWNER}; CREATE TABLE t_a1 (id serial PRIMARY KEY)", database)
    finished = run(
        migrating,
        APP_ENV="prod",
        DATABASE_URL=database_url,
        ALEMBIC_CONFIG=str(foreign.config),
    )
    finished.assert_ok()
    assert journal(cluster, database) == ["stamp a1 applied"]
    assert relations(cluster, database) == ["alembic_version", "t_a1"]


def test_through_a_pooler(
    folder: Path, debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """What lends its connections by the transaction keeps neither the replay nor its lock."""
    with debian_cluster.database() as database, debian_cluster.scratch_database() as scratch:
        make_at(folder, debian_cluster.url(database), "006")
        forget(debian_cluster, database)
        run_in(folder, migrating, DATABASE_URL=pgbouncer(database)).assert_ok()
        assert journal(debian_cluster, database)[0] == "stamp 006 applied"
        assert databases(debian_cluster, database) == []
        forget(debian_cluster, database)
        given = {"DATABASE_URL": pgbouncer(database), "SCRATCH_DATABASE_URL": pgbouncer(scratch)}
        for _ in range(2):  # no lock is stranded
            run_in(folder, dry_adopting, **given).assert_ok()
        assert relations(debian_cluster, scratch) == []


def test_a_table_that_somebody_has(
    folder: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Reading the schema waits for it within the budget, and says for whom."""
    make_at(folder, database_url, "007")
    forget(cluster, database)
    with closing(cluster.connect(database)) as somebody:
        somebody.cursor().execute("BEGIN; LOCK TABLE books")
        pid = somebody.info.backend_pid
        finished = run_in(
            folder, migrating, DATABASE_URL=database_url, MIGRATE_TRAFFIC_TIMEOUT="1.5"
        )
    finished.assert_says("Reading the schema; locked tables may delay this")
    finished.assert_failed(
        6,
        "The schema cannot be read: a table was locked for more than 1.5 s, by a session, "
        f"backend {pid}. Let that end, and start again. …",
    )
    assert databases(cluster, database) == []
    assert "alembic_version" not in relations(cluster, database)
