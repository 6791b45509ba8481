import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.cluster import Cluster
from tests.proxy import Proxy


@contextmanager
def connected(cluster: Cluster, proxy: Proxy, database: str) -> Iterator[Connection]:
    """Give an autocommit connection of the owner's by way of the proxy."""
    with closing(psycopg2.connect(cluster.url(database, port=proxy.port))) as connection:
        connection.autocommit = True
        yield connection


def ask(connection: Connection, statement: str) -> object:
    """Return the one value that a query has."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return (cursor.fetchone() or [None])[0]


def test_statements_are_numbered_across_connections(cluster: Cluster, database: str) -> None:
    """Each statement is announced once, with its SQL, before the server has it and after."""
    seen: list[tuple[str, int, str]] = []
    with (
        Proxy(
            cluster.port,
            on_query=lambda number, sql: seen.append(("on", number, sql)),
            after_query=lambda number, sql: seen.append(("after", number, sql)),
        ) as proxy,
        connected(cluster, proxy, database) as one,
        connected(cluster, proxy, database) as other,
    ):
        assert [ask(one, "SELECT 1"), ask(other, "SELECT 2"), ask(one, "SELECT 3")] == [1, 2, 3]
    statements = [(number, f"SELECT {number + 1}") for number in range(3)]
    assert seen == [(when, *each) for each in statements for when in ("on", "after")]


def test_a_large_statement_is_one(cluster: Cluster, database: str) -> None:
    """A message is put together from however many pieces it comes in; so is its answer."""
    sizes: list[int] = []
    text = "x" * (5 << 20)
    with (
        Proxy(cluster.port, on_query=lambda _, sql: sizes.append(len(sql))) as proxy,
        connected(cluster, proxy, database) as connection,
    ):
        assert ask(connection, f"SELECT '{text}'") == text
        assert ask(connection, "SELECT 1") == 1
    assert sizes == [len(text) + 9, 8]


def test_prepared_statements_count(cluster: Cluster) -> None:
    """A Parse is a statement too, even where it comes byte by byte."""

    def typed(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4) + body

    seen: list[tuple[int, str]] = []
    startup = (196608).to_bytes(4) + b"user\0postgres\0database\0postgres\0\0"
    session = typed(b"", startup) + typed(b"P", b"name\0SELECT $1\0\0\0") + typed(b"S", b"")
    with (
        Proxy(cluster.port, on_query=lambda *each: seen.append(each)) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port)) as client,
    ):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in session:
            client.send(bytes([byte]))
        answer = b""
        while answer.count(b"Z\0\0\0\5I") < 2:  # ready after the start, and after the Sync
            answer += client.recv(4096)
        assert typed(b"1", b"") in answer
    assert seen == [(0, "SELECT $1")]


def test_drop_cuts_all_connections_until_healed(cluster: Cluster, database: str) -> None:
    """What is open ends at once, what is new as well; afterwards all is as before."""
    with Proxy(cluster.port) as proxy, connected(cluster, proxy, database) as connection:
        proxy.drop()
        with pytest.raises(psycopg2.OperationalError):
            ask(connection, "SELECT 1")
        with pytest.raises(psycopg2.OperationalError), connected(cluster, proxy, database):
            pass
        proxy.heal()
        with connected(cluster, proxy, database) as again:
            assert ask(again, "SELECT 1") == 1


def test_drop_wakes_who_waits_for_an_answer(cluster: Cluster, database: str) -> None:
    """A client that waits for its statement hears of it at once."""
    with Proxy(cluster.port) as proxy, connected(cluster, proxy, database) as connection:
        proxy.after_query = lambda *_: proxy.drop()
        with pytest.raises(psycopg2.OperationalError):
            ask(connection, "SELECT pg_sleep(60)")


def test_a_black_hole_keeps_all_connections_open(cluster: Cluster, database: str) -> None:
    """Neither an open connection nor a new one hears anything until the network is back."""
    with (
        Proxy(cluster.port) as proxy,
        connected(cluster, proxy, database) as connection,
        ThreadPoolExecutor() as threads,
    ):
        proxy.blackhole()
        answer = threads.submit(ask, connection, "SELECT 1")
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.2) as stranger:
            stranger.send((8).to_bytes(4) + (80877103).to_bytes(4))
            with pytest.raises(TimeoutError):
                stranger.recv(1)
            assert not answer.done()
            proxy.heal()
            stranger.settimeout(60)
            assert stranger.recv(1) == b"N"
        assert answer.result(60) == 1


def test_a_black_hole_ends_with_the_proxy(cluster: Cluster, database: str) -> None:
    """Who is still in it when the proxy ends is let go."""
    with ThreadPoolExecutor() as threads, ExitStack() as stack:
        with Proxy(cluster.port) as proxy:
            connection = stack.enter_context(connected(cluster, proxy, database))
            proxy.blackhole()
            answer = threads.submit(ask, connection, "SELECT 1")
        with pytest.raises(psycopg2.OperationalError):
            answer.result(60)


@pytest.mark.parametrize("moment", ["on_query", "after_query"])
def test_a_connection_lost_at_one_statement(cluster: Cluster, database: str, moment: str) -> None:
    """Lost before, the server never has the statement; lost after, it does it all the same."""
    with Proxy(cluster.port) as proxy, connected(cluster, proxy, database) as connection:
        ask(connection, "CREATE TABLE t (i int); SELECT 1")

        def lose(number: int, _sql: str) -> None:
            if number == 2:
                proxy.drop()

        setattr(proxy, moment, lose)
        ask(connection, "INSERT INTO t VALUES (1) RETURNING i")
        with pytest.raises(psycopg2.OperationalError):
            ask(connection, "INSERT INTO t VALUES (2) RETURNING i")
    while cluster.query(f"SELECT FROM pg_stat_activity WHERE datname = '{database}'"):
        pass
    [[rows]] = cluster.query("SELECT count(*) FROM t", database)
    assert rows == {"on_query": 1, "after_query": 2}[moment]


def test_what_a_callback_raises_fails_the_test(cluster: Cluster, database: str) -> None:
    """The connection ends, and the error is not lost with the thread."""

    def fail(_number: int, sql: str) -> None:
        raise LookupError(sql)

    with (
        pytest.raises(LookupError, match="SELECT 1"),
        Proxy(cluster.port, on_query=fail) as proxy,
        connected(cluster, proxy, database) as connection,
        pytest.raises(psycopg2.OperationalError),
    ):
        ask(connection, "SELECT 1")
