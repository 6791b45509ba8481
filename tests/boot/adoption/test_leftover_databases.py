"""The removal of scratch databases."""

import threading
from contextlib import closing

import psycopg2
import pytest
from psycopg2 import sql

from alembic_boot.adoption.creation import create_like
from alembic_boot.adoption.leftover_databases import drop, new_name
from alembic_boot.postgres.interruption import cut
from alembic_boot.postgres.urls import parse_database_url
from tests.cluster import Cluster
from tests.waiting import SOON, wait_until

pytestmark = pytest.mark.slow

_ACTIVE = "SELECT FROM pg_stat_activity WHERE pid = {} AND state = 'active'"


def test_a_creation_that_the_server_goes_on_with(
    cluster: Cluster, database: str, database_url: str
) -> None:
    """A stop cuts the connection, but not the work behind it: what it makes is dropped, too."""
    real = parse_database_url(database_url)
    name, template = new_name(real), new_name(real)
    create_like(real, template)
    holder = cluster.connect(template)  # the creation waits some seconds for its end
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template)
    )
    with closing(psycopg2.connect(database_url)) as creator:
        creator.autocommit = True

        def run() -> None:
            with pytest.raises(psycopg2.Error):
                creator.cursor().execute(create)

        creating = threading.Thread(target=run)
        creating.start()
        wait_until(lambda: cluster.query(_ACTIVE.format(creator.info.backend_pid)))
        cut(creator)
        creating.join(SOON)
    dropping = threading.Thread(target=drop, args=(real, name))
    dropping.start()
    dropping.join(1)
    assert dropping.is_alive()
    holder.close()
    dropping.join(SOON)
    drop(real, template)
    found = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{real.database}_')"
    assert cluster.query(found) == []
