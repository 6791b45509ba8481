"""Serve the application with Uvicorn, in this process unless workers or reload need others."""

import asyncio
import logging
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.watchfilesreload import WatchFilesReload

from backend.boot.description import BootDescription
from backend.boot.errors import ServingFailedError
from backend.boot.log import logging_config
from backend.boot.masking import mask
from backend.boot.signals import Stopped

_log = logging.getLogger(__name__)

_DRAIN = 10
"""Seconds that requests under way may take to finish after a stop signal."""

_TICK = 0.1
"""Seconds between two looks at whether a stop signal came while the application starts."""

_cut_off = logging.getLogger(f"{__name__}.cut_off")
_cut_off.addHandler(logging.NullHandler())
_cut_off.propagate = False


def serve(boot: BootDescription, listener: socket.socket) -> None:
    """Serve until a stop signal; returns when the requests under way are done.

    Raises ServingFailedError where the application does not start, and Stopped where a signal
    came before it had.
    """
    config = uvicorn.Config(
        boot.asgi_app,
        log_config=logging_config(boot.log_level, boot.log_format),
        log_level=boot.log_level,
        reload=boot.serve.reload,
        workers=boot.serve.workers,
        timeout_graceful_shutdown=_DRAIN,
    )
    _log.info("Starting Uvicorn server...")
    if boot.serve.reload:
        Reloader(config, target=Server(config).run, sockets=[listener]).run()
        return
    _load(config)
    if boot.serve.workers > 1:
        _serve_with_workers(config, listener)
    else:
        _serve_here(config, listener)


class Server(uvicorn.Server):
    """Uvicorn's server, which says where it listens also when the socket was handed to it."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen; a stop signal ends the start where it stands."""
        starting = asyncio.create_task(self._start(sockets))
        while not starting.done() and not self.should_exit:
            await asyncio.wait([starting], timeout=_TICK)
        if not starting.done():
            # What the application says about being cut off is nobody's concern.
            self.lifespan.logger = _cut_off
            starting.cancel()
        elif failure := starting.result():
            raise failure

    async def _start(self, sockets: list[socket.socket] | None) -> SystemExit | None:
        """Return the failure: a task that raises SystemExit ends the loop with it."""
        try:
            await super().startup(sockets)
        except OSError as error:
            # Two processes can bind a port side by side; only one of them can listen.
            _log.error("The port cannot be listened on: %s", error)
            await self.lifespan.shutdown()
            return SystemExit(STARTUP_FAILURE)
        except SystemExit as failure:
            return failure
        if self.started and sockets:
            _log.info("Serving on %s (Ctrl-C stops it)", url_of(sockets[0]))
        return None


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Have the processes that start meanwhile leave Ctrl-C to this one, which ends them in order.

    A terminal sends it to all of them at once: one that is only being imported would answer with
    a traceback.
    """
    resource_tracker.ensure_running()  # its own start would lift the block
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


class Reloader(WatchFilesReload):
    """Uvicorn's reloader, which alone hears Ctrl-C."""

    def startup(self) -> None:
        """Start the process that serves."""
        with _deaf_children():
            super().startup()

    def restart(self) -> None:
        """Start the process that serves anew."""
        with _deaf_children():
            super().restart()


class Workers(Multiprocess):
    """Uvicorn's workers; a stop signal does not wait for those that are still starting."""

    stopped_early: Stopped | None = None
    """The stop signal, where it came before any worker served."""

    def init_processes(self) -> None:
        """Start the workers."""
        with _deaf_children():
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        """Start workers anew that have died."""
        with _deaf_children():
            super().keep_subprocess_alive()

    def handle_int(self) -> None:
        """End on Ctrl-C."""
        self._stop(signal.SIGINT)
        super().handle_int()

    def handle_term(self) -> None:
        """End on SIGTERM."""
        self._stop(signal.SIGTERM)
        super().handle_term()

    def _stop(self, signum: signal.Signals) -> None:
        starting = [process for process in self.processes if not process.is_ready(1)]
        if starting == self.processes:
            self.stopped_early = Stopped(signum)
        for process in starting:
            # Uvicorn's worker hears a signal only when it has started.
            process.process.kill()


def url_of(listener: socket.socket) -> str:
    """Return the URL that a bound socket is reached by."""
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _load(config: uvicorn.Config) -> None:
    """Import the application: a worker that cannot would be started again for ever."""
    try:
        uvicorn.importer.import_from_string(config.app)
    except Stopped:
        raise
    except (Exception, SystemExit) as error:  # an application that exits has not loaded either
        _log.debug("The failure in full", exc_info=True)
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
    except SystemExit as error:
        raise _not_started(config) from error
    except Exception as error:
        _log.debug("The failure in full", exc_info=True)
        raise _not_loaded(config, error) from error


def _serve_with_workers(config: uvicorn.Config, listener: socket.socket) -> None:
    supervisor = Workers(config, sockets=[listener])
    _log.info("Serving on %s with %d workers", url_of(listener), config.workers)
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


def _not_loaded(config: uvicorn.Config, error: BaseException) -> ServingFailedError:
    lines = mask(str(error)).strip().splitlines() or [""]
    cause = f"{type(error).__name__}: {lines[0].rstrip('.')}"
    return ServingFailedError(
        f"The application {config.app} cannot be loaded: {cause}.",
        "Mend it, or name another in ASGI_APP.",
    )
