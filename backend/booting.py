"""The parts of a boot from a task's settings: a socket, a database and a project."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from alembic_boot import (
    BootDescription,
    Overrides,
    embedded,
    open_port,
    reporting_failures,
    sharing_connection,
)
from backend import __version__
from backend.settings import DATA_FOLDER, Settings, load_settings
from backend.uses import USES

if TYPE_CHECKING:
    from alembic_boot import BootServer


def session(
    task: str, stream: str, overrides: Overrides, *, is_quiet: bool = True
) -> AbstractContextManager[Settings]:
    """Yield the settings of a task, as `reporting_failures` does."""
    load = partial(load_settings, uses=USES[task])
    return reporting_failures(load, stream, is_quiet=is_quiet, overrides=overrides)


@contextmanager
def booting(task: str, stream: str, overrides: Overrides) -> Iterator[BootDescription]:
    """Yield what a task boots; all of its queries share one connection."""
    with (
        session(task, stream, overrides) as settings,
        _database(settings) as boot,
        sharing_connection(boot),
    ):
        yield boot


@contextmanager
def serving(task: str, overrides: Overrides) -> Iterator[tuple[BootDescription, "BootServer"]]:
    """Yield what to boot and the port to serve on, which is reserved before anything else.

    From there on the port answers probes.
    """
    with session(task, "stdout", overrides, is_quiet=False) as settings:
        settings.require_secrets_to_serve()
        with (
            open_port(
                settings.serve,
                service="MoriAI",
                release=__version__,
                shows_page=settings.shows_status_page,
                status=(settings.status_host, settings.status_port),
                command=task,
            ) as (port, tell),
            _database(settings) as boot,
        ):
            tell(boot)
            yield boot, port


@contextmanager
def _database(settings: Settings) -> Iterator[BootDescription]:
    """Yield what to boot; if no database is configured, start an embedded PostgreSQL."""
    if settings.database_url is not None:
        yield settings.description()
        return
    with embedded(DATA_FOLDER, settings.database_name) as url:
        yield settings.description(url)
