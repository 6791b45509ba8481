"""From the settings of a task to what it boots: an address to serve on, a database, a project."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from alembic_boot.description import BootDescription
from backend.reporting import Overrides, reporting
from backend.settings import DATA_FOLDER, Settings, load_settings
from backend.uses import USES

if TYPE_CHECKING:
    from socket import socket


def session(
    task: str, stream: str, overrides: Overrides, *, is_quiet: bool = True
) -> AbstractContextManager[Settings]:
    """Give the settings that a task uses, as `reporting` does."""
    load = partial(load_settings, uses=USES[task])
    return reporting(load, stream, is_quiet=is_quiet, overrides=overrides)


@contextmanager
def booting(task: str, stream: str, overrides: Overrides) -> Iterator[BootDescription]:
    """Give what a task boots; one connection is kept for all that it asks."""
    with session(task, stream, overrides) as settings, _database(settings) as boot:
        from alembic_boot.postgres.connection import keeping_one

        with keeping_one(boot.migration_database_url):
            yield boot


@contextmanager
def serving(task: str, overrides: Overrides) -> Iterator[tuple[BootDescription, "socket"]]:
    """Give what to boot and the socket to serve on, reserved before anything else has moved."""
    from alembic_boot.serving.port import reserved_port

    with session(task, "stdout", overrides, is_quiet=False) as settings:
        settings.require_secrets_to_serve()
        with reserved_port(settings.serve) as listener, _database(settings) as boot:
            yield boot, listener


@contextmanager
def _database(settings: Settings) -> Iterator[BootDescription]:
    """Give what to boot, with an embedded PostgreSQL running if no database is configured."""
    if settings.database_url is not None:
        yield settings.description()
        return
    from alembic_boot.postgres.embedded import embedded_postgres
    from alembic_boot.serving.handover import hand_over_database

    with embedded_postgres(DATA_FOLDER, settings.database_name) as url:
        hand_over_database(url)
        yield settings.description(url)
