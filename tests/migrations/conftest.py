"""Fixtures: a database on each supported server, with Alembic and SQLAlchemy pointed at it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from tests.cluster import Cluster
from tests.migrations.project import config_for, engine_for


@dataclass(frozen=True)
class Migrated:
    """A database whose schema a test moves up and down."""

    config: Config
    engine: Engine

    def upgrade(self, revision: str) -> None:
        """Go up to a revision."""
        command.upgrade(self.config, revision)

    def downgrade(self, revision: str) -> None:
        """Go down to a revision."""
        command.downgrade(self.config, revision)

    def execute(self, statement: str) -> None:
        """Execute and commit a statement."""
        with self.engine.begin() as connection:
            connection.execute(text(statement))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]


@pytest.fixture
def migrated(any_cluster: Cluster) -> Iterator[Migrated]:
    """Give an empty database on each supported server in turn."""
    with any_cluster.database() as name:
        url = any_cluster.url(name)
        yield Migrated(config_for(url), engine_for(url))
