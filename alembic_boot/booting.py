"""The parts of a boot from the settings of `alembic-boot`: a database and a project."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alembic_boot.description import BootDescription, ServePolicy
from alembic_boot.postgres.connection import keeping_one
from alembic_boot.settings import EMBEDDED_DATABASE, Settings

if TYPE_CHECKING:
    from alembic_boot.serving.boot_server import BootServer


@contextmanager
def booting(settings: Settings) -> Iterator[BootDescription]:
    """Yield what a command boots; all of its queries share one connection."""
    with described(settings) as boot, keeping_one(boot.migration_database_url):
        yield boot


@contextmanager
def serving(settings: Settings) -> Iterator[tuple[BootDescription, "BootServer"]]:
    """Yield what to boot and the port to serve on, which is reserved before anything else.

    From there on the port answers probes.
    """
    serve = settings.serving()
    with answering_probes(settings, serve) as port, described(settings, serve) as boot:
        yield boot, port


@contextmanager
def probed(settings: Settings) -> Iterator[None]:
    """Answer probes meanwhile if a port is set: the command that follows has a port of its own."""
    if not settings.has_port:
        yield
        return
    with answering_probes(settings, settings.serving()):
        yield


@contextmanager
def answering_probes(settings: Settings, serve: ServePolicy) -> Iterator["BootServer"]:
    """Answer probes on the port meanwhile."""
    from alembic_boot.serving.boot_answers import Paths
    from alembic_boot.serving.boot_server import answering
    from alembic_boot.serving.port import reserved_port

    with (
        reserved_port(serve) as listener,
        answering(listener, Paths(*settings.probe_paths)) as server,
    ):
        yield server


@contextmanager
def described(settings: Settings, serve: ServePolicy | None = None) -> Iterator[BootDescription]:
    """Yield what to boot: on the URL that is set, an embedded server, or as env.py connects."""
    if settings.migration_database_url is not None:
        yield settings.describe(settings.migration_database_url, serve)
    elif settings.embedded_folder is not None:
        from alembic_boot.postgres.embedded import embedded_postgres
        from alembic_boot.serving.handover import hand_over_database

        with embedded_postgres(settings.embedded_folder, EMBEDDED_DATABASE) as url:
            hand_over_database(url)
            yield settings.describe(url, serve)
    else:
        from alembic_boot.environment.own_url import own_url

        yield settings.describe(own_url(settings.alembic_config), serve)
