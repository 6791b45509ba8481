"""A database for each test, and a Ctrl-C in the middle of its removal."""

from collections.abc import Callable
from typing import Any

import pytest

from alembic_boot.adoption.leftover_databases import drop
from alembic_boot.migration import cloning
from alembic_boot.migration.cloning import Template
from alembic_boot.postgres.urls import parse_database_url
from tests.cluster import Cluster

pytestmark = pytest.mark.slow


def interrupted(work: Callable[..., Any]) -> Callable[..., Any]:
    """Return the work, whose first call is interrupted."""
    calls = []

    def run(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return work(*arguments, **options)

    return run


def scratch(cluster: Cluster, database: str) -> list[tuple[object, ...]]:
    return cluster.query(
        f"SELECT datname FROM pg_database WHERE starts_with(datname, '{database}_scratch')"
    )


def test_an_interrupted_removal(
    cluster: Cluster, database: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is done all the same, and then the interruption goes on."""
    monkeypatch.setattr(cloning, "drop", interrupted(drop))
    clone = Template(parse_database_url(database_url), "template0").clone()
    with pytest.raises(KeyboardInterrupt), clone:
        assert len(scratch(cluster, database)) == 1
    assert scratch(cluster, database) == []
