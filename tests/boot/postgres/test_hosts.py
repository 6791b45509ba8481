"""Several hosts in one URL: boot and drivers find the primary, and wait until there is one."""

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import NullPool, create_engine, text

from alembic_boot.errors import DatabaseUnreachableError
from alembic_boot.postgres.connection import connected
from alembic_boot.postgres.urls import DatabaseUrl, parse_database_url
from alembic_boot.postgres.wait import create_database, wait_for_database
from tests.cluster import OWNER, PASSWORD, Cluster, free_port

pytestmark = pytest.mark.slow

Pair = tuple[Cluster, Cluster]

LONG = 60.0
"""Seconds that a wait may take where a test expects it to end long before."""

REMEDY = (
    "Promote it, or name the primary, or all the hosts, in DATABASE_URL; "
    "DB_WAIT_TIMEOUT sets how long to wait."
)


def url_of(ports: Sequence[int], scheme: str = "postgresql") -> DatabaseUrl:
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return parse_database_url(f"{scheme}://{OWNER}:{PASSWORD}@{hosts}/postgres")


def port_of(url: DatabaseUrl) -> object:
    with connected(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT inet_server_port(), pg_is_in_recovery()")
        [row] = cursor.fetchall()
    assert row[1] is False
    return row[0]


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a port where connections are accepted and nothing is ever said."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield int(listener.getsockname()[1])


def test_the_primary_is_found_wherever_it_stands(
    shared_pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """First or last, and beside hosts that are standbys or refuse."""
    caplog.set_level(logging.INFO, "alembic_boot")
    primary, standby = shared_pair
    for ports in (
        [primary.port, standby.port],
        [standby.port, primary.port],
        [free_port(), standby.port, primary.port],
    ):
        url = url_of(ports)
        wait_for_database(url, LONG)
        assert port_of(url) == primary.port
        assert f"Waiting for PostgreSQL... ({url.masked})" in caplog.messages
    assert PASSWORD not in caplog.text
    assert not any(line.startswith("Not yet") for line in caplog.messages)


def test_a_host_that_never_answers_leaves_time_for_the_next(shared_pair: Pair) -> None:
    """A host that has vanished is given up, at the first attempt as well."""
    primary, _ = shared_pair
    with silent_port() as silent:
        wait_for_database(url_of([silent, primary.port]), 0)


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_so_do_the_drivers(shared_pair: Pair, driver: str) -> None:
    """The URL that env.py and the application get leads to the primary as well."""
    primary, standby = shared_pair
    url = url_of([standby.port, primary.port], f"postgresql+{driver}")
    with create_engine(url.sqlalchemy_url, poolclass=NullPool).connect() as connection:
        assert connection.scalar(text("SELECT inet_server_port()")) == primary.port


def test_a_database_is_created_on_the_primary(shared_pair: Pair) -> None:
    """The first host of a list may be a standby, which creates none."""
    primary, standby = shared_pair
    url = url_of([standby.port, primary.port]).with_database("fresh")
    create_database(url)
    assert port_of(url) == primary.port


def test_a_standby_alone_is_refused_in_time(shared_pair: Pair) -> None:
    """One that nobody promotes is said to be a standby when the time is up."""
    _, standby = shared_pair
    url = url_of([standby.port])
    with pytest.raises(DatabaseUnreachableError) as caught:
        wait_for_database(url, 0.5)
    assert str(caught.value) == (
        f"PostgreSQL at {url.masked} was not reachable within 0.5 s: "
        f"it is a standby, and this needs the primary. {REMEDY}"
    )


def test_without_a_primary_each_host_is_named(pair: Pair) -> None:
    """What is wrong with each of several hosts is said, in their order."""
    primary, standby = pair
    primary.stop()
    url = url_of([primary.port, standby.port])
    with pytest.raises(DatabaseUnreachableError) as caught:
        wait_for_database(url, 0.5)
    assert str(caught.value) == (
        f"PostgreSQL at {url.masked} was not reachable within 0.5 s: "
        f"127.0.0.1:{primary.port}: Connection refused; "
        f"127.0.0.1:{standby.port}: it is a standby, and this needs the primary. {REMEDY}"
    )


@pytest.mark.parametrize("is_alone", [True, False], ids=["alone", "beside the dead primary"])
def test_a_standby_is_waited_out(
    pair: Pair, is_alone: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The wait ends when it is promoted."""
    caplog.set_level(logging.INFO, "alembic_boot")
    primary, standby = pair
    primary.stop()
    url = url_of([standby.port] if is_alone else [primary.port, standby.port])
    with ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(wait_for_database, url, LONG)
        while not any("it is a standby" in line for line in caplog.messages):
            assert not outcome.done()
            threading.Event().wait(0.01)
        standby.promote()
        assert outcome.result(LONG).startswith("15.")
    assert port_of(url) == standby.port
