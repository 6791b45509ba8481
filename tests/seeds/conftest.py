"""Fixtures: databases at the newest revision, copied from one that was migrated once."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.cluster import Cluster
from tests.migrations.project import engine_for


@pytest.fixture
def engine(cluster: Cluster, migrated_template: str) -> Iterator[Engine]:
    """Give an engine on a database of its own at head, without rows."""
    with cluster.database(template=migrated_template) as name:
        yield engine_for(cluster.url(name))
