"""The first stage: wait for the database and, in development, create it."""

from collections.abc import Callable

from alembic_boot.description import BootDescription
from alembic_boot.errors import DatabaseMissingError
from alembic_boot.postgres.wait import create_database, wait_for_database


def wait(boot: BootDescription, before_creating: Callable[[], None] = lambda: None) -> None:
    """Wait for the database that boot works on, and for the application's own connection.

    If the description allows it, a missing database is created, unless `before_creating` raises.
    Raises BootError.
    """
    try:
        wait_for_database(boot.migration_database_url, boot.wait_timeout)
    except DatabaseMissingError:
        if not boot.may_create_database:
            raise
        before_creating()
        create_database(boot.migration_database_url)
        wait_for_database(boot.migration_database_url, boot.wait_timeout)
    if boot.database_url != boot.migration_database_url:
        wait_for_database(boot.database_url, boot.wait_timeout)
