"""The stages of a start: the first one, which waits for the database, and the time of each."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from alembic_boot.description import BootDescription
from alembic_boot.errors import DatabaseMissingError
from alembic_boot.postgres.connection import name_sessions
from alembic_boot.postgres.wait import create_database, wait_for_database
from alembic_boot.situation import enter, note


class Stages:
    """The seconds of each stage. The time of an inner stage counts only for that stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._within = 0.0

    @contextmanager
    def timed(self, stage: str, limit: float | None = None) -> Iterator[None]:
        """Measure the block as this stage, however it ends; it may take `limit` seconds."""
        enter(stage, limit)
        started, outer, self._within = time.monotonic(), self._within, 0.0
        try:
            yield
        finally:
            taken = time.monotonic() - started
            self.seconds[stage] = taken - self._within
            self._within = outer + taken
            note(seconds=dict(self.seconds))


def wait(boot: BootDescription, before_creating: Callable[[], None] = lambda: None) -> None:
    """Wait for the database that boot works on, and for the application's own connection.

    If the description allows it, a missing database is created, unless `before_creating` raises.
    Raises BootError.
    """
    name_sessions(boot.app_version)
    try:
        wait_for_database(boot.migration_database_url, boot.wait_timeout)
    except DatabaseMissingError:
        if not boot.may_create_database:
            raise
        before_creating()
        create_database(boot.migration_database_url)
        wait_for_database(boot.migration_database_url, boot.wait_timeout, is_again=True)
    if boot.database_url != boot.migration_database_url:
        wait_for_database(boot.database_url, boot.wait_timeout)
