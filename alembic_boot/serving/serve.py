"""Serve the application with Uvicorn, in this process unless workers or reload need others."""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from uvicorn.config import STARTUP_FAILURE

from alembic_boot.description import BootDescription
from alembic_boot.errors import BootError
from alembic_boot.imports import import_as_usual
from alembic_boot.log import logging_config
from alembic_boot.serving.descriptors import allow_all
from alembic_boot.serving.port import prepare_to_listen
from alembic_boot.serving.server import Config
from alembic_boot.serving.single_process import DRAIN, load, not_started, serve_here
from alembic_boot.serving.supervisors import Reloader, Workers, nothing

_log = logging.getLogger(__name__)


def serve(
    boot: BootDescription,
    listener: socket.socket,
    before_reload: Callable[[], None] = nothing,
) -> None:
    """Serve until a stop signal; return when the running requests are complete.

    `before_reload` is called in each process that a reload starts, before that process serves.
    Raises ServingFailedError if the application does not start, and Stopped if a signal came before
    it had.
    """
    config = Config(
        boot.asgi_app,
        log_config=logging_config(boot.log_level, boot.log_format),
        log_level=boot.log_level,
        reload=boot.serve.reload,
        reload_dirs=_watched(boot) if boot.serve.reload else None,
        workers=boot.serve.workers,
        timeout_graceful_shutdown=DRAIN,
        forwarded_allow_ips=boot.serve.forwarded_allow_ips,
    )
    config.drain_delay = boot.serve.drain_delay
    config.compared = boot if boot.compare_models else None
    _log.info("Starting Uvicorn server...")
    prepare_to_listen(listener)
    allow_all()
    if boot.serve.reload:
        Reloader(config, listener, before_reload, boot.log_format).run()
        return
    load(config)
    import_as_usual()
    if boot.serve.workers > 1:
        _serve_with_workers(config, listener)
    else:
        serve_here(config, [listener])


def _watched(boot: BootDescription) -> list[str]:
    """Return the folders to watch for changes: this one, and that of the revisions."""
    # This imports Alembic, and only a reloader needs it.
    from alembic_boot.environment.opening import open_project
    from alembic_boot.private_names import version_locations

    folders = [Path.cwd()]
    with suppress(BootError):  # which was reported before
        scripts = open_project(boot.alembic_config, boot.migration_database_url).scripts
        folders += [Path(scripts.dir), *map(Path, version_locations(scripts))]
    return [str(it.resolve()) for it in folders if it.is_dir()]


def _serve_with_workers(config: Config, listener: socket.socket) -> None:
    supervisor = Workers(config, sockets=[listener])
    supervisor.run()
    if supervisor.stopped_early is not None:
        raise supervisor.stopped_early
    # Uvicorn ends without an error even if every worker failed to start.
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise not_started(config)
