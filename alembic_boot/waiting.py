"""Wait for the databases of a boot: the first stage of a start, and of most commands."""

from collections.abc import Callable
from functools import cache, partial

from alembic_boot.description import BootDescription
from alembic_boot.errors import DatabaseMissingError
from alembic_boot.postgres.connection import name_sessions
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.postgres.wait import create_database, wait_for_database


def wait(boot: BootDescription, check: Callable[..., None] = lambda **_: None) -> None:
    """Wait for the database that boot works on, and for the application's own connection.

    If a database does not answer at once, `check(imports=False)` may raise instead of waiting. If
    the description allows it, a missing database is created, unless `check(imports=True)` raises:
    it imports the revisions as well. Raises BootError.
    """
    name_sessions(boot.app_version)
    checked_once = cache(partial(check, imports=False))

    def wait_for(url: DatabaseUrl, *, is_again: bool = False) -> None:
        wait_for_database(url, boot.wait_timeout, is_again=is_again, meanwhile=checked_once)

    try:
        wait_for(boot.migration_database_url)
    except DatabaseMissingError:
        if not boot.may_create_database:
            raise
        check(imports=True)
        create_database(boot.migration_database_url)
        wait_for(boot.migration_database_url, is_again=True)
    if boot.database_url != boot.migration_database_url:
        wait_for(boot.database_url)
