"""The parts of a boot: a database, a project, and the ports that answer meanwhile."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from alembic_boot.description import BootDescription, ServePolicy
from alembic_boot.postgres.connection import keeping_one
from alembic_boot.postgres.urls import DatabaseUrl
from alembic_boot.settings import EMBEDDED_DATABASE, Settings

if TYPE_CHECKING:
    from alembic_boot.serving.boot_server import BootServer
    from alembic_boot.serving.status_answers import StatusAnswers


@contextmanager
def booting(settings: Settings) -> Iterator[BootDescription]:
    """Yield what a command of `alembic-boot` boots; all of its queries share one connection."""
    with _described(settings) as boot, sharing_connection(boot):
        yield boot


@contextmanager
def serving(settings: Settings, command: str) -> Iterator[tuple[BootDescription, "BootServer"]]:
    """Yield what `alembic-boot` boots, and its port, which is reserved before anything else.

    `command` is what was typed, for advice.
    """
    serve = settings.serving()
    with (
        open_port(
            serve,
            service="alembic-boot",
            release=settings.app_version,
            status=settings.status_address,
            paths=settings.probe_paths,
            command=command,
        ) as (port, tell),
        _described(settings, serve) as boot,
    ):
        tell(boot)
        yield boot, port


@contextmanager
def probed(settings: Settings, command: str) -> Iterator[None]:
    """Answer probes meanwhile if a port is set: the command that follows has a port of its own.

    `command` is what was typed, for advice.
    """
    if not settings.has_port:
        yield
        return
    with open_port(settings.serving(), paths=settings.probe_paths, command=command):
        yield


@contextmanager
def open_port(  # noqa: PLR0913 (each of them is a setting)
    serve: ServePolicy,
    *,
    service: str = "",
    release: str | None = None,
    shows_page: bool = False,
    status: tuple[str, int] = ("", 0),
    paths: tuple[str, str] = ("/health/live", "/health/ready"),
    command: str = "start",
) -> Iterator[tuple["BootServer", Callable[[BootDescription], None]]]:
    """Yield the reserved port, which answers probes, and what tells the status page of the boot.

    With `shows_page` it shows the status page as well. The address of `status`, if its port is not
    0, shows nothing else. `command` is the one that advice repeats. Raises ServingFailedError.
    """
    from alembic_boot.serving.boot_answers import Paths
    from alembic_boot.serving.boot_server import answering
    from alembic_boot.serving.port import reserved_port
    from alembic_boot.serving.status_answers import StatusAnswers
    from alembic_boot.situation import begin_boot

    begin_boot()
    with reserved_port(serve, command) as listener:
        page = StatusAnswers(service, release, (*listener.getsockname()[:2], paths[1]))
        with (
            _status_port(*status, page, command),
            answering(listener, Paths(*paths), page if shows_page else None) as server,
        ):
            yield server, page.describe


@contextmanager
def _status_port(host: str, port: int, page: "StatusAnswers", command: str) -> Iterator[None]:
    """Show the status page on a port of its own, unless that is 0."""
    from alembic_boot.serving.boot_server import showing_status
    from alembic_boot.serving.port import bound

    if not port:
        yield
        return
    with bound(host, port, "STATUS_", command) as listener, showing_status(listener, page):
        yield


@contextmanager
def embedded(folder: Path, database: str) -> Iterator[DatabaseUrl]:
    """Run an embedded PostgreSQL meanwhile, yield its URL, and set DATABASE_URL to it."""
    from alembic_boot.postgres.embedded import embedded_postgres
    from alembic_boot.serving.handover import hand_over_database

    with embedded_postgres(folder, database) as url:
        hand_over_database(url)
        yield url


@contextmanager
def sharing_connection(boot: BootDescription) -> Iterator[None]:
    """Make all queries of the boot share one connection meanwhile."""
    with keeping_one(boot.migration_database_url):
        yield


@contextmanager
def _described(settings: Settings, serve: ServePolicy | None = None) -> Iterator[BootDescription]:
    """Yield what to boot: on the URL that is set, an embedded server, or as env.py connects."""
    if settings.migration_database_url is not None:
        yield settings.describe(settings.migration_database_url, serve)
    elif settings.embedded_folder is not None:
        with embedded(settings.embedded_folder, EMBEDDED_DATABASE) as url:
            yield settings.describe(url, serve)
    else:
        from alembic_boot.environment.own_url import own_url

        yield settings.describe(own_url(settings.alembic_config), serve)
