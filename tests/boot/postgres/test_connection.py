"""Boot's own connections: lent to who comes after who, and cut where nobody answers."""

import threading
import time

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from alembic_boot.errors import DatabaseUnreachableError
from alembic_boot.postgres.connection import (
    connected,
    driver_connection,
    keeping_one,
    one_line,
)
from alembic_boot.postgres.interruption import cut_when_silent
from alembic_boot.postgres.urls import DatabaseUrl, parse_database_url
from tests.cluster import Cluster
from tests.scenarios.process import DEADLINE


@pytest.fixture
def url(database_url: str) -> DatabaseUrl:
    return parse_database_url(database_url)


def backend(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [(pid,)] = cursor.fetchall()
    return int(pid)


def assert_sessions(cluster: Cluster, database: str, *expected: int) -> None:
    """Fail unless the database has these sessions as soon as those that were closed are gone."""
    query = f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}'"
    deadline = time.monotonic() + DEADLINE
    while (found := cluster.query(query)) != [(pid,) for pid in expected]:
        assert time.monotonic() < deadline, found
        threading.Event().wait(0.01)


def test_one_after_the_other(url: DatabaseUrl, cluster: Cluster, database: str) -> None:
    """Who comes next gets the session of who is done, until nobody comes any more."""
    with keeping_one(url):
        with connected(url) as connection:
            first = backend(connection)
        with connected(url) as connection:
            assert backend(connection) == first
        assert_sessions(cluster, database, first)
    with connected(url) as connection:
        assert backend(connection) != first


def test_at_once(url: DatabaseUrl, cluster: Cluster, database: str) -> None:
    """Two at once have a session each, of which one is kept."""
    with keeping_one(url):
        with connected(url) as one, connected(url) as other:
            assert backend(one) != backend(other)
            kept = backend(other)
        assert_sessions(cluster, database, kept)


def test_not_without_being_asked(url: DatabaseUrl, cluster: Cluster, database: str) -> None:
    """Nothing is kept outside of such a block, nor anybody else's connection in it."""
    with keeping_one(url.with_database("postgres")), connected(url):
        pass
    assert_sessions(cluster, database)


def test_ended_meanwhile(url: DatabaseUrl, cluster: Cluster) -> None:
    """A session that was ended while nobody had it is replaced, and nobody notices."""
    with keeping_one(url):
        with connected(url) as connection:
            ended = backend(connection)
        cluster.query(f"SELECT pg_terminate_backend({ended}, 10000)")
        with connected(url) as connection:
            assert backend(connection) != ended


def test_out_of_order(url: DatabaseUrl) -> None:
    """A session is not lent again that a transaction was left open in, or that failed."""
    with keeping_one(url):
        with connected(url) as connection:
            left = backend(connection)
            connection.cursor().execute("BEGIN")
        with pytest.raises(psycopg2.ProgrammingError), connected(url) as connection:
            failed = backend(connection)
            assert failed != left
            connection.cursor().execute("SELECT nonsense")
        with connected(url) as connection:
            assert backend(connection) not in (left, failed)


@pytest.mark.slow
def test_for_another_driver(url: DatabaseUrl) -> None:
    """What is lent for others' statements is as psycopg2 makes it: they may take their time."""
    with keeping_one(url):
        with connected(url, silence=0.5) as connection:
            kept = backend(connection)
        lent = driver_connection(url)
        try:
            assert backend(lent) == kept
            assert not lent.autocommit
            with lent.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(1)")
        finally:
            lent.close()


def test_silence(url: DatabaseUrl) -> None:
    """A statement that gets no answer in time ends, and so does its connection; others do not."""
    with connected(url, silence=30) as patient:
        with pytest.raises(DatabaseUnreachableError), connected(url, silence=0.1) as connection:
            connection.cursor().execute("SELECT pg_sleep(30)")
        assert backend(patient)


@pytest.mark.slow
def test_silence_is_bounded_again_and_again(url: DatabaseUrl) -> None:
    """A bound ends with its block, and the next one is watched as well, also much later."""
    with connected(url) as connection:
        for _ in range(2):
            with cut_when_silent(connection, 0.5):
                backend(connection)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(1)")
        with pytest.raises(psycopg2.OperationalError), cut_when_silent(connection, 0.1):
            connection.cursor().execute("SELECT pg_sleep(30)")


def test_an_error_of_several_lines(url: DatabaseUrl) -> None:
    """The whole of what a statement was refused with, without what explains it."""
    raised = "RAISE 'premier,\nsecond' USING detail = 'd\nd', hint = 'h\nh'"
    with connected(url) as connection, pytest.raises(psycopg2.Error) as caught:
        connection.cursor().execute(f"DO $$ BEGIN {raised}; END $$")
    assert one_line(caught.value) == "premier, second"
