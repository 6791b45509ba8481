"""Kinds of env.py that people have: drivers, settings, roles, and transactions of their own."""

from pathlib import Path
from uuid import uuid4

import pytest

from tests.boot.in_process import Theirs, theirs
from tests.cluster import PASSWORD, Cluster
from tests.scenarios.envs import ONE_TRANSACTION_ENV, own_settings_env
from tests.scenarios.foreign_histories import assert_whole, journal, three_revisions
from tests.scenarios.process import (
    FOREIGN_ENV,
    relations,
    revisions,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
@pytest.mark.parametrize(
    "options",
    ["", 'isolation_level="SERIALIZABLE"', 'isolation_level="REPEATABLE READ"', "pool_size=1"],
)
def test_own_settings(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, driver: str, options: str
) -> None:
    """An env.py with its own settings for everything, as long as it is the same database."""
    their = theirs(
        tmp_path,
        database_url,
        env=own_settings_env(database_url, driver, options),
    )
    three_revisions(their)
    assert_whole(their, cluster, database)
    assert revisions(cluster, database, "their_version") == ["c3"]


def test_autocommit_engine(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """An env.py whose every statement is its own transaction keeps what it did, and says it."""
    options = 'isolation_level="AUTOCOMMIT"'
    their = theirs(
        tmp_path,
        database_url,
        env=own_settings_env(database_url, "psycopg2", options),
    )
    three_revisions(their)
    assert_whole(their, cluster, database)


def test_another_role(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """An env.py that becomes another role: both roles can write the journal."""
    role = f"maker_{uuid4().hex[:8]}"
    cluster.execute(f"CREATE ROLE {role}")
    try:
        cluster.execute(f"GRANT {role} TO moriai_user")
        cluster.execute(f"GRANT CREATE ON SCHEMA public TO {role}", database)
        env = FOREIGN_ENV.replace(
            "    context.configure(",
            f'    connection.exec_driver_sql("SET ROLE {role}")\n'
            "    connection.commit()\n    context.configure(",
        )
        their = theirs(tmp_path, database_url, env=env)
        three_revisions(their)
        assert_whole(their, cluster, database, starts=0)
        assert cluster.query(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'", database
        ) == [(role,)]
    finally:
        cluster.execute(f"DROP OWNED BY {role}", database)
        cluster.execute(f"DROP ROLE {role}")


def test_search_path(tmp_path: Path, cluster: Cluster, database: str, database_url: str) -> None:
    """An env.py with a search_path of its own: version table and journal are where it puts them."""
    cluster.execute("CREATE SCHEMA tenant AUTHORIZATION moriai_user", database)
    env = FOREIGN_ENV.replace(
        "    context.configure(",
        '    connection.exec_driver_sql("SET search_path = tenant")\n'
        "    connection.commit()\n    context.configure(",
    )
    their = theirs(tmp_path, database_url, env=env)
    their.project.revision("a1")
    their.project.revision("b2", "a1")
    their.migrate().assert_ok()
    assert relations(cluster, database) == ["tenant.alembic_version", "tenant.t_a1", "tenant.t_b2"]
    assert journal(cluster, database, "tenant.schema_journal") == [
        "upgrade a1 applied",
        "upgrade b2 applied",
    ]
    assert their.status()["state"] == "current"
    their.migrate().assert_says("…(already up to date)")


def test_two_histories_in_one_database(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """Each has its version table; in their common journal neither takes the other's rows."""

    def history(name: str) -> Theirs:
        (tmp_path / name).mkdir()
        named = f'target_metadata=None, version_table="{name}"'
        env = FOREIGN_ENV.replace("target_metadata=None", named)
        return theirs(tmp_path / name, database_url, env=env)

    one, two = history("one"), history("two")
    one.project.revision("a1", constants='phase = "expand"')
    two.project.revision("a1", None, "pass", "pass")
    one.migrate().assert_ok()
    cluster.execute("INSERT INTO one VALUES ('b2')", database)
    assert one.status()["state"] == "diverged"
    cluster.execute("DELETE FROM one WHERE version_num = 'b2'", database)
    assert revisions(cluster, database, "one") == ["a1"]
    # the tables of the one are nobody's in the eyes of the other
    two.migrate().assert_failed(8, "The schema is that of no revision; …")
    cluster.execute("CREATE TABLE two (version_num text)", database)
    cluster.execute("ALTER TABLE two OWNER TO moriai_user", database)
    cluster.execute("INSERT INTO two VALUES ('a1')", database)
    two.roll_back("base").assert_ok()
    assert cluster.query(
        "SELECT version_table, direction, status FROM schema_journal ORDER BY id", database
    ) == [("public.one", "upgrade", "applied"), ("public.two", "downgrade", "applied")]
    assert one.status()["state"] == "current"
    found = one.status()["journal"]
    assert isinstance(found, list)
    assert [(row["revision"], row["direction"]) for row in found] == [("a1", "upgrade")]


class TestOneUnit:
    """An env.py that opens the transaction itself."""

    def test_applied(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """All revisions are applied in its transaction, and journalled."""
        their = theirs(tmp_path, database_url, env=ONE_TRANSACTION_ENV)
        their.project.revision("a1")
        their.project.revision("b2", "a1")
        finished = their.migrate()
        finished.assert_ok()
        finished.assert_says(
            "env.py opened a transaction itself: all revisions are applied together, or none",
            "Ran a1 …",
            "Ran b2 …",
            "Database migrations completed successfully",
        )
        assert journal(cluster, database) == ["upgrade a1 applied", "upgrade b2 applied"]
        assert cluster.query(
            "SELECT count(DISTINCT xmin::text) FROM (SELECT xmin FROM schema_journal"
            " UNION ALL SELECT xmin FROM alembic_version) AS rows",
            database,
        ) == [(1,)]

    def test_taken_back(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """Where one of them fails nothing is kept, and the journal says so of each."""
        their = theirs(tmp_path, database_url, env=ONE_TRANSACTION_ENV, APP_ENV="test")
        their.project.revision("a1")
        their.project.revision("b2", "a1", 'raise RuntimeError("no kettle")')
        their.migrate().assert_failed(
            5,
            "Migration b2 Foreign b2 failed: b2_test.py, line …: RuntimeError: no kettle. "
            "The database is at base now; …",
        )
        assert relations(cluster, database) == []
        assert journal(cluster, database) == ["upgrade a1 failed", "upgrade b2 failed"]

    def test_never_committed(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """Where it forgets to commit, the journal does not say that anything was applied."""
        env = FOREIGN_ENV.replace(
            "    context.configure(",
            '    connection.exec_driver_sql("SELECT 1")\n    context.configure(',
        )
        their = theirs(tmp_path, database_url, env=env)
        their.project.revision("a1")
        their.migrate().assert_failed(5, "The migrations reported success, but …")
        assert journal(cluster, database) == ["upgrade a1 failed"]

    def test_autocommit_block(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """A revision that must be outside of any transaction is refused before it begins."""
        their = theirs(tmp_path, database_url, env=ONE_TRANSACTION_ENV)
        three_revisions(their)
        their.migrate().assert_failed(
            5,
            "Alembic's env.py opens a transaction itself, and b2 Foreign b2 has an "
            "autocommit_block, which needs to be outside of any. Let Alembic open it "
            "(context.begin_transaction()): … Nothing was changed.",
        )
        assert relations(cluster, database) == []

    def test_snapshot(
        self, tmp_path: Path, cluster: Cluster, database: str, database_url: str
    ) -> None:
        """A transaction that sees none of the journal's rows cannot be journalled."""
        env = ONE_TRANSACTION_ENV.replace(
            "    poolclass=", '    isolation_level="REPEATABLE READ",\n    poolclass='
        )
        their = theirs(tmp_path, database_url, env=env)
        their.project.revision("a1")
        their.migrate().assert_failed(
            5,
            "Alembic's env.py opens a transaction itself, and that one is repeatable read. Let "
            "Alembic open it (context.begin_transaction()), or make it read committed. Nothing "
            "was changed.",
        )
        assert relations(cluster, database) == []


def test_secrets_stay_out_of_the_journal(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """An error is kept with its passwords masked."""
    their = theirs(tmp_path, database_url, APP_ENV="test")
    their.project.revision(
        "a1", None, 'raise RuntimeError(f"at {op.get_bind().engine.url.password}")'
    )
    their.migrate().assert_failed(5, "Migration a1 …")
    [(error,)] = cluster.query("SELECT error FROM schema_journal", database)
    assert "RuntimeError: at ***" in str(error)
    assert PASSWORD not in str(error)


@pytest.mark.parametrize("text", ["a\\0b", "\\udcff", "\\u6f22\\u5b57"])
def test_errors_that_are_hard_to_write(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, text: str
) -> None:
    """Whatever an error says, it is said, and its row does not stay running."""
    their = theirs(tmp_path, database_url, APP_ENV="test")
    their.project.revision("a1", None, f'raise RuntimeError("{text}")')
    their.migrate().assert_failed(5, "Migration a1 …")
    assert journal(cluster, database) == ["upgrade a1 failed"]
