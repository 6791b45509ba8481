"""Serve the application with Uvicorn, in this process unless workers or reload need others."""

import logging
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe

from alembic_boot.description import BootDescription
from alembic_boot.imports import import_as_usual
from alembic_boot.output.log import logging_config
from alembic_boot.serving.boot_server import BootServer, take_over
from alembic_boot.serving.open_connections import allow_all_descriptors
from alembic_boot.serving.port import prepare_to_listen
from alembic_boot.serving.server import Config
from alembic_boot.serving.single_process import DRAIN, TIME_TO_START, load, serve_here
from alembic_boot.situation import enter

_log = logging.getLogger(__name__)


def serve(
    boot: BootDescription,
    port: BootServer,
    before_reload: Callable[[], None] | None = None,
) -> None:
    """Serve on a reserved port until a stop signal; return when the running requests are complete.

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
    enter("serve", TIME_TO_START)
    prepare_to_listen(port.listener)
    allow_all_descriptors()
    if reloads or boot.serve.workers > 1:
        ours, theirs = Pipe()
        port.hand_over_to(ours)
        config.take_over = partial(take_over, theirs)
    else:
        config.take_over = port.hand_over
    if reloads:
        Reloader(config, port, before_reload, boot.log_format).run()
        return
    load(config)
    import_as_usual()
    if boot.serve.workers > 1:
        from alembic_boot.serving.workers import serve_with_workers

        serve_with_workers(config, port)
    else:
        serve_here(config, [port.listener])
