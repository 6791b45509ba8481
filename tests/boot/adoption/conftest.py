"""A database to make schemas in, of which nothing stays."""

from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

from tests.cluster import Cluster


@pytest.fixture(scope="module")
def shared_database(any_cluster: Cluster) -> Iterator[Connection]:
    """Give a transaction's connection to a database with a foreign server."""
    with any_cluster.database() as name:
        connection = any_cluster.connect(name)
        connection.cursor().execute(
            "CREATE FOREIGN DATA WRAPPER nowhere;"
            "CREATE SERVER here FOREIGN DATA WRAPPER nowhere;"
            "CREATE SERVER there FOREIGN DATA WRAPPER nowhere"
        )
        connection.autocommit = False
        yield connection
        connection.close()


@pytest.fixture
def workbench(shared_database: Connection) -> Iterator[Connection]:
    """Give a transaction that is rolled back."""
    yield shared_database
    shared_database.rollback()
