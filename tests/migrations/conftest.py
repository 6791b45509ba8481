"""Fixtures: a database on each supported server, with Alembic and SQLAlchemy pointed at it."""

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.migrations.migrated import Migrated
from tests.migrations.project import config_for, engine_for


@pytest.fixture
def migrated(any_cluster: Cluster) -> Iterator[Migrated]:
    """Give an empty database on each supported server in turn."""
    with any_cluster.database() as name:
        url = any_cluster.url(name)
        yield Migrated(any_cluster, name, config_for(url), engine_for(url))


@pytest.fixture
def head(cluster: Cluster, migrated_template: str) -> Iterator[Migrated]:
    """Give a database of the test's own at head, on one of the servers."""
    with cluster.database(migrated_template) as name:
        url = cluster.url(name)
        yield Migrated(cluster, name, config_for(url), engine_for(url))
