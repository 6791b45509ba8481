"""Serve the application with Uvicorn, in this process unless workers or reload need others."""

import logging
import socket
from collections.abc import Callable

from alembic_boot.description import BootDescription
from alembic_boot.imports import import_as_usual
from alembic_boot.log import logging_config
from alembic_boot.serving.open_connections import allow_all_descriptors
from alembic_boot.serving.port import prepare_to_listen
from alembic_boot.serving.server import Config
from alembic_boot.serving.single_process import DRAIN, load, serve_here

_log = logging.getLogger(__name__)


def serve(
    boot: BootDescription,
    listener: socket.socket,
    before_reload: Callable[[], None] | None = None,
) -> None:
    """Serve until a stop signal; return when the running requests are complete.

    `before_reload` is called in each process that a reload starts, before that process serves.
    Raises ServingFailedError if the application does not start, and Stopped if a signal came before
    it had.
    """
    reloads = boot.serve.reload
    if reloads:
        from alembic_boot.serving.reloading import Reloader, watched_folders

    config = Config(
        boot.asgi_app,
        log_config=logging_config(boot.log_level, boot.log_format),
        log_level=boot.log_level,
        reload=reloads,
        reload_dirs=watched_folders(boot) if reloads else None,
        workers=boot.serve.workers,
        timeout_graceful_shutdown=DRAIN,
        forwarded_allow_ips=boot.serve.forwarded_allow_ips,
    )
    config.drain_delay = boot.serve.drain_delay
    config.compared = boot if boot.compare_models else None
    _log.info("Starting Uvicorn server...")
    prepare_to_listen(listener)
    allow_all_descriptors()
    if reloads:
        Reloader(config, listener, before_reload, boot.log_format).run()
        return
    load(config)
    import_as_usual()
    if boot.serve.workers > 1:
        from alembic_boot.serving.workers import serve_with_workers

        serve_with_workers(config, listener)
    else:
        serve_here(config, [listener])
