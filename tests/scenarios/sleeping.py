"""Revisions and seeds that sleep in PostgreSQL, and how far the server is with that."""

from tests.cluster import Cluster
from tests.waiting import wait_until


def sleeping(cluster: Cluster, database: str) -> int:
    """Return how many statements sleep."""
    return len(
        cluster.query(
            "SELECT FROM pg_stat_activity WHERE state = 'active'"
            f" AND query LIKE '%pg_sleep(60)%' AND datname = '{database}'"
        )
    )


def wait_for_no_sleep(cluster: Cluster, database: str) -> None:
    """Return when the server has noticed that no client waits for the statement any more."""
    wait_until(lambda: not sleeping(cluster, database))


def wait_for_sleep(cluster: Cluster, database: str) -> None:
    """Return when a statement sleeps."""
    wait_until(lambda: sleeping(cluster, database))
