"""What is read from a database: the recorded revisions, and the tables that people made."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from psycopg2 import errors
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, connection as Connection

from alembic_boot.environment.version_table import VersionTable
from alembic_boot.errors import LoginRefusedError
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import parse_database_url
from alembic_boot.state import facts
from alembic_boot.state.facts import read_facts
from alembic_boot.state.inspection import NO_DATABASE, DatabaseFacts
from alembic_boot.state.tables import list_tables
from tests.cluster import OWNER, Cluster

DEFAULT = VersionTable()


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """Give the owner's connection to an empty database."""
    with connected(parse_database_url(database_url)) as opened:
        yield opened


def run(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.cursor().execute(statement)


VERSION_TABLE = "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"


class TestRevisions:
    def test_an_empty_database(self, connection: Connection) -> None:
        """A database without any table has no revision, like one that is yet to be made."""
        assert read_facts(connection, DEFAULT) == NO_DATABASE

    def test_an_empty_version_table(self, connection: Connection) -> None:
        """A version table without rows, as after a downgrade to base, says nothing either."""
        run(connection, VERSION_TABLE)
        assert read_facts(connection, DEFAULT) == NO_DATABASE

    def test_no_version_table(self, connection: Connection) -> None:
        """Tables without a version table are tables without a revision."""
        run(connection, "CREATE TABLE books ()")
        assert DatabaseFacts((), ("books",)) == read_facts(connection, DEFAULT)

    def test_rows_are_sorted(self, connection: Connection) -> None:
        """The order in which the rows were written does not matter."""
        run(connection, VERSION_TABLE, "INSERT INTO alembic_version VALUES ('b'), ('a'), ('c')")
        assert DatabaseFacts(("a", "b", "c"), ()) == read_facts(connection, DEFAULT)

    @pytest.mark.parametrize(
        "version_table",
        [
            VersionTable("alembic_version", "records"),
            VersionTable("my versions", "records"),
            VersionTable('"quoted"', None),
        ],
    )
    def test_where_env_py_keeps_them(
        self, connection: Connection, version_table: VersionTable
    ) -> None:
        """Name and schema of the version table are those that the project says."""
        schema = version_table.schema or "public"
        name = version_table.name.replace('"', '""')
        run(
            connection,
            f"CREATE SCHEMA IF NOT EXISTS {schema}",
            f'CREATE TABLE {schema}."{name}" (version_num text)',
            f"INSERT INTO {schema}.\"{name}\" VALUES ('005')",
            "CREATE TABLE books ()",
        )
        assert DatabaseFacts(("005",), ()) == read_facts(connection, version_table)
        assert list_tables(connection, version_table) == ("books",)

    @pytest.mark.parametrize("schema", ["records", None])
    def test_a_schema_or_table_that_is_missing(
        self, connection: Connection, schema: str | None
    ) -> None:
        """Neither the schema nor the table has to be there."""
        assert read_facts(connection, VersionTable("versions", schema)) == NO_DATABASE

    def test_a_namesake_is_a_table_like_others(self, connection: Connection) -> None:
        """Where the project records in a schema of its own, `alembic_version` is people's own."""
        run(connection, VERSION_TABLE, "INSERT INTO alembic_version VALUES ('001')")
        expected = DatabaseFacts((), ("alembic_version",))
        assert expected == read_facts(connection, VersionTable("alembic_version", "records"))

    def test_a_version_table_that_may_not_be_read(
        self, cluster: Cluster, database: str, connection: Connection
    ) -> None:
        """A role without the right to read it gets an error, not an empty answer."""
        cluster.execute("CREATE TABLE alembic_version (version_num text)", database)
        with pytest.raises(LoginRefusedError) as caught:
            read_facts(connection, DEFAULT)
        expected = (
            f'The role {OWNER} may not read "public"."alembic_version". Run `GRANT SELECT ON '
            f'"public"."alembic_version" TO "{OWNER}"` as the table\'s owner.'
        )
        assert expected == str(caught.value)

    def test_a_failed_look(self, connection: Connection, monkeypatch: Any) -> None:
        """Whatever fails, the transaction ends: a pool may lend the connection to a request."""

        def fails(*_: object) -> None:
            run(connection, "SELECT 1 / 0")

        monkeypatch.setattr(facts, "counted_tables", fails)
        with pytest.raises(errors.DivisionByZero):
            read_facts(connection, DEFAULT)
        assert connection.info.transaction_status == TRANSACTION_STATUS_IDLE

    def test_one_moment(
        self, connection: Connection, database: str, cluster: Cluster, monkeypatch: Any
    ) -> None:
        """What another one commits between two of the looks is seen by neither."""
        look = facts.read_current

        def look_and_be_overtaken(*arguments: Any) -> Any:
            found = look(*arguments)
            cluster.execute("CREATE TABLE alembic_version (version_num text)", database)
            cluster.execute("INSERT INTO alembic_version VALUES ('001')", database)
            cluster.execute("CREATE TABLE books ()", database)
            return found

        monkeypatch.setattr(facts, "read_current", look_and_be_overtaken)
        assert read_facts(connection, DEFAULT) == NO_DATABASE


class TestTables:
    @pytest.mark.parametrize(
        ("statements", "expected"),
        [
            (["CREATE TABLE books ()"], ("books",)),
            (['CREATE TABLE "My Books" ()'], ("My Books",)),
            (["CREATE UNLOGGED TABLE books ()"], ("books",)),
            (["CREATE TEMPORARY TABLE books ()"], ()),
            (["CREATE TABLE schema_journal ()"], ()),
            ([VERSION_TABLE], ()),
            # what is no table
            (
                [
                    "CREATE VIEW a AS SELECT 1 AS x",
                    "CREATE MATERIALIZED VIEW b AS SELECT 1 AS x",
                    "CREATE SEQUENCE c",
                    "CREATE TYPE d AS (x integer)",
                    "CREATE FUNCTION e() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
                ],
                (),
            ),
            # partitions stand behind their parent
            (
                [
                    "CREATE TABLE pages (number integer) PARTITION BY RANGE (number)",
                    "CREATE TABLE pages_1 PARTITION OF pages FOR VALUES FROM (1) TO (10)",
                    "CREATE TABLE pages_rest PARTITION OF pages DEFAULT PARTITION BY LIST (number)",
                    "CREATE TABLE pages_rest_1 PARTITION OF pages_rest FOR VALUES IN (10)",
                ],
                ("pages",),
            ),
            # heirs are tables of their own
            (["CREATE TABLE a ()", "CREATE TABLE b () INHERITS (a)"], ("a", "b")),
            # schemas
            (["CREATE SCHEMA other", "CREATE TABLE other.books ()"], ()),
            (
                [
                    f"CREATE SCHEMA {OWNER}",
                    f"CREATE TABLE {OWNER}.mine ()",
                    "CREATE TABLE public.ours ()",
                ],
                ("mine", "ours"),
            ),
        ],
    )
    def test_what_counts(
        self, connection: Connection, statements: list[str], expected: tuple[str, ...]
    ) -> None:
        """Permanent tables of the schemas on the search_path count; partitions do not."""
        run(connection, *statements)
        assert expected == read_facts(connection, DEFAULT).tables
        assert sorted(expected) == sorted(list_tables(connection, DEFAULT))

    @pytest.mark.parametrize(
        ("search_path", "expected"), [("other, public", ("books", "users")), ("nowhere", ())]
    )
    def test_search_path(
        self,
        cluster: Cluster,
        database: str,
        database_url: str,
        search_path: str,
        expected: tuple[str, ...],
    ) -> None:
        """What counts lies where the database leads, not where others have led the session."""
        for statement in (
            "CREATE SCHEMA other",
            "CREATE TABLE other.books ()",
            "CREATE TABLE users ()",
            "CREATE SCHEMA astray",
            "CREATE TABLE astray.strays ()",
            f"ALTER DATABASE {database} SET search_path = {search_path}",
            f"GRANT USAGE ON SCHEMA other, astray TO {OWNER}",
        ):
            cluster.execute(statement, database)
        with connected(parse_database_url(database_url)) as connection:
            assert expected == read_facts(connection, DEFAULT).tables
            run(connection, "SET search_path = astray")
            assert expected == read_facts(connection, DEFAULT).tables

    def test_an_extensions_own_do_not_count(
        self, cluster: Cluster, database: str, connection: Connection
    ) -> None:
        """A database with nothing but an extension's tables is as good as empty."""
        cluster.execute("CREATE TABLE public.spatial_ref_sys ()", database)
        assert read_facts(connection, DEFAULT).tables == ("spatial_ref_sys",)
        cluster.execute("ALTER EXTENSION plpgsql ADD TABLE public.spatial_ref_sys", database)
        assert read_facts(connection, DEFAULT) == NO_DATABASE
        assert list_tables(connection, DEFAULT) == ()

    def test_other_peoples_tables_count(
        self, cluster: Cluster, database: str, connection: Connection
    ) -> None:
        """Tables that the role may not even read are there all the same."""
        cluster.execute("CREATE TABLE public.secret ()", database)
        assert read_facts(connection, DEFAULT).tables == ("secret",)

    def test_foreign_tables_count(
        self, cluster: Cluster, database: str, connection: Connection
    ) -> None:
        """A table of another server is a table here."""
        for statement in (
            "CREATE FOREIGN DATA WRAPPER nothing",
            "CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing",
            "CREATE FOREIGN TABLE far (id integer) SERVER elsewhere",
        ):
            cluster.execute(statement, database)
        assert read_facts(connection, DEFAULT).tables == ("far",)


class TestOrder:
    @pytest.mark.parametrize(
        ("statements", "expected"),
        [
            ([], ()),
            (
                [
                    "CREATE TABLE z (id integer PRIMARY KEY)",
                    "CREATE TABLE m (id integer PRIMARY KEY, z integer REFERENCES z)",
                    "CREATE TABLE a (id integer PRIMARY KEY, m integer REFERENCES m)",
                ],
                ("z", "m", "a"),
            ),
            # among equals the wider one, then the name
            (["CREATE TABLE a (x int)", "CREATE TABLE b (x int, y int)"], ("b", "a")),
            (["CREATE TABLE b (x int)", "CREATE TABLE a (x int)"], ("a", "b")),
            # to itself
            (
                ["CREATE TABLE trees (id integer PRIMARY KEY, up integer REFERENCES trees)"],
                ("trees",),
            ),
            # in a circle, with one that hangs on it
            (
                [
                    "CREATE TABLE a (id integer PRIMARY KEY, b integer)",
                    "CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a)",
                    "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b",
                    "CREATE TABLE c (id integer PRIMARY KEY, a integer REFERENCES a, x int, y int)",
                ],
                ("a", "b", "c"),
            ),
            # a parent outside of the search_path does not count
            (
                [
                    "CREATE SCHEMA other",
                    "CREATE TABLE other.parents (id integer PRIMARY KEY)",
                    "CREATE TABLE kids (id integer REFERENCES other.parents)",
                ],
                ("kids",),
            ),
            # the reference of a partitioned table
            (
                [
                    "CREATE TABLE z (id integer PRIMARY KEY)",
                    "CREATE TABLE a (z integer REFERENCES z, x integer) PARTITION BY LIST (x)",
                    "CREATE TABLE a_1 PARTITION OF a FOR VALUES IN (1)",
                ],
                ("z", "a"),
            ),
        ],
    )
    def test_parents_come_first(
        self, connection: Connection, statements: list[str], expected: tuple[str, ...]
    ) -> None:
        """A table is listed after those that it refers to, as far as that is possible."""
        run(connection, *statements)
        assert expected == list_tables(connection, DEFAULT)

    @settings(
        deadline=None,
        max_examples=10,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8))
    def test_in_any_tangle(self, connection: Connection, references: set[tuple[int, int]]) -> None:
        """Whatever refers to what: all are listed once, and without a circle parents are first."""
        names = [f"t{number}" for number in range(6)]
        # Only from higher numbers to lower ones: no circle, whose order would mean nothing.
        wanted = {(max(pair), min(pair)) for pair in references if pair[0] != pair[1]}
        connection.autocommit = False
        try:
            run(connection, *(f"CREATE TABLE {name} (id int PRIMARY KEY)" for name in names))
            run(
                connection,
                *(
                    f"ALTER TABLE t{child} ADD FOREIGN KEY (id) REFERENCES t{parent}"
                    for child, parent in sorted(wanted)
                ),
            )
            found = list_tables(connection, DEFAULT)
        finally:
            connection.rollback()
        assert names == sorted(found)
        position = {name: index for index, name in enumerate(found)}
        assert [
            (child, parent)
            for child, parent in wanted
            if position[f"t{child}"] < position[f"t{parent}"]
        ] == []


def test_a_version_table_that_is_not_in_the_first_schema(
    cluster: Cluster, database: str, database_url: str
) -> None:
    """Wherever on the search_path it is found, it is no table of people's own."""
    cluster.execute(
        f"""SET ROLE {OWNER};
        CREATE TABLE alembic_version (version_num text);
        CREATE SCHEMA app; ALTER DATABASE {database} SET search_path = app, public""",
        database,
    )
    with connected(parse_database_url(database_url)) as connection:
        assert read_facts(connection, VersionTable()) == NO_DATABASE
