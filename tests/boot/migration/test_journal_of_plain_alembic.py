"""A database that plain Alembic brought to head gets its journal at the first start."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from alembic_boot.description import SchemaPolicy
from alembic_boot.environment.version_table import VersionTable
from alembic_boot.migration.migrate import migrate
from alembic_boot.migration.preview import preview
from alembic_boot.migration.status import read_status
from alembic_boot.postgres.urls import parse_database_url
from alembic_boot.state.journal import Journal
from alembic_boot.state.journal_making import make_journal_if_absent
from tests.boot.adoption.unmanaged import Theirs
from tests.cluster import OWNER, Cluster
from tests.proxy import Proxy
from tests.scenarios.process import FOREIGN_ENV

PLAIN = ["alembic_version", "t_a1"]
WITH_JOURNAL = ["alembic_version", "schema_journal", "t_a1"]


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster, database: str) -> Theirs:
    """Give a project whose database plain Alembic has brought to head."""
    theirs = Theirs(tmp_path, cluster, database)
    theirs.project.revision("a1")
    config = Config(str(theirs.project.config))
    config.set_main_option("sqlalchemy.url", cluster.url(database))
    command.upgrade(config, "head")
    assert found(theirs) == PLAIN
    return theirs


def found(theirs: Theirs) -> list[str]:
    rows = theirs.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    return [str(name) for (name,) in rows]


def test_it_is_made_by_what_may_write(theirs: Theirs) -> None:
    """A look alone changes nothing."""
    read_status(theirs.boot)
    preview(theirs.boot)
    assert found(theirs) == PLAIN
    migrate(theirs.boot)
    assert found(theirs) == WITH_JOURNAL
    migrate(theirs.boot)
    theirs.project.revision("b2", "a1")
    migrate(theirs.boot)
    assert theirs.journal() == ["upgrade b2 applied"]


@pytest.fixture
def migrator(theirs: Theirs) -> Iterator[str]:
    """Give a role that env.py works as, and that may make tables."""
    role = "their_migrator"
    theirs.cluster.execute(f"CREATE ROLE {role}")
    try:
        theirs.cluster.execute(
            f"GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON alembic_version TO {role}",
            theirs.database,
        )
        yield role
    finally:
        theirs.cluster.execute(f"DROP OWNED BY {role}", theirs.database)
        theirs.cluster.execute(f"DROP ROLE {role}")


def test_the_role_of_env_py_owns_it(theirs: Theirs, migrator: str) -> None:
    """As it does if a migration makes it: the role that makes the tables."""
    theirs.cluster.execute(f"GRANT {migrator} TO {OWNER}")
    role = f'    connection.exec_driver_sql("SET ROLE {migrator}"); connection.commit()\n'
    theirs.write_env(FOREIGN_ENV.replace("    context.configure(", f"{role}    context.configure("))
    migrate(theirs.boot)
    assert found(theirs) == WITH_JOURNAL
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'schema_journal'"
    assert theirs.query(owner) == [(migrator,)]
    theirs.project.revision("b2", "a1")
    migrate(theirs.boot)
    assert theirs.journal() == ["upgrade b2 applied"]


def test_a_role_that_boot_may_not_work_as(theirs: Theirs, migrator: str) -> None:
    """The first migration makes the journal, over env.py's own session."""
    url = parse_database_url(theirs.cluster.url(theirs.database))
    journal = Journal(VersionTable("alembic_version", "public"))
    make_journal_if_absent(url, journal, migrator)
    assert found(theirs) == PLAIN


def test_a_connection_that_is_lost(theirs: Theirs, caplog: pytest.LogCaptureFixture) -> None:
    """The schema is current, so the start goes on with a warning."""

    def lose(_number: int, sql: str) -> None:
        if sql == "COMMIT":
            proxy.drop()

    journal = Journal(VersionTable("alembic_version", "public"))
    with Proxy(theirs.cluster.port, on_query=lose) as proxy:
        url = parse_database_url(theirs.cluster.url(theirs.database, port=proxy.port))
        make_journal_if_absent(url, journal, OWNER)
    assert "could not be made" in caplog.text
    assert found(theirs) == PLAIN


def test_several_at_once(theirs: Theirs) -> None:
    """One starter makes it, and no other fails or waits."""
    url = parse_database_url(theirs.cluster.url(theirs.database))
    journal = Journal(VersionTable("alembic_version", "public"))
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(make_journal_if_absent, url, journal, OWNER) for _ in range(8)]:
            done.result()
    assert found(theirs) == WITH_JOURNAL


def test_no_starter_waits(theirs: Theirs) -> None:
    """A session that makes the journal now may take long."""
    url = parse_database_url(theirs.cluster.url(theirs.database))
    journal = Journal(VersionTable("alembic_version", "public"))
    with closing(theirs.cluster.connect(theirs.database)) as connection:
        connection.cursor().execute(f"SELECT pg_advisory_lock({journal.making_key})")
        make_journal_if_absent(url, journal, OWNER)
        migrate(theirs.boot)
        assert found(theirs) == PLAIN
    migrate(theirs.boot)
    assert found(theirs) == WITH_JOURNAL


def test_a_role_that_may_not_create(theirs: Theirs) -> None:
    """The schema is current, so the start goes on."""
    theirs.cluster.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", theirs.database)
    theirs.cluster.execute(f"REVOKE CREATE ON SCHEMA public FROM {OWNER}", theirs.database)
    theirs.cluster.execute("ALTER SCHEMA public OWNER TO postgres", theirs.database)
    migrate(theirs.boot)
    assert found(theirs) == PLAIN


def test_a_database_that_takes_no_writes(theirs: Theirs) -> None:
    """Nor does that keep a replica from starting."""
    theirs.cluster.execute(
        f"ALTER DATABASE {theirs.database} SET default_transaction_read_only = on"
    )
    migrate(theirs.boot)
    theirs.cluster.execute(f"ALTER DATABASE {theirs.database} RESET default_transaction_read_only")
    assert found(theirs) == PLAIN


def test_a_name_that_is_taken(theirs: Theirs) -> None:
    """Another table of the journal's name stays as it is."""
    theirs.execute("CREATE TABLE schema_journal (mine int)")
    migrate(theirs.boot)
    assert theirs.query("SELECT mine FROM schema_journal") == []


def test_an_empty_database_at_base(theirs: Theirs) -> None:
    """Nothing is recorded there, so there is nothing to go on from."""
    theirs.execute("DROP TABLE alembic_version, t_a1")
    migrate(replace(theirs.boot, schema=SchemaPolicy("base")))
    assert found(theirs) == []
