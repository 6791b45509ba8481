"""What may be done a second time, as a table."""

import pytest
from hypothesis import given, strategies as st

from alembic_boot.sql.pieces import name_of
from alembic_boot.sql.repetition import again, is_repeatable
from tests.boot.sql.formatting import with_other_strings

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
    'CREATE INDEX CONCURRENTLY IF NOT EXISTS "I" /* ours */ ON t (id)',
    "DROP INDEX CONCURRENTLY IF EXISTS i",
    "REINDEX INDEX CONCURRENTLY i",
    "DROP MATERIALIZED VIEW IF EXISTS v",
    "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TYPE mine.\"the mood\" ADD VALUE IF NOT EXISTS 'sleepy' AFTER 'calm'",
    "CREATE TABLE IF NOT EXISTS t (id int, twice int GENERATED ALWAYS AS (id * 2) STORED)",
    "CREATE TABLE IF NOT EXISTS t AS SELECT id, upper(name) FROM books",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT count(*) FROM books WITH NO DATA",
    "CREATE SEQUENCE IF NOT EXISTS s AS bigint",
    "ALTER TABLE t VALIDATE CONSTRAINT positive",
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int",
    "ALTER TABLE t ALTER COLUMN a SET NOT NULL",
    "ALTER TABLE IF EXISTS ONLY s.t ALTER a SET DEFAULT f(1, 2), ALTER b DROP DEFAULT",
    "ALTER TABLE t DROP COLUMN IF EXISTS a CASCADE, DROP CONSTRAINT IF EXISTS c",
    "SELECT pg_catalog.set_config('search_path', '', false)",
    "SELECT 'it''s', 'C:\\', $$;$$; SELECT 1",
    "COMMENT ON TABLE t IS 'a; b'",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
]

MAY_NOT = [
    "SELECT -- don't forget the archived ones\n move_points('gold')",
    "SELECT /* it's /* nested */ */ move_points('gold')",
    "SELECT E'it\\'s', reduce_stock('x')",
    "SELECT E'a' -- and on\n 'it\\'s', reduce_stock('x')",
    "SELECT $x$ it's $x$, move /* */ ('gold')",
    "SELECT mine.operator_of(1), 2 OPERATOR(mine.+) 3",
    "CREATE TABLE IF NOT EXISTS x AS SELECT move('x')",
    "CREATE TABLE IF NOT EXISTS x AS WITH gone AS (DELETE FROM t RETURNING *) TABLE gone",
    "CREATE TABLE IF NOT EXISTS x AS EXECUTE prepared",
    'CREATE TABLE "IF NOT EXISTS" (id int)',
    "CREATE TABLE t (id int) -- IF NOT EXISTS",
    "CREATE INDEX CONCURRENTLY ON t (id)",
    "DROP INDEX CONCURRENTLY i",
    "ALTER TYPE mood ADD VALUE 'sleepy' AFTER 'calm'",
    "ALTER TABLE a ADD COLUMN p_id int REFERENCES b(id) ON DELETE SET DEFAULT",
    "ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (x) REFERENCES b ON DELETE SET DEFAULT",
    'ALTER TABLE t ADD COLUMN "ADD COLUMN IF NOT EXISTS" int',
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int, ADD COLUMN b int",
    "ALTER TABLE t VALIDATE CONSTRAINT c, RENAME COLUMN a TO b",
    "ALTER TABLE \u0131f EXISTS t",
    "COMMIT PREPARED 'x'",
    "ROLLBACK PREPARED 'x'",
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
    "SELECT " + "a || " * 20_000 + "a",  # a tree that is deeper than the interpreter goes
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
    assert again('/* ours */ DROP INDEX CONCURRENTLY s.by_name, "A" CASCADE') == (
        'DROP INDEX CONCURRENTLY IF EXISTS "s"."by_name", "A" CASCADE'
    )
    assert again("ALTER TYPE mood ADD VALUE 'it''s' BEFORE 'calm'") == (
        "ALTER TYPE \"mood\" ADD VALUE IF NOT EXISTS E'it''s' BEFORE E'calm'"
    )
    assert again("ALTER TYPE mood ADD VALUE 'sleepy'") == (
        "ALTER TYPE \"mood\" ADD VALUE IF NOT EXISTS E'sleepy'"
    )


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'sleepy'",
        "DROP INDEX CONCURRENTLY IF EXISTS by_name",
        "DROP INDEX by_name",
        "ALTER TYPE mood RENAME VALUE 'calm' TO 'sleepy'",
        "DROP INDEX CONCURRENTLY a; DROP INDEX CONCURRENTLY b",
        "INSERT INTO t VALUES ('ALTER TYPE mood ADD VALUE ''sleepy''')",
        "ALTER TYPE mood ADD VALUE %(label)s",
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
        ("SELECT E'it\\'s secret', 'a''b', N'secret', x1", "SELECT …, …, …, x1"),
        ("SELECT 'C:\\', 'secret'", "SELECT …, …"),
        ("DO $do$ BEGIN PERFORM 'secret'; END $do$", "DO …"),
        ("SELECT $$secret$$, 'never closed", "SELECT …, …"),
        ("SELECT $secret$ secret", "SELECT …"),
        (
            "UPDATE a /* don't index */ SET t = 'hunter2' -- it's\n WHERE id = 1",
            "UPDATE a SET t = … WHERE id = …",
        ),
        ("ALTER ROLE a PASSWORD E'\\'secret'", "ALTER ROLE a PASSWORD …"),
        ("SELECT \"a \"\"b\", U&'secret', x'5ec' ;", 'SELECT "a ""b", …, …'),
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


SHORT = [statement for statement in MAY + MAY_NOT if len(statement) < 200]


@given(st.sampled_from(SHORT), st.data())
def test_comments_and_strings_change_nothing(statement: str, data: st.DataObject) -> None:
    """The texts of strings and comments change no answer, wherever a comment stands."""
    assert is_repeatable(with_other_strings(data, statement)) is is_repeatable(statement)


@given(st.sampled_from(SHORT), st.data())
def test_no_string_is_in_a_name(statement: str, data: st.DataObject) -> None:
    """However a string is quoted, and whatever the comments around it say."""
    assert "s3cret" not in name_of(with_other_strings(data, statement, "s3cret"))
