"""The parts of a boot from a task's settings: a socket, a database and a project."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from alembic_boot.description import BootDescription
from alembic_boot.reporting import Overrides, reporting
from backend import __version__
from backend.settings import DATA_FOLDER, Settings, load_settings
from backend.uses import USES

if TYPE_CHECKING:
    from alembic_boot.serving.boot_server import BootServer
    from alembic_boot.serving.status_answers import StatusAnswers


def session(
    task: str, stream: str, overrides: Overrides, *, is_quiet: bool = True
) -> AbstractContextManager[Settings]:
    """Yield the settings of a task, as `reporting` does."""
    load = partial(load_settings, uses=USES[task])
    return reporting(load, stream, is_quiet=is_quiet, overrides=overrides)


@contextmanager
def booting(task: str, stream: str, overrides: Overrides) -> Iterator[BootDescription]:
    """Yield what a task boots; all of its queries share one connection."""
    with session(task, stream, overrides) as settings, _database(settings) as boot:
        from alembic_boot.postgres.connection import keeping_one

        with keeping_one(boot.migration_database_url):
            yield boot


@contextmanager
def serving(task: str, overrides: Overrides) -> Iterator[tuple[BootDescription, "BootServer"]]:
    """Yield what to boot and the port to serve on, which is reserved before anything else.

    From there on the port answers probes.
    """
    from alembic_boot.serving.boot_server import answering
    from alembic_boot.serving.port import reserved_port
    from alembic_boot.serving.status_answers import StatusAnswers
    from alembic_boot.situation import begin_boot

    begin_boot()
    with session(task, "stdout", overrides, is_quiet=False) as settings:
        settings.require_secrets_to_serve()
        page = StatusAnswers("MoriAI", __version__)
        with (
            reserved_port(settings.serve) as listener,
            _status_port(settings, page),
            answering(listener, page=page if settings.shows_status_page else None) as boot_server,
            _database(settings) as boot,
        ):
            page.describe(boot)
            yield boot, boot_server


@contextmanager
def _status_port(settings: Settings, page: "StatusAnswers") -> Iterator[None]:
    """Show the status page on a port of its own, if the settings say so."""
    from alembic_boot.serving.boot_server import showing_status
    from alembic_boot.serving.port import Address, bound

    if not settings.status_port:
        yield
        return
    address = Address(settings.status_host, settings.status_port, "STATUS_")
    with bound(address) as listener, showing_status(listener, page):
        yield


@contextmanager
def _database(settings: Settings) -> Iterator[BootDescription]:
    """Yield what to boot; if no database is configured, start an embedded PostgreSQL."""
    if settings.database_url is not None:
        yield settings.description()
        return
    from alembic_boot.postgres.embedded import embedded_postgres
    from alembic_boot.serving.handover import hand_over_database

    with embedded_postgres(DATA_FOLDER, settings.database_name) as url:
        hand_over_database(url)
        yield settings.description(url)
