"""The stages of a start: the first one, which waits for the database, and the time of each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Protocol

from alembic_boot.description import BootDescription
from alembic_boot.errors import DatabaseMissingError
from alembic_boot.postgres.connection import name_sessions
from alembic_boot.postgres.urls import DatabaseUrl
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


class Check(Protocol):
    """Raises an error if the project cannot be migrated."""

    def __call__(self, *, imports: bool) -> None:
        """Check the project; with `imports`, import its revisions as well."""


def _no_check(*, imports: bool) -> None:
    """Accept any project."""


def wait(boot: BootDescription, check: Check = _no_check) -> None:
    """Wait for the database that boot works on, and for the application's own connection.

    If a database does not answer at once, `check` may raise instead of waiting. If the description
    allows it, a missing database is created, unless `check` raises. Raises BootError.
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
