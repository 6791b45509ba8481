"""When to ask again, when it has been enough, and what a wait may cost others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.boot.traffic.ladder import (
    Harm,
    Ladder,
    Look,
    Work,
    is_concurrent,
    is_plain,
    is_whole,
    work_of,
)


@pytest.mark.parametrize(("tries", "limit"), [(0, 0.1), (1, 0.2), (2, 0.2), (1000, 0.2)])
def test_limit(tries: int, limit: float) -> None:
    assert Ladder(120).limit(tries) == limit


@pytest.mark.parametrize(
    ("budget", "held_off", "limit"), [(120, 0, 120), (120, 20, 100), (120, 120, 0.2), (0, 0, 0.2)]
)
def test_limit_for_rows(budget: float, held_off: float, limit: float) -> None:
    """It is all that is left, and never none at all."""
    assert Ladder(budget).row_limit(1, held_off) == limit


@pytest.mark.parametrize(
    ("statement", "work"),
    [
        ("UPDATE books SET title = ''", Work.ROWS),
        ("\n  insert into books VALUES (1);\n", Work.ROWS),
        ("WITH gone AS (DELETE FROM books RETURNING *) SELECT * FROM gone", Work.ROWS),
        ("SELECT 1; ALTER TABLE books ADD x int", Work.TABLES),
        ("UPDATE books SET title = ';'", Work.TABLES),
        ("ALTER TABLE books ADD x int", Work.TABLES),
        ("LOCK TABLE books", Work.TABLES),
        ("DO $$ BEGIN UPDATE books SET x = 1; END $$", Work.TABLES),
        ("CREATE INDEX by_title ON books (title)", Work.TABLES),
        ("-- why\nUPDATE books SET x = 1", Work.TABLES),
        ("SELECTED", Work.TABLES),
        ("", Work.TABLES),
        ("ROLLBACK TO SAVEPOINT sa_savepoint_1", Work.CONTROL),
        ("savepoint a", Work.CONTROL),
        ("SET LOCAL search_path = x", Work.CONTROL),
    ],
)
def test_work(statement: str, work: Work) -> None:
    assert work_of(statement) is work


@pytest.mark.parametrize(
    ("statement", "is_one"),
    [
        ("ALTER TABLE t ADD a int", True),
        ("\n-- why\n  alter table t add a int;\n", True),
        ("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY)", True),
        ("CREATE UNIQUE INDEX i ON t (a)", True),
        ("CREATE TRIGGER t BEFORE INSERT ON t EXECUTE FUNCTION f()", True),
        ("LOCK TABLE t", True),
        ("DROP TABLE t", True),
        ("SELECT f()", False),
        ("UPDATE t SET a = 1", False),  # and whatever its triggers do
        ("TRUNCATE t", False),
        ("DO $$ BEGIN ALTER TABLE t ADD a int; EXCEPTION WHEN OTHERS THEN END $$", False),
        ("DO 'BEGIN PERFORM f(); END'", False),
        ("CALL p()", False),
        ("CREATE TABLE t AS SELECT f()", False),
        ("CREATE TABLE t AS/**/EXECUTE q", False),
        ("ALTER TABLE t ADD a int; SELECT f()", False),
        ("COMMENT ON TABLE t IS '--'; DO 'BEGIN PERFORM f(); END'", False),
        ("/* ALTER */ SELECT f()", False),
        ("", False),
    ],
)
def test_plain(statement: str, is_one: bool) -> None:
    """Only what cannot go on without the lock that it asks for."""
    assert is_plain(statement) is is_one


@pytest.mark.parametrize(
    ("statement", "is_one"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", True),
        ("/* why */ -- so\n drop index concurrently i", True),
        ("REINDEX (VERBOSE) TABLE CONCURRENTLY t", True),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", True),
        ('ALTER TABLE "p" DETACH PARTITION "p1" CONCURRENTLY;', True),
        ("ALTER TABLE t ADD a int /* cannot be done CONCURRENTLY */", False),
        ("ALTER TABLE t ADD a int -- not CONCURRENTLY", False),
        ("ALTER TABLE t ALTER a SET DEFAULT 'CONCURRENTLY'", False),
        ("CREATE INDEX i ON t (lower('CONCURRENTLY'))", False),
        ('CREATE TABLE "CONCURRENTLY" ()', False),
    ],
)
def test_concurrent(statement: str, is_one: bool) -> None:
    """The word alone does not make it one."""
    assert is_concurrent(statement) is is_one


@pytest.mark.parametrize(
    ("statement", "alone", "in_transaction"),
    [
        ("ALTER TABLE a ADD x int;", True, True),
        ("UPDATE a SET t = 'x; COMMIT; y'", True, True),
        ("ALTER TABLE a ADD x int; ALTER TABLE b ADD y int", True, True),
        ("ALTER TABLE a ADD x int; -- don't COMMIT\n ALTER TABLE b ADD y int", True, True),
        ("CREATE FUNCTION f() … AS $f$ BEGIN x(); COMMIT; END; $f$; SELECT 1", True, True),
        ("SELECT CASE WHEN true THEN 1 END; SELECT 2", True, True),
        ("DO $$ BEGIN ALTER TABLE a ADD x int; END $$", True, True),
        ("DO $$ BEGIN ALTER TABLE a ADD x int; COMMIT; END $$", False, True),
        ("/* why */ DO $$ BEGIN CALL fill(); END $$", False, True),
        ("SELECT 1; DO 'BEGIN COMMIT; END'", False, True),
        ("CALL fill()", False, True),
        ("-- why\ncall fill();", False, True),
        ("ALTER TABLE a ADD x int; COMMIT; ALTER TABLE b ADD y int", False, False),
        ("SELECT 1; end; SELECT 2", False, False),
        ("SELECT E'it\\'s'; COMMIT; SELECT '", False, False),
        ("SELECT 1 /* a /* b */ ' */; COMMIT; SELECT 2 --'", False, False),
        ("SELECT 1; /* don't */ COMMIT; SELECT 2 -- don't", False, False),
    ],
)
def test_whole(statement: str, alone: bool, in_transaction: bool) -> None:
    """PostgreSQL undoes all of a statement, and of several in one, that ends no transaction."""
    assert is_whole(statement) is alone
    assert is_whole(statement, in_transaction=True) is in_transaction


@given(st.floats(0, 1))
def test_pause(chance: float) -> None:
    """It is never longer than half a second, and never so short that the queue stays."""
    assert 0.25 <= Ladder(120).pause(chance) <= 0.5


@pytest.mark.parametrize(
    ("budget", "held_off", "is_over"),
    [(120, 0, False), (120, 119.9, False), (120, 120, True), (0, 0, True), (0.5, 0.4, False)],
)
def test_budget(budget: float, held_off: float, is_over: bool) -> None:
    assert Ladder(budget).is_over(held_off) is is_over


def waiting(blocked: int, lock: str = "a lock") -> Look:
    return Look(lock, frozenset(range(blocked)))


def working(blocked: int) -> Look:
    return Look(None, frozenset(range(blocked)))


# what is looked at for how many seconds each → whether so many wait, or somebody for so long, that
# our waiting must end, and whether to say so
LOOKS = [
    ([], False, False, False),
    ([(waiting(0), 60)], False, False, False),
    ([(waiting(1), 0.19)], False, False, False),
    ([(waiting(1), 0.2)], False, True, False),
    ([(waiting(10), 0.2)], True, True, True),
    ([(waiting(100), 0.02)], True, False, True),
    ([(waiting(20), 0.04), (waiting(30), 0.04)], True, False, True),
    ([(waiting(20), 0.1), (waiting(0), 0.1)], False, False, True),
    # Who came later has waited for less.
    ([(waiting(1), 0.1), (Look("a lock", frozenset({7})), 0.1)], False, False, False),
    # One that has been let through begins anew.
    ([(waiting(1), 0.1), (waiting(0), 0.1), (waiting(1), 0.1)], False, False, False),
    # Several waits of ours are one to who waits through all of them.
    ([(waiting(1, "one"), 0.1), (waiting(1, "two"), 0.1)], False, True, False),
    ([(waiting(1), 0.1), (working(1), 60), (waiting(1), 0.1)], False, True, True),
    ([(working(0), 60)], False, False, False),
    ([(working(5), 60)], False, False, True),
    # What its work has cost is not held against its next wait.
    ([(working(5), 60), (waiting(5), 0.1)], False, False, True),
    ([(waiting(10), 0.2), (working(10), 0.1)], False, False, True),
]


@pytest.mark.parametrize(("looks", "is_crowd", "is_too_long", "is_worth_a_word"), LOOKS)
def test_harm(
    looks: list[tuple[Look, float]], is_crowd: bool, is_too_long: bool, is_worth_a_word: bool
) -> None:
    harm, last = Harm(), Look()
    for look, seconds in looks:
        harm, last = harm.after(look, seconds), look
    found = harm.is_crowd(last), harm.is_too_long(last, tries=0), harm.is_worth_a_word
    assert found == (is_crowd, is_too_long, is_worth_a_word)


def test_harm_of_many_tries() -> None:
    """What needs several tables gets them in the end; no single wait is longer for that."""
    one, two = waiting(1, "one"), waiting(1, "two")
    harm = Harm().after(one, 0.1).after(two, 0.1)
    assert harm.is_too_long(two, tries=9)
    assert not harm.is_too_long(two, tries=10)
    assert harm.after(two, 0.1).is_too_long(two, tries=10)


def test_how_long_a_wait_has_lasted() -> None:
    """It begins anew with another lock."""
    harm = Harm().after(waiting(0, "one"), 5).after(waiting(0, "two"), 1)
    assert harm.after(waiting(0, "two"), 2).lasted == 3
    assert harm.after(working(0), 2).lasted == 0
