"""Revisions and seeds that sleep in PostgreSQL, and how far the server is with that."""

import threading
import time

from tests.cluster import Cluster

SOON = 20.0
"""Seconds that an end may take: far less than what it would otherwise have waited for."""


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
    deadline = time.monotonic() + SOON
    while sleeping(cluster, database):
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def wait_for_sleep(cluster: Cluster, database: str) -> None:
    """Return when a statement sleeps."""
    deadline = time.monotonic() + SOON
    while not sleeping(cluster, database):
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
