"""Serve in this process, and report in a sentence why an application cannot be served."""

import asyncio
import logging
import socket

import uvicorn

from alembic_boot.errors import BootError, ServingFailedError
from alembic_boot.output.foreign import describe, missing_package
from alembic_boot.serving.application import not_loaded
from alembic_boot.serving.server import Config, Server
from alembic_boot.signals import Stopped

_log = logging.getLogger(__name__)

DRAIN = 10
"""Seconds that running requests have to finish after a stop signal."""

TIME_TO_START = 300.0
"""Seconds that the application has to start, by its import and its lifespan."""


def load(config: Config) -> None:
    """Import the application. Raises ServingFailedError if that fails.

    Uvicorn would restart a worker that cannot import it for ever.
    """
    try:
        uvicorn.importer.import_from_string(config.app)
    except Stopped:
        raise
    except BaseException as error:  # an application that exits is not loaded either
        raise _not_loaded(config, error) from error


def serve_here(config: Config, sockets: list[socket.socket]) -> None:
    """Serve until a stop signal. Raises ServingFailedError and Stopped as `serve` does."""
    server = Server(config)
    try:
        server.run(sockets=sockets)
    except Stopped:
        # Uvicorn raises the signal again when it has closed everything in order.
        if not server.started:
            raise
    except asyncio.CancelledError:
        _log.info("Requests that took longer than %d s were cancelled", DRAIN)
    except SystemExit:
        if server.startup_error is None:
            raise not_started(config) from None
        raise _start_failed(config, server.startup_error) from server.startup_error
    except Exception as error:
        raise _not_loaded(config, error) from error


def not_started(config: Config) -> ServingFailedError:
    """Return the error for an application that has itself reported why it does not start."""
    return ServingFailedError(
        f"The application {config.app} did not start.", "The lines above say why."
    )


def _start_failed(config: Config, error: BaseException) -> BootError:
    what = f"The application {config.app} did not start: "
    if isinstance(error, BootError):
        return ServingFailedError(what + error.what, error.advice)
    return missing_package(error) or ServingFailedError(
        f"{what}{describe(error)}.", "Fix the application and start again."
    )


def _not_loaded(config: Config, error: BaseException) -> BootError:
    return missing_package(error) or not_loaded(str(config.app), describe(error))
