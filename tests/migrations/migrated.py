"""A database whose schema tests move up and down."""

from dataclasses import dataclass

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from alembic_boot.adoption.comparison import Catalogue
from alembic_boot.adoption.reading import read_catalogue
from tests.cluster import Cluster


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
