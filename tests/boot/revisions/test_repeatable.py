"""What may be done a second time, as a table."""

import pytest

from backend.boot.revisions.repeatable import again, is_repeatable, name_of

MAY = [
    "SELECT 1",
    "select count(*) from books where title = 'INSERT'",
    "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class WHERE pg_table_is_visible(oid)",
    "SELECT to_regclass('books'), pg_catalog.pg_get_indexdef(1), has_table_privilege('t', 'x')",
    'SELECT 1 FROM "books" WHERE id IN (1)',
    "EXPLAIN UPDATE t SET a = a + 1",
    "SET LOCAL lock_timeout = '1s'",
    "COMMIT",
    "COMMIT; BEGIN;",
    "-- a word\n/* and\nanother */ VACUUM books",
    "CREATE TABLE IF NOT EXISTS t (id int)",
    "CREATE UNIQUE INDEX IF NOT EXISTS i ON t (id)",
    "CREATE UNIQUE INDEX CONCURRENTLY i ON t (id)",
    "DROP INDEX CONCURRENTLY i",
    "DROP MATERIALIZED VIEW IF EXISTS v",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TYPE mood ADD VALUE 'sleepy' AFTER 'calm'",
    "ALTER TABLE t VALIDATE CONSTRAINT positive",
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int",
    "ALTER TABLE t ALTER COLUMN a SET NOT NULL",
    "COMMENT ON TABLE t IS 'a; b'",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
]

MAY_NOT = [
    "SELECT setval('s', 1)",
    "SELECT fill_books()",
    "SELECT 1 INTO t",
    "WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
    "UPDATE t SET a = a + 1",
    "CREATE TABLE t (id int)",
    "CREATE TABLE t (a text DEFAULT 'IF NOT EXISTS')",
    "ALTER TABLE t ADD COLUMN a int",
    "ALTER TABLE IF EXISTS t ADD COLUMN a int",
    "ALTER TABLE t ALTER COLUMN a SET NOT NULL, ADD COLUMN b int",
    "ALTER TABLE t ALTER COLUMN a TYPE int USING a * 2",
    "CREATE TABLE IF NOT EXISTS t (id int); INSERT INTO t VALUES (1)",
    "TRUNCATE t",
    "DO $$ BEGIN END $$",
    "CALL fill()",
    "SELECT to_cents()",
    "SELECT format_all()",
    "SELECT array_agg_into_books(1)",
    "SELECT pg_get_paid()",
    "SELECT mine.to_char(now(), 'x')",
    'SELECT "Bump"()',
    'SELECT mine."Bump" ()',
    'SELECT "a ""b"()',
    "EXPLAIN ANALYZE UPDATE t SET a = a + 1",
    "EXPLAIN (VERBOSE, analyse) UPDATE t SET a = a + 1",
    "",
    "COPY t FROM STDIN",
]


@pytest.mark.parametrize("statement", MAY)
def test_may_be_repeated(statement: str) -> None:
    """What does nothing, or no harm, where it was done before."""
    assert is_repeatable(statement)


@pytest.mark.parametrize("statement", MAY_NOT)
def test_may_not_be_repeated(statement: str) -> None:
    """Whatever else there is."""
    assert not is_repeatable(statement)


def test_again() -> None:
    """What has been done is not missed, and not an error."""
    added = "ALTER TYPE mood ADD VALUE {}'sleepy'"
    dropped = "/* ours */ DROP INDEX CONCURRENTLY {}by_name"
    assert again(added.format("")) == added.format("IF NOT EXISTS ")
    assert again(dropped.format("")) == dropped.format("IF EXISTS ")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'sleepy'",
        "DROP INDEX CONCURRENTLY IF EXISTS by_name",
        "DROP INDEX by_name",
        "INSERT INTO t VALUES ('ALTER TYPE mood ADD VALUE ''sleepy''')",
    ],
)
def test_what_is_the_same_again(statement: str) -> None:
    """All else is left as it is."""
    assert again(statement) == statement


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        (
            "/* x */ INSERT INTO users(name)\n VALUES ('secret')",
            "INSERT INTO users(name) VALUES (…)",
        ),
        ("SELECT 'secret', 17, 1.5;", "SELECT …, …, …"),
        ("SELECT E'it\\'s secret', 'a''b', N'secret', x1", "SELECT …, …, N…, x1"),
        ("SELECT 'C:\\', 'secret'", "SELECT …, …"),
        ("DO $do$ BEGIN PERFORM 'secret'; END $do$", "DO …"),
        ("SELECT $$secret$$, 'never closed", "SELECT …,"),
        ("UPDATE books SET title = trim(title)", "UPDATE books SET title = trim(title)"),
    ],
)
def test_names_have_no_values(statement: str, name: str) -> None:
    """They are kept, and logged."""
    assert name_of(statement) == name


def test_long_names_are_cut() -> None:
    """What is left tells which it was."""
    name = name_of(f"UPDATE books\n   SET title = {'trim(' * 30}title{')' * 30}")
    assert name.startswith("UPDATE books SET title = trim(trim(")
    assert (len(name), name[-1]) == (80, "…")
