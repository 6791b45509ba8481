"""The connection of readiness is kept, but not for ever."""

from contextlib import closing

import pytest

from alembic_boot.postgres.urls import parse_database_url
from alembic_boot.serving.probe_connection import KeptConnection, LoginFailedError
from tests.cluster import Cluster


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def session(kept: KeptConnection) -> int:
    """Return which session the connection has on the server."""
    with kept.lent() as connection:
        return int(connection.info.backend_pid)


def test_it_is_replaced_every_two_minutes(database_url: str) -> None:
    """Two minutes begin with each login, and not with each question."""
    clock = Clock()
    with closing(KeptConnection(parse_database_url(database_url), clock)) as kept:
        first = session(kept)
        clock.now += 119
        assert session(kept) == first
        clock.now += 1
        second = session(kept)
        assert second != first
        clock.now += 119
        assert session(kept) == second


def test_a_login_that_is_refused_by_now(cluster: Cluster, database: str, database_url: str) -> None:
    """A session that is open already does not show it."""
    clock = Clock()
    with closing(KeptConnection(parse_database_url(database_url), clock)) as kept:
        session(kept)
        cluster.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        session(kept)
        clock.now += 120
        with pytest.raises(LoginFailedError):
            session(kept)
        cluster.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        session(kept)
