from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from tests.cluster import OWNER, Cluster
from tests.pgbouncer import running_pgbouncer


def test_it_logs_in_as_the_owner(debian_cluster: Cluster, pgbouncer: Callable[[str], str]) -> None:
    """The URL of a database leads through PgBouncer to that database, as its owner."""
    with (
        debian_cluster.database() as name,
        closing(psycopg2.connect(pgbouncer(name))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT current_database(), current_user, inet_server_port()")
        assert cursor.fetchone() == (name, OWNER, debian_cluster.port)
        assert connection.info.port != debian_cluster.port


def test_transactions_share_server_connections(
    debian_cluster: Cluster, pgbouncer: Callable[[str], str]
) -> None:
    """Between transactions, two clients are served by one process of the server."""
    with (
        debian_cluster.database() as name,
        closing(psycopg2.connect(pgbouncer(name))) as one,
        closing(psycopg2.connect(pgbouncer(name))) as other,
    ):
        assert _backend(one) == _backend(other) == _backend(one)


def _backend(connection: Connection) -> int:
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone() or [0]
        return int(pid)


@pytest.mark.usefixtures("pgbouncer")
def test_a_setting_that_it_refuses_is_told(tmp_path: Path) -> None:
    """Where PgBouncer does not start, its log says why."""
    with (
        pytest.raises(AssertionError, match="no_such_mode"),
        running_pgbouncer(tmp_path / "refusing", 1, pool_mode="no_such_mode"),
    ):
        pass
