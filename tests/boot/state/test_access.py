"""Whether a role sees every row of a table: by row level security's own facts, and as it reads."""

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import LoginRefusedError, RowsHiddenError
from alembic_boot.state.access import Barrier, asking, barriers, why_not_writable
from alembic_boot.state.facts import read_current, read_facts
from alembic_boot.state.journal import Journal
from alembic_boot.state.journal_queries import CREATE
from tests.cluster import OWNER, PASSWORD, Cluster

TABLE = VersionTable("alembic_version", "public")

FORCED = (
    f'Row level security may hide rows of "public"."alembic_version" from the role {OWNER}. '
    'Run `ALTER TABLE "public"."alembic_version" NO FORCE ROW LEVEL SECURITY` as that role, or '
    f'`ALTER ROLE "{OWNER}" BYPASSRLS` as a superuser.'
)

ENABLE = "ALTER TABLE alembic_version ENABLE ROW LEVEL SECURITY"
FORCE = f"{ENABLE}; ALTER TABLE alembic_version FORCE ROW LEVEL SECURITY"
POLICY = "CREATE POLICY p ON alembic_version"


@pytest.mark.parametrize(
    ("permissive", "restrictive", "rows", "expected"),
    [
        ("", "", 0, True),
        ("r all", "", 0, False),
        ("* all", "", 0, False),
        ("* all", "", 2, False),
        ("a all", "", 0, True),  # for INSERT alone
        ("r all or none", "", 0, True),
        ("r all or none", "", 1, False),
        ("r some", "", 0, True),
        ("r some", "", 1, True),
        ("r some, r all", "", 1, False),
        ("r all or none, r some", "", 1, True),
        ("r all", "r some", 1, True),
        ("r all", "r all or none", 1, False),
        ("r all", "r all or none", 0, True),
        ("r all", "r all", 0, False),
        ("r all", "w some", 0, False),
    ],
)
def test_which_policies_hide(permissive: str, restrictive: str, rows: int, expected: bool) -> None:
    """One permissive policy for all rows suffices; a restrictive one can take some away again."""

    def read(text: str) -> tuple[tuple[str, str], ...]:
        lines = filter(None, text.split(", "))
        return tuple((line[0], line[2:]) for line in lines)

    barrier = Barrier("s", "t", "r", False, read(permissive), read(restrictive))
    assert barrier.hides(rows) is expected


@pytest.fixture
def reader(cluster: Cluster, database: str) -> Iterator[str]:
    """Give the name of a role that may read what the owner makes, in a database with a revision."""
    name = f"reader_{uuid4().hex[:8]}"
    cluster.execute(
        f"""SET ROLE {OWNER};
        CREATE TABLE alembic_version (version_num text PRIMARY KEY);
        INSERT INTO alembic_version VALUES ('001'), ('002')""",
        database,
    )
    cluster.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'reader'")
    cluster.execute(f"GRANT SELECT ON alembic_version TO {name}", database)
    yield name
    cluster.execute(f"DROP OWNED BY {name}", database)
    cluster.execute(f"DROP ROLE {name}")


def connected(cluster: Cluster, database: str, role: str) -> "closing[Connection]":
    url = cluster.url(database, role, PASSWORD if role == OWNER else "reader")
    connection = psycopg2.connect(url)
    connection.autocommit = True
    return closing(connection)


def read(cluster: Cluster, database: str, role: str) -> tuple[str, ...] | str:
    """Return the revisions that a role reads, or the refusal."""
    with connected(cluster, database, role) as connection:
        try:
            return read_facts(connection, VersionTable()).current
        except LoginRefusedError as refusal:
            return str(refusal)


def follow(cluster: Cluster, database: str, refusal: tuple[str, ...] | str) -> None:
    """Type the first statement that a refusal advises."""
    assert isinstance(refusal, str)
    cluster.execute(refusal.split("`")[1], database)


@pytest.mark.parametrize(
    "statements",
    [
        ENABLE,
        f"{ENABLE}; {POLICY} FOR INSERT WITH CHECK (true)",
        f"{ENABLE}; {POLICY} TO {OWNER} USING (true)",
        f"{ENABLE}; {POLICY} USING (false)",
        f"{ENABLE}; {POLICY} USING (current_user = 'somebody')",
        f"{ENABLE}; {POLICY} USING (version_num = '001')",
        f"{ENABLE}; {POLICY} USING (version_num = 'none')",
        "REVOKE SELECT ON alembic_version FROM {reader}",
        "REVOKE USAGE ON SCHEMA public FROM public",
    ],
)
def test_rows_that_a_role_does_not_see(
    cluster: Cluster, database: str, reader: str, statements: str
) -> None:
    """None and some are refused alike, naming what helps; typed as it stands, it does help."""
    cluster.execute(statements.format(reader=reader), database)
    refusal = read(cluster, database, reader)
    assert isinstance(refusal, str) and reader in refusal
    follow(cluster, database, refusal)
    assert read(cluster, database, reader) == ("001", "002")


def test_readiness_names_the_kind(cluster: Cluster, database: str, reader: str) -> None:
    """It names no role and no table, but says that rows are hidden, and not that a right lacks."""
    cluster.execute(ENABLE.format(reader=reader), database)
    with (
        connected(cluster, database, reader) as connection,
        pytest.raises(RowsHiddenError) as refusal,
    ):
        read_facts(connection, VersionTable())
    assert refusal.value.words.startswith("Row level security ")


@pytest.mark.parametrize(
    "statements",
    [
        f"{ENABLE}; {POLICY} USING (true)",
        f"{ENABLE}; {POLICY} FOR SELECT TO {{reader}} USING (true)",
        f"{ENABLE}; {POLICY} USING (version_num = '001'); "
        "CREATE POLICY q ON alembic_version USING (true)",
        f"{ENABLE}; {POLICY} USING (current_user = '{{reader}}')",
        f"{ENABLE}; ALTER ROLE {{reader}} BYPASSRLS",
        f"{ENABLE}; ALTER ROLE {{reader}} SET row_security = off; {POLICY} USING (true)",
        "REVOKE SELECT ON alembic_version FROM {reader}; "
        "GRANT SELECT (version_num) ON alembic_version TO {reader}",
    ],
)
def test_rows_that_a_role_sees(
    cluster: Cluster, database: str, reader: str, statements: str
) -> None:
    """A policy that shows all rows, a role that is above it, and a column's own right."""
    cluster.execute(statements.format(reader=reader), database)
    assert read(cluster, database, reader) == ("001", "002")


def test_the_owner(cluster: Cluster, database: str, reader: str) -> None:
    """Its own tables hide nothing from the owner, unless they are forced to; then it says so."""
    cluster.execute(ENABLE, database)
    assert read(cluster, database, OWNER) == ("001", "002")
    cluster.execute(FORCE, database)
    assert read(cluster, database, OWNER) == FORCED
    follow(cluster, database, FORCED)
    assert read(cluster, database, OWNER) == ("001", "002")
    cluster.execute(FORCE, database)
    cluster.execute(f"GRANT {OWNER} TO {reader}", database)
    assert reader in read(cluster, database, reader)


def test_a_restrictive_policy(cluster: Cluster, database: str, reader: str) -> None:
    """One more policy would not help against it, so none is advised."""
    cluster.execute(
        f"{ENABLE}; {POLICY} USING (true);"
        "CREATE POLICY q ON alembic_version AS RESTRICTIVE USING (version_num < '002')",
        database,
    )
    refusal = str(read(cluster, database, reader))
    assert refusal.endswith(f'{reader}. Run `ALTER ROLE "{reader}" BYPASSRLS` as a superuser.')
    follow(cluster, database, refusal)
    assert read(cluster, database, reader) == ("001", "002")


def test_a_view_in_its_place(cluster: Cluster, database: str, reader: str) -> None:
    """What a view hides is what the table behind it hides from the view's owner."""
    cluster.execute(
        f"""ALTER TABLE alembic_version RENAME TO versions;
        CREATE VIEW alembic_version AS SELECT version_num FROM versions;
        GRANT SELECT ON alembic_version TO {reader};
        ALTER TABLE versions ENABLE ROW LEVEL SECURITY""",
        database,
    )
    assert read(cluster, database, reader) == ("001", "002")  # a superuser's view
    cluster.execute("ALTER VIEW alembic_version SET (security_invoker = true)", database)
    refusal = read(cluster, database, reader)
    assert isinstance(refusal, str) and '"public"."versions"' in refusal
    follow(cluster, database, refusal)
    assert read(cluster, database, reader) == ("001", "002")


def test_the_journal(cluster: Cluster, database: str, reader: str) -> None:
    """A journal of which rows are hidden is not taken for one without them."""
    cluster.execute(
        f"SET ROLE {OWNER}; {CREATE.format(journal='schema_journal')};"
        f"GRANT SELECT ON schema_journal TO {reader}",
        database,
    )
    with connected(cluster, database, reader) as connection:
        assert Journal(TABLE).why_unseen(connection) is None
        cluster.execute("ALTER TABLE schema_journal ENABLE ROW LEVEL SECURITY", database)
        refusal = Journal(TABLE).why_unseen(connection)
        assert str(read_facts(connection, TABLE).journal_refusal) == str(refusal)
        follow(cluster, database, str(refusal))
        assert Journal(TABLE).why_unseen(connection) is None
        cluster.execute(f"REVOKE SELECT ON schema_journal FROM {reader}", database)
        assert str(Journal(TABLE).why_unseen(connection)) == (
            f'The role {reader} may not read "public"."schema_journal". '
            f'Run `GRANT SELECT ON "public"."schema_journal" TO "{reader}"` '
            "as the table's owner."
        )


def test_what_the_server_says(cluster: Cluster, database: str, reader: str) -> None:
    """The facts are PostgreSQL's own: it says the same of each of these tables."""
    cluster.execute(FORCE, database)
    for role in (OWNER, reader):
        with connected(cluster, database, role) as connection:
            ask = asking(connection)
            active = ask("SELECT row_security_active('alembic_version')")
            assert active is bool(barriers(ask, "alembic_version"))


def test_writing(cluster: Cluster, database: str, reader: str) -> None:
    """A role that may read and not write is told before it changes anything."""
    cluster.execute(f"{ENABLE}; {POLICY} FOR SELECT USING (true)", database)
    with connected(cluster, database, reader) as connection:
        ask = asking(connection)
        assert read_current(connection, TABLE) == ("001", "002")
        refusal = str(why_not_writable(ask, str(TABLE)))
        assert refusal.startswith(
            f'Row level security keeps the role {reader} from writing "public"."alembic_version". '
        )
        follow(cluster, database, refusal)
        assert why_not_writable(ask, str(TABLE)) is None
