"""Fixtures: a database on each supported server, with Alembic and SQLAlchemy pointed at it."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from alembic_boot.adoption.comparison import Catalogue
from alembic_boot.adoption.reading import read_catalogue
from tests.cluster import Cluster
from tests.migrations.project import config_for, engine_for


def read_schema(cluster: Cluster, database: str) -> Catalogue:
    """Return what the schema of a database is."""
    connection = cluster.connect(database)
    try:
        return read_catalogue(connection)
    finally:
        connection.close()


@dataclass(frozen=True)
class Migrated:
    """A database whose schema a test moves up and down."""

    cluster: Cluster
    database: str
    config: Config
    engine: Engine

    def upgrade(self, revision: str) -> None:
        """Go up to a revision."""
        command.upgrade(self.config, revision)

    def downgrade(self, revision: str) -> None:
        """Go down to a revision."""
        command.downgrade(self.config, revision)

    def schema(self) -> Catalogue:
        """Return the schema as it is now."""
        return read_schema(self.cluster, self.database)

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
        yield Migrated(any_cluster, name, config_for(url), engine_for(url))


@pytest.fixture(scope="session")
def _head_template(cluster: Cluster) -> Iterator[str]:
    """Give the name of a database at head: to be cloned and left alone."""
    with cluster.database() as name:
        command.upgrade(config_for(cluster.url(name)), "head")
        yield name


@pytest.fixture
def head(cluster: Cluster, _head_template: str) -> Iterator[Migrated]:
    """Give a database of the test's own at head, on one of the servers."""
    with cluster.database(_head_template) as name:
        url = cluster.url(name)
        yield Migrated(cluster, name, config_for(url), engine_for(url))
