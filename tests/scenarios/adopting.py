"""Databases without a recorded revision, and the scratch databases of their replays."""

import threading
from collections.abc import Callable

import pytest

from tests.cluster import Cluster
from tests.scenarios.process import DEADLINE


def forget(cluster: Cluster, database: str) -> None:
    """Leave nothing that says which revision a database is at."""
    cluster.execute("DROP TABLE alembic_version, schema_journal", database)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return as soon as a condition holds."""
    for _ in range(round(DEADLINE / 0.02)):
        if condition():
            return
        threading.Event().wait(0.02)
    pytest.fail("it never held")


def journal(cluster: Cluster, database: str) -> list[str]:
    """Return direction, revision and status of each row."""
    rows = cluster.query(
        "SELECT concat_ws(' ', direction, revision, status) FROM schema_journal ORDER BY id",
        database,
    )
    return [str(line) for (line,) in rows]


def databases(cluster: Cluster, database: str) -> list[str]:
    """Return the scratch databases beside one."""
    rows = cluster.query(
        f"SELECT datname FROM pg_database WHERE starts_with(datname, '{database}_scratch_')"
    )
    return [str(name) for (name,) in rows]
