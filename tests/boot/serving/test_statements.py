"""Statements that the schema has to fit: planned by a real server, and never run."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from alembic_boot.serving.planning import explained, shape_of
from alembic_boot.serving.statements import Statements

UNDEFINED_TABLE, UNDEFINED_COLUMN = "42P01", "42703"
INSERT = "INSERT INTO books (id, title) VALUES (%(id)s::UUID, %(title)s)"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1", "EXPLAIN SELECT 1"),
        ("SELECT %(id_1)s::UUID, %(a b)s", "EXPLAIN SELECT NULL::UUID, NULL"),
        ("SELECT %s LIMIT %s", "EXPLAIN SELECT NULL LIMIT NULL"),
        ("SELECT 5 %% 2, '%%s', '%%(id)s'", "EXPLAIN SELECT 5 % 2, '%s', '%(id)s'"),
        ("SELECT '100%%%(id)s'", "EXPLAIN SELECT '100%NULL'"),
    ],
)
def test_no_value_is_needed(statement: str, expected: str) -> None:
    assert explained(statement) == expected


def test_of_a_value_only_the_type_is_kept() -> None:
    values = {"a": True, "b": 7, "c": "secret", "d": None}
    assert explained("%(a)s %(b)s %(c)s %(d)s %(e)s", values) == (
        "EXPLAIN CAST(NULL AS boolean) CAST(NULL AS integer) NULL NULL NULL"
    )


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(database_url)) as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE TABLE books (id uuid, title text)")
        yield connection


def test_what_is_needed_is_looked_at_each_time(connection: Connection) -> None:
    """Nothing has to fail first, and it comes back when the schema does."""
    statements = Statements(["SELECT id FROM books", "SELECT id, title FROM books"])
    found = []
    for change in (
        "SELECT",
        "ALTER TABLE books RENAME title TO name",
        "ALTER TABLE books RENAME name TO title",
    ):
        connection.cursor().execute(change)
        found.append(statements.why_unfit(connection))
    assert (found[0], found[2]) == (None, None)
    assert found[1] == (
        'Requests fail on this schema: column "title" does not exist (42703). If a model was '
        'changed, write its revision: `inv revision --message "what changed"`. If the schema was, '
        "put back what it has lost."
    )


def test_a_failure_lasts_as_long_as_its_cause(connection: Connection) -> None:
    """The statement is planned again, and nothing is inserted by that."""
    statements = Statements()
    connection.cursor().execute("ALTER TABLE books RENAME TO scrolls")
    statements.note_failed(INSERT, UNDEFINED_TABLE)
    for _ in range(2):
        assert "(42P01)" in (statements.why_unfit(connection) or "")
    connection.cursor().execute("ALTER TABLE scrolls RENAME TO books")
    for _ in range(2):
        assert statements.why_unfit(connection) is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM books")
        assert cursor.fetchone() == (0,)


def test_a_column_of_another_type(connection: Connection) -> None:
    """That the statement fails, the types of its parameters alone may say."""
    statements = Statements()
    for kind, is_unfit in (("int", True), ("boolean", False)):
        connection.cursor().execute(
            f"DROP TABLE books; CREATE TABLE books (id uuid, is_new {kind})"
        )
        insert = "INSERT INTO books (is_new) VALUES (%(is_new)s)"
        statements.note_failed(insert, "42804", {"is_new": True})
        assert (statements.why_unfit(connection) is not None) is is_unfit


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        # Failed for what a client has sent: the schema has all that is in it.
        (INSERT, UNDEFINED_TABLE),
        # Fails without its parameters in a way of its own.
        ("SELECT title FROM books WHERE %(a)s = ANY (array_append(%(b)s, %(c)s))", "42804"),
        # EXPLAIN does not take it.
        ("SAVEPOINT one", UNDEFINED_COLUMN),
    ],
)
def test_what_the_schema_fits_is_forgotten(
    connection: Connection, statement: str, sqlstate: str
) -> None:
    statements = Statements()
    statements.note_failed(statement, sqlstate)
    assert statements.why_unfit(connection) is None


def test_a_table_that_is_locked(connection: Connection, database_url: str) -> None:
    """Nobody knows then: what has failed has not come back, and what is needed is not gone."""
    statements = Statements(["SELECT id FROM books"])
    with closing(psycopg2.connect(database_url)) as other:
        other.cursor().execute("LOCK books")
        assert statements.why_unfit(connection) is None
        statements.note_failed("SELECT nothing FROM books", UNDEFINED_COLUMN)
        assert "locked" in (statements.why_unfit(connection) or "")
    assert '"nothing"' in (statements.why_unfit(connection) or "")


def test_only_so_many_are_kept(connection: Connection) -> None:
    """However many fail, a probe does the same small work."""
    statements = Statements()
    for number in range(1000):
        statements.note_failed(f"SELECT c{number} FROM books", UNDEFINED_COLUMN)
    assert len(statements._failed) == 8
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE books " + ", ".join(f"ADD c{n} int" for n in range(8)))
    assert statements.why_unfit(connection) is None


def test_what_fails_only_when_it_runs(connection: Connection) -> None:
    """It counts until it works, or until requests have to be let in to try again."""
    now = [0.0]
    statements = Statements(clock=lambda: now[0])

    def why() -> str | None:
        return statements.why_unfit(connection)

    statements.note_failed_run(INSERT, "23502", 'column "x" is null')
    assert why() == (
        'Requests fail on this schema: column "x" is null (23502). If a model was '
        'changed, write its revision: `inv revision --message "what changed"`. If the schema was, '
        "put back what it has lost."
    )
    statements.note_worked("SELECT 1")
    assert why() is not None
    statements.note_worked(INSERT)
    assert why() is None
    statements.note_failed_run("DELETE FROM books", "42501", "a function may not do that")
    assert "GRANT" in (why() or "")
    now[0] += 60
    assert why() is None


def test_failed_runs_are_bounded(connection: Connection) -> None:
    """A few are enough not to be ready."""
    statements = Statements()
    for number in range(1000):
        statements.note_failed_run(f"SELECT {number}", "23502", str(number))
    for number in range(100):
        statements.note_worked(f"SELECT {number}")
    assert statements.why_unfit(connection) is None


REFUSED = ("42501", "new row violates a policy")


def test_what_works_for_others_keeps_no_replica_out(connection: Connection) -> None:
    """A client repeats what a trigger refuses to it; readiness says that, and stays."""
    now = [0.0]
    statements = Statements(clock=lambda: now[0])
    statements.note_worked(INSERT)
    noted = statements.noted
    for _ in range(3):
        statements.note_failed_run(INSERT, *REFUSED)
    assert statements.why_unfit(connection) is None
    assert statements.noted == noted
    assert statements.doubt() == (
        "Some requests fail, and others like them do not: new row violates a policy (42501). "
        "Look at the functions, triggers and policies of the table."
    )
    now[0] += 30
    assert statements.doubt() is None


def test_one_success_ends_it(connection: Connection) -> None:
    """Though the client that is refused was the first."""
    statements = Statements()
    statements.note_failed_run(INSERT, *REFUSED)
    assert statements.why_unfit(connection) is not None
    statements.note_worked(INSERT)
    statements.note_failed_run(INSERT, *REFUSED)
    assert statements.why_unfit(connection) is None


def test_what_fails_for_everybody_counts_at_once(connection: Connection) -> None:
    """As without a value for a column that the models do not have."""
    statements = Statements()
    statements.note_worked(INSERT)
    statements.note_failed_run(INSERT, "23502", "null value", is_certain=True)
    assert statements.why_unfit(connection) is not None


def test_what_has_worked_on_another_revision(connection: Connection) -> None:
    """A migration may have brought the trigger that refuses everything."""
    statements = Statements()
    statements.note_revision(("001",))
    statements.note_worked(INSERT)
    statements.note_revision(("001",))
    statements.note_failed_run(INSERT, *REFUSED)
    assert statements.why_unfit(connection) is None
    statements.note_revision(("002",))
    statements.note_failed_run(INSERT, *REFUSED)
    assert statements.why_unfit(connection) is not None


def rows(count: int) -> str:
    """Return the statement that SQLAlchemy writes for so many rows."""
    values = ", ".join(f"(%(id__{n})s::UUID, %(title__{n})s, {n})" for n in range(count))
    return (
        "INSERT INTO books (id, title) SELECT p0::UUID, p1::VARCHAR FROM (VALUES "
        f"{values}) AS imp_sen(p0, p1, sen_counter) ORDER BY sen_counter RETURNING books.id"
    )


def test_the_number_of_rows_is_the_clients() -> None:
    """Else each number would be a statement that has never worked."""
    assert shape_of(rows(1)) == shape_of(rows(7))
    assert shape_of(rows(1)) != shape_of(INSERT)


@pytest.mark.slow
def test_what_has_worked_is_bounded() -> None:
    """However many there are: then it begins anew."""
    statements = Statements()
    for number in range(5_000):
        statements.note_worked(f"SELECT {number}")
    assert len(statements._worked) <= 4096
