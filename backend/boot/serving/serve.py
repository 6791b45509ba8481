"""Serve the application with Uvicorn, in this process unless workers or reload need others."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from backend.boot.description import BootDescription
from backend.boot.errors import BootError, ServingFailedError
from backend.boot.foreign import describe, missing_package
from backend.boot.imports import import_as_usual
from backend.boot.log import logging_config
from backend.boot.serving.application import not_loaded
from backend.boot.serving.descriptors import allow_all
from backend.boot.serving.port import prepare_to_listen
from backend.boot.serving.server import Config, Server
from backend.boot.serving.supervisors import Reloader, Workers
from backend.boot.signals import Stopped

_log = logging.getLogger(__name__)

_DRAIN = 10
"""Seconds that requests under way may take to finish after a stop signal."""


def _nothing() -> None:
    """Do nothing, in a process that gets this by its name."""


def serve(
    boot: BootDescription,
    listener: socket.socket,
    before_reload: Callable[[], None] = _nothing,
) -> None:
    """Serve until a stop signal; returns when the requests under way are done.

    `before_reload` is called in each process that a reload starts, before that serves. Raises
    ServingFailedError where the application does not start, and Stopped where a signal
    came before it had.
    """
    config = Config(
        boot.asgi_app,
        log_config=logging_config(boot.log_level, boot.log_format),
        log_level=boot.log_level,
        reload=boot.serve.reload,
        reload_dirs=_watched(boot) if boot.serve.reload else None,
        workers=boot.serve.workers,
        timeout_graceful_shutdown=_DRAIN,
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
    _load(config)
    import_as_usual()
    if boot.serve.workers > 1:
        _serve_with_workers(config, listener)
    else:
        _serve_here(config, listener)


def _watched(boot: BootDescription) -> list[str]:
    """Return the folders whose changes are served: this one, and where the revisions are."""
    # Alembic comes along with this, and only a reloader needs it.
    from backend.boot.environment.opening import open_project

    folders = [Path.cwd()]
    with suppress(BootError):  # which has been said
        scripts = open_project(boot.alembic_config, boot.migration_database_url).scripts
        folders += [Path(scripts.dir), *map(Path, scripts._version_locations)]
    return [str(it.resolve()) for it in folders if it.is_dir()]


def _load(config: uvicorn.Config) -> None:
    """Import the application: a worker that cannot would be started again for ever."""
    try:
        uvicorn.importer.import_from_string(config.app)
    except Stopped:
        raise
    except BaseException as error:  # an application that exits has not loaded either
        raise _not_loaded(config, error) from error


def _serve_here(config: uvicorn.Config, listener: socket.socket) -> None:
    server = Server(config)
    try:
        server.run(sockets=[listener])
    except Stopped:
        # Uvicorn raises the signal again when it has closed everything in order.
        if not server.started:
            raise
    except asyncio.CancelledError:
        _log.info("Requests that took longer than %d s were cut off", _DRAIN)
    except SystemExit:
        if server.startup_error is None:
            raise _not_started(config) from None
        raise _start_failed(config, server.startup_error) from server.startup_error
    except Exception as error:
        raise _not_loaded(config, error) from error


def _serve_with_workers(config: uvicorn.Config, listener: socket.socket) -> None:
    supervisor = Workers(config, sockets=[listener])
    supervisor.run()
    if supervisor.stopped_early is not None:
        raise supervisor.stopped_early
    # Uvicorn ends without an error even where every worker failed to start.
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise _not_started(config)


def _not_started(config: uvicorn.Config) -> ServingFailedError:
    return ServingFailedError(
        f"The application {config.app} did not start.", "The lines above say why."
    )


def _start_failed(config: uvicorn.Config, error: BaseException) -> BootError:
    what = f"The application {config.app} did not start: "
    if isinstance(error, BootError):
        return ServingFailedError(what + error.what, error.advice)
    return missing_package(error) or ServingFailedError(
        f"{what}{describe(error)}.", "Fix the application and start again."
    )


def _not_loaded(config: uvicorn.Config, error: BaseException) -> BootError:
    return missing_package(error) or not_loaded(str(config.app), describe(error))
