"""The questions about a statement, as tables. Formatting changes no answer."""

from typing import NamedTuple

import pytest
from hypothesis import given, strategies as st

from alembic_boot.sql.reach import Reach, Reaches
from alembic_boot.sql.repetition import is_repeatable
from alembic_boot.sql.statement import (
    begins_with_control,
    begins_with_rollback,
    commits,
    fails_without_its_lock,
    is_atomic,
    is_concurrent,
    is_setting,
    is_single,
    leaves_nothing,
    may_set_lock_timeout,
    works_on_rows,
)
from tests.boot.sql.formatting import reformatted

ROWS = {
    "UPDATE books SET title = ''": True,
    "\n  insert into books VALUES (1);\n": True,
    "WITH gone AS (DELETE FROM books RETURNING *) SELECT * FROM gone": True,
    "UPDATE books SET title = ';'": True,
    "-- why\nUPDATE books SET x = 1": True,
    "UPDATE books SET x = %(x)s WHERE title LIKE '%%; ALTER'": True,
    "DELETE FROM a; INSERT INTO b VALUES (1)": True,
    "SELECT 1; ALTER TABLE books ADD x int": False,
    "ALTER TABLE books ADD x int": False,
    "LOCK TABLE books": False,
    "DO $$ BEGIN UPDATE books SET x = 1; END $$": False,
    "CREATE INDEX by_title ON books (title)": False,
    "EXPLAIN ANALYZE UPDATE books SET x = 1": False,
    "SELECTED": False,
    "": False,
}

CONTROL = {
    "ROLLBACK TO SAVEPOINT sa_savepoint_1": True,
    "savepoint a": True,
    "/* why */ SET LOCAL search_path = x": True,
    "COMMIT; ALTER TABLE t ADD a int": True,
    "ROLLBACK TO a; INSERT INTO t VALUES ('" + "x" * 5000 + "')": True,
    "ALTER TABLE t ADD a int; COMMIT": False,
    "CREATE TABLE t ()": False,
}

SETTINGS = {
    "SET LOCAL search_path = x": True,
    "-- why\nRESET lock_timeout; SHOW search_path": True,
    "SET a.b = 'x; DROP TABLE t'": True,
    "SELECT set_config('a.b', 'x', true)": False,
    "SET a.b = 1; SELECT f()": False,
    "SET SESSION AUTHORIZATION": False,
    "": False,
}

ROLLBACKS = {
    "ROLLBACK": True,
    "/* x */ abort; SELECT 1": True,
    "rollback to a": True,
    "ROLLBACK TO a; INSERT INTO t VALUES ('" + "x" * 5000 + "')": True,
    "COMMIT": False,
    "ROLLBACK PREPARED 'x'": False,
    "SELECT 1; ROLLBACK": False,
}

FAILS_WITHOUT_ITS_LOCK = {
    "ALTER TABLE t ADD a int": True,
    "\n-- why\n  alter table t add a int;\n": True,
    "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY)": True,
    "CREATE UNIQUE INDEX i ON t (a)": True,
    "CREATE TRIGGER t BEFORE INSERT ON t EXECUTE FUNCTION f()": True,
    "COMMENT ON TABLE t IS '100%%'": True,
    "LOCK TABLE t": True,
    "DROP TABLE t": True,
    "SELECT f()": False,
    "UPDATE t SET a = 1": False,  # its triggers may do anything
    "TRUNCATE t": False,
    "CREATE EXTENSION e": False,
    "DO $$ BEGIN ALTER TABLE t ADD a int; EXCEPTION WHEN OTHERS THEN END $$": False,
    "DO 'BEGIN PERFORM f(); END'": False,
    "CALL p()": False,
    "CREATE TABLE t AS SELECT f()": False,
    "CREATE TABLE t AS/**/EXECUTE q": False,
    "ALTER TABLE t ADD a int; SELECT f()": False,
    "COMMENT ON TABLE t IS '--'; DO 'BEGIN PERFORM f(); END'": False,
    "/* ALTER */ SELECT f()": False,
    "ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID": False,  # PostgreSQL 18's
    "": False,
}

CONCURRENT = {
    "CREATE INDEX CONCURRENTLY i ON t (a)": True,
    "CREATE INDEX CONCURRENTLY /* it's /* nested */ here */ i ON t (a)": True,
    "/* why */ -- so\n drop index concurrently i": True,
    'REINDEX (TABLESPACE "fast", CONCURRENTLY) INDEX i': True,
    "REINDEX (VERBOSE) TABLE CONCURRENTLY t": True,
    "REINDEX (CONCURRENTLY 1) INDEX i": True,
    "REINDEX (CONCURRENTLY 0) INDEX i": False,
    "REINDEX (CONCURRENTLY off) INDEX i": False,
    "REFRESH MATERIALIZED VIEW CONCURRENTLY v": True,
    'ALTER TABLE "p" DETACH PARTITION "p1" CONCURRENTLY;': True,
    "ALTER TABLE t ADD a int /* cannot be done CONCURRENTLY */": False,
    "ALTER TABLE t ADD a int -- not CONCURRENTLY": False,
    "ALTER TABLE t ALTER a SET DEFAULT 'CONCURRENTLY'": False,
    "CREATE INDEX i ON t (lower('CONCURRENTLY'))": False,
    'CREATE TABLE "CONCURRENTLY" ()': False,
    "what nobody can read": True,
}


SETS_LOCK_TIMEOUT = {
    "SET lock_timeout = '3s'": True,
    "SET LOCAL lock_timeout TO DEFAULT": True,
    "RESET lock_timeout": True,
    "SELECT 1; SET lock_timeout = 0": True,
    "SELECT pg_catalog.set_config('lock_timeout', '3s', true)": True,
    "DO $$ BEGIN SET LOCAL lock_timeout = 0; END $$": True,
    "lock_timeout that nobody can read": True,
    "SET statement_timeout = 0 -- not lock_timeout": False,
    "INSERT INTO notes VALUES ('SET lock_timeout = 0')": False,
    "ALTER TABLE t ADD lock_timeout int": False,
    "SELECT current_setting('lock_timeout')": False,
}


@pytest.mark.parametrize(("text", "expected"), SETS_LOCK_TIMEOUT.items())
def test_what_may_set_the_lock_timeout(text: str, expected: bool) -> None:
    """A text that only mentions it is limited like any other."""
    assert may_set_lock_timeout(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", True),
        ("SELECT i FROM t FOR UPDATE", True),
        ("SELECT pg_advisory_xact_lock(1), current_setting('a')", True),
        ("LOCK TABLE t IN EXCLUSIVE MODE; SET search_path = a", True),
        ("CREATE TEMP TABLE t (i serial)", True),
        ("CREATE TEMPORARY TABLE t AS SELECT i FROM u FOR UPDATE", True),
        ("SELECT i INTO TEMP t FROM u", True),
        ("SELECT their_function()", False),
        ("SELECT i INTO t FROM u", False),
        ("CREATE TABLE t (i int)", False),
        ("CREATE TABLE t AS SELECT 1", False),
        ("CREATE UNLOGGED TABLE t ()", False),
        ("CREATE TEMP TABLE t AS SELECT their_function()", False),
        ("WITH d AS (DELETE FROM t RETURNING i) SELECT i FROM d FOR UPDATE", False),
        ("INSERT INTO t VALUES (1)", False),
        ("LOCK TABLE t; DROP TABLE t", False),
        ("COMMIT", False),
        ("not SQL", False),
    ],
)
def test_what_leaves_nothing(text: str, expected: bool) -> None:
    """It locks, or makes what the session alone sees."""
    assert leaves_nothing(text) is expected


class Atomic(NamedTuple):
    alone: bool
    in_transaction: bool


ALWAYS, IN_TRANSACTION, NEVER = Atomic(True, True), Atomic(False, True), Atomic(False, False)

ATOMIC = {
    "ALTER TABLE a ADD x int;": ALWAYS,
    "UPDATE a SET t = 'x; COMMIT; y'": ALWAYS,
    "ALTER TABLE a ADD x int; ALTER TABLE b ADD y int": ALWAYS,
    "ALTER TABLE a ADD x int; -- don't COMMIT\n ALTER TABLE b ADD y int": ALWAYS,
    "CREATE PROCEDURE p() LANGUAGE plpgsql AS $f$ BEGIN COMMIT; END; $f$; SELECT 1": ALWAYS,
    "SELECT CASE WHEN true THEN 1 END; SELECT 2": ALWAYS,
    "SELECT 1 /* a /* b */ ' */; SELECT 2 --'": ALWAYS,
    "SAVEPOINT a; DELETE FROM t; RELEASE a": ALWAYS,
    "DO $$ BEGIN ALTER TABLE a ADD x int; END $$": ALWAYS,
    "DO $$ BEGIN ALTER TABLE a ADD x int; COMMIT; END $$": IN_TRANSACTION,
    "/* why */ DO $$ BEGIN CALL fill(); END $$": IN_TRANSACTION,
    "SELECT 1; DO 'BEGIN COMMIT; END'": IN_TRANSACTION,
    "DO LANGUAGE plpython3u 'plpy.commit()'": IN_TRANSACTION,
    "DO $$ BEGIN\nCOMMIT;\nEND $$": IN_TRANSACTION,
    "DO %(x)s": IN_TRANSACTION,
    "CALL fill()": IN_TRANSACTION,
    "-- why\ncall fill();": IN_TRANSACTION,
    "ALTER TABLE a ADD x int; COMMIT; ALTER TABLE b ADD y int": NEVER,
    "SELECT 1; end; SELECT 2": NEVER,
    "SELECT E'it\\'s'; COMMIT; SELECT '1'": NEVER,
    "SELECT 1 /* a /* b */ ' */; COMMIT; SELECT 2 --'": NEVER,
    "SELECT 1; /* don't */ COMMIT; SELECT 2 -- don't": NEVER,
    "what nobody can read": NEVER,
}

COMMITS = {
    "COMMIT": True,
    "/* so far */ commit and chain;": True,
    "UPDATE t SET a = 1; COMMIT; BEGIN": True,
    "END": True,
    "SELECT 'COMMIT'": False,
    "COMMENT ON TABLE t IS 'the end; COMMIT'": False,
    "COMMIT PREPARED 'x'": False,
    "SELECT CASE WHEN true THEN 1 END": False,
    "ROLLBACK": False,
    "commit what nobody can read": True,
    "what nobody can read": False,
    "INSERT INTO t VALUES ('In the end. " + "x" * (1 << 20) + "')": False,
    "INSERT INTO t VALUES ('" + "x" * (1 << 20) + "'); COMMIT": True,
}


@pytest.mark.parametrize(("text", "expected"), ROWS.items())
def test_works_on_rows(text: str, expected: bool) -> None:
    assert works_on_rows(text) is expected


@pytest.mark.parametrize(("text", "expected"), CONTROL.items())
def test_begins_with_control(text: str, expected: bool) -> None:
    assert begins_with_control(text) is expected


@pytest.mark.parametrize(("text", "expected"), SETTINGS.items())
def test_setting(text: str, expected: bool) -> None:
    """SELECT may call a function of a project, so it is none."""
    assert is_setting(text) is expected


@pytest.mark.parametrize(("text", "expected"), ROLLBACKS.items())
def test_begins_with_rollback(text: str, expected: bool) -> None:
    assert begins_with_rollback(text) is expected


@pytest.mark.parametrize(("text", "expected"), FAILS_WITHOUT_ITS_LOCK.items())
def test_fails_without_its_lock(text: str, expected: bool) -> None:
    """Only a statement that cannot go on without the lock that it asks for."""
    assert fails_without_its_lock(text) is expected


@pytest.mark.parametrize(("text", "expected"), CONCURRENT.items())
def test_concurrent(text: str, expected: bool) -> None:
    """The word alone does not make a statement concurrent."""
    assert is_concurrent(text) is expected


@pytest.mark.parametrize(("text", "expected"), ATOMIC.items())
def test_atomic(text: str, expected: Atomic) -> None:
    """PostgreSQL undoes all of a text that ends no transaction."""
    assert Atomic(is_atomic(text), is_atomic(text, in_transaction=True)) == expected


@pytest.mark.parametrize(("text", "expected"), COMMITS.items())
def test_commits(text: str, expected: bool) -> None:
    """A commit counts at every place, and not where a word only looks like one."""
    assert commits(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE t SET a = 'secret\0'; COMMIT",  # the parser would stop at the NUL
        "UPDATE t SET a = 1" + " + 1" * 20_000,  # a tree that is too deep
        "UPDATE t SET a = '\ud800'",  # no UTF-8
        "UPDATE t SET a = '" + "x" * (1 << 20) + "'",
    ],
)
def test_texts_that_are_not_read(text: str) -> None:
    """They count as the most dangerous case."""
    assert not works_on_rows(text)
    assert not fails_without_its_lock(text)
    assert not is_atomic(text, in_transaction=True)
    assert is_concurrent(text)
    assert not is_setting(text)
    assert not is_single(text)
    assert not is_repeatable(text)
    assert {it.reach for it in Reaches().of(text)} == {Reach.UNKNOWN}


@pytest.mark.parametrize("rest", ["; UPDATE what nobody can read", " \0"])
def test_first_words_of_a_text_that_is_not_read(rest: str) -> None:
    """In a failed transaction, a ROLLBACK must not wait for a statement of ours."""
    assert begins_with_control(f"/* why */ ROLLBACK TO a{rest}")
    assert begins_with_rollback(f"-- why\nROLLBACK TO a{rest}")
    assert begins_with_control(f"SET a = 1{rest}")
    assert not begins_with_rollback(f"SET a = 1{rest}")
    assert commits(f"/* it's */ COMMIT{rest}")
    assert not commits(f"SELECT 'COMMIT'{rest}")


QUESTIONS = (
    works_on_rows,
    begins_with_control,
    begins_with_rollback,
    fails_without_its_lock,
    is_single,
    is_setting,
    is_concurrent,
    is_atomic,
    commits,
)
READABLE = [
    text
    for text in (*ROWS, *CONTROL, *ROLLBACKS, *FAILS_WITHOUT_ITS_LOCK, *CONCURRENT, *ATOMIC)
    if "nobody" not in text and "NOT VALID" not in text and "DO" not in text and text
]

NAMES = frozenset({"t", "a", "books", "title", "i", "f"})


@given(st.sampled_from(READABLE), st.data())
def test_formatting_changes_no_answer(text: str, data: st.DataObject) -> None:
    """Comments, white space, case and quotes between and in the words of a statement."""
    other = reformatted(data, text, NAMES)
    assert [ask(other) for ask in QUESTIONS] == [ask(text) for ask in QUESTIONS]
