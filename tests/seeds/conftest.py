"""Fixtures: databases at the newest revision, copied from one that was migrated once."""

from collections.abc import Iterator

import pytest
from alembic import command
from sqlalchemy import Engine

from tests.cluster import Cluster
from tests.migrations.project import config_for, engine_for


@pytest.fixture(scope="session")
def migrated_template(cluster: Cluster) -> Iterator[str]:
    """Give the name of a database at head, without rows."""
    with cluster.database() as name:
        command.upgrade(config_for(cluster.url(name)), "head")
        yield name


@pytest.fixture
def engine(cluster: Cluster, migrated_template: str) -> Iterator[Engine]:
    """Give an engine on a database of its own at head, without rows."""
    with cluster.database(template=migrated_template) as name:
        yield engine_for(cluster.url(name))
