"""Locks that belong to a transaction, and who sees them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given, strategies as st
from psycopg2.extensions import connection as Connection

from alembic_boot.postgres.advisory import AdvisoryKey, begin, end, try_lock
from alembic_boot.postgres.connection import connect
from alembic_boot.postgres.identity import same_database_query
from alembic_boot.postgres.urls import parse_database_url
from tests.cluster import Cluster

Connect = Callable[[], Connection]


@pytest.fixture
def session(database_url: str) -> Iterator[Connect]:
    """Give what makes a session of the owner's."""
    with ExitStack() as stack:

        def make() -> Connection:
            connection = connect(parse_database_url(database_url))
            stack.callback(connection.close)
            return connection

        yield make


def rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_names(one: list[str], other: list[str]) -> None:
    """The same names are the same key everywhere, and fit into PostgreSQL's bigint."""
    key = AdvisoryKey.named(*one)
    assert key == AdvisoryKey.named(*one)
    assert -(2**63) <= key.number < 2**63
    assert (key == AdvisoryKey.named(*other)) is ("\0".join(one) == "\0".join(other))


def test_a_key_that_is_agreed_on() -> None:
    """A release must not lock by another key than the one before it."""
    expected = AdvisoryKey.named("schema", "public", "alembic_version")
    assert expected.number == AGREED


AGREED = 4181726379876857952


@pytest.mark.parametrize("number", [0, 1, -1, 2**31, -(2**31), 2**63 - 1, -(2**63)])
def test_seen_and_exclusive(session: Connect, number: int) -> None:
    """One session has it, every session sees it, and its end frees it."""
    key = AdvisoryKey(number)
    holder, other = session(), session()
    begin(holder)
    assert try_lock(holder, key)
    assert rows(other, key.is_held_query) == [(True,)]
    assert rows(other, key.holder_query) == rows(holder, "SELECT pg_backend_pid()")
    begin(other)
    assert not try_lock(other, key)
    end(holder)
    assert try_lock(other, key)
    other.close()
    third = session()
    while rows(third, key.is_held_query) != [(False,)]:
        pass  # the server takes a moment to see its client leave


def test_keys_belong_to_a_database(cluster: Cluster, database: str, session: Connect) -> None:
    """What is held in one database is not seen from another one."""
    key = AdvisoryKey.random()
    connection = session()
    begin(connection)
    assert try_lock(connection, key)
    assert cluster.query(key.is_held_query, "postgres") == [(False,)]
    assert cluster.query(key.is_held_query, database) == [(True,)]
    end(connection)
    assert cluster.query(key.is_held_query, database) == [(False,)]


def test_the_same_database(
    cluster: Cluster, database: str, session: Connect, cluster_of: Callable[[int], Cluster]
) -> None:
    """A session is told from those in other databases, and on other servers."""
    query = same_database_query(session())
    assert cluster.query(query, database) == [(True,)]
    assert cluster.query(query, "postgres") == [(False,)]
    assert cluster_of(16).query(query, "postgres") == [(False,)]


def test_it_keeps_nobody_waiting(cluster: Cluster, session: Connect) -> None:
    """The open transaction has no snapshot, and no setting of the role's ends it."""
    name = "moriai_user"
    cluster.execute(f"ALTER ROLE {name} SET idle_in_transaction_session_timeout = 50")
    cluster.execute(f"ALTER ROLE {name} SET default_transaction_isolation = 'serializable'")
    try:
        holder, other = session(), session()
        begin(holder)
        try_lock(holder, AdvisoryKey(1))
        [(pid,)] = rows(holder, "SELECT pg_backend_pid()")
        state = f"SELECT state, backend_xmin FROM pg_stat_activity WHERE pid = {pid}"
        assert rows(other, state) == [("idle in transaction", None)]
        cluster.query("SELECT pg_sleep(0.2)")
        assert rows(holder, "SHOW transaction_isolation") == [("read committed",)]
        other.cursor().execute("CREATE TABLE t (i integer)")
        other.cursor().execute("CREATE INDEX CONCURRENTLY ON t (i)")
    finally:
        cluster.execute(f"ALTER ROLE {name} RESET ALL")
